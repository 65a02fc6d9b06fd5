//! Publish and subscribe.
//!
//! A message is known by what it says ([`MessageId`]): however many ways it comes by, and whoever published it again, it
//! is delivered once within [`MEMORY`]. Whoever publishes is not told of its own message.
//!
//! libp2p's gossipsub carries the messages, signed by whoever published them. Around it:
//!
//! - A message to a topic that nobody connected has subscribed to is kept for [`KEEP`], and one that was passed on is
//!   given to whoever subscribes within the next ten seconds (`kept`). Gossipsub alone refuses the first and loses the
//!   second, so that what is published right after a dial would not arrive.
//! - What comes is counted before gossipsub remembers anything of it (`load`). What is too much is left out; who sends far
//!   too much, or what no honest peer sends, is reported.
//!
//! | module | owns |
//! |---|---|
//! | `behaviour` | the whole, as the swarm and the engine see it |
//! | `gossip` | how gossipsub is set up |
//! | `kept` | messages that wait for subscribers |
//! | `load` | how much is taken, of whom |

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::hashes::{Hash, HashEngine, sha256};
use yap_protocol::address::Identity;

mod behaviour;
mod gossip;
mod kept;
mod load;
#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a test picks what it looks for, and may overflow: it fails"
)]
mod tests;

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

impl MessageId {
    /// The name of a message of a topic, whose name has at most [`MAX_NAME`] bytes.
    fn new(topic: &str, data: &[u8]) -> Self {
        let mut engine = sha256::Hash::engine();
        // The length keeps "ab" + "c" and "a" + "bc" apart.
        engine.input(&[u8::try_from(topic.len()).unwrap_or(u8::MAX)]);
        engine.input(topic.as_bytes());
        engine.input(data);
        Self(sha256::Hash::from_engine(engine).to_byte_array())
    }
}

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
