//! Connections: opening, sending, congestion, closing, and being cut.
//!
//! ```text
//! dial ──round trips──▶ Opened (dialler) ──one way──▶ Accepted (listener) ──▶ messages in order ──▶ End
//!    └──▶ refused (nobody there, one round trip) or timed out (cut off)
//! ```
//! A closed end says nothing more and hears nothing more; the other end hears what was sent before, then the end. While
//! the network is divided, what is sent across waits, as TCP would send it again and again.

use std::time::Duration;

use yap_protocol::codec::{self, Decoder};
use yap_protocol::io::Input;
use yap_protocol::link::{Direction, Purpose};
use yap_protocol::{Address, Link, Message, PeerId, Time};

use super::drive::{Event, Parcel};
use super::line::sending;
use super::oracle::{MAX_SEND_QUEUE, Violation};
use super::wire::Kind;
use super::{Network, NodeId};
use crate::Random;

/// Waiting bytes at which a sender is told that they pile up.
const CONGESTED: u64 = 1 << 20;

/// Waiting bytes at which it is told that they have drained.
const DRAINED: u64 = 1 << 18;

/// After which a dialler gives up on an address that does not answer.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// A rate that never is the bottleneck.
const UNLIMITED: u64 = u64::MAX;

/// How one end of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Not told of the connection yet.
    Opening,
    /// Talks.
    Open,
    /// Has closed it, and waits to be told so.
    Closing,
    /// Gone.
    Closed,
}

/// One end of a connection, and what is on its way from it to the other.
#[derive(Debug)]
pub(super) struct End {
    pub(super) node: NodeId,
    pub(super) status: Status,
    /// When the last byte that was sent leaves.
    free: Time,
    /// When the last message that was sent arrives.
    last: Time,
    /// Bytes per second that the other end reads.
    rate: u64,
    congested: bool,
    /// What waits for the network to be whole again.
    held: Vec<(Parcel, usize)>,
    held_bytes: u64,
    /// Reads the bytes that come to this end.
    decoder: Option<Box<Decoder>>,
}

impl End {
    const fn new(node: NodeId) -> Self {
        Self {
            node,
            status: Status::Opening,
            free: Time::ZERO,
            last: Time::ZERO,
            rate: UNLIMITED,
            congested: false,
            held: Vec::new(),
            held_bytes: 0,
            decoder: None,
        }
    }

    /// Bytes that wait to be sent.
    fn waiting(&self, now: Time, upload: u64) -> u64 {
        let rate = upload.min(self.rate);
        let micros = self.free.since(now).as_micros() as u64;
        self.held_bytes + (u128::from(micros) * u128::from(rate) / 1_000_000) as u64
    }
}

/// A connection: the dialler's end, then the listener's.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) ends: [End; 2],
    pub(super) purpose: Purpose,
    address: Address,
    /// The delay that all messages have.
    base: Duration,
}

impl Network {
    /// Opens a connection to an address for a participant.
    pub(super) fn dial(&mut self, from: NodeId, address: &Address, purpose: Purpose) {
        let to = self.endpoints.get(&address.endpoint).copied().filter(|to| *to != from);
        let number = self.connections.len() as u64;
        let base = self.base(from, to.unwrap_or(from));
        let event = match to {
            Some(to) if self.listens(to) && self.reachable(from, to) => {
                let ends = [End::new(from), End::new(to)];
                self.connections.push(Some(Box::new(Connection { ends, purpose, address: address.clone(), base })));
                let round_trip = base * 2 + self.jitter(base) + self.jitter(base);
                let opened = self.now.after(round_trip * self.config.line.opening);
                self.queue.push(opened, Event::Opened { connection: number });
                return;
            }
            Some(to) if !self.reachable(from, to) => (DIAL_TIMEOUT, address.clone()),
            Some(_) | None => (base * 2, address.clone()),
        };
        let epoch = self.epoch(from);
        self.queue.push(self.now.after(event.0), Event::DialFailed { node: from, epoch, address: event.1 });
    }

