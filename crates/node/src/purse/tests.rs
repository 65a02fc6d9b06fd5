//! A wallet on its thread, with a chain that is made by hand.
#![allow(clippy::arithmetic_side_effects, clippy::or_fun_call, reason = "a test may overflow: it fails")]

use std::path::Path;
use std::time::{Duration, Instant};

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::{Amount, CompactTarget, TxIn, TxMerkleNode, TxOut, Txid, transaction};
use yap_chain::block::Block;
use yap_chain::transaction::Transaction;
use yap_wallet::{Kind, Options, Recipient};

use super::*;

/// What the node of these tests has.
#[derive(Debug, Default)]
struct World {
    blocks: Vec<Arc<Block>>,
    pool: Vec<Arc<Transaction>>,
    offered: Vec<Txid>,
}

#[derive(Clone, Debug, Default)]
struct Town(Arc<Mutex<World>>);

impl Town {
    fn with<T>(&self, what: impl FnOnce(&mut World) -> T) -> T {
        what(&mut self.0.lock().unwrap())
    }

    /// Mines a block that pays a script, with what waits.
    fn mine(&self, to: &ScriptBuf) {
        self.with(|world| {
            let height = world.blocks.len() + 1;
            let parent = world.blocks.last().map_or(spec().genesis.block_hash(), |block| block.hash());
            let script_sig = Builder::new().push_int(i64::try_from(height).unwrap()).push_int(7).into_script();
            let coinbase = bitcoin::Transaction {
                version: transaction::Version::TWO,
                lock_time: LockTime::ZERO,
                input: vec![TxIn { script_sig, ..TxIn::default() }],
                output: vec![TxOut { value: Amount::ONE_BTC, script_pubkey: to.clone() }],
            };
            let header = Header {
                version: Version::TWO,
                prev_blockhash: parent,
                merkle_root: TxMerkleNode::all_zeros(),
                time: u32::try_from(now()).unwrap(),
                bits: CompactTarget::from_consensus(0x207f_ffff),
                nonce: u32::try_from(height).unwrap(),
            };
            let rest = world.pool.drain(..).map(|transaction| transaction.decoded().clone());
            let block = bitcoin::Block { header, txdata: [coinbase].into_iter().chain(rest).collect() };
            world.blocks.push(Arc::new(Block::parse(serialize(&block)).unwrap()));
        });
    }
}

impl Source for Town {
    fn blocks(&mut self, known: Vec<(u32, BlockHash)>) -> Result<Next, Unavailable> {
        self.with(|world| {
            let hash_at = |height: u32| match height {
                0 => Some(spec().genesis.block_hash()),
                _ => world.blocks.get(usize::try_from(height).unwrap() - 1).map(|block| block.hash()),
            };
            let fork = known.into_iter().find(|(height, hash)| hash_at(*height) == Some(*hash)).unwrap();
            let blocks = world.blocks.iter().skip(usize::try_from(fork.0).unwrap()).take(32).cloned().collect();
            Ok(Next { fork, blocks, tip: u32::try_from(world.blocks.len()).unwrap(), missing: None })
        })
    }

    fn before(&mut self, _: u64) -> Result<(u32, BlockHash), Unavailable> {
        Ok((0, spec().genesis.block_hash()))
    }

    fn pool(&mut self, sequence: u64, known: Vec<Txid>) -> Result<Pool, Unavailable> {
        self.with(|world| {
            let pool = world.pool.clone();
            let there = known.into_iter().filter(|txid| pool.iter().any(|one| one.txid() == *txid)).collect();
            let added = pool.into_iter().map(|transaction| (transaction, now())).collect();
            Ok(Pool { sequence, added, there, ..Pool::default() })
        })
    }

    fn offer(&mut self, transaction: Arc<Transaction>) {
        self.with(|world| world.offered.push(transaction.txid()));
    }
}

fn spec() -> Arc<Spec> {
    Arc::new(Spec::local())
}

fn nobody() -> ScriptBuf {
    ScriptBuf::new_p2wsh(&Hash::hash(b"nobody"))
}

