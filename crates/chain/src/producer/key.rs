//! A producer's key, and signatures: ECDSA, as scripts before taproot have them (BIP-0325).

use std::fmt;
use std::sync::OnceLock;

use bitcoin::hashes::Hash;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::secp256k1::{All, Message, PublicKey, Secp256k1, SecretKey, ecdsa};
use bitcoin::sighash::SighashCache;
use bitcoin::{EcdsaSighashType, Script, Transaction, Witness};

use super::Producers;
use crate::block::Draft;
use crate::block::signet::{self, Solution};

/// The tables of secp256k1, made once. Nothing in them depends on the keys that are used.
fn secp() -> &'static Secp256k1<All> {
    static SECP: OnceLock<Secp256k1<All>> = OnceLock::new();
    SECP.get_or_init(Secp256k1::new)
}

/// The secret key of a producer. It is never printed, and its memory is overwritten when it goes.
#[derive(Clone)]
pub struct Key {
    secret: SecretKey,
    public: PublicKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("public", &self.public).finish_non_exhaustive()
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.secret.non_secure_erase();
    }
}

impl Key {
    /// The key of 32 bytes; none for the few numbers that are no keys, which random ones never are.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Option<Self> {
        let secret = SecretKey::from_slice(bytes).ok()?;
        Some(Self { secret, public: secret.public_key(secp()) })
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// What satisfies the challenge of `producers`, of whom this is one, for a block; `to_sign` is its
    /// [`template`](signet::template). Signatures have a low R and a low S, and are as random as RFC 6979 makes them.
    ///
    /// # Panics
    /// Never: the transaction has an input, and a signature fits into a push.
    #[must_use]
    pub fn solve(&self, to_sign: &Transaction, producers: &Producers) -> Solution {
        let message = message(to_sign, producers.challenge(), EcdsaSighashType::All.to_u32())
            .expect("what is signed has an input");
        let mut bytes = secp().sign_ecdsa_low_r(&message, &self.secret).serialize_der().to_vec();
        bytes.push(SIGHASH_ALL);
        let signature = PushBytesBuf::try_from(bytes).expect("a signature has some 71 bytes");
        // OP_CHECKMULTISIG takes one more than it uses, which must be empty (BIP-0147).
        let empty = if producers.is_multisig() { Builder::new().push_int(0) } else { Builder::new() };
        Solution { script_sig: empty.push_slice(signature).into_script(), witness: Witness::new() }
    }

    /// The draft of that extra nonce, signed.
    ///
    /// # Errors
    /// If there is no place for the signature.
    pub fn sign(&self, draft: &Draft, extra: u64, producers: &Producers) -> Result<Draft, signet::Error> {
        draft.sign(extra, producers.challenge(), |to_sign| self.solve(to_sign, producers))
    }
}

/// The byte that says that everything is signed.
const SIGHASH_ALL: u8 = 1;

/// A signature as scripts carry it.
#[derive(Debug)]
pub(super) struct Signature {
    signature: ecdsa::Signature,
    sighash: u8,
}

impl Signature {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (sighash, der) = bytes.split_last()?;
        let mut signature = ecdsa::Signature::from_der(der).ok()?;
        // Scripts take either S; the library verifies the low one alone.
        signature.normalize_s();
        Some(Self { signature, sighash: *sighash })
    }

    /// What it signs.
    pub(super) fn message(&self, to_sign: &Transaction, challenge: &Script) -> Option<Message> {
        message(to_sign, challenge, self.sighash.into())
    }

    pub(super) fn is_by(&self, key: &PublicKey, message: &Message) -> bool {
        secp().verify_ecdsa(message, &self.signature, key).is_ok()
    }
}

fn message(to_sign: &Transaction, challenge: &Script, sighash: u32) -> Option<Message> {
    let hash = SighashCache::new(to_sign).legacy_signature_hash(0, challenge, sighash).ok()?;
    Some(Message::from_digest(hash.to_byte_array()))
}
