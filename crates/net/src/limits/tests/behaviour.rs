//! What the swarm asks and tells, and what it is answered.

use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::task::noop_waker_ref;
use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::swarm::behaviour::ConnectionClosed;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, DialError, DialFailure, FromSwarm, ListenError, ListenFailure,
    NetworkBehaviour, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::super::memory::Gauge;
use super::super::rates::{ALL, HOST};
use super::super::{Ban, Behaviour, Counts, Denied};
use super::{here, id, there};
use crate::config::Limits;
use crate::rate::Rate;

fn pending(limits: &mut Behaviour, number: usize, remote: &Multiaddr) -> Result<(), Denied> {
    limits.handle_pending_inbound_connection(id(number), &here(), remote).map_err(cause)
}

fn established(limits: &mut Behaviour, number: usize, peer: PeerId, remote: &Multiaddr) -> Result<(), Denied> {
    let answer = limits.handle_established_inbound_connection(id(number), peer, &here(), remote);
    answer.map(|_| ()).map_err(cause)
}

fn dial(limits: &mut Behaviour, number: usize, peer: Option<PeerId>, to: &[Multiaddr]) -> Result<(), Denied> {
    let answer = limits.handle_pending_outbound_connection(id(number), peer, to, Endpoint::Dialer);
    answer.map(|addresses| assert!(addresses.is_empty())).map_err(cause)
}

fn dialled(limits: &mut Behaviour, number: usize, peer: PeerId, to: &Multiaddr) -> Result<(), Denied> {
    let answer = limits.handle_established_outbound_connection(id(number), peer, to, Endpoint::Dialer, PortUse::Reuse);
    answer.map(|_| ()).map_err(cause)
}

fn cause(denied: ConnectionDenied) -> Denied {
    denied.downcast().expect("the cause is typed")
}

fn closed(limits: &mut Behaviour, number: usize, peer_id: PeerId, remote: &Multiaddr) {
    let endpoint = ConnectedPoint::Listener { local_addr: here(), send_back_addr: remote.clone() };
    limits.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
        peer_id,
        connection_id: id(number),
        endpoint: &endpoint,
        cause: None,
        remaining_established: 0,
    }));
}

/// What a rate lets through, however slow this machine is.
fn most(rate: Rate, start: Instant) -> u32 {
    let seconds = u32::try_from(start.elapsed().as_secs()).unwrap();
    rate.burst + rate.each_second * (seconds + 1)
}

fn orders(limits: &mut Behaviour) -> Vec<(PeerId, ConnectionId)> {
    let mut orders = Vec::new();
    let mut cx = Context::from_waker(noop_waker_ref());
    while let Poll::Ready(action) = limits.poll(&mut cx) {
        match action {
            ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(id) } => orders.push((peer_id, id)),
            other => panic!("{other:?} is nothing that limits ask for"),
        }
    }
    orders
}

#[test]
fn ten_thousand_attempts_of_one_host_do_not_keep_another_out() {
    let mut limits = Behaviour::new(&Limits::default());
    let start = Instant::now();
    let mut let_in = 0;
    for attempt in 0..10_000 {
        match pending(&mut limits, attempt, &there(1, 1)) {
            Ok(()) => let_in += 1,
            Err(denied) => assert_eq!(denied, Denied::Rate),
        }
    }
    assert!(let_in >= HOST.burst && let_in <= most(HOST, start), "{let_in} handshakes began");
    for (number, remote) in [(20_000, there(1, 2)), (20_001, there(2, 1))] {
        assert_eq!(pending(&mut limits, number, &remote), Ok(()));
        assert_eq!(established(&mut limits, number, PeerId::random(), &remote), Ok(()));
    }
    assert_eq!(dial(&mut limits, 20_002, None, &[there(3, 1)]), Ok(()));
}

#[test]
fn what_failed_or_was_refused_elsewhere_is_forgotten() {
    let mut limits = Behaviour::new(&Limits::default());
    let (alice, remote) = (PeerId::random(), there(1, 1));
    // A handshake that failed, and one that another behaviour refused.
    for number in [1, 2] {
        pending(&mut limits, number, &remote).unwrap();
    }
    established(&mut limits, 2, alice, &remote).unwrap();
    for number in [1, 2] {
        limits.on_swarm_event(FromSwarm::ListenFailure(ListenFailure {
            local_addr: &here(),
            send_back_addr: &remote,
            error: &ListenError::Aborted,
            connection_id: id(number),
            peer_id: None,
        }));
    }
    // The same for dials.
    for number in [3, 4] {
        dial(&mut limits, number, Some(alice), std::slice::from_ref(&remote)).unwrap();
    }
    dialled(&mut limits, 4, alice, &remote).unwrap();
    for number in [3, 4] {
        limits.on_swarm_event(FromSwarm::DialFailure(DialFailure {
            peer_id: Some(alice),
            error: &DialError::Aborted,
            connection_id: id(number),
        }));
    }
    assert_eq!(limits.counts(), Counts::default());
}

