//! Whatever happens, in whatever order: the invariants hold, the changes add up, and one seed gives one story.

use std::sync::Arc;

use super::*;
use crate::address::Multiaddr;
use crate::message::PeerRecord;
use crate::penalty::Penalty;
use ed25519_dalek::SigningKey;

const KEYS: usize = 4;

struct Story {
    desk: Desk,
    random: Random,
    peers: Vec<PeerId>,
    dialled: Vec<(Address, Purpose)>,
    records: Vec<Arc<PeerRecord>>,
    told: Vec<String>,
}

fn multiaddr(random: &mut Random) -> Multiaddr {
    Multiaddr::new(&[4, 20 + random.below(4) as u8, random.below(9) as u8, 1, 1, 6, 0, 80]).unwrap()
}

impl Story {
    fn new(seed: u8) -> Self {
        let mut random = Random::new([seed; 32]);
        let mut records = Vec::new();
        for name in 1..=KEYS as u8 {
            let signer = SigningKey::from_bytes(&[name; 32]);
            for later in 0..4 {
                let endpoints = (0..random.below(6)).map(|_| multiaddr(&mut random)).collect();
                let sequence = WALL.0 + later * 100;
                records.push(Arc::new(PeerRecord::sign(&signer, sequence, SERVICES, endpoints).unwrap()));
            }
        }
        let config = Config {
            identity: Some(key(500)),
            inbound: 40,
            inbound_per_group: 10,
            full: 4,
            seeds: vec![far(77)],
            private: vec![far(3)],
            unconditional: vec![far(4)],
            ..Config::default()
        };
        let desk = Desk::with(State::new(config, Random::new([seed ^ 0x55; 32])));
        Self { desk, random, peers: Vec::new(), dialled: Vec::new(), records, told: Vec::new() }
    }

    fn address(&mut self) -> Address {
        let identity = match self.random.below(4) {
            0 => Some(self.records[self.random.index(self.records.len())].identity),
            1 => Some(key(495 + self.random.below(10))),
            _ => None,
        };
        let endpoint = match self.random.below(5) {
            0 => Endpoint::Libp2p(multiaddr(&mut self.random)),
            1 => ip(0xc0a8_0001 + self.random.below(20) as u32).endpoint,
            2 => ip(0x7f00_0001).endpoint,
            _ => ip(0x1400_0001 + ((self.random.below(200) as u32) << 13)).endpoint,
        };
        Address { identity, endpoint }
    }

    fn peer(&mut self) -> PeerId {
        self.random.pick(&self.peers).copied().unwrap_or(PeerId(0))
    }

    fn note(&mut self, out: Vec<Outcome>) {
        let out = self.desk.see(out);
        for outcome in &out {
            match outcome {
                Outcome::Dial { address, purpose } => self.dialled.push((address.clone(), *purpose)),
                Outcome::Part(peer, _) if self.random.below(2) == 0 => {
                    // The driver may take its time.
                    let gone = self.desk.leave(*peer);
                    self.peers.retain(|other| other != peer);
                    self.dialled.extend(dials(&gone));
                }
                _ => {}
            }
        }
        self.told.push(format!("{out:?}"));
    }

    fn connect(&mut self) {
        let link = if self.random.below(2) == 0 && !self.dialled.is_empty() {
            let (address, purpose) = self.dialled.swap_remove(self.random.index(self.dialled.len()));
            if self.random.below(4) == 0 {
                let out = self.desk.state.dial_failed(&address, self.desk.now);
                return self.note(out);
            }
            Desk::link(Direction::Outbound, &address, Some(purpose))
        } else {
            Desk::link(Direction::Inbound, &self.address(), None)
        };
        let (peer, verdict) = self.desk.connect(&link);
        self.told.push(format!("{verdict:?}"));
        if let Verdict::Welcome { .. } = verdict {
            self.peers.push(peer);
            if self.random.below(4) > 0 {
                let out = self.desk.state.ready(peer, facts(), self.desk.now);
                self.note(out);
            }
        }
    }

