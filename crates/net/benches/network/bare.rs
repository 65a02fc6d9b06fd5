//! The floor: bytes over one stream of libp2p, with the settings of libp2p's own builder.

use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};

use crate::{Carrier, Cost, now};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/bench/1");
const CHUNK: usize = 256 << 10;

async fn swarm() -> Swarm<libp2p_stream::Behaviour> {
    SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_quic()
        .with_dns()
        .unwrap()
        .with_websocket(noise::Config::new, yamux::Config::default)
        .await
        .unwrap()
        .with_behaviour(|_| libp2p_stream::Behaviour::new())
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(std::time::Duration::from_secs(60)))
        .build()
}

/// Sends so many bytes from one swarm to another, and waits until they have come.
pub(crate) async fn run(carrier: Carrier, bytes: usize) -> Cost {
    let (mut listener, mut dialler) = (swarm().await, swarm().await);
    let address: Multiaddr = match carrier {
        Carrier::Tcp => "/ip4/127.0.0.1/tcp/0",
        Carrier::Quic => "/ip4/127.0.0.1/udp/0/quic-v1",
        Carrier::WebSocket => "/ip4/127.0.0.1/tcp/0/ws",
    }
    .parse()
    .unwrap();
    listener.listen_on(address).unwrap();
    let address = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = listener.select_next_some().await {
            break address;
        }
    };
    let peer = *listener.local_peer_id();
    let mut incoming = listener.behaviour().new_control().accept(PROTOCOL).unwrap();
    let mut control = dialler.behaviour().new_control();
    dialler.dial(address).unwrap();
    let listening = tokio::spawn(async move { while listener.next().await.is_some() {} });
    loop {
        if let SwarmEvent::ConnectionEstablished { .. } = dialler.select_next_some().await {
            break;
        }
    }
    let dialling = tokio::spawn(async move { while dialler.next().await.is_some() {} });
    let receiving = tokio::spawn(async move {
        let (_, mut stream) = incoming.next().await.unwrap();
        let (mut buffer, mut left) = (vec![0; CHUNK], bytes);
        while left > 0 {
            left -= stream.read(&mut buffer).await.unwrap();
        }
        stream.write_all(&[1]).await.unwrap();
        stream.flush().await.unwrap();
        stream
    });
    let mut stream = control.open_stream(peer, PROTOCOL).await.unwrap();
    let (chunk, start) = (vec![7; CHUNK], now());
    for _ in 0..bytes.div_ceil(CHUNK) {
        stream.write_all(&chunk).await.unwrap();
    }
    stream.flush().await.unwrap();
    stream.read_exact(&mut [0]).await.unwrap();
    let cost = Cost::since(start);
    drop(receiving.await);
    listening.abort();
    dialling.abort();
    cost
}
