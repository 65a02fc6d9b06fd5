//! How the chain stands.

use bitcoin::hex::DisplayHex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_chain::header::tree::Id;

use super::super::describe::{difficulty, target};
use super::super::types::{at_height, block_hash, known};
use crate::backend::View;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Tells how the chain stands.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetBlockchainInfo {}

/// How the chain stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ChainInfo {
    /// Name of the chain: `main`, `test`, `testnet4`, `signet`, `regtest`, or that of a chain of one's own.
    chain: String,
    /// Height of the newest verified block.
    blocks: u32,
    /// Height of the best known header.
    headers: u32,
    /// Hash of the newest verified block.
    bestblockhash: String,
    /// Its target, in compact form.
    bits: String,
    /// Its target.
    target: String,
    /// Its difficulty.
    difficulty: f64,
    /// Its time, in seconds since 1970.
    time: u32,
    /// The median time of it and the ten before.
    mediantime: u32,
    /// How much of the chain is verified, from 0 to 1, by the work of its headers.
    verificationprogress: f64,
    /// Whether the node is still catching up with its network.
    initialblockdownload: bool,
    /// Hashes that the chain took, on average.
    chainwork: String,
    /// Bytes that blocks and undo data take on disk.
    size_on_disk: u64,
    /// Whether old blocks are deleted.
    pruned: bool,
    /// Height from which on blocks are here, where some were deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pruneheight: Option<u32>,
    /// The script that signs blocks (BIP-0325).
    #[serde(skip_serializing_if = "Option::is_none")]
    signet_challenge: Option<String>,
    /// On chains of signed blocks: height of the newest block on which more than two thirds of the producers have built, which
    /// nobody can take back any more; 0 as long as there is none but the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    irreversible_height: Option<u32>,
    /// Its hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    irreversible_hash: Option<String>,
    /// What the user should know.
    warnings: Vec<String>,
}

impl Method for GetBlockchainInfo {
    known_as!("getblockchaininfo", Blockchain, Open);
    type Reply = ChainInfo;

    async fn call(self, context: Context) -> Result<ChainInfo, Error> {
        Ok(context.backend.ask(|view| info(view)).await?)
    }
}

fn info(view: &dyn View) -> ChainInfo {
    let (tree, tip, spec, standing) = (view.tree(), view.tip(), view.spec(), view.standing());
    let best = tree.best();
    let bits = tree.bits(tip);
    let behind = best != tip && !tree.is_ancestor(best, tip);
    let pruned = at_height(view, 1).is_some_and(|first| view.is_pruned(first));
    ChainInfo {
        chain: chain_name(&spec.name),
        blocks: tree.height(tip),
        headers: tree.height(best),
        bestblockhash: tree.hash(tip).to_string(),
        bits: format!("{:08x}", bits.to_consensus()),
        target: target(bits, spec),
        difficulty: difficulty(bits),
        time: tree.time(tip),
        mediantime: tree.median_time_past(tip),
        verificationprogress: if behind { approximate(view, tip) / approximate(view, best) } else { 1.0 },
        initialblockdownload: standing.catching_up,
        chainwork: format!("{:064x}", tree.work(tip)),
        size_on_disk: view.size_on_disk(),
        pruned,
        pruneheight: pruned.then(|| lowest_kept(view)),
        signet_challenge: spec.challenge.as_ref().map(|script| script.as_bytes().to_lower_hex_string()),
        irreversible_height: standing.federation.as_ref().map(|all| all.irreversible.map_or(0, |(height, _)| height)),
        irreversible_hash: standing.federation.and_then(|all| all.irreversible).map(|(_, hash)| hash.to_string()),
        warnings: standing.warnings,
    }
}

/// Tells which states of the chain are kept: one, in which every block was verified from the first on.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetChainStates {}

/// Which states of the chain are kept.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ChainStates {
    /// Height of the best known header.
    headers: u32,
    /// Each of them.
    chainstates: [ChainState; 1],
}

/// A state of the chain.
#[derive(Debug, Serialize, JsonSchema)]
struct ChainState {
    /// Height of its newest verified block.
    blocks: u32,
    /// Hash of that block.
    bestblockhash: String,
    /// Its target, in compact form.
    bits: String,
    /// Its target.
    target: String,
    /// Its difficulty.
    difficulty: f64,
    /// How much of the chain is verified, from 0 to 1, by the work of its headers.
    verificationprogress: f64,
    /// Bytes of memory that blocks of the tables of coins may take.
    coins_db_cache_bytes: u64,
    /// Bytes of memory that coins may take.
    coins_tip_cache_bytes: u64,
    /// Whether it was built from the first block on, and not from a snapshot: yes.
    validated: bool,
}

impl Method for GetChainStates {
    known_as!("getchainstates", Blockchain, Open);
    type Reply = ChainStates;

    async fn call(self, context: Context) -> Result<ChainStates, Error> {
        let states = context.backend.ask(|view| {
            let (coins, tables) = view.coin_memory();
            let ChainInfo { blocks, headers, bestblockhash, bits, target, difficulty, verificationprogress, .. } =
                info(view);
            let state = ChainState {
                blocks,
                bestblockhash,
                bits,
                target,
                difficulty,
                verificationprogress,
                coins_db_cache_bytes: tables,
                coins_tip_cache_bytes: coins,
                validated: true,
            };
            ChainStates { headers, chainstates: [state] }
        });
        Ok(states.await?)
    }
}

