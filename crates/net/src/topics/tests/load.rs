//! Each bound, and one past it.

use std::time::Duration;

use libp2p::PeerId;
use tokio::time::Instant;

use super::super::load::{ALL, FAULTS, FLOOD, GRAVE, Load, OWN, Parcel, SEEN, SHARE, SOURCE, SOURCES, Tariff};
use super::super::{MAX_MESSAGE, MEMORY, MessageId};

struct Desk {
    load: Load,
    now: Instant,
    next: u64,
}

impl Desk {
    fn new() -> Self {
        let now = Instant::now();
        Self { load: Load::new(now), now, next: 0 }
    }

    fn peer(&mut self) -> PeerId {
        let peer = PeerId::random();
        self.load.connected(peer, self.now);
        peer
    }

    fn new_message(&mut self) -> MessageId {
        self.next += 1;
        MessageId::new("chat", &self.next.to_le_bytes())
    }

    fn take(&mut self, from: &PeerId, source: PeerId, size: u32) -> bool {
        let id = self.new_message();
        self.load.take(from, Parcel { id, source, size }, self.now)
    }

    /// How many of `tries` messages are taken.
    fn taken(&mut self, from: &PeerId, source: PeerId, size: u32, tries: u32) -> u32 {
        u32::try_from((0..tries).filter(|_| self.take(from, source, size)).count()).unwrap()
    }
}

#[test]
fn a_message_is_taken_once() {
    let mut desk = Desk::new();
    let (alice, bob) = (desk.peer(), desk.peer());
    let parcel = Parcel { id: desk.new_message(), source: alice, size: 5 };
    assert!(desk.load.take(&alice, parcel, desk.now));
    assert!(!desk.load.take(&bob, parcel, desk.now), "the same by another way");
    assert!(desk.load.has(&parcel.id));
    // Others come all the time, so that what is old is forgotten in the end, but not before.
    for minute in 1..=20 {
        desk.now += Duration::from_secs(60);
        let other = desk.new_message();
        desk.load.remember(other, desk.now);
        assert!(desk.load.has(&parcel.id) || Duration::from_secs(60 * minute) > MEMORY);
    }
    assert!(desk.load.take(&bob, parcel, desk.now));
}

#[test]
fn a_publisher_a_peer_and_all_together_have_their_share() {
    let mut desk = Desk::new();
    let (alice, bob, carol) = (desk.peer(), desk.peer(), desk.peer());
    let mallory = PeerId::random();
    assert_eq!(desk.taken(&alice, mallory, 1, 5_000), SOURCE.messages.burst);
    assert!(!desk.take(&bob, mallory, 1), "by another way either");
    // Mallory has many names.
    let by_new_names = |desk: &mut Desk, from: &PeerId, tries: u32| -> u32 {
        (0..tries).map(|_| desk.taken(from, PeerId::random(), 1, 1)).sum()
    };
    assert_eq!(by_new_names(&mut desk, &alice, 3_000), SHARE.messages.burst - SOURCE.messages.burst);
    assert_eq!(by_new_names(&mut desk, &bob, 3_000), SHARE.messages.burst);
    assert_eq!(ALL.messages.burst, 2 * SHARE.messages.burst);
    assert_eq!(by_new_names(&mut desk, &carol, 10), 0);
    desk.now += Duration::from_secs(1);
    assert_eq!(by_new_names(&mut desk, &carol, 3_000), ALL.messages.each_second);
}

#[test]
fn bytes_are_bounded_as_messages_are() {
    let mut desk = Desk::new();
    let alice = desk.peer();
    let large = u32::try_from(MAX_MESSAGE).unwrap();
    assert_eq!(desk.taken(&alice, alice, large, 5_000), SOURCE.bytes.burst / large);
    let rest = SOURCE.bytes.burst % large;
    assert_eq!(desk.taken(&alice, alice, rest + 1, 1), 0);
    assert_eq!(desk.taken(&alice, alice, rest, 2), 1);
}

