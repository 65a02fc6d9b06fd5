//! The name that people exchange.

use std::fmt;
use std::str::FromStr;

use yap_protocol::address::Identity;

/// The name of an identity as people exchange it: libp2p's peer id, such as `12D3KooW…`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(pub Identity);

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match crate::address::peer_id(&self.0) {
            Some(peer) => peer.fmt(f),
            None => self.0.fmt(f),
        }
    }
}

/// Text that names no peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("that is no peer id: one begins with 12D3KooW and has 52 characters")]
pub struct NameError;

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let peer = text.parse().map_err(|_| NameError)?;
        crate::address::identity(&peer).map(Self).ok_or(NameError)
    }
}
