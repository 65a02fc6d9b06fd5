//! Stories of when names are asked for.

use super::*;

fn given(text: &str) -> Given {
    text.parse().unwrap()
}

fn ips<const N: usize>(texts: [&str; N]) -> Result<Vec<IpAddr>, String> {
    Ok(texts.map(|text| text.parse().unwrap()).to_vec())
}

fn resolved<const N: usize>(at: usize, texts: [&str; N]) -> Option<Found> {
    let hosts = ips(texts).unwrap();
    Some(Found::Resolved { given: at, addresses: given("pods").addresses(&hosts) })
}

/// What is asked now; nothing else may be due.
fn asked(schedule: &mut Schedule, now: Time) -> Question {
    let Some(Step::Ask(question)) = schedule.next(now) else { panic!("a question is due") };
    assert_eq!(schedule.next(now), None);
    question
}

/// A schedule that follows `pods`, and has asked at zero.
fn following() -> (Schedule, Question) {
    let mut schedule = Schedule::default();
    assert!(schedule.follow(Time::ZERO, 7, &given("pods")));
    assert_eq!(schedule.deadline(), Some(Time::ZERO));
    let question = asked(&mut schedule, Time::ZERO);
    assert_eq!((question.given, question.name.as_str()), (7, "pods"));
    assert_eq!(schedule.deadline(), None, "nothing to do until the answer comes");
    (schedule, question)
}

#[test]
fn a_name_is_asked_for_at_once_and_again_every_minute() {
    let (mut schedule, question) = following();
    let second = Time::from_secs(1);
    assert_eq!(schedule.answer(second, &question, ips(["10.0.0.1"])), resolved(7, ["10.0.0.1"]));
    let again = second.after(SOON);
    assert_eq!(schedule.deadline(), Some(again));
    assert_eq!(schedule.next(Time::from_micros(again.as_micros() - 1)), None);
    asked(&mut schedule, again);
}

#[test]
fn only_changes_are_told() {
    let (mut schedule, mut question) = following();
    let mut now = Time::ZERO;
    for (answer, told) in [
        (ips(["10.0.0.1", "10.0.0.2"]), resolved(7, ["10.0.0.1", "10.0.0.2"])),
        (ips(["10.0.0.2", "10.0.0.1"]), None),
        (ips(["10.0.0.2", "10.0.0.3"]), resolved(7, ["10.0.0.2", "10.0.0.3"])),
        (ips(["10.0.0.3"]), resolved(7, ["10.0.0.3"])),
    ] {
        assert_eq!(schedule.answer(now, &question, answer), told);
        now = now.after(SOON);
        question = asked(&mut schedule, now);
    }
}

#[test]
fn failures_are_told_once_and_tried_again_ever_less_often() {
    let (mut schedule, mut question) = following();
    let failed = |why: &str| Some(Found::Failed { given: 7, name: "pods".into(), why: why.into() });
    let mut now = Time::ZERO;
    for (at, wait) in [1, 2, 4, 8, 16, 32, 60, 60, 60].into_iter().enumerate() {
        let found = schedule.answer(now, &question, Err("no such name".into()));
        assert_eq!(found, failed("no such name").filter(|_| at == 0));
        now = now.after(Duration::from_secs(wait));
        assert_eq!(schedule.deadline(), Some(now), "failure {at}");
        question = asked(&mut schedule, now);
    }
    assert_eq!(schedule.answer(now, &question, Err("no network".into())), failed("no network"));
    now = now.after(LONGEST);
    let question = asked(&mut schedule, now);
    assert_eq!(schedule.answer(now, &question, Ok(Vec::new())), failed("it has no address"));
    now = now.after(LONGEST);
    let question = asked(&mut schedule, now);
    assert_eq!(schedule.answer(now, &question, ips(["10.0.0.1"])), resolved(7, ["10.0.0.1"]));
    assert_eq!(schedule.deadline(), Some(now.after(SOON)), "it counts from the start again");
    let question = asked(&mut schedule, now.after(SOON));
    assert_eq!(schedule.answer(now, &question, Err("no network".into())), failed("no network"));
    assert_eq!(schedule.deadline(), Some(now.after(FIRST)));
}

