//! The smallest header that breaks each rule, and its neighbour that does not.

use super::*;
use crate::header::{MAX_FUTURE, MAX_TIMEWARP, rules as header_rules};
use crate::spec::{ProofOfWork, Retarget};

/// A tree of the genesis header and eleven more, and its tip.
fn twelve() -> (Tree, Id) {
    let mut tree = tree(Spec::regtest());
    let genesis = tree.genesis();
    let tip = grow(&mut tree, genesis, 11, 0);
    (tree, tip)
}

fn rejected(tree: &mut Tree, header: &Header, now: u32) -> Error {
    let before = tree.len();
    let error = tree.accept(header, now).unwrap_err();
    assert_eq!(tree.len(), before, "a rejected header is not kept");
    error
}

#[test]
fn a_header_without_work_is_rejected() {
    let (mut tree, tip) = twelve();
    let header = child(&tree, tip, 0);
    let lazy =
        (0..100).map(|nonce| Header { nonce, ..header }).find(|header| !header.target().is_met_by(header.block_hash()));
    let lazy = lazy.unwrap();
    let error = rejected(&mut tree, &lazy, LATE);
    assert_eq!(error, Error::HighHash { hash: lazy.block_hash(), bits: lazy.bits });
    assert_eq!(error.reason(), "high-hash");
}

#[test]
fn a_target_above_the_limit_is_no_work() {
    let (mut tree, tip) = twelve();
    let header = Header { bits: CompactTarget::from_consensus(0x2100_ffff), ..child(&tree, tip, 0) };
    assert_eq!(rejected(&mut tree, &header, LATE).reason(), "high-hash");
}

#[test]
fn a_header_without_a_parent_is_rejected() {
    let (mut tree, tip) = twelve();
    let header = mined(Header { prev_blockhash: BlockHash::all_zeros(), ..child(&tree, tip, 0) });
    let error = rejected(&mut tree, &header, LATE);
    assert_eq!(error, Error::UnknownParent { hash: header.block_hash(), parent: BlockHash::all_zeros() });
    assert_eq!(error.reason(), "prev-blk-not-found");
    assert_eq!(tree.insert_trusted(&header), Err(error));
}

#[test]
fn an_invalid_block_takes_its_descendants_along() {
    let (mut tree, tip) = twelve();
    let hash = tree.hash(tip);
    let known = mined(child(&tree, tip, 1));
    let after = tree.accept(&known, LATE).unwrap().id();
    tree.invalidate(&hash);
    let header = mined(child(&tree, tip, 2));
    let error = rejected(&mut tree, &header, LATE);
    assert_eq!(error, Error::InvalidParent { hash: header.block_hash(), parent: hash });
    assert_eq!(error.reason(), "bad-prevblk");
    let deeper = mined(child(&tree, after, 3));
    assert_eq!(rejected(&mut tree, &deeper, LATE).reason(), "bad-prevblk");
    for header in [known, tree.header(tip)] {
        let error = rejected(&mut tree, &header, LATE);
        assert_eq!(error, Error::KnownInvalid { hash: header.block_hash() });
        assert_eq!(error.reason(), "duplicate-invalid");
    }
    let kept = tree.insert_trusted(&header).unwrap();
    assert_eq!(tree.status(kept), Status::Descends);
}

#[test]
fn other_bits_than_required_are_rejected() {
    let (mut tree, tip) = twelve();
    let found = CompactTarget::from_consensus(0x207f_fffe);
    let header = mined(Header { bits: found, ..child(&tree, tip, 0) });
    let error = rejected(&mut tree, &header, LATE);
    assert_eq!(error, Error::WrongBits { expected: CompactTarget::from_consensus(0x207f_ffff), found });
    assert_eq!(error.reason(), "bad-diffbits");
}

