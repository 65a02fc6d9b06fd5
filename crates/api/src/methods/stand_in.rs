//! A node that answers what a test tells it to answer, and remembers what it was asked for.

use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard};

use bitcoin::absolute::LockTime;
use bitcoin::bip158::FilterHeader;
use bitcoin::block::Header;
use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::{Amount, BlockHash, CompactTarget, OutPoint, ScriptBuf, TxIn, TxMerkleNode, TxOut, Txid};
use serde_json::Value;
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
use yap_wallet::{Entropy, Key, Kind, Wallet, Words};

use crate::backend::{
    Added, Backend, Ban, Coins, Job, MineError, Mining, MiningOrder, Peer, PeerError, Pending, ReadError, RecordError,
    Standing, Tally, Tested, Traffic, Unavailable, View, WalletJob,
};
use crate::error::Error;
use crate::event::Stamped;
use crate::method::Context;

/// What the node is like, and what it answers.
#[derive(Debug)]
pub(super) struct Scene {
    spec: Arc<Spec>,
    pub(super) standing: Standing,
    pub(super) peers: Vec<Peer>,
    pub(super) added: Vec<Added>,
    pub(super) bans: Vec<Ban>,
    pub(super) traffic: Traffic,
    pub(super) tally: Vec<Tally>,
    pub(super) known: Vec<(String, u64, u64)>,
    /// Whatever is asked of peers.
    pub(super) peer: Result<(), PeerError>,
    /// Whatever is asked of records and topics.
    pub(super) record: Result<Vec<u8>, RecordError>,
    /// What becomes of transactions.
    pub(super) judged: Judged,
    /// What was asked for.
    pub(super) calls: Vec<String>,
    pub(super) stopped: bool,
    /// Whether blocks are signed, and none is mined.
    pub(super) signed: bool,
    pub(super) tree: Tree,
    pub(super) pool: Mempool,
}

/// The node.
#[derive(Debug)]
pub(super) struct StandIn {
    spec: Arc<Spec>,
    scene: Mutex<Scene>,
    wallet: Mutex<Option<Wallet>>,
}

impl StandIn {
    pub(super) fn new() -> Arc<Self> {
        let spec = Arc::new(Spec::local());
        let scene = Scene {
            spec: Arc::clone(&spec),
            standing: Standing::default(),
            peers: Vec::new(),
            added: Vec::new(),
            bans: Vec::new(),
            traffic: Traffic::default(),
            tally: Vec::new(),
            known: Vec::new(),
            peer: Ok(()),
            record: Ok(Vec::new()),
            judged: Judged::Accepted,
            calls: Vec::new(),
            stopped: false,
            signed: false,
            tree: Tree::new(Arc::clone(&spec), 1),
            pool: Mempool::new(Limits::default(), 1),
        };
        Arc::new(Self { spec, scene: Mutex::new(scene), wallet: Mutex::new(None) })
    }

    /// One with a wallet that has these coins, each in a block of its own. The last word of its words is `about`.
    pub(super) fn with_coins(coins: &[u64]) -> Arc<Self> {
        let node = Self::new();
        let words = Words::parse(&format!("{}about", "abandon ".repeat(11)), "").unwrap();
        let genesis = (0, node.spec.genesis.block_hash());
        let mut wallet = Wallet::from_words(&node.spec, words, genesis, &Key::new([7; 32]), (entropy(), NOW));
        for (place, coin) in coins.iter().enumerate() {
            let script = wallet.new_address(Kind::Segwit).unwrap().script;
            let block = block(
                wallet.tip().1,
                u32::try_from(place).unwrap(),
                TxOut { value: Amount::from_sat(*coin), script_pubkey: script },
            );
            wallet.connect(&block).unwrap();
        }
        *node.wallet.lock().unwrap() = Some(wallet);
        node
    }

    /// Looks into the wallet.
    pub(super) fn wallet<T>(&self, look: impl FnOnce(&mut Wallet) -> T) -> T {
        look(self.wallet.lock().unwrap().as_mut().expect("this one has a wallet"))
    }

