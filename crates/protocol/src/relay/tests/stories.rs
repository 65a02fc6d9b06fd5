//! Announcing, asking, giving and pushing.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::{Amount, OutPoint, Sequence, TxIn, Txid, Witness, consensus};
use yap_chain::transaction::Transaction;

use super::desk::{ALICE, BOB, CAROL, Desk, asked, bitcoin, facts, judges, theirs, to};
use crate::fixture;
use crate::io::{Departure, Judged, PoolChange, TipChange};
use crate::message::{Inventory, Message};
use crate::relay::{Config, FEE_CHANGE, Facts, Fault, MAX_OWN, Outcome, Push, TELL_AGAIN, TELL_SPREAD};

/// A transaction with a witness.
fn witnessed(salt: u64) -> Arc<Transaction> {
    let plain = fixture::transaction(salt, 200);
    let mut inner = plain.decoded().clone();
    inner.input = vec![TxIn {
        previous_output: inner.input[0].previous_output,
        sequence: Sequence::MAX,
        witness: Witness::from_slice(&[[7_u8; 64]]),
        ..TxIn::default()
    }];
    Arc::new(Transaction::parse(consensus::serialize(&inner)).unwrap())
}

#[test]
fn an_announced_transaction_is_asked_of_one_peer_and_then_of_the_next() {
    let mut desk = Desk::with_peers();
    let coin = fixture::transaction(1, 250);
    let id = desk.id(&coin);
    assert_eq!(asked(&desk.announce(ALICE, &[Arc::clone(&coin)]), id), [ALICE]);
    assert_eq!(asked(&desk.announce(BOB, &[Arc::clone(&coin)]), id), []);
    assert_eq!(asked(&desk.announce(CAROL, &[Arc::clone(&coin)]), id), []);
    assert_eq!(asked(&desk.millis(249), id), []);
    assert_eq!(asked(&desk.millis(1), id), [BOB]);
    let gone = desk.relay.on_gone(BOB, &[id], desk.now);
    assert_eq!(asked(&gone, id), [CAROL]);
    let outcomes = desk.give(ALICE, &coin);
    assert_eq!(judges(&outcomes).len(), 1);
    assert_eq!(asked(&desk.wait(Duration::from_secs(120)), id), []);
}

#[test]
fn peers_that_we_dialled_and_that_answer_soon_are_asked_first() {
    let mut desk = Desk::new(Config { push_wait: Duration::from_millis(50), ..Config::default() });
    desk.ready(ALICE, Facts { outbound: false, latency: Some(Duration::from_millis(1)), ..facts(ALICE) });
    desk.ready(BOB, Facts { latency: Some(Duration::from_millis(90)), ..facts(BOB) });
    desk.ready(CAROL, facts(CAROL));
    // Somebody is a branch, so that there is a wait in which all of them announce.
    let branch = crate::link::PeerId(4);
    desk.ready(branch, facts(branch));
    assert!(desk.relay.on_push(branch, true).is_empty());
    let coin = fixture::transaction(1, 250);
    let id = desk.id(&coin);
    for peer in [ALICE, BOB, CAROL] {
        assert_eq!(asked(&desk.announce(peer, &[Arc::clone(&coin)]), id), []);
    }
    assert_eq!(asked(&desk.millis(50), id), [CAROL]);
    assert_eq!(asked(&desk.relay.disconnected(CAROL, desk.now), id), [BOB]);
    assert_eq!(asked(&desk.relay.on_gone(BOB, &[id], desk.now), id), [ALICE]);
}

#[test]
fn a_peer_that_leaves_is_replaced_at_once() {
    let mut desk = Desk::with_peers();
    let coin = fixture::transaction(1, 250);
    let id = desk.id(&coin);
    let _ = desk.announce(ALICE, &[Arc::clone(&coin)]);
    let _ = desk.announce(BOB, &[Arc::clone(&coin)]);
    assert_eq!(asked(&desk.relay.disconnected(ALICE, desk.now), id), [BOB]);
    desk.relay.check();
}

