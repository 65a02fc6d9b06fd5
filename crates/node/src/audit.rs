//! Checks what is stored against itself: block and undo files, index, filters, unspent outputs.
//!
//! Every block of the best chain is read back, and so are the coins it spent. The MuHash of what the blocks create and
//! spend must equal the MuHash of the stored set, so the whole check needs no memory for the set. What a sound disk
//! cannot explain is a [`Damage`], which says how to mend it.

use yap_chain::block;
use yap_chain::connect;
use yap_chain::filter;
use yap_chain::header::tree::Id;
use yap_chain::undo::Undo;
use yap_chain::utxo::{Hashes, MuHash};
use yap_chain::{Block, bitcoin::BlockHash};

use crate::chainstate::{Chainstate, Error};

/// Damages that a [`Report`] lists; more are only counted.
pub const LISTED_DAMAGES: usize = 100;

/// Something stored is not what it must be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// A block cannot be read back.
    #[error("block {hash} at height {height}: {why}")]
    Block {
        /// The block.
        hash: BlockHash,
        /// Its height.
        height: u32,
        /// What is wrong.
        why: Error,
    },
    /// A block's file holds another block, or one whose transactions do not belong to its header.
    #[error("block {hash} at height {height}: its file holds something else")]
    OtherBlock {
        /// The block.
        hash: BlockHash,
        /// Its height.
        height: u32,
    },
    /// The coins that a block spent cannot be read back, or do not fit it.
    #[error("undo data of block {hash} at height {height}: {why}")]
    Undo {
        /// The block.
        hash: BlockHash,
        /// Its height.
        height: u32,
        /// What is wrong.
        why: Error,
    },
    /// A filter, or its header, is missing or not the one that the block has.
    #[error("filter of block {hash} at height {height} is missing or wrong")]
    Filter {
        /// The block.
        hash: BlockHash,
        /// Its height.
        height: u32,
    },
    /// The stored set is not what the blocks make.
    #[error("the unspent outputs are not those that the blocks make (their MuHash is {stored}, it should be {made})")]
    Coins {
        /// MuHash of the stored set.
        stored: String,
        /// MuHash of what the blocks make.
        made: String,
    },
}

impl Damage {
    /// What to do about it.
    #[must_use]
    pub fn mend(&self) -> &'static str {
        match self {
            Self::Block { .. } | Self::OtherBlock { .. } => {
                "move the chain's directory away, import its blocks/blk*.dat into a new one, then the missing blocks \
                 from another copy (`yap import FILE…`)"
            }
            Self::Undo { .. } | Self::Filter { .. } | Self::Coins { .. } => {
                "move the chain's directory away and import its blocks/blk*.dat into a new one (`yap import FILE…`)"
            }
        }
    }
}

/// What was checked and found.
#[derive(Debug, Default)]
pub struct Report {
    /// Blocks read back.
    pub blocks: u64,
    /// Unspent outputs read.
    pub txouts: u64,
    /// Everything was checked: nothing was pruned, and nobody stopped it.
    pub complete: bool,
    /// The first damages.
    pub damages: Vec<Damage>,
    /// How many there are.
    pub damage_count: u64,
}

/// Checks everything. `go_on` is told each height, and stops the check by `false`.
///
/// # Errors
/// If the disk cannot be read at all; single damages are in the [`Report`].
pub fn audit(chainstate: &Chainstate, go_on: &mut dyn FnMut(u32) -> bool) -> Result<Report, Error> {
    let mut audit = Audit { chainstate, report: Report::default(), made: MuHash::new(), whole: true, previous: None };
    let tip = chainstate.tree().height(chainstate.tip());
    for height in 0..=tip {
        if !go_on(height) {
            return Ok(audit.report);
        }
        if let Some(id) = chainstate.at_height(height) {
            audit.block(id, height)?;
        }
    }
    audit.coins()?;
    audit.report.complete = true;
    Ok(audit.report)
}

struct Audit<'a> {
    chainstate: &'a Chainstate,
    report: Report,
    made: MuHash,
    /// Every block and its undo data could be read, so `made` means something.
    whole: bool,
    previous: Option<yap_chain::bitcoin::bip158::FilterHeader>,
}

impl Audit<'_> {
    fn block(&mut self, id: Id, height: u32) -> Result<(), Error> {
        let hash = self.chainstate.tree().hash(id);
        if self.chainstate.is_pruned(id) {
            self.whole = false;
            return Ok(());
        }
        let block = match self.chainstate.read_block(id) {
            Ok(block) => block,
            Err(why) => {
                self.whole = false;
                self.damage(Damage::Block { hash, height, why });
                return Ok(());
            }
        };
        if block.hash() != hash || block::check(&block).is_err() {
            self.whole = false;
            self.damage(Damage::OtherBlock { hash, height });
            return Ok(());
        }
        self.report.blocks = self.report.blocks.saturating_add(1);
        // Nothing of the first block ever enters the set, so it has no undo data.
        let undo = if height == 0 { Ok(Undo::default()) } else { self.undo(id, &block) };
        match undo {
            Ok(undo) => self.filter(id, &block, &undo, height)?,
            Err(why) => {
                self.whole = false;
                self.damage(Damage::Undo { hash, height, why });
            }
        }
        Ok(())
    }

    /// Reads the undo data, and follows the block's effect on the set.
    fn undo(&mut self, id: Id, block: &Block) -> Result<Undo, Error> {
        let undo = self.chainstate.read_undo(id)?;
        let hash = block.hash();
        connect::disconnect(block, &undo, &self.chainstate.place(id)).map_err(|cause| Error::Undo { hash, cause })?;
        let height = self.chainstate.tree().height(id);
        for (index, transaction) in block.transactions().iter().enumerate() {
            if index == 0 && self.overwritten.contains(&(height, transaction.txid())) {
                continue;
            }
            for (vout, output) in (0..).zip(&transaction.decoded().output) {
                if !connect::is_unspendable(&output.script_pubkey) {
                    let coin = Coin::new(output.value, &output.script_pubkey, height, index == 0);
                    self.made.insert(&OutPoint::new(transaction.txid(), vout), &coin);
                }
            }
        }
        // What was made and spent within the block cancels out.
        for (transaction, spent) in block.transactions().iter().skip(1).zip(&undo.transactions) {
            for (input, coin) in transaction.decoded().input.iter().zip(spent.iter()) {
                self.made.remove(&input.previous_output, coin);
            }
        }
        Ok(undo)
    }

    fn filter(&mut self, id: Id, block: &Block, undo: &Undo, height: u32) -> Result<(), Error> {
        let hash = self.chainstate.tree().hash(id);
        let built = filter::basic(block, undo);
        let header = built.header(self.previous);
        self.previous = Some(header);
        let stored = self.chainstate.store().filter(&hash)?;
        if stored.is_none_or(|stored| stored.bytes != built.bytes || stored.header != header) {
            self.damage(Damage::Filter { hash, height });
        }
        Ok(())
    }

    fn coins(&mut self) -> Result<(), Error> {
        let totals = self.chainstate.totals(Hashes { serialized: false, muhash: true })?;
        self.report.txouts = totals.txouts;
        let made = std::mem::take(&mut self.made).finish();
        if let Some(stored) = totals.muhash
            && self.whole
            && stored != made
        {
            self.damage(Damage::Coins { stored: stored.to_string(), made: made.to_string() });
        }
        Ok(())
    }

    fn damage(&mut self, damage: Damage) {
        self.report.damage_count = self.report.damage_count.saturating_add(1);
        if self.report.damages.len() < LISTED_DAMAGES {
            self.report.damages.push(damage);
        }
    }
}
