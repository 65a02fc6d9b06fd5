//! A node at which nothing happens but what a test makes happen: the genesis block alone, no peers, no wallet.

mod harness;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bitcoin::bip158::FilterHeader;
use bitcoin::block::Header;
use bitcoin::{BlockHash, OutPoint, Txid};
use tokio::sync::broadcast;
use yap_chain::block::Block;
use yap_chain::coin::Coin;
use yap_chain::header::tree::{Id, Tree};
use yap_chain::mempool::{Limits, Mempool, Room, Template};
use yap_chain::spec::Spec;
use yap_chain::transaction::Transaction;
use yap_chain::undo::Undo;
use yap_chain::{header, verify};
use yap_protocol::io::{Judged, Processed};

use crate::backend::{
    Added, Backend, Ban, Coins, Job, MineError, Mining, MiningOrder, Peer, PeerError, Pending, ReadError, RecordError,
    Standing, Tally, Tested, Traffic, Unavailable, View, WalletJob,
};
use crate::event::{Event, Stamped};

pub(crate) use self::harness::{Answer, Node, answers, closes, gate, open, post, until};

/// Events that a slow reader may lag behind.
pub(crate) const EVENTS: usize = 16;

/// The node.
#[derive(Debug)]
pub(crate) struct Still {
    ledger: Mutex<Ledger>,
    spec: Arc<Spec>,
    events: broadcast::Sender<Arc<Stamped>>,
    told: AtomicUsize,
    /// How often `/ping` was asked.
    pub(crate) pings: AtomicUsize,
    /// Whether it is catching up.
    pub(crate) catching_up: AtomicBool,
    /// Whether it is stopping.
    pub(crate) stopped: AtomicBool,
}

#[derive(Debug)]
struct Ledger {
    spec: Arc<Spec>,
    tree: Tree,
    pool: Mempool,
    standing: Standing,
}

impl Default for Still {
    fn default() -> Self {
        let spec = Arc::new(Spec::local());
        let tree = Tree::new(Arc::clone(&spec), 1);
        let pool = Mempool::new(Limits::default(), 1);
        Self {
            ledger: Mutex::new(Ledger { spec: Arc::clone(&spec), tree, pool, standing: Standing::default() }),
            spec,
            events: broadcast::Sender::new(EVENTS),
            told: AtomicUsize::new(0),
            pings: AtomicUsize::new(0),
            catching_up: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        }
    }
}

impl Still {
    /// Tells an event to whoever listens.
    pub(crate) fn tell(&self, event: Event) {
        let id = (self.told.fetch_add(1, Ordering::SeqCst) as u64).saturating_add(1);
        // Nobody may listen.
        let _ = self.events.send(Arc::new(Stamped { id, time: 1_700_000_000_000, event }));
    }

    /// How many listen to events.
    pub(crate) fn listeners(&self) -> usize {
        self.events.receiver_count()
    }

    fn later<T: Send + 'static>(&self, answer: T) -> Pending<T> {
        let answer = if self.stopped.load(Ordering::SeqCst) { Err(Unavailable::Stopped) } else { Ok(answer) };
        Box::pin(std::future::ready(answer))
    }

    fn never<T: Send + 'static>() -> Pending<T> {
        Box::pin(std::future::ready(Err(Unavailable::Stopped)))
    }
}

impl Backend for Still {
    fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    fn look(&self, job: Job) -> Result<(), Unavailable> {
        if self.stopped.load(Ordering::SeqCst) {
            return Err(Unavailable::Stopped);
        }
        let mut ledger = self.ledger.lock().unwrap();
        ledger.standing.catching_up = self.catching_up.load(Ordering::SeqCst);
        job(&mut *ledger);
        Ok(())
    }

    fn wallet(&self, _: WalletJob) -> Result<(), Unavailable> {
        Err(Unavailable::NoWallet)
    }

    fn submit(&self, _: Arc<Transaction>) -> Pending<Judged> {
        Self::never()
    }

    fn test(&self, _: Vec<Arc<Transaction>>) -> Pending<Vec<Tested>> {
        Self::never()
    }

    fn verify(&self, _: Vec<verify::Job>) -> Pending<Option<bool>> {
        Self::never()
    }

    fn submit_block(&self, _: Arc<Block>) -> Pending<Processed> {
        Self::never()
    }

    fn mine(&self, _: MiningOrder) -> Pending<Result<Vec<BlockHash>, MineError>> {
        self.later(Err(MineError::Busy))
    }

    fn set_mining(&self, _: Mining) -> Pending<Result<(), MineError>> {
        self.later(Ok(()))
    }

    fn add_peer(&self, _: &str, _: bool) -> Pending<Result<(), PeerError>> {
        self.later(Ok(()))
    }

