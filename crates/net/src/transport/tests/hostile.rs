use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A web server that answers whatever it is asked by the same bytes, again and again if `endless`.
async fn web_server(answer: &'static [u8], endless: bool) -> u16 {
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await;
            while socket.write_all(answer).await.is_ok() && endless {}
        }
    });
    port
}

async fn dial(port: u16) -> String {
    let bob = Node::start(&options(), &[]).await;
    let begun = std::time::Instant::now();
    let refused = bob.dial(&format!("/ip4/127.0.0.1/tcp/{port}/ws").parse().unwrap()).await;
    assert!(begun.elapsed() < HANDSHAKE, "not by the deadline alone");
    refused.map(|(peer, _)| peer).unwrap_err().to_string()
}

#[tokio::test]
async fn a_web_server_is_no_node() {
    let text = dial(web_server(b"HTTP/1.1 404 Not Found\r\n\r\n", false).await).await;
    assert!(text.contains("404"), "{text}");
    let portal = b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/login\r\n\r\n";
    let text = dial(web_server(portal, false).await).await;
    assert!(text.contains("302"), "{text}");
}

#[tokio::test]
async fn a_response_without_end_is_cut_off() {
    let text = dial(web_server(b"HTTP/1.1 101 Switching Protocols\r\nX: ", false).await).await;
    assert!(!text.is_empty());
    dial(web_server(b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true).await).await;
}

#[tokio::test]
async fn a_request_without_end_is_cut_off() {
    let (port, addresses) = on(LOOPBACK, None);
    let _alice = Node::start(&options(), &addresses).await;
    let mut socket = TcpStream::connect((LOOPBACK, port)).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
    let endless = async { while socket.write_all(&[b'a'; 1000]).await.is_ok() {} };
    tokio::time::timeout(HANDSHAKE, endless).await.expect("closed before the deadline");
}

#[tokio::test]
async fn a_browser_is_told_that_there_is_no_page() {
    let (port, addresses) = on(LOOPBACK, None);
    let _alice = Node::start(&options(), &addresses).await;
    let mut socket = TcpStream::connect((LOOPBACK, port)).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(LONG, socket.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 426"), "{answer}");
}

/// What has begun as libp2p and goes on a byte a second has as long as any handshake.
#[tokio::test]
async fn a_handshake_that_goes_on_for_ever_is_cut_off() {
    let (_, addresses) = on(LOOPBACK, None);
    let keys = Keypair::generate_ed25519();
    let transport = port::branches(MAGIC, mpsc::channel(1).0).into_iter().next().unwrap();
    let noise = noise::Config::new(&keys).unwrap();
    let transport = transport.upgrade(Version::V1Lazy).authenticate(noise).multiplex(yamux::Config);
    let mut transport = transport.timeout(Duration::from_millis(300)).boxed();
    transport.listen_on(ListenerId::next(), addresses[0].clone()).unwrap();
    let address = transport.next().await.unwrap().into_new_address().unwrap();
    let port = address.iter().find_map(|part| if let Protocol::Tcp(port) = part { Some(port) } else { None });
    let mut socket = TcpStream::connect((LOOPBACK, port.unwrap())).await.unwrap();
    socket.write_all(b"\x13/multistream/1.0.0\n\x07/noi").await.unwrap();
    let upgrade = loop {
        if let Some((upgrade, _)) = transport.next().await.unwrap().into_incoming() {
            break upgrade;
        }
    };
    let outcome = tokio::time::timeout(LONG, upgrade).await.expect("cut off");
    assert!(outcome.is_err());
}

#[tokio::test]
async fn a_peer_that_opens_too_many_streams_loses_the_connection() {
    let (_, addresses) = on(LOOPBACK, None);
    let mut alice = Node::start(&options(), &addresses).await;
    let keys = Keypair::generate_ed25519();
    // A peer whose own bound is higher.
    let mut mallory = upgraded_without_bounds(&keys);
    let dial = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
    let (_, mut muxer) = mallory.dial(addresses[0].clone(), dial).unwrap().await.unwrap();
    let mut streams = Vec::new();
    let flood = async {
        loop {
            let stream = poll_fn(|cx| {
                if let Poll::Ready(Err(error)) = muxer.poll_unpin(cx) {
                    return Poll::Ready(Err(error));
                }
                muxer.poll_outbound_unpin(cx)
            });
            let Ok(mut stream) = stream.await else { return };
            let write = futures::AsyncWriteExt::write_all(&mut stream, b"x");
            let drive = poll_fn(|cx| muxer.poll_unpin(cx));
            tokio::select! {
                written = write => if written.is_err() { return },
                _ = drive => return,
            }
            streams.push(stream);
        }
    };
    tokio::time::timeout(LONG, flood).await.expect("an end");
    assert!(streams.len() >= yamux::STREAMS, "{}", streams.len());
    assert!(streams.len() <= 3 * yamux::STREAMS, "{}: closed late", streams.len());
    assert!(alice.arrived.recv().await.is_some());
}

/// As libp2p has it.
fn upgraded_without_bounds(keys: &Keypair) -> Boxed<(PeerId, StreamMuxerBox)> {
    let transport = libp2p::tcp::tokio::Transport::new(libp2p::tcp::Config::new());
    let noise = noise::Config::new(keys).unwrap();
    transport.upgrade(Version::V1).authenticate(noise).multiplex(libp2p::yamux::Config::default()).boxed()
}

/// Other implementations of the carriers understand ours.
#[tokio::test]
async fn libp2ps_own_websocket_reaches_us() {
    let (port, addresses) = on(LOOPBACK, None);
    let alice = Node::start(&options(), &addresses).await;
    let keys = Keypair::generate_ed25519();
    let tcp = libp2p::tcp::tokio::Transport::new(libp2p::tcp::Config::new());
    let mut theirs = libp2p::websocket::Config::new(tcp)
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&keys).unwrap())
        .multiplex(libp2p::yamux::Config::default())
        .boxed();
    let dial = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
    let address = format!("/ip4/127.0.0.1/tcp/{port}/ws").parse().unwrap();
    let (peer, muxer) = theirs.dial(address, dial).unwrap().await.unwrap();
    assert_eq!(peer, alice.peer);
    let said = vec![3; 200_000];
    assert_eq!(tokio::time::timeout(LONG, say(muxer, &said)).await.unwrap(), said);
}
