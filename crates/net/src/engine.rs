//! The task that owns the swarm.
//!
//! It hands what happens to the part that knows what it means, and does what that part wants:
//!
//! | what happens | goes to | what may follow |
//! |---|---|---|
//! | a connection comes or goes | `paths`, `dial`, `limits` | a session is opened, moved, or closed |
//! | a stream for a session is open | `sessions` | the node hears `Connected` |
//! | addresses are told of (identify, mDNS, registry, DNS, DHT) | `book`, the DHT | the node learns them |
//! | what others say of our addresses (AutoNAT, UPnP, relays) | `reach` | relays, modes, what we tell of ourselves |
//! | an interface comes or goes | `reach`, `paths` | connections are closed and made anew |
//! | records, topics | `service`, `topics` | answers |
//!
//! Bounds: [`OUTBOX`] events wait for the owner here, then those are dropped that may be. What the node must hear of is
//! never dropped: beyond [`FULL`] no session begins and no dial does, so that what is left to tell is the end of those
//! that there are.

mod behaviour;
mod book;
mod complaints;
mod dial;
mod discover;
mod failure;
mod follow;
mod inform;
mod plain;
mod sessions;
mod start;
mod swarm;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use libp2p::core::ConnectedPoint;
use libp2p::core::transport::ListenerId;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, Swarm};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use yap_protocol::link::{Carrier, Direction, Link};
use yap_protocol::{Address, Input};

use crate::clock::Clock;
use crate::config::{self, Chain};
use crate::error::{DialError, RecordError};
use crate::event::{Event, Notice};
use crate::find;
use crate::given::{self, Given};
use crate::owner::{Command, Shared, Told};
use crate::session::Inbox;
use crate::status::Status;
use crate::{reach, service, transport};

use behaviour::Behaviour;
#[cfg(test)]
pub(crate) use behaviour::{PING_INTERVAL, PING_TIMEOUT};
pub(crate) use start::start;

/// Events that wait for the owner. Beyond, notices and found addresses are dropped: both come again.
const OUTBOX: usize = 1024;

/// Events that wait for the owner and must not be dropped come on top. With so many altogether nothing new begins: what
/// comes in is closed, what is to be dialled is given up, which the node takes for a failed dial after a while.
const FULL: usize = 2 * OUTBOX;

/// How old the status may be.
const STATUS_AGE: Duration = Duration::from_millis(500);

type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What the DHT found for a dial.
#[derive(Debug)]
struct Found {
    number: u64,
    addresses: Vec<Multiaddr>,
    why: DialError,
}

/// The task's state.
struct Engine {
    swarm: Swarm<Behaviour>,
    /// Where we listen, circuits aside.
    listeners: Vec<ListenerId>,
    clock: Clock,
    keys: crate::identity::Keys,
    chain: Chain,
    limits: config::Limits,
    requests: mpsc::Receiver<Command>,
    told: mpsc::Sender<Told>,
    statuses: watch::Sender<Arc<Status>>,
    shared: Arc<Shared>,
    inbox: Inbox,
    outbox: VecDeque<Told>,
    /// When the status is told anew; `None` if it is not old.
    status_due: Option<Instant>,
    attempts: dial::Attempts,
    complaints: complaints::Complaints,
    sessions: sessions::Sessions,
    book: book::Book,
    /// Every connection: who, from where to where. As many as `limits` lets in.
    connections: HashMap<ConnectionId, (PeerId, ConnectedPoint)>,
    /// Connected peers that relay for us, and those that we relay for.
    reserved: BTreeSet<(PeerId, swarm::Relaying)>,
    /// Sessions of ours that were lost with an address of this machine, until their peers are connected again. At most
    /// [`follow::LOST`].
    lost: BTreeMap<PeerId, Link>,
    paths: reach::paths::State,
    reach: reach::State,
    service: service::Service,
    registry: Option<find::registry::Registry>,
    names: find::names::Names,
    /// Peers that the user named, and what their names lead to; at most [`given::MAX_PEERS`].
    given: BTreeMap<usize, (Given, Vec<Address>)>,
    next_given: usize,
    resolved: mpsc::Receiver<find::names::Found>,
    searches: FuturesUnordered<Later<Found>>,
    plain_dials: FuturesUnordered<Later<plain::Dialled>>,
    plain: mpsc::Receiver<transport::Bitcoin>,
    services: yap_protocol::message::Services,
    said: inform::Said,
}

