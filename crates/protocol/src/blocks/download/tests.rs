#![allow(clippy::arithmetic_side_effects, reason = "a test may overflow: it fails")]

use super::super::Serves;
use super::*;
use crate::link::{Carrier, Direction};

const SECOND: Duration = Duration::from_secs(1);

fn line() -> Line {
    let facts = Facts { direction: Direction::Outbound, carrier: Carrier::Bitcoin, serves: Serves::All };
    Line::new(facts, Time::ZERO)
}

fn id() -> tree::Id {
    crate::fixture::Chain::new().tip
}

/// A line that has sent `count` blocks of `size` bytes, one each `wait`.
fn sending(count: u64, size: u64, wait: Duration) -> Line {
    let mut line = line();
    for turn in 0..count {
        let asked = Time::ZERO.after(wait * u32::try_from(turn).unwrap());
        line.asked(id(), asked);
        line.owed.clear();
        line.delivered(size, asked, asked.after(wait));
    }
    line
}

#[test]
fn work_follows_the_speed_within_the_bounds() {
    assert_eq!(line().goal(1000), 2, "of unknown speed");
    // A second each, with nothing under way meanwhile: three seconds' worth.
    assert_eq!(sending(50, 1000, SECOND).goal(1000), 3);
    assert_eq!(sending(50, 1000, SECOND * 60).goal(1000), 1, "never none");
    assert_eq!(sending(50, 1000, Duration::from_millis(1)).goal(1000), line::MAX_OWED);
    let size = line::MAX_OWED_BYTES / 8;
    assert_eq!(sending(50, size, Duration::from_millis(1)).goal(size), 8);
    assert_eq!(sending(50, size * 10, Duration::from_millis(1)).goal(size * 10), 1, "however large");
}

#[test]
fn answer_is_expected_by_the_measured_speed() {
    let mut line = sending(50, 1000, SECOND);
    // The sums are of whole microseconds and fade by whole sixteenths.
    assert_eq!(line.expected(1000).as_millis().div_ceil(10), 200);
    line.asked(id(), Time::ZERO);
    assert_eq!(line.expected(1000).as_millis().div_ceil(10), 300);
}

#[test]
fn peer_that_is_late_again_and_again_is_of_no_use() {
    let mut line = sending(20, 1000, SECOND);
    let mut now = Time::from_secs(1000);
    for time in 1..=line::MAX_LATE {
        line.asked(id(), now);
        assert_eq!(line.is_late(now), time == line::MAX_LATE);
        assert!(!line.is_late(now), "it counts once");
        assert_eq!(line.goal(1000), 0, "no work until it answers");
        line.owed.clear();
        line.delivered(1000, now, now.after(SECOND * 10));
        assert!(line.goal(1000) > 0);
        now = now.after(SECOND * 20);
    }
}

#[test]
fn lateness_is_forgotten_after_good_work() {
    let mut line = sending(20, 1000, SECOND);
    let mut now = Time::from_secs(1000);
    for _ in 0..line::MAX_LATE * 2 {
        line.asked(id(), now);
        assert!(!line.is_late(now));
        for _ in 0..16 {
            now = now.after(SECOND);
            line.delivered(1000, now, now.after(SECOND));
        }
        line.owed.clear();
        now = now.after(SECOND * 20);
    }
}

#[test]
fn peer_whose_other_blocks_come_is_not_late() {
    let mut line = sending(20, 1000, SECOND);
    let now = Time::from_secs(1000);
    line.asked(id(), now);
    line.delivered(1000, now, now.after(SECOND));
    assert!(!line.is_late(now));
}

#[test]
fn patience_grows_with_the_size_of_blocks() {
    let mut line = line();
    assert_eq!(line.patience(0), None, "it owes nothing");
    line.asked(id(), Time::ZERO);
    assert_eq!(line.patience(0), Some(Time::ZERO.after(line::SILENCE)));
    assert_eq!(line.patience(8 * 1024 * 100), Some(Time::ZERO.after(line::SILENCE + SECOND * 100)));
}

#[test]
fn what_is_under_way_is_bounded_by_bytes() {
    let mut state = State { average: MAX_BYTES / 4, ..State::default() };
    assert_eq!(state.allowance(), 4);
    state.processing_bytes = MAX_BYTES / 4;
    assert_eq!(state.allowance(), 3);
    state.processing_bytes = MAX_BYTES;
    assert_eq!(state.allowance(), 0);
    let mut line = line();
    line.asked(id(), Time::ZERO);
    state.lines.insert(PeerId(1), line);
    state.processing_bytes = MAX_BYTES / 2;
    assert_eq!(state.allowance(), 1);
    let state = State { average: MAX_BYTES * 2, ..State::default() };
    assert_eq!(state.allowance(), 1, "one block is fetched, however large");
}
