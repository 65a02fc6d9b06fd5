//! Each rule as a story; that they hold together, whatever happens, is `property`'s, what they do for several peers
//! `peers`'.

mod peers;
mod producers;
mod property;

use bitcoin::ScriptBuf;
use bitcoin::hashes::Hash;

use super::*;

const SPACING: Duration = Duration::from_secs(10);

fn config() -> Config {
    Config { spacing: SPACING, signed: false, producers: None }
}

fn random(seed: u8) -> Random {
    Random::new([seed; 32])
}

fn hash(number: u64) -> BlockHash {
    BlockHash::hash(&number.to_le_bytes())
}

fn tip(number: u64) -> Tip {
    Tip { hash: hash(number), verified: true }
}

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn order(blocks: u32, tries: u64) -> MiningOrder {
    MiningOrder { blocks, script: Some(ScriptBuf::new()), tries, transactions: None }
}

fn waiting(waiting: usize, own: usize) -> Pool {
    Pool { waiting, own, fees: waiting as u64 * 1_000 }
}

/// A plan that knows the tip 0 and has caught up.
fn plan(mining: Mining) -> Plan {
    let mut plan = Plan::new(config(), mining, random(1));
    plan.tip(at(0), tip(0));
    plan.catching_up(at(0), false);
    plan
}

/// What there is to build at that time.
fn build(plan: &mut Plan, now: Time) -> Build {
    match plan.poll(now) {
        Some(Action::Build(build)) => build,
        other => panic!("{other:?}"),
    }
}

/// When the plan begins by itself, and what.
fn begins(plan: &mut Plan, now: Time) -> (Duration, Build) {
    assert_eq!(plan.poll(now), None);
    let when = plan.next_deadline().unwrap();
    assert_eq!(plan.poll(Time::from_micros(when.as_micros() - 1)), None, "not before");
    (when.since(now), build(plan, when))
}

#[test]
fn a_payment_made_here_is_mined_soon() {
    let mut spread = Vec::new();
    for seed in 0..100 {
        let mut plan = Plan::new(config(), Mining::OnDemand, random(seed));
        plan.tip(at(0), tip(0));
        plan.catching_up(at(0), false);
        plan.pool(at(1_000), waiting(1, 1));
        let (wait, build) = begins(&mut plan, at(1_000));
        assert!(wait <= SPACING / 5, "{wait:?}");
        assert_eq!((build.parent, build.order, build.empty), (hash(0), None, false));
        spread.push(wait);
    }
    assert!(spread.iter().min().unwrap() < &(SPACING / 50) && spread.iter().max().unwrap() > &(SPACING / 6));
}

#[test]
fn a_payment_made_elsewhere_is_left_to_its_maker_for_a_while() {
    for seed in 0..100 {
        let mut plan = Plan::new(config(), Mining::OnDemand, random(seed));
        plan.tip(at(0), tip(0));
        plan.catching_up(at(0), false);
        plan.pool(at(1_000), waiting(1, 0));
        let (wait, _) = begins(&mut plan, at(1_000));
        assert!((SPACING / 2..=SPACING * 3 / 2).contains(&wait), "{wait:?}");
    }
}

#[test]
fn a_payment_of_ones_own_never_makes_it_later() {
    for seed in 0..50 {
        let mut plan = Plan::new(config(), Mining::OnDemand, random(seed));
        plan.tip(at(0), tip(0));
        plan.catching_up(at(0), false);
        plan.pool(at(0), waiting(1, 0));
        let first = plan.next_deadline().unwrap();
        plan.pool(at(100), waiting(2, 0));
        assert_eq!(plan.next_deadline(), Some(first), "more of others' change nothing");
        plan.pool(at(200), waiting(3, 1));
        let second = plan.next_deadline().unwrap();
        assert!(second <= first && second.since(at(200)) <= SPACING / 5);
        plan.pool(at(300), waiting(4, 2));
        assert_eq!(plan.next_deadline(), Some(second));
    }
}

