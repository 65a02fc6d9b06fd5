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
//! What begins otherwise is closed, and so is what says nothing for [`port::SILENCE`]. BIP-0324 connections begin with
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
//!
//! Not its job: how many connections are taken from whom (`limits`), and what is said on them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, MemoryTransport, Transport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{PeerId, noise, relay, tcp};
use tokio::sync::mpsc;

use crate::config::{Config, Tls};
use crate::error::StartError;

use self::carriers::Carriers;

mod carriers;
mod listen;
mod yamux;

pub(crate) use listen::{Port, check_port, listen_addresses, listen_error};

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

/// How long opening a connection may take, from the first packet to the last handshake. A peer that sends a byte a second
/// is cut off by it.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(15);

/// Connections that began with the chain's magic and were not taken yet. One more is closed.
pub(crate) const BITCOIN: usize = 16;

/// Builds the transport.
///
/// # Errors
///
/// [`StartError::Certificate`] if one can't be used, [`StartError::Transport`] if the key can't.
pub(crate) fn build(keys: &Keypair, options: &Options) -> Result<Parts, StartError> {
    let (circuits, relay) = relay::client::new(keys.public().to_peer_id());
    let (_sender, bitcoin) = mpsc::channel(BITCOIN);
    let mut carriers = vec![upgraded(circuits, keys)?];
    if options.memory {
        carriers.push(upgraded(MemoryTransport::default(), keys)?);
    } else {
        carriers.push(upgraded(tcp::tokio::Transport::new(tcp::Config::new()), keys)?);
    }
    Ok(Parts { transport: Carriers::new(carriers).boxed(), relay, bitcoin })
}

/// Encrypts by Noise, and divides into streams by Yamux.
///
/// The end that dials proposes and goes on without waiting for the answer (`V1Lazy`), which saves two round trips. That is
/// safe here: one proposal is all that either end knows, Noise's first message is the dialler's, and a refusal is noticed at
/// the first read.
fn upgraded<T>(transport: T, keys: &Keypair) -> Result<Boxed<(PeerId, StreamMuxerBox)>, StartError>
where
    T: Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    let noise = noise::Config::new(keys).map_err(|error| StartError::Transport(error.to_string()))?;
    let transport = transport.upgrade(Version::V1Lazy).authenticate(noise).multiplex(yamux::Config);
    Ok(transport.timeout(HANDSHAKE).boxed())
}
