//! Both forms of JSON-RPC, as clients of Bitcoin Core speak them.

use serde_json::{Value, json};

use super::envelope::ID_BYTES;
use crate::fixture::{Node, post};
use crate::server::limits::{BATCH, Limits};

#[tokio::test]
async fn new_form_has_result_or_error() {
    let node = Node::start().await;
    let good = node.post(r#"{"jsonrpc":"2.0","id":"x","method":"echo","params":[7]}"#).await;
    assert_eq!((good.status, good.text().as_str()), (200, "{\"jsonrpc\":\"2.0\",\"result\":7,\"id\":\"x\"}\n"));
    assert!(good.head.contains("content-type: application/json"));
    let bad = node.post(r#"{"jsonrpc":"2.0","id":null,"method":"fail"}"#).await;
    let text = "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-5,\"message\":\"Block not found\",\"data\":7},\"id\":null}\n";
    assert_eq!((bad.status, bad.text().as_str()), (200, text));
}

#[tokio::test]
async fn old_form_has_both_and_its_errors_are_read_from_the_reply() {
    let node = Node::start().await;
    for version in ["", r#""jsonrpc":"1.0","#, r#""version":"1.1","#] {
        let good = node.post(format!(r#"{{{version}"id":1,"method":"echo","params":[7]}}"#)).await;
        assert_eq!((good.status, good.text().as_str()), (200, "{\"result\":7,\"error\":null,\"id\":1}\n"));
        let bad = node.post(format!(r#"{{{version}"id":1,"method":"missing"}}"#)).await;
        let text = "{\"result\":null,\"error\":{\"code\":-32601,\"message\":\"Method not found\"},\"id\":1}\n";
        assert_eq!((bad.status, bad.text().as_str()), (200, text));
    }
}

#[tokio::test]
async fn notification_is_carried_out_and_not_answered() {
    let node = Node::start().await;
    let answer = node.post(r#"{"jsonrpc":"2.0","method":"echo"}"#).await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    let all = node.post(r#"[{"jsonrpc":"2.0","method":"echo"},{"jsonrpc":"2.0","method":"fail"}]"#).await;
    assert_eq!((all.status, all.body.len()), (204, 0));
    let old = node.post(r#"{"method":"echo"}"#).await;
    assert_eq!(old.json(), json!({"result": null, "error": null, "id": null}), "older forms know none");
}

#[tokio::test]
async fn any_scalar_is_an_id() {
    let node = Node::start().await;
    for id in ["null", "true", "0", "-1", "1.5", "\"\"", "\"\\u0000\"", "123456789012345678901234567890"] {
        let answer = node.post(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"echo"}}"#)).await;
        assert!(answer.text().ends_with(&format!("\"id\":{id}}}\n")), "{}", answer.text());
    }
    let long = |length: usize| format!(r#"{{"id":"{}","method":"echo"}}"#, "x".repeat(length));
    assert_eq!(node.post(long(ID_BYTES)).await.status, 200);
    assert_eq!(node.post(long(ID_BYTES + 1)).await.status, 400);
}

#[tokio::test]
async fn what_is_no_request_is_told_so() {
    let node = Node::start().await;
    let cases = [
        ("7", -32600, "Invalid Request object"),
        ("\"x\"", -32600, "Invalid Request object"),
        ("1.5", -32600, ""),
        ("{}", -32600, "Missing method"),
        (r#"{"id":1,"method":7}"#, -32600, "Method must be a string"),
        (r#"{"id":1,"method":"echo","params":7}"#, -32600, "Params must be an array or object"),
        (r#"{"id":1,"method":"echo","params":"x"}"#, -32600, "Params must be an array or object"),
        (r#"{"id":1,"jsonrpc":2,"method":"echo"}"#, -32600, "jsonrpc field must be a string"),
        (r#"{"id":1,"jsonrpc":"3.0","method":"echo"}"#, -32600, "JSON-RPC version not supported"),
        (r#"{"id":[],"method":"echo"}"#, -32600, "id must be null, a number or a string that is not long"),
        (r#"{"id":1,"method":"echo","method":"secret"}"#, -32600, "method is there twice"),
        ("{", -32700, ""),
    ];
    for (body, code, message) in cases {
        let answer = node.post(body).await;
        assert_eq!(answer.status, 400, "{body}");
        let error = &answer.json()["error"];
        assert_eq!(error["code"], code, "{body}: {error}");
        assert!(message.is_empty() || error["message"] == message, "{body}: {error}");
    }
}

#[tokio::test]
async fn a_parameter_that_is_named_twice_is_refused() {
    let node = Node::start().await;
    let answer = node.post(r#"{"id":1,"method":"echo","params":{"value":1,"value":2}}"#).await;
    assert_eq!(answer.status, 200);
    let error = json!({"code": -8, "message": "Parameter value specified multiple times"});
    assert_eq!(answer.json()["error"], error);
}

#[tokio::test]
async fn batches_are_answered_in_order_each_in_its_form() {
    let node = Node::start().await;
    let batch = r#"[
        {"jsonrpc":"2.0","id":1,"method":"echo","params":["a"]},
        7,
        {"id":2,"method":"fail"},
        {"jsonrpc":"2.0","method":"echo"},
        {"jsonrpc":"2.0","id":3,"method":"secret"},
        {"jsonrpc":"2.0","id":4,"method":"panic"},
        {"jsonrpc":"2.0","id":5,"method":"echo","params":["b"]}
    ]"#;
    let answer = node.post(batch).await;
    assert_eq!(answer.status, 200);
    let replies = answer.json();
    let codes: Vec<_> = replies.as_array().unwrap().iter().map(|reply| reply["error"]["code"].as_i64()).collect();
    assert_eq!(codes, [None, Some(-32600), Some(-5), Some(-32001), Some(-32603), None]);
    let ids: Vec<_> = replies.as_array().unwrap().iter().map(|reply| reply["id"].clone()).collect();
    assert_eq!(ids, [json!(1), Value::Null, json!(2), json!(3), json!(4), json!(5)]);
    assert!(replies[0].get("error").is_none() && replies[2].get("result").is_some());
    assert_eq!(node.post("[]").await.text(), "[]\n", "as Bitcoin Core");
}

#[tokio::test]
async fn batches_are_bounded() {
    let node = Node::start().await;
    let batch = |length: usize| format!("[{}]", vec![r#"{"id":1,"method":"echo"}"#; length].join(","));
    let full = node.post(batch(BATCH)).await;
    assert_eq!((full.status, full.json().as_array().map(Vec::len)), (200, Some(BATCH)));
    let over = node.post(batch(BATCH + 1)).await;
    assert_eq!((over.status, over.json()["error"]["code"].as_i64()), (400, Some(-32600)));
}

#[tokio::test]
async fn replies_of_a_batch_are_bounded() {
    let node = Node::with(Limits { batch_reply: 10_000, ..Limits::default() }).await;
    let long = r#"{"id":1,"method":"long","params":[6000]}"#;
    let replies = node.post(format!("[{long},{long},{long}]")).await.json();
    assert_eq!(replies[0]["result"].as_str().map(str::len), Some(6000));
    assert_eq!(replies[1]["result"].as_str().map(str::len), Some(6000), "the bound was not reached before it");
    assert_eq!(replies[2]["error"]["code"], -1);
}

#[tokio::test]
async fn a_method_that_panics_is_an_error_and_no_more() {
    let node = Node::start().await;
    for method in ["panic", "panicowner"] {
        let answer = node.own(format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#)).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (200, Some(-32603)));
    }
    assert_eq!(node.own(r#"{"id":1,"method":"secret"}"#).await.json()["result"]["secret"], 42);
}

#[tokio::test]
async fn the_wallet_can_be_named_as_with_bitcoin_core() {
    let node = Node::start().await;
    let secret = r#"{"id":1,"method":"secret"}"#;
    let ask = async |path: &str, body: &str| node.raw(post(path, &node.authorization(), body)).await.json();
    assert_eq!(ask("/wallet/", secret).await["result"]["secret"], 42);
    assert_eq!(ask("/wallet/yap", secret).await["result"]["secret"], 42);
    let other = ask("/wallet/other%20one", secret).await;
    assert_eq!(other["error"]["code"], -18);
    assert_eq!(other["error"]["message"], "Requested wallet does not exist or is not loaded");
    assert_eq!(ask("/wallet/other", r#"{"id":1,"method":"echo","params":[1]}"#).await["result"], 1);
}
