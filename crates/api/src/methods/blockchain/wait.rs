//! Waiting for blocks.

use std::time::Duration;

use bitcoin::BlockHash;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use super::super::types::block_hash;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Longest that a call waits, also where it asks for no limit.
const MOST: Duration = Duration::from_secs(60 * 60);

/// The newest verified block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(in super::super) struct Newest {
    /// Its hash.
    #[schemars(with = "String")]
    pub(in super::super) hash: BlockHash,
    /// Its height.
    pub(in super::super) height: u32,
}

/// The newest verified block now.
pub(in super::super) async fn newest(context: &Context) -> Result<Newest, Error> {
    let newest = context.backend.ask(|view| {
        let (tree, tip) = (view.tree(), view.tip());
        Newest { hash: tree.hash(tip), height: tree.height(tip) }
    });
    Ok(newest.await?)
}

/// Waits until the newest block is one of those that `enough` tells, for so many milliseconds at most.
async fn until(
    context: &Context,
    timeout: Option<i64>,
    enough: impl Fn(Newest) -> bool + Send,
) -> Result<Newest, Error> {
    let timeout = u64::try_from(timeout.unwrap_or(0)).map_err(|_| Error::new(Code::Misc, "Negative timeout"))?;
    let timeout = if timeout == 0 { MOST } else { Duration::from_millis(timeout).min(MOST) };
    let deadline = Instant::now().checked_add(timeout).unwrap_or_else(Instant::now);
    let mut events = context.backend.events();
    loop {
        let now = newest(context).await?;
        if enough(now) {
            return Ok(now);
        }
        match timeout_at(deadline, events.recv()).await {
            // Events that were lost may have been those of blocks, so look again.
            Ok(Ok(_) | Err(RecvError::Lagged(_))) => {}
            Ok(Err(RecvError::Closed)) | Err(_) => return newest(context).await,
        }
    }
}

/// Waits until the newest block is another than now, and gives it; on timeout, the same.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct WaitForNewBlock {
    /// Milliseconds to wait; 0 (as if left out): an hour, which is the most.
    timeout: Option<i64>,
    /// Wait until the newest block is not this one.
    current_tip: Option<String>,
}

impl Method for WaitForNewBlock {
    known_as!("waitfornewblock", Blockchain, Open);
    type Reply = Newest;

    async fn call(self, context: Context) -> Result<Newest, Error> {
        let known = match self.current_tip {
            Some(text) => block_hash(&text, "current_tip")?,
            None => newest(&context).await?.hash,
        };
        until(&context, self.timeout, move |newest| newest.hash != known).await
    }
}

/// Waits until a block is the newest, and gives the newest.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct WaitForBlock {
    /// Its hash.
    blockhash: String,
    /// Milliseconds to wait; 0 (as if left out): an hour, which is the most.
    timeout: Option<i64>,
}

impl Method for WaitForBlock {
    known_as!("waitforblock", Blockchain, Open);
    type Reply = Newest;

    async fn call(self, context: Context) -> Result<Newest, Error> {
        let hash = block_hash(&self.blockhash, "blockhash")?;
        until(&context, self.timeout, move |newest| newest.hash == hash).await
    }
}

/// Waits until the chain has a height, and gives the newest block.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct WaitForBlockHeight {
    /// The height.
    height: i64,
    /// Milliseconds to wait; 0 (as if left out): an hour, which is the most.
    timeout: Option<i64>,
}

impl Method for WaitForBlockHeight {
    known_as!("waitforblockheight", Blockchain, Open);
    type Reply = Newest;

    async fn call(self, context: Context) -> Result<Newest, Error> {
        until(&context, self.timeout, move |newest| i64::from(newest.height) >= self.height).await
    }
}
