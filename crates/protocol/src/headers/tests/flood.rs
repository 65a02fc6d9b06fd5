//! Chains of little work: honest ones get through, others leave nothing behind.

use super::*;
use yap_chain::spec::{ProofOfWork, Retarget};

/// Small numbers, so that short chains meet every case.
fn careful() -> Config {
    Config { commitment_period: 7, lookahead: 300, ..Config::default() }
}

#[test]
fn an_honest_chain_of_twenty_thousand_headers_gets_through() {
    let bob = remote(20_000, 1);
    let mut node = Local::new(ledger(demanding(19_500)));
    let first = node.ready(BOB, false, None);
    let rest = node.talk(BOB, &bob, first);
    assert_eq!(faults(&rest), []);
    assert_eq!(node.ledger.tree.len(), 20_001);
    assert_eq!(node.state.best(BOB), node.ledger.tree.get(&bob.tree.hash(bob.tip)));
    assert!(node.bytes > 0 && node.bytes <= MAX_PRESYNC, "{}", node.bytes);
    assert!(!node.state.is_syncing());
}

#[test]
fn fifty_thousand_headers_of_little_work_leave_nothing_behind() {
    let mallory = remote(50_000, 1);
    let mut node = Local::new(ledger(demanding(60_000)));
    let first = node.ready(BOB, true, None);
    let rest = node.talk(BOB, &mallory, first);
    assert_eq!(rest, [], "no fault either: it may be honest and have nothing better");
    assert_eq!(node.ledger.tree.len(), 1);
    // A bit per 640 headers: 79 bits in two words.
    assert!(node.bytes <= 4 * size_of::<u64>(), "{}", node.bytes);
    assert!(node.state.peers[&BOB].presync.is_none());
}

#[test]
fn a_short_chain_of_little_work_is_passed_over() {
    let mut node = Local::new(ledger(demanding(60_000)));
    let first = node.ready(BOB, true, None);
    assert_eq!(node.talk(BOB, &remote(100, 1), first), []);
    assert_eq!(node.ledger.tree.len(), 1);
    // Of those that we dialled, another may be better.
    let first = node.ready(ALICE, false, None);
    assert_eq!(node.talk(ALICE, &remote(100, 1), first), [Outcome::Part(ALICE, Reason::Useless)]);
}

#[test]
fn a_branch_that_left_us_long_ago_is_passed_over_and_a_recent_one_kept() {
    let ours = remote(3_000, 1);
    let branch = |height: u32, salt| {
        let mut chain = ours.clone();
        let from = chain.tree.ancestor(chain.tip, height).unwrap();
        chain.tip = grow(&mut chain.tree, from, 1, salt);
        chain
    };
    let mut node = Local::new(ours.clone());
    for (height, kept) in [(3_000 - WORK_MARGIN - 2, false), (3_000 - WORK_MARGIN - 1, true)] {
        let other = branch(height, u64::from(height));
        node.ready(BOB, true, None).clear();
        node.headers(BOB, &[other.tree.header(other.tip)]).clear();
        assert_eq!(node.knows(other.tree.hash(other.tip)), kept, "{height}");
    }
}

/// The second time, the peer sends another chain: it can't have proved the work of that.
#[test]
fn a_chain_that_changes_between_the_passes_is_not_kept() {
    let (first, second) = (remote(6_000, 1), remote(6_000, 2));
    let mut node = Local::with(ledger(demanding(5_900)), careful());
    let mut outcomes = node.ready(BOB, true, None);
    for _ in 0..3 {
        let [Outcome::Send(_, Message::GetHeaders(locate))] = &outcomes[..] else { panic!("{outcomes:?}") };
        let (Message::Headers(headers), _) = super::super::serve::answer(locate, &first) else { panic!() };
        outcomes = node.headers(BOB, &headers);
    }
    let [Outcome::Send(_, Message::GetHeaders(locate))] = &outcomes[..] else { panic!("{outcomes:?}") };
    let (Message::Headers(headers), _) = super::super::serve::answer(locate, &second) else { panic!() };
    let outcomes = node.headers(BOB, &headers);
    assert_eq!(node.ledger.tree.len(), 1, "three hundred headers held back carry forty bits");
    // It may have been a reorganisation: what is there now gets its chance.
    assert_eq!(asked(&outcomes), [BOB]);
    node.talk(BOB, &second, outcomes).clear();
    assert!(node.knows(second.tree.hash(second.tip)));
}

#[test]
fn a_peer_whose_chain_changes_for_ever_is_asked_no_more() {
    let chains = [remote(6_000, 1), remote(6_000, 2)];
    let mut node = Local::with(ledger(demanding(5_900)), careful());
    let mut outcomes = node.ready(BOB, false, None);
    let mut questions = 0;
    while let [Outcome::Send(_, Message::GetHeaders(locate))] = &outcomes[..] {
        // Three messages are counted, the next one is of another chain.
        let chain = &chains[usize::from(questions % 4 == 3)];
        let (Message::Headers(headers), _) = super::super::serve::answer(locate, chain) else { panic!() };
        outcomes = node.headers(BOB, &headers);
        questions += 1;
        assert!(questions <= 100);
    }
    assert_eq!((outcomes, questions), (vec![], 4 * i32::from(MAX_RESTARTS)));
    assert_eq!(node.ledger.tree.len(), 1);
    assert!(!node.state.is_syncing());
}

