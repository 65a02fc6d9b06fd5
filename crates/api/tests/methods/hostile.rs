//! Whatever is given to whichever method, it answers or refuses.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use yap_api::methods;

use super::node::{Node, anyone_s_address, hex};

/// Longest that a call may take here: those that wait for blocks are left then.
const PATIENCE: Duration = Duration::from_millis(50);

static NODE: LazyLock<Arc<Node>> = LazyLock::new(|| {
    let node = Node::mined(102);
    node.ask("sendrawtransaction", json!([hex(&node.spend(1, 1000))]));
    node
});

static NAMES: LazyLock<Vec<String>> =
    LazyLock::new(|| methods::all().iter().map(|(name, _)| name.to_owned()).collect());

/// Things that a method may expect, so that more than the first check is met.
fn sensible() -> Vec<Value> {
    let node = &NODE;
    let transaction = node.spend(2, 1000);
    let coinbase = node.block_at(1).transactions()[0].txid().to_string();
    let psbt = node.ask("createpsbt", json!([[{"txid": coinbase, "vout": 0}], {anyone_s_address(): 1}]));
    vec![
        json!(node.block_at(102).hash().to_string()),
        json!(coinbase),
        json!(hex(&transaction)),
        node.ask("getblock", json!([node.block_at(102).hash().to_string(), 0])),
        node.ask("getrawmempool", json!([]))[0].clone(),
        json!([{"txid": coinbase, "vout": 0, "sequence": 5}]),
        json!({anyone_s_address(): "0.1", "data": "00"}),
        json!(anyone_s_address()),
        json!(format!("addr({})", anyone_s_address())),
        json!("raw(51)"),
        json!("start"),
        json!("muhash"),
        json!({"rules": ["segwit"], "longpollid": "0"}),
        json!({"mode": "proposal", "data": "00"}),
        psbt,
    ]
}

fn value() -> impl Strategy<Value = Value> {
    static SENSIBLE: LazyLock<Vec<Value>> = LazyLock::new(sensible);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-2_i64..8).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9a-f]{0,80}".prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        "[0-9]{1,30}(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,12})?"
            .prop_map(|text| { serde_json::from_str(&text).unwrap_or(Value::String(text)) }),
        (0..SENSIBLE.len()).prop_map(|index| SENSIBLE[index].clone()),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let names = prop_oneof![
            Just("txid".to_owned()),
            Just("vout".to_owned()),
            Just("desc".to_owned()),
            Just("range".to_owned()),
            Just("mode".to_owned()),
            Just("rules".to_owned()),
            "[a-z]{0,6}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names, inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn every_call_is_answered_or_refused(at in any::<prop::sample::Index>(), mut values in prop::collection::vec(value(), 0..5)) {
        let name = at.get(&NAMES);
        // Blocks are not to be many, or the test would be about time.
        if name.starts_with("generate") && values.first().is_some_and(|count| count.as_u64().is_some_and(|count| count > 3)) {
            values[0] = json!(3);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let context = NODE.context();
        let table = Arc::clone(&context.methods);
        let most = table.get(name).unwrap().names().len();
        values.truncate(most);
        let outcome = runtime.block_on(async move {
            tokio::time::timeout(PATIENCE, table.call(name, Value::Array(values), context)).await
        });
        if let Ok(Err(error)) = outcome {
            prop_assert!(!error.message.is_empty());
            prop_assert!(!error.message.contains("panicked"), "{name}: {error}");
        }
    }
}

#[test]
fn every_method_is_documented() {
    for (name, entry) in methods::all().iter() {
        let documented = |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        assert!(documented(entry.parameters().get("description")), "{name} is not documented");
        for (parameter, schema) in entry.parameters().get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            assert!(documented(schema.get("description")), "{name}: {parameter} is not documented");
        }
    }
}
