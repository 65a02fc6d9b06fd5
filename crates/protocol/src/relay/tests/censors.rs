//! Peers that would keep a transaction from us, and moments at which one could be lost.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::{OutPoint, Witness, consensus};
use yap_chain::transaction::Transaction;

use super::desk::{ALICE, BOB, CAROL, Desk, asked, facts, judges, to};
use crate::fixture;
use crate::io::Judged;
use crate::message::{Inventory, Message, PoolSummary};
use crate::relay::{Facts, MAX_ORPHANS, SYNC_AGAIN};

/// The same transaction with another witness.
fn with_witness(transaction: &Transaction, byte: u8) -> Arc<Transaction> {
    let mut inner = transaction.decoded().clone();
    inner.input[0].witness = Witness::from_slice(&[[byte; 64]]);
    Arc::new(Transaction::parse(consensus::serialize(&inner)).unwrap())
}

fn missing(parent: &Transaction) -> Judged {
    Judged::MissingInputs(vec![OutPoint { txid: parent.txid(), vout: 0 }])
}

const BAD_WITNESS: Judged = Judged::Invalid { reason: "bad-witness", witness: true };
const LOW: Judged = Judged::LowFee { reason: "min relay fee not met" };

/// A parent with a good and with a bad witness, and a child.
fn family(salt: u64) -> [Arc<Transaction>; 3] {
    let parent = fixture::transaction(salt, 250);
    let child = fixture::spend(OutPoint { txid: parent.txid(), vout: 0 }, 250);
    [with_witness(&parent, 1), with_witness(&parent, 2), child]
}

#[test]
fn a_bad_witness_does_not_end_the_search_for_a_parent() {
    let mut desk = Desk::with_peers();
    let [good, bad, child] = family(1);
    let wanted = Message::GetData(vec![Inventory::WitnessTx(good.txid())]);
    let _ = desk.announce(ALICE, &[Arc::clone(&child)]);
    let _ = desk.announce(BOB, &[Arc::clone(&child)]);
    let _ = desk.give(ALICE, &child);
    assert_eq!(to(&desk.judged(&child, &missing(&good)), ALICE), std::slice::from_ref(&wanted));
    // ALICE answers with what can't be valid. While it is judged, nobody else is asked.
    let outcomes = desk.give(ALICE, &bad);
    assert_eq!((judges(&outcomes).len(), to(&outcomes, BOB).len()), (1, 0));
    assert_eq!(to(&desk.judged(&bad, &BAD_WITNESS), BOB), std::slice::from_ref(&wanted));
    // CAROL pushes another, unasked: BOB's answer is still heard.
    let another = with_witness(&good, 3);
    let _ = desk.give(CAROL, &another);
    let _ = desk.judged(&another, &BAD_WITNESS);
    assert_eq!(judges(&desk.give(BOB, &good)), [(Arc::clone(&good), None)]);
    assert_eq!(judges(&desk.accept(&good)), [(child, None)]);
    assert_eq!(desk.relay.requests.next(), None, "nothing is searched for any more");
}

#[test]
fn a_verdict_that_never_comes_does_not_end_the_search() {
    let mut desk = Desk::with_peers();
    let [good, bad, child] = family(1);
    let _ = desk.announce(BOB, &[Arc::clone(&child)]);
    let _ = desk.give(ALICE, &child);
    let _ = desk.judged(&child, &missing(&good));
    let _ = desk.relay.on_notfound(BOB, &[Inventory::WitnessTx(good.txid())], desk.now);
    let _ = desk.announce(CAROL, &[Arc::clone(&child)]);
    let _ = desk.give(ALICE, &bad);
    let wanted = Message::GetData(vec![Inventory::WitnessTx(good.txid())]);
    assert_eq!(to(&desk.wait(Duration::from_secs(3)), CAROL), [wanted]);
}

