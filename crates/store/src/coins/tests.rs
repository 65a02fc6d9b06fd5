#![expect(clippy::arithmetic_side_effects, reason = "small numbers in tests")]

use std::collections::BTreeMap;

use super::*;
use crate::testing::{Random, coin, outpoint};

const BUDGET: usize = 1 << 20;

fn value(cache: &Cache, number: u32) -> Known {
    cache.find(&outpoint(number))
}

/// What a commit would write, by the order of keys.
fn written(frozen: &Table) -> Vec<(OutPoint, Option<Coin>)> {
    let mut entries: Vec<_> = frozen.entries().map(|entry| (entry.outpoint, entry.coin.clone())).collect();
    entries.sort_by_key(|(outpoint, _)| yap_chain::coin::codec::key(outpoint));
    entries
}

#[test]
fn a_coin_made_and_spent_between_commits_is_never_written() {
    let mut cache = Cache::new(BUDGET);
    cache.insert(&outpoint(1), coin(1, 22, false), false);
    assert_eq!(value(&cache, 1), Known::Coin(coin(1, 22, false)));
    cache.remove(&outpoint(1));
    assert_eq!(value(&cache, 1), Known::Unknown);
    assert_eq!(written(&cache.freeze()), []);
}

#[test]
fn a_coin_of_the_tables_leaves_a_tombstone() {
    let mut cache = Cache::new(BUDGET);
    cache.keep(&outpoint(1), coin(1, 22, false));
    cache.remove(&outpoint(1));
    assert_eq!(value(&cache, 1), Known::Absent);
    assert_eq!(written(&cache.freeze()), [(outpoint(1), None)]);
    assert_eq!(value(&cache, 1), Known::Absent);
    cache.thaw();
    assert_ne!(value(&cache, 1), Known::Coin(coin(1, 22, false)), "the clean coin is gone, too");
}

#[test]
fn a_coin_spent_and_restored_is_written_again() {
    let mut cache = Cache::new(BUDGET);
    cache.remove(&outpoint(1));
    cache.insert(&outpoint(1), coin(1, 22, false), false);
    cache.remove(&outpoint(1));
    assert_eq!(value(&cache, 1), Known::Absent, "the tables have it, so a tombstone must stay");
    cache.insert(&outpoint(1), coin(2, 22, false), false);
    assert_eq!(written(&cache.freeze()), [(outpoint(1), Some(coin(2, 22, false)))]);
}

#[test]
fn a_coin_spent_while_it_is_being_written_leaves_a_tombstone() {
    let mut cache = Cache::new(BUDGET);
    cache.insert(&outpoint(1), coin(1, 22, false), false);
    drop(cache.freeze());
    cache.remove(&outpoint(1));
    assert_eq!(value(&cache, 1), Known::Absent);
    cache.thaw();
    assert_eq!(value(&cache, 1), Known::Absent);
    assert_eq!(written(&cache.freeze()), [(outpoint(1), None)]);
}

#[test]
fn an_overwriting_coin_is_not_forgotten_when_it_is_spent() {
    let mut cache = Cache::new(BUDGET);
    cache.insert(&outpoint(1), coin(1, 22, true), true);
    cache.remove(&outpoint(1));
    assert_eq!(written(&cache.freeze()), [(outpoint(1), None)]);
}

/// Fills the changed half until the cache asks for a commit; the number of coins.
fn fill(cache: &mut Cache, script: usize) -> u32 {
    let full = (0..1_000_000).find(|number| {
        cache.insert(&outpoint(*number), coin(*number, script, false), false);
        cache.is_full()
    });
    full.unwrap() + 1
}

#[test]
fn a_commit_is_asked_for_before_the_changes_outgrow_their_half() {
    // 4,096 slots are the last power of two in half a megabyte, 7/8 of them may be taken, an eighth is reserve.
    let capacity = 4_096 / 8 * 7;
    let mut cache = Cache::new(BUDGET);
    let count = fill(&mut cache, 22);
    // `fill` saw that it was not full at the bound.
    assert_eq!(count, capacity - capacity / 8 + 1, "one past the bound");
    assert!(cache.memory() <= BUDGET / 2);
    // What is left of one block still fits.
    let reserve = u32::try_from(cache.dirty.capacity() / 8).unwrap() - 1;
    (0..reserve).for_each(|number| cache.insert(&outpoint(1_000_000 + number), coin(1, 22, false), false));
    assert!(cache.memory() <= BUDGET / 2);
}