#[test]
fn what_was_told_before_a_failure_is_not_told_again_after_it() {
    let (mut schedule, question) = following();
    assert!(schedule.answer(Time::ZERO, &question, ips(["10.0.0.1"])).is_some());
    let question = asked(&mut schedule, Time::ZERO.after(SOON));
    assert!(schedule.answer(Time::ZERO, &question, Err("no network".into())).is_some());
    let question = asked(&mut schedule, Time::ZERO.after(SOON));
    assert_eq!(schedule.answer(Time::ZERO, &question, ips(["10.0.0.1"])), None);
}

#[test]
fn a_name_whose_peers_are_all_connected_is_asked_for_less_often() {
    let (mut schedule, question) = following();
    schedule.settle(7, true);
    let now = Time::from_secs(10);
    assert!(schedule.answer(now, &question, ips(["10.0.0.1"])).is_some());
    assert_eq!(schedule.deadline(), Some(now.after(LATER)));
    schedule.settle(7, false);
    assert_eq!(schedule.deadline(), Some(Time::ZERO.after(SOON)), "counted from the last question");
    schedule.settle(7, true);
    assert_eq!(schedule.deadline(), Some(Time::ZERO.after(LATER)));
    schedule.settle(8, true);
}

#[test]
fn a_failing_name_does_not_wait_longer_for_being_settled() {
    let (mut schedule, question) = following();
    assert!(schedule.answer(Time::ZERO, &question, Err("no network".into())).is_some());
    schedule.settle(7, true);
    assert_eq!(schedule.deadline(), Some(Time::ZERO.after(FIRST)));
}

#[test]
fn what_needs_no_resolver_is_told_once() {
    let mut schedule = Schedule::default();
    for (at, text) in ["10.0.0.1:7001", "wss://pods", "/ip4/10.0.0.1/tcp/1"].into_iter().enumerate() {
        let peer = given(text);
        assert!(schedule.follow(Time::ZERO, at, &peer));
        let addresses = peer.addresses(&[]);
        assert_eq!(addresses.len(), 1);
        assert_eq!(schedule.next(Time::ZERO), Some(Step::Tell(Found::Resolved { given: at, addresses })));
    }
    assert_eq!((schedule.next(Time::ZERO), schedule.deadline()), (None, None));
}

#[test]
fn answers_for_what_is_no_longer_asked_are_passed_over() {
    let (mut schedule, question) = following();
    schedule.forget(7);
    assert_eq!(schedule.answer(Time::ZERO, &question, ips(["10.0.0.1"])), None);
    assert_eq!(schedule.deadline(), None);
    assert!(schedule.follow(Time::ZERO, 7, &given("others")));
    assert_eq!(schedule.answer(Time::ZERO, &question, ips(["10.0.0.1"])), None);
    let second = asked(&mut schedule, Time::ZERO);
    assert_eq!(schedule.answer(Time::ZERO, &question, ips(["10.0.0.1"])), None);
    assert!(schedule.answer(Time::ZERO, &second, ips(["10.0.0.1"])).is_some());
    assert_eq!(schedule.answer(Time::ZERO, &second, ips(["10.0.0.2"])), None, "one answer each");
}

#[test]
fn only_so_many_names_are_followed() {
    let mut schedule = Schedule::default();
    let pods = given("pods");
    assert!((0..MAX_NAMES).all(|at| schedule.follow(Time::ZERO, at, &pods)));
    assert!(!schedule.follow(Time::ZERO, MAX_NAMES, &pods));
    assert!(schedule.follow(Time::ZERO, 0, &pods), "followed anew");
    schedule.forget(0);
    assert!(schedule.follow(Time::ZERO, MAX_NAMES, &pods));
}

#[test]
fn a_long_reason_is_cut() {
    for (length, kept) in [(MAX_WHY, MAX_WHY), (MAX_WHY + 1, MAX_WHY)] {
        let (mut schedule, question) = following();
        let found = schedule.answer(Time::ZERO, &question, Err("é".repeat(length)));
        assert!(matches!(found, Some(Found::Failed { why, .. }) if why.chars().count() == kept));
    }
}
