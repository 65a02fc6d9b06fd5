//! One side against messages that the test writes.

use super::*;

const NOW: Time = Time::from_secs(5);

fn dialled(link: &Link) -> (State, Vec<Outcome>) {
    let mut state = state(1);
    let outcomes = state.connected(PEER, link, &standing(), Time::ZERO);
    (state, outcomes)
}

fn full() -> Link {
    bitcoin(Direction::Outbound, Some(Purpose::Full))
}

fn taken(link: &Link, version: Version) -> Vec<Outcome> {
    let (mut state, _) = dialled(link);
    say(&mut state, &Message::Version(Box::new(version)), NOW)
}

#[test]
fn the_dialler_speaks_first_and_waits() {
    let (mut state, outcomes) = dialled(&full());
    let [Message::Version(ours)] = sent(&outcomes)[..] else { panic!("{outcomes:?}") };
    assert_eq!((ours.version, ours.start_height, ours.relay), (PROTOCOL_VERSION, 3, true));
    assert_eq!(ours.receiver, (Services::NONE, NetworkId::Known(Host::Ipv4([10, 0, 0, 1].into())), 8333));
    let answer = say(&mut state, &Message::Version(Box::new(version())), NOW);
    assert_eq!(sent(&answer), [&Message::WtxidRelay, &Message::SendAddrV2, &Message::Verack]);
    assert_eq!(say(&mut state, &Message::WtxidRelay, NOW), []);
    assert_eq!(say(&mut state, &Message::SendAddrV2, NOW), []);
    assert!(state.is_pending(PEER));
    let established = done(say(&mut state, &Message::Verack, NOW)).unwrap();
    assert!(established.relay && established.wtxid_relay && established.addrv2);
    assert_eq!(established.services, Services::NETWORK.with(Services::WITNESS));
    assert_eq!((&*established.user_agent, established.start_height), ("/Satoshi:29.0.0/", 12));
    assert_eq!(established.seen_as, (NetworkId::Known(Host::Ipv4([1, 2, 3, 4].into())), 99));
    assert_eq!((established.features, established.greeting), (Features::NONE, None));
    assert_eq!(established.clock_offset, 1_296_690_000 - i64::try_from(standing().wall.0).unwrap());
    assert_eq!(established.latency, Duration::from_secs(5));
    assert!(!state.is_pending(PEER));
    assert_eq!(state.next_deadline(), None);
}

#[test]
fn the_answerer_says_nothing_until_spoken_to() {
    let (mut state, outcomes) = dialled(&bitcoin(Direction::Inbound, None));
    assert_eq!(outcomes, []);
    for early in [Message::Verack, Message::WtxidRelay, Message::GetAddr, Message::Ping(1)] {
        assert_eq!(say(&mut state, &early, NOW), [], "as Bitcoin Core, it is passed over");
    }
    let answer = say(&mut state, &Message::Version(Box::new(version())), NOW);
    let [Message::Version(_), rest @ ..] = &sent(&answer)[..] else { panic!("{answer:?}") };
    assert_eq!(rest, [&Message::WtxidRelay, &Message::SendAddrV2, &Message::Verack]);
    assert_eq!(say(&mut state, &Message::Ping(1), NOW), [], "not before verack");
    let established = done(say(&mut state, &Message::Verack, NOW.after(Duration::from_secs(2)))).unwrap();
    assert!(!established.wtxid_relay, "it did not ask for it, or too early");
    assert_eq!(established.latency, Duration::from_secs(2));
}

#[test]
fn an_old_node_is_spoken_to_in_its_own_way() {
    let old = Version { version: 70_015, ..version() };
    let (mut state, _) = dialled(&full());
    assert_eq!(sent(&say(&mut state, &Message::Version(Box::new(old)), NOW)), [&Message::Verack]);
    assert_eq!(say(&mut state, &Message::WtxidRelay, NOW), []);
    let established = done(say(&mut state, &Message::Verack, NOW)).unwrap();
    assert_eq!((established.version, established.wtxid_relay), (70_015, false));
}