    pub(super) fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap()
    }

    /// Calls a method as a program would.
    pub(super) fn call(self: &Arc<Self>, method: &str, parameters: Value) -> Result<Value, Error> {
        let methods = Arc::new(super::all());
        let backend: Arc<dyn Backend> = Arc::clone(self) as Arc<dyn Backend>;
        let context = Context { backend, methods: Arc::clone(&methods) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(methods.call(method, parameters, context))
    }

    /// What was asked for since the last time.
    pub(super) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.scene().calls)
    }

    fn note(&self, call: String) {
        self.scene().calls.push(call);
    }

    fn peer(&self, call: String) -> Pending<Result<(), PeerError>> {
        self.note(call);
        now(self.scene().peer.clone())
    }

    fn record<T: Send + 'static>(
        &self,
        call: String,
        answer: impl FnOnce(Vec<u8>) -> T,
    ) -> Pending<Result<T, RecordError>> {
        self.note(call);
        now(self.scene().record.clone().map(answer))
    }

    fn done(&self, call: String) -> Pending<()> {
        self.note(call);
        now(())
    }
}

fn now<T: Send + 'static>(answer: T) -> Pending<T> {
    Box::pin(ready(Ok(answer)))
}

/// When tests take place.
const NOW: u64 = 1_700_000_000;

/// Numbers that nobody needs to guess.
fn entropy() -> Entropy {
    let mut next = 0_u8;
    Box::new(move |buffer| {
        for byte in buffer {
            next = next.wrapping_mul(77).wrapping_add(41);
            *byte = next;
        }
    })
}