#[test]
fn a_stuffed_witness_does_not_take_a_parents_place_beside_its_child() {
    let mut desk = Desk::with_peers();
    let [good, stuffed, child] = family(1);
    let _ = desk.give(CAROL, &stuffed);
    let _ = desk.judged(&stuffed, &LOW);
    // The good one is looked at all the same, though it pays too little, too.
    let _ = desk.give(BOB, &good);
    let _ = desk.judged(&good, &LOW);
    let _ = desk.give(ALICE, &child);
    let first = judges(&desk.judged(&child, &missing(&good)));
    let second = judges(&{
        let _ = desk.judged(&first[0].1.clone().unwrap(), &BAD_WITNESS);
        desk.judged(&child, &missing(&good))
    });
    let parents: Vec<_> = [first, second].concat().into_iter().map(|(_, parent)| parent.unwrap()).collect();
    assert_eq!(parents.len(), 2);
    assert!(parents.contains(&good) && parents.contains(&stuffed));
}

#[test]
fn what_is_announced_while_catching_up_is_asked_for_afterwards() {
    let mut desk = Desk::with_peers();
    let [on_its_way, announced, pushed] = [1, 2, 3].map(|salt| fixture::transaction(salt, 250));
    let _ = desk.announce(ALICE, &[Arc::clone(&on_its_way)]);
    let _ = desk.relay.set_catching_up(true, desk.now, &desk.pool);
    let mut outcomes = desk.announce(ALICE, &[Arc::clone(&announced)]);
    outcomes.extend(desk.give(BOB, &pushed));
    assert!(outcomes.is_empty(), "{outcomes:?}");
    // What was asked for before still counts.
    assert_eq!(judges(&desk.give(ALICE, &on_its_way)).len(), 1);
    assert!(judges(&desk.wait(Duration::from_secs(100))).is_empty());
    let outcomes = desk.relay.set_catching_up(false, desk.now, &desk.pool);
    assert_eq!(asked(&outcomes, desk.id(&announced)), [ALICE]);
    assert!(to(&outcomes, BOB).contains(&Message::GetData(vec![Inventory::Wtx(pushed.wtxid())])));
}

#[test]
fn nothing_is_due_while_catching_up() {
    let mut desk = Desk::with_peers();
    let coin = fixture::transaction(1, 250);
    let _ = desk.announce(ALICE, &[Arc::clone(&coin)]);
    let _ = desk.relay.set_catching_up(true, desk.now, &desk.pool);
    desk.now = desk.now.after(Duration::from_secs(1));
    assert!(desk.relay.next_deadline().is_none_or(|at| at > desk.now), "a deadline that is due does something");
}

#[test]
fn peers_that_left_take_no_room_among_orphans() {
    let mut desk = Desk::with_peers();
    let [_, _, honest] = family(1);
    let _ = desk.give(BOB, &honest);
    let parent = fixture::transaction(1, 250);
    let _ = desk.judged(&honest, &missing(&parent));
    for salt in 2..2 * MAX_ORPHANS as u64 {
        let (peer, parent) = (crate::link::PeerId(100 + salt), fixture::transaction(salt, 250));
        let child = fixture::spend(OutPoint { txid: parent.txid(), vout: 0 }, 250);
        desk.ready(peer, Facts { outbound: false, ..facts(peer) });
        let _ = desk.give(peer, &child);
        let _ = desk.relay.disconnected(peer, desk.now);
        let _ = desk.judged(&child, &missing(&parent));
    }
    assert_eq!(desk.relay.orphans.len(), 1, "BOB's alone");
}

#[test]
fn a_summary_that_comes_soon_again_is_put_off_not_lost() {
    let mut desk = Desk::with_peers();
    let empty = PoolSummary { count: 0, sums: vec![0] };
    desk.relay.on_feefilter(ALICE, u64::from(u32::MAX));
    let _ = desk.pend(&fixture::transaction(1, 250), 1_000);
    let _ = desk.relay.on_pool_summary(ALICE, &empty, desk.now);
    assert!(to(&desk.millis(1_000), ALICE).is_empty(), "it wants nothing now");
    // It has caught up.
    desk.relay.on_feefilter(ALICE, 0);
    let _ = desk.relay.on_pool_summary(ALICE, &empty, desk.now);
    assert!(to(&desk.millis(1_000), ALICE).is_empty());
    assert!(matches!(to(&desk.wait(SYNC_AGAIN), ALICE)[..], [Message::Announce(_)]));
}
