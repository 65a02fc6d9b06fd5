//! What the wallet has, and what happened to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::{Amount, BlockHash, OutPoint, ScriptBuf, SignedAmount, Txid};
use yap_chain::address;
use yap_chain::transaction::Transaction;

use super::{Cache, Wallet};
use crate::keychain::Place;
use crate::ledger::{self, Balance, InBlock, State, Unspent};

/// How a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// A block has it.
    Confirmed(InBlock),
    /// It is in the mempool, and other nodes heard of it.
    Pending,
    /// It is in the mempool, and no peer was connected since: nobody else knows of it.
    Isolated,
    /// Neither a block nor the mempool has it. If it is the wallet's own, it is offered to the mempool again.
    Dropped,
    /// Another transaction of the wallet took its place, and is pending.
    Replaced {
        /// Which.
        by: Txid,
    },
    /// A block has another transaction that spends the same: it will never be confirmed on this branch.
    Conflicted {
        /// Which.
        by: Txid,
        /// Height of the block.
        height: u32,
    },
    /// It was given up.
    Abandoned,
}

/// A transaction that concerns the wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// It.
    pub transaction: Arc<Transaction>,
    /// How it stands.
    pub status: Status,
    /// Unix time at which the wallet learned of it.
    pub received: u64,
    /// What the wallet has more, or less, for it.
    pub amount: SignedAmount,
    /// Its fee, if the wallet pays all of it: all its inputs are the wallet's.
    pub fee: Option<Amount>,
    /// Whether it spends coins of the wallet.
    pub from_me: bool,
    /// Its outputs.
    pub outputs: Vec<Output>,
    /// Whether it may be replaced (BIP-0125 signals it), while it is pending.
    pub replaceable: bool,
    /// Note of the user.
    pub comment: Option<String>,
    /// Who is paid, in the user's words.
    pub to: Option<String>,
    /// The transaction that it took the place of.
    pub replaces: Option<Txid>,
    /// The transaction that took its place.
    pub replaced_by: Option<Txid>,
    /// Other transactions of the wallet that spend the same coins.
    pub conflicts: Vec<Txid>,
}

/// An output of a transaction that concerns the wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its number.
    pub vout: u32,
    /// How much.
    pub amount: Amount,
    /// To which script.
    pub script: ScriptBuf,
    /// The script's address, if it has one.
    pub address: Option<String>,
    /// The script's place among the wallet's own; `None` if it is somebody else's.
    pub place: Option<Place>,
    /// Whether it is change: the wallet's own, of a keychain for change, in a payment that it made.
    pub change: bool,
    /// The script's label.
    pub label: Option<String>,
}

impl Wallet {
    /// Money, by what can be done with it.
    pub fn balance(&mut self) -> Balance {
        self.cached().balance
    }

    /// Every coin that is in a block or in the mempool and not spent, in the order of their outpoints.
    pub fn unspent(&mut self) -> Arc<Vec<Unspent>> {
        Arc::clone(&self.cached().coins)
    }

