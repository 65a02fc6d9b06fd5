//! The node: routes inputs to the machines, and what they want done to outputs.
//!
//! Drive it: feed [`handle`](Node::handle), drain [`poll`](Node::poll), sleep until
//! [`next_deadline`](Node::next_deadline).
//!
//! ```text
//!             ┌────────────┬──────────┬────────── keepalive
//!  Input ──▶ node ──▶ handshake    headers ──has──▶ blocks ──caught up──▶ relay
//!             │            └─ready─▶ all of them        │                  │
//!             │ faults ──▶ peers ◀── useful ────────────┴──────────────────┘
//!             ▼
//!           Output
//! ```
//!
//! It decides nothing itself but which machine hears of what. Its own are the sessions: which connections are open, and
//! what their handshake found. A session ends at the moment of parting; whatever the connection still says is not heard.
//!
//! Bounds: as many sessions as `peers` lets in (its `Config`), [`MAX_REQUESTS`] requests of users.

mod blocks;
mod config;
mod deadline;
mod fault;
mod message;
mod peers;
mod relay;
mod request;
mod session;
mod shutdown;
mod survey;
#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a test may overflow or panic: it fails"
)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use crate::codec::{self, Framing};
use crate::handshake::{self, Established};
use crate::io::{Command, Event, Input, Output, Reply, Ticket};
use crate::ledger::Ledger;
use crate::link::PeerId;
use crate::message::{Message, PeerRecord};
use crate::penalty::Reason;
use crate::random::Random;
use crate::tally::{self, Messages, Tally};
use crate::time::{Time, Timestamp};
use crate::{headers, irreversible, keepalive};

pub use self::config::{Config, Role};
pub use self::fault::Fault;
pub use self::request::MAX_REQUESTS;
use self::request::Requests;
use self::session::Session;
pub use self::survey::PeerFacts;

/// One peer of the network.
#[derive(Debug)]
pub struct Node {
    config: Config,
    outputs: VecDeque<Output>,
    /// The latest time that came in: time never goes back here, whatever a driver says.
    now: Time,
    /// The wall clock, and when it was told.
    wall: (Timestamp, Time),
    started: bool,
    stopped: bool,
    sessions: BTreeMap<PeerId, Session>,
    requests: Requests,
    handshake: handshake::State,
    keepalive: keepalive::State,
    peers: crate::peers::State,
    headers: headers::State,
    blocks: crate::blocks::State,
    relay: crate::relay::State,
    irreversible: irreversible::State,
    tally: Tally,
    messages: Messages,
}

/// What every part of one call needs.
struct Turn<'a> {
    now: Time,
    wall: Timestamp,
    ledger: &'a mut dyn Ledger,
}

impl Turn<'_> {
    fn moment(&self) -> headers::Moment {
        headers::Moment { now: self.now, wall: self.wall }
    }
}

