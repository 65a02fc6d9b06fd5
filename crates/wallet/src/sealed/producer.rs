//! The key of a producer of blocks (BIP-0325) at rest.
//!
//! ```text
//! "yap-producer 1\n" ‖ public key (33) ‖ nonce (24) ‖ sealed secret key (32 + 16)
//! ```
//!
//! The secret is sealed by XChaCha20-Poly1305 under 32 random bytes, which are kept in a file of their own, with what stands
//! before as associated data. So either file alone is worth nothing, as with a wallet that has no passphrase; a node must be able
//! to sign when nobody is there to type one.

use bitcoin::secp256k1::PublicKey;
use yap_chain::producer;
use zeroize::Zeroizing;

use super::{Key, boxes};
use crate::entropy::{Entropy, bytes};

/// What a file begins with: the format's name and version.
const MAGIC: &[u8] = b"yap-producer 1\n";

/// What files of every version begin with.
const NAME: &[u8] = b"yap-producer ";

/// Bytes of a compressed public key.
const PUBLIC: usize = 33;

/// Bytes of a file.
pub const SIZE: usize = MAGIC.len() + PUBLIC + 24 + 32 + 16;

/// Why the file of a producer's key can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is none.
    #[error("it holds no producer's key")]
    Other,
    /// It is of a version that came later.
    #[error("it is of a version that this program does not know: use a newer one")]
    Version,
    /// It is damaged, or the key file is another's.
    #[error("it is damaged, or the file beside it belongs to another key")]
    Closed,
}

/// A new key, and the bytes of its file, sealed under `key_file`.
pub fn create(key_file: &Key, entropy: &mut Entropy) -> (producer::Key, Vec<u8>) {
    // All but one of 2^128 random numbers are keys.
    let (secret, key) = loop {
        let secret = Zeroizing::new(bytes::<32>(entropy));
        if let Some(key) = producer::Key::new(&secret) {
            break (secret, key);
        }
    };
    let head = [MAGIC, &key.public().serialize()].concat();
    let sealed = boxes::seal_bytes(key_file, &head, secret.as_slice(), entropy);
    (key, [head, sealed].concat())
}

/// Reads a file, with what is in the file beside it.
///
/// # Errors
/// [`OpenError`].
pub fn open(file: &[u8], key_file: &Key) -> Result<producer::Key, OpenError> {
    let rest = match file.strip_prefix(MAGIC) {
        Some(rest) => rest,
        None if file.starts_with(NAME) => return Err(OpenError::Version),
        None => return Err(OpenError::Other),
    };
    let (public, sealed) = rest.split_at_checked(PUBLIC).ok_or(OpenError::Closed)?;
    let head = [MAGIC, public].concat();
    let secret = boxes::open_bytes(key_file, &head, sealed).ok_or(OpenError::Closed)?;
    let secret: &[u8; 32] = secret.as_slice().try_into().map_err(|_| OpenError::Closed)?;
    let key = producer::Key::new(secret).ok_or(OpenError::Closed)?;
    // What stands in the open is what others were handed.
    if PublicKey::from_slice(public) == Ok(key.public()) { Ok(key) } else { Err(OpenError::Closed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entropy(seed: u8) -> Entropy {
        let mut next = seed;
        Box::new(move |buffer| {
            for byte in buffer {
                next = next.wrapping_mul(73).wrapping_add(41);
                *byte = next;
            }
        })
    }

    #[test]
    fn a_key_is_read_back_with_both_files_alone() {
        let key_file = Key::new([7; 32]);
        let (key, file) = create(&key_file, &mut entropy(1));
        assert_eq!(file.len(), SIZE);
        assert_eq!(open(&file, &key_file).unwrap().public(), key.public());
        assert_eq!(open(&file, &Key::new([8; 32])).unwrap_err(), OpenError::Closed);
        let (other, _) = create(&key_file, &mut entropy(2));
        assert_ne!(other.public(), key.public());
    }

    #[test]
    fn what_was_changed_or_cut_does_not_open() {
        let key_file = Key::new([7; 32]);
        let (_, file) = create(&key_file, &mut entropy(1));
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(open(&changed, &key_file).is_err(), "byte {at}");
            assert!(open(&file[..at], &key_file).is_err(), "cut at {at}");
        }
        assert_eq!(open(b"yap-producer 2\n...", &key_file).unwrap_err(), OpenError::Version);
        assert_eq!(open(b"yap-wallet 1\n", &key_file).unwrap_err(), OpenError::Other);
    }
}
