#![allow(clippy::arithmetic_side_effects, reason = "tests may panic")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bitcoin::consensus::serialize;
use bitcoin::{Amount, OutPoint, Script, ScriptBuf, Sequence, TxIn, TxOut, Witness, absolute, transaction};
use yap_chain::coin::Coin;
use yap_chain::transaction::Transaction;
use yap_chain::verify::Flags;

use super::*;
use crate::engine::{No, Reason, Span};

/// What the test engine does with an input; the value of the coin that it spends says so.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Hold,
    Fail,
    Panic,
    /// Says that it is here, and waits until the gate opens.
    Gate,
}

const ACTS: [Act; 4] = [Act::Hold, Act::Fail, Act::Panic, Act::Gate];

/// Longest that a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// An engine that does as it is told, and counts.
struct Puppet {
    verified: Arc<AtomicUsize>,
    prepared: Arc<AtomicUsize>,
    arrived: Sender<()>,
    gate: Receiver<()>,
}

/// The other end of the puppet's strings.
struct Strings {
    verified: Arc<AtomicUsize>,
    prepared: Arc<AtomicUsize>,
    arrived: Receiver<()>,
    open: Sender<()>,
}

fn puppet() -> (Puppet, Strings) {
    let (arrived_in, arrived) = bounded(64);
    let (open, gate) = bounded(64);
    let (verified, prepared) = (Arc::default(), Arc::default());
    let strings = Strings { verified: Arc::clone(&verified), prepared: Arc::clone(&prepared), arrived, open };
    (Puppet { verified, prepared, arrived: arrived_in, gate }, strings)
}

impl Engine for Puppet {
    type Prepared = ();

    fn prepare(&self, job: &Job) -> Result<(), Reason> {
        self.prepared.fetch_add(1, Ordering::SeqCst);
        if job.spent.is_empty() { Err(Reason::Coins { inputs: 1, spent: 0 }) } else { Ok(()) }
    }

    fn verify(&self, spans: &[Span<'_, ()>]) -> Vec<No> {
        let mut noes = Vec::new();
        for (span, run) in spans.iter().enumerate() {
            for input in run.inputs.clone() {
                self.verified.fetch_add(1, Ordering::SeqCst);
                match ACTS[usize::try_from(run.job.spent[input].value.to_sat()).unwrap()] {
                    Act::Hold => {}
                    Act::Fail => noes.push(No { span, input, reason: Reason::Unsatisfied }),
                    Act::Panic => panic!("as the test wants"),
                    Act::Gate => {
                        self.arrived.send(()).unwrap();
                        self.gate.recv_timeout(PATIENCE).expect("the test opens the gate");
                    }
                }
            }
        }
        noes
    }
}

/// A transaction whose inputs do as told; `number` tells it from others.
fn job(number: u32, acts: &[Act]) -> Job {
    long_job(number, acts, 0)
}

/// The same with an output script of the given length.
fn long_job(number: u32, acts: &[Act], script: usize) -> Job {
    let input = TxIn {
        previous_output: OutPoint::null(),
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ZERO,
        witness: Witness::new(),
    };
    let transaction = bitcoin::Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::from_consensus(number),
        input: vec![input; acts.len().max(1)],
        output: vec![TxOut { value: Amount::ONE_SAT, script_pubkey: vec![0; script].into() }],
    };
    let value = |act: &Act| Amount::from_sat(ACTS.iter().position(|known| known == act).unwrap() as u64);
    let coins: Vec<_> = acts.iter().map(|act| Coin::new(value(act), Script::new(), 1, false)).collect();
    let transaction = Transaction::parse(serialize(&transaction)).unwrap();
    Job { transaction: transaction.raw().clone(), spent: coins.into(), flags: Flags::ALL }
}

fn txid(job: &Job) -> bitcoin::Txid {
    Transaction::parse(job.transaction.as_slice().to_vec()).unwrap().txid()
}

fn start(threads: usize, inputs: usize) -> (Pool<Puppet>, Receiver<Verdict>, Strings) {
    let (puppet, strings) = puppet();
    let (pool, verdicts) = Pool::new(puppet, Options { threads, inputs, cache: None });
    (pool, verdicts, strings)
}

