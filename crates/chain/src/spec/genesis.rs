//! The first block of a chain, made as Bitcoin's was.
//!
//! Its coinbase carries a message and is never part of the UTXO set, so whoever its output names can't spend it.

use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::script::{Builder, Instruction, PushBytes};
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut,
    Witness, absolute, transaction,
};

/// Longest message: with it the coinbase's script has the 100 bytes that a coinbase may have.
pub const MAX_MESSAGE: usize = 91;

/// The first pushes of every genesis coinbase: the bits 1d00ffff and the number 4. Bitcoin's first miner wrote the
/// current bits and its extra nonce there, and every network since has kept them.
const PUSHES: ([u8; 4], [u8; 1]) = ([0xff, 0xff, 0x00, 0x1d], [4]);

/// What a genesis block is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis<'a> {
    /// Text in its coinbase; bytes after the first [`MAX_MESSAGE`] are left out.
    pub message: &'a str,
    /// Script of the coinbase's only output.
    pub script: ScriptBuf,
    /// Value of that output.
    pub reward: Amount,
    /// Seconds since 1970.
    pub time: u32,
    /// Compact target.
    pub bits: u32,
    /// Nonce with which the header's hash meets the target.
    pub nonce: u32,
}

impl Genesis<'_> {
    /// The block.
    #[must_use]
    pub fn block(self) -> Block {
        let Self { time, bits, nonce, .. } = self;
        let coinbase = self.coinbase();
        let header = Header {
            version: Version::ONE,
            prev_blockhash: BlockHash::all_zeros(),
            merkle_root: TxMerkleNode::from_raw_hash(coinbase.compute_txid().to_raw_hash()),
            time,
            bits: CompactTarget::from_consensus(bits),
            nonce,
        };
        Block { header, txdata: vec![coinbase] }
    }

    fn coinbase(self) -> Transaction {
        let message = self.message.as_bytes();
        let message = message.get(..MAX_MESSAGE).unwrap_or(message);
        let message = <&PushBytes>::try_from(message).expect("at most 91 bytes");
        let input = TxIn {
            previous_output: OutPoint::null(),
            script_sig: Builder::new().push_slice(PUSHES.0).push_slice(PUSHES.1).push_slice(message).into_script(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        };
        Transaction {
            version: transaction::Version::ONE,
            lock_time: absolute::LockTime::ZERO,
            input: vec![input],
            output: vec![TxOut { value: self.reward, script_pubkey: self.script }],
        }
    }
}

/// The message in the coinbase of a block that [`Genesis::block`] made.
pub(super) fn message(block: &Block) -> Option<&[u8]> {
    let script = &block.txdata.first()?.input.first()?.script_sig;
    match script.instructions().nth(2)?.ok()? {
        Instruction::PushBytes(bytes) => Some(bytes.as_bytes()),
        Instruction::Op(_) => None,
    }
}
