//! Stories of clocks.

#![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use super::*;

fn at(clock: &Clock, steady: Duration, wall: Duration) -> Mark {
    Mark { steady: clock.mark.steady + steady, wall: clock.mark.wall + wall }
}

#[test]
fn time_starts_at_zero_and_goes_on() {
    let clock = Clock::start();
    let first = clock.now();
    assert!(first.since(Time::ZERO) < Duration::from_secs(60));
    assert!(clock.now() >= first);
    assert_eq!(clock.instant(Time::ZERO), clock.origin);
    assert_eq!(clock.instant(Time::from_micros(7)), clock.origin + Duration::from_micros(7));
    assert!(clock.instant(clock.now()) <= Instant::now());
}

#[test]
fn the_last_moment_that_can_be_told_is_far_ahead() {
    let clock = Clock::start();
    assert_eq!(clock.instant(Time::from_micros(u64::MAX)), clock.origin + CENTURY);
}

#[test]
fn the_wall_clock_is_the_systems() {
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let wall = Clock::start().wall();
    let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!((before..=after).contains(&wall.0), "{before} {wall:?} {after}");
}

#[test]
fn a_clock_that_goes_on_was_not_set() {
    let mut clock = Clock::start();
    let hour = Duration::from_secs(3600);
    let almost = DRIFT - Duration::from_nanos(1);
    for (steady, wall) in [(hour, hour), (hour, hour + almost), (hour, hour - almost)] {
        assert_eq!(clock.change(at(&clock, steady, wall)), None, "{wall:?}");
    }
}

#[test]
fn a_clock_that_was_set_is_told_once() {
    let hour = Duration::from_secs(3600);
    for wall in [hour + DRIFT, hour - DRIFT, Duration::ZERO, hour * 1000] {
        let mut clock = Clock::start();
        let now = at(&clock, hour, wall);
        assert_eq!(clock.change(now), Some(Timestamp(now.wall.as_secs())), "{wall:?}");
        assert_eq!(clock.change(now), None);
        assert_eq!(clock.change(at(&clock, hour, hour)), None, "what it shows now is right");
    }
}

#[test]
fn slow_drift_is_told_when_it_adds_up() {
    let mut clock = Clock::start();
    let second = Duration::from_secs(1);
    let start = clock.mark;
    let told = (1..=100_u32)
        .filter(|step| {
            let steady = start.steady + second * *step;
            let wall = start.wall + second * *step + Duration::from_millis(20) * *step;
            clock.change(Mark { steady, wall }).is_some()
        })
        .count();
    assert_eq!(told, 2, "two seconds in all, a second each");
}

#[test]
fn nothing_was_set_while_nobody_looked() {
    assert_eq!(Clock::start().wall_changed(), None);
}
