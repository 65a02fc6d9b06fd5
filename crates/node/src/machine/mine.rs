//! Mining: the plan is told what changes, and what it wants built is built, and signed where blocks are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use yap_api::backend::{MineError, Mining};
use yap_api::event::Event;
use yap_chain::bitcoin::{BlockHash, ScriptBuf, Txid};
use yap_chain::block::{Contents, Draft};
use yap_chain::header::pow;
use yap_chain::header::tree::Id;
use yap_chain::mempool::{Entry, Removed, Room};
use yap_chain::producer::{Key, MAX_WALK, Producers};
use yap_chain::spec::Spec;
use yap_protocol::io::{Command, Processed, Reply, Ticket};
use yap_protocol::{Input, Random};

use super::request::{Mined, Order};
use super::{Machine, notice};
use crate::miner::{Action, Build, Built, Config, Miner, OrderId, Plan, Pool, Report, Tip, Turn, Work, WorkId};

/// Reports of the miner that may wait. It works on one block at a time.
const REPORTS: usize = 8;

/// Who gets what mined blocks create.
pub(crate) type Payout = Arc<dyn Fn() -> Option<ScriptBuf> + Send + Sync>;

/// What the machine knows of mining.
pub(super) struct Mine {
    plan: Plan,
    miner: Miner,
    payout: Payout,
    orders: BTreeMap<OrderId, oneshot::Sender<Mined>>,
    /// Blocks found here that the ledger looks at.
    submitted: BTreeMap<Ticket, BlockHash>,
    /// Pending transactions that were made known here; a part of the mempool.
    own: BTreeSet<Txid>,
    /// Satoshis that all pending transactions pay.
    fees: u64,
    /// What the plan was told last.
    told: (Option<Tip>, Option<bool>, Pool),
    found: u64,
    /// What signs the blocks, where this node is a producer.
    seat: Option<Seat>,
}

/// A producer's key, and its place among those of the chain.
struct Seat {
    key: Key,
    producers: Producers,
    place: u16,
}

impl Seat {
    fn of(spec: &Spec, key: Option<Key>) -> Option<Self> {
        let (producers, key) = (spec.producers()?, key?);
        let place = producers.place(&key.public())?;
        Some(Self { key, producers, place })
    }
}

impl std::fmt::Debug for Mine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mine").field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// What a miner is told.
pub(crate) struct Setting {
    pub(crate) mining: Mining,
    pub(crate) threads: usize,
    pub(crate) payout: Payout,
    /// What signs blocks, on chains of whose producers it is one.
    pub(crate) producer: Option<Key>,
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setting").field("mining", &self.mining).finish_non_exhaustive()
    }
}

impl Mine {
    /// A miner that mines nothing yet, and where its reports come.
    pub(super) fn new(setting: Setting, spec: &Spec, seed: [u8; 32]) -> (Self, mpsc::Receiver<Report>) {
        let (tell, reports) = mpsc::channel(REPORTS);
        let seat = Seat::of(spec, setting.producer);
        let config = Config {
            spacing: Duration::from_secs(spec.work.spacing.into()),
            signed: spec.challenge.is_some() && seat.is_none(),
            producers: seat.as_ref().map(|seat| seat.producers.count()),
        };
        let mine = Self {
            plan: Plan::new(config, setting.mining, Random::new(seed)),
            // Fails when the node is gone, and its blocks are nobody's any more.
            miner: Miner::new(setting.threads, move |report| drop(tell.blocking_send(report))),
            payout: setting.payout,
            orders: BTreeMap::new(),
            submitted: BTreeMap::new(),
            own: BTreeSet::new(),
            fees: 0,
            told: (None, None, Pool::default()),
            found: 0,
            seat,
        };
        (mine, reports)
    }

    /// A transaction is made known here.
    pub(super) fn submitted(&mut self, txid: Txid) {
        self.own.insert(txid);
    }

    /// It is not pending.
    pub(super) fn refused(&mut self, txid: &Txid) {
        self.own.remove(txid);
    }

    /// The mempool has changed.
    pub(super) fn pool(&mut self, added: &[Arc<Entry>], removed: &[Removed]) {
        for entry in added {
            self.fees = self.fees.saturating_add(entry.fee().to_sat());
        }
        for one in removed {
            self.fees = self.fees.saturating_sub(one.entry.fee().to_sat());
            self.own.remove(&one.entry.txid());
        }
    }

