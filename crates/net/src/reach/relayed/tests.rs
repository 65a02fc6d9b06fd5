//! A relay and its client over the memory transport, each polled by hand.

#![expect(clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm, reason = "a test picks what it looks for")]

use std::future::poll_fn;

use futures::{FutureExt, StreamExt};
use libp2p::Multiaddr;
use libp2p::core::Transport as _;
use libp2p::core::transport::{MemoryTransport, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{Config, SwarmEvent};
use libp2p::{Swarm, noise, relay, yamux};

use yap_protocol::Time;

use super::super::{paths, place};
use super::*;
use crate::status::Path;

/// Polls that any step here takes at most.
const POLLS: usize = 2000;

fn relay_at(channel: u64) -> (Swarm<relay::Behaviour>, Multiaddr) {
    let keys = Keypair::ed25519_from_bytes([2; 32]).unwrap();
    let us = keys.public().to_peer_id();
    let transport = MemoryTransport::default()
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(&keys).unwrap())
        .multiplex(yamux::Config::default())
        .boxed();
    let behaviour = relay::Behaviour::new(us, relay::Config::default());
    let mut swarm = Swarm::new(transport, behaviour, us, Config::without_executor());
    let address: Multiaddr = Protocol::Memory(channel).into();
    swarm.listen_on(address.clone()).unwrap();
    swarm.add_external_address(address.clone());
    (swarm, address.with(Protocol::P2p(us)))
}

fn client<B: NetworkBehaviour>(wrap: impl FnOnce(client::Behaviour) -> B) -> Swarm<B> {
    client_of(3, wrap)
}

fn client_of<B: NetworkBehaviour>(number: u8, wrap: impl FnOnce(client::Behaviour) -> B) -> Swarm<B> {
    let keys = Keypair::ed25519_from_bytes([number; 32]).unwrap();
    let us = keys.public().to_peer_id();
    let (circuits, behaviour) = client::new(us);
    let transport = OrTransport::new(circuits, MemoryTransport::default())
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(&keys).unwrap())
        .multiplex(yamux::Config::default())
        .boxed();
    Swarm::new(transport, wrap(behaviour), us, Config::without_executor())
}

/// What a swarm has to say now, without waiting.
fn now<B: NetworkBehaviour>(swarm: &mut Swarm<B>) -> Option<SwarmEvent<B::ToSwarm>> {
    swarm.next().now_or_never().flatten()
}

/// Lets both sides work until the client tells what is looked for; `None` if that never comes.
async fn until<B: NetworkBehaviour, T>(
    client: &mut Swarm<B>,
    relay: &mut Swarm<relay::Behaviour>,
    mut look: impl FnMut(&SwarmEvent<B::ToSwarm>) -> Option<T>,
) -> Option<T> {
    for _ in 0..POLLS {
        if let Some(found) = until_once(client, relay, &mut look) {
            return Some(found);
        }
        tokio::task::yield_now().await;
    }
    None
}

fn until_once<B: NetworkBehaviour, T>(
    client: &mut Swarm<B>,
    relay: &mut Swarm<relay::Behaviour>,
    look: impl FnMut(&SwarmEvent<B::ToSwarm>) -> Option<T>,
) -> Option<T> {
    let _ = now(relay);
    now(client).as_ref().and_then(look)
}