/// The name that Bitcoin Core has for a chain.
pub(in super::super) fn chain_name(name: &str) -> String {
    if name == "bitcoin" { "main".to_owned() } else { name.to_owned() }
}

/// The work up to a header as a number; never 0, as the genesis header has some.
fn approximate(view: &dyn View, id: Id) -> f64 {
    view.tree().work(id).to_be_bytes().iter().fold(0.0, |sum, byte| sum * 256.0 + f64::from(*byte)).max(1.0)
}

/// The height of the oldest block from which on none was deleted.
pub(super) fn lowest_kept(view: &dyn View) -> u32 {
    let (mut gone, mut kept) = (1, view.tree().height(view.tip()).saturating_add(1));
    // Old blocks are deleted in the order of their files, so that what is gone lies below what is kept.
    while kept.saturating_sub(gone) > 1 {
        let middle = gone.midpoint(kept);
        match at_height(view, middle) {
            Some(id) if view.is_pruned(id) => gone = middle,
            _ => kept = middle,
        }
    }
    kept
}

/// Gives the height of the newest verified block.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetBlockCount {}

impl Method for GetBlockCount {
    known_as!("getblockcount", Blockchain, Open);
    type Reply = u32;

    async fn call(self, context: Context) -> Result<u32, Error> {
        Ok(context.backend.ask(|view| view.tree().height(view.tip())).await?)
    }
}

/// Gives the hash of the newest verified block.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetBestBlockHash {}

impl Method for GetBestBlockHash {
    known_as!("getbestblockhash", Blockchain, Open);
    type Reply = String;

    async fn call(self, context: Context) -> Result<String, Error> {
        Ok(context.backend.ask(|view| view.tree().hash(view.tip()).to_string()).await?)
    }
}

/// Gives the difficulty of the newest verified block, as a multiple of the least in Bitcoin.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetDifficulty {}

impl Method for GetDifficulty {
    known_as!("getdifficulty", Blockchain, Open);
    type Reply = f64;

    async fn call(self, context: Context) -> Result<f64, Error> {
        Ok(context.backend.ask(|view| difficulty(view.tree().bits(view.tip()))).await?)
    }
}

/// Counts transactions in the chain, and how many there are in a second.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetChainTxStats {
    /// Blocks to look at; a month of them if left out.
    nblocks: Option<i64>,
    /// The block that they end with; the newest if left out.
    blockhash: Option<String>,
}

/// Transactions in the chain.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ChainTxStats {
    /// Time of the last block, in seconds since 1970.
    time: u32,
    /// Transactions in the chain up to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    txcount: Option<u64>,
    /// Hash of the last block.
    window_final_block_hash: String,
    /// Height of the last block.
    window_final_block_height: u32,
    /// Blocks looked at.
    window_block_count: u32,
    /// Seconds that they took.
    #[serde(skip_serializing_if = "Option::is_none")]
    window_interval: Option<i64>,
    /// Transactions in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    window_tx_count: Option<u64>,
    /// Transactions in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    txrate: Option<f64>,
}

/// Seconds of the window that is looked at if nothing is said.
const MONTH: u32 = 30 * 24 * 60 * 60;

impl Method for GetChainTxStats {
    known_as!("getchaintxstats", Blockchain, Open);
    type Reply = ChainTxStats;

    async fn call(self, context: Context) -> Result<ChainTxStats, Error> {
        let hash = self.blockhash.map(|text| block_hash(&text, "blockhash")).transpose()?;
        context.backend.ask(move |view| transactions(view, hash, self.nblocks)).await?
    }
}

fn transactions(view: &dyn View, hash: Option<bitcoin::BlockHash>, blocks: Option<i64>) -> Result<ChainTxStats, Error> {
    let tree = view.tree();
    let last = hash.map_or_else(|| Ok(view.tip()), |hash| known(view, &hash))?;
    if !tree.is_ancestor(last, view.tip()) {
        return Err(Error::new(Code::InvalidParameter, "Block is not in main chain"));
    }
    let height = tree.height(last);
    let count = match blocks {
        None => MONTH.checked_div(view.spec().work.spacing).unwrap_or(0).min(height.saturating_sub(1)),
        Some(blocks) => {
            u32::try_from(blocks).ok().filter(|blocks| *blocks == 0 || *blocks < height).ok_or_else(|| {
                let text = "Invalid block count: should be between 0 and the block's height - 1";
                Error::new(Code::InvalidParameter, text)
            })?
        }
    };
    let before = tree.ancestor(last, height.saturating_sub(count)).unwrap_or(last);
    let median = |id| i64::from(tree.median_time_past(id));
    let interval = (count > 0).then(|| median(last).saturating_sub(median(before)));
    let (total, earlier) = (view.transactions_up_to(last), view.transactions_up_to(before));
    let window = total.zip(earlier).filter(|_| count > 0).map(|(total, earlier)| total.saturating_sub(earlier));
    #[expect(clippy::cast_precision_loss, reason = "a rate is no exact number")]
    let rate = interval.zip(window).filter(|(interval, _)| *interval > 0).map(|(i, w)| w as f64 / i as f64);
    Ok(ChainTxStats {
        time: tree.time(last),
        txcount: total,
        window_final_block_hash: tree.hash(last).to_string(),
        window_final_block_height: height,
        window_block_count: count,
        window_interval: interval,
        window_tx_count: window,
        txrate: rate,
    })
}
