//! Which addresses to listen on, and whether the system lets us have the port.
//!
//! libp2p listens with `SO_REUSEPORT`, so that dials leave from the port that is listened on (hole punching needs it). The
//! price: a second node on the same port is not refused, and the system spreads connections over both. So the port is
//! tried first without that option.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use crate::config::{Hosts, Listen};
use crate::error::StartError;

/// How often a port is chosen anew when any will do and the one that is free for TCP is taken for UDP.
const CHOICES: usize = 32;

/// The port that the system lets us have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    /// Its number, the same for TCP and UDP; 0 if nothing listens.
    pub(crate) number: u16,
    /// Whether this machine has IPv6.
    pub(crate) ipv6: bool,
}

/// Finds out whether the configured port is free, on TCP and UDP and each of the addresses; any free one for port 0.
///
/// The sockets are closed again: between this and listening, another program can take the port.
///
/// # Errors
///
/// [`StartError::PortInUse`], [`StartError::PortForbidden`], and [`StartError::Listen`] for anything else, such as an
/// address that this machine does not have.
pub(crate) fn check_port(listen: &Listen) -> Result<Port, StartError> {
    let ipv6 = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let hosts = hosts(listen, ipv6);
    let Some(first) = hosts.first() else { return Ok(Port { number: 0, ipv6 }) };
    if listen.port != 0 {
        return hosts
            .iter()
            .try_for_each(|host| check(*host, listen.port))
            .map(|()| Port { number: listen.port, ipv6 });
    }
    let mut last = None;
    for _ in 0..CHOICES {
        let number = any(*first)?;
        match hosts.iter().try_for_each(|host| check(*host, number)) {
            Ok(()) => return Ok(Port { number, ipv6 }),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or(StartError::PortInUse { port: 0 }))
}

/// Where to listen, in order: WebSocket comes after TCP, whose sockets it shares.
pub(crate) fn listen_addresses(listen: &Listen, port: Port) -> Vec<Multiaddr> {
    if let Some(number) = listen.memory {
        return vec![Protocol::Memory(number).into()];
    }
    let hosts = hosts(listen, port.ipv6);
    let tcp = |host: &IpAddr| Multiaddr::from(*host).with(Protocol::Tcp(port.number));
    let quic = |host: &IpAddr| Multiaddr::from(*host).with(Protocol::Udp(port.number)).with(Protocol::QuicV1);
    let websocket = |host: &IpAddr| tcp(host).with(Protocol::Ws("/".into()));
    let secure = |host: &IpAddr| tcp(host).with(Protocol::Tls).with(Protocol::Ws("/".into()));
    let plain = hosts.iter().map(tcp).chain(hosts.iter().map(quic)).chain(hosts.iter().map(websocket));
    match listen.tls {
        Some(_) => plain.chain(hosts.iter().map(secure)).collect(),
        None => plain.collect(),
    }
}

/// The addresses that are listened on.
fn hosts(listen: &Listen, ipv6: bool) -> Vec<IpAddr> {
    if listen.memory.is_some() {
        return Vec::new();
    }
    let both = |four: Ipv4Addr, six: Ipv6Addr| {
        std::iter::once(IpAddr::V4(four)).chain(ipv6.then_some(IpAddr::V6(six))).collect()
    };
    match &listen.hosts {
        Hosts::All => both(Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED),
        Hosts::Loopback => both(Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST),
        Hosts::Only(hosts) => hosts.clone(),
        Hosts::None => Vec::new(),
    }
}

/// Whether a port is free for TCP and UDP.
fn check(host: IpAddr, port: u16) -> Result<(), StartError> {
    TcpListener::bind((host, port)).map_err(|error| bound(host, port, error))?;
    UdpSocket::bind((host, port)).map_err(|error| bound(host, port, error))?;
    Ok(())
}

/// A port that is free for TCP.
fn any(host: IpAddr) -> Result<u16, StartError> {
    let listener = TcpListener::bind((host, 0)).map_err(|error| bound(host, 0, error))?;
    listener.local_addr().map(|address| address.port()).map_err(|error| bound(host, 0, error))
}

fn bound(host: IpAddr, port: u16, error: io::Error) -> StartError {
    StartError::refused(SocketAddr::new(host, port).to_string(), port, error)
}
