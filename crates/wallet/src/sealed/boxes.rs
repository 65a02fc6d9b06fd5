//! Boxes: bytes sealed under a key, and the keys that come from passphrases.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Key, MAX_PASSPHRASE};
use crate::entropy::{Entropy, bytes};

/// What a box is for: no box opens in another's place.
pub(super) const LOG: &[u8] = b"log key";
/// See [`LOG`].
pub(super) const SECRET: &[u8] = b"secret";

/// Bytes of a nonce of XChaCha20.
const NONCE: usize = 24;

/// Memory for Argon2id, in KiB: RFC 9106's second choice, 64 MiB.
const MEMORY: u32 = 64 << 10;
/// Passes for Argon2id (RFC 9106).
const PASSES: u32 = 3;
/// Most memory that a file may ask for, in KiB: 1 GiB.
const MAX_MEMORY: u32 = 1 << 20;
/// Most passes that a file may ask for.
const MAX_PASSES: u32 = 64;
/// Most lanes that a file may ask for.
const MAX_LANES: u32 = 16;

/// Nonce and sealed bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct SealedBox(#[serde(with = "hex")] Vec<u8>);

/// How a passphrase becomes a key: Argon2id, version 0x13.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Derivation {
    /// KiB.
    memory: u32,
    passes: u32,
    lanes: u32,
    #[serde(with = "hex")]
    salt: Vec<u8>,
}

impl Derivation {
    pub(super) fn new(entropy: &mut Entropy) -> Self {
        Self { memory: MEMORY, passes: PASSES, lanes: 1, salt: bytes::<16>(entropy).to_vec() }
    }

    /// The key of a passphrase. `None` if the numbers, which come from a file, or the passphrase are out of bounds.
    pub(super) fn key(&self, passphrase: &str) -> Option<Key> {
        let bounded = self.memory <= MAX_MEMORY && self.passes <= MAX_PASSES && self.lanes <= MAX_LANES;
        if !bounded || passphrase.len() > MAX_PASSPHRASE {
            return None;
        }
        let params = Params::new(self.memory, self.passes, self.lanes, Some(32)).ok()?;
        let mut key = Zeroizing::new([0; 32]);
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon.hash_password_into(passphrase.as_bytes(), &self.salt, key.as_mut_slice()).ok()?;
        Some(key)
    }
}

pub(super) fn seal(key: &Key, id: &[u8], purpose: &[u8], plain: &[u8], entropy: &mut Entropy) -> SealedBox {
    SealedBox(seal_bytes(key, &[id, purpose].concat(), plain, entropy))
}

pub(super) fn open(key: &Key, id: &[u8], purpose: &[u8], sealed: &SealedBox) -> Option<Zeroizing<Vec<u8>>> {
    open_bytes(key, &[id, purpose].concat(), &sealed.0)
}

pub(super) fn seal_bytes(key: &Key, about: &[u8], plain: &[u8], entropy: &mut Entropy) -> Vec<u8> {
    // 24 random bytes never come twice under one key.
    let nonce = bytes::<NONCE>(entropy);
    let sealed = cipher(key)
        .encrypt(XNonce::from_slice(&nonce), Payload { msg: plain, aad: about })
        .expect("what is sealed is far below the cipher's limit of 256 GiB");
    [nonce.as_slice(), &sealed].concat()
}

pub(super) fn open_bytes(key: &Key, about: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
    cipher(key).decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: about }).ok().map(Zeroizing::new)
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.as_slice().into())
}

/// Bytes as hexadecimal digits.
pub(super) mod hex {
    use bitcoin::hex::{DisplayHex, FromHex};
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&bytes.as_hex())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        Vec::from_hex(&text).map_err(de::Error::custom)
    }
}
