//! What waits, and for how long.

use std::time::Duration;

use libp2p::PeerId;
use tokio::time::Instant;

use super::super::gossip::FRESH;
use super::super::kept::{Kept, LATE, PAUSE, RECENT, WAITING, WAITING_BYTES};
use super::super::{KEEP, MessageId};

const MOMENT: Duration = Duration::from_nanos(1);

fn id(number: usize) -> MessageId {
    MessageId::new("chat", &number.to_le_bytes())
}

#[test]
fn a_message_waits_until_somebody_subscribes() {
    let (mut kept, now) = (Kept::default(), Instant::now());
    assert!(kept.wait("chat", vec![1], id(1), now));
    assert!(kept.wait("news", vec![2], id(2), now));
    assert!(kept.wait("chat", vec![3], id(3), now));
    let heard: Vec<_> = kept.heard("chat").into_iter().map(|waiting| waiting.data).collect();
    assert_eq!(heard, [[1], [3]], "in order");
    assert!(kept.heard("chat").is_empty());
    assert!(kept.is_waiting(&id(2)) && !kept.is_waiting(&id(3)));
}

#[test]
fn a_message_that_waits_for_too_long_is_unheard() {
    let (mut kept, now) = (Kept::default(), Instant::now());
    assert_eq!(kept.deadline(), None);
    assert!(kept.wait("chat", vec![1], id(1), now));
    assert!(kept.wait("chat", vec![2], id(2), now + MOMENT));
    assert_eq!(kept.deadline(), Some(now + KEEP));
    assert_eq!(kept.unheard(now + KEEP - MOMENT), None);
    assert_eq!(kept.unheard(now + KEEP), Some(id(1)));
    assert_eq!(kept.unheard(now + KEEP), None);
    assert_eq!(kept.unheard(now + KEEP + MOMENT), Some(id(2)));
    assert_eq!(kept.deadline(), None);
}

#[test]
fn one_message_too_many_does_not_wait() {
    let (mut kept, now) = (Kept::default(), Instant::now());
    assert!((0..WAITING).all(|number| kept.wait("chat", vec![0], id(number), now)));
    assert!(!kept.wait("chat", vec![0], id(WAITING), now));
    assert_eq!(kept.unheard(now + KEEP), Some(id(0)));
    assert!(kept.wait("chat", vec![0], id(WAITING), now));
}

#[test]
fn one_byte_too_many_does_not_wait() {
    let (mut kept, now) = (Kept::default(), Instant::now());
    let half = WAITING_BYTES / 2;
    assert!(kept.wait("chat", vec![0; half], id(1), now));
    assert!(!kept.wait("chat", vec![0; half + 1], id(2), now));
    assert!(kept.wait("news", vec![0; half], id(2), now));
    assert!(!kept.wait("chat", vec![0], id(3), now));
    assert_eq!(kept.heard("chat").len(), 1);
    assert!(kept.wait("chat", vec![0; half], id(3), now));
    assert_eq!(kept.unheard(now + KEEP), Some(id(2)));
    assert!(kept.wait("chat", vec![0; half], id(4), now));
}

#[test]
fn whoever_subscribes_late_is_given_what_was_said_a_moment_ago() {
    let (mut kept, now) = (Kept::default(), Instant::now());
    let (alice, bob) = (PeerId::random(), PeerId::random());
    kept.passed("chat".into(), id(1), alice, now);
    kept.passed("chat".into(), id(2), alice, now + MOMENT);
    kept.passed("news".into(), id(3), alice, now);
    kept.subscribed(bob, "chat", now + FRESH + MOMENT);
    let gifts = kept.gifts(now + FRESH + MOMENT);
    assert_eq!(gifts.len(), 1);
    assert!(gifts[0].peers.iter().eq([&bob]));
    assert!(gifts[0].messages.iter().map(|passed| passed.id).eq([id(2)]), "the first is too old");
    assert!(kept.gifts(now + 2 * FRESH).is_empty(), "once");
    kept.subscribed(bob, "chat", now + FRESH + 2 * MOMENT);
    assert!(kept.gifts(now + 2 * FRESH).is_empty(), "there is nothing to give");
}

#[test]
fn gifts_are_given_no_more_often_than_once_in_a_pause() {
    let (mut kept, now) = (Kept::default(), Instant::now());
    kept.passed("chat".into(), id(1), PeerId::random(), now);
    kept.subscribed(PeerId::random(), "chat", now);
    assert_eq!(kept.gifts(now).len(), 1);
    kept.subscribed(PeerId::random(), "chat", now + MOMENT);
    kept.subscribed(PeerId::random(), "chat", now + MOMENT);
    assert!(kept.gifts(now + PAUSE - MOMENT).is_empty());
    assert_eq!(kept.deadline(), Some(now + PAUSE));
    let gifts = kept.gifts(now + PAUSE);
    assert_eq!(gifts.len(), 1);
    assert_eq!(gifts[0].peers.len(), 2);
    assert_eq!(kept.deadline(), None);
}

#[test]
fn no_more_is_kept_than_there_is_room_for() {
    let (mut kept, now) = (Kept::default(), Instant::now());
    for number in 0..=RECENT {
        kept.passed("chat".into(), id(number), PeerId::random(), now);
    }
    for _ in 0..=LATE {
        kept.subscribed(PeerId::random(), "chat", now);
    }
    let gifts = kept.gifts(now);
    assert_eq!(gifts[0].peers.len(), LATE);
    assert_eq!(gifts[0].messages.len(), RECENT);
    assert_eq!(gifts[0].messages[0].id, id(1), "the first had to go");
}
