//! Participants that mean harm, each by one kind of it, and plain ones to compare with.
//!
//! An [`Adversary`] gets through the handshake as anybody does, and then follows its [`Vice`]. It knows the whole network,
//! so it announces what is real and makes blocks that only just break a rule.

#![expect(clippy::wildcard_enum_match_arm, reason = "an adversary answers what serves it, and passes over the rest")]

mod blocks;
mod flood;
mod garble;
mod handshake;
mod headers;
mod reference;
mod server;
mod slow;
mod spend;
mod withhold;

use std::fmt::Debug;
use std::time::Duration;

use yap_protocol::{Link, Message, PeerId};

use super::actor::{Actor, Port};
use crate::Random;

pub use blocks::BadBlocks;
pub use flood::{Flood, What};
pub use garble::Garble;
pub use handshake::Handshake;
pub use headers::{Headers, Lie};
pub use reference::{Gossip, Reference};
pub use server::{Fault, Server};
pub use slow::{Mute, SlowReader};
pub use spend::DoubleSpender;
pub use withhold::Withhold;

/// One kind of harm, done to peers once the handshake is over.
pub trait Vice: Debug {
    /// A peer's handshake is over.
    fn ready(&mut self, port: &mut Port<'_>, peer: PeerId) {
        let _ = (port, peer);
    }

    /// A message came after the handshake.
    fn message(&mut self, port: &mut Port<'_>, peer: PeerId, message: &Message) {
        let _ = (port, peer, message);
    }

    /// It is time: as often as [`Adversary::new`] was told.
    fn tick(&mut self, port: &mut Port<'_>, peers: &[PeerId]) {
        let _ = (port, peers);
    }
}

/// Gets through the handshake, then follows its vice; dials again whoever leaves.
#[derive(Debug)]
pub struct Adversary {
    handshake: Handshake,
    vice: Box<dyn Vice>,
    victims: Vec<yap_protocol::Address>,
    every: Duration,
    /// How often it dials again in all.
    redials: u32,
    random: Random,
}

/// How often an adversary comes back.
const REDIALS: u32 = 1000;

impl Adversary {
    /// Dials `victims`, takes whoever dials it, and acts `every` so often.
    #[must_use]
    pub fn new(vice: Box<dyn Vice>, victims: Vec<yap_protocol::Address>, every: Duration) -> Self {
        Self { handshake: Handshake::default(), vice, victims, every, redials: REDIALS, random: Random::new(0) }
    }
}

impl Actor for Adversary {
    fn start(&mut self, port: &mut Port<'_>) {
        self.random = port.random();
        for victim in &self.victims {
            port.dial(victim);
        }
        port.timer(self.every, 0);
    }

    fn connected(&mut self, port: &mut Port<'_>, peer: PeerId, link: &Link) {
        self.handshake.connected(port, peer, link);
    }

    fn message(&mut self, port: &mut Port<'_>, peer: PeerId, message: Message) {
        if self.handshake.message(port, peer, &message) {
            self.vice.ready(port, peer);
        } else if self.handshake.is_ready(peer) {
            self.vice.message(port, peer, &message);
        }
    }

    fn disconnected(&mut self, port: &mut Port<'_>, peer: PeerId) {
        self.handshake.disconnected(peer);
        port.timer(self.every, 1);
    }

    fn timer(&mut self, port: &mut Port<'_>, token: u64) {
        if token == 0 {
            self.vice.tick(port, &self.handshake.ready());
            port.timer(self.every, 0);
        } else if self.redials > 0
            && let Some(victim) = self.random.pick(&self.victims)
        {
            self.redials -= 1;
            port.dial(victim);
        }
    }
}
