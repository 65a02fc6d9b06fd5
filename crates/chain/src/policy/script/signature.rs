//! Who says whether a signature is valid.

use std::cell::RefCell;

use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1, ecdsa};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{Script, Transaction};

use super::machine::Dialect;
use super::{Error, Spend};

/// Bytes of a Schnorr signature (BIP-0340).
const SCHNORR_SIZE: usize = 64;

/// What the signatures of a transaction are over, as far as several have it in common.
pub(super) type Hashes<'a> = RefCell<SighashCache<&'a Transaction>>;

/// A question about an ECDSA signature.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    /// With its hash type behind it; it may be empty.
    pub(super) signature: &'a [u8],
    pub(super) key: &'a [u8],
    /// The script that is signed.
    pub(super) code: &'a [u8],
    pub(super) dialect: Dialect,
    /// Whether no script holds where such a signature is wrong, nor does anything depend on whose it is.
    pub(super) decisive: bool,
}

/// An answer for each signature that a script asks about.
pub(super) trait Signatures {
    /// Whether it is valid.
    fn ecdsa(&self, question: &Question<'_>) -> bool;

    /// Whether `signature`, which is not empty, is one of the taproot key (BIP-0341) or a key in a tapscript (BIP-0342).
    fn schnorr(&self, signature: &[u8]) -> Result<(), Error>;
}

/// Presumes a signature valid where the engine would find out, and verifies the others: see the module above.
pub(super) struct Thrifty<'a, 't> {
    spend: &'a Spend<'a>,
    hashes: &'a Hashes<'t>,
    legacy: RefCell<Vec<Legacy>>,
}

/// What signatures outside of witnesses are over. Each takes hashing the whole transaction, so that without a memory of
/// it an input with many signatures takes as many times (CVE-2013-2292).
///
/// Few of them can differ for one input: one for each of six hash types and, code separators being refused, for each
/// of its script, the script it spends, and the one behind P2SH.
struct Legacy {
    hash_type: u8,
    code: Vec<u8>,
    hash: [u8; 32],
}

impl Signatures for Thrifty<'_, '_> {
    fn ecdsa(&self, question: &Question<'_>) -> bool {
        let Some((&hash_type, der)) = question.signature.split_last() else { return false };
        question.decisive || self.verify(question, hash_type, der).is_some()
    }

    fn schnorr(&self, signature: &[u8]) -> Result<(), Error> {
        // All consensus: a wrong one ends any script. These are told by the form.
        match signature.get(SCHNORR_SIZE..) {
            Some([]) => Ok(()),
            // BIP-0341: one of the three, for all inputs or this one; 0 must be left out. SINGLE needs its output.
            Some([1 | 2 | 0x81 | 0x82]) => Ok(()),
            Some([3 | 0x83]) if self.spend.index < self.spend.transaction.output.len() => Ok(()),
            Some([_]) => Err(Error::SchnorrSigHashtype),
            _ => Err(Error::SchnorrSigSize),
        }
    }
}

impl<'a, 't> Thrifty<'a, 't> {
    pub(super) fn new(spend: &'a Spend<'a>, hashes: &'a Hashes<'t>) -> Self {
        Self { spend, hashes, legacy: RefCell::default() }
    }

    /// Verifies a signature whose encoding has passed, so that its hash type is a defined one. Outside of witnesses
    /// neither code separators nor the signature itself are in the code: both are refused before.
    fn verify(&self, question: &Question<'_>, hash_type: u8, der: &[u8]) -> Option<()> {
        let key = PublicKey::from_slice(question.key).ok()?;
        let mut signature = ecdsa::Signature::from_der_lax(der).ok()?;
        // Verifying takes low ones only, which is no rule of consensus.
        signature.normalize_s();
        let hash = if question.dialect == Dialect::Base {
            self.legacy(hash_type, question.code)?
        } else {
            let kind = EcdsaSighashType::from_standard(u32::from(hash_type)).ok()?;
            let (code, mut hashes) = (Script::from_bytes(question.code), self.hashes.borrow_mut());
            hashes.p2wsh_signature_hash(self.spend.index, code, self.spend.coin.value, kind).ok()?.to_byte_array()
        };
        Secp256k1::verification_only().verify_ecdsa(&Message::from_digest(hash), &signature, &key).ok()
    }

    fn legacy(&self, hash_type: u8, code: &[u8]) -> Option<[u8; 32]> {
        let mut known = self.legacy.borrow_mut();
        if let Some(legacy) = known.iter().find(|legacy| legacy.hash_type == hash_type && legacy.code == code) {
            return Some(legacy.hash);
        }
        let (index, script) = (self.spend.index, Script::from_bytes(code));
        let hash =
            self.hashes.borrow().legacy_signature_hash(index, script, u32::from(hash_type)).ok()?.to_byte_array();
        known.push(Legacy { hash_type, code: code.to_vec(), hash });
        Some(hash)
    }
}
