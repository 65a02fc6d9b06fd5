//! The connections there are, and who makes room for whom.
//!
//! ```text
//!  others ──▶ Pending ──▶ Open ──order──▶ leaving ──▶ gone
//!  we ──────▶ Dialled ──▶ Open ─────────────┘
//! ```
//!
//! Every connection is in one map, and all counts are taken from it, so that none can drift. There are a few hundred at
//! most, and what comes too fast is refused before anything is counted.
//!
//! Invariant, after every call and for each [`Kind`]: connections (and dials) that stay are no more than there are
//! places, and with those that were told to leave no more than [`LEAVING`] beyond.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use super::origin::{Host, Origin, Source};
use super::{Counts, Denied};
use crate::config;

/// Connections of one kind that were told to leave and have not yet, at most, beyond the bound: a peer that reads nothing
/// can take long to close.
pub(super) const LEAVING: usize = 32;

/// Inbound connections through relays.
pub(super) const RELAYED: usize = 64;

/// Inbound connections through one relay.
pub(super) const PER_RELAY: usize = 32;

/// Handshakes under way that one host began.
pub(super) const PENDING_PER_HOST: usize = 16;

/// The part of the handshakes under way that one group may have.
pub(super) const PENDING_GROUP_PART: usize = 4;

/// How long a connection may go unused when more than half of the places are taken.
pub(super) const UNUSED: Duration = Duration::from_secs(120);

/// The bounds that can be configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) inbound: usize,
    pub(super) outbound: usize,
    pub(super) per_peer: usize,
    pub(super) per_group: usize,
    pub(super) pending: usize,
}

impl Bounds {
    pub(super) fn new(limits: &config::Limits) -> Self {
        let bound = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
        Self {
            inbound: bound(limits.inbound),
            outbound: bound(limits.outbound),
            per_peer: bound(limits.per_peer),
            per_group: bound(limits.per_group),
            pending: bound(limits.pending),
        }
    }
}

/// Connections that share places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Others opened them straight.
    Direct,
    /// Others opened them through a relay.
    Relayed,
    /// We opened them.
    Ours,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Others began it.
    Pending(Origin),
    /// We began it.
    Dialled,
    Open(Open),
}

#[derive(Clone, Copy, Debug)]
struct Open {
    peer: PeerId,
    kind: Kind,
    /// `None` for ours.
    source: Option<Source>,
    host: Option<Host>,
    used: bool,
    /// Since when it is used, or not used.
    since: Instant,
    /// Whether it was told to close.
    leaving: bool,
}

impl Open {
    /// Whether it makes room for others.
    fn is_idle(&self) -> bool {
        !self.used && !self.leaving
    }
}

/// A connection to close.
pub(super) type Order = (PeerId, ConnectionId);

/// See the module.
#[derive(Debug)]
pub(super) struct Table {
    bounds: Bounds,
    connections: BTreeMap<ConnectionId, Stage>,
}

