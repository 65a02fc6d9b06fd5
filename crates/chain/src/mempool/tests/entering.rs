//! What is taken, and what is not.

use bitcoin::absolute::LockTime;
use bitcoin::{Amount, Sequence};

use super::town::{Town, is_unconfirmed, padded, waiting};
use super::{first, nth};
use crate::fixture;
use crate::mempool::{FeeRate, Limits, Refusal, Verdict, limits};
use crate::transaction::Error;
use crate::verify::Flags;

#[test]
fn a_payment_and_its_child_enter() {
    let mut town = Town::new();
    let coin = town.coin(10_000);
    let parent = town.pay(&[coin], &[9000, 500]);
    assert_eq!(town.pool.missing(&parent).collect::<Vec<_>>(), [&coin]);
    let inserted = town.offer(&parent).unwrap();
    assert_eq!((inserted.entry.fee(), inserted.entry.sequence()), (Amount::from_sat(500), 1));
    assert_eq!((inserted.entry.height(), inserted.entry.time()), (1000, town.now));
    let child = town.pay(&[first(&parent)], &[8000]);
    assert_eq!(town.pool.missing(&child).count(), 0);
    let inserted = town.offer(&child).unwrap();
    assert!(is_unconfirmed(&inserted.entry.spent()[0]));
    assert_eq!(town.pool.relatives(&child.txid()), Some((2, 1)));
    assert_eq!(town.pool.relatives(&parent.txid()), Some((1, 2)));
    assert!(is_unconfirmed(&town.pool.coin(&nth(&parent, 1)).unwrap()));
    assert_eq!(town.pool.coin(&nth(&parent, 2)), None);
    assert_eq!(town.pool.spender(&coin).unwrap().txid(), parent.txid());
}

#[test]
fn the_job_names_the_coins_and_the_rules() {
    let mut town = Town::new();
    let coin = town.coin(10_000);
    let payment = town.pay(&[coin], &[9000]);
    let job = town.check(&payment).unwrap().job();
    assert_eq!(job.transaction.as_slice(), payment.raw().as_slice());
    assert_eq!((&*job.spent, job.flags), (&[town.coins[&coin].clone()][..], Flags::ALL));
}

#[test]
fn nothing_enters_twice() {
    let mut town = Town::new();
    let coin = town.coin(10_000);
    let payment = town.pay(&[coin], &[9000]);
    let again = town.check(&payment).unwrap();
    town.offer(&payment).unwrap();
    assert_eq!(town.check(&payment).unwrap_err(), Refusal::Present);
    assert_eq!(town.pool.insert(again, town.now).unwrap_err(), Refusal::Present);
    let other = town.pay_with(&[coin], &[9000], |tx| tx.input[0].witness.push([1]));
    assert_eq!(other.txid(), payment.txid());
    assert_eq!(town.check(&other).unwrap_err(), Refusal::PresentOtherWitness);
}

#[test]
fn what_breaks_a_rule_is_told_from_what_is_only_not_wanted() {
    let mut town = Town::new();
    let coin = town.coin(10_000);
    let too_much = town.check(&town.pay(&[coin], &[10_001])).unwrap_err();
    assert_eq!((too_much.reason(), too_much.verdict()), ("bad-txns-in-belowout", Verdict::Invalid));
    let twice = town.check(&town.pay(&[coin, coin], &[10_000])).unwrap_err();
    assert_eq!((twice.reason(), twice.verdict()), ("bad-txns-inputs-duplicate", Verdict::Invalid));
    let coinbase = std::sync::Arc::new(fixture::parsed(&fixture::coinbase(5, &[1])));
    let coinbase = town.check(&coinbase).unwrap_err();
    assert_eq!((coinbase.reason(), coinbase.verdict()), ("coinbase", Verdict::Invalid));
    let young = town.coin_at(10_000, 902, true);
    let young = town.check(&town.pay(&[young], &[9000])).unwrap_err();
    assert!(matches!(young, Refusal::Invalid(Error::Immature { depth: 99, .. })));
    assert_eq!((young.reason(), young.verdict()), ("bad-txns-premature-spend-of-coinbase", Verdict::Policy));
    let ripe = town.coin_at(10_000, 901, true);
    town.offer(&town.pay(&[ripe], &[9000])).unwrap();
}

