//! Payments that the mempool does not have are offered to it again: at the start, and when it dropped them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::Txid;
use yap_chain::transaction::Transaction;
use yap_wallet::Wallet;

/// Seconds between two offers of one transaction. What the mempool dropped for its fee will not do better at once.
const AGAIN: u64 = 600;

/// Seconds that a new payment has for being submitted by whoever made it.
const NEW: u64 = 60;

/// Offers at once, at most.
const MAX_OFFERS: usize = 100;

/// When each payment was offered.
#[derive(Debug, Default)]
pub(super) struct Offers(BTreeMap<Txid, u64>);

impl Offers {
    /// What is to be offered now; oldest first, so that parents come before children.
    pub(super) fn due(&mut self, wallet: &Wallet, now: u64) -> Vec<Arc<Transaction>> {
        let waiting = wallet.waiting();
        let known = std::mem::take(&mut self.0);
        self.0 = waiting.iter().filter_map(|tx| Some((tx.txid(), *known.get(&tx.txid())?))).collect();
        let is_due = |transaction: &Arc<Transaction>| {
            let offered = self.0.get(&transaction.txid()).copied();
            let received = wallet.received_at(&transaction.txid()).unwrap_or(0);
            let new = received.saturating_add(NEW) > now;
            !new && offered.is_none_or(|at| at.saturating_add(AGAIN) <= now || at > now)
        };
        let due: Vec<_> = waiting.into_iter().filter(is_due).take(MAX_OFFERS).collect();
        self.0.extend(due.iter().map(|transaction| (transaction.txid(), now)));
        due
    }
}
