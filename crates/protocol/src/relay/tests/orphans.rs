//! Children that come before their parents.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::OutPoint;
use yap_chain::transaction::Transaction;

use super::desk::{ALICE, BOB, CAROL, Desk, judges, to};
use crate::fixture;
use crate::io::{Judged, TipChange};
use crate::link::PeerId;
use crate::message::{Inventory, Message};
use crate::relay::{EXPIRY, MAX_ORPHAN_WEIGHT, MAX_ORPHANS, MAX_PARENTS};

fn child(parent: &Transaction, size: usize) -> Arc<Transaction> {
    fixture::spend(OutPoint { txid: parent.txid(), vout: 0 }, size)
}

fn missing(parent: &Transaction) -> Judged {
    Judged::MissingInputs(vec![OutPoint { txid: parent.txid(), vout: 0 }])
}

/// `peer` gives a child whose parent nobody knows.
fn orphan(desk: &mut Desk, peer: PeerId, salt: u64) -> (Arc<Transaction>, Arc<Transaction>) {
    let parent = fixture::transaction(salt, 250);
    let child = child(&parent, 250);
    let _ = desk.give(peer, &child);
    let _ = desk.judged(&child, &missing(&parent));
    (parent, child)
}

#[test]
fn parents_are_asked_of_those_who_have_the_child() {
    let mut desk = Desk::with_peers();
    let parent = fixture::transaction(1, 250);
    let child = child(&parent, 250);
    let _ = desk.announce(ALICE, &[Arc::clone(&child)]);
    let _ = desk.announce(BOB, &[Arc::clone(&child)]);
    let _ = desk.give(ALICE, &child);
    let wanted = Inventory::WitnessTx(parent.txid());
    let outcomes = desk.judged(&child, &missing(&parent));
    assert_eq!(to(&outcomes, ALICE), [Message::GetData(vec![wanted])]);
    // CAROL has the child, too; BOB is next, then she.
    assert!(desk.announce(CAROL, &[Arc::clone(&child)]).is_empty());
    let outcomes = desk.relay.on_notfound(ALICE, &[wanted], desk.now);
    assert_eq!(to(&outcomes, BOB), [Message::GetData(vec![wanted])]);
    let outcomes = desk.relay.on_notfound(BOB, &[wanted], desk.now);
    assert_eq!(to(&outcomes, CAROL), [Message::GetData(vec![wanted])]);
    let _ = desk.give(CAROL, &parent);
    let again = desk.accept(&parent);
    assert_eq!(judges(&again), [(Arc::clone(&child), None)]);
    let _ = desk.accept(&child);
    assert_eq!(desk.relay.orphans.len(), 0);
}

#[test]
fn a_parent_that_pays_too_little_is_judged_with_its_child() {
    let low = Judged::LowFee { reason: "min relay fee not met" };
    // The child first.
    let mut desk = Desk::with_peers();
    let (parent, child) = orphan(&mut desk, ALICE, 1);
    let _ = desk.give(ALICE, &parent);
    let outcomes = desk.judged(&parent, &low);
    assert_eq!(judges(&outcomes), [(Arc::clone(&child), Some(Arc::clone(&parent)))]);
    let _ = desk.accept(&parent);
    let _ = desk.accept(&child);
    assert_eq!(desk.relay.orphans.len(), 0);
    // The parent first.
    let mut desk = Desk::with_peers();
    let _ = desk.give(ALICE, &parent);
    let _ = desk.judged(&parent, &low);
    let _ = desk.give(BOB, &child);
    let outcomes = desk.judged(&child, &missing(&parent));
    assert_eq!(judges(&outcomes), [(Arc::clone(&child), Some(Arc::clone(&parent)))]);
    // Not twice, until the chain changes.
    let _ = desk.judged(&parent, &low);
    let outcomes = desk.judged(&child, &missing(&parent));
    assert!(judges(&outcomes).is_empty());
}

#[test]
fn a_child_of_a_refused_parent_is_refused() {
    let mut desk = Desk::with_peers();
    let parent = fixture::transaction(1, 250);
    let child = child(&parent, 250);
    let _ = desk.give(ALICE, &parent);
    let _ = desk.judged(&parent, &Judged::Invalid { reason: "bad-txns", witness: false });
    let _ = desk.give(ALICE, &child);
    assert!(desk.judged(&child, &missing(&parent)).is_empty());
    assert_eq!(desk.relay.orphans.len(), 0);
    assert!(desk.announce(BOB, &[child]).is_empty());
}