#[test]
fn an_orphan_names_what_it_misses() {
    let mut town = Town::new();
    let (known, unknown) = (town.coin(10_000), fixture::outpoint(999));
    let orphan = town.pay(&[known, unknown], &[9000]);
    let refusal = town.check(&orphan).unwrap_err();
    assert_eq!(refusal, Refusal::MissingInputs([unknown].into()));
    assert_eq!((refusal.reason(), refusal.verdict()), ("bad-txns-inputs-missingorspent", Verdict::MissingParents));
    // An output that a transaction of the pool does not have is missing, and nobody need look for it.
    let parent = town.pay(&[known], &[9000]);
    town.offer(&parent).unwrap();
    let strange = town.pay(&[nth(&parent, 1)], &[8000]);
    assert_eq!(town.pool.missing(&strange).count(), 0);
    assert_eq!(town.check(&strange).unwrap_err(), Refusal::MissingInputs([nth(&parent, 1)].into()));
}

#[test]
fn what_a_block_has_is_not_an_orphan() {
    let mut town = Town::new();
    let coin = town.coin(10_000);
    let payment = town.pay(&[coin], &[9000]);
    town.mine(std::slice::from_ref(&payment));
    let refusal = town.check(&payment).unwrap_err();
    assert_eq!((refusal.reason(), refusal.verdict()), ("txn-already-known", Verdict::Known));
}

#[test]
fn locked_payments_wait_outside() {
    let mut town = Town::new();
    let coin = town.coin(10_000);
    let until = |height| {
        move |tx: &mut bitcoin::Transaction| {
            tx.lock_time = LockTime::from_consensus(height);
            tx.input[0].sequence = Sequence::ENABLE_LOCKTIME_NO_RBF;
        }
    };
    // The next block is 1001: it may have what is locked until 1000.
    let late = town.check(&town.pay_with(&[coin], &[9000], until(1001))).unwrap_err();
    assert_eq!((late.reason(), late), ("non-final", Refusal::NonFinal { lock_time: 1001 }));
    town.check(&town.pay_with(&[coin], &[9000], until(1000))).unwrap();
    // Made in block 500, so 501 blocks old in the next.
    let young = town.check(&town.pay_with(&[coin], &[9000], waiting(502))).unwrap_err();
    assert_eq!((young.reason(), young), ("non-BIP68-final", Refusal::NonFinalInput { input: 0, sequence: 502 }));
    let parent = town.pay_with(&[coin], &[9000], waiting(501));
    town.offer(&parent).unwrap();
    // What the pool makes is as if it were in the next block.
    town.check(&town.pay_with(&[first(&parent)], &[8000], waiting(1))).unwrap_err();
    town.check(&town.pay_with(&[first(&parent)], &[8000], waiting(0))).unwrap();
}

#[test]
fn a_payment_must_pay_for_its_way() {
    let mut town = Town::new();
    let coin = town.coin(10_000);
    // 61 virtual bytes at 100 satoshi for 1,000: 6.1 satoshi.
    let refusal = town.check(&town.pay(&[coin], &[9994])).unwrap_err();
    assert_eq!(refusal, Refusal::RelayFee { fee: 6, least: 7 });
    assert_eq!((refusal.reason(), refusal.verdict()), ("min relay fee not met", Verdict::Reconsiderable));
    town.offer(&town.pay(&[coin], &[9993])).unwrap();
    assert_eq!(town.pool.min_feerate(town.now), FeeRate::from_sat_per_kvb(100));
}

#[test]
fn an_operator_may_favour_a_payment_or_not() {
    let mut town = Town::new();
    let (rich, poor) = (town.coin(10_000), town.coin(10_000));
    let (rich, poor) = (town.pay(&[rich], &[9000]), town.pay(&[poor], &[10_000]));
    assert_eq!(town.pool.prioritise(poor.txid(), 7), Some(7));
    town.offer(&poor).unwrap();
    town.offer(&rich).unwrap();
    assert_eq!(town.pool.by_feerate().next().unwrap().txid(), rich.txid());
    assert_eq!(town.pool.prioritise(poor.txid(), 2000), Some(2007));
    super::audit::sound(&town.pool);
    assert_eq!(town.pool.by_feerate().next().unwrap().txid(), poor.txid());
    assert_eq!(town.pool.fees(), Amount::from_sat(1000));
    assert_eq!(town.pool.prioritise(poor.txid(), -2007), Some(0));
    assert!(town.pool.priorities().is_empty());
    super::audit::sound(&town.pool);
}

#[test]
fn signature_operations_make_a_payment_larger() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let sigops = |count: usize| {
        move |tx: &mut bitcoin::Transaction| {
            tx.output[0].script_pubkey = [vec![0x6a], vec![0xac; count]].concat().into();
        }
    };
    // Each outside of a witness costs 4, and counts for 80 weight units or 20 virtual bytes.
    let heavy = town.check(&town.pay_with(&[coin], &[90_000], sigops(100))).unwrap();
    assert_eq!(heavy.vsize(), 2000);
    let most = limits::SIGOPS_COST / 4;
    town.check(&town.pay_with(&[coin], &[50_000], sigops(most))).unwrap();
    let refusal = town.check(&town.pay_with(&[coin], &[50_000], sigops(most + 1))).unwrap_err();
    assert_eq!((refusal.reason(), refusal), ("bad-txns-too-many-sigops", Refusal::Sigops { cost: 16_004 }));
}

