//! Signatures as they are: verified by libsecp256k1, over hashes by `bitcoin`.

#![expect(clippy::arithmetic_side_effects, reason = "the numbers are small and of our own making")]

use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1, ecdsa};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{Script, ScriptBuf};

use crate::policy::opcode::{OP_CODESEPARATOR, OP_PUSHDATA1, OP_PUSHDATA2};
use crate::policy::script::machine::Dialect;
use crate::policy::script::signature::{Question, Signatures};
use crate::policy::script::{Error, Spend};
use crate::transaction::sigops::{self, step};

/// Verifies the ECDSA signatures of one input. Of Schnorr signatures the vectors hold none that is valid.
pub(super) struct Verifier<'a>(pub(super) &'a Spend<'a>);

impl Signatures for Verifier<'_> {
    fn ecdsa(&self, question: &Question<'_>) -> bool {
        let Some((&hash_type, der)) = question.signature.split_last() else { return false };
        let Ok(key) = PublicKey::from_slice(question.key) else { return false };
        let Ok(mut parsed) = ecdsa::Signature::from_der_lax(der) else { return false };
        parsed.normalize_s();
        let Spend { transaction, index, coin, input } = *self.0;
        let mut hashes = SighashCache::new(transaction);
        let hash = if question.dialect == Dialect::Base {
            let (mut signatures, mut rest) = (vec![question.signature], input.script_sig.as_bytes());
            // Above what one signature counts.
            let several = sigops::count(question.code, true) > 1;
            while let Some(next) = step(rest).filter(|_| several) {
                signatures.extend(Some(next.data).filter(|data| data.first() == Some(&0x30)));
                rest = next.rest;
            }
            let code = signed_code(question.code, &signatures);
            hashes.legacy_signature_hash(index, &code, u32::from(hash_type)).unwrap().to_byte_array()
        } else {
            let kind = EcdsaSighashType::from_standard(u32::from(hash_type)).expect("the vectors use these only");
            let code = Script::from_bytes(question.code);
            hashes.p2wsh_signature_hash(index, code, coin.value, kind).unwrap().to_byte_array()
        };
        Secp256k1::verification_only().verify_ecdsa(&Message::from_digest(hash), &parsed, &key).is_ok()
    }

    fn schnorr(&self, signature: &[u8]) -> Result<(), Error> {
        if (64..=65).contains(&signature.len()) { Ok(()) } else { Err(Error::SchnorrSigSize) }
    }
}

/// What signatures outside of witnesses are over: without themselves, and without code separators. Those of one
/// `OP_CHECKMULTISIG` are all left out, which in the vectors are those of the input's script.
fn signed_code(code: &[u8], signatures: &[&[u8]]) -> ScriptBuf {
    let (mut kept, mut rest) = (Vec::new(), code);
    while let Some(next) = step(rest) {
        let bytes = &rest[..rest.len() - next.rest.len()];
        if next.opcode != OP_CODESEPARATOR && !signatures.iter().any(|signature| bytes == push(signature)) {
            kept.extend_from_slice(bytes);
        }
        rest = next.rest;
    }
    kept.extend_from_slice(rest);
    kept.into()
}

/// The push of `data` by its length.
fn push(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap().to_le_bytes();
    let opcode = match data.len() {
        0..=75 => vec![length[0]],
        76..=255 => vec![OP_PUSHDATA1, length[0]],
        _ => vec![OP_PUSHDATA2, length[0], length[1]],
    };
    [&opcode, data].concat()
}
