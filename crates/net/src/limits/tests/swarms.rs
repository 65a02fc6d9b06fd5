//! Real connections, in memory.

use std::time::Duration;

use futures::StreamExt;
use libp2p::core::Transport;
use libp2p::core::transport::MemoryTransport;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::{ListenError, Swarm, SwarmEvent};
use libp2p::{Multiaddr, noise, yamux};
use tokio::time::timeout;

use super::super::{Behaviour, Denied};
use crate::config::Limits;

type Node = Swarm<Behaviour>;

fn node(limits: &Limits) -> Node {
    let keys = Keypair::generate_ed25519();
    let transport = MemoryTransport::default()
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&keys).unwrap())
        .multiplex(yamux::Config::default())
        .boxed();
    let config = libp2p::swarm::Config::with_tokio_executor().with_idle_connection_timeout(Duration::from_secs(600));
    Swarm::new(transport, Behaviour::new(limits), keys.public().to_peer_id(), config)
}

async fn listen(node: &mut Node) -> Multiaddr {
    node.listen_on("/memory/0".parse().unwrap()).unwrap();
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = node.select_next_some().await {
            return address;
        }
    }
}

/// Runs both until something happens at `watched` for which `wanted` gives an answer.
async fn until<T>(
    watched: &mut Node,
    others: &mut [&mut Node],
    mut wanted: impl FnMut(SwarmEvent<std::convert::Infallible>) -> Option<T>,
) -> T {
    let run = async {
        loop {
            let mut all = futures::stream::select_all(others.iter_mut().map(|node| node.by_ref()));
            tokio::select! {
                event = watched.select_next_some() => if let Some(answer) = wanted(event) { return answer },
                _ = all.next() => {}
            }
        }
    };
    timeout(Duration::from_secs(20), run).await.expect("it happens within the deadline")
}

#[tokio::test]
async fn a_newcomer_takes_the_place_of_a_connection_without_a_session() {
    let mut server = node(&Limits { inbound: 1, ..Limits::default() });
    let address = listen(&mut server).await;
    let (mut alice, mut bob, mut carol) =
        (node(&Limits::default()), node(&Limits::default()), node(&Limits::default()));
    let established = |event| match event {
        SwarmEvent::ConnectionEstablished { connection_id, .. } => Some(connection_id),
        _ => None,
    };

    alice.dial(address.clone()).unwrap();
    until(&mut server, &mut [&mut alice], established).await;
    assert_eq!(server.behaviour().counts().inbound, 1);

    bob.dial(address.clone()).unwrap();
    let kept = until(&mut server, &mut [&mut alice, &mut bob], established).await;
    let left = until(&mut server, &mut [&mut alice, &mut bob], |event| match event {
        SwarmEvent::ConnectionClosed { peer_id, .. } => Some(peer_id),
        _ => None,
    })
    .await;
    assert_eq!(left, *alice.local_peer_id());

    server.behaviour_mut().used(kept, true);
    carol.dial(address).unwrap();
    let denied = until(&mut server, &mut [&mut bob, &mut carol], |event| match event {
        SwarmEvent::IncomingConnectionError { error: ListenError::Denied { cause }, .. } => {
            Some(cause.downcast::<Denied>().expect("the cause is typed"))
        }
        _ => None,
    })
    .await;
    assert_eq!(denied, Denied::Full);
    assert_eq!(server.behaviour().counts().inbound, 1);
    assert_eq!(server.behaviour().counts().pending_inbound, 0);
}