#[test]
fn coins_that_come_and_go_take_no_more_room() {
    for live in [100, 1_000, 1_700, 2_500] {
        let mut cache = Cache::new(BUDGET);
        let full = (0..50_000_u32).find(|number| {
            cache.insert(&outpoint(*number), coin(*number, 22, false), false);
            if let Some(old) = number.checked_sub(live) {
                cache.remove(&outpoint(old));
            }
            assert!(cache.memory() <= BUDGET / 2, "{live} coins at {number}");
            cache.is_full()
        });
        // Marks of deleted entries may ask for a commit early, but only in a table that is half full.
        assert!(full.is_none() || live > 4_096 / 8 * 7 / 2 * 7 / 8, "{live} coins at {full:?}");
    }
}

#[test]
fn long_scripts_count() {
    let (mut short, mut long) = (Cache::new(BUDGET), Cache::new(BUDGET));
    let most = BUDGET / 2 / 10_000;
    assert!(usize::try_from(fill(&mut long, 10_000)).unwrap() <= most);
    assert!(long.memory() <= BUDGET / 2 + 10_000);
    assert!(usize::try_from(fill(&mut short, 37)).unwrap() > most);
}

#[test]
fn kept_coins_never_outgrow_the_other_half() {
    let mut cache = Cache::new(BUDGET);
    let mut largest = 0;
    for number in 0..20_000 {
        cache.keep(&outpoint(number), coin(number, 22, false));
        largest = largest.max(cache.memory());
        assert_eq!(value(&cache, number), Known::Coin(coin(number, 22, false)));
    }
    assert!(largest <= BUDGET / 2 && largest > BUDGET / 4, "{largest}");
    // A commit takes room from them.
    fill(&mut cache, 22);
    let frozen = cache.freeze();
    for number in 0..20_000 {
        cache.keep(&outpoint(1_000_000 + number), coin(number, 22, false));
        assert!(cache.memory() <= BUDGET / 2);
    }
    drop(frozen);
    cache.thaw();
    assert!(cache.memory() <= BUDGET / 2);
}

#[test]
fn a_cache_without_room_still_tells_the_truth() {
    let mut cache = Cache::new(0);
    cache.keep(&outpoint(1), coin(1, 22, false));
    assert_eq!(value(&cache, 1), Known::Unknown);
    assert!(!cache.is_full(), "nothing has changed");
    cache.insert(&outpoint(1), coin(1, 22, false), false);
    assert!(cache.is_full());
    assert_eq!(value(&cache, 1), Known::Coin(coin(1, 22, false)));
    drop(cache.freeze());
    cache.thaw();
    assert_eq!(value(&cache, 1), Known::Unknown, "it is in the tables");
}

/// The cache over tables that are a map, beside a map that is the truth.
#[test]
fn any_order_of_changes_and_commits_gives_the_same_set() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let budget = [0, 30_000, BUDGET][random.below(3)];
        let mut cache = Cache::new(budget);
        let (mut tables, mut truth) = (BTreeMap::new(), BTreeMap::new());
        let mut pending: Option<Arc<Table>> = None;
        for step in 0..2_000_u32 {
            let number = u32::try_from(random.below(100)).unwrap();
            let at = outpoint(number);
            match random.below(60) {
                0 => {
                    finish(&mut cache, &mut tables, pending.take());
                    pending = Some(cache.freeze());
                }
                1 => finish(&mut cache, &mut tables, pending.take()),
                2..20 => {
                    let known = cache.find(&at);
                    let found = match known {
                        Known::Coin(coin) => Some(coin),
                        Known::Absent => None,
                        Known::Unknown => tables.get(&at).cloned().inspect(|coin: &Coin| cache.keep(&at, coin.clone())),
                    };
                    assert_eq!(found.as_ref(), truth.get(&at), "seed {seed} step {step}");
                }
                _ if truth.remove(&at).is_some() => cache.remove(&at),
                _ => {
                    let coin = coin(step, [22, 60][random.below(2)], false);
                    truth.insert(at, coin.clone());
                    cache.insert(&at, coin, false);
                }
            }
        }
        finish(&mut cache, &mut tables, pending.take());
        pending = Some(cache.freeze());
        finish(&mut cache, &mut tables, pending.take());
        assert_eq!(tables, truth, "seed {seed}");
    }
}

fn finish(cache: &mut Cache, tables: &mut BTreeMap<OutPoint, Coin>, pending: Option<Arc<Table>>) {
    let Some(frozen) = pending else { return };
    for (outpoint, coin) in written(&frozen) {
        match coin {
            Some(coin) => drop(tables.insert(outpoint, coin)),
            None => assert!(tables.remove(&outpoint).is_some(), "a tombstone for a coin that was never there"),
        }
    }
    drop(frozen);
    cache.thaw();
}
