//! The network as its owner holds it: what the node wants done goes in, what happens comes out.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use yap_protocol::address::Identity;
use yap_protocol::link::PeerId;
use yap_protocol::peers::ban::Target;
use yap_protocol::{Input, Output};

use crate::config::Config;
use crate::engine;
use crate::error::{PublishError, RecordError, StartError};
use crate::event::Event;
use crate::given::Given;
use crate::owner::{Command, Ends, Shared, Told};
use crate::service;
use crate::session::{self, Inflow, Item, Received};
use crate::status::Status;
use crate::topics::{MessageId, Validator};

/// Commands to the engine that wait for it. The node's own dials are far fewer (`MAX_MANUAL` and its places); beyond, a
/// dial is given up, which the node takes for a failed one after a while.
const COMMANDS: usize = 1024;

/// Of these, those that are kept free of what can be asked again: records and topics.
const KEPT: usize = 512;

/// Events that wait for the owner in the channel; the engine keeps the rest, within its own bound.
const EVENTS: usize = 256;

/// A running network. Clones are one network; it stops when the last of them or its [`Events`] are dropped, or by
/// [`stop`](Self::stop).
#[derive(Clone)]
pub struct Network {
    identity: Identity,
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Arc<Status>>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Network({})", crate::identity::Name(self.identity))
    }
}

impl Network {
    /// Starts: listens, and begins to look for peers. Needs a tokio runtime with time and IO.
    ///
    /// # Errors
    /// If it can't listen where it should, or a file or folder that it was given is of no use.
    pub async fn start(config: Config) -> Result<(Self, Events), StartError> {
        let identity = config.keys.identity();
        let shared = Arc::new(Shared::default());
        let (commands, requests) = mpsc::channel(COMMANDS);
        let (told, telling) = mpsc::channel(EVENTS);
        let (statuses, status) = watch::channel(Arc::default());
        let (inbox, inflow) = session::channel(config.limits.receive);
        let ends = Ends { requests, told, statuses, shared: Arc::clone(&shared), inbox };
        // The swarm is large, and whoever awaits this need not carry it.
        let task = Box::pin(engine::start(config, ends)).await?;
        let events = Events { shared: Arc::clone(&shared), telling, inflow, live: BTreeSet::new(), task: Some(task) };
        Ok((Self { identity, shared, commands, status }, events))
    }

    /// Who we are.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// Does what the node wants done, if it is the network's to do: sending, dialling, parting. Gives back all else.
    #[must_use = "what comes back is the owner's to do"]
    pub fn apply(&self, output: Output) -> Option<Output> {
        match output {
            Output::Send { peer, message } => {
                if let Some(session) = self.shared.sessions().get(&peer) {
                    // What is too much has ended the session, of which the node hears as of any other end.
                    let _ = session.send(message);
                }
                None
            }
            Output::Dial { address, purpose } => {
                self.tell(Command::Dial(address, purpose));
                None
            }
            Output::Disconnect { peer, why } => {
                if let Some(session) = self.shared.sessions().get(&peer) {
                    session.finish();
                }
                self.tell(Command::Part(peer, why));
                None
            }
            other @ (Output::ReadBlock { .. }
            | Output::Process(_)
            | Output::Judge { .. }
            | Output::Persist(_)
            | Output::Reply { .. }
            | Output::Event(_)) => Some(other),
        }
    }

    fn tell(&self, command: Command) {
        if let Err(error) = self.commands.try_send(command) {
            tracing::debug!(%error, "the engine does not take a command");
        }
    }

    /// Keeps a peer connected, as those of [`Config::peers`]. At most [`MAX_PEERS`](crate::given::MAX_PEERS) are kept.
    pub fn add_peer(&self, given: Given) {
        self.tell(Command::AddPeer(given));
    }

    /// Takes back [`add_peer`](Self::add_peer), and parts from it.
    pub fn remove_peer(&self, given: Given) {
        self.tell(Command::RemovePeer(given));
    }

    /// Lets somebody in again whom the node has banned, or who flooded us: at once, where it would take a minute, or ten.
    pub fn lift_ban(&self, target: Target) {
        self.tell(Command::Lift(target));
    }

    /// How the network stands, as of at most a second ago.
    #[must_use]
    pub fn status(&self) -> Status {
        let mut status = Status::clone(&self.status.borrow());
        for peer in &mut status.peers {
            (peer.received, peer.sent) = self.shared.bytes(peer.peer).unwrap_or_default();
        }
        status
    }

    /// Stores a value under a key: here, and with the peers whose names are closest to the key. The newest value that was
    /// put under a key takes the place of others.
    ///
    /// # Errors
    /// [`RecordError`]; with `Alone` the value is kept here and offered to peers when they come.
    pub async fn put(&self, key: Vec<u8>, value: Vec<u8>) -> Result<service::Stored, RecordError> {
        self.record(|reply| service::Request::Put { key, value, reply }).await
    }