#[test]
fn a_time_at_the_median_is_too_old_and_one_after_is_not() {
    let (mut tree, tip) = twelve();
    let median = tree.median_time_past(tip);
    assert_eq!(median, tree.time(tree.ancestor(tip, 6).unwrap()));
    let header = mined(Header { time: median, ..child(&tree, tip, 0) });
    let error = rejected(&mut tree, &header, LATE);
    assert_eq!(error, Error::TimeTooOld { time: median, median });
    assert_eq!(error.reason(), "time-too-old");
    assert!(tree.accept(&mined(Header { time: median + 1, ..header }), LATE).is_ok());
}

#[test]
fn a_time_two_hours_ahead_is_allowed_and_one_more_second_is_not() {
    let (mut tree, tip) = twelve();
    let header = child(&tree, tip, 0);
    let now = header.time - MAX_FUTURE;
    let late = mined(Header { time: header.time + 1, ..header });
    let error = rejected(&mut tree, &late, now);
    assert_eq!(error, Error::TimeTooNew { time: header.time + 1, latest: header.time });
    assert_eq!(error.reason(), "time-too-new");
    assert!(tree.accept(&mined(header), now).is_ok());
    assert!(tree.accept(&late, now + 1).is_ok(), "later it is not ahead any more");
}

/// A header on `local` with that time, and the bits that it needs.
fn local(tree: &Tree, parent: Id, time: u32) -> Header {
    mined(Header { time, bits: tree.next_bits(parent, time), ..child(tree, parent, 0) })
}

#[test]
fn where_times_go_forward_none_is_before_its_parents() {
    let mut tree = tree(Spec::local());
    let mut tip = tree.genesis();
    for _ in 0..12 {
        tip = tree.accept(&local(&tree, tip, tree.time(tip) + 10), LATE).unwrap().id();
    }
    let parent = tree.time(tip);
    assert!(tree.median_time_past(tip) < parent - 1);
    let early = local(&tree, tip, parent - 1);
    let error = rejected(&mut tree, &early, LATE);
    assert_eq!(error, Error::TimeBeforeParent { time: parent - 1, parent });
    assert_eq!(error.reason(), "time-too-old");
    assert_eq!(tree.earliest_time(tip), parent);
    let mut at_once = 0;
    while tree.earliest_time(tip) == parent {
        tip = tree.accept(&local(&tree, tip, parent), LATE).unwrap().id();
        at_once += 1;
    }
    assert_eq!(at_once, 5, "of eleven in a row, six share one second at most");
    let sixth = local(&tree, tip, parent);
    let error = rejected(&mut tree, &sixth, LATE);
    assert_eq!(error, Error::TimeTooOld { time: parent, median: parent });
}

#[test]
fn how_far_ahead_a_time_may_be_is_the_chains_to_say() {
    let mut tree = tree(Spec::local());
    let header = local(&tree, tree.genesis(), tree.time(tree.genesis()) + 10_000);
    let error = rejected(&mut tree, &header, header.time - 241);
    assert_eq!(error, Error::TimeTooNew { time: header.time, latest: header.time - 1 });
    assert!(tree.accept(&header, header.time - 240).is_ok());
}

#[test]
fn the_earliest_time_is_allowed_and_one_second_before_is_not() {
    let mut bip94 = Spec::regtest();
    bip94.work.retarget = Retarget::Bitcoin { interval: 4, min_difficulty_blocks: true, bip94: true };
    for spec in [Spec::regtest(), Spec::local(), bip94] {
        let mut tree = tree(spec);
        let mut tip = tree.genesis();
        for ahead in [5, 2_000, 0, 0, 3_000, 1, 0, 0, 900, 0, 0, 0, 10] {
            let time = tree.earliest_time(tip);
            let early = local(&tree, tip, time - 1);
            let error = rejected(&mut tree, &early, LATE);
            assert!(error.reason().starts_with("time-"), "{error}");
            let [earliest, later] = [0, ahead].map(|ahead| local(&tree, tip, time + ahead));
            let _ = tree.accept(&earliest, LATE).unwrap();
            tip = tree.accept(&later, LATE).unwrap().id();
        }
    }
}