fn next(verdicts: &Receiver<Verdict>) -> Verdict {
    verdicts.recv_timeout(PATIENCE).expect("a verdict comes")
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

#[test]
fn slow_block_does_not_stall_the_next() {
    let (pool, verdicts, strings) = start(2, INPUTS);
    pool.submit(Batch::new(0, vec![job(0, &[Act::Gate])]));
    strings.arrived.recv_timeout(PATIENCE).unwrap();
    for id in 1..=50 {
        pool.submit(Batch::new(id, (0..20).map(|number| job(number, &[Act::Hold; 3])).collect()));
    }
    for id in 1..=50 {
        assert_eq!(next(&verdicts), Verdict { id, result: Ok(()) }, "while block 0 is still at the gate");
    }
    strings.open.send(()).unwrap();
    assert_eq!(next(&verdicts), Verdict { id: 0, result: Ok(()) });
}

#[test]
fn an_earlier_failure_wins_over_one_found_before() {
    let (pool, verdicts, strings) = start(2, INPUTS);
    let mut jobs: Vec<_> = (0..100).map(|number| job(number, &[Act::Hold])).collect();
    jobs[3] = job(3, &[Act::Hold, Act::Gate, Act::Fail, Act::Fail]);
    jobs[90] = job(90, &[Act::Fail]);
    let first = txid(&jobs[3]);
    pool.submit(Batch::new(0, jobs));
    strings.arrived.recv_timeout(PATIENCE).unwrap();
    // The other thread is alone now, and works in order: its answer to this shows that it has seen job 90.
    pool.submit(Batch::new(1, vec![job(0, &[Act::Hold])]));
    assert_eq!(next(&verdicts).id, 1);
    strings.open.send(()).unwrap();
    let failure = next(&verdicts).result.unwrap_err();
    assert_eq!((failure.transaction, failure.input, failure.reason), (first, 2, Reason::Unsatisfied));
}

#[test]
fn a_failure_cancels_the_rest_of_its_batch_only() {
    let (pool, verdicts, strings) = start(1, INPUTS);
    let mut jobs: Vec<_> = (0..1000).map(|number| job(number, &[Act::Hold])).collect();
    jobs[0] = job(0, &[Act::Gate, Act::Fail]);
    pool.submit(Batch::new(0, jobs));
    strings.arrived.recv_timeout(PATIENCE).unwrap();
    pool.submit(Batch::new(1, (0..1000).map(|number| job(number, &[Act::Hold])).collect()));
    strings.open.send(()).unwrap();
    assert!(next(&verdicts).result.is_err());
    assert_eq!(next(&verdicts), Verdict { id: 1, result: Ok(()) });
    let verified = strings.verified.load(Ordering::SeqCst);
    assert!((1002..1100).contains(&verified), "all of batch 1, one run of batch 0: {verified}");
}

#[test]
fn the_verdict_does_not_depend_on_threads_or_cuts() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let jobs: Vec<_> = (0..60)
            .map(|number| {
                // Around the size up to which a job is one thread's, and far over it.
                let inputs = [1, 2, 15, 16, 17, 100][usize::try_from(random.below(6)).unwrap()];
                let acts: Vec<_> =
                    (0..inputs).map(|_| if random.below(400) == 0 { Act::Fail } else { Act::Hold }).collect();
                (job(number, &acts), acts.iter().position(|act| *act == Act::Fail))
            })
            .collect();
        let expected = jobs.iter().find_map(|(job, fail)| fail.map(|input| (txid(job), input)));
        for threads in 1..=3 {
            let (pool, verdicts, strings) = start(threads, INPUTS);
            pool.submit(Batch::new(seed, jobs.iter().map(|(job, _)| job.clone()).collect()));
            let found = next(&verdicts).result.err().map(|failure| (failure.transaction, failure.input));
            assert_eq!(found, expected, "seed {seed}, {threads} threads");
            if expected.is_none() {
                let inputs: usize = jobs.iter().map(|(job, _)| job.spent.len()).sum();
                assert_eq!(strings.verified.load(Ordering::SeqCst), inputs, "each once, seed {seed}");
                assert_eq!(strings.prepared.load(Ordering::SeqCst), jobs.len(), "each once, seed {seed}");
            }
        }
    }
}

#[test]
fn threads_share_one_large_transaction() {
    let (pool, verdicts, strings) = start(2, INPUTS);
    let mut acts = [Act::Hold; 2000];
    (acts[0], acts[1999]) = (Act::Gate, Act::Gate);
    pool.submit(Batch::new(0, vec![job(0, &acts)]));
    // Two threads are inside the same transaction at once.
    (0..2).for_each(|_| strings.arrived.recv_timeout(PATIENCE).unwrap());
    (0..2).for_each(|_| strings.open.send(()).unwrap());
    assert_eq!(next(&verdicts), Verdict { id: 0, result: Ok(()) });
    assert_eq!(strings.prepared.load(Ordering::SeqCst), 1);
}

