use bitcoin::CompactTarget;
use yap_chain::block::Contents;
use yap_chain::header::{Tree, pow};
use yap_chain::spec::Spec;

use super::*;

fn draft(spec: Spec) -> Arc<Draft> {
    let tree = Tree::new(Arc::new(spec), 1);
    Arc::new(Draft::new(&tree, tree.genesis(), Contents::default(), 1_800_000_000))
}

fn easy(bits: u32) -> Target {
    Target::from_compact(CompactTarget::from_consensus(bits))
}

/// What a search finds, as blocks say it.
fn header(draft: &Draft, found: Found) -> Header {
    *draft.seal(found.extra, found.time, found.nonce).header()
}

#[test]
fn the_first_nonce_that_meets_the_target_is_found() {
    let draft = draft(Spec::regtest());
    for bits in [0x207f_ffff, 0x2007_ffff, 0x2000_7fff, 0x1f07_ffff] {
        let target = easy(bits);
        let mut search = Search::new(Arc::clone(&draft), target, (0, 1), u32::MAX);
        let (tried, found) = search.run(1_000_000);
        let found = found.unwrap();
        assert_eq!(tried, found.nonce + 1);
        for nonce in 0..=found.nonce {
            let hash = header(&draft, Found { nonce, ..found }).block_hash();
            assert_eq!(target.is_met_by(hash), nonce == found.nonce, "{bits:x}, {nonce}");
        }
        // It goes on behind what it found.
        let (_, next) = search.run(1_000_000);
        assert!(next.unwrap().nonce > found.nonce);
    }
}

#[test]
fn nonces_that_run_out_are_followed_by_another_extra_nonce() {
    let draft = draft(Spec::local());
    // One hash of a million: far more than four nonces hold.
    let target = easy(0x1e10_0000);
    let mut search = Search::new(Arc::clone(&draft), target, (3, 5), 3);
    let (tried, found) = search.run(50_000_000);
    let found = found.unwrap();
    assert!(tried > 4 && found.nonce <= 3);
    assert_eq!(u64::from(tried), (found.extra - 3) / 5 * 4 + u64::from(found.nonce) + 1, "none is left out");
    assert_eq!(found.extra % 5, 3, "lanes do not meet");
    assert!(target.is_met_by(header(&draft, found).block_hash()));
}

#[test]
fn a_later_time_is_the_blocks() {
    let draft = draft(Spec::regtest());
    let target = easy(0x1f07_ffff);
    let mut search = Search::new(Arc::clone(&draft), target, (0, 1), 7);
    let mut times = std::collections::BTreeSet::new();
    for later in 0..20 {
        search.set_time(1_800_000_000 + later);
        let found = search.run(1_000_000).1.unwrap();
        let header = header(&draft, found);
        assert_eq!(header.time, 1_800_000_000 + later, "also when the extra nonce has changed");
        pow::check(&Header { bits: target.to_compact_lossy(), ..header }, &header.block_hash(), &target).unwrap();
        times.insert(header.time);
    }
    assert_eq!(times.len(), 20);
}

#[test]
fn the_last_nonce_there_is_is_tried() {
    let draft = draft(Spec::regtest());
    let mut search = Search::new(draft, easy(0x0101_0000), (0, 1), u32::MAX);
    search.next = Some(u32::MAX);
    assert_eq!(search.run(2), (2, None));
    assert_eq!((search.extra, search.next), (1, Some(1)));
}

#[test]
fn the_nonces_of_a_signed_draft_are_shared_and_come_to_an_end() {
    let key = yap_chain::producer::Key::new(&[7; 32]).unwrap();
    let producers = yap_chain::producer::Producers::new(vec![key.public()]).unwrap();
    let spec = Spec { challenge: Some(producers.challenge().to_owned()), ..Spec::regtest() };
    let signed = Arc::new(key.sign(&draft(spec), 3, &producers).unwrap());
    let target = easy(0x207f_ffff);
    for lanes in [1, 3] {
        let mut found = Vec::new();
        let mut tried = 0;
        for lane in 0..lanes {
            let mut search = Search::new(Arc::clone(&signed), target, (lane, lanes), 99);
            while !search.is_spent() {
                let (count, one) = search.run(7);
                tried += count;
                found.extend(one.map(|found| found.nonce));
                if let Some(found) = one {
                    assert!(target.is_met_by(header(&signed, found).block_hash()));
                }
            }
            assert_eq!(search.run(5), (0, None));
        }
        found.sort_unstable();
        let met = |nonce: &u32| target.is_met_by(Header { nonce: *nonce, ..signed.header(0) }.block_hash());
        assert_eq!(found, (0..100).filter(met).collect::<Vec<_>>(), "none is left out, none comes twice");
        assert_eq!(tried, 100);
    }
    assert!(Search::new(Arc::clone(&signed), target, (5, 8), 4).is_spent(), "more lanes than nonces");
}
