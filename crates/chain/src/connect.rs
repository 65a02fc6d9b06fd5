//! A block's effect on the UTXO set, and its inverse.
//!
//! Connecting reads coins through [`Coins`] and gives back [`Effect`]; nothing is changed on the way, so a block that
//! breaks a rule leaves every state as it was. Whoever owns the set applies the [`Changes`]. The rules are those of
//! Bitcoin Core's `ConnectBlock`, in its order, but for scripts: they leave as [`Job`]s.

use std::sync::Arc;

use bitcoin::{Amount, OutPoint};
use foldhash::fast::FixedState;
use hashbrown::HashSet;

use crate::block::{self, Block, Error, MAX_SIGOPS_COST};
use crate::coin::Coin;
use crate::transaction::lock::{self, Ancestors};
use crate::transaction::{self, Transaction, sigops};
use crate::undo::Undo;
use crate::verify::{Flags, Job};

mod disconnect;
mod made;
mod repeat;

pub use disconnect::{Mismatch, disconnect};
pub use made::is_unspendable;

use made::{Found, Made};

/// Reads the UTXO set as it is before a block.
pub trait Coins {
    /// Why a coin could not be read, such as an I/O error.
    type Error;

    /// The coin at `outpoint`, or `None` if there is none or it is spent.
    ///
    /// # Errors
    /// If the set could not be read.
    fn coin(&mut self, outpoint: &OutPoint) -> Result<Option<Coin>, Self::Error>;
}

/// What a block, or taking one back, does to the UTXO set. An outpoint stands in one list only.
///
/// The lists are exact but for the equal coinbases in Bitcoin's early chain (BIP-0030): there an outpoint of `created`
/// may be in the set, and is overwritten, and one of `removed` may be missing, which is no error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Coins of the set that are gone afterwards.
    pub removed: Vec<OutPoint>,
    /// Coins that the set did not have.
    pub created: Vec<(OutPoint, Coin)>,
}

/// Everything that follows from connecting one block.
#[derive(Clone, Debug, Default)]
pub struct Effect {
    /// What its transactions pay.
    pub fees: Amount,
    /// What it does to the set.
    pub changes: Changes,
    /// What is needed to take it back.
    pub undo: Undo,
    /// The scripts that must hold for it to be valid, one job per transaction but the coinbase.
    pub jobs: Vec<Job>,
}

/// Where a block is connected, and how.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a, A> {
    /// Where it stands.
    pub place: block::Context<'a>,
    /// The headers below it.
    pub ancestors: &'a A,
    /// New coins that it may make.
    pub subsidy: Amount,
    /// Script rules in force; P2SH and witness also change how signature operations count.
    pub flags: Flags,
    /// Whether its scripts are to be verified: otherwise there are no jobs.
    pub scripts: bool,
    /// For hash maps whose keys miners choose: a number that they can't know, such as a random one per process. The
    /// outcome does not depend on it.
    pub seed: u64,
}

/// Why a block was not connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure<E> {
    /// It breaks a rule.
    #[error(transparent)]
    Rule(#[from] Error),
    /// The set could not be read; nothing is known of the block.
    #[error("coins could not be read: {0}")]
    Coins(E),
}

/// What follows from connecting `block`, which has passed [`check`](fn@block::check) and
/// [`check_in_context`](block::check_in_context), onto the set that `coins` reads.
///
/// Asks for each outpoint at most once: where BIP-0030 must be checked for every output, then for the inputs in the
/// block's order but those that spend the block's own outputs.
///
/// # Errors
/// The first rule that is broken, in the order in which Bitcoin Core checks them, or that of `coins`.
pub fn connect<C: Coins>(
    block: &Block,
    context: &Context<'_, impl Ancestors>,
    coins: &mut C,
) -> Result<Effect, Failure<C::Error>> {
    if context.place.height == 0 {
        // Bitcoin never put the genesis block's coins into the set: nobody can spend them.
        return Ok(Effect::default());
    }
    repeat::check(block, context, coins)?;
    let mut run = Run::new(block, context);
    for (index, transaction) in block.transactions().iter().enumerate() {
        if index > 0 {
            let spent = run.spend(index, transaction, coins)?;
            run.cost(index, transaction, &spent)?;
            run.keep(transaction, spent);
        } else {
            run.cost(index, transaction, &[])?;
        }
        run.made.add_next();
    }
    Ok(run.finish()?)
}

/// A block on its way into the set.
struct Run<'a, A> {
    context: &'a Context<'a, A>,
    transactions: &'a [Transaction],
    made: Made<'a>,
    /// What was spent from the set, to refuse it a second time.
    spent: HashSet<&'a OutPoint, FixedState>,
    /// Coins of the transaction at hand, here to keep the memory.
    scratch: Vec<Coin>,
    sigops: usize,
    effect: Effect,
}

