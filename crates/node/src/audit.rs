//! Checks what is stored against itself: block and undo files, index, filters, unspent outputs.
//!
//! Every block of the best chain is read back, and so are the coins it spent. The MuHash of what the blocks create and
//! spend must equal the MuHash of the stored set, so the whole check needs no memory for the set. What a sound disk
//! cannot explain is a [`Damage`].

use std::collections::BTreeSet;

use yap_chain::bitcoin::bip158::FilterHeader;
use yap_chain::bitcoin::hashes::Hash;
use yap_chain::bitcoin::{BlockHash, OutPoint, Txid};
use yap_chain::block::Block;
use yap_chain::coin::Coin;
use yap_chain::header::tree::Id;
use yap_chain::transaction::Transaction;
use yap_chain::undo::Undo;
use yap_chain::utxo::{self, Hashes, MuHash};
use yap_chain::{connect, filter};

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
    /// The tables cannot be read.
    #[error("{what}: {why}")]
    Tables {
        /// What was asked of them.
        what: &'static str,
        /// What is wrong.
        why: Error,
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
    /// Whether a block is gone, so that it must come from another copy.
    #[must_use]
    pub fn loses_block(&self) -> bool {
        matches!(self, Self::Block { .. })
    }
}

/// What was checked and found.
#[derive(Debug, Default)]
pub struct Report {
    /// Blocks read back.
    pub blocks: u64,
    /// Unspent outputs read.
    pub txouts: u64,
    /// Blocks that could not be checked because they were pruned.
    pub pruned: u64,
    /// It was stopped before everything was checked.
    pub stopped: bool,
    /// The first damages.
    pub damages: Vec<Damage>,
    /// How many there are.
    pub damage_count: u64,
}

/// Checks everything that is committed. `go_on` is told each height, and stops the check by `false`.
pub fn audit(chainstate: &Chainstate, go_on: &mut dyn FnMut(u32) -> bool) -> Report {
    let mut audit = Audit {
        chainstate,
        report: Report::default(),
        made: MuHash::EMPTY,
        whole: true,
        element: Element::default(),
        replaced: replaced(chainstate),
    };
    let tip = chainstate.tree().height(chainstate.tip());
    for height in 0..=tip {
        if !go_on(height) {
            audit.report.stopped = true;
            return audit.report;
        }
        if let Some(id) = chainstate.at_height(height) {
            audit.block(id, height);
        }
    }
    audit.coins();
    audit.report
}

/// Coinbases whose coins a later equal one replaced (BIP-0030): all of that id below the blocks known to repeat one.
/// One that cannot be read is found damaged when its turn comes.
fn replaced(chainstate: &Chainstate) -> BTreeSet<(u32, Txid)> {
    let mut replaced = BTreeSet::new();
    for (height, hash) in &chainstate.spec().deployments.bip30_repeats {
        let repeat = chainstate.at_height(*height).filter(|&id| chainstate.tree().hash(id) == *hash);
        let Some(Ok(block)) = repeat.map(|id| chainstate.read_block(id)) else { continue };
        let repeated = block.transactions().first().map(Transaction::txid);
        replaced.extend(repeated.into_iter().flat_map(|txid| (0..*height).map(move |below| (below, txid))));
    }
    replaced
}

struct Audit<'a> {
    chainstate: &'a Chainstate,
    report: Report,
    made: MuHash,
    /// Every block and its undo data could be read, so `made` means something.
    whole: bool,
    element: Element,
    /// Coinbases whose coins a later equal one replaced (BIP-0030), by height.
    replaced: BTreeSet<(u32, Txid)>,
}

/// The bytes of a coin that enter the MuHash; here to keep the memory.
#[derive(Default)]
struct Element(Vec<u8>);

impl Element {
    fn of(&mut self, outpoint: &OutPoint, coin: &Coin) -> &[u8] {
        self.0.clear();
        utxo::element(outpoint, coin, &mut self.0);
        &self.0
    }
}

