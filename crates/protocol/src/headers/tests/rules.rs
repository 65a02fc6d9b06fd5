//! Each rule that a peer can break, what it costs, and what costs nothing.

use super::*;
use crate::penalty::Penalty;
use yap_chain::header::Error;

/// A node and a peer that it dialled, both with the same 200 blocks.
fn pair(inbound: bool) -> (Local, Chain) {
    let bob = remote(200, 1);
    let mut node = Local::new(bob.clone());
    node.ready(BOB, inbound, claim(&bob)).clear();
    (node, bob)
}

#[test]
fn too_many_headers_are_a_fault() {
    let (mut node, bob) = pair(false);
    let header = bob.tree.header(bob.tip);
    let fault = Fault::TooMany { count: MAX_HEADERS + 1 };
    assert_eq!(node.headers(BOB, &vec![header; MAX_HEADERS + 1]), [Outcome::Fault(BOB, fault)]);
    assert_eq!(fault.penalty(), Penalty::Disconnect);
}

#[test]
fn headers_without_work_are_a_fault() {
    let (mut node, bob) = pair(true);
    let mut header = child(&bob.tree, bob.tip, 1);
    while header.validate_pow(header.target()).is_ok() {
        header.nonce += 1;
    }
    let hash = header.block_hash();
    let fault = Fault::Invalid(Error::HighHash { hash, bits: header.bits });
    assert_eq!(node.headers(BOB, &[header]), [Outcome::Fault(BOB, fault)]);
    assert_eq!(node.header(BOB, &header), (Place::Invalid, vec![Outcome::Fault(BOB, fault)]));
    assert_eq!(fault.penalty(), Penalty::Ban);
    assert!(!node.knows(hash));
}

#[test]
fn headers_that_do_not_follow_one_another_are_a_fault() {
    let (mut node, bob) = pair(true);
    let (a, b) = (child(&bob.tree, bob.tip, 1), child(&bob.tree, bob.tip, 2));
    let fault = Fault::NotContinuous { hash: b.block_hash() };
    assert_eq!(node.headers(BOB, &[a, b]), [Outcome::Fault(BOB, fault)]);
    assert_eq!(fault.penalty(), Penalty::Ban);
    assert!(!node.knows(a.block_hash()), "nothing of the message is taken");
}

#[test]
fn headers_that_break_a_rule_of_the_chain_are_a_fault() {
    let (mut node, bob) = pair(true);
    let good = child(&bob.tree, bob.tip, 1);
    let old = mined(Header { time: bob.tree.median_time_past(bob.tip), ..good });
    let bits = mined(Header { bits: bitcoin::CompactTarget::from_consensus(0x207f_fffe), ..good });
    for header in [old, bits] {
        let outcomes = node.headers(BOB, &[header]);
        let [Outcome::Fault(BOB, fault @ Fault::Invalid(_))] = outcomes[..] else { panic!("{outcomes:?}") };
        assert_eq!(fault.penalty(), Penalty::Ban);
        let (place, outcomes) = node.header(BOB, &header);
        assert_eq!((place, faults(&outcomes)), (Place::Invalid, vec![fault]));
    }
    // What came before the broken one is good.
    let mut tree = bob.tree.clone();
    let id = tree.accept(&good, u32::MAX).unwrap().id();
    let bad = mined(Header { time: 1, ..child(&tree, id, 1) });
    let outcomes = node.headers(BOB, &[good, bad]);
    assert!(matches!(outcomes[..], [Outcome::New { count: 1, .. }, Outcome::Has { .. }, Outcome::Fault(..)]));
}

#[test]
fn a_header_of_the_future_is_no_fault() {
    let (mut node, bob) = pair(false);
    let good = child(&bob.tree, bob.tip, 1);
    let early = mined(Header { time: WALL.header_time() + 7_201, ..good });
    assert_eq!(node.headers(BOB, &[early]), []);
    assert!(!node.knows(early.block_hash()));
    let edge = mined(Header { time: WALL.header_time() + 7_200, ..good });
    assert_eq!(node.headers(BOB, &[edge]).len(), 2);
}

#[test]
fn known_invalid_headers_are_a_fault_of_whom_we_dialled() {
    for inbound in [false, true] {
        let (mut node, bob) = pair(inbound);
        let bad = child(&bob.tree, bob.tip, 1);
        assert_eq!(node.headers(BOB, &[bad]).len(), 2);
        let id = node.ledger.tree.invalidate(&bad.block_hash()).unwrap();
        let outcomes = node.headers(BOB, &[bad]);
        let fault = Fault::Invalid(Error::KnownInvalid { hash: bad.block_hash() });
        assert_eq!(faults(&outcomes), if inbound { vec![] } else { vec![fault] });
        // To build on it is a fault of anybody's.
        let after = child(&node.ledger.tree, id, 2);
        let hash = after.block_hash();
        let fault = Fault::Invalid(Error::InvalidParent { hash, parent: bad.block_hash() });
        assert_eq!(node.headers(BOB, &[after]), [Outcome::Fault(BOB, fault)]);
        assert_eq!(fault.penalty(), Penalty::Ban);
    }
}

#[test]
fn announcements_that_lead_nowhere_are_a_fault_in_the_end() {
    let (mut node, bob) = pair(false);
    let nothing = |salt: u8| BlockHash::from_byte_array([salt; 32]);
    for salt in 1..=MAX_UNCONNECTING {
        let outcomes = node.inv(BOB, nothing(salt));
        assert_eq!(asked(&outcomes), [BOB]);
        assert_eq!(faults(&node.talk(BOB, &bob, outcomes)), [], "{salt}");
    }
    // One that leads somewhere forgives them.
    let mut longer = bob.clone();
    longer.tip = grow(&mut longer.tree, longer.tip, 2, 1);
    let outcomes = node.headers(BOB, &[longer.tree.header(longer.tip)]);
    node.talk(BOB, &longer, outcomes).clear();
    for salt in 1..=MAX_UNCONNECTING {
        let outcomes = node.inv(BOB, nothing(salt));
        assert_eq!(faults(&node.talk(BOB, &longer, outcomes)), [], "{salt}");
    }
    let outcomes = node.inv(BOB, nothing(99));
    let fault = Fault::Unconnecting { count: MAX_UNCONNECTING + 1 };
    assert_eq!(faults(&node.talk(BOB, &longer, outcomes)), [fault]);
    assert_eq!(fault.penalty(), Penalty::Score(20));
}

#[test]
fn a_transition_that_cannot_be_is_banned() {
    let fault = Fault::Transition { hash: BlockHash::all_zeros(), height: 1 };
    assert_eq!(fault.penalty(), Penalty::Ban);
}

#[test]
fn strangers_are_not_listened_to() {
    let (mut node, bob) = pair(false);
    let header = child(&bob.tree, bob.tip, 1);
    assert_eq!(node.headers(CAROL, &[header]), []);
    assert_eq!(node.inv(CAROL, BlockHash::all_zeros()), []);
    assert!(!node.knows(header.block_hash()));
}