#[test]
fn a_chain_that_grows_between_the_passes_is_kept() {
    let mut bob = remote(5_000, 1);
    let mut node = Local::with(ledger(demanding(4_990)), careful());
    let mut outcomes = node.ready(BOB, true, None);
    for _ in 0..3 {
        let [Outcome::Send(_, Message::GetHeaders(locate))] = &outcomes[..] else { panic!("{outcomes:?}") };
        let (Message::Headers(headers), _) = super::super::serve::answer(locate, &bob) else { panic!() };
        outcomes = node.headers(BOB, &headers);
    }
    bob.tip = grow(&mut bob.tree, bob.tip, 3_000, 1);
    node.talk(BOB, &bob, outcomes).clear();
    assert_eq!(node.ledger.tree.len(), 8_001);
}

/// What a peer shows of a good chain is released as it proves itself, and stays when the peer gives up.
#[test]
fn what_was_released_before_the_peer_left_stays() {
    let bob = remote(5_000, 1);
    let mut node = Local::with(ledger(demanding(4_990)), careful());
    let mut outcomes = node.ready(BOB, true, None);
    for _ in 0..4 {
        let locate = outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Send(_, Message::GetHeaders(locate)) => Some(locate.clone()),
            Outcome::Send(..) | Outcome::Has { .. } | Outcome::New { .. } | Outcome::Part(..) | Outcome::Fault(..) => {
                None
            }
        });
        let (Message::Headers(headers), _) = super::super::serve::answer(&locate.unwrap(), &bob) else { panic!() };
        outcomes = node.headers(BOB, &headers);
    }
    assert_eq!(node.ledger.tree.len(), 1 + MAX_HEADERS - 300);
    node.gone(BOB).clear();
    // The next one starts where it ended.
    let outcomes = node.ready(ALICE, true, None);
    node.talk(ALICE, &bob, outcomes).clear();
    assert_eq!(node.ledger.tree.len(), 5_001);
}

/// Counting looks at each header's bits without the headers before: whatever the rule, it must let honest chains pass.
#[test]
fn chains_whose_target_moves_get_through() {
    let bitcoin = |min_difficulty_blocks| Retarget::Bitcoin { interval: 20, min_difficulty_blocks, bip94: false };
    let asert = Retarget::Asert { half_life: 7_200 };
    let relative = Retarget::Relative { half_life: 7_200 };
    // Seconds between headers: ASERT sees a chain ahead of its schedule; of twenty headers, Bitcoin counts nineteen gaps.
    for (salt, (retarget, gap)) in
        [(asert, 597), (bitcoin(false), 630), (bitcoin(true), 630), (relative, 597)].into_iter().enumerate()
    {
        let spec = Spec::regtest();
        let spec = Spec { work: ProofOfWork { retarget, ..spec.work.clone() }, ..spec };
        let mut bob = ledger(spec.clone());
        let mut random = Random::new([u8::try_from(salt).unwrap(); 32]);
        let start = bob.tree.time(bob.tip);
        for height in 1..=5_000_u32 {
            let early = u32::try_from(random.below(3_000)).unwrap();
            let time = (start + gap * height + early).max(bob.tree.median_time_past(bob.tip) + 1);
            let header = child(&bob.tree, bob.tip, 1);
            let bits = bob.tree.next_bits(bob.tip, time);
            bob.tip = bob.tree.accept(&mined(Header { time, bits, ..header }), u32::MAX).unwrap().id();
        }
        assert!(bob.tree.iter().any(|id| bob.tree.bits(id) != bob.tree.bits(bob.tree.genesis())), "{retarget:?}");
        let minimum_work = bob.tree.work_less(bob.tip, 20);
        let mut node = Local::with(ledger(Spec { minimum_work, ..spec }), careful());
        let first = node.ready(BOB, true, None);
        let rest = node.talk(BOB, &bob, first);
        assert_eq!(faults(&rest), [], "{retarget:?}");
        assert_eq!(node.ledger.tree.len(), 5_001, "{retarget:?}");
        assert!(node.bytes > 0, "{retarget:?}");
    }
}

#[test]
fn a_block_announced_meanwhile_does_not_disturb() {
    let mut bob = remote(5_000, 1);
    let mut node = Local::with(ledger(demanding(4_990)), careful());
    let first = node.ready(BOB, true, None);
    let [Outcome::Send(_, Message::GetHeaders(locate))] = &first[..] else { panic!("{first:?}") };
    let (Message::Headers(headers), _) = super::super::serve::answer(locate, &bob) else { panic!() };
    let next = node.headers(BOB, &headers);
    bob.tip = grow(&mut bob.tree, bob.tip, 1, 1);
    assert_eq!(node.headers(BOB, &[bob.tree.header(bob.tip)]), []);
    assert!(node.state.peers[&BOB].presync.is_some(), "it goes on where it was");
    node.talk(BOB, &bob, next).clear();
    assert!(node.knows(bob.tree.hash(bob.tip)));
}

