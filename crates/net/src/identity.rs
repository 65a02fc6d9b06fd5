//! Who a node is: an ed25519 key in the data directory, and the name that people exchange.
//!
//! | module | owns |
//! |---|---|
//! | this one | the key pair, and what is signed with it |
//! | `file` | the file that keeps it |
//! | `name` | the name that people exchange |

mod file;
mod name;

use std::fmt;
use std::path::Path;

use ed25519_dalek::SigningKey;
use libp2p::identity::{Keypair, PublicKey, ed25519};
use yap_protocol::address::{Identity, Multiaddr};
use yap_protocol::message::{PeerRecord, RecordError, Services};
use zeroize::Zeroizing;

pub use file::KeyError;
pub use name::{Name, NameError};

/// The key pair of a node. Never shown: `Debug` prints the public half alone.
#[derive(Clone)]
pub struct Keys(ed25519::Keypair);

impl Keys {
    /// A key that nobody had before.
    #[must_use]
    pub fn generate() -> Self {
        Self(ed25519::Keypair::generate())
    }

    /// The key in the file, which is made if nothing is there, with its folders, for this user alone to read.
    ///
    /// A file that is there is never written to. Of several programs that start at once, one makes it, and all take it.
    ///
    /// # Errors
    /// If the file can't be read or made, holds no key, or others may read it.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        file::load_or_create(path)
    }

    /// Who this is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity(self.0.public().to_bytes())
    }

    /// What the node says of itself: where it is reached and what it offers. `sequence` is the time in seconds since 1970,
    /// or more than in the last record, whichever is greater.
    ///
    /// # Errors
    /// If there are too many endpoints.
    pub fn sign_record(
        &self,
        endpoints: Vec<Multiaddr>,
        services: Services,
        sequence: u64,
    ) -> Result<PeerRecord, RecordError> {
        PeerRecord::sign(&SigningKey::from_bytes(&self.secret()), sequence, services, endpoints)
    }

    pub(crate) fn pair(&self) -> Keypair {
        self.0.clone().into()
    }

    fn secret(&self) -> Zeroizing<[u8; SECRET]> {
        let mut secret = Zeroizing::new([0; SECRET]);
        let pair = Zeroizing::new(self.0.to_bytes());
        secret.iter_mut().zip(pair.iter()).for_each(|(to, from)| *to = *from);
        secret
    }

    fn from_secret(mut secret: Zeroizing<[u8; SECRET]>) -> Self {
        // Takes the bytes and leaves zeros; of 32 bytes, all are a key.
        let secret = ed25519::SecretKey::try_from_bytes(&mut *secret).expect("any 32 bytes are a secret key");
        Self(secret.into())
    }
}

/// Bytes of the secret half.
const SECRET: usize = 32;

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", Name(self.identity()))
    }
}

pub(crate) fn public(identity: &Identity) -> Option<PublicKey> {
    ed25519::PublicKey::try_from_bytes(&identity.0).ok().map(Into::into)
}

#[cfg(test)]
mod tests;
