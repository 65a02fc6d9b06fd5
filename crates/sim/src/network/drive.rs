//! The loop: events become inputs of nodes, and nodes' outputs become events.

use std::sync::Arc;

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use yap_chain::block::Block;
use yap_chain::transaction::Transaction;
use yap_protocol::io::{Input, Output, Ticket};
use yap_protocol::{Address, Message, Time};

use super::actor::{Actor, Port};
use super::host::Kind;
use super::oracle::{Checks, Failure};
use super::wire;
use super::{Network, NodeId, agent};

/// What is on its way on a connection.
#[derive(Debug)]
pub(super) enum Parcel {
    Message(Message),
    /// Bytes, of one message or of anything at all.
    Bytes(Vec<u8>),
    /// The sender has closed the connection.
    End,
}

/// Work that a node gave to its host.
#[derive(Debug)]
pub(super) enum Job {
    Judge { transaction: Arc<Transaction>, parent: Option<Arc<Transaction>> },
    Process(Arc<Block>),
    Read { ticket: Ticket, hash: BlockHash },
}

/// Something that happens.
#[derive(Debug)]
pub(super) enum Event {
    /// The last byte has come to the receiver's own line, on which others' may be before it.
    Arrived {
        connection: u64,
        end: u8,
        parcel: Parcel,
        size: u32,
    },
    /// The last byte is through.
    Delivered {
        connection: u64,
        end: u8,
        parcel: Parcel,
        size: u32,
    },
    Opened {
        connection: u64,
    },
    Accepted {
        connection: u64,
    },
    DialFailed {
        node: NodeId,
        epoch: u32,
        address: Address,
    },
    Closed {
        connection: u64,
        end: u8,
    },
    Congested {
        connection: u64,
        end: u8,
    },
    Drained {
        connection: u64,
        end: u8,
    },
    Done {
        node: NodeId,
        epoch: u32,
        job: Job,
    },
    Deadline {
        node: NodeId,
        epoch: u32,
    },
    Timer {
        node: NodeId,
        token: u64,
    },
    Agent {
        index: u32,
    },
}

impl Network {
    /// Runs until `time`; everything up to and including that moment has happened then.
    ///
    /// # Errors
    /// The first violation.
    pub fn run_until(&mut self, time: Time) -> Result<(), Failure> {
        while self.queue.next_time().is_some_and(|next| next <= time) {
            self.step()?;
        }
        self.now = self.now.max(time);
        Ok(())
    }

    /// Runs until `done` holds, or `time`. Gives whether it held.
    ///
    /// # Errors
    /// The first violation.
    pub fn run_while(&mut self, time: Time, mut going: impl FnMut(&Self) -> bool) -> Result<bool, Failure> {
        while going(self) {
            if self.queue.next_time().is_none_or(|next| next > time) {
                self.now = self.now.max(time);
                return Ok(false);
            }
            self.step()?;
        }
        Ok(true)
    }

