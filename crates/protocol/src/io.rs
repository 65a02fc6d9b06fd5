//! The node's inputs and outputs.

use std::sync::Arc;

use bitcoin::{BlockHash, OutPoint, Txid, Wtxid};
use yap_chain::block::Block;
use yap_chain::transaction::Transaction;

use crate::address::{Address, Endpoint};
use crate::handshake::ClockOffset;
use crate::link::{Link, PeerId, Purpose};
use crate::message::{Irreversible, Message, PeerRecord};
use crate::node::Fault;
use crate::peers::{AddError, ban};
use crate::penalty::{Penalty, Reason};
use crate::time::Timestamp;

/// Names a piece of slow work or a request of the user, until its answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What became of a block that went out to be processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Processed {
    /// It kept the rules that could be checked and is stored. Whether it became the tip is told by [`Input::Tip`].
    Stored,
    /// It was there already.
    Known,
    /// It breaks a rule. `mutated` says that another block may have the same hash and be valid, as where a
    /// transaction was changed without changing the root (CVE-2012-2459): then the header is not to blame.
    Invalid {
        /// Bitcoin Core's name of the rule.
        reason: &'static str,
        /// Whether the header is not to blame.
        mutated: bool,
    },
    /// It could not be judged, such as for an error of the disk.
    Failed,
}

/// What became of a transaction that went out to be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It is pending now.
    Accepted,
    /// It was pending already.
    Known,
    /// It spends coins that are not known; they may come.
    MissingInputs(Vec<OutPoint>),
    /// It pays too little by itself; with a child that pays for both, it may be taken.
    LowFee {
        /// Bitcoin Core's name of the rule.
        reason: &'static str,
    },
    /// It keeps the ledger's rules, but not ours for what we relay.
    Policy {
        /// Bitcoin Core's name of the rule.
        reason: &'static str,
        /// Whether the witness alone is at fault, so that the same `txid` may come again with a good one.
        witness: bool,
    },
    /// It breaks a rule of the ledger.
    Invalid {
        /// Bitcoin Core's name of the rule.
        reason: &'static str,
        /// Whether the witness alone is at fault.
        witness: bool,
    },
    /// It could not be judged, such as for an error of the disk.
    Failed,
}

/// A change of the chain that is connected and verified.
#[derive(Clone, Debug, Default)]
pub struct TipChange {
    /// Blocks taken back, newest first.
    pub disconnected: Vec<BlockHash>,
    /// Blocks connected, oldest first. Their data may be left out (`None`) while catching up.
    pub connected: Vec<(BlockHash, Option<Arc<Block>>)>,
}

/// A change of the mempool.
#[derive(Clone, Debug, Default)]
pub struct PoolChange {
    /// Transactions that are pending now and were not.
    pub added: Vec<Arc<Transaction>>,
    /// Transactions that are not pending any more.
    pub removed: Vec<Removed>,
}

/// A transaction that left the mempool.
#[derive(Clone, Debug)]
pub struct Removed {
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// Why it left.
    pub why: Departure,
}

/// Why a transaction left the mempool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Departure {
    /// A block has it.
    Confirmed,
    /// A block spends a coin that it spends.
    Conflicted,
    /// A transaction that pays more took its place.
    Replaced,
    /// There was no room, and it paid least.
    Evicted,
    /// It waited for too long.
    Expired,
    /// After a reorganisation it can't be mined: its coin is gone, too young, or its lock is not open.
    Reorganised,
}

/// What the user, or another part of the program, asks for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Make a transaction of ours known. It is judged first.
    Submit(Arc<Transaction>),
    /// Make a transaction of ours known together with a parent that pays too little by itself. They are judged together,
    /// and each verdict is a reply of its own: the transaction's to this command, the parent's to the ticket here.
    SubmitPair {
        /// The transaction.
        child: Arc<Transaction>,
        /// Its parent.
        parent: Arc<Transaction>,
        /// Where the parent's verdict goes.
        parent_ticket: Ticket,
    },
    /// Transactions of ours that are pending already, such as those of before a restart, and that no peer has as far as is
    /// known: tell them until one does. Others, and those beyond [`MAX_OWN`](crate::relay::MAX_OWN), are passed over.
    TellUntilTaken(Vec<Arc<Transaction>>),
    /// Take a block of ours, as a miner made it. It is processed first.
    SubmitBlock(Arc<Block>),
    /// Connect to a peer, and again whenever the connection is lost.
    AddPeer(Address, Purpose),
    /// Forget a peer that was added, and part.
    RemovePeer(Address),
    /// Addresses that something other than a peer found: the local network, DNS, a DHT, the user.
    Learn(Vec<Address>),
    /// Where we are reached: told to peers, as a signed record to those that know it. Replaces what was told before.
    Advertise(Option<Arc<PeerRecord>>, Vec<Endpoint>),
    /// Part from a connected peer.
    Disconnect(PeerId),
    /// Let somebody in no more until then, and part.
    Ban(ban::Target, Timestamp),
    /// Let somebody in again.
    Unban(ban::Target),
    /// Ping every peer.
    Ping,
    /// End every connection, telling why.
    Shutdown,
}

