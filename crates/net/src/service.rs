//! Put, get, provide, find: the DHT on behalf of this node, and records where they belong.
//!
//! - **Put** keeps the record here first, so that it is never lost; asks the closest peers what they have under the key,
//!   so that the value becomes the latest; gives it to the [`replication`](config::Records::replication) closest; and
//!   says how many took it. It stays this node's own: it is put anew every
//!   [`publication`](config::Records::publication), after a restart too, until it is withdrawn, or someone else puts a
//!   later value.
//! - **Get** asks until [`QUORUM`] have answered with a value, this node among them, and takes the value that most of
//!   them have; of two with as many, the later. Those that had an older one, or should have had one, get it then.
//! - **Replacing**: the later value replaces the earlier wherever it comes, whoever put it (see
//!   [`records`](crate::records)). Nothing is signed: whoever knows a key may put a value under it, so what must not be
//!   forged is to be signed, or put under its own hash, by the application.
//! - **Upkeep** ([`upkeep`]): when a holder of records is gone, the next closest gets them; when a peer comes that is
//!   closer, it gets them too; and every [`repair`](config::Records::repair) each record is given to whoever is closest
//!   then. With what others hold of ours, that is all of Kademlia's republication: libp2p's own is off.
//!
//! Every request is answered within [`PATIENCE`], whatever peers do. Not its job: connections, addresses, and whether
//! this node answers others (the engine).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use libp2p::kad::{self, KBucketKey, QueryId, RecordKey};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::oneshot;

use self::absent::Absent;
use self::task::{Task, Work};
use self::upkeep::Upkeep;
use crate::config::{self, MAX_KEY, MAX_VALUE};
use crate::error::RecordError;

mod absent;
mod behaviour;
mod progress;
mod read;
mod request;
mod task;
mod upkeep;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use behaviour::{Kad, behaviour};
pub(crate) use request::Request;

/// Longest time until a request is answered.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Most requests that wait for their answers.
pub(crate) const MAX_REQUESTS: usize = 256;

/// How many answers to a get decide, where so many peers have the record.
pub(crate) const QUORUM: usize = 3;

/// What became of a record that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// How many other peers took it by now. With 0 it is kept here alone, and offered when peers come.
    pub copies: usize,
}

/// Asks the DHT on behalf of this node, and keeps records where they belong.
#[derive(Debug)]
pub(crate) struct Service {
    local: PeerId,
    config: config::Records,
    /// What is under way, by its query. At most [`MAX_REQUESTS`] and [`upkeep::MAX_RUNNING`].
    tasks: HashMap<QueryId, Task>,
    upkeep: Upkeep,
    absent: Absent,
}

impl Service {
    /// Nothing asked yet.
    pub(crate) fn new(local: PeerId, config: &config::Records, now: Instant) -> Self {
        Self {
            local,
            config: config.clone(),
            tasks: HashMap::new(),
            upkeep: Upkeep::new(config, now),
            absent: Absent::new(config),
        }
    }

    /// Does what is asked, or answers why not.
    pub(crate) fn request(&mut self, kad: &mut Kad, request: Request, now: Instant) {
        if let Err((request, error)) = self.refuse(request).and_then(|request| self.start(kad, request, now)) {
            request.fail(error);
        }
    }

    /// A peer has connected. If it was missed, it is not any more.
    pub(crate) fn peer_came(&mut self, peer: &PeerId, _now: Instant) {
        self.absent.came(peer);
    }

    /// The last connection with a peer is gone. It is dialled a little later, to see whether it is still there: an idle
    /// connection ends too.
    pub(crate) fn peer_lost(&mut self, peer: &PeerId, now: Instant) {
        self.absent.lost(*peer, now);
    }

    /// A dial of a peer failed at all of its addresses (not because of a limit of our own): it leaves the routing
    /// table, unless it is connected, and others get the records that it had.
    pub(crate) fn unreachable(&mut self, kad: &mut Kad, peer: &PeerId, now: Instant) {
        if kad.is_connected(peer) {
            return;
        }
        self.absent.came(peer);
        if kad.remove_peer(peer).is_some() {
            self.upkeep.changed(now);
        }
    }

    /// When [`Service::deadline`] is to be called.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let task = self.tasks.values().map(|task| task.deadline).min();
        [task, self.absent.next_deadline(), Some(self.upkeep.next_deadline())].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(crate) fn deadline(&mut self, kad: &mut Kad, now: Instant) {
        let late = self.tasks.iter().filter(|(_, task)| task.deadline <= now);
        let late: Vec<QueryId> = late.map(|(id, _)| *id).collect();
        for id in late {
            self.late(kad, id, now);
        }
        self.absent.deadline(kad, now);
        self.upkeep(kad, now);
    }

    /// A task has taken too long: first its query ends with what it has, then the task does.
    fn late(&mut self, kad: &mut Kad, id: QueryId, now: Instant) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        if !task.is_ending {
            if !task.extend(kad, &id, now) {
                task.end(kad, &id, now);
            }
        } else if let Some(task) = self.tasks.remove(&id) {
            task.work.give_up();
        }
    }

    /// Requests that wait for their answers.
    fn waiting(&self) -> usize {
        self.tasks.values().filter(|task| task.work.is_asked()).count()
    }

    /// Tasks of upkeep.
    fn running(&self) -> usize {
        self.tasks.len().saturating_sub(self.waiting())
    }

    fn add(&mut self, id: QueryId, work: Work, now: Instant) {
        self.tasks.insert(id, Task::new(work, now));
    }

    /// How many of the closest peers hold a record.
    fn replication(&self) -> usize {
        self.config.replication.min(kad::K_VALUE).get()
    }

    /// The peers of the routing table that should hold a record: those that are closest to its key, of which this node
    /// may be one more, unless it answers nobody.
    fn closest(&self, kad: &mut Kad, key: &RecordKey) -> Vec<PeerId> {
        let most = self.replication();
        let hashed = KBucketKey::new(key.clone());
        let closest = kad.get_closest_local_peers(&hashed).take(most).map(KBucketKey::into_preimage);
        let mut closest: Vec<PeerId> = closest.collect();
        let counts = kad.mode() == kad::Mode::Server;
        if counts && closest.len() == most && self.rank(key, &closest) < most {
            closest.pop();
        }
        closest
    }

    /// How many of these peers are closer to a key than this node.
    fn rank(&self, key: &RecordKey, peers: &[PeerId]) -> usize {
        let key = KBucketKey::new(key.clone());
        let ours = KBucketKey::from(self.local).distance(&key);
        peers.iter().filter(|peer| KBucketKey::from(**peer).distance(&key) < ours).count()
    }
}

/// A short name of a peer that may have a record.
fn short(peer: &PeerId) -> u32 {
    let [first, second, third, fourth, ..] = crate::records::fingerprint(peer).to_le_bytes();
    u32::from_le_bytes([first, second, third, fourth])
}
