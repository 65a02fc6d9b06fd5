//! The block that a mutation changes, while it is filled.

use std::ops::{Deref, DerefMut};

use bitcoin::{Block, OutPoint, Sequence, Transaction};

use crate::builder::{Builder, Coin, Draft, Payment};
use crate::lock::Kind;

/// The block that a mutation changes, while it is filled.
pub(super) struct Plan<'a> {
    pub(super) builder: &'a mut Builder,
    pub(super) draft: Draft,
}

impl Deref for Plan<'_> {
    type Target = Draft;

    fn deref(&self) -> &Draft {
        &self.draft
    }
}

impl DerefMut for Plan<'_> {
    fn deref_mut(&mut self) -> &mut Draft {
        &mut self.draft
    }
}

impl<'a> Plan<'a> {
    pub(super) fn new(builder: &'a mut Builder) -> Self {
        let draft = builder.draft();
        Self { builder, draft }
    }

    /// A payment of one coin of that kind, not spent by the draft yet, to a P2WPKH output, without fee.
    pub(super) fn payment_of(&mut self, kind: Kind) -> Option<Payment> {
        self.payment_where(kind, |_| true)
    }

    /// The same, of a coin that meets a condition.
    pub(super) fn payment_where(&mut self, kind: Kind, wanted: impl Fn(&Coin) -> bool) -> Option<Payment> {
        let draft = &self.draft;
        self.builder.payment_where(kind, |outpoint, coin| wanted(coin) && !draft.spends(outpoint))
    }

    /// A coin of that kind, not spent by the draft yet, that meets a condition.
    pub(super) fn coin_where(&mut self, kind: Kind, wanted: impl Fn(&OutPoint) -> bool) -> Option<(OutPoint, Coin)> {
        let draft = &self.draft;
        self.builder.coin_where(kind, |outpoint, _| wanted(outpoint) && !draft.spends(outpoint))
    }

    /// Puts up to two valid inputs before the payment's only one, and up to two behind it. Gives back where it is now.
    pub(super) fn surround(&mut self, payment: &mut Payment) -> usize {
        const KINDS: [Kind; 4] = [Kind::Wpkh, Kind::TrKey, Kind::PublicKeyHash, Kind::TrScript];
        let counts = [self.builder.random().index(3), self.builder.random().index(3)];
        let mut position = 0;
        for (behind, count) in [false, true].into_iter().zip(counts) {
            for _ in 0..count {
                let kind = KINDS[self.builder.random().index(KINDS.len())];
                let taken: Vec<_> = payment.inputs.iter().map(|(outpoint, _)| *outpoint).collect();
                let Some(other) = self.coin_where(kind, |outpoint| !taken.contains(outpoint)) else { continue };
                let at = if behind { payment.inputs.len() } else { 0 };
                payment.inputs.insert(at, other);
                payment.sequences.insert(at, Sequence::MAX);
                position += usize::from(!behind);
            }
        }
        position
    }

    /// A payment of a coin of some common kind.
    pub(super) fn payment(&mut self) -> Option<Payment> {
        const KINDS: [Kind; 5] = [Kind::Wpkh, Kind::TrKey, Kind::PublicKeyHash, Kind::WshMultisig, Kind::ShWpkh];
        let start = self.builder.random().index(KINDS.len());
        (0..KINDS.len()).find_map(|offset| self.payment_of(KINDS[(start + offset) % KINDS.len()]))
    }

    /// Signs a payment and adds it.
    pub(super) fn pay(&mut self, payment: &Payment) {
        let transaction = self.builder.sign(payment);
        self.draft.push(transaction);
    }

    /// Adds a common payment and gives back where it stands.
    pub(super) fn pay_something(&mut self) -> Option<usize> {
        let payment = self.payment()?;
        self.pay(&payment);
        Some(self.draft.transactions.len() - 1)
    }

    /// Spends a coin, whatever it is, as a payment without fee.
    pub(super) fn payment_from(&mut self, coin: (OutPoint, Coin)) -> Payment {
        let mut payment = Payment::of(vec![coin]);
        payment.outputs = vec![self.builder.output(Kind::Wpkh, payment.value())];
        payment
    }

    /// The last transaction of the draft.
    pub(super) fn last(&mut self) -> &mut Transaction {
        self.draft.transactions.last_mut().expect("a transaction was added before")
    }

    /// Adds up to three random valid transactions.
    pub(super) fn filled(mut self) -> Self {
        for _ in 0..self.builder.random().below(4) {
            self.builder.random_transaction(&mut self.draft);
        }
        self
    }

    /// Commits to everything and solves the header.
    pub(super) fn seal(self) -> Block {
        self.builder.seal(self.draft)
    }

    /// Commits to everything except that `change` comes before the header is solved.
    pub(super) fn seal_with(self, change: impl FnOnce(&mut Block)) -> Block {
        let mut block = self.seal();
        change(&mut block);
        crate::builder::solve(&mut block.header);
        block
    }
}
