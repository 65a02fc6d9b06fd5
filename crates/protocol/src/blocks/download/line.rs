//! One peer as a line that blocks come by: what it has, what it owes, how fast it is.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use yap_chain::header::tree;

use super::super::{Facts, Serves};
use crate::link::Direction;
use crate::time::Time;

/// Most blocks that a peer owes at a time. At 100 ms for an answer, that is 1,280 small blocks a second from each peer.
pub(crate) const MAX_OWED: usize = 128;

/// Most bytes, as estimated, that a peer owes at a time, unless it is one block.
pub(crate) const MAX_OWED_BYTES: u64 = 16 << 20;

/// What a peer of unknown speed is asked for: little, so that one that never answers holds up nothing.
const FIRST: usize = 2;

/// How much work a peer is given, by its speed: enough that it never waits for us.
const WORK: Duration = Duration::from_secs(2);

/// When a peer of unknown speed should have answered.
const FIRST_ANSWER: Duration = Duration::from_millis(500);

/// How long a peer may owe blocks and send none, if they are small.
pub(crate) const SILENCE: Duration = Duration::from_secs(30);

/// The slowest line that is of use, in bytes per second: silence may last as long as a block takes on it.
const SLOWEST: u64 = 8 * 1024;

/// Times in a row that a peer may be late, each ended by at most [`ON_TIME`] blocks, before it is of no use.
pub(crate) const MAX_LATE: u32 = 8;

/// Blocks after which it is forgotten that a peer was late.
const ON_TIME: u32 = 16;

/// Blocks below its best one that a peer serves which keeps the newest 288 (BIP-0159), less two for races.
const RECENT: u32 = 286;

/// How long a peer is not asked again for a block that it said it does not have. It may have spoken of the block before
/// it was validated there (BIP-0152), and be the only one that has it a moment later.
pub(crate) const REFUSAL: Duration = Duration::from_secs(2);

/// Blocks that a peer said it does not have, after which it is asked for nothing.
pub(crate) const MAX_REFUSED: usize = 128;

/// Blocks of which the whole may still come after the compact form did: a peer that validates many in a row answers for all
/// of them late.
pub(crate) const MAX_CROSSED: usize = 256;

/// How fast blocks come. Sums that fade, so that the newest count most.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    bytes: u64,
    micros: u64,
}

impl Rate {
    fn record(&mut self, bytes: u64, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min(1 << 40);
        self.bytes = self.bytes.saturating_sub(self.bytes >> 4).saturating_add(bytes.min(1 << 40));
        self.micros = self.micros.saturating_sub(self.micros >> 4).saturating_add(micros);
    }

    /// Bytes that come within `wait`.
    fn within(&self, wait: Duration) -> u64 {
        let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        self.bytes.saturating_mul(micros).checked_div(self.micros.max(1)).unwrap_or(u64::MAX)
    }

    /// How long `bytes` take.
    fn time_of(&self, bytes: u64) -> Duration {
        Duration::from_micros(bytes.saturating_mul(self.micros).checked_div(self.bytes.max(1)).unwrap_or(0))
    }
}

/// A peer that serves blocks.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) facts: Facts,
    /// The block of the most work that it is known to have.
    pub(crate) best: Option<tree::Id>,
    /// The height up to which it has the chain that is fetched.
    pub(crate) limit: u32,
    /// What it owes, and since when. Blocks that came from another peer in the meantime stay until its answer.
    pub(crate) owed: BTreeMap<tree::Id, Time>,
    /// What it said it does not have, and when it may be asked for it again; at most [`MAX_REFUSED`].
    pub(crate) refused: BTreeMap<tree::Id, Time>,
    /// What it owed until a compact form came, which may have crossed our question for the whole block; the newest
    /// [`MAX_CROSSED`].
    pub(crate) crossed: VecDeque<tree::Id>,
    /// It takes compact blocks of the version with `wtxid`s, so it sends them.
    pub(crate) compact: bool,
    /// It has not answered in time: it gets no work until it does.
    pub(crate) late: bool,
    /// It is of no use unless it sends something after all.
    pub(crate) shunned: bool,
    lates: u32,
    on_time: u32,
    /// When its last block came, or when it was asked after it owed nothing.
    since: Time,
    delivered: u64,
    /// The shortest wait for an answer, creeping up so that it follows the line.
    latency: Duration,
    rate: Rate,
}

impl Line {
    pub(crate) fn new(facts: Facts, now: Time) -> Self {
        Self {
            facts,
            best: None,
            limit: 0,
            owed: BTreeMap::new(),
            refused: BTreeMap::new(),
            crossed: VecDeque::new(),
            compact: false,
            late: false,
            shunned: false,
            lates: 0,
            on_time: 0,
            since: now,
            delivered: 0,
            latency: FIRST_ANSWER,
            rate: Rate::default(),
        }
    }

    /// Whether it can be asked at all.
    pub(crate) fn is_usable(&self) -> bool {
        self.facts.serves != Serves::Nothing && !self.shunned
    }

