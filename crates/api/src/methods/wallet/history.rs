//! What happened to the wallet's money.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_wallet::{Entry, Status, Wallet};

use super::super::describe::Transaction;
use super::super::types::{Btc, block_hash};
use super::entry::{About, Part, block, net};
use super::{foreign, txid, with};
use crate::error::{Code, Error};
use crate::method::{Context, Method, Methods};

/// Transactions that are looked at together.
const BATCH: usize = 100;

/// Blocks of an old branch whose payments are told as removed, at most: the newest.
const MOST_REMOVED: usize = 100;

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods
        .with::<ListTransactions>()
        .with::<ListSinceBlock>()
        .with::<GetTransaction>()
        .with::<AbandonTransaction>()
        .with::<RescanBlockchain>()
        .with::<AbortRescan>()
}

/// One payment of a transaction, and the transaction.
#[derive(Debug, Serialize, JsonSchema)]
struct Item {
    /// The payment.
    #[serde(flatten)]
    part: Part,
    /// Its transaction.
    #[serde(flatten)]
    about: About,
}

/// The payments of a transaction.
fn items(wallet: &Wallet, entry: &Entry) -> Vec<Item> {
    let about = About::of(wallet, entry);
    Part::all(wallet, entry).into_iter().map(|part| Item { part, about: about.clone() }).collect()
}

const fn ten() -> i64 {
    10
}

/// The newest payments, the newest last.
#[derive(Debug, Deserialize, JsonSchema)]
struct ListTransactions {
    /// Those to addresses with this label alone; `*`, or left out, for all.
    label: Option<String>,
    /// How many.
    #[serde(default = "ten")]
    count: i64,
    /// How many of the newest are skipped.
    #[serde(default)]
    skip: i64,
    /// Has no effect: the wallet has the keys of all that it watches.
    #[serde(default)]
    #[expect(dead_code, reason = "it has a place among the parameters, and no effect in a wallet that has its keys")]
    include_watchonly: bool,
}

impl Method for ListTransactions {
    known_as!("listtransactions", Wallet, Cookie);
    const LARGE: bool = true;
    type Reply = Vec<Item>;

    async fn call(self, context: Context) -> Result<Vec<Item>, Error> {
        let number =
            |value: i64, text: &str| usize::try_from(value).map_err(|_| Error::new(Code::InvalidParameter, text));
        let count = number(self.count, "Negative count")?;
        let skip = number(self.skip, "Negative from")?;
        let label = self.label.filter(|label| label != "*");
        with(&context, move |wallet| {
            let mut told: Vec<Item> = Vec::new();
            let enough = skip.saturating_add(count);
            for at in (0..wallet.transactions()).step_by(BATCH) {
                // Newest first.
                for entry in wallet.newest(at, BATCH) {
                    let mut parts = items(wallet, &entry);
                    parts.retain(|item| label.as_ref().is_none_or(|label| *label == item.part.label));
                    parts.reverse();
                    told.extend(parts);
                }
                if told.len() >= enough {
                    break;
                }
            }
            let mut told: Vec<Item> = told.into_iter().skip(skip).take(count).collect();
            told.reverse();
            Ok(told)
        })
        .await
    }
}

const fn one() -> i64 {
    1
}

const fn yes() -> bool {
    true
}

/// Payments since a block.
#[derive(Debug, Deserialize, JsonSchema)]
struct ListSinceBlock {
    /// Its hash; all payments are told otherwise.
    blockhash: Option<String>,
    /// Confirmations of the block that `lastblock` of the answer names.
    #[serde(default = "one")]
    target_confirmations: i64,
    /// Has no effect: the wallet has the keys of all that it watches.
    #[serde(default)]
    #[expect(dead_code, reason = "it has a place among the parameters, and no effect in a wallet that has its keys")]
    include_watchonly: bool,
    /// Whether `removed` is told.
    #[serde(default = "yes")]
    include_removed: bool,
}

/// Payments since a block.
#[derive(Debug, Serialize, JsonSchema)]
struct Since {
    /// The payments.
    transactions: Vec<Item>,
    /// Payments of blocks that have left the best chain since, the given one among them. Those that are in another block, or
    /// wait for one, are told above as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<Vec<Item>>,
    /// The block to ask with the next time, so that none is missed.
    lastblock: String,
}