    /// The dialler may talk now, if the listener is still there.
    pub(super) fn opened(&mut self, number: u64) {
        let Some(connection) = &mut self.connections[number as usize] else { return };
        let [dialler, listener] = [0, 1].map(|end: usize| connection.ends[end].node);
        let [waits, expected] = [0, 1].map(|end: usize| connection.ends[end].status == Status::Opening);
        if !waits {
            // The dialler is gone.
            self.connections[number as usize] = None;
            return;
        }
        let address = connection.address.clone();
        let purpose = connection.purpose;
        if !expected || !self.listens(listener) || !self.reachable(dialler, listener) {
            self.connections[number as usize] = None;
            let epoch = self.epoch(dialler);
            self.queue.push(self.now, Event::DialFailed { node: dialler, epoch, address });
            return;
        }
        let accepted = self.now.after(connection_base(&self.connections, number));
        let connection = self.connections[number as usize].as_mut().expect("it is opening");
        connection.ends[0].status = Status::Open;
        connection.ends[0].last = accepted;
        self.queue.push(accepted, Event::Accepted { connection: number });
        let identity = self.participants[listener.0 as usize].address.identity;
        let carrier = self.config.carrier.into();
        let link = Link { direction: Direction::Outbound, carrier, address, identity, purpose: Some(purpose) };
        self.participants[dialler.0 as usize].connections.insert(number);
        self.tell(dialler, Input::Connected { peer: PeerId(number), link });
    }

    /// The listener hears of the connection.
    pub(super) fn accepted(&mut self, number: u64) {
        let Some(connection) = &mut self.connections[number as usize] else { return };
        let [dialler, listener] = [0, 1].map(|end: usize| connection.ends[end].node);
        if connection.ends[1].status != Status::Opening {
            return;
        }
        connection.ends[1].status = Status::Open;
        connection.ends[1].last = self.now;
        let identity = self.participants[dialler.0 as usize].address.identity;
        let address = self.participants[dialler.0 as usize].address.clone();
        let carrier = self.config.carrier.into();
        let link = Link { direction: Direction::Inbound, carrier, address, identity, purpose: None };
        self.participants[listener.0 as usize].connections.insert(number);
        self.tell(listener, Input::Connected { peer: PeerId(number), link });
    }

    /// Which end of a connection a participant is, if it may talk on it.
    fn open_end(&self, node: NodeId, number: u64) -> Option<usize> {
        let connection = self.connections.get(number as usize)?.as_ref()?;
        connection.ends.iter().position(|end| end.node == node && end.status == Status::Open)
    }

    /// Sends a message on a connection.
    pub(super) fn send(&mut self, from: NodeId, peer: PeerId, message: Message) {
        let number = peer.0;
        let Some(end) = self.open_end(from, number) else {
            if self.never_opened(from, number) && self.is_honest(from) {
                self.violated(Violation::SentUnopened { node: from, connection: number });
            }
            return;
        };
        let framing = self.framing();
        let kind = Kind::of(&message);
        let (parcel, size) = if self.config.codec {
            let bytes = codec::encode(&message, framing);
            let size = bytes.len();
            (Parcel::Bytes(bytes), size)
        } else {
            let size = codec::encoded_len(&message, framing);
            (Parcel::Message(message), size)
        };
        self.traffic.sent(from, kind, size);
        self.transmit(number, end, parcel, size);
        self.watch(number, end);
    }

    /// Sends bytes on a connection, whatever they are.
    pub(super) fn send_bytes(&mut self, from: NodeId, peer: PeerId, bytes: Vec<u8>) {
        let Some(end) = self.open_end(from, peer.0) else { return };
        let size = bytes.len();
        self.traffic.sent(from, Kind::Noise, size);
        self.transmit(peer.0, end, Parcel::Bytes(bytes), size);
    }

