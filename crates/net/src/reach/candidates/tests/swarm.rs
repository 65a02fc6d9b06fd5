//! Two swarms with a NAT between them, made of memory.

use std::pin::Pin;

use futures::{FutureExt, StreamExt};
use libp2p::core::Transport;
use libp2p::core::transport::{DialOpts, ListenerId, MemoryTransport, TransportError, TransportEvent};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::{Config, SwarmEvent};
use libp2p::{Swarm, noise, yamux};

use super::*;

/// The memory transport under addresses of the internet.
struct Masked {
    memory: MemoryTransport,
    /// Where we listen in memory, and as it is shown.
    listens: (Multiaddr, Multiaddr),
    /// Where whatever we dial is in memory.
    other: Multiaddr,
    /// Where we see whatever comes in.
    sees: Multiaddr,
}

impl Transport for Masked {
    type Output = <MemoryTransport as Transport>::Output;
    type Error = <MemoryTransport as Transport>::Error;
    type ListenerUpgrade = <MemoryTransport as Transport>::ListenerUpgrade;
    type Dial = <MemoryTransport as Transport>::Dial;

    fn listen_on(&mut self, id: ListenerId, _: Multiaddr) -> Result<(), TransportError<Self::Error>> {
        self.memory.listen_on(id, self.listens.0.clone())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.memory.remove_listener(id)
    }

    fn dial(&mut self, _: Multiaddr, options: DialOpts) -> Result<Self::Dial, TransportError<Self::Error>> {
        self.memory.dial(self.other.clone(), options)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        let event = match Pin::new(&mut self.memory).poll(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(event) => event,
        };
        Poll::Ready(match event {
            TransportEvent::NewAddress { listener_id, .. } => {
                TransportEvent::NewAddress { listener_id, listen_addr: self.listens.1.clone() }
            }
            TransportEvent::Incoming { listener_id, upgrade, .. } => TransportEvent::Incoming {
                listener_id,
                upgrade,
                local_addr: self.listens.1.clone(),
                send_back_addr: self.sees.clone(),
            },
            other @ (TransportEvent::AddressExpired { .. }
            | TransportEvent::ListenerClosed { .. }
            | TransportEvent::ListenerError { .. }) => other,
        })
    }
}

fn swarm(number: u8, listens: (u64, &str), other: u64, sees: &str) -> Swarm<Behaviour> {
    let keys = Keypair::ed25519_from_bytes([number; 32]).unwrap();
    let memory = |channel| Multiaddr::from(libp2p::multiaddr::Protocol::Memory(channel));
    let masked = Masked {
        memory: MemoryTransport::default(),
        listens: (memory(listens.0), addr(listens.1)),
        other: memory(other),
        sees: addr(sees),
    };
    let transport = masked
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(&keys).unwrap())
        .multiplex(yamux::Config::default())
        .boxed();
    let identify = introduction::Behaviour::new(&identify::Config::new("/yap/test/id/1".to_owned(), keys.public()));
    let us = keys.public().to_peer_id();
    let mut swarm = Swarm::new(transport, Behaviour::new(identify), us, Config::without_executor());
    swarm.listen_on(addr(listens.1)).unwrap();
    swarm
}

#[tokio::test]
async fn candidates_of_a_node_behind_nat_are_ours_and_not_those_of_identify() {
    let mut home = swarm(1, (0xca4d_0001, "/ip4/192.168.1.5/tcp/6001"), 0xca4d_0002, "/ip4/11.1.1.10/tcp/40000");
    let mut relay = swarm(2, (0xca4d_0002, "/ip4/11.1.1.10/tcp/6001"), 0xca4d_0001, "/ip4/11.1.1.21/tcp/26385");
    for _ in 0..10 {
        let _ = home.next().now_or_never();
        let _ = relay.next().now_or_never();
    }
    home.dial(addr("/ip4/11.1.1.10/tcp/6001")).unwrap();
    let mut candidates = (Vec::new(), Vec::new());
    let mut heard = 0;
    let mut idle = 0;
    // Until both have heard of each other, and there was nothing more to say for a while.
    for _ in 0..100_000 {
        if heard >= 2 && idle >= 100 {
            break;
        }
        let home = home.next().now_or_never().flatten();
        let relay = relay.next().now_or_never().flatten();
        idle = if home.is_some() || relay.is_some() { 0 } else { idle + 1 };
        for (event, candidates) in [(home, &mut candidates.0), (relay, &mut candidates.1)] {
            match event {
                Some(SwarmEvent::NewExternalAddrCandidate { address }) => candidates.push(address.to_string()),
                Some(SwarmEvent::Behaviour(identify::Event::Received { .. })) => heard += 1,
                _ => {}
            }
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(heard, 2);
    assert_eq!(candidates.0, ["/ip4/11.1.1.21/tcp/26385", "/ip4/11.1.1.21/tcp/6001"]);
    assert_eq!(candidates.1, ["/ip4/11.1.1.10/tcp/6001"], "what was dialled is where it is");
    assert_eq!(home.behaviour().ways.len(), 1);
    let other = *relay.local_peer_id();
    home.disconnect_peer_id(other).unwrap();
    while !matches!(home.next().await, Some(SwarmEvent::ConnectionClosed { .. })) {}
    assert!(home.behaviour().ways.is_empty(), "nothing is kept of a connection that is closed");
}
