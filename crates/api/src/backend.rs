//! What the interface asks of a node, and in which words.
//!
//! Reading goes by [`Backend::look`]: a job that runs where the ledger lives, between two of its steps, so that all it
//! sees belongs together. A job must be short: it takes what it needs (`Arc`s, small copies) and leaves; whatever is
//! long, such as writing a block as JSON, is done outside. Whatever changes something is a method of its own.

mod view;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bitcoin::{BlockHash, ScriptBuf};
use tokio::sync::{broadcast, oneshot};
use yap_chain::block::Block;
use yap_chain::spec::Spec;
use yap_chain::transaction::Transaction;
use yap_chain::verify;
use yap_protocol::io::{Judged, Processed};
use yap_wallet::Wallet;

use crate::event::Stamped;

pub use self::view::{
    Added, Ban, Coins, Federation, Miner, Mining, Peer, Progress, Reach, ReadError, Standing, Tally, Traffic, View,
    WalletStanding,
};

/// What comes later.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, Unavailable>> + Send>>;

/// What runs where the ledger lives.
pub type Job = Box<dyn FnOnce(&mut dyn View) + Send>;

/// What runs where the wallet lives. What it gives back runs once every change is kept on disk, or could not be.
pub type WalletJob = Box<dyn FnOnce(&mut Wallet) -> Afterwards + Send>;

/// See [`WalletJob`].
pub type Afterwards = Box<dyn FnOnce(Result<(), Unavailable>) + Send>;

/// Why a node does not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// It is stopping, or has failed.
    #[error("the node is stopping")]
    Stopped,
    /// Too many requests wait.
    #[error("too many requests wait for the node: try again")]
    Busy,
    /// It has no wallet.
    #[error(
        "this node has no wallet: createwallet makes one and loadwallet loads one that is there; while no node runs, \
         `yap wallet create` makes one, and `yap wallet restore` one from its words"
    )]
    NoWallet,
    /// What the wallet did could not be kept, so it was not done.
    #[error("the wallet can't be written: {0}")]
    NotKept(String),
}

/// A node, as the interface sees it.
pub trait Backend: Send + Sync + std::fmt::Debug + 'static {
    /// The chain's rules.
    fn spec(&self) -> &Arc<Spec>;

    /// Runs a job where the ledger lives.
    ///
    /// # Errors
    /// [`Unavailable`]; the job is then dropped.
    fn look(&self, job: Job) -> Result<(), Unavailable>;

    /// Runs a job where the wallet lives, once the wallet has taken in all that the ledger has told so far, unless it
    /// is far behind ([`WalletStanding::behind`]).
    ///
    /// # Errors
    /// [`Unavailable`]; the job is then dropped.
    fn wallet(&self, job: WalletJob) -> Result<(), Unavailable>;

    /// Makes a wallet with new words, and loads it.
    fn create_wallet(&self) -> Pending<Result<(), WalletError>>;

    /// Loads the wallet that there is.
    fn load_wallet(&self) -> Pending<Result<(), WalletError>>;

    /// Lets go of the wallet: everything is on disk afterwards, and it hears of no more payments until it is loaded again.
    fn unload_wallet(&self) -> Pending<Result<(), WalletError>>;

    /// Whether there is a wallet, loaded or not.
    fn has_wallet(&self) -> Pending<bool>;

    /// Makes a transaction known, once it is judged good.
    fn submit(&self, transaction: Arc<Transaction>) -> Pending<Judged>;

    /// Makes a transaction known together with a parent, which pays too little by itself; gives what became of the parent, and
    /// of itself.
    fn submit_pair(&self, child: Arc<Transaction>, parent: Arc<Transaction>) -> Pending<(Judged, Judged)>;

    /// Judges transactions, each as if those before it were pending; none is kept. At most 25.
    fn test(&self, transactions: Vec<Arc<Transaction>>) -> Pending<Vec<Tested>>;

    /// Whether every script holds, by the engine that verifies blocks; nothing is remembered of it. `None` if that could
    /// not be found out.
    fn verify(&self, jobs: Vec<verify::Job>) -> Pending<Option<bool>>;

    /// Takes in a block, as a miner made it.
    fn submit_block(&self, block: Arc<Block>) -> Pending<Processed>;

    /// Mines so many blocks on the tip, and gives their hashes.
    fn mine(&self, order: MiningOrder) -> Pending<Result<Vec<BlockHash>, MineError>>;

    /// Changes when this node mines by itself.
    fn set_mining(&self, mining: Mining) -> Pending<Result<(), MineError>>;

    /// Keeps a peer connected: `host:port`, a multiaddr, a URL (`ws://host:port`) or a name. With `once`, it is tried one
    /// time.
    fn add_peer(&self, peer: &str, once: bool) -> Pending<Result<(), PeerError>>;

    /// Takes back [`add_peer`](Self::add_peer).
    fn remove_peer(&self, peer: &str) -> Pending<Result<(), PeerError>>;

    /// Parts from a connected peer: the number of its connection, its name, or its address.
    fn disconnect(&self, peer: &str) -> Pending<Result<(), PeerError>>;

    /// Lets somebody in no more until that Unix time, or (`None`) again: the name of a peer, or a host.
    fn set_ban(&self, target: &str, until: Option<u64>) -> Pending<Result<(), PeerError>>;

    /// Pings every peer, to measure how long it takes to answer.
    fn ping_peers(&self) -> Pending<()>;

    /// Stores a value in the peer-to-peer network under a key; gives how many peers hold it.
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> Pending<Result<usize, RecordError>>;

    /// The value of a key, wherever it is kept.
    fn get(&self, key: Vec<u8>) -> Pending<Result<Vec<u8>, RecordError>>;

    /// Takes back [`put`](Self::put).
    fn withdraw(&self, key: Vec<u8>) -> Pending<Result<(), RecordError>>;

    /// Makes known that this node has what a key stands for.
    fn provide(&self, key: Vec<u8>) -> Pending<Result<(), RecordError>>;

    /// Takes back [`provide`](Self::provide).
    fn stop_providing(&self, key: Vec<u8>) -> Pending<()>;

    /// Names of the peers that have what a key stands for.
    fn providers(&self, key: Vec<u8>) -> Pending<Result<Vec<String>, RecordError>>;

    /// Hears what is published under a topic: it comes as [`Event::Message`](crate::event::Event::Message).
    fn subscribe(&self, topic: &str) -> Pending<Result<(), RecordError>>;

    /// Hears no more of a topic.
    fn unsubscribe(&self, topic: &str) -> Pending<()>;

    /// Publishes a message under a topic.
    fn publish(&self, topic: &str, data: Vec<u8>) -> Pending<Result<(), RecordError>>;

    /// Shows that somebody asked `/ping`, here and at every node that can be reached.
    fn ping(&self) -> Pending<()>;

    /// Saves the pending transactions to disk; gives the file.
    fn save_mempool(&self) -> Pending<Result<String, String>>;

    /// What happens from now on. Whoever reads slower than events come loses the oldest.
    fn events(&self) -> broadcast::Receiver<Arc<Stamped>>;

    /// Metrics, in the text format of OpenMetrics.
    fn metrics(&self) -> Pending<String>;

    /// Begins to stop the node.
    fn stop(&self);
}