#[test]
fn nobody_is_told_what_it_has() {
    let mut desk = Desk::with_peers();
    let coin = fixture::transaction(1, 250);
    let _ = desk.announce(ALICE, &[Arc::clone(&coin)]);
    let _ = desk.give(ALICE, &coin);
    let mut told = desk.accept(&coin);
    assert!(told.contains(&Outcome::Useful(ALICE)));
    assert!(told.contains(&Outcome::Relayed(coin.txid())));
    let _ = desk.announce(BOB, &[Arc::clone(&coin)]);
    told.extend(desk.millis(100));
    assert_eq!(to(&told, ALICE), [Message::Push(true)]);
    assert_eq!(to(&told, BOB), []);
    assert_eq!(to(&told, CAROL), [Message::Announce(vec![theirs(CAROL, &coin)])]);
    // Who was told may ask, and gets it; who was not, asks in vain.
    let wanted = [theirs(CAROL, &coin)];
    let served = desk.relay.on_request(CAROL, &wanted, desk.now, &desk.pool);
    assert_eq!(to(&served, CAROL), [Message::Transaction(Arc::clone(&coin))]);
    let refused = desk.relay.on_request(BOB, &wanted, desk.now, &desk.pool);
    assert_eq!(to(&refused, BOB), [Message::Gone(wanted.to_vec())]);
    let _ = desk.remove(&coin, Departure::Confirmed);
    let late = desk.relay.on_request(CAROL, &wanted, desk.now, &desk.pool);
    assert_eq!(to(&late, CAROL), [Message::Gone(wanted.to_vec())]);
}

#[test]
fn what_is_known_is_not_asked_for() {
    let mut desk = Desk::with_peers();
    let coins: Vec<_> = (0..4).map(|salt| fixture::transaction(salt, 250)).collect();
    let _ = desk.pend(&coins[0], 1_000);
    let _ = desk.give(ALICE, &coins[1]);
    let _ = desk.give(ALICE, &coins[2]);
    let _ = desk.judged(&coins[2], &Judged::Policy { reason: "dust", witness: false });
    let outcomes = desk.announce(BOB, &coins);
    assert_eq!(to(&outcomes, BOB), [Message::Request(vec![desk.id(&coins[3])])]);
}

#[test]
fn branches_get_small_transactions_at_once_and_large_ones_announced() {
    let mut desk = Desk::with_peers();
    assert!(desk.relay.on_push(BOB, true).is_empty());
    let (small, large) = (fixture::transaction(1, 4_100), fixture::transaction(2, 4_300));
    let outcomes = desk.pend(&small, 10_000);
    assert_eq!(to(&outcomes, BOB), [Message::Transaction(Arc::clone(&small))]);
    assert_eq!(to(&outcomes, ALICE), []);
    assert_eq!(to(&desk.millis(20), ALICE), [Message::Announce(vec![theirs(ALICE, &small)])]);
    let mut outcomes = desk.pend(&large, 10_000);
    outcomes.extend(desk.millis(20));
    assert_eq!(to(&outcomes, BOB), [Message::Announce(vec![theirs(BOB, &large)])]);
    // A slow reader is told, not given.
    let _ = desk.relay.congested(BOB, true, desk.now, &desk.pool);
    let mut outcomes = desk.pend(&fixture::transaction(3, 200), 10_000);
    outcomes.extend(desk.millis(20));
    assert!(matches!(to(&outcomes, BOB).as_slice(), [Message::Announce(_)]));
}

