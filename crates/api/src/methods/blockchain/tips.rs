//! Branches, and what the user thinks of them.

use bitcoin::BlockHash;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_chain::header::tree::{Id, Status};

use super::super::types::{block_hash, known, unreadable};
use crate::backend::View;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Lists the end of each known branch.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetChainTips {}

/// The end of a branch.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Tip {
    /// Its height.
    height: u32,
    /// Its hash.
    hash: String,
    /// Blocks that are not on the best chain.
    branchlen: u32,
    /// `active`: the best chain; `valid-fork`: verified; `valid-headers`: every block is here; `headers-only`: some are
    /// not; `invalid`: one breaks a rule.
    status: &'static str,
}

impl Method for GetChainTips {
    known_as!("getchaintips", Blockchain, Open);
    type Reply = Vec<Tip>;

    async fn call(self, context: Context) -> Result<Vec<Tip>, Error> {
        Ok(context.backend.ask(|view| tips(view)).await?)
    }
}

fn tips(view: &dyn View) -> Vec<Tip> {
    let (tree, active) = (view.tree(), view.tip());
    let mut ends = tree.tips();
    // The best chain has headers on top while blocks are fetched.
    if !ends.contains(&active) {
        ends.push(active);
    }
    ends.sort_by_key(|id| (std::cmp::Reverse(tree.height(*id)), *id));
    let tips = ends.into_iter().map(|id| Tip {
        height: tree.height(id),
        hash: tree.hash(id).to_string(),
        branchlen: tree.height(id).saturating_sub(tree.height(tree.fork_point(id, active))),
        status: status(view, id),
    });
    tips.collect()
}

fn status(view: &dyn View, id: Id) -> &'static str {
    let tree = view.tree();
    if id == view.tip() {
        return "active";
    }
    if matches!(tree.status(id), Status::Invalid | Status::Descends) {
        return "invalid";
    }
    let fork = tree.fork_point(id, view.tip());
    let mut branch = std::iter::successors(Some(id), |id| tree.parent(*id)).take_while(|id| *id != fork);
    if !branch.all(|id| view.has_block(id) || view.is_pruned(id)) {
        return "headers-only";
    }
    // What was connected once has undo data.
    if view.undo(id).is_ok() { "valid-fork" } else { "valid-headers" }
}

/// Takes a block, and all on top of it, for invalid, as if it broke a rule.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct InvalidateBlock {
    /// Its hash.
    blockhash: String,
}

impl Method for InvalidateBlock {
    known_as!("invalidateblock", Blockchain, Cookie);
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        let hash = block_hash(&self.blockhash, "blockhash")?;
        context.backend.ask(move |view| invalidate(view, &hash)).await?
    }
}

fn invalidate(view: &mut dyn View, hash: &BlockHash) -> Result<(), Error> {
    let id = known(view, hash)?;
    if id == view.tree().genesis() {
        return Err(Error::new(Code::InvalidParameter, "The genesis block can't be invalid"));
    }
    view.invalidate(id).map_err(|error| unreadable(&error))
}

/// Takes back `invalidateblock` for a block, those before it and those on top of it.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ReconsiderBlock {
    /// Its hash.
    blockhash: String,
}

impl Method for ReconsiderBlock {
    known_as!("reconsiderblock", Blockchain, Cookie);
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        let hash = block_hash(&self.blockhash, "blockhash")?;
        let reconsidered = context.backend.ask(move |view| {
            let id = known(view, &hash)?;
            view.reconsider(id).map_err(|error| unreadable(&error))
        });
        reconsidered.await?
    }
}

/// Prefers a block: of branches with as much work, its branch is followed, as if it had come first. A later call for another
/// block takes that back.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PreciousBlock {
    /// Its hash.
    blockhash: String,
}

impl Method for PreciousBlock {
    known_as!("preciousblock", Blockchain, Cookie);
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        let hash = block_hash(&self.blockhash, "blockhash")?;
        let preferred = context.backend.ask(move |view| {
            let id = known(view, &hash)?;
            view.prefer(id).map_err(|error| unreadable(&error))
        });
        preferred.await?
    }
}