/// Closes the listener of a reservation while the relay's answer is on its way; then lets the answer come.
async fn give_up<B: NetworkBehaviour>(
    client: &mut Swarm<B>,
    channel: u64,
    release: impl FnOnce(&mut Swarm<B>, ListenerId),
) -> Swarm<relay::Behaviour> {
    let (mut relay, address) = relay_at(channel);
    client.dial(address.clone()).unwrap();
    until(client, &mut relay, |event| matches!(event, SwarmEvent::ConnectionEstablished { .. }).then_some(()))
        .await
        .expect("the client connects");
    let listener = client.listen_on(address.with(Protocol::P2pCircuit)).unwrap();
    // The client asks; the relay does not get to answer.
    for _ in 0..50 {
        let _ = now(client);
        tokio::task::yield_now().await;
    }
    release(client, listener);
    poll_fn(|cx| {
        loop {
            match client.poll_next_unpin(cx) {
                Poll::Ready(Some(SwarmEvent::ListenerClosed { .. })) => return Poll::Ready(()),
                Poll::Ready(_) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    relay
}

#[tokio::test]
async fn answer_to_a_reservation_that_was_given_up_does_no_harm() {
    let mut client = client(Behaviour::new);
    let mut relay = give_up(&mut client, 0x5eed_0001, |client, listener| {
        client.behaviour_mut().release(listener);
        assert!(client.remove_listener(listener));
    })
    .await;
    let accepted = until(&mut client, &mut relay, |event| {
        matches!(event, SwarmEvent::Behaviour(client::Event::ReservationReqAccepted { .. })).then_some(())
    });
    assert_eq!(accepted.await, Some(()), "the late answer comes");
    assert_eq!(client.behaviour().released, [], "a listener is forgotten when its end was told");
}

#[tokio::test]
async fn reservation_can_be_made_anew_on_the_same_connection() {
    let mut client = client(Behaviour::new);
    let mut relay = give_up(&mut client, 0x5eed_0002, |client, listener| {
        client.behaviour_mut().release(listener);
        client.remove_listener(listener);
    })
    .await;
    let address = Multiaddr::from(Protocol::Memory(0x5eed_0002)).with(Protocol::P2p(*relay.local_peer_id()));
    let listener = client.listen_on(address.with(Protocol::P2pCircuit)).unwrap();
    let listens = until(&mut client, &mut relay, |event| {
        matches!(event, SwarmEvent::NewListenAddr { listener_id, .. } if *listener_id == listener).then_some(())
    });
    assert_eq!(listens.await, Some(()));
}

/// Which relay a connection through it names at the end that it came to, where the connection with the relay was opened
/// by us or by it.
async fn path_of_a_circuit(channel: u64, relay_dials: bool) -> Option<Path> {
    let (mut relay, address) = relay_at(channel);
    let mut host = client(Behaviour::new);
    let us = *host.local_peer_id();
    let mut paths = paths::State::new(us, |_| None);
    let own = Multiaddr::from(Protocol::Memory(channel + 1));
    host.listen_on(own.clone()).unwrap();
    let _ = now(&mut host);
    if relay_dials {
        relay.dial(own).unwrap();
    } else {
        host.dial(address.clone()).unwrap();
    }
    let established = |paths: &mut paths::State, event: &SwarmEvent<client::Event>| match event {
        SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
            paths.connected(Time::ZERO, *peer_id, *connection_id, endpoint);
            Some(*connection_id)
        }
        _ => None,
    };
    until(&mut host, &mut relay, |event| established(&mut paths, event)).await.expect("relay and host connect");
    host.listen_on(address.clone().with(Protocol::P2pCircuit)).unwrap();
    let circuit = until(&mut host, &mut relay, |event| match event {
        SwarmEvent::NewListenAddr { address, .. } => Some(address.clone()),
        _ => None,
    });
    let circuit = circuit.await.expect("the relay accepts");
    assert_eq!(place::relay(&circuit), Some(*relay.local_peer_id()));
    let mut guest = client_of(4, Behaviour::new);
    guest.dial(circuit).unwrap();
    for _ in 0..POLLS {
        let _ = now(&mut guest);
        if let Some(connection) = until_once(&mut host, &mut relay, |event| established(&mut paths, event)) {
            return paths.path(connection);
        }
        tokio::task::yield_now().await;
    }
    None
}

#[tokio::test]
async fn circuit_names_its_relay_whoever_opened_the_connection_with_it() {
    let relay = crate::address::identity(&Keypair::ed25519_from_bytes([2; 32]).unwrap().public().to_peer_id());
    let expected = relay.map(Path::Relayed);
    assert_eq!(path_of_a_circuit(0x5eed_0010, false).await, expected);
    assert_eq!(path_of_a_circuit(0x5eed_0020, true).await, expected);
}

/// When this does not panic any more, libp2p has mended it, and this module is needless.
#[tokio::test]
#[should_panic(expected = "Relay connection exist")]
async fn unguarded_client_panics() {
    let mut client = client(|client| client);
    let mut relay = give_up(&mut client, 0x5eed_0003, |client, listener| {
        client.remove_listener(listener);
    })
    .await;
    until(&mut client, &mut relay, |_| None::<()>).await;
}
