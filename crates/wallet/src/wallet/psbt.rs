//! Partially signed transactions (BIP-0174, BIP-0371): filled, signed, finished, extracted.

use std::sync::Arc;

use bdk_wallet::miniscript::psbt::PsbtExt;
use bitcoin::consensus::encode::serialize;
use bitcoin::psbt::Input;
use bitcoin::{OutPoint, Psbt, PublicKey, TxOut};
use yap_chain::transaction::Transaction;

use super::sign::Told;
use super::{KeyError, Wallet};
use crate::keychain::{Account, Kind, Place};
use crate::secp;

/// Most inputs or outputs of a PSBT that is taken.
const MAX_PARTS: usize = 10_000;

/// What became of a PSBT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processed {
    /// It, with what was added.
    pub psbt: Psbt,
    /// Whether every input is final: the transaction can be sent.
    pub complete: bool,
    /// Inputs that were signed now.
    pub signed: usize,
}

/// Why nothing is done with a PSBT.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PsbtError {
    /// Keys are not at hand.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// It has more parts than are looked at.
    #[error("a PSBT of {0} inputs or outputs is too large: at most {MAX_PARTS} are taken")]
    TooLarge(usize),
    /// It is not finished.
    #[error("input {index} is not final: signatures are missing")]
    NotFinal {
        /// The first such input, from 0.
        index: usize,
    },
    /// Finished, it is no valid transaction: a signature in it is wrong.
    #[error("the finished transaction is not valid: a script or signature in it is wrong")]
    Invalid,
}

impl Wallet {
    /// Adds what the wallet knows of inputs and outputs; signs (with `sign`) and finishes (with `finish`) what can be.
    ///
    /// # Errors
    /// [`PsbtError::Keys`], [`PsbtError::TooLarge`].
    pub fn process(&mut self, psbt: Psbt, sign: bool, finish: bool) -> Result<Processed, PsbtError> {
        self.process_told(psbt, (sign, finish), &Told::new())
    }

    fn process_told(
        &mut self,
        mut psbt: Psbt,
        (sign, finish): (bool, bool),
        told: &Told,
    ) -> Result<Processed, PsbtError> {
        let parts = psbt.inputs.len().max(psbt.outputs.len());
        if parts > MAX_PARTS {
            return Err(PsbtError::TooLarge(parts));
        }
        self.fill(&mut psbt, told);
        let signed = if sign { self.sign_told(&mut psbt, told)? } else { 0 };
        // A copy says whether it could be finished.
        let mut finished = psbt.clone();
        let complete = finish_inputs(&mut finished);
        Ok(Processed { psbt: if finish { finished } else { psbt }, complete, signed })
    }

    /// Signs the inputs of a transaction that the wallet can, beside signatures that it has. `told` are coins that it
    /// spends and the wallet does not know: those of others, and its own of transactions that nobody has seen yet. Gives
    /// the transaction, and the inputs that are not signed.
    ///
    /// # Errors
    /// [`PsbtError`].
    pub fn sign_raw(
        &mut self,
        transaction: &bitcoin::Transaction,
        told: &Told,
    ) -> Result<(bitcoin::Transaction, Vec<usize>), PsbtError> {
        let mut unsigned = transaction.clone();
        let had: Vec<_> = unsigned
            .input
            .iter_mut()
            .map(|input| (std::mem::take(&mut input.script_sig), std::mem::take(&mut input.witness)))
            .collect();
        // No input has a script any more, which is all that can be wrong.
        let mut psbt = Psbt::from_unsigned_tx(unsigned).map_err(|_| PsbtError::Invalid)?;
        for (input, had) in psbt.inputs.iter_mut().zip(had) {
            let (script, witness) = had;
            input.final_script_sig = (!script.is_empty()).then_some(script);
            input.final_script_witness = (!witness.is_empty()).then_some(witness);
        }
        for (index, outpoint) in transaction.input.iter().map(|input| input.previous_output).enumerate() {
            if let (Some(input), Some(coin)) = (psbt.inputs.get_mut(index), told.get(&outpoint)) {
                input.witness_utxo = Some(coin.clone());
            }
        }
        let processed = self.process_told(psbt, (true, true), told)?;
        let mut signed = processed.psbt.unsigned_tx.clone();
        let mut missing = Vec::new();
        for (index, (input, parts)) in signed.input.iter_mut().zip(processed.psbt.inputs).enumerate() {
            if !is_final(&parts) {
                missing.push(index);
            }
            input.script_sig = parts.final_script_sig.unwrap_or_default();
            input.witness = parts.final_script_witness.unwrap_or_default();
        }
        Ok((signed, missing))
    }

