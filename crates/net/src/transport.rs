//! One port for everything, and every way to dial: the transport that the swarm runs on.
//!
//! ```text
//!                      ┌ 0x13 /multistream ─▶ libp2p over TCP ─────┐
//!  P2P_PORT, TCP ──────┼ GET ───────────────▶ WebSocket ───────────┤
//!  (first bytes)       ├ 0x16 0x03 ─────────▶ TLS, then WebSocket ─┼─▶ Noise, Yamux ─▶ swarm
//!                      └ the chain's magic ─▶ Bitcoin ─▶ Parts::bitcoin
//!  P2P_PORT, UDP ──────── QUIC ───────────────────────────────────────▶ swarm
//!  relayed, memory ──────────────────────────────▶ Noise, Yamux ─────▶ swarm
//! ```
//!
//! What begins otherwise is closed, and so is what says nothing for ten seconds. BIP-0324 connections begin with
//! random bytes and are closed too: their initiators then come back with the unencrypted transport, as that proposal says.
//!
//! Names are resolved here (`/dns`, `/dns4`, `/dns6`, `/dnsaddr`): around TCP and QUIC, and inside WebSocket, whose
//! certificates need the name. A `/dnsaddr` that leads to WebSocket is therefore for whoever resolves it before it is dialled.
//!
//! | module | owns |
//! |---|---|
//! | `first` | what the first bytes of a connection say |
//! | `port` | the listening socket that carriers share, and the connections that said nothing yet |
//! | `carriers` | several transports as one |
//! | `listen` | which addresses to listen on, and whether the port is free |
//! | `tls` | certificates of secure WebSocket |
//! | `names` | the resolver |
//! | `websocket` | bytes in WebSocket frames, within TLS or not |
//! | `yamux` | many streams over one connection |
//! | `failure` | what a failure means |
//!
//! Not its job: how many connections are taken from whom (`limits`), and what is said on them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::core::transport::{Boxed, MemoryTransport, Transport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{PeerId, noise, quic, relay};
use tokio::sync::mpsc;

use crate::config::{Config, Tls};
use crate::error::StartError;

use self::carriers::Carriers;
use self::websocket::WebSocket;

mod carriers;
mod failure;
mod first;
pub(crate) mod listen;
mod names;
mod port;
mod tls;
mod websocket;
mod yamux;

pub(crate) use failure::{dial_error, how_far, listen_error};
pub(crate) use listen::{check_port, listen_addresses};

/// What the transport is told.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// What Bitcoin's transport begins with on our chain.
    pub(crate) magic: [u8; 4],
    /// Certificate for secure WebSocket.
    pub(crate) tls: Option<Tls>,
    /// Authorities that dialled certificates may come from besides the usual ones.
    pub(crate) trust: Vec<PathBuf>,
    /// Memory and relays alone: no socket is ever opened.
    pub(crate) memory: bool,
}

impl Options {
    /// As the configuration says.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            magic: config.chain.magic,
            tls: config.listen.tls.clone(),
            trust: config.find.trust.clone(),
            memory: config.listen.memory.is_some(),
        }
    }
}

/// A connection that began with the chain's magic. Nothing of it has been read.
#[derive(Debug)]
pub(crate) struct Bitcoin {
    /// The connection.
    pub(crate) stream: tokio::net::TcpStream,
    /// Who opened it.
    pub(crate) remote: SocketAddr,
}

/// What the swarm is made of.
pub(crate) struct Parts {
    /// Every carrier, names included, relayed connections included.
    pub(crate) transport: Boxed<(PeerId, StreamMuxerBox)>,
    /// The other half of the relayed carrier: it belongs into the swarm's behaviour.
    pub(crate) relay: relay::client::Behaviour,
    /// Connections that began with the chain's magic. Ends when the transport is dropped, and at once in memory.
    pub(crate) bitcoin: mpsc::Receiver<Bitcoin>,
}

/// How long the handshakes of a connection may take. A peer that sends a byte a second is cut off by it.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);

/// Connections that began with the chain's magic and were not taken yet. One more is closed.
pub(crate) const BITCOIN: usize = 16;

