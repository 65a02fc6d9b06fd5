use super::*;
use std::net::{TcpListener, UdpSocket};

fn listen(port: u16) -> Listen {
    Listen { port, hosts: Hosts::Only(vec![LOOPBACK]), ..Listen::default() }
}

#[test]
fn a_port_that_another_program_listens_on_is_in_use() {
    let tcp = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let port = tcp.local_addr().unwrap().port();
    assert!(matches!(check_port(&listen(port)), Err(StartError::PortInUse { port: named }) if named == port));
    drop(tcp);
    assert_eq!(check_port(&listen(port)).unwrap().number, port);
    let udp = UdpSocket::bind((LOOPBACK, port)).unwrap();
    assert!(matches!(check_port(&listen(port)), Err(StartError::PortInUse { .. })));
    drop(udp);
    assert_eq!(check_port(&listen(port)).unwrap().number, port);
}

/// libp2p alone would let a second node listen beside the first, and each would get some of the connections.
#[tokio::test]
async fn a_second_node_on_the_port_is_refused() {
    let (port, addresses) = on(LOOPBACK, None);
    let _alice = Node::start(&options(), &addresses).await;
    assert!(matches!(check_port(&listen(port)), Err(StartError::PortInUse { .. })));
    let everywhere = Listen { port, ..Listen::default() };
    assert!(matches!(check_port(&everywhere), Err(StartError::PortInUse { .. })));
}

#[test]
fn any_port_is_free_for_both() {
    let port = check_port(&listen(0)).unwrap().number;
    assert_ne!(port, 0);
    TcpListener::bind((LOOPBACK, port)).unwrap();
    UdpSocket::bind((LOOPBACK, port)).unwrap();
}

#[test]
fn a_port_of_the_systems_own_is_forbidden() {
    let denied = std::io::ErrorKind::PermissionDenied.into();
    let refused = StartError::refused("0.0.0.0:80".to_owned(), 80, denied);
    assert!(matches!(refused, StartError::PortForbidden { port: 80 }));
}

#[test]
fn an_address_of_another_machine_can_not_be_listened_on() {
    let elsewhere = Listen { hosts: Hosts::Only(vec!["192.0.2.1".parse().unwrap()]), ..listen(0) };
    let refused = check_port(&elsewhere);
    assert!(
        matches!(&refused, Err(StartError::Listen { address, .. }) if address.starts_with("192.0.2.1")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_the_system_says_is_found_below_every_wrapping() {
    let mut transport = build(&Keypair::generate_ed25519(), &options()).unwrap().transport;
    let taken = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let quic: Multiaddr = format!("/ip4/127.0.0.1/udp/{port}/quic-v1").parse().unwrap();
    let error = transport.listen_on(ListenerId::next(), quic.clone()).unwrap_err();
    assert!(matches!(listen_error(&quic, error), StartError::PortInUse { port: named } if named == port));

    let taken = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let tcp: Multiaddr = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
    let error = transport.listen_on(ListenerId::next(), tcp.clone()).unwrap_err();
    assert!(matches!(listen_error(&tcp, error), StartError::PortInUse { port: named } if named == port));

    let alone: Multiaddr = "/ip4/127.0.0.1/tcp/1/ws".parse().unwrap();
    let error = transport.listen_on(ListenerId::next(), alone.clone()).unwrap_err();
    assert!(matches!(listen_error(&alone, error), StartError::Listen { .. }));

    let strange: Multiaddr = "/ip4/127.0.0.1/udp/1".parse().unwrap();
    let error = transport.listen_on(ListenerId::next(), strange.clone()).unwrap_err();
    assert!(matches!(listen_error(&strange, error), StartError::Listen { .. }));
}

#[test]
fn addresses_come_in_the_order_in_which_they_can_be_listened_on() {
    let texts = |listen: &Listen, ipv6| -> Vec<String> {
        listen_addresses(listen, Port { number: 6001, ipv6 }).iter().map(ToString::to_string).collect()
    };
    let all = Listen::default();
    assert_eq!(
        texts(&all, true),
        [
            "/ip4/0.0.0.0/tcp/6001",
            "/ip6/::/tcp/6001",
            "/ip4/0.0.0.0/udp/6001/quic-v1",
            "/ip6/::/udp/6001/quic-v1",
            "/ip4/0.0.0.0/tcp/6001/ws",
            "/ip6/::/tcp/6001/ws",
        ]
    );
    let secure = Listen {
        hosts: Hosts::Loopback,
        tls: Some(Tls { certificate: PathBuf::new(), key: PathBuf::new() }),
        ..Listen::default()
    };
    assert_eq!(
        texts(&secure, false),
        [
            "/ip4/127.0.0.1/tcp/6001",
            "/ip4/127.0.0.1/udp/6001/quic-v1",
            "/ip4/127.0.0.1/tcp/6001/ws",
            "/ip4/127.0.0.1/tcp/6001/tls/ws",
        ]
    );
    assert_eq!(texts(&Listen { memory: Some(5), ..Listen::default() }, true), ["/memory/5"]);
    assert!(texts(&Listen { hosts: Hosts::None, ..Listen::default() }, true).is_empty());
}