#[test]
fn whoever_gives_first_becomes_a_branch_and_who_pushes_copies_stops_being_one() {
    let mut desk = Desk::with_peers();
    for salt in 1..=2 {
        let coin = fixture::transaction(salt, 250);
        let _ = desk.give(ALICE, &coin);
        let outcomes = desk.accept(&coin);
        assert_eq!(to(&outcomes, ALICE).contains(&Message::Push(true)), salt == 1);
        if salt == 1 {
            // BOB says that it wants pushes, too.
            assert!(desk.relay.on_push(BOB, true).is_empty());
        } else {
            assert_eq!(to(&outcomes, BOB), [Message::Transaction(Arc::clone(&coin))]);
        }
        assert_eq!(to(&desk.give(BOB, &coin), BOB), if salt == 2 { vec![Message::Push(false)] } else { vec![] });
    }
    let coin = fixture::transaction(4, 250);
    assert_eq!(to(&desk.pend(&coin, 1_000), BOB), []);
    // The last branch stays, whatever it pushes.
    let outcomes: Vec<Outcome> = (0..5).flat_map(|_| desk.give(ALICE, &coin)).collect();
    assert_eq!(to(&outcomes, ALICE), []);
}

#[test]
fn a_late_answer_is_no_copy_of_a_push() {
    let mut desk = Desk::with_peers();
    assert!(desk.relay.on_push(BOB, true).is_empty());
    let coin = fixture::transaction(1, 250);
    let id = desk.id(&coin);
    let _ = desk.announce(ALICE, &[Arc::clone(&coin)]);
    assert_eq!(asked(&desk.millis(100), id), [ALICE]);
    let _ = desk.give(BOB, &coin);
    let outcomes = desk.give(ALICE, &coin);
    assert_eq!(to(&outcomes, ALICE), []);
    assert_eq!(to(&desk.give(ALICE, &coin), ALICE), [Message::Push(false)]);
}

#[test]
fn old_peers_are_told_in_their_own_words() {
    let mut desk = Desk::new(Config::default());
    desk.ready(ALICE, bitcoin());
    desk.ready(BOB, Facts { wtxid: false, ..bitcoin() });
    let coin = witnessed(1);
    let mut outcomes = desk.pend(&coin, 1_000);
    outcomes.extend(desk.millis(20));
    assert_eq!(to(&outcomes, ALICE), [Message::Inv(vec![Inventory::Wtx(coin.wtxid())])]);
    assert_eq!(to(&outcomes, BOB), [Message::Inv(vec![Inventory::Tx(coin.txid())])]);
    let give = |desk: &mut Desk, peer, item| {
        let outcomes = desk.relay.on_getdata(peer, &[item], desk.now, &desk.pool);
        to(&outcomes, peer)
    };
    assert_eq!(give(&mut desk, ALICE, Inventory::Wtx(coin.wtxid())), [Message::Transaction(Arc::clone(&coin))]);
    assert_eq!(give(&mut desk, BOB, Inventory::WitnessTx(coin.txid())), [Message::Transaction(Arc::clone(&coin))]);
    let [Message::Transaction(bare)] = &give(&mut desk, BOB, Inventory::Tx(coin.txid()))[..] else { panic!("a body") };
    assert!(!bare.has_witness() && bare.txid() == coin.txid());
    let unknown = Inventory::Wtx(witnessed(2).wtxid());
    assert_eq!(give(&mut desk, ALICE, unknown), [Message::NotFound(vec![unknown])]);
    // And the other way.
    let (third, fourth) = (witnessed(3), witnessed(4));
    let outcomes = desk.inv(ALICE, &[Inventory::Wtx(third.wtxid())]);
    assert_eq!(to(&outcomes, ALICE), [Message::GetData(vec![Inventory::Wtx(third.wtxid())])]);
    let outcomes = desk.inv(BOB, &[Inventory::Tx(fourth.txid()), Inventory::Tx(coin.txid())]);
    assert_eq!(to(&outcomes, BOB), [Message::GetData(vec![Inventory::WitnessTx(fourth.txid())])]);
    let _ = desk.inv(ALICE, &[Inventory::Wtx(fourth.wtxid())]);
    let outcomes = desk.relay.on_notfound(BOB, &[Inventory::WitnessTx(fourth.txid())], desk.now);
    assert_eq!(to(&outcomes, BOB), []);
    assert_eq!(judges(&desk.give(ALICE, &fourth)).len(), 1);
    desk.relay.check();
}

