//! When to mine, on what, and for whom.
//!
//! [`Plan`] has no clock and no threads: the time comes in with each call, and what to do goes out by [`Plan::poll`], which is
//! drained after each call and at [`Plan::next_deadline`]. It holds to these rules:
//!
//! - Nothing is built on a tip whose scripts are not verified, nor on one for which a block was found already.
//! - One work at a time: a tip that changes takes it back, and a later [`Action::Build`] takes the place of an earlier one.
//! - Orders come first, one after another, and each gets as many blocks and hashes as it asked for at most.
//! - Nothing is mined unasked while the node catches up with the network.
//! - On demand means: while transactions wait. Then everybody who mines waits a moment that is drawn at random, shorter if
//!   the transactions are one's own, so that several peers do not all find a block at once.
//! - Chains whose blocks are signed are mined by their producers alone, who take turns (`delay`): of them, on demand also means
//!   as long as a transaction's block is not irreversible and they have not built on it, and always means once a spacing.
//!
//! ```text
//!        something to do, and its time has come
//! Idle ───────────────────────────────────────▶ Building ──built──▶ Working ──found──▶ Settling
//!  ▲                                               │                   │                  │
//!  └────────── nothing to build, failed ───────────┴── tip, spent ─────┴── tip, refused ──┘
//! ```

mod act;
mod delay;
mod orders;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::BlockHash;
use yap_api::backend::{MineError, Mining, MiningOrder};
use yap_protocol::{Random, Time};

use self::orders::Orders;

/// Most orders that wait, the one at work included.
pub const MAX_ORDERS: usize = 16;

/// A work that could be worth more is built anew after this long at the soonest.
pub const REFRESH: Duration = Duration::from_secs(5);

/// After a block could not be built or was refused, the next one is tried this much later.
pub const RETRY: Duration = Duration::from_secs(10);

/// Longest wait for what the ledger says of a block that was found.
pub const SETTLE: Duration = Duration::from_secs(60);

/// Names a work: later ones have larger numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkId(pub u64);

/// Names an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u64);

/// What stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The chain's time between blocks.
    pub spacing: Duration,
    /// Whether the chain's blocks are signed (BIP-0325) and this node is none of those who can, so that nothing is mined.
    pub signed: bool,
    /// Of how many producers this node is one, who take turns; none where work alone counts.
    pub producers: Option<u16>,
}

/// How a producer stands in the turn of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Blocks on top of the last one that it signed; as many as there are producers if that is long ago.
    pub since: u16,
    /// Whether a block with transactions is not irreversible, and it has not built on that.
    pub owed: bool,
}

/// The newest block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its hash.
    pub hash: BlockHash,
    /// Whether it and all before it were verified.
    pub verified: bool,
}

/// The transactions that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// How many.
    pub waiting: usize,
    /// How many of these were submitted here or are the wallet's.
    pub own: usize,
    /// Satoshis that all of them pay.
    pub fees: u64,
}

/// What the driver does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Make a draft and give it to the miner, in place of what it works on; then say [`Plan::built`].
    Build(Build),
    /// Let the miner stop.
    Cancel,
    /// An order is done. Fewer blocks than were ordered: the hashes were used up.
    Done(OrderId, Result<Vec<BlockHash>, MineError>),
}

/// A draft that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// What the work is called from now on.
    pub work: WorkId,
    /// The block before it.
    pub parent: BlockHash,
    /// For whom, and of what; none: for this node's wallet, of the best pending transactions.
    pub order: Option<Arc<MiningOrder>>,
    /// Hashes to try at most.
    pub tries: Option<u64>,
    /// Whether a block without transactions is wanted as well.
    pub empty: bool,
}

/// What became of a draft that was to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Built {
    /// The miner works on it.
    Started,
    /// There would be no transaction in it, and none is not wanted.
    Nothing,
    /// The chain's times are so far ahead that no block is allowed before then.
    Early(Time),
    /// It could not be made.
    Failed(MineError),
}

