//! A block's effect on the UTXO set, and its inverse.
//!
//! Connecting reads coins through [`Coins`] and gives back [`Effect`]; nothing is changed on the way, so a block that
//! breaks a rule leaves every state as it was. Whoever owns the set applies the [`Changes`].

use bitcoin::{Amount, OutPoint};

use crate::coin::Coin;
use crate::undo::Undo;
use crate::verify::Job;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Coins of the set that are gone afterwards.
    pub removed: Vec<OutPoint>,
    /// Coins that the set did not have.
    pub created: Vec<(OutPoint, Coin)>,
}

/// Everything that follows from connecting one block.
#[derive(Clone, Debug)]
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
