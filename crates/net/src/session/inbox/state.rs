//! The sessions of an inbox, what each has received, and who is next.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use yap_protocol::codec;
use yap_protocol::{Message, PeerId};

use super::begun::Begun;
use super::{Full, Item, MAX_SESSIONS, OVERHEAD, Received, SHARE, Why};
use crate::session::bell::Bell;
use crate::session::spare;

/// What became of a message that a session gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum Offer {
    /// It waits to be handled.
    Taken,
    /// It waits for room; the session's bell rings when it has it. Until then the session reads no further.
    Waits,
    /// Nobody wants it.
    Dropped,
}

/// A message that was given to the owner, and what it counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    key: u64,
    cost: usize,
}

/// A message and its bytes on the wire.
pub(super) type Sized = (Message, usize);

/// What a message counts. One that we don't know is not kept, whatever its size.
fn cost((message, size): &Sized) -> usize {
    if matches!(message, Message::Unknown { .. }) { OVERHEAD } else { size.saturating_add(OVERHEAD) }
}

#[derive(Debug)]
pub(super) struct State {
    /// Bytes of each room.
    pub(super) room: usize,
    /// By a number of our own.
    pub(super) sessions: BTreeMap<u64, Entry>,
    next: u64,
    /// Sessions of which something may be taken, each once.
    ready: VecDeque<u64>,
    /// Bytes of the messages that are complete and not handled.
    waiting: usize,
    /// Sessions whose message waits for others to leave, each once.
    line: VecDeque<u64>,
    pub(super) begun: Begun,
    inboxes: usize,
    /// Whether anybody takes what is received.
    open: bool,
    owner: Option<Waker>,
}

/// One session.
#[derive(Debug)]
pub(super) struct Entry {
    peer: PeerId,
    pub(super) bell: Arc<Bell>,
    queue: VecDeque<Sized>,
    /// Bytes of the queue, and of what the owner was given and is handling.
    waiting: usize,
    /// A message that waits for room.
    pub(super) outside: Option<Sized>,
    malformed: Option<codec::Error>,
    /// What holds now, and what was told.
    congested: (bool, bool),
    muted: bool,
    closed: Option<Why>,
    ready: bool,
    in_line: bool,
    pub(super) held: Option<super::begun::Held>,
}

impl Entry {
    /// Whether the session's own share has room for it.
    fn has_share(&self, cost: usize, share: usize) -> bool {
        self.waiting == 0 || self.waiting.saturating_add(cost) <= share
    }

    fn has_something(&self) -> bool {
        let tells = self.congested.0 != self.congested.1 && !self.muted && self.closed.is_none();
        tells || !self.queue.is_empty() || self.malformed.is_some() || self.closed.is_some()
    }
}