/// What is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing.
    Idle,
    /// The driver makes a draft.
    Building(Work),
    /// The miner is at it.
    Working(Work),
    /// A block was found, and the ledger has it. Another on the same parent would be its rival.
    Settling(Settling),
}

/// A block that was found here: until the ledger has judged it and the tip has moved on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Settling {
    hash: BlockHash,
    order: Option<OrderId>,
    judged: bool,
    moved: bool,
    until: Time,
}

/// A work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Work {
    id: WorkId,
    parent: BlockHash,
    order: Option<OrderId>,
    /// When it was built, and what the pool was then.
    since: Time,
    pool: Pool,
}

/// When to mine, on what, and for whom.
#[derive(Debug)]
pub struct Plan {
    config: Config,
    random: Random,
    mining: Mining,
    catching_up: bool,
    tip: Option<Tip>,
    /// When the tip before this one was left.
    tip_since: Option<Time>,
    turn: Turn,
    pool: Pool,
    orders: Orders,
    stage: Stage,
    works: u64,
    /// When mining on demand begins, once it was drawn.
    demand: Option<Time>,
    /// What waits could not be mined when it was tried, and `demand` is when to try again.
    fruitless: bool,
    /// Nothing is built before: what was built last failed.
    pause: Option<Time>,
    actions: VecDeque<Action>,
}

impl Plan {
    /// The plan of a node that knows nothing yet and mines as `mining` says. `random` should differ from other nodes'.
    #[must_use]
    pub fn new(config: Config, mining: Mining, random: Random) -> Self {
        Self {
            config,
            random,
            mining: if config.signed { Mining::Off } else { mining },
            catching_up: true,
            tip: None,
            tip_since: None,
            turn: Turn::default(),
            pool: Pool::default(),
            orders: Orders::default(),
            stage: Stage::Idle,
            works: 0,
            demand: None,
            fruitless: false,
            pause: None,
            actions: VecDeque::new(),
        }
    }

    /// When it mines by itself: never, if others sign the blocks.
    #[must_use]
    pub fn mining(&self) -> Mining {
        self.mining
    }

    /// Changes when it mines by itself.
    ///
    /// # Errors
    /// [`MineError::Signed`].
    pub fn set_mining(&mut self, now: Time, mining: Mining) -> Result<(), MineError> {
        if self.config.signed && mining != Mining::Off {
            return Err(MineError::Signed);
        }
        self.mining = mining;
        self.demand = None;
        self.pause = None;
        if self.work().is_some_and(|work| work.order.is_none()) {
            self.cancel();
        }
        self.demand(now);
        Ok(())
    }

    /// Whether the node is behind the network. At first it is.
    pub fn catching_up(&mut self, now: Time, behind: bool) {
        self.catching_up = behind;
        if behind && self.work().is_some_and(|work| work.order.is_none()) {
            self.cancel();
        }
        self.demand(now);
    }

    /// How this producer stands in the turn; to be told before each [`tip`](Self::tip).
    pub fn turn(&mut self, turn: Turn) {
        self.turn = turn;
    }

    /// There is another tip, or it is verified now.
    pub fn tip(&mut self, now: Time, tip: Tip) {
        let before = self.tip.replace(tip);
        if before.is_some_and(|before| before.hash == tip.hash) {
            return;
        }
        // The tip with which a node starts is no news.
        self.tip_since = before.map(|_| now);
        // A block on what is no longer the tip is worth nothing.
        match self.stage {
            Stage::Building(_) | Stage::Working(_) => self.cancel(),
            Stage::Settling(settling) => self.settle(Settling { moved: true, ..settling }),
            Stage::Idle => {}
        }
        self.pause = None;
        // Everybody else hears of it in the same moment.
        self.demand = None;
        self.fruitless = false;
        self.demand(now);
    }