#[test]
fn a_flood_of_orphans_takes_room_from_the_flooder_alone() {
    let mut desk = Desk::with_peers();
    let honest: Vec<_> = (0..5).map(|salt| orphan(&mut desk, BOB, salt).1).collect();
    for salt in 100..100 + MAX_ORPHANS as u64 {
        orphan(&mut desk, ALICE, salt);
        assert!(desk.relay.orphans.len() <= MAX_ORPHANS);
    }
    assert_eq!(desk.relay.orphans.len(), MAX_ORPHANS);
    let kept = |desk: &Desk, child: &Transaction| desk.relay.orphans.get(desk.relay.ids(child).0).is_some();
    assert!(honest.iter().all(|child| kept(&desk, child)));
    let _ = desk.relay.disconnected(ALICE, desk.now);
    assert_eq!(desk.relay.orphans.len(), honest.len());
}

#[test]
fn orphans_are_bounded_in_weight_and_parents() {
    let mut desk = Desk::with_peers();
    let parent = fixture::transaction(1, 250);
    let fits = child(&parent, MAX_ORPHAN_WEIGHT / 4 - 10);
    let heavy = child(&parent, MAX_ORPHAN_WEIGHT / 4 + 10);
    for (transaction, count) in [(&heavy, 0), (&fits, 1)] {
        let _ = desk.give(ALICE, transaction);
        let _ = desk.judged(transaction, &missing(&parent));
        assert_eq!(desk.relay.orphans.len(), count);
    }
    for size in 0..11 {
        let large = child(&fixture::transaction(2, 250), MAX_ORPHAN_WEIGHT / 4 - 20 - size);
        let _ = desk.give(ALICE, &large);
        let _ = desk.judged(&large, &missing(&parent));
    }
    assert_eq!(desk.relay.orphans.len(), 10, "ten of the largest fit");
    for (parents, kept) in [(MAX_PARENTS, true), (MAX_PARENTS + 1, false)] {
        let mut desk = Desk::with_peers();
        let _ = desk.give(ALICE, &fits);
        let outpoints =
            (0..parents as u64).map(|salt| OutPoint { txid: fixture::transaction(salt, 99).txid(), vout: 0 });
        let outcomes = desk.judged(&fits, &Judged::MissingInputs(outpoints.collect()));
        assert_eq!(outcomes.is_empty(), !kept);
        assert_eq!(desk.relay.orphans.len(), usize::from(kept));
    }
}

#[test]
fn orphans_do_not_wait_for_ever() {
    let mut desk = Desk::with_peers();
    orphan(&mut desk, ALICE, 1);
    let _ = desk.wait(EXPIRY.saturating_sub(Duration::from_secs(1)));
    assert_eq!(desk.relay.orphans.len(), 1);
    let _ = desk.wait(Duration::from_secs(1));
    assert_eq!(desk.relay.orphans.len(), 0);
}

#[test]
fn a_block_takes_orphans_away_or_lets_them_in() {
    let mut desk = Desk::with_peers();
    let (_, mined) = orphan(&mut desk, ALICE, 1);
    let (rival_parent, _) = orphan(&mut desk, ALICE, 2);
    let (parent, waiting) = orphan(&mut desk, ALICE, 3);
    let rival = child(&rival_parent, 300);
    let chain = fixture::Chain::new();
    let block = chain.mine(chain.tip, 0, &[mined, rival, parent]);
    let connected = vec![(block.hash(), Some(block))];
    let outcomes = desk.tip(&TipChange { disconnected: Vec::new(), connected });
    assert_eq!(judges(&outcomes), [(waiting, None)]);
    assert_eq!(desk.relay.orphans.len(), 1);
}

#[test]
fn a_verdict_that_crosses_with_the_parent_is_asked_for_again() {
    let mut desk = Desk::with_peers();
    let parent = fixture::transaction(1, 250);
    let child = child(&parent, 250);
    let _ = desk.give(ALICE, &child);
    let _ = desk.pend(&parent, 1_000);
    let outcomes = desk.judged(&child, &missing(&parent));
    assert_eq!(judges(&outcomes), [(Arc::clone(&child), None)]);
    // If it is still missing, it is an output that the parent does not have.
    assert!(judges(&desk.judged(&child, &missing(&parent))).is_empty());
}
