//! What a node alone answers.

use libp2p::identity::Keypair;

use super::super::kept::WAITING;
use super::super::load::OWN;
use super::super::{Behaviour, MAX_MESSAGE, MAX_NAME, MAX_TOPICS, MessageId};
use super::chain;
use crate::PublishError;

fn node() -> Behaviour {
    // gossipsub's heartbeat needs no runtime, and nothing else here runs.
    Behaviour::new(&Keypair::generate_ed25519(), &chain())
}

#[test]
fn names_and_sizes_are_bounded() {
    let mut node = node();
    let longest = "a".repeat(MAX_NAME);
    assert_eq!(node.subscribe("", None), Err(PublishError::Name(0)));
    assert_eq!(node.subscribe(&"a".repeat(MAX_NAME + 1), None), Err(PublishError::Name(MAX_NAME + 1)));
    assert_eq!(node.subscribe(&longest, None), Ok(()));
    assert_eq!(node.publish("", vec![]), Err(PublishError::Name(0)));
    assert_eq!(node.publish("chat", vec![0; MAX_MESSAGE + 1]), Err(PublishError::Size(MAX_MESSAGE + 1)));
    let largest = vec![0; MAX_MESSAGE];
    assert_eq!(node.publish(&longest, largest.clone()), Ok(MessageId::new(&longest, &largest)));
}

#[test]
fn one_topic_too_many_is_refused_and_a_place_that_is_left_is_free() {
    let mut node = node();
    for number in 0..MAX_TOPICS {
        node.subscribe(&number.to_string(), None).unwrap();
    }
    assert_eq!(node.subscribe("more", None), Err(PublishError::Topics));
    assert_eq!(node.subscribe("5", None), Ok(()), "it is subscribed to already");
    node.unsubscribe("none of these");
    assert_eq!(node.subscribe("more", None), Err(PublishError::Topics));
    node.unsubscribe("7");
    assert_eq!(node.subscribe("more", None), Ok(()));
}

#[test]
fn what_nobody_hears_waits_while_there_is_room() {
    let mut node = node();
    for number in 0..WAITING {
        node.publish("chat", number.to_le_bytes().into()).unwrap();
    }
    assert_eq!(node.publish("chat", b"more".into()), Err(PublishError::NoSubscriber));
    assert_eq!(node.publish("chat", 0_usize.to_le_bytes().into()), Err(PublishError::Duplicate));
}

#[test]
fn whoever_publishes_too_fast_is_told_to_wait() {
    let mut node = node();
    let mut tries: u32 = 0;
    while node.publish("chat", tries.to_le_bytes().into()) != Err(PublishError::Busy) {
        tries += 1;
        assert!(tries <= 2 * OWN.messages.burst, "it never ends");
    }
    assert!(tries >= OWN.messages.burst);
}
