//! What the rules may look at around a block: where it stands, and the headers below it.

use yap_chain::block;
use yap_chain::header::tree::{Id, Tree};
use yap_chain::transaction::lock::Ancestors;

use super::{Chainstate, Trust};

/// The headers below one block.
#[derive(Debug)]
pub(super) struct Line<'a> {
    tree: &'a Tree,
    parent: Id,
}

impl Ancestors for Line<'_> {
    fn median_time_past(&self, height: u32) -> u32 {
        // A coin's height is below the block's, so the ancestor exists; the parent's median is the strictest answer.
        let id = self.tree.ancestor(self.parent, height).unwrap_or(self.parent);
        self.tree.median_time_past(id)
    }
}

impl Chainstate {
    /// Where a block stands.
    pub(crate) fn place(&self, id: Id) -> block::Context<'_> {
        let parent = self.tree.parent(id).unwrap_or(id);
        block::Context {
            height: self.tree.height(id),
            median_time_past: self.tree.median_time_past(parent),
            deployments: &self.spec.deployments,
        }
    }

    /// The headers below a block.
    pub(super) fn line(&self, id: Id) -> Line<'_> {
        Line { tree: &self.tree, parent: self.tree.parent(id).unwrap_or(id) }
    }

    /// Whether a block's scripts need not be verified, because somebody the user trusts has done it.
    pub(super) fn is_trusted(&self, id: Id) -> bool {
        match self.trusted {
            Trust::Nobody => false,
            Trust::Spec => self.tree.assumed_valid(id),
            // The user named this block: its age and work are not asked for.
            Trust::Block(hash) => self.tree.get(&hash).is_some_and(|trusted| self.tree.is_ancestor(id, trusted)),
        }
    }
}