/// What happens to the node.
#[derive(Clone, Debug)]
pub enum Input {
    /// The wall clock: the first input of all, with which the node starts, and again whenever the clock was set.
    Clock(Timestamp),
    /// A connection is open. Nothing was said on it.
    Connected {
        /// Its name.
        peer: PeerId,
        /// What it is.
        link: Link,
    },
    /// A connection is closed, whoever closed it.
    Disconnected {
        /// Its name.
        peer: PeerId,
    },
    /// A dialled address could not be reached.
    DialFailed {
        /// The address.
        address: Address,
    },
    /// A message came.
    Message {
        /// From whom.
        peer: PeerId,
        /// The message.
        message: Message,
        /// Bytes that it took on the wire.
        size: usize,
    },
    /// What came could not be read. The connection says nothing more.
    Malformed {
        /// From whom.
        peer: PeerId,
        /// What was wrong.
        error: crate::codec::Error,
    },
    /// What was sent piles up before a slow reader (`true`), or has drained (`false`). While it piles up, nothing large
    /// is sent.
    Congested {
        /// To whom.
        peer: PeerId,
        /// Whether it piles up.
        congested: bool,
    },
    /// The answer to [`Output::ReadBlock`]: `None` if it is not there any more. It may be unread ([`Block::unread`]),
    /// since most are sent on as they are.
    BlockRead {
        /// The work's name.
        ticket: Ticket,
        /// The block.
        block: Option<Arc<Block>>,
    },
    /// The answer to [`Output::Process`].
    Processed {
        /// The block.
        hash: BlockHash,
        /// What became of it.
        outcome: Processed,
    },
    /// The answer to [`Output::Judge`].
    Judged {
        /// The transaction.
        wtxid: Wtxid,
        /// What became of it.
        outcome: Judged,
    },
    /// The chain that is connected and verified has changed. [`Ledger::tip`](crate::Ledger::tip) is new already.
    Tip(TipChange),
    /// The mempool has changed. [`Ledger`](crate::Ledger) shows it already.
    Pool(PoolChange),
    /// Somebody asks for something. What comes of it is told by [`Output::Reply`].
    Command {
        /// The request's name.
        ticket: Ticket,
        /// What is asked.
        command: Command,
    },
    /// The deadline of [`Node::next_deadline`](crate::Node::next_deadline) has come.
    Deadline,
}

/// What the node wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a message.
    Send {
        /// To whom.
        peer: PeerId,
        /// The message.
        message: Message,
    },
    /// Open a connection; ends in [`Input::Connected`] or [`Input::DialFailed`].
    Dial {
        /// Where to.
        address: Address,
        /// What for.
        purpose: Purpose,
    },
    /// Send what is queued, then close the connection; ends in [`Input::Disconnected`].
    Disconnect {
        /// Which.
        peer: PeerId,
        /// Why. The peer has been told if it knows the message.
        why: Reason,
    },
    /// Read a stored block.
    ReadBlock {
        /// The work's name.
        ticket: Ticket,
        /// The block.
        hash: BlockHash,
    },
    /// Check a block, store it, and connect it if its chain is best. One that a peer sent is unread as a rule
    /// ([`Block::read`]), so that its transactions are parsed and hashed on a thread of the driver's choice. If it turns
    /// out to be none, its header is not to blame: [`Processed::Invalid`] with `mutated`, as
    /// [`block::Error::Malformed`](yap_chain::block::Error::Malformed) says.
    Process(Arc<Block>),
    /// Judge a transaction, and add it to the mempool if it is good. With a parent that pays too little alone, judge both
    /// together; each has its own [`Input::Judged`].
    Judge {
        /// The transaction.
        transaction: Arc<Transaction>,
        /// Its parent.
        parent: Option<Arc<Transaction>>,
    },
    /// Keep a change across restarts.
    Persist(crate::peers::ChangeSet),
    /// The answer to [`Input::Command`].
    Reply {
        /// The request's name.
        ticket: Ticket,
        /// The answer.
        reply: Reply,
    },
    /// Something that users, logs and metrics may want to know.
    Event(Event),
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// It is done, or under way where it has no end of its own.
    Done,
    /// What became of a transaction.
    Transaction(Judged),
    /// What became of a block.
    Block(Processed),
    /// There is no such peer.
    NoPeer,
    /// The peer was not added.
    NotAdded(AddError),
    /// Too many requests wait for their answers: this one was not taken.
    Busy,
    /// The node has shut down.
    Stopped,
}

/// How our chain compares with a peer's, by work (P2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Comparison {
    /// The same tip.
    Same,
    /// Theirs goes on where ours ends: we are behind.
    Behind,
    /// Ours goes on where theirs ends: we are ahead.
    Ahead,
    /// Both go on from a common block.
    Forked,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A peer's handshake is done.
    PeerReady {
        /// The peer.
        peer: PeerId,
        /// How its chain compares, as far as its greeting tells. Peers of Bitcoin's carrier don't greet.
        comparison: Option<Comparison>,
    },
    /// A peer broke a rule.
    Fault {
        /// The peer.
        peer: PeerId,
        /// What it did.
        fault: Fault,
        /// What that costs it.
        penalty: Penalty,
    },
    /// A peer is gone.
    PeerGone {
        /// The peer.
        peer: PeerId,
        /// Why, if we know: our reason or theirs.
        why: Option<Reason>,
    },
    /// No peer is connected (R2), or one is again.
    Alone(bool),
    /// Blocks are being fetched, or there are none left to fetch (`behind` 0).
    Syncing {
        /// Headers known beyond the tip.
        behind: u32,
    },
    /// Our clock disagrees with those of the peers that we dialled, or does not any more.
    Clock(Option<ClockOffset>),
    /// A block can't be taken back any more, on chains of signed blocks.
    Irreversible(Irreversible),
    /// A block is on its way to peers that lack it.
    BlockRelayed(BlockHash),
    /// A transaction is on its way to peers that lack it.
    TransactionRelayed(Txid),
}
