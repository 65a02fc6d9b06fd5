//! Counts signature operations (BIP-0141), as blocks are limited by them.
//!
//! The `bitcoin` crate's own count (0.32.102) is not used: it takes a small number for the operand of each
//! `OP_CHECKMULTISIG` after it, where only the opcode directly before counts, so it finds too few.

use bitcoin::blockdata::opcodes::all as op;
use bitcoin::script::Instruction;
use bitcoin::{Script, Transaction, TxOut};

/// What `OP_CHECKMULTISIG` counts if its number of keys isn't known.
const UNKNOWN: usize = 20;

/// The cost of a transaction that spends those outputs.
pub(super) fn cost(transaction: &Transaction, spent: &[TxOut]) -> usize {
    let inputs = transaction.input.iter().map(|input| operations(&input.script_sig, false));
    let outputs = transaction.output.iter().map(|output| operations(&output.script_pubkey, false));
    let mut cost = 4 * inputs.chain(outputs).sum::<usize>();
    for (input, output) in transaction.input.iter().zip(spent) {
        let mut program = output.script_pubkey.clone();
        if program.is_p2sh() {
            let Some(redeem) = last_push(&input.script_sig) else { continue };
            cost += 4 * operations(redeem, true);
            program = redeem.to_owned();
        }
        if program.is_p2wpkh() {
            cost += 1;
        } else if program.is_p2wsh() {
            cost += input.witness.last().map_or(0, |script| operations(Script::from_bytes(script), true));
        }
    }
    cost
}

/// The operations of one script. `exact`: a small number directly before `OP_CHECKMULTISIG` is its number of keys.
fn operations(script: &Script, exact: bool) -> usize {
    let mut keys = UNKNOWN;
    let mut count = 0;
    for instruction in script.instructions() {
        let opcode = match instruction {
            Ok(Instruction::Op(opcode)) => Some(opcode),
            Ok(Instruction::PushBytes(_)) => None,
            Err(_) => break, // What comes before a push that goes beyond the end, counts.
        };
        count += match opcode {
            Some(op::OP_CHECKSIG | op::OP_CHECKSIGVERIFY) => 1,
            Some(op::OP_CHECKMULTISIG | op::OP_CHECKMULTISIGVERIFY) => keys,
            _ => 0,
        };
        keys = opcode
            .map(bitcoin::Opcode::to_u8)
            .filter(|code| exact && (op::OP_PUSHNUM_1.to_u8()..=op::OP_PUSHNUM_16.to_u8()).contains(code))
            .map_or(UNKNOWN, |code| usize::from(code - op::OP_PUSHNUM_1.to_u8()) + 1);
    }
    count
}

/// What a script of pushes pushes last.
fn last_push(script: &Script) -> Option<&Script> {
    match script.instructions().last()? {
        Ok(Instruction::PushBytes(bytes)) => Some(Script::from_bytes(bytes.as_bytes())),
        Ok(Instruction::Op(_)) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Script, operations};

    #[test]
    fn only_the_opcode_directly_before_is_the_number_of_keys() {
        let two_then_unknown = [0x52, 0xae, 0xae];
        assert_eq!(operations(Script::from_bytes(&two_then_unknown), true), 22);
        assert_eq!(operations(Script::from_bytes(&two_then_unknown), false), 40);
        let number_then_checksig = [0x53, 0xac, 0xae];
        assert_eq!(operations(Script::from_bytes(&number_then_checksig), true), 21);
        let truncated_push = [0xac, 0x4c, 0x09, 0xac];
        assert_eq!(operations(Script::from_bytes(&truncated_push), true), 1);
    }
}
