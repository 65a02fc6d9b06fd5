//! The transactions of the next block.
//!
//! Two ways to fill it, of which the better is taken. *Chunks*: all clusters' chunks from the best on, skipping what
//! does not fit. Up to the first that does not fit, nothing pays more. *Packages* (`packages`): what miners did before
//! clusters were kept in order, each time the transaction that pays most together with the ancestors it still needs.
//! Packages are smaller than chunks, so they may use the end of a block better; taking the better of both, a template
//! is never worth less than theirs.

use std::sync::Arc;

use bitcoin::Amount;
use foldhash::fast::FixedState;
use hashbrown::HashSet;

mod packages;

use super::Mempool;
use super::entry::Entry;
use super::graph::{Key, Summary};
use super::nodes::Slot;
use super::rate::{FeeRate, Paid};
use crate::block::{MAX_SIGOPS_COST, MAX_WEIGHT};

/// Weight kept for header, count and coinbase (Core's `DEFAULT_BLOCK_RESERVED_WEIGHT`).
pub const RESERVED_WEIGHT: usize = 8000;
/// Cost of signature operations kept for the coinbase (Core's `DEFAULT_COINBASE_OUTPUT_MAX_ADDITIONAL_SIGOPS`).
pub const RESERVED_SIGOPS: usize = 400;

/// Chunks in a row that may fail to fit before a block that is nearly full is left so.
pub(super) const MISSES: usize = 1000;
/// Weight units that a block that is nearly full may have left.
const NEARLY_FULL: usize = 4000;
/// Weight units of the smallest transaction there can be: 60 bytes without a witness.
const SMALLEST: usize = 240;
/// Chunks that may fail to fit at all.
const MOST_MISSES: usize = 10_000;

/// What a template has room for, and where its block will stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Weight units of all transactions but the coinbase.
    pub weight: usize,
    /// Cost of their signature operations.
    pub sigops: usize,
    /// What each chunk must pay.
    pub least: FeeRate,
    /// The block's height.
    pub height: u32,
    /// Its parent's median time past, in seconds since 1970.
    pub median_time_past: u32,
}

impl Room {
    /// All the room of a block, but for header and coinbase, for whatever pays at all, as in Bitcoin Core.
    #[must_use]
    pub fn of_block(height: u32, median_time_past: u32) -> Self {
        Self {
            weight: MAX_WEIGHT.saturating_sub(RESERVED_WEIGHT),
            sigops: MAX_SIGOPS_COST.saturating_sub(RESERVED_SIGOPS),
            least: FeeRate::from_sat_per_kvb(1),
            height,
            median_time_past,
        }
    }

    fn pays(&self, paid: Paid) -> bool {
        let least = i64::try_from(self.least.to_sat_per_kvb()).unwrap_or(i64::MAX);
        paid.by_rate(Paid { fee: least, weight: 4000 }).is_ge()
    }
}

/// The transactions of a block but its coinbase, parents before children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// The transactions.
    pub entries: Vec<Arc<Entry>>,
    /// What they pay.
    pub fees: Amount,
    /// Their weight units.
    pub weight: usize,
    /// Cost of their signature operations.
    pub sigops: usize,
}

/// One thing chosen.
#[derive(Clone, Copy, Debug)]
enum Pick {
    One(Slot),
    /// Transactions of one cluster.
    Some {
        cluster: u32,
        set: u64,
    },
}

/// Where a block was no longer filled with all that came: before the chunks of the rate of one that did not fit.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// The first chunk of that rate.
    key: Key,
    /// How many picks there were.
    picks: usize,
    worth: i64,
    fees: u64,
    weight: usize,
    sigops: usize,
}

/// A block being filled.
#[derive(Debug)]
struct Filling<'a> {
    room: &'a Room,
    picks: Vec<Pick>,
    /// With what operators add.
    worth: i64,
    fees: u64,
    weight: usize,
    sigops: usize,
    misses: usize,
    misses_in_a_row: usize,
    /// Whether the lock times of all that was exchanged have passed.
    open: bool,
}

impl<'a> Filling<'a> {
    fn new(room: &'a Room) -> Self {
        let (picks, misses, misses_in_a_row) = (Vec::new(), 0, 0);
        Self { room, picks, worth: 0, fees: 0, weight: 0, sigops: 0, misses, misses_in_a_row, open: true }
    }

    /// Takes what fits and may be in the block; whether it did.
    fn take(&mut self, summary: &Summary, worth: i64, pick: impl FnOnce() -> Pick) -> bool {
        let weight = self.weight.saturating_add(usize::try_from(summary.weight).unwrap_or(usize::MAX));
        let sigops = self.sigops.saturating_add(usize::try_from(summary.sigops).unwrap_or(usize::MAX));
        let open = self.is_open(summary);
        if weight > self.room.weight || sigops > self.room.sigops || !open {
            self.miss();
            return false;
        }
        self.weight = weight;
        self.sigops = sigops;
        self.worth = self.worth.saturating_add(worth);
        self.fees = self.fees.saturating_add(summary.fees);
        self.misses_in_a_row = 0;
        self.picks.push(pick());
        true
    }

    fn miss(&mut self) {
        self.misses = self.misses.saturating_add(1);
        self.misses_in_a_row = self.misses_in_a_row.saturating_add(1);
    }

