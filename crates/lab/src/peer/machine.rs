//! The loop of a peer: what happens goes into the node, and what the node wants is done.
//!
//! ```text
//!  network ──events──▶ ┌─────────┐ ──outputs──▶ network
//!  users ──requests──▶ │ Machine │ ──events───▶ users
//!  deadline ─────────▶ └─────────┘ ◀──────────▶ ledger, address book
//! ```
//!
//! One task owns everything, so there is no lock. What the node gives to the ledger is done at once, in the order in
//! which it was given. Bounds: [`REQUESTS`] requests wait; as many replies are owed as the node takes; events are kept
//! for whoever listens, [`EVENTS`] of them, and the oldest are lost to a listener that is slower.

mod requests;
mod work;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;
use yap_net::{Book, Clock};
use yap_protocol::address::Identity;
use yap_protocol::io::{Command, Reply, Ticket};
use yap_protocol::{Input, Node, PeerId};

use super::carrier::Carrier;
use super::event::Event;
use super::ledger::Ledger;
use requests::Mining;
pub(super) use requests::Request;
pub use requests::{Mined, Standing};

/// Requests that may wait.
pub(super) const REQUESTS: usize = 64;

/// Events that are kept for listeners.
pub(super) const EVENTS: usize = 4096;

/// Between a change of the address book and its writing: what a kill may lose.
const SAVE_DELAY: Duration = Duration::from_secs(1);

/// How often the wall clock is looked at: it may have been set.
const LOOK: Duration = Duration::from_secs(10);

/// How long sessions may take to end when the peer stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// Everything that a peer is, but its network's own tasks.
#[derive(Debug)]
pub(super) struct Machine<C> {
    clock: Clock,
    node: Node,
    ledger: Ledger,
    book: Book,
    carrier: C,
    requests: mpsc::Receiver<Request>,
    events: broadcast::Sender<Event>,
    /// What came of work, for the node.
    inputs: VecDeque<Input>,
    /// Who waits for a reply.
    waiting: BTreeMap<Ticket, oneshot::Sender<Reply>>,
    tickets: u64,
    /// Who is at the other end of each open connection.
    sessions: BTreeMap<PeerId, Option<Identity>>,
    mining: VecDeque<Mining>,
    save: Option<Instant>,
    /// When the wall clock is looked at next.
    look: Instant,
}

/// What a machine is made of.
pub(super) struct Parts<C> {
    pub(super) node: Node,
    pub(super) ledger: Ledger,
    pub(super) book: Book,
    pub(super) carrier: C,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) events: broadcast::Sender<Event>,
}

impl<C: Carrier> Machine<C> {
    pub(super) fn new(parts: Parts<C>) -> Self {
        let Parts { node, ledger, book, carrier, requests, events } = parts;
        Self {
            clock: Clock::start(),
            node,
            ledger,
            book,
            carrier,
            requests,
            events,
            inputs: VecDeque::new(),
            waiting: BTreeMap::new(),
            tickets: 0,
            sessions: BTreeMap::new(),
            mining: VecDeque::new(),
            save: None,
            look: after(LOOK),
        }
    }

    /// Runs until it is told to stop, until nobody can tell it anything any more, or until the network ends. Gives the
    /// network back.
    pub(super) async fn run(mut self) -> C {
        self.feed(Input::Clock(self.clock.wall()));
        let mut asked = None;
        while asked.is_none() {
            let due = self.next_due();
            tokio::select! {
                event = self.carrier.next() => match event {
                    Some(event) => self.network(event),
                    None => break,
                },
                request = self.requests.recv(), if self.mining.len() < REQUESTS => match request {
                    Some(Request::Stop(done)) => asked = Some(done),
                    Some(request) => self.request(request),
                    None => break,
                },
                () = sleep_until(due) => self.due(),
                // Between blocks, whatever else happens has its turn.
                () = std::future::ready(()), if !self.mining.is_empty() => self.mine(),
            }
        }
        self.farewell().await;
        self.write_book();
        if let Some(asked) = asked {
            // Whoever asked may have gone.
            let _ = asked.send(());
        }
        self.carrier
    }

    /// Tells every peer, and waits until the sessions have ended, but not for ever.
    async fn farewell(&mut self) {
        self.mining.clear();
        self.order(Command::Shutdown);
        let deadline = after(FAREWELL);
        while !self.sessions.is_empty() {
            match tokio::time::timeout_at(deadline, self.carrier.next()).await {
                Ok(Some(event)) => self.network(event),
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// When something is due, if nothing happens before.
    fn next_due(&self) -> Option<Instant> {
        let node = self.node.next_deadline().map(|due| self.clock.instant(due));
        [node, self.save, Some(self.look)].into_iter().flatten().min()
    }

    fn due(&mut self) {
        if self.save.is_some_and(|save| save <= Instant::now()) {
            self.write_book();
        }
        if self.look <= Instant::now() {
            self.look = after(LOOK);
            if let Some(wall) = self.clock.wall_changed() {
                self.feed(Input::Clock(wall));
            }
        }
        if self.node.next_deadline().is_some_and(|due| due <= self.clock.now()) {
            self.feed(Input::Deadline);
        }
    }

    fn write_book(&mut self) {
        self.save = None;
        if let Err(error) = self.book.save() {
            self.tell(Event::Notice { text: format!("can't keep the address book: {error}") });
        }
    }

    /// The wall clock, as headers carry it.
    fn header_time(&self) -> u32 {
        self.clock.wall().header_time()
    }

    /// Tells whoever listens.
    fn tell(&self, event: Event) {
        // Nobody may.
        let _ = self.events.send(event);
    }

    /// A ticket that no request had.
    fn ticket(&mut self) -> Ticket {
        self.tickets = self.tickets.wrapping_add(1);
        Ticket(self.tickets)
    }

    /// Gives the node a command whose reply nobody waits for.
    fn order(&mut self, command: Command) {
        let ticket = self.ticket();
        self.feed(Input::Command { ticket, command });
    }

    /// Gives the node an input, does what it wants done, and gives it what comes of that.
    fn feed(&mut self, input: Input) {
        self.inputs.push_back(input);
        while let Some(input) = self.inputs.pop_front() {
            let now = self.clock.now();
            self.node.handle(now, input, self.ledger.of_node());
            while let Some(output) = self.node.poll() {
                if let Some(output) = self.carrier.apply(output) {
                    self.work(output);
                }
            }
        }
    }
}

/// The moment that is so long from now.
pub(super) fn after(wait: Duration) -> Instant {
    let now = Instant::now();
    // The clock counts farther than any wait here.
    now.checked_add(wait).unwrap_or(now)
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
