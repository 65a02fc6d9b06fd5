//! A chain, its mempool, and a wallet that has coins of every kind.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use yap_chain::bitcoin::consensus::serialize;
use yap_chain::bitcoin::{self, Amount, Block, OutPoint};
use yap_chain::mempool::Removed;
use yap_chain::spec::Spec;
use yap_chain::transaction::Transaction;
use yap_node::admission::{Admission, Event, Options};
use yap_node::chainstate::{self, Accepted, Chainstate};
use yap_node::prepare::Prepared;
use yap_protocol::Input;
use yap_protocol::io::{Judged, TipChange};
use yap_sim::builder::{Builder, Coin, Payment};
use yap_sim::lock::Kind;

/// After the times of all blocks, in Unix seconds.
pub(crate) const NOW: u64 = 2_000_000_000;

/// What the usual payment pays for its way.
pub(crate) const FEE: u64 = 10_000;

pub(crate) struct Town {
    pub(crate) builder: Builder,
    pub(crate) chain: Chainstate,
    pub(crate) admission: Admission,
    /// What left the pool, and why.
    pub(crate) removed: Vec<Removed>,
    /// Other events, in their order.
    pub(crate) events: Vec<Event>,
    directory: TempDir,
}

pub(crate) fn options() -> Options {
    Options { threads: 2, ..Options::default() }
}