#[test]
fn a_new_tip_makes_everybody_draw_again() {
    let mut plan = plan(Mining::OnDemand);
    plan.pool(at(0), waiting(3, 0));
    let work = begins(&mut plan, at(0)).1;
    plan.built(at(9_000), work.work, Built::Started);
    plan.tip(at(20_000), tip(1));
    assert_eq!(plan.poll(at(20_000)), Some(Action::Cancel));
    let (wait, build) = begins(&mut plan, at(20_000));
    assert!((SPACING..=SPACING * 2).contains(&wait) && build.parent == hash(1) && build.work > work.work);
    // With payments of one's own too, and they are not as soon as when they were made.
    let waits = (0..100).map(|seed| {
        let mut plan = Plan::new(config(), Mining::OnDemand, random(seed));
        plan.catching_up(at(0), false);
        plan.tip(at(0), tip(0));
        plan.pool(at(0), waiting(2, 1));
        plan.tip(at(1), tip(1));
        plan.next_deadline().unwrap().since(at(1))
    });
    let longest = waits.max().unwrap();
    assert!(longest > SPACING / 5 && longest <= SPACING, "{longest:?}");
}

#[test]
fn there_is_no_hurry_while_the_tip_is_young() {
    let waits = |when: u64| {
        let wait = move |seed| {
            let mut plan = Plan::new(config(), Mining::OnDemand, random(seed));
            plan.catching_up(at(0), false);
            plan.tip(at(0), tip(0));
            plan.tip(at(0), tip(1));
            plan.pool(at(when), waiting(1, 1));
            plan.next_deadline().unwrap().since(at(when))
        };
        (0..100).map(wait).max().unwrap()
    };
    assert!((SPACING / 2..=SPACING).contains(&waits(9_999)));
    assert!(waits(10_000) <= SPACING / 5);
}

#[test]
fn without_transactions_nothing_is_mined_on_demand() {
    let mut plan = plan(Mining::OnDemand);
    assert_eq!((plan.poll(at(1_000_000)), plan.next_deadline()), (None, None));
    plan.pool(at(0), waiting(1, 1));
    assert!(plan.next_deadline().is_some());
    plan.pool(at(1), waiting(0, 0));
    assert_eq!((plan.poll(at(1_000_000)), plan.next_deadline()), (None, None));
}

#[test]
fn what_can_not_be_mined_yet_is_tried_later_or_with_what_comes() {
    let mut plan = plan(Mining::OnDemand);
    plan.pool(at(0), waiting(1, 1));
    let build = begins(&mut plan, at(0)).1;
    plan.built(at(2_000), build.work, Built::Nothing);
    let (wait, build) = begins(&mut plan, at(2_000));
    assert_eq!(wait, SPACING);
    plan.built(at(12_000), build.work, Built::Nothing);
    plan.pool(at(13_000), waiting(2, 2));
    assert!(begins(&mut plan, at(13_000)).0 <= SPACING / 5);
}

#[test]
fn a_continuous_miner_builds_at_once_and_anew_when_it_is_worth_it() {
    let mut plan = plan(Mining::Continuous);
    let first = build(&mut plan, at(0));
    assert!(first.empty && first.tries.is_none());
    plan.built(at(0), first.work, Built::Started);
    assert_eq!((plan.poll(at(100_000)), plan.next_deadline()), (None, None), "nothing would be gained");
    plan.pool(at(1_000), waiting(1, 0));
    assert_eq!(plan.poll(at(1_000)), None);
    assert_eq!(plan.next_deadline(), Some(Time::ZERO.after(REFRESH)));
    let second = build(&mut plan, Time::ZERO.after(REFRESH));
    assert!(second.work > first.work && second.parent == first.parent);
    plan.built(at(5_000), second.work, Built::Started);
    assert_eq!(plan.next_deadline(), None);
    assert!(!plan.found(at(5_001), first.work, hash(1), 10), "the first one is over");
    assert!(plan.found(at(5_002), second.work, hash(1), 10));
}

#[test]
fn after_a_block_was_found_nothing_is_built_until_the_tip_has_moved_and_is_verified() {
    let mut plan = plan(Mining::Continuous);
    let work = build(&mut plan, at(0)).work;
    plan.built(at(0), work, Built::Started);
    assert!(plan.found(at(10), work, hash(1), 10));
    assert!(!plan.found(at(10), work, hash(2), 10), "one is enough");
    assert_eq!(plan.poll(at(20)), None);
    plan.judged(at(20), hash(1), Ok(()));
    assert_eq!(plan.poll(at(30)), None, "another on the same parent would be its rival");
    plan.tip(at(40), Tip { verified: false, ..tip(1) });
    assert_eq!((plan.poll(at(50)), plan.next_deadline()), (None, None), "its scripts are not verified");
    plan.tip(at(60), tip(1));
    assert_eq!(build(&mut plan, at(60)).parent, hash(1));
}

