//! What a job that looks at a node sees.

use std::sync::Arc;

use bitcoin::bip158::FilterHeader;
use bitcoin::block::Header;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{BlockHash, OutPoint, Txid};
use yap_chain::block::Block;
use yap_chain::coin::Coin;
use yap_chain::header;
use yap_chain::header::tree::{Id, Tree};
use yap_chain::mempool::{Mempool, Room, Template};
use yap_chain::spec::Spec;
use yap_chain::undo::Undo;
use yap_chain::utxo::{Hashes, Totals};

/// The node, for as long as a job looks at it.
pub trait View {
    /// The chain's rules.
    fn spec(&self) -> &Arc<Spec>;

    /// Every known header.
    fn tree(&self) -> &Tree;

    /// The newest block of the best chain up to which everything is verified.
    fn tip(&self) -> Id;

    /// Whether the block's data is at hand.
    fn has_block(&self, id: Id) -> bool;

    /// Whether the block's data was deleted to save space.
    fn is_pruned(&self, id: Id) -> bool;

    /// Transactions in the block, if its data ever was at hand.
    fn transactions(&self, id: Id) -> Option<u32>;

    /// Transactions in the block and all before it, if that is known.
    fn transactions_up_to(&self, id: Id) -> Option<u64>;

    /// Adds a header to the tree, as if a peer had sent it.
    ///
    /// # Errors
    /// The rule that it breaks.
    fn accept_header(&mut self, header: &Header) -> Result<(), header::Error>;

    /// A stored block, unread ([`Block::read`]).
    ///
    /// # Errors
    /// [`ReadError`].
    fn block(&self, id: Id) -> Result<Arc<Block>, ReadError>;

    /// The coins that a connected block spent: for each transaction but the first, one per input.
    ///
    /// # Errors
    /// [`ReadError`].
    fn undo(&self, id: Id) -> Result<Undo, ReadError>;

    /// The block's compact filter (BIP-0158, basic) and its header (BIP-0157).
    ///
    /// # Errors
    /// [`ReadError`].
    fn filter(&mut self, id: Id) -> Result<(Vec<u8>, FilterHeader), ReadError>;

    /// An unspent output as of the tip, whatever the mempool spends.
    ///
    /// # Errors
    /// [`ReadError`].
    fn coin(&mut self, outpoint: &OutPoint) -> Result<Option<Coin>, ReadError>;

    /// All unspent outputs, as of the last commit (which is made before), to be read outside the job.
    ///
    /// # Errors
    /// [`ReadError`].
    fn coins(&mut self) -> Result<Box<dyn Coins>, ReadError>;

    /// Bytes on disk.
    fn size_on_disk(&self) -> u64;

    /// Bytes of memory that coins may take, and besides blocks of the tables that they are kept in.
    fn coin_memory(&self) -> (u64, u64);

    /// Transactions that wait.
    fn pool(&self) -> &Mempool;

    /// The transactions of the next block; `None` while a reorganisation is under way.
    fn template(&self, room: &Room) -> Option<Template>;

    /// Changes what a transaction counts for; gives the sum of all changes.
    fn prioritise(&mut self, txid: Txid, delta: i64) -> Option<i64>;

    /// Forgets that a block, and all on top of it, is valid, and leaves it.
    ///
    /// # Errors
    /// [`ReadError`].
    fn invalidate(&mut self, id: Id) -> Result<(), ReadError>;

    /// Takes back [`invalidate`](Self::invalidate).
    ///
    /// # Errors
    /// [`ReadError`].
    fn reconsider(&mut self, id: Id) -> Result<(), ReadError>;

    /// Has a block win against others of as much work, as if its data had come first; another that is named later wins against
    /// it. Does nothing where the tip has more work. Forgotten when the node stops.
    ///
    /// # Errors
    /// [`ReadError`].
    fn prefer(&mut self, id: Id) -> Result<(), ReadError>;

    /// Deletes the data of blocks up to a height, file by file, if this node deletes blocks at all; gives whether it does.
    /// What a reorganisation may need stays.
    ///
    /// # Errors
    /// [`ReadError`].
    fn prune(&mut self, height: u32) -> Result<bool, ReadError>;

    /// The wall clock, as headers carry it: seconds since 1970.
    fn now(&self) -> u32;