impl<'a, A: Ancestors> Run<'a, A> {
    fn new(block: &'a Block, context: &'a Context<'a, A>) -> Self {
        let transactions = block.transactions();
        let inputs = transactions.iter().skip(1).map(|transaction| transaction.decoded().input.len());
        let inputs = inputs.fold(0, usize::saturating_add);
        let spending = transactions.len().saturating_sub(1);
        let mut effect = Effect::default();
        effect.changes.removed.reserve_exact(inputs);
        effect.undo.transactions.reserve_exact(spending);
        effect.jobs.reserve_exact(if context.scripts { spending } else { 0 });
        Self {
            context,
            transactions,
            made: Made::new(transactions, context.place.height, context.seed),
            spent: HashSet::with_capacity_and_hasher(inputs, FixedState::with_seed(context.seed)),
            scratch: Vec::new(),
            sigops: 0,
            effect,
        }
    }

    /// Finds the coins of a transaction and checks them.
    fn spend<C: Coins>(
        &mut self,
        index: usize,
        transaction: &'a Transaction,
        coins: &mut C,
    ) -> Result<Arc<[Coin]>, Failure<C::Error>> {
        let broken = |cause| Error::Transaction { index, txid: transaction.txid(), cause };
        self.scratch.clear();
        for input in &transaction.decoded().input {
            let outpoint = &input.previous_output;
            let coin = self.take(outpoint, coins).map_err(Failure::Coins)?;
            let coin = coin.ok_or_else(|| broken(transaction::Error::Missing { outpoint: *outpoint }))?;
            self.scratch.push(coin);
        }
        let block::Context { height, median_time_past, deployments } = self.context.place;
        let fee = transaction::fee(transaction, &self.scratch, height).map_err(broken)?;
        let fees = self.effect.fees.checked_add(fee).filter(|fees| *fees <= Amount::MAX_MONEY);
        self.effect.fees = fees.ok_or(Error::Fees { index })?;
        if height >= deployments.csv {
            lock::relative(transaction, &self.scratch, height, median_time_past, self.context.ancestors)
                .map_err(broken)?;
        }
        Ok(self.scratch.drain(..).collect())
    }

    /// The coin at `outpoint`, made earlier in this block or in the set; `None` too if it was taken before.
    fn take<C: Coins>(&mut self, outpoint: &'a OutPoint, coins: &mut C) -> Result<Option<Coin>, C::Error> {
        match self.made.take(outpoint) {
            Found::Here(coin) => Ok(Some(coin)),
            Found::Nowhere => Ok(None),
            Found::Elsewhere if !self.spent.insert(outpoint) => Ok(None),
            Found::Elsewhere => {
                let coin = coins.coin(outpoint)?;
                if coin.is_some() {
                    self.effect.changes.removed.push(*outpoint);
                }
                Ok(coin)
            }
        }
    }

    /// BIP-0141: the signature operations of all transactions together are limited.
    fn cost(&mut self, index: usize, transaction: &Transaction, spent: &[Coin]) -> Result<(), Error> {
        self.sigops = self.sigops.saturating_add(sigops::cost(transaction, spent, self.context.flags));
        if self.sigops > MAX_SIGOPS_COST { Err(Error::Sigops { index, cost: self.sigops }) } else { Ok(()) }
    }

    fn keep(&mut self, transaction: &Transaction, spent: Arc<[Coin]>) {
        if self.context.scripts {
            let job =
                Job { transaction: transaction.raw().clone(), spent: Arc::clone(&spent), flags: self.context.flags };
            self.effect.jobs.push(job);
        }
        self.effect.undo.transactions.push(spent);
    }

    fn finish(mut self) -> Result<Effect, Error> {
        let coinbase = self.transactions.first().ok_or(Error::NoCoinbase { looks_like_node: false })?;
        let taken = transaction::values(&coinbase.decoded().output).map_err(|cause| Error::Transaction {
            index: 0,
            txid: coinbase.txid(),
            cause,
        })?;
        let allowed = self.effect.fees.checked_add(self.context.subsidy).unwrap_or(Amount::MAX);
        if taken > allowed {
            return Err(Error::CoinbaseAmount { taken, allowed });
        }
        let height = self.context.place.height;
        let mut created = Vec::with_capacity(self.made.left_count());
        created.extend(self.made.left().map(|(outpoint, by, output)| (outpoint, made::coin(output, height, by))));
        self.effect.changes.created = created;
        Ok(self.effect)
    }
}

#[cfg(test)]
mod tests;
