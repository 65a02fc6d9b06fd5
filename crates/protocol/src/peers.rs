//! The peers that are known, wanted and connected.

use std::sync::Arc;
use std::time::Duration;

use crate::address::{Address, Endpoint};
use crate::link::{Link, PeerId, Purpose};
use crate::message::{KnownAddress, PeerRecord};
use crate::penalty::{Penalty, Reason};
use crate::random::Random;
use crate::time::{Time, Timestamp};

pub mod ban;
mod change;
mod config;
mod outcome;

pub use change::{ChangeSet, Known, Place};
pub use config::{BAN, BLOCK_ONLY, Config, FEELER_INTERVAL, FULL, INBOUND, INBOUND_PER_GROUP};
pub use outcome::{AddError, Facts, Fault, Outcome, Status, Useful, Verdict};

/// Every peer that is known, wanted or connected.
#[derive(Debug)]
pub struct State {
    config: Config,
    random: Random,
}

#[allow(unused_variables, missing_docs, clippy::missing_errors_doc)]
impl State {
    pub fn new(config: Config, random: Random) -> Self {
        Self { config, random }
    }
    pub fn restore(config: Config, random: Random, changes: ChangeSet) -> Self {
        Self { config, random }
    }
    /// The wall clock was set. Input::Clock
    pub fn clock(&mut self, wall: Timestamp, now: Time) {}
    /// Input::Connected: whether the handshake begins.
    pub fn connected(&mut self, peer: PeerId, link: &Link, now: Time) -> Verdict {
        Verdict::Welcome { instead: None }
    }
    /// The handshake is done.
    pub fn ready(&mut self, peer: PeerId, facts: Facts, now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    /// Input::Disconnected, of peers that were welcome.
    pub fn disconnected(&mut self, peer: PeerId, now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    /// Input::DialFailed
    pub fn dial_failed(&mut self, address: &Address, now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    /// Message::GetAddr
    pub fn on_get_addresses(&mut self, peer: PeerId, now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    /// Message::Addr, Message::AddrV2
    pub fn on_addresses(&mut self, peer: PeerId, addresses: &[KnownAddress], now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    /// Message::PeerRecords
    pub fn on_records(&mut self, peer: PeerId, records: &[Arc<PeerRecord>], now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    /// Any machine's fault.
    pub fn fault(&mut self, peer: PeerId, penalty: Penalty, now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    pub fn useful(&mut self, peer: PeerId, useful: Useful, now: Time) {}
    pub fn latency(&mut self, peer: PeerId, latency: Duration) {}
    /// Addresses that something other than a peer found (mDNS, DNS seeds, DHT, the user). Added as if from themselves.
    pub fn learn(&mut self, addresses: &[Address], now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    /// Command::AddPeer
    pub fn add_peer(&mut self, address: Address, purpose: Purpose, now: Time) -> Result<Vec<Outcome>, AddError> {
        Ok(Vec::new())
    }
    /// Command::RemovePeer; `None` if it was not added.
    pub fn remove_peer(&mut self, address: &Address, now: Time) -> Option<Vec<Outcome>> {
        None
    }
    pub fn ban(&mut self, target: ban::Target, until: Timestamp, now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    pub fn unban(&mut self, target: &ban::Target) -> bool {
        false
    }
    /// What is said of ourselves to peers that know records.
    pub fn set_own_record(&mut self, record: Arc<PeerRecord>, now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    /// Where we are reached by Bitcoin's transport; told to peers in `addr`.
    pub fn set_own_endpoints(&mut self, endpoints: Vec<Endpoint>, now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    pub fn deadline(&mut self, now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    pub fn next_deadline(&self) -> Option<Time> {
        None
    }
    /// Changes not told by Outcome::Persist yet: for shutdown.
    pub fn take_changes(&mut self) -> Option<ChangeSet> {
        None
    }
    /// Everything that is kept across restarts.
    pub fn snapshot(&self) -> ChangeSet {
        ChangeSet::default()
    }
    pub fn purpose(&self, peer: PeerId) -> Option<Purpose> {
        None
    }
    pub fn peers(&self) -> impl Iterator<Item = Status> {
        std::iter::empty()
    }
    pub fn bans(&self) -> impl Iterator<Item = (ban::Target, Timestamp)> {
        std::iter::empty()
    }
    /// How many addresses are known.
    pub fn known(&self) -> usize {
        0
    }
    #[cfg(any(test, feature = "test-util"))]
    pub fn check(&self) {}
}