#[test]
fn useless_peers_are_left() {
    let useless = [Outcome::Part(PEER, Reason::Useless)];
    let with = |services| Version { services, ..version() };
    assert_eq!(taken(&full(), Version { version: MIN_VERSION - 1, ..version() }), useless);
    assert_ne!(taken(&full(), Version { version: MIN_VERSION, ..version() }), useless);
    for services in [Services::NONE, Services::NETWORK, Services::WITNESS] {
        assert_eq!(taken(&full(), with(services)), useless, "{services:?}");
        assert_ne!(taken(&bitcoin(Direction::Inbound, None), with(services)), useless, "it came by itself");
        assert_ne!(taken(&bitcoin(Direction::Outbound, Some(Purpose::Manual)), with(services)), useless);
        assert_ne!(taken(&bitcoin(Direction::Outbound, Some(Purpose::Feeler)), with(services)), useless);
        assert_ne!(taken(&libp2p(Direction::Outbound, Some(Purpose::Full)), with(services)), useless, "a light node");
    }
    let early = Version { version: PROTOCOL_VERSION - 1, ..version() };
    assert_eq!(taken(&libp2p(Direction::Outbound, Some(Purpose::Full)), early), useless, "no such node exists");
}

#[test]
fn a_pruned_peer_is_of_use_near_the_tip_only() {
    let pruned = Version { services: Services::NETWORK_LIMITED.with(Services::WITNESS), ..version() };
    for (behind, near) in [(LIMITED_DEPTH * 600 - 1, true), (LIMITED_DEPTH * 600, false)] {
        let mut standing = standing();
        standing.wall = Timestamp(u64::from(standing.tip_time) + behind);
        let (mut state, _) = dialled(&full());
        let outcomes = state.on_message(PEER, &Message::Version(Box::new(pruned.clone())), &standing, NOW);
        assert_eq!(outcomes != [Outcome::Part(PEER, Reason::Useless)], near, "{behind}");
    }
}

#[test]
fn links_for_blocks_ask_for_no_transactions() {
    let (mut state, outcomes) = dialled(&bitcoin(Direction::Outbound, Some(Purpose::BlockOnly)));
    assert!(matches!(sent(&outcomes)[..], [Message::Version(ours)] if !ours.relay));
    let answer = say(&mut state, &Message::Version(Box::new(version())), NOW);
    assert_eq!(sent(&answer), [&Message::SendAddrV2, &Message::Verack]);
    assert!(!done(say(&mut state, &Message::Verack, NOW)).unwrap().relay);
}

#[test]
fn another_chain_is_left() {
    let link = libp2p(Direction::Outbound, Some(Purpose::Full));
    let (mut state, _) = dialled(&link);
    let answer = say(&mut state, &Message::Version(Box::new(version())), NOW);
    let Some(Message::Greeting(ours)) = sent(&answer).get(2).copied() else { panic!("{answer:?}") };
    assert_eq!((ours.tip, ours.work), (standing().tip, standing().work.to_be_bytes()));
    let theirs = Greeting { genesis: BlockHash::all_zeros(), ..*ours };
    let outcomes = say(&mut state, &Message::Greeting(theirs), NOW);
    assert_eq!(outcomes, [Outcome::Part(PEER, Reason::WrongChain)]);
    assert!(!state.is_pending(PEER));
}

#[test]
fn extensions_are_those_that_both_know() {
    let link = libp2p(Direction::Outbound, Some(Purpose::Full));
    let (mut state, _) = dialled(&link);
    let answer = say(&mut state, &Message::Version(Box::new(version())), NOW);
    let Some(Message::Greeting(ours)) = sent(&answer).get(2).copied() else { panic!("{answer:?}") };
    let theirs = Greeting { features: Features(1 << 60).with(Features::GOODBYE), push: false, ..*ours };
    assert_eq!(say(&mut state, &Message::Greeting(theirs), NOW), []);
    let again = say(&mut state, &Message::Greeting(*ours), NOW);
    assert_eq!(again, [Outcome::Fault(PEER, Fault::RepeatedGreeting)]);
    let established = done(say(&mut state, &Message::Verack, NOW)).unwrap();
    assert_eq!((established.features, established.greeting), (Features::GOODBYE, Some(theirs)), "the first counts");
}

