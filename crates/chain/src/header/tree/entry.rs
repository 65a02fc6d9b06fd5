//! What the tree keeps of one header.

use bitcoin::block::{Header, Version};
use bitcoin::{BlockHash, CompactTarget, TxMerkleNode, Work};

/// Whether a header's block may be valid. A header that breaks a rule itself never enters the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing is known against it.
    Valid,
    /// The block was found to be invalid.
    Invalid,
    /// It follows an invalid block.
    Descends,
    /// It leaves a block that is irreversible ([`Tree::fix`](super::Tree::fix)): it may keep every rule, and is not followed.
    Forked,
}

/// A header without its parent's hash, which the parent holds, and its place. Fields of four bytes and byte arrays only,
/// so that nothing is lost to alignment.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) hash: BlockHash,
    pub(super) merkle_root: TxMerkleNode,
    /// Big-endian, so that comparing bytes compares work.
    pub(super) work: [u8; 32],
    pub(super) version: i32,
    pub(super) time: u32,
    pub(super) bits: CompactTarget,
    pub(super) nonce: u32,
    pub(super) parent: u32,
    /// An ancestor further back; see `walk`.
    pub(super) skip: u32,
    pub(super) height: u32,
    pub(super) median: u32,
    pub(super) status: Status,
}

impl Entry {
    /// The entry of a header that stands alone.
    pub(super) fn root(header: &Header, hash: BlockHash, work: Work) -> Self {
        Self {
            hash,
            merkle_root: header.merkle_root,
            work: work.to_be_bytes(),
            version: header.version.to_consensus(),
            time: header.time,
            bits: header.bits,
            nonce: header.nonce,
            parent: 0,
            skip: 0,
            height: 0,
            median: header.time,
            status: Status::Valid,
        }
    }

    pub(super) fn work(&self) -> Work {
        Work::from_be_bytes(self.work)
    }

    pub(super) fn header(&self, prev_blockhash: BlockHash) -> Header {
        Header {
            version: Version::from_consensus(self.version),
            prev_blockhash,
            merkle_root: self.merkle_root,
            time: self.time,
            bits: self.bits,
            nonce: self.nonce,
        }
    }
}
