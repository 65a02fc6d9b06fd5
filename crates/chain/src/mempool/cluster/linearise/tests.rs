#![expect(clippy::arithmetic_side_effects, reason = "the numbers are small and of our own making")]

use std::cmp::Ordering;

use super::*;
use crate::fixture::Random;
use crate::mempool::rate::compare_diagrams;

fn part(fee: i64, weight: i64, parents: &[usize]) -> Part {
    Part { paid: Paid { fee, weight }, parents: parents.iter().fold(0, |all, parent| all | bit(*parent)) }
}

/// Parts in an order of which nothing is known, each depending on some with another index.
fn random(random: &mut Random, count: usize, most_fee: usize) -> Vec<Part> {
    let density = random.below(5);
    let mut names: Vec<usize> = (0..count).collect();
    for index in (1..count).rev() {
        names.swap(index, random.below(index + 1));
    }
    let mut parts = vec![part(0, 1, &[]); count];
    for index in 0..count {
        let parents: Vec<usize> = (0..index).filter(|_| random.below(6) < density).map(|index| names[index]).collect();
        let fee = i64::try_from(random.below(most_fee)).unwrap() - i64::from(random.below(20) == 0);
        parts[names[index]] = part(fee, i64::try_from(1 + random.below(10)).unwrap(), &parents);
    }
    parts
}

fn diagram(linear: &Linear) -> Vec<Paid> {
    linear.chunks.iter().map(|(_, paid)| *paid).collect()
}

fn assert_sound(parts: &[Part], linear: &Linear) {
    let mut seen = 0;
    for index in linear.order.iter().map(|index| usize::from(*index)) {
        assert_eq!(parts[index].parents & !seen, 0, "a parent comes after its child");
        assert_eq!(seen & bit(index), 0, "one stands twice");
        seen |= bit(index);
    }
    assert_eq!(seen, lowest(parts.len()));
    let mut start = 0;
    for (end, paid) in &linear.chunks {
        let members = &linear.order[start..usize::from(*end)];
        assert!(!members.is_empty());
        assert_eq!(members.iter().map(|index| parts[usize::from(*index)].paid).sum::<Paid>(), *paid);
        start = usize::from(*end);
    }
    assert_eq!(start, parts.len());
    let rates = linear.chunks.windows(2);
    assert!(rates.into_iter().all(|pair| pair[0].1.by_rate(pair[1].1) != Ordering::Less), "rates rise");
}

/// All sets that hold the parents of their members, and what they pay.
fn closed(parts: &[Part]) -> impl Iterator<Item = (u64, Paid)> {
    let sets = 0..1_u64 << parts.len();
    let sets = sets.filter(|set| ones(*set).all(|index| parts[index].parents & !set == 0));
    sets.map(|set| (set, ones(set).map(|index| parts[index].paid).sum()))
}

#[test]
fn no_set_of_transactions_pays_more_than_the_order_does() {
    for seed in 0..6000 {
        let mut numbers = Random(seed);
        let count = 1 + numbers.below(if seed % 50 == 0 { 13 } else { 8 });
        let most_fee = [2, 5, 30, 100_000][numbers.below(4)];
        let parts = random(&mut numbers, count, most_fee);
        let linear = linearise(&parts);
        assert_sound(&parts, &linear);
        let line = diagram(&linear);
        // A set as the only thing mined: one chunk, and nothing after it that could be worse than nothing.
        for (_, paid) in closed(&parts) {
            let sums = line.iter().scan(Paid::default(), |sum, chunk| {
                let before = *sum;
                *sum = sum.plus(*chunk);
                Some((before, *sum))
            });
            for (before, after) in sums.filter(|(before, after)| (before.weight..=after.weight).contains(&paid.weight))
            {
                let better = paid.minus(before).by_rate(after.minus(before));
                assert_ne!(better, Ordering::Greater, "seed {seed}: {parts:?} in {linear:?}");
            }
        }
    }
}

