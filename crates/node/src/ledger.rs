//! The ledger as a running node drives it: chain and mempool in step, and what comes of each change told in order.
//!
//! Nothing here waits for scripts: blocks and transactions go in, verdicts are taken in by [`Ledger::step`], and what
//! happened leaves as [`Happening`]s, which the protocol, the wallet and whoever watches are told of in this order.
//!
//! A block that extends the tip is answered once its scripts are verified, so that whoever sent a bad one is known; at
//! most [`MOST_HELD`] answers wait for that, and beyond (while a whole chain is fetched) blocks are answered when they
//! are stored.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use yap_chain::bitcoin::block::Header;
use yap_chain::bitcoin::{BlockHash, Txid, Wtxid};
use yap_chain::header;
use yap_chain::header::tree::{self, Id, Status, Tree};
use yap_chain::mempool::{Entry, Removed};
use yap_chain::producer::Producers;
use yap_chain::transaction::Transaction;
use yap_protocol::io::{Judged, Processed, TipChange};
use yap_protocol::ledger::Pooled;

use crate::admission::{self, Admission, Restored, Why, pooled};
use crate::chainstate::{self, Accepted, Chainstate, Error};
use crate::prepare::Prepared;
use crate::reject::{FORKED, Reject};

/// Blocks whose answer waits for their scripts.
pub const MOST_HELD: usize = 32;

/// Blocks that one step connects, so that whoever else waits has a turn.
const STEP: usize = 4;

/// Something that came of a change, in the order of the changes.
#[derive(Debug)]
pub enum Happening {
    /// A block was looked at.
    Processed(BlockHash, Processed),
    /// The verified chain has changed.
    Tip(TipChange),
    /// A transaction was judged.
    Judged(Arc<Transaction>, Result<(), Why>),
    /// The mempool has changed.
    Pool(Vec<Arc<Entry>>, Vec<Removed>),
    /// A block broke a rule: when it came, or when it was connected.
    Refused(BlockHash, Cow<'static, str>),
    /// All of a saved mempool was taken in, or could not be.
    Restored(Restored),
}

/// Chain and mempool of a running node.
#[derive(Debug)]
pub struct Ledger {
    chain: Chainstate,
    admission: Admission,
    /// Blocks that were stored, and whose answer waits.
    held: BTreeMap<BlockHash, Id>,
    /// Unix time of the last step.
    now: u64,
}

impl Ledger {
    /// Puts the two together; the mempool starts on the chain's verified tip.
    #[must_use]
    pub const fn new(chain: Chainstate, admission: Admission) -> Self {
        Self { chain, admission, held: BTreeMap::new(), now: 0 }
    }

    /// The chain.
    #[must_use]
    pub const fn chain(&self) -> &Chainstate {
        &self.chain
    }

    /// The chain alone, to be closed.
    #[must_use]
    pub fn into_chain(self) -> Chainstate {
        self.chain
    }

    /// The chain, to be changed; [`step`](Self::step) tells what came of it.
    pub const fn chain_mut(&mut self) -> &mut Chainstate {
        &mut self.chain
    }

    /// The mempool.
    #[must_use]
    pub const fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Both, to be changed.
    pub const fn both(&mut self) -> (&mut Chainstate, &mut Admission) {
        (&mut self.chain, &mut self.admission)
    }

    /// The mempool, to be changed; [`step`](Self::step) tells what came of it.
    pub const fn admission_mut(&mut self) -> &mut Admission {
        &mut self.admission
    }

    /// Takes in a block that was looked at by itself; `now` is the wall clock as headers carry it.
    ///
    /// # Errors
    /// If the ledger cannot go on.
    pub fn process(&mut self, prepared: Prepared, now: u32) -> Result<Vec<Happening>, Error> {
        let hash = prepared.block().hash();
        let mut happened = Vec::new();
        match self.chain.store_block(prepared, now)? {
            Accepted::Stored => {
                if let Some(id) = self.chain.tree().get(&hash) {
                    self.held.insert(hash, id);
                }
            }
            // Of one whose scripts are being verified, the answer follows.
            Accepted::Known if self.held.contains_key(&hash) => {}
            Accepted::Known => happened.push(Happening::Processed(hash, self.known(&hash))),
            Accepted::Rejected(why) => {
                let outcome = refused(&why);
                // What may be another block's hash, or is told already, is no news of this one.
                if matches!(outcome, Processed::Invalid { mutated: false, .. }) && !is_old(&why) {
                    happened.push(Happening::Refused(hash, why.reason()));
                }
                happened.push(Happening::Processed(hash, outcome));
            }
        }
        Ok(happened)
    }

