//! A node for tests: the simulator's ledger with real rules and scripts, and no peers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bitcoin::bip158::FilterHeader;
use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash, OutPoint, ScriptBuf, Sequence, TxIn, TxOut, Txid, Witness};
use serde_json::Value;
use tokio::sync::broadcast;
use yap_api::backend::*;
use yap_api::event::{Event, Stamped};
use yap_api::{Context, Error, Methods, methods};
use yap_chain::block::Block;
use yap_chain::coin::{Coin, codec};
use yap_chain::connect::is_unspendable;
use yap_chain::filter;
use yap_chain::header;
use yap_chain::header::tree::{Id, Tree};
use yap_chain::mempool::{Mempool, Place, Refusal, Room, Template};
use yap_chain::spec::Spec;
use yap_chain::transaction::Transaction;
use yap_chain::transaction::lock::Ancestors;
use yap_chain::undo::Undo;
use yap_chain::utxo::{Hashes, Stats, Totals};
use yap_chain::verify;
use yap_protocol::Ledger as _;
use yap_protocol::io::{Judged, Processed};
use yap_sim::network::Solo;
use yap_sim::network::forge::Draft;

/// What anyone can spend: `OP_TRUE` as a witness script.
pub(crate) fn anyone() -> ScriptBuf {
    ScriptBuf::from_bytes(vec![0x51]).to_p2wsh()
}

/// Its address.
pub(crate) fn anyone_s_address() -> String {
    yap_chain::address::encode(&anyone(), &Spec::regtest().addresses).unwrap()
}

pub(crate) struct State {
    solo: Solo,
    /// Of each block that was connected.
    undo: BTreeMap<BlockHash, Undo>,
    filters: BTreeMap<BlockHash, (Vec<u8>, FilterHeader)>,
    coins: BTreeMap<[u8; codec::KEY_SIZE], (OutPoint, Coin)>,
    priorities: BTreeMap<Txid, i64>,
    /// What the user thinks of blocks, in the order in which it was said.
    pub(crate) opinions: Vec<(BlockHash, bool)>,
    /// Blocks that were named as the ones to be followed.
    pub(crate) preferred: Vec<BlockHash>,
    pub(crate) pruned: Vec<Id>,
    /// Whether it deletes blocks.
    pub(crate) prunes: bool,
    pub(crate) catching_up: bool,
    told: u64,
    salt: u64,
}

/// A node for tests.
pub(crate) struct Node {
    spec: Arc<Spec>,
    state: Mutex<State>,
    events: broadcast::Sender<Arc<Stamped>>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}

fn later<T: Send + 'static>(value: T) -> Pending<T> {
    Box::pin(async move { Ok(value) })
}

/// Methods of [`Backend`] for what this node does not have: they answer as one that has stopped.
macro_rules! never {
    ($($name:ident($($parameter:ty),*) -> $reply:ty;)*) => {$(
        fn $name(&self, $(_: $parameter),*) -> Pending<$reply> {
            Box::pin(async { Err(Unavailable::Stopped) })
        }
    )*};
}

impl Node {
    /// The genesis block of regtest alone.
    pub(crate) fn new() -> Arc<Self> {
        let spec = Arc::new(Spec::regtest());
        let solo = Solo::new(Arc::clone(&spec), 1);
        let state = State {
            solo,
            undo: BTreeMap::new(),
            filters: BTreeMap::new(),
            coins: BTreeMap::new(),
            priorities: BTreeMap::new(),
            opinions: Vec::new(),
            preferred: Vec::new(),
            pruned: Vec::new(),
            prunes: false,
            catching_up: false,
            told: 0,
            salt: 0,
        };
        let node = Self { spec: Arc::clone(&spec), state: Mutex::new(state), events: broadcast::channel(64).0 };
        let genesis = Block::parse(bitcoin::consensus::serialize(&spec.genesis)).unwrap();
        node.state().connect(&genesis);
        Arc::new(node)
    }

    /// The 160 blocks of `vectors/regtest-160.blk`, which Bitcoin Core made.
    pub(crate) fn core() -> Arc<Self> {
        let node = Self::new();
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/regtest-160.blk");
        for block in yap_sim::blk::blocks(&std::fs::read(file).unwrap(), node.spec.magic) {
            let block = Arc::new(Block::parse(block.to_vec()).unwrap());
            assert_eq!(node.process(&block), Processed::Stored);
        }
        node
    }

