//! Honest chains become known.

use super::*;

#[test]
fn a_fresh_node_learns_a_long_chain() {
    let bob = remote(4_500, 1);
    let mut node = Local::new(ledger(Spec::regtest()));
    let outcomes = node.ready(BOB, false, None);
    assert_eq!(asked(&outcomes), [BOB]);
    let rest = node.talk(BOB, &bob, outcomes);
    let tip = node.ledger.tree.get(&bob.tree.hash(bob.tip)).unwrap();
    let mut news = Vec::new();
    let mut shown = Vec::new();
    for outcome in &rest {
        match outcome {
            Outcome::New { peer, count, .. } => news.push((*peer, *count)),
            Outcome::Has { peer, id } => shown.push((*peer, node.ledger.tree.height(*id))),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(news, [(BOB, 2_000), (BOB, 2_000), (BOB, 500)]);
    assert_eq!(shown, [(BOB, 2_000), (BOB, 4_000), (BOB, 4_500)]);
    assert_eq!(node.state.best(BOB), Some(tip));
    assert!(!node.state.is_syncing());
    assert_eq!(node.state.next_deadline(), None);
}

#[test]
fn every_branch_becomes_known_one_peer_after_the_other() {
    let (alice, bob, carol) = (remote(2_100, 1), remote(2_050, 2), remote(30, 3));
    let mut node = Local::new(ledger(Spec::regtest()));
    let first = node.ready(ALICE, false, None);
    assert_eq!(asked(&first), [ALICE]);
    assert_eq!(node.ready(BOB, true, None), [], "one at a time while nothing is known");
    assert_eq!(node.ready(CAROL, true, None), []);
    let rest = node.talk(ALICE, &alice, first);
    let mut next = asked(&rest);
    next.sort_unstable();
    assert_eq!(next, [BOB, CAROL], "ALICE told all: now the others are asked");
    let rest = node.talk(BOB, &bob, rest);
    node.talk(CAROL, &carol, rest).clear();
    for remote in [&alice, &bob, &carol] {
        assert!(node.knows(remote.tree.hash(remote.tip)));
    }
    let height = |peer| node.ledger.tree.height(node.state.best(peer).unwrap());
    assert_eq!([ALICE, BOB, CAROL].map(height), [2_100, 2_050, 30]);
}

#[test]
fn who_has_our_tip_shows_it_without_being_asked() {
    let bob = remote(10, 1);
    let mut node = Local::new(bob.clone());
    let tip = node.ledger.tip;
    assert_eq!(node.ready(BOB, false, claim(&bob)), [Outcome::Has { peer: BOB, id: tip }]);
    // A peer that can't greet is asked, in such a way that it shows it too.
    let outcomes = node.ready(ALICE, false, None);
    let Some(Outcome::Send(ALICE, Message::GetHeaders(locate))) = outcomes.first() else { panic!("{outcomes:?}") };
    assert_eq!(locate.locator[0], bob.tree.hash(bob.tree.parent(bob.tip).unwrap()));
    assert_eq!(node.talk(ALICE, &bob, outcomes), [Outcome::Has { peer: ALICE, id: tip }]);
}

#[test]
fn what_we_have_needs_no_work_to_be_shown() {
    let bob = remote(500, 1);
    let mut node = Local::new(bob.clone());
    node.ready(BOB, true, None).clear();
    let early = headers_to(&bob.tree, bob.tree.ancestor(bob.tip, 100).unwrap());
    let outcomes = node.headers(BOB, &early);
    let shown = node.ledger.tree.ancestor(node.ledger.tip, 100).unwrap();
    assert_eq!(outcomes, [Outcome::Has { peer: BOB, id: shown }]);
}

#[test]
fn who_promises_most_is_asked_first_and_who_promises_too_little_is_not() {
    let mut node = Local::new(remote(200, 9));
    let (short, long, longer) = (remote(40, 1), remote(300, 2), remote(400, 3));
    assert_eq!(node.ready(ALICE, false, claim(&short)), [], "less than our tip less a day");
    let outcomes = node.ready(BOB, true, claim(&long));
    assert_eq!(asked(&outcomes), [BOB]);
    assert_eq!(node.ready(CAROL, true, claim(&longer)), []);
    assert_eq!(node.ready(PeerId(4), false, claim(&long)), []);
    assert_eq!(node.ready(PeerId(5), false, claim(&longer)), []);
    assert_eq!(asked(&node.gone(BOB)), [PeerId(5)], "whom we dialled comes first, and the most work");
    assert_eq!(asked(&node.gone(PeerId(5))), [PeerId(4)]);
    assert_eq!(asked(&node.gone(PeerId(4))), [CAROL]);
}

#[test]
fn a_block_announced_by_hash_is_asked_for() {
    let mut bob = remote(10, 1);
    let mut node = Local::new(bob.clone());
    node.ready(BOB, false, claim(&bob)).clear();
    node.ready(ALICE, true, claim(&bob)).clear();
    assert_eq!(node.inv(BOB, bob.tree.hash(bob.tip)), [], "known to be known");
    bob.tip = grow(&mut bob.tree, bob.tip, 2, 1);
    let hash = bob.tree.hash(bob.tip);
    let outcomes = node.inv(BOB, hash);
    assert_eq!(asked(&outcomes), [BOB]);
    assert_eq!(node.inv(BOB, hash), [], "one question at a time");
    assert_eq!(asked(&node.inv(ALICE, hash)), [ALICE], "nobody has told all yet, and BOB may tell nothing");
    node.ready(CAROL, true, claim(&bob)).clear();
    assert_eq!(asked(&node.inv(CAROL, hash)), [] as [PeerId; 0], "one more for each block is enough");
    let rest = node.talk(BOB, &bob, outcomes);
    let id = node.ledger.tree.get(&hash).unwrap();
    assert!(rest.contains(&Outcome::New { peer: BOB, tip: id, count: 2 }), "{rest:?}");
    assert!(rest.contains(&Outcome::Has { peer: ALICE, id }), "ALICE announced it: {rest:?}");
    assert_eq!(asked(&rest), [] as [PeerId; 0]);
}

#[test]
fn an_announcement_without_its_parent_is_filled_in() {
    let mut bob = remote(10, 1);
    let mut node = Local::new(bob.clone());
    node.ready(BOB, false, claim(&bob)).clear();
    bob.tip = grow(&mut bob.tree, bob.tip, 5, 1);
    let outcomes = node.headers(BOB, &[bob.tree.header(bob.tip)]);
    assert_eq!(asked(&outcomes), [BOB]);
    assert_eq!(node.talk(BOB, &bob, outcomes).len(), 2);
    assert!(node.knows(bob.tree.hash(bob.tip)));
    // One with its parent joins at once.
    bob.tip = grow(&mut bob.tree, bob.tip, 1, 1);
    let outcomes = node.headers(BOB, &[bob.tree.header(bob.tip)]);
    assert!(matches!(outcomes[..], [Outcome::New { count: 1, .. }, Outcome::Has { .. }]), "{outcomes:?}");
}

#[test]
fn what_is_announced_while_an_answer_is_due_is_asked_for_after_it() {
    let mut bob = remote(10, 1);
    let mut node = Local::new(ledger(Spec::regtest()));
    let outcomes = node.ready(BOB, false, None);
    let old = bob.clone();
    bob.tip = grow(&mut bob.tree, bob.tip, 5, 1);
    assert_eq!(node.inv(BOB, bob.tree.hash(bob.tip)), []);
    // The answer left before the block came.
    let [Outcome::Send(_, Message::GetHeaders(locate))] = &outcomes[..] else { panic!("{outcomes:?}") };
    let (Message::Headers(headers), _) = super::super::serve::answer(locate, &old) else { panic!() };
    let outcomes = node.headers(BOB, &headers);
    assert_eq!(asked(&outcomes), [BOB]);
    node.talk(BOB, &bob, outcomes).clear();
    assert!(node.knows(bob.tree.hash(bob.tip)));
}

#[test]
fn a_peer_that_leaves_an_invalid_chain_shows_its_next_one() {
    let mut bob = remote(10, 1);
    let fork = bob.tree.ancestor(bob.tip, 8).unwrap();
    let mut node = Local::new(bob.clone());
    node.ready(BOB, false, claim(&bob)).clear();
    node.ledger.tree.invalidate(&bob.tree.hash(bob.tip));
    bob.tip = grow(&mut bob.tree, fork, 1, 2);
    let outcomes = node.headers(BOB, &[bob.tree.header(bob.tip)]);
    let id = node.ledger.tree.get(&bob.tree.hash(bob.tip)).unwrap();
    assert!(outcomes.contains(&Outcome::Has { peer: BOB, id }), "{outcomes:?}");
}

#[test]
fn a_compact_blocks_header_finds_its_place() {
    let mut bob = remote(300, 1);
    let mut node = Local::new(bob.clone());
    node.ready(BOB, false, claim(&bob)).clear();
    let header = child(&bob.tree, bob.tip, 5);
    let (place, outcomes) = node.header(BOB, &header);
    let id = node.ledger.tree.get(&header.block_hash()).unwrap();
    assert_eq!(place, Place::Accepted { id, new: true });
    assert_eq!(outcomes, [Outcome::New { peer: BOB, tip: id, count: 1 }, Outcome::Has { peer: BOB, id }]);
    assert_eq!(node.header(BOB, &header), (Place::Accepted { id, new: false }, vec![]));

    let low = child(&bob.tree, bob.tree.ancestor(bob.tip, 100).unwrap(), 5);
    assert_eq!(node.header(BOB, &low), (Place::LowWork, vec![]));
    bob.tip = grow(&mut bob.tree, bob.tip, 3, 6);
    let (place, outcomes) = node.header(BOB, &bob.tree.header(bob.tip));
    assert_eq!((place, asked(&outcomes)), (Place::Orphan, vec![BOB]));

    let mut early = child(&node.ledger.tree, id, 8);
    early.time = WALL.header_time() + 7_201;
    assert_eq!(node.header(BOB, &mined(early)), (Place::Early, vec![]));
    node.ledger.tree.invalidate(&header.block_hash());
    let after = child(&node.ledger.tree, id, 9);
    for header in [header, after] {
        assert_eq!(node.header(BOB, &header), (Place::Invalid, vec![]), "BIP-0152: passed on before it was validated");
    }
}

/// The block that was announced may be the one that makes the chain worth keeping.
#[test]
fn what_was_announced_while_too_little_came_is_asked_for() {
    let mut local = Local::new(ledger(demanding(50)));
    let mut remote = ledger(demanding(50));
    remote.tip = grow(&mut remote.tree, remote.tip, 40, 0);
    let first = headers_to(&remote.tree, remote.tip);
    let outcomes = local.ready(ALICE, true, None);
    assert_eq!(asked(&outcomes), vec![ALICE]);
    remote.tip = grow(&mut remote.tree, remote.tip, 20, 0);
    let tip = remote.tree.hash(remote.tip);
    assert_eq!(local.inv(ALICE, tip), vec![]);
    let outcomes = local.headers(ALICE, &first);
    assert_eq!(asked(&outcomes), vec![ALICE]);
    local.talk(ALICE, &remote, outcomes);
    assert!(local.knows(tip));
}