#[test]
fn whoever_pays_has_no_dust() {
    let mut town = Town::new();
    let (a, b) = (town.coin(100_000), town.coin(100_000));
    // Spending an output with a script of one byte costs 474 satoshi at the price of dust.
    town.offer(&town.pay(&[a], &[50_000, 474])).unwrap();
    let refusal = town.check(&town.pay(&[b], &[50_000, 473])).unwrap_err();
    assert_eq!((refusal.reason(), refusal), ("dust", Refusal::PaidDust { vout: 1, fee: 49_527 }));
    // What the operator adds counts as well, and what comes back out of a block is no exception (as in Core).
    let free = town.pay(&[b], &[99_900, 100]);
    town.pool.prioritise(free.txid(), 1000).unwrap();
    assert_eq!(town.check(&free).unwrap_err(), Refusal::PaidDust { vout: 1, fee: 1000 });
    assert!(matches!(town.offer_returned(&free), Err(Refusal::PaidDust { .. })));
}

#[test]
fn dust_must_go_with_the_child() {
    let mut town = Town::with(Limits { relay: FeeRate::ZERO, ..Limits::default() });
    let coin = town.coin(100_000);
    let parent = town.pay(&[coin], &[99_053, 473, 474]);
    town.offer(&parent).unwrap();
    let refusal = town.check(&town.pay(&[first(&parent)], &[40_000])).unwrap_err();
    assert_eq!((refusal.reason(), refusal), ("missing-ephemeral-spends", Refusal::UnspentDust(parent.txid())));
    town.offer(&town.pay(&[first(&parent), nth(&parent, 1)], &[40_000])).unwrap();
}

#[test]
fn a_candidate_is_judged_again_when_it_enters() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let parent = town.pay(&[coin], &[90_000]);
    town.offer(&parent).unwrap();
    let child = town.check(&town.pay(&[first(&parent)], &[80_000])).unwrap();
    let sibling = town.check(&town.pay(&[first(&parent)], &[79_999])).unwrap();
    // A richer sibling came first: the child no longer pays enough.
    town.offer(&town.pay(&[first(&parent)], &[70_000])).unwrap();
    assert!(matches!(town.pool.insert(child.clone(), town.now), Err(Refusal::ReplacementFee { .. })));
    // The parent was replaced: the child has nothing to spend.
    town.offer(&town.pay(&[coin], &[50_000])).unwrap();
    assert!(matches!(town.pool.insert(child.clone(), town.now), Err(Refusal::MissingInputs(_))));
    // A block came: nothing is known any more.
    town.mine(&[]);
    assert_eq!(town.pool.insert(sibling, town.now).unwrap_err(), Refusal::Stale);
    assert_eq!(Refusal::Stale.verdict(), Verdict::Again);
}

#[test]
fn own_payments_are_remembered_until_a_peer_asks() {
    let mut town = Town::new();
    let (a, b) = (town.coin(10_000), town.coin(10_000));
    let (a, b) = (town.pay(&[a], &[9000]), town.pay(&[b], &[9000]));
    town.pool.mark_unbroadcast(a.txid());
    assert!(town.pool.unbroadcast().is_empty(), "it is not there yet");
    town.offer(&a).unwrap();
    town.offer(&b).unwrap();
    town.pool.mark_unbroadcast(a.txid());
    town.pool.mark_unbroadcast(b.txid());
    town.pool.mark_broadcast(&a.txid());
    assert!(town.pool.unbroadcast().iter().eq([&b.txid()]));
    town.pool.set_unbroadcast([a.txid(), bitcoin::OutPoint::null().txid]);
    assert!(town.pool.unbroadcast().iter().eq([&a.txid()]), "what is not there is passed over");
    town.pool.set_unbroadcast([b.txid()]);
    town.mine(&[b]);
    assert!(town.pool.unbroadcast().is_empty());
}

#[test]
fn a_transaction_of_a_block_does_not_keep_the_block() {
    let mut town = Town::new();
    let coin = town.coin(10_000);
    let payment = town.pay_with(&[coin], &[9000], padded(50));
    let block = fixture::block(&[fixture::coinbase(1, &[1]), payment.decoded().clone()]);
    let of_block = std::sync::Arc::new(block.transactions()[1].clone());
    town.offer(&of_block).unwrap();
    let kept = town.pool.get(&payment.wtxid()).unwrap().transaction();
    assert_eq!((kept.as_ref(), kept.raw().as_slice()), (payment.as_ref(), payment.raw().as_slice()));
}