impl Method for ListSinceBlock {
    known_as!("listsinceblock", Wallet, Cookie);
    const LARGE: bool = true;
    type Reply = Since;

    async fn call(self, context: Context) -> Result<Since, Error> {
        let back = u32::try_from(self.target_confirmations).ok().and_then(|target| target.checked_sub(1));
        let back = back.ok_or_else(|| Error::new(Code::InvalidParameter, "Invalid parameter"))?;
        let since = self.blockhash.map(|text| block_hash(&text, "blockhash")).transpose()?;
        let found = context.backend.ask(move |view| {
            let (tree, tip) = (view.tree(), view.tip());
            let last = tree.ancestor(tip, tree.height(tip).saturating_sub(back)).map(|id| tree.hash(id));
            // Of a block that is not on the best chain any more: since the one where its branch left.
            let fork = |id| tree.fork_point(tip, id);
            let known = since.map(|hash| tree.get(&hash));
            let since = known.map(|id| id.map(|id| tree.height(fork(id))));
            // The blocks above that one on the old branch, the newest first.
            let old = known.flatten().filter(|_| self.include_removed);
            let old =
                old.map(|id| (tree.height(fork(id)).saturating_add(1)..=tree.height(id)).rev().map(move |at| (id, at)));
            let old = old.into_iter().flatten().filter_map(|(id, at)| tree.ancestor(id, at)).take(MOST_REMOVED);
            // One that was deleted since has nothing to tell.
            let removed: Vec<_> = old.filter_map(|id| view.block(id).ok()).collect();
            (since, last.unwrap_or_else(|| tree.hash(tree.genesis())), removed)
        });
        let (since, last, removed) = found.await?;
        let since =
            since.map(|known| known.ok_or_else(|| Error::new(Code::NotFound, "Block not found"))).transpose()?;
        with(&context, move |wallet| {
            let newer = |entry: &Entry| block(entry).is_none_or(|block| since.is_none_or(|since| block.height > since));
            let history = wallet.history();
            let transactions = history.iter().filter(|entry| newer(entry)).flat_map(|entry| items(wallet, entry));
            let removed = removed.iter().filter_map(|block| block.read().ok()).flatten();
            let removed = removed.filter_map(|transaction| wallet.transaction(&transaction.txid()));
            let removed: Vec<_> = removed.flat_map(|entry| items(wallet, &entry)).collect();
            Ok(Since {
                transactions: transactions.collect(),
                removed: self.include_removed.then_some(removed),
                lastblock: last.to_string(),
            })
        })
        .await
    }
}

/// A transaction of the wallet.
#[derive(Debug, Deserialize, JsonSchema)]
struct GetTransaction {
    /// Its id.
    txid: String,
    /// Has no effect: the wallet has the keys of all that it watches.
    #[serde(default)]
    #[expect(dead_code, reason = "it has a place among the parameters, and no effect in a wallet that has its keys")]
    include_watchonly: bool,
    /// Whether it is decoded, too.
    #[serde(default)]
    verbose: bool,
}

/// A transaction of the wallet.
#[derive(Debug, Serialize, JsonSchema)]
struct Told {
    /// What the wallet has more or less for it, without the fee.
    amount: Btc,
    /// Its fee, negative, if the wallet paid it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fee: Option<Btc>,
    /// What else is known.
    #[serde(flatten)]
    about: About,
    /// How it stands, in a word: `confirmed`, `pending`, `isolated`, `dropped`, `replaced`, `conflicted` or `abandoned`.
    status: String,
    /// Its payments.
    details: Vec<Part>,
    /// Its bytes.
    hex: String,
    /// It, decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    decoded: Option<Transaction>,
    /// The newest block that this is as of.
    lastprocessedblock: AsOf,
}