#[test]
fn a_banned_host_is_refused_before_its_handshake_and_a_banned_peer_after() {
    let mut limits = Behaviour::new(&Limits::default());
    let until = Instant::now() + Duration::from_secs(60);
    let (mallory, remote) = (PeerId::random(), there(1, 1));
    limits.ban(Ban::Host("11.1.0.1".parse::<IpAddr>().unwrap()), until);
    limits.ban(Ban::Peer(mallory), until);
    let host = Denied::Banned(Ban::Host("11.1.0.1".parse().unwrap()));
    let peer = Denied::Banned(Ban::Peer(mallory));
    assert_eq!(pending(&mut limits, 1, &remote), Err(host));
    assert_eq!(pending(&mut limits, 2, &there(1, 2)), Ok(()));
    assert_eq!(established(&mut limits, 2, mallory, &there(1, 2)), Err(peer));
    assert_eq!(dial(&mut limits, 3, Some(mallory), &[]), Err(peer));
    assert_eq!(dial(&mut limits, 4, None, std::slice::from_ref(&remote)), Err(host));
    // One of two addresses is fine, as long as it is the one that answers.
    assert_eq!(dial(&mut limits, 5, None, &[remote.clone(), there(2, 1)]), Ok(()));
    assert_eq!(dialled(&mut limits, 5, PeerId::random(), &remote), Err(host));
    // A relay on that host is not the host of whom it relays.
    let circuit: Multiaddr = format!("{remote}/p2p/{}/p2p-circuit", PeerId::random()).parse().unwrap();
    assert_eq!(dial(&mut limits, 6, None, &[circuit]), Ok(()));
    assert_eq!(limits.counts(), Counts { pending_outbound: 1, ..Counts::default() });
}

#[test]
fn a_ban_closes_what_is_open() {
    let mut limits = Behaviour::new(&Limits::default());
    let (mallory, remote) = (PeerId::random(), there(1, 1));
    pending(&mut limits, 1, &remote).unwrap();
    established(&mut limits, 1, mallory, &remote).unwrap();
    limits.used(id(1), true);
    assert!(orders(&mut limits).is_empty());
    limits.ban(Ban::Peer(mallory), Instant::now() + Duration::from_secs(60));
    assert_eq!(orders(&mut limits), [(mallory, id(1))]);
    assert_eq!(limits.counts(), Counts { closing: 1, ..Counts::default() });
    closed(&mut limits, 1, mallory, &remote);
    assert_eq!(limits.counts(), Counts::default());
}

#[test]
fn the_swarm_is_told_who_makes_room() {
    let mut limits = Behaviour::new(&Limits { inbound: 2, ..Limits::default() });
    let peers: Vec<_> = (0..4).map(|_| PeerId::random()).collect();
    for number in [0, 1] {
        pending(&mut limits, number, &there(number, 1)).unwrap();
        established(&mut limits, number, peers[number], &there(number, 1)).unwrap();
    }
    limits.used(id(0), true);
    pending(&mut limits, 2, &there(2, 1)).unwrap();
    established(&mut limits, 2, peers[2], &there(2, 1)).unwrap();
    assert_eq!(orders_of_full(&mut limits), [(peers[1], id(1))]);
    limits.used(id(2), true);
    assert_eq!(pending(&mut limits, 3, &there(3, 1)), Err(Denied::Full));
}

/// More than half of the places are taken, so that a timer is set, which needs a runtime.
fn orders_of_full(limits: &mut Behaviour) -> Vec<(PeerId, ConnectionId)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _guard = runtime.enter();
    orders(limits)
}

#[test]
fn memory_beyond_its_bound_lets_nobody_in_but_lets_us_dial() {
    let mut limits = Behaviour::new(&Limits::default());
    limits.memory = Gauge::new(1_000, || Some(1_001));
    assert_eq!(pending(&mut limits, 1, &there(1, 1)), Err(Denied::Memory));
    assert_eq!(dial(&mut limits, 2, None, &[there(1, 1)]), Ok(()));
    assert_eq!(limits.counts(), Counts { pending_outbound: 1, ..Counts::default() });
    limits.memory = Gauge::new(1_000, || Some(1_000));
    assert_eq!(pending(&mut limits, 3, &there(1, 1)), Ok(()));
}

#[test]
fn everywhere_together_is_refused_beyond_the_rate_of_all() {
    let mut limits = Behaviour::new(&Limits { pending: 10_000, ..Limits::default() });
    let start = Instant::now();
    let mut begun = 0;
    for net in 0..2_000 {
        begun += u32::from(pending(&mut limits, net, &there(net, 1)).is_ok());
    }
    assert!(begun >= ALL.burst && begun <= most(ALL, start), "{begun} handshakes began");
}
