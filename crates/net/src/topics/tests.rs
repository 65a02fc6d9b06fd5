//! Messages, bounds, and small networks.

mod behaviour;
mod kept;
mod load;
mod network;

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use libp2p::gossipsub::{TopicHash, TopicSubscriptionFilter};

use super::gossip::Names;
use super::{MAX_NAME, MessageId};
use crate::config::Chain;

fn chain() -> Chain {
    let mut genesis = [7; 32];
    // Block hashes are shown in reverse.
    genesis[28..].copy_from_slice(&[0xef, 0xbe, 0xad, 0xde]);
    Chain { name: "local".into(), genesis: BlockHash::from_byte_array(genesis), magic: [1, 2, 3, 4] }
}

#[test]
fn a_message_is_named_by_its_topic_and_what_it_says() {
    // printf '\x04chathello' | sha256sum
    let id = MessageId::new("chat", b"hello");
    assert_eq!(id.to_string(), "01ce0c235180ee932c5eeb2cbeb1e998f0e40df040579d3fd23580c353e8ddf5");
    assert_ne!(MessageId::new("ab", b"c"), MessageId::new("a", b"bc"));
    assert_ne!(MessageId::new("a", b"c"), MessageId::new("b", b"c"));
    // The longest name has a length of its own.
    assert_ne!(MessageId::new(&"a".repeat(MAX_NAME), b""), MessageId::new(&"a".repeat(MAX_NAME - 1), b"a"));
}

#[test]
fn every_chain_has_its_own_protocol() {
    assert_eq!(chain().topics_protocol().as_ref(), "/yap/deadbeef/topics/1");
}

#[test]
fn peers_may_subscribe_to_names_alone() {
    let may = |length: usize| Names.can_subscribe(&TopicHash::from_raw("a".repeat(length)));
    assert!(may(1) && may(MAX_NAME));
    assert!(!may(0) && !may(MAX_NAME + 1));
}
