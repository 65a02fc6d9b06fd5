//! Which addresses are WebSocket's, and what they say.
//!
//! ```text
//! /dns4/seed.example.org/tcp/6001/ws                plain
//! /dns4/seed.example.org/tcp/443/tls/ws             within TLS; /wss means the same
//! /ip4/203.0.113.5/tcp/443/tls/sni/example.org/ws   within TLS, the certificate being that of example.org
//! ```

use futures_rustls::rustls::pki_types::ServerName;
use libp2p::Multiaddr;
use libp2p::core::transport::TransportEvent;
use libp2p::multiaddr::Protocol;

/// An address to listen on, without what is above TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Listen {
    /// Plain.
    Plain(Multiaddr),
    /// Within TLS.
    Secure(Multiaddr),
}

impl Listen {
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other part is another carrier's")]
    pub(super) fn parse(address: &Multiaddr) -> Option<Self> {
        let mut tcp = address.clone();
        match tcp.pop()? {
            Protocol::Wss(path) if path == "/" => Some(Self::Secure(tcp)),
            Protocol::Ws(path) if path == "/" => match tcp.iter().last()? {
                Protocol::Tls => {
                    tcp.pop();
                    Some(Self::Secure(tcp))
                }
                _ => Some(Self::Plain(tcp)),
            },
            _ => None,
        }
    }

    /// The address of the plain carrier at a TCP address.
    pub(super) fn plain(tcp: Multiaddr) -> Multiaddr {
        tcp.with(Protocol::Ws("/".into()))
    }

    /// That within TLS.
    pub(super) fn secure(tcp: Multiaddr) -> Multiaddr {
        tcp.with(Protocol::Tls).with(Protocol::Ws("/".into()))
    }
}

/// Says what happened at a TCP address of the carrier that runs there.
pub(super) fn named<U, E>(event: TransportEvent<U, E>, name: fn(Multiaddr) -> Multiaddr) -> TransportEvent<U, E> {
    match event {
        TransportEvent::NewAddress { listener_id, listen_addr } => {
            TransportEvent::NewAddress { listener_id, listen_addr: name(listen_addr) }
        }
        TransportEvent::AddressExpired { listener_id, listen_addr } => {
            TransportEvent::AddressExpired { listener_id, listen_addr: name(listen_addr) }
        }
        TransportEvent::Incoming { listener_id, upgrade, local_addr, send_back_addr } => TransportEvent::Incoming {
            listener_id,
            upgrade,
            local_addr: name(local_addr),
            send_back_addr: name(send_back_addr),
        },
        TransportEvent::ListenerClosed { .. } | TransportEvent::ListenerError { .. } => event,
    }
}

/// An address to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// What is below: host and port, and the peer's name if it was there.
    pub(super) tcp: Multiaddr,
    /// Host and port, as a request names them.
    pub(super) host: String,
    /// What is asked for.
    pub(super) path: String,
    /// Whose certificate it must be; `None` without TLS.
    pub(super) tls: Option<ServerName<'static>>,
}

impl Target {
    /// `None` if the address is not WebSocket's, or holds what has no place in a request: addresses come from strangers,
    /// who could otherwise make us send requests of their own to anybody.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other part is another carrier's")]
    pub(super) fn parse(address: &Multiaddr) -> Option<Self> {
        let mut parts = address.iter();
        let (below, host) = (parts.next()?, parts.next()?);
        let Protocol::Tcp(port) = host else { return None };
        let (host, name) = match &below {
            Protocol::Ip4(ip) => (ip.to_string(), ServerName::from(std::net::IpAddr::V4(*ip))),
            Protocol::Ip6(ip) => (format!("[{ip}]"), ServerName::from(std::net::IpAddr::V6(*ip))),
            Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => (name.to_string(), server(name)?),
            _ => return None,
        };
        let (tls, path) = match parts.next()? {
            Protocol::Ws(path) => (None, path),
            Protocol::Wss(path) => (Some(name), path),
            Protocol::Tls => match parts.next()? {
                Protocol::Ws(path) => (Some(name), path),
                Protocol::Sni(other) => match parts.next()? {
                    Protocol::Ws(path) => (Some(server(&other)?), path),
                    _ => return None,
                },
                _ => return None,
            },
            _ => return None,
        };
        let mut tcp = Multiaddr::from(below).with(Protocol::Tcp(port));
        match (parts.next(), parts.next()) {
            (None, _) => {}
            (Some(Protocol::P2p(peer)), None) => tcp.push(Protocol::P2p(peer)),
            _ => return None,
        }
        if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        Some(Self { tcp, host: format!("{host}:{port}"), path: path.into_owned(), tls })
    }
}

