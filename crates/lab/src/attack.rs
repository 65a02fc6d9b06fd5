//! Attacks: what a hostile host does to a peer, until it is told to cease.
//!
//! It runs as a process of its own in a namespace (`yap-lab helper attack KIND TARGET`) with as many open files as it
//! needs. Each line on standard input is answered with one of JSON, a [`Tally`]; the line [`CEASE`] ends new connections,
//! and those that are there stay until the peer closes them. The end of input ends it.
//!
//! | module | owns |
//! |---|---|
//! | `words` | what is said on a connection |
//! | `connections` | connections of TCP |
//! | `streams` | streams of one connection, by Noise and Yamux |
//! | `datagrams` | UDP |

use std::io::{self, BufRead, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc};

mod connections;
mod datagrams;
mod streams;
mod words;

/// The line that ends new connections.
pub const CEASE: &str = "cease";

/// Connections that are wanted at one time.
pub const CONNECTIONS: u32 = 10_000;

/// Connections that are wanted at one time which open streams: as many as one peer may have.
const CROWDED: u32 = 4;

/// Streams that one connection opens in a second.
pub const STREAMS: u32 = 10_000;

/// New connections in a turn: a thousand a second. More would take a small machine's time from those that are watched.
const EACH_TURN: usize = 10;
const TURN: Duration = Duration::from_millis(10);

/// Lines of input that wait to be read.
const LINES: usize = 16;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Connections that say nothing.
    Silent,
    /// Connections that say what no protocol says, and come again.
    Garbage,
    /// Connections that begin as libp2p does, and say one byte a second from there on.
    Slow,
    /// Connections that begin as Bitcoin does, with the header of a message that never comes.
    HalfFrame,
    /// Connections that stop within the handshake of WebSocket, plain or within TLS.
    HalfHandshake,
    /// Ten thousand streams on each connection, and as many again each second.
    Streams,
    /// Streams that are opened and reset at once, ten thousand a second.
    Resets,
    /// Datagrams that are none of QUIC, and such as look like it.
    Datagrams,
}

impl Kind {
    /// The word for it on a command line.
    #[must_use]
    pub fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// How an attack stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Connections that were opened, datagrams that were sent.
    pub opened: u64,
    /// Connections that could not be opened.
    pub failed: u64,
    /// Connections that are open: the peer has closed all others.
    pub open: u64,
    /// Streams that were opened.
    pub streams: u64,
}

/// Who is attacked, from where.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How.
    pub kind: Kind,
    /// Who.
    pub target: SocketAddrV4,
    /// Addresses of this host from which it comes in turn; any if there are none.
    pub sources: Vec<Ipv4Addr>,
}

/// What all parts of an attack share.
#[derive(Debug)]
struct Shared {
    plan: Plan,
    /// A permit for each new connection, or round of datagrams. Closed when the attack ceases.
    permits: Semaphore,
    opened: AtomicU64,
    failed: AtomicU64,
    open: AtomicU64,
    streams: AtomicU64,
}

impl Shared {
    /// Waits until something new may be begun. False once the attack has ceased.
    async fn permit(&self) -> bool {
        self.permits.acquire().await.map(tokio::sync::SemaphorePermit::forget).is_ok()
    }

    /// The address from which number `number` comes.
    fn source(&self, number: u64) -> Ipv4Addr {
        let place = usize::try_from(number).ok().and_then(|number| number.checked_rem(self.plan.sources.len()));
        place.and_then(|place| self.plan.sources.get(place)).copied().unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    fn tally(&self) -> Tally {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (opened, failed) = (read(&self.opened), read(&self.failed));
        Tally { opened, failed, open: read(&self.open), streams: read(&self.streams) }
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

/// Attacks until the input ends.
///
/// # Errors
///
/// So many files can't be had, or a tally can't be written.
pub fn run(plan: Plan, input: impl BufRead + Send + 'static, out: &mut impl Write) -> io::Result<()> {
    allow_files()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(attack(plan, input, out))
}

/// As many open files as there are connections, and a few.
fn allow_files() -> io::Result<()> {
    let needed = u64::from(CONNECTIONS).saturating_add(100);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let maximum = maximum.map(|maximum| maximum.max(needed));
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum })?)
}

async fn attack(plan: Plan, input: impl BufRead + Send + 'static, out: &mut impl Write) -> io::Result<()> {
    let (kind, zero) = (plan.kind, || AtomicU64::new(0));
    let (opened, failed, open, streams) = (zero(), zero(), zero(), zero());
    let shared = Arc::new(Shared { plan, permits: Semaphore::new(0), opened, failed, open, streams });
    match kind {
        Kind::Silent | Kind::Garbage | Kind::Slow | Kind::HalfFrame | Kind::HalfHandshake => {
            for number in 0..CONNECTIONS {
                tokio::spawn(connections::again_and_again(Arc::clone(&shared), number.into()));
            }
        }
        Kind::Streams | Kind::Resets => {
            for _ in 0..CROWDED {
                tokio::spawn(streams::again_and_again(Arc::clone(&shared)));
            }
        }
        Kind::Datagrams => drop(tokio::spawn(datagrams::again_and_again(Arc::clone(&shared)))),
    }
    tokio::spawn(pace(Arc::clone(&shared)));
    let (lines, mut heard) = mpsc::channel(LINES);
    std::thread::spawn(move || {
        for line in input.lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                break;
            }
        }
    });
    while let Some(line) = heard.recv().await {
        if line == CEASE {
            shared.permits.close();
        }
        let tally = serde_json::to_string(&shared.tally())?;
        writeln!(out, "{tally}").and_then(|()| out.flush())?;
    }
    Ok(())
}

/// Gives permits, some in each [`TURN`]; those that nobody took are not kept.
async fn pace(shared: Arc<Shared>) {
    let mut turn = tokio::time::interval(TURN);
    while !shared.permits.is_closed() {
        turn.tick().await;
        if shared.permits.available_permits() < EACH_TURN {
            shared.permits.add_permits(EACH_TURN);
        }
    }
}

#[cfg(test)]
mod tests;