#[test]
fn a_panic_of_the_engine_is_contained() {
    let (pool, verdicts, _strings) = start(1, INPUTS);
    let broken = job(1, &[Act::Panic]);
    let culprit = txid(&broken);
    pool.submit(Batch::new(0, vec![job(0, &[Act::Hold])]));
    pool.submit(Batch::new(1, vec![job(0, &[Act::Hold]), broken, job(2, &[Act::Hold])]));
    pool.submit(Batch::new(2, vec![job(3, &[Act::Hold])]));
    let results: Vec<_> = (0..3).map(|_| next(&verdicts)).collect();
    assert_eq!(results[0], Verdict { id: 0, result: Ok(()) });
    let failure = results[1].result.clone().unwrap_err();
    assert_eq!((failure.transaction, failure.reason), (culprit, Reason::Engine));
    assert!(!failure.reason.is_invalid(), "nobody is to blame for it");
    assert_eq!(results[2], Verdict { id: 2, result: Ok(()) });
}

/// An engine that panics where the pool does not expect it: when what was prepared is dropped.
struct Brittle;

struct Shards(bool);

impl Drop for Shards {
    fn drop(&mut self) {
        assert!(!self.0, "as the test wants");
    }
}

impl Engine for Brittle {
    type Prepared = Shards;

    fn prepare(&self, job: &Job) -> Result<Shards, Reason> {
        Ok(Shards(job.spent.len() == 2))
    }

    fn verify(&self, _runs: &[Span<'_, Shards>]) -> Vec<No> {
        Vec::new()
    }

    fn appetite(&self) -> usize {
        1
    }
}

#[test]
fn a_thread_that_panics_ends_the_verdicts_and_leaves_nobody_waiting() {
    let (pool, verdicts) = Pool::new(Brittle, Options { threads: 3, inputs: 10, cache: None });
    pool.submit(Batch::new(0, vec![job(0, &[Act::Hold; 2])]));
    let (ended, end) = bounded(1);
    let submitter = std::thread::spawn(move || {
        // More than there is room for.
        (1..100).for_each(|id| pool.submit(Batch::new(id, vec![job(0, &[Act::Hold; 3])])));
        ended.send(()).unwrap();
    });
    let left = std::iter::from_fn(|| match verdicts.recv_timeout(PATIENCE) {
        Ok(verdict) => Some(verdict),
        Err(crossbeam_channel::RecvTimeoutError::Disconnected) => None,
        Err(error @ crossbeam_channel::RecvTimeoutError::Timeout) => panic!("{error}"),
    });
    assert!(left.map(|verdict| verdict.id).all(|id| id != 0), "the batch that was lost has no verdict");
    end.recv_timeout(PATIENCE).expect("submitting does not wait for threads that are gone");
    submitter.join().unwrap();
}

#[test]
fn whoever_has_the_last_verdict_finds_room() {
    let (pool, verdicts, _strings) = start(2, 10);
    for id in 0..2_000 {
        assert!(pool.try_submit(Batch::new(id, vec![job(0, &[Act::Hold; 10])])).is_ok(), "batch {id}");
        assert_eq!(next(&verdicts).id, id);
    }
}

#[test]
fn a_job_without_coins_does_not_pass_unseen() {
    let (pool, verdicts, _strings) = start(1, INPUTS);
    pool.submit(Batch::new(0, vec![job(0, &[Act::Hold]), job(1, &[])]));
    let failure = next(&verdicts).result.unwrap_err();
    assert_eq!(failure.reason, Reason::Coins { inputs: 1, spent: 0 });
}

#[test]
fn the_queue_is_full_at_its_bound_and_no_sooner() {
    let (pool, verdicts, strings) = start(1, 10);
    assert!(pool.try_submit(Batch::new(0, vec![job(0, &[Act::Gate])])).is_ok());
    strings.arrived.recv_timeout(PATIENCE).unwrap();
    // Work in hand counts: nine more make ten.
    assert!(pool.try_submit(Batch::new(1, vec![job(1, &[Act::Hold; 9])])).is_ok(), "at the bound");
    let Full(back) = pool.try_submit(Batch::new(2, vec![job(2, &[Act::Hold])])).unwrap_err();
    assert_eq!((back.id, back.jobs.len()), (2, 1), "one past it comes back whole");
    strings.open.send(()).unwrap();
    pool.submit(back);
    let ids: BTreeSet<_> = (0..3).map(|_| next(&verdicts).id).collect();
    assert_eq!(ids, BTreeSet::from([0, 1, 2]));
    // Alone, a batch over the bound has room.
    pool.submit(Batch::new(3, vec![job(3, &[Act::Hold; 50])]));
    assert_eq!(next(&verdicts), Verdict { id: 3, result: Ok(()) });
}

#[test]
fn bytes_count_against_the_bound_of_the_queue() {
    let (pool, verdicts, strings) = start(1, 10);
    pool.submit(Batch::new(0, vec![job(0, &[Act::Gate])]));
    strings.arrived.recv_timeout(PATIENCE).unwrap();
    // Apart from the script it has 60 bytes, two more for a long one.
    let bytes = |bytes: usize| Batch::new(1, vec![long_job(1, &[Act::Hold], bytes - 62)]);
    assert_eq!([bytes(9_999).size(), bytes(10_000).size()], [9, 10]);
    assert!(pool.try_submit(bytes(10_000)).is_err(), "one past the bound");
    assert!(pool.try_submit(bytes(9_999)).is_ok(), "at the bound");
    strings.open.send(()).unwrap();
    assert!(verdicts.iter().take(2).all(|verdict| verdict.result.is_ok()));
    pool.submit(Batch::new(2, vec![job(2, &[Act::Hold; 10])]));
    assert!(next(&verdicts).result.is_ok(), "all room is given back");
}

#[test]
fn dropping_the_pool_drops_what_waits() {
    let (pool, verdicts, strings) = start(1, INPUTS);
    pool.submit(Batch::new(0, vec![job(0, &[Act::Gate])]));
    strings.arrived.recv_timeout(PATIENCE).unwrap();
    (1..100).for_each(|id| pool.submit(Batch::new(id, vec![job(1, &[Act::Hold])])));
    pool.queue.stop();
    strings.open.send(()).unwrap();
    drop(pool);
    assert_eq!(strings.verified.load(Ordering::SeqCst), 1, "only what was in hand");
    assert!(verdicts.iter().count() <= 1);
}

#[test]
fn dropping_the_pool_does_not_wait_for_a_reader_of_verdicts() {
    let (pool, verdicts, _strings) = start(2, INPUTS);
    for id in 0..(VERDICTS as u64 + 10) {
        pool.submit(Batch::new(id, Vec::new()));
    }
    let start = Instant::now();
    while verdicts.len() < VERDICTS && start.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
    assert_eq!(verdicts.len(), VERDICTS, "at the bound; the threads wait to put one more");
    drop(pool);
    assert!(verdicts.iter().count() <= VERDICTS + 2);
}

#[test]
fn pools_can_be_dropped_at_any_moment() {
    for seed in 0..100 {
        let mut random = Random(seed);
        let mut below = |bound| usize::try_from(random.below(bound)).unwrap();
        let (pool, verdicts, _strings) = start(1 + below(4), 50);
        for id in 0..=u64::try_from(below(200)).unwrap() {
            let act = if below(50) == 0 { Act::Fail } else { Act::Hold };
            let jobs = (0..4).map(|number| job(number, &vec![act; 1 + below(30)])).collect();
            pool.submit(Batch::new(id, jobs));
        }
        let taken = verdicts.iter().take(below(2)).count();
        let (ended, end) = bounded(1);
        let dropper = std::thread::spawn(move || {
            drop(pool);
            ended.send(()).unwrap();
        });
        end.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("threads end, seed {seed}, {taken} taken"));
        dropper.join().unwrap();
    }
}

