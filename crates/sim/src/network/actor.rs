//! Participants that are no nodes, such as adversaries: they speak raw messages.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use yap_chain::transaction::Transaction;
use yap_protocol::link::Purpose;
use yap_protocol::{Address, Link, Message, PeerId, Time};

use super::drive::Event;
use super::{Network, NodeId};
use crate::Random;

/// A participant that is no node. It knows everything, as a well prepared adversary might, and says what it likes.
pub trait Actor: Debug {
    /// The run begins for it.
    fn start(&mut self, port: &mut Port<'_>) {
        let _ = port;
    }

    /// A connection is open.
    fn connected(&mut self, port: &mut Port<'_>, peer: PeerId, link: &Link);

    /// A message came.
    fn message(&mut self, port: &mut Port<'_>, peer: PeerId, message: Message);

    /// A connection is closed.
    fn disconnected(&mut self, port: &mut Port<'_>, peer: PeerId) {
        let _ = (port, peer);
    }

    /// The actor's user wants to make a transaction known.
    fn submitted(&mut self, port: &mut Port<'_>, transaction: &Arc<Transaction>) {
        let _ = (port, transaction);
    }

    /// A time came that was asked for.
    fn timer(&mut self, port: &mut Port<'_>, token: u64) {
        let _ = (port, token);
    }
}

/// What an actor can do.
#[derive(Debug)]
pub struct Port<'a> {
    network: &'a mut Network,
    me: NodeId,
}

impl<'a> Port<'a> {
    pub(super) const fn new(network: &'a mut Network, me: NodeId) -> Self {
        Self { network, me }
    }

    /// The present.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.network.now
    }

    /// Who it is.
    #[must_use]
    pub const fn me(&self) -> NodeId {
        self.me
    }

    /// The whole network, to look at.
    #[must_use]
    pub const fn network(&self) -> &Network {
        self.network
    }

    /// The whole network. Blocks may be put into its world.
    pub const fn network_mut(&mut self) -> &mut Network {
        self.network
    }

    /// A stream of random numbers of its own, the same at each call.
    #[must_use]
    pub fn random(&self) -> Random {
        self.network.random("actor").fork(&self.me.0.to_string())
    }

    /// Records that a transaction or block has come here.
    pub fn arrived(&mut self, hash: [u8; 32]) {
        self.network.arrived(hash);
    }

    /// Sends a message.
    pub fn send(&mut self, peer: PeerId, message: Message) {
        self.network.send(self.me, peer, message);
    }

    /// Sends bytes, whatever they are.
    pub fn send_bytes(&mut self, peer: PeerId, bytes: Vec<u8>) {
        self.network.send_bytes(self.me, peer, bytes);
    }

    /// Dials an address; the connection is told when it is open.
    pub fn dial(&mut self, address: &Address) {
        self.network.dial(self.me, address, Purpose::Full);
    }

    /// Closes a connection, once what was sent on it has gone.
    pub fn close(&mut self, peer: PeerId) {
        self.network.close(self.me, peer);
    }

    /// Reads no faster than this from now on, in bytes per second.
    pub fn read_slowly(&mut self, peer: PeerId, rate: u64) {
        self.network.read_slowly(self.me, peer, rate);
    }

    /// Asks to be told when `wait` is over.
    pub fn timer(&mut self, wait: Duration, token: u64) {
        let event = Event::Timer { node: self.me, token };
        self.network.queue.push(self.network.now.after(wait), event);
    }
}
