//! What there is to know of the block that will follow the tip: for transactions that want to be in it.

use yap_chain::bitcoin::BlockHash;
use yap_chain::bitcoin::hashes::Hash;
use yap_chain::verify::Flags;
use yap_store::Store;

use super::Chainstate;
use super::place::Line;

/// The place above the tip, and the coins that a block there may spend.
#[derive(Debug)]
pub(crate) struct Next<'a> {
    /// The tip, whose scripts may still be being verified.
    pub(crate) tip: BlockHash,
    /// One above the tip's.
    pub(crate) height: u32,
    /// The tip's median time past.
    pub(crate) median_time_past: u32,
    /// Script rules of a block there.
    pub(crate) flags: Flags,
    /// The headers up to the tip.
    pub(crate) ancestors: Line<'a>,
    /// The coins as of the tip.
    pub(crate) coins: &'a mut Store,
}

impl Chainstate {
    /// The place above the tip.
    pub(crate) fn next(&mut self) -> Next<'_> {
        let (tree, tip) = (&self.tree, self.tip);
        let height = tree.height(tip).saturating_add(1);
        Next {
            tip: tree.hash(tip),
            height,
            median_time_past: tree.median_time_past(tip),
            // No block whose rules are an exception has this hash.
            flags: self.spec.script_flags(height, &BlockHash::all_zeros()),
            ancestors: Line::up_to(tree, tip),
            coins: &mut self.store,
        }
    }
}
