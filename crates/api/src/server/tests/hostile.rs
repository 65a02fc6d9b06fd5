//! What no honest program sends.

use proptest::prelude::*;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use crate::fixture::{Node, answers, closes, open, post};

const ECHO: &str = r#"{"id":1,"method":"echo","params":["a"]}"#;

#[tokio::test]
async fn what_is_no_http_gets_no_further() {
    let node = Node::start().await;
    let cases: [&[u8]; 8] = [
        b"\0\0\0\0\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    ];
    for bytes in cases {
        let mut stream = open(node.address()).await;
        stream.write_all(bytes).await.unwrap();
        let answered = answers(&mut stream, 1).await;
        assert!(answered.iter().all(|answer| (400..500).contains(&answer.status)), "{answered:?}");
        assert!(closes(&mut stream).await);
    }
    assert_eq!(node.post(ECHO).await.status, 200, "the node goes on");
}

#[tokio::test]
async fn wrong_lengths_do_not_confuse_one_request_with_the_next() {
    let node = Node::start().await;
    let smuggled = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ECHO.len()
    );
    let answer = node.raw(smuggled).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let mut stream = open(node.address()).await;
    stream
        .write_all(
            b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{}",
        )
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    assert!(answers(&mut stream, 1).await.iter().all(|answer| answer.status == 400), "it broke off");
    assert_eq!(node.post(ECHO).await.status, 200);
}

