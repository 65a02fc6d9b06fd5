//! Which addresses to listen on, and whether the system lets us have the port.
//!
//! libp2p listens with `SO_REUSEPORT`, so that dials leave from the port that is listened on (hole punching needs it). The
//! price: a second node on the same port is not refused, and the system spreads connections over both. So the port is
//! tried first without that option.

use std::error::Error as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use libp2p::core::transport::TransportError;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, quic};

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

/// What it means that listening on an address failed.
pub(crate) fn listen_error(address: &Multiaddr, error: TransportError<io::Error>) -> StartError {
    match error {
        TransportError::MultiaddrNotSupported(address) => StartError::Listen {
            address: address.to_string(),
            source: io::Error::new(io::ErrorKind::Unsupported, "no transport for this form of address"),
        },
        TransportError::Other(error) => {
            let port = address.iter().find_map(|part| match part {
                Protocol::Tcp(port) | Protocol::Udp(port) => Some(port),
                #[expect(clippy::wildcard_enum_match_arm, reason = "every other part holds no port")]
                _ => None,
            });
            refused(address.to_string(), port.unwrap_or(0), system(error))
        }
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
    refused(SocketAddr::new(host, port).to_string(), port, error)
}

fn refused(address: String, port: u16, source: io::Error) -> StartError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of io errors are not listed to the end")]
    match source.kind() {
        io::ErrorKind::AddrInUse => StartError::PortInUse { port },
        io::ErrorKind::PermissionDenied => StartError::PortForbidden { port },
        _ => StartError::Listen { address, source },
    }
}

/// The system's error within those that transports wrap around it; the error itself if there is none.
fn system(error: io::Error) -> io::Error {
    let mut inner: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    let mut code = None;
    while let Some(next) = inner {
        let io = next.downcast_ref::<io::Error>();
        code = io.and_then(io::Error::raw_os_error);
        if code.is_some() {
            break;
        }
        // Both tell the source of what they wrap, not what they wrap.
        inner = match (io.and_then(io::Error::get_ref), next.downcast_ref()) {
            (Some(wrapped), _) => Some(wrapped),
            (None, Some(quic::Error::Io(wrapped))) => Some(wrapped),
            (None, _) => next.source(),
        };
    }
    code.map_or(error, io::Error::from_raw_os_error)
}
