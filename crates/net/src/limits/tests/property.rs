//! Whatever happens in whatever order, the table equals a model, and no bound is passed.

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::PeerId;
use proptest::prelude::*;
use tokio::time::Instant;

use super::super::origin::Origin;
use super::super::table::{Bounds, LEAVING, Order, PER_RELAY, RELAYED, Table};
use super::super::{Counts, Denied};
use super::{from, id, loopback, through};

const BOUNDS: Bounds = Bounds { inbound: 12, outbound: 6, per_peer: 3, per_group: 4, pending: 8 };

#[derive(Clone, Copy, Debug)]
enum Step {
    Begin { from: u8 },
    Welcome { which: usize, peer: u8 },
    Dial { peer: Option<u8> },
    Dialled { which: usize, peer: u8 },
    Gone { which: usize },
    Used { which: usize, used: bool },
    Expel { peer: u8 },
    Sweep { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<u8>().prop_map(|from| Step::Begin { from }),
        6 => (any::<usize>(), any::<u8>()).prop_map(|(which, peer)| Step::Welcome { which, peer }),
        3 => any::<Option<u8>>().prop_map(|peer| Step::Dial { peer }),
        3 => (any::<usize>(), any::<u8>()).prop_map(|(which, peer)| Step::Dialled { which, peer }),
        3 => any::<usize>().prop_map(|which| Step::Gone { which }),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(which, used)| Step::Used { which, used }),
        1 => any::<u8>().prop_map(|peer| Step::Expel { peer }),
        1 => (0..200_u64).prop_map(|seconds| Step::Sweep { seconds }),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending(Origin),
    Dialled,
    Inbound { origin: Origin, peer: PeerId, used: bool },
    Outbound { peer: PeerId, used: bool },
    Leaving,
}

/// What the outside knows: what it was told of each connection.
struct Model {
    table: Table,
    states: BTreeMap<usize, State>,
    peers: Vec<PeerId>,
    relays: [PeerId; 2],
    next: usize,
    now: Instant,
}

impl Model {
    fn new() -> Self {
        let peers = (0..12).map(|_| PeerId::random()).collect();
        let relays = [PeerId::random(), PeerId::random()];
        Self { table: Table::new(BOUNDS), states: BTreeMap::new(), peers, relays, next: 0, now: Instant::now() }
    }

    fn peer(&self, number: u8) -> PeerId {
        self.peers[usize::from(number) % self.peers.len()]
    }

    fn origin(&self, number: u8) -> Origin {
        match number {
            0..10 => loopback(),
            10..40 => through(self.relays[usize::from(number % 2)]),
            40.. => from(usize::from(number % 7), usize::from(number / 7)),
        }
    }

    /// One of those for which `which` holds.
    fn pick(&self, number: usize, which: impl Fn(&State) -> bool) -> Option<(usize, State)> {
        let all: Vec<_> = self.states.iter().filter(|(_, state)| which(state)).collect();
        let (id, state) = all.get(number % all.len().max(1))?;
        Some((**id, **state))
    }

    fn leave(&mut self, orders: impl IntoIterator<Item = Order>) {
        for (peer, order) in orders {
            let number = (0..self.next).find(|number| id(*number) == order).expect("it is a connection of ours");
            match self.states.insert(number, State::Leaving) {
                Some(State::Inbound { peer: with, .. } | State::Outbound { peer: with, .. }) => assert_eq!(peer, with),
                other => panic!("{other:?} was told to leave"),
            }
        }
    }

    fn idle(&self, which: impl Fn(&State) -> bool) -> usize {
        let idle = |state: &&State| match state {
            State::Inbound { used, .. } | State::Outbound { used, .. } => !used && which(state),
            State::Pending(_) | State::Dialled | State::Leaving => false,
        };
        self.states.values().filter(idle).count()
    }

    fn with(&self, peer: PeerId) -> usize {
        let with = |state: &&State| match state {
            State::Inbound { peer: other, .. } | State::Outbound { peer: other, .. } => *other == peer,
            State::Pending(_) | State::Dialled | State::Leaving => false,
        };
        self.states.values().filter(with).count()
    }

    fn slow(&self) -> bool {
        self.states.values().filter(|state| **state == State::Leaving).count() >= LEAVING
    }

    /// A refusal must have its reason.
    fn check_refusal(&self, denied: Denied, origin: Option<Origin>, peer: Option<PeerId>) {
        match denied {
            Denied::PerPeer => assert_eq!(self.with(peer.expect("it is known who")), BOUNDS.per_peer),
            Denied::Pending => assert!(self.states.values().any(|state| matches!(state, State::Pending(_)))),
            Denied::Group => {
                let source = origin.expect("only others have a group").source;
                let own = |state: &State| matches!(state, State::Inbound { origin, .. } if origin.source == source);
                assert!(self.idle(own) == 0 || self.slow());
            }
            Denied::Full => {
                let relayed = origin.map(|origin| origin.is_relayed());
                let kind = |state: &State| match state {
                    State::Inbound { origin, .. } => relayed == Some(origin.is_relayed()),
                    State::Outbound { .. } => relayed.is_none(),
                    State::Pending(_) | State::Dialled | State::Leaving => false,
                };
                assert!(self.idle(kind) == 0 || self.slow());
            }
            Denied::Rate | Denied::Memory | Denied::Banned(_) => panic!("the table knows nothing of {denied:?}"),
        }
    }

