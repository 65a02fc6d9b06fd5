//! Signatures.
//!
//! Signing is deterministic (RFC 6979; BIP-0340 without auxiliary randomness), and only for coins that the wallet knows
//! from the chain or the mempool: their amounts and scripts are its own knowledge, so no PSBT can lie about what is spent
//! (the fee attack on BIP-0143). Coins that nobody knows yet are taken from [`Told`]: from the user, never from a PSBT.

use std::collections::BTreeMap;

use bitcoin::bip32::Xpriv;
use bitcoin::ecdsa;
use bitcoin::key::{Keypair, TapTweak};
use bitcoin::psbt::{Input, PsbtSighashType};
use bitcoin::secp256k1::{Message, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::{Amount, OutPoint, Psbt, PublicKey, ScriptBuf, TxOut, taproot};

use super::{KeyError, Wallet};
use crate::keychain::{Kind, Place};
use crate::secp;

/// Outputs that the user vouches for: what they spend is in no block and no mempool yet. If an amount is wrong, so is the
/// signature, but for the oldest kind of address, where only the fee is another one than was thought.
pub type Told = BTreeMap<OutPoint, TxOut>;

impl Wallet {
    /// Signs every input that the wallet can; gives how many those are. Inputs that ask for another kind of signature than
    /// one for everything (`SIGHASH_ALL`, or taproot's default) are left.
    ///
    /// # Errors
    /// [`KeyError::Locked`].
    pub fn sign(&mut self, psbt: &mut Psbt) -> Result<usize, KeyError> {
        self.sign_told(psbt, &Told::new())
    }

    /// The same, also of coins that the wallet knows by word alone.
    pub(super) fn sign_told(&mut self, psbt: &mut Psbt, told: &Told) -> Result<usize, KeyError> {
        let mut master = self.master()?;
        self.fill(psbt, told);
        let transaction = psbt.unsigned_tx.clone();
        let prevouts = prevouts(psbt);
        let mut cache = SighashCache::new(&transaction);
        let mut signed = 0usize;
        for index in 0..transaction.input.len() {
            let spent = transaction.input.get(index).map(|input| input.previous_output);
            let Some((place, amount, script)) = spent.and_then(|spent| self.coin(&spent, told)) else { continue };
            let Some(input) = psbt.inputs.get_mut(index) else { continue };
            if input.final_script_sig.is_some() || input.final_script_witness.is_some() || !signs_all(input, place) {
                continue;
            }
            let Some(mut key) = self.key(&master, place) else { continue };
            let done = match place.keychain.kind {
                Kind::Taproot => sign_taproot(&mut cache, index, prevouts.as_deref(), &key, input),
                Kind::Segwit => sign_segwit(&mut cache, index, (amount, &script), &key, input),
                Kind::Legacy => sign_legacy(&cache, index, &script, &key, input),
            };
            signed = signed.saturating_add(usize::from(done.is_some()));
            key.non_secure_erase();
        }
        master.private_key.non_secure_erase();
        Ok(signed)
    }

    /// The place, amount and script of a coin, if it is the wallet's. What the wallet knows counts, whatever is told.
    pub(super) fn coin(&self, outpoint: &OutPoint, told: &Told) -> Option<(Place, Amount, ScriptBuf)> {
        if let Some(own) = self.ledger.own(outpoint) {
            return Some((own.place, own.amount, self.scripts.script(own.place)?.clone()));
        }
        let output = told.get(outpoint)?;
        Some((self.scripts.place(&output.script_pubkey)?, output.value, output.script_pubkey.clone()))
    }

    pub(super) fn key(&self, master: &Xpriv, place: Place) -> Option<SecretKey> {
        let account = self.scripts.accounts().iter().find(|account| account.kind == place.keychain.kind)?;
        let path = account.origin(place).path;
        Some(master.derive_priv(secp(), &path).ok()?.private_key)
    }
}

/// Every output that is spent, if all are known.
fn prevouts(psbt: &Psbt) -> Option<Vec<TxOut>> {
    psbt.iter_funding_utxos().map(|utxo| utxo.ok().cloned()).collect()
}

fn signs_all(input: &Input, place: Place) -> bool {
    let Some(asked) = input.sighash_type else { return true };
    let all = asked == PsbtSighashType::from(EcdsaSighashType::All);
    all || (place.keychain.kind == Kind::Taproot && asked == PsbtSighashType::from(TapSighashType::Default))
}

fn sign_taproot(
    cache: &mut SighashCache<&bitcoin::Transaction>,
    index: usize,
    prevouts: Option<&[TxOut]>,
    key: &SecretKey,
    input: &mut Input,
) -> Option<()> {
    let sighash_type = match input.sighash_type {
        Some(asked) => asked.taproot_hash_ty().ok()?,
        None => TapSighashType::Default,
    };
    let hash = cache.taproot_key_spend_signature_hash(index, &Prevouts::All(prevouts?), sighash_type).ok()?;
    // BIP-0086: the key is tweaked by nothing but itself.
    let keypair = Keypair::from_secret_key(secp(), key).tap_tweak(secp(), None).to_keypair();
    let signature = secp().sign_schnorr_no_aux_rand(&Message::from(hash), &keypair);
    input.tap_key_sig = Some(taproot::Signature { signature, sighash_type });
    Some(())
}

fn sign_segwit(
    cache: &mut SighashCache<&bitcoin::Transaction>,
    index: usize,
    (amount, script): (Amount, &ScriptBuf),
    key: &SecretKey,
    input: &mut Input,
) -> Option<()> {
    let hash = cache.p2wpkh_signature_hash(index, script, amount, EcdsaSighashType::All).ok()?;
    add_ecdsa(input, key, Message::from(hash));
    Some(())
}

fn sign_legacy(
    cache: &SighashCache<&bitcoin::Transaction>,
    index: usize,
    script: &ScriptBuf,
    key: &SecretKey,
    input: &mut Input,
) -> Option<()> {
    let hash = cache.legacy_signature_hash(index, script, EcdsaSighashType::All.to_u32()).ok()?;
    add_ecdsa(input, key, Message::from(hash));
    Some(())
}

fn add_ecdsa(input: &mut Input, key: &SecretKey, message: Message) {
    // A low R saves a byte, and the size is what was paid for.
    let signature = secp().sign_ecdsa_low_r(&message, key);
    let signature = ecdsa::Signature { signature, sighash_type: EcdsaSighashType::All };
    input.partial_sigs.insert(PublicKey::new(key.public_key(secp())), signature);
}
