#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "tests: the numbers are their own"
)]

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::silent::{PER_HOST, SILENCE};
use super::state::{multiaddr, socket_address};
use super::*;
use crate::transport::BITCOIN;

const MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];

const LIBP2P: &[u8] = b"\x13/multistream/1.0.0\n";

/// A port with all its branches, polled as the swarm polls them.
struct Shared {
    branches: [Branch; 3],
    bitcoin: mpsc::Receiver<Bitcoin>,
}

impl Shared {
    fn new() -> Self {
        let (sender, bitcoin) = mpsc::channel(BITCOIN);
        Self { branches: branches(MAGIC, sender), bitcoin }
    }

    fn listen(&mut self, kind: usize, address: &str) -> ListenerId {
        let id = ListenerId::next();
        self.branches[kind].listen_on(id, address.parse().unwrap()).unwrap();
        id
    }

    /// The next event of any branch, and which.
    async fn next(&mut self) -> (usize, Event) {
        let next = poll_fn(|cx| {
            for (kind, branch) in self.branches.iter_mut().enumerate() {
                if let Poll::Ready(event) = Pin::new(branch).poll(cx) {
                    return Poll::Ready((kind, event));
                }
            }
            Poll::Pending
        });
        tokio::time::timeout(Duration::from_secs(30), next).await.expect("an event in time")
    }

    /// The next connection, skipping what is said of addresses.
    async fn connection(&mut self) -> (usize, ListenerId, tcp::TcpStream) {
        loop {
            if let (kind, TransportEvent::Incoming { listener_id, upgrade, .. }) = self.next().await {
                return (kind, listener_id, upgrade.await.unwrap());
            }
        }
    }

    /// Polls until a future is done.
    async fn drive<O>(&mut self, done: impl Future<Output = O>) -> O {
        let mut kept = Vec::new();
        tokio::pin!(done);
        loop {
            tokio::select! {
                outcome = &mut done => return outcome,
                event = self.next() => kept.push(event),
            }
        }
    }

    /// All three listen on a free port of a loopback address, which is given back.
    async fn everywhere(host: IpAddr) -> (Self, [ListenerId; 3], SocketAddr) {
        let mut shared = Self::new();
        let tcp = Multiaddr::from(host).with(Protocol::Tcp(0)).to_string();
        let listeners = [0, 1, 2].map(|kind| shared.listen(kind, &tcp));
        let (_, event) = shared.next().await;
        let address = socket_address(&event.into_new_address().unwrap()).unwrap();
        (shared, listeners, address)
    }
}