/// A block.
#[derive(Debug, Serialize, JsonSchema)]
struct AsOf {
    /// Its hash.
    hash: String,
    /// Its height.
    height: u32,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the enum may grow")]
fn status(status: Status) -> &'static str {
    match status {
        Status::Confirmed(_) => "confirmed",
        Status::Pending => "pending",
        Status::Isolated => "isolated",
        Status::Replaced { .. } => "replaced",
        Status::Conflicted { .. } => "conflicted",
        Status::Abandoned => "abandoned",
        // The enum may grow; what is neither in a block nor waits for one is of no more use than this.
        _ => "dropped",
    }
}

impl Method for GetTransaction {
    known_as!("gettransaction", Wallet, Cookie);
    type Reply = Told;

    async fn call(self, context: Context) -> Result<Told, Error> {
        let txid = txid(&self.txid)?;
        with(&context, move |wallet| {
            let entry = wallet.transaction(&txid).ok_or_else(foreign)?;
            let shown = Transaction::of(&entry.transaction, &wallet.spec().addresses);
            let (height, hash) = wallet.tip();
            Ok(Told {
                amount: net(&entry),
                fee: entry.fee.map(|fee| Btc::from_sat(Btc::from(fee).to_sat().saturating_neg())),
                about: About::of(wallet, &entry),
                status: status(entry.status).to_owned(),
                details: Part::all(wallet, &entry),
                hex: shown.clone().with_hex(&entry.transaction).hex.unwrap_or_default(),
                decoded: self.verbose.then_some(shown),
                lastprocessedblock: AsOf { hash: hash.to_string(), height },
            })
        })
        .await
    }
}

/// Gives up a transaction that neither a block nor the mempool has: the coins that it spends are free again.
#[derive(Debug, Deserialize, JsonSchema)]
struct AbandonTransaction {
    /// Its id.
    txid: String,
}

impl Method for AbandonTransaction {
    known_as!("abandontransaction", Wallet, Cookie);
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        let txid = txid(&self.txid)?;
        with(&context, move |wallet| {
            if wallet.transaction(&txid).is_none() {
                return Err(foreign());
            }
            let done = wallet.abandon(txid);
            done.then_some(()).ok_or_else(|| Error::new(Code::NotFound, "Transaction not eligible for abandonment"))
        })
        .await
    }
}

/// Looks through old blocks again, for payments to addresses that were not watched then. It goes on behind this answer:
/// `getwalletinfo` tells how far it is.
#[derive(Debug, Deserialize, JsonSchema)]
struct RescanBlockchain {
    /// The first block.
    #[serde(default)]
    start_height: u32,
}

/// Which blocks are looked through.
#[derive(Debug, Serialize, JsonSchema)]
struct Rescan {
    /// The first.
    start_height: u32,
    /// The last.
    stop_height: u32,
}

impl Method for RescanBlockchain {
    known_as!("rescanblockchain", Wallet, Cookie);
    type Reply = Rescan;

    async fn call(self, context: Context) -> Result<Rescan, Error> {
        let start = self.start_height;
        let looked = context.backend.ask(move |view| {
            let (tree, tip) = (view.tree(), view.tip());
            let first = tree.ancestor(tip, start.max(1));
            (tree.height(tip), first.is_some_and(|id| view.is_pruned(id)))
        });
        let (tip, pruned) = looked.await?;
        if start > tip {
            return Err(Error::new(Code::InvalidParameter, "Invalid start_height"));
        }
        if pruned {
            let text =
                "Can't rescan beyond pruned data. Use RPC call getblockchaininfo to determine your pruned height.";
            return Err(Error::new(Code::Misc, text));
        }
        with(&context, move |wallet| {
            if wallet.rescanning().is_some() {
                let text = "Wallet is currently rescanning. Abort existing rescan or wait.";
                return Err(Error::new(Code::Wallet, text));
            }
            wallet.rescan(start);
            Ok(Rescan { start_height: start, stop_height: wallet.tip().0 })
        })
        .await
    }
}

/// Ends a rescan; says whether there was one.
#[derive(Debug, Deserialize, JsonSchema)]
struct AbortRescan {}

impl Method for AbortRescan {
    known_as!("abortrescan", Wallet, Cookie);
    type Reply = bool;

    async fn call(self, context: Context) -> Result<bool, Error> {
        with(&context, |wallet| {
            let was = wallet.rescanning().is_some();
            wallet.stop_rescan();
            Ok(was)
        })
        .await
    }
}