impl Engine {
    /// Runs until it is told to stop, or its owner is gone.
    async fn run(mut self) {
        let told = self.told.clone();
        loop {
            let deadline = self.next_deadline();
            let due = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                permit = told.reserve(), if !self.outbox.is_empty() => match permit {
                    Ok(permit) => {
                        if let Some(told) = self.outbox.pop_front() {
                            permit.send(told);
                        }
                    }
                    Err(_) => break,
                },
                () = self.shared.stopped() => break,
                () = told.closed() => break,
                command = self.requests.recv() => match command {
                    None => break,
                    Some(command) => self.command(command),
                },
                event = self.swarm.select_next_some() => self.swarm_event(event),
                peer = self.shared.ended() => {
                    // What the node said of it before still counts, such as that the peer is banned.
                    while let Ok(command) = self.requests.try_recv() {
                        self.command(command);
                    }
                    self.ended(peer);
                }
                Some(found) = self.searches.next() => self.found(found),
                Some(dialled) = self.plain_dials.next() => self.plain_dialled(dialled),
                Some(accepted) = self.plain.recv() => self.plain_accepted(accepted),
                Some(found) = self.resolved.recv() => self.resolved(found),
                () = due => self.deadline(),
            }
        }
        Box::pin(self.stop()).await;
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Dial(address, purpose) => self.dial(address, purpose),
            Command::Part(peer, why) => self.part(peer, why),
            Command::Record(request) => {
                if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() {
                    self.service.request(kad, request, std::time::Instant::now());
                    self.status_is_old();
                } else {
                    request.fail(RecordError::Off);
                }
            }
            Command::Subscribe(topic, validator, reply) => {
                let _ = reply.send(self.swarm.behaviour_mut().topics.subscribe(&topic, validator));
            }
            Command::Unsubscribe(topic) => self.swarm.behaviour_mut().topics.unsubscribe(&topic),
            Command::Publish(topic, data, reply) => {
                let _ = reply.send(self.swarm.behaviour_mut().topics.publish(&topic, data));
            }
            Command::AddPeer(given) => {
                if self.given.len() < given::MAX_PEERS && !self.is_full() {
                    self.add_given(given);
                } else {
                    tracing::warn!(%given, "too many peers are named: this one is not kept connected");
                }
            }
            Command::RemovePeer(given) => self.remove_given(&given),
            Command::Lift(target) => self.lift(&target),
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let machines = self.reach.next_deadline().into_iter().chain(self.paths.next_deadline()).min();
        let machines = machines.map(|time| self.clock.instant(time));
        // Without the DHT nothing is done for it, however long it is due.
        let serves = self.swarm.behaviour().kad.is_enabled();
        let service = self.service.next_deadline().filter(|_| serves).map(Instant::from_std);
        [self.status_due, service, machines].into_iter().flatten().min()
    }

    /// Something is due.
    fn deadline(&mut self) {
        let now = Instant::now();
        if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut()
            && self.service.next_deadline().is_some_and(|due| due <= now.into_std())
        {
            self.service.deadline(kad, now.into_std());
        }
        self.reach_deadline();
        if self.status_due.is_some_and(|due| due <= now) {
            self.tell_status();
        }
    }

    /// Whether so much waits for the owner that nothing new begins.
    fn is_full(&self) -> bool {
        self.outbox.len() >= FULL
    }

    /// Tells the owner something that must not be lost.
    fn tell_surely(&mut self, event: Event) {
        self.outbox.push_back(Told::Event(event));
    }

    /// Tells the owner something that may be lost if it does not listen.
    fn tell(&mut self, event: Event) {
        if self.outbox.len() < OUTBOX {
            self.outbox.push_back(Told::Event(event));
        } else {
            tracing::debug!(?event, "the owner does not listen: dropped");
        }
    }

    fn notice(&mut self, notice: Notice) {
        self.tell(Event::Notice(notice));
    }

    fn plain_dialled(&mut self, dialled: plain::Dialled) {
        match dialled.result {
            Err(error) => {
                tracing::debug!(%error, "can't connect");
                let why = failure::of_io(error);
                self.fail(dialled.number, Some(why));
            }
            Ok(stream) => {
                if self.is_full() {
                    return self.fail(dialled.number, Some(DialError::Limit));
                }
                let Some(attempt) = self.attempts.remove(dialled.number) else { return };
                let link = Link {
                    direction: Direction::Outbound,
                    carrier: Carrier::Bitcoin,
                    address: attempt.address,
                    identity: None,
                    purpose: Some(attempt.purpose),
                };
                self.opened_plain(link, stream);
            }
        }
    }

    fn plain_accepted(&mut self, accepted: transport::Bitcoin) {
        let most = usize::try_from(self.limits.inbound).unwrap_or(usize::MAX);
        let inbound = |open: &sessions::Open| open.on.is_none() && open.link.direction == Direction::Inbound;
        if self.is_full() || self.sessions.iter().filter(|(_, open)| inbound(open)).count() >= most {
            return;
        }
        let link = Link {
            direction: Direction::Inbound,
            carrier: Carrier::Bitcoin,
            address: plain::address(accepted.remote),
            identity: None,
            purpose: None,
        };
        self.opened_plain(link, accepted.stream);
    }

    /// Ends everything. What is queued on streams was sent by the sessions themselves if the node parted first.
    async fn stop(mut self) {
        self.registry = None;
        // In memory, an address is free again only when it is given back.
        for listener in std::mem::take(&mut self.listeners) {
            self.swarm.remove_listener(listener);
        }
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        // Closing takes a moment; whoever does not answer is left.
        let closed = async {
            while self.swarm.connected_peers().next().is_some() {
                let _ = self.swarm.select_next_some().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(100), closed).await;
        self.abandon_attempts();
        self.requests.close();
        while let Ok(command) = self.requests.try_recv() {
            if let Command::Dial(address, _) = command {
                self.tell_surely(Event::Input(Input::DialFailed { address }));
            }
        }
        // Sessions that would begin now have ended.
        let rest = std::mem::take(&mut self.outbox).into_iter().filter_map(Told::too_late);
        self.shared.leave(rest.collect());
    }
}