    /// Whether a participant has no part in a connection, or was not told of it.
    fn never_opened(&self, node: NodeId, number: u64) -> bool {
        let Some(connection) = self.connections.get(number as usize) else { return true };
        let Some(connection) = connection else { return false };
        let end = connection.ends.iter().find(|end| end.node == node);
        end.is_none_or(|end| end.status == Status::Opening)
    }

    /// Puts something on the line.
    fn transmit(&mut self, number: u64, end: usize, parcel: Parcel, size: usize) {
        let Self { connections, participants, config, random, now, .. } = self;
        let connection = connections[number as usize].as_mut().expect("its end is open");
        let (base, other) = (connection.base, connection.ends[1 - end].node);
        let from = &mut connection.ends[end];
        let sides = [from.node, other].map(|node| participants[node.0 as usize].side);
        if self.divided && sides[0] != sides[1] {
            from.held_bytes += size as u64;
            from.held.push((parcel, size));
            return;
        }
        let sender = &mut participants[from.node.0 as usize];
        let start = sender.upload_free.max(*now);
        let left = start.after(sending(size, config.line.upload));
        sender.upload_free = left;
        from.free = left.max(from.free.max(*now).after(sending(size, from.rate)));
        let delay = base + config.line.jitter(base, size, &mut random.delays);
        from.last = from.free.after(delay).max(from.last);
        let event = Event::Arrived { connection: number, end: 1 - end as u8, parcel, size: size as u32 };
        self.queue.push(from.last, event);
    }

    /// Tells a sender when its bytes pile up.
    fn watch(&mut self, number: u64, end: usize) {
        let upload = self.config.line.upload;
        let connection = self.connections[number as usize].as_mut().expect("its end is open");
        let from = &mut connection.ends[end];
        let waiting = from.waiting(self.now, upload);
        let node = from.node;
        if waiting > CONGESTED && !from.congested {
            from.congested = true;
            self.queue.push(self.now, Event::Congested { connection: number, end: end as u8 });
        }
        if waiting > MAX_SEND_QUEUE && self.is_honest(node) {
            self.violated(Violation::SendQueue { node, bytes: waiting });
        }
    }

    /// Tells a sender that its bytes pile up, and later that they have drained.
    pub(super) fn congested(&mut self, number: u64, end: u8) {
        let upload = self.config.line.upload;
        let Some(connection) = self.connections[number as usize].as_mut() else { return };
        let from = &mut connection.ends[usize::from(end)];
        if from.status != Status::Open {
            return;
        }
        let (node, peer) = (from.node, PeerId(number));
        let event = Event::Drained { connection: number, end };
        let drained = sending(from.waiting(self.now, upload).saturating_sub(DRAINED) as usize, upload.min(from.rate));
        // What is held has no time at which it goes: look again.
        self.queue.push(self.now.after(drained.max(Duration::from_millis(10))), event);
        self.tell(node, Input::Congested { peer, congested: true });
    }

    /// Looks whether a sender's bytes have drained.
    pub(super) fn drained(&mut self, number: u64, end: u8) {
        let upload = self.config.line.upload;
        let Some(connection) = self.connections[number as usize].as_mut() else { return };
        let from = &mut connection.ends[usize::from(end)];
        if from.status != Status::Open {
            return;
        }
        let waiting = from.waiting(self.now, upload);
        if waiting > DRAINED {
            let wait = sending((waiting - DRAINED) as usize, upload.min(from.rate)).max(Duration::from_millis(10));
            self.queue.push(self.now.after(wait), Event::Drained { connection: number, end });
            return;
        }
        from.congested = false;
        let (node, peer) = (from.node, PeerId(number));
        self.tell(node, Input::Congested { peer, congested: false });
    }

