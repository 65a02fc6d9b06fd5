//! Blocks on demand.

use std::sync::Arc;

use bitcoin::hex::DisplayHex;
use bitcoin::secp256k1::Secp256k1;
use bitcoin::{BlockHash, ScriptBuf, Txid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_chain::address;
use yap_chain::block::{Block, Contents, Draft};
use yap_chain::header::pow;
use yap_chain::spec::Addresses;
use yap_chain::transaction::Transaction;

use super::super::types::{aside, transaction};
use super::super::util::descriptor::Parsed;
use super::propose;
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
        MineError::Refused(reason) => refused(&reason),
        MineError::Signed | MineError::NoWallet | MineError::Busy => Error::new(Code::Misc, error.to_string()),
    })
}

fn refused(reason: &str) -> Error {
    Error::new(Code::Verify, format!("TestBlockValidity failed: {reason}"))
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
    /// Whether the node takes it in; otherwise it is given.
    #[serde(default = "yes")]
    submit: bool,
}

const fn yes() -> bool {
    true
}

/// A block that was mined.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Mined {
    /// Its hash.
    hash: String,
    /// Its bytes, unless the node took it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
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
        let none = || Error::new(Code::Misc, "Failed to make block.");
        if !self.submit {
            let block = found(&context, script, transactions).await?.ok_or_else(none)?;
            return Ok(Mined { hash: block.hash().to_string(), hex: Some(block.bytes().to_lower_hex_string()) });
        }
        let order = MiningOrder { blocks: 1, script: Some(script), tries: TRIES, transactions: Some(transactions) };
        let hashes = mine(&context, order).await?;
        Ok(Mined { hash: hashes.first().ok_or_else(none)?.to_string(), hex: None })
    }
}

/// A valid block on the tip that nobody is told of, if it is found in time.
async fn found(
    context: &Context,
    payout: ScriptBuf,
    transactions: Vec<Arc<Transaction>>,
) -> Result<Option<Block>, Error> {
    let spec = Arc::clone(context.backend.spec());
    if spec.challenge.is_some() {
        return Err(Error::new(
            Code::Misc,
            "blocks of this chain are signed by its producers: only a block that is submitted is signed",
        ));
    }
    // As in Core, what the transactions pay is nobody's.
    let contents = Contents { transactions, payout, ..Contents::default() };
    let draft = context.backend.ask(|view| Draft::new(view.tree(), view.tip(), contents, view.now())).await?;
    let search = move || {
        let mut header = draft.header(0);
        for nonce in (0..u32::MAX).take(usize::try_from(TRIES).unwrap_or(usize::MAX)) {
            header.nonce = nonce;
            if pow::check(&header, &header.block_hash(), &spec.work.limit).is_ok() {
                return Ok(Some(draft.seal(0, header.time, nonce)));
            }
        }
        Ok(None)
    };
    let Some(block) = aside(search).await? else { return Ok(None) };
    match propose::judge(block.clone(), context).await? {
        None => Ok(Some(block)),
        Some(reason) => Err(refused(&reason)),
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
