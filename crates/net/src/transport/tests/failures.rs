use super::*;
use crate::error::DialError;

/// What a dial to an address ends with.
async fn failure(address: &str) -> DialError {
    let parts = build(&Keypair::generate_ed25519(), &options()).unwrap();
    let mut transport = parts.transport;
    let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
    match transport.dial(address.parse().unwrap(), options) {
        Err(error) => dial_error(&error),
        Ok(dial) => {
            let outcome = tokio::time::timeout(LONG, dial).await.expect("an end of the dial");
            let error = outcome.map(|(peer, _)| peer).expect_err("nobody is there");
            dial_error(&TransportError::Other(error))
        }
    }
}

/// A port that nobody listens on.
fn nobody() -> u16 {
    std::net::TcpListener::bind((LOOPBACK, 0)).unwrap().local_addr().unwrap().port()
}

/// A program that says the same to everybody.
async fn program(says: &'static [u8]) -> u16 {
    let listener = tokio::net::TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::io::AsyncWriteExt::write_all(&mut socket, says).await.unwrap();
            kept.push(socket);
        }
    });
    port
}

#[tokio::test]
async fn a_port_without_listener_refuses() {
    let port = nobody();
    for address in [
        format!("/ip4/127.0.0.1/tcp/{port}"),
        format!("/dns4/localhost/tcp/{port}"),
        format!("/dns/localhost/tcp/{port}"),
        format!("/ip4/127.0.0.1/tcp/{port}/ws"),
        format!("/dns4/localhost/tcp/{port}/wss"),
    ] {
        assert_eq!(failure(&address).await, DialError::Refused, "{address}");
    }
}

#[tokio::test]
async fn another_program_is_no_node() {
    let ssh = program(b"SSH-2.0-OpenSSH_9.2\r\n").await;
    let page = b"HTTP/1.1 400 Bad Request\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nServer: nginx\r\nConnection: close\r\n\r\n";
    let web = program(page).await;
    for (port, carrier) in [(web, ""), (web, "/ws"), (web, "/tls/ws"), (ssh, "/ws"), (ssh, "/tls/ws")] {
        let address = format!("/ip4/127.0.0.1/tcp/{port}{carrier}");
        assert_eq!(failure(&address).await, DialError::NotANode, "{address}");
    }
}

#[tokio::test]
async fn a_refused_certificate_is_told() {
    let certificate = Certificate::new();
    let (port, addresses) = on(LOOPBACK, Some(certificate.files()));
    let _alice = Node::start(&Options { tls: Some(certificate.files()), ..options() }, &addresses).await;
    let why = failure(&format!("/dns4/localhost/tcp/{port}/wss")).await;
    assert_eq!(why, DialError::Issuer);
}

#[tokio::test]
async fn a_name_without_address_is_told() {
    for address in
        ["/dns4/no-such-name.invalid/tcp/1", "/dns/no-such-name.invalid/tcp/1/ws", "/dnsaddr/no-such-name.invalid"]
    {
        assert_eq!(failure(address).await, DialError::NoName, "{address}");
    }
}

#[tokio::test]
async fn a_form_that_nothing_dials_is_told() {
    for address in [
        "/memory/1",
        "/ip4/127.0.0.1/udp/1",
        "/ip4/127.0.0.1/tcp/1/http",
        "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234",
    ] {
        assert_eq!(failure(address).await, DialError::Unsupported, "{address}");
    }
}

/// A node listens on QUIC, and goes away without a word.
#[tokio::test]
async fn a_dead_peer_is_noticed_within_ten_seconds() {
    let (port, addresses) = on(LOOPBACK, None);
    let alice = Node::start(&options(), &addresses).await;
    let bob = Node::start(&options(), &[]).await;
    // A router between them, until it is cut.
    let router = tokio::net::UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    let through = router.local_addr().unwrap().port();
    let route = tokio::spawn(async move {
        let (mut packet, mut client) = ([0; 65_536], None);
        loop {
            let (length, from) = router.recv_from(&mut packet).await.unwrap();
            let to = if from.port() == port { client } else { Some((LOOPBACK, port).into()) };
            client = if from.port() == port { client } else { Some(from) };
            if let Some(to) = to {
                router.send_to(&packet[..length], to).await.unwrap();
            }
        }
    });
    let address = format!("/ip4/127.0.0.1/udp/{through}/quic-v1").parse().unwrap();
    let (peer, mut muxer) = bob.dial(&address).await.unwrap();
    assert_eq!(peer, alice.peer);
    route.abort();
    let begun = std::time::Instant::now();
    let lost = poll_fn(|cx| muxer.poll_inbound_unpin(cx));
    tokio::time::timeout(LONG, lost).await.expect("noticed").expect_err("nobody opens a stream");
    let noticed = begun.elapsed();
    assert!(noticed <= QUIC_IDLE + QUIC_KEEP_ALIVE + Duration::from_secs(1), "{noticed:?}");
    assert!(QUIC_IDLE + QUIC_KEEP_ALIVE <= Duration::from_secs(10));
}

/// The circuit's end is elsewhere, so is its transport: neither WebSocket nor names take the address for theirs.
#[tokio::test]
async fn circuits_are_the_relays() {
    let Parts { mut transport, relay, bitcoin: _ } = build(&Keypair::generate_ed25519(), &options()).unwrap();
    let (via, to) = (PeerId::random(), PeerId::random());
    for below in ["/ip4/127.0.0.1/tcp/1", "/dns4/localhost/tcp/1/ws", "/ip4/127.0.0.1/udp/1/quic-v1"] {
        let circuit: Multiaddr = format!("{below}/p2p/{via}/p2p-circuit").parse().unwrap();
        transport.listen_on(ListenerId::next(), circuit.clone()).unwrap();
        let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
        let mut dial = transport.dial(circuit.with(Protocol::P2p(to)), options).unwrap();
        // It waits for the relay's answer, which the behaviour would bring.
        assert!(futures::poll!(&mut dial).is_pending());
    }
    drop(relay);
}
