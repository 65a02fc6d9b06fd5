//! How gossipsub is set up.

use std::time::Duration;

use libp2p::gossipsub::{
    self, ConfigBuilder, MaxCountSubscriptionFilter, MessageAuthenticity, TopicHash, TopicSubscriptionFilter,
    ValidationMode, Version,
};
use libp2p::identity::Keypair;

use super::{MAX_MESSAGE, MAX_NAME, MAX_TOPICS, MessageId};
use crate::config;

/// gossipsub, as it is used here.
pub(crate) type Gossip = gossipsub::Behaviour<gossipsub::IdentityTransform, MaxCountSubscriptionFilter<Names>>;

/// How often gossipsub mends its mesh and tells what it has.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Heartbeats for which a message can be asked for, or given again. At the rate at which messages are taken (`load`),
/// they are 20 MB at most.
const HISTORY: usize = 12;

/// The same, less the first, which may be short, and one to spare.
pub(super) const FRESH: Duration = Duration::from_secs(10);

/// How long a message may wait for a slow connection. Those that wait are then left out.
const PATIENCE: Duration = Duration::from_secs(10);

/// Messages that may wait for one peer. More than we may publish at once.
const QUEUE: usize = 320;

/// Names in one list of what we have, at most: 34 bytes each, and gossipsub reads lists of 16 KiB.
const LISTED: usize = 400;

/// How long a peer that left the mesh of a topic is not taken back, if it changes its mind. Gossipsub's own minute is for
/// crowds; among a handful of peers nobody else would pass messages on.
const BACKOFF: Duration = Duration::from_secs(5);

/// Subscriptions that one frame may change: all of them twice.
const CHANGES: usize = 2 * MAX_TOPICS;

/// Bytes of a frame, and more: gossipsub 0.50 holds against this not the frame but all that it has read, which ends up to
/// 8 KiB into the next. One byte too many ends the stream, and after five streams it gives the connection up for good.
/// That a message itself is not too long is for `load` to see.
const FRAME: usize = MAX_MESSAGE + 20_000;

/// Refuses subscriptions to what is no name.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names;

impl TopicSubscriptionFilter for Names {
    fn can_subscribe(&mut self, topic: &TopicHash) -> bool {
        (1..=MAX_NAME).contains(&topic.as_str().len())
    }
}

pub(super) fn new(keys: &Keypair, chain: &config::Chain) -> Gossip {
    let config = ConfigBuilder::default()
        .protocol_id(chain.topics_protocol().to_string(), Version::V1_1)
        .message_id_fn(|message| {
            let id = MessageId::new(message.topic.as_str(), &message.data);
            gossipsub::MessageId::new(&id.0)
        })
        .validation_mode(ValidationMode::Strict)
        .validate_messages()
        .max_transmit_size(FRAME)
        .heartbeat_interval(HEARTBEAT)
        .heartbeat_initial_delay(Duration::ZERO)
        .history_length(HISTORY)
        .connection_handler_queue_len(QUEUE)
        .publish_queue_duration(PATIENCE)
        .forward_queue_duration(PATIENCE)
        .max_control_messages_sent(LISTED)
        .prune_backoff(BACKOFF)
        .unsubscribe_backoff(BACKOFF)
        // Whoever publishes tells all subscribers, not just its mesh: among few peers that costs nothing.
        .flood_publish(true)
        .build()
        .expect("constants that a test builds once");
    let names = MaxCountSubscriptionFilter {
        filter: Names,
        max_subscribed_topics: MAX_TOPICS,
        max_subscriptions_per_request: CHANGES,
    };
    Gossip::new_with_subscription_filter(MessageAuthenticity::Signed(keys.clone()), config, names)
        .expect("whoever signs suits those who ask for signatures")
}
