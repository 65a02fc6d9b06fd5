//! Put, get, provide, find.

use std::time::Instant;

use libp2p::{Multiaddr, PeerId, kad};
use tokio::sync::oneshot;

use crate::config;
use crate::error::RecordError;

mod behaviour;

pub(crate) use behaviour::{Kad, behaviour};

/// What became of a record that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// How many other peers took it by now. With 0 it is kept here alone, and offered when peers come.
    pub copies: usize,
}

/// What the DHT is asked for. Each is answered within [`PATIENCE`], whatever peers do.
#[derive(Debug)]
pub(crate) enum Request {
    /// Keep a value under a key, here and at the closest peers, and put it anew as long as this node lives.
    Put { key: Vec<u8>, value: Vec<u8>, reply: oneshot::Sender<Result<Stored, RecordError>> },
    /// The value of a key.
    Get { key: Vec<u8>, reply: oneshot::Sender<Result<Vec<u8>, RecordError>> },
    /// Stop putting a record of ours anew; peers forget it when it expires. `NotFound` if it is not ours.
    Withdraw { key: Vec<u8>, reply: oneshot::Sender<Result<(), RecordError>> },
    /// Tell that we provide what a key stands for.
    Provide { key: Vec<u8>, reply: oneshot::Sender<Result<(), RecordError>> },
    /// Tell it no more; peers forget it when it expires.
    StopProviding { key: Vec<u8> },
    /// Who provides what a key stands for.
    Providers { key: Vec<u8>, reply: oneshot::Sender<Result<Vec<PeerId>, RecordError>> },
    /// Where a peer is; nothing if nobody knows.
    FindPeer { identity: PeerId, reply: oneshot::Sender<Vec<Multiaddr>> },
}

/// Asks the DHT on behalf of this node, and keeps records where they belong.
#[derive(Debug)]
pub(crate) struct Service {}

impl Service {
    /// Nothing asked yet.
    pub(crate) fn new(_local: PeerId, _config: &config::Records, _now: Instant) -> Self {
        todo!()
    }

    /// Does what is asked, or answers why not.
    pub(crate) fn request(&mut self, _kad: &mut Kad, _request: Request, _now: Instant) {
        todo!()
    }

    /// Takes what Kademlia tells. Every event of [`Kad`] belongs here.
    pub(crate) fn event(&mut self, _kad: &mut Kad, _event: kad::Event, _now: Instant) {
        todo!()
    }

    /// The first connection with a peer is there.
    pub(crate) fn peer_came(&mut self, _peer: &PeerId, _now: Instant) {
        todo!()
    }

    /// The last connection with a peer is gone. It is dialled to see whether it is still there.
    pub(crate) fn peer_lost(&mut self, _peer: &PeerId, _now: Instant) {
        todo!()
    }

    /// A dial of a peer failed at all of its addresses: it leaves the routing table, and others get its records.
    pub(crate) fn unreachable(&mut self, _kad: &mut Kad, _peer: &PeerId, _now: Instant) {
        todo!()
    }

    /// When [`Service::deadline`] is to be called.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        todo!()
    }

    /// Does what is due.
    pub(crate) fn deadline(&mut self, _kad: &mut Kad, _now: Instant) {
        todo!()
    }
}