    /// Lets the next event happen.
    fn step(&mut self) -> Result<(), Failure> {
        let Some((at, event)) = self.queue.pop() else { return Ok(()) };
        self.now = at;
        self.happen(event);
        self.failure.take().map_or(Ok(()), Err)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrived { connection, end, parcel, size } => {
                let Some(Some(line)) = self.connections.get(connection as usize) else { return };
                let done = self.download(line.ends[usize::from(end)].node, size as usize);
                if done > self.now {
                    self.queue.push(done, Event::Delivered { connection, end, parcel, size });
                } else {
                    self.deliver(connection, end, parcel, size as usize);
                }
            }
            Event::Delivered { connection, end, parcel, size } => {
                self.deliver(connection, end, parcel, size as usize);
            }
            Event::Opened { connection } => self.opened(connection),
            Event::Accepted { connection } => self.accepted(connection),
            Event::DialFailed { node, epoch, address } => {
                if self.epoch(node) == epoch {
                    self.tell(node, Input::DialFailed { address });
                }
            }
            Event::Closed { connection, end } => self.closed(connection, end),
            Event::Congested { connection, end } => self.congested(connection, end),
            Event::Drained { connection, end } => self.drained(connection, end),
            Event::Done { node, epoch, job } => {
                if self.epoch(node) == epoch {
                    self.done(node, job);
                }
            }
            Event::Deadline { node, epoch } => self.deadline(node, epoch),
            Event::Timer { node, token } => self.act(node, |actor, port| actor.timer(port, token)),
            Event::Agent { index } => self.agent(index),
        }
    }

    fn deadline(&mut self, node: NodeId, epoch: u32) {
        let now = self.now;
        let Some(host) = self.host_mut(node).filter(|host| host.epoch == epoch) else { return };
        if host.armed.is_some_and(|armed| armed <= now) {
            host.armed = None;
        }
        match host.node.as_ref().and_then(|node| node.next_deadline()) {
            Some(due) if due <= now => self.tell(node, Input::Deadline),
            Some(_) => self.arm(node),
            None => {}
        }
    }

    /// Schedules the node's deadline, unless that is done.
    fn arm(&mut self, id: NodeId) {
        let now = self.now;
        let Some(host) = self.host_mut(id) else { return };
        let Some(due) = host.node.as_ref().and_then(|node| node.next_deadline()) else { return };
        if host.armed.is_none_or(|armed| due < armed) {
            // One that is due already is told in the next microsecond, so that time goes on whatever a node does.
            let due = due.max(Time::from_micros(now.as_micros() + 1));
            host.armed = Some(due);
            let epoch = host.epoch;
            self.queue.push(due, Event::Deadline { node: id, epoch });
        }
    }

    /// Gives a participant an input, and does what it wants done.
    pub(super) fn tell(&mut self, id: NodeId, input: Input) {
        self.note(id, &input);
        let (kind, detail) = trace(&input);
        self.transcript.add(self.now, id.0, kind, detail);
        if matches!(self.participants[id.0 as usize].kind, Kind::Actor(_)) {
            self.tell_actor(id, input);
            return;
        }
        let now = self.now;
        let Some(host) = self.host_mut(id) else { return };
        let Some(node) = &mut host.node else { return };
        node.handle(now, input, &mut host.ledger);
        while let Some(output) = self.host_mut(id).and_then(|host| host.node.as_mut()?.poll()) {
            self.output(id, output);
        }
        self.check(id);
        self.arm(id);
    }

    fn output(&mut self, id: NodeId, output: Output) {
        self.note(id, &output);
        match output {
            Output::Send { peer, message } => self.send(id, peer, message),
            Output::Dial { address, purpose } => self.dial(id, &address, purpose),
            Output::Disconnect { peer, why } => {
                if let Some(other) = self.other_end(id, peer) {
                    self.parted(id, other, why);
                }
                self.close(id, peer);
            }
            Output::ReadBlock { ticket, hash } => self.work(id, Job::Read { ticket, hash }),
            Output::Process(block) => self.work(id, Job::Process(block)),
            Output::Judge { transaction, parent } => self.work(id, Job::Judge { transaction, parent }),
            Output::Persist(change) => self.host_mut(id).expect("a node").kept.merge(change),
            // Users of nodes look at the ledger.
            Output::Reply { .. } | Output::Event(_) => {}
        }
    }

    fn check(&mut self, id: NodeId) {
        let checks = self.config.checks;
        let Some(host) = self.host_mut(id) else { return };
        host.steps = host.steps.wrapping_add(1);
        let due = match checks {
            Checks::Always => true,
            Checks::Sometimes(every) => host.steps.is_multiple_of(every),
        };
        if due && let Some(node) = &host.node {
            node.check(&host.ledger);
        }
    }

    fn tell_actor(&mut self, id: NodeId, input: Input) {
        match input {
            Input::Connected { peer, link } => self.act(id, |actor, port| actor.connected(port, peer, &link)),
            Input::Disconnected { peer } => self.act(id, |actor, port| actor.disconnected(port, peer)),
            Input::Message { peer, message, .. } => self.act(id, |actor, port| actor.message(port, peer, message)),
            // Actors ask their host for nothing, and know the time.
            Input::Clock(_)
            | Input::DialFailed { .. }
            | Input::Malformed { .. }
            | Input::Congested { .. }
            | Input::BlockRead { .. }
            | Input::Processed { .. }
            | Input::Judged { .. }
            | Input::Tip(_)
            | Input::Pool(_)
            | Input::Command { .. }
            | Input::Deadline => {}
        }
    }

    /// Lets an actor act.
    pub(super) fn act(&mut self, id: NodeId, what: impl FnOnce(&mut dyn Actor, &mut Port<'_>)) {
        let Kind::Actor(slot) = &mut self.participants[id.0 as usize].kind else { return };
        let Some(mut actor) = slot.take() else { return };
        what(&mut *actor, &mut Port::new(self, id));
        if let Kind::Actor(slot) = &mut self.participants[id.0 as usize].kind {
            *slot = Some(actor);
        }
    }

    /// Adds an agent, which acts at `at` for the first time.
    pub fn add_agent(&mut self, agent: Box<dyn agent::Agent>, at: Time) {
        let index = self.agents.len() as u32;
        self.agents.push(Some(agent));
        self.queue.push(at, Event::Agent { index });
    }

    fn agent(&mut self, index: u32) {
        let Some(mut agent) = self.agents[index as usize].take() else { return };
        if let Some(next) = agent.act(self) {
            self.queue.push(next.max(self.now), Event::Agent { index });
            self.agents[index as usize] = Some(agent);
        }
    }
}

/// What tells an input from others, for the transcript.
fn trace(input: &Input) -> (u8, u64) {
    let first = |bytes: [u8; 32]| u64::from_le_bytes(*bytes.first_chunk().expect("32 bytes"));
    match input {
        Input::Clock(wall) => (0, wall.0),
        Input::Connected { peer, .. } => (1, peer.0),
        Input::Disconnected { peer } => (2, peer.0),
        Input::DialFailed { .. } => (3, 0),
        Input::Message { peer, message, size } => {
            let content = if let Message::Transaction(transaction) = message {
                first(transaction.wtxid().to_byte_array())
            } else if let Message::Block(block) = message {
                first(block.hash().to_byte_array())
            } else {
                wire::Kind::of(message) as u64
            };
            (4, content ^ peer.0.rotate_left(48) ^ (*size as u64).rotate_left(24))
        }
        Input::Malformed { peer, .. } => (5, peer.0),
        Input::Congested { peer, congested } => (6, peer.0 << 1 | u64::from(*congested)),
        Input::BlockRead { ticket, block } => (7, ticket.0 << 1 | u64::from(block.is_some())),
        Input::Processed { hash, .. } => (8, first(hash.to_byte_array())),
        Input::Judged { wtxid, .. } => (9, first(wtxid.to_byte_array())),
        Input::Tip(change) => (10, (change.connected.len() as u64) << 32 | change.disconnected.len() as u64),
        Input::Pool(change) => (11, (change.added.len() as u64) << 32 | change.removed.len() as u64),
        Input::Command { ticket, .. } => (12, ticket.0),
        Input::Deadline => (13, 0),
    }
}