async fn dial(to: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(to).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    socket
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[tokio::test]
async fn each_branch_gets_what_begins_with_its_bytes() {
    let (mut shared, listeners, address) = Shared::everywhere(LOOPBACK).await;
    for (kind, bytes) in [(1, &b"GET / HTTP/1.1\r\n"[..]), (0, LIBP2P), (2, &[0x16, 0x03, 0x01, 0x00])] {
        let _near = dial(address, bytes).await;
        let (got, listener, mut stream) = shared.connection().await;
        assert_eq!((got, listener), (kind, listeners[kind]));
        let mut all = vec![0; bytes.len()];
        stream.0.read_exact(&mut all).await.unwrap();
        assert_eq!(all, bytes, "nothing was taken");
    }
}

#[tokio::test]
async fn ipv6_is_shared_alike() {
    let (mut shared, listeners, address) = Shared::everywhere(Ipv6Addr::LOCALHOST.into()).await;
    let _near = dial(address, b"GET ").await;
    assert_eq!(shared.connection().await.1, listeners[1]);
}

#[tokio::test]
async fn bitcoins_connections_are_handed_over_unread() {
    let (mut shared, _, address) = Shared::everywhere(LOOPBACK).await;
    let near = dial(address, b"\xfa\xbf\xb5\xdaversion").await;
    let mut bitcoin = std::mem::replace(&mut shared.bitcoin, mpsc::channel(1).1);
    let mut got = shared.drive(bitcoin.recv()).await.unwrap();
    assert_eq!(got.remote, near.local_addr().unwrap());
    let mut all = [0; 11];
    got.stream.read_exact(&mut all).await.unwrap();
    assert_eq!(&all, b"\xfa\xbf\xb5\xdaversion");
}

#[tokio::test]
async fn bitcoins_connections_that_nobody_takes_are_bounded() {
    let (mut shared, _, address) = Shared::everywhere(LOOPBACK).await;
    let mut near = Vec::new();
    for _ in 0..=BITCOIN {
        near.push(dial(address, &MAGIC).await);
    }
    let mut byte = [0];
    // One too many, and it alone, is closed.
    let closed = async {
        let reads = near.iter_mut().map(|socket| {
            Box::pin(async {
                let mut byte = [0];
                socket.read(&mut byte).await
            })
        });
        futures::future::select_all(reads).await.0
    };
    assert!(!matches!(shared.drive(closed).await, Ok(1..)));
    assert_eq!(shared.bitcoin.len(), BITCOIN);
    shared.bitcoin.close();
    while let Ok(mut taken) = shared.bitcoin.try_recv() {
        taken.stream.write_all(b"!").await.unwrap();
    }
    let mut answered = 0;
    for socket in &mut near {
        answered += usize::from(matches!(socket.read(&mut byte).await, Ok(1)));
    }
    assert_eq!(answered, BITCOIN);
}

#[tokio::test]
async fn garbage_is_closed() {
    let (mut shared, _, address) = Shared::everywhere(LOOPBACK).await;
    let mut near = dial(address, b"SSH-2.0-OpenSSH_9.2\r\n").await;
    let mut byte = [0];
    let read = shared.drive(near.read(&mut byte)).await;
    assert!(!matches!(read, Ok(1..)), "{read:?}");
}

#[tokio::test]
async fn what_nobody_listens_for_is_closed() {
    let mut shared = Shared::new();
    shared.listen(0, "/ip4/127.0.0.1/tcp/0");
    let address = socket_address(&shared.next().await.1.into_new_address().unwrap()).unwrap();
    let mut near = dial(address, b"GET / HTTP/1.1\r\n").await;
    let mut byte = [0];
    let read = shared.drive(near.read(&mut byte)).await;
    assert!(!matches!(read, Ok(1..)), "{read:?}");
}

#[tokio::test]
async fn a_host_with_a_thousand_silent_connections_locks_nobody_out() {
    let (mut shared, _, address) = Shared::everywhere(LOOPBACK).await;
    let mut silent = Vec::new();
    for _ in 0..1000 {
        silent.push(shared.drive(TcpStream::connect(address)).await.unwrap());
    }
    let another = TcpSocket::new_v4().unwrap();
    another.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into()).unwrap();
    let begun = std::time::Instant::now();
    let mut another = another.connect(address).await.unwrap();
    another.write_all(LIBP2P).await.unwrap();
    let (kind, _, stream) = shared.connection().await;
    assert_eq!((kind, stream.0.peer_addr().unwrap().ip()), (0, Ipv4Addr::new(127, 0, 0, 2).into()));
    assert!(begun.elapsed() < SILENCE / 2, "{:?}", begun.elapsed());
    // And the host itself gets through, as soon as it says something.
    let _one_more = dial(address, LIBP2P).await;
    assert_eq!(shared.connection().await.0, 0);
    let open = silent.iter().filter(|socket| {
        let mut byte = [0];
        socket.try_read(&mut byte).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    });
    assert!(open.count() <= PER_HOST);
}

#[tokio::test]
async fn a_branch_that_is_full_stops_accepting_and_none_is_lost() {
    const MANY: usize = 4 * QUEUE;
    let (mut shared, _, address) = Shared::everywhere(LOOPBACK).await;
    let mut near = Vec::new();
    for _ in 0..MANY {
        near.push(dial(address, b"GET ").await);
    }
    // Whoever has another branch polls for a while: those of the full one wait for theirs.
    let waker = futures::task::noop_waker();
    let mut cx = Context::from_waker(&waker);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        assert!(std::time::Instant::now() < deadline, "the queue never filled");
        while Pin::new(&mut shared.branches[0]).poll(&mut cx).is_ready() {}
        let waiting = shared.branches[1].state().queue(Kind::WebSocket).events.len();
        // Two address events may be among them.
        assert!(waiting <= QUEUE, "{waiting} wait");
        if waiting == QUEUE {
            break;
        }
        tokio::task::yield_now().await;
    }
    for _ in 0..MANY {
        assert_eq!(shared.connection().await.0, 1);
    }
}

