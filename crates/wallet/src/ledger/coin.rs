//! Coins that can be spent, and their sum.

use std::collections::BTreeMap;

use bitcoin::{Amount, OutPoint, Txid};
use yap_chain::transaction::COINBASE_MATURITY;

use super::{Entry, Ledger, MAX_LOCKED, State};
use crate::keychain::Place;

/// Money, by what can be done with it (Bitcoin Core's `getbalances`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// In blocks, and change of own pending payments: it can be spent.
    pub trusted: Amount,
    /// Pending payments of others.
    pub pending: Amount,
    /// Of mined blocks that are too young: the network refuses to spend it yet.
    pub immature: Amount,
}

/// A coin of the wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unspent {
    /// Which.
    pub outpoint: OutPoint,
    /// How much.
    pub amount: Amount,
    /// The address's place among the wallet's own.
    pub place: Place,
    /// Height of its block; `None` while it is pending.
    pub height: Option<u32>,
    /// Whether it is in a block, or is change of an own pending payment: nobody else can take it back.
    pub safe: bool,
    /// Whether it was mined, and is too young to be spent.
    pub immature: bool,
    /// Whether the user keeps it from being spent.
    pub locked: bool,
}

impl Unspent {
    /// Blocks that have it or are on top of the one that does, at this tip.
    #[must_use]
    pub fn confirmations(&self, tip: u32) -> u32 {
        self.height.map_or(0, |height| tip.saturating_sub(height).saturating_add(1))
    }
}

impl Ledger {
    /// Every coin that is in a block or in the mempool, and not spent there; as of a tip of that height.
    pub(crate) fn coins(&self, tip: u32) -> Vec<Unspent> {
        let mut trusted = BTreeMap::new();
        let coin = |outpoint: &OutPoint| {
            let own = self.own.get(outpoint)?;
            let entry = self.entries.get(&outpoint.txid)?;
            if entry.state == State::Waiting {
                return None;
            }
            let height = entry.state.block().map(|block| block.height);
            Some(Unspent {
                outpoint: *outpoint,
                amount: own.amount,
                place: own.place,
                height,
                safe: self.is_trusted(entry, &mut trusted),
                immature: is_immature(entry, tip),
                locked: self.locked.contains(outpoint),
            })
        };
        self.unspent.iter().filter_map(coin).collect()
    }

    /// Whether nobody else can take it back: it is in a block, or spends only own coins of which that holds.
    ///
    /// `known` remembers what was found of others. Chains of pending transactions are short: the mempool bounds them.
    pub(crate) fn is_trusted(&self, entry: &Entry, known: &mut BTreeMap<Txid, bool>) -> bool {
        let mut stack = vec![entry.transaction.txid()];
        while let Some(txid) = stack.last().copied() {
            let Some(entry) = self.entries.get(&txid) else {
                known.insert(txid, false);
                stack.pop();
                continue;
            };
            let verdict = match entry.state {
                State::Confirmed(_) => Some(true),
                State::Waiting | State::Conflicted { .. } | State::Abandoned => Some(false),
                State::Pending => self.parents_trusted(entry, known, &mut stack),
            };
            if let Some(verdict) = verdict {
                known.insert(txid, verdict);
                stack.pop();
            }
        }
        known.get(&entry.transaction.txid()).copied().unwrap_or(false)
    }

    /// `None` if parents were put on the stack that are to be looked at first.
    fn parents_trusted(&self, entry: &Entry, known: &BTreeMap<Txid, bool>, stack: &mut Vec<Txid>) -> Option<bool> {
        let mut verdict = Some(true);
        for input in &entry.transaction.decoded().input {
            if !self.own.contains_key(&input.previous_output) {
                return Some(false);
            }
            match known.get(&input.previous_output.txid) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => {
                    stack.push(input.previous_output.txid);
                    verdict = None;
                }
            }
        }
        verdict
    }

    /// Keeps a coin from being spent, or lets it go. Says whether that was done: at most [`MAX_LOCKED`] are kept.
    pub(crate) fn lock_coin(&mut self, outpoint: OutPoint, lock: bool) -> bool {
        self.revision = self.revision.wrapping_add(1);
        if !lock {
            return self.locked.remove(&outpoint);
        }
        self.locked.len() < MAX_LOCKED && self.locked.insert(outpoint)
    }

    pub(crate) fn locked_coins(&self) -> impl Iterator<Item = &OutPoint> {
        self.locked.iter()
    }
}

/// The sum of coins.
pub(crate) fn balance(coins: &[Unspent]) -> Balance {
    let mut balance = Balance::default();
    for coin in coins {
        let sum = if coin.immature {
            &mut balance.immature
        } else if coin.safe {
            &mut balance.trusted
        } else {
            &mut balance.pending
        };
        // All coins of a chain are below 21 million.
        *sum = sum.checked_add(coin.amount).unwrap_or(*sum);
    }
    balance
}

pub(crate) fn is_immature(entry: &Entry, tip: u32) -> bool {
    // As Bitcoin Core's wallet, one block later than the rule allows: a node that is one behind takes it too.
    let young = |height: u32| tip < height.saturating_add(COINBASE_MATURITY);
    entry.transaction.is_coinbase() && entry.state.block().is_some_and(|block| young(block.height))
}