    /// So many blocks that anyone can spend.
    pub(crate) fn mined(blocks: u32) -> Arc<Self> {
        let node = Self::new();
        for _ in 0..blocks {
            node.mine_one(&anyone(), None).unwrap();
        }
        node
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn context(self: &Arc<Self>) -> Context {
        let backend: Arc<dyn Backend> = Arc::clone(self) as Arc<dyn Backend>;
        Context { backend, methods: Arc::new(methods::all()) }
    }

    /// Calls a method with parameters by position.
    pub(crate) fn call(self: &Arc<Self>, name: &str, parameters: Value) -> Result<Value, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let context = self.context();
        let table: Arc<Methods> = Arc::clone(&context.methods);
        runtime.block_on(async move { table.call(name, parameters, context).await })
    }

    /// Calls a method that answers.
    #[track_caller]
    pub(crate) fn ask(self: &Arc<Self>, name: &str, parameters: Value) -> Value {
        self.call(name, parameters).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Calls a method that refuses: its code and message.
    #[track_caller]
    pub(crate) fn refusal(self: &Arc<Self>, name: &str, parameters: Value) -> (i32, String) {
        match self.call(name, parameters) {
            Ok(reply) => panic!("{name} answered {reply}"),
            Err(error) => (error.code as i32, error.message),
        }
    }

    pub(crate) fn tell(&self, event: Event) {
        let mut state = self.state();
        state.told += 1;
        // Nobody may listen.
        let _ = self.events.send(Arc::new(Stamped { id: state.told, time: 0, event }));
    }

    pub(crate) fn process(&self, block: &Arc<Block>) -> Processed {
        let step = {
            let mut state = self.state();
            let now = block.header().time;
            let step = state.solo.process(block, now);
            if let Some(change) = &step.tip {
                if !change.disconnected.is_empty() {
                    state.rebuild();
                } else {
                    change.connected.iter().for_each(|(_, block)| state.connect(block.as_ref().unwrap()));
                }
            }
            step
        };
        for (hash, block) in step.tip.iter().flat_map(|change| &change.connected) {
            let transactions = block.as_ref().map_or(0, |block| block.transactions().len() as u32);
            self.tell(Event::BlockConnected { hash: *hash, height: 0, transactions });
        }
        step.outcome
    }

    /// A block on the tip with these transactions, or with what waits.
    pub(crate) fn draft(&self, script: &ScriptBuf, wanted: Option<Vec<Arc<Transaction>>>) -> Block {
        let mut state = self.state();
        state.salt += 1;
        let ledger = state.solo.ledger();
        let (transactions, fees) = match wanted {
            Some(list) => {
                let fee = |transaction: &Arc<Transaction>| {
                    let spent = transaction.decoded().input.iter().map(|input| input.previous_output);
                    let spent: Amount =
                        spent.filter_map(|outpoint| state.solo.unspent(&outpoint)).map(|c| c.value).sum();
                    let paid: Amount = transaction.decoded().output.iter().map(|output| output.value).sum();
                    spent.checked_sub(paid).unwrap_or(Amount::ZERO)
                };
                let fees = list.iter().map(fee).sum();
                (list, fees)
            }
            None => ledger.pool().template(ledger.height() + 1, state.solo.median()),
        };
        let payout = [script.clone()];
        let draft = Draft { transactions: &transactions, payout: &payout, fees, time: 0, salt: state.salt };
        state.solo.seal(&draft)
    }

    fn mine_one(&self, script: &ScriptBuf, wanted: Option<Vec<Arc<Transaction>>>) -> Result<BlockHash, MineError> {
        let block = Arc::new(self.draft(script, wanted));
        match self.process(&block) {
            Processed::Stored => Ok(block.hash()),
            Processed::Invalid { reason, .. } => Err(MineError::Refused(reason.to_owned())),
            Processed::Known | Processed::Failed => Err(MineError::Busy),
        }
    }

    /// The block at a height of the best chain.
    pub(crate) fn block_at(&self, height: u32) -> Arc<Block> {
        let state = self.state();
        let id = state.tree().ancestor(state.tip(), height).unwrap();
        state.block(id).unwrap()
    }

    /// A transaction that spends the coinbase at a height of a chain that anyone can spend, with this fee.
    pub(crate) fn spend(&self, height: u32, fee: u64) -> Transaction {
        let coinbase = self.block_at(height).transactions()[0].clone();
        spend(&[(coinbase.txid(), 0, coinbase.decoded().output[0].value)], fee, 1)
    }
}

/// A transaction that spends what anyone can, with this fee, into so many outputs that anyone can spend.
pub(crate) fn spend(coins: &[(Txid, u32, Amount)], fee: u64, outputs: u64) -> Transaction {
    let input = coins.iter().map(|(txid, vout, _)| TxIn {
        previous_output: OutPoint { txid: *txid, vout: *vout },
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::from_slice(&[[0x51]]),
    });
    let value: Amount = coins.iter().map(|(_, _, value)| *value).sum();
    let share = (value - Amount::from_sat(fee)) / outputs;
    let transaction = bitcoin::Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: input.collect(),
        output: (0..outputs).map(|_| TxOut { value: share, script_pubkey: anyone() }).collect(),
    };
    Transaction::parse(bitcoin::consensus::serialize(&transaction)).unwrap()
}

