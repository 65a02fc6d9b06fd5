//! What is under way: each task waits for one query of Kademlia's.

use std::time::{Duration, Instant};

use libp2p::kad::{QueryId, Record, RecordKey};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::oneshot;

use super::request::Reply;
use super::{Kad, RecordError, Stored};

/// How long peers are asked for a record, a provider or a peer: a dead one costs up to five seconds until its dial fails,
/// and another one may only be heard of then.
const ASK: Duration = Duration::from_secs(12);

/// How long peers are asked what they have before a record is put.
const READ: Duration = Duration::from_secs(5);

/// How long peers may take to take a record.
const GIVE: Duration = Duration::from_secs(8);

/// How long all peers are waited for that are to take a record; then half of them is enough. One that refuses is only
/// noticed by its silence: libp2p-kad 0.49 closes its stream without waking whoever would close it.
const GIVE_ALL: Duration = Duration::from_secs(2);

/// How long an ended query may take to say so.
const END: Duration = Duration::from_secs(1);

/// How long further answers are waited for after a peer's first, which dead peers could hold up.
pub(super) const HURRY: Duration = Duration::from_millis(500);

/// How long peers' answers are waited for when this node has one itself.
pub(super) const HOME_HURRY: Duration = Duration::from_secs(2);

// A put reads and gives, and both may end late.
const _: () = assert!(ASK.as_secs() + END.as_secs() <= super::PATIENCE.as_secs());
const _: () = assert!(READ.as_secs() + GIVE.as_secs() + 2 * END.as_secs() <= super::PATIENCE.as_secs());

/// Something under way.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) work: Work,
    pub(super) deadline: Instant,
    /// Whether its query was told to end.
    pub(super) is_ending: bool,
    /// Whether the first deadline of a record that is given has passed.
    is_late: bool,
}

impl Task {
    pub(super) fn new(work: Work, now: Instant) -> Self {
        let patience = match &work {
            Work::Get(_) | Work::Provide { .. } | Work::Providers(_) | Work::Find { .. } => ASK,
            Work::Put(_) | Work::Closest { .. } => READ,
            Work::Give(_) => GIVE_ALL,
        };
        Self { work, deadline: later(now, patience), is_ending: false, is_late: false }
    }

    /// Whether to wait longer: fewer than half of the peers have taken the record that is given.
    pub(super) fn extend(&mut self, kad: &Kad, id: &QueryId, now: Instant) -> bool {
        let Work::Give(give) = &self.work else { return false };
        let taken = kad.query(id).map_or(0, |query| query.stats().num_successes());
        let is_enough = usize::try_from(taken).is_ok_and(|taken| taken.saturating_mul(2) >= give.targets.len());
        if self.is_late || is_enough {
            return false;
        }
        self.is_late = true;
        self.deadline = later(now, GIVE.saturating_sub(GIVE_ALL));
        true
    }

    /// Tells the query to end with what it has.
    pub(super) fn end(&mut self, kad: &mut Kad, id: &QueryId, now: Instant) {
        if let Some(mut query) = kad.query_mut(id) {
            query.finish();
        }
        self.is_ending = true;
        self.deadline = later(now, END);
    }

    /// An answer is there: others are waited for so much longer.
    pub(super) fn hurry(&mut self, now: Instant, by: Duration) {
        self.deadline = self.deadline.min(later(now, by));
    }
}

/// A time so much later; the same time if the clock can't say that.
pub(super) fn later(now: Instant, by: Duration) -> Instant {
    now.checked_add(by).unwrap_or(now)
}

/// What a task does.
#[derive(Debug)]
pub(super) enum Work {
    /// Asks for a record.
    Get(Get),
    /// Asks what peers have under a key, before it is put.
    Put(Put),
    /// Asks for the closest peers of a record that is to be repaired.
    Closest { key: RecordKey },
    /// Gives a record to peers.
    Give(Give),
    /// Tells that we provide a key.
    Provide { key: RecordKey, reply: Option<Reply<()>> },
    /// Asks who provides a key.
    Providers(Providers),
    /// Asks where a peer is.
    Find { peer: PeerId, reply: oneshot::Sender<Vec<Multiaddr>> },
}

/// A get.
#[derive(Debug)]
pub(super) struct Get {
    pub(super) key: RecordKey,
    /// The values that were found, each with those who have it. Fewer than [`QUORUM`](super::QUORUM) before it is told
    /// to end.
    pub(super) found: Vec<Found>,
    pub(super) reply: Reply<Vec<u8>>,
}

/// A value that was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) record: Record,
    /// Who has it; `None` is this node.
    pub(super) holders: Vec<Option<PeerId>>,
}

/// A put that asks what there is.
#[derive(Debug)]
pub(super) struct Put {
    pub(super) key: RecordKey,
    /// Of the value that is to be put.
    pub(super) revision: u64,
    /// The latest that a peer has.
    pub(super) latest: Option<Record>,
    /// Who has any.
    pub(super) holders: Vec<PeerId>,
    /// `None` if a record is put anew.
    pub(super) reply: Option<Reply<Stored>>,
}

impl Put {
    pub(super) const fn new(key: RecordKey, revision: u64, reply: Option<Reply<Stored>>) -> Self {
        Self { key, revision, latest: None, holders: Vec::new(), reply }
    }
}

/// A record that is given to peers.
#[derive(Debug)]
pub(super) struct Give {
    pub(super) key: RecordKey,
    pub(super) revision: u64,
    pub(super) targets: Vec<PeerId>,
    pub(super) why: Why,
}

/// Why a record is given.
#[derive(Debug)]
pub(super) enum Why {
    /// It was put.
    Put(Reply<Stored>),
    /// All of the closest get it, for it is ours and put anew.
    Publish,
    /// All of the closest get it, for it was long ago that they did.
    Repair,
    /// These ones lack it.
    Lack,
}

/// A question who provides a key.
#[derive(Debug)]
pub(super) struct Providers {
    pub(super) found: Vec<PeerId>,
    pub(super) reply: Reply<Vec<PeerId>>,
}

impl Work {
    /// Whether someone waits for the answer.
    pub(super) const fn is_asked(&self) -> bool {
        match self {
            Self::Get(_) | Self::Providers(_) | Self::Find { .. } => true,
            Self::Put(put) => put.reply.is_some(),
            Self::Provide { reply, .. } => reply.is_some(),
            Self::Give(give) => matches!(give.why, Why::Put(_)),
            Self::Closest { .. } => false,
        }
    }

    /// Answers that time is up. Queries that end tell more; this is for those that never do.
    pub(super) fn give_up(self) {
        match self {
            Self::Get(get) => drop(get.reply.send(Err(RecordError::Timeout))),
            // It is kept here.
            Self::Put(Put { reply: Some(reply), .. }) | Self::Give(Give { why: Why::Put(reply), .. }) => {
                drop(reply.send(Ok(Stored { copies: 0 })));
            }
            Self::Provide { reply: Some(reply), .. } => drop(reply.send(Err(RecordError::Timeout))),
            Self::Providers(Providers { found, reply }) => {
                drop(reply.send(providers_or(found, RecordError::Timeout)));
            }
            Self::Find { reply, .. } => drop(reply.send(Vec::new())),
            Self::Put(_) | Self::Give(_) | Self::Provide { .. } | Self::Closest { .. } => {}
        }
    }
}

/// The providers, if there are any.
pub(super) fn providers_or(found: Vec<PeerId>, error: RecordError) -> Result<Vec<PeerId>, RecordError> {
    if found.is_empty() { Err(error) } else { Ok(found) }
}
