//! DNS names of the user, resolved at once and again and again, so that a headless service whose pods come and go is
//! followed.
//!
//! `schedule` decides when which name is asked for; here is the task that asks. Not its job: names within multiaddrs and
//! `wss://`, which the transport resolves with each dial.

mod schedule;

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use yap_protocol::Address;

use self::schedule::{Question, Schedule, Step};
use crate::address;
use crate::clock::Clock;
use crate::given::Given;

/// Most hosts that are followed.
pub(crate) const MAX_NAMES: usize = 256;

/// Names that the resolver is asked for at one time: each takes a thread while it waits.
pub(crate) const MAX_LOOKUPS: usize = 8;

/// News that may wait to be taken.
pub(crate) const MAX_NEWS: usize = 16;

/// How long the resolver may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(15);

/// Addresses of one name that are looked at: more than fit into an answer.
const MAX_ANSWER: usize = 4096;

/// What became of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// All addresses that the host has now, instead of those told before; told when they change.
    Resolved {
        /// The number under which it is followed.
        given: usize,
        /// What to dial.
        addresses: Vec<Address>,
    },
    /// It can't be resolved: those told before still count. Told once for each reason; tried again.
    Failed {
        /// The number under which it is followed.
        given: usize,
        /// The name.
        name: String,
        /// What the resolver says.
        why: String,
    },
}

/// Follows names until it is dropped.
#[derive(Debug)]
pub(crate) struct Names {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    schedule: Mutex<Schedule>,
    /// The schedule has changed.
    changed: Notify,
}

impl Shared {
    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Names {
    /// Starts the task, within a tokio runtime. What it finds comes out of the receiver; while that is full, it waits.
    pub(crate) fn start() -> (Self, mpsc::Receiver<Found>) {
        Self::start_with(TIMEOUT, system)
    }

    fn start_with<L, F>(timeout: Duration, resolve: L) -> (Self, mpsc::Receiver<Found>)
    where
        L: Fn(String) -> F + Send + 'static,
        F: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        let shared = Arc::new(Shared { clock: Clock::start(), schedule: Mutex::default(), changed: Notify::new() });
        let (news, receiver) = mpsc::channel(MAX_NEWS);
        let task = tokio::spawn(run(Arc::clone(&shared), timeout, resolve, news));
        (Self { shared, task }, receiver)
    }

    /// Follows a peer under a number of the caller's, at once. One whose addresses need no resolver is told as it is, once
    /// (a peer id without any).
    /// `false` if [`MAX_NAMES`] are followed already. A number that is followed is followed anew.
    #[must_use]
    pub(crate) fn follow(&self, given: usize, peer: &Given) -> bool {
        let now = self.shared.clock.now();
        let followed = self.shared.schedule().follow(now, given, peer);
        self.shared.changed.notify_one();
        followed
    }

    /// Follows it no longer. What waits to be taken may still be told.
    pub(crate) fn forget(&self, given: usize) {
        self.shared.schedule().forget(given);
    }

    /// Whether every peer of it is connected: then it is asked for less often. `false` at first.
    pub(crate) fn settle(&self, given: usize, settled: bool) {
        self.shared.schedule().settle(given, settled);
        self.shared.changed.notify_one();
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run<L, F>(shared: Arc<Shared>, timeout: Duration, resolve: L, news: mpsc::Sender<Found>)
where
    L: Fn(String) -> F,
    F: Future<Output = io::Result<Vec<IpAddr>>>,
{
    let mut lookups = FuturesUnordered::new();
    loop {
        while lookups.len() < MAX_LOOKUPS {
            let step = shared.schedule().next(shared.clock.now());
            match step {
                Some(Step::Ask(question)) => {
                    let answer = resolve(question.name.clone());
                    lookups.push(ask(question, timeout, answer));
                }
                Some(Step::Tell(found)) => {
                    if news.send(found).await.is_err() {
                        return;
                    }
                }
                None => break,
            }
        }
        let deadline = shared.schedule().deadline().filter(|_| lookups.len() < MAX_LOOKUPS);
        let wake = shared.clock.instant(deadline.unwrap_or_default());
        tokio::select! {
            Some((question, answer)) = lookups.next() => {
                let found = shared.schedule().answer(shared.clock.now(), &question, answer);
                if let Some(found) = found && news.send(found).await.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep_until(wake), if deadline.is_some() => {}
            () = shared.changed.notified() => {}
            () = news.closed() => return,
        }
    }
}

/// Waits for the resolver, but not for ever.
async fn ask(
    question: Question,
    timeout: Duration,
    answer: impl Future<Output = io::Result<Vec<IpAddr>>>,
) -> (Question, Result<Vec<IpAddr>, String>) {
    let answer = match tokio::time::timeout(timeout, answer).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("the resolver does not answer".to_owned()),
    };
    tracing::debug!(name = question.name, ?answer, "resolved");
    (question, answer)
}

/// Asks the resolver of the system.
async fn system(name: String) -> io::Result<Vec<IpAddr>> {
    // RFC 6761, section 6.3: never asked for. A hosts file often has one of both alone, and a node listens on either.
    if address::is_localhost(&name) {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
    Ok(found.map(|socket| socket.ip()).take(MAX_ANSWER).collect())
}

#[cfg(test)]
mod tests;