/// The bytes of a transaction in hexadecimal digits.
pub(crate) fn hex(transaction: &Transaction) -> String {
    bitcoin::hex::DisplayHex::to_lower_hex_string(transaction.raw().as_slice())
}

impl State {
    fn connect(&mut self, block: &Block) {
        let mut undo = Undo::default();
        let height = self.tree().get(&block.hash()).map_or(0, |id| self.tree().height(id));
        for transaction in block.transactions() {
            if !transaction.is_coinbase() {
                let spent = transaction.decoded().input.iter().map(|input| {
                    let key = codec::key(&input.previous_output);
                    self.coins.remove(&key).unwrap().1
                });
                undo.transactions.push(spent.collect());
            }
            for (vout, output) in transaction.decoded().output.iter().enumerate() {
                if height > 0 && !is_unspendable(&output.script_pubkey) {
                    let outpoint = OutPoint { txid: transaction.txid(), vout: vout as u32 };
                    let coin = Coin::new(output.value, &output.script_pubkey, height, transaction.is_coinbase());
                    self.coins.insert(codec::key(&outpoint), (outpoint, coin));
                }
            }
        }
        let filter = filter::basic(block, &undo);
        let before = self.filters.get(&block.header().prev_blockhash);
        let before = before.map_or_else(FilterHeader::all_zeros, |(_, header)| *header);
        let header = filter::header(filter.hash(), before);
        self.filters.insert(block.hash(), (filter.into_bytes(), header));
        self.undo.insert(block.hash(), undo);
    }

    fn rebuild(&mut self) {
        self.coins.clear();
        let (tree, tip) = (self.tree(), self.tip());
        let chain: Vec<Id> = (0..=tree.height(tip)).filter_map(|height| tree.ancestor(tip, height)).collect();
        for id in chain {
            let block = self.block(id).unwrap();
            self.connect(&block);
        }
    }
}

struct Line<'a>(&'a Tree, Id);

impl Ancestors for Line<'_> {
    fn median_time_past(&self, height: u32) -> u32 {
        self.0.median_time_past(self.0.ancestor(self.1, height).unwrap())
    }

    fn hash(&self, height: u32) -> Option<BlockHash> {
        self.0.ancestor(self.1, height).map(|id| self.0.hash(id))
    }
}

struct All(BlockHash, Vec<(OutPoint, Coin)>);

impl Coins for All {
    fn tip(&self) -> BlockHash {
        self.0
    }

    fn totals(&mut self, hashes: Hashes, _: &dyn Fn() -> bool) -> Result<Option<Totals>, ReadError> {
        let mut stats = Stats::new(hashes);
        self.1.iter().for_each(|(outpoint, coin)| stats.add(outpoint, coin).unwrap());
        Ok(Some(stats.finish()))
    }

    fn each(&mut self, visit: &mut dyn FnMut(&OutPoint, &Coin) -> bool) -> Result<(), ReadError> {
        self.1.iter().all(|(outpoint, coin)| visit(outpoint, coin));
        Ok(())
    }
}

impl View for State {
    fn spec(&self) -> &Arc<Spec> {
        static SPEC: std::sync::LazyLock<Arc<Spec>> = std::sync::LazyLock::new(|| Arc::new(Spec::regtest()));
        &SPEC
    }