    /// What was found by the ledger about a block that was found here; `None` if it is another's ticket.
    pub(super) fn answered(&mut self, ticket: Ticket) -> Option<BlockHash> {
        self.submitted.remove(&ticket)
    }

    pub(super) fn miner(&self) -> yap_api::backend::Miner {
        yap_api::backend::Miner {
            mining: self.plan.mining(),
            threads: self.miner.threads(),
            working: self.miner.is_working(),
            rate: self.miner.rate(),
            found: self.found,
        }
    }

    /// The place of this node among the producers, if it is one.
    pub(super) fn place(&self) -> Option<u16> {
        self.seat.as_ref().map(|seat| seat.place)
    }

    /// When the plan has something to do.
    pub(super) fn next_deadline(&self) -> Option<yap_protocol::Time> {
        self.plan.next_deadline()
    }
}

impl Machine {
    /// Takes an order.
    pub(super) fn mining(&mut self, order: Order) {
        let now = self.clock.now();
        match order {
            Order::Blocks(order, answer) => match self.mine.plan.order(order) {
                Ok(id) => drop(self.mine.orders.insert(id, answer)),
                Err(why) => drop(answer.send(Err(why))),
            },
            Order::Mode(mining, answer) => {
                let set = self.mine.plan.set_mining(now, mining);
                // Whoever asked may have gone.
                let _ = answer.send(set);
            }
        }
    }

    /// Tells the plan what is new, and does what it wants.
    pub(super) fn mining_turn(&mut self) {
        let now = self.clock.now();
        let chain = self.ledger.chain();
        let (tip, tree) = (chain.verified_tip(), chain.tree());
        let tip = Tip { hash: tree.hash(tip), verified: chain.tip() == tip };
        let behind = self.node.is_catching_up();
        let pool =
            Pool { waiting: self.ledger.admission().pool().len(), own: self.mine.own.len(), fees: self.mine.fees };
        let told = (Some(tip), Some(behind), pool);
        if self.mine.told != told {
            let before = std::mem::replace(&mut self.mine.told, told);
            if before.1 != Some(behind) {
                self.mine.plan.catching_up(now, behind);
            }
            if before.0 != Some(tip) {
                self.mine.plan.turn(self.turn_of_producers());
                self.mine.plan.tip(now, tip);
            }
            if before.2 != pool {
                self.mine.plan.pool(now, pool);
            }
        }
        self.forget_orders();
        self.forget_own();
        while let Some(action) = self.mine.plan.poll(now) {
            match action {
                Action::Build(build) => {
                    let built = self.build(&build);
                    self.mine.plan.built(now, build.work, built);
                }
                Action::Cancel => drop(self.mine.miner.cancel()),
                Action::Done(id, outcome) => {
                    if let Some(answer) = self.mine.orders.remove(&id) {
                        // Whoever asked may have gone.
                        let _ = answer.send(outcome);
                    }
                }
            }
        }
    }

    /// How this producer stands in the turn.
    fn turn_of_producers(&self) -> Turn {
        let Some(seat) = &self.mine.seat else { return Turn::default() };
        let (chain, count) = (self.ledger.chain(), seat.producers.count());
        let tree = chain.tree();
        let mut turn = Turn { since: count, owed: false };
        // What is irreversible needs nobody any more.
        let loose = std::iter::successors(Some(chain.verified_tip()), |id| tree.parent(*id));
        let loose = loose.take_while(|id| *id != tree.fixed()).take(MAX_WALK as usize);
        for (since, id) in (0..).zip(loose) {
            // The coinbase alone is nothing that anybody waits for.
            turn.owed |= chain.transactions(id).is_some_and(|transactions| transactions > 1);
            if chain.signer(id) == Some(seat.place) {
                turn.since = count.min(since);
                break;
            }
        }
        turn
    }

    /// Transactions that were made known here and never became pending are not waited for.
    fn forget_own(&mut self) {
        let pool = self.ledger.admission().pool();
        if self.mine.own.len() > pool.len() {
            self.mine.own.retain(|txid| pool.contains_txid(txid));
        }
    }

    /// Whoever does not wait any more gets no blocks.
    fn forget_orders(&mut self) {
        let gone: Vec<_> =
            self.mine.orders.iter().filter(|(_, answer)| answer.is_closed()).map(|(id, _)| *id).collect();
        for id in gone {
            self.mine.orders.remove(&id);
            self.mine.plan.forget(id);
        }
    }

