//! The loop of a running node: what happens goes into the protocol and the ledger, and what they want is done.
//!
//! ```text
//!  network ──events──▶ ┌─────────┐ ──outputs──▶ network
//!  users ──requests──▶ │ Machine │ ──events───▶ observer ─▶ log, metrics, event stream
//!  prepared blocks ──▶ │         │ ──nudges───▶ wallet, miner
//!  verdicts, time ───▶ └─────────┘ ◀──────────▶ ledger (chain, mempool), address book
//! ```
//!
//! One thread owns everything, so there is no lock, and whatever looks at the node sees one moment of it. Nothing here
//! waits: blocks are prepared and scripts verified on other threads, and a long way of the chain is gone a few blocks at a
//! time, between which everybody else has a turn.
//!
//! Bounds: [`REQUESTS`] requests wait, beyond which callers hear that the node is busy; the protocol bounds what peers can
//! have under way.

mod chores;
mod keep;
mod look;
mod mine;
mod request;
mod status;
mod trial;
mod work;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use yap_chain::spec::Spec;
use yap_net::{Book, Clock, Events, Given, Network};
use yap_protocol::address::Identity;
use yap_protocol::io::{Command, Reply, Ticket};
use yap_protocol::message::Services;
use yap_protocol::{Input, Node, PeerId};

use crate::chainstate::Error;
use crate::ledger::Ledger;
use crate::miner::Report;
use crate::observer::Observer;
use crate::prepare::{self, Stage};
use crate::purse;

pub(crate) use self::mine::{Payout, Setting};
pub(crate) use self::request::{Order, Request};
pub(crate) use self::work::PING;

/// Requests that may wait.
pub(crate) const REQUESTS: usize = 1024;

/// How long sessions may take to end when the node stops.
const FAREWELL: Duration = Duration::from_millis(500);

/// Everything that a node is, but the tasks of its network, its wallet and its interface.
#[derive(Debug)]
pub(crate) struct Machine {
    clock: Clock,
    spec: Arc<Spec>,
    node: Node,
    ledger: Ledger,
    stage: Stage,
    prepared: mpsc::Receiver<prepare::Outcome>,
    network: Network,
    events: Events,
    book: Book,
    requests: mpsc::Receiver<Request>,
    observer: Observer,
    /// Rung when a verdict is there.
    bell: Arc<Notify>,
    /// What came of work, for the protocol.
    inputs: VecDeque<Input>,
    /// Who waits for a reply.
    waiting: BTreeMap<Ticket, oneshot::Sender<Reply>>,
    tickets: u64,
    /// Who is at the other end of each open connection.
    sessions: BTreeMap<PeerId, Option<Identity>>,
    /// Whether the ledger has something to do at once.
    busy: bool,
    /// Peers that were added while we run, and those that the user named at the start.
    added: Vec<Given>,
    /// Whom those led to when they were connected last, by what the user calls them.
    led_to: BTreeMap<String, Identity>,
    /// What we say of our program, and offer.
    greeting: (String, Services),
    /// A failure of the ledger that somebody met who only looked.
    failed: Option<Error>,
    wallet: Arc<purse::Slot>,
    mine: mine::Mine,
    reports: mpsc::Receiver<Report>,
    chores: chores::Chores,
    keep: keep::Keep,
    directory: PathBuf,
    ends_process: bool,
}

/// What a machine is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) node: Node,
    pub(crate) ledger: Ledger,
    pub(crate) network: Network,
    pub(crate) events: Events,
    pub(crate) book: Book,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) observer: Observer,
    pub(crate) directory: PathBuf,
    pub(crate) threads: usize,
    pub(crate) keep_mempool: bool,
    pub(crate) peers: Vec<Given>,
    /// What we say of our program, and offer.
    pub(crate) greeting: (String, Services),
    /// Whether the process ends with the node.
    pub(crate) ends_process: bool,
    /// Where the wallet is, once it runs.
    pub(crate) wallet: Arc<purse::Slot>,
    pub(crate) mining: Setting,
    /// Secret numbers.
    pub(crate) seed: [u8; 32],
}