    /// Counts changes of transactions and coins: while it stays, and the tip too, every answer stays.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.ledger.revision()
    }

    /// Every transaction, in the order in which the wallet learned of them.
    #[must_use]
    pub fn history(&self) -> Vec<Entry> {
        self.ledger.in_order().into_iter().map(|entry| self.view(entry)).collect()
    }

    /// The newest transactions, the newest first: so many after skipping some.
    #[must_use]
    pub fn newest(&self, skip: usize, most: usize) -> Vec<Entry> {
        self.ledger.in_order().into_iter().rev().skip(skip).take(most).map(|entry| self.view(entry)).collect()
    }

    /// One transaction.
    #[must_use]
    pub fn transaction(&self, txid: &Txid) -> Option<Entry> {
        self.ledger.entry(txid).map(|entry| self.view(entry))
    }

    /// Unix time at which the wallet learned of a transaction.
    #[must_use]
    pub fn received_at(&self, txid: &Txid) -> Option<u64> {
        self.ledger.entry(txid).map(|entry| entry.received)
    }

    /// How many transactions concern the wallet.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.ledger.len()
    }

    /// Keeps a coin from being chosen for payments, or lets it go. Says whether that was done: at most
    /// [`MAX_LOCKED`](crate::MAX_LOCKED) coins are kept.
    pub fn lock_coin(&mut self, outpoint: OutPoint, lock: bool) -> bool {
        let done = self.ledger.lock_coin(outpoint, lock);
        if done {
            self.record.locks.push((outpoint, lock));
        }
        done
    }

    /// Coins that are kept from being chosen.
    #[must_use]
    pub fn locked_coins(&self) -> Vec<OutPoint> {
        self.ledger.locked_coins().copied().collect()
    }

    /// The wallet's own output there, spent or not: amount and place.
    #[must_use]
    pub fn own_output(&self, outpoint: &OutPoint) -> Option<(Amount, Place)> {
        self.ledger.own(outpoint).map(|own| (own.amount, own.place))
    }

    /// What the wallet received at each of its scripts: sum, transactions. Only what has so many confirmations; with 0, what
    /// is in the mempool, too. What was mined and can't be spent yet counts with `immature`.
    #[must_use]
    pub fn received(&self, least_confirmations: u32, immature: bool) -> BTreeMap<ScriptBuf, (Amount, Vec<Txid>)> {
        let tip = self.tip().0;
        let mut received: BTreeMap<ScriptBuf, (Amount, Vec<Txid>)> = BTreeMap::new();
        for entry in self.ledger.in_order() {
            let confirmations = match entry.state {
                State::Confirmed(block) => tip.saturating_sub(block.height).saturating_add(1),
                State::Pending => 0,
                State::Waiting | State::Conflicted { .. } | State::Abandoned => continue,
            };
            if confirmations < least_confirmations || (!immature && ledger::is_immature(entry, tip)) {
                continue;
            }
            for output in &entry.transaction.decoded().output {
                if self.scripts.place(&output.script_pubkey).is_some() {
                    let (sum, txids) = received.entry(output.script_pubkey.clone()).or_default();
                    *sum = sum.checked_add(output.value).unwrap_or(*sum);
                    txids.push(entry.transaction.txid());
                }
            }
        }
        received
    }

    /// Height and hash of the block that the wallet believes to be at its tip, and how many confirmations a block there has.
    #[must_use]
    pub fn confirmations(&self, block: &InBlock) -> u32 {
        self.tip().0.saturating_sub(block.height).saturating_add(1)
    }

    /// What the wallet has more, or less, for a transaction.
    pub(super) fn net(&self, txid: &Txid) -> Option<SignedAmount> {
        let (gets, gives, _) = self.sums(&self.ledger.entry(txid)?.transaction);
        Some(signed(gets).checked_sub(signed(gives)).unwrap_or_default())
    }

    /// What the wallet gets and gives, and the fee if all inputs are its own.
    pub(super) fn sums(&self, transaction: &Transaction) -> (Amount, Amount, Option<Amount>) {
        let decoded = transaction.decoded();
        let sum = |amounts: &mut dyn Iterator<Item = Amount>| {
            amounts.fold(Amount::ZERO, |sum, amount| sum.checked_add(amount).unwrap_or(sum))
        };
        let own = decoded.output.iter().filter(|output| self.scripts.place(&output.script_pubkey).is_some());
        let gets = sum(&mut own.map(|output| output.value));
        let spent: Vec<Amount> = decoded
            .input
            .iter()
            .filter_map(|input| self.ledger.own(&input.previous_output))
            .map(|own| own.amount)
            .collect();
        let gives = sum(&mut spent.iter().copied());
        let all = !spent.is_empty() && spent.len() == decoded.input.len();
        let fee = gives.checked_sub(sum(&mut decoded.output.iter().map(|output| output.value)));
        (gets, gives, fee.filter(|_| all))
    }

    fn cached(&mut self) -> &Cache {
        let (revision, tip) = (self.ledger.revision(), self.tip().0);
        if self.cache.as_ref().is_none_or(|cache| (cache.revision, cache.tip) != (revision, tip)) {
            let coins = Arc::new(self.ledger.coins(tip));
            let balance = ledger::balance(&coins);
            self.cache = Some(Cache { revision, tip, coins, balance });
        }
        self.cache.as_ref().expect("it was made just now, if it was not there")
    }

    fn view(&self, entry: &ledger::Entry) -> Entry {
        let transaction = &entry.transaction;
        let (gets, gives, fee) = self.sums(transaction);
        let from_me = self.is_from_me(transaction);
        let outputs = (0..).zip(&transaction.decoded().output).map(|(vout, output)| {
            let place = self.scripts.place(&output.script_pubkey);
            Output {
                vout,
                amount: output.value,
                address: address::encode(&output.script_pubkey, &self.spec.addresses),
                change: from_me && place.is_some_and(|place| place.keychain.change),
                place,
                label: self.labels.get(&output.script_pubkey).cloned(),
                script: output.script_pubkey.clone(),
            }
        });
        Entry {
            status: self.status(entry),
            received: entry.received,
            amount: signed(gets).checked_sub(signed(gives)).unwrap_or_default(),
            fee,
            from_me,
            outputs: outputs.collect(),
            replaceable: transaction.decoded().is_explicitly_rbf(),
            comment: entry.note.comment.clone(),
            to: entry.note.to.clone(),
            replaces: entry.note.replaces,
            replaced_by: entry.note.replaced_by,
            conflicts: self.ledger.rivals(transaction).into_iter().collect(),
            transaction: Arc::clone(transaction),
        }
    }

    fn status(&self, entry: &ledger::Entry) -> Status {
        let isolated = self.alone && self.ledger.is_untold(&entry.transaction.txid());
        match entry.state {
            State::Confirmed(block) => Status::Confirmed(block),
            State::Pending if isolated => Status::Isolated,
            State::Pending => Status::Pending,
            State::Waiting => {
                let rivals = self.ledger.rivals(&entry.transaction);
                let by = rivals
                    .into_iter()
                    .find(|rival| self.ledger.entry(rival).is_some_and(|rival| rival.state == State::Pending));
                by.map_or(Status::Dropped, |by| Status::Replaced { by })
            }
            State::Conflicted { height, by } => Status::Conflicted { by, height },
            State::Abandoned => Status::Abandoned,
        }
    }

    /// Whether a block was taken in, as far as that is still known.
    #[must_use]
    pub fn knows_block(&self, height: u32, hash: &BlockHash) -> bool {
        self.blocks.at_or_below(height) == (height, *hash)
    }
}

fn signed(amount: Amount) -> SignedAmount {
    amount.to_signed().unwrap_or(SignedAmount::MAX_MONEY)
}