    fn apply(&mut self, step: Step) {
        self.now += Duration::from_millis(10);
        match step {
            Step::Begin { from } => {
                let origin = self.origin(from);
                match self.table.begin(id(self.next), origin) {
                    Ok(()) => _ = self.states.insert(self.next, State::Pending(origin)),
                    Err(denied) => self.check_refusal(denied, Some(origin), None),
                }
                self.next += 1;
            }
            Step::Welcome { which, peer } => {
                let Some((number, State::Pending(origin))) = self.pick(which, |s| matches!(s, State::Pending(_)))
                else {
                    return;
                };
                let peer = self.peer(peer);
                self.states.remove(&number);
                match self.table.welcome(id(number), peer, origin, self.now) {
                    Ok(leaves) => {
                        self.leave(leaves);
                        self.states.insert(number, State::Inbound { origin, peer, used: false });
                    }
                    Err(denied) => self.check_refusal(denied, Some(origin), Some(peer)),
                }
            }
            Step::Dial { peer } => {
                let peer = peer.map(|peer| self.peer(peer));
                match self.table.dial(id(self.next), peer) {
                    Ok(leaves) => {
                        self.leave(leaves);
                        self.states.insert(self.next, State::Dialled);
                    }
                    Err(denied) => self.check_refusal(denied, None, peer),
                }
                self.next += 1;
            }
            Step::Dialled { which, peer } => {
                let Some((number, _)) = self.pick(which, |state| *state == State::Dialled) else { return };
                let peer = self.peer(peer);
                self.states.remove(&number);
                match self.table.dialled(id(number), peer, None, self.now) {
                    Ok(()) => _ = self.states.insert(number, State::Outbound { peer, used: false }),
                    Err(denied) => self.check_refusal(denied, None, Some(peer)),
                }
            }
            Step::Gone { which } => {
                let Some((number, _)) = self.pick(which, |_| true) else { return };
                self.states.remove(&number);
                self.table.gone(id(number));
            }
            Step::Used { which, used } => {
                let Some((number, _)) = self.pick(which, |_| true) else { return };
                self.table.used(id(number), used, self.now);
                if let Some(State::Inbound { used: was, .. } | State::Outbound { used: was, .. }) =
                    self.states.get_mut(&number)
                {
                    *was = used;
                }
            }
            Step::Expel { peer } => {
                let peer = self.peer(peer);
                let before = self.with(peer);
                let orders = self.table.expel(|with, _| *with == peer);
                assert_eq!(orders.len(), before);
                self.leave(orders);
            }
            Step::Sweep { seconds } => {
                self.now += Duration::from_secs(seconds);
                let orders = self.table.sweep(self.now);
                self.leave(orders);
                assert!(self.table.deadline().is_none_or(|deadline| deadline > self.now), "nothing is overdue");
            }
        }
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for state in self.states.values() {
            *match state {
                State::Pending(_) => &mut counts.pending_inbound,
                State::Dialled => &mut counts.pending_outbound,
                State::Inbound { origin, .. } if origin.is_relayed() => &mut counts.relayed,
                State::Inbound { .. } => &mut counts.inbound,
                State::Outbound { .. } => &mut counts.outbound,
                State::Leaving => &mut counts.closing,
            } += 1;
        }
        counts
    }

    fn check(&self) {
        let counts = self.table.counts();
        assert_eq!(counts, self.counts());
        assert!(counts.pending_inbound <= BOUNDS.pending);
        assert!(counts.inbound <= BOUNDS.inbound && counts.relayed <= RELAYED);
        assert!(counts.outbound + counts.pending_outbound <= BOUNDS.outbound);
        assert!(self.peers.iter().all(|peer| self.with(*peer) <= BOUNDS.per_peer));
        let mut sources = BTreeMap::new();
        for state in self.states.values() {
            if let State::Inbound { origin, .. } = state
                && !origin.is_loopback()
            {
                *sources.entry((origin.is_relayed(), origin.source)).or_insert(0) += 1;
            }
        }
        for ((relayed, _), count) in sources {
            assert!(count <= if relayed { PER_RELAY } else { BOUNDS.per_group });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn counts_equal_the_model_and_nothing_leaks(steps in prop::collection::vec(step(), 1..400)) {
        let mut model = Model::new();
        for step in steps {
            model.apply(step);
            model.check();
        }
        for number in 0..model.next {
            model.table.gone(id(number));
        }
        prop_assert_eq!(model.table.counts(), Counts::default());
    }
}
