//! What a user of the ledger cannot bring about: verdicts in the worst order, threads that are gone, bounds that are low.

use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, unbounded};
use yap_chain::bitcoin;
use yap_chain::bitcoin::consensus::serialize;
use yap_chain::bitcoin::hashes::Hash as _;
use yap_chain::block::Block;
use yap_script::{Failure, Reason, Template, pool};
use yap_sim::Builder;

use super::*;

/// After all blocks.
const NOW: u32 = 2_000_000_000;

fn open(directory: &Path, cache_bytes: usize) -> Chainstate {
    let options = Options { threads: 2, cache_bytes, trust: Trust::Nobody, ..Options::default() };
    Chainstate::open(directory, Arc::new(Spec::regtest()), options).unwrap()
}

fn give(chainstate: &mut Chainstate, block: &bitcoin::Block) -> Result<Accepted, Error> {
    let prepared = Prepared::new(Block::parse(serialize(block)).unwrap(), chainstate.spec());
    chainstate.process(prepared, NOW)
}

fn give_all<'a>(chainstate: &mut Chainstate, blocks: impl IntoIterator<Item = &'a bitcoin::Block>) {
    for block in blocks {
        assert!(matches!(give(chainstate, block).unwrap(), Accepted::Stored), "{}", block.block_hash());
    }
}

fn totals(chainstate: &mut Chainstate) -> Totals {
    chainstate.flush().unwrap();
    chainstate.totals(Hashes { serialized: true, muhash: true }).unwrap()
}

/// The totals after these blocks, in the usual way.
fn usual(builder: &Builder) -> Totals {
    let directory = tempfile::tempdir().unwrap();
    let mut chainstate = open(directory.path(), 64 << 20);
    give_all(&mut chainstate, builder.blocks());
    totals(&mut chainstate)
}

/// A chain with scripts of every kind.
fn chain(seed: u64, blocks: u32) -> Builder {
    let mut builder = Builder::regtest(seed);
    builder.prepare(3);
    (0..blocks).for_each(|_| drop(builder.random_block()));
    builder
}

/// Puts `relay` between the pool and the ledger.
fn between(chainstate: &mut Chainstate, relay: impl FnOnce(&Receiver<Verdict>, &Sender<Verdict>) + Send + 'static) {
    let (send, receive) = unbounded();
    let pool = std::mem::replace(&mut chainstate.verdicts, receive);
    std::thread::spawn(move || relay(&pool, &send));
}

