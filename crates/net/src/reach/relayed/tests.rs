//! A relay and its client over the memory transport, each polled by hand.

use std::future::poll_fn;

use futures::{FutureExt, StreamExt};
use libp2p::core::Transport as _;
use libp2p::core::transport::{MemoryTransport, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{Config, SwarmEvent};
use libp2p::{Swarm, noise, relay, yamux};

use super::*;

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
    let keys = Keypair::ed25519_from_bytes([3; 32]).unwrap();
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
        let _ = now(relay);
        if let Some(found) = now(client).as_ref().and_then(&mut look) {
            return Some(found);
        }
        tokio::task::yield_now().await;
    }
    None
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
