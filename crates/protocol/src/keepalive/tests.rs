use super::*;

const ALICE: PeerId = PeerId(1);
const BOB: PeerId = PeerId(2);
const QUICK: Duration = Duration::from_millis(80);

fn state() -> State {
    State::new(Config::default(), Random::new([5; 32]))
}

fn nonce(outcomes: &[Outcome]) -> Option<u64> {
    match outcomes {
        [Outcome::Send(_, Message::Ping(nonce))] => Some(*nonce),
        _ => None,
    }
}

/// Runs to the next deadline and gives what is due, and when.
fn next(state: &mut State) -> (Time, Vec<Outcome>) {
    for _ in 0..100 {
        let due = state.next_deadline().unwrap();
        let outcomes = state.deadline(due);
        state.check();
        assert!(state.next_deadline().is_none_or(|next| next > due), "time goes on");
        if !outcomes.is_empty() {
            return (due, outcomes);
        }
    }
    panic!("nothing happens");
}

#[test]
fn silent_peer_is_dropped() {
    let mut state = state();
    state.ready(ALICE, Carrier::Libp2p, QUICK, Time::ZERO);
    let (when, outcomes) = next(&mut state);
    assert_eq!(when, Time::ZERO.after(PING_INTERVAL));
    assert!(nonce(&outcomes).is_some(), "{outcomes:?}");
    let (when, outcomes) = next(&mut state);
    assert_eq!(when, Time::ZERO.after(PING_INTERVAL + PING_TIMEOUT));
    assert_eq!(outcomes, [Outcome::Part(ALICE, Reason::TooSlow)]);
    state.disconnected(ALICE);
    assert_eq!(state.next_deadline(), None);
}

#[test]
fn silence_on_bitcoins_transport_is_noticed_sooner() {
    let mut state = state();
    state.ready(ALICE, Carrier::Bitcoin, QUICK, Time::ZERO);
    let (when, outcomes) = next(&mut state);
    assert_eq!(when, Time::ZERO.after(BARE_INTERVAL));
    assert!(nonce(&outcomes).is_some(), "{outcomes:?}");
    let (when, outcomes) = next(&mut state);
    assert_eq!(when, Time::ZERO.after(BARE_INTERVAL + PING_TIMEOUT));
    assert_eq!(outcomes, [Outcome::Part(ALICE, Reason::TooSlow)]);
}

#[test]
fn who_is_pinged_out_of_turn_keeps_one_timer() {
    let mut state = state();
    state.ready(ALICE, Carrier::Libp2p, QUICK, Time::ZERO);
    state.ready(BOB, Carrier::Libp2p, QUICK, Time::ZERO);
    let asked = Time::from_secs(7);
    let pings = state.ping(asked);
    assert_eq!(pings.len(), 2, "{pings:?}");
    assert_eq!(state.ping(asked), [], "their answers are waited for");
    state.check();
    let sent = pings.iter().find_map(|ping| match ping {
        Outcome::Send(BOB, Message::Ping(nonce)) => Some(*nonce),
        Outcome::Send(..) | Outcome::Part(..) => None,
    });
    assert_eq!(state.on_pong(BOB, sent.unwrap(), asked.after(QUICK)), []);
    let (when, outcomes) = next(&mut state);
    assert_eq!((when, outcomes), (asked.after(PING_TIMEOUT), vec![Outcome::Part(ALICE, Reason::TooSlow)]));
}

#[test]
fn a_peer_that_answers_stays() {
    let mut state = state();
    state.ready(ALICE, Carrier::Libp2p, QUICK, Time::ZERO);
    for round in 1..=50 {
        let (when, outcomes) = next(&mut state);
        let back = when.after(Duration::from_millis(100));
        assert_eq!(state.on_pong(ALICE, nonce(&outcomes).unwrap(), back), [], "{round}");
    }
    let latency = state.latency(ALICE).unwrap();
    assert_eq!((latency.min, latency.last), (QUICK, Duration::from_millis(100)));
    assert!(latency.smoothed > Duration::from_millis(99) && latency.smoothed <= latency.last, "{latency:?}");
}

#[test]
fn whatever_is_heard_is_life() {
    let mut state = state();
    state.ready(ALICE, Carrier::Libp2p, QUICK, Time::ZERO);
    let mut now = Time::ZERO;
    while now < Time::ZERO.after(MEASURE_INTERVAL) {
        assert_eq!(state.deadline(now), [], "{now:?}");
        state.heard(ALICE, now);
        now = now.after(Duration::from_secs(60));
    }
    assert!(nonce(&state.deadline(now)).is_some(), "it is measured all the same");
    // It talks but never answers: patience ends too.
    let asked = now;
    while state.deadline(now).is_empty() {
        now = now.after(Duration::from_secs(20));
        state.heard(ALICE, now);
    }
    assert_eq!(now.since(asked), PONG_PATIENCE);
}