#[test]
fn a_bad_witness_does_not_condemn_the_txid() {
    let mut desk = Desk::new(Config::default());
    desk.ready(BOB, Facts { wtxid: false, ..bitcoin() });
    desk.ready(CAROL, facts(CAROL));
    let coin = witnessed(1);
    let _ = desk.give(BOB, &coin);
    let outcomes = desk.judged(&coin, &Judged::Invalid { reason: "bad-witness", witness: true });
    assert!(outcomes.is_empty(), "nobody is at fault: {outcomes:?}");
    assert!(to(&desk.announce(CAROL, &[Arc::clone(&coin)]), CAROL).is_empty());
    let asks = desk.inv(BOB, &[Inventory::Tx(coin.txid())]);
    assert_eq!(to(&asks, BOB), [Message::GetData(vec![Inventory::WitnessTx(coin.txid())])]);
    // A changed chain may make it good.
    let _ = desk.tip(&TipChange::default());
    assert_eq!(to(&desk.announce(CAROL, &[Arc::clone(&coin)]), CAROL).len(), 1);
}

#[test]
fn confirmed_transactions_are_not_asked_for_until_a_block_is_taken_back() {
    let mut desk = Desk::with_peers();
    let coin = fixture::transaction(1, 250);
    let chain = fixture::Chain::new();
    let block = chain.mine(chain.tip, 0, &[Arc::clone(&coin)]);
    let connected = vec![(block.hash(), Some(Arc::clone(&block)))];
    let _ = desk.tip(&TipChange { disconnected: Vec::new(), connected });
    assert!(desk.announce(ALICE, &[Arc::clone(&coin)]).is_empty());
    let _ = desk.tip(&TipChange { disconnected: vec![block.hash()], connected: Vec::new() });
    assert_eq!(to(&desk.announce(BOB, &[Arc::clone(&coin)]), BOB).len(), 1);
}

#[test]
fn nothing_is_asked_for_while_catching_up() {
    let mut desk = Desk::with_peers();
    let outcomes = desk.relay.set_catching_up(true, desk.now, &desk.pool);
    assert_eq!(to(&outcomes, ALICE), [Message::FeeFilter(Amount::MAX_MONEY.to_sat())]);
    let coin = fixture::transaction(1, 250);
    assert!(desk.announce(ALICE, &[Arc::clone(&coin)]).is_empty());
    assert!(judges(&desk.give(ALICE, &coin)).is_empty());
    let outcomes = desk.relay.set_catching_up(false, desk.now, &desk.pool);
    assert!(matches!(to(&outcomes, BOB)[..], [Message::FeeFilter(0), Message::PoolSummary(_)]));
    assert_eq!(to(&outcomes, ALICE).len(), 3, "now it is asked for");
}

#[test]
fn a_link_for_blocks_alone_carries_no_transactions() {
    let mut desk = Desk::new(Config::default());
    let first = desk.ready(ALICE, Facts { announce: false, accept: false, ..facts(ALICE) });
    assert!(first.is_empty());
    let coin = fixture::transaction(1, 250);
    let mut outcomes = desk.pend(&coin, 1_000);
    outcomes.extend(desk.wait(Duration::from_secs(60)));
    assert!(outcomes.is_empty());
    let unwanted = vec![Outcome::Fault(ALICE, Fault::Unwanted)];
    assert_eq!(desk.announce(ALICE, &[Arc::clone(&coin)]), unwanted);
    assert_eq!(desk.inv(ALICE, &[Inventory::Wtx(coin.wtxid())]), unwanted);
    assert_eq!(desk.give(ALICE, &coin), unwanted);
    let blocks = Inventory::Block(bitcoin::hashes::Hash::all_zeros());
    assert!(desk.inv(ALICE, &[blocks]).is_empty(), "blocks are not this machine's");
    let wanted = Inventory::Wtx(coin.wtxid());
    let outcomes = desk.relay.on_getdata(ALICE, &[wanted], desk.now, &desk.pool);
    assert_eq!(to(&outcomes, ALICE), [Message::NotFound(vec![wanted])]);
}

