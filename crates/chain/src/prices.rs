//! What room in blocks cost lately, as the blocks themselves tell.
//!
//! A block with room left took whatever waited: it had no price. What a full one has paid a *price* at least, but for a
//! tenth of its weight: miners' own transactions and those that were paid for elsewhere. A block that has nothing but its
//! coinbase tells nothing: nobody may have waited, or its miner did not look.
//!
//! The estimate for a target of `n` blocks looks at the last `6n` blocks, at least [`LEAST`] and at most [`MOST`]. A
//! transaction that was there before `n` blocks in a row would have been in one of them if it had paid the lowest price
//! among them; the estimate is what would have been enough for four in five of such rows. Besides, what is enough for a
//! target is enough for any longer one; and where nothing is known of a target, since too many blocks tell nothing, what the
//! next longer one costs is the least that can be said. So the estimate never rises with the target.
//!
//! Not its job: what waits now (`mempool`), the least that is relayed, reading blocks.

use std::collections::BTreeMap;

use bitcoin::Txid;

use crate::block::{Block, MAX_WEIGHT};
use crate::mempool::{FeeRate, Paid};
use crate::undo::Undo;

/// Most blocks that are looked at: a day of Bitcoin's.
pub const MOST: usize = 144;

/// Fewest blocks that tell anything.
pub const LEAST: usize = 12;

/// Blocks that are looked at, for each block of the target.
const SPAN: usize = 6;

/// Weight from which on a block is full: what is left, some 1 %, is kept for the coinbase, or too little for what waits.
const FULL: usize = MAX_WEIGHT - 40_000;

/// What room in one block cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// It has no transactions that could tell.
    Unknown,
    /// Nothing: there was room left.
    Room,
    /// This much at least, but for a tenth of it.
    Full(FeeRate),
}

impl Price {
    /// The price of a block, with the coins that it spent. Unknown if it can't be read, or they are not its.
    #[must_use]
    pub fn of(block: &Block, undo: &Undo) -> Self {
        let Ok([_, transactions @ ..]) = block.read() else { return Self::Unknown };
        if transactions.is_empty() || transactions.len() != undo.transactions.len() {
            return Self::Unknown;
        }
        if block.weight() < FULL {
            return Self::Room;
        }
        let mut families = Families::default();
        for (transaction, spent) in transactions.iter().zip(&undo.transactions) {
            let decoded = transaction.decoded();
            let paid = spent.iter().fold(0_i64, |sum, coin| sum.saturating_add(signed(coin.value.to_sat())));
            let fee = decoded.output.iter().fold(paid, |sum, output| sum.saturating_sub(signed(output.value.to_sat())));
            let weight = i64::try_from(transaction.weight()).unwrap_or(i64::MAX);
            let parents = decoded.input.iter().map(|input| input.previous_output.txid);
            families.add(transaction.txid(), Paid { fee, weight }, parents);
        }
        Self::Full(families.price())
    }
}

fn signed(satoshi: u64) -> i64 {
    i64::try_from(satoshi).unwrap_or(i64::MAX)
}

/// Transactions of a block that spend from one another: they were mined for what they pay together.
#[derive(Debug, Default)]
struct Families {
    /// The family of each transaction.
    of: BTreeMap<Txid, usize>,
    /// What each pays, or the family that it has become a part of.
    all: Vec<Result<Paid, usize>>,
}

impl Families {
    /// Adds a transaction, which comes after its parents.
    fn add(&mut self, txid: Txid, paid: Paid, parents: impl Iterator<Item = Txid>) {
        let mut family = self.all.len();
        self.all.push(Ok(paid));
        for parent in parents {
            if let Some(other) = self.of.get(&parent).copied() {
                family = self.join(family, other);
            }
        }
        self.of.insert(txid, family);
    }

    /// The family that a number stands for now.
    fn find(&self, mut family: usize) -> usize {
        // Ends: a family becomes a part of an older one only.
        while let Some(Err(older)) = self.all.get(family) {
            family = *older;
        }
        family
    }

    fn join(&mut self, one: usize, other: usize) -> usize {
        let (one, other) = (self.find(one), self.find(other));
        let (older, younger) = (one.min(other), one.max(other));
        if older == younger {
            return older;
        }
        let moved = self.all.get_mut(younger).map(|family| std::mem::replace(family, Err(older)));
        if let (Some(Ok(moved)), Some(Ok(paid))) = (moved, self.all.get_mut(older)) {
            *paid = paid.plus(moved);
        }
        older
    }

    /// The rate of which a tenth of the weight pays less.
    fn price(&self) -> FeeRate {
        let mut all: Vec<Paid> = self.all.iter().filter_map(|family| family.ok()).collect();
        all.sort_by(|one, other| one.by_rate(*other));
        let tenth = all.iter().copied().sum::<Paid>().weight.checked_div(10).unwrap_or(0);
        let mut below = 0_i64;
        let at = all.iter().find(|paid| {
            below = below.saturating_add(paid.weight);
            below > tenth
        });
        at.map_or(FeeRate::ZERO, |paid| paid.rate())
    }
}

/// What a transaction had to pay lately to be in one of `target` blocks. `prices` are those of the last blocks, the newest
/// at the end; more than [`MOST`] are not looked at. `None` if they don't tell.
#[must_use]
pub fn estimate(prices: &[Price], target: u32) -> Option<FeeRate> {
    let prices = prices.get(prices.len().saturating_sub(MOST)..).unwrap_or_default();
    if prices.len() < LEAST {
        return None;
    }
    let target = usize::try_from(target).unwrap_or(MOST).clamp(1, MOST);
    let known = || (1..=MOST).filter_map(|blocks| Some((blocks, enough(prices, blocks)?)));
    let within = known().take_while(|(blocks, _)| *blocks <= target).map(|(_, rate)| rate).min();
    within.or_else(|| known().next().map(|(_, rate)| rate))
}

/// What would have been enough for four in five rows of so many blocks.
fn enough(prices: &[Price], blocks: usize) -> Option<FeeRate> {
    let span = blocks.saturating_mul(SPAN).clamp(LEAST, MOST);
    let last = prices.get(prices.len().saturating_sub(span)..)?;
    let mut rows: Vec<Option<FeeRate>> = last.windows(blocks).map(lowest).collect();
    // Rows that tell nothing come last: nothing would have been enough.
    rows.sort_unstable_by_key(|rate| (rate.is_none(), *rate));
    let most = rows.len().saturating_mul(4).div_ceil(5);
    *rows.get(most.checked_sub(1)?)?
}

/// The lowest price of a row.
fn lowest(row: &[Price]) -> Option<FeeRate> {
    let known = row.iter().filter_map(|price| match price {
        Price::Unknown => None,
        Price::Room => Some(FeeRate::ZERO),
        Price::Full(rate) => Some(*rate),
    });
    known.min()
}

#[cfg(test)]
mod tests;
