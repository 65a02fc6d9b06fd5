//! Dust that must go with the next transaction: Bitcoin Core's `CheckEphemeralSpends`.
//!
//! A transaction without a fee may have an output worth less than spending it costs, if its child spends that output
//! too, so that it never stays behind. Whether one transaction alone may have dust is not judged here.

use bitcoin::{Script, TxOut, Txid};

use super::Mempool;
use super::rate::FeeRate;
use crate::connect::is_unspendable;
use crate::transaction::Transaction;

/// Bytes of an input that spends an output: outpoint, length, a script of 107 bytes, sequence number.
const INPUT: u64 = 32 + 4 + 1 + 107 + 4;
/// The same where the script counts a quarter, as a witness.
const WITNESS_INPUT: u64 = 32 + 4 + 1 + 107 / 4 + 4;

impl Mempool {
    /// A parent in the pool, or `parent` offered with it, whose dust `transaction` leaves unspent.
    pub(super) fn unspent_dust(&self, transaction: &Transaction, parent: Option<&Transaction>) -> Option<Txid> {
        let inputs = &transaction.decoded().input;
        let mut seen: Vec<Txid> = Vec::new();
        for txid in inputs.iter().map(|input| input.previous_output.txid) {
            if seen.contains(&txid) {
                continue;
            }
            seen.push(txid);
            let entry = self.get_by_txid(&txid).map(|entry| &**entry.transaction());
            let Some(made_by) = entry.or_else(|| parent.filter(|parent| parent.txid() == txid)) else { continue };
            let spends = |vout: u32| {
                inputs.iter().any(|input| input.previous_output.txid == txid && input.previous_output.vout == vout)
            };
            let outputs = (0..).zip(&made_by.decoded().output);
            if outputs.into_iter().any(|(vout, output)| is_dust(output, self.limits.dust) && !spends(vout)) {
                return Some(txid);
            }
        }
        None
    }
}

/// Whether spending `output` at the price `rate` costs more than it is worth (Core's `IsDust`).
fn is_dust(output: &TxOut, rate: FeeRate) -> bool {
    let script: &Script = &output.script_pubkey;
    if is_unspendable(script) {
        return false;
    }
    let input = if script.is_witness_program() { WITNESS_INPUT } else { INPUT };
    let size = u64::try_from(output.size()).unwrap_or(u64::MAX).saturating_add(input);
    i64::try_from(output.value.to_sat()).unwrap_or(i64::MAX) < rate.fee(size)
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash;
    use bitcoin::{Amount, PubkeyHash, ScriptBuf, WPubkeyHash};

    use super::*;

    #[test]
    fn dust_is_what_core_says() {
        let rate = FeeRate::from_sat_per_kvb(3000);
        let p2pkh = ScriptBuf::new_p2pkh(&PubkeyHash::all_zeros());
        let p2wpkh = ScriptBuf::new_p2wpkh(&WPubkeyHash::all_zeros());
        for (script, least) in [(p2pkh, 546), (p2wpkh, 294)] {
            let output = |value| TxOut { value: Amount::from_sat(value), script_pubkey: script.clone() };
            assert!(is_dust(&output(least - 1), rate));
            assert!(!is_dust(&output(least), rate));
        }
        let data = TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::from_bytes(vec![0x6a]) };
        assert!(!is_dust(&data, rate));
    }
}
