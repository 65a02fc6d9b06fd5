//! Who may ask: which host is meant, which web page asks, and with which credentials.
//!
//! A web page that the user looks at can send requests to this machine. Its browser tells on it: `Host` names the site
//! that a rebound DNS name belongs to, `Origin` and `Sec-Fetch-Site` the page that asks. What is not a browser sends
//! neither of the latter, and is as trustworthy as this machine's users.

use std::net::IpAddr;

use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Version};

use super::body::Refusal;
use super::error::StartError;
use super::link::Link;
use crate::credentials::Credentials;

/// Says whether a page of another site asks (W3C Fetch Metadata).
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Whoever has the cookie.
    Owner,
    /// Anyone on this machine.
    Anyone,
}

/// Why a caller is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Barred {
    /// There are no credentials, and the node can be reached from beyond this machine.
    NoCredentials,
    /// The credentials are wrong.
    WrongCredentials,
}

/// What is asked of whoever comes.
#[derive(Debug)]
pub(crate) struct Doors {
    credentials: Credentials,
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Doors {
    pub(super) fn new(credentials: Credentials, hosts: &[String], origins: &[String]) -> Result<Self, StartError> {
        let hosts = hosts.iter().map(|given| {
            let host = host_name(given).filter(|host| host.len() >= given.trim_end_matches('.').len());
            host.ok_or_else(|| StartError::Host(given.clone()))
        });
        let origins = origins.iter().map(|given| origin(given).ok_or_else(|| StartError::Origin(given.clone())));
        Ok(Self { credentials, hosts: hosts.collect::<Result<_, _>>()?, origins: origins.collect::<Result<_, _>>()? })
    }

    /// Whether the request means this node, and no page of a site asks that may not. Gives the origin of a page that may
    /// by [`Config::allow_origins`](super::Config::allow_origins).
    pub(super) fn admit(&self, head: &Parts, link: &Link) -> Result<Option<HeaderValue>, Refusal> {
        let host = self.meant(head, link)?;
        let mut origins = head.headers.get_all(header::ORIGIN).iter();
        let from = origins.next();
        if origins.next().is_some() {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "there are two Origin headers"));
        }
        let named = from.map(|from| String::from_utf8_lossy(from.as_bytes()).to_ascii_lowercase());
        if let (Some(value), Some(named)) = (from, &named)
            && self.origins.contains(named)
        {
            return Ok(Some(value.clone()));
        }
        let ours = host.map(|host| format!("http://{host}"));
        if named.is_some() && named != ours {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "a page of this web site may not talk to the node: name it with --http-allow-origins if it should",
            ));
        }
        let site = head.headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
        match site {
            None | Some(b"same-origin" | b"none") => Ok(None),
            Some(_) => Err(Refusal::new(StatusCode::FORBIDDEN, "a page of another web site may not talk to the node")),
        }
    }

    /// The host that the request means, if it says one; it must be this node.
    fn meant(&self, head: &Parts, link: &Link) -> Result<Option<String>, Refusal> {
        let mut hosts = head.headers.get_all(header::HOST).iter();
        let given = hosts.next().map(|host| String::from_utf8_lossy(host.as_bytes()).to_ascii_lowercase());
        if hosts.next().is_some() {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "there are two Host headers"));
        }
        let target = head.uri.authority().map(|authority| authority.as_str().to_ascii_lowercase());
        // RFC 9112 §3.2: without a host it is no request of HTTP/1.1.
        if given.is_none() && head.version > Version::HTTP_10 {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "there is no Host header"));
        }
        for host in given.iter().chain(&target) {
            let known = host_name(host).is_some_and(|name| self.is_ours(&name, link));
            if !known {
                return Err(Refusal::new(
                    StatusCode::FORBIDDEN,
                    "the node is not known by this host name: name it with --http-allow-hosts if it should be",
                ));
            }
        }
        Ok(target.or(given))
    }

    /// An address can't be rebound as a name can: whoever names the one that was reached means this node.
    fn is_ours(&self, name: &str, link: &Link) -> bool {
        let address = name.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        name == "localhost"
            || address.is_some_and(|address| address.is_loopback() || address == link.local.ip().to_canonical())
            || self.hosts.iter().any(|host| host == name)
    }

    /// Who asks.
    pub(super) fn caller(&self, headers: &HeaderMap, link: &Link) -> Result<Caller, Barred> {
        let mut shown = headers.get_all(header::AUTHORIZATION).iter();
        match (shown.next(), shown.next()) {
            (Some(header), None) if self.credentials.admit(header.as_bytes()) => Ok(Caller::Owner),
            (Some(_), _) => Err(Barred::WrongCredentials),
            (None, _) if link.loopback && link.peer.ip().to_canonical().is_loopback() => Ok(Caller::Anyone),
            (None, _) => Err(Barred::NoCredentials),
        }
    }
}

/// Whether a form of a web page could not have sent this: without credentials, the body must say that it is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Whether it is the question of a browser that precedes a page's request.
pub(super) fn is_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS && head.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The name or address of `host` or `host:port`, in small letters; an IPv6 address without its brackets.
fn host_name(host: &str) -> Option<String> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (address, rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("0")))
        }
        None => host.split_once(':').map_or((host, Some("0")), |(name, port)| (name, Some(port))),
    };
    port?.parse::<u16>().ok()?;
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    (!name.is_empty() && name.bytes().all(plain)).then_some(name)
}

