//! What a stranger can have us do, and what is kept of it.

use libp2p::identity::Keypair;

use super::*;

fn addr(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

fn peer(number: u8) -> PeerId {
    Keypair::ed25519_from_bytes([number; 32]).unwrap().public().to_peer_id()
}

fn came(relayed: bool) -> ConnectedPoint {
    let local = if relayed {
        format!("/ip4/11.1.1.10/tcp/6001/p2p/{}/p2p-circuit", peer(9))
    } else {
        "/ip4/192.168.1.5/tcp/6001".to_owned()
    };
    ConnectedPoint::Listener { local_addr: addr(&local), send_back_addr: addr("/ip4/11.1.1.21/tcp/5000") }
}

fn open(punching: &mut Behaviour, number: usize, relayed: bool) -> ConnectionId {
    let connection = ConnectionId::new_unchecked(number);
    let point = came(relayed);
    let ConnectedPoint::Listener { local_addr, send_back_addr } = &point else { return connection };
    assert!(punching.handle_established_inbound_connection(connection, peer(2), local_addr, send_back_addr).is_ok());
    punching.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
        peer_id: peer(2),
        connection_id: connection,
        endpoint: &point,
        failed_addresses: &[],
        other_established: 0,
    }));
    connection
}

fn close(punching: &mut Behaviour, connection: ConnectionId, relayed: bool) {
    punching.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
        peer_id: peer(2),
        connection_id: connection,
        endpoint: &came(relayed),
        cause: None,
        remaining_established: 0,
    }));
}

#[test]
fn relayed_connection_gives_few_orders() {
    let mut punching = Behaviour::new(peer(1));
    let relayed = open(&mut punching, 1, true);
    for _ in 0..MAX_ORDERS {
        assert!(punching.admits(relayed));
    }
    assert!(!punching.admits(relayed));
    let direct = open(&mut punching, 2, false);
    assert!(!punching.admits(direct), "a direct one gives none");
    close(&mut punching, relayed, true);
    close(&mut punching, direct, false);
    assert!(punching.orders.is_empty() && punching.direct.is_empty());
}

#[test]
fn stranger_can_not_have_us_dial_this_machine_or_many_others() {
    let public = |number: usize| addr(&format!("/ip4/11.1.1.{number}/tcp/6001"));
    let many: Vec<Multiaddr> = (1..=MAX_ADDRESSES).map(public).collect();
    assert_eq!(check(&many), Ok(()));
    let one_more: Vec<Multiaddr> = (1..=MAX_ADDRESSES + 1).map(public).collect();
    assert_eq!(check(&one_more), Err(Refused::Addresses(MAX_ADDRESSES + 1)));
    for nowhere in
        ["/ip4/127.0.0.1/tcp/3001", "/ip6/::1/tcp/3001", "/ip4/0.0.0.0/tcp/1", "/ip4/224.0.0.1/udp/1/quic-v1"]
    {
        assert_eq!(check(&[public(1), addr(nowhere)]), Err(Refused::Scope), "{nowhere}");
    }
    // It is heeded for dials of hole punching, and for no others.
    let mut punching = Behaviour::new(peer(1));
    let connection = ConnectionId::new_unchecked(1);
    let ask = |punching: &mut Behaviour| {
        punching.handle_pending_outbound_connection(connection, Some(peer(2)), &one_more, Endpoint::Dialer).is_ok()
    };
    assert!(ask(&mut punching));
    punching.dials.insert(connection);
    assert!(!ask(&mut punching));
}

#[test]
fn behaviour_is_made_anew_before_it_has_kept_too_much() {
    let mut punching = Behaviour::new(peer(1));
    punching.on_swarm_event(FromSwarm::NewExternalAddrCandidate(NewExternalAddrCandidate {
        addr: &addr("/ip4/11.1.1.21/tcp/6001"),
    }));
    let first = open(&mut punching, 0, false);
    let mut renewals = 0;
    // Each is refused by another behaviour after this one has seen it: nothing more is heard of it.
    for number in 1..=2 * MAX_STALE {
        let before = punching.stale;
        let connection = ConnectionId::new_unchecked(number);
        let (local, remote) = (addr("/ip4/192.168.1.5/tcp/6001"), addr("/ip4/11.1.1.21/tcp/5000"));
        assert!(punching.handle_established_inbound_connection(connection, peer(3), &local, &remote).is_ok());
        renewals += usize::from(punching.stale < before);
        assert!(punching.stale < MAX_STALE);
    }
    assert_eq!(renewals, 2);
    // What there is, is known to the new one: this would panic otherwise.
    close(&mut punching, first, false);
}

#[test]
fn few_candidates_are_kept_and_the_last_ones() {
    let mut punching = Behaviour::new(peer(1));
    for port in 1..=candidates::MAX + 1 {
        punching.candidate(&addr(&format!("/ip4/11.1.1.21/tcp/{port}")));
    }
    assert_eq!(punching.candidates.len(), candidates::MAX);
    assert_eq!(punching.candidates.front(), Some(&addr("/ip4/11.1.1.21/tcp/2")));
}
