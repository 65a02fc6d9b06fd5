//! Producers of signed blocks take turns.

use super::*;

/// One of four producers.
fn producer(mining: Mining, turn: Turn) -> Plan {
    let mut plan = Plan::new(Config { producers: Some(4), ..config() }, mining, random(1));
    plan.turn(turn);
    plan.tip(at(0), tip(0));
    plan.catching_up(at(0), false);
    plan
}

fn turn(since: u16, owed: bool) -> Turn {
    Turn { since, owed }
}

#[test]
fn who_signed_last_comes_last() {
    for (since, least) in [(4, 0), (3, 0), (2, 3_333), (1, 6_666), (0, 10_000)] {
        let mut plan = producer(Mining::OnDemand, turn(since, false));
        assert_eq!(plan.next_deadline(), None, "nothing waits");
        plan.pool(at(100_000), waiting(1, 0));
        let (wait, build) = begins(&mut plan, at(100_000));
        let least = Duration::from_millis(least);
        assert!((least..=least + SPACING / 5 + Duration::from_millis(1)).contains(&wait), "{since}: {wait:?}");
        assert!(!build.empty, "what can't be mined makes no block");
    }
}

#[test]
fn blocks_come_a_spacing_apart_even_where_one_mines_always() {
    for mining in [Mining::OnDemand, Mining::Continuous] {
        let mut plan = producer(mining, turn(4, false));
        plan.pool(at(0), waiting(1, 1));
        plan.turn(turn(4, false));
        plan.tip(at(20_000), tip(1));
        let (wait, build) = begins(&mut plan, at(20_000));
        assert!((SPACING..=SPACING + SPACING / 5).contains(&wait), "{mining:?}: {wait:?}");
        assert_eq!(build.empty, mining == Mining::Continuous);
    }
}

#[test]
fn a_block_that_waits_for_irreversibility_is_built_on_once() {
    let mut plan = producer(Mining::OnDemand, turn(3, true));
    let (_, build) = begins(&mut plan, at(0));
    assert!(build.empty && build.order.is_none());
    plan.built(at(1), build.work, Built::Started);
    assert!(plan.found(at(1), build.work, hash(1), 2));
    plan.judged(at(2), hash(1), Ok(()));
    plan.turn(turn(0, false));
    plan.tip(at(2), tip(1));
    assert_eq!((plan.poll(at(3)), plan.next_deadline()), (None, None), "the others' turn");
    // Nothing of this where work counts.
    let mut plan = super::plan(Mining::OnDemand);
    plan.turn(turn(3, true));
    plan.tip(at(5), tip(1));
    assert_eq!(plan.next_deadline(), None);
}

#[test]
fn the_only_producer_waits_for_nobody() {
    let config = Config { producers: Some(1), ..config() };
    let mut plan = Plan::new(config, Mining::OnDemand, random(2));
    plan.turn(turn(0, false));
    plan.tip(at(0), tip(0));
    plan.catching_up(at(0), false);
    plan.pool(at(60_000), waiting(1, 1));
    assert!(begins(&mut plan, at(60_000)).0 <= SPACING / 5);
}

#[test]
fn an_order_waits_for_no_turn() {
    let mut plan = producer(Mining::OnDemand, turn(0, false));
    plan.order(order(1, 10)).unwrap();
    assert!(build(&mut plan, at(0)).empty);
}

/// Producers who hear of each block a moment later; who is not `alive` does nothing. Gives who signed what.
fn run(alive: [bool; 4], mining: Mining, seed: u8, blocks: u64) -> (Vec<usize>, u64) {
    const HEARD: u64 = 50;
    let mut plans: Vec<Plan> = (0..4)
        .map(|number: u8| {
            let config = Config { producers: Some(4), ..config() };
            Plan::new(config, mining, random(seed.wrapping_mul(4).wrapping_add(number)))
        })
        .collect();
    let mut signed: Vec<usize> = Vec::new();
    let mut now = 0;
    let mut rivals = 0;
    while (signed.len() as u64) < blocks {
        for (number, plan) in plans.iter_mut().enumerate() {
            let since = signed.iter().rev().position(|signer| *signer == number).unwrap_or(4).min(4);
            plan.turn(turn(u16::try_from(since).unwrap(), false));
            plan.tip(at(now), tip(signed.len() as u64));
            plan.catching_up(at(now), false);
            plan.pool(at(now), waiting(1, 0));
        }
        let due = |plan: &Plan| (plan.next_deadline().unwrap().as_micros() / 1_000).max(now);
        let mut next: Vec<_> = (0..4).filter(|n| alive[*n]).map(|n| (due(&plans[n]), n)).collect();
        next.sort_unstable();
        // Who would begin before hearing of the first one's block makes a rival of it.
        rivals += next[1..].iter().filter(|(due, _)| *due < next[0].0 + HEARD).count() as u64;
        now = next[0].0;
        signed.push(next[0].1);
    }
    (signed, rivals)
}

#[test]
fn producers_who_are_alive_sign_in_turn_and_rarely_at_once() {
    for mining in [Mining::OnDemand, Mining::Continuous] {
        for alive in [[true; 4], [true, true, true, false]] {
            let count = alive.iter().filter(|alive| **alive).count();
            let mut all = 0;
            for seed in 0..20 {
                let (signed, rivals) = run(alive, mining, seed, 50);
                all += rivals;
                // After the first round, which is anybody's, everybody signs one of so many.
                for window in signed[4..].windows(count) {
                    let different: std::collections::BTreeSet<_> = window.iter().collect();
                    assert_eq!(different.len(), count, "SEED={seed}: {signed:?}");
                }
            }
            assert!(all < 20 * 50 / 20, "{all} rivals of 1,000 blocks");
        }
    }
}
