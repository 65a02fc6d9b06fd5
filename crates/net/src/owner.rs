//! What passes between the owner of the network and the engine.
//!
//! ```text
//!  Network ──Command──▶ engine          Shared: sessions, which sends use at once; ends, which the engine hears of
//!  Events  ◀──Told───── engine
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc, oneshot, watch};
use yap_protocol::Input;
use yap_protocol::address::Address;
use yap_protocol::link::{Link, PeerId, Purpose};
use yap_protocol::peers::ban::Target;
use yap_protocol::penalty::Reason;

use crate::error::PublishError;
use crate::event::Event;
use crate::given::Given;
use crate::service;
use crate::session::{self, Inbox, Session};
use crate::status::Status;
use crate::topics::{MessageId, Validator};

/// What the owner asks of the engine.
pub(crate) enum Command {
    Dial(Address, Purpose),
    /// The session ends, for this reason.
    Part(PeerId, Reason),
    AddPeer(Given),
    RemovePeer(Given),
    /// Somebody is not banned any more.
    Lift(Target),
    Record(service::Request),
    Subscribe(String, Option<Validator>, oneshot::Sender<Result<(), PublishError>>),
    Unsubscribe(String),
    Publish(String, Vec<u8>, oneshot::Sender<Result<MessageId, PublishError>>),
}

/// Begins a session.
pub(crate) type Starter = Box<dyn FnOnce() -> Result<Session, session::Full> + Send>;

/// What the engine tells the owner.
pub(crate) enum Told {
    /// A session may begin: it does when the owner hears of it, so that none of its messages comes before.
    Connected {
        peer: PeerId,
        link: Link,
        /// Whether the node has dialled for it, and waits to hear what came of that.
        dialled: bool,
        starter: Starter,
    },
    /// A session is over for the engine, whatever still comes from it.
    Retired(PeerId),
    Event(Event),
}

impl Told {
    /// What is left to tell when nothing runs any more.
    pub(crate) fn too_late(self) -> Option<Self> {
        match self {
            Self::Connected { dialled: true, link, .. } => {
                Some(Self::Event(Event::Input(Input::DialFailed { address: link.address })))
            }
            Self::Connected { .. } => None,
            Self::Retired(_) | Self::Event(_) => Some(self),
        }
    }
}

/// The engine's ends of what connects it with its owner.
pub(crate) struct Ends {
    pub(crate) requests: mpsc::Receiver<Command>,
    pub(crate) told: mpsc::Sender<Told>,
    pub(crate) statuses: watch::Sender<Arc<Status>>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) inbox: Inbox,
}

/// What network, events and engine share.
#[derive(Default)]
pub(crate) struct Shared {
    /// Sessions that the owner knows of.
    sessions: Mutex<BTreeMap<PeerId, Session>>,
    /// Sessions that are over and of which the engine has not heard yet: no more than there were sessions.
    ended: Mutex<VecDeque<PeerId>>,
    has_ended: Notify,
    /// The engine is to stop.
    pub(crate) stop: Notify,
    /// What the engine could not tell before it stopped: what waited in its own queue.
    rest: Mutex<VecDeque<Told>>,
}

impl Shared {
    /// Every session that the owner knows of.
    pub(crate) fn sessions(&self) -> MutexGuard<'_, BTreeMap<PeerId, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes received from and sent to a peer.
    pub(crate) fn bytes(&self, peer: PeerId) -> Option<(u64, u64)> {
        self.sessions().get(&peer).map(|session| (session.received(), session.sent()))
    }

    /// Ends a session without sending what is queued.
    pub(crate) fn abort(&self, peer: PeerId) {
        let session = self.sessions().remove(&peer);
        if let Some(session) = session {
            session.abort();
        }
    }

    /// A session is over, as its last word says.
    pub(crate) fn end(&self, peer: PeerId) {
        self.sessions().remove(&peer);
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).push_back(peer);
        self.has_ended.notify_one();
    }

    /// Ready when the engine is to stop.
    pub(crate) async fn stopped(&self) {
        self.stop.notified().await;
    }

    /// The engine has stopped, and leaves this to be told.
    pub(crate) fn leave(&self, rest: VecDeque<Told>) {
        *self.rest.lock().unwrap_or_else(PoisonError::into_inner) = rest;
    }

    /// The next thing that the engine left to be told.
    pub(crate) fn left(&self) -> Option<Told> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// The next session that is over.
    pub(crate) async fn ended(&self) -> PeerId {
        loop {
            let next = self.ended.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            match next {
                Some(peer) => return peer,
                None => self.has_ended.notified().await,
            }
        }
    }
}
