//! Each bound, one past it, and who makes room.

use std::time::Duration;

use libp2p::PeerId;
use tokio::time::Instant;

use super::super::Denied;
use super::super::origin::Origin;
use super::super::table::{Bounds, LEAVING, PENDING_PER_HOST, PER_RELAY, RELAYED, Table, UNUSED};
use super::{from, id, loopback, through};

const BOUNDS: Bounds = Bounds { inbound: 40, outbound: 10, per_peer: 3, per_group: 8, pending: 64 };

struct House {
    table: Table,
    next: usize,
    now: Instant,
}

impl House {
    fn new() -> Self {
        Self { table: Table::new(BOUNDS), next: 0, now: Instant::now() }
    }

    fn number(&mut self) -> usize {
        self.next += 1;
        self.now += Duration::from_millis(1);
        self.next
    }

    /// A connection of a peer that nobody knows: its number, and whose place it takes.
    fn open(&mut self, origin: Origin) -> Result<(usize, Option<usize>), Denied> {
        self.open_as(PeerId::random(), origin)
    }

    fn open_as(&mut self, peer: PeerId, origin: Origin) -> Result<(usize, Option<usize>), Denied> {
        let number = self.number();
        self.table.begin(id(number), origin)?;
        let order = self.table.welcome(id(number), peer, origin, self.now)?;
        let leaves = order.map(|(_, left)| (1..=self.next).find(|number| id(*number) == left).unwrap());
        Ok((number, leaves))
    }

    fn use_all(&mut self) {
        for number in 1..=self.next {
            self.table.used(id(number), true, self.now);
        }
    }

    fn fill(&mut self) {
        for net in 0..BOUNDS.inbound {
            self.open(from(net, 0)).unwrap();
        }
    }
}

#[test]
fn one_inbound_connection_too_many_is_refused_when_all_are_used() {
    let mut house = House::new();
    house.fill();
    house.use_all();
    assert_eq!(house.open(from(500, 0)), Err(Denied::Full));
    assert_eq!(house.table.counts().inbound, BOUNDS.inbound);
    house.table.gone(id(7));
    assert_eq!(house.open(from(500, 0)).unwrap().1, None);
    house.use_all();
    assert_eq!(house.open(from(501, 0)), Err(Denied::Full));
}

#[test]
fn a_newcomer_takes_the_place_of_the_longest_unused_of_the_most_crowded_group() {
    let mut house = House::new();
    for net in 0..BOUNDS.inbound - 3 {
        house.open(from(net, 0)).unwrap();
    }
    // Three more from group 20: the first is used, so that the second has to go.
    let first = house.open(from(20, 1)).unwrap().0;
    let second = house.open(from(20, 2)).unwrap().0;
    house.open(from(20, 3)).unwrap();
    let original = 21;
    house.table.used(id(first), true, house.now);
    house.table.used(id(original), true, house.now);
    assert_eq!(house.open(from(600, 0)).unwrap().1, Some(second));
    // One that was used until now is the youngest of its group again.
    house.table.used(id(first), false, house.now);
    assert_ne!(house.open(from(601, 0)).unwrap().1, Some(first));
    assert_eq!(house.open(from(602, 0)).unwrap().1, Some(first));
    // Now that all groups are equal, the oldest of all.
    assert_eq!(house.open(from(603, 0)).unwrap().1, Some(1));
    assert_eq!(house.table.counts().inbound, BOUNDS.inbound);
}

#[test]
fn a_group_that_has_all_it_may_makes_room_among_itself() {
    let mut house = House::new();
    for host in 0..BOUNDS.per_group {
        assert_eq!(house.open(from(1, host)).unwrap().1, None);
    }
    assert_eq!(house.open(from(1, 99)).unwrap().1, Some(1));
    assert_eq!(house.open(from(2, 0)).unwrap().1, None);
    house.use_all();
    assert_eq!(house.open(from(1, 99)), Err(Denied::Group));
    assert!(house.open(from(2, 1)).is_ok());
}

#[test]
fn this_machine_may_have_all_places() {
    let mut house = House::new();
    for _ in 0..BOUNDS.inbound {
        house.open(loopback()).unwrap();
    }
    house.use_all();
    assert_eq!(house.open(loopback()), Err(Denied::Full));
}

#[test]
fn a_peer_has_no_more_connections_than_it_may() {
    let mut house = House::new();
    let alice = PeerId::random();
    house.open_as(alice, from(1, 1)).unwrap();
    house.open_as(alice, from(2, 1)).unwrap();
    let dialled = house.number();
    assert_eq!(house.table.dial(id(dialled), Some(alice)), Ok(None));
    house.table.dialled(id(dialled), alice, None, house.now).unwrap();
    assert_eq!(house.open_as(alice, from(3, 1)), Err(Denied::PerPeer));
    assert_eq!(house.table.dial(id(99), Some(alice)), Err(Denied::PerPeer));
    // Who answers is known only at the end, if it was an address that was dialled.
    house.table.dial(id(100), None).unwrap();
    assert_eq!(house.table.dialled(id(100), alice, None, house.now), Err(Denied::PerPeer));
    house.table.gone(id(100));
    assert_eq!(house.table.counts().pending_outbound, 0);
}

