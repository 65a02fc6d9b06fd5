//! One transaction of the wallet, as it is told.

use bitcoin::{SignedAmount, Txid};
use schemars::JsonSchema;
use serde::Serialize;
use yap_wallet::{Entry, InBlock, Output, Status, Wallet};

use super::super::types::Btc;

/// What is told of a transaction, whichever of its outputs is meant.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct About {
    /// Its confirmations; negative if a block has another that spends the same, and how many blocks ago.
    pub(super) confirmations: i64,
    /// Whether a block's reward is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    generated: Option<bool>,
    /// Whether nobody else can take it back, while it waits for a block.
    #[serde(skip_serializing_if = "Option::is_none")]
    trusted: Option<bool>,
    /// The block that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    blockhash: Option<String>,
    /// Its height.
    #[serde(skip_serializing_if = "Option::is_none")]
    blockheight: Option<u32>,
    /// Place of the transaction in the block.
    #[serde(skip_serializing_if = "Option::is_none")]
    blockindex: Option<u32>,
    /// Unix time of the block.
    #[serde(skip_serializing_if = "Option::is_none")]
    blocktime: Option<u32>,
    /// Its id.
    txid: String,
    /// Hash of all of it, the witness included.
    wtxid: String,
    /// Other transactions of the wallet that spend the same.
    walletconflicts: Vec<String>,
    /// The transaction that took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_by_txid: Option<String>,
    /// The transaction that it took the place of.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces_txid: Option<String>,
    /// Who is paid, in the user's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// Unix time of it.
    time: u64,
    /// Unix time at which the wallet learned of it.
    timereceived: u64,
    /// The user's note.
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    /// Whether it may be replaced: `yes` or `no`.
    #[serde(rename = "bip125-replaceable")]
    replaceable: String,
    /// Whether nobody else heard of it yet: it is kept, and told to peers when they come.
    isolated: bool,
}

impl About {
    pub(super) fn of(wallet: &Wallet, entry: &Entry) -> Self {
        let block = block(entry);
        let text = |txid: &Txid| txid.to_string();
        let waits =
            matches!(entry.status, Status::Pending | Status::Isolated | Status::Dropped | Status::Replaced { .. });
        let pending = matches!(entry.status, Status::Pending | Status::Isolated);
        Self {
            confirmations: confirmations(wallet, entry),
            generated: entry.transaction.is_coinbase().then_some(true),
            trusted: waits.then_some(entry.from_me && pending),
            blockhash: block.map(|block| block.hash.to_string()),
            blockheight: block.map(|block| block.height),
            blockindex: block.map(|block| block.index),
            blocktime: block.map(|block| block.time),
            txid: entry.transaction.txid().to_string(),
            wtxid: entry.transaction.wtxid().to_string(),
            walletconflicts: entry.conflicts.iter().map(text).collect(),
            replaced_by_txid: entry.replaced_by.as_ref().map(text),
            replaces_txid: entry.replaces.as_ref().map(text),
            to: entry.to.clone(),
            time: entry.received,
            timereceived: entry.received,
            comment: entry.comment.clone(),
            replaceable: if entry.replaceable { "yes" } else { "no" }.to_owned(),
            isolated: entry.status == Status::Isolated,
        }
    }
}

/// The block that has a transaction.
pub(super) fn block(entry: &Entry) -> Option<InBlock> {
    if let Status::Confirmed(block) = entry.status { Some(block) } else { None }
}

/// Blocks that confirm it, or (negative) contradict it.
#[expect(clippy::wildcard_enum_match_arm, reason = "the enum may grow, and no block has the others")]
pub(super) fn confirmations(wallet: &Wallet, entry: &Entry) -> i64 {
    match entry.status {
        Status::Confirmed(block) => i64::from(wallet.confirmations(&block)),
        Status::Conflicted { height, .. } => {
            let blocks = i64::from(wallet.tip().0).saturating_sub(i64::from(height)).saturating_add(1);
            blocks.saturating_neg()
        }
        _ => 0,
    }
}

/// One payment in a transaction: to somebody else, or to the wallet.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Part {
    /// The address that is paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// `send`, `receive`, or of a block's reward: `generate`, `immature` (too young to be spent) or `orphan` (its block
    /// is not on the best chain).
    category: String,
    /// How much; negative if it is sent.
    pub(super) amount: Btc,
    /// The address's label.
    pub(super) label: String,
    /// Index among the outputs.
    vout: u32,
    /// The transaction's fee, negative, where it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    fee: Option<Btc>,
    /// Whether it was given up, where it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    abandoned: Option<bool>,
}

/// How a block's reward stands.
fn reward(wallet: &Wallet, entry: &Entry) -> &'static str {
    match confirmations(wallet, entry) {
        ..=0 => "orphan",
        1..=100 => "immature",
        101.. => "generate",
    }
}

impl Part {
    /// The payments of a transaction: what is sent first, then what is received. Change is neither.
    pub(super) fn all(wallet: &Wallet, entry: &Entry) -> Vec<Self> {
        let sent = entry.outputs.iter().filter(|output| entry.from_me && !output.change);
        let fee = entry.fee.map(|fee| Btc::from_sat(Btc::from(fee).to_sat().saturating_neg()));
        let abandoned = Some(entry.status == Status::Abandoned);
        let sent = sent.map(|output| Self {
            amount: Btc::from_sat(Btc::from(output.amount).to_sat().saturating_neg()),
            fee,
            abandoned,
            ..Self::of(output, "send")
        });
        let category = if entry.transaction.is_coinbase() { reward(wallet, entry) } else { "receive" };
        let received = entry.outputs.iter().filter(|output| output.place.is_some() && !output.change);
        let received = received.map(|output| Self::of(output, category));
        sent.chain(received).collect()
    }

    fn of(output: &Output, category: &str) -> Self {
        Self {
            address: output.address.clone(),
            category: category.to_owned(),
            amount: output.amount.into(),
            label: output.label.clone().unwrap_or_default(),
            vout: output.vout,
            fee: None,
            abandoned: None,
        }
    }
}

/// What the wallet has more or less for a transaction, without its fee if the wallet pays it: as `gettransaction` tells.
pub(super) fn net(entry: &Entry) -> Btc {
    let fee = entry.fee.and_then(|fee| fee.to_signed().ok()).unwrap_or(SignedAmount::ZERO);
    entry.amount.checked_add(fee).unwrap_or(entry.amount).into()
}
