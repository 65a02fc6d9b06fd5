//! How a peer says that it stands: what scenarios look at.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

/// A peer's answer to `status`; fields that no scenario looks at are left out.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Status {
    /// Its peer id.
    pub identity: String,
    /// Its own addresses, as multiaddrs.
    #[serde(default)]
    pub listening: Vec<String>,
    /// How it is reached from outside.
    #[serde(default)]
    pub reach: Reach,
    /// Its sessions.
    pub peers: Vec<Link>,
    /// Blocks on its chain after the first.
    pub height: u64,
    /// Hash of the last.
    pub tip: String,
    /// Peers in its routing table.
    #[serde(default)]
    pub routing: u64,
    /// Records of others that it holds.
    #[serde(default)]
    pub records: u64,
    /// Resident memory, in bytes.
    #[serde(default)]
    pub rss: u64,
    /// CPU time since its start, in seconds.
    #[serde(default)]
    pub cpu: f64,
}

/// How a peer is reached.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Reach {
    /// `public`, `local`, `relayed`, `hidden` or `unknown`.
    pub kind: String,
    /// In words.
    #[serde(default)]
    pub text: String,
    /// Who relays.
    #[serde(default)]
    pub through: Vec<String>,
}

/// One session of a peer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Link {
    /// With whom.
    #[serde(default)]
    pub identity: Option<String>,
    /// `inbound` or `outbound`.
    #[serde(default)]
    pub direction: String,
    /// Where it is.
    #[serde(default)]
    pub address: String,
    /// `direct`, `punched` or `relayed`.
    #[serde(default)]
    pub path: String,
    /// What carries it: `tcp`, `quic`, `websocket`, …
    #[serde(default)]
    pub via: Option<String>,
    /// Bytes sent.
    #[serde(default)]
    pub sent: u64,
    /// Bytes received.
    #[serde(default)]
    pub received: u64,
}

impl Status {
    /// Reads an answer; what it lacks if it is none.
    pub(super) fn parse(answer: &Value) -> Result<Self, &'static str> {
        Self::deserialize(answer).map_err(|_| "identity, peers, height and tip")
    }

    /// The session with this peer.
    #[must_use]
    pub fn link(&self, identity: &str) -> Option<&Link> {
        self.peers.iter().find(|link| link.identity.as_deref() == Some(identity))
    }

    /// How many peers it has sessions with, those on Bitcoin's transport left out: these have no name.
    #[must_use]
    pub fn met(&self) -> usize {
        self.peers.iter().filter_map(|link| link.identity.as_ref()).collect::<BTreeSet<_>>().len()
    }

    /// Whether the way to this peer passes nobody else.
    #[must_use]
    pub fn is_direct(&self, identity: &str) -> bool {
        self.link(identity).is_some_and(|link| matches!(link.path.as_str(), "direct" | "punched"))
    }
}

impl Link {
    /// The way and what carries it, in words such as `punched quic`.
    #[must_use]
    pub fn way(&self) -> String {
        // What carries a circuit is the relay's affair.
        let via = self.via.as_deref().filter(|via| *via != "relay");
        via.map_or_else(|| self.path.clone(), |via| format!("{} {via}", self.path))
    }
}
