//! Hashes and totals of a whole UTXO set.
//!
//! [`Stats`] is fed every coin in the order of [`coin::codec::key`](crate::coin::codec::key) and gives what Bitcoin
//! Core's `gettxoutsetinfo` reports: counts, the total amount, `hash_serialized_3` and [`MuHash`]. The latter needs no
//! order and can also follow the set block by block, with [`element`] as the bytes of a coin. Not its job: reading the
//! set.

mod muhash;

use bitcoin::hashes::{Hash, HashEngine, sha256, sha256d};
use bitcoin::{Amount, OutPoint};

use crate::coin::Coin;
use crate::integer;

pub use muhash::{Digest, MuHash};

/// Bytes that Bitcoin Core's "bogosize" counts for a coin beside its script: txid, output index, height, amount and
/// the script's length.
const BOGOSIZE: u64 = 32 + 4 + 4 + 8 + 2;

/// Which hashes [`Stats`] computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hashes {
    /// `hash_serialized_3`: double SHA-256 over all coins in order.
    pub serialized: bool,
    /// [`MuHash`].
    pub muhash: bool,
}

/// Totals of the coins seen so far.
#[derive(Clone)]
pub struct Stats {
    totals: Totals,
    last: Option<OutPoint>,
    serialized: Option<sha256::HashEngine>,
    muhash: Option<MuHash>,
    element: Vec<u8>,
}

/// Hashes and totals of a UTXO set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Coins.
    pub txouts: u64,
    /// Transactions that have a coin left.
    pub transactions: u64,
    /// A measure of the set's size that does not depend on how it is stored.
    pub bogosize: u64,
    /// What all coins are worth.
    pub amount: Amount,
    /// `hash_serialized_3`, if asked for.
    pub serialized: Option<sha256d::Hash>,
    /// [`MuHash`], if asked for.
    pub muhash: Option<Digest>,
}

/// Why a coin could not be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Coins must come in the order of their keys, each once.
    #[error("coin {next} came after {last}")]
    Order {
        /// The coin before.
        last: OutPoint,
        /// The coin that should have come earlier.
        next: OutPoint,
    },
    /// All coins together are worth more than fits.
    #[error("the total overflows at coin {at}")]
    Amount {
        /// The coin that was one too many.
        at: OutPoint,
    },
}

impl Stats {
    /// No coin yet.
    #[must_use]
    pub fn new(hashes: Hashes) -> Self {
        Self {
            totals: Totals::default(),
            last: None,
            serialized: hashes.serialized.then(sha256d::Hash::engine),
            muhash: hashes.muhash.then(MuHash::default),
            element: Vec::new(),
        }
    }

    /// Adds the coin that follows in the order of keys.
    ///
    /// # Errors
    /// If it does not follow, or the total amount overflows. Nothing is added then.
    pub fn add(&mut self, outpoint: &OutPoint, coin: &Coin) -> Result<(), Error> {
        // `Txid` promises no order of its own, so compare bytes.
        let place = |outpoint: &OutPoint| (outpoint.txid.to_byte_array(), outpoint.vout);
        if let Some(last) = self.last.filter(|last| place(last) >= place(outpoint)) {
            return Err(Error::Order { last, next: *outpoint });
        }
        let totals = &mut self.totals;
        totals.amount = totals.amount.checked_add(coin.value).ok_or(Error::Amount { at: *outpoint })?;
        totals.txouts = totals.txouts.saturating_add(1);
        if self.last.is_none_or(|last| last.txid != outpoint.txid) {
            totals.transactions = totals.transactions.saturating_add(1);
        }
        let script = u64::try_from(coin.script().len()).unwrap_or(u64::MAX);
        totals.bogosize = totals.bogosize.saturating_add(BOGOSIZE).saturating_add(script);
        self.last = Some(*outpoint);
        if self.serialized.is_some() || self.muhash.is_some() {
            self.element.clear();
            element(outpoint, coin, &mut self.element);
        }
        if let Some(engine) = &mut self.serialized {
            engine.input(&self.element);
        }
        if let Some(muhash) = &mut self.muhash {
            muhash.insert(&self.element);
        }
        Ok(())
    }

    /// The totals of all coins added.
    #[must_use]
    pub fn finish(self) -> Totals {
        Totals {
            serialized: self.serialized.map(sha256d::Hash::from_engine),
            muhash: self.muhash.map(|muhash| muhash.digest()),
            ..self.totals
        }
    }
}

impl std::fmt::Debug for Stats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stats").field("totals", &self.totals).field("last", &self.last).finish_non_exhaustive()
    }
}

/// Appends the bytes that stand for a coin in both hashes: Bitcoin Core's `TxOutSer`, the outpoint, height and
/// coinbase flag, and the output in the serialisation of transactions.
pub fn element(outpoint: &OutPoint, coin: &Coin, out: &mut Vec<u8>) {
    let script = coin.script().as_bytes();
    out.extend_from_slice(outpoint.txid.as_byte_array());
    out.extend_from_slice(&outpoint.vout.to_le_bytes());
    out.extend_from_slice(&(coin.height << 1 | u32::from(coin.coinbase)).to_le_bytes());
    out.extend_from_slice(&coin.value.to_sat().to_le_bytes());
    integer::write_compact(script.len(), out);
    out.extend_from_slice(script);
}

#[cfg(test)]
mod tests;