    fn talk(&mut self) {
        let (peer, now) = (self.peer(), self.desk.now);
        let out = match self.random.below(4) {
            0 => self.desk.state.on_get_addresses(peer, now),
            1 => {
                let count = self.random.below(15);
                let list: Vec<_> = (0..count)
                    .map(|_| {
                        let address = ip(0x1400_0001 + ((self.random.below(4000) as u32) << 12));
                        exchange::known(&address, Timestamp(WALL.0 + self.random.below(99_999)))
                    })
                    .collect();
                self.desk.state.on_addresses(peer, &list, now)
            }
            2 => {
                let record = Arc::clone(&self.records[self.random.index(self.records.len())]);
                self.desk.state.on_records(peer, &[record], now)
            }
            _ => {
                let penalties = [Penalty::Score(30), Penalty::Disconnect, Penalty::Ban, Penalty::Score(1)];
                let penalty = *self.random.pick(&penalties).unwrap();
                self.desk.state.fault(peer, penalty, now)
            }
        };
        self.note(out);
    }

    fn step(&mut self) {
        let now = self.desk.now;
        match self.random.below(12) {
            0..4 => self.connect(),
            4..7 => self.talk(),
            7 => {
                let wait = seconds(self.random.below(200));
                let out = self.desk.pass(wait);
                self.note(out);
            }
            8 => {
                let peer = self.peer();
                self.peers.retain(|other| *other != peer);
                let out = self.desk.state.disconnected(peer, now);
                self.note(out);
            }
            9 => {
                let addresses: Vec<Address> = (0..3).map(|_| self.address()).collect();
                let out = self.desk.state.learn(&addresses, now);
                self.note(out);
            }
            10 => {
                let address = self.address();
                let purpose = *self.random.pick(&[Purpose::Manual, Purpose::BlockOnly, Purpose::Seed]).unwrap();
                if let Ok(out) = self.desk.state.add_peer(address, purpose, now) {
                    self.note(out);
                }
            }
            _ => {
                let address = self.address();
                let out = self.desk.state.remove_peer(&address, now).unwrap_or_default();
                self.note(out);
            }
        }
    }
}

#[test]
fn changes_add_up_to_the_state_and_restore_it() {
    for seed in 0..24 {
        let mut story = Story::new(seed);
        for _ in 0..600 {
            story.step();
        }
        let desk = &mut story.desk;
        let whole = desk.state.snapshot();
        desk.kept.merge(desk.state.take_changes().unwrap_or_default());
        desk.kept.compact();
        assert!(!whole.addresses.is_empty() && !whole.records.is_empty(), "SEED {seed}");
        assert_eq!(desk.kept, whole, "SEED {seed}");
        let restored = State::restore(Config::default(), Random::new([1; 32]), &desk.kept);
        restored.check();
        assert_eq!(restored.snapshot(), whole, "SEED {seed}");
    }
}

#[test]
fn one_seed_gives_one_story() {
    for seed in 100..104 {
        let tell = || {
            let mut story = Story::new(seed);
            (0..400).for_each(|_| story.step());
            story.told
        };
        assert_eq!(tell(), tell(), "SEED {seed}");
    }
}

#[test]
fn a_damaged_store_is_restored_as_far_as_it_goes() {
    let mut story = Story::new(200);
    for _ in 0..400 {
        story.step();
    }
    let bytes = story.desk.state.snapshot().encode();
    let mut random = Random::new([8; 32]);
    let mut read = 0;
    for round in 0..300 {
        let mut bytes = bytes.clone();
        for _ in 0..=random.below(3) {
            let at = random.index(bytes.len());
            bytes[at] = random.next_u64() as u8;
        }
        let Ok(changes) = ChangeSet::decode(&bytes) else { continue };
        read += 1;
        let mut desk = Desk::with(State::restore(Config::default(), Random::new([round as u8; 32]), &changes));
        desk.pass(seconds(10));
    }
    assert!(read > 20, "{read} of 300 could be read");
}