    fn known(&self, hash: &BlockHash) -> Processed {
        match self.chain.tree().get(hash).map(|id| self.chain.tree().status(id)) {
            Some(Status::Invalid) => Processed::Invalid { reason: "duplicate-invalid", mutated: false },
            Some(Status::Descends) => Processed::Invalid { reason: "bad-prevblk", mutated: false },
            Some(Status::Forked) => Processed::Invalid { reason: FORKED, mutated: false },
            Some(Status::Valid) | None => Processed::Known,
        }
    }

    /// Offers a transaction to the mempool, with a parent that pays too little by itself if one is given.
    pub fn judge(
        &mut self,
        transaction: Arc<Transaction>,
        parent: Option<Arc<Transaction>>,
        now: u64,
    ) -> Vec<Happening> {
        let both = [Some(Arc::clone(&transaction)), parent.clone()];
        match self.admission.submit(&mut self.chain, transaction, parent, now) {
            Ok(()) => Vec::new(),
            // They may come again later: nothing is held against them.
            Err(admission::Full) => {
                both.into_iter().flatten().map(|one| Happening::Judged(one, Err(Why::Busy))).collect()
            }
        }
    }

    /// Takes in verdicts, goes on with what is under way, and tells what happened. Gives whether there is more to do at
    /// once.
    ///
    /// # Errors
    /// If the ledger cannot go on.
    pub fn step(&mut self, now: u64) -> Result<(Vec<Happening>, bool), Error> {
        self.now = now;
        let at_best = self.chain.step(STEP)?;
        let mut happened = Vec::new();
        for change in self.changes(&mut happened) {
            self.admission.moved(&mut self.chain, &change, now)?;
            happened.push(Happening::Tip(change));
            self.drain(&mut happened);
        }
        let restoring = self.admission.step(&mut self.chain);
        self.drain(&mut happened);
        self.release(at_best, &mut happened);
        Ok((happened, !at_best || restoring))
    }

    /// What the chain tells, as changes of the tip.
    fn changes(&mut self, happened: &mut Vec<Happening>) -> Vec<TipChange> {
        let mut changes: Vec<TipChange> = Vec::new();
        let mut change = TipChange::default();
        while let Some(event) = self.chain.poll() {
            match event {
                chainstate::Event::Connected { hash, block, .. } => change.connected.push((hash, Some(block))),
                chainstate::Event::Disconnected { hash, .. } => {
                    if !change.connected.is_empty() {
                        changes.push(std::mem::take(&mut change));
                    }
                    change.disconnected.push(hash);
                }
                chainstate::Event::Invalid { hash, why, .. } => {
                    if self.held.remove(&hash).is_some() {
                        happened.push(Happening::Processed(hash, refused(&why)));
                    }
                    happened.push(Happening::Refused(hash, why.reason()));
                }
            }
        }
        if !change.connected.is_empty() || !change.disconnected.is_empty() {
            changes.push(change);
        }
        changes
    }

    /// What the mempool tells.
    fn drain(&mut self, happened: &mut Vec<Happening>) {
        while let Some(event) = self.admission.poll() {
            happened.push(match event {
                admission::Event::Judged { transaction, outcome } => Happening::Judged(transaction, outcome),
                admission::Event::Changed { added, removed } => Happening::Pool(added, removed),
                admission::Event::Restored(restored) => Happening::Restored(restored),
            });
        }
    }

