use super::*;

#[tokio::test]
async fn every_carrier_comes_to_one_port() {
    let certificate = Certificate::new();
    let (port, addresses) = on(LOOPBACK, Some(certificate.files()));
    let mut alice = Node::start(&Options { tls: Some(certificate.files()), ..options() }, &addresses).await;
    let bob = Node::start(&Options { trust: vec![certificate.path("cert.pem")], ..options() }, &[]).await;
    let numbers = alice.addresses.iter().flat_map(|address| address.iter().filter_map(number).collect::<Vec<_>>());
    assert!(numbers.collect::<Vec<_>>().iter().all(|number| *number == port));

    let ways = [
        ("/ip4/127.0.0.1/tcp/PORT", "tcp/PORT"),
        ("/ip4/127.0.0.1/udp/PORT/quic-v1", "udp/PORT/quic-v1"),
        ("/ip4/127.0.0.1/tcp/PORT/ws", "tcp/PORT/ws"),
        ("/ip4/127.0.0.1/tcp/PORT/tls/ws", "tcp/PORT/tls/ws"),
        ("/ip4/127.0.0.1/tcp/PORT/wss", "tcp/PORT/tls/ws"),
        ("/ip4/127.0.0.1/tcp/PORT/tls/sni/localhost/ws", "tcp/PORT/tls/ws"),
        ("/dns4/localhost/tcp/PORT", "tcp/PORT"),
        ("/dns/localhost/udp/PORT/quic-v1", "udp/PORT/quic-v1"),
        ("/dns4/localhost/tcp/PORT/ws", "tcp/PORT/ws"),
        ("/dns4/localhost/tcp/PORT/wss", "tcp/PORT/tls/ws"),
    ];
    for (way, end) in ways {
        let [way, end] = [way, end].map(|text| text.replace("PORT", &port.to_string()));
        for way in [way.clone(), format!("{way}/p2p/{}", alice.peer)] {
            assert_eq!(bob.reach(&way.parse().unwrap()).await, alice.peer, "{way}");
            let arrived = alice.arrived.recv().await.unwrap();
            assert_eq!(arrived.peer, bob.peer);
            assert_eq!(arrived.local, format!("/ip4/127.0.0.1/{end}").parse().unwrap(), "{way}");
        }
    }

    let mut bitcoin = tokio::net::TcpStream::connect((LOOPBACK, port)).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut bitcoin, &MAGIC).await.unwrap();
    let got = tokio::time::timeout(LONG, alice.bitcoin.recv()).await.unwrap().unwrap();
    assert_eq!(got.remote, bitcoin.local_addr().unwrap());
}

fn number(part: Protocol<'_>) -> Option<u16> {
    match part {
        Protocol::Tcp(number) | Protocol::Udp(number) => Some(number),
        _ => None,
    }
}

#[tokio::test]
async fn ipv6_has_every_carrier_too() {
    let (_, addresses) = on(Ipv6Addr::LOCALHOST.into(), None);
    let alice = Node::start(&options(), &addresses).await;
    let bob = Node::start(&options(), &[]).await;
    assert_eq!(alice.addresses.len(), 3);
    for address in &alice.addresses {
        assert_eq!(bob.reach(address).await, alice.peer, "{address}");
    }
}

#[tokio::test]
async fn both_families_share_one_number() {
    let listen = Listen { port: 0, hosts: Hosts::Loopback, ..Listen::default() };
    let port = check_port(&listen).unwrap();
    let alice = Node::start(&options(), &listen_addresses(&listen, port)).await;
    let bob = Node::start(&options(), &[]).await;
    for host in [LOOPBACK, Ipv6Addr::LOCALHOST.into()] {
        let address = Multiaddr::from(host).with(Protocol::Tcp(port.number));
        assert_eq!(bob.reach(&address).await, alice.peer);
        assert_eq!(bob.reach(&address.with(Protocol::Ws("/".into()))).await, alice.peer);
    }
}

/// What listens on all addresses learns them from the system one by one, and so does what hangs on it.
#[tokio::test]
async fn all_addresses_of_this_machine_are_listened_on() {
    let (port, addresses) = on(Ipv4Addr::UNSPECIFIED.into(), None);
    let alice = Node::start(&options(), &addresses).await;
    let bob = Node::start(&options(), &[]).await;
    for tail in [format!("tcp/{port}"), format!("tcp/{port}/ws"), format!("udp/{port}/quic-v1")] {
        let address = format!("/ip4/127.0.0.1/{tail}").parse().unwrap();
        assert_eq!(bob.reach(&address).await, alice.peer, "{address}");
    }
}

#[tokio::test]
async fn nodes_of_one_process_meet_in_memory() {
    let memory = Options { memory: true, ..options() };
    let listen = Listen { memory: Some(7_001), ..Listen::default() };
    let port = check_port(&listen).unwrap();
    let mut alice = Node::start(&memory, &listen_addresses(&listen, port)).await;
    let bob = Node::start(&memory, &[]).await;
    assert_eq!(bob.reach(&"/memory/7001".parse().unwrap()).await, alice.peer);
    assert!(alice.bitcoin.recv().await.is_none(), "no socket, nobody comes by Bitcoin's transport");
    let refused = bob.dial(&"/ip4/127.0.0.1/tcp/1".parse().unwrap()).await;
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_name_that_nobody_has_is_an_error() {
    let bob = Node::start(&options(), &[]).await;
    for address in ["/dns4/no-such-name.invalid/tcp/1", "/dns4/no-such-name.invalid/tcp/1/wss"] {
        bob.dial(&address.parse().unwrap()).await.map(|(peer, _)| peer).unwrap_err();
    }
}

#[tokio::test]
async fn many_streams_share_one_connection() {
    const STREAMS: usize = 100;
    let (_, addresses) = on(LOOPBACK, None);
    let alice = Node::start(&options(), &addresses).await;
    let bob = Node::start(&options(), &[]).await;
    for address in &alice.addresses {
        let (_, mut muxer) = bob.dial(address).await.unwrap();
        let mut streams = Vec::new();
        for n in 0..STREAMS {
            let mut stream = poll_fn(|cx| {
                let _ = muxer.poll_unpin(cx);
                muxer.poll_outbound_unpin(cx)
            });
            let mut stream = Pin::new(&mut stream).await.unwrap();
            streams.push(async move {
                stream.write_all(&[n as u8; 999]).await.unwrap();
                stream.close().await.unwrap();
                let mut heard = Vec::new();
                stream.read_to_end(&mut heard).await.unwrap();
                assert_eq!(heard, [n as u8; 999]);
            });
        }
        let drive = poll_fn(|cx| match muxer.poll_unpin(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(error),
            Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
        });
        tokio::select! {
            _ = futures::future::join_all(streams) => {}
            error = drive => panic!("{address}: {error}"),
            () = tokio::time::sleep(LONG) => panic!("{address}: no end"),
        }
    }
}
