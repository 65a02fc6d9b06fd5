//! Blocks that satisfy a script (BIP-0325).
//!
//! A signet's blocks carry, in the coinbase output that commits to the witnesses, a *solution*: what an input would need
//! to spend the chain's *challenge*. It is verified with two transactions that exist for that purpose alone:
//!
//! ```text
//! to_spend: input  scriptSig = 0 <version ‖ previous hash ‖ merkle root without the solution ‖ time>
//!           output 0, challenge
//! to_sign:  input  to_spend:0, scriptSig and witness from the solution
//!           output 0, OP_RETURN
//! ```
//!
//! This module builds them; a verification engine answers. As `SignetTxs::Create` of Bitcoin Core.

use bitcoin::block::Header;
use bitcoin::consensus::encode::{self, Decodable, serialize};
use bitcoin::hashes::Hash;
use bitcoin::opcodes::Opcode;
use bitcoin::opcodes::all::{OP_PUSHBYTES_0, OP_PUSHDATA1, OP_PUSHDATA4, OP_RETURN};
use bitcoin::script::{Builder, PushBytes, PushBytesBuf};
use bitcoin::{
    Amount, OutPoint, Script, ScriptBuf, Sequence, TxIn, TxMerkleNode, TxOut, Txid, Witness, absolute, merkle_tree,
    transaction,
};

use super::Block;
use crate::coin::Coin;
use crate::spec::Spec;
use crate::transaction::Transaction;
use crate::verify::{Flags, Job};

/// What a push that carries a solution starts with.
pub const HEADER: [u8; 4] = [0xec, 0xc7, 0xda, 0xa2];

/// BIP-0325: the rules that hold for a solution; taproot is not among them.
pub const FLAGS: Flags = Flags::P2SH.with(Flags::WITNESS).with(Flags::DERSIG).with(Flags::NULLDUMMY);

/// First bytes of an output that commits to the witnesses (BIP-0141).
const COMMITMENT: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];

/// Bytes of such an output's script at least.
const COMMITMENT_SIZE: usize = 38;

/// Why a block can't be asked whether it satisfies the challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It has no transaction.
    #[error("the block has no coinbase to carry a solution")]
    NoCoinbase,
    /// Its coinbase has no output that commits to the witnesses, or that output can carry nothing.
    #[error("the coinbase has no witness commitment to carry a solution")]
    NoCommitment,
    /// The solution is not a script and a witness.
    #[error("the solution is not a script and a witness")]
    Malformed,
    /// Something follows the solution's witness.
    #[error("{count} bytes follow the solution's witness")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// The solution is longer than one push of a script can be.
    #[error("a solution of {size} bytes can't be pushed")]
    TooLong {
        /// Its bytes.
        size: usize,
    },
}

impl Error {
    /// The reject reason of BIP-0022 that Bitcoin Core gives, also for a solution that the engine finds wrong.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        REASON
    }
}

/// The reject reason of a block that does not satisfy the challenge.
pub const REASON: &str = "bad-signet-blksig";

/// A script and a witness that together spend the challenge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Solution {
    /// The input's script.
    pub script_sig: ScriptBuf,
    /// The input's witness.
    pub witness: Witness,
}

/// The question whether `block` satisfies the chain's challenge; none if the chain has no challenge, or the block is its
/// genesis block.
///
/// # Errors
/// If the block has no place for a solution, or one that can't be read.
pub fn job(block: &Block, spec: &Spec) -> Result<Option<Job>, Error> {
    match &spec.challenge {
        Some(challenge) if block.hash() != spec.genesis.block_hash() => script_job(block, challenge).map(Some),
        _ => Ok(None),
    }
}

/// The question whether `block` satisfies `challenge`.
///
/// # Errors
/// If the block has no place for a solution, or one that can't be read.
pub fn script_job(block: &Block, challenge: &Script) -> Result<Job, Error> {
    let to_sign = signed(block, challenge)?;
    // A job carries bytes. What a block could carry can be read again.
    let transaction = Transaction::parse(serialize(&to_sign)).map_err(|_| Error::Malformed)?;
    let spent = Coin::new(Amount::ZERO, challenge, 0, false);
    Ok(Job { transaction: transaction.raw().clone(), spent: [spent].into(), flags: FLAGS })
}