    /// Answers the blocks of which all is known that is to be known for now.
    fn release(&mut self, at_best: bool, happened: &mut Vec<Happening>) {
        if self.held.is_empty() {
            return;
        }
        let verified = self.chain.verified_tip();
        let crowded = self.held.len() > MOST_HELD;
        let Self { chain, held, .. } = self;
        let tree = chain.tree();
        held.retain(|hash, id| {
            let outcome = match tree.status(*id) {
                Status::Invalid => {
                    return answer(happened, *hash, Processed::Invalid { reason: "duplicate-invalid", mutated: false });
                }
                Status::Descends => Processed::Invalid { reason: "bad-prevblk", mutated: false },
                Status::Forked => Processed::Invalid { reason: FORKED, mutated: false },
                // Its turn to be connected may come, or its scripts are being verified.
                Status::Valid
                    if !crowded && (!at_best || chain.is_in_flight(*id)) && !tree.is_ancestor(*id, verified) =>
                {
                    return true;
                }
                Status::Valid => Processed::Stored,
            };
            answer(happened, *hash, outcome)
        });
    }
}

fn answer(happened: &mut Vec<Happening>, hash: BlockHash, outcome: Processed) -> bool {
    happened.push(Happening::Processed(hash, outcome));
    false
}

/// What the protocol is told of a block that was refused.
fn refused(why: &Reject) -> Processed {
    let mutated = match why {
        // Nothing is known of a block whose parent is not.
        Reject::Header(header::Error::UnknownParent { .. }) => return Processed::Failed,
        Reject::Block(error) => error.is_mutation(),
        Reject::Header(_)
        | Reject::Unsigned(_)
        | Reject::WrongSignature(_)
        | Reject::Script(_)
        | Reject::Irreversible { .. }
        | Reject::KnownInvalid => false,
    };
    Processed::Invalid { reason: constant(why.reason()), mutated }
}

/// Whether a block is refused for what was known of it before.
const fn is_old(why: &Reject) -> bool {
    matches!(why, Reject::KnownInvalid | Reject::Header(header::Error::KnownInvalid { .. }))
}

/// The reasons of rules are constants; that of an old version carries the number.
fn constant(reason: Cow<'static, str>) -> &'static str {
    match reason {
        Cow::Borrowed(reason) => reason,
        Cow::Owned(_) => "bad-version",
    }
}

impl Happening {
    /// What the protocol is told; nothing of what does not concern it.
    #[must_use]
    pub fn into_input(self) -> Option<yap_protocol::Input> {
        use yap_protocol::Input;
        match self {
            Self::Processed(hash, outcome) => Some(Input::Processed { hash, outcome }),
            Self::Tip(change) => Some(Input::Tip(change)),
            Self::Judged(transaction, outcome) => admission::Event::Judged { transaction, outcome }.into_input(),
            Self::Pool(added, removed) => admission::Event::Changed { added, removed }.into_input(),
            Self::Refused(..) | Self::Restored(_) => None,
        }
    }
}

/// What became of a transaction, as users are told.
#[must_use]
pub fn judged(transaction: &Transaction, outcome: Result<(), Why>) -> Judged {
    outcome.map_or_else(|why| why.judged(transaction), |()| Judged::Accepted)
}

impl yap_protocol::Ledger for Ledger {
    fn tree(&self) -> &Tree {
        self.chain.tree()
    }

    fn accept_header(&mut self, header: &Header, now: u32) -> Result<tree::Accepted, header::Error> {
        self.chain.add_header(header, now)
    }

    fn tip(&self) -> Id {
        self.chain.verified_tip()
    }

    fn has_block(&self, id: Id) -> bool {
        self.chain.has_block(id)
    }

    fn pooled(&self, wtxid: &Wtxid) -> Option<Pooled> {
        self.admission.pool().get(wtxid).map(|entry| pooled(entry))
    }

    fn pooled_by_txid(&self, txid: &Txid) -> Option<Pooled> {
        self.admission.pool().get_by_txid(txid).map(|entry| pooled(entry))
    }

    fn pool_len(&self) -> usize {
        self.admission.pool().len()
    }

    fn pool_by_age(&self) -> Box<dyn Iterator<Item = Pooled> + '_> {
        Box::new(self.admission.pool().by_age().map(|entry| pooled(entry)))
    }

    fn pool_by_feerate(&self) -> Box<dyn Iterator<Item = Pooled> + '_> {
        Box::new(self.admission.pool().by_feerate().map(|entry| pooled(entry)))
    }

    fn min_feerate(&self) -> u64 {
        self.admission.pool().min_feerate(self.now).to_sat_per_kvb()
    }

    fn producers(&self) -> u16 {
        self.chain.producers().map_or(0, Producers::count)
    }

    fn producer(&self, id: Id) -> Option<u16> {
        self.chain.signer(id)
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it fails")]
mod tests;
