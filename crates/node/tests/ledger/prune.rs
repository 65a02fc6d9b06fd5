//! Block files deleted to save space: the chain goes on, as far back as it can, and says so where it cannot.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use yap_chain::bitcoin::consensus::serialize;
use yap_chain::bitcoin::{Block, BlockHash};
use yap_chain::spec::Spec;
use yap_chain::utxo::{Hashes, Totals};
use yap_node::chainstate::{Accepted, Chainstate, Error, Options};
use yap_node::prepare::Prepared;
use yap_sim::Builder;

use crate::subject::now;
use crate::support::yap_with;

/// Blocks that no reorganisation may find missing.
const KEPT: u32 = yap_store::KEPT_BLOCKS;

/// A ledger that keeps as little as it may, in files of some fifteen blocks.
struct Pruned {
    chainstate: Option<Chainstate>,
    directory: TempDir,
}

fn open(directory: &Path, prune_bytes: Option<u64>) -> Result<Chainstate, Error> {
    let options = Options { threads: 2, prune_bytes, block_file_bytes: 5_000, ..Options::default() };
    // As the command lays it out.
    Chainstate::open(&directory.join("regtest"), Arc::new(Spec::regtest()), options)
}

impl Pruned {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let chainstate = Some(open(directory.path(), Some(0)).unwrap());
        Self { chainstate, directory }
    }

    fn chainstate(&mut self) -> &mut Chainstate {
        self.chainstate.as_mut().unwrap()
    }

    fn give(&mut self, block: &Block) -> Result<Accepted, Error> {
        let chainstate = self.chainstate();
        let block = yap_chain::block::Block::parse(serialize(block)).unwrap();
        let prepared = Prepared::new(block, chainstate.spec());
        chainstate.process(prepared, now())
    }

    /// Hands blocks in, with a commit now and then.
    fn give_all<'a>(&mut self, blocks: impl IntoIterator<Item = &'a Block>) {
        for (number, block) in blocks.into_iter().enumerate() {
            let accepted = self.give(block).unwrap();
            assert!(matches!(accepted, Accepted::Stored), "{accepted:?}");
            if number % 16 == 15 {
                self.chainstate().commit().unwrap();
            }
        }
        self.chainstate().flush().unwrap();
    }

    fn restart(&mut self) -> &mut Self {
        self.chainstate = None;
        self.chainstate = Some(open(self.directory.path(), Some(0)).unwrap());
        self
    }

    fn totals(&mut self) -> Totals {
        self.chainstate().flush().unwrap();
        self.chainstate().totals(Hashes { serialized: true, muhash: true }).unwrap()
    }

    fn is_pruned(&mut self, block: &Block) -> bool {
        let chainstate = self.chainstate();
        chainstate.is_pruned(chainstate.tree().get(&block.block_hash()).unwrap())
    }

    fn tip(&mut self) -> BlockHash {
        let chainstate = self.chainstate();
        chainstate.tree().hash(chainstate.tip())
    }

    /// Names of the block files on the disk.
    fn files(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.directory.path().join("regtest/blocks")).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.starts_with("blk"));
        names.sort();
        names
    }
}

/// The totals of a ledger that keeps everything.
fn whole(builder: &Builder) -> Totals {
    let directory = tempfile::tempdir().unwrap();
    let chainstate = Some(open(directory.path(), None).unwrap());
    let mut ledger = Pruned { chainstate, directory };
    ledger.give_all(builder.blocks());
    assert!(ledger.files().contains(&"blk00000.dat".to_owned()));
    ledger.totals()
}

/// A chain of more blocks than are kept, with coins of every kind at its end.
fn chain(seed: u64, height: u32) -> Builder {
    let mut builder = Builder::regtest(seed);
    builder.prepare(2);
    builder.mine_empty(height - builder.height());
    builder.prepare(3);
    (0..10).for_each(|_| drop(builder.random_block()));
    builder
}

fn above(builder: &Builder, height: u32) -> Vec<Block> {
    builder.blocks().skip(height as usize).cloned().collect()
}

#[test]
fn old_blocks_are_deleted_and_the_chain_goes_on() {
    let mut builder = chain(1, 400);
    let mut ledger = Pruned::new();
    ledger.give_all(builder.blocks());
    assert!(!ledger.files().contains(&"blk00000.dat".to_owned()), "{:?}", ledger.files());
    let kept = builder.height() - KEPT;
    for block in builder.blocks().skip(kept as usize) {
        assert!(!ledger.is_pruned(block));
    }
    assert!(ledger.is_pruned(builder.block(1).unwrap()));
    assert_eq!(ledger.totals(), whole(&builder));
    assert!(matches!(ledger.give(&builder.block(1).unwrap().clone()).unwrap(), Accepted::Known));

    let height = builder.height();
    (0..20).for_each(|_| drop(builder.random_block()));
    ledger.restart().give_all(&above(&builder, height));
    assert_eq!(ledger.totals(), whole(&builder));
    // The command agrees on what is left.
    ledger.chainstate = None;
    let utxo = yap_with(ledger.directory.path(), ["--json", "utxo", "--muhash"]).ends(0).json();
    assert_eq!(utxo["muhash"], whole(&builder).muhash.unwrap().to_string());
    assert_eq!(utxo["height"], builder.height());
}