#[test]
fn a_node_for_blocks_alone_tells_of_its_own_only() {
    let mut desk = Desk::new(Config { relay: false, ..Config::default() });
    assert!(desk.ready(ALICE, facts(ALICE)).is_empty());
    let (other, own) = (fixture::transaction(1, 250), fixture::transaction(2, 250));
    let mut outcomes = desk.pend(&other, 1_000);
    outcomes.extend(desk.announce(ALICE, &[fixture::transaction(3, 250)]));
    outcomes.extend(desk.millis(100));
    assert!(outcomes.is_empty());
    assert_eq!(judges(&desk.relay.submit(Arc::clone(&own), desk.now)).len(), 1);
    let mut outcomes = desk.accept(&own);
    outcomes.extend(desk.millis(100));
    assert_eq!(to(&outcomes, ALICE), [Message::Announce(vec![theirs(ALICE, &own)])]);
}

#[test]
fn our_own_transactions_are_told_again_until_somebody_has_them() {
    let mut desk = Desk::with_peers();
    let own = fixture::transaction(1, 250);
    let _ = desk.relay.submit(Arc::clone(&own), desk.now);
    let _ = desk.accept(&own);
    let first = desk.millis(100);
    assert_eq!(to(&first, ALICE).len(), 1);
    let again = desk.wait(TELL_AGAIN + TELL_SPREAD);
    assert!(to(&again, ALICE).contains(&Message::Announce(vec![theirs(ALICE, &own)])));
    let _ = desk.relay.on_request(BOB, &[theirs(BOB, &own)], desk.now, &desk.pool);
    let more = desk.wait((TELL_AGAIN + TELL_SPREAD) * 3);
    assert!(!more.iter().any(|outcome| matches!(outcome, Outcome::Send(_, Message::Announce(_)))));
}

/// What no peer has yet.
fn untaken(desk: &Desk) -> Vec<Txid> {
    desk.relay.untaken().collect()
}

#[test]
fn our_own_is_untaken_until_a_peer_asks_for_it_has_it_or_is_given_it() {
    let [asked, shown, pushed] = [1, 2, 3].map(|salt| fixture::transaction(salt, 250));
    let mut desk = Desk::with_peers();
    for own in [&asked, &shown] {
        let _ = desk.relay.submit(Arc::clone(own), desk.now);
        let _ = desk.accept(own);
    }
    let _ = desk.millis(100);
    let mut both = [asked.txid(), shown.txid()];
    both.sort_unstable();
    let mut told = untaken(&desk);
    told.sort_unstable();
    assert_eq!(told, both, "they were announced, and nobody took them");
    let _ = desk.relay.on_request(BOB, &[theirs(BOB, &asked)], desk.now, &desk.pool);
    assert_eq!(untaken(&desk), [shown.txid()]);
    let _ = desk.announce(ALICE, std::slice::from_ref(&shown));
    assert!(untaken(&desk).is_empty());
    let _ = desk.relay.submit(Arc::clone(&asked), desk.now);
    let _ = desk.judged(&asked, &Judged::Known);
    assert!(untaken(&desk).is_empty(), "who has it does not take it again");
    let mut desk = Desk::new(Config { push: Push::Always, ..Config::default() });
    let _ = desk.relay.submit(Arc::clone(&pushed), desk.now);
    let _ = desk.accept(&pushed);
    assert_eq!(untaken(&desk), [pushed.txid()], "nobody is there");
    let _ = desk.ready(ALICE, facts(ALICE));
    let again = desk.relay.submit(Arc::clone(&pushed), desk.now);
    assert_eq!(judges(&again).len(), 1);
    let _ = desk.judged(&pushed, &Judged::Known);
    let _ = desk.remove(&pushed, Departure::Evicted);
    assert!(untaken(&desk).is_empty(), "what is gone is not waited for");
    let _ = desk.relay.submit(Arc::clone(&pushed), desk.now);
    let outcomes = desk.accept(&pushed);
    assert_eq!(to(&outcomes, ALICE), [Message::Transaction(Arc::clone(&pushed))]);
    assert!(untaken(&desk).is_empty());
}

