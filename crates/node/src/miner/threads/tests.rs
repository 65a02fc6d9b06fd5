use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use yap_chain::block::Contents;
use yap_chain::header::{Tree, pow};
use yap_chain::spec::Spec;

use super::*;

const NOW: u32 = 1_800_000_000;
/// Far more than any of this takes.
const LONG: Duration = Duration::from_secs(60);

fn miner(threads: usize) -> (Miner, Receiver<Report>) {
    let (send, reports) = unbounded();
    (Miner::new(threads, move |report| send.send(report).unwrap()), reports)
}

fn on(tree: &Tree, id: u64) -> Work {
    let draft = Arc::new(Draft::new(tree, tree.best(), Contents::default(), NOW));
    let limit = tree.spec().work.limit;
    let target = pow::target(draft.header(0).bits, &limit).unwrap();
    Work { id: WorkId(id), draft, target, tries: None, clock: tree.spec().work.time_is_free().then_some(NOW) }
}

/// A work that nobody ever finishes.
fn endless(id: u64) -> Work {
    let tree = Tree::new(Arc::new(Spec::regtest()), 1);
    Work { target: Target::from_le_bytes([0; 32]), ..on(&tree, id) }
}

fn hashed(miner: &Miner) -> u64 {
    miner.shared.lock().last.as_ref().map_or(0, |job| job.hashed.load(Ordering::Acquire))
}

/// Waits until so many hashes were tried for the work at hand.
fn until_hashed(miner: &Miner, hashes: u64) {
    let since = Instant::now();
    while hashed(miner) < hashes {
        assert!(since.elapsed() < LONG, "no thread works");
        std::thread::yield_now();
    }
}

#[test]
fn every_number_of_threads_finds_valid_blocks() {
    for threads in 1..=4 {
        for spec in [Spec::local(), Spec::regtest()] {
            let mut tree = Tree::new(Arc::new(spec), 1);
            let (mut miner, reports) = miner(threads);
            for id in 0..60 {
                assert_eq!(miner.start(on(&tree, id)).unwrap(), None);
                let Report::Found { work, block, hashes } = reports.recv_timeout(LONG).unwrap() else { panic!() };
                assert_eq!(work, WorkId(id));
                assert!(hashes >= 1);
                yap_chain::block::check(&block).unwrap();
                assert_eq!(tree.accept(block.header(), NOW + 60).unwrap().id(), tree.best());
            }
            assert_eq!(tree.height(tree.best()), 60);
            assert!(reports.is_empty(), "one report of each work");
            assert!(!miner.is_working());
            assert_eq!(miner.threads(), threads);
        }
    }
}

#[test]
fn tries_are_counted_to_the_last_one() {
    for (threads, tries) in [(1, 1), (1, 1024), (1, 1025), (2, 5_000), (4, 3), (3, 0)] {
        let (mut miner, reports) = miner(threads);
        miner.start(Work { tries: Some(tries), ..endless(7) }).unwrap();
        assert_eq!(reports.recv_timeout(LONG), Ok(Report::Spent { work: WorkId(7), hashes: tries }));
        assert!(!miner.is_working());
        assert_eq!(miner.cancel(), None);
    }
}

/// What a thread has begun it may end: a chunk for each, however many hashes there were before.
#[test]
fn cancelling_takes_no_more_than_a_chunk_of_each_thread() {
    for threads in 1..=3 {
        let (mut miner, reports) = miner(threads);
        miner.start(endless(1)).unwrap();
        until_hashed(&miner, 20_000);
        let (work, hashes) = miner.cancel().unwrap();
        assert_eq!(work, WorkId(1));
        assert!(!miner.is_working());
        // All threads are at the next work, or wait: what the first one had is all that it gets.
        let first = Arc::clone(miner.shared.lock().last.as_ref().unwrap());
        drop(miner);
        let after = first.hashed.load(Ordering::Acquire) - hashes;
        assert!(after <= threads as u64 * u64::from(CHUNK), "{after}");
        assert!(reports.is_empty(), "nobody wants to hear of it");
    }
}

#[test]
fn new_work_takes_the_place_of_the_old() {
    let tree = Tree::new(Arc::new(Spec::regtest()), 1);
    let (mut miner, reports) = miner(2);
    miner.start(endless(1)).unwrap();
    until_hashed(&miner, 5_000);
    let (work, hashes) = miner.start(endless(2)).unwrap().unwrap();
    assert!(work == WorkId(1) && hashes >= 5_000);
    assert_eq!(miner.start(on(&tree, 3)).unwrap().unwrap().0, WorkId(2));
    let report = reports.recv_timeout(LONG).unwrap();
    assert!(matches!(report, Report::Found { work: WorkId(3), .. }), "{report:?}");
    drop(miner);
    assert!(reports.is_empty());
}

#[test]
fn a_miner_at_rest_has_no_threads_and_one_at_work_stops_when_dropped() {
    let (idle, _reports) = miner(3);
    assert!(idle.threads.is_empty() && idle.rate() <= 0.0 && !idle.is_working());
    let (mut miner, reports) = miner(3);
    miner.start(endless(1)).unwrap();
    until_hashed(&miner, 10_000);
    assert!(miner.rate() > 0.0 && miner.is_working());
    drop(miner);
    assert!(reports.recv_timeout(LONG).is_err(), "the last sender is gone");
}

#[test]
fn threads_are_bounded() {
    assert_eq!(miner(MAX_THREADS).0.threads(), MAX_THREADS);
    assert_eq!(miner(MAX_THREADS + 1).0.threads(), MAX_THREADS);
    assert!(miner(0).0.threads() >= 1);
}