#[test]
fn bits_that_no_rule_allows_end_it_at_once() {
    let mallory = remote(2_500, 1);
    let mut node = Local::with(ledger(demanding(9_000)), careful());
    let first = node.ready(BOB, true, None);
    let [Outcome::Send(_, Message::GetHeaders(locate))] = &first[..] else { panic!("{first:?}") };
    let (Message::Headers(headers), _) = super::super::serve::answer(locate, &mallory) else { panic!() };
    assert_eq!(asked(&node.headers(BOB, &headers)), [BOB]);
    // One header that claims a hundred times the work.
    let last = *headers.last().unwrap();
    let bits = bitcoin::CompactTarget::from_consensus(0x2001_0000);
    let header = mined(Header { bits, prev_blockhash: last.block_hash(), ..last });
    let fault = Fault::Transition { hash: header.block_hash(), height: 2_001 };
    assert_eq!(node.headers(BOB, &[header]), [Outcome::Fault(BOB, fault)]);
    assert_eq!(node.ledger.tree.len(), 1);
}

#[test]
fn a_chain_longer_than_time_allows_is_given_up() {
    // The clock stands shortly after the genesis block: six headers a second could exist, and the two hours of grace.
    let spec = demanding(1_000_000);
    let wall = Timestamp(u64::from(spec.genesis.header.time));
    let tree = tree::Tree::new(Arc::new(spec), 7);
    let config = Config { commitment_period: 1, lookahead: 300, ..Config::default() };
    let mut presync = presync::Presync::new(
        tree.genesis(),
        tree.spec().minimum_work,
        &tree,
        &config,
        &mut Random::new([1; 32]),
        wall,
    );
    let limit = 6 * 7_200;
    let mallory = remote(limit + 1, 1);
    let headers = headers_to(&mallory.tree, mallory.tip);
    let hashes: Vec<BlockHash> = headers.iter().map(Header::block_hash).collect();
    let limit = usize::try_from(limit).unwrap();
    let fed = presync.feed(&tree, &headers[..limit], &hashes[..limit], true);
    assert!(matches!(fed, Ok(presync::Progress::More)), "{fed:?}");
    let fed = presync.feed(&tree, &headers[limit..], &hashes[limit..], true);
    assert!(matches!(fed, Ok(presync::Progress::TooLittle)), "{fed:?}");
}

/// At the bounds of every kind at once: the most bits, and a full buffer.
#[test]
fn a_presync_takes_no_more_than_its_bound() {
    let spec = demanding(40_000);
    let tree = tree::Tree::new(Arc::new(spec), 7);
    let config = Config { lookahead: usize::MAX, commitment_period: 1, ..Config::default() };
    let demanded = tree.spec().minimum_work;
    let mut random = Random::new([1; 32]);
    let mut presync = presync::Presync::new(tree.genesis(), demanded, &tree, &config, &mut random, WALL);
    let bob = remote(40_000, 1);
    let headers = headers_to(&bob.tree, bob.tip);
    let hashes: Vec<BlockHash> = headers.iter().map(Header::block_hash).collect();
    let (mut most, mut released) = (0, 0);
    for _ in 0..2 {
        for (headers, hashes) in headers.chunks(MAX_HEADERS).zip(hashes.chunks(MAX_HEADERS)) {
            if let presync::Progress::Release(headers, _) = presync.feed(&tree, headers, hashes, true).unwrap() {
                released += headers.len();
            }
            most = most.max(presync.bytes());
        }
    }
    assert_eq!(released, 40_000);
    let held = (LOOKAHEAD + MAX_HEADERS) * 48;
    assert!(most >= held && most <= held + 40_000 / 4 && most <= MAX_PRESYNC, "{most} of {MAX_PRESYNC}");
}

/// Whoever dials us first and feeds us headers of little work without end holds up nobody who has a chain.
#[test]
fn who_feeds_little_work_holds_nobody_up() {
    let (mallory, bob) = (remote(50_000, 1), remote(2_000, 2));
    let mut node = Local::new(ledger(demanding(1_900)));
    let asked_first = node.ready(BOB, true, None);
    assert_eq!(asked(&asked_first), [BOB]);
    // The first answer is full, and of too little work: counting begins.
    let headers: Vec<_> = (1..=900).map(|height| mallory.tree.ancestor(mallory.tip, height).unwrap()).collect();
    let headers: Vec<_> = headers.into_iter().map(|id| mallory.tree.header(id)).collect();
    node.headers(BOB, &headers).clear();
    let outcomes = node.ready(ALICE, false, None);
    let rest = node.talk(ALICE, &bob, outcomes);
    assert_eq!(faults(&rest), []);
    assert!(node.knows(bob.tree.hash(bob.tip)));
}
