//! Signed messages, by the key of a P2PKH address of the wallet: Bitcoin Core's `signmessage`.

use bitcoin::Script;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::Message;
use bitcoin::sign_message::{MessageSignature, signed_msg_hash};

use super::{KeyError, Wallet};
use crate::keychain::Kind;
use crate::secp;

impl Wallet {
    /// Signs a message so that whoever knows the P2PKH address of `script` can verify it. `None` if the wallet has no such
    /// address: of the other kinds no key can be found out from a signature.
    ///
    /// # Errors
    /// [`KeyError::Locked`].
    pub fn sign_message(&mut self, script: &Script, message: &str) -> Result<Option<MessageSignature>, KeyError> {
        let Some(place) = self.scripts.place(script).filter(|place| place.keychain.kind == Kind::Legacy) else {
            return Ok(None);
        };
        let mut master = self.master()?;
        let key = self.key(&master, place);
        master.private_key.non_secure_erase();
        let Some(mut key) = key else { return Ok(None) };
        let digest = Message::from_digest(signed_msg_hash(message).to_byte_array());
        let signature = secp().sign_ecdsa_recoverable(&digest, &key);
        key.non_secure_erase();
        Ok(Some(MessageSignature::new(signature, true)))
    }
}
