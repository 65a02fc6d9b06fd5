//! Records where they belong, though peers come and go.
//!
//! ```text
//! a peer of the routing table died, or came ──SETTLE──▶ pass: every record once, at once
//! every `repair` ─────────────────────────────────────▶ round: every record once, spread over that time
//! ```
//!
//! A **pass** gives each record to those of the closest peers in the routing table that are not known to have it. That
//! is one peer for each that died, and the newcomer if it is closer. The [`RESPONSIBLE`] holders that are closest do it,
//! so that it happens although one of them dies too, and not twenty times.
//!
//! A **round** asks the network who is closest and gives the record to all of them, whatever is known; strikes off what
//! has expired; and puts our own records anew when that is due. Whoever gets a record leaves it out of its own round, so
//! one holder does it for all.
//!
//! Both stop when [`MAX_RUNNING`] are under way or [`RATE`] is used up, and go on when they can.

use std::time::{Duration, Instant};

use libp2p::kad::RecordKey;
use libp2p::kad::store::RecordStore as _;

use super::task::{Put, Why, Work, later};
use super::{Kad, Service, short};
use crate::config;
use crate::records::Position;

/// Most tasks of upkeep at one time.
pub(super) const MAX_RUNNING: usize = 8;

/// Bytes of records that upkeep gives in a second, each to each peer.
const RATE: i64 = 1 << 20;

/// Bytes that it gives at once after a quiet time.
const BURST: i64 = 4 << 20;

/// How long the network must have changed before a pass: more changes follow the first.
const SETTLE: Duration = Duration::from_secs(3);

/// How many of a record's closest holders look after it in a pass.
const RESPONSIBLE: usize = 3;

/// Records that are looked at before others have their turn.
const STEP: usize = 128;

/// How soon a pass or a round goes on that could not, or that gives others their turn.
const PAUSE: Duration = Duration::from_millis(20);

/// Into how many parts a round is divided.
const PARTS: u32 = 64;

/// A record with less left of its life is not given to anyone, or less than this part of a whole life.
const LEAST_LIFE: (Duration, u32) = (Duration::from_secs(60), 16);

/// How often what was written is brought to the disk itself.
const SYNC: Duration = Duration::from_secs(5);

/// How often it is told what we provide, as a part of how often records are put anew: nobody else looks after that.
const PROVIDE: u32 = 4;

/// How long the network must have changed before a pass; shorter where rounds are.
pub(super) fn settle(config: &config::Records) -> Duration {
    SETTLE.min(fraction(config.repair, 8))
}

/// One of so many equal parts.
fn fraction(whole: Duration, parts: u32) -> Duration {
    whole.checked_div(parts).unwrap_or(whole)
}

/// What is due, and how far it is.
#[derive(Debug)]
pub(super) struct Upkeep {
    settle: Duration,
    /// When the next pass begins.
    pass_at: Option<Instant>,
    /// The pass that is under way: behind which record it is.
    pass: Option<Option<Position>>,
    part: Duration,
    /// When the next part of the round begins.
    part_at: Instant,
    /// Behind which record the round is.
    round: Option<Position>,
    /// Records that the round is to look at by now.
    owed: usize,
    /// When what could not go on does.
    again_at: Option<Instant>,
    /// Bytes that may be given; below zero if more were.
    allowance: i64,
    /// When the allowance was reckoned last.
    reckoned: Instant,
    sync_at: Instant,
    /// A record with less left of its life is not given to anyone.
    least_life: Duration,
}

impl Upkeep {
    pub(super) fn new(config: &config::Records, now: Instant) -> Self {
        let part = fraction(config.repair, PARTS).max(PAUSE);
        Self {
            settle: settle(config),
            pass_at: None,
            pass: None,
            part,
            part_at: later(now, part),
            round: None,
            owed: 0,
            again_at: None,
            allowance: BURST,
            reckoned: now,
            sync_at: later(now, SYNC),
            least_life: LEAST_LIFE.0.min(fraction(config.lifetime, LEAST_LIFE.1)),
        }
    }

    /// A peer has come into the routing table or left it.
    pub(super) fn changed(&mut self, now: Instant) {
        self.pass_at = self.pass_at.or_else(|| now.checked_add(self.settle));
    }

    /// Bytes are given.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.allowance = self.allowance.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub(super) fn next_deadline(&self) -> Instant {
        let pass = self.pass_at.filter(|_| self.pass.is_none());
        let soonest = [pass, self.again_at].into_iter().flatten().min();
        let regular = self.part_at.min(self.sync_at);
        soonest.map_or(regular, |soonest| soonest.min(regular))
    }

    fn reckon(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.reckoned);
        let millis = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        if millis > 0 {
            self.reckoned = now;
            let earned = RATE.saturating_mul(millis) / 1_000;
            self.allowance = self.allowance.saturating_add(earned).min(BURST);
        }
    }
}

impl Service {
    /// Whether upkeep may begin another task.
    pub(super) fn has_room(&self) -> bool {
        self.upkeep.allowance > 0 && self.running() < MAX_RUNNING
    }