    fn remove_peer(&self, _: &str) -> Pending<Result<(), PeerError>> {
        self.later(Err(PeerError::None))
    }

    fn disconnect(&self, _: &str) -> Pending<Result<(), PeerError>> {
        self.later(Err(PeerError::None))
    }

    fn set_ban(&self, _: &str, _: Option<u64>) -> Pending<Result<(), PeerError>> {
        self.later(Ok(()))
    }

    fn ping_peers(&self) -> Pending<()> {
        self.later(())
    }

    fn put(&self, _: Vec<u8>, _: Vec<u8>) -> Pending<Result<usize, RecordError>> {
        self.later(Err(RecordError::Alone))
    }

    fn get(&self, _: Vec<u8>) -> Pending<Result<Vec<u8>, RecordError>> {
        self.later(Err(RecordError::NotFound))
    }

    fn withdraw(&self, _: Vec<u8>) -> Pending<Result<(), RecordError>> {
        self.later(Ok(()))
    }

    fn provide(&self, _: Vec<u8>) -> Pending<Result<(), RecordError>> {
        self.later(Ok(()))
    }

    fn stop_providing(&self, _: Vec<u8>) -> Pending<()> {
        self.later(())
    }

    fn providers(&self, _: Vec<u8>) -> Pending<Result<Vec<String>, RecordError>> {
        self.later(Ok(Vec::new()))
    }

    fn subscribe(&self, _: &str) -> Pending<Result<(), RecordError>> {
        self.later(Ok(()))
    }

    fn unsubscribe(&self, _: &str) -> Pending<()> {
        self.later(())
    }

    fn publish(&self, _: &str, _: Vec<u8>) -> Pending<Result<(), RecordError>> {
        self.later(Ok(()))
    }

    fn ping(&self) -> Pending<()> {
        self.pings.fetch_add(1, Ordering::SeqCst);
        self.later(())
    }

    fn save_mempool(&self) -> Pending<Result<String, String>> {
        self.later(Err("there is no disk".to_owned()))
    }

    fn events(&self) -> broadcast::Receiver<Arc<Stamped>> {
        self.events.subscribe()
    }

    fn metrics(&self) -> Pending<String> {
        self.later("yap_height 0\n# EOF\n".to_owned())
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }
}

impl View for Ledger {
    fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    fn tree(&self) -> &Tree {
        &self.tree
    }

    fn tip(&self) -> Id {
        self.tree.genesis()
    }

    fn has_block(&self, _: Id) -> bool {
        false
    }

    fn is_pruned(&self, _: Id) -> bool {
        false
    }

    fn transactions(&self, _: Id) -> Option<u32> {
        None
    }

    fn transactions_up_to(&self, _: Id) -> Option<u64> {
        None
    }

    fn accept_header(&mut self, _: &Header) -> Result<(), header::Error> {
        Ok(())
    }

    fn block(&self, _: Id) -> Result<Arc<Block>, ReadError> {
        Err(ReadError::Missing)
    }

    fn undo(&self, _: Id) -> Result<Undo, ReadError> {
        Err(ReadError::Missing)
    }

    fn filter(&mut self, _: Id) -> Result<(Vec<u8>, FilterHeader), ReadError> {
        Err(ReadError::Missing)
    }

    fn coin(&mut self, _: &OutPoint) -> Result<Option<Coin>, ReadError> {
        Ok(None)
    }

    fn coins(&mut self) -> Result<Box<dyn Coins>, ReadError> {
        Err(ReadError::Missing)
    }

    fn size_on_disk(&self) -> u64 {
        0
    }

    fn pool(&self) -> &Mempool {
        &self.pool
    }

    fn template(&self, _: &Room) -> Option<Template> {
        None
    }

    fn prioritise(&mut self, _: Txid, delta: i64) -> Option<i64> {
        Some(delta)
    }

    fn invalidate(&mut self, _: Id) -> Result<(), ReadError> {
        Ok(())
    }

    fn reconsider(&mut self, _: Id) -> Result<(), ReadError> {
        Ok(())
    }

    fn now(&self) -> u32 {
        1_700_000_000
    }

    fn standing(&self) -> Standing {
        self.standing.clone()
    }

    fn peers(&self) -> Vec<Peer> {
        Vec::new()
    }

    fn added_peers(&self) -> Vec<Added> {
        Vec::new()
    }

    fn bans(&self) -> Vec<Ban> {
        Vec::new()
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }

    fn tally(&self) -> Vec<Tally> {
        Vec::new()
    }

    fn known_addresses(&self, _: usize) -> Vec<(String, u64, u64)> {
        Vec::new()
    }
}
