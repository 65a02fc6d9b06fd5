//! The handshake as any peer does it.

use std::collections::BTreeMap;

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use yap_protocol::link::{Carrier, Direction};
use yap_protocol::message::{Features, Greeting, NetworkId, PROTOCOL_VERSION, Services, Version};
use yap_protocol::{Link, Message, PeerId};

use crate::network::actor::Port;

/// How far each peer has come, and what was seen of it.
#[derive(Debug, Default)]
pub struct Handshake {
    peers: BTreeMap<PeerId, Stage>,
    /// What is said to be known of our extensions.
    features: Features,
}

#[derive(Clone, Copy, Debug)]
struct Stage {
    carrier: Carrier,
    told: bool,
    ready: bool,
}

impl Handshake {
    /// One that claims to know these extensions.
    #[must_use]
    pub const fn with_features(features: Features) -> Self {
        Self { peers: BTreeMap::new(), features }
    }

    /// A connection is open: whoever dialled speaks first.
    pub fn connected(&mut self, port: &mut Port<'_>, peer: PeerId, link: &Link) {
        let told = link.direction == Direction::Outbound;
        self.peers.insert(peer, Stage { carrier: link.carrier, told, ready: false });
        if told {
            port.send(peer, version(port, peer));
        }
    }

    /// A message came. Gives whether the handshake has ended with it; answers pings ever after.
    pub fn message(&mut self, port: &mut Port<'_>, peer: PeerId, message: &Message) -> bool {
        let Some(stage) = self.peers.get_mut(&peer) else { return false };
        match message {
            Message::Version(_) if !stage.ready => {
                if !stage.told {
                    port.send(peer, version(port, peer));
                }
                port.send(peer, Message::WtxidRelay);
                port.send(peer, Message::SendAddrV2);
                if stage.carrier == Carrier::Libp2p {
                    port.send(peer, Message::Greeting(greeting(port, self.features)));
                }
                port.send(peer, Message::Verack);
                false
            }
            Message::Verack if !stage.ready => {
                stage.ready = true;
                true
            }
            Message::Ping(nonce) => {
                port.send(peer, Message::Pong(*nonce));
                false
            }
            _ => false,
        }
    }

    /// A connection is closed.
    pub fn disconnected(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
    }

    /// Whether the handshake with a peer is over.
    #[must_use]
    pub fn is_ready(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|stage| stage.ready)
    }

    /// Peers with whom the handshake is over.
    #[must_use]
    pub fn ready(&self) -> Vec<PeerId> {
        self.peers.iter().filter(|(_, stage)| stage.ready).map(|(peer, _)| *peer).collect()
    }
}

fn version(port: &Port<'_>, peer: PeerId) -> Message {
    let services = Services::NETWORK.with(Services::WITNESS);
    Message::Version(Box::new(Version {
        version: PROTOCOL_VERSION,
        services,
        timestamp: port.network().wall(),
        receiver: (Services::NONE, NetworkId::None, 0),
        nonce: port.random().next() ^ peer.0,
        user_agent: "/actor:1/".into(),
        start_height: 0,
        relay: true,
    }))
}

fn greeting(port: &Port<'_>, features: Features) -> Greeting {
    let genesis = port.network().world().tree().hash(port.network().world().tree().genesis());
    Greeting {
        features,
        genesis,
        tip: BlockHash::all_zeros(),
        work: [0; 32],
        irreversible: None,
        short_id_key: [1, 2],
        push: false,
    }
}
