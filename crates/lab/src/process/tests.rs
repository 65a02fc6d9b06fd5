use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::told::{Answer, Ear, MAX_EVENTS, Wait};
use super::{Launch, Status};

fn soon() -> Option<Instant> {
    Instant::now().checked_add(Duration::from_secs(5))
}

#[test]
fn an_answer_goes_to_its_question_and_the_rest_are_events() {
    let ear = Ear::default();
    ear.take(json!({"event": "alone", "value": true}), Instant::now());
    ear.take(json!({"id": 2, "error": "no such thing"}), Instant::now());
    ear.take(json!({"id": 1, "ok": {"height": 3}}), Instant::now());
    assert_eq!(ear.answer(1, None), Answer::Ok(json!({"height": 3})));
    assert_eq!(ear.answer(2, None), Answer::Refused("no such thing".to_owned()));
    assert_eq!(ear.answer(1, None), Answer::Late, "an answer is given once");
    assert!(ear.find(0, |event| event["event"] == "alone").is_some());
    assert_eq!(ear.mark(), 1);
}

#[test]
fn a_wait_ends_when_the_peer_does() {
    let ear = Ear::default();
    std::thread::scope(|scope| {
        let (answer, event) = (scope.spawn(|| ear.answer(1, soon())), scope.spawn(|| ear.wait(0, soon(), |_| true)));
        ear.close();
        assert_eq!(answer.join().unwrap(), Answer::Ended);
        assert_eq!(event.join().unwrap(), Wait::Ended);
    });
}

#[test]
fn what_was_told_before_a_mark_is_not_found_after_it() {
    let ear = Ear::default();
    ear.take(json!({"event": "tip", "height": 1}), Instant::now());
    let mark = ear.mark();
    assert!(ear.find(mark, |_| true).is_none());
    ear.take(json!({"event": "tip", "height": 2}), Instant::now());
    assert_eq!(ear.find(mark, |_| true).unwrap().event["height"], 2);
}

#[test]
fn events_are_forgotten_beyond_the_bound_and_marks_stay_true() {
    let ear = Ear::default();
    for number in 0..MAX_EVENTS {
        ear.take(json!({"event": number}), Instant::now());
    }
    assert!(ear.find(0, |event| event["event"] == 0).is_some(), "at the bound all are there");
    let mark = ear.mark();
    ear.take(json!({"event": "one more"}), Instant::now());
    assert!(ear.find(0, |event| event["event"] == 0).is_none(), "one past it, the oldest is gone");
    assert_eq!(ear.find(mark, |_| true).unwrap().event["event"], "one more");
}

#[test]
fn a_status_is_read_and_one_without_peers_is_not() {
    let link = json!({"identity": "12D3b", "direction": "outbound", "address": "/ip4/11.1.0.1/tcp/1", "path": "punched", "via": "quic", "through": null, "sent": 1, "received": 2});
    let whole = json!({"identity": "12D3a", "listening": [], "reach": {"kind": "hidden", "text": "", "through": []},
        "peers": [link], "height": 5, "tip": "00", "routing": 1, "records": 0, "rss": 1, "cpu": 0.5});
    let status = Status::parse(&whole).unwrap();
    assert!(status.is_direct("12D3b") && !status.is_direct("12D3c"));
    assert_eq!(status.link("12D3b").unwrap().via.as_deref(), Some("quic"));
    assert!(Status::parse(&json!({"identity": "12D3a", "height": 5, "tip": "00"})).is_err());
}

#[test]
fn a_peer_keeps_its_data_from_start_to_start() {
    let launch =
        Launch::new(Path::new("yap-peer"), "alice", 6001).peer("a:1").peer("b:2").flag("--external /ip4/1.2.3.4");
    let data = launch.data(Path::new("/lab"));
    assert_eq!(data, launch.clone().port(7000).data(Path::new("/lab")));
    let arguments: Vec<_> = launch.arguments(&data).into_iter().map(|word| word.into_string().unwrap()).collect();
    let wanted = "--data /lab/alice --port 6001 --name alice --peers a:1,b:2 --external /ip4/1.2.3.4";
    assert_eq!(arguments.join(" "), wanted);
}