#[test]
fn no_chunk_could_be_mined_in_two_of_the_same_rate() {
    for seed in 0..2000 {
        let mut numbers = Random(seed);
        let count = 1 + numbers.below(8);
        let parts = random(&mut numbers, count, 3);
        let linear = linearise(&parts);
        let mut before = 0_u64;
        let mut start = 0;
        for (end, paid) in &linear.chunks {
            let chunk = linear.order[start..usize::from(*end)].iter().fold(0, |set, index| set | bit((*index).into()));
            for (set, _) in closed(&parts).filter(|(set, _)| set & before == before && set & !before & !chunk == 0) {
                let part = set & !before;
                let part_paid: Paid = ones(part).map(|index| parts[index].paid).sum();
                if part != 0 && part != chunk {
                    assert_eq!(part_paid.by_rate(*paid), Ordering::Less, "seed {seed}: {parts:?} in {linear:?}");
                }
            }
            before |= chunk;
            start = usize::from(*end);
        }
    }
}

#[test]
fn large_clusters_are_in_order_too() {
    for seed in 0..300 {
        let mut numbers = Random(seed);
        let count = 9 + numbers.below(56);
        let parts = random(&mut numbers, count, 1000);
        let linear = linearise(&parts);
        assert_sound(&parts, &linear);
        // What miners did before clusters were kept in order is never better.
        let greedy = greedy(&parts);
        let ordering = compare_diagrams(&diagram(&linear), &greedy);
        assert!(matches!(ordering, Some(Ordering::Equal | Ordering::Greater)), "seed {seed}: {ordering:?}");
    }
}

/// Chunks of the order by packages: always the part that pays most with its ancestors.
fn greedy(parts: &[Part]) -> Vec<Paid> {
    let above = ancestors(parts.iter().map(|part| part.parents));
    let paid = |set: u64| -> Paid { ones(set).map(|index| parts[index].paid).sum() };
    let mut taken = 0;
    let mut chunks: Vec<Paid> = Vec::new();
    while taken != lowest(parts.len()) {
        let left = ones(lowest(parts.len()) & !taken).map(|index| above[index] & !taken);
        let best = left.max_by(|a, b| paid(*a).by_rate(paid(*b))).unwrap();
        taken |= best;
        let mut chunk = paid(best);
        while let Some(last) = chunks.pop_if(|last| chunk.by_rate(*last) == Ordering::Greater) {
            chunk = chunk.plus(last);
        }
        chunks.push(chunk);
    }
    chunks
}

#[test]
fn a_child_pays_for_its_parent() {
    let linear = linearise(&[part(1, 10, &[]), part(50, 10, &[0]), part(3, 10, &[0])]);
    assert_eq!(linear.order, [0, 1, 2]);
    assert_eq!(diagram(&linear), [Paid { fee: 51, weight: 20 }, Paid { fee: 3, weight: 10 }]);
}

#[test]
fn two_children_pay_for_a_parent_that_neither_would_pay_for_first() {
    // By packages the lone one comes first: each child with the parent pays 11 for 2.
    let parts = [part(0, 1, &[]), part(11, 1, &[0]), part(11, 1, &[0]), part(6, 1, &[])];
    assert_eq!(diagram(&linearise(&parts)).first(), Some(&Paid { fee: 22, weight: 3 }));
    assert_eq!(greedy(&parts).first(), Some(&Paid { fee: 28, weight: 4 }));
}

#[test]
fn as_many_as_bits_can_name_are_placed() {
    let chain: Vec<Part> =
        (0_usize..MOST).map(|index| part(1, 1, &index.checked_sub(1).map_or(vec![], |p| vec![p]))).collect();
    assert_sound(&chain, &linearise(&chain));
    assert_eq!(linearise(&chain).chunks.len(), MOST);
    let rising: Vec<Part> = (0_usize..MOST)
        .map(|index| part(i64::try_from(index).unwrap(), 1, &index.checked_sub(1).map_or(vec![], |p| vec![p])))
        .collect();
    assert_eq!(linearise(&rising).chunks.len(), 1);
}

#[test]
fn the_largest_fees_do_not_overflow() {
    let all_money = 2_100_000_000_000_000;
    let parts = [part(all_money, 400_000, &[]), part(-all_money, 1, &[0]), part(all_money, 4_000_000, &[1])];
    assert_sound(&parts, &linearise(&parts));
}

#[test]
fn nothing_has_no_chunks() {
    assert_eq!(linearise(&[]), Linear::default());
}
