//! Headers and blocks: Bitcoin Core's `blockheaderToJSON` and `blockToJSON`.

use bitcoin::CompactTarget;
use bitcoin::hex::DisplayHex;
use schemars::JsonSchema;
use serde::Serialize;
use yap_chain::header::pow;
use yap_chain::header::tree::Id;
use yap_chain::spec::Spec;
use yap_chain::undo::Undo;

use super::super::types::{at_height, confirmations};
use super::{Detail, Transaction};
use crate::backend::View;

/// A header, and its place in the chain.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Header {
    /// Its hash.
    pub(crate) hash: String,
    /// Blocks on the best chain from it on; -1 if it is not on the best chain.
    pub(crate) confirmations: i64,
    /// Blocks before it.
    pub(crate) height: u32,
    /// Its version.
    pub(crate) version: i32,
    /// The version in hexadecimal digits.
    #[serde(rename = "versionHex")]
    pub(crate) version_hex: String,
    /// Root of the transactions' tree.
    pub(crate) merkleroot: String,
    /// Its time, in seconds since 1970.
    pub(crate) time: u32,
    /// The median time of it and the ten before.
    pub(crate) mediantime: u32,
    /// Its nonce.
    pub(crate) nonce: u32,
    /// Its target, in compact form.
    pub(crate) bits: String,
    /// Its target.
    pub(crate) target: String,
    /// How much harder it is to find than one of Bitcoin's easiest.
    pub(crate) difficulty: f64,
    /// Hashes that the chain up to it took, on average.
    pub(crate) chainwork: String,
    /// Transactions in its block; 0 if they are not known.
    #[serde(rename = "nTx")]
    pub(crate) transactions: u32,
    /// The block before.
    #[serde(rename = "previousblockhash", skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<String>,
    /// The block after, on the best chain.
    #[serde(rename = "nextblockhash", skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

impl Header {
    pub(crate) fn of(view: &dyn View, id: Id) -> Self {
        let tree = view.tree();
        let header = tree.header(id);
        let confirmations = confirmations(view, id);
        let next = at_height(view, tree.height(id).saturating_add(1)).filter(|_| confirmations > 0);
        Self {
            hash: tree.hash(id).to_string(),
            confirmations,
            height: tree.height(id),
            version: header.version.to_consensus(),
            version_hex: format!("{:08x}", header.version.to_consensus()),
            merkleroot: header.merkle_root.to_string(),
            time: header.time,
            mediantime: tree.median_time_past(id),
            nonce: header.nonce,
            bits: format!("{:08x}", header.bits.to_consensus()),
            target: target(header.bits, view.spec()),
            difficulty: difficulty(header.bits),
            chainwork: format!("{:064x}", tree.work(id)),
            transactions: view.transactions(id).unwrap_or(0),
            previous: tree.parent(id).map(|parent| tree.hash(parent).to_string()),
            next: next.map(|next| tree.hash(next).to_string()),
        }
    }
}

/// The target that bits stand for, as 64 hexadecimal digits.
pub(crate) fn target(bits: CompactTarget, spec: &Spec) -> String {
    let target = pow::target(bits, &spec.work.limit).unwrap_or(bitcoin::Target::ZERO);
    target.to_be_bytes().to_lower_hex_string()
}

/// Core's `GetDifficulty`: how much harder than the bits `1d00ffff`.
pub(crate) fn difficulty(bits: CompactTarget) -> f64 {
    let bits = bits.to_consensus();
    let mantissa = bits & 0x00ff_ffff;
    if mantissa == 0 {
        return 0.0;
    }
    let shift = 29_i32.saturating_sub(i32::from(bits.to_be_bytes()[0]));
    f64::from(0xffff_u32) / f64::from(mantissa) * 256_f64.powi(shift)
}

/// What a block's first transaction says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Coinbase {
    /// Its version.
    version: u32,
    /// Its lock time.
    locktime: u32,
    /// Its input's sequence number.
    sequence: u32,
    /// Its input's script.
    coinbase: String,
    /// The item of its witness.
    #[serde(skip_serializing_if = "Option::is_none")]
    witness: Option<String>,
}

impl Coinbase {
    pub(crate) fn of(block: &yap_chain::block::Block) -> Option<Self> {
        let decoded = block.transactions().first()?.decoded();
        let input = decoded.input.first()?;
        Some(Self {
            version: decoded.version.0.cast_unsigned(),
            locktime: decoded.lock_time.to_consensus_u32(),
            sequence: input.sequence.0,
            coinbase: input.script_sig.as_bytes().to_lower_hex_string(),
            witness: input.witness.iter().next().map(|item| item.to_lower_hex_string()),
        })
    }
}

/// A transaction in a block: its id, or all of it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Listed {
    /// Its id.
    Id(String),
    /// All of it.
    Full(Box<Transaction>),
}

/// A block.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Block {
    /// Its header.
    #[serde(flatten)]
    pub(crate) header: Header,
    /// Bytes without witnesses.
    pub(crate) strippedsize: usize,
    /// Bytes.
    pub(crate) size: usize,
    /// Weight units (BIP-0141).
    pub(crate) weight: usize,
    /// What its first transaction says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) coinbase_tx: Option<Coinbase>,
    /// Its transactions.
    pub(crate) tx: Vec<Listed>,
}

impl Block {
    /// A block with its transactions' ids, or with all of them (`full`) and what the coins that they spent tell.
    pub(crate) fn of(
        header: Header,
        block: &yap_chain::block::Block,
        full: Option<(Option<&Undo>, Detail)>,
        spec: &Spec,
    ) -> Self {
        let listed = |(index, transaction): (usize, &yap_chain::transaction::Transaction)| {
            let Some((undo, detail)) = full else { return Listed::Id(transaction.txid().to_string()) };
            let described = Transaction::of(transaction, &spec.addresses).with_hex(transaction);
            // The coinbase spends nothing, so the coins of the second transaction come first.
            let coins = undo.and_then(|undo| undo.transactions.get(index.checked_sub(1)?));
            Listed::Full(Box::new(match coins {
                Some(coins) => described.with_coins(transaction, coins, detail, &spec.addresses),
                None => described,
            }))
        };
        Self {
            header,
            strippedsize: block.base_size(),
            size: block.bytes().len(),
            weight: block.weight(),
            coinbase_tx: Coinbase::of(block),
            tx: block.transactions().iter().enumerate().map(listed).collect(),
        }
    }
}
