//! A desk at which one machine sits: tests hand it what happens and collect what it wants. Its invariants are checked
//! after every step.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::address::{Address, Endpoint, Host, Identity};
use crate::link::{Carrier, Direction, Link};
use crate::message::{Features, Services};

mod admission;
mod dialling;
mod eclipse;
mod exchange;
mod property;

const WALL: Timestamp = Timestamp(1_800_000_000);
const SERVICES: Services = Services::NETWORK.with(Services::WITNESS);

struct Desk {
    state: State,
    now: Time,
    next: u64,
    /// All changes so far, merged.
    kept: ChangeSet,
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn ip(ip: u32) -> Address {
    Address { identity: None, endpoint: Endpoint::Bitcoin { host: Host::Ipv4(Ipv4Addr::from(ip)), port: 8333 } }
}

/// An address of the public group `number`, below 10,000.
fn far(number: u32) -> Address {
    ip(0x1400_0001 + (number << 16))
}

fn key(number: u64) -> Identity {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Identity(bytes)
}

fn facts() -> Facts {
    Facts { services: SERVICES, relay: true, addrv2: true, features: Features::ALL, latency: Duration::from_millis(50) }
}

fn quiet() -> Config {
    Config { full: 0, block_only: 0, feelers: None, ..Config::default() }
}

impl Desk {
    fn new(config: Config) -> Self {
        Self::with(State::new(config, Random::new([7; 32])))
    }

    fn with(mut state: State) -> Self {
        state.clock(WALL, Time::ZERO);
        Self { state, now: Time::ZERO, next: 0, kept: ChangeSet::default() }
    }

    /// Checks the machine, keeps its changes, and returns the rest.
    fn see(&mut self, outcomes: Vec<Outcome>) -> Vec<Outcome> {
        self.state.check();
        let mut rest = Vec::new();
        for outcome in outcomes {
            match outcome {
                Outcome::Persist(changes) => {
                    assert!(!changes.is_empty());
                    self.kept.merge(changes);
                }
                other => rest.push(other),
            }
        }
        rest
    }

    fn learn(&mut self, addresses: &[Address]) -> Vec<Outcome> {
        let out = self.state.learn(addresses, self.now);
        self.see(out)
    }

    /// Lets time pass, and does what is due meanwhile.
    fn pass(&mut self, wait: Duration) -> Vec<Outcome> {
        let end = self.now.after(wait);
        let mut all = Vec::new();
        for _ in 0..100_000 {
            let Some(due) = self.state.next_deadline().filter(|due| *due <= end) else { break };
            self.now = self.now.max(due);
            let out = self.state.deadline(self.now);
            all.extend(self.see(out));
            assert!(self.state.next_deadline().is_none_or(|next| next > self.now), "a timer makes progress");
        }
        self.now = end;
        all
    }

    fn link(direction: Direction, address: &Address, purpose: Option<Purpose>) -> Link {
        let carrier = match address.endpoint {
            Endpoint::Bitcoin { .. } => Carrier::Bitcoin,
            Endpoint::Libp2p(_) => Carrier::Libp2p,
        };
        Link { direction, carrier, address: address.clone(), identity: address.identity, purpose }
    }

    fn connect(&mut self, link: &Link) -> (PeerId, Verdict) {
        self.next += 1;
        let peer = PeerId(self.next);
        let verdict = self.state.connected(peer, link, self.now);
        self.state.check();
        (peer, verdict)
    }

    fn ready(&mut self, peer: PeerId) -> Vec<Outcome> {
        let out = self.state.ready(peer, facts(), self.now);
        self.see(out)
    }

    /// Somebody dials us, and the handshake is done if he is welcome.
    fn inbound(&mut self, address: &Address) -> (PeerId, Verdict, Vec<Outcome>) {
        let (peer, verdict) = self.connect(&Self::link(Direction::Inbound, address, None));
        let out = if let Verdict::Welcome { .. } = verdict { self.ready(peer) } else { Vec::new() };
        (peer, verdict, out)
    }

    /// A dial succeeds, and the handshake is done if he is welcome.
    fn reach(&mut self, address: &Address, purpose: Purpose) -> (PeerId, Verdict, Vec<Outcome>) {
        let (peer, verdict) = self.connect(&Self::link(Direction::Outbound, address, Some(purpose)));
        let out = if let Verdict::Welcome { .. } = verdict { self.ready(peer) } else { Vec::new() };
        (peer, verdict, out)
    }

    fn fail(&mut self, address: &Address) -> Vec<Outcome> {
        let out = self.state.dial_failed(address, self.now);
        self.see(out)
    }

    fn leave(&mut self, peer: PeerId) -> Vec<Outcome> {
        let out = self.state.disconnected(peer, self.now);
        self.see(out)
    }

    fn fault(&mut self, peer: PeerId, penalty: crate::penalty::Penalty) -> Vec<Outcome> {
        let out = self.state.fault(peer, penalty, self.now);
        self.see(out)
    }

    fn count(&self, purpose: Purpose) -> usize {
        self.state.peers(self.now).filter(|peer| peer.ready && peer.purpose == Some(purpose)).count()
    }
}

fn dials(outcomes: &[Outcome]) -> Vec<(Address, Purpose)> {
    let dial = |outcome: &Outcome| match outcome {
        Outcome::Dial { address, purpose } => Some((address.clone(), *purpose)),
        _ => None,
    };
    outcomes.iter().filter_map(dial).collect()
}

fn parts(outcomes: &[Outcome]) -> Vec<(PeerId, Reason)> {
    let part = |outcome: &Outcome| match outcome {
        Outcome::Part(peer, reason) => Some((*peer, *reason)),
        _ => None,
    };
    outcomes.iter().filter_map(part).collect()
}

const WELCOME: Verdict = Verdict::Welcome { instead: None };