#[test]
fn a_ledger_that_says_nothing_is_not_waited_for_for_ever() {
    let mut plan = plan(Mining::Continuous);
    let work = build(&mut plan, at(0)).work;
    plan.built(at(0), work, Built::Started);
    assert!(plan.found(at(0), work, hash(1), 10));
    assert_eq!(plan.next_deadline(), Some(Time::ZERO.after(SETTLE)));
    assert_eq!(build(&mut plan, Time::ZERO.after(SETTLE)).parent, hash(0));
}

#[test]
fn a_refused_block_is_not_tried_again_at_once() {
    let mut plan = plan(Mining::Continuous);
    let work = build(&mut plan, at(0)).work;
    plan.built(at(0), work, Built::Started);
    assert!(plan.found(at(0), work, hash(1), 10));
    plan.judged(at(0), hash(1), Err("bad-cb-amount".into()));
    assert_eq!(begins(&mut plan, at(0)).0, RETRY);
}

#[test]
fn nothing_is_mined_unasked_while_catching_up() {
    let mut plan = Plan::new(config(), Mining::Continuous, random(1));
    plan.tip(at(0), tip(0));
    plan.pool(at(0), waiting(1, 1));
    assert_eq!((plan.poll(at(0)), plan.next_deadline()), (None, None), "at first a node is behind");
    // An order is an order.
    let id = plan.order(order(1, 100)).unwrap();
    let work = build(&mut plan, at(0));
    assert_eq!(work.order.unwrap().blocks, 1);
    plan.built(at(0), work.work, Built::Started);
    plan.forget(id);
    assert_eq!(plan.poll(at(0)), Some(Action::Cancel));
    plan.catching_up(at(0), false);
    let work = build(&mut plan, at(0)).work;
    plan.built(at(0), work, Built::Started);
    plan.catching_up(at(1), true);
    assert_eq!((plan.poll(at(1)), plan.poll(at(1))), (Some(Action::Cancel), None));
}

#[test]
fn an_order_gets_its_blocks_and_no_more() {
    let mut plan = plan(Mining::Off);
    let id = plan.order(order(3, 1_000)).unwrap();
    let mut left = 1_000;
    for number in 1..=3 {
        let build = build(&mut plan, at(number));
        assert_eq!((build.parent, build.tries, build.empty), (hash(number - 1), Some(left), true));
        plan.built(at(number), build.work, Built::Started);
        assert!(plan.found(at(number), build.work, hash(number), 7));
        left -= 7;
        assert_eq!(plan.poll(at(number)), None);
        // The ledger may say it in either order.
        if number % 2 == 0 {
            plan.judged(at(number), hash(number), Ok(()));
            plan.tip(at(number), tip(number));
        } else {
            plan.tip(at(number), tip(number));
            plan.judged(at(number), hash(number), Ok(()));
        }
    }
    assert_eq!(plan.poll(at(4)), Some(Action::Done(id, Ok((1..=3).map(hash).collect()))));
    assert_eq!((plan.poll(at(4)), plan.next_deadline()), (None, None));
}

#[test]
fn an_order_whose_hashes_are_used_up_gets_what_was_found() {
    let mut plan = plan(Mining::Off);
    let id = plan.order(order(3, 100)).unwrap();
    let first = build(&mut plan, at(0)).work;
    plan.built(at(0), first, Built::Started);
    assert!(plan.found(at(0), first, hash(1), 60));
    plan.judged(at(0), hash(1), Ok(()));
    plan.tip(at(0), tip(1));
    let second = build(&mut plan, at(0));
    assert_eq!(second.tries, Some(40));
    plan.built(at(0), second.work, Built::Started);
    // Somebody else was faster; what was tried counts all the same.
    plan.tip(at(1), tip(2));
    assert_eq!(plan.poll(at(1)), Some(Action::Cancel));
    plan.spent(second.work, 30);
    let third = build(&mut plan, at(1));
    assert_eq!((third.tries, third.parent), (Some(10), hash(2)));
    plan.built(at(1), third.work, Built::Started);
    plan.spent(third.work, 10);
    assert_eq!(plan.poll(at(1)), Some(Action::Done(id, Ok(vec![hash(1)]))));
    assert_eq!(plan.poll(at(1)), None);
}