impl Node {
    /// A node that has kept nothing from before. `seed` must be secret: peers that know it know what the node will do.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self::restore(config, seed, crate::peers::ChangeSet::default())
    }

    /// A node that goes on with what it kept: everything that came out as [`Output::Persist`], merged in order.
    #[must_use]
    pub fn restore(config: Config, seed: [u8; 32], kept: crate::peers::ChangeSet) -> Self {
        let random = Random::new(seed);
        let relay = crate::relay::State::new(config.relay, random.fork("relay"));
        let handshake = handshake::Config { short_id_key: relay.short_id_key(), ..config.handshake.clone() };
        Self {
            outputs: VecDeque::new(),
            now: Time::ZERO,
            wall: (Timestamp::default(), Time::ZERO),
            started: false,
            stopped: false,
            sessions: BTreeMap::new(),
            requests: Requests::default(),
            handshake: handshake::State::new(handshake, random.fork("handshake")),
            keepalive: keepalive::State::new(config.keepalive, random.fork("keepalive")),
            peers: crate::peers::State::restore(config.peers.clone(), random.fork("peers"), &kept),
            headers: headers::State::new(config.headers, random.fork("headers")),
            blocks: crate::blocks::State::new(config.blocks, random.fork("blocks")),
            relay,
            irreversible: irreversible::State::new(),
            tally: Tally::default(),
            messages: Messages::default(),
            config,
        }
    }

    /// Takes an input. Never fails, blocks or panics, whatever a peer sends.
    pub fn handle(&mut self, now: Time, input: Input, ledger: &mut dyn Ledger) {
        self.now = self.now.max(now);
        if self.stopped {
            return self.after_shutdown(input);
        }
        let turn = &mut Turn { now: self.now, wall: self.wall_at(self.now), ledger };
        match input {
            Input::Clock(wall) => self.set_clock(wall, turn),
            Input::Connected { peer, link } => self.connected(peer, link, turn),
            Input::Disconnected { peer } => self.forget(peer, None, turn),
            Input::DialFailed { address } => {
                tally::count(&mut self.tally.discovery.failures, 1);
                let outcomes = self.peers.dial_failed(&address, turn.now);
                self.peers_outcomes(outcomes, turn);
            }
            Input::Message { peer, message, size } => self.message(peer, message, size, turn),
            Input::Malformed { peer, error } => self.fault(peer, Fault::Codec(error), turn),
            Input::Congested { peer, congested } => self.congested(peer, congested, turn),
            Input::BlockRead { ticket, block } => {
                let outcomes = self.blocks.block_read(ticket, block, turn.now, turn.ledger);
                self.blocks_outcomes(outcomes, turn);
            }
            Input::Processed { hash, outcome } => self.processed(hash, &outcome, turn),
            Input::Judged { wtxid, outcome } => self.judged(&wtxid, &outcome, turn),
            Input::Tip(change) => self.tip(&change, turn),
            Input::Pool(change) => {
                let outcomes = self.relay.pool(&change, turn.now, turn.ledger);
                self.relay_outcomes(outcomes, turn);
            }
            Input::Command { ticket, command } => self.command(ticket, command, turn),
            Input::Deadline => {}
        }
        // Whatever is due at this moment, be it for this input or because its time has come.
        if !self.stopped {
            self.deadline(turn);
        }
    }

    /// The next thing to be done; drain it after every input.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The node's clock: what was told last, and the time since.
    fn wall_at(&self, now: Time) -> Timestamp {
        let (told, at) = self.wall;
        told.after(now.since(at))
    }

    /// What that clock showed `then`.
    fn wall_then(&self, then: Time) -> Timestamp {
        let ago = self.now.since(then).as_secs();
        Timestamp(self.wall_at(self.now).0.saturating_sub(ago))
    }

    fn start(&mut self, turn: &mut Turn<'_>) {
        self.relay.load(turn.ledger);
        let outcomes = self.relay.set_catching_up(self.blocks.is_catching_up(), turn.now, turn.ledger);
        self.relay_outcomes(outcomes, turn);
        // What was irreversible before a restart still is.
        let outcomes = self.irreversible.tip_changed(turn.ledger);
        self.irreversible_outcomes(outcomes, turn);
        self.deadline(turn);
    }

    fn set_clock(&mut self, wall: Timestamp, turn: &mut Turn<'_>) {
        self.wall = (wall, turn.now);
        turn.wall = wall;
        self.peers.clock(wall, turn.now);
        self.blocks.clock(wall, turn.now);
        if !self.started {
            self.started = true;
            self.start(turn);
        }
    }

    fn command(&mut self, ticket: Ticket, command: Command, turn: &mut Turn<'_>) {
        let reply = match command {
            Command::Submit(transaction) => {
                let reply = self.requests.transaction(transaction.wtxid(), ticket);
                if reply.is_none() {
                    let outcomes = self.relay.submit(transaction, turn.now);
                    self.relay_outcomes(outcomes, turn);
                }
                reply
            }
            Command::SubmitPair { child, parent, parent_ticket } => {
                self.submit_pair(child, parent, (ticket, parent_ticket), turn);
                None
            }
            Command::TellUntilTaken(transactions) => {
                let outcomes = self.relay.tell_until_taken(&transactions, turn.now);
                self.relay_outcomes(outcomes, turn);
                Some(Reply::Done)
            }
            Command::SubmitBlock(block) => {
                let reply = self.requests.block(block.hash(), ticket);
                if reply.is_none() {
                    self.outputs.push_back(Output::Process(block));
                }
                reply
            }
            Command::AddPeer(address, purpose) => match self.peers.add_peer(address, purpose, turn.now) {
                Ok(outcomes) => {
                    self.peers_outcomes(outcomes, turn);
                    Some(Reply::Done)
                }
                Err(error) => Some(Reply::NotAdded(error)),
            },
            Command::RemovePeer(address) => match self.peers.remove_peer(&address, turn.now) {
                Some(outcomes) => {
                    self.peers_outcomes(outcomes, turn);
                    Some(Reply::Done)
                }
                None => Some(Reply::NoPeer),
            },
            Command::Learn(addresses) => {
                let outcomes = self.peers.learn(&addresses, turn.now);
                self.peers_outcomes(outcomes, turn);
                Some(Reply::Done)
            }
            Command::Advertise(record, endpoints) => {
                self.advertise(record, endpoints, turn);
                Some(Reply::Done)
            }
            Command::Disconnect(peer) => Some(if self.sessions.contains_key(&peer) {
                self.part(peer, Reason::Asked, turn);
                Reply::Done
            } else {
                Reply::NoPeer
            }),
            Command::Ban(target, until) => {
                let outcomes = self.peers.ban(target, until, turn.now);
                self.peers_outcomes(outcomes, turn);
                Some(Reply::Done)
            }
            Command::Unban(target) => match self.peers.unban(&target, turn.now) {
                Some(outcomes) => {
                    self.peers_outcomes(outcomes, turn);
                    Some(Reply::Done)
                }
                None => Some(Reply::NoPeer),
            },
            Command::Ping => {
                let outcomes = self.keepalive.ping(turn.now);
                self.keepalive_outcomes(outcomes, turn);
                Some(Reply::Done)
            }
            Command::Shutdown => {
                self.shut_down();
                Some(Reply::Done)
            }
        };
        if let Some(reply) = reply {
            self.outputs.push_back(Output::Reply { ticket, reply });
        }
    }

    fn advertise(
        &mut self,
        record: Option<std::sync::Arc<PeerRecord>>,
        endpoints: Vec<crate::address::Endpoint>,
        turn: &mut Turn<'_>,
    ) {
        if let Some(record) = record {
            let outcomes = self.peers.set_own_record(record, turn.now);
            self.peers_outcomes(outcomes, turn);
        }
        let outcomes = self.peers.set_own_endpoints(endpoints, turn.now);
        self.peers_outcomes(outcomes, turn);
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Sends, unless the connection is closing.
    fn send(&mut self, peer: PeerId, message: Message) {
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        session.sent = Some(self.now);
        // The length is the same whatever the magic.
        let bytes = codec::encoded_len(&message, Framing::of(session.link.carrier, [0; 4]));
        self.messages.count_sent(&message, bytes);
        self.tally.sent(&message);
        self.outputs.push_back(Output::Send { peer, message });
    }

    fn established(&self, peer: PeerId) -> Option<&Established> {
        self.sessions.get(&peer)?.established.as_deref()
    }
}