#[test]
fn faults_cost_what_they_say() {
    let (mut state, _) = dialled(&full());
    assert_eq!(say(&mut state, &Message::Version(Box::new(version())), NOW).len(), 3);
    let repeated = [Outcome::Fault(PEER, Fault::RepeatedVersion)];
    assert_eq!(say(&mut state, &Message::Version(Box::new(version())), NOW), repeated);
    assert!(done(say(&mut state, &Message::Verack, NOW)).is_some(), "it goes on");
    assert_eq!(say(&mut state, &Message::Version(Box::new(version())), NOW), repeated);
    assert_eq!(say(&mut state, &Message::Verack, NOW), [], "as Bitcoin Core");
    for (late, message) in [(Message::WtxidRelay, "wtxidrelay"), (Message::SendAddrV2, "sendaddrv2")] {
        assert_eq!(say(&mut state, &late, NOW), [Outcome::Fault(PEER, Fault::Late { message })]);
    }
    assert_eq!(say(&mut state, &Message::Ping(1), NOW), [], "not of the handshake");
    assert_eq!(Fault::RepeatedVersion.penalty(), Penalty::Score(20));
    assert_eq!(Fault::RepeatedGreeting.penalty(), Penalty::Score(20));
    assert_eq!(Fault::Late { message: "sendaddrv2" }.penalty(), Penalty::Disconnect);
}

#[test]
fn a_peer_that_says_nothing_is_left() {
    let (mut state, _) = dialled(&full());
    assert_eq!(state.next_deadline(), Some(Time::ZERO.after(HANDSHAKE_TIMEOUT)));
    let early = Time::from_micros(Time::ZERO.after(HANDSHAKE_TIMEOUT).as_micros() - 1);
    assert_eq!(state.deadline(early), []);
    assert_eq!(state.deadline(Time::ZERO.after(HANDSHAKE_TIMEOUT)), [Outcome::Part(PEER, Reason::Handshake)]);
    state.check();
    assert_eq!(state.next_deadline(), None);
}

#[test]
fn handshakes_are_bounded_and_some_places_are_ours() {
    let mut state = state(1);
    let inbound = bitcoin(Direction::Inbound, None);
    let open = |state: &mut State, id, link: &Link| {
        let outcomes = state.connected(PeerId(id), link, &standing(), Time::ZERO);
        state.check();
        outcomes
    };
    let most = (MAX_PENDING - RESERVED_OUTBOUND) as u64;
    assert!((0..most).all(|id| open(&mut state, id, &inbound).is_empty()));
    assert_eq!(open(&mut state, 1_000, &inbound), [Outcome::Part(PeerId(1_000), Reason::Full)]);
    let reserved = 2_000..2_000 + RESERVED_OUTBOUND as u64;
    assert!(reserved.into_iter().all(|id| sent(&open(&mut state, id, &full())).len() == 1));
    assert_eq!(open(&mut state, 3_000, &full()), [Outcome::Part(PeerId(3_000), Reason::Full)]);
    state.disconnected(PeerId(0));
    assert_eq!(sent(&open(&mut state, 3_001, &full())).len(), 1);
    assert_eq!(state.deadline(Time::ZERO.after(HANDSHAKE_TIMEOUT)).len(), MAX_PENDING);
    state.check();
}

#[test]
fn only_peers_that_we_dial_say_what_our_clock_is_worth() {
    let mut state = state(1);
    let ahead = Version { timestamp: Timestamp(standing().wall.0 + 3_600), ..version() };
    let mut warnings = Vec::new();
    for id in 0..20 {
        let link = if id < 10 { bitcoin(Direction::Inbound, None) } else { full() };
        let _ = state.connected(PeerId(id), &link, &standing(), Time::ZERO);
        let _ = state.on_message(PeerId(id), &Message::Version(Box::new(ahead.clone())), &standing(), NOW);
        let outcomes = state.on_message(PeerId(id), &Message::Verack, &standing(), NOW);
        warnings.extend(outcomes.into_iter().filter(|outcome| matches!(outcome, Outcome::Clock(_))).map(|_| id));
    }
    assert_eq!(warnings, [14], "with the fifth that we dialled");
    assert_eq!(state.offsets().median(), Some(ClockOffset(3_600)));
}
