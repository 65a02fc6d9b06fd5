//! The two rooms, at their bounds.

#![expect(clippy::arithmetic_side_effects, reason = "a test stops at what it did not expect")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use futures::FutureExt;

use super::begun::FREE;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn place(inbox: &Inbox, id: u64) -> (Place, Arc<Bell>) {
    let bell = Arc::<Bell>::default();
    (inbox.place(PeerId(id), Arc::clone(&bell)).unwrap(), bell)
}

/// Offers a message that counts so much.
fn offer(place: &Place, cost: usize) -> Offer {
    place.offer(Message::Verack, cost - OVERHEAD)
}

/// Whose message comes next.
fn next(inflow: &mut Inflow) -> Option<u64> {
    let item = inflow.next().now_or_never()??;
    assert!(matches!(item.what, Received::Message { .. }), "{item:?}");
    Some(item.peer.0)
}

#[test]
fn a_session_fills_its_share_and_no_more() {
    let (inbox, mut inflow) = channel(8000);
    let (alice, _) = place(&inbox, 1);
    assert_eq!(offer(&alice, 500), Offer::Taken);
    assert_eq!(offer(&alice, 500), Offer::Taken);
    assert_eq!(offer(&alice, OVERHEAD), Offer::Waits);
    assert_eq!(next(&mut inflow), Some(1));
    assert!(alice.waits(), "the owner is handling it");
    assert_eq!(next(&mut inflow), Some(1));
    assert!(!alice.waits());
}