#[test]
fn what_is_too_much_is_not_remembered() {
    let mut desk = Desk::new();
    let (alice, bob) = (desk.peer(), desk.peer());
    let source = PeerId::random();
    assert_eq!(desk.taken(&alice, source, 1, SOURCE.messages.burst), SOURCE.messages.burst);
    let parcel = Parcel { id: desk.new_message(), source, size: 1 };
    assert!(!desk.load.take(&alice, parcel, desk.now));
    desk.now += Duration::from_secs(1);
    assert!(desk.load.take(&bob, parcel, desk.now), "it may come again");
}

#[test]
fn whoever_floods_is_told_once_and_nothing_of_it_is_taken() {
    let mut desk = Desk::new();
    let (mallory, bob) = (desk.peer(), desk.peer());
    assert!((0..FLOOD.messages.burst).all(|_| !desk.load.frame(&mallory, 1, 1, desk.now)));
    assert!(!desk.load.is_flooding(&mallory));
    assert!(desk.load.frame(&mallory, 1, 1, desk.now), "one too many");
    assert!(!desk.load.frame(&mallory, 1, 1, desk.now), "told once");
    assert!(desk.load.is_flooding(&mallory) && !desk.load.is_flooding(&bob));

    assert!(!desk.load.frame(&bob, 1, FLOOD.bytes.burst, desk.now));
    assert!(desk.load.frame(&bob, 1, 1, desk.now), "one byte too many");
}

#[test]
fn faults_are_forgiven_at_their_rate() {
    let mut desk = Desk::new();
    let mallory = desk.peer();
    assert!((0..FAULTS.burst / GRAVE).all(|_| !desk.load.fault(&mallory, GRAVE, desk.now)));
    desk.now += Duration::from_secs(1);
    assert!(!desk.load.fault(&mallory, FAULTS.each_second, desk.now));
    assert!(desk.load.fault(&mallory, 1, desk.now));
    assert!(!desk.load.fault(&mallory, 1, desk.now), "told once");
}

#[test]
fn a_publisher_pays_for_what_is_rejected() {
    let mut desk = Desk::new();
    let (alice, mallory) = (desk.peer(), PeerId::random());
    for _ in 0..SOURCE.messages.burst {
        desk.load.rejected(mallory, desk.now);
    }
    assert!(!desk.take(&alice, mallory, 1));
    assert!(desk.take(&alice, alice, 1));
}

#[test]
fn what_we_publish_is_half_of_what_others_take() {
    let mut desk = Desk::new();
    assert!((0..OWN.messages.burst).all(|_| desk.load.publish(1, desk.now)));
    assert!(!desk.load.publish(1, desk.now));
    let twice = |own: Tariff, other: Tariff| {
        assert!(own.messages.times(2) == other.messages && own.bytes.times(2) == other.bytes);
    };
    twice(OWN, SOURCE);
}

#[test]
fn an_honest_peer_never_floods() {
    // It passes on what it takes, gives late subscribers all that is recent each second, and adds what is its own.
    let second = |rate: fn(&Tariff) -> u32| rate(&ALL) + rate(&OWN);
    let recent = u32::try_from(super::super::kept::RECENT).unwrap();
    assert!(second(|tariff| tariff.messages.each_second) + recent < FLOOD.messages.each_second);
    assert!(second(|tariff| tariff.messages.burst) < FLOOD.messages.burst);
    assert!(second(|tariff| tariff.bytes.each_second) < FLOOD.bytes.each_second);
    assert!(second(|tariff| tariff.bytes.burst) < FLOOD.bytes.burst);
    // All that can be taken within the time for which it is remembered fits.
    let taken = u64::from(ALL.messages.burst) + u64::from(ALL.messages.each_second) * MEMORY.as_secs();
    assert!(2 * taken <= u64::try_from(SEEN).unwrap());
}

#[test]
fn a_peer_that_has_gone_is_forgotten_and_one_with_many_names_is_bounded() {
    let mut desk = Desk::new();
    let alice = desk.peer();
    for _ in 0..2 * SOURCES {
        desk.now += Duration::from_millis(10);
        desk.load.rejected(PeerId::random(), desk.now);
        assert!(desk.load.remembered().0 <= SOURCES);
    }
    assert_eq!(desk.load.remembered().1, 1);
    desk.load.disconnected(&alice);
    assert_eq!(desk.load.remembered().1, 0);
    assert!(!desk.take(&alice, alice, 1), "what comes after the end is passed over");
}
