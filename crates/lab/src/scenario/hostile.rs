//! A peer that is attacked while others use it.
//!
//! ```text
//! alice ────┐                 ┌──── attacker, of one address or of many
//! bob ──────┼──── victim ─────┤
//! newcomer ─┘                 └──── 1,024 files and connections at most
//! ```
//!
//! While it lasts, alice and bob pay every second, a block is mined, and a newcomer joins. Somebody asks the victim all
//! the time how it stands. What is needed is the same whatever the attack is.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use self::attacker::Attacker;
use super::steps::{self, PATIENCE};
use super::{Failure, Measured, PORT, Scenario, Site};
use crate::attack::{CONNECTIONS, Kind, STREAMS};
use crate::certificate::{Authority, LASTING};
use crate::process::Process;
use crate::topology::{Host, Internet, PUBLIC};

mod attacker;

pub(super) fn all() -> Vec<Scenario> {
    const NEEDED: &str = "payments and a block arrive, status within 2 s, at most 60 MB more, nothing left open, and a \
                          newcomer connects";
    let hostile = |name, kind, sources| {
        Scenario::new(name, NEEDED, move |site| hostile(site, Attack { kind, sources })).within(5)
    };
    vec![
        hostile("hostile-silent", Kind::Silent, 1),
        hostile("hostile-garbage", Kind::Garbage, 1),
        hostile("hostile-slow", Kind::Slow, 1),
        hostile("hostile-half-frame", Kind::HalfFrame, 1),
        hostile("hostile-half-handshake", Kind::HalfHandshake, 1),
        hostile("hostile-streams", Kind::Streams, 1),
        hostile("hostile-resets", Kind::Resets, 1),
        hostile("hostile-datagrams", Kind::Datagrams, 1),
        hostile("hostile-silent-crowd", Kind::Silent, CROWD),
        hostile("hostile-slow-few", Kind::Slow, FEW),
    ]
}

/// Addresses of an attacker that has many, each of a network group of its own.
const CROWD: u8 = 100;

/// Addresses of an attacker that has as many as it needs to begin every handshake that may be under way: 16 of 128 each.
const FEW: u8 = 8;

/// Memory that an attack may cost the victim, in bytes.
const MEMORY: u64 = 60_000_000;

/// How long the victim may take to say how it stands. Most of it is the machine's: attacker, victim and others share it.
const ANSWER: Duration = Duration::from_secs(2);

/// How long a payment may take to arrive.
const PAYMENT: Duration = Duration::from_secs(5);

/// Seconds that an attack lasts at least, with a payment in each.
const SECONDS: u64 = 12;

/// How long the victim may keep connections that were opened last: it gives silence 10 s, the handshakes of libp2p and
/// WebSocket 15 s, and that of the protocol, which follows Bitcoin's first bytes, a minute.
const CLOSED: Duration = Duration::from_secs(75);

/// Files and connections that the victim may have open: what most systems allow.
const FILES: u32 = 1024;

/// Datagrams that must have been sent, and streams that must have been opened.
const DATAGRAMS: u64 = 100_000;

/// An attack, and from how many addresses.
#[derive(Clone, Copy, Debug)]
struct Attack {
    kind: Kind,
    sources: u8,
}

impl Attack {
    /// Whether so much was done that it is what it says.
    fn is_whole(self, tally: &crate::attack::Tally) -> bool {
        match self.kind {
            Kind::Datagrams => tally.opened >= DATAGRAMS,
            Kind::Streams | Kind::Resets => tally.streams >= u64::from(STREAMS),
            Kind::Silent | Kind::Garbage | Kind::Slow | Kind::HalfFrame | Kind::HalfHandshake => {
                tally.opened.saturating_add(tally.failed) >= u64::from(CONNECTIONS)
            }
        }
    }
}

/// The victim and those who use it.
struct Village {
    victim: Process,
    alice: Process,
    bob: Process,
    newcomer: Host,
    attacker: Host,
    address: Ipv4Addr,
    _hosts: [Host; 3],
    _internet: Internet,
}

impl Village {
    fn build(site: &Site, sources: &[Ipv4Addr]) -> Result<Self, Failure> {
        let internet = Internet::create(PUBLIC)?;
        let host = |label, number| internet.host(label, &site.folder, number);
        let hosts = [host("victim", 50)?, host("alice", 21)?, host("bob", 22)?];
        let (newcomer, attacker) = (host("newcomer", 23)?, host("attacker", ATTACKER)?);
        let more: String = sources.iter().map(|source| format!("address add {source}/8 dev eth0\n")).collect();
        attacker.namespace().ip(&more)?;
        // Connections come faster than the usual range of ports allows for.
        attacker.namespace().set("net/ipv4/ip_local_port_range", "1024 65535")?;
        let [victim, alice, bob] = &hosts;
        let address = victim.address();
        let files = Authority::create(&site.folder)?.sign(&address.to_string(), LASTING)?;
        let flags = format!("--tls-cert {} --tls-key {}", files.certificate.display(), files.key.display());
        let launch = site.launch("victim").flag(&flags).files(FILES);
        let victim = Process::start(victim, &launch)?;
        steps::listening(&victim)?;
        let known = format!("{address}:{PORT}");
        let (alice, bob) = (site.ready(alice, &[&known])?, site.ready(bob, &[&known])?);
        steps::has_peers(&victim, 2, PATIENCE)?;
        Ok(Self { victim, alice, bob, newcomer, attacker, address, _hosts: hosts, _internet: internet })
    }