#[test]
fn all_sessions_fill_the_room_and_no_more() {
    let (inbox, mut inflow) = channel(8000);
    let places: Vec<_> = (0..10).map(|id| place(&inbox, id)).collect();
    for (place, _) in &places[..8] {
        assert_eq!(offer(place, 1000), Offer::Taken);
    }
    assert_eq!(offer(&places[8].0, OVERHEAD), Offer::Waits);
    assert_eq!(offer(&places[9].0, OVERHEAD), Offer::Waits);
    assert_eq!(next(&mut inflow), Some(0));
    assert!(places[8].0.waits(), "the owner is handling it");
    assert_eq!(next(&mut inflow), Some(1));
    assert!(!places[8].0.waits() && !places[9].0.waits());
    let rest: Vec<_> = std::iter::from_fn(|| next(&mut inflow)).collect();
    assert_eq!(rest, [2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn who_waits_is_let_in_before_who_comes() {
    let (inbox, mut inflow) = channel(8000);
    let (alice, bob, carol) = (place(&inbox, 1).0, place(&inbox, 2).0, place(&inbox, 3).0);
    assert_eq!(offer(&alice, 7500), Offer::Taken);
    assert_eq!(offer(&bob, 900), Offer::Waits);
    assert_eq!(offer(&carol, 500), Offer::Waits, "it would fit, but bob is first");
    assert_eq!([next(&mut inflow), next(&mut inflow)], [Some(1), Some(2)]);
    assert_eq!(next(&mut inflow), Some(3));
}

#[test]
fn one_message_has_room_however_large() {
    let (inbox, mut inflow) = channel(0);
    let (alice, bob) = (place(&inbox, 1).0, place(&inbox, 2).0);
    assert_eq!(offer(&alice, 1_000_000), Offer::Taken);
    assert_eq!(offer(&bob, 1_000_000), Offer::Waits);
    assert_eq!(offer(&alice, 1_000_000), Offer::Waits);
    assert_eq!([next(&mut inflow), next(&mut inflow), next(&mut inflow)], [Some(1), Some(2), Some(1)]);
    assert_eq!(next(&mut inflow), None);
}

#[test]
fn sessions_take_turns() {
    let (inbox, mut inflow) = channel(1 << 20);
    let (alice, bob) = (place(&inbox, 1).0, place(&inbox, 2).0);
    (0..4).for_each(|_| assert_eq!(offer(&alice, 500), Offer::Taken));
    (0..2).for_each(|_| assert_eq!(offer(&bob, 500), Offer::Taken));
    let order: Vec<_> = std::iter::from_fn(|| next(&mut inflow)).collect();
    assert_eq!(order, [1, 2, 1, 2, 1, 1]);
}

#[test]
fn what_is_not_known_takes_no_room() {
    let (inbox, _inflow) = channel(8000);
    let (alice, _) = place(&inbox, 1);
    for _ in 0..1000 / OVERHEAD {
        assert_eq!(alice.offer(Message::Unknown { command: "new".into(), size: 4_000_000 }, 4_000_000), Offer::Taken);
    }
    assert_eq!(alice.offer(Message::Unknown { command: "new".into(), size: 0 }, 0), Offer::Waits);
}

#[test]
fn who_is_muted_gives_its_room_back() {
    let (inbox, mut inflow) = channel(8000);
    let (alice, bob) = (place(&inbox, 1).0, place(&inbox, 2).0);
    assert_eq!(offer(&alice, 8000), Offer::Taken);
    assert_eq!(offer(&bob, 1000), Offer::Waits);
    alice.signal().mute();
    assert!(!bob.waits());
    assert_eq!(offer(&alice, 8000), Offer::Dropped);
    assert_eq!((next(&mut inflow), next(&mut inflow)), (Some(2), None));
}

#[test]
fn who_ends_in_the_line_holds_nobody_up() {
    let (inbox, mut inflow) = channel(8000);
    let (alice, bob, carol) = (place(&inbox, 1).0, place(&inbox, 2).0, place(&inbox, 3).0);
    assert_eq!(offer(&alice, 8000), Offer::Taken);
    assert_eq!(offer(&bob, 1000), Offer::Waits);
    assert_eq!(offer(&carol, 1000), Offer::Waits);
    drop(bob);
    assert_eq!(next(&mut inflow), Some(1));
    assert!(matches!(inflow.next().now_or_never().unwrap().unwrap().what, Received::Closed(Why::Stopped)));
    assert!(!carol.waits());
}

#[test]
fn messages_that_are_begun_fill_their_room_and_then_the_oldest_goes() {
    let room = 10 * FREE;
    let (inbox, _inflow) = channel(room);
    let now = Instant::now();
    let (alice, alice_bell) = place(&inbox, 1);
    let (bob, bob_bell) = place(&inbox, 2);
    let (carol, carol_bell) = place(&inbox, 3);
    assert_eq!(bob.hold(room / 2, now), Hold::Granted);
    assert_eq!(alice.hold(room / 2, now + SECOND), Hold::Granted);
    assert_eq!(carol.hold(FREE, now + SECOND * 2), Hold::Granted, "that much is its own");
    assert_eq!((alice_bell.stopped(), bob_bell.stopped()), (None, None));
    assert_eq!(carol.hold(FREE + 1, now + SECOND * 2), Hold::Granted);
    assert_eq!((alice_bell.stopped(), bob_bell.stopped()), (None, Some(Why::Crowded)));
    assert_eq!(carol_bell.stopped(), None);
}

#[test]
fn who_asks_for_more_may_be_the_oldest() {
    let (inbox, _inflow) = channel(10 * FREE);
    let now = Instant::now();
    let ((alice, _), (bob, bob_bell)) = (place(&inbox, 1), place(&inbox, 2));
    assert_eq!(bob.hold(5 * FREE, now), Hold::Granted);
    assert_eq!(alice.hold(5 * FREE, now + SECOND), Hold::Granted);
    assert_eq!(bob.hold(6 * FREE, now), Hold::Waits);
    assert_eq!(bob_bell.stopped(), Some(Why::Crowded));
    assert_eq!(alice.hold(10 * FREE, now + SECOND), Hold::Granted, "it has all the room now");
}

#[test]
fn time_that_was_ours_makes_nobody_the_oldest() {
    let (inbox, _inflow) = channel(10 * FREE);
    let now = Instant::now();
    let ((alice, alice_bell), (bob, bob_bell)) = (place(&inbox, 1), place(&inbox, 2));
    assert_eq!(alice.hold(5 * FREE, now), Hold::Granted);
    assert_eq!(bob.hold(5 * FREE, now + SECOND), Hold::Granted);
    assert_eq!(alice.hold(5 * FREE, now + SECOND * 2), Hold::Granted, "it waited for us");
    assert_eq!(bob.hold(6 * FREE, now + SECOND), Hold::Waits);
    assert_eq!((alice_bell.stopped(), bob_bell.stopped()), (None, Some(Why::Crowded)));
}

#[test]
fn the_last_message_has_room_however_large() {
    let (inbox, _inflow) = channel(0);
    let (alice, bell) = place(&inbox, 1);
    assert_eq!(alice.hold(4_000_000, Instant::now()), Hold::Granted);
    assert_eq!(bell.stopped(), None);
}

#[test]
fn nobody_is_cut_off_while_it_is_the_owner_who_is_slow() {
    let room = 10 * FREE;
    let (inbox, mut inflow) = channel(room);
    let now = Instant::now();
    let (alice, _) = place(&inbox, 1);
    let (bob, bob_bell) = place(&inbox, 2);
    assert_eq!(offer(&alice, room), Offer::Taken);
    assert_eq!(offer(&alice, room - FREE), Offer::Waits);
    assert_eq!(bob.hold(2 * FREE, now), Hold::Waits);
    assert_eq!((next(&mut inflow), next(&mut inflow)), (Some(1), Some(1)));
    assert_eq!(bob.hold(2 * FREE, now), Hold::Granted);
    assert_eq!(bob_bell.stopped(), None);
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn who_waits_is_woken_when_there_is_room() {
    let room = 10 * FREE;
    let (inbox, mut inflow) = channel(room);
    let ((alice, alice_bell), (bob, bob_bell)) = (place(&inbox, 1), place(&inbox, 2));
    let (for_alice, for_bob) = (Arc::<Woken>::default(), Arc::<Woken>::default());
    alice_bell.register(&Waker::from(Arc::clone(&for_alice)));
    bob_bell.register(&Waker::from(Arc::clone(&for_bob)));
    let woken = || (for_alice.0.load(Ordering::Relaxed), for_bob.0.load(Ordering::Relaxed));
    assert_eq!((offer(&alice, room), offer(&alice, room)), (Offer::Taken, Offer::Waits));
    assert_eq!(bob.hold(2 * FREE, Instant::now()), Hold::Waits);
    assert_eq!(next(&mut inflow), Some(1));
    assert_eq!(woken(), (0, 0));
    assert_eq!(next(&mut inflow), Some(1));
    assert_eq!(woken(), (1, 1));
}

#[test]
fn a_message_that_is_complete_gives_its_room_back() {
    let room = 10 * FREE;
    let (inbox, _inflow) = channel(room);
    let now = Instant::now();
    let ((alice, alice_bell), (bob, _)) = (place(&inbox, 1), place(&inbox, 2));
    assert_eq!(alice.hold(room, now), Hold::Granted);
    assert_eq!(offer(&alice, room), Offer::Taken);
    assert_eq!(bob.hold(room, now), Hold::Granted);
    drop(bob);
    assert_eq!(alice.hold(room, now), Hold::Granted);
    assert_eq!(alice_bell.stopped(), None);
}
