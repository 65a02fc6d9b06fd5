//! What is asked of a transaction before its scripts are run.
//!
//! In Bitcoin Core's order (`MemPoolAccept::PreChecks`): first what it needs nobody for, then its place in the chain,
//! then its coins, then the pool.

use std::sync::Arc;

use bitcoin::{Amount, OutPoint, Txid};

use super::entry::{self, UNCONFIRMED};
use super::limits;
use super::rate::Paid;
use super::refusal::Refusal;
use super::{FeeRate, Mempool};
use crate::coin::Coin;
use crate::policy;
use crate::transaction::lock::{self, Ancestors};
use crate::transaction::{self, Transaction, sigops};
use crate::verify::{Flags, Job};

/// Where the next block will stand, for which the pool keeps its transactions.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a, A> {
    /// Its height: one above the tip's.
    pub height: u32,
    /// The tip's median time past, in seconds since 1970.
    pub median_time_past: u32,
    /// The headers below it.
    pub ancestors: &'a A,
    /// Script rules that transactions must satisfy to be relayed: those of policy, which hold more than blocks must.
    pub flags: Flags,
}

/// On whose word a transaction comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Terms {
    /// A peer's or a user's.
    Relay,
    /// A block's that was taken back.
    Returned,
}

/// A transaction with what was found out about it by itself.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) transaction: Arc<Transaction>,
    pub(super) spent: Arc<[Coin]>,
    pub(super) fee: Amount,
    pub(super) weight: u32,
    pub(super) sigops: u32,
    /// The height of the tip.
    pub(super) height: u32,
    flags: Flags,
}

impl Offer {
    pub(super) fn txid(&self) -> Txid {
        self.transaction.txid()
    }

    pub(super) fn vsize(&self) -> u64 {
        entry::vsize(self.weight, self.sigops)
    }

    pub(super) fn inputs(&self) -> impl Iterator<Item = &OutPoint> {
        self.transaction.decoded().input.iter().map(|input| &input.previous_output)
    }

    pub(super) fn job(&self) -> Job {
        Job { transaction: self.transaction.raw().clone(), spent: Arc::clone(&self.spent), flags: self.flags }
    }
}

/// A transaction that may enter if its scripts hold.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub(super) offer: Offer,
    pub(super) terms: Terms,
    pub(super) generation: u64,
    pub(super) replaces: Box<[Txid]>,
}

impl Candidate {
    /// The transaction.
    #[must_use]
    pub fn transaction(&self) -> &Arc<Transaction> {
        &self.offer.transaction
    }

    /// What must be verified before it is inserted.
    #[must_use]
    pub fn job(&self) -> Job {
        self.offer.job()
    }

    /// What it pays.
    #[must_use]
    pub fn fee(&self) -> Amount {
        self.offer.fee
    }

    /// Virtual bytes, adjusted for signature operations.
    #[must_use]
    pub fn vsize(&self) -> u64 {
        self.offer.vsize()
    }

    /// Transactions whose place it would take, parents before children.
    #[must_use]
    pub fn replaces(&self) -> &[Txid] {
        &self.replaces
    }
}

