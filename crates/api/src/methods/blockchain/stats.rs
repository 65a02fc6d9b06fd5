//! Figures of one block: Bitcoin Core's `getblockstats`. Amounts are satoshis.

use std::collections::BTreeSet;
use std::sync::Arc;

use bitcoin::consensus::encode::serialize;
use bitcoin::{Amount, TxOut};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use yap_chain::block::Block;
use yap_chain::coin::Coin;
use yap_chain::connect::is_unspendable;
use yap_chain::header::tree::Id;
use yap_chain::transaction::Transaction;
use yap_chain::undo::Undo;

use super::super::types::{aside, at_height, block_hash, known, unreadable};
use super::block::fits;
use crate::backend::View;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Bytes that Core counts for an unspent output beside it: the outpoint, the height and whether a coinbase made it.
const PER_COIN: i64 = 40;

/// Gives figures of a block.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetBlockStats {
    /// Hash of the block, or its height on the best chain.
    hash_or_height: Value,
    /// Names of the figures that are wanted; all if left out.
    stats: Option<Vec<String>>,
}

/// Figures of a block; amounts in satoshis, fee rates in satoshis for a virtual byte.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Stats {
    /// Mean fee.
    avgfee: i64,
    /// Mean fee rate.
    avgfeerate: i64,
    /// Mean bytes.
    avgtxsize: i64,
    /// Its hash.
    blockhash: String,
    /// Fee rates below which 10, 25, 50, 75 and 90 percent of the weight lies.
    feerate_percentiles: [i64; 5],
    /// Its height.
    height: u32,
    /// Inputs, without the coinbase's.
    ins: i64,
    /// Greatest fee.
    maxfee: i64,
    /// Greatest fee rate.
    maxfeerate: i64,
    /// Most bytes.
    maxtxsize: i64,
    /// Median fee, rounded down.
    medianfee: i64,
    /// The median time of it and the ten before.
    mediantime: u32,
    /// Median bytes, rounded down.
    mediantxsize: i64,
    /// Smallest fee.
    minfee: i64,
    /// Smallest fee rate.
    minfeerate: i64,
    /// Fewest bytes.
    mintxsize: i64,
    /// Outputs.
    outs: i64,
    /// New coins.
    subsidy: u64,
    /// Bytes of transactions with a witness.
    swtotal_size: i64,
    /// Weight of transactions with a witness.
    swtotal_weight: i64,
    /// Transactions with a witness.
    swtxs: i64,
    /// Its time.
    time: u32,
    /// What is paid, without the coinbase.
    total_out: i64,
    /// Bytes, without the coinbase.
    total_size: i64,
    /// Weight, without the coinbase.
    total_weight: i64,
    /// Fees.
    totalfee: i64,
    /// Transactions.
    txs: i64,
    /// Outputs more than inputs.
    utxo_increase: i64,
    /// Bytes of outputs more than of what is spent.
    utxo_size_inc: i64,
    /// Unspent outputs more than before.
    utxo_increase_actual: i64,
    /// Bytes of unspent outputs more than before.
    utxo_size_inc_actual: i64,
}

impl Method for GetBlockStats {
    known_as!("getblockstats", Blockchain, Open);
    type Reply = Map<String, Value>;

    async fn call(self, context: Context) -> Result<Map<String, Value>, Error> {
        let wanted = self.hash_or_height;
        let (block, undo, known) = context.backend.ask(move |view| subject(view, &wanted)).await??;
        let stats = self.stats.unwrap_or_default();
        aside(move || {
            block.read().map_err(|error| Error::new(Code::Misc, error.to_string()))?;
            if !fits(&undo, &block) {
                return Err(Error::new(Code::Misc, "Can't read undo data from disk"));
            }
            let all = serde_json::to_value(Figures::of(&block, &undo, &known).finish(known));
            let all = all.map_err(|error| Error::new(Code::Internal, error.to_string()))?;
            selected(all, stats)
        })
        .await
    }
}