#[test]
fn what_the_mempool_verified_is_not_verified_again() {
    let (puppet, strings) = puppet();
    let cache = Arc::new(Cache::new(1000, [1; 32]));
    let options = Options { threads: 2, inputs: INPUTS, cache: Some(Arc::clone(&cache)) };
    let (pool, verdicts) = Pool::new(puppet, options);
    let verified = |batch| {
        let before = strings.verified.load(Ordering::SeqCst);
        pool.submit(batch);
        (next(&verdicts).result.is_ok(), strings.verified.load(Ordering::SeqCst) - before)
    };
    let (small, large) = (job(0, &[Act::Hold; 3]), job(1, &[Act::Hold; 40]));
    let both = vec![small.clone(), large];
    assert_eq!(verified(Batch::new(0, both.clone())), (true, 43));
    assert_eq!(cache.len(), 0, "a block is not remembered");
    assert_eq!(verified(Batch { remember: true, ..Batch::new(1, both.clone()) }), (true, 43));
    assert_eq!(verified(Batch::new(2, both)), (true, 0), "the block that follows is free");
    let looser = Job { flags: Flags::P2SH, ..small };
    assert_eq!(verified(Batch::new(3, vec![looser])), (true, 3), "other rules are another question");
    let bad = Batch { remember: true, ..Batch::new(4, vec![job(2, &[Act::Fail])]) };
    assert_eq!(verified(bad.clone()), (false, 1));
    assert_eq!(verified(bad), (false, 1), "a failure is not remembered");
}