#[test]
fn a_clock_at_its_end_rejects_nothing() {
    let (mut tree, tip) = twelve();
    let header = mined(Header { time: u32::MAX, ..child(&tree, tip, 0) });
    assert!(tree.accept(&header, u32::MAX).is_ok());
}

#[test]
fn versions_retire_with_their_soft_forks() {
    let mut spec = Spec::regtest();
    spec.deployments.bip34 = 12;
    spec.deployments.bip66 = 13;
    spec.deployments.bip65 = 14;
    let mut tree = tree(spec);
    let mut tip = tree.genesis();
    for height in 1..=15 {
        let least = match height {
            0..12 => i32::MIN,
            12 => 2,
            13 => 3,
            _ => 4,
        };
        let header = |version| Header { version: Version::from_consensus(version), ..child(&tree, tip, 0) };
        let (old, new) = (mined(header(least.wrapping_sub(1))), mined(header(least)));
        if height >= 12 {
            let error = rejected(&mut tree, &old, LATE);
            assert_eq!(error, Error::Version { version: least - 1, least });
            assert_eq!(error.reason(), format!("bad-version(0x{:08x})", least - 1));
        }
        tip = tree.accept(&new, LATE).unwrap().id();
    }
    let negative = mined(Header { version: Version::from_consensus(-1), ..child(&tree, tip, 0) });
    assert_eq!(rejected(&mut tree, &negative, LATE).reason(), "bad-version(0xffffffff)");
}

/// Bitcoin Core, `src/kernel/chainparams.cpp`.
#[test]
fn versions_retire_at_bitcoins_heights() {
    let deployments = Spec::bitcoin().deployments;
    let least =
        |height| (-1..=4).find(|&version| header_rules::version(&deployments, height, version).is_ok()).unwrap();
    for (height, version) in
        [(1, -1), (227_930, -1), (227_931, 2), (363_724, 2), (363_725, 3), (388_380, 3), (388_381, 4), (1_000_000, 4)]
    {
        assert_eq!(least(height), version, "{height}");
        assert!(header_rules::version(&deployments, height, 0x2000_0000).is_ok(), "BIP-0009");
        assert_eq!(header_rules::version(&deployments, height, i32::MIN).is_ok(), version == -1, "{height}");
    }
}

/// The block after Bitcoin's genesis block, of 9 January 2009.
#[test]
fn the_first_block_after_bitcoins_genesis_block_is_accepted() {
    let mut tree = tree(Spec::bitcoin());
    let header = Header {
        version: Version::ONE,
        prev_blockhash: tree.hash(tree.genesis()),
        merkle_root: "0e3e2357e806b6cdb1f70b54c3a3a17b6714ee1f0e68bebb44a74b1efd512098".parse().unwrap(),
        time: 1_231_469_665,
        bits: CompactTarget::from_consensus(0x1d00_ffff),
        nonce: 2_573_394_689,
    };
    assert_eq!(header.block_hash().to_string(), "00000000839a8e6886ab5951d76f411475428afc90947ee320161bbf18eb6048");
    let id = tree.accept(&header, header.time - MAX_FUTURE).unwrap().id();
    // Chain work as Bitcoin Core gives it: twice that of difficulty 1.
    assert_eq!((tree.height(id), tree.work(id).to_string()), (1, "8590065666".to_owned()));
    // Signet and testnet4 have another genesis block.
    for spec in [Spec::testnet4(), Spec::signet()] {
        assert!(Tree::new(Arc::new(spec), 1).accept(&header, LATE).is_err());
    }
}