/// The figures of those names, or all.
fn selected(all: Value, names: Vec<String>) -> Result<Map<String, Value>, Error> {
    let Value::Object(mut all) = all else { return Err(Error::new(Code::Internal, "no figures")) };
    if names.is_empty() {
        return Ok(all);
    }
    let mut selected = Map::new();
    for name in names.into_iter().collect::<BTreeSet<_>>() {
        let figure = all
            .remove(&name)
            .ok_or_else(|| Error::new(Code::InvalidParameter, format!("Invalid selected statistic '{name}'")))?;
        selected.insert(name, figure);
    }
    Ok(selected)
}

/// What is known of a block from its place.
struct Known {
    hash: String,
    height: u32,
    median: u32,
    subsidy: u64,
    /// Whether its coinbase makes no coins: that of the genesis block, and those that repeat another (BIP-0030).
    no_coinbase: bool,
}

fn subject(view: &dyn View, wanted: &Value) -> Result<(Arc<Block>, Undo, Known), Error> {
    let id = find(view, wanted)?;
    let (tree, spec) = (view.tree(), view.spec());
    let (height, hash) = (tree.height(id), tree.hash(id));
    let block = view.block(id).map_err(|error| unreadable(&error))?;
    let undo = match height {
        0 => Undo::default(),
        _ => view.undo(id).map_err(|_| Error::new(Code::Misc, "Undo data not available"))?,
    };
    let repeats = spec.deployments.bip30_repeats.contains(&(height, hash));
    let known = Known {
        hash: hash.to_string(),
        height,
        median: tree.median_time_past(id),
        subsidy: spec.subsidy_at(height).to_sat(),
        no_coinbase: height == 0 || repeats,
    };
    Ok((block, undo, known))
}

/// Core's `ParseHashOrHeight`.
fn find(view: &dyn View, wanted: &Value) -> Result<Id, Error> {
    let Some(height) = wanted.as_i64() else {
        let text =
            wanted.as_str().ok_or_else(|| Error::new(Code::Type, "hash_or_height is no number and no string"))?;
        return known(view, &block_hash(text, "hash_or_height")?);
    };
    let tip = view.tree().height(view.tip());
    if height < 0 {
        return Err(Error::new(Code::InvalidParameter, format!("Target block height {height} is negative")));
    }
    let found = u32::try_from(height).ok().and_then(|height| at_height(view, height));
    found.ok_or_else(|| {
        let text = format!("Target block height {height} after current tip {tip}");
        Error::new(Code::InvalidParameter, text)
    })
}

/// What the figures are made of.
#[derive(Default)]
struct Figures {
    stats: Stats,
    fees: Vec<i64>,
    /// Rate and weight.
    rates: Vec<(i64, i64)>,
    sizes: Vec<i64>,
}

impl Figures {
    fn of(block: &Block, undo: &Undo, known: &Known) -> Self {
        let mut figures = Self::default();
        figures.stats.time = block.header().time;
        figures.stats.txs = number(block.transactions().len());
        for (index, transaction) in block.transactions().iter().enumerate() {
            figures.add_outputs(transaction, known);
            if let Some(coins) = index.checked_sub(1).and_then(|index| undo.transactions.get(index)) {
                figures.add_spending(transaction, coins);
            }
        }
        figures
    }

    fn add_outputs(&mut self, transaction: &Transaction, known: &Known) {
        let stats = &mut self.stats;
        for output in &transaction.decoded().output {
            let size = size(output);
            stats.outs = stats.outs.saturating_add(1);
            stats.utxo_size_inc = stats.utxo_size_inc.saturating_add(size);
            let never = known.no_coinbase && transaction.is_coinbase();
            if !never && !is_unspendable(&output.script_pubkey) {
                stats.utxo_increase_actual = stats.utxo_increase_actual.saturating_add(1);
                stats.utxo_size_inc_actual = stats.utxo_size_inc_actual.saturating_add(size);
            }
        }
    }

