//! Where a peer is, read from what the node writes of it: host, port and network.

use std::net::{IpAddr, SocketAddr};

/// The networks, by Bitcoin Core's names. The last one is of addresses that lead nowhere from elsewhere.
pub const NETWORKS: [&str; 6] = ["ipv4", "ipv6", "onion", "i2p", "cjdns", "not_publicly_routable"];

/// Where a peer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// An IP address or a name; the whole text if it has neither.
    pub host: String,
    /// The port; 0 if there is none.
    pub port: u16,
    /// One of [`NETWORKS`].
    pub network: &'static str,
}

impl Place {
    /// Reads a multiaddr, or a host and a port.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let (host, port) = if text.starts_with('/') { of_multiaddr(text) } else { of_socket(text) };
        let network = network(&host);
        Self { host, port, network }
    }
}

/// The first host of a multiaddr and the port that follows it.
fn of_multiaddr(text: &str) -> (String, u16) {
    let mut parts = text.split('/').skip(1);
    let mut host = None;
    while let Some(protocol) = parts.next() {
        match protocol {
            "ip4" | "ip6" | "dns" | "dns4" | "dns6" | "dnsaddr" => host = parts.next(),
            "tcp" | "udp" => {
                let port = parts.next().and_then(|port| port.parse().ok()).unwrap_or(0);
                return (host.unwrap_or(text).to_owned(), port);
            }
            _ => {}
        }
    }
    (host.unwrap_or(text).to_owned(), 0)
}

fn of_socket(text: &str) -> (String, u16) {
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return (socket.ip().to_string(), socket.port());
    }
    match text.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) if text.parse::<IpAddr>().is_err() => (host.to_owned(), port),
        _ => (text.to_owned(), 0),
    }
}

fn network(host: &str) -> &'static str {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) if !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()) => {
            "ipv4"
        }
        // fc00::/8 is CJDNS, as far as it is anything that leads elsewhere; fd00::/8 is private (RFC 4193).
        Ok(IpAddr::V6(ip)) if ip.octets().first() == Some(&0xfc) => "cjdns",
        Ok(IpAddr::V6(ip))
            if !(ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unspecified()) =>
        {
            "ipv6"
        }
        Ok(_) => "not_publicly_routable",
        Err(_) if host.ends_with(".onion") => "onion",
        Err(_) if host.ends_with(".i2p") => "i2p",
        Err(_) => "not_publicly_routable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_is_read() {
        for (text, host, port, network) in [
            ("1.2.3.4:8333", "1.2.3.4", 8333, "ipv4"),
            ("[2001:db8::1]:6001", "2001:db8::1", 6001, "ipv6"),
            ("2001:db8::1", "2001:db8::1", 0, "ipv6"),
            ("/ip4/8.8.8.8/tcp/6001/p2p/12D3KooWBo", "8.8.8.8", 6001, "ipv4"),
            ("/ip6/fd00::1/udp/6001/quic-v1", "fd00::1", 6001, "not_publicly_routable"),
            ("/ip4/127.0.0.1/tcp/6001/ws", "127.0.0.1", 6001, "not_publicly_routable"),
            ("/dns4/example.org/tcp/443/wss", "example.org", 443, "not_publicly_routable"),
            ("[fc00::7]:8333", "fc00::7", 8333, "cjdns"),
            ("abc.onion:8333", "abc.onion", 8333, "onion"),
            ("abc.b32.i2p:0", "abc.b32.i2p", 0, "i2p"),
            ("/memory/7", "/memory/7", 0, "not_publicly_routable"),
            ("", "", 0, "not_publicly_routable"),
        ] {
            assert_eq!(Place::of(text), Place { host: host.into(), port, network }, "{text}");
        }
    }
}