#[test]
fn handshakes_under_way_are_bounded_by_host_by_group_and_in_all() {
    let mut house = House::new();
    let mut begin = |net, host| {
        house.next += 1;
        house.table.begin(id(house.next), from(net, host))
    };
    let of_group = BOUNDS.pending / 4;
    assert_eq!(of_group, PENDING_PER_HOST, "so that a second host of the group decides which bound it was");
    assert!((0..of_group).all(|_| begin(1, 1).is_ok()));
    assert_eq!(begin(1, 1), Err(Denied::Pending));
    assert_eq!(begin(1, 2), Err(Denied::Pending));
    assert!((of_group..BOUNDS.pending).all(|net| begin(net, 0).is_ok()));
    assert_eq!(begin(900, 0), Err(Denied::Pending));
    assert_eq!(house.table.counts().pending_inbound, BOUNDS.pending);
    house.table.gone(id(1));
    assert_eq!(house.table.begin(id(9_999), from(900, 0)), Ok(()));
}

#[test]
fn one_host_has_no_more_handshakes_than_it_may() {
    let mut table = Table::new(Bounds { pending: 1_000, ..BOUNDS });
    let mut begin = |number, host| table.begin(id(number), from(1, host));
    assert!((0..PENDING_PER_HOST).all(|number| begin(number, 1).is_ok()));
    assert_eq!(begin(98, 1), Err(Denied::Pending));
    assert_eq!(begin(99, 2), Ok(()));
}

#[test]
fn relayed_connections_have_places_of_their_own() {
    let mut house = House::new();
    house.fill();
    house.use_all();
    let (one, two, three) = (PeerId::random(), PeerId::random(), PeerId::random());
    for relay in [one, two] {
        assert!((0..PER_RELAY).all(|_| house.open(through(relay)).unwrap().1.is_none()));
    }
    assert_eq!(house.table.counts().relayed, RELAYED);
    let first_of_two = BOUNDS.inbound + PER_RELAY + 1;
    assert_eq!(house.open(through(two)).unwrap().1, Some(first_of_two));
    assert_eq!(house.open(through(three)).unwrap().1, Some(BOUNDS.inbound + 1));
    house.use_all();
    assert_eq!(house.open(through(three)), Err(Denied::Full));
    assert_eq!(house.open(through(two)), Err(Denied::Group));
}

#[test]
fn a_full_house_does_not_keep_us_from_dialling() {
    let mut house = House::new();
    house.fill();
    house.use_all();
    for number in 1_000..1_000 + BOUNDS.outbound {
        assert_eq!(house.table.dial(id(number), None), Ok(None));
    }
    assert_eq!(house.table.dial(id(2_000), None), Err(Denied::Full), "nobody leaves for a dial while all are dials");
    house.table.dialled(id(1_003), PeerId::random(), None, house.now).unwrap();
    let leaves = house.table.dial(id(2_000), None).unwrap();
    assert_eq!(leaves.map(|(_, left)| left), Some(id(1_003)));
}

#[test]
fn those_that_are_slow_to_leave_are_bounded_too() {
    let mut house = House::new();
    house.fill();
    for net in 0..LEAVING {
        assert!(house.open(from(700 + net, 0)).unwrap().1.is_some());
    }
    assert_eq!(house.open(from(999, 0)), Err(Denied::Full));
    let counts = house.table.counts();
    assert_eq!((counts.inbound, counts.closing), (BOUNDS.inbound, LEAVING));
    // The first that left has gone at last.
    house.table.gone(id(1));
    assert!(house.open(from(999, 0)).is_ok());
}

#[test]
fn unused_connections_are_closed_when_more_than_half_of_the_places_are_taken() {
    let mut house = House::new();
    for net in 0..BOUNDS.inbound / 2 {
        house.open(from(net, 0)).unwrap();
    }
    let start = house.now;
    assert_eq!(house.table.deadline(), None);
    assert!(house.table.sweep(start + 2 * UNUSED).is_empty());

    let last = house.open(from(100, 0)).unwrap().0;
    house.table.used(id(2), true, house.now);
    house.table.used(id(last), true, house.now);
    let due = house.table.deadline().expect("there is somebody to close");
    assert!(house.table.sweep(due - Duration::from_nanos(1)).is_empty());
    let closed: Vec<_> = house.table.sweep(due).into_iter().map(|(_, closed)| closed).collect();
    assert_eq!(closed, [id(1)], "the first that came");
    assert_eq!(house.table.deadline(), None, "no more than half are taken");
}

#[test]
fn what_a_sweep_could_not_close_is_closed_when_others_have_gone() {
    let mut house = House::new();
    house.table = Table::new(Bounds { inbound: 100, ..BOUNDS });
    for net in 0..90 {
        house.open(from(net, 0)).unwrap();
    }
    let late = house.now + 2 * UNUSED;
    let first: Vec<_> = house.table.sweep(late);
    assert_eq!(first.len(), LEAVING);
    assert!(house.table.sweep(late).is_empty());
    assert_eq!(house.table.deadline(), None, "there is nothing to do until one has gone");
    for (_, gone) in &first {
        house.table.gone(*gone);
    }
    assert!(house.table.deadline().is_some_and(|deadline| deadline < late));
    assert_eq!(house.table.sweep(late).len(), LEAVING);
}

#[test]
fn whoever_is_expelled_leaves_once() {
    let mut house = House::new();
    let mallory = PeerId::random();
    let open = house.open_as(mallory, from(1, 1)).unwrap().0;
    house.open(from(1, 1)).unwrap();
    assert_eq!(house.table.expel(|peer, _| *peer == mallory), [(mallory, id(open))]);
    assert!(house.table.expel(|peer, _| *peer == mallory).is_empty());
    assert_eq!(house.table.expel(|_, host| host == from(1, 1).host).len(), 1);
}
