//! From text to a [`Given`].

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use libp2p::Multiaddr;
use libp2p::multiaddr::{self, Protocol};
use yap_protocol::address::{Identity, MAX_MULTIADDR};

use super::{Given, GivenError, Scheme};
use crate::address;
use crate::config::PORT;
use crate::identity::Name;

/// Port of `wss://` without one, as of any web server.
const TLS_PORT: u16 = 443;

/// Letters of what was given that an error shows.
const SHOWN: usize = 120;

impl FromStr for Given {
    type Err = GivenError;

    fn from_str(text: &str) -> Result<Self, GivenError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(GivenError::Empty);
        }
        if text.starts_with('/') {
            return of_multiaddr(text);
        }
        if is_like_peer(text) {
            return peer(text, text).map(Self::Peer);
        }
        let (form, place) = match text.split_once("://") {
            Some((scheme, place)) => (Form::of_scheme(text, scheme, place)?, place),
            None => (Form::Plain, text),
        };
        of_place(text, form, place)
    }
}

/// What is shown of a text.
fn shown(text: &str) -> String {
    let mut letters = text.chars();
    let mut start: String = letters.by_ref().take(SHOWN).collect();
    if letters.next().is_some() {
        start.push('…');
    }
    start
}

/// What stands before `host:port`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    WebSocket,
    SecureWebSocket,
    Bitcoin,
    Tcp,
    Quic,
}

impl Form {
    fn of_scheme(text: &str, scheme: &str, place: &str) -> Result<Self, GivenError> {
        // Host and port, and the host alone: the page has another port than the node.
        let server = place.split('/').next().unwrap_or(place);
        let (host, _) = split_port(server);
        let web = |right: String| GivenError::Web { text: shown(text), right };
        match scheme.to_ascii_lowercase().as_str() {
            "ws" => Ok(Self::WebSocket),
            "wss" => Ok(Self::SecureWebSocket),
            "bitcoin" => Ok(Self::Bitcoin),
            "tcp" => Ok(Self::Tcp),
            "quic" => Ok(Self::Quic),
            "http" => Err(web(format!("ws://{}:{PORT}", shown(host)))),
            "https" => Err(web(format!("wss://{}", shown(server)))),
            _ => Err(GivenError::Scheme { text: shown(text), scheme: shown(scheme) }),
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::WebSocket => "ws://",
            Self::SecureWebSocket => "wss://",
            Self::Bitcoin => "bitcoin://",
            Self::Tcp => "tcp://",
            Self::Quic => "quic://",
        }
    }

    /// The port where none is given. Web servers have no port of ours, and each Bitcoin chain has its own.
    const fn port(self) -> Option<u16> {
        match self {
            Self::Plain | Self::Tcp | Self::Quic => Some(PORT),
            Self::SecureWebSocket => Some(TLS_PORT),
            Self::WebSocket | Self::Bitcoin => None,
        }
    }

    /// The form as a host is kept; `None` if it is kept as a multiaddr.
    const fn scheme(self) -> Option<Scheme> {
        match self {
            Self::Plain => Some(Scheme::Plain),
            Self::WebSocket => Some(Scheme::WebSocket),
            Self::SecureWebSocket => Some(Scheme::SecureWebSocket),
            Self::Bitcoin => Some(Scheme::Bitcoin),
            Self::Tcp | Self::Quic => None,
        }
    }
}

/// `host`, `host:port`, with `/p2p/<id>` or nothing behind.
fn of_place(text: &str, form: Form, place: &str) -> Result<Given, GivenError> {
    let (host, tail) = place.split_at(place.find('/').unwrap_or(place.len()));
    let named = match tail.trim_end_matches('/').strip_prefix("/p2p/") {
        // Bitcoin's transport proves no key.
        Some(id) if form != Form::Bitcoin => Some(peer(text, id)?),
        None if tail.trim_end_matches('/').is_empty() => None,
        _ => return Err(GivenError::Path { text: shown(text), path: shown(tail) }),
    };
    let (host, port) = host_and_port(text, form, host)?;
    match form.scheme() {
        Some(scheme) if named.is_none() => Ok(Given::Host { host, port, scheme }),
        _ => {
            let multiaddr = place_as_multiaddr(&host, port, form);
            let place = address::from_libp2p(&multiaddr).ok_or_else(|| GivenError::Long { text: shown(text) })?;
            Ok(Given::Address(yap_protocol::Address { identity: named, ..place }))
        }
    }
}

