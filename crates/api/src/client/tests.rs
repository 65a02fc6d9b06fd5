//! A client and a server, as the command line uses them.

use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;

use serde_json::json;

use super::*;
use crate::event::Event;
use crate::fixture::Node;

/// A server on threads of its own, for a client that blocks.
fn served() -> (tokio::runtime::Runtime, Node, PathBuf) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let node = runtime.block_on(Node::start());
    let cookie = node.home.path().join(".cookie");
    (runtime, node, cookie)
}

fn client(node: &Node, cookie: Option<&Path>) -> Client {
    Client::new(&node.address().to_string(), cookie).unwrap()
}

#[test]
fn methods_are_called_and_their_errors_told() {
    let (_runtime, node, cookie) = served();
    let client = client(&node, Some(&cookie));
    assert_eq!(client.call("echo", json!(["a"])).unwrap(), "a");
    assert_eq!(client.call("echo", json!({"value": 2})).unwrap(), 2);
    assert_eq!(client.call("secret", Value::Null).unwrap(), json!({"secret": 42}));
    let error = client.call("fail", Value::Null).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (Some(-5), "Block not found"));
    assert!(matches!(&error, ClientError::Rpc { data: Some(data), .. } if *data == 7));
    assert_eq!(client.call("missing", Value::Null).unwrap_err().code(), Some(-32601));
    assert_eq!(client.call("long", json!([1_000_000])).unwrap().as_str().map(str::len), Some(1_000_000));
}

#[test]
fn pages_are_read() {
    let (_runtime, node, cookie) = served();
    let client = client(&node, Some(&cookie));
    assert_eq!(client.page("/ping").unwrap(), "I'm alive\n");
    assert!(matches!(client.page("/nowhere").unwrap_err(), ClientError::Refused { status: 404, .. }));
}

#[test]
fn a_node_that_does_not_run_is_told_so() {
    // The system gives this port to nobody by itself.
    let address = "127.0.0.1:1";
    let client = Client::new(address, None).unwrap();
    let expected = format!("no node answers at {address}: start one with `yap`");
    assert_eq!(client.call("echo", Value::Null).unwrap_err().to_string(), expected);
    assert_eq!(client.events(&Filter::default()).unwrap_err().to_string(), expected);
}

#[test]
fn cookies_that_do_not_fit_are_told_apart() {
    let (_runtime, node, cookie) = served();
    let call = |cookie: Option<&Path>| client(&node, cookie).call("secret", Value::Null).unwrap_err();
    assert!(matches!(call(None), ClientError::NoCookie));
    let missing = node.home.path().join("nowhere");
    assert!(matches!(call(Some(&missing)), ClientError::Cookie { .. }));
    assert_eq!(client(&node, Some(&missing)).call("echo", json!([1])).unwrap(), 1, "what is open needs none");
    let other = node.home.path().join("other");
    std::fs::write(&other, "__cookie__:00").unwrap();
    assert!(matches!(call(Some(&other)), ClientError::WrongCookie { .. }));
    assert!(matches!(
        client(&node, Some(&other)).events(&Filter::default()).unwrap_err(),
        ClientError::WrongCookie { .. }
    ));
    std::fs::write(&other, "nonsense").unwrap();
    assert!(matches!(call(Some(&other)), ClientError::Cookie { .. }));
    assert!(client(&node, Some(&cookie)).call("secret", Value::Null).is_ok());
}

#[test]
fn what_is_no_node_is_told_so() {
    for (said, talks) in [("SSH-2.0-x\r\n\r\n", false), ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", true)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let other = thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                std::io::Read::read(&mut stream, &mut [0; 4096]).unwrap();
                std::io::Write::write_all(&mut stream, said.as_bytes()).unwrap();
            }
        });
        let client = Client::new(&address, None).unwrap();
        let error = client.call("echo", Value::Null).unwrap_err();
        assert!(matches!(error, ClientError::NotANode { .. }), "{talks}: {error:?}");
        let error = client.events(&Filter::default()).unwrap_err();
        assert!(matches!(error, ClientError::NotANode { .. }), "{talks}: {error:?}");
        other.join().unwrap();
    }
}

#[test]
fn events_are_read_until_they_are_stopped() {
    let (_runtime, node, cookie) = served();
    let client = client(&node, Some(&cookie));
    let mut events = client.events(&Filter::types(["notice", "payment", "syncing"])).unwrap();
    node.backend.tell(Event::Alone { alone: true });
    node.backend.tell(Event::Syncing { behind: 7 });
    let Some(Ok(Told::Event(stamped))) = events.next() else { panic!("an event") };
    assert_eq!((stamped.id, &stamped.event), (2, &Event::Syncing { behind: 7 }));
    let stopper = events.stopper();
    let reader = thread::spawn(move || events.next().is_none());
    stopper.stop();
    assert!(reader.join().unwrap());
    let refused = client.events(&Filter::types(["nonsense"])).unwrap_err();
    assert!(matches!(refused, ClientError::Refused { status: 400, .. }), "{refused:?}");
}

#[test]
fn events_end_with_the_node() {
    let (runtime, node, cookie) = served();
    let mut events = client(&node, Some(&cookie)).events(&Filter::default()).unwrap();
    node.backend.tell(Event::Stopping);
    runtime.block_on(node.server.stop());
    let Some(Ok(Told::Event(stamped))) = events.next() else { panic!("an event") };
    assert_eq!(stamped.event, Event::Stopping);
    assert!(events.next().is_none());
}

#[test]
fn a_node_that_was_started_anew_is_found_by_its_new_cookie() {
    let (_runtime, node, cookie) = served();
    let client = client(&node, Some(&cookie));
    let secret = std::fs::read_to_string(&cookie).unwrap();
    std::fs::write(&cookie, "__cookie__:00").unwrap();
    assert!(matches!(client.call("secret", Value::Null), Err(ClientError::WrongCookie { .. })));
    std::fs::write(&cookie, secret).unwrap();
    assert!(client.call("secret", Value::Null).is_ok());
}

#[test]
fn addresses_are_told_from_what_is_none() {
    let good = [
        ("127.0.0.1:3002", "127.0.0.1:3002"),
        ("http://localhost:3001/", "localhost:3001"),
        ("localhost", "localhost:3001"),
        ("[::1]:9", "[::1]:9"),
        ("[::1]", "[::1]:3001"),
    ];
    for (given, meant) in good {
        assert_eq!(Client::new(given, None).unwrap().address(), meant);
    }
    for bad in ["", "https://localhost:1", "localhost:", "localhost:99999", "a b", "u@host:1", "host:1/path", "é"] {
        assert!(matches!(Client::new(bad, None), Err(ClientError::Address { .. })), "{bad}");
    }
}