    /// The receiver's own line: what arrives together waits for its turn, while one message comes in as it is sent. Gives
    /// when the last byte is there.
    pub(super) fn download(&mut self, node: NodeId, size: usize) -> Time {
        let rates = self.config.line;
        let first_byte = self.now.as_micros().saturating_sub(sending(size, rates.upload).as_micros() as u64);
        let receiver = &mut self.participants[node.0 as usize];
        let begins = receiver.download_free.max(Time::from_micros(first_byte));
        let done = begins.after(sending(size, rates.download)).max(self.now);
        receiver.download_free = done;
        done
    }

    /// Something has come whole to one end.
    pub(super) fn deliver(&mut self, number: u64, end: u8, parcel: Parcel, size: usize) {
        let Some(connection) = self.connections[number as usize].as_mut() else { return };
        let to = &mut connection.ends[usize::from(end)];
        let node = to.node;
        match (to.status, parcel) {
            (Status::Open, Parcel::Message(message)) => {
                self.traffic.received(node, size);
                self.tell(node, Input::Message { peer: PeerId(number), message, size });
            }
            (Status::Open, Parcel::Bytes(bytes)) => {
                self.traffic.received(node, size);
                self.read(number, end, &bytes);
            }
            (Status::Opening | Status::Open, Parcel::End) => {
                let told = to.status == Status::Open;
                to.status = Status::Closed;
                self.forget_if_closed(number);
                self.participants[node.0 as usize].connections.remove(&number);
                if told {
                    self.tell(node, Input::Disconnected { peer: PeerId(number) });
                }
            }
            (Status::Opening | Status::Closing | Status::Closed, _) => {}
        }
    }

    /// Decodes bytes that came to one end.
    fn read(&mut self, number: u64, end: u8, mut bytes: &[u8]) {
        let framing = self.framing();
        loop {
            let Some(connection) = self.connections[number as usize].as_mut() else { return };
            let to = &mut connection.ends[usize::from(end)];
            let (node, peer) = (to.node, PeerId(number));
            if to.status != Status::Open {
                return;
            }
            let decoder = to.decoder.get_or_insert_with(|| Box::new(Decoder::new(framing)));
            match decoder.read(&mut bytes) {
                None => return,
                Some(Ok((message, size))) => self.tell(node, Input::Message { peer, message, size }),
                Some(Err(error)) => self.tell(node, Input::Malformed { peer, error }),
            }
        }
    }

    /// Closes one end; the other hears of it after what was sent before.
    pub(super) fn close(&mut self, node: NodeId, peer: PeerId) {
        let number = peer.0;
        let Some(end) = self.open_end(node, number) else { return };
        self.transmit(number, end, Parcel::End, 0);
        let connection = self.connections[number as usize].as_mut().expect("its end is open");
        connection.ends[end].status = Status::Closing;
        self.queue.push(self.now, Event::Closed { connection: number, end: end as u8 });
    }

    /// Whoever closed an end is told that it is closed.
    pub(super) fn closed(&mut self, number: u64, end: u8) {
        let Some(connection) = self.connections[number as usize].as_mut() else { return };
        let own = &mut connection.ends[usize::from(end)];
        if own.status != Status::Closing {
            return;
        }
        own.status = Status::Closed;
        let node = own.node;
        self.participants[node.0 as usize].connections.remove(&number);
        self.forget_if_closed(number);
        self.tell(node, Input::Disconnected { peer: PeerId(number) });
    }

    fn forget_if_closed(&mut self, number: u64) {
        let slot = &mut self.connections[number as usize];
        if slot.as_ref().is_some_and(|one| one.ends.iter().all(|end| end.status == Status::Closed)) {
            *slot = None;
        }
    }

