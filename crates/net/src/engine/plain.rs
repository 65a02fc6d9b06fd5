//! Bitcoin's transport: plain TCP to any Bitcoin node or light client of the same chain.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use yap_protocol::address::{Address, Endpoint};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What came of a dial.
#[derive(Debug)]
pub(super) struct Dialled {
    /// The dial's number.
    pub(super) number: u64,
    pub(super) result: io::Result<TcpStream>,
}

/// The address of whoever connected to us.
pub(super) fn address(remote: SocketAddr) -> Address {
    let endpoint = Endpoint::Bitcoin { host: crate::address::host(remote.ip()), port: remote.port() };
    Address { identity: None, endpoint }
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
