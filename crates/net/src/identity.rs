//! Who a node is: an ed25519 key in the data directory, and the name that people exchange.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use libp2p::identity::{Keypair, PublicKey, ed25519};
use yap_protocol::address::Identity;

/// The key pair of a node. Never shown: `Debug` prints the public half alone.
#[derive(Clone)]
pub struct Keys(ed25519::Keypair);

impl Keys {
    /// A key that nobody had before.
    #[must_use]
    pub fn generate() -> Self {
        Self(ed25519::Keypair::generate())
    }

    /// Who this is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity(self.0.public().to_bytes())
    }

    pub(crate) fn pair(&self) -> Keypair {
        self.0.clone().into()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", Name(self.identity()))
    }
}

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

pub(crate) fn public(identity: &Identity) -> Option<PublicKey> {
    ed25519::PublicKey::try_from_bytes(&identity.0).ok().map(Into::into)
}

/// Why the key of a node can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file can't be read or written.
    #[error("can't use the key file {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
