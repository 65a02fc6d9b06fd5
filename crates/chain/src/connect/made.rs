//! Outputs that a block's own transactions make, so that later ones can spend them before any set knows them.

use bitcoin::{OutPoint, Script, TxOut, Txid};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::coin::Coin;
use crate::transaction::Transaction;

/// Scripts that are longer can't be executed.
const MAX_SCRIPT_SIZE: usize = 10_000;

/// `OP_RETURN`, which ends any script that reaches it in failure.
const OP_RETURN: u8 = 0x6a;

/// Whether nobody can ever spend an output with this script, so that it never enters the set.
#[must_use]
pub fn is_unspendable(script: &Script) -> bool {
    script.len() > MAX_SCRIPT_SIZE || script.as_bytes().first() == Some(&OP_RETURN)
}

/// Outputs of the first transactions of a block, and which of them are gone.
pub(super) struct Made<'a> {
    transactions: &'a [Transaction],
    height: u32,
    /// One entry per transaction, not per output. Miners choose ids, so the hasher has a seed that they don't know.
    entries: HashMap<Txid, Entry, FixedState>,
    /// Per output of the transactions added, in order, whether it is spent or unspendable.
    gone: Vec<bool>,
    added: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    transaction: usize,
    /// Where its outputs begin in `gone`.
    start: usize,
}

/// Where an output is found.
pub(super) enum Found {
    /// In this block, unspent until now.
    Here(Coin),
    /// Nowhere: this block made the transaction, but it has no such output, or not any longer.
    Nowhere,
    /// Perhaps in the set.
    Elsewhere,
}

impl<'a> Made<'a> {
    pub(super) fn new(transactions: &'a [Transaction], height: u32, seed: u64) -> Self {
        let outputs = transactions.iter().map(|transaction| transaction.decoded().output.len());
        Self {
            transactions,
            height,
            entries: HashMap::with_capacity_and_hasher(transactions.len(), FixedState::with_seed(seed)),
            gone: Vec::with_capacity(outputs.fold(0, usize::saturating_add)),
            added: 0,
        }
    }

    /// Adds the outputs of the block's next transaction.
    pub(super) fn add_next(&mut self) {
        let Some(transaction) = self.transactions.get(self.added) else { return };
        self.entries.insert(transaction.txid(), Entry { transaction: self.added, start: self.gone.len() });
        self.gone.extend(transaction.decoded().output.iter().map(|output| is_unspendable(&output.script_pubkey)));
        self.added = self.added.saturating_add(1);
    }

    /// Spends an output if it was made here.
    pub(super) fn take(&mut self, outpoint: &OutPoint) -> Found {
        let Some(Entry { transaction, start }) = self.entries.get(&outpoint.txid).copied() else {
            return Found::Elsewhere;
        };
        let transaction = self.transactions.get(transaction);
        let vout = usize::try_from(outpoint.vout).unwrap_or(usize::MAX);
        let output = transaction.and_then(|transaction| transaction.decoded().output.get(vout).zip(Some(transaction)));
        match (output, self.gone.get_mut(start.saturating_add(vout))) {
            (Some((output, transaction)), Some(gone @ false)) => {
                *gone = true;
                Found::Here(coin(output, self.height, transaction))
            }
            _ => Found::Nowhere,
        }
    }

    /// Outpoints of what is left, in the block's order.
    pub(super) fn left(&self) -> impl Iterator<Item = (OutPoint, &'a Transaction, &'a TxOut)> {
        let outputs = self.transactions.iter().take(self.added).flat_map(|transaction| {
            let outputs = (0_u32..).zip(&transaction.decoded().output);
            outputs.map(move |(vout, output)| (OutPoint { txid: transaction.txid(), vout }, transaction, output))
        });
        outputs.zip(&self.gone).filter(|(_, gone)| !**gone).map(|(output, _)| output)
    }

    /// How many are left.
    pub(super) fn left_count(&self) -> usize {
        self.gone.iter().filter(|gone| !**gone).count()
    }
}

/// The coin that an output of a block at `height` becomes.
pub(super) fn coin(output: &TxOut, height: u32, transaction: &Transaction) -> Coin {
    Coin::new(output.value, &output.script_pubkey, height, transaction.is_coinbase())
}