/// What the producer of `block` signs: a transaction whose only input spends an output of value 0 with the challenge as
/// script. The input's script and witness are the [`Solution`] that [`embed`] takes; they are empty here.
///
/// # Errors
/// If the block has no place for a solution.
pub fn template(block: &bitcoin::Block, challenge: &Script) -> Result<bitcoin::Transaction, Error> {
    // The merkle root that is signed has the solution cut out of a coinbase that carries one.
    let block = embed(block, &Solution::default())?;
    let (coinbase, rest) = block.txdata.split_first().ok_or(Error::NoCoinbase)?;
    let rest = || rest.iter().map(bitcoin::Transaction::compute_txid);
    spending(&block.header, coinbase, |coinbase| merkle_root(coinbase, rest()), challenge)
}

/// What was signed for `block`, with the solution that it carries: the transaction that [`script_job`] asks about.
///
/// # Errors
/// As [`script_job`].
pub(crate) fn signed(block: &Block, challenge: &Script) -> Result<bitcoin::Transaction, Error> {
    let coinbase = block.transactions().first().ok_or(Error::NoCoinbase)?;
    let rest = || block.transactions().iter().skip(1).map(Transaction::txid);
    spending(block.header(), coinbase.decoded(), |coinbase| merkle_root(coinbase, rest()), challenge)
}

/// The block with `solution` in its coinbase, in place of any that is there, and the merkle root that follows. Its proof
/// of work is yet to be done; what is signed leaves out bits and nonce.
///
/// # Errors
/// If the block has no place for a solution, or the solution does not fit into a push.
pub fn embed(block: &bitcoin::Block, solution: &Solution) -> Result<bitcoin::Block, Error> {
    let mut block = block.clone();
    put(block.txdata.first_mut().ok_or(Error::NoCoinbase)?, solution)?;
    block.header.merkle_root = block.compute_merkle_root().ok_or(Error::NoCoinbase)?;
    Ok(block)
}

/// Puts `solution` into a coinbase, in place of any that is there.
///
/// # Errors
/// As [`embed`].
pub(crate) fn put(coinbase: &mut bitcoin::Transaction, solution: &Solution) -> Result<(), Error> {
    let output = commitment(coinbase).and_then(|index| coinbase.output.get_mut(index)).ok_or(Error::NoCommitment)?;
    let mut bytes = HEADER.to_vec();
    bytes.extend(serialize(&solution.script_sig));
    bytes.extend(serialize(&solution.witness));
    let size = bytes.len();
    let mut script = without_solutions(&output.script_pubkey);
    script.push_slice(PushBytesBuf::try_from(bytes).map_err(|_| Error::TooLong { size })?);
    // The push would be lost behind one that is cut off.
    split(&script).ok_or(Error::NoCommitment)?;
    output.script_pubkey = script;
    Ok(())
}

/// The transaction that spends the challenge with the solution that the coinbase carries, or with an empty one: a
/// challenge that anyone can satisfy needs none. `root` gives the merkle root for the id of a coinbase.
pub(crate) fn spending(
    header: &Header,
    coinbase: &bitcoin::Transaction,
    root: impl FnOnce(Txid) -> TxMerkleNode,
    challenge: &Script,
) -> Result<bitcoin::Transaction, Error> {
    let mut stripped = coinbase.clone();
    let output = commitment(coinbase).and_then(|index| stripped.output.get_mut(index)).ok_or(Error::NoCommitment)?;
    let mut solution = Solution::default();
    if let Some((script, bytes)) = split(&output.script_pubkey) {
        output.script_pubkey = script;
        solution = decode(&bytes)?;
    }
    let root = root(stripped.compute_txid());
    Ok(to_sign(&to_spend(header, root, challenge), solution))
}

/// The output that commits to the witnesses: the last that looks so (BIP-0141).
fn commitment(coinbase: &bitcoin::Transaction) -> Option<usize> {
    coinbase.output.iter().rposition(|output| {
        let script = output.script_pubkey.as_bytes();
        script.len() >= COMMITMENT_SIZE && script.starts_with(&COMMITMENT)
    })
}

fn to_spend(header: &Header, root: TxMerkleNode, challenge: &Script) -> bitcoin::Transaction {
    let mut data = [0; 72];
    let (version, rest) = data.split_at_mut(4);
    let (previous, rest) = rest.split_at_mut(32);
    let (merkle, time) = rest.split_at_mut(32);
    version.copy_from_slice(&header.version.to_consensus().to_le_bytes());
    previous.copy_from_slice(header.prev_blockhash.as_byte_array());
    merkle.copy_from_slice(root.as_byte_array());
    time.copy_from_slice(&header.time.to_le_bytes());
    let script_sig = Builder::new().push_opcode(OP_PUSHBYTES_0).push_slice(data).into_script();
    let input =
        TxIn { previous_output: OutPoint::null(), script_sig, sequence: Sequence::ZERO, witness: Witness::new() };
    version_zero(input, challenge.to_owned())
}

