use bitcoin::Amount;

use super::town::*;
use crate::{Balance, FollowError, Kind, MAX_NOTICES, RECENT, Status};

#[test]
fn payment_is_seen_pending_and_then_confirmed() {
    let (mut alice, mut town) = (wallet(1), Town::new());
    let script = address(&mut alice, Kind::Taproot);
    let payment = gift(1, &[(nobody(), 1), (script, 5_000)]);
    assert!(alice.pending(&payment, NOW));
    assert_eq!(alice.balance().pending.to_sat(), 5_000);
    assert_eq!(alice.transaction(&payment.txid()).unwrap().status, Status::Pending);
    let block = town.mine(&nobody(), &[payment.clone()]);
    town.sync(&mut alice);
    assert_eq!(alice.balance(), Balance { trusted: Amount::from_sat(5_000), ..Balance::default() });
    let entry = alice.transaction(&payment.txid()).unwrap();
    let Status::Confirmed(at) = entry.status else { panic!("{:?}", entry.status) };
    assert_eq!((at.height, at.hash, at.index), (1, block.hash(), 1));
    assert_eq!((entry.amount.to_sat(), entry.fee, entry.from_me), (5_000, None, false));
    let told: Vec<_> = alice.take_notices().into_iter().map(|notice| (notice.amount, notice.height)).collect();
    assert_eq!(told, [(5_000, None), (5_000, Some(1))]);
}

#[test]
fn stranger_is_not_noticed() {
    let mut alice = wallet(1);
    assert!(!alice.pending(&gift(1, &[(nobody(), 1_000)]), NOW));
    assert_eq!(alice.transactions(), 0);
}

#[test]
fn reorganised_payment_waits_until_it_is_mined_again() {
    let (mut alice, mut town) = (wallet(1), Town::new());
    town.mine_empty(5);
    let script = address(&mut alice, Kind::Segwit);
    let payment = gift(1, &[(script, 5_000)]);
    town.mine(&nobody(), &[payment.clone()]);
    town.sync(&mut alice);
    town.rewind(4);
    town.mine_empty(3);
    town.sync(&mut alice);
    assert_eq!(alice.tip(), (7, town.tip()));
    assert_eq!(alice.balance(), Balance::default());
    assert_eq!(alice.transaction(&payment.txid()).unwrap().status, Status::Dropped);
    alice.pending(&payment, NOW);
    assert_eq!(alice.balance().pending.to_sat(), 5_000);
    town.mine(&nobody(), &[payment.clone()]);
    town.sync(&mut alice);
    assert_eq!(alice.balance().trusted.to_sat(), 5_000);
}

#[test]
fn double_spend_in_a_block_beats_the_pending_payment_and_its_children() {
    let (mut alice, mut town) = funded(1, &[100_000]);
    let coin = alice.unspent()[0].outpoint;
    let payment = alice.pay(&[pay_nobody(50_000)], &usual()).unwrap();
    alice.pending(&payment.transaction, NOW);
    let child = alice.pay(&[pay_nobody(10_000)], &usual()).unwrap();
    alice.pending(&child.transaction, NOW);
    // The same words in another place spent the coin meanwhile.
    let rival = from(&[coin], &[(nobody(), 99_000)]);
    town.mine(&nobody(), &[rival.clone()]);
    town.sync(&mut alice);
    assert_eq!(alice.balance(), Balance::default());
    for lost in [payment.transaction.txid(), child.transaction.txid()] {
        assert!(matches!(alice.transaction(&lost).unwrap().status, Status::Conflicted { .. }));
    }
    // On a branch without it, both are there again.
    town.rewind(1);
    town.mine(&nobody(), &[payment.transaction.clone(), child.transaction.clone()]);
    town.mine_empty(1);
    town.sync(&mut alice);
    let left = 100_000 - 50_000 - 10_000 - payment.fee.to_sat() - child.fee.to_sat();
    assert_eq!(alice.balance().trusted.to_sat(), left);
    assert!(matches!(alice.transaction(&rival.txid()).unwrap().status, Status::Conflicted { .. }));
}