    /// The pending transactions changed.
    pub fn pool(&mut self, now: Time, pool: Pool) {
        let before = std::mem::replace(&mut self.pool, pool);
        let more = pool.waiting > before.waiting;
        if pool.waiting == 0 && self.config.producers.is_none() {
            self.demand = None;
        } else if (before.own == 0 && pool.own > 0) || (more && self.fruitless) {
            // It never takes longer for that.
            let drawn = self.demand.take().filter(|_| !self.fruitless);
            self.fruitless = false;
            self.demand(now);
            self.demand = [drawn, self.demand].into_iter().flatten().min();
        }
        self.demand(now);
    }

    /// Mines blocks as soon as may be. The answer comes as [`Action::Done`].
    ///
    /// # Errors
    /// [`MineError::Signed`], or [`MineError::Busy`] if [`MAX_ORDERS`] wait.
    pub fn order(&mut self, order: MiningOrder) -> Result<OrderId, MineError> {
        if self.config.signed {
            return Err(MineError::Signed);
        }
        let id = self.orders.push(order)?;
        self.close_orders();
        Ok(id)
    }

    /// Forgets an order that nobody waits for any more.
    pub fn forget(&mut self, id: OrderId) {
        self.orders.remove(id);
        if self.work().is_some_and(|work| work.order == Some(id)) {
            self.cancel();
        }
        self.close_orders();
    }

    /// What became of a draft.
    pub fn built(&mut self, now: Time, id: WorkId, built: Built) {
        let Stage::Building(work) = self.stage else { return };
        if work.id != id {
            return;
        }
        self.stage = Stage::Idle;
        match built {
            Built::Started => self.stage = Stage::Working(work),
            // What waits can't be mined now: it may be later, on the next tip, or with what comes.
            Built::Nothing => {
                self.fruitless = true;
                self.demand = Some(now.after(self.config.spacing.max(REFRESH)));
            }
            Built::Early(time) => self.pause = Some(time.max(now.after(Duration::from_millis(1)))),
            Built::Failed(why) => match work.order {
                Some(order) => self.finish(order, Err(why)),
                None => self.pause = Some(now.after(RETRY)),
            },
        }
    }

    /// The miner found the block `hash`, after so many hashes. Of a work that is no longer wanted: gives `false`, and the
    /// block is not to be used. Else it goes to the ledger, and what that says comes by [`judged`](Self::judged).
    #[must_use]
    pub fn found(&mut self, now: Time, id: WorkId, hash: BlockHash, hashes: u64) -> bool {
        self.orders.charge(id, hashes);
        let Stage::Working(work) = self.stage else { return false };
        if work.id != id {
            return false;
        }
        let moved = self.tip.is_none_or(|tip| tip.hash != work.parent);
        let until = now.after(SETTLE);
        self.stage = Stage::Settling(Settling { hash, order: work.order, judged: false, moved, until });
        true
    }

    /// So many hashes were tried for a work that was taken back, or that found nothing in the tries it had.
    pub fn spent(&mut self, id: WorkId, hashes: u64) {
        self.orders.charge(id, hashes);
        if self.work().is_some_and(|work| work.id == id) {
            self.stage = Stage::Idle;
        }
        self.close_orders();
    }

    /// What the ledger says of a block that was found here: whether it took it, or why not.
    pub fn judged(&mut self, now: Time, hash: BlockHash, verdict: Result<(), String>) {
        let Stage::Settling(settling) = self.stage else { return };
        if settling.hash != hash || settling.judged {
            return;
        }
        match (verdict, settling.order) {
            (Ok(()), order) => {
                if let Some(order) = order {
                    self.orders.add(order, hash);
                }
                self.settle(Settling { judged: true, ..settling });
            }
            (Err(why), order) => {
                self.stage = Stage::Idle;
                match order {
                    Some(order) => self.finish(order, Err(MineError::Refused(why))),
                    None => self.pause = Some(now.after(RETRY)),
                }
            }
        }
        self.close_orders();
    }

    /// Whether a draft is being made or worked on.
    #[must_use]
    pub fn is_working(&self) -> bool {
        self.work().is_some()
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it fails")]
mod tests;
