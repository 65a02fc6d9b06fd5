//! The ledger of a peer, without a node.
#![allow(clippy::arithmetic_side_effects, reason = "a test may overflow: it fails")]

use super::*;
use crate::peer::chain;

const NOW: u32 = 1_800_000_000;

fn open(directory: &Path, seed: u64) -> Ledger {
    Ledger::open(Arc::new(chain::built_in()), directory, seed, NOW).unwrap()
}

fn mine(ledger: &mut Ledger, bytes: Option<usize>) -> Arc<Block> {
    let block = Arc::new(ledger.mine(bytes, NOW).unwrap());
    let step = ledger.process(&block, NOW);
    assert_eq!(step.outcome, Processed::Stored);
    assert_eq!(ledger.tip(), block.hash());
    block
}

fn submit(ledger: &mut Ledger, transaction: &Arc<Transaction>) -> Judged {
    ledger.judge(transaction, None, NOW).0.remove(0).1
}

#[test]
fn every_peer_begins_with_the_same_blocks() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [alice, bob] = [open(directories[0].path(), 1), open(directories[1].path(), 2)];
    assert_eq!(alice.height(), FOUNDATION);
    assert_eq!(alice.tip(), bob.tip());
}

#[test]
fn anyone_can_pay_at_once_and_everyone_takes_it() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [mut alice, mut bob] = [open(directories[0].path(), 1), open(directories[1].path(), 2)];
    let mut txids = BTreeSet::new();
    for _ in 0..20 {
        for ledger in [&mut alice, &mut bob] {
            let payment = ledger.pay().unwrap();
            assert_eq!(submit(ledger, &payment), Judged::Accepted);
            txids.insert(payment.txid());
            assert_eq!(ledger.place(&payment.txid()), Some(Place::Pending));
        }
    }
    assert_eq!(txids.len(), 40, "no coin was spent twice");
    let payments: Vec<_> = bob.solo.ledger().pool_by_age().map(|pooled| pooled.transaction).collect();
    for payment in &payments {
        assert_eq!(submit(&mut alice, payment), Judged::Accepted, "the two took different coins");
    }
    let block = mine(&mut alice, None);
    assert_eq!(block.transactions().len(), 41);
    assert_eq!(alice.place(&payments[0].txid()), Some(Place::Confirmed(FOUNDATION + 1)));
    assert_eq!(alice.pending(), 0);
}

#[test]
fn every_coin_is_found_until_none_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = open(directory.path(), 1);
    let mut spent = BTreeSet::new();
    for _ in 0..FUNDING as usize * OUTPUTS[0] {
        assert!(spent.insert(ledger.coin(Use::Pay, &spent).unwrap().outpoint));
    }
    assert_eq!(ledger.coin(Use::Pay, &spent).unwrap_err(), MakeError::NoCoin);
}

#[test]
fn what_was_paid_can_be_paid_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = open(directory.path(), 1);
    let payment = ledger.pay().unwrap();
    assert_eq!(submit(&mut ledger, &payment), Judged::Accepted);
    mine(&mut ledger, None);
    let outpoint = OutPoint { txid: payment.txid(), vout: 1 };
    let output = payment.decoded().output[1].clone();
    let on = Arc::new(ledger.funds.pay(&Coin { outpoint, output }));
    assert_eq!(submit(&mut ledger, &on), Judged::Accepted);
}

#[test]
fn blocks_have_the_size_that_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = open(directory.path(), 1);
    for asked in [1000, 2000, 65_536 + 300, 100_000, 1_000_000, 3_990_000] {
        let payment = ledger.pay().unwrap();
        assert_eq!(submit(&mut ledger, &payment), Judged::Accepted);
        let block = mine(&mut ledger, Some(asked));
        let found = block.bytes().len();
        assert!((asked - 4..=asked).contains(&found), "{found} instead of {asked}");
        assert_eq!(ledger.pending(), 0, "the payment is in it");
    }
}

#[test]
fn the_largest_block_is_valid_and_one_byte_more_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = open(directory.path(), 1);
    let MakeError::Size { most, .. } = ledger.mine(Some(usize::MAX), NOW).unwrap_err() else { panic!("too large") };
    assert!(most > 3_990_000, "{most}");
    let block = mine(&mut ledger, Some(most));
    assert!(block.weight() > MAX_WEIGHT - 8, "{}", block.weight());
    assert!(matches!(ledger.mine(Some(most + 1), NOW), Err(MakeError::Size { asked, .. }) if asked == most + 1));
}

#[test]
fn where_pending_transactions_leave_no_room_they_wait() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = open(directory.path(), 1);
    let MakeError::Size { most, .. } = ledger.mine(Some(usize::MAX), NOW).unwrap_err() else { panic!("too large") };
    let payment = ledger.pay().unwrap();
    assert_eq!(submit(&mut ledger, &payment), Judged::Accepted);
    mine(&mut ledger, Some(most));
    assert_eq!(ledger.place(&payment.txid()), Some(Place::Pending));
}

#[test]
fn blocks_outlive_the_peer_in_whatever_order_they_came() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (mut alice, mut bob) = (open(directories[0].path(), 1), open(directories[1].path(), 2));
    let blocks: Vec<_> = (0..4).map(|_| mine(&mut alice, Some(5000))).collect();
    for block in &blocks {
        assert!(bob.of_node().accept_header(block.header(), NOW).is_ok());
    }
    for index in [3, 0, 2, 1] {
        assert_eq!(bob.process(&blocks[index], NOW).outcome, Processed::Stored);
    }
    assert_eq!(bob.tip(), alice.tip());
    drop((alice, bob));
    for (directory, seed) in directories.iter().zip([1, 2]) {
        let ledger = open(directory.path(), seed);
        assert_eq!((ledger.height(), ledger.tip()), (FOUNDATION + 4, blocks[3].hash()));
        assert_eq!(ledger.read(&blocks[1].hash()).unwrap().bytes(), blocks[1].bytes());
    }
}

#[test]
fn what_is_not_on_disk_is_not_stored() {
    let directory = tempfile::tempdir().unwrap();
    let mut ledger = open(directory.path(), 1);
    let block = Arc::new(ledger.mine(None, NOW).unwrap());
    ledger.journal = Journal::full();
    let step = ledger.process(&block, NOW);
    assert!(step.kept.is_err());
    assert_eq!(step.outcome, Processed::Failed);
}

#[test]
fn lengths_take_their_room() {
    for lacking in 0..200_000 {
        let length = without_length(lacking);
        let head = match length {
            0..0xfd => 0,
            0xfd..0x1_0000 => 2,
            _ => 4,
        };
        assert!((lacking.saturating_sub(4)..=lacking).contains(&(length + head)), "{lacking}: {length}");
    }
}