#[test]
fn what_nobody_took_before_a_restart_is_told_again() {
    let (pending, gone) = (fixture::transaction(1, 250), fixture::transaction(2, 250));
    let mut desk = Desk::with_peers();
    let _ = desk.pend(&pending, 1_000);
    let _ = desk.millis(100);
    let _ = desk.relay.tell_until_taken(&[Arc::clone(&pending), gone], desk.now);
    assert_eq!(untaken(&desk), [pending.txid()], "what does not wait is not told");
    let again = desk.wait(TELL_AGAIN + TELL_SPREAD);
    assert!(to(&again, ALICE).contains(&Message::Announce(vec![theirs(ALICE, &pending)])));
    let all: Vec<_> = (10..10 + MAX_OWN as u64 + 1).map(|salt| fixture::transaction(salt, 250)).collect();
    all.iter().for_each(|one| desk.pool.insert(one, 1_000));
    let _ = desk.relay.pool(&PoolChange { added: all.clone(), removed: Vec::new() }, desk.now, &desk.pool);
    let _ = desk.relay.tell_until_taken(&all[..MAX_OWN - 1], desk.now);
    desk.relay.check();
    assert_eq!(untaken(&desk).len(), MAX_OWN);
    let _ = desk.relay.tell_until_taken(&all, desk.now);
    desk.relay.check();
    assert_eq!(untaken(&desk).len(), MAX_OWN, "there is a bound");
}

#[test]
fn a_pair_of_ours_is_judged_together_and_told() {
    let mut desk = Desk::with_peers();
    let parent = fixture::transaction(1, 250);
    let child = fixture::spend(OutPoint { txid: parent.txid(), vout: 0 }, 250);
    let outcomes = desk.relay.submit_pair(Arc::clone(&child), Arc::clone(&parent), desk.now);
    assert_eq!(judges(&outcomes), [(Arc::clone(&child), Some(Arc::clone(&parent)))]);
    let _ = desk.accept(&parent);
    let _ = desk.accept(&child);
    let told = desk.millis(100);
    let both = [&parent, &child].map(|one| theirs(ALICE, one));
    let announced: Vec<_> = to(&told, ALICE);
    assert!(
        both.iter().all(|id| announced.iter().any(|one| matches!(one, Message::Announce(ids) if ids.contains(id))))
    );
    assert_eq!(untaken(&desk).len(), 2);
    let mut desk = Desk::with_peers();
    let _ = desk.relay.submit_pair(Arc::clone(&child), Arc::clone(&parent), desk.now);
    let _ = desk.judged(&parent, &Judged::LowFee { reason: "min relay fee not met" });
    let _ = desk.judged(&child, &Judged::LowFee { reason: "min relay fee not met" });
    assert!(untaken(&desk).is_empty(), "what is refused is not told");
}

#[test]
fn a_refused_submission_is_not_told() {
    let mut desk = Desk::with_peers();
    let own = fixture::transaction(1, 250);
    let _ = desk.relay.submit(Arc::clone(&own), desk.now);
    let _ = desk.judged(&own, &Judged::Policy { reason: "dust", witness: false });
    let later = desk.wait(Duration::from_secs(3_600));
    assert!(!later.iter().any(|outcome| matches!(outcome, Outcome::Send(_, Message::Announce(_)))));
}

#[test]
fn a_peer_is_not_told_of_what_pays_less_than_it_wants() {
    let mut desk = Desk::with_peers();
    desk.relay.on_feefilter(ALICE, 5_000);
    desk.relay.on_feefilter(BOB, u64::MAX);
    let coin = fixture::transaction(1, 250);
    let mut outcomes = desk.pend(&coin, 1_000);
    outcomes.extend(desk.millis(100));
    assert_eq!(to(&outcomes, ALICE), []);
    assert_eq!(to(&outcomes, BOB).len(), 1, "what is no feerate is passed over");
}