/// Builds the transport.
///
/// # Errors
///
/// [`StartError::Certificate`] if one can't be used, [`StartError::Transport`] if the key can't.
pub(crate) fn build(keys: &Keypair, options: &Options) -> Result<Parts, StartError> {
    let (circuits, relay) = relay::client::new(keys.public().to_peer_id());
    let (sender, bitcoin) = mpsc::channel(BITCOIN);
    let mut carriers = vec![upgraded(circuits, keys, DIAL)?];
    if options.memory {
        carriers.push(upgraded(MemoryTransport::default(), keys, HANDSHAKE)?);
    } else {
        let [plain, websocket, secure] = port::branches(options.magic, sender);
        let acceptor = options.tls.as_ref().map(|files| tls::acceptor(files, SystemTime::now())).transpose()?;
        let connector = tls::connector(&options.trust)?;
        let websocket = WebSocket::new(websocket, acceptor.map(|acceptor| (secure, acceptor)), connector);
        carriers.push(upgraded(websocket, keys, DIAL)?);
        let quic = quic::tokio::Transport::new(quic_config(keys));
        let quic = quic.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection))).boxed();
        // Last: names are dialled whatever stands behind them.
        let named = names::around(Carriers::new(vec![upgraded(plain, keys, HANDSHAKE)?, quic]));
        carriers.push(TransportTimeout::with_outgoing_timeout(named, DIAL).boxed());
    }
    Ok(Parts { transport: Carriers::new(carriers).boxed(), relay, bitcoin })
}

/// How long dialling may take in all: a name is resolved, and its addresses are tried one after the other.
pub(crate) const DIAL: Duration = Duration::from_secs(45);

/// How long a QUIC handshake may take. Most dials to nowhere are QUIC's, and lookups wait for them.
pub(crate) const QUIC_HANDSHAKE: Duration = Duration::from_secs(5);

/// Silence after which QUIC asks whether the other end is there.
pub(crate) const QUIC_KEEP_ALIVE: Duration = Duration::from_secs(3);

/// Silence, the questions included, after which a QUIC connection is given up: a dead peer is noticed within ten seconds.
pub(crate) const QUIC_IDLE: Duration = Duration::from_secs(7);

/// What may be on its way in one QUIC stream, and what a peer can make us hold in one that we don't read: bytes. One stream
/// then carries 40 MiB/s over 100 ms.
pub(crate) const QUIC_STREAM: u32 = 4 << 20;

/// The same in all streams of a QUIC connection together.
pub(crate) const QUIC_CONNECTION: u32 = 8 << 20;

fn quic_config(keys: &Keypair) -> quic::Config {
    let mut config = quic::Config::new(keys);
    config.handshake_timeout = QUIC_HANDSHAKE;
    config.keep_alive_interval = QUIC_KEEP_ALIVE;
    config.max_idle_timeout = u32::try_from(QUIC_IDLE.as_millis()).unwrap_or(u32::MAX);
    config.max_concurrent_stream_limit = u32::try_from(yamux::STREAMS).unwrap_or(u32::MAX);
    config.max_stream_data = QUIC_STREAM;
    config.max_connection_data = QUIC_CONNECTION;
    config
}

/// Encrypts by Noise, and divides into streams by Yamux.
///
/// The end that dials proposes and goes on without waiting for the answer (`V1Lazy`), which saves two round trips. That is
/// safe here: one proposal is all that either end knows, Noise's first message is the dialler's, and a refusal is noticed at
/// the first read.
///
/// A dial may take `dial` from its beginning, which for WebSocket is the name's.
fn upgraded<T>(transport: T, keys: &Keypair, dial: Duration) -> Result<Boxed<(PeerId, StreamMuxerBox)>, StartError>
where
    T: Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    let noise = noise::Config::new(keys).map_err(|error| StartError::Transport(error.to_string()))?;
    let transport = transport.upgrade(Version::V1Lazy).authenticate(noise).multiplex(yamux::Config);
    Ok(transport.inbound_timeout(HANDSHAKE).outbound_timeout(dial).boxed())
}

#[cfg(test)]
mod tests;