fn server(name: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(name.to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(address: &str) -> Option<Target> {
        Target::parse(&address.parse().unwrap())
    }

    #[test]
    fn a_name_is_asked_for_and_its_certificate_wanted() {
        for address in ["/dns4/example.org/tcp/443/tls/ws", "/dns4/example.org/tcp/443/wss"] {
            let target = target(address).unwrap();
            assert_eq!(target.tcp, "/dns4/example.org/tcp/443".parse().unwrap());
            assert_eq!((target.host.as_str(), target.path.as_str()), ("example.org:443", "/"));
            assert_eq!(target.tls, server("example.org"));
        }
    }

    #[test]
    fn a_plain_address_wants_no_certificate() {
        let target = target("/ip6/::1/tcp/6001/ws").unwrap();
        assert_eq!((target.host.as_str(), target.tls), ("[::1]:6001", None));
    }

    #[test]
    fn an_address_may_name_another_certificate() {
        let target = target("/ip4/203.0.113.5/tcp/443/tls/sni/example.org/ws").unwrap();
        assert_eq!(target.tls, server("example.org"));
        assert_eq!(target.host, "203.0.113.5:443");
    }

    #[test]
    fn the_name_of_the_peer_stays_below() {
        let peer = libp2p::PeerId::random();
        let target = target(&format!("/dns/example.org/tcp/443/wss/p2p/{peer}")).unwrap();
        assert_eq!(target.tcp, format!("/dns/example.org/tcp/443/p2p/{peer}").parse().unwrap());
    }

    #[test]
    fn other_carriers_are_left_alone() {
        let peer = libp2p::PeerId::random();
        let relayed = format!("/ip4/203.0.113.5/tcp/443/ws/p2p/{peer}/p2p-circuit");
        let others =
            ["/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/udp/1/quic-v1", "/dnsaddr/example.org", "/memory/1", &relayed];
        for other in others {
            assert_eq!(target(other), None, "{other}");
        }
    }

    #[test]
    fn what_has_no_place_in_a_request_is_not_dialled() {
        let smuggled = Multiaddr::from(std::net::Ipv4Addr::LOCALHOST).with(Protocol::Tcp(80));
        for path in ["/ HTTP/1.1\r\nHost: bank.example\r\n\r\n", "no-slash", "/a b"] {
            assert_eq!(Target::parse(&smuggled.clone().with(Protocol::Ws(path.into()))), None, "{path:?}");
        }
        let host = Multiaddr::from(Protocol::Dns4("a\r\nX: y".into())).with(Protocol::Tcp(80));
        assert_eq!(Target::parse(&host.with(Protocol::Ws("/".into()))), None);
    }

    #[test]
    fn listening_takes_the_root_alone() {
        let tcp: Multiaddr = "/ip4/0.0.0.0/tcp/0".parse().unwrap();
        let parse = |address: &str| Listen::parse(&address.parse().unwrap());
        assert_eq!(parse("/ip4/0.0.0.0/tcp/0/ws"), Some(Listen::Plain(tcp.clone())));
        assert_eq!(parse("/ip4/0.0.0.0/tcp/0/tls/ws"), Some(Listen::Secure(tcp.clone())));
        assert_eq!(parse("/ip4/0.0.0.0/tcp/0/wss"), Some(Listen::Secure(tcp.clone())));
        assert_eq!(parse("/ip4/0.0.0.0/tcp/0"), None);
        assert_eq!(Listen::parse(&tcp.with(Protocol::Ws("/chat".into()))), None);
    }
}