    /// What honest peers do for as long as an attack lasts. Gives how long a newcomer took to connect.
    fn live(&self, site: &Site, attack: Attack, attacker: &mut Attacker) -> Result<Duration, Failure> {
        let begun = Instant::now();
        let mut newcomer = None;
        for second in 1..=PATIENCE.as_secs() {
            let [payer, other] =
                if second.is_multiple_of(2) { [&self.alice, &self.bob] } else { [&self.bob, &self.alice] };
            steps::payment_arrives(payer, &[&self.victim, other], PAYMENT)?;
            if second == SECONDS.div_euclid(2) {
                newcomer = Some(self.join(site)?);
            }
            if second >= SECONDS && attack.is_whole(&attacker.tally()?) {
                break;
            }
            // A payment each second, and not as many as there is time for.
            std::thread::sleep(Duration::from_secs(second).saturating_sub(begun.elapsed()));
        }
        let tip = steps::mine(&self.alice, 1, Some(BLOCK))?;
        steps::same_tip([&self.victim, &self.bob], &tip, PAYMENT)?;
        newcomer.ok_or_else(|| Failure::Wrong { what: "a newcomer joins", found: "none did".to_owned() })
    }

    fn join(&self, site: &Site) -> Result<Duration, Failure> {
        let newcomer = site.ready(&self.newcomer, &[&format!("{}:{PORT}", self.address)])?;
        let met = steps::meet(&newcomer, &self.victim, PATIENCE)?;
        steps::same_tip([&newcomer], &self.victim.status()?.tip, PATIENCE)?;
        Ok(met.saturating_duration_since(newcomer.started()))
    }
}

/// Numbers on the internet of the attacker, and of the first of its other addresses.
const ATTACKER: u8 = 66;
const SOURCE: u8 = 100;

/// Bytes of the block that is mined meanwhile.
const BLOCK: u64 = 1_000_000;

/// What somebody saw who asked the victim all the time how it stands.
#[derive(Clone, Copy, Debug, Default)]
struct Watch {
    /// Most memory, in bytes.
    most: u64,
    /// Longest time until an answer.
    slowest: Duration,
    answers: u32,
}

impl Watch {
    fn keep(victim: &Process, over: &AtomicBool) -> Result<Self, Failure> {
        let mut seen = Self::default();
        while !over.load(Ordering::Relaxed) {
            let asked = Instant::now();
            let status = victim.status()?;
            seen.slowest = seen.slowest.max(asked.elapsed());
            seen.most = seen.most.max(status.rss);
            seen.answers = seen.answers.saturating_add(1);
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(seen)
    }
}

fn hostile(site: &Site, attack: Attack) -> Result<Measured, Failure> {
    let others = (SOURCE..SOURCE.saturating_add(attack.sources)).map(|number| Ipv4Addr::new(PUBLIC, number, 0, 1));
    let sources: Vec<Ipv4Addr> = if attack.sources > 1 { others.collect() } else { Vec::new() };
    let village = Village::build(site, &sources)?;
    // What is used without any attack is no cost of one.
    let tip = steps::mine(&village.alice, 1, Some(BLOCK))?;
    steps::same_tip([&village.victim, &village.bob], &tip, PATIENCE)?;
    steps::payment_arrives(&village.bob, &[&village.victim], PATIENCE)?;
    let before = village.victim.status()?;
    let mut attacker = Attacker::start(&village.attacker, attack.kind, village.address, &sources)?;
    let over = AtomicBool::new(false);
    let (lived, seen) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| Watch::keep(&village.victim, &over));
        let lived = village.live(site, attack, &mut attacker).and_then(|newcomer| Ok((newcomer, attacker.cease()?)));
        over.store(true, Ordering::Relaxed);
        let lost = || Failure::Wrong { what: "the victim is watched", found: "the watch panicked".to_owned() };
        (lived, watch.join().map_err(|_| lost()).flatten())
    });
    let ((newcomer, left), seen) = (lived?, seen?);
    let whole = attacker.tally()?;
    let more = seen.most.saturating_sub(before.rss);
    let note = format!(
        "{} opened, {} failed, {} streams; {left} open at the end; {:.1} MB more than {:.1}; {} answers, slowest {:.2} s; \
         CPU {:.1} s",
        whole.opened,
        whole.failed,
        whole.streams,
        megabytes(more),
        megabytes(before.rss),
        seen.answers,
        seen.slowest.as_secs_f64(),
        village.victim.status()?.cpu - before.cpu,
    );
    for (holds, what) in [
        (attack.is_whole(&whole), "the attack is as large as it says"),
        (left == 0, "the victim closes what the attacker opened"),
        (more <= MEMORY, "the victim takes at most 60 MB more"),
        (seen.slowest <= ANSWER, "the victim answers within 2 s"),
    ] {
        if !holds {
            return Err(Failure::Wrong { what, found: note });
        }
    }
    Ok(Measured::time(newcomer).note(note))
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