    /// Adds what the wallet knows of inputs and outputs: the coins that are spent, and which keys of its own are needed.
    pub(super) fn fill(&self, psbt: &mut Psbt, told: &Told) {
        let spent: Vec<OutPoint> = psbt.unsigned_tx.input.iter().map(|input| input.previous_output).collect();
        for (input, outpoint) in psbt.inputs.iter_mut().zip(spent) {
            let Some((place, value, script)) = self.coin(&outpoint, told).filter(|_| !is_final(input)) else {
                continue;
            };
            let Some(account) = self.account(place) else { continue };
            if place.keychain.kind != Kind::Legacy {
                input.witness_utxo = Some(TxOut { value, script_pubkey: script });
            }
            if place.keychain.kind != Kind::Taproot {
                // Signers of version 0 ask for all of it, against lies about amounts.
                let parent = self.ledger.entry(&outpoint.txid);
                input.non_witness_utxo = parent.map(|entry| entry.transaction.decoded().clone());
            }
            fill_input(input, account, place);
        }
        let scripts: Vec<_> = psbt.unsigned_tx.output.iter().map(|output| output.script_pubkey.clone()).collect();
        for (output, script) in psbt.outputs.iter_mut().zip(scripts) {
            let Some(place) = self.scripts.place(&script) else { continue };
            let Some(account) = self.account(place) else { continue };
            let origin = account.origin(place);
            let key = account.public(place.keychain.change, place.index, secp());
            if place.keychain.kind == Kind::Taproot {
                let key = key.0.x_only_public_key().0;
                output.tap_internal_key = Some(key);
                output.tap_key_origins.insert(key, (Vec::new(), (origin.master, origin.path)));
            } else {
                output.bip32_derivation.insert(key.0, (origin.master, origin.path));
            }
        }
    }

    fn account(&self, place: Place) -> Option<&Account> {
        self.scripts.accounts().iter().find(|account| account.kind == place.keychain.kind)
    }
}

/// Finishes every input that can be; says whether all are final.
///
/// # Errors
/// [`PsbtError::TooLarge`].
pub fn finalize(psbt: &mut Psbt) -> Result<bool, PsbtError> {
    let parts = psbt.inputs.len().max(psbt.outputs.len());
    if parts > MAX_PARTS { Err(PsbtError::TooLarge(parts)) } else { Ok(finish_inputs(psbt)) }
}

/// The transaction of a finished PSBT, once its scripts and signatures are checked.
///
/// # Errors
/// [`PsbtError::NotFinal`], [`PsbtError::Invalid`].
pub fn extract(psbt: &Psbt) -> Result<Arc<Transaction>, PsbtError> {
    if let Some(index) = psbt.inputs.iter().position(|input| !is_final(input)) {
        return Err(PsbtError::NotFinal { index });
    }
    let transaction = PsbtExt::extract(psbt, secp()).map_err(|_| PsbtError::Invalid)?;
    Transaction::parse(serialize(&transaction)).map(Arc::new).map_err(|_| PsbtError::Invalid)
}

/// Finishes and extracts one that the wallet signed.
pub(super) fn finished(psbt: &mut Psbt) -> Option<Arc<Transaction>> {
    if finish_inputs(psbt) { extract(psbt).ok() } else { None }
}

fn finish_inputs(psbt: &mut Psbt) -> bool {
    let mut all = true;
    for index in 0..psbt.inputs.len() {
        let done = psbt.inputs.get(index).is_some_and(is_final);
        all &= done || psbt.finalize_inp_mut(secp(), index).is_ok();
    }
    all
}

fn is_final(input: &Input) -> bool {
    input.final_script_sig.is_some() || input.final_script_witness.is_some()
}

fn fill_input(input: &mut Input, account: &Account, place: Place) {
    let origin = account.origin(place);
    let key = account.public(place.keychain.change, place.index, secp());
    if place.keychain.kind == Kind::Taproot {
        let key = key.0.x_only_public_key().0;
        input.tap_internal_key = Some(key);
        input.tap_key_origins.insert(key, (Vec::new(), (origin.master, origin.path)));
    } else {
        input.bip32_derivation.insert(PublicKey::new(key.0).inner, (origin.master, origin.path));
    }
}