fn open(directory: &Path, town: &Town) -> Purse {
    let genesis = (0, spec().genesis.block_hash());
    Purse::open_or_create(&super::directory(directory), &spec(), genesis, Box::new(town.clone()), Box::new(|_| {}))
        .unwrap()
}

/// Runs a job, and waits until what it changed is on disk.
fn ask<T: Send + 'static>(
    purse: &Purse,
    job: impl FnOnce(&mut Wallet) -> T + Send + 'static,
) -> Result<T, Unavailable> {
    let (answer, answered) = bounded(1);
    purse.handle().run(Box::new(move |wallet| {
        let outcome = job(wallet);
        Box::new(move |kept| answer.send(kept.map(|()| outcome)).unwrap())
    }))?;
    answered.recv_timeout(Duration::from_secs(60)).map_err(|_| Unavailable::Stopped)?
}

fn new_address(purse: &Purse) -> ScriptBuf {
    ask(purse, |wallet| wallet.new_address(Kind::Taproot).unwrap().script).unwrap()
}

fn pay(purse: &Purse, amount: u64) -> Arc<Transaction> {
    let recipient = Recipient { script: nobody(), amount: Amount::from_sat(amount), subtract_fee: false };
    let options = Options::at(bitcoin::FeeRate::from_sat_per_vb(1).unwrap());
    ask(purse, move |wallet| wallet.pay(&[recipient], &options).unwrap().transaction).unwrap()
}

/// Waits until the standing is as wanted.
fn wait(purse: &Purse, wanted: impl Fn(&WalletStanding) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !wanted(&purse.handle().standing()) {
        assert!(Instant::now() < deadline, "{:?}", purse.handle().standing());
        purse.handle().nudge();
        std::thread::yield_now();
    }
}

#[test]
fn wallet_follows_the_chain_when_it_is_nudged() {
    let (directory, town) = (tempfile::tempdir().unwrap(), Town::default());
    let purse = open(directory.path(), &town);
    let script = new_address(&purse);
    town.mine(&script);
    (0..150).for_each(|_| town.mine(&nobody()));
    wait(&purse, |standing| standing.trusted == 100_000_000 && standing.behind == 0);
    let payment = pay(&purse, 1_000);
    town.with(|world| world.pool.push(Arc::clone(&payment)));
    // A job sees what the mempool had when it came.
    let status = ask(&purse, move |wallet| wallet.transaction(&payment.txid()).unwrap().status).unwrap();
    assert_eq!(status, yap_wallet::Status::Pending);
    purse.stop();
}

#[test]
fn nothing_that_was_answered_is_lost_by_a_kill() {
    let (directory, town) = (tempfile::tempdir().unwrap(), Town::default());
    let purse = open(directory.path(), &town);
    let script = new_address(&purse);
    town.mine(&script);
    (0..100).for_each(|_| town.mine(&nobody()));
    let payment = pay(&purse, 5_000);
    // What a killed process leaves: the files as they are now.
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("wallet")).unwrap();
    for file in ["wallet.log", "wallet.key"] {
        std::fs::copy(directory.path().join("wallet").join(file), copy.path().join("wallet").join(file)).unwrap();
    }
    let again = open(copy.path(), &town);
    let txid = payment.txid();
    let found = ask(&again, move |wallet| (wallet.transaction(&txid).is_some(), wallet.is_mine(&script))).unwrap();
    assert_eq!(found, (true, true));
}

#[test]
fn half_a_record_is_cut_off() {
    let (directory, town) = (tempfile::tempdir().unwrap(), Town::default());
    let script = new_address(&open(directory.path(), &town));
    let log = directory.path().join("wallet/wallet.log");
    let whole = std::fs::read(&log).unwrap();
    std::fs::write(&log, [whole.as_slice(), &[0; 30]].concat()).unwrap();
    let purse = open(directory.path(), &town);
    assert!(ask(&purse, move |wallet| wallet.is_mine(&script)).unwrap());
    drop(purse);
    assert!(std::fs::read(&log).unwrap().starts_with(&whole));
    drop(open(directory.path(), &town));
}