#[test]
fn strangers_double_spend_of_a_payment_to_us_is_told() {
    let (mut alice, mut town) = (wallet(1), Town::new());
    let script = address(&mut alice, Kind::Taproot);
    let payment = gift(1, &[(script, 5_000)]);
    alice.pending(&payment, NOW);
    let rival = from(&[payment.decoded().input[0].previous_output], &[(nobody(), 4_000)]);
    town.mine(&nobody(), &[rival.clone()]);
    town.sync(&mut alice);
    let status = alice.transaction(&payment.txid()).unwrap().status;
    assert_eq!(status, Status::Conflicted { by: rival.txid(), height: 1 });
    assert_eq!(alice.balance(), Balance::default());
}

#[test]
fn mined_coins_can_be_spent_after_a_hundred_blocks() {
    let (mut alice, mut town) = (wallet(1), Town::new());
    let script = alice.payout().unwrap();
    town.mine(&script, &[]);
    assert_eq!(alice.payout(), Some(script.clone()));
    town.mine_empty(99);
    town.sync(&mut alice);
    assert_ne!(alice.payout(), Some(script), "the next block pays another script");
    assert_eq!(alice.balance(), Balance { immature: REWARD, ..Balance::default() });
    town.mine_empty(1);
    town.sync(&mut alice);
    assert_eq!(alice.balance(), Balance { trusted: REWARD, ..Balance::default() });
    alice.pay(&[pay_nobody(1_000)], &usual()).unwrap();
}

#[test]
fn coinbase_of_a_lost_branch_is_gone() {
    let (mut alice, mut town) = (wallet(1), Town::new());
    let script = alice.payout().unwrap();
    town.mine_empty(1);
    let block = town.mine(&script, &[]);
    town.sync(&mut alice);
    town.rewind(1);
    town.mine_empty(2);
    town.sync(&mut alice);
    assert_eq!(alice.balance(), Balance::default());
    assert_eq!(alice.transaction(&block.transactions()[0].txid()).unwrap().status, Status::Abandoned);
    // And there again if its branch wins.
    town.rewind(1);
    town.blocks.push(block);
    town.mine_empty(3);
    town.sync(&mut alice);
    assert_eq!(alice.balance().immature, REWARD);
}

#[test]
fn payment_made_alone_is_isolated_until_a_peer_comes() {
    let (mut alice, _) = funded(1, &[100_000]);
    alice.set_alone(true);
    let payment = alice.pay(&[pay_nobody(50_000)], &usual()).unwrap();
    let txid = payment.transaction.txid();
    alice.pending(&payment.transaction, NOW);
    assert_eq!(alice.transaction(&txid).unwrap().status, Status::Isolated);
    alice.set_alone(false);
    alice.set_alone(true);
    assert_eq!(alice.transaction(&txid).unwrap().status, Status::Pending, "somebody heard of it");
}

#[test]
fn dropped_payment_is_offered_again_and_its_coins_stay_spent() {
    let (mut alice, mut town) = funded(1, &[100_000]);
    let payment = alice.pay(&[pay_nobody(50_000)], &usual()).unwrap();
    alice.pending(&payment.transaction, NOW);
    assert!(alice.waiting().is_empty());
    alice.pool_is(&|_| false);
    assert_eq!(alice.transaction(&payment.transaction.txid()).unwrap().status, Status::Dropped);
    assert_eq!(alice.waiting(), [payment.transaction.clone()]);
    assert_eq!(alice.balance(), Balance::default());
    alice.pool_is(&|_| true);
    assert!(alice.waiting().is_empty());
    town.mine(&nobody(), &[payment.transaction]);
    town.sync(&mut alice);
    assert!(alice.waiting().is_empty());
}

#[test]
fn block_that_does_not_follow_is_refused() {
    let (mut alice, mut town) = (wallet(1), Town::new());
    town.mine_empty(2);
    let second = &town.blocks[1];
    assert!(matches!(alice.connect(second), Err(FollowError::NotNext { height: 0, .. })));
    assert!(matches!(alice.scan(second), Err(FollowError::NotScanned { .. })));
}

