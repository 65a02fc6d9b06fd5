//! How the node stands, where several parts have a word in it.

use yap_api::backend::{Federation, Miner, WalletStanding};

use super::Machine;
use crate::purse;

impl Machine {
    pub(super) fn miner(&self) -> Miner {
        self.mine.miner()
    }

    pub(super) fn wallet_standing(&self) -> Option<WalletStanding> {
        self.wallet.get().as_ref().map(purse::Handle::standing)
    }

    /// On chains of signed blocks, who signs them, and what is irreversible.
    pub(super) fn federation(&self) -> Option<Federation> {
        let chain = self.ledger.chain();
        let producers = chain.producers()?;
        let tree = chain.tree();
        Some(Federation {
            producers: producers.keys().to_vec(),
            place: self.mine.place(),
            irreversible: chain.irreversible().map(|id| (tree.height(id), tree.hash(id))),
        })
    }

    /// Tells the wallet that there is news.
    pub(super) fn nudge_wallet(&self) {
        if let Some(wallet) = self.wallet.get() {
            wallet.nudge();
        }
    }

    /// What the user should know, in words.
    pub(super) fn warnings(&self, clock: Option<i64>) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(offset) = clock {
            warnings.push(format!(
                "this computer's clock differs from that of most peers by {offset} seconds: set it right"
            ));
        }
        if let Some(block) = self.node.irreversible_elsewhere(&self.ledger) {
            let (tree, tip) = (self.ledger.chain().tree(), self.ledger.chain().verified_tip());
            let fork = tree.get(&block.hash).map(|id| tree.fork_point(id, tip));
            let first = fork.and_then(|fork| tree.ancestor(tip, tree.height(fork).saturating_add(1)));
            let leave = first.map(|id| format!("; to follow them: yap rpc invalidateblock {}", tree.hash(id)));
            warnings.push(format!(
                "peers hold block {} at height {} to be irreversible, and this node's chain does not have it{}",
                block.hash,
                block.height,
                leave.unwrap_or_default()
            ));
        }
        warnings
    }
}
