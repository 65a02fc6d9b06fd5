//! Bitcoin's transport: plain TCP to any Bitcoin node or light client of the same chain.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use yap_protocol::address::{Address, Endpoint, Host};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What came of a dial.
#[derive(Debug)]
pub(super) struct Dialled {
    /// The dial's number.
    pub(super) number: u64,
    pub(super) result: io::Result<TcpStream>,
}

/// Where a host of Bitcoin's transport is; `None` for networks that nothing here can dial.
pub(super) fn socket(host: Host, port: u16) -> Option<SocketAddr> {
    match host {
        Host::Ipv4(ip) => Some((ip, port).into()),
        Host::Ipv6(ip) | Host::Cjdns(ip) => Some((ip, port).into()),
        _ => None,
    }
}

/// The address of whoever connected to us.
pub(super) fn address(remote: SocketAddr) -> Address {
    let host = match remote.ip().to_canonical() {
        IpAddr::V4(ip) => Host::Ipv4(ip),
        IpAddr::V6(ip) => Host::Ipv6(ip),
    };
    Address { identity: None, endpoint: Endpoint::Bitcoin { host, port: remote.port() } }
}

/// Connects.
pub(super) async fn connect(number: u64, to: SocketAddr) -> Dialled {
    let connecting = async {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    let result = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()));
    Dialled { number, result }
}
