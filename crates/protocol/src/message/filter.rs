//! Compact block filters (BIP-0157).

use bitcoin::BlockHash;
use bitcoin::bip158::{FilterHash, FilterHeader};

/// `getcfilters` and `getcfheaders`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetCFRange {
    /// The kind of filter; 0 is the basic one.
    pub kind: u8,
    /// Height of the first block.
    pub start: u32,
    /// Hash of the last block.
    pub stop: BlockHash,
}

/// `cfilter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CFilter {
    /// The kind of filter.
    pub kind: u8,
    /// The block.
    pub block: BlockHash,
    /// The filter.
    pub filter: Vec<u8>,
}

/// `cfheaders`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CFHeaders {
    /// The kind of filter.
    pub kind: u8,
    /// The last block.
    pub stop: BlockHash,
    /// The filter header before the first.
    pub previous: FilterHeader,
    /// The filters' hashes.
    pub hashes: Vec<FilterHash>,
}

/// `getcfcheckpt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetCFCheckpoints {
    /// The kind of filter.
    pub kind: u8,
    /// The last block.
    pub stop: BlockHash,
}

/// `cfcheckpt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CFCheckpoints {
    /// The kind of filter.
    pub kind: u8,
    /// The last block.
    pub stop: BlockHash,
    /// Filter headers at every thousandth height.
    pub headers: Vec<FilterHeader>,
}
