//! The coinbase's commitment to the block's witnesses (BIP-0141).

use bitcoin::hashes::{Hash, HashEngine, sha256d};
use bitcoin::{Script, ScriptBuf};

use super::{Block, Error, merkle};
use crate::transaction::Transaction;

/// What an output's script begins with if it holds a commitment: `OP_RETURN`, a push of 36 bytes, and the header.
pub const COMMITMENT_HEADER: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];

/// The reserved value in the witness of our own coinbases; it has no meaning yet.
pub const RESERVED: [u8; 32] = [0; 32];

/// Checks that the witnesses are those that the coinbase commits to, or that there are none. `active`: whether
/// BIP-0141 is in force.
///
/// # Errors
/// The first rule that is broken; each of them could be due to a change of the block that its hash doesn't cover.
pub fn check(block: &Block, active: bool) -> Result<(), Error> {
    let committed = active.then(|| block.transactions().first().and_then(commitment)).flatten();
    match committed {
        Some(committed) => committed_to(block, committed),
        None => absent(block),
    }
}

/// The commitment in a coinbase: that of the last output with one.
#[must_use]
pub fn commitment(coinbase: &Transaction) -> Option<[u8; 32]> {
    coinbase.decoded().output.iter().rev().find_map(|output| of_script(&output.script_pubkey))
}

fn of_script(script: &Script) -> Option<[u8; 32]> {
    let rest = script.as_bytes().strip_prefix(&COMMITMENT_HEADER)?;
    // The script may be longer: what follows is reserved.
    rest.first_chunk().copied()
}

fn committed_to(block: &Block, committed: [u8; 32]) -> Result<(), Error> {
    let reserved = block.transactions().first().and_then(reserved_value).ok_or(Error::WitnessReserved)?;
    if commitment_of(block, reserved) == committed { Ok(()) } else { Err(Error::WitnessCommitment) }
}

/// The witness of the coinbase: one item of 32 bytes, of no meaning yet.
fn reserved_value(coinbase: &Transaction) -> Option<[u8; 32]> {
    let witness = &coinbase.decoded().input.first()?.witness;
    if witness.len() == 1 { witness.nth(0)?.try_into().ok() } else { None }
}

/// What a coinbase with the reserved value `reserved` must commit to for `block`.
#[must_use]
pub fn commitment_of(block: &Block, reserved: [u8; 32]) -> [u8; 32] {
    committing(block.transactions().iter().skip(1), reserved)
}

/// The commitment to the witnesses of a block's transactions but its coinbase, whose own witness holds the reserved value:
/// zeros stand for its hash.
fn committing<'a>(others: impl Iterator<Item = &'a Transaction>, reserved: [u8; 32]) -> [u8; 32] {
    let others = others.map(|transaction| transaction.wtxid().to_raw_hash());
    let root = merkle::root(std::iter::once(sha256d::Hash::all_zeros()).chain(others).collect());
    let mut engine = sha256d::Hash::engine();
    engine.input(root.hash.as_byte_array());
    engine.input(&reserved);
    sha256d::Hash::from_engine(engine).to_byte_array()
}

/// The script of the output by which a coinbase commits to the witnesses of `others`, the block's other transactions, if
/// its own witness is [`RESERVED`]: what `getblocktemplate` calls the default witness commitment.
#[must_use]
pub fn commitment_script<'a>(others: impl Iterator<Item = &'a Transaction>) -> ScriptBuf {
    ScriptBuf::from_bytes([&COMMITMENT_HEADER[..], &committing(others, RESERVED)].concat())
}

/// Witnesses that nothing commits to would be room for anything.
fn absent(block: &Block) -> Result<(), Error> {
    let unexpected = block.transactions().iter().position(Transaction::has_witness);
    unexpected.map_or(Ok(()), |index| Err(Error::UnexpectedWitness { index }))
}
