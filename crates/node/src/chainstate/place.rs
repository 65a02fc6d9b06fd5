//! What the rules may look at around a block: where it stands, and the headers below it.

use yap_chain::bitcoin::BlockHash;
use yap_chain::block;
use yap_chain::header::tree::{Id, Tree};
use yap_chain::spec::Spec;
use yap_chain::transaction::lock::Ancestors;

use super::{Chainstate, Trust};

/// The headers below one block.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    tree: &'a Tree,
    parent: Id,
}

impl<'a> Line<'a> {
    /// The headers up to `tip`: those below its child.
    pub(super) fn up_to(tree: &'a Tree, tip: Id) -> Self {
        Self { tree, parent: tip }
    }

    /// The headers below `id`.
    pub(super) fn below(tree: &'a Tree, id: Id) -> Self {
        Self { tree, parent: tree.parent(id).unwrap_or(id) }
    }
}

impl Ancestors for Line<'_> {
    fn median_time_past(&self, height: u32) -> u32 {
        // A coin's height is below the block's, so the ancestor exists; the parent is the strictest answer if not.
        let ancestor = self.tree.ancestor(self.parent, height).unwrap_or(self.parent);
        self.tree.median_time_past(ancestor)
    }

    fn hash(&self, height: u32) -> Option<BlockHash> {
        self.tree.ancestor(self.parent, height).map(|id| self.tree.hash(id))
    }
}

/// Where a block stands.
pub(super) fn place<'a>(spec: &'a Spec, tree: &Tree, id: Id) -> block::Context<'a> {
    let parent = tree.parent(id).unwrap_or(id);
    block::Context {
        height: tree.height(id),
        median_time_past: tree.median_time_past(parent),
        deployments: &spec.deployments,
    }
}

impl Chainstate {
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