impl Machine {
    /// Puts the parts together.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(crate) fn new(parts: Parts) -> std::io::Result<Self> {
        let Parts { node, mut ledger, network, events, book, requests, observer, directory, .. } = parts;
        let spec = Arc::clone(ledger.chain().spec());
        let (stage, prepared) = Stage::start(&spec, parts.threads)?;
        let bell = Arc::new(Notify::new());
        let ring = |bell: &Arc<Notify>| {
            let bell = Arc::clone(bell);
            Box::new(move || bell.notify_one())
        };
        ledger.chain().ring(ring(&bell));
        ledger.admission_mut().ring(ring(&bell));
        let (mine, reports) = mine::Mine::new(parts.mining, &spec, parts.seed);
        let clock = Clock::start();
        let mempool = parts.keep_mempool.then(|| directory.join(keep::MEMPOOL));
        let height = ledger.chain().tree().height(ledger.chain().verified_tip());
        Ok(Self {
            chores: chores::Chores::new(clock.wall().0, height),
            keep: keep::Keep::new(mempool),
            clock,
            spec,
            node,
            ledger,
            stage,
            prepared,
            network,
            events,
            book,
            requests,
            observer,
            bell,
            inputs: VecDeque::new(),
            waiting: BTreeMap::new(),
            tickets: 0,
            sessions: BTreeMap::new(),
            busy: true,
            added: parts.peers,
            led_to: BTreeMap::new(),
            greeting: parts.greeting,
            ends_process: parts.ends_process,
            wallet: parts.wallet,
            mine,
            reports,
            failed: None,
            directory,
        })
    }

    /// Runs until it is told to stop, or something that it needs fails. Whatever happens, peers are told, and what can be kept is.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        let outcome = self.turns().await;
        self.observer.tell(yap_api::event::Event::Stopping);
        self.farewell().await;
        let kept = self.close();
        outcome.and(kept)
    }

    async fn turns(&mut self) -> Result<(), Error> {
        self.start();
        loop {
            let due = self.next_due();
            tokio::select! {
                event = self.events.next() => match event {
                    Some(event) => self.network(event)?,
                    // Nobody but us tells it to stop.
                    None => return Err(Error::Worker("the network")),
                },
                request = self.requests.recv() => match request {
                    Some(Request::Stop) | None => return Ok(()),
                    Some(request) => self.request(request)?,
                },
                Some(prepared) = self.prepared.recv() => self.take_in(prepared)?,
                Some(report) = self.reports.recv() => self.report(report),
                () = self.bell.notified() => self.busy = true,
                () = sleep_until(due) => self.due()?,
                () = std::future::ready(()), if self.busy => {}
            }
            self.turn()?;
        }
    }

    /// Lets the ledger go on, and does what comes of it.
    fn turn(&mut self) -> Result<(), Error> {
        if self.busy {
            let (happened, more) = self.ledger.step(self.clock.wall().0)?;
            self.busy = more;
            for happening in happened {
                self.happened(happening);
            }
        }
        self.feed_all()?;
        self.mining_turn();
        self.feed_all()
    }

    /// Tells every peer that we go, and waits until the sessions have ended, but not for ever.
    async fn farewell(&mut self) {
        self.inputs.clear();
        let shutdown = self.command(Command::Shutdown);
        self.inputs.push_back(shutdown);
        // A ledger that has failed is not asked for anything by a goodbye.
        let _ = self.feed_all();
        let deadline = after(FAREWELL);
        while !self.sessions.is_empty() {
            match tokio::time::timeout_at(deadline, self.events.next()).await {
                Ok(Some(event)) => drop(self.network(event)),
                Ok(None) | Err(_) => break,
            }
        }
        self.network.stop();
        while let Ok(Some(_)) = tokio::time::timeout_at(deadline, self.events.next()).await {}
    }

    /// Writes what is to be kept, and closes the ledger.
    fn close(mut self) -> Result<(), Error> {
        self.note_untaken();
        let Self { mut book, ledger, keep, events, observer, ends_process, mine, reports, requests, .. } = self;
        // First the receivers: whoever waits for room there, or for an answer, hears that there is none to come. A thread of
        // the miner that waits could not be joined.
        drop((events, requests, reports));
        drop(mine);
        if let Err(error) = book.save() {
            observer.tell(notice(format!("can't keep the address book: {error}")));
        }
        keep.finish(ledger.admission(), &observer);
        let mut chain = ledger.into_chain();
        if ends_process { chain.close() } else { chain.persist() }
    }

    /// A ticket that no request had.
    fn ticket(&mut self) -> Ticket {
        self.tickets = self.tickets.wrapping_add(1);
        Ticket(self.tickets)
    }

    /// A command whose reply nobody waits for.
    fn command(&mut self, command: Command) -> Input {
        Input::Command { ticket: self.ticket(), command }
    }

    /// Gives the protocol what waits for it, does what it wants done, and gives it what comes of that.
    fn feed_all(&mut self) -> Result<(), Error> {
        while let Some(input) = self.inputs.pop_front() {
            let now = self.clock.now();
            self.node.handle(now, input, &mut self.ledger);
            while let Some(output) = self.node.poll() {
                if let Some(output) = self.network.apply(output) {
                    self.work(output)?;
                }
            }
        }
        Ok(())
    }
}

/// A notice for the user.
fn notice(text: String) -> yap_api::event::Event {
    yap_api::event::Event::Notice { text }
}

/// The moment that is so long from now.
fn after(wait: Duration) -> Instant {
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
