//! What needs nothing but the transaction: Bitcoin Core's `IsStandardTx` and the least size.

use super::output::{self, Kind};
use super::{NonStandard, Rules, dust};
use crate::transaction::Transaction;

/// Lowest version that is relayed.
pub const MIN_VERSION: u32 = 1;
/// Highest version that is relayed: 3 asks for the rules of BIP-0431.
pub const MAX_VERSION: u32 = 3;
/// Weight above which a transaction costs the network too much: hashing it for its signatures takes time that grows
/// with inputs × size.
pub const MAX_WEIGHT: usize = 400_000;
/// Bytes of an input's script: 15 signatures for 15 compressed keys behind P2SH take 1,627.
pub const MAX_SCRIPT_SIG_SIZE: usize = 1650;
/// Bytes without the witness. With 64 a transaction could be taken for a node of a Merkle tree (CVE-2017-12842).
pub const MIN_BASE_SIZE: usize = 65;
/// Outputs that may be worth less than it costs to spend them, of a transaction without a fee whose child spends them.
pub const MAX_DUST_OUTPUTS: usize = 1;

/// Checks what can be checked of `transaction` before its coins are known.
///
/// # Errors
/// The first rule that is broken, in Bitcoin Core's order.
pub fn check_alone(transaction: &Transaction, rules: &Rules) -> Result<(), NonStandard> {
    if transaction.is_coinbase() {
        return Err(NonStandard::Coinbase);
    }
    if rules.require_standard {
        check_form(transaction)?;
        check_outputs(transaction, rules)?;
    }
    // Whatever the operator permits: such a transaction endangers others than its own parties.
    let size = transaction.base_size();
    if size < MIN_BASE_SIZE { Err(NonStandard::TooSmall { size }) } else { Ok(()) }
}

fn check_form(transaction: &Transaction) -> Result<(), NonStandard> {
    let decoded = transaction.decoded();
    // Unsigned in Bitcoin: what looks negative is large.
    let version = decoded.version.0.cast_unsigned();
    if !(MIN_VERSION..=MAX_VERSION).contains(&version) {
        return Err(NonStandard::Version { version });
    }
    let weight = transaction.weight();
    if weight > MAX_WEIGHT {
        return Err(NonStandard::Weight { weight });
    }
    for (input, script_sig) in decoded.input.iter().map(|input| input.script_sig.as_bytes()).enumerate() {
        if script_sig.len() > MAX_SCRIPT_SIG_SIZE {
            return Err(NonStandard::ScriptSigSize { input, size: script_sig.len() });
        }
        // BIP-0062, rule 2: whatever else it does could be done otherwise, by anyone, under another txid.
        if !output::pushes_only(script_sig) {
            return Err(NonStandard::ScriptSigNotPushOnly { input });
        }
    }
    Ok(())
}

fn check_outputs(transaction: &Transaction, rules: &Rules) -> Result<(), NonStandard> {
    let mut left = rules.datacarrier.unwrap_or(0);
    for (output, script) in transaction.decoded().output.iter().map(|output| &output.script_pubkey).enumerate() {
        let kind = Kind::of(script);
        if !kind.is_standard() {
            return Err(NonStandard::ScriptPubKey { output });
        }
        if kind == Kind::NullData {
            let size = script.len();
            left = left.checked_sub(size).ok_or(NonStandard::DataCarrier { output, size, left })?;
        } else if matches!(kind, Kind::Multisig { .. }) && !rules.bare_multisig {
            return Err(NonStandard::BareMultisig { output });
        }
    }
    let outputs = dust(transaction, rules.dust_rate).count();
    if outputs > MAX_DUST_OUTPUTS { Err(NonStandard::Dust { outputs }) } else { Ok(()) }
}
