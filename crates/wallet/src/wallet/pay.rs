//! Paying.

use std::sync::Arc;

use bitcoin::{ScriptBuf, Txid};
use yap_chain::transaction::Transaction;

use super::options::{Draft, Options, PayError, Payment, Recipient};
use super::{KeyError, Wallet};
use crate::ledger::State;

impl Wallet {
    /// Pays: chooses coins, signs, and notes the payment, which is then to be submitted.
    ///
    /// # Errors
    /// [`PayError`]; the wallet is then as it was.
    pub fn pay(&mut self, recipients: &[Recipient], options: &Options) -> Result<Payment, PayError> {
        if self.is_locked() {
            return Err(KeyError::Locked.into());
        }
        let draft = self.fund(recipients, options)?;
        self.finish(draft, options)
    }

    /// Pays everything that can be spent to one script.
    ///
    /// # Errors
    /// [`PayError`]; the wallet is then as it was.
    pub fn pay_all(&mut self, script: &ScriptBuf, options: &Options) -> Result<Payment, PayError> {
        let (amount, coins) = self.spendable(options)?;
        let recipient = Recipient { script: script.clone(), amount, subtract_fee: true };
        self.pay(&[recipient], &Options { coins, only_coins: true, ..options.clone() })
    }

    /// Signs a draft of its own, and notes it.
    ///
    /// # Errors
    /// [`PayError`]; the wallet is then as it was.
    pub fn finish(&mut self, draft: Draft, options: &Options) -> Result<Payment, PayError> {
        let Draft { mut psbt, fee, change } = draft;
        self.sign(&mut psbt)?;
        let transaction = super::psbt::finished(&mut psbt).ok_or(PayError::Unsigned)?;
        self.commit(&transaction);
        let (comment, to) = (options.comment.clone(), options.to.clone());
        if comment.is_some() || to.is_some() {
            self.ledger.note(transaction.txid(), |note| {
                note.comment = comment;
                note.to = to;
            });
        }
        Ok(Payment { transaction, fee, change })
    }

    /// Notes a transaction that is about to be submitted: its coins are spent no second time. One that does not concern
    /// the wallet is not noted.
    pub fn commit(&mut self, transaction: &Arc<Transaction>) {
        if self.ledger.concerns(transaction, &self.scripts) {
            self.ledger.insert(transaction, self.now, &self.scripts);
            if !self.alone {
                self.ledger.all_told();
            }
            self.mark_outputs(transaction);
        }
    }

    /// Gives up a transaction that neither a block nor the mempool has, with all that spend its outputs: the coins that
    /// they spend are free again. Says whether it was given up.
    ///
    /// To be called for a payment that the mempool refused. One that other nodes may have can still be mined.
    pub fn abandon(&mut self, txid: Txid) -> bool {
        let waits = |wallet: &Self| wallet.ledger.entry(&txid).is_some_and(|entry| entry.state == State::Waiting);
        if waits(self) {
            let replaced = self.ledger.entry(&txid).and_then(|entry| entry.note.replaces);
            self.ledger.abandon(txid);
            if let Some(replaced) = replaced {
                // It did not take the other's place after all.
                self.ledger.note(replaced, |note| note.replaced_by = None);
            }
            return true;
        }
        false
    }
}
