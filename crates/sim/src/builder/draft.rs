//! A block before it is sealed.

use std::collections::BTreeSet;

use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash as _;
use bitcoin::script::{Builder as Script, PushBytesBuf};
use bitcoin::{
    Amount, Block, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut, Witness, absolute,
    transaction,
};

use super::{Builder, Coin, Position};
use crate::lock::Kind;

/// A block before it is sealed. Fields are open so that a mutation can break any of them.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Version, parent, time and target; the Merkle root and the nonce come with sealing.
    pub header: Header,
    /// Height that the coinbase names.
    pub height: u32,
    /// The coinbase; its first output takes what is left of the reward.
    pub coinbase: Transaction,
    /// All other transactions.
    pub transactions: Vec<Transaction>,
    /// Whether sealing adds the witness commitment (BIP-0141).
    pub commitment: bool,
    /// Bytes of the commitment's reserved value.
    pub reserved: [u8; 32],
    /// What this block's own transactions created and other transactions of it can spend.
    pub(super) created: Vec<(OutPoint, Coin)>,
    /// What this block's transactions spend.
    pub(super) spent: BTreeSet<OutPoint>,
}

impl Draft {
    /// Adds a transaction. What it pays in fees is not claimed: see [`Draft::claim`].
    pub fn push(&mut self, transaction: Transaction) {
        self.spent.extend(transaction.input.iter().map(|input| input.previous_output));
        self.transactions.push(transaction);
    }

    /// Whether a transaction of the draft spends it.
    #[must_use]
    pub fn spends(&self, outpoint: &OutPoint) -> bool {
        self.spent.contains(outpoint)
    }

    /// Adds to what the coinbase claims.
    pub fn claim(&mut self, fee: Amount) {
        let output = self.coinbase.output.first_mut().expect("the coinbase has an output");
        output.value += fee;
    }

    /// Replaces the coinbase's script behind the height.
    pub fn set_payload(&mut self, payload: &[u8]) {
        self.coinbase.input[0].script_sig = coinbase_script(self.height, payload);
    }

    /// Puts the commitment to all witnesses into the coinbase (BIP-0141).
    pub fn commit(&mut self) {
        self.coinbase.input[0].witness = Witness::from_slice(&[self.reserved]);
        let block = self.assemble();
        let root = block.witness_root().expect("a block of at least the coinbase");
        let commitment = Block::compute_witness_commitment(&root, &self.reserved);
        let mut data = vec![0xaa, 0x21, 0xa9, 0xed];
        data.extend_from_slice(commitment.as_byte_array());
        let script_pubkey =
            ScriptBuf::new_op_return(PushBytesBuf::try_from(data).expect("36 bytes are not too long to push"));
        self.coinbase.output.push(TxOut { value: Amount::ZERO, script_pubkey });
    }

    /// The block as it stands, with its Merkle root.
    #[must_use]
    pub fn assemble(&self) -> Block {
        let mut txdata = vec![self.coinbase.clone()];
        txdata.extend_from_slice(&self.transactions);
        let mut block = Block { header: self.header, txdata };
        block.header.merkle_root = block.compute_merkle_root().expect("a block of at least the coinbase");
        block
    }
}

impl Builder {
    /// A valid block of only a coinbase, on top of the branch.
    pub fn draft(&mut self) -> Draft {
        let height = self.height() + 1;
        let parent = self.last().block.header;
        let jitter = self.random.small(self.parameters.spacing);
        let spaced = parent.time + self.parameters.spacing / 2 + jitter;
        let time = self.next_time.unwrap_or(spaced).max(self.median_time() + 1);
        let header = Header {
            version: Version::from_consensus(0x2000_0000),
            prev_blockhash: self.tip(),
            merkle_root: TxMerkleNode::all_zeros(),
            time,
            bits: self.parameters.genesis.header.bits,
            nonce: 0,
        };
        let payload = self.random.bytes::<8>();
        let kind = Kind::ALL[self.random.index(Kind::ALL.len() - 3)]; // Not those that can't be spent.
        let output = self.output(kind, self.parameters.subsidy_at(height));
        let coinbase = Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig: coinbase_script(height, &payload),
                sequence: Sequence::MAX,
                witness: Witness::new(),
            }],
            output: vec![output],
        };
        Draft {
            header,
            height,
            coinbase,
            transactions: Vec::new(),
            commitment: true,
            reserved: if self.random.one_in(4) { self.random.bytes() } else { [0; 32] },
            created: Vec::new(),
            spent: BTreeSet::new(),
        }
    }

    /// Commits to the draft's transactions and solves the header.
    #[must_use]
    pub fn seal(&self, mut draft: Draft) -> Block {
        if draft.commitment {
            draft.commit();
        }
        let mut block = draft.assemble();
        solve(&mut block.header);
        block
    }

    /// Adds a transaction to the draft and lets later ones of the same block spend its outputs.
    pub fn push_spendable(&self, draft: &mut Draft, transaction: Transaction) {
        let txid = transaction.compute_txid();
        let at = Position { height: draft.height, median: self.median_time() };
        for (vout, output) in (0..).zip(&transaction.output) {
            let Some(lock) = self.known_lock(&output.script_pubkey) else { continue };
            let coin = Coin { output: output.clone(), lock, height: at.height, median: at.median, coinbase: false };
            if lock.opens(at, at) {
                draft.created.push((OutPoint { txid, vout }, coin));
            }
        }
        draft.push(transaction);
    }
}

/// BIP-0034: the height, then anything; at most 100 bytes, at least 2.
fn coinbase_script(height: u32, payload: &[u8]) -> ScriptBuf {
    let payload = PushBytesBuf::try_from(payload.to_vec()).expect("payloads are short");
    Script::new().push_int(i64::from(height)).push_slice(payload).into_script()
}

/// Finds a nonce that meets the header's target, which must be an easy one.
pub fn solve(header: &mut Header) {
    search(header, true);
}

/// Finds a nonce that misses the header's target.
pub fn unsolve(header: &mut Header) {
    search(header, false);
}

fn search(header: &mut Header, met: bool) {
    let target = header.target();
    while target.is_met_by(header.block_hash()) != met {
        header.nonce = header.nonce.checked_add(1).expect("the target is easy: a few tries are enough");
    }
}
