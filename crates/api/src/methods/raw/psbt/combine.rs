//! Putting PSBTs together, and making them transactions.

use bitcoin::psbt::Psbt;
use bitcoin::secp256k1::Secp256k1;
use miniscript::psbt::PsbtExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::super::types::aside;
use super::super::decode::hex;
use super::read;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Puts together what several PSBTs of one transaction have.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct CombinePsbt {
    /// The PSBTs in base 64.
    txs: Vec<String>,
}

impl Method for CombinePsbt {
    known_as!("combinepsbt", RawTransactions, Open);
    type Reply = String;

    async fn call(self, _: Context) -> Result<String, Error> {
        let mut psbts = self.txs.iter().map(|text| read(text));
        let none = || Error::new(Code::InvalidParameter, "Parameter 'txs' cannot be empty");
        let mut all = psbts.next().ok_or_else(none)??;
        for psbt in psbts {
            let different = || {
                let text = "PSBTs not compatible (different transactions)";
                Error::new(Code::InvalidParameter, text)
            };
            all.combine(psbt?).map_err(|_| different())?;
        }
        Ok(all.to_string())
    }
}

/// Makes the inputs of a PSBT whole that have all signatures; and the transaction of it, if every input is.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct FinalizePsbt {
    /// The PSBT in base 64.
    psbt: String,
    /// Whether to give the transaction if it is whole (as if left out), or the PSBT in any case.
    extract: Option<bool>,
}

/// A PSBT or the transaction that it became.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Finalized {
    /// The PSBT in base 64, if the transaction is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    psbt: Option<String>,
    /// The transaction's bytes in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
    /// Whether every input is whole.
    complete: bool,
}

/// Whether an input has what satisfies the script that it spends.
pub(super) fn is_final(input: &bitcoin::psbt::Input) -> bool {
    input.final_script_sig.is_some() || input.final_script_witness.is_some()
}

/// Makes whole each input that can be.
pub(super) fn finalize(psbt: &mut Psbt) -> bool {
    let secp = Secp256k1::verification_only();
    for index in 0..psbt.inputs.len() {
        if !psbt.inputs.get(index).is_some_and(is_final) {
            // What fails stays as it is, for whoever signs next.
            let _ = psbt.finalize_inp_mut(&secp, index);
        }
    }
    psbt.inputs.iter().all(is_final)
}

impl Method for FinalizePsbt {
    known_as!("finalizepsbt", RawTransactions, Open);
    type Reply = Finalized;

    async fn call(self, _: Context) -> Result<Finalized, Error> {
        let mut psbt = read(&self.psbt)?;
        let extract = self.extract.unwrap_or(true);
        aside(move || {
            let complete = finalize(&mut psbt);
            Ok(if complete && extract {
                let transaction = psbt.extract_tx_unchecked_fee_rate();
                Finalized { psbt: None, hex: Some(hex(&transaction)), complete }
            } else {
                Finalized { psbt: Some(psbt.to_string()), hex: None, complete }
            })
        })
        .await
    }
}
