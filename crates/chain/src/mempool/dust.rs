//! Dust that must go with the next transaction: Bitcoin Core's `CheckEphemeralSpends`.
//!
//! A transaction without a fee may have an output worth less than spending it costs, if its child spends that output
//! too, so that it never stays behind. Whether one transaction alone may have dust is not judged here.

use bitcoin::{OutPoint, Script, TxOut, Txid};

use super::Mempool;
use super::rate::FeeRate;
use super::relation::Kin;
use crate::connect::is_unspendable;
use crate::transaction::Transaction;

/// Bytes of an input that spends an output: outpoint, length, a script of 107 bytes, sequence number.
const INPUT: u64 = 32 + 4 + 1 + 107 + 4;
/// The same where the script counts a quarter, as a witness.
const WITNESS_INPUT: u64 = 32 + 4 + 1 + 107 / 4 + 4;

impl Mempool {
    /// A parent in the pool, or `beside` it, whose dust `transaction` leaves unspent.
    pub(super) fn unspent_dust(
        &self,
        transaction: &Transaction,
        kin: &Kin,
        beside: Option<&Transaction>,
    ) -> Option<Txid> {
        let parents = kin.parents.iter().filter_map(|slot| self.nodes.entry(*slot)).map(|entry| &**entry.transaction());
        let dust = parents.chain(beside).flat_map(|parent| dust(parent, self.limits.dust));
        let mut spent: Option<Vec<OutPoint>> = None;
        for outpoint in dust {
            let spent = spent.get_or_insert_with(|| {
                let mut spent: Vec<OutPoint> =
                    transaction.decoded().input.iter().map(|input| input.previous_output).collect();
                spent.sort_unstable();
                spent
            });
            if spent.binary_search(&outpoint).is_err() {
                return Some(outpoint.txid);
            }
        }
        None
    }
}

/// The outputs of `transaction` that are dust.
fn dust(transaction: &Transaction, rate: FeeRate) -> impl Iterator<Item = OutPoint> {
    let outputs = (0..).zip(&transaction.decoded().output).filter(move |(_, output)| is_dust(output, rate));
    outputs.map(|(vout, _)| OutPoint { txid: transaction.txid(), vout })
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
