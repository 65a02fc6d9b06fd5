//! A node that is reached through a relay, and begins to relay itself, over the memory transport.

use futures::{FutureExt, StreamExt};
use libp2p::Multiaddr;
use libp2p::core::Transport as _;
use libp2p::core::transport::{MemoryTransport, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{Config, SwarmEvent};
use libp2p::{Swarm, noise, yamux};

use super::*;

/// Polls that any step here takes at most.
const POLLS: usize = 4000;

/// A node that is reached through relays, and relays.
#[derive(NetworkBehaviour)]
struct Both<S: NetworkBehaviour> {
    client: relay::client::Behaviour,
    server: S,
}

fn swarm<S: NetworkBehaviour>(number: u8, channel: u64, wrap: impl FnOnce(relay::Behaviour) -> S) -> Swarm<Both<S>> {
    let keys = Keypair::ed25519_from_bytes([number; 32]).unwrap();
    let us = keys.public().to_peer_id();
    let (circuits, client) = relay::client::new(us);
    let transport = OrTransport::new(circuits, MemoryTransport::default())
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(&keys).unwrap())
        .multiplex(yamux::Config::default())
        .boxed();
    let server = wrap(relay::Behaviour::new(us, relay::Config::default()));
    let mut swarm = Swarm::new(transport, Both { client, server }, us, Config::without_executor());
    swarm.listen_on(Protocol::Memory(channel).into()).unwrap();
    swarm
}

fn now<B: NetworkBehaviour>(swarm: &mut Swarm<B>) -> Option<SwarmEvent<B::ToSwarm>> {
    swarm.next().now_or_never().flatten()
}

/// Connects a guest to a host through a relay; then the host begins to relay.
async fn begin_to_relay<S: NetworkBehaviour>(
    channel: u64,
    wrap: impl Fn(relay::Behaviour) -> S,
    serve: impl Fn(&mut S),
) -> bool {
    let mut relay = swarm(2, channel, Behaviour::new);
    relay.behaviour_mut().server.serve(true);
    let address = Multiaddr::from(Protocol::Memory(channel));
    relay.add_external_address(address.clone());
    let circuit = address.with(Protocol::P2p(*relay.local_peer_id())).with(Protocol::P2pCircuit);
    let mut host = swarm(3, channel.wrapping_add(1), wrap);
    let mut guest = swarm(4, channel.wrapping_add(2), Behaviour::new);
    host.listen_on(circuit.clone()).unwrap();
    let mut is_relayed = false;
    let mut after = 0_usize;
    for _ in 0..POLLS {
        let _ = now(&mut relay);
        let _ = now(&mut guest);
        match now(&mut host) {
            Some(SwarmEvent::NewListenAddr { address, .. })
                if address.iter().any(|part| part == Protocol::P2pCircuit) =>
            {
                guest.dial(circuit.clone().with(Protocol::P2p(*host.local_peer_id()))).unwrap();
            }
            Some(SwarmEvent::ConnectionEstablished { endpoint, .. }) if endpoint.is_relayed() => {
                is_relayed = true;
                serve(&mut host.behaviour_mut().server);
            }
            Some(SwarmEvent::ConnectionClosed { .. }) => return false,
            _ => {}
        }
        after = after.saturating_add(usize::from(is_relayed));
        if after > 500 {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

#[tokio::test]
async fn relayed_node_can_begin_to_relay() {
    assert!(begin_to_relay(0x5eed_1001, Behaviour::new, |server| server.serve(true)).await);
}

/// When this does not panic any more, libp2p has mended it, and this module is needless.
#[tokio::test]
#[should_panic(expected = "entered unreachable code")]
async fn unguarded_relay_panics() {
    let serve = |server: &mut relay::Behaviour| server.set_status(Some(relay::Status::Enable));
    let idle = |mut server: relay::Behaviour| {
        server.set_status(Some(relay::Status::Disable));
        server
    };
    begin_to_relay(0x5eed_2001, idle, serve).await;
}