#[tokio::test]
async fn branches_share_the_port_that_it_turned_out_to_be() {
    let (mut shared, [_, websocket, secure], address) = Shared::everywhere(LOOPBACK).await;
    for (kind, id) in [(1, websocket), (2, secure)] {
        let (got, event) = shared.next().await;
        let TransportEvent::NewAddress { listener_id, listen_addr } = event else { panic!("{event:?}") };
        assert_eq!((got, listener_id, listen_addr), (kind, id, multiaddr(address)));
    }
    // Who comes later is told too.
    let late = shared.listen(1, &multiaddr(address).to_string());
    let (_, event) = shared.next().await;
    assert!(matches!(event, TransportEvent::NewAddress { listener_id, .. } if listener_id == late));
}

#[tokio::test]
async fn without_a_tcp_listener_there_is_nothing_to_share() {
    let mut shared = Shared::new();
    shared.listen(0, "/ip4/127.0.0.1/tcp/0");
    for elsewhere in ["/ip6/::1/tcp/0", "/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.2/tcp/0"] {
        let refused = shared.branches[1].listen_on(ListenerId::next(), elsewhere.parse().unwrap());
        assert!(matches!(refused, Err(TransportError::Other(_))), "{elsewhere}");
    }
    let refused = shared.branches[1].listen_on(ListenerId::next(), "/ip4/127.0.0.1/udp/0".parse().unwrap());
    assert!(matches!(refused, Err(TransportError::MultiaddrNotSupported(_))));
}

#[tokio::test]
async fn when_tcp_ends_all_end() {
    let (mut shared, listeners, _) = Shared::everywhere(LOOPBACK).await;
    assert!(shared.branches[0].remove_listener(listeners[0]));
    let mut closed = Vec::new();
    while closed.len() < 3 {
        if let (_, TransportEvent::ListenerClosed { listener_id, reason }) = shared.next().await {
            reason.unwrap();
            closed.push(listener_id);
        }
    }
    assert!(listeners.iter().all(|id| closed.contains(id)), "each once: {closed:?}");
    assert!(!shared.branches[1].remove_listener(listeners[1]), "it is gone");
}

#[tokio::test]
async fn one_carrier_ends_alone() {
    let (mut shared, listeners, address) = Shared::everywhere(LOOPBACK).await;
    assert!(shared.branches[1].remove_listener(listeners[1]));
    let _near = dial(address, LIBP2P).await;
    assert_eq!(shared.connection().await.0, 0);
    let mut web = dial(address, b"GET ").await;
    let mut byte = [0];
    assert!(!matches!(shared.drive(web.read(&mut byte)).await, Ok(1..)));
}

/// Hole punching needs it: the router keeps open the port that packets left from.
#[tokio::test]
async fn dials_leave_from_the_port_that_is_listened_on() {
    let (mut shared, _, address) = Shared::everywhere(LOOPBACK).await;
    let elsewhere = tokio::net::TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let to = multiaddr(elsewhere.local_addr().unwrap());
    for dialler in [0, 1] {
        let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::Reuse };
        let dial = match dialler {
            0 => shared.branches[0].dial(to.clone(), options).unwrap(),
            _ => shared.branches[1].dialler().dial(to.clone(), options).unwrap(),
        };
        let both = async { tokio::join!(dial, elsewhere.accept()) };
        let (near, far) = shared.drive(both).await;
        assert_eq!(far.unwrap().1.port(), address.port());
        // Closed with a reset: the pair of addresses is free for the next at once.
        #[expect(deprecated, reason = "a lingering of zero never blocks")]
        near.unwrap().0.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// As in a swarm whose parts are tasks of their own.
#[tokio::test]
async fn a_branch_is_woken_by_whoever_polls_another() {
    let (Shared { branches: [mut plain, mut websocket, secure], bitcoin: _bitcoin }, _, address) =
        Shared::everywhere(LOOPBACK).await;
    drop(secure);
    let web = tokio::spawn(async move {
        loop {
            let event = poll_fn(|cx| Pin::new(&mut websocket).poll(cx)).await;
            if event.is_upgrade() {
                return;
            }
        }
    });
    let all = tokio::spawn(async move {
        loop {
            poll_fn(|cx| Pin::new(&mut plain).poll(cx)).await;
        }
    });
    let _near = dial(address, b"GET ").await;
    tokio::time::timeout(Duration::from_secs(30), web).await.expect("woken").unwrap();
    all.abort();
}