    /// Whether it has ever sent a block that was asked for.
    pub(crate) fn is_proven(&self) -> bool {
        self.delivered > 0
    }

    /// Whether a block of the fetched chain at `height` can be asked of it. `best` is the height of its best block.
    pub(crate) fn serves(&self, height: u32, best: u32) -> bool {
        match self.facts.serves {
            Serves::All => height <= self.limit,
            Serves::Recent => height <= self.limit && height.saturating_add(RECENT) > best,
            Serves::Nothing => false,
        }
    }

    /// Bytes per second, for comparing.
    pub(crate) fn speed(&self) -> u64 {
        self.rate.within(Duration::from_secs(1))
    }

    /// How many blocks of `average` bytes it should owe.
    pub(crate) fn goal(&self, average: u64) -> usize {
        if self.late || !self.is_usable() {
            return 0;
        }
        if !self.is_proven() {
            return FIRST;
        }
        let average = average.max(1);
        // Beside what is on its way for as long as an answer takes.
        let wait = WORK.saturating_add(self.latency);
        let work = self.rate.within(wait).min(MAX_OWED_BYTES).checked_div(average).unwrap_or(0);
        usize::try_from(work).unwrap_or(MAX_OWED).clamp(1, MAX_OWED)
    }

    /// How many more it should be asked for now: none while it has most of its work, so that requests go out in ranges.
    pub(crate) fn room(&self, average: u64) -> usize {
        let goal = self.goal(average);
        let room = goal.saturating_sub(self.owed.len());
        if self.owed.is_empty() || room >= goal >> 2 { room } else { 0 }
    }

    /// When an answer should come to what is asked behind all that it owes.
    pub(crate) fn expected(&self, average: u64) -> Duration {
        if !self.is_proven() {
            return FIRST_ANSWER;
        }
        let queue = u64::try_from(self.owed.len()).unwrap_or(u64::MAX).saturating_add(1);
        self.latency.saturating_add(self.rate.time_of(average.saturating_mul(queue)))
    }

    /// It was asked.
    pub(crate) fn asked(&mut self, id: tree::Id, now: Time) {
        if self.owed.is_empty() {
            self.since = now;
        }
        self.owed.insert(id, now);
    }

    /// A block came that it owed since `asked`.
    pub(crate) fn delivered(&mut self, size: u64, asked: Time, now: Time) {
        self.rate.record(size, now.since(self.since));
        let answer = now.since(asked);
        let crept = self.latency.saturating_add(self.latency.checked_div(64).unwrap_or_default());
        self.latency = if self.is_proven() { crept.min(answer) } else { answer };
        self.delivered = self.delivered.saturating_add(1);
        self.on_time = self.on_time.saturating_add(1);
        if self.on_time >= ON_TIME {
            self.lates = 0;
        }
        self.heard(now);
    }

    /// A compact form of what it owed came; the whole may come too.
    pub(crate) fn cross(&mut self, id: tree::Id) {
        if self.crossed.len() >= MAX_CROSSED {
            self.crossed.pop_front();
        }
        self.crossed.push_back(id);
    }

    /// Whether a whole block answers a question that a compact form seemed to have answered; once.
    pub(crate) fn has_crossed(&mut self, id: tree::Id) -> bool {
        let at = self.crossed.iter().position(|crossed| *crossed == id);
        at.and_then(|at| self.crossed.remove(at)).is_some()
    }

    /// It said that it does not have a block, or gave another for it.
    pub(crate) fn refuse(&mut self, id: tree::Id, now: Time) {
        self.refused.insert(id, now.after(REFUSAL));
    }

    /// Whether it said of late that it does not have a block.
    pub(crate) fn refuses(&self, id: tree::Id, now: Time) -> bool {
        self.refused.get(&id).is_some_and(|until| *until > now)
    }

    /// It answered, with whatever.
    pub(crate) fn heard(&mut self, now: Time) {
        self.since = now;
        self.late = false;
        self.shunned = false;
    }

    /// What it was asked for at `asked` has not come in time. Says whether it has been so too often.
    pub(crate) fn is_late(&mut self, asked: Time) -> bool {
        // While others of its blocks come, it is only slower than expected.
        if self.late || self.since > asked {
            return false;
        }
        self.late = true;
        self.on_time = 0;
        self.lates = self.lates.saturating_add(1);
        self.lates >= MAX_LATE
    }

    /// When its silence is too long, if it owes anything. `largest`: what a block may have.
    pub(crate) fn patience(&self, largest: u64) -> Option<Time> {
        let allowance = Duration::from_secs(largest.checked_div(SLOWEST).unwrap_or(0));
        (!self.owed.is_empty()).then(|| self.since.after(SILENCE.saturating_add(allowance)))
    }

    /// Whether we chose it, and so another can be chosen.
    pub(crate) fn is_outbound(&self) -> bool {
        self.facts.direction == Direction::Outbound
    }
}
