//! What goes into the next block.

use std::collections::BTreeSet;
use std::sync::Arc;

use bitcoin::absolute::LockTime;
use bitcoin::{Amount, OutPoint, Txid};

use super::town::{Town, padded};
use super::{first, nth};
use crate::fixture::Random;
use crate::mempool::template::MISSES;
use crate::mempool::{Entry, FeeRate, Limits, Paid, Room, Template};

/// That a template is what it says, fits, and has parents first.
fn assert_sound(town: &Town, room: &Room, template: &Template) {
    let mut seen: BTreeSet<Txid> = BTreeSet::new();
    for entry in &template.entries {
        for outpoint in entry.inputs() {
            assert!(seen.contains(&outpoint.txid) || !town.pool.contains_txid(&outpoint.txid));
        }
        assert!(seen.insert(entry.txid()), "one stands twice");
    }
    assert_eq!(template.fees, template.entries.iter().map(|entry| entry.fee()).sum());
    assert_eq!(template.weight, template.entries.iter().map(|entry| entry.transaction().weight()).sum::<usize>());
    assert_eq!(
        template.sigops,
        template.entries.iter().map(|entry| usize::try_from(entry.sigops()).unwrap()).sum::<usize>()
    );
    assert!(template.weight <= room.weight && template.sigops <= room.sigops);
}

/// A block as miners built it before clusters: by what each pays with the ancestors that it still needs, from scratch.
/// Those who came first go first of equals; what does not fit is not tried again.
fn greedy(entries: &[Arc<Entry>], room: &Room) -> Amount {
    let index = |txid: &Txid| entries.iter().position(|entry| entry.txid() == *txid);
    let parents: Vec<Vec<usize>> =
        entries.iter().map(|entry| entry.inputs().filter_map(|spent| index(&spent.txid)).collect()).collect();
    let mut taken = vec![false; entries.len()];
    let mut failed = vec![false; entries.len()];
    let (mut weight, mut sigops, mut fees) = (0, 0, Amount::ZERO);
    loop {
        let mut best: Option<(Paid, u64, usize, BTreeSet<usize>)> = None;
        for candidate in (0..entries.len()).filter(|index| !taken[*index] && !failed[*index]) {
            let mut package = BTreeSet::new();
            let mut todo = vec![candidate];
            while let Some(next) = todo.pop() {
                if !taken[next] && package.insert(next) {
                    todo.extend(&parents[next]);
                }
            }
            let paid: Paid = package.iter().map(|member| entries[*member].paid()).sum();
            let sequence = entries[candidate].sequence();
            let better =
                best.as_ref().is_none_or(|(most, first, ..)| paid.by_rate(*most).then(first.cmp(&sequence)).is_gt());
            if better {
                best = Some((paid, sequence, candidate, package));
            }
        }
        let Some((paid, _, candidate, package)) = best else { return fees };
        if paid.rate() < room.least {
            return fees;
        }
        let more: usize = package.iter().map(|member| entries[*member].transaction().weight()).sum();
        let cost: usize = package.iter().map(|member| usize::try_from(entries[*member].sigops()).unwrap()).sum();
        if weight + more > room.weight || sigops + cost > room.sigops {
            failed[candidate] = true;
            continue;
        }
        weight += more;
        sigops += cost;
        for member in package {
            taken[member] = true;
            fees += entries[member].fee();
        }
    }
}

/// A pool of families of every shape.
fn random_town(seed: u64) -> Town {
    let mut random = Random(seed);
    let mut town = Town::with_seed(Limits::default(), seed);
    let mut outputs: Vec<(OutPoint, u64)> = Vec::new();
    let most = if seed % 100 == 99 { 150 } else { 28 };
    let (size, most_fee) = (2 + random.below(most), [40, 1000, 30_000][random.below(3)]);
    let connected = 1 + random.below(4);
    for _ in 0..size {
        let mut inputs: Vec<(OutPoint, u64)> = Vec::new();
        for _ in 0..1 + random.below(2) {
            if outputs.is_empty() || random.below(5) >= connected {
                inputs.push((town.coin(1_000_000), 1_000_000));
            } else {
                let at = random.below(outputs.len());
                inputs.push(outputs.swap_remove(at));
            }
        }
        let total: u64 = inputs.iter().map(|(_, value)| value).sum();
        let fee = (20 + u64::try_from(random.below(most_fee)).unwrap()).min(total / 2);
        let count = 1 + random.below(3);
        let value = (total - fee) / u64::try_from(count).unwrap();
        let outpoints: Vec<OutPoint> = inputs.iter().map(|(outpoint, _)| *outpoint).collect();
        let (bytes, sigops) = (1 + random.below(4) * random.below(120), random.below(12) == 0);
        let payment = town.pay_with(&outpoints, &vec![value; count + 1], |tx| {
            padded(bytes)(tx);
            tx.output[0].value = Amount::ZERO;
            if sigops {
                tx.output[0].script_pubkey = [0x6a, 0xac, 0xac, 0xac].to_vec().into();
            }
            tx.output.swap(0, count);
        });
        let fits = town.check(&payment).and_then(|candidate| town.pool.insert(candidate, town.now));
        if fits.is_ok() {
            outputs.extend((0..u32::try_from(count).unwrap()).map(|vout| (nth(&payment, vout), value)));
        }
    }
    town
}