#[test]
fn the_last_hash_may_be_the_one() {
    let mut plan = plan(Mining::Off);
    let id = plan.order(order(2, 60)).unwrap();
    let work = build(&mut plan, at(0)).work;
    plan.built(at(0), work, Built::Started);
    assert!(plan.found(at(0), work, hash(1), 60));
    plan.spent(work, 60);
    assert_eq!(plan.poll(at(0)), None, "the ledger has yet to take it");
    plan.judged(at(0), hash(1), Ok(()));
    assert_eq!(plan.poll(at(0)), Some(Action::Done(id, Ok(vec![hash(1)]))));
}

#[test]
fn orders_come_first_and_one_after_another() {
    let mut plan = plan(Mining::Continuous);
    let own = build(&mut plan, at(0)).work;
    plan.built(at(0), own, Built::Started);
    let [nothing, some, none] = [order(0, 5), order(1, 5), order(1, 0)].map(|order| plan.order(order).unwrap());
    assert_eq!(plan.poll(at(1)), Some(Action::Done(nothing, Ok(vec![]))));
    assert_eq!(plan.poll(at(1)), Some(Action::Cancel));
    let work = build(&mut plan, at(1));
    assert_eq!(work.tries, Some(5));
    plan.built(at(1), work.work, Built::Failed(MineError::NoWallet));
    assert_eq!(plan.poll(at(1)), Some(Action::Done(some, Err(MineError::NoWallet))));
    assert_eq!(plan.poll(at(1)), Some(Action::Done(none, Ok(vec![]))), "no hash was to be tried");
    assert!(build(&mut plan, at(1)).order.is_none(), "and on with what it did");
}

#[test]
fn orders_are_bounded() {
    let mut plan = plan(Mining::Off);
    for _ in 0..MAX_ORDERS {
        plan.order(order(1, 1)).unwrap();
    }
    assert_eq!(plan.order(order(1, 1)), Err(MineError::Busy));
    let work = build(&mut plan, at(0)).work;
    plan.built(at(0), work, Built::Started);
    plan.spent(work, 1);
    assert!(matches!(plan.poll(at(0)), Some(Action::Done(..))));
    assert!(plan.order(order(1, 1)).is_ok());
}

#[test]
fn a_block_that_is_refused_ends_its_order() {
    let mut plan = plan(Mining::Off);
    let id = plan.order(order(2, 100)).unwrap();
    let work = build(&mut plan, at(0)).work;
    plan.built(at(0), work, Built::Started);
    assert!(plan.found(at(0), work, hash(1), 1));
    plan.judged(at(0), hash(1), Err("bad-txns-inputs-missingorspent".into()));
    let why = MineError::Refused("bad-txns-inputs-missingorspent".into());
    assert_eq!((plan.poll(at(0)), plan.poll(at(0))), (Some(Action::Done(id, Err(why))), None));
}

#[test]
fn signed_chains_are_not_mined() {
    let mut plan = Plan::new(Config { signed: true, ..config() }, Mining::Continuous, random(1));
    plan.tip(at(0), tip(0));
    plan.catching_up(at(0), false);
    assert_eq!((plan.mining(), plan.poll(at(0))), (Mining::Off, None));
    assert_eq!(plan.order(order(1, 1)), Err(MineError::Signed));
    assert_eq!(plan.set_mining(at(0), Mining::OnDemand), Err(MineError::Signed));
    assert_eq!(plan.set_mining(at(0), Mining::Off), Ok(()));
}

#[test]
fn a_chain_ahead_of_the_clock_is_waited_for() {
    let mut plan = plan(Mining::Continuous);
    let work = build(&mut plan, at(0)).work;
    plan.built(at(0), work, Built::Early(at(1_500)));
    assert_eq!(begins(&mut plan, at(0)).0, Duration::from_millis(1_500));
}

#[test]
fn a_change_of_mind_takes_effect_at_once() {
    let mut plan = plan(Mining::Continuous);
    let work = build(&mut plan, at(0)).work;
    plan.built(at(0), work, Built::Started);
    plan.set_mining(at(1), Mining::Off).unwrap();
    assert_eq!((plan.poll(at(1)), plan.poll(at(1)), plan.is_working()), (Some(Action::Cancel), None, false));
    plan.pool(at(2), waiting(1, 1));
    assert_eq!(plan.next_deadline(), None);
    plan.set_mining(at(3), Mining::OnDemand).unwrap();
    assert!(begins(&mut plan, at(3)).0 <= SPACING / 5);
}
