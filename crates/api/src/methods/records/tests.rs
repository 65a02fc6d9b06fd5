//! Each method once as it should be, and once for each way in which it fails.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::backend::RecordError;
use crate::error::Code;
use crate::fixture::StandIn;

fn fails(node: &Arc<StandIn>, method: &str, parameters: Value) -> (Code, String) {
    let error = node.call(method, parameters).expect_err("it fails");
    (error.code, error.message)
}

#[test]
fn values_are_put_and_got() {
    let node = StandIn::new();
    assert_eq!(node.call("put", json!(["song", "la la"])).unwrap(), json!({ "holders": 3, "alone": false }));
    assert_eq!(node.call("put", json!(["736f6e67", "6c61", true])).unwrap()["holders"], 3);
    node.scene().record = Ok(b"la la".to_vec());
    assert_eq!(node.call("get", json!(["song"])).unwrap(), json!({ "value": "la la", "hex": false }));
    assert_eq!(node.call("get", json!(["736f6e67", true])).unwrap(), json!({ "value": "6c61206c61", "hex": true }));
    assert_eq!(node.calls(), ["put song la la", "put song la", "get song", "get song"]);
    node.scene().record = Ok(vec![0xff, 0]);
    assert_eq!(node.call("get", json!(["song"])).unwrap(), json!({ "value": "ff00", "hex": true }), "no text");
    assert_eq!(node.call("withdraw", json!(["song"])).unwrap(), Value::Null);
}

#[test]
fn who_is_alone_keeps_what_is_put() {
    let node = StandIn::new();
    node.scene().record = Err(RecordError::Alone);
    assert_eq!(node.call("put", json!(["song", "la"])).unwrap(), json!({ "holders": 0, "alone": true }));
    assert_eq!(node.call("provide", json!(["song"])).unwrap(), json!({ "alone": true }));
    assert_eq!(node.call("publish", json!(["news", "la"])).unwrap(), json!({ "alone": true }));
    assert_eq!(fails(&node, "get", json!(["song"])).0, Code::NotConnected, "somebody else may have it");
    assert_eq!(fails(&node, "providers", json!(["song"])).0, Code::NotConnected);
}

#[test]
fn keys_and_values_have_limits() {
    let node = StandIn::new();
    let (key, value) = ("k".repeat(256), "v".repeat(60_000));
    node.call("put", json!([key, value])).unwrap();
    for (parameters, words) in [
        (json!([format!("{key}k"), "v"]), "key has 257 bytes, and may have 256 at most"),
        (json!(["", "v"]), "key must not be empty"),
        (json!(["k", format!("{value}v")]), "value has 60001 bytes, and may have 60000 at most"),
        (json!(["abc", "00", true]), "key must be hexadecimal digits, two for each byte"),
        (json!(["00", "zz", true]), "value must be hexadecimal digits, two for each byte"),
    ] {
        assert_eq!(fails(&node, "put", parameters), (Code::InvalidParameter, words.into()));
    }
    for method in ["get", "withdraw", "provide", "stopproviding", "providers"] {
        assert_eq!(fails(&node, method, json!([""])).0, Code::InvalidParameter, "{method}");
    }
    assert_eq!(node.calls().len(), 1);
}

#[test]
fn providers_are_told() {
    let node = StandIn::new();
    assert_eq!(node.call("provide", json!(["song"])).unwrap(), json!({ "alone": false }));
    node.scene().record = Ok(b"12D3KooWBob".to_vec());
    assert_eq!(node.call("providers", json!(["song"])).unwrap(), json!(["12D3KooWBob"]));
    assert_eq!(node.call("stopproviding", json!(["song"])).unwrap(), Value::Null);
    assert_eq!(node.calls(), ["provide song", "providers song", "stop_providing song"]);
}

#[test]
fn topics_are_heard_and_published() {
    let node = StandIn::new();
    assert_eq!(node.call("subscribe", json!(["news"])).unwrap(), Value::Null);
    assert_eq!(node.call("publish", json!(["news", "rain"])).unwrap(), json!({ "alone": false }));
    node.call("publish", json!(["news", "7375", true])).unwrap();
    assert_eq!(node.call("unsubscribe", json!(["news"])).unwrap(), Value::Null);
    assert_eq!(node.calls(), ["subscribe news", "publish news rain", "publish news su", "unsubscribe news"]);
    let long = "t".repeat(129);
    for (method, parameters) in
        [("subscribe", json!([long])), ("unsubscribe", json!([""])), ("publish", json!([long, "x"]))]
    {
        assert_eq!(fails(&node, method, parameters).0, Code::InvalidParameter);
    }
    let loud = "x".repeat(60_001);
    assert_eq!(fails(&node, "publish", json!(["news", loud])).0, Code::InvalidParameter);
}

#[test]
fn refusals_are_passed_on() {
    let node = StandIn::new();
    node.scene().record = Err(RecordError::NotFound);
    assert_eq!(fails(&node, "get", json!(["song"])), (Code::NotFound, "nobody has this key".into()));
    node.scene().record = Err(RecordError::Refused("the store is full".into()));
    for (method, parameters) in [
        ("put", json!(["k", "v"])),
        ("withdraw", json!(["k"])),
        ("provide", json!(["k"])),
        ("subscribe", json!(["t"])),
        ("publish", json!(["t", "x"])),
    ] {
        assert_eq!(fails(&node, method, parameters), (Code::Misc, "the store is full".into()), "{method}");
    }
}
