//! Two nodes, and what happens between them in any order.

use super::*;

/// A node and its connections: each with its direction and, once its handshake is done, its precedence.
struct Side {
    state: State,
    identity: Identity,
    open: BTreeMap<PeerId, (Direction, Option<Precedence>)>,
}

/// Two nodes with connections between them. Messages of one connection stay in order; which connection moves next is
/// drawn.
struct Meeting {
    sides: [Side; 2],
    /// To which side, on which connection.
    queues: BTreeMap<(usize, PeerId), VecDeque<Option<Message>>>,
    random: Random,
}

impl Meeting {
    fn new(seed: u64) -> Self {
        let mut random = Random::new([0; 32]).fork(&seed.to_string());
        let side = |key, random: &mut Random| Side {
            state: State::new(Config::default(), random.fork(if key == 3 { "alice" } else { "bob" })),
            identity: Identity([key; 32]),
            open: BTreeMap::new(),
        };
        let sides = [side(3, &mut random), side(8, &mut random)];
        Self { sides, queues: BTreeMap::new(), random }
    }

    fn dial(&mut self, from: usize, peer: PeerId) {
        for side in [from, 1 - from] {
            let direction = if side == from { Direction::Outbound } else { Direction::Inbound };
            let purpose = (side == from).then_some(Purpose::Full);
            self.sides[side].open.insert(peer, (direction, None));
            let outcomes = self.sides[side].state.connected(peer, &libp2p(direction, purpose), &standing(), Time::ZERO);
            self.act(side, outcomes);
        }
    }

    fn act(&mut self, side: usize, outcomes: Vec<Outcome>) {
        self.sides[side].state.check();
        for outcome in outcomes {
            match outcome {
                Outcome::Send(peer, message) => {
                    self.queues.entry((1 - side, peer)).or_default().push_back(Some(message))
                }
                Outcome::Done(peer, established) => self.done(side, peer, &established),
                other => panic!("{other:?}"),
            }
        }
    }

    /// What `peers` does with a second connection to the same identity.
    fn done(&mut self, side: usize, peer: PeerId, established: &Established) {
        let (ours, theirs) = (self.sides[side].identity, self.sides[1 - side].identity);
        let Some((direction, precedence)) = self.sides[side].open.get_mut(&peer) else { return };
        *precedence = Some(established.precedence.between(*direction, &ours, &theirs));
        let mut ready: Vec<_> =
            self.sides[side].open.iter().filter_map(|(peer, (_, known))| known.map(|known| (known, *peer))).collect();
        ready.sort_unstable();
        for (_, loser) in ready.into_iter().skip(1) {
            self.close(side, loser);
        }
    }

    fn close(&mut self, side: usize, peer: PeerId) {
        self.sides[side].open.remove(&peer);
        self.sides[side].state.disconnected(peer);
        self.queues.remove(&(side, peer));
        // What was sent still arrives, and then the end.
        self.queues.entry((1 - side, peer)).or_default().push_back(None);
    }

    fn run(&mut self) {
        for _ in 0..1_000 {
            let busy: Vec<_> = self.queues.iter().filter(|(_, queue)| !queue.is_empty()).map(|(key, _)| *key).collect();
            let Some((side, peer)) = self.random.pick(&busy).copied() else { return };
            let Some(message) = self.queues.get_mut(&(side, peer)).and_then(VecDeque::pop_front) else { continue };
            if !self.sides[side].open.contains_key(&peer) {
                continue;
            }
            if let Some(message) = message {
                let outcomes = self.sides[side].state.on_message(peer, &message, &standing(), Time::ZERO);
                self.act(side, outcomes);
            } else {
                self.sides[side].open.remove(&peer);
                self.sides[side].state.disconnected(peer);
            }
        }
        panic!("they never come to an end");
    }
}

#[test]
fn two_nodes_that_dial_each_other_at_once_keep_one_connection() {
    for seed in 0..300 {
        let mut meeting = Meeting::new(seed);
        meeting.dial(0, PeerId(1));
        meeting.dial(1, PeerId(2));
        meeting.run();
        for side in &meeting.sides {
            let left: Vec<_> = side.open.keys().collect();
            assert_eq!(left, [&PeerId(1)], "the one that the smaller key dialled; seed {seed}");
            assert!(!side.state.is_pending(PeerId(1)));
        }
    }
}

#[test]
fn of_any_number_of_connections_both_keep_the_same_one() {
    for seed in 0..300 {
        let mut meeting = Meeting::new(seed);
        for peer in 0..5 {
            let from = meeting.random.index(2);
            meeting.dial(from, PeerId(peer));
        }
        meeting.run();
        let left = |side: &Side| side.open.keys().copied().collect::<Vec<_>>();
        let [alice, bob] = &meeting.sides;
        assert_eq!(left(alice), left(bob), "seed {seed}");
        assert_eq!(left(alice).len(), 1, "seed {seed}");
    }
}

#[test]
fn a_node_that_dials_itself_notices() {
    let mut state = state(1);
    let (out, back) = (PeerId(1), PeerId(2));
    let opened = state.connected(out, &libp2p(Direction::Outbound, Some(Purpose::Full)), &standing(), Time::ZERO);
    let _ = state.connected(back, &libp2p(Direction::Inbound, None), &standing(), Time::ZERO);
    let hello = sent(&opened)[0].clone();
    let outcomes = state.on_message(back, &hello, &standing(), Time::ZERO);
    assert_eq!(outcomes, [Outcome::Part(back, Reason::Myself)]);
    state.check();
    // The nonce dies with the handshake: another node may draw the same.
    state.disconnected(out);
    let _ = state.connected(PeerId(3), &libp2p(Direction::Inbound, None), &standing(), Time::ZERO);
    assert_eq!(state.on_message(PeerId(3), &hello, &standing(), Time::ZERO).len(), 5);
}
