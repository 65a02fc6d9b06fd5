//! How the node stands, where several parts have a word in it.

use yap_api::backend::{Federation, Miner, WalletStanding};

use super::Machine;
use crate::purse;

impl Machine {
    pub(super) fn miner(&self) -> Miner {
        self.mine.miner()
    }

    pub(super) fn wallet_standing(&self) -> Option<WalletStanding> {
        self.wallet.get().map(purse::Handle::standing)
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
        warnings
    }
}