    fn tree(&self) -> &Tree {
        self.solo.ledger().tree()
    }

    fn tip(&self) -> Id {
        self.solo.ledger().tip()
    }

    fn has_block(&self, id: Id) -> bool {
        self.solo.ledger().has_block(id) && !self.is_pruned(id)
    }

    fn is_pruned(&self, id: Id) -> bool {
        self.pruned.contains(&id)
    }

    fn transactions(&self, id: Id) -> Option<u32> {
        self.solo.read(&self.tree().hash(id)).map(|block| block.transactions().len() as u32)
    }

    fn transactions_up_to(&self, id: Id) -> Option<u64> {
        let chain = std::iter::successors(Some(id), |id| self.tree().parent(*id));
        chain.map(|id| self.transactions(id).map(u64::from)).sum()
    }

    fn accept_header(&mut self, header: &Header) -> Result<(), header::Error> {
        let now = header.time;
        self.solo.ledger_mut().accept_header(header, now).map(|_| ())
    }

    fn block(&self, id: Id) -> Result<Arc<Block>, ReadError> {
        if self.is_pruned(id) {
            return Err(ReadError::Pruned);
        }
        self.solo.read(&self.tree().hash(id)).ok_or(ReadError::Missing)
    }

    fn undo(&self, id: Id) -> Result<Undo, ReadError> {
        self.undo.get(&self.tree().hash(id)).cloned().ok_or(ReadError::Missing)
    }

    fn filter(&mut self, id: Id) -> Result<(Vec<u8>, FilterHeader), ReadError> {
        self.filters.get(&self.tree().hash(id)).cloned().ok_or(ReadError::Missing)
    }

    fn coin(&mut self, outpoint: &OutPoint) -> Result<Option<Coin>, ReadError> {
        Ok(self.coins.get(&codec::key(outpoint)).map(|(_, coin)| coin.clone()))
    }

    fn coins(&mut self) -> Result<Box<dyn Coins>, ReadError> {
        Ok(Box::new(All(self.tree().hash(self.tip()), self.coins.values().cloned().collect())))
    }

    fn size_on_disk(&self) -> u64 {
        12_345
    }

    fn coin_memory(&self) -> (u64, u64) {
        (64 << 20, 8 << 20)
    }

    fn pool(&self) -> &Mempool {
        self.solo.ledger().pool().mempool()
    }

    fn template(&self, room: &Room) -> Option<Template> {
        Some(self.pool().template(room))
    }

    fn prioritise(&mut self, txid: Txid, delta: i64) -> Option<i64> {
        let sum = self.priorities.entry(txid).or_default();
        *sum += delta;
        Some(*sum)
    }

    fn invalidate(&mut self, id: Id) -> Result<(), ReadError> {
        let hash = self.tree().hash(id);
        self.opinions.push((hash, false));
        Ok(())
    }

    fn reconsider(&mut self, id: Id) -> Result<(), ReadError> {
        let hash = self.tree().hash(id);
        self.opinions.push((hash, true));
        Ok(())
    }

    fn prefer(&mut self, id: Id) -> Result<(), ReadError> {
        let hash = self.tree().hash(id);
        self.preferred.push(hash);
        Ok(())
    }

    fn prune(&mut self, height: u32) -> Result<bool, ReadError> {
        if self.prunes {
            let tip = self.tip();
            self.pruned = (1..=height).map(|height| self.tree().ancestor(tip, height).unwrap()).collect();
        }
        Ok(self.prunes)
    }

    fn now(&self) -> u32 {
        self.tree().time(self.tip()) + 600
    }

    fn standing(&self) -> Standing {
        Standing { catching_up: self.catching_up, ..Standing::default() }
    }

