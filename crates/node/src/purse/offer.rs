//! Payments that the mempool does not have are offered to it again: at the start, and when it dropped them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::Txid;
use yap_chain::transaction::Transaction;
use yap_wallet::Wallet;

/// Seconds until a transaction is offered a second time, twice as many until the third, and so on: at the start, blocks with
/// what it spends may still be on their way.
const SOON: u64 = 5;

/// Seconds between two offers of one transaction, at most. What the mempool dropped for its fee will not do better at once.
const AGAIN: u64 = 600;

/// Seconds that a new payment has for being submitted by whoever made it.
const NEW: u64 = 60;

/// Offers at once, at most.
const MAX_OFFERS: usize = 100;

/// When each payment was offered.
#[derive(Debug)]
pub(super) struct Offers {
    /// Only those that wait.
    made: BTreeMap<Txid, Offer>,
    /// When the wallet was started, Unix time: whoever made an earlier payment is gone, and will not submit it.
    started: u64,
}

/// An offer that was made.
#[derive(Clone, Copy, Debug)]
struct Offer {
    /// Unix time.
    at: u64,
    /// Seconds until the next.
    wait: u64,
}

impl Offers {
    /// None so far, of a wallet that is started now.
    pub(super) fn new(started: u64) -> Self {
        Self { made: BTreeMap::new(), started }
    }

    /// What is to be offered now; oldest first, so that parents come before children.
    pub(super) fn due(&mut self, wallet: &Wallet, now: u64) -> Vec<Arc<Transaction>> {
        let waiting = wallet.waiting();
        let known = std::mem::take(&mut self.made);
        self.made = waiting.iter().filter_map(|tx| Some((tx.txid(), *known.get(&tx.txid())?))).collect();
        let is_due = |transaction: &Arc<Transaction>| {
            let txid = transaction.txid();
            let received = wallet.received_at(&txid).unwrap_or(0);
            let new = received > self.started && received <= now && received.saturating_add(NEW) > now;
            let offered = self.made.get(&txid);
            !new && offered.is_none_or(|offer| offer.at.saturating_add(offer.wait) <= now || offer.at > now)
        };
        let due: Vec<_> = waiting.into_iter().filter(is_due).take(MAX_OFFERS).collect();
        for transaction in &due {
            let offer = self.made.entry(transaction.txid()).or_insert(Offer { at: now, wait: 0 });
            let wait = offer.wait.saturating_mul(2).clamp(SOON, AGAIN);
            *offer = Offer { at: now, wait };
        }
        due
    }
}