/// What became of a transaction that was judged as a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// Satoshis that it pays, and virtual bytes that count for its fee rate, if its coins are known.
    pub pays: Option<(u64, u64)>,
    /// What became of it.
    pub judged: Judged,
}

/// Blocks that are to be mined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MiningOrder {
    /// How many.
    pub blocks: u32,
    /// Who gets what they create; the wallet, if it is not said.
    pub script: Option<ScriptBuf>,
    /// Hashes to try at most, all blocks together.
    pub tries: u64,
    /// These transactions, in this order, instead of the best pending ones.
    pub transactions: Option<Vec<Arc<Transaction>>>,
}

/// Why a wallet was not made, loaded or let go of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalletError {
    /// There is one, which is never overwritten.
    #[error("there is a wallet already, and it is never overwritten")]
    Exists,
    /// There is none.
    #[error("there is no wallet")]
    None,
    /// It is loaded.
    #[error("the wallet is loaded already")]
    Loaded,
    /// It is not loaded.
    #[error("the wallet is not loaded")]
    NotLoaded,
    /// Anything else, in words.
    #[error("{0}")]
    Failed(String),
}

/// Why no block was mined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MineError {
    /// Blocks of this chain are signed by its producers, and this node is none.
    #[error(
        "blocks of this chain are signed by its producers, and this node has the key of none: start it where a \
         producer's key is (`yap producer show`), or make a chain that names yours (`yap chain new NAME --producer KEY`)"
    )]
    Signed,
    /// There is no wallet to pay, and no script was given.
    #[error("there is no wallet that could be paid: give an address")]
    NoWallet,
    /// What was mined is not valid.
    #[error("the block was refused: {0}")]
    Refused(String),
    /// Too many orders wait.
    #[error("the miner is busy: try again when it is done")]
    Busy,
}

/// Why a peer was not added or removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// What was given is no address.
    #[error("{0}")]
    Address(String),
    /// It was added before.
    #[error("this peer was added before")]
    Added,
    /// There is none.
    #[error("there is no such peer")]
    None,
    /// There are too many.
    #[error("too many peers were added: remove one first")]
    Full,
}

/// Why records or topics don't work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The network does not know it.
    #[error("nobody has this key")]
    NotFound,
    /// No peer is connected. What was put is kept here, and offered to peers when they come.
    #[error("no peer is connected; it is kept here and offered to peers when they come")]
    Alone,
    /// Anything else, in words.
    #[error("{0}")]
    Refused(String),
}

impl dyn Backend {
    /// Runs a short job where the ledger lives, and gives what it gives.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut dyn View) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (answer, answered) = oneshot::channel();
        self.look(Box::new(move |view| {
            // Whoever asked may have gone.
            let _ = answer.send(job(view));
        }))?;
        answered.await.map_err(|_| Unavailable::Stopped)
    }

    /// Runs a job where the wallet lives, and gives what it gives once every change is on disk.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn with_wallet<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Wallet) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (answer, answered) = oneshot::channel();
        self.wallet(Box::new(move |wallet| {
            let outcome = job(wallet);
            Box::new(move |kept: Result<(), Unavailable>| {
                // Whoever asked may have gone.
                let _ = answer.send(kept.map(|()| outcome));
            })
        }))?;
        answered.await.map_err(|_| Unavailable::Stopped)?
    }
}