/// A block in which somebody pays that output.
fn block(parent: BlockHash, nonce: u32, output: TxOut) -> Block {
    let transaction = |input: TxIn, output: TxOut| bitcoin::Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![input],
        output: vec![output],
    };
    let coin = OutPoint { txid: Txid::from_byte_array([9; 32]), vout: nonce };
    let script = Builder::new().push_int(i64::from(nonce)).push_int(7).into_script();
    let nothing = TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new() };
    let coinbase = transaction(TxIn { script_sig: script, ..TxIn::default() }, nothing);
    let payment = transaction(TxIn { previous_output: coin, ..TxIn::default() }, output);
    let header = Header {
        version: bitcoin::block::Version::TWO,
        prev_blockhash: parent,
        merkle_root: TxMerkleNode::all_zeros(),
        time: u32::try_from(NOW).unwrap().saturating_sub(600),
        bits: CompactTarget::from_consensus(0x207f_ffff),
        nonce,
    };
    Block::parse(serialize(&bitcoin::Block { header, txdata: vec![coinbase, payment] })).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Backend for StandIn {
    fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    fn look(&self, job: Job) -> Result<(), Unavailable> {
        let mut scene = self.scene();
        if scene.stopped {
            return Err(Unavailable::Stopped);
        }
        job(&mut *scene);
        Ok(())
    }

    fn wallet(&self, job: WalletJob) -> Result<(), Unavailable> {
        let mut wallet = self.wallet.lock().unwrap();
        let afterwards = job(wallet.as_mut().ok_or(Unavailable::NoWallet)?);
        afterwards(Ok(()));
        Ok(())
    }

    fn submit(&self, transaction: Arc<Transaction>) -> Pending<Judged> {
        self.note(format!("submit {}", transaction.txid()));
        let judged = self.scene().judged.clone();
        if let (Judged::Accepted, Some(wallet)) = (&judged, self.wallet.lock().unwrap().as_mut()) {
            wallet.pending(&transaction, NOW);
        }
        now(judged)
    }

    fn test(&self, _: Vec<Arc<Transaction>>) -> Pending<Vec<Tested>> {
        now(Vec::new())
    }

    fn verify(&self, _: Vec<verify::Job>) -> Pending<Option<bool>> {
        now(None)
    }

    fn submit_block(&self, _: Arc<Block>) -> Pending<Processed> {
        now(Processed::Failed)
    }

    fn mine(&self, _: MiningOrder) -> Pending<Result<Vec<BlockHash>, MineError>> {
        now(Err(MineError::Busy))
    }

    fn set_mining(&self, mining: Mining) -> Pending<Result<(), MineError>> {
        self.note(format!("set_mining {mining:?}"));
        let mut scene = self.scene();
        if scene.signed {
            return now(Err(MineError::Signed));
        }
        scene.standing.miner.mining = mining;
        now(Ok(()))
    }

    fn add_peer(&self, peer: &str, once: bool) -> Pending<Result<(), PeerError>> {
        self.peer(format!("add_peer {peer} {once}"))
    }

    fn remove_peer(&self, peer: &str) -> Pending<Result<(), PeerError>> {
        self.peer(format!("remove_peer {peer}"))
    }

    fn disconnect(&self, peer: &str) -> Pending<Result<(), PeerError>> {
        self.peer(format!("disconnect {peer}"))
    }

    fn set_ban(&self, target: &str, until: Option<u64>) -> Pending<Result<(), PeerError>> {
        self.peer(format!("set_ban {target} {until:?}"))
    }

    fn ping_peers(&self) -> Pending<()> {
        self.done("ping_peers".to_owned())
    }

    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> Pending<Result<usize, RecordError>> {
        self.record(format!("put {} {}", text(&key), text(&value)), |_| 3)
    }

    fn get(&self, key: Vec<u8>) -> Pending<Result<Vec<u8>, RecordError>> {
        self.record(format!("get {}", text(&key)), |value| value)
    }

    fn withdraw(&self, key: Vec<u8>) -> Pending<Result<(), RecordError>> {
        self.record(format!("withdraw {}", text(&key)), |_| ())
    }

    fn provide(&self, key: Vec<u8>) -> Pending<Result<(), RecordError>> {
        self.record(format!("provide {}", text(&key)), |_| ())
    }

    fn stop_providing(&self, key: Vec<u8>) -> Pending<()> {
        self.done(format!("stop_providing {}", text(&key)))
    }

    fn providers(&self, key: Vec<u8>) -> Pending<Result<Vec<String>, RecordError>> {
        self.record(format!("providers {}", text(&key)), |value| vec![text(&value)])
    }

    fn subscribe(&self, topic: &str) -> Pending<Result<(), RecordError>> {
        self.record(format!("subscribe {topic}"), |_| ())
    }

    fn unsubscribe(&self, topic: &str) -> Pending<()> {
        self.done(format!("unsubscribe {topic}"))
    }

    fn publish(&self, topic: &str, data: Vec<u8>) -> Pending<Result<(), RecordError>> {
        self.record(format!("publish {topic} {}", text(&data)), |_| ())
    }

    fn ping(&self) -> Pending<()> {
        self.done("ping".to_owned())
    }

    fn save_mempool(&self) -> Pending<Result<String, String>> {
        now(Err("there is no disk".to_owned()))
    }

    fn events(&self) -> broadcast::Receiver<Arc<Stamped>> {
        broadcast::Sender::new(1).subscribe()
    }

    fn metrics(&self) -> Pending<String> {
        now(String::new())
    }

    fn stop(&self) {
        self.scene().stopped = true;
    }
}

impl View for Scene {
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
        1_000
    }

    fn pool(&self) -> &Mempool {
        &self.pool
    }

    fn template(&self, _: &Room) -> Option<Template> {
        None
    }

    fn prioritise(&mut self, _: Txid, _: i64) -> Option<i64> {
        None
    }

    fn invalidate(&mut self, _: Id) -> Result<(), ReadError> {
        Ok(())
    }

    fn reconsider(&mut self, _: Id) -> Result<(), ReadError> {
        Ok(())
    }

    fn now(&self) -> u32 {
        u32::try_from(NOW).unwrap()
    }

    fn standing(&self) -> Standing {
        self.standing.clone()
    }

    fn peers(&self) -> Vec<Peer> {
        self.peers.clone()
    }

    fn traffic(&self) -> Traffic {
        self.traffic
    }

    fn tally(&self) -> Vec<Tally> {
        self.tally.clone()
    }

    fn known_addresses(&self, most: usize) -> Vec<(String, u64, u64)> {
        self.known.iter().take(most).cloned().collect()
    }

    fn added_peers(&self) -> Vec<Added> {
        self.added.clone()
    }

    fn bans(&self) -> Vec<Ban> {
        self.bans.clone()
    }
}
