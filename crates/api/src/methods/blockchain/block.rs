//! Headers, blocks and filters.

use std::sync::Arc;

use bitcoin::consensus;
use bitcoin::hex::DisplayHex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_chain::undo::Undo;

use super::super::describe::{Block, Detail, Header};
use super::super::types::{Verbosity, aside, at_height, block_hash, known, unreadable};
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Gives the hash of the block at a height of the best chain.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetBlockHash {
    /// The height.
    height: i64,
}

impl Method for GetBlockHash {
    known_as!("getblockhash", Blockchain, Open);
    type Reply = String;

    async fn call(self, context: Context) -> Result<String, Error> {
        let hash = context.backend.ask(move |view| {
            let id = at_height(view, u32::try_from(self.height).ok()?)?;
            Some(view.tree().hash(id).to_string())
        });
        hash.await?.ok_or_else(|| Error::new(Code::InvalidParameter, "Block height out of range"))
    }
}

/// Gives a block's header.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetBlockHeader {
    /// The block's hash.
    blockhash: String,
    /// Whether to describe it (which is done if left out), or to give its bytes.
    verbose: Option<bool>,
}

/// A header: its bytes in hexadecimal digits, or described.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum HeaderReply {
    /// Its bytes.
    Hex(String),
    /// Described.
    Described(Box<Header>),
}

impl Method for GetBlockHeader {
    known_as!("getblockheader", Blockchain, Open);
    type Reply = HeaderReply;

    async fn call(self, context: Context) -> Result<HeaderReply, Error> {
        let hash = block_hash(&self.blockhash, "hash")?;
        let verbose = self.verbose.unwrap_or(true);
        let header = context.backend.ask(move |view| {
            let id = known(view, &hash)?;
            Ok(match verbose {
                true => HeaderReply::Described(Box::new(Header::of(view, id))),
                false => HeaderReply::Hex(consensus::encode::serialize_hex(&view.tree().header(id))),
            })
        });
        header.await?
    }
}

/// Gives a block.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetBlock {
    /// Its hash.
    blockhash: String,
    /// 0: its bytes; 1 (as if left out): described, with its transactions' ids; 2: with its transactions and what they
    /// pay for; 3: with what they spend, too.
    verbosity: Option<Verbosity>,
}

/// A block: its bytes in hexadecimal digits, or described.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum BlockReply {
    /// Its bytes.
    Hex(String),
    /// Described.
    Described(Box<Block>),
}

impl Method for GetBlock {
    known_as!("getblock", Blockchain, Open);
    const LARGE: bool = true;
    type Reply = BlockReply;

    async fn call(self, context: Context) -> Result<BlockReply, Error> {
        let hash = block_hash(&self.blockhash, "blockhash")?;
        let Verbosity(verbosity) = self.verbosity.unwrap_or(Verbosity(1));
        let (header, block, undo) = context
            .backend
            .ask(move |view| {
                let id = known(view, &hash)?;
                let block = view.block(id).map_err(|error| unreadable(&error))?;
                // A block that never was on the best chain has no undo data: then no fees are told.
                let undo = if verbosity >= 2 { view.undo(id).ok() } else { None };
                Ok::<_, Error>((Header::of(view, id), block, undo))
            })
            .await??;
        let spec = Arc::clone(context.backend.spec());
        aside(move || {
            block.read().map_err(|error| Error::new(Code::Misc, error.to_string()))?;
            if verbosity <= 0 {
                return Ok(BlockReply::Hex(block.bytes().to_lower_hex_string()));
            }
            let detail = if verbosity == 2 { Detail::Fee } else { Detail::Coins };
            let undo = undo.filter(|undo| fits(undo, &block));
            let full = (verbosity >= 2).then_some((undo.as_ref(), detail));
            let header =
                Header { transactions: u32::try_from(block.transactions().len()).unwrap_or(u32::MAX), ..header };
            Ok(BlockReply::Described(Box::new(Block::of(header, &block, full, &spec))))
        })
        .await
    }
}

/// Whether undo data has one list of coins for each transaction but the coinbase.
pub(super) fn fits(undo: &Undo, block: &yap_chain::block::Block) -> bool {
    undo.transactions.len() == block.transactions().len().saturating_sub(1)
}

/// Gives a block's compact filter (BIP-0158).
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetBlockFilter {
    /// The block's hash.
    blockhash: String,
    /// Its kind: `basic` (as if left out).
    filtertype: Option<String>,
}

/// A block's compact filter.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Filter {
    /// Its bytes.
    filter: String,
    /// Its header (BIP-0157).
    header: String,
}

impl Method for GetBlockFilter {
    known_as!("getblockfilter", Blockchain, Open);
    type Reply = Filter;

    async fn call(self, context: Context) -> Result<Filter, Error> {
        let hash = block_hash(&self.blockhash, "blockhash")?;
        if self.filtertype.is_some_and(|kind| kind != "basic") {
            return Err(Error::new(Code::NotFound, "Unknown filtertype"));
        }
        let filter = context.backend.ask(move |view| {
            let id = known(view, &hash)?;
            view.filter(id).map_err(|_| {
                let text = "Filter not found. Block was not connected to active chain.";
                Error::new(Code::NotFound, text)
            })
        });
        let (filter, header) = filter.await??;
        Ok(Filter { filter: filter.to_lower_hex_string(), header: header.to_string() })
    }
}