/// Hands verdicts on in the wrong order: the newest of those that come within a moment first.
fn newest_first(pool: &Receiver<Verdict>, ledger: &Sender<Verdict>) {
    let mut held = Vec::new();
    loop {
        match pool.recv_timeout(Duration::from_millis(3)) {
            Ok(verdict) => held.push(verdict),
            Err(RecvTimeoutError::Timeout) => {
                while let Some(verdict) = held.pop() {
                    let _ = ledger.send(verdict);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[test]
fn blocks_in_flight_keep_to_their_bound_whatever_the_order_of_verdicts() {
    let builder = chain(1, 40);
    let directory = tempfile::tempdir().unwrap();
    let mut chainstate = open(directory.path(), 64 << 20);
    chainstate.in_flight = Flight::bounded(4, flight::MOST_BYTES);
    between(&mut chainstate, newest_first);
    let mut most = 0;
    for block in builder.blocks() {
        give_all(&mut chainstate, [block]);
        most = most.max(chainstate.in_flight.len());
    }
    assert_eq!(most, 3, "at the bound it has waited for one");
    assert_eq!(totals(&mut chainstate), usual(&builder));
}

#[test]
fn what_is_no_block_is_not_held_against_its_header() {
    let builder = chain(9, 1);
    let directory = tempfile::tempdir().unwrap();
    let mut chainstate = open(directory.path(), 64 << 20);
    for block in builder.blocks() {
        let bytes = serialize(block);
        let id = chainstate.accept_header(&block.header, NOW).unwrap();
        let rubbish = Arc::new(Block::unread(bytes[..bytes.len() - 1].to_vec()).unwrap());
        let prepared = Prepared::new(rubbish, chainstate.spec());
        let refused = chainstate.process(prepared, NOW).unwrap();
        let Accepted::Rejected(Reject::Block(why @ block::Error::Malformed { .. })) = refused else {
            panic!("{refused:?}");
        };
        assert!(why.is_mutation());
        assert_eq!(chainstate.tree().status(id), Status::Valid);
        let unread = Prepared::new(Block::unread(bytes).unwrap(), chainstate.spec());
        assert!(matches!(chainstate.process(unread, NOW).unwrap(), Accepted::Stored));
    }
    assert_eq!(totals(&mut chainstate), usual(&builder));
}

#[test]
fn a_full_pool_makes_the_ledger_take_verdicts_and_not_wait_for_itself() {
    let builder = chain(2, 30);
    let directory = tempfile::tempdir().unwrap();
    let mut chainstate = open(directory.path(), 64 << 20);
    // Each batch must be alone.
    let options = pool::Options { threads: 2, inputs: 1, cache: None };
    (chainstate.pool, chainstate.verdicts) = Pool::new(Kernel::new(), options);
    give_all(&mut chainstate, builder.blocks());
    assert_eq!(totals(&mut chainstate), usual(&builder));
}

#[test]
fn after_a_failure_of_the_engine_nothing_is_done_any_more() {
    let builder = chain(3, 8);
    let directory = tempfile::tempdir().unwrap();
    let mut chainstate = open(directory.path(), 64 << 20);
    let blocks: Vec<_> = builder.blocks().cloned().collect();
    let (first, rest) = blocks.split_at(blocks.len() - 6);
    give_all(&mut chainstate, first);
    let committed = totals(&mut chainstate);
    between(&mut chainstate, |pool, ledger| {
        let transaction = bitcoin::Txid::all_zeros();
        for verdict in pool {
            let failure = Failure { transaction, input: 0, template: Template::Other, reason: Reason::Engine };
            let _ = ledger.send(Verdict { result: Err(failure), ..verdict });
        }
    });
    let failed = rest.iter().map(|block| give(&mut chainstate, block).err()).find(Option::is_some).flatten();
    let failed = failed.or_else(|| chainstate.settle().err());
    assert!(matches!(failed, Some(Error::Engine(_))), "{failed:?}");
    assert!(matches!(chainstate.settle(), Err(Error::Stopped)));
    assert!(matches!(chainstate.commit(), Err(Error::Stopped)));
    assert!(matches!(chainstate.flush(), Err(Error::Stopped)));
    assert!(matches!(give(&mut chainstate, &rest[0]), Err(Error::Stopped)));
    assert!(matches!(chainstate.close(), Err(Error::Stopped)));
    // What is on disk is the last commit. Within this process the directory stays locked.
    let mut left = reopened(directory.path());
    assert_eq!(totals(&mut left), committed);
    give_all(&mut left, rest);
    assert_eq!(totals(&mut left), usual(&builder));
}

/// A ledger in a copy of the directory, as it is found after a crash.
fn reopened(directory: &Path) -> Chainstate {
    let copy = tempfile::tempdir().unwrap().keep();
    copy_into(directory, &copy);
    open(&copy, 64 << 20)
}

fn copy_into(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_into(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn script_threads_that_are_gone_are_noticed() {
    let builder = chain(4, 2);
    let directory = tempfile::tempdir().unwrap();
    let mut chainstate = open(directory.path(), 64 << 20);
    between(&mut chainstate, |_, _| {});
    let failed = builder.blocks().map(|block| give(&mut chainstate, block).err()).find(Option::is_some).flatten();
    let failed = failed.or_else(|| chainstate.settle().err());
    assert!(matches!(failed, Some(Error::Worker("script verification"))), "{failed:?}");
}

#[test]
fn a_filter_thread_that_is_gone_is_noticed() {
    let builder = chain(5, 2);
    let directory = tempfile::tempdir().unwrap();
    let mut chainstate = open(directory.path(), 64 << 20);
    chainstate.filters = Filters::building(|_, _| panic!("as the test wants"), 2_000).unwrap();
    give_all(&mut chainstate, builder.blocks());
    let failed = chainstate.commit();
    assert!(matches!(failed, Err(Error::Worker("block filters"))), "{failed:?}");
    assert!(matches!(chainstate.flush(), Err(Error::Stopped)));
}

#[test]
fn a_chain_whose_first_block_comes_last_is_committed_on_the_way() {
    let builder = chain(6, 60);
    let directory = tempfile::tempdir().unwrap();
    let mut chainstate = open(directory.path(), 64 << 20);
    chainstate.filters = Filters::building(yap_chain::filter::basic, 10).unwrap();
    // What was asked of the thread that is gone.
    chainstate.unfiltered.clear();
    chainstate.filters.request(chainstate.tip, &chainstate.read_block(chainstate.tip).unwrap(), &Arc::default());
    chainstate.unfiltered.insert(chainstate.tip);
    for block in builder.blocks() {
        chainstate.accept_header(&block.header, NOW).unwrap();
    }
    let backwards: Vec<_> = builder.blocks().collect();
    give_all(&mut chainstate, backwards.into_iter().rev());
    assert!(chainstate.unfiltered.len() <= 10, "{} wait", chainstate.unfiltered.len());
    let committed = chainstate.store().tip().map_or(0, |tip| tip.height);
    assert!(committed + 20 >= builder.height(), "height {committed} is committed");
    drop(chainstate);
    let mut chainstate = open(directory.path(), 64 << 20);
    assert_eq!(chainstate.tree().hash(chainstate.tip()), builder.tip(), "the rest is held and needs no second giving");
    assert_eq!(totals(&mut chainstate), usual(&builder));
}

#[test]
fn a_reorganisation_broken_off_between_its_commits_goes_on_at_the_next_start() {
    let mut long = chain(7, 30);
    let fork = long.height() - 25;
    let mut longer = long.fork_at(fork);
    (0..30).for_each(|_| drop(longer.random_block()));
    let branch: Vec<_> = longer.blocks().skip(fork as usize).cloned().collect();
    for verdicts in [0, 1, 5, 12] {
        let directory = tempfile::tempdir().unwrap();
        let mut chainstate = open(directory.path(), 64 << 20);
        give_all(&mut chainstate, long.blocks());
        chainstate.flush().unwrap();
        chainstate.filters = Filters::building(yap_chain::filter::basic, 4).unwrap();
        for block in &branch {
            chainstate.accept_header(&block.header, NOW).unwrap();
        }
        give_all(&mut chainstate, branch[1..].iter().rev());
        chainstate.flush().unwrap();
        // The last to come makes the branch the better one, and then the threads are gone.
        between(&mut chainstate, move |pool, ledger| {
            pool.iter().take(verdicts).for_each(|verdict| drop(ledger.send(verdict)));
        });
        let failed = give(&mut chainstate, &branch[0]);
        assert!(matches!(failed, Err(Error::Worker("script verification"))), "{failed:?}");
        drop(chainstate);

        let mut chainstate = open(directory.path(), 64 << 20);
        if chainstate.index.entry(chainstate.tree.get(&branch[0].block_hash()).unwrap()).block.is_none() {
            assert!(verdicts < 4, "a commit on the way has it");
            give_all(&mut chainstate, &branch[..1]);
        }
        assert_eq!(totals(&mut chainstate), usual(&longer), "after {verdicts} verdicts");
        assert_eq!(chainstate.tree().hash(chainstate.tip()), longer.tip());
    }
}

#[test]
fn a_commit_is_due_at_the_bound_of_headers_without_blocks() {
    let directory = tempfile::tempdir().unwrap();
    let mut chainstate = open(directory.path(), 64 << 20);
    let mut header = chainstate.spec().genesis.header;
    header.version = bitcoin::block::Version::NO_SOFT_FORK_SIGNALLING;
    let (genesis, first) = (chainstate.spec().genesis.block_hash(), header.time);
    // The genesis block waits for the first commit too.
    for _ in 1..commit::MOST_DIRTY {
        assert!(!chainstate.commit_due());
        header.prev_blockhash = if header.time == first { genesis } else { header.block_hash() };
        header.time += 1;
        while header.validate_pow(header.target()).is_err() {
            header.nonce += 1;
        }
        chainstate.accept_header(&header, NOW).unwrap();
    }
    assert!(chainstate.commit_due());
    chainstate.flush().unwrap();
    assert!(!chainstate.commit_due());
    drop(chainstate);
    assert_eq!(open(directory.path(), 64 << 20).tree().len(), commit::MOST_DIRTY);
}

#[test]
fn after_a_panic_half_way_nothing_more_is_done() {
    let builder = chain(20, 0);
    let directory = tempfile::tempdir().unwrap();
    let mut chainstate = open(directory.path(), 64 << 20);
    let half_way = std::panic::AssertUnwindSafe(|| chainstate.guard::<()>(|_| panic!("as the test wants")));
    assert!(std::panic::catch_unwind(half_way).is_err());
    assert!(matches!(chainstate.step(1), Err(Error::Stopped)));
    assert!(matches!(give(&mut chainstate, builder.block(1).unwrap()), Err(Error::Stopped)));
    assert!(matches!(chainstate.close(), Err(Error::Stopped)));
}

#[test]
fn the_commit_of_a_backlog_does_not_connect_it() {
    let mut builder = Builder::regtest(21);
    builder.mine_empty(20);
    let directory = tempfile::tempdir().unwrap();
    let mut chainstate = open(directory.path(), 64 << 20);
    for block in builder.blocks() {
        let prepared = Prepared::new(Block::parse(serialize(block)).unwrap(), chainstate.spec());
        assert!(matches!(chainstate.store_block(prepared, NOW).unwrap(), Accepted::Stored));
    }
    assert!(!chainstate.step(4).unwrap());
    chainstate.commit().unwrap();
    assert_eq!(chainstate.tree().height(chainstate.tip()), 4);
    drop(chainstate);
    let mut chainstate = open(directory.path(), 64 << 20);
    assert_eq!(totals(&mut chainstate), usual(&builder), "the next opening goes on");
}

#[test]
fn a_commit_that_would_wait_for_scripts_is_not_short() {
    let builder = chain(23, 3);
    let directory = tempfile::tempdir().unwrap();
    let mut chainstate = open(directory.path(), 64 << 20);
    let (go, held) = unbounded::<()>();
    between(&mut chainstate, move |pool, ledger| {
        // Nobody hears of a verdict before the word is given.
        let _ = held.recv();
        while let Ok(verdict) = pool.recv() {
            let _ = ledger.send(verdict);
        }
    });
    give_all(&mut chainstate, builder.blocks());
    assert!(!chainstate.commit_is_short(), "scripts are under way");
    go.send(()).unwrap();
    chainstate.settle().unwrap();
    assert!(chainstate.is_dirty() && chainstate.commit_is_short(), "a few blocks");
    chainstate.persist().unwrap();
    assert!(chainstate.commit_is_short());
}