    /// How the node stands, in brief.
    fn standing(&self) -> Standing;

    /// Every connected peer.
    fn peers(&self) -> Vec<Peer>;

    /// Bytes of all connections since the start: received, sent.
    fn traffic(&self) -> Traffic;

    /// What the eight peer-to-peer operations (P1 to P8) did since the start.
    fn tally(&self) -> Vec<Tally>;

    /// Addresses of peers that are known, as many as asked for: address, services, and Unix time of the last news.
    fn known_addresses(&self, most: usize) -> Vec<(String, u64, u64)>;

    /// Peers that were added ([`Backend::add_peer`](super::Backend::add_peer)), as they were given.
    fn added_peers(&self) -> Vec<Added>;

    /// Every ban.
    fn bans(&self) -> Vec<Ban>;
}

/// The set of unspent outputs, as of some block.
pub trait Coins: Send {
    /// The block.
    fn tip(&self) -> BlockHash;

    /// Totals and hashes. Reads all of them: long on a large chain. Stops with `Ok(None)` when `stop` says so.
    ///
    /// # Errors
    /// [`ReadError`].
    fn totals(&mut self, hashes: Hashes, stop: &dyn Fn() -> bool) -> Result<Option<Totals>, ReadError>;

    /// Shows each of them, until `visit` says `false`.
    ///
    /// # Errors
    /// [`ReadError`].
    fn each(&mut self, visit: &mut dyn FnMut(&OutPoint, &Coin) -> bool) -> Result<(), ReadError>;
}

/// Why something stored can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It was never here.
    #[error("not stored here")]
    Missing,
    /// It was deleted to save space.
    #[error("deleted to save space (pruned)")]
    Pruned,
    /// More than two thirds of the producers have built on it.
    #[error("the block is irreversible: more than two thirds of the chain's producers have built on it")]
    Irreversible,
    /// The disk, or what is on it, in words.
    #[error("{0}")]
    Damaged(String),
}

/// How a node stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Unix time at which the node started.
    pub started: u64,
    /// Whether the node is still catching up with the chain of the network.
    pub catching_up: bool,
    /// How catching up goes on, while it does.
    pub progress: Option<Progress>,
    /// Name of this node.
    pub identity: String,
    /// What it says of its program (BIP-0014).
    pub agent: String,
    /// Services that it offers, as bits.
    pub services: u64,
    /// Addresses on which it listens, as multiaddrs.
    pub listening: Vec<String>,
    /// How it is reached.
    pub reach: Reach,
    /// Whether no peer is connected.
    pub alone: bool,
    /// Seconds by which our clock differs from that of most peers, if it matters.
    pub clock_offset: Option<i64>,
    /// Records of the DHT that are held here, and peers in its routing table.
    pub records: (usize, usize),
    /// When this node mines.
    pub miner: Miner,
    /// The wallet, if there is one.
    pub wallet: Option<WalletStanding>,
    /// On chains of signed blocks, who signs them.
    pub federation: Option<Federation>,
    /// Directory of the chain's state.
    pub directory: String,
    /// Warnings that the user should read.
    pub warnings: Vec<String>,
}

/// How catching up goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Headers known beyond the tip.
    pub behind: u32,
    /// Blocks per second, lately.
    pub rate: f64,
    /// Seconds left at that rate.
    pub left: Option<u64>,
}

impl Eq for Progress {}

/// Who signs a chain's blocks (BIP-0325), and what cannot be taken back any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Federation {
    /// Keys of the producers, in the order of the chain's challenge.
    pub producers: Vec<PublicKey>,
    /// The place of this node among them, from 0, if it is one.
    pub place: Option<u16>,
    /// The newest block on which more than two thirds of them have built.
    pub irreversible: Option<(u32, BlockHash)>,
}

/// How a node is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// `unknown`, `public`, `local`, `relayed` or `hidden`.
    pub kind: &'static str,
    /// In words.
    pub text: String,
    /// Addresses at which it is reached, as multiaddrs.
    pub addresses: Vec<String>,
}

/// When a node mines by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mining {
    /// Never.
    #[default]
    Off,
    /// While transactions wait.
    OnDemand,
    /// Always.
    Continuous,
}

