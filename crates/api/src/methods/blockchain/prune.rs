//! Deleting old blocks to save space.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::types::{at_height, unreadable};
use super::info::lowest_kept;
use crate::backend::View;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Blocks below the tip that are never deleted: what a reorganisation may need (Core's `MIN_BLOCKS_TO_KEEP`).
const KEPT: u32 = 288;

/// Numbers from here on are times (Core's rule).
const TIMES: u64 = 1_000_000_000;

/// Seconds by which a time is taken earlier than it was given, since blocks may come with times that are too late (Core's
/// `TIMESTAMP_WINDOW`).
const WINDOW: u64 = 2 * 60 * 60;

/// Deletes old blocks to save space, if the node was started to do that (`--prune`). They go file by file; the last 288
/// stay.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PruneBlockchain {
    /// Height up to which blocks are deleted; or a Unix time: then blocks that are older by two hours.
    height: i64,
}

impl Method for PruneBlockchain {
    known_as!("pruneblockchain", Blockchain, Cookie);
    type Reply = i64;

    async fn call(self, context: Context) -> Result<i64, Error> {
        context.backend.ask(move |view| prune(view, self.height)).await?
    }
}

/// Gives the height of the newest block that is gone; -1 if none is.
fn prune(view: &mut dyn View, height: i64) -> Result<i64, Error> {
    // Up to the genesis block, which shares its file with others: nothing, but it tells whether blocks are deleted at all.
    if !view.prune(0).map_err(|error| unreadable(&error))? {
        return Err(Error::new(Code::Misc, "Cannot prune blocks because node is not in prune mode."));
    }
    let invalid = |text: &str| Error::new(Code::InvalidParameter, text);
    let height = u64::try_from(height).map_err(|_| invalid("Negative block height."))?;
    let height = match height {
        TIMES.. => u64::from(
            at_time(view, height.saturating_sub(WINDOW))
                .ok_or_else(|| invalid("Could not find block with at least the specified timestamp."))?,
        ),
        0..TIMES => height,
    };
    let tip = view.tree().height(view.tip());
    if tip <= KEPT {
        return Err(Error::new(Code::Misc, "Blockchain is too short for pruning."));
    }
    let height = u32::try_from(height).ok().filter(|height| *height <= tip);
    let height = height.ok_or_else(|| invalid("Blockchain is shorter than the attempted prune height."))?;
    view.prune(height.min(tip.saturating_sub(KEPT))).map_err(|error| unreadable(&error))?;
    let any = at_height(view, 1).is_some_and(|first| view.is_pruned(first));
    Ok(if any { i64::from(lowest_kept(view)).saturating_sub(1) } else { -1 })
}

/// The height of the first block of the best chain whose time is not before `time`. Times are not in order, so every block
/// is looked at: some 10 ms for a million.
fn at_time(view: &dyn View, time: u64) -> Option<u32> {
    let tree = view.tree();
    let chain = std::iter::successors(Some(view.tip()), |id| tree.parent(*id));
    chain.filter(|id| u64::from(tree.time(*id)) >= time).last().map(|id| tree.height(id))
}