    /// The value of a key, wherever it is kept.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn get(&self, key: Vec<u8>) -> Result<Vec<u8>, RecordError> {
        self.record(|reply| service::Request::Get { key, reply }).await
    }

    /// Makes known that we have what the key stands for, until [`stop_providing`](Self::stop_providing).
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn provide(&self, key: Vec<u8>) -> Result<(), RecordError> {
        self.record(|reply| service::Request::Provide { key, reply }).await
    }

    /// Takes back [`provide`](Self::provide); peers forget it when it expires.
    pub fn stop_providing(&self, key: Vec<u8>) {
        self.tell(Command::Record(service::Request::StopProviding { key }));
    }

    /// Takes back [`put`](Self::put): it is not put anew, and peers forget it when it expires.
    ///
    /// # Errors
    /// [`RecordError`]; `NotFound` if it is not ours.
    pub async fn withdraw(&self, key: Vec<u8>) -> Result<(), RecordError> {
        self.record(|reply| service::Request::Withdraw { key, reply }).await
    }

    /// Who has what the key stands for.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn providers(&self, key: Vec<u8>) -> Result<Vec<Identity>, RecordError> {
        let peers = self.record(|reply| service::Request::Providers { key, reply }).await?;
        Ok(peers.iter().filter_map(crate::address::identity).collect())
    }

    async fn record<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, RecordError>>) -> service::Request,
    ) -> Result<T, RecordError> {
        let (reply, answer) = oneshot::channel();
        if self.is_busy() {
            return Err(RecordError::Busy);
        }
        self.commands.try_send(Command::Record(request(reply))).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => RecordError::Busy,
            mpsc::error::TrySendError::Closed(_) => RecordError::Stopped,
        })?;
        answer.await.unwrap_or(Err(RecordError::Stopped))
    }

    /// Hears what is published under a topic, as [`Event::Topic`]. What the validator does not accept is neither heard nor
    /// passed on.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn subscribe(&self, topic: &str, validator: Option<Validator>) -> Result<(), PublishError> {
        let topic = topic.to_owned();
        self.ask(|reply| Command::Subscribe(topic, validator, reply)).await
    }

    /// Hears no more of a topic.
    pub fn unsubscribe(&self, topic: &str) {
        self.tell(Command::Unsubscribe(topic.to_owned()));
    }

    /// Publishes a message under a topic. We don't hear our own.
    ///
    /// # Errors
    /// [`PublishError`].
    pub async fn publish(&self, topic: &str, data: Vec<u8>) -> Result<MessageId, PublishError> {
        let topic = topic.to_owned();
        self.ask(|reply| Command::Publish(topic, data, reply)).await
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, PublishError>>) -> Command,
    ) -> Result<T, PublishError> {
        let (reply, answer) = oneshot::channel();
        if self.is_busy() {
            return Err(PublishError::Busy);
        }
        self.commands.try_send(command(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => PublishError::Busy,
            mpsc::error::TrySendError::Closed(_) => PublishError::Stopped,
        })?;
        answer.await.unwrap_or(Err(PublishError::Stopped))
    }

    /// Whether so many commands wait that those which can be asked again are not taken.
    fn is_busy(&self) -> bool {
        !self.commands.is_closed() && self.commands.capacity() <= KEPT
    }

    /// Ends every connection and stops; commands that wait are not carried out any more. [`Events::next`] then gives
    /// `None` once everything was told; wait for that. Let the node shut down before, so that peers are told why.
    pub fn stop(&self) {
        self.shared.stop.notify_one();
    }
}

/// What happens on the network, in order.
pub struct Events {
    shared: Arc<Shared>,
    telling: mpsc::Receiver<Told>,
    inflow: Inflow,
    /// Sessions of which the node was told, and not yet that they are over.
    live: BTreeSet<PeerId>,
    task: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("live", &self.live).finish_non_exhaustive()
    }
}

impl Events {
    /// The next event; `None` when the network has stopped. Memory of the last message is given back by this call, so a
    /// slow owner slows its peers down. Nothing is lost if the future is dropped before it is ready.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            tokio::select! {
                // A session begins before its first message comes.
                biased;
                told = self.telling.recv() => {
                    let Some(told) = told else { return self.last() };
                    if let Some(event) = self.told(told) {
                        return Some(event);
                    }
                }
                Some(Item { peer, what }) = self.inflow.next() => {
                    if let Some(event) = self.received(peer, what) {
                        return Some(event);
                    }
                }
            }
        }
    }

    fn told(&mut self, told: Told) -> Option<Event> {
        match told {
            Told::Connected { peer, link, dialled, starter } => match starter() {
                Ok(session) => {
                    self.shared.sessions().insert(peer, session);
                    self.live.insert(peer);
                    Some(Event::Input(Input::Connected { peer, link }))
                }
                Err(full) => {
                    tracing::debug!(%peer, %full, "no session");
                    self.shared.end(peer);
                    dialled.then_some(Event::Input(Input::DialFailed { address: link.address }))
                }
            },
            Told::Retired(peer) => {
                self.shared.abort(peer);
                self.over(peer)
            }
            Told::Event(event) => Some(event),
        }
    }

    fn received(&mut self, peer: PeerId, received: Received) -> Option<Event> {
        if !self.live.contains(&peer) {
            if matches!(received, Received::Closed(_)) {
                self.shared.end(peer);
            }
            return None;
        }
        Some(Event::Input(match received {
            Received::Message { message, size } => Input::Message { peer, message, size },
            Received::Malformed(error) => Input::Malformed { peer, error },
            Received::Congested(congested) => Input::Congested { peer, congested },
            Received::Closed(why) => {
                tracing::debug!(%peer, ?why, "session closed");
                self.shared.end(peer);
                return self.over(peer);
            }
        }))
    }

    fn over(&mut self, peer: PeerId) -> Option<Event> {
        self.live.remove(&peer).then_some(Event::Input(Input::Disconnected { peer }))
    }

    /// The network has stopped: what is left is told, and every session that is left ends.
    fn last(&mut self) -> Option<Event> {
        while let Some(told) = self.shared.left() {
            if let Some(event) = self.told(told) {
                return Some(event);
            }
        }
        let peer = self.live.pop_first()?;
        self.shared.abort(peer);
        Some(Event::Input(Input::Disconnected { peer }))
    }

    /// Waits until the network's task is gone, so that its files and ports are free again. The network stops if it has
    /// not been told to.
    pub async fn finished(mut self) {
        self.telling.close();
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}