impl Audit<'_> {
    fn block(&mut self, id: Id, height: u32) {
        let hash = self.chainstate.tree().hash(id);
        if self.chainstate.is_pruned(id) {
            self.whole = false;
            self.report.pruned = self.report.pruned.saturating_add(1);
            return;
        }
        let block = match self.chainstate.read_block(id) {
            Ok(block) => block,
            Err(why) => {
                self.whole = false;
                self.damage(Damage::Block { hash, height, why });
                return;
            }
        };
        self.report.blocks = self.report.blocks.saturating_add(1);
        // Nothing of the first block ever enters the set, so it has no undo data.
        let undo = if height == 0 { Ok(Undo::default()) } else { self.undo(id, &block) };
        match undo {
            Ok(undo) => match self.filter(id, &block, &undo, height) {
                Ok(true) => {}
                Ok(false) => self.damage(Damage::Filter { hash, height }),
                Err(why) => self.damage(Damage::Tables { what: "block filters", why: why.into() }),
            },
            Err(why) => {
                self.whole = false;
                self.damage(Damage::Undo { hash, height, why });
            }
        }
    }

    /// Reads the undo data, and follows the block's effect on the set.
    fn undo(&mut self, id: Id, block: &Block) -> Result<Undo, Error> {
        let undo = self.chainstate.read_undo(id)?;
        let (hash, height) = (block.hash(), self.chainstate.tree().height(id));
        connect::disconnect(block, &undo, height, self.chainstate.seed())
            .map_err(|cause| Error::Undo { hash, cause })?;
        for (index, transaction) in block.transactions().iter().enumerate() {
            if index == 0 && self.replaced.contains(&(height, transaction.txid())) {
                continue;
            }
            for (vout, output) in (0..).zip(&transaction.decoded().output) {
                if !connect::is_unspendable(&output.script_pubkey) {
                    let coin = Coin::new(output.value, &output.script_pubkey, height, index == 0);
                    self.made.insert(self.element.of(&OutPoint::new(transaction.txid(), vout), &coin));
                }
            }
        }
        // What was made and spent within the block cancels out.
        for (transaction, spent) in block.transactions().iter().skip(1).zip(&undo.transactions) {
            for (input, coin) in transaction.decoded().input.iter().zip(spent.iter()) {
                self.made.remove(self.element.of(&input.previous_output, coin));
            }
        }
        Ok(undo)
    }

    /// Whether the stored filter and its header are those that the block has.
    fn filter(&self, id: Id, block: &Block, undo: &Undo, height: u32) -> Result<bool, yap_store::Error> {
        let hash = self.chainstate.tree().hash(id);
        let built = filter::basic(block, undo);
        let reader = self.chainstate.store().reader();
        let parent = self.chainstate.tree().parent(id).map(|parent| self.chainstate.tree().hash(parent));
        // Below is a block that may be pruned, so its stored header is built on; it was compared when it was checked.
        let previous = match parent {
            Some(parent) => reader.filter_header(height.saturating_sub(1), &parent)?,
            None => Some(FilterHeader::all_zeros()),
        };
        let header = previous.map(|previous| filter::header(built.hash(), previous));
        let (stored, stored_header) = (reader.filter(height, &hash)?, reader.filter_header(height, &hash)?);
        Ok(header.is_some() && stored.as_deref() == Some(built.bytes()) && stored_header == header)
    }

    fn coins(&mut self) {
        let totals = match self.chainstate.totals(Hashes { serialized: false, muhash: true }) {
            Ok(totals) => totals,
            Err(why) => return self.damage(Damage::Tables { what: "unspent outputs", why }),
        };
        self.report.txouts = totals.txouts;
        let made = self.made.digest();
        if let Some(stored) = totals.muhash
            && self.whole
            && stored != made
        {
            self.damage(Damage::Coins { stored: stored.to_string(), made: made.to_string() });
        }
    }

    fn damage(&mut self, damage: Damage) {
        self.report.damage_count = self.report.damage_count.saturating_add(1);
        if self.report.damages.len() < LISTED_DAMAGES {
            self.report.damages.push(damage);
        }
    }
}