#[tokio::test]
async fn chunks_that_are_none_are_refused() {
    let node = Node::start().await;
    for chunk in ["zz\r\n", "ffffffffffffffffff\r\n", "5\r\nabcdefgh", "-1\r\n"] {
        let head = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        let mut stream = open(node.address()).await;
        stream.write_all(format!("{head}{chunk}").as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let answered = answers(&mut stream, 1).await;
        assert!(answered.iter().all(|answer| answer.status == 400), "{chunk}: {answered:?}");
    }
    assert_eq!(node.post(ECHO).await.status, 200);
}

#[tokio::test]
async fn requests_in_one_go_are_answered_in_order() {
    let node = Node::start().await;
    let calls: Vec<u8> =
        (0..50).flat_map(|id| post("/", "", ECHO.replace("\"id\":1", &format!("\"id\":{id}")))).collect();
    let mut stream = open(node.address()).await;
    stream.write_all(&calls).await.unwrap();
    let ids: Vec<_> = answers(&mut stream, 50).await.iter().map(|answer| answer.json()["id"].as_u64()).collect();
    assert_eq!(ids, (0..50).map(Some).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_old_client_without_a_host_is_answered() {
    let node = Node::start().await;
    let mut stream = open(node.address()).await;
    stream.write_all(b"GET /ping HTTP/1.0\r\n\r\n").await.unwrap();
    let answered = answers(&mut stream, 2).await;
    assert_eq!(answered.len(), 1);
    assert_eq!(answered[0].status, 200);
}

#[tokio::test]
async fn a_body_is_asked_for_only_of_whom_may_send_it() {
    let node = Node::start().await;
    let mut stream = open(node.address()).await;
    let head = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n";
    stream.write_all(format!("{head}content-length: 9999999\r\n\r\n").as_bytes()).await.unwrap();
    assert_eq!(answers(&mut stream, 1).await[0].status, 413);
    let mut stream = open(node.address()).await;
    stream.write_all(format!("{head}content-length: {}\r\n\r\n", ECHO.len()).as_bytes()).await.unwrap();
    assert_eq!(answers(&mut stream, 1).await[0].status, 100);
    stream.write_all(ECHO.as_bytes()).await.unwrap();
    assert_eq!(answers(&mut stream, 1).await[0].status, 200);
}

#[tokio::test]
async fn hostile_json_is_answered_with_an_error() {
    let node = Node::start().await;
    let cases: [&[u8]; 16] = [
        b"",
        b" ",
        b"\0",
        b"{",
        b"nul",
        b"\xff\xfe",
        b"{\"id\":1,\"method\":\"\xff\"}",
        b"{\"id\":1,\"method\":\"a\0b\"}",
        b"\xef\xbb\xbf{}",
        b"{\"id\":1,\"method\":\"echo\"} x",
        b"{\"id\":1,\"method\":\"echo\",\"method\":\"echo\"}",
        b"{\"id\":1,\"method\":\"echo\",\"params\":1e999999999}",
        b"{\"$serde_json::private::Number\":\"1\"}",
        b"{\"id\":1,\"method\":\"echo\",\"params\":{\"$serde_json::private::Number\":\"x\"}}",
        b"[{\"$serde_json::private::Number\":\"x\"}",
        b"{\"id\":{},\"method\":\"echo\"}",
    ];
    for body in cases {
        for answer in [node.post(body).await, node.own(body).await] {
            let text = String::from_utf8_lossy(body);
            assert!([200, 400].contains(&answer.status), "{text}: {answer:?}");
            assert!(answer.json()["error"]["code"].is_number(), "{text}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn numbers_keep_their_value_exactly() {
    let node = Node::start().await;
    let huge = "123456789012345678901234567890";
    let cases = [
        ("0.00000001", "1e-8"),
        ("20999999.9769", "20999999.9769"),
        (huge, huge),
        ("1e400", "1e+400"),
        ("1.10", "1.10"),
    ];
    for (number, same) in cases {
        let answer = node.post(format!(r#"{{"id":1,"method":"echo","params":[{number}]}}"#)).await;
        assert!(answer.text().contains(&format!("\"result\":{same},")), "{}", answer.text());
    }
}

/// What looks like a request, more or less.
fn almost() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("\"x\"".to_owned()),
        Just("null".to_owned()),
        Just("[]".to_owned()),
        Just("{\"value\":1}".to_owned()),
        Just("\"echo\"".to_owned()),
        Just("\"panic\"".to_owned()),
        Just("\"2.0\"".to_owned()),
        Just("{\"args\":[1],\"value\":2}".to_owned()),
        "\\PC{0,8}",
    ];
    let key = prop_oneof![Just("id"), Just("method"), Just("params"), Just("jsonrpc"), Just("other")];
    let object = prop::collection::vec((key, value), 0..6).prop_map(|fields| {
        let fields: Vec<String> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    });
    let batch = prop::collection::vec(object.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(",")));
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        object.prop_map(String::into_bytes),
        batch.prop_map(String::into_bytes)
    ]
}

/// No body brings a 5xx, and every answer to one is JSON or nothing.
#[test]
fn no_body_brings_the_server_down() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let node = runtime.block_on(Node::start());
    let config = ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(body in almost(), own in any::<bool>())| {
        let answer = runtime.block_on(async { if own { node.own(&body).await } else { node.post(&body).await } });
        prop_assert!([200, 204, 400, 401].contains(&answer.status), "{:?}", answer);
        if answer.status != 204 {
            prop_assert!(serde_json::from_slice::<Value>(&answer.body).is_ok(), "{:?}", answer);
        }
    });
    assert_eq!(runtime.block_on(node.post(ECHO)).status, 200);
}

/// No bytes at all bring a 5xx, or hold the server up.
#[test]
fn no_bytes_bring_the_server_down() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let node = runtime.block_on(Node::start());
    let config = ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() };
    let bytes = (prop::collection::vec(any::<u8>(), 0..200), prop::collection::vec((0_usize..160, any::<u8>()), 0..4));
    proptest!(config, |((noise, changes) in bytes)| {
        let mut request = post("/", "", ECHO);
        for (at, byte) in changes {
            if let Some(place) = request.get_mut(at) {
                *place = byte;
            }
        }
        request.extend_from_slice(&noise);
        let answered = runtime.block_on(async {
            let mut stream = open(node.address()).await;
            // It may be cut off before all is sent.
            let _ = stream.write_all(&request).await;
            let _ = stream.shutdown().await;
            answers(&mut stream, 10).await
        });
        prop_assert!(answered.iter().all(|answer| answer.status < 500), "{:?}", answered);
    });
    assert_eq!(runtime.block_on(node.post(ECHO)).status, 200);
}
