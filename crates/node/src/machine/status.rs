//! How the node stands, where several parts have a word in it.

use yap_api::backend::{Miner, WalletStanding};

use super::Machine;
use crate::purse;

impl Machine {
    pub(super) fn miner(&self) -> Miner {
        self.mine.miner()
    }

    pub(super) fn wallet_standing(&self) -> Option<WalletStanding> {
        self.wallet.get().as_ref().map(purse::Handle::standing)
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