/// An origin as browsers write it: scheme, host, and port if it is not the scheme's own.
fn origin(given: &str) -> Option<String> {
    let text = given.strip_suffix('/').unwrap_or(given).to_ascii_lowercase();
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
    host_name(host)?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::super::pulse::Pulse;
    use super::*;

    fn doors() -> Doors {
        let (hosts, origins) = (["Yap.example".to_owned()], ["https://app.example/".to_owned()]);
        Doors::new(Credentials::new("__cookie__:00"), &hosts, &origins).unwrap()
    }

    fn link(local: &str, loopback: bool) -> Link {
        let local = local.parse().unwrap();
        let peer = if loopback { "127.0.0.1:9" } else { "198.51.100.1:9" }.parse().unwrap();
        Link { peer, local, loopback, pulse: Pulse::new() }
    }

    fn head(headers: &[(&str, &str)]) -> Parts {
        let request = headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    fn admitted(headers: &[(&str, &str)]) -> Result<bool, StatusCode> {
        let admitted = doors().admit(&head(headers), &link("127.0.0.1:3001", true));
        admitted.map(|origin| origin.is_some()).map_err(|refusal| refusal.status())
    }

    #[test]
    fn only_our_own_names_are_served() {
        for host in
            ["localhost", "LOCALHOST:3001", "127.0.0.1:3001", "[::1]:3001", "[::1]", "yap.example:80", "yap.example."]
        {
            assert_eq!(admitted(&[("host", host)]), Ok(false), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:3001",
            "localhost.evil.example",
            "192.0.2.7:3001",
            "",
            "a b",
            "[::2]",
            "[evil]",
            "localhost:x",
            "localhost:1:2",
            "user@localhost",
        ] {
            assert_eq!(admitted(&[("host", host)]), Err(StatusCode::FORBIDDEN), "{host}");
        }
        assert_eq!(admitted(&[]), Err(StatusCode::BAD_REQUEST));
        assert_eq!(admitted(&[("host", "localhost"), ("host", "localhost")]), Err(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn the_address_that_was_reached_is_ours() {
        let link = link("192.0.2.7:3001", false);
        assert!(doors().admit(&head(&[("host", "192.0.2.7:3001")]), &link).is_ok());
        assert!(doors().admit(&head(&[("host", "192.0.2.8:3001")]), &link).is_err());
    }

    #[test]
    fn target_of_the_request_line_is_checked_as_well() {
        let ask = |target: &str, host: &str| {
            let head = Request::get(target).header("host", host).body(()).unwrap().into_parts().0;
            doors().admit(&head, &link("127.0.0.1:3001", true)).is_ok()
        };
        assert!(ask("http://localhost:3001/", "localhost:3001"));
        assert!(!ask("http://evil.example/", "localhost:3001"));
        assert!(!ask("http://localhost:3001/", "evil.example"));
    }

    #[test]
    fn pages_of_other_sites_are_turned_away() {
        let from = |origin| admitted(&[("host", "localhost:3001"), ("origin", origin)]);
        assert_eq!(from("http://localhost:3001"), Ok(false), "our own page");
        assert_eq!(from("https://app.example"), Ok(true), "one that was named");
        for other in ["http://localhost:8080", "https://localhost:3001", "https://evil.example", "null", ""] {
            assert_eq!(from(other), Err(StatusCode::FORBIDDEN), "{other}");
        }
        let site = |site| admitted(&[("host", "localhost:3001"), ("sec-fetch-site", site)]);
        assert_eq!(site("same-origin"), Ok(false));
        assert_eq!(site("none"), Ok(false), "the user typed the address");
        assert_eq!(site("cross-site"), Err(StatusCode::FORBIDDEN));
        assert_eq!(site("same-site"), Err(StatusCode::FORBIDDEN), "another port of this machine is another site");
        let named = [("host", "localhost:3001"), ("origin", "https://app.example"), ("sec-fetch-site", "cross-site")];
        assert_eq!(admitted(&named), Ok(true));
    }

    #[test]
    fn callers_are_told_apart_by_credentials() {
        let call = |headers: &[(&str, &str)], loopback| {
            doors().caller(&head(headers).headers, &link("127.0.0.1:3001", loopback))
        };
        let good = Credentials::new("__cookie__:00");
        let bad = Credentials::new("__cookie__:01");
        assert_eq!(call(&[("authorization", good.header())], true), Ok(Caller::Owner));
        assert_eq!(call(&[("authorization", good.header())], false), Ok(Caller::Owner));
        assert_eq!(call(&[("authorization", bad.header())], true), Err(Barred::WrongCredentials));
        let both = [("authorization", good.header()), ("authorization", bad.header())];
        assert_eq!(call(&both, true), Err(Barred::WrongCredentials));
        assert_eq!(call(&[], true), Ok(Caller::Anyone));
        assert_eq!(call(&[], false), Err(Barred::NoCredentials));
    }

    #[test]
    fn hosts_and_origins_of_the_configuration_are_checked() {
        let start = |host: &str, origin: &str| {
            Doors::new(Credentials::new("a:b"), &[host.to_owned()], &[origin.to_owned()]).map(drop)
        };
        assert!(start("yap-0.yap", "http://localhost:8080").is_ok());
        for host in ["", "http://a", "a:1", "a/b", "*"] {
            assert!(matches!(start(host, "http://a"), Err(StartError::Host(_))), "{host}");
        }
        for origin in ["*", "null", "localhost:8080", "https://a/b", "ftp://a", "https://"] {
            assert!(matches!(start("a", origin), Err(StartError::Origin(_))), "{origin}");
        }
    }
}
