//! What the network tells.

use yap_protocol::Input;
use yap_protocol::address::Identity;
use yap_protocol::io::Command;

use crate::topics;

/// Something for the owner of the network.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// For the node, as it is.
    Input(Input),
    /// For the node, under a ticket of the owner's: addresses that were found, peers that the user named, where we are
    /// reached.
    Command(Command),
    /// A message of a topic that we subscribed to.
    Topic(topics::Message),
    /// Something that the user may want to know.
    Notice(Notice),
}

/// Something that the user may want to know. `Display` says it in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Notice {
    /// We listen on an address.
    #[error("listening on {0}")]
    Listening(String),
    /// We do not any more.
    #[error("no longer listening on {0}")]
    NotListening(String),
    /// How we are reached has changed.
    #[error("{0}")]
    Reach(crate::status::Reach),
    /// The way to a peer has changed.
    #[error("{} is {path}", crate::identity::Name(*peer))]
    Path {
        /// Which peer.
        peer: Identity,
        /// How it is reached now.
        path: crate::status::Path,
    },
    /// A dial failed, for a reason that the user can do something about.
    #[error("can't connect to {address}: {why}")]
    Dial {
        /// Where to.
        address: String,
        /// Why, and what to do.
        why: crate::error::DialError,
    },
    /// A name could not be resolved; it is tried again.
    #[error("can't resolve {name}: {why}; trying again")]
    Resolve {
        /// The name.
        name: String,
        /// What the resolver says.
        why: String,
    },
    /// A listener failed while we run.
    #[error("can't listen on {address}: {why}")]
    Listener {
        /// Its address.
        address: String,
        /// What the system says.
        why: String,
    },
}
