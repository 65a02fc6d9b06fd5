//! Blocks and headers that somebody made.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hex::FromHex;
use bitcoin::{BlockHash, Witness};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};
use yap_chain::block::Block;
use yap_chain::block::witness;
use yap_chain::header::tree::Status;
use yap_protocol::io::Processed;

use super::super::types::{aside, decode};
use crate::backend::View;
use crate::error::{Code, Error};
use crate::event::Event;
use crate::method::{Context, Method};

/// How long a block is waited for that is stored and may become the newest.
const PATIENCE: Duration = Duration::from_secs(120);

/// Submits a block (BIP-0022). Gives nothing if it is the newest now; or why it is not: `duplicate`,
/// `duplicate-invalid`, `inconclusive` if it is no part of the best chain, or the rule that it breaks.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SubmitBlock {
    /// Its bytes in hexadecimal digits.
    hexdata: String,
    /// Without effect, for BIP-0022.
    dummy: Option<String>,
}

/// A block in hexadecimal digits.
pub(super) fn parsed(text: &str) -> Option<Block> {
    let block = Block::parse(Vec::from_hex(text).ok()?).ok()?;
    Some(with_reserved(block))
}

/// The block with the reserved value in its coinbase's witness that the commitment asks for, if it has none: miners may
/// leave it to the node, as with Core's `UpdateUncommittedBlockStructures`.
fn with_reserved(block: Block) -> Block {
    let Some(coinbase) = block.transactions().first() else { return block };
    if coinbase.has_witness() || witness::commitment(coinbase).is_none() {
        return block;
    }
    let Ok(mut decoded) = deserialize::<bitcoin::Block>(block.bytes()) else { return block };
    if let Some(input) = decoded.txdata.first_mut().and_then(|coinbase| coinbase.input.first_mut()) {
        input.witness = Witness::from_slice(&[[0_u8; 32]]);
    }
    Block::parse(serialize(&decoded)).unwrap_or(block)
}

impl Method for SubmitBlock {
    known_as!("submitblock", Mining, Cookie);
    type Reply = Option<String>;

    async fn call(self, context: Context) -> Result<Option<String>, Error> {
        let _ = self.dummy;
        let block = aside(move || {
            parsed(&self.hexdata).ok_or_else(|| Error::new(Code::Deserialization, "Block decode failed"))
        });
        let block = Arc::new(block.await?);
        let hash = block.hash();
        let mut events = context.backend.events();
        match context.backend.submit_block(block).await? {
            Processed::Known => return Ok(Some("duplicate".to_owned())),
            Processed::Invalid { reason, .. } => return Ok(Some(reason.to_owned())),
            Processed::Failed => return Err(Error::new(Code::Verify, "The block could not be judged: see the log")),
            Processed::Stored => {}
        }
        // Its scripts may still be verified.
        let deadline = Instant::now().checked_add(PATIENCE).unwrap_or_else(Instant::now);
        let mut refused = None;
        loop {
            match context.backend.ask(move |view| fate(view, &hash)).await? {
                Fate::Newest => return Ok(None),
                Fate::Invalid => return Ok(Some(refused.unwrap_or_else(|| "rejected".to_owned()))),
                Fate::Aside => return Ok(Some("inconclusive".to_owned())),
                Fate::Open => {}
            }
            match timeout_at(deadline, events.recv()).await {
                Ok(Ok(stamped)) => {
                    if let Event::BlockRefused { hash: other, reason } = &stamped.event
                        && *other == hash
                    {
                        refused = Some(reason.clone());
                    }
                }
                Ok(Err(RecvError::Lagged(_))) => {}
                Ok(Err(RecvError::Closed)) | Err(_) => return Ok(Some("inconclusive".to_owned())),
            }
        }
    }
}

/// What became of a stored block.
enum Fate {
    /// It is on the best chain.
    Newest,
    /// It breaks a rule.
    Invalid,
    /// Another branch has as much work.
    Aside,
    /// It may yet become the newest.
    Open,
}

fn fate(view: &dyn View, hash: &BlockHash) -> Fate {
    let (tree, tip) = (view.tree(), view.tip());
    let Some(id) = tree.get(hash) else { return Fate::Aside };
    if tree.is_ancestor(id, tip) {
        return Fate::Newest;
    }
    match tree.status(id) {
        Status::Valid => {}
        Status::Forked => return Fate::Aside,
        Status::Invalid | Status::Descends => return Fate::Invalid,
    }
    let here = std::iter::successors(Some(id), |id| tree.parent(*id)).take_while(|id| !tree.is_ancestor(*id, tip));
    let whole = here.into_iter().all(|id| view.has_block(id));
    if whole && tree.work(id) > tree.work(tip) { Fate::Open } else { Fate::Aside }
}

/// Submits a header, so that its block is looked for.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SubmitHeader {
    /// Its bytes in hexadecimal digits.
    hexdata: String,
}

impl Method for SubmitHeader {
    known_as!("submitheader", Mining, Cookie);
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        let header: Option<bitcoin::block::Header> = decode(&self.hexdata);
        let header = header.ok_or_else(|| Error::new(Code::Deserialization, "Block header decode failed"))?;
        let accepted = context.backend.ask(move |view| {
            if view.tree().get(&header.prev_blockhash).is_none() {
                let text = format!("Must submit previous header ({}) first", header.prev_blockhash);
                return Err(Error::new(Code::Verify, text));
            }
            view.accept_header(&header).map_err(|error| Error::new(Code::Verify, error.reason()))
        });
        accepted.await?
    }
}
