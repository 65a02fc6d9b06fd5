//! Whatever comes in whatever order: bounds hold, honest peers are never at fault, and everything becomes known.

use super::*;

/// Honest peers on branches of their own, whose messages are late, and who come and go.
struct World {
    node: Local,
    remotes: Vec<Chain>,
    /// What is on its way to us: from whom.
    mail: Vec<(usize, Vec<Header>)>,
    connected: Vec<bool>,
    random: Random,
}

fn peer(index: usize) -> PeerId {
    PeerId(index as u64)
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new([9; 32]).fork(&seed.to_string());
        let common = remote(30, 1);
        let mut remotes = Vec::new();
        for index in 0..5_u64 {
            let mut chain = common.clone();
            let from = chain.tree.ancestor(chain.tip, u32::try_from(random.below(31)).unwrap()).unwrap();
            let length = 10 + u32::try_from(random.below(2_600)).unwrap();
            chain.tip = grow(&mut chain.tree, from, length, 100 + index);
            remotes.push(chain);
        }
        let ours = if random.below(2) == 0 { common } else { ledger(Spec::regtest()) };
        Self { node: Local::new(ours), remotes, mail: Vec::new(), connected: vec![false; 5], random }
    }

    fn act(&mut self, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            match outcome {
                Outcome::Send(to, Message::GetHeaders(locate)) => {
                    let index = usize::try_from(to.0).unwrap();
                    assert!(self.connected[index]);
                    let (Message::Headers(headers), _) = super::super::serve::answer(&locate, &self.remotes[index])
                    else {
                        panic!("no headers")
                    };
                    self.mail.push((index, headers));
                }
                Outcome::Has { peer, id } => {
                    let remote = &self.remotes[usize::try_from(peer.0).unwrap()];
                    assert!(remote.tree.contains(&self.node.ledger.tree.hash(id)));
                }
                Outcome::New { .. } => {}
                Outcome::Part(peer, Reason::TooSlow) => self.disconnect(usize::try_from(peer.0).unwrap()),
                other => panic!("an honest peer: {other:?}"),
            }
        }
    }

    fn connect(&mut self, index: usize) {
        if self.connected[index] {
            return;
        }
        self.connected[index] = true;
        let claim = (self.random.below(2) == 0).then(|| claim(&self.remotes[index])).flatten();
        let inbound = self.random.below(2) == 0;
        let outcomes = self.node.ready(peer(index), inbound, claim);
        self.act(outcomes);
    }

    fn disconnect(&mut self, index: usize) {
        if self.connected[index] {
            self.connected[index] = false;
            self.mail.retain(|(from, _)| *from != index);
            let outcomes = self.node.gone(peer(index));
            self.act(outcomes);
        }
    }

    fn announce(&mut self, index: usize) {
        let remote = &mut self.remotes[index];
        let grown = 1 + u32::try_from(self.random.below(3)).unwrap();
        remote.tip = grow(&mut remote.tree, remote.tip, grown, 100 + index as u64);
        let header = remote.tree.header(remote.tip);
        if !self.connected[index] {
            return;
        }
        match self.random.below(3) {
            0 => {
                let outcomes = self.node.inv(peer(index), header.block_hash());
                self.act(outcomes);
            }
            1 => {
                let (_, outcomes) = self.node.header(peer(index), &header);
                self.act(outcomes);
            }
            _ => self.mail.push((index, vec![header])),
        }
    }

    /// Messages of one peer keep their order.
    fn deliver(&mut self) {
        let from = self.random.pick(&self.mail).map(|(from, _)| *from);
        let Some(at) = self.mail.iter().position(|(index, _)| Some(*index) == from) else { return };
        let (index, headers) = self.mail.remove(at);
        let outcomes = self.node.headers(peer(index), &headers);
        self.act(outcomes);
    }
}

#[test]
fn every_branch_of_honest_peers_becomes_known_in_any_order() {
    for seed in 0..60 {
        println!("SEED={seed}");
        let mut world = World::new(seed);
        for _ in 0..80 {
            let index = world.random.index(5);
            match world.random.below(10) {
                0..3 => world.connect(index),
                3 => world.disconnect(index),
                4..6 => world.announce(index),
                6 if world.node.state.next_deadline().is_some() && world.random.below(4) == 0 => {
                    let outcomes = world.node.wait();
                    world.act(outcomes);
                }
                _ => world.deliver(),
            }
        }
        for index in 0..5 {
            world.connect(index);
        }
        for _ in 0..1_000 {
            world.deliver();
        }
        assert!(world.mail.is_empty(), "seed {seed}");
        for (index, remote) in world.remotes.iter().enumerate() {
            let tip = remote.tree.hash(remote.tip);
            assert!(world.node.knows(tip), "peer {index}, seed {seed}");
            assert_eq!(world.node.state.best(peer(index)), world.node.ledger.tree.get(&tip), "seed {seed}");
        }
        assert_eq!(world.node.state.next_deadline(), None, "seed {seed}");
    }
}

#[test]
fn no_message_breaks_a_bound() {
    let mallory = remote(5_000, 1);
    let all = headers_to(&mallory.tree, mallory.tip);
    for seed in 0..40 {
        println!("SEED={seed}");
        let mut random = Random::new([8; 32]).fork(&seed.to_string());
        let config = Config { commitment_period: 7, lookahead: 300, ..Config::default() };
        let mut node = Local::with(ledger(demanding(3_000)), config);
        for _ in 0..60 {
            let from = PeerId(random.below(8));
            let start = [0, 2_000, 4_000, random.index(all.len())][random.index(4)];
            let count = [0, 1, 5, MAX_HEADERS, MAX_HEADERS, MAX_HEADERS + 1][random.index(6)];
            let end = all.len().min(start + count);
            let inbound = random.below(2) == 0;
            let _ = match random.below(8) {
                0..2 => node.ready(from, inbound, None),
                2 => node.gone(from),
                3 => node.inv(from, all[start].block_hash()),
                4 if node.state.next_deadline().is_some() => node.wait(),
                _ => node.headers(from, &all[start..end]),
            };
        }
        assert!(node.bytes <= MAX_SYNCS * MAX_PRESYNC, "seed {seed}");
    }
}