#[test]
fn our_filter_is_told_soon_after_it_changed_much_and_not_more_often() {
    let mut desk = Desk::new(Config::default());
    desk.pool.min_feerate = 1_000;
    let first = to(&desk.ready(ALICE, facts(ALICE)), ALICE);
    let Some(Message::FeeFilter(told)) = first.first() else { panic!("a filter: {first:?}") };
    assert!((900..=1_000).contains(told));
    desk.pool.min_feerate = 5_000;
    let _ = desk.pend(&fixture::transaction(1, 250), 100_000);
    let filters = |outcomes: &[Outcome]| {
        to(outcomes, ALICE).iter().filter(|message| matches!(message, Message::FeeFilter(_))).count()
    };
    assert_eq!(filters(&desk.wait(FEE_CHANGE)), 1);
    let hour = desk.wait(Duration::from_secs(3_600));
    assert!(filters(&hour) <= 12, "at most one in five minutes");
}

#[test]
fn mempool_is_answered_only_if_allowed() {
    for (serve_mempool, answers) in [(false, 0), (true, 1)] {
        let mut desk = Desk::new(Config { serve_mempool, ..Config::default() });
        desk.ready(ALICE, bitcoin());
        let coin = fixture::transaction(1, 250);
        desk.pool.insert(&coin, 1_000);
        desk.relay.load(&desk.pool);
        let _ = desk.relay.on_mempool(ALICE, desk.now);
        let outcomes = desk.wait(Duration::from_secs(10));
        assert_eq!(to(&outcomes, ALICE).len(), answers);
    }
}

#[test]
fn what_a_block_may_still_have_is_kept_for_compact_blocks() {
    let mut desk = Desk::with_peers();
    let (odd, old, mined) = (fixture::transaction(1, 250), fixture::transaction(2, 250), fixture::transaction(3, 250));
    let _ = desk.give(ALICE, &odd);
    let outcomes = desk.judged(&odd, &Judged::Policy { reason: "dust", witness: false });
    assert_eq!(outcomes, [Outcome::Extra(Arc::clone(&odd))]);
    let _ = desk.pend(&old, 1_000);
    let _ = desk.pend(&mined, 1_000);
    assert_eq!(desk.remove(&old, Departure::Replaced), [Outcome::Extra(Arc::clone(&old))]);
    assert!(desk.remove(&mined, Departure::Confirmed).is_empty());
}

#[test]
fn two_spends_of_one_coin_are_two_transactions() {
    // What conflicts is for the judge to say; both are told apart here.
    let mut desk = Desk::with_peers();
    let coin = OutPoint { vout: 3, ..OutPoint::null() };
    let (one, two) = (fixture::spend(coin, 200), fixture::spend(coin, 201));
    let outcomes = desk.announce(ALICE, &[Arc::clone(&one), Arc::clone(&two)]);
    assert_eq!(to(&outcomes, ALICE), [Message::Request(vec![desk.id(&one), desk.id(&two)])]);
}

#[test]
fn what_was_gone_when_a_peer_asked_is_told_again_when_a_block_is_taken_back() {
    for facts in [facts(ALICE), bitcoin()] {
        let mut desk = Desk::new(Config { push: Push::Never, ..Config::default() });
        desk.ready(ALICE, facts);
        let coin = fixture::transaction(1, 200);
        let mut told = to(&desk.pend(&coin, 10_000), ALICE);
        told.extend(to(&desk.millis(1_000), ALICE));
        desk.remove(&coin, Departure::Confirmed);
        let gone = match told.last() {
            Some(Message::Announce(wanted)) => desk.relay.on_request(ALICE, wanted, desk.now, &desk.pool),
            Some(Message::Inv(wanted)) => desk.relay.on_getdata(ALICE, wanted, desk.now, &desk.pool),
            other => panic!("{other:?}"),
        };
        assert!(matches!(to(&gone, ALICE)[..], [Message::Gone(_) | Message::NotFound(_)]));
        let mut again = to(&desk.pend(&coin, 10_000), ALICE);
        again.extend(to(&desk.millis(1_000), ALICE));
        assert_eq!(again.last(), told.last());
    }
}