impl Table {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, connections: BTreeMap::new() }
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for stage in self.connections.values() {
            let count = match stage {
                Stage::Pending(_) => &mut counts.pending_inbound,
                Stage::Dialled => &mut counts.pending_outbound,
                Stage::Open(open) if open.leaving => &mut counts.closing,
                Stage::Open(open) => match open.kind {
                    Kind::Direct => &mut counts.inbound,
                    Kind::Relayed => &mut counts.relayed,
                    Kind::Ours => &mut counts.outbound,
                },
            };
            *count = count.saturating_add(1);
        }
        counts
    }

    /// Others begin a connection.
    pub(super) fn begin(&mut self, id: ConnectionId, origin: Origin) -> Result<(), Denied> {
        let pending = |which: &dyn Fn(&Origin) -> bool| {
            let begun = |stage: &&Stage| matches!(stage, Stage::Pending(other) if which(other));
            self.connections.values().filter(begun).count()
        };
        let of_group = (self.bounds.pending / PENDING_GROUP_PART).max(1);
        let full = pending(&|_| true) >= self.bounds.pending
            || !origin.is_loopback()
                && (pending(&|other| other.source == origin.source) >= of_group
                    || origin.host.is_some() && pending(&|other| other.host == origin.host) >= PENDING_PER_HOST);
        if full {
            return Err(Denied::Pending);
        }
        self.inbound_seat(&origin)?;
        self.connections.insert(id, Stage::Pending(origin));
        Ok(())
    }

    /// The connection that others began is open. Gives which must leave for it.
    pub(super) fn welcome(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        origin: Origin,
        now: Instant,
    ) -> Result<Option<Order>, Denied> {
        self.connections.remove(&id);
        self.check_peer(&peer)?;
        let leaves = self.inbound_seat(&origin)?;
        let kind = if origin.is_relayed() { Kind::Relayed } else { Kind::Direct };
        let (source, host) = (Some(origin.source), origin.host);
        let open = Open { peer, kind, source, host, used: false, since: now, leaving: false };
        self.connections.insert(id, Stage::Open(open));
        Ok(leaves.and_then(|victim| self.dismiss(victim)))
    }

    /// We begin a connection. Gives which must leave for it.
    pub(super) fn dial(&mut self, id: ConnectionId, peer: Option<PeerId>) -> Result<Option<Order>, Denied> {
        if let Some(peer) = peer {
            self.check_peer(&peer)?;
        }
        let leaves = self.seat(Kind::Ours, None, usize::MAX)?;
        self.connections.insert(id, Stage::Dialled);
        Ok(leaves.and_then(|victim| self.dismiss(victim)))
    }

    /// The connection that we began is open: it has the place that the dial had.
    pub(super) fn dialled(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        host: Option<Host>,
        now: Instant,
    ) -> Result<(), Denied> {
        self.connections.remove(&id);
        self.check_peer(&peer)?;
        let open = Open { peer, kind: Kind::Ours, source: None, host, used: false, since: now, leaving: false };
        self.connections.insert(id, Stage::Open(open));
        Ok(())
    }

    /// A connection has closed or never opened. One that was refused is not known, and that is well.
    pub(super) fn gone(&mut self, id: ConnectionId) {
        self.connections.remove(&id);
    }

    /// A session runs on a connection, or none does any more.
    pub(super) fn used(&mut self, id: ConnectionId, used: bool, now: Instant) {
        if let Some(Stage::Open(open)) = self.connections.get_mut(&id)
            && open.used != used
        {
            open.used = used;
            open.since = now;
        }
    }

    /// Tells all to leave that are with one of the peers or hosts.
    pub(super) fn expel(&mut self, who: impl Fn(&PeerId, Option<Host>) -> bool) -> Vec<Order> {
        let mut orders = Vec::new();
        for (id, stage) in &mut self.connections {
            if let Stage::Open(open) = stage
                && !open.leaving
                && who(&open.peer, open.host)
            {
                open.leaving = true;
                orders.push((open.peer, *id));
            }
        }
        orders
    }

    /// Tells those to leave that were not used for long, if there are many. Those that stay because as many as may are
    /// leaving already follow when one of these has gone.
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<Order> {
        let mut orders = Vec::new();
        for kind in [Kind::Direct, Kind::Relayed, Kind::Ours] {
            if self.is_crowded(kind) {
                let overdue = |open: &Open| now.saturating_duration_since(open.since) >= UNUSED;
                let room = LEAVING.saturating_sub(self.leaving(kind));
                let idle = self.idle(kind).filter(|(_, open)| overdue(open)).map(|(id, _)| id);
                let leave: Vec<_> = idle.take(room).collect();
                orders.extend(leave.into_iter().filter_map(|id| self.dismiss(id)));
            }
        }
        orders
    }

    /// When [`sweep`](Self::sweep) has something to do next, if nothing changes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let busy = |kind: &Kind| self.is_crowded(*kind) && self.leaving(*kind) < LEAVING;
        let kinds = [Kind::Direct, Kind::Relayed, Kind::Ours].into_iter().filter(busy);
        kinds.flat_map(|kind| self.idle(kind)).map(|(_, open)| open.since).min()?.checked_add(UNUSED)
    }

    fn places(&self, kind: Kind) -> usize {
        match kind {
            Kind::Direct => self.bounds.inbound,
            Kind::Relayed => RELAYED,
            Kind::Ours => self.bounds.outbound,
        }
    }

    /// Whether more than half of the places are taken.
    fn is_crowded(&self, kind: Kind) -> bool {
        self.open(kind).filter(|(_, open)| !open.leaving).count() > self.places(kind) / 2
    }

    fn open(&self, kind: Kind) -> impl Iterator<Item = (ConnectionId, &Open)> {
        self.connections.iter().filter_map(move |(id, stage)| match stage {
            Stage::Open(open) if open.kind == kind => Some((*id, open)),
            Stage::Open(_) | Stage::Pending(_) | Stage::Dialled => None,
        })
    }

    fn idle(&self, kind: Kind) -> impl Iterator<Item = (ConnectionId, &Open)> {
        self.open(kind).filter(|(_, open)| open.is_idle())
    }

    fn leaving(&self, kind: Kind) -> usize {
        self.open(kind).filter(|(_, open)| open.leaving).count()
    }

    fn dismiss(&mut self, id: ConnectionId) -> Option<Order> {
        match self.connections.get_mut(&id)? {
            Stage::Open(open) => {
                open.leaving = true;
                Some((open.peer, id))
            }
            Stage::Pending(_) | Stage::Dialled => None,
        }
    }

    fn check_peer(&self, peer: &PeerId) -> Result<(), Denied> {
        let with = |stage: &&Stage| matches!(stage, Stage::Open(open) if open.peer == *peer && !open.leaving);
        let full = self.connections.values().filter(with).count() >= self.bounds.per_peer;
        if full { Err(Denied::PerPeer) } else { Ok(()) }
    }

    fn inbound_seat(&self, origin: &Origin) -> Result<Option<ConnectionId>, Denied> {
        let (kind, most) = if origin.is_relayed() {
            (Kind::Relayed, PER_RELAY)
        } else if origin.is_loopback() {
            (Kind::Direct, usize::MAX)
        } else {
            (Kind::Direct, self.bounds.per_group)
        };
        self.seat(kind, Some(origin.source), most)
    }

    /// Whether there is a place for one more of a source that may have `most`, and who must leave for it: the one that
    /// was not used for longest, of the source itself if that has all it may have, otherwise of the source that has most.
    fn seat(&self, kind: Kind, source: Option<Source>, most: usize) -> Result<Option<ConnectionId>, Denied> {
        let mut sources: BTreeMap<Option<Source>, usize> = BTreeMap::new();
        for (_, open) in self.open(kind).filter(|(_, open)| !open.leaving) {
            let count = sources.entry(open.source).or_default();
            *count = count.saturating_add(1);
        }
        let crowd = |source: &Option<Source>| sources.get(source).copied().unwrap_or(0);
        let dialled = |stage: &&Stage| kind == Kind::Ours && matches!(stage, Stage::Dialled);
        let taken = self.open(kind).count().saturating_add(self.connections.values().filter(dialled).count());
        let leaving = self.leaving(kind);

        let crowded = crowd(&source) >= most;
        if !crowded && taken.saturating_sub(leaving.min(LEAVING)) < self.places(kind) {
            return Ok(None);
        }
        let denied = if crowded { Denied::Group } else { Denied::Full };
        if leaving >= LEAVING {
            return Err(denied);
        }
        let candidates = self.idle(kind).filter(|(_, open)| !crowded || open.source == source);
        let rank = |(_, open): &(ConnectionId, &Open)| (Reverse(crowd(&open.source)), open.since);
        candidates.min_by_key(rank).map(|(id, _)| Some(id)).ok_or(denied)
    }
}