    /// Does what is due.
    pub(super) fn upkeep(&mut self, kad: &mut Kad, now: Instant) {
        self.upkeep.reckon(now);
        self.upkeep.again_at = None;
        if now >= self.upkeep.sync_at {
            self.upkeep.sync_at = later(now, SYNC);
            sync(kad);
        }
        if self.upkeep.pass.is_none() && self.upkeep.pass_at.is_some_and(|at| at <= now) {
            (self.upkeep.pass_at, self.upkeep.pass) = (None, Some(None));
            self.provide_anew(kad, now);
        }
        let mut steps = STEP;
        self.pass(kad, &mut steps, now);
        if now >= self.upkeep.part_at {
            self.upkeep.part_at = later(now, self.upkeep.part);
            let records = kad.store_mut().len();
            let share = records.div_ceil(PARTS as usize);
            self.upkeep.owed = self.upkeep.owed.saturating_add(share).min(records);
            kad.store_mut().expire_providers(now);
            self.provide_anew(kad, now);
        }
        self.round(kad, &mut steps, now);
        if self.upkeep.pass.is_some() || self.upkeep.owed > 0 {
            self.upkeep.again_at = Some(later(now, PAUSE));
        }
    }

    /// Goes on with the pass.
    fn pass(&mut self, kad: &mut Kad, steps: &mut usize, now: Instant) {
        while let Some(position) = self.upkeep.pass
            && *steps > 0
            && self.has_room()
        {
            *steps = steps.saturating_sub(1);
            let store = kad.store_mut();
            let Some((next, entry)) = store.after(position.as_ref()) else {
                self.upkeep.pass = None;
                return;
            };
            self.upkeep.pass = Some(Some(next));
            if !store.lasts(entry, self.upkeep.least_life, now) {
                continue;
            }
            let (key, ours, known) = (entry.key().clone(), entry.is_ours(), entry.known().map(<[u32]>::to_vec));
            self.hand(kad, key, ours, known, now);
        }
    }

    /// Gives a record to those of the closest that lack it.
    fn hand(&mut self, kad: &mut Kad, key: RecordKey, ours: bool, known: Option<Vec<u32>>, now: Instant) {
        let closest = self.closest(kad, &key);
        let Some(known) = known else {
            if !ours {
                // As good as any guess after a start: those that are there had it before. The round makes sure.
                let closest: Vec<u32> = closest.iter().map(short).collect();
                kad.store_mut().know(&key, &closest, None);
            }
            return;
        };
        if !ours && self.rank(&key, &closest) >= RESPONSIBLE {
            return;
        }
        let targets: Vec<_> = closest.into_iter().filter(|peer| !known.contains(&short(peer))).collect();
        if targets.is_empty() {
            return;
        }
        if let Some(record) = kad.store_mut().get(&key).map(std::borrow::Cow::into_owned) {
            self.give(kad, record, targets, Why::Lack, now);
        }
    }

    /// Goes on with the round.
    fn round(&mut self, kad: &mut Kad, steps: &mut usize, now: Instant) {
        while self.upkeep.owed > 0 && *steps > 0 && self.has_room() {
            *steps = steps.saturating_sub(1);
            self.upkeep.owed = self.upkeep.owed.saturating_sub(1);
            let store = kad.store_mut();
            let Some((position, entry)) = store.after(self.upkeep.round.as_ref()) else {
                // It begins anew.
                self.upkeep.round = None;
                continue;
            };
            self.upkeep.round = Some(position);
            let (key, revision) = (entry.key().clone(), entry.revision());
            let is_due = store.is_due(entry, self.config.publication, now);
            // A little less than the whole, or every other round would find it too early.
            let rest = self.config.repair.saturating_sub(fraction(self.config.repair, 4));
            let is_fresh = entry.touched().is_some_and(|touched| later(touched, rest) > now);
            let lasts = store.lasts(entry, self.upkeep.least_life, now);
            if store.expire(&position, now) {
                continue;
            }
            if !is_due && !lasts {
                continue;
            }
            if is_due {
                self.read_before_put(kad, Put::new(key, revision, None), now);
            } else if !is_fresh {
                let id = kad.get_closest_peers(key.to_vec());
                self.add(id, Work::Closest { key }, now);
            }
        }
    }

    /// Tells anew what we provide.
    fn provide_anew(&mut self, kad: &mut Kad, now: Instant) {
        let interval = fraction(self.config.publication, PROVIDE);
        if kad.kbuckets().next().is_none() {
            return;
        }
        let free = MAX_RUNNING.saturating_sub(self.running());
        let is_told = |key: &RecordKey| {
            let tells = |work: &Work| matches!(work, Work::Provide { key: told, .. } if told == key);
            self.tasks.values().any(|task| tells(&task.work))
        };
        let due = kad.store_mut().provide_due(interval, now).filter(|key| !is_told(key)).take(free);
        let due: Vec<RecordKey> = due.cloned().collect();
        for key in due {
            self.provide(kad, key, None, now);
        }
    }
}

/// Brings what was written to the disk itself, on another thread if there is one.
fn sync(kad: &mut Kad) {
    if let Some(work) = kad.store_mut().sync_later() {
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(work)),
            Err(_) => work(),
        }
    }
}
