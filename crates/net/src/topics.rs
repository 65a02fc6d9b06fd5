//! Publish and subscribe.
//!
//! A message is known by what it says ([`MessageId`]): however many ways it comes by, and whoever published it again, it
//! is delivered once within [`MEMORY`]. Whoever publishes is not told of its own message.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use yap_protocol::address::Identity;

mod behaviour;

pub(crate) use behaviour::{Behaviour, Event};

/// Longest name of a topic, in bytes.
pub const MAX_NAME: usize = 128;

/// Longest message, in bytes.
pub const MAX_MESSAGE: usize = 60_000;

/// Most topics that can be subscribed to.
pub const MAX_TOPICS: usize = 64;

/// How long a message that nobody has subscribed to yet is kept and offered to whoever does.
pub const KEEP: Duration = Duration::from_secs(30);

/// How long a message that came is remembered, so that it is not delivered again.
pub const MEMORY: Duration = Duration::from_secs(600);

/// A message of a topic that we subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The topic's name.
    pub topic: Arc<str>,
    /// What was published.
    pub data: Vec<u8>,
    /// Who published it; the signature was checked.
    pub source: Identity,
    /// The message's name.
    pub id: MessageId,
}

/// The name of a message: the SHA-256 of the length of its topic's name (one byte), that name, and the data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub [u8; 32]);

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What becomes of a message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is delivered and passed on.
    Accept,
    /// It is neither, and nobody is blamed.
    Ignore,
    /// It is neither, and whoever sent it is blamed: it should have been clear to them.
    Reject,
}

/// Judges the messages of a topic: what was published, and who published it. It runs in the task of the network, so it
/// must take no longer than checking a signature does.
pub type Validator = Arc<dyn Fn(&[u8], Identity) -> Verdict + Send + Sync>;