impl Mempool {
    /// Checks every rule but scripts, and changes nothing. `coins` gives what the chain has unspent, at least where
    /// [`missing`](Self::missing) asks, and may give outputs of `transaction` itself if it has them. `now` is the time
    /// in Unix seconds.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(
        &self,
        transaction: &Arc<Transaction>,
        coins: &impl Fn(&OutPoint) -> Option<Coin>,
        place: &Place<'_, impl Ancestors>,
        now: u64,
    ) -> Result<Candidate, Refusal> {
        self.check_on(Terms::Relay, transaction, coins, place, now)
    }

    /// Checks a transaction of a block that was taken back. As Bitcoin Core does, it asks for no least fee, and leaves
    /// the rules of version 3 and of dust aside; the pool's memory is limited afterwards, by
    /// [`reorganised`](Self::reorganised).
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check_returned(
        &self,
        transaction: &Arc<Transaction>,
        coins: &impl Fn(&OutPoint) -> Option<Coin>,
        place: &Place<'_, impl Ancestors>,
        now: u64,
    ) -> Result<Candidate, Refusal> {
        self.check_on(Terms::Returned, transaction, coins, place, now)
    }

    fn check_on(
        &self,
        terms: Terms,
        transaction: &Arc<Transaction>,
        coins: &impl Fn(&OutPoint) -> Option<Coin>,
        place: &Place<'_, impl Ancestors>,
        now: u64,
    ) -> Result<Candidate, Refusal> {
        let offer = self.offer(transaction, None, coins, place)?;
        let relation = self.relate(&offer, terms, now)?;
        let replaces = self.txids(&relation.leaving);
        Ok(Candidate { offer, terms, generation: self.generation, replaces })
    }

    /// Checks what concerns a transaction and the chain; `parent` is one besides those of the pool.
    pub(super) fn offer(
        &self,
        transaction: &Arc<Transaction>,
        parent: Option<&Transaction>,
        coins: &impl Fn(&OutPoint) -> Option<Coin>,
        place: &Place<'_, impl Ancestors>,
    ) -> Result<Offer, Refusal> {
        transaction::check(transaction)?;
        if transaction.is_coinbase() {
            return Err(Refusal::Coinbase);
        }
        if let Some(rules) = &self.rules {
            policy::check_alone(transaction, rules)?;
        }
        lock::absolute(transaction, place.height, place.median_time_past).map_err(not_final)?;
        self.absent(transaction)?;
        let mut spent = self.find(transaction, parent, coins, place.height)?;
        lock::relative(transaction, &spent, place.height, place.median_time_past, place.ancestors)
            .map_err(not_final)?;
        let fee = transaction::fee(transaction, &spent, place.height)?;
        // After the coins are known, before the fee is weighed.
        if let Some(rules) = &self.rules {
            policy::check_spent(transaction, &spent, rules)?;
        }
        let cost = sigops::cost(transaction, &spent, Flags::ALL);
        if cost > limits::SIGOPS_COST {
            return Err(Refusal::Sigops { cost });
        }
        for coin in spent.iter_mut().filter(|coin| coin.height >= place.height) {
            coin.height = UNCONFIRMED;
        }
        Ok(Offer {
            spent: spent.into(),
            fee,
            weight: u32::try_from(transaction.weight()).unwrap_or(u32::MAX),
            sigops: u32::try_from(cost).unwrap_or(u32::MAX),
            height: place.height.saturating_sub(1),
            flags: place.flags,
            transaction: transaction.detached(),
        })
    }

    /// Whether the pool has a transaction, by either hash.
    pub(super) fn absent(&self, transaction: &Transaction) -> Result<(), Refusal> {
        match self.get_by_txid(&transaction.txid()) {
            None => Ok(()),
            Some(entry) if entry.wtxid() == transaction.wtxid() => Err(Refusal::Present),
            Some(_) => Err(Refusal::PresentOtherWitness),
        }
    }

    /// The coins that a transaction spends, those of the pool as if they were in the next block.
    fn find(
        &self,
        transaction: &Transaction,
        parent: Option<&Transaction>,
        coins: &impl Fn(&OutPoint) -> Option<Coin>,
        height: u32,
    ) -> Result<Vec<Coin>, Refusal> {
        let inputs = &transaction.decoded().input;
        let mut found = Vec::with_capacity(inputs.len());
        let mut missing = Vec::new();
        for outpoint in inputs.iter().map(|input| &input.previous_output) {
            let entry = self.get_by_txid(&outpoint.txid).map(|entry| &**entry.transaction());
            let made_by = entry.or_else(|| parent.filter(|parent| parent.txid() == outpoint.txid));
            let coin = match made_by {
                Some(made_by) => output(made_by, outpoint.vout, height),
                None => coins(outpoint),
            };
            match coin {
                Some(coin) => found.push(coin),
                None => missing.push(*outpoint),
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let own = (0..).zip(&transaction.decoded().output).map(|(vout, _)| OutPoint { txid: transaction.txid(), vout });
        let confirmed = own.into_iter().any(|outpoint| coins(&outpoint).is_some());
        Err(if confirmed { Refusal::Confirmed } else { Refusal::MissingInputs(missing.into()) })
    }

    /// What an offer pays, with what the operator adds.
    pub(super) fn paid(&self, offer: &Offer) -> Paid {
        let priority = self.priorities.get(&offer.txid()).copied().unwrap_or(0);
        entry::paid(offer.fee, priority, offer.weight, offer.sigops)
    }

    /// That a fee pays for so many virtual bytes: for their way, and for their place.
    pub(super) fn pays(&self, fee: i64, vsize: u64, now: u64) -> Result<(), Refusal> {
        let floor = self.floor(now);
        let least = floor.fee(vsize);
        if floor > FeeRate::ZERO && fee < least {
            return Err(Refusal::PoolFee { fee, least });
        }
        let least = self.limits.relay.fee(vsize);
        if fee < least { Err(Refusal::RelayFee { fee, least }) } else { Ok(()) }
    }
}

/// The coin that `transaction` makes at `vout`.
pub(super) fn output(transaction: &Transaction, vout: u32, height: u32) -> Option<Coin> {
    let output = transaction.decoded().output.get(usize::try_from(vout).ok()?)?;
    Some(Coin::new(output.value, &output.script_pubkey, height, false))
}

/// Outside of blocks, a transaction that comes too early has reasons of its own.
fn not_final(error: transaction::Error) -> Refusal {
    #[expect(clippy::wildcard_enum_match_arm, reason = "two rules of many have another name here")]
    match error {
        transaction::Error::Locked { lock_time } => Refusal::NonFinal { lock_time },
        transaction::Error::SequenceLocked { input, sequence } => Refusal::NonFinalInput { input, sequence },
        other => Refusal::Invalid(other),
    }
}