/// Times at the end of 32 bits neither wrap nor let anything follow.
#[test]
fn at_the_end_of_time_a_chain_ends() {
    let (mut tree, mut tip) = twelve();
    for _ in 0..6 {
        let header = Header { prev_blockhash: tree.hash(tip), time: u32::MAX, ..tree.header(tip) };
        tip = tree.accept(&mined(header), u32::MAX).unwrap().id();
    }
    assert_eq!(tree.median_time_past(tip), u32::MAX);
    let header = Header { prev_blockhash: tree.hash(tip), ..tree.header(tip) };
    let error = rejected(&mut tree, &mined(header), u32::MAX);
    assert_eq!(error, Error::TimeTooOld { time: u32::MAX, median: u32::MAX });
    // Nor do targets of any rule.
    for name in crate::spec::NAMES {
        let mut tree = Tree::new(Arc::new(Spec::builtin(name).unwrap()), 1);
        let header = Header { time: u32::MAX, ..child(&tree, tree.genesis(), 0) };
        let last = tree.insert_trusted(&header).unwrap();
        for time in [0, u32::MAX] {
            assert!(pow::target(tree.next_bits(last, time), &tree.spec().work.limit).is_some(), "{name}");
        }
    }
}

#[test]
fn a_period_must_not_start_long_before_the_last_one_ended() {
    let mut spec = Spec::regtest();
    let retarget = Retarget::Bitcoin { interval: 12, min_difficulty_blocks: true, bip94: true };
    spec.work = ProofOfWork { retarget, ..spec.work };
    let mut tree = tree(spec);
    let genesis = tree.genesis();
    let before = grow(&mut tree, genesis, 10, 0);
    // The last header of the period is far ahead.
    let ahead = Header { time: tree.time(before) + 5_000, ..child(&tree, before, 0) };
    let bits = tree.next_bits(before, ahead.time);
    let tip = tree.accept(&mined(Header { bits, ..ahead }), LATE).unwrap().id();
    let earliest = tree.time(tip) - MAX_TIMEWARP;
    let at = |time| mined(Header { time, ..child(&tree, tip, 0) });
    let (early, right) = (at(earliest - 1), at(earliest));
    let error = rejected(&mut tree, &early, LATE);
    assert_eq!(error, Error::Timewarp { time: earliest - 1, earliest });
    assert_eq!(error.reason(), "time-timewarp-attack");
    let first = tree.accept(&right, LATE).unwrap().id();
    // Within the period time may fall behind again.
    let back = Header { time: tree.median_time_past(first) + 1, ..child(&tree, first, 0) };
    assert!(tree.accept(&mined(back), LATE).is_ok());
}

#[test]
fn of_several_broken_rules_the_one_that_core_checks_first_is_told() {
    let (mut tree, tip) = twelve();
    // Each step mends the first rule that is broken.
    let mut header = Header {
        version: Version::ONE,
        prev_blockhash: BlockHash::all_zeros(),
        bits: CompactTarget::from_consensus(0x2100_ffff),
        time: tree.median_time_past(tip),
        ..child(&tree, tip, 0)
    };
    let mut reasons = Vec::new();
    let mut note = |tree: &mut Tree, header: &Header, now| reasons.push(tree.accept(header, now).unwrap_err().reason());
    note(&mut tree, &header, 0);
    header.bits = CompactTarget::from_consensus(0x207f_fffe);
    header = mined(header);
    note(&mut tree, &header, 0);
    header = mined(Header { prev_blockhash: tree.hash(tip), ..header });
    note(&mut tree, &header, 0);
    header = mined(Header { bits: CompactTarget::from_consensus(0x207f_ffff), ..header });
    note(&mut tree, &header, 0);
    header = mined(Header { time: header.time + 1, ..header });
    note(&mut tree, &header, 0);
    note(&mut tree, &header, LATE);
    assert_eq!(
        reasons,
        ["high-hash", "prev-blk-not-found", "bad-diffbits", "time-too-old", "time-too-new", "bad-version(0x00000001)"]
    );
    assert!(tree.accept(&mined(Header { version: Version::from_consensus(4), ..header }), LATE).is_ok());
}
