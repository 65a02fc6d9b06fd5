//! Which inbound peer gives its place to a newcomer.
//!
//! After Bitcoin Core (`node/eviction.cpp`): peers are protected by several measures, none of which an attacker can lead
//! in without being near, useful or patient; of the rest, the youngest of the group with the most connections goes.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::address::Group;
use crate::link::PeerId;
use crate::time::Time;

/// An inbound peer that may have to go.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) peer: PeerId,
    pub(super) since: Time,
    pub(super) latency: Option<Duration>,
    pub(super) last_block: Option<Time>,
    pub(super) last_transaction: Option<Time>,
    /// Whether it wants transactions.
    pub(super) relay: bool,
    /// Whether it has blocks.
    pub(super) serves: bool,
    pub(super) group: Group,
    /// The group's secret hash.
    pub(super) keyed: u64,
    /// Whether it comes over a network that is slow (Tor, I2P, CJDNS) or from this machine (as proxies of those do), and
    /// which.
    pub(super) slow: Option<u8>,
}

/// Takes out the `count` candidates with the greatest `merit`.
fn protect<M: Ord>(candidates: &mut Vec<Candidate>, count: usize, merit: impl Fn(&Candidate) -> M) {
    candidates.sort_by_key(|candidate| (merit(candidate), Reverse(candidate.since), Reverse(candidate.peer)));
    candidates.truncate(candidates.len().saturating_sub(count));
}

/// Protects half of the candidates by the time that they are connected. Up to half of those places go to peers of slow
/// networks, the smallest network first.
fn protect_patient(candidates: &mut Vec<Candidate>) {
    let protected = candidates.len() / 2;
    let mut reserved = protected / 2;
    let before = candidates.len();
    let mut networks = BTreeMap::<u8, usize>::new();
    for network in candidates.iter().filter_map(|candidate| candidate.slow) {
        let count = networks.entry(network).or_default();
        *count = count.saturating_add(1);
    }
    let mut networks: Vec<(usize, u8)> = networks.into_iter().map(|(network, count)| (count, network)).collect();
    networks.sort_unstable();
    for (place, (count, network)) in networks.iter().enumerate() {
        let left = networks.len().saturating_sub(place).max(1);
        let share = reserved.div_ceil(left).min(*count);
        let (mut mine, mut rest): (Vec<_>, Vec<_>) =
            candidates.drain(..).partition(|candidate| candidate.slow == Some(*network));
        protect(&mut mine, share, |_| ());
        rest.append(&mut mine);
        *candidates = rest;
        reserved = reserved.saturating_sub(share);
    }
    let done = before.saturating_sub(candidates.len());
    protect(candidates, protected.saturating_sub(done), |_| ());
}

/// Whoever goes; of the group `only`, if one is given. `None` if all are protected.
pub(super) fn choose(mut candidates: Vec<Candidate>, only: Option<Group>) -> Option<PeerId> {
    // Which groups these are nobody outside can tell.
    protect(&mut candidates, 4, |candidate| candidate.keyed);
    // Nobody can be nearer than he is.
    protect(&mut candidates, 8, |candidate| Reverse(candidate.latency.unwrap_or(Duration::MAX)));
    protect(&mut candidates, 4, |candidate| (candidate.last_transaction, candidate.relay));
    let (mut blocks, mut others): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|candidate| !candidate.relay && candidate.serves);
    protect(&mut blocks, 8, |candidate| candidate.last_block);
    others.append(&mut blocks);
    let mut candidates = others;
    protect(&mut candidates, 4, |candidate| (candidate.last_block, candidate.serves));
    protect_patient(&mut candidates);

    candidates.retain(|candidate| only.is_none_or(|group| candidate.group == group));
    let mut groups = BTreeMap::<Group, (usize, Time, PeerId)>::new();
    for candidate in candidates {
        let youngest = groups.entry(candidate.group).or_insert((0, candidate.since, candidate.peer));
        let (since, peer) = (youngest.1, youngest.2).max((candidate.since, candidate.peer));
        *youngest = (youngest.0.saturating_add(1), since, peer);
    }
    groups.into_values().max().map(|(_, _, peer)| peer)
}