impl Town {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, options())
    }

    pub(crate) fn with(seed: u64, options: Options) -> Self {
        let mut builder = Builder::regtest(seed);
        builder.prepare(8);
        let directory = tempfile::tempdir().unwrap();
        let settings = chainstate::Options { threads: 1, ..chainstate::Options::default() };
        let mut chain = Chainstate::open(&directory.path().join("chain"), Arc::new(Spec::regtest()), settings).unwrap();
        for block in builder.blocks() {
            process(&mut chain, block);
        }
        chain.settle().unwrap();
        while chain.poll().is_some() {}
        let admission = Admission::new(&chain, options);
        Self { builder, chain, admission, removed: Vec::new(), events: Vec::new(), directory }
    }

    /// Where the pool is saved.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("mempool.dat")
    }

    /// Begins anew with an empty pool, as a program that was started again.
    pub(crate) fn restart(&mut self) {
        self.admission = Admission::new(&self.chain, options());
    }

    /// Hands blocks to the chain, and tells the pool what came of it.
    pub(crate) fn give<'a>(&mut self, blocks: impl IntoIterator<Item = &'a Block>) {
        self.let_connect(blocks);
        self.tell();
    }

    /// Hands blocks to the chain, of which the pool hears nothing yet.
    pub(crate) fn let_connect<'a>(&mut self, blocks: impl IntoIterator<Item = &'a Block>) {
        for block in blocks {
            process(&mut self.chain, block);
        }
        self.chain.settle().unwrap();
    }

    /// Tells the pool what became of the chain, one step at a time.
    pub(crate) fn tell(&mut self) {
        let mut change = TipChange::default();
        while let Some(event) = self.chain.poll() {
            match event {
                chainstate::Event::Connected { hash, .. } => change.connected.push((hash, None)),
                chainstate::Event::Disconnected { hash, .. } => change.disconnected.push(hash),
                other => panic!("{other:?}"),
            }
        }
        self.admission.moved(&mut self.chain, &change, NOW).unwrap();
    }

    /// Mines what the builder makes a block of.
    pub(crate) fn mine(&mut self, transactions: &[bitcoin::Transaction]) {
        let block = self.builder.mine(transactions);
        self.give([&block]);
    }

    /// A coin of that kind that nothing pending spends.
    pub(crate) fn coin(&mut self, kind: Kind) -> (OutPoint, Coin) {
        let Self { builder, admission, .. } = self;
        builder.coin_where(kind, |outpoint, _| admission.pool().spender(outpoint).is_none()).unwrap()
    }

    /// A signed payment of one coin to a P2WPKH output.
    pub(crate) fn pay(&mut self, coin: (OutPoint, Coin), fee: u64) -> bitcoin::Transaction {
        let by_key = coin.1.lock.kind == Kind::TrKey;
        let payment = self.payment(coin, Kind::Wpkh, fee);
        let mut transaction = self.builder.sign(&payment);
        // The wallet adds an annex now and then, which is not standard.
        while by_key && transaction.input[0].witness.len() > 1 {
            transaction = self.builder.sign(&payment);
        }
        transaction
    }

    pub(crate) fn payment(&mut self, coin: (OutPoint, Coin), to: Kind, fee: u64) -> Payment {
        let mut payment = Payment::of(vec![coin]);
        let value = payment.value() - Amount::from_sat(fee);
        payment.outputs = vec![self.builder.output(to, value)];
        payment
    }

    /// A payment of a coin of that kind.
    pub(crate) fn pay_from(&mut self, kind: Kind) -> bitcoin::Transaction {
        let coin = self.coin(kind);
        self.pay(coin, FEE)
    }

    /// The first output of a transaction that no block has, to be spent.
    pub(crate) fn output_of(&self, transaction: &bitcoin::Transaction) -> (OutPoint, Coin) {
        let output = transaction.output[0].clone();
        let lock = self.builder.known_lock(&output.script_pubkey).unwrap();
        let (height, median) = (self.builder.height() + 1, self.builder.median_time());
        (OutPoint::new(transaction.compute_txid(), 0), Coin { output, lock, height, median, coinbase: false })
    }

    /// Offers a transaction, and does not wait.
    pub(crate) fn submit(&mut self, transaction: &bitcoin::Transaction) {
        self.admission.submit(&mut self.chain, read(transaction), None, NOW).unwrap();
    }

    /// Waits until everything is judged. Gives what was, in the order in which it was.
    pub(crate) fn settle(&mut self) -> Vec<(bitcoin::Txid, Judged)> {
        self.admission.settle(&mut self.chain).unwrap();
        let mut judged = Vec::new();
        while let Some(event) = self.admission.poll() {
            match event {
                Event::Judged { ref transaction, .. } => {
                    let txid = transaction.txid();
                    let Some(Input::Judged { outcome, .. }) = event.into_input() else { panic!("no input") };
                    judged.push((txid, outcome));
                }
                Event::Changed { removed, .. } => self.removed.extend(removed),
                other => self.events.push(other),
            }
        }
        judged
    }

    /// Offers a transaction, and waits for what comes of it.
    pub(crate) fn offer(&mut self, transaction: &bitcoin::Transaction) -> Judged {
        self.submit(transaction);
        let mut judged = self.settle();
        assert_eq!(judged.len(), 1, "{judged:?}");
        judged.remove(0).1
    }

    /// Offers a parent and a child together. Gives what comes of each.
    pub(crate) fn offer_pair(&mut self, parent: &bitcoin::Transaction, child: &bitcoin::Transaction) -> [Judged; 2] {
        self.admission.submit(&mut self.chain, read(child), Some(read(parent)), NOW).unwrap();
        let judged = self.settle();
        assert_eq!(judged.len(), 2, "{judged:?}");
        [parent, child].map(|one| judged.iter().find(|(txid, _)| *txid == one.compute_txid()).unwrap().1.clone())
    }

    pub(crate) fn has(&self, transaction: &bitcoin::Transaction) -> bool {
        self.admission.pool().contains(&transaction.compute_wtxid())
    }
}

pub(crate) fn read(transaction: &bitcoin::Transaction) -> Arc<Transaction> {
    Arc::new(Transaction::parse(serialize(transaction)).unwrap())
}

fn process(chain: &mut Chainstate, block: &Block) {
    let block = yap_chain::block::Block::parse(serialize(block)).unwrap();
    let prepared = Prepared::new(block, chain.spec());
    let accepted = chain.process(prepared, u32::try_from(NOW).unwrap()).unwrap();
    assert!(matches!(accepted, Accepted::Stored), "{accepted:?}");
}