/// What opening the wallet says.
fn reopened(directory: &Path, town: &Town) -> Result<Purse, PurseError> {
    Purse::open(&super::directory(directory), &spec(), Box::new(town.clone()), Box::new(|_| {}))
}

#[test]
fn whole_records_that_are_missing_at_the_end_are_noticed() {
    let (directory, town) = (tempfile::tempdir().unwrap(), Town::default());
    let purse = open(directory.path(), &town);
    let [log, mark] = ["wallet.log", "wallet.mark"].map(|name| directory.path().join("wallet").join(name));
    // Where one record ends and the next begins.
    let mut borders = Vec::new();
    for _ in 0..3 {
        new_address(&purse);
        borders.push(std::fs::metadata(&log).unwrap().len());
    }
    purse.stop();
    let (whole, marked) = (std::fs::read(&log).unwrap(), std::fs::read(&mark).unwrap());
    let all = u64::try_from(whole.len()).unwrap();
    let cut = |length: u64| std::fs::write(&log, &whole[..usize::try_from(length).unwrap()]).unwrap();
    // Also where the last record is not whole: it was, and somebody was told of it.
    for length in [borders[0], borders[1], all - 1] {
        cut(length);
        match reopened(directory.path(), &town) {
            Err(PurseError::Shortened { there, was, .. }) => {
                assert!(there <= length && was == all, "{there} of {was}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(std::fs::metadata(&log).unwrap().len(), length, "nothing is touched");
        assert_eq!(std::fs::read(&mark).unwrap(), marked);
    }
    // The whole file is put back.
    cut(all);
    drop(reopened(directory.path(), &town).unwrap());
    // Or the user goes on with what is left.
    cut(borders[0]);
    std::fs::remove_file(&mark).unwrap();
    new_address(&reopened(directory.path(), &town).unwrap());
    drop(reopened(directory.path(), &town).unwrap());
}

#[test]
fn a_mark_that_a_power_cut_left_behind_stops_nobody() {
    let (directory, town) = (tempfile::tempdir().unwrap(), Town::default());
    let purse = open(directory.path(), &town);
    let mark = directory.path().join("wallet/wallet.mark");
    let older = std::fs::read(&mark).unwrap();
    let script = new_address(&purse);
    purse.stop();
    for left in [older.as_slice(), b"", b"half a ma"] {
        std::fs::write(&mark, left).unwrap();
        let purse = reopened(directory.path(), &town).unwrap();
        let script = script.clone();
        assert!(ask(&purse, move |wallet| wallet.is_mine(&script)).unwrap());
    }
    // The whole log is written anew: the mark of the one before says nothing of it.
    let before = std::fs::read(&mark).unwrap();
    let purse = reopened(directory.path(), &town).unwrap();
    ask(&purse, |wallet| wallet.protect("three stones").unwrap()).unwrap();
    purse.stop();
    std::fs::write(&mark, before).unwrap();
    drop(reopened(directory.path(), &town).unwrap());
}

#[test]
fn wallet_is_never_overwritten() {
    let (directory, town) = (tempfile::tempdir().unwrap(), Town::default());
    drop(open(directory.path(), &town));
    let before = std::fs::read(directory.path().join("wallet/wallet.log")).unwrap();
    let genesis = (0, spec().genesis.block_hash());
    assert!(matches!(
        Purse::create(&super::directory(directory.path()), &spec(), genesis),
        Err(PurseError::Exists { .. })
    ));
    let words = Words::parse(&"abandon ".repeat(11).add_about(), "").unwrap();
    assert!(matches!(
        Purse::restore_words(&super::directory(directory.path()), &spec(), words),
        Err(PurseError::Exists { .. })
    ));
    assert_eq!(std::fs::read(directory.path().join("wallet/wallet.log")).unwrap(), before);
}

trait About {
    fn add_about(self) -> String;
}

impl About for String {
    fn add_about(self) -> String {
        format!("{self}about")
    }
}

#[test]
fn backup_brings_the_wallet_back_elsewhere() {
    let (directory, town) = (tempfile::tempdir().unwrap(), Town::default());
    let purse = open(directory.path(), &town);
    let script = new_address(&purse);
    let backup = ask(&purse, |wallet| wallet.backup()).unwrap();
    let file = directory.path().join("backup");
    write_new(&file, &backup).unwrap();
    assert!(matches!(write_new(&file, &backup), Err(PurseError::Exists { .. })));
    town.mine(&script);
    let elsewhere = tempfile::tempdir().unwrap();
    Purse::restore(&super::directory(elsewhere.path()), &spec(), &file, None).unwrap();
    let again = open(elsewhere.path(), &town);
    wait(&again, |standing| standing.immature == 100_000_000);
    assert!(!again.handle().standing().unsaved);
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, town) = (tempfile::tempdir().unwrap(), Town::default());
    drop(open(directory.path(), &town));
    let mode = |path: &str| std::fs::metadata(directory.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode("wallet"), mode("wallet/wallet.log"), mode("wallet/wallet.key")], [0o700, 0o600, 0o600]);
}

#[test]
fn what_can_t_be_written_is_not_done() {
    let (directory, town) = (tempfile::tempdir().unwrap(), Town::default());
    let purse = open(directory.path(), &town);
    let log = directory.path().join("wallet/wallet.log");
    let aside = directory.path().join("aside");
    // A directory in its place can't be appended to.
    std::fs::rename(&log, &aside).unwrap();
    std::fs::create_dir(&log).unwrap();
    let refused = ask(&purse, |wallet| wallet.new_address(Kind::Taproot).unwrap().script);
    assert!(matches!(refused, Err(Unavailable::NotKept(_))), "{refused:?}");
    drop(purse);
    std::fs::remove_dir(&log).unwrap();
    std::fs::rename(&aside, &log).unwrap();
    assert_eq!(ask(&open(directory.path(), &town), |wallet| wallet.addresses().len()).unwrap(), 0);
}

/// Pays, stops the wallet before anybody submits the payment, and requires that it is offered once at the next start.
fn is_offered_at_the_next_start(age: u64) {
    let (directory, town) = (tempfile::tempdir().unwrap(), Town::default());
    let purse = open(directory.path(), &town);
    let script = new_address(&purse);
    town.mine(&script);
    (0..100).for_each(|_| town.mine(&nobody()));
    let txid = ask(&purse, move |wallet| {
        wallet.set_time(now() - age);
        let recipient = Recipient { script: nobody(), amount: Amount::from_sat(9_000), subtract_fee: false };
        let options = Options::at(bitcoin::FeeRate::from_sat_per_vb(1).unwrap());
        wallet.pay(&[recipient], &options).unwrap().transaction.txid()
    })
    .unwrap();
    purse.stop();
    town.with(|world| world.offered.clear());
    let purse = open(directory.path(), &town);
    let deadline = Instant::now() + Duration::from_secs(60);
    while !town.with(|world| world.offered.contains(&txid)) {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    let times = town.with(|world| world.offered.iter().filter(|offered| **offered == txid).count());
    assert_eq!(times, 1);
    purse.stop();
}

#[test]
fn dropped_payment_is_offered_again_at_the_next_start() {
    is_offered_at_the_next_start(3_600);
}

#[test]
fn payment_that_was_just_made_is_offered_again_at_the_next_start() {
    is_offered_at_the_next_start(0);
}

#[test]
fn jobs_that_wait_are_bounded() {
    let (directory, town) = (tempfile::tempdir().unwrap(), Town::default());
    let purse = open(directory.path(), &town);
    let (go, gate) = bounded::<()>(0);
    let (began, beginning) = bounded(1);
    let hold: WalletJob = Box::new(move |_| {
        began.send(()).unwrap();
        let _ = gate.recv();
        Box::new(|_| {})
    });
    purse.handle().run(hold).unwrap();
    beginning.recv().unwrap();
    let idle = || -> WalletJob { Box::new(|_| Box::new(|_| {})) };
    (0..MAX_JOBS).for_each(|_| purse.handle().run(idle()).unwrap());
    assert_eq!(purse.handle().run(idle()), Err(Unavailable::Busy));
    drop(go);
    purse.stop();
}
