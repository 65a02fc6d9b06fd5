//! What can be asked of a running peer, as calls; whatever carries its messages.

use std::sync::Arc;

use bitcoin::Txid;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;
use yap_net::Book;
use yap_protocol::address::Identity;
use yap_protocol::io::{Command, Judged, Reply};
use yap_protocol::link::Purpose;
use yap_protocol::{Address, Node, Role, node};

use super::carrier::Carrier;
use super::event::Event;
use super::ledger::{Ledger, MakeError, Place};
use super::machine::{EVENTS, Machine, Mined, Parts, REQUESTS, Request, Standing};
use super::{Home, StartError};

/// A peer that runs. Copies are of the same peer; it stops when it is told to, or when the last of them is gone.
#[derive(Clone, Debug)]
pub struct Control {
    identity: Identity,
    requests: mpsc::Sender<Request>,
    events: broadcast::WeakSender<Event>,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The peer has stopped.
    #[error("the peer has stopped")]
    Stopped,
    /// Nothing was mined, or paid.
    #[error(transparent)]
    Make(#[from] MakeError),
    /// The node did not take the payment.
    #[error("the payment was refused: {0:?}")]
    Refused(Judged),
    /// The node did not do it.
    #[error("the node did not do that: {0:?}")]
    Reply(Reply),
}

impl From<oneshot::error::RecvError> for RequestError {
    fn from(_: oneshot::error::RecvError) -> Self {
        Self::Stopped
    }
}

/// Starts a peer over any carrier: gives the control of it, its events from the first on, and its task, which gives the
/// carrier back.
///
/// # Errors
/// If its directory can't be used.
pub fn start<C: Carrier + std::fmt::Debug>(
    home: &Home,
    carrier: C,
) -> Result<(Control, broadcast::Receiver<Event>, JoinHandle<C>), StartError> {
    let seed: [u8; 32] = super::random()?;
    let first = seed.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let now = yap_net::Clock::start().wall().header_time();
    let ledger = Ledger::open(Arc::clone(&home.spec), &home.directory, first, now)?;
    let book =
        Book::open(&home.directory).map_err(|source| StartError::Directory { path: home.directory.clone(), source })?;
    let mut config = node::Config::of(Role::Full);
    config.peers.identity = Some(home.identity);
    config.handshake.user_agent = home.agent.as_str().into();
    // Blocks are mined when a test asks for them.
    config.blocks.max_tip_age = None;
    let node = Node::restore(config, super::random()?, book.kept().clone());
    let (requests, received) = mpsc::channel(REQUESTS);
    let (events, listener) = broadcast::channel(EVENTS);
    let control = Control { identity: home.identity, requests, events: events.downgrade() };
    let machine = Machine::new(Parts { node, ledger, book, carrier, requests: received, events });
    let task = tokio::spawn(machine.run());
    Ok((control, listener, task))
}

impl Control {
    /// Who the peer is.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// What happens from now on. Whoever reads too slowly loses the oldest.
    ///
    /// # Errors
    /// If the peer has stopped.
    pub fn events(&self) -> Result<broadcast::Receiver<Event>, RequestError> {
        self.events.upgrade().map(|events| events.subscribe()).ok_or(RequestError::Stopped)
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request + Send) -> Result<T, RequestError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| RequestError::Stopped)?;
        Ok(answered.await?)
    }

    /// How the ledger stands.
    ///
    /// # Errors
    /// If the peer has stopped.
    pub async fn standing(&self) -> Result<Standing, RequestError> {
        self.ask(Request::Standing).await
    }

    /// Mines blocks on the tip, each of `bytes` bytes if a size is given.
    ///
    /// # Errors
    /// If no block can be so large.
    pub async fn mine(&self, blocks: u32, bytes: Option<usize>) -> Result<Mined, RequestError> {
        Ok(self.ask(|done| Request::Mine { blocks, bytes, done }).await??)
    }

    /// Pays from one of the test keys' coins, and makes the payment known.
    ///
    /// # Errors
    /// If no coin is left, or somebody else spent it at the same time.
    pub async fn pay(&self) -> Result<Txid, RequestError> {
        let (txid, reply) = self.ask(Request::Pay).await??;
        let reply = reply.await?;
        let Reply::Transaction(judged) = reply else { return Err(RequestError::Reply(reply)) };
        if judged == Judged::Accepted { Ok(txid) } else { Err(RequestError::Refused(judged)) }
    }

    /// Where a transaction is, if it is here.
    ///
    /// # Errors
    /// If the peer has stopped.
    pub async fn place(&self, txid: Txid) -> Result<Option<Place>, RequestError> {
        self.ask(|answer| Request::Place(txid, answer)).await
    }

    /// Gives the node a command.
    ///
    /// # Errors
    /// If the peer has stopped.
    pub async fn command(&self, command: Command) -> Result<Reply, RequestError> {
        self.ask(|answer| Request::Command(command, answer)).await
    }

    /// Connects to an address, and again whenever the connection is lost. What comes of it is told by events.
    ///
    /// # Errors
    /// If the node does not take the address.
    pub async fn dial(&self, address: Address) -> Result<(), RequestError> {
        let reply = self.command(Command::AddPeer(address, Purpose::Manual)).await?;
        if reply == Reply::Done { Ok(()) } else { Err(RequestError::Reply(reply)) }
    }

    /// Parts from a peer; whether it was connected.
    ///
    /// # Errors
    /// If the peer has stopped.
    pub async fn part(&self, identity: Identity) -> Result<bool, RequestError> {
        self.ask(|answer| Request::Part(identity, answer)).await
    }

    /// Parts from every peer and stops. Done once everything is on disk.
    pub async fn stop(&self) {
        // If it has stopped already, that is as well.
        let _ = self.ask(Request::Stop).await;
    }
}