impl State {
    pub(super) fn new(room: usize) -> Self {
        Self {
            room,
            sessions: BTreeMap::new(),
            next: 0,
            ready: VecDeque::new(),
            waiting: 0,
            line: VecDeque::new(),
            begun: Begun::default(),
            inboxes: 1,
            open: true,
            owner: None,
        }
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// There are so many more inboxes.
    pub(super) fn inboxes(&mut self, more: isize) {
        self.inboxes = self.inboxes.saturating_add_signed(more);
        if self.inboxes == 0 {
            self.tell_owner();
        }
    }

    pub(super) fn enter(&mut self, peer: PeerId, bell: Arc<Bell>) -> Result<u64, Full> {
        if self.sessions.len() >= MAX_SESSIONS {
            return Err(Full);
        }
        if !self.open {
            bell.stop();
        }
        let key = self.next;
        self.next = self.next.saturating_add(1);
        let entry = Entry {
            peer,
            bell,
            queue: VecDeque::new(),
            waiting: 0,
            outside: None,
            malformed: None,
            congested: (false, false),
            muted: !self.open,
            closed: None,
            ready: false,
            in_line: false,
            held: None,
        };
        self.sessions.insert(key, entry);
        Ok(key)
    }

    /// A complete message. What it counted as begun is free.
    pub(super) fn offer(&mut self, key: u64, message: Message, size: usize) -> Offer {
        self.let_go(key);
        let Some(entry) = self.sessions.get_mut(&key).filter(|entry| !entry.muted) else { return Offer::Dropped };
        let sized = (message, size);
        let bytes = cost(&sized);
        let share = entry.has_share(bytes, self.room / SHARE);
        let room = self.line.is_empty() && (self.waiting == 0 || self.waiting.saturating_add(bytes) <= self.room);
        if share && room {
            self.let_in(key, sized);
            return Offer::Taken;
        }
        entry.outside = Some(sized);
        if share {
            entry.in_line = true;
            self.line.push_back(key);
        }
        self.keep_outside(key, bytes);
        Offer::Waits
    }

    pub(super) fn waits(&self, key: u64) -> bool {
        self.sessions.get(&key).is_some_and(|entry| entry.outside.is_some())
    }

    fn let_in(&mut self, key: u64, sized: Sized) {
        let Some(entry) = self.sessions.get_mut(&key) else { return };
        let bytes = cost(&sized);
        entry.waiting = entry.waiting.saturating_add(bytes);
        self.waiting = self.waiting.saturating_add(bytes);
        entry.queue.push_back(sized);
        self.announce(key);
    }

    pub(super) fn malformed(&mut self, key: u64, error: codec::Error) {
        self.let_go(key);
        if let Some(entry) = self.sessions.get_mut(&key).filter(|entry| !entry.muted) {
            entry.malformed = Some(error);
            self.announce(key);
        }
    }

    pub(super) fn congested(&mut self, key: u64, congested: bool) {
        if let Some(entry) = self.sessions.get_mut(&key) {
            entry.congested.0 = congested;
            self.announce(key);
        }
    }

    /// Nothing comes of the session any more but its end.
    pub(super) fn mute(&mut self, key: u64) {
        let Some(entry) = self.sessions.get_mut(&key) else { return };
        entry.muted = true;
        entry.malformed = None;
        entry.outside = None;
        let queue = std::mem::take(&mut entry.queue);
        let bytes = queue.iter().map(cost).fold(0, usize::saturating_add);
        entry.waiting = entry.waiting.saturating_sub(bytes);
        entry.bell.ring();
        self.waiting = self.waiting.saturating_sub(bytes);
        self.let_go(key);
        self.admit();
    }

    /// The session has ended.
    pub(super) fn close(&mut self, key: u64, why: Why) {
        self.let_go(key);
        let Some(entry) = self.sessions.get_mut(&key) else { return };
        entry.outside = None;
        entry.closed = Some(why);
        if self.open {
            self.announce(key);
        } else {
            self.sessions.remove(&key);
        }
        self.admit();
    }

    /// Nobody takes what is received any more.
    pub(super) fn shut(&mut self) {
        self.open = false;
        self.owner = None;
        self.sessions.retain(|_, entry| entry.closed.is_none());
        let keys: Vec<u64> = self.sessions.keys().copied().collect();
        keys.iter().for_each(|key| self.mute(*key));
        self.sessions.values().for_each(|entry| entry.bell.stop());
    }

    /// The next thing that was received.
    pub(super) fn take(&mut self) -> Option<(Item, Option<Given>)> {
        while let Some(key) = self.ready.pop_front() {
            let Some(entry) = self.sessions.get_mut(&key) else { continue };
            entry.ready = false;
            let peer = entry.peer;
            let Some((what, given)) = self.take_of(key) else { continue };
            self.announce(key);
            return Some((Item { peer, what }, given));
        }
        None
    }

    fn take_of(&mut self, key: u64) -> Option<(Received, Option<Given>)> {
        let entry = self.sessions.get_mut(&key).filter(|entry| entry.has_something())?;
        if entry.congested.0 != entry.congested.1 && !entry.muted && entry.closed.is_none() {
            entry.congested.1 = entry.congested.0;
            return Some((Received::Congested(entry.congested.0), None));
        }
        if let Some(sized) = entry.queue.pop_front() {
            spare(&mut entry.queue);
            let given = Given { key, cost: cost(&sized) };
            return Some((Received::Message { message: sized.0, size: sized.1 }, Some(given)));
        }
        if let Some(error) = entry.malformed.take() {
            return Some((Received::Malformed(error), None));
        }
        let why = entry.closed?;
        self.sessions.remove(&key);
        Some((Received::Closed(why), None))
    }

    /// A message was handled: there is room.
    pub(super) fn handled(&mut self, Given { key, cost: bytes }: Given) {
        self.waiting = self.waiting.saturating_sub(bytes);
        let share = self.room / SHARE;
        if let Some(entry) = self.sessions.get_mut(&key) {
            entry.waiting = entry.waiting.saturating_sub(bytes);
            let fits = entry.outside.as_ref().is_some_and(|sized| entry.has_share(cost(sized), share));
            if fits && !entry.in_line {
                entry.in_line = true;
                self.line.push_back(key);
            }
        }
        self.admit();
    }

    /// Lets those in that wait for others to leave, as far as there is room.
    fn admit(&mut self) {
        while let Some(&key) = self.line.front() {
            let sized = self.sessions.get_mut(&key).and_then(|entry| entry.outside.take());
            if let Some(sized) = sized {
                if self.waiting != 0 && self.waiting.saturating_add(cost(&sized)) > self.room {
                    if let Some(entry) = self.sessions.get_mut(&key) {
                        entry.outside = Some(sized);
                    }
                    return;
                }
                self.let_go(key);
                self.let_in(key, sized);
            }
            self.line.pop_front();
            if let Some(entry) = self.sessions.get_mut(&key) {
                entry.in_line = false;
                entry.bell.ring();
            }
        }
        spare(&mut self.line);
    }

    /// Lets the owner know if there is something to take of the session.
    fn announce(&mut self, key: u64) {
        let Some(entry) = self.sessions.get_mut(&key) else { return };
        if entry.has_something() && !entry.ready {
            entry.ready = true;
            self.ready.push_back(key);
            self.tell_owner();
        }
    }

    fn tell_owner(&mut self) {
        if let Some(owner) = self.owner.take() {
            owner.wake();
        }
    }

    /// Nothing can be taken: waits, unless nothing can come any more.
    pub(super) fn wait(&mut self, cx: &Context<'_>) -> Poll<Option<Item>> {
        if self.inboxes == 0 && self.sessions.is_empty() {
            return Poll::Ready(None);
        }
        self.owner = Some(cx.waker().clone());
        Poll::Pending
    }
}