    /// A participant stops: its peers hear the end of every connection, it hears nothing.
    pub(super) fn drop_connections(&mut self, node: NodeId) {
        for number in std::mem::take(&mut self.participants[node.0 as usize].connections) {
            if let Some(end) = self.open_end(node, number) {
                self.transmit(number, end, Parcel::End, 0);
                let connection = self.connections[number as usize].as_mut().expect("its end is open");
                connection.ends[end].status = Status::Closed;
            }
        }
        // What it was dialling, or was about to hear of.
        for (number, slot) in (0..).zip(&mut self.connections) {
            let Some(connection) = slot else { continue };
            let own = connection.ends.iter().position(|end| end.node == node && end.status == Status::Opening);
            let Some(own) = own else { continue };
            connection.ends[own].status = Status::Closed;
            if connection.ends[1 - own].status == Status::Open {
                let end = 1 - own as u8;
                let ends = Event::Delivered { connection: number, end, parcel: Parcel::End, size: 0 };
                self.queue.push(self.now.after(connection.base), ends);
            }
        }
    }

    /// The other end of a connection.
    pub(super) fn other_end(&self, node: NodeId, peer: PeerId) -> Option<NodeId> {
        let connection = self.connections.get(peer.0 as usize)?.as_ref()?;
        connection.ends.iter().map(|end| end.node).find(|other| *other != node)
    }

    /// A participant reads slowly on one connection from now on.
    pub(super) fn read_slowly(&mut self, node: NodeId, peer: PeerId, rate: u64) {
        let Some(Some(connection)) = self.connections.get_mut(peer.0 as usize) else { return };
        connection.ends.iter_mut().filter(|end| end.node != node).for_each(|end| end.rate = rate);
    }

    /// Divides the participants: those of different sides can't reach each other until [`heal`](Self::heal).
    pub fn divide(&mut self, side: impl Fn(NodeId) -> u32) {
        for id in self.participants() {
            self.participants[id.0 as usize].side = side(id);
        }
        self.divided = true;
    }

    /// Makes the network whole again; what was sent across in the meantime arrives now, if both ends still hold on.
    pub fn heal(&mut self) {
        self.divided = false;
        for number in 0..self.connections.len() as u64 {
            for end in 0..2 {
                let Some(connection) = self.connections[number as usize].as_mut() else { break };
                let from = &mut connection.ends[end];
                from.held_bytes = 0;
                for (parcel, size) in std::mem::take(&mut from.held) {
                    self.transmit(number, end, parcel, size);
                }
            }
        }
    }

    pub(super) fn reachable(&self, a: NodeId, b: NodeId) -> bool {
        !self.divided || self.participants[a.0 as usize].side == self.participants[b.0 as usize].side
    }

    /// The part of the delay that every message between two participants has.
    fn base(&self, a: NodeId, b: NodeId) -> Duration {
        let pair = u64::from(a.min(b).0) << 32 | u64::from(a.max(b).0);
        let [a, b] = [a, b].map(|id| self.participants[id.0 as usize].place);
        self.config.line.base(a, b, &mut Random::new(self.random.pairs ^ pair))
    }

    fn jitter(&mut self, base: Duration) -> Duration {
        self.config.line.jitter(base, 64, &mut self.random.delays)
    }

    /// How many connections a participant has, and those it dialled.
    #[must_use]
    pub fn connection_count(&self, node: NodeId) -> (usize, usize) {
        let connections = &self.participants[node.0 as usize].connections;
        let dialled = |number: &&u64| {
            self.connections[**number as usize].as_ref().is_some_and(|connection| connection.ends[0].node == node)
        };
        (connections.len(), connections.iter().filter(dialled).count())
    }

    /// Whom a participant dialled and is connected with.
    pub fn dialled(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let connections = &self.participants[node.0 as usize].connections;
        let open = connections.iter().filter_map(|number| self.connections[*number as usize].as_ref());
        open.filter(move |connection| connection.ends[0].node == node).map(|connection| connection.ends[1].node)
    }

    /// Who a participant is connected with.
    pub fn peers(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let connections = &self.participants[node.0 as usize].connections;
        connections.iter().filter_map(move |number| self.other_end(node, PeerId(*number)))
    }
}

fn connection_base(connections: &[Option<Box<Connection>>], number: u64) -> Duration {
    connections[number as usize].as_ref().map_or(Duration::ZERO, |connection| connection.base)
}
