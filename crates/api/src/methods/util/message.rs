//! Signed messages, by the key of a P2PKH address.

use bitcoin::ScriptBuf;
use bitcoin::base58;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
use bitcoin::sign_message::{MessageSignature, MessageSignatureError, signed_msg_hash};
use schemars::JsonSchema;
use serde::Deserialize;
use yap_chain::address;

use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Tells whether an address's key signed a message.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct VerifyMessage {
    /// The address (P2PKH).
    address: String,
    /// The signature, in base 64.
    signature: String,
    /// The message.
    message: String,
}

impl Method for VerifyMessage {
    known_as!("verifymessage", Util, Open);
    type Reply = bool;

    async fn call(self, context: Context) -> Result<bool, Error> {
        let script = address::parse(&self.address, &context.backend.spec().addresses);
        let script = script.map_err(|_| Error::new(Code::NotFound, "Invalid address"))?;
        if !script.is_p2pkh() {
            return Err(Error::new(Code::Type, "Address does not refer to key"));
        }
        let signature = match MessageSignature::from_base64(&self.signature) {
            Ok(signature) => signature,
            Err(MessageSignatureError::InvalidBase64) => {
                return Err(Error::new(Code::Type, "Malformed base64 encoding"));
            }
            Err(_) => return Ok(false),
        };
        let key = signature.recover_pubkey(&Secp256k1::new(), signed_msg_hash(&self.message));
        Ok(key.is_ok_and(|key| ScriptBuf::new_p2pkh(&key.pubkey_hash()) == script))
    }
}

/// Signs a message with a private key, so that whoever knows its P2PKH address can verify it.
#[derive(Deserialize, JsonSchema)]
pub(super) struct SignMessageWithPrivKey {
    /// The private key, in wallet import format.
    privkey: String,
    /// The message.
    message: String,
}

impl Method for SignMessageWithPrivKey {
    known_as!("signmessagewithprivkey", Util, Cookie);
    type Reply = String;

    async fn call(self, context: Context) -> Result<String, Error> {
        let invalid = || Error::new(Code::NotFound, "Invalid private key");
        let bytes = base58::decode_check(&self.privkey).map_err(|_| invalid())?;
        let (version, rest) = bytes.split_first().ok_or_else(invalid)?;
        // A last byte of 1 says that the public key is compressed.
        let (key, compressed) = match rest.split_at_checked(32) {
            Some((key, [])) => (key, false),
            Some((key, [1])) => (key, true),
            _ => return Err(invalid()),
        };
        if *version != context.backend.spec().addresses.secret {
            return Err(invalid());
        }
        let key = SecretKey::from_slice(key).map_err(|_| invalid())?;
        let digest = Message::from_digest(signed_msg_hash(&self.message).to_byte_array());
        let signature = Secp256k1::new().sign_ecdsa_recoverable(&digest, &key);
        Ok(MessageSignature::new(signature, compressed).to_base64())
    }
}