#[test]
fn a_reorganisation_as_deep_as_blocks_are_kept_works() {
    let mut builder = chain(2, 400);
    let fork = builder.height() - KEPT;
    let mut longer = builder.fork_at(fork);
    longer.mine_empty(KEPT + 1);
    let mut ledger = Pruned::new();
    ledger.give_all(builder.blocks());
    assert!(ledger.is_pruned(builder.block(1).unwrap()));
    ledger.restart().give_all(&above(&longer, fork));
    assert_eq!(ledger.tip(), longer.tip());
    assert_eq!(ledger.totals(), whole(&longer));
    assert_eq!(ledger.restart().tip(), longer.tip());
}

#[test]
fn a_deeper_reorganisation_is_refused_in_so_many_words_and_harms_nothing() {
    let mut builder = chain(3, 400);
    let mut longer = builder.fork_at(5);
    longer.mine_empty(builder.height() - 4);
    let mut ledger = Pruned::new();
    ledger.give_all(builder.blocks());
    let before = ledger.totals();
    let failed = above(&longer, 5).iter().find_map(|block| ledger.give(block).err());
    let Some(Error::Pruned { hash }) = failed else { panic!("{failed:?}") };
    assert_eq!(hash, builder.block(6).unwrap().block_hash(), "the lowest that would be needed");
    assert!(matches!(ledger.chainstate().flush(), Err(Error::Stopped)));
    assert_eq!(ledger.restart().tip(), builder.tip());
    assert_eq!(ledger.totals(), before);
    let height = builder.height();
    builder.mine_empty(2);
    ledger.give_all(&above(&builder, height));
    assert_eq!(ledger.totals(), whole(&builder));
}

#[test]
fn blocks_of_another_branch_that_were_pruned_may_come_again() {
    let mut builder = chain(4, 150);
    let mut other = builder.fork_at(60);
    other.mine_empty(40);
    let mut ledger = Pruned::new();
    // The other branch begins in files that will go, and lacks its first block.
    ledger.give_all(&above(&builder, 0)[..100]);
    for block in &above(&other, 60) {
        ledger.chainstate().accept_header(&block.header, now()).unwrap();
    }
    ledger.give_all(&above(&other, 61)[..20]);
    ledger.give_all(&above(&builder, 100));
    let height = builder.height();
    builder.mine_empty(KEPT + 20);
    ledger.give_all(&above(&builder, height));
    let second = &above(&other, 61)[0];
    assert!(ledger.is_pruned(second));
    // The first block comes now; what followed it is gone, so nothing can be connected, and nothing fails.
    ledger.give_all(&above(&other, 60)[..1]);
    assert_eq!(ledger.tip(), builder.tip());
    assert!(matches!(ledger.give(second).unwrap(), Accepted::Stored));
    ledger.chainstate().flush().unwrap();
    assert_eq!(ledger.restart().tip(), builder.tip());
    assert!(matches!(ledger.give(second).unwrap(), Accepted::Known));
    assert_eq!(ledger.totals(), whole(&builder));
}

#[test]
fn a_branch_that_lost_a_block_is_not_tried_before_the_block_has_come_again() {
    let mut builder = Builder::regtest(5);
    builder.mine_empty(20);
    let mut other = builder.fork_at(19);
    // Within reach of the tip all the time, but its first block lies in the first file, with old ones alone.
    other.mine_empty(1);
    builder.mine_empty(KEPT + 60);
    let mut ledger = Pruned::new();
    ledger.give_all(&above(&builder, 0)[..20]);
    ledger.give_all(&above(&other, 19));
    ledger.give_all(&above(&builder, 20));
    assert!(ledger.is_pruned(&above(&other, 19)[0]));
    let height = other.height();
    other.mine_empty(builder.height() + 2 - height);
    // What follows it waits, however much work it has.
    ledger.give_all(&above(&other, height));
    assert_eq!(ledger.tip(), builder.tip());
    assert_eq!(ledger.restart().tip(), builder.tip());
    assert_eq!(ledger.totals(), whole(&builder));
}

#[test]
fn old_blocks_go_when_the_user_says_so_and_the_last_stay() {
    let builder = chain(6, 400);
    let mut ledger = Pruned::new();
    // It may keep all of them.
    ledger.chainstate = None;
    ledger.chainstate = Some(open(ledger.directory.path(), Some(u64::MAX)).unwrap());
    ledger.give_all(builder.blocks());
    let all = ledger.files().len();
    assert!(ledger.chainstate().prune(0).unwrap(), "this one deletes blocks");
    assert_eq!(ledger.files().len(), all, "no file has the genesis block alone");
    ledger.chainstate().prune(60).unwrap();
    ledger.chainstate().flush().unwrap();
    assert!(ledger.is_pruned(builder.block(1).unwrap()) && !ledger.is_pruned(builder.block(61).unwrap()));
    assert!(!ledger.files().contains(&"blk00000.dat".to_owned()) && ledger.files().len() < all);
    ledger.chainstate().prune(u32::MAX).unwrap();
    ledger.chainstate().flush().unwrap();
    for block in builder.blocks().skip((builder.height() - KEPT) as usize) {
        assert!(!ledger.is_pruned(block));
    }
    assert_eq!(ledger.restart().tip(), builder.tip());
    assert_eq!(ledger.totals(), whole(&builder));

    let directory = tempfile::tempdir().unwrap();
    let chainstate = Some(open(directory.path(), None).unwrap());
    let mut keeps_all = Pruned { chainstate, directory };
    keeps_all.give_all(builder.blocks());
    assert!(!keeps_all.chainstate().prune(u32::MAX).unwrap());
    assert!(!keeps_all.is_pruned(builder.block(1).unwrap()));
}