#[test]
fn words_find_every_coin_again() {
    let spec = spec();
    let (mut old, mut town) = (restored(&spec, ABANDON), Town::new());
    for kind in [Kind::Taproot, Kind::Segwit, Kind::Legacy] {
        for _ in 0..30 {
            let script = address(&mut old, kind);
            town.mine(&nobody(), &[]);
            town.mine(&script, &[]);
        }
    }
    town.mine_empty(100);
    town.sync(&mut old);
    let payment = old.pay(&[pay_nobody(2_500_000)], &usual()).unwrap();
    town.mine(&nobody(), &[payment.transaction]);
    town.sync(&mut old);
    let mut new = restored(&spec, ABANDON);
    town.sync(&mut new);
    assert_eq!(new.balance(), old.balance());
    assert_eq!(new.unspent(), old.unspent());
    assert_eq!(new.transactions(), old.transactions());
    // And goes on where the other was.
    let next = |wallet: &mut crate::Wallet| wallet.new_address(Kind::Taproot).unwrap().address;
    assert_eq!(next(&mut new), next(&mut old));
}

#[test]
fn rescan_finds_what_was_paid_to_a_copy_of_the_wallet() {
    let (mut alice, mut town) = (wallet(1), Town::new());
    let mut file = File::default();
    file.keep(&mut alice);
    let mut copy = file.open();
    // Further than a new wallet looks ahead.
    let far = (0..200).map(|_| address(&mut copy, Kind::Taproot)).last().unwrap();
    town.mine(&far, &[]);
    town.mine_empty(10);
    town.sync(&mut alice);
    assert_eq!(alice.balance(), Balance::default());
    alice.rescan(0);
    while let Some((height, _)) = alice.rescanning() {
        alice.scan(&town.blocks[usize::try_from(height).unwrap()]).unwrap();
    }
    assert_eq!(alice.balance().immature, REWARD);
    assert_eq!(alice.tip(), (11, town.tip()));
}

#[test]
fn two_payments_in_one_block_far_apart_are_both_found() {
    // The first is to an address that is watched only because of the second.
    let spec = spec();
    let mut source = restored(&spec, ABANDON);
    let scripts: Vec<_> = (0..1_000).map(|_| address(&mut source, Kind::Segwit)).collect();
    let near = scripts[999].clone();
    let mut town = Town::new();
    town.mine(&near, &[]);
    town.sync(&mut source);
    let far = (0..1_000).map(|_| address(&mut source, Kind::Segwit)).last().unwrap();
    let mut town = Town::new();
    town.mine(&nobody(), &[gift(1, &[(far, 1_000)]), gift(2, &[(near, 2_000)])]);
    let mut found = restored(&spec, ABANDON);
    town.sync(&mut found);
    assert_eq!(found.balance().trusted.to_sat(), 3_000);
}

#[test]
fn fork_is_found_however_deep_it_is() {
    let (mut alice, mut town) = (wallet(1), Town::new());
    let script = address(&mut alice, Kind::Taproot);
    town.mine(&nobody(), &[gift(1, &[(script.clone(), 1_000)])]);
    town.mine_empty(2 * RECENT + 500);
    town.sync(&mut alice);
    assert!(alice.checkpoints().count() <= usize::try_from(RECENT + 3).unwrap());
    town.rewind(700);
    town.mine(&nobody(), &[gift(2, &[(script, 500)])]);
    town.mine_empty(2 * RECENT + 1);
    town.sync(&mut alice);
    assert_eq!(alice.tip(), (town.height(), town.tip()));
    assert_eq!(alice.balance().trusted.to_sat(), 1_500);
}

#[test]
fn new_wallet_skips_what_was_before_it() {
    let (mut alice, mut town) = (wallet(1), Town::new());
    town.mine_empty(50);
    let hash = town.blocks[39].hash();
    assert!(alice.skip_to(40, hash));
    assert!(!alice.skip_to(45, hash), "once");
    town.sync(&mut alice);
    assert_eq!(alice.tip(), (50, town.tip()));
    let mut old = restored(&spec(), ABANDON);
    assert!(!old.skip_to(40, hash), "these words may have been paid then");
}

#[test]
fn notices_that_nobody_takes_are_bounded() {
    let (mut alice, mut town) = (wallet(1), Town::new());
    let script = address(&mut alice, Kind::Taproot);
    let gifts: Vec<_> =
        (0..=u32::try_from(MAX_NOTICES).unwrap()).map(|n| gift(n, &[(script.clone(), 1_000)])).collect();
    town.mine(&nobody(), &gifts);
    town.sync(&mut alice);
    let notices = alice.take_notices();
    assert_eq!(notices.len(), MAX_NOTICES);
    assert_eq!(notices[0].txid, gifts[1].txid());
}