#[test]
fn a_template_is_never_worth_less_than_what_is_built_by_packages() {
    let (mut better, mut cut) = (0, 0);
    for seed in 0..3000 {
        let town = random_town(seed);
        let entries: Vec<Arc<Entry>> = town.pool.by_age().cloned().collect();
        let all: usize = entries.iter().map(|entry| entry.transaction().weight()).sum();
        let mut random = Random(seed ^ 0xb10c);
        let most = town.room();
        for room in [
            most,
            Room { weight: all / 2, ..most },
            Room { weight: 1 + random.below(all.max(1)), ..most },
            Room { weight: 1 + random.below(all.max(1)), sigops: 12 * random.below(4), ..most },
            Room { least: FeeRate::from_sat_per_kvb(1000), weight: 1 + random.below(all.max(1)), ..most },
        ] {
            let template = town.pool.template(&room);
            assert_sound(&town, &room, &template);
            let by_packages = greedy(&entries, &room);
            assert!(template.fees >= by_packages, "seed {seed}: {} < {by_packages} in {room:?}", template.fees);
            better += u32::from(template.fees > by_packages);
            cut += u32::from(template.entries.len() < entries.len());
        }
    }
    assert!(cut > 5000 && better > 100, "cut {cut} times, better {better} times");
}

#[test]
fn a_child_brings_its_parent_into_the_block() {
    let mut town = Town::new();
    let (a, b) = (town.coin(100_000), town.coin(100_000));
    let parent = town.pay(&[a], &[99_990]);
    let child = town.pay(&[first(&parent)], &[80_000]);
    let plain = town.pay(&[b], &[98_000]);
    for payment in [&parent, &child, &plain] {
        town.offer(payment).unwrap();
    }
    let room = Room { weight: 2 * 61 * 4, ..town.room() };
    let template = town.pool.template(&room);
    let txids: Vec<Txid> = template.entries.iter().map(|entry| entry.txid()).collect();
    assert_eq!(txids, [parent.txid(), child.txid()]);
    // There is room for one: the parent pays less than the plain one.
    let template = town.pool.template(&Room { weight: 61 * 4, ..room });
    assert_eq!(template.entries.iter().map(|entry| entry.txid()).collect::<Vec<_>>(), [plain.txid()]);
}

#[test]
fn what_is_locked_stays_out_and_so_does_its_child() {
    let mut town = Town::new();
    let (a, b) = (town.coin(100_000), town.coin(100_000));
    let until = |tx: &mut bitcoin::Transaction| {
        tx.lock_time = LockTime::from_consensus(1000);
        tx.input[0].sequence = bitcoin::Sequence::ZERO;
    };
    let locked = town.pay_with(&[a], &[99_000], until);
    let child = town.pay(&[first(&locked)], &[50_000]);
    let free = town.pay(&[b], &[99_000]);
    for payment in [&locked, &child, &free] {
        town.offer(payment).unwrap();
    }
    assert_eq!(town.pool.template(&town.room()).entries.len(), 3);
    let early = town.pool.template(&Room { height: 1000, ..town.room() });
    assert_eq!(early.entries.iter().map(|entry| entry.txid()).collect::<Vec<_>>(), [free.txid()]);
}

#[test]
fn what_pays_too_little_stays_out() {
    let mut town = Town::new();
    let coins = [1000, 100].map(|fee| (town.coin(100_000), 100_000 - fee));
    for (coin, value) in coins {
        town.offer(&town.pay(&[coin], &[value])).unwrap();
    }
    // 100 satoshi for 61 virtual bytes.
    let entries = |least| {
        let least = FeeRate::from_sat_per_kvb(least);
        town.pool.template(&Room { least, ..town.room() }).entries.len()
    };
    assert_eq!((entries(1639), entries(1640)), (2, 1));
}

#[test]
fn an_empty_pool_makes_an_empty_block() {
    let town = Town::new();
    assert_eq!(town.pool.template(&town.room()), Template::default());
}

#[test]
fn a_block_that_is_nearly_full_is_left_so_after_a_thousand_misses() {
    for (misses, found) in [(MISSES, true), (MISSES + 1, false)] {
        let mut town = Town::new();
        let mut add = |fee: u64, bytes: usize| {
            let coin = town.coin(100_000);
            let payment = town.pay_with(&[coin], &[100_000 - fee], padded(bytes));
            let candidate = town.check(&payment).unwrap();
            town.pool.insert(candidate, town.now).unwrap();
            payment
        };
        let first = add(90_000, 1000);
        for _ in 0..misses {
            add(5000, 200);
        }
        let last = add(10, 1);
        // Room for the first and the last, but for none between.
        let room = Room { weight: first.weight() + last.weight() + 200, ..town.room() };
        let template = town.pool.template(&room);
        assert_sound(&town, &room, &template);
        assert_eq!(template.entries.iter().any(|entry| entry.txid() == last.txid()), found);
    }
}