    fn peers(&self) -> Vec<Peer> {
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

    fn added_peers(&self) -> Vec<Added> {
        Vec::new()
    }

    fn bans(&self) -> Vec<Ban> {
        Vec::new()
    }
}

impl Node {
    fn judge_as_trial(&self, transaction: &Arc<Transaction>) -> Tested {
        let state = self.state();
        let (tree, tip) = (state.tree(), state.tip());
        let coins = |outpoint: &OutPoint| state.coins.get(&codec::key(outpoint)).map(|(_, coin)| coin.clone());
        let place = Place {
            height: tree.height(tip) + 1,
            median_time_past: tree.median_time_past(tip),
            ancestors: &Line(tree, tip),
            flags: self.spec.script_flags(tree.height(tip) + 1, &BlockHash::all_zeros()),
        };
        match state.pool().check(transaction, &coins, &place, state.now().into()) {
            Ok(candidate) => {
                let pays = Some((candidate.fee().to_sat(), candidate.vsize()));
                Tested { pays, judged: Judged::Accepted }
            }
            Err(Refusal::MissingInputs(missing)) => {
                Tested { pays: None, judged: Judged::MissingInputs(missing.to_vec()) }
            }
            Err(Refusal::Present) => Tested { pays: None, judged: Judged::Known },
            Err(refusal) => {
                let judged = Judged::Policy { reason: refusal.reason(), witness: false };
                Tested { pays: None, judged }
            }
        }
    }
}

impl Backend for Node {
    fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    fn look(&self, job: Job) -> Result<(), Unavailable> {
        job(&mut *self.state());
        Ok(())
    }

    fn wallet(&self, _: WalletJob) -> Result<(), Unavailable> {
        Err(Unavailable::NoWallet)
    }

    fn submit(&self, transaction: Arc<Transaction>) -> Pending<Judged> {
        let mut state = self.state();
        let now = state.now();
        let (mut judged, _) = state.solo.judge(&transaction, None, now);
        later(judged.remove(0).1)
    }

    fn submit_pair(&self, child: Arc<Transaction>, parent: Arc<Transaction>) -> Pending<(Judged, Judged)> {
        let mut state = self.state();
        let now = state.now();
        let (judged, _) = state.solo.judge(&child, Some(&parent), now);
        let of = |one: &Transaction| judged.iter().find(|(wtxid, _)| *wtxid == one.wtxid()).unwrap().1.clone();
        later((of(&parent), of(&child)))
    }

    fn test(&self, transactions: Vec<Arc<Transaction>>) -> Pending<Vec<Tested>> {
        later(transactions.iter().map(|transaction| self.judge_as_trial(transaction)).collect())
    }

    fn verify(&self, jobs: Vec<verify::Job>) -> Pending<Option<bool>> {
        let engine = yap_script::Kernel::new();
        later(Some(jobs.iter().all(|job| yap_script::check(&engine, job).is_ok())))
    }

    fn submit_block(&self, block: Arc<Block>) -> Pending<Processed> {
        later(self.process(&block))
    }

    fn mine(&self, order: MiningOrder) -> Pending<Result<Vec<BlockHash>, MineError>> {
        let Some(script) = order.script else { return later(Err(MineError::NoWallet)) };
        let mined = (0..order.blocks).map(|_| self.mine_one(&script, order.transactions.clone()));
        later(mined.collect())
    }

    never! {
        create_wallet() -> Result<(), WalletError>;
        load_wallet() -> Result<(), WalletError>;
        unload_wallet() -> Result<(), WalletError>;
        has_wallet() -> bool;
        set_mining(Mining) -> Result<(), MineError>;
        add_peer(&str, bool) -> Result<(), PeerError>;
        remove_peer(&str) -> Result<(), PeerError>;
        disconnect(&str) -> Result<(), PeerError>;
        set_ban(&str, Option<u64>) -> Result<(), PeerError>;
        ping_peers() -> ();
        put(Vec<u8>, Vec<u8>) -> Result<usize, RecordError>;
        get(Vec<u8>) -> Result<Vec<u8>, RecordError>;
        withdraw(Vec<u8>) -> Result<(), RecordError>;
        provide(Vec<u8>) -> Result<(), RecordError>;
        stop_providing(Vec<u8>) -> ();
        providers(Vec<u8>) -> Result<Vec<String>, RecordError>;
        subscribe(&str) -> Result<(), RecordError>;
        unsubscribe(&str) -> ();
        publish(&str, Vec<u8>) -> Result<(), RecordError>;
        ping() -> ();
        metrics() -> String;
    }

    fn save_mempool(&self) -> Pending<Result<String, String>> {
        later(Ok("mempool.dat".to_owned()))
    }

    fn events(&self) -> broadcast::Receiver<Arc<Stamped>> {
        self.events.subscribe()
    }

    fn stop(&self) {}
}
