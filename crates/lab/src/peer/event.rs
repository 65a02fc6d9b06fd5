//! What a peer tells of itself, as it happens; as JSON, one object of a line each.

use serde::Serialize;
use yap_net::identity::Name;
use yap_net::status::{self, Via};
use yap_protocol::address::Identity;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Event {
    /// The peer listens on an address.
    Listening {
        /// A multiaddr.
        address: String,
    },
    /// A session is ready: the handshake is done.
    Connected {
        /// The other's name.
        identity: String,
        /// How it is reached.
        #[serde(flatten)]
        way: Way,
    },
    /// The way to a peer has changed.
    Path {
        /// The other's name.
        identity: String,
        /// How it is reached now.
        #[serde(flatten)]
        way: Way,
    },
    /// A session has ended.
    Gone {
        /// The other's name.
        identity: String,
        /// Why, if anybody said.
        why: Option<String>,
    },
    /// The chain that is connected and verified has changed.
    Tip {
        /// Height of the newest block.
        height: u32,
        /// Its hash.
        hash: String,
    },
    /// A transaction is pending that was not.
    Transaction {
        /// Its id.
        txid: String,
    },
    /// No peer is connected, or one is again.
    Alone {
        /// Whether none is.
        value: bool,
    },
    /// How the peer is reached has changed.
    Reach(Reach),
    /// A message of a topic came.
    Topic {
        /// The topic.
        topic: String,
        /// The message; what is no text in it is replaced.
        text: String,
        /// Who published it.
        identity: String,
    },
    /// Something that a user may want to know.
    Notice {
        /// In words.
        text: String,
    },
}

/// How a peer is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Way {
    /// `direct`, `punched`, `relayed`, or `unknown` where the network no longer says.
    pub path: &'static str,
    /// What the connection runs on: `tcp`, `quic`, `websocket`, `wss`, `bitcoin`, `memory`; `relay` behind one.
    pub via: &'static str,
    /// Who relays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
}

impl Way {
    /// Not known.
    pub(super) const UNKNOWN: Self = Self { path: "unknown", via: "unknown", through: None };
}

impl From<&status::Path> for Way {
    fn from(path: &status::Path) -> Self {
        match path {
            status::Path::Direct(via) => Self { path: "direct", via: name_of(*via), through: None },
            status::Path::Punched(via) => Self { path: "punched", via: name_of(*via), through: None },
            status::Path::Relayed(relay) => Self { path: "relayed", via: "relay", through: Some(name(*relay)) },
        }
    }
}

const fn name_of(via: Via) -> &'static str {
    match via {
        Via::Tcp => "tcp",
        Via::Quic => "quic",
        Via::WebSocket => "websocket",
        Via::SecureWebSocket => "wss",
        Via::Bitcoin => "bitcoin",
        Via::Memory => "memory",
    }
}

/// How the peer itself is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// `public`, `local`, `relayed`, `hidden` or `unknown`.
    pub kind: &'static str,
    /// In words.
    pub text: String,
    /// Addresses at which it is reached, or the names of relays.
    pub through: Vec<String>,
}

impl From<&status::Reach> for Reach {
    fn from(reach: &status::Reach) -> Self {
        let (kind, through) = match reach {
            status::Reach::Unknown => ("unknown", Vec::new()),
            status::Reach::Public { addresses, .. } => ("public", addresses.clone()),
            status::Reach::Local { addresses } => ("local", addresses.clone()),
            status::Reach::Relayed { through } => ("relayed", through.iter().copied().map(name).collect()),
            status::Reach::Hidden => ("hidden", Vec::new()),
        };
        Self { kind, text: reach.to_string(), through }
    }
}

/// What people call an identity.
pub(super) fn name(identity: Identity) -> String {
    Name(identity).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;

    #[test]
    fn events_are_flat_objects() {
        let way = Way::from(&status::Path::Direct(Via::SecureWebSocket));
        let connected = Event::Connected { identity: "12D3".into(), way };
        let json = json!({"event": "connected", "identity": "12D3", "path": "direct", "via": "wss"});
        assert_eq!(to_value(connected).unwrap(), json);
        let reach = Event::Reach(Reach::from(&status::Reach::Unknown));
        let json = to_value(reach).unwrap();
        assert_eq!((&json["event"], &json["kind"]), (&json!("reach"), &json!("unknown")));
        let alone = to_value(Event::Alone { value: true }).unwrap();
        assert_eq!(alone, json!({"event": "alone", "value": true}));
    }

    #[test]
    fn intermediaries_are_named() {
        let relay = yap_net::identity::Keys::generate().identity();
        let way = Way::from(&status::Path::Relayed(relay));
        assert_eq!((way.path, way.through), ("relayed", Some(name(relay))));
    }
}