    fn add_spending(&mut self, transaction: &Transaction, coins: &[Coin]) {
        let stats = &mut self.stats;
        let inputs = number(transaction.decoded().input.len());
        let (bytes, weight) = (number(transaction.total_size()), number(transaction.weight()));
        stats.ins = stats.ins.saturating_add(inputs);
        stats.utxo_increase_actual = stats.utxo_increase_actual.saturating_sub(inputs);
        stats.total_size = stats.total_size.saturating_add(bytes);
        stats.total_weight = stats.total_weight.saturating_add(weight);
        if transaction.has_witness() {
            stats.swtxs = stats.swtxs.saturating_add(1);
            stats.swtotal_size = stats.swtotal_size.saturating_add(bytes);
            stats.swtotal_weight = stats.swtotal_weight.saturating_add(weight);
        }
        for coin in coins {
            let size = size(&TxOut { value: coin.value, script_pubkey: coin.script().to_owned() });
            stats.utxo_size_inc = stats.utxo_size_inc.saturating_sub(size);
            stats.utxo_size_inc_actual = stats.utxo_size_inc_actual.saturating_sub(size);
        }
        let paid = sum(transaction.decoded().output.iter().map(|output| output.value));
        let fee = sum(coins.iter().map(|coin| coin.value)).saturating_sub(paid);
        stats.total_out = stats.total_out.saturating_add(paid);
        stats.totalfee = stats.totalfee.saturating_add(fee);
        self.fees.push(fee);
        self.rates.push((fee.saturating_mul(4).checked_div(weight).unwrap_or(0), weight));
        self.sizes.push(bytes);
    }

    fn finish(mut self, known: Known) -> Stats {
        [&mut self.fees, &mut self.sizes].into_iter().for_each(|list| list.sort_unstable());
        self.rates.sort_unstable();
        let count = number(self.fees.len());
        let rate = |entry: Option<&(i64, i64)>| entry.map_or(0, |(rate, _)| *rate);
        let end = |entry: Option<&i64>| entry.copied().unwrap_or(0);
        let stats = self.stats;
        Stats {
            avgfee: stats.totalfee.checked_div(count).unwrap_or(0),
            avgfeerate: stats.totalfee.saturating_mul(4).checked_div(stats.total_weight).unwrap_or(0),
            avgtxsize: stats.total_size.checked_div(count).unwrap_or(0),
            blockhash: known.hash,
            feerate_percentiles: percentiles(&self.rates, stats.total_weight),
            height: known.height,
            maxfee: end(self.fees.last()),
            maxfeerate: rate(self.rates.last()),
            maxtxsize: end(self.sizes.last()),
            medianfee: median(&self.fees),
            mediantime: known.median,
            mediantxsize: median(&self.sizes),
            minfee: end(self.fees.first()),
            minfeerate: rate(self.rates.first()),
            mintxsize: end(self.sizes.first()),
            subsidy: known.subsidy,
            utxo_increase: stats.outs.saturating_sub(stats.ins),
            ..stats
        }
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn sum(amounts: impl Iterator<Item = Amount>) -> i64 {
    amounts.fold(0, |sum: i64, amount| sum.saturating_add_unsigned(amount.to_sat()))
}

fn size(output: &TxOut) -> i64 {
    number(serialize(output).len()).saturating_add(PER_COIN)
}

/// The middle of sorted numbers; of the two in the middle, the mean rounded down.
fn median(sorted: &[i64]) -> i64 {
    let middle = sorted.len() >> 1;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(0);
    match middle.checked_sub(1) {
        Some(before) if sorted.len() & 1 == 0 => at(before).saturating_add(at(middle)) / 2,
        _ => at(middle),
    }
}

/// The rates at which a tenth, a quarter, half, three quarters and nine tenths of the weight are reached.
fn percentiles(sorted: &[(i64, i64)], total: i64) -> [i64; 5] {
    let mut result = [sorted.last().map_or(0, |(rate, _)| *rate); 5];
    let parts = [(1, 10), (1, 4), (1, 2), (3, 4), (9, 10)];
    for (place, (of, parts)) in result.iter_mut().zip(parts) {
        let mut reached = 0_i64;
        for (rate, weight) in sorted {
            reached = reached.saturating_add(*weight);
            if reached.saturating_mul(parts) >= total.saturating_mul(of) {
                *place = *rate;
                break;
            }
        }
    }
    result
}
