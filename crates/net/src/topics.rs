//! Publish and subscribe.

use std::sync::Arc;

use yap_protocol::address::Identity;

/// Longest name of a topic, in bytes.
pub const MAX_NAME: usize = 128;

/// Longest message, in bytes.
pub const MAX_MESSAGE: usize = 60_000;

/// Most topics that can be subscribed to.
pub const MAX_TOPICS: usize = 64;

/// A message of a topic that we subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The topic's name.
    pub topic: Arc<str>,
    /// What was published.
    pub data: Vec<u8>,
    /// Who published it; the signature was checked.
    pub source: Identity,
}