fn to_sign(to_spend: &bitcoin::Transaction, solution: Solution) -> bitcoin::Transaction {
    let input = TxIn {
        previous_output: OutPoint::new(to_spend.compute_txid(), 0),
        script_sig: solution.script_sig,
        sequence: Sequence::ZERO,
        witness: solution.witness,
    };
    version_zero(input, Builder::new().push_opcode(OP_RETURN).into_script())
}

fn version_zero(input: TxIn, script_pubkey: ScriptBuf) -> bitcoin::Transaction {
    bitcoin::Transaction {
        version: transaction::Version::non_standard(0),
        lock_time: absolute::LockTime::ZERO,
        input: vec![input],
        output: vec![TxOut { value: Amount::ZERO, script_pubkey }],
    }
}

fn merkle_root(coinbase: Txid, rest: impl Iterator<Item = Txid>) -> TxMerkleNode {
    let root = merkle_tree::calculate_root(std::iter::once(coinbase).chain(rest)).unwrap_or(coinbase);
    TxMerkleNode::from_raw_hash(root.to_raw_hash())
}

fn decode(mut bytes: &[u8]) -> Result<Solution, Error> {
    let mut read = || -> Result<Solution, encode::Error> {
        let script_sig = ScriptBuf::consensus_decode(&mut bytes)?;
        Ok(Solution { script_sig, witness: Witness::consensus_decode(&mut bytes)? })
    };
    let solution = read().map_err(|_| Error::Malformed)?;
    if bytes.is_empty() { Ok(solution) } else { Err(Error::Trailing { count: bytes.len() }) }
}

/// The commitment's script with the solution cut out, leaving its header behind, and the solution; `None` without one.
///
/// As Core, the script is written anew from its pushes and opcodes up to the first that can't be read, and a push counts
/// that has the header and something after it.
fn split(script: &Script) -> Option<(ScriptBuf, Vec<u8>)> {
    let mut replacement = ScriptBuf::new();
    let mut solution = None;
    for part in Parts(script.as_bytes()) {
        match part.solution().filter(|_| solution.is_none()) {
            Some(bytes) => {
                solution = Some(bytes.to_vec());
                Part::Push(&HEADER).append_to(&mut replacement);
            }
            None => part.append_to(&mut replacement),
        }
    }
    solution.map(|solution| (replacement, solution))
}

/// The commitment's script without any push that carries a solution: of several, the first one counts.
fn without_solutions(script: &Script) -> ScriptBuf {
    if split(script).is_none() {
        return script.to_owned();
    }
    let mut result = ScriptBuf::new();
    for part in Parts(script.as_bytes()).filter(|part| part.solution().is_none()) {
        part.append_to(&mut result);
    }
    result
}

/// One element of a script: a push of at least one byte, or an opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    Push(&'a [u8]),
    Opcode(u8),
}

impl<'a> Part<'a> {
    /// What the push carries behind the header.
    fn solution(self) -> Option<&'a [u8]> {
        match self {
            Self::Push(data) => data.strip_prefix(&HEADER).filter(|rest| !rest.is_empty()),
            Self::Opcode(_) => None,
        }
    }

    /// Writes it, a push in its shortest form.
    fn append_to(self, script: &mut ScriptBuf) {
        match self {
            Self::Push(data) => {
                script.push_slice(<&PushBytes>::try_from(data).expect("as long in the script it was read from"));
            }
            Self::Opcode(opcode) => script.push_opcode(Opcode::from(opcode)),
        }
    }
}

/// The elements of a script, up to the first that is cut off. Empty pushes are given as their opcode, as Core does.
struct Parts<'a>(&'a [u8]);

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let (&opcode, rest) = self.0.split_first()?;
        let width = match opcode {
            _ if opcode < OP_PUSHDATA1.to_u8() => 0,
            _ if opcode <= OP_PUSHDATA4.to_u8() => 1_usize << opcode.wrapping_sub(OP_PUSHDATA1.to_u8()),
            _ => {
                self.0 = rest;
                return Some(Part::Opcode(opcode));
            }
        };
        let (length, rest) = rest.split_at_checked(width)?;
        let length = if width == 0 {
            usize::from(opcode)
        } else {
            length.iter().rev().fold(0, |sum, byte| (sum << 8) | usize::from(*byte))
        };
        let (data, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(if data.is_empty() { Part::Opcode(opcode) } else { Part::Push(data) })
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it fails")]
mod tests;