    /// Weight units that are left.
    fn left(&self) -> u32 {
        u32::try_from(self.room.weight.saturating_sub(self.weight)).unwrap_or(u32::MAX)
    }

    /// How it is now, before the chunk with this key.
    fn mark(&self, key: &Key) -> Mark {
        let Self { worth, fees, weight, sigops, .. } = *self;
        Mark { key: *key, picks: self.picks.len(), worth, fees, weight, sigops }
    }

    /// How it was.
    fn up_to(&self, mark: &Mark) -> Self {
        let picks = self.picks.iter().take(mark.picks).copied().collect();
        let Mark { worth, fees, weight, sigops, .. } = *mark;
        Self { picks, worth, fees, weight, sigops, ..Self::new(self.room) }
    }

    /// Counts transactions in, or out, whether they fit or not.
    fn exchange(&mut self, summary: &Summary, worth: i64, in_or_out: bool) {
        let weight = usize::try_from(summary.weight).unwrap_or(usize::MAX);
        let sigops = usize::try_from(summary.sigops).unwrap_or(usize::MAX);
        if in_or_out {
            self.open &= self.is_open(summary);
            self.weight = self.weight.saturating_add(weight);
            self.sigops = self.sigops.saturating_add(sigops);
            self.fees = self.fees.saturating_add(summary.fees);
            self.worth = self.worth.saturating_add(worth);
        } else {
            self.weight = self.weight.saturating_sub(weight);
            self.sigops = self.sigops.saturating_sub(sigops);
            self.fees = self.fees.saturating_sub(summary.fees);
            self.worth = self.worth.saturating_sub(worth);
        }
    }

    /// Whether what was exchanged may be in the block.
    fn fits(&self) -> bool {
        self.open && self.weight <= self.room.weight && self.sigops <= self.room.sigops
    }

    /// Whether lock times have passed.
    fn is_open(&self, summary: &Summary) -> bool {
        (summary.lock_height == 0 || summary.lock_height < self.room.height)
            && (summary.lock_time == 0 || summary.lock_time < self.room.median_time_past)
    }

    /// Whether it is not worth looking any further.
    fn is_full(&self) -> bool {
        let nearly = self.weight.saturating_add(NEARLY_FULL) > self.room.weight;
        let tiny = self.weight.saturating_add(SMALLEST) > self.room.weight;
        tiny || (nearly && self.misses_in_a_row > MISSES) || self.misses > MOST_MISSES
    }
}

impl Mempool {
    /// The transactions of the next block, which pay the most that is found for its room.
    #[must_use]
    pub fn template(&self, room: &Room) -> Template {
        let mut odd = Vec::new();
        let (chunks, mark) = self.fill_with_chunks(room, &mut odd);
        let Some(mark) = mark else { return self.template_of(&chunks) };
        let packages = self.fill_with_packages(&chunks, &mark, &odd);
        self.template_of(if packages.worth > chunks.worth { &packages } else { &chunks })
    }

    /// Fills a block with chunks. Gives where one first did not fit, and in `odd` the first chunks of clusters before
    /// that whose packages are not their chunks.
    fn fill_with_chunks<'a>(&self, room: &'a Room, odd: &mut Vec<Key>) -> (Filling<'a>, Option<Mark>) {
        let mut filling = Filling::new(room);
        // Clusters with a chunk that did not fit: the rest of each may depend on it.
        let mut skipped: HashSet<u32, FixedState> = HashSet::with_hasher(FixedState::with_seed(0));
        let mut level: Option<(Mark, usize)> = None;
        let mut first_miss = None;
        for (key, summary) in self.graph.chunks() {
            if !room.pays(key.paid) || (filling.is_full() && first_miss.is_some()) {
                break;
            }
            if first_miss.is_none() {
                if level.as_ref().is_none_or(|(mark, _)| mark.key.paid.by_rate(key.paid).is_ne()) {
                    level = Some((filling.mark(key), odd.len()));
                }
                if summary.has_packages && key.index == 0 {
                    odd.push(*key);
                }
            }
            let alone = summary.cluster_size == 1;
            if !alone && !skipped.is_empty() && skipped.contains(&key.cluster) {
                continue;
            }
            let taken = filling.take(summary, key.paid.fee, || match alone {
                true => Pick::One(summary.first),
                false => Pick::Some { cluster: key.cluster, set: self.graph.chunk_set(key) },
            });
            if !taken {
                first_miss = first_miss.or_else(|| level.take());
                if !alone {
                    skipped.insert(key.cluster);
                }
            }
        }
        let mark = first_miss.map(|(mark, count)| {
            odd.truncate(count);
            mark
        });
        (filling, mark)
    }

    fn template_of(&self, filling: &Filling<'_>) -> Template {
        let mut entries = Vec::with_capacity(filling.picks.len());
        for pick in &filling.picks {
            match *pick {
                Pick::One(slot) => entries.extend(self.nodes.entry(slot).map(Arc::clone)),
                Pick::Some { cluster, set } => {
                    let slots = self.graph.cluster(cluster).into_iter().flat_map(|cluster| cluster.members(set));
                    entries.extend(slots.filter_map(|slot| self.nodes.entry(slot)).map(Arc::clone));
                }
            }
        }
        let Filling { fees, weight, sigops, .. } = *filling;
        Template { entries, fees: Amount::from_sat(fees), weight, sigops }
    }
}