    fn build(&mut self, build: &Build) -> Built {
        let chain = self.ledger.chain();
        let tree = chain.tree();
        let now = self.clock.wall().header_time();
        let Some(parent) = tree.get(&build.parent).filter(|parent| *parent == chain.tip()) else {
            return Built::Nothing;
        };
        let early = tree.earliest_time(parent).saturating_sub(now.saturating_add(self.spec.times.future));
        if early > 0 {
            return Built::Early(self.clock.now().after(Duration::from_secs(early.into())));
        }
        let contents = match self.contents(build, parent) {
            Ok(Some(contents)) => contents,
            Ok(None) => return Built::Nothing,
            Err(why) => return Built::Failed(why),
        };
        let draft = Draft::new(self.ledger.chain().tree(), parent, contents, now);
        let draft = match self.signed(draft, build.work) {
            Ok(draft) => draft,
            Err(why) => return Built::Failed(why),
        };
        let target = pow::target(draft.header(0).bits, &self.spec.work.limit);
        let Some(target) = target else { return Built::Failed(MineError::Refused("bad-diffbits".into())) };
        let clock = (self.spec.work.time_is_free() && !draft.is_signed()).then_some(now);
        let work = Work { id: build.work, draft: Arc::new(draft), target, tries: build.tries, clock };
        match self.mine.miner.start(work) {
            Ok(_) => Built::Started,
            Err(error) => {
                self.observer.tell(notice(format!("can't mine: {error}")));
                Built::Failed(MineError::Busy)
            }
        }
    }

    /// The draft, signed where blocks are: with another extra nonce for each work, so that no two are the same.
    fn signed(&self, draft: Draft, work: WorkId) -> Result<Draft, MineError> {
        let Some(seat) = &self.mine.seat else { return Ok(draft) };
        let signed = seat.key.sign(&draft, work.0, &seat.producers);
        signed.map_err(|error| MineError::Refused(error.to_string()))
    }

    /// What the block is to hold; nothing if there is no reason to make one.
    fn contents(&self, build: &Build, parent: Id) -> Result<Option<Contents>, MineError> {
        let order = build.order.as_deref();
        let script = order.and_then(|order| order.script.clone());
        let payout = script.or_else(|| (self.mine.payout)()).ok_or(MineError::NoWallet)?;
        if let Some(transactions) = order.and_then(|order| order.transactions.clone()) {
            // What they pay is left to nobody, as with Bitcoin Core.
            return Ok(Some(Contents { transactions, payout, ..Contents::default() }));
        }
        let tree = self.ledger.chain().tree();
        let room = Room::of_block(tree.height(parent).saturating_add(1), tree.median_time_past(parent));
        let template = self.ledger.admission().template(&room).unwrap_or_default();
        let worth = build.empty || !template.entries.is_empty();
        Ok(worth.then(|| Contents::of(&template, payout)))
    }

    /// Takes what the miner tells.
    pub(super) fn report(&mut self, report: Report) {
        match report {
            Report::Found { work, block, hashes } => {
                let hash = block.hash();
                if !self.mine.plan.found(self.clock.now(), work, hash, hashes) {
                    return;
                }
                let ticket = self.ticket();
                self.mine.submitted.insert(ticket, hash);
                self.inputs.push_back(Input::Command { ticket, command: Command::SubmitBlock(block) });
            }
            Report::Spent { work, hashes } => self.mine.plan.spent(work, hashes),
        }
    }

    /// The ledger has looked at a block that was found here.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other reply says that the block was not looked at")]
    pub(super) fn judged_mined(&mut self, hash: BlockHash, reply: &Reply) {
        let verdict = match reply {
            Reply::Block(Processed::Stored | Processed::Known) => {
                self.mine.found = self.mine.found.saturating_add(1);
                let tree = self.ledger.chain().tree();
                let height = tree.get(&hash).map_or(0, |id| tree.height(id));
                self.observer.tell(Event::BlockMined { hash, height });
                Ok(())
            }
            Reply::Block(Processed::Invalid { reason, .. }) => Err((*reason).to_owned()),
            _ => Err("the ledger did not take it".to_owned()),
        };
        self.mine.plan.judged(self.clock.now(), hash, verdict);
    }
}
