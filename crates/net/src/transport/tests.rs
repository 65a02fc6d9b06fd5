//! Whole transports, without a swarm: each node runs in a task that polls its transport, finishes what others dial, and
//! sends back whatever comes on their streams.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "tests: the numbers are their own"
)]

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::task::Poll;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::Multiaddr;
use libp2p::core::Endpoint;
use libp2p::core::muxing::StreamMuxerExt;
use libp2p::core::transport::{DialOpts, ListenerId, PortUse, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use tokio::sync::oneshot;

use super::listen::Port;
use super::*;
use crate::config::{Hosts, Listen};

mod carriers;
mod certificates;
mod failures;
mod hostile;
mod ports;

const MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];

/// More than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

fn options() -> Options {
    Options { magic: MAGIC, tls: None, trust: Vec::new(), memory: false }
}

/// A connection that somebody opened to us.
#[derive(Debug)]
struct Arrived {
    peer: PeerId,
    /// Ours.
    local: Multiaddr,
}

type Dialled = std::io::Result<(PeerId, StreamMuxerBox)>;

/// A node without anything above its transport.
struct Node {
    peer: PeerId,
    addresses: Vec<Multiaddr>,
    bitcoin: mpsc::Receiver<Bitcoin>,
    arrived: mpsc::Receiver<Arrived>,
    dials: mpsc::Sender<(Multiaddr, oneshot::Sender<Dialled>)>,
}

impl Node {
    /// Listens on the addresses, until each of them is there.
    async fn start(options: &Options, addresses: &[Multiaddr]) -> Self {
        let keys = Keypair::generate_ed25519();
        let Parts { mut transport, bitcoin, relay: _ } = build(&keys, options).unwrap();
        for address in addresses {
            transport.listen_on(ListenerId::next(), address.clone()).unwrap();
        }
        let mut there = Vec::new();
        while there.len() < addresses.len() {
            let event = tokio::time::timeout(LONG, transport.next()).await.expect("listening in time").unwrap();
            there.extend(event.into_new_address());
        }
        let (arrivals, arrived) = mpsc::channel(64);
        let (dials, mut wanted) = mpsc::channel::<(Multiaddr, oneshot::Sender<Dialled>)>(64);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    event = transport.next() => {
                        let Some(TransportEvent::Incoming { upgrade, local_addr, .. }) = event else { continue };
                        let arrivals = arrivals.clone();
                        tokio::spawn(async move {
                            let Ok((peer, muxer)) = upgrade.await else { return };
                            let _ = arrivals.send(Arrived { peer, local: local_addr }).await;
                            echo(muxer).await;
                        });
                    }
                    dial = wanted.recv() => {
                        let Some((address, done)) = dial else { return };
                        match transport.dial(address, DialOpts { role: Endpoint::Dialer, port_use: PortUse::Reuse }) {
                            Ok(dial) => drop(tokio::spawn(async move { done.send(dial.await) })),
                            Err(TransportError::Other(error)) => drop(done.send(Err(error))),
                            Err(TransportError::MultiaddrNotSupported(_)) => {
                                drop(done.send(Err(std::io::ErrorKind::Unsupported.into())));
                            }
                        }
                    }
                }
            }
        });
        Self { peer: keys.public().to_peer_id(), addresses: there, bitcoin, arrived, dials }
    }

    async fn dial(&self, address: &Multiaddr) -> Dialled {
        let (done, outcome) = oneshot::channel();
        self.dials.send((address.clone(), done)).await.unwrap();
        tokio::time::timeout(LONG, outcome).await.expect("an end of the dial").unwrap()
    }

    /// Dials, and says something that must come back.
    async fn reach(&self, address: &Multiaddr) -> PeerId {
        let (peer, muxer) = self.dial(address).await.unwrap_or_else(|error| panic!("{address}: {error}"));
        let said: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        let heard = tokio::time::timeout(LONG, say(muxer, &said)).await.expect("an answer in time");
        assert!(heard == said, "{address}: something else came back");
        peer
    }
}

/// Sends back what comes on any stream.
async fn echo(mut muxer: StreamMuxerBox) {
    loop {
        let stream = poll_fn(|cx| {
            if let Poll::Ready(Err(error)) = muxer.poll_unpin(cx) {
                return Poll::Ready(Err(error));
            }
            muxer.poll_inbound_unpin(cx)
        });
        let Ok(stream) = stream.await else { return };
        tokio::spawn(async move {
            let (mut from, mut to) = stream.split();
            let _ = futures::io::copy(&mut from, &mut to).await;
            let _ = to.close().await;
        });
    }
}

/// Says something on a new stream, and hears what comes back.
async fn say(mut muxer: StreamMuxerBox, bytes: &[u8]) -> Vec<u8> {
    let stream = poll_fn(|cx| {
        let _ = muxer.poll_unpin(cx);
        muxer.poll_outbound_unpin(cx)
    });
    let (mut from, mut to) = stream.await.unwrap().split();
    let mut heard = Vec::new();
    let talk = async {
        let write = async {
            to.write_all(bytes).await.unwrap();
            to.close().await.unwrap();
        };
        let (_, read) = futures::join!(write, from.read_to_end(&mut heard));
        read.unwrap();
    };
    let drive = poll_fn(|cx| match muxer.poll_unpin(cx) {
        Poll::Ready(Err(error)) => Poll::Ready(error),
        Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
    });
    tokio::select! {
        () = talk => {}
        error = drive => panic!("{error}"),
    }
    heard
}

/// Where to listen on a free port of an address.
fn on(host: IpAddr, tls: Option<Tls>) -> (u16, Vec<Multiaddr>) {
    let listen = Listen { port: 0, hosts: Hosts::Only(vec![host]), tls, ..Listen::default() };
    let port = check_port(&listen).unwrap();
    (port.number, listen_addresses(&listen, port))
}

/// A certificate of `localhost` and 127.0.0.1, signed by itself, in a folder that goes with it.
struct Certificate {
    folder: tempfile::TempDir,
}

impl Certificate {
    fn new() -> Self {
        Self::lasting(2024, 4096)
    }

    /// Valid from one year to another.
    fn lasting(from: i32, until: i32) -> Self {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
        Self { folder }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn files(&self) -> Tls {
        Tls { certificate: self.path("cert.pem"), key: self.path("key.pem") }
    }
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
