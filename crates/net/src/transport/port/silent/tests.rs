#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "tests: the numbers are their own"
)]

use std::future::poll_fn;
use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream as Socket};

use super::*;

const MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];

/// Accepts connections, and says of each that it comes from whatever host the test wants.
struct Door {
    listener: TcpListener,
    silent: Silent,
}

impl Door {
    async fn open() -> Self {
        Self { listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(), silent: Silent::new(MAGIC) }
    }

    /// A connection, as its other end sees it.
    async fn knock(&mut self, host: impl Into<IpAddr>) -> Socket {
        let (near, far) = tokio::join!(Socket::connect(self.listener.local_addr().unwrap()), self.listener.accept());
        let stream = TcpStream(far.unwrap().0);
        let remote = SocketAddr::new(host.into(), 1);
        self.silent.push(Arrival { listener: ListenerId::next(), stream, local: Multiaddr::empty(), remote });
        near.unwrap()
    }

    /// Waits for the next that has decided.
    async fn decided(&mut self) -> (Arrival, Option<First>) {
        let all = Duration::from_secs(60);
        tokio::time::timeout(all, poll_fn(|cx| self.silent.poll(cx))).await.expect("a decision in time")
    }

    /// Lets go of those that were closed.
    async fn settle(&mut self) {
        let nothing = poll_fn(|cx| Poll::Ready(self.silent.poll(cx).is_pending()));
        assert!(nothing.await, "nobody has said anything");
    }
}

fn v4(host: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0000 | host)
}

/// Whether the other end has closed.
fn is_closed(socket: &Socket) -> bool {
    let mut byte = [0];
    match recv(socket, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((read, _)) => read == 0,
        Err(error) => error != rustix::io::Errno::AGAIN,
    }
}

#[tokio::test]
async fn bytes_that_come_one_by_one_are_seen_and_left() {
    let mut door = Door::open().await;
    let mut near = door.knock(v4(1)).await;
    near.set_nodelay(true).unwrap();
    let speak = async {
        for byte in b"\x13/multistream/1.0.0\n" {
            near.write_all(&[*byte]).await.unwrap();
            // The byte has left: what looks at the connection had its turn with it.
            tokio::task::yield_now().await;
        }
    };
    let (_, (mut arrival, first)) = tokio::join!(speak, door.decided());
    assert_eq!(first, Some(First::Libp2p));
    let mut all = [0; 20];
    arrival.stream.0.read_exact(&mut all).await.unwrap();
    assert_eq!(&all, b"\x13/multistream/1.0.0\n");
}

#[tokio::test]
async fn each_is_told_by_its_beginning() {
    let cases: [(&[u8], Option<First>); 5] = [
        (b"GET / HTTP/1.1\r\n", Some(First::WebSocket)),
        (&[0x16, 0x03, 0x01], Some(First::Tls)),
        (&MAGIC, Some(First::Bitcoin)),
        (b"SSH-2.0", None),
        (b"\x13/multi\x00", None),
    ];
    let mut door = Door::open().await;
    for (bytes, wanted) in cases {
        let mut near = door.knock(v4(1)).await;
        near.write_all(bytes).await.unwrap();
        let (_, first) = door.decided().await;
        assert_eq!(first, wanted, "{bytes:?}");
    }
    assert_eq!((door.silent.count, door.silent.hosts.len()), (0, 0));
}

/// Without care the runtime reports the bytes of such a connection for ever, and a processor is busy until the deadline.
#[tokio::test]
async fn one_that_ends_before_it_decides_is_closed_at_once() {
    for said in [&b""[..], &b"G"[..], &b"\x13/multistream"[..]] {
        let mut door = Door::open().await;
        let mut near = door.knock(v4(1)).await;
        near.write_all(said).await.unwrap();
        near.shutdown().await.unwrap();
        let decided = tokio::time::timeout(SILENCE / 2, door.decided()).await;
        assert_eq!(decided.expect("long before the deadline").1, None, "{said:?}");
    }
}

#[tokio::test]
async fn silence_is_cut_off_and_half_a_beginning_wins_no_time() {
    const PATIENCE: Duration = Duration::from_millis(200);
    let mut door = Door::open().await;
    assert_eq!(door.silent.patience, SILENCE);
    door.silent.patience = PATIENCE;
    for said in [&b""[..], &b"GE"[..]] {
        let begun = std::time::Instant::now();
        let mut near = door.knock(v4(1)).await;
        near.write_all(said).await.unwrap();
        let (arrival, first) = door.decided().await;
        assert_eq!(first, None, "{said:?}");
        let waited = begun.elapsed();
        assert!(waited >= PATIENCE && waited < SILENCE, "{waited:?}");
        drop(arrival);
        assert!(is_closed(&near));
    }
}

#[tokio::test]
async fn a_host_may_have_so_many_and_one_more_closes_its_oldest() {
    let mut door = Door::open().await;
    let other = door.knock(v4(2)).await;
    let mut mine = Vec::new();
    for _ in 0..PER_HOST {
        mine.push(door.knock(v4(1)).await);
    }
    door.settle().await;
    assert!(!mine.iter().any(is_closed));
    mine.push(door.knock(v4(1)).await);
    door.settle().await;
    let closed: Vec<_> = mine.iter().map(is_closed).collect();
    assert!(closed[0], "the oldest");
    assert!(!closed[1..].iter().any(|closed| *closed), "and no other");
    assert!(!is_closed(&other));
}

#[tokio::test]
async fn the_most_crowded_host_makes_room() {
    let mut door = Door::open().await;
    let crowd = [door.knock(v4(9)).await, door.knock(v4(9)).await];
    let mut others = Vec::new();
    for host in 10.. {
        if door.silent.count == SILENT {
            break;
        }
        others.push(door.knock(v4(host)).await);
    }
    door.settle().await;
    assert!(!crowd.iter().chain(&others).any(is_closed), "{SILENT} are kept");
    others.push(door.knock(v4(1)).await);
    door.settle().await;
    assert_eq!(door.silent.count, SILENT);
    assert_eq!(crowd.iter().map(is_closed).collect::<Vec<_>>(), [true, false]);
    // Now all have one: the oldest of all goes.
    others.push(door.knock(v4(2)).await);
    door.settle().await;
    assert!(is_closed(&crowd[1]));
    assert!(!others.iter().any(is_closed));
}

#[tokio::test]
async fn a_network_of_ipv6_is_one_host() {
    assert_eq!(host("2001:db8:1:2::1".parse().unwrap()), host("2001:db8:1:2:ffff::2".parse().unwrap()));
    assert_ne!(host("2001:db8:1:2::1".parse().unwrap()), host("2001:db8:1:3::1".parse().unwrap()));
    assert_eq!(host("::ffff:10.0.0.1".parse().unwrap()), host("10.0.0.1".parse().unwrap()));
    assert_ne!(host("10.0.0.1".parse().unwrap()), host("10.0.0.2".parse().unwrap()));
}
