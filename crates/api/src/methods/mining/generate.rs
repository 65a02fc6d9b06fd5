//! Blocks on demand.

use std::sync::Arc;

use bitcoin::secp256k1::Secp256k1;
use bitcoin::{BlockHash, ScriptBuf, Txid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_chain::address;
use yap_chain::spec::Addresses;
use yap_chain::transaction::Transaction;

use super::super::types::transaction;
use super::super::util::descriptor::Parsed;
use crate::backend::{MineError, MiningOrder};
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Hashes that are tried if nothing is said (Core's `DEFAULT_MAX_TRIES`).
const TRIES: u64 = 1_000_000;

/// Most blocks that one call mines.
const MOST_BLOCKS: u32 = 10_000;

/// Most transactions that one call puts into a block: more than fit.
const MOST_TRANSACTIONS: usize = 20_000;

async fn mine(context: &Context, order: MiningOrder) -> Result<Vec<BlockHash>, Error> {
    context.backend.mine(order).await?.map_err(|error| match error {
        MineError::Refused(reason) => Error::new(Code::Verify, format!("TestBlockValidity failed: {reason}")),
        MineError::Signed | MineError::NoWallet | MineError::Busy => Error::new(Code::Misc, error.to_string()),
    })
}

fn count(blocks: i64) -> Result<u32, Error> {
    let count = u32::try_from(blocks).ok().filter(|blocks| *blocks <= MOST_BLOCKS);
    let text = format!("nblocks must be between 0 and {MOST_BLOCKS}");
    count.ok_or_else(|| Error::new(Code::InvalidParameter, text))
}

fn written(hashes: &[BlockHash]) -> Vec<String> {
    hashes.iter().map(ToString::to_string).collect()
}

/// Mines blocks that pay to an address, and gives their hashes.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GenerateToAddress {
    /// How many.
    nblocks: i64,
    /// Who gets what they create.
    address: String,
    /// Hashes to try at most, for all together; a million if left out.
    maxtries: Option<u64>,
}

impl Method for GenerateToAddress {
    known_as!("generatetoaddress", Mining, Cookie);
    type Reply = Vec<String>;

    async fn call(self, context: Context) -> Result<Vec<String>, Error> {
        let script = address::parse(&self.address, &context.backend.spec().addresses);
        let script = script.map_err(|_| Error::new(Code::NotFound, "Error: Invalid address"))?;
        let order = MiningOrder {
            blocks: count(self.nblocks)?,
            script: Some(script),
            tries: self.maxtries.unwrap_or(TRIES),
            transactions: None,
        };
        Ok(written(&mine(&context, order).await?))
    }
}

/// Mines blocks that pay to a descriptor, and gives their hashes.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GenerateToDescriptor {
    /// How many.
    num_blocks: i64,
    /// Who gets what they create.
    descriptor: String,
    /// Hashes to try at most, for all together; a million if left out.
    maxtries: Option<u64>,
}

impl Method for GenerateToDescriptor {
    known_as!("generatetodescriptor", Mining, Cookie);
    type Reply = Vec<String>;

    async fn call(self, context: Context) -> Result<Vec<String>, Error> {
        let script = described(&self.descriptor, &context.backend.spec().addresses)?;
        let order = MiningOrder {
            blocks: count(self.num_blocks)?,
            script: Some(script),
            tries: self.maxtries.unwrap_or(TRIES),
            transactions: None,
        };
        Ok(written(&mine(&context, order).await?))
    }
}

/// The script of a descriptor that stands for one; for `combo`, P2WPKH where its key allows it, as in Core.
fn described(text: &str, addresses: &Addresses) -> Result<ScriptBuf, Error> {
    let parsed = Parsed::read(text, addresses, false)?;
    if parsed.is_range() {
        let text = "Ranged descriptor not accepted. Maybe pass through deriveaddresses first?";
        return Err(Error::new(Code::InvalidParameter, text));
    }
    let mut scripts = parsed.at(0, &Secp256k1::new())?.into_iter().map(|expanded| expanded.script);
    let (first, second, third) = (scripts.next(), scripts.next(), scripts.next());
    let none = || Error::new(Code::NotFound, "Cannot derive script without private keys");
    third.or(second).or(first).ok_or_else(none)
}

/// Mines a block with certain transactions, in their order.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GenerateBlock {
    /// Who gets what it creates: an address or a descriptor.
    output: String,
    /// Transactions: ids of some that wait, or bytes in hexadecimal digits.
    transactions: Vec<String>,
}

/// A block that was mined.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Mined {
    /// Its hash.
    hash: String,
}

impl Method for GenerateBlock {
    known_as!("generateblock", Mining, Cookie);
    type Reply = Mined;

    async fn call(self, context: Context) -> Result<Mined, Error> {
        let addresses = &context.backend.spec().addresses;
        let script = described(&self.output, addresses).or_else(|refused| {
            if refused.code == Code::InvalidParameter {
                return Err(refused);
            }
            let wrong = || Error::new(Code::NotFound, "Error: Invalid address or descriptor");
            address::parse(&self.output, addresses).map_err(|_| wrong())
        })?;
        if self.transactions.len() > MOST_TRANSACTIONS {
            let text = format!("more than {MOST_TRANSACTIONS} transactions don't fit into a block");
            return Err(Error::new(Code::InvalidParameter, text));
        }
        let mut transactions = Vec::with_capacity(self.transactions.len());
        for text in self.transactions {
            transactions.push(wanted(&context, text).await?);
        }
        let order = MiningOrder { blocks: 1, script: Some(script), tries: TRIES, transactions: Some(transactions) };
        let hashes = mine(&context, order).await?;
        let hash = hashes.first().ok_or_else(|| Error::new(Code::Misc, "Failed to make block."))?;
        Ok(Mined { hash: hash.to_string() })
    }
}

/// A transaction by its id, if it waits, or by its bytes.
async fn wanted(context: &Context, text: String) -> Result<Arc<Transaction>, Error> {
    if let Ok(id) = text.parse::<Txid>() {
        let entry = context.backend.ask(move |view| view.pool().get_by_txid(&id).cloned()).await?;
        let missing = || Error::new(Code::NotFound, format!("Transaction {text} not in mempool."));
        return entry.map(|entry| Arc::clone(entry.transaction())).ok_or_else(missing);
    }
    let parsed = transaction(&text).map(Arc::new);
    parsed.map_err(|_| {
        let text = format!("Transaction decode failed for {text}. Make sure the tx has at least one input.");
        Error::new(Code::Deserialization, text)
    })
}