#[test]
fn a_pong_of_another_ping_is_passed_over() {
    let mut state = state();
    state.ready(ALICE, Carrier::Libp2p, QUICK, Time::ZERO);
    assert_eq!(state.on_pong(ALICE, 7, Time::ZERO), [], "nobody asked");
    let (when, outcomes) = next(&mut state);
    assert_eq!(state.on_pong(ALICE, !nonce(&outcomes).unwrap(), when), []);
    assert_eq!(next(&mut state).1, [Outcome::Part(ALICE, Reason::TooSlow)]);
}

#[test]
fn a_peer_that_stays_slow_is_left_and_one_that_was_slow_once_is_not() {
    let mut state = state();
    state.ready(ALICE, Carrier::Libp2p, QUICK, Time::ZERO);
    let mut rounds = 0;
    let late = loop {
        let (when, outcomes) = next(&mut state);
        let late = state.on_pong(ALICE, nonce(&outcomes).unwrap(), when.after(Duration::from_secs(29)));
        rounds += 1;
        if !late.is_empty() {
            break late;
        }
        assert!(rounds < 20);
    };
    assert_eq!(late, [Outcome::Part(ALICE, Reason::TooSlow)]);
    assert!(rounds > usize::from(SLOW_ROUNDS), "{rounds}");

    state.ready(BOB, Carrier::Libp2p, QUICK, Time::ZERO);
    state.disconnected(ALICE);
    let (when, outcomes) = next(&mut state);
    assert_eq!(state.on_pong(BOB, nonce(&outcomes).unwrap(), when.after(Duration::from_secs(29))), []);
    for _ in 0..20 {
        let (when, outcomes) = next(&mut state);
        assert_eq!(state.on_pong(BOB, nonce(&outcomes).unwrap(), when.after(QUICK)), []);
    }
}

#[test]
fn a_block_on_its_way_excuses_silence_until_it_is_here() {
    let mut state = state();
    state.ready(ALICE, Carrier::Libp2p, QUICK, Time::ZERO);
    let (asked, outcomes) = next(&mut state);
    state.awaits(ALICE, asked);
    let block = asked.after(BLOCK_PATIENCE);
    assert_eq!(state.deadline(block), []);
    assert_eq!(state.on_pong(ALICE, nonce(&outcomes).unwrap(), block), []);
    assert_eq!(state.latency(ALICE).unwrap().smoothed, QUICK, "it says nothing of the line");

    // One that is here excuses nothing.
    state.awaits(ALICE, block);
    state.heard(ALICE, block);
    state.delivered(ALICE, block);
    let (pinged, outcomes) = next(&mut state);
    assert!(nonce(&outcomes).is_some(), "{outcomes:?}");
    let part = vec![Outcome::Part(ALICE, Reason::TooSlow)];
    assert_eq!(next(&mut state), (pinged.after(PING_TIMEOUT), part));
}

#[test]
fn what_we_send_excuses_silence_by_its_size() {
    let silence_after = |bytes| {
        let mut state = state();
        state.ready(ALICE, Carrier::Libp2p, QUICK, Time::ZERO);
        let (pinged, _) = next(&mut state);
        state.sends(ALICE, bytes, pinged);
        next(&mut state).0.since(pinged)
    };
    assert_eq!(silence_after(0), PING_TIMEOUT);
    assert!(silence_after(400) < PING_TIMEOUT + Duration::from_millis(20));
    assert_eq!(silence_after(3_500_000), PING_TIMEOUT + Duration::from_secs(100));

    let mut state = state();
    state.ready(ALICE, Carrier::Libp2p, QUICK, Time::ZERO);
    // What piles up does too, but not for ever.
    let (asked, _) = next(&mut state);
    state.congested(ALICE, true, asked);
    assert_eq!(next(&mut state), (asked.after(PONG_PATIENCE), vec![Outcome::Part(ALICE, Reason::TooSlow)]));
}

#[test]
fn pings_are_answered_unless_answers_pile_up() {
    let mut state = state();
    state.ready(ALICE, Carrier::Libp2p, QUICK, Time::ZERO);
    assert_eq!(state.on_ping(ALICE, 9), [Outcome::Send(ALICE, Message::Pong(9))]);
    state.congested(ALICE, true, Time::ZERO);
    assert_eq!(state.on_ping(ALICE, 9), []);
    state.congested(ALICE, false, Time::ZERO);
    assert_eq!(state.on_ping(ALICE, 9), [Outcome::Send(ALICE, Message::Pong(9))]);
    assert_eq!(state.on_ping(BOB, 9), [], "it is not there");
}