fn place_as_multiaddr(host: &str, port: u16, form: Form) -> Multiaddr {
    let host = match host.parse::<IpAddr>() {
        Ok(ip) => Multiaddr::from(ip.to_canonical()),
        Err(_) => Multiaddr::from(Protocol::Dns(host.into())),
    };
    let ws = || Protocol::Ws("/".into());
    match form {
        Form::Quic => host.with(Protocol::Udp(port)).with(Protocol::QuicV1),
        Form::WebSocket => host.with(Protocol::Tcp(port)).with(ws()),
        Form::SecureWebSocket => host.with(Protocol::Tcp(port)).with(Protocol::Tls).with(ws()),
        Form::Plain | Form::Bitcoin | Form::Tcp => host.with(Protocol::Tcp(port)),
    }
}

/// The host, small letters, and its port.
fn host_and_port(text: &str, form: Form, place: &str) -> Result<(String, u16), GivenError> {
    let (host, port) = split_port(place);
    let wrong = || GivenError::Host { text: shown(text), host: shown(host) };
    let ip = match host.strip_prefix('[') {
        Some(host) => {
            let host = host.strip_suffix(']').ok_or_else(wrong)?;
            Some(host.parse::<Ipv6Addr>().map_err(|_| wrong())?.into())
        }
        None => host.parse::<IpAddr>().ok(),
    };
    let host = match ip {
        Some(ip) => ip.to_canonical().to_string(),
        None if is_name(host) => host.to_ascii_lowercase(),
        None => return Err(wrong()),
    };
    let right = || {
        let shown = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        format!("{}{shown}:{PORT}", form.prefix())
    };
    let Some(port) = port else {
        let port = form.port().ok_or_else(|| GivenError::NoPort { text: shown(text), right: right() })?;
        return Ok((host, port));
    };
    match port.parse() {
        // `parse` takes a sign.
        Ok(number) if number != 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => Ok((host, number)),
        _ => Err(GivenError::Port { text: shown(text), port: shown(port), right: right() }),
    }
}

/// The host, with its brackets if it has any, and what stands for the port.
fn split_port(place: &str) -> (&str, Option<&str>) {
    // IPv6 without brackets: all of its colons are its own.
    if place.parse::<Ipv6Addr>().is_ok() {
        return (place, None);
    }
    let brackets = place.rfind(']').unwrap_or(0);
    match place.rfind(':') {
        Some(colon) if colon >= brackets => {
            let (host, port) = place.split_at(colon);
            (host, port.get(1..))
        }
        _ => (place, None),
    }
}

/// Whether a resolver may be asked for it: RFC 1123, section 2.1, and underscores, which names of containers have.
fn is_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    // A number at the end would be an IP address, and is none: 10.0.0.256, or 10.0.0.
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    name.len() <= 253 && name.split('.').all(is_label) && !name.rsplit('.').next().is_some_and(is_number)
}

/// Whether somebody who writes this means a peer id, of any kind of key.
fn is_like_peer(text: &str) -> bool {
    let begins = |start: &str| text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    let alone = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    alone && (begins("12D3KooW") || begins("16Uiu2HA") || (text.starts_with("Qm") && text.len() == 46))
}

fn peer(text: &str, id: &str) -> Result<Identity, GivenError> {
    id.parse().map(|Name(identity)| identity).map_err(|_| GivenError::Peer { text: shown(text) })
}

fn of_multiaddr(text: &str) -> Result<Given, GivenError> {
    let text = text.strip_suffix('/').unwrap_or(text);
    if let Some(id) = text.strip_prefix("/p2p/").filter(|id| !id.contains('/')) {
        return peer(text, id).map(Given::Peer);
    }
    let multiaddr: Multiaddr = text.parse().map_err(|error| {
        if let multiaddr::Error::UnknownProtocolString(component) = error {
            GivenError::Component { text: shown(text), component: shown(&component) }
        } else {
            GivenError::Multiaddr { text: shown(text) }
        }
    })?;
    let (place, _) = address::split(&multiaddr);
    if place.len() > MAX_MULTIADDR {
        return Err(GivenError::Long { text: shown(text) });
    }
    if let Some(name) = bad_name(&place) {
        return Err(GivenError::Host { text: shown(text), host: shown(&name) });
    }
    if !address::is_whole(&place) {
        return Err(GivenError::Transport { text: shown(text) });
    }
    address::from_libp2p(&multiaddr).map(Given::Address).ok_or_else(|| GivenError::Peer { text: shown(text) })
}

/// A name that no resolver can be asked for.
fn bad_name(place: &Multiaddr) -> Option<String> {
    place.iter().find_map(|part| address::host_name(&part).filter(|name| !is_name(name)).map(str::to_owned))
}
