//! How a peer stands, as JSON.

use serde::Serialize;
use yap_net::status;
use yap_protocol::link::Direction;

use super::event::name;
use super::{Peer, Reach, RequestError, Way};

/// How a peer stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Its name.
    pub identity: String,
    /// Addresses on which it listens.
    pub listening: Vec<String>,
    /// How it is reached.
    pub reach: Reach,
    /// Its sessions.
    pub peers: Vec<Session>,
    /// Height of its newest block.
    pub height: u32,
    /// Hash of that block.
    pub tip: String,
    /// Transactions that wait to be confirmed.
    pub pending: usize,
    /// Connections, those without a session among them.
    pub connections: usize,
    /// Peers in its routing table.
    pub routing: usize,
    /// Records that it holds.
    pub records: usize,
    /// Memory of the process, in bytes; 0 where the system does not say.
    pub rss: u64,
    /// CPU time of the process, in seconds.
    pub cpu: f64,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Who it is with; `None` on Bitcoin's transport.
    pub identity: Option<String>,
    /// `inbound` or `outbound`.
    pub direction: &'static str,
    /// Where the other is.
    pub address: String,
    /// How it is reached.
    #[serde(flatten)]
    pub way: Way,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
}

impl From<&status::Peer> for Session {
    fn from(peer: &status::Peer) -> Self {
        Self {
            identity: peer.identity.map(name),
            direction: match peer.direction {
                Direction::Inbound => "inbound",
                Direction::Outbound => "outbound",
            },
            address: peer.address.clone(),
            way: Way::from(&peer.path),
            sent: peer.sent,
            received: peer.received,
        }
    }
}

impl Peer {
    /// How it stands.
    ///
    /// # Errors
    /// If it has stopped.
    pub async fn status(&self) -> Result<Status, RequestError> {
        let ledger = self.standing().await?;
        let network = self.network().status();
        Ok(Status {
            identity: name(self.identity()),
            listening: network.listening.clone(),
            reach: Reach::from(&network.reach),
            peers: network.peers.iter().map(Session::from).collect(),
            height: ledger.height,
            tip: ledger.tip.to_string(),
            pending: ledger.pending,
            connections: network.connections,
            routing: network.routing,
            records: network.records,
            rss: memory(),
            cpu: cpu(),
        })
    }
}

/// Resident memory of this process in bytes, as Linux tells it.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0).saturating_mul(1024)
}

/// CPU time of this process, in seconds.
fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_takes_memory_and_time() {
        assert!(memory() > 1 << 20);
        let before = cpu();
        while cpu() <= before {}
    }

    #[test]
    fn a_session_is_a_flat_object() {
        let keys = yap_net::identity::Keys::generate();
        let peer = status::Peer {
            peer: yap_protocol::PeerId(7),
            identity: Some(keys.identity()),
            direction: Direction::Inbound,
            address: "/ip4/127.0.0.1/tcp/1".into(),
            path: status::Path::Punched(status::Via::Quic),
            received: 1,
            sent: 2,
        };
        let json = serde_json::json!({
            "identity": name(keys.identity()), "direction": "inbound", "address": "/ip4/127.0.0.1/tcp/1",
            "path": "punched", "via": "quic", "sent": 2, "received": 1,
        });
        assert_eq!(serde_json::to_value(Session::from(&peer)).unwrap(), json);
    }
}