/// How the miner stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Miner {
    /// When it mines.
    pub mining: Mining,
    /// Threads that it may use.
    pub threads: usize,
    /// Whether it is at work now.
    pub working: bool,
    /// Hashes per second of the last block that was worked on; 0 when there was none.
    pub rate: f64,
    /// Blocks found since the start.
    pub found: u64,
}

impl Eq for Miner {}

/// How the wallet stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WalletStanding {
    /// Blocks that it has yet to take in.
    pub behind: u32,
    /// Whether it is locked by a passphrase now.
    pub locked: bool,
    /// Whether its words were never shown, so that there is no backup.
    pub unsaved: bool,
    /// Satoshis that can be spent.
    pub trusted: u64,
    /// Satoshis of others' payments that are not confirmed.
    pub pending: u64,
    /// Satoshis of blocks that are too young to be spent.
    pub immature: u64,
}

/// A connected peer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Peer {
    /// Number of the connection.
    pub id: u64,
    /// Name of the peer, where it has one.
    pub identity: Option<String>,
    /// Where it is, as a multiaddr or host and port.
    pub address: String,
    /// How it is reached, in words; every intermediary is named.
    pub path: String,
    /// `tcp`, `quic`, `websocket`, `wss`, `bitcoin`, `memory`; `relayed` through another peer.
    pub transport: &'static str,
    /// Whether the peer opened the connection.
    pub inbound: bool,
    /// What the connection is for, as Bitcoin Core has it: `outbound-full-relay`, `block-relay-only`, `inbound`,
    /// `manual`, `feeler`, `addr-fetch`.
    pub kind: &'static str,
    /// Version of the protocol; 0 before the handshake.
    pub version: u32,
    /// What it says of its program.
    pub agent: String,
    /// Services that it offers, as bits.
    pub services: u64,
    /// Whether it wants to hear of transactions.
    pub relays: bool,
    /// The height that it told in its greeting.
    pub starting_height: i32,
    /// Height of the best header that it has shown to have or was given by us.
    pub best_header: Option<u32>,
    /// How its chain compared with ours when it greeted us: `same`, `behind`, `ahead`, `forked`.
    pub comparison: Option<&'static str>,
    /// Seconds by which its clock was ahead of ours when it greeted us.
    pub time_offset: i64,
    /// Round-trip time of the last ping, and the least: microseconds.
    pub ping: Option<(u64, u64)>,
    /// Unix time at which it was connected.
    pub connected: u64,
    /// Bytes received and sent.
    pub bytes: (u64, u64),
    /// What it is charged with; it is left at 100.
    pub score: u32,
    /// How many blocks are asked of it.
    pub blocks_in_flight: usize,
    /// The least fee rate that it takes, satoshis per thousand virtual bytes.
    pub least_feerate: u64,
    /// Unix time at which it was last the first to give a valid block; 0 if it never was.
    pub last_block: u64,
    /// Unix time at which it was last the first to give a transaction that was accepted; 0 if it never was.
    pub last_transaction: u64,
    /// Unix time at which something was last sent to it; 0 if nothing was yet.
    pub last_sent: u64,
    /// Unix time at which something last came from it; 0 if nothing did yet.
    pub last_received: u64,
    /// Whether new blocks go to it, and come from it, as compact blocks and unasked (BIP-0152): to it, from it.
    pub high_bandwidth: (bool, bool),
}

/// A peer that was added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// As it was given.
    pub peer: String,
    /// Numbers of the connections that lead there.
    pub connections: Vec<u64>,
    /// Why it is not let in, if it is not: of several bans the one that ends last.
    pub ban: Option<Ban>,
}

/// Somebody who is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who: the name of a peer, or a host.
    pub target: String,
    /// Unix time at which it began; 0 if that was not kept.
    pub since: u64,
    /// Unix time at which it ends.
    pub until: u64,
}

/// Bytes of all connections since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Received.
    pub received: u64,
    /// Sent.
    pub sent: u64,
}

/// What one peer-to-peer operation did since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// `P1` to `P8`.
    pub id: &'static str,
    /// Its name, such as `block gossip`.
    pub name: &'static str,
    /// Numbers: name and count.
    pub counts: Vec<(&'static str, u64)>,
}
