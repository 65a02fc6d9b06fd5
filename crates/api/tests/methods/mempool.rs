//! Transactions that wait.

use serde_json::{Value, json};

use super::node::{Node, anyone_s_address, hex, spend};

const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000001";

#[test]
fn a_family_is_told_from_each_side() {
    let node = Node::mined(101);
    let parent = node.spend(1, 1000);
    let child = spend(&[(parent.txid(), 0, parent.decoded().output[0].value)], 5000, 1);
    let (up, down) = (json!(parent.txid().to_string()), json!(child.txid().to_string()));
    for transaction in [&parent, &child] {
        node.ask("sendrawtransaction", json!([hex(transaction)]));
    }
    let entry = node.ask("getmempoolentry", json!([up]));
    assert_eq!((&entry["ancestorcount"], &entry["descendantcount"]), (&json!(1), &json!(2)));
    assert_eq!((&entry["depends"], &entry["spentby"]), (&json!([]), &json!([down])));
    assert_eq!(entry["fees"]["base"].to_string(), "0.00001000");
    assert_eq!(entry["fees"]["descendant"].to_string(), "0.00006000");
    assert_eq!(entry["fees"]["chunk"].to_string(), "0.00006000", "the child pays for both");
    assert_eq!(entry["chunkweight"], json!(parent.weight() + child.weight()));
    assert_eq!(entry["height"], json!(101));
    assert_eq!(node.ask("getmempoolancestors", json!([down])), json!([up]));
    assert_eq!(node.ask("getmempooldescendants", json!([up])), json!([down]));
    assert_eq!(node.ask("getmempooldescendants", json!([up, true]))[down.as_str().unwrap()]["depends"], json!([up]));
    assert_eq!(node.ask("getmempoolancestors", json!([up])), json!([]));
    let cluster = node.ask("getmempoolcluster", json!([down]));
    assert_eq!((&cluster["txcount"], &cluster["chunks"][0]["txs"]), (&json!(2), &json!([up, down])));
    assert_eq!(cluster["clusterweight"], cluster["chunks"][0]["chunkweight"]);

    let info = node.ask("getmempoolinfo", json!([]));
    assert_eq!((&info["size"], &info["loaded"]), (&json!(2), &json!(true)));
    assert_eq!(info["total_fee"].to_string(), "0.00006000");
    assert_eq!(info["mempoolminfee"].to_string(), "0.00000100");
    assert_eq!(info["maxmempool"], json!(300_000_000));
    let vsize = parent.weight().div_ceil(4) + child.weight().div_ceil(4);
    assert_eq!(info["bytes"], json!(vsize));
    assert_eq!(node.ask("getrawmempool", json!([])), json!([up, down]));
    let sequenced = node.ask("getrawmempool", json!([false, true]));
    assert_eq!(sequenced["txids"], json!([up, down]));
    assert!(sequenced["mempool_sequence"].as_u64().unwrap() >= 2);
    assert_eq!(node.ask("getrawmempool", json!([true]))[up.as_str().unwrap()], entry);
    let text = "Verbose results cannot contain mempool sequence values.";
    assert_eq!(node.refusal("getrawmempool", json!([true, true])), (-8, text.into()));
}

#[test]
fn what_does_not_wait_is_not_found() {
    let node = Node::new();
    for method in ["getmempoolentry", "getmempoolancestors", "getmempooldescendants", "getmempoolcluster"] {
        assert_eq!(node.refusal(method, json!([NO_HASH])), (-5, "Transaction not in mempool".into()), "{method}");
        assert_eq!(node.refusal(method, json!(["ff"])).0, -8);
    }
    assert_eq!(node.ask("getrawmempool", json!([])), json!([]));
    assert_eq!(node.ask("getrawmempool", json!([true])), json!({}));
}

#[test]
fn the_spender_of_an_output_is_told() {
    let node = Node::mined(101);
    let transaction = node.spend(1, 1000);
    node.ask("sendrawtransaction", json!([hex(&transaction)]));
    let coinbase = node.block_at(1).transactions()[0].txid().to_string();
    let asked = json!([{"txid": coinbase, "vout": 0}, {"txid": coinbase, "vout": 1}]);
    let told = node.ask("gettxspendingprevout", json!([asked]));
    assert_eq!(told[0]["spendingtxid"], transaction.txid().to_string());
    assert_eq!(told[1], asked[1]);
    let full = node.ask("gettxspendingprevout", json!([asked, {"return_spending_tx": true}]));
    assert_eq!(full[0]["spendingtx"], hex(&transaction));
    let text = "Invalid parameter, outputs are missing";
    assert_eq!(node.refusal("gettxspendingprevout", json!([[]])), (-8, text.into()));
    let text = "Invalid parameter, vout cannot be negative";
    let negative = json!([[{"txid": coinbase, "vout": -1}]]);
    assert_eq!(node.refusal("gettxspendingprevout", negative), (-8, text.into()));
    assert_eq!(node.refusal("gettxspendingprevout", json!([asked, {"mempool_only": false}])).0, -1);
    assert_eq!(node.refusal("gettxspendingprevout", json!([asked, {"whatever": 1}])).0, -3);
    let many = vec![json!({"txid": NO_HASH, "vout": 0}); 10_001];
    assert_eq!(node.refusal("gettxspendingprevout", json!([many])).0, -8);
    assert_eq!(node.ask("gettxspendingprevout", json!([many[..10_000]])).as_array().unwrap().len(), 10_000);
}

#[test]
fn the_operator_s_wishes_reach_the_node() {
    let node = Node::mined(1);
    assert_eq!(node.ask("prioritisetransaction", json!([NO_HASH, 0, 500])), json!(true));
    assert_eq!(node.ask("prioritisetransaction", json!({"txid": NO_HASH, "fee_delta": -100})), json!(true));
    assert_eq!(node.refusal("prioritisetransaction", json!([NO_HASH, 1, 500])).0, -8);
    assert_eq!(node.refusal("prioritisetransaction", json!(["", 0, 500])).0, -8);
    assert_eq!(node.ask("getprioritisedtransactions", json!([])), json!({}));
    assert_eq!(node.ask("savemempool", json!([])), json!({"filename": "mempool.dat"}));
}

#[test]
fn the_fee_to_be_mined_soon_follows_from_what_waits() {
    let node = Node::mined(101);
    let estimate = |target: Value| node.ask("estimatesmartfee", json!([target]));
    let idle = estimate(json!(6));
    assert_eq!((idle["feerate"].to_string(), &idle["blocks"]), ("0.00000100".to_owned(), &json!(6)));
    let text = "Invalid conf_target, must be between 1 and 1008";
    for target in [0, 1009, -1] {
        assert_eq!(node.refusal("estimatesmartfee", json!([target])), (-8, text.into()));
    }
    assert_eq!(estimate(json!(1008))["blocks"], json!(1008));
    assert_eq!(node.ask("estimatesmartfee", json!([1, "CONSERVATIVE"]))["feerate"], idle["feerate"]);
    let (code, text) = node.refusal("estimatesmartfee", json!([1, "fast"]));
    assert!(code == -8 && text.starts_with("Invalid estimate_mode parameter, must be one of:"), "{text}");
    node.state().catching_up = true;
    let unknown = estimate(json!(6));
    assert_eq!(unknown, json!({"errors": ["Insufficient data or no feerate found"], "blocks": 6}));
    let _ = anyone_s_address();
}

#[test]
fn the_fee_to_be_mined_soon_follows_from_what_full_blocks_took() {
    let node = Node::mined(112);
    let estimate = |target: u32| {
        let rate = node.ask("estimatesmartfee", json!([target]))["feerate"].to_string();
        rate.parse::<f64>().unwrap() * 1e8
    };
    assert_eq!(estimate(1).round() as u64, 100, "blocks without payments tell nothing");
    for height in 1..=12 {
        // Nobody who pays less finds room beside it.
        let coinbase = node.block_at(height).transactions()[0].clone();
        let all = spend(&[(coinbase.txid(), 0, coinbase.decoded().output[0].value)], 5_000_000, 23_050);
        node.ask("generateblock", json!([anyone_s_address(), [hex(&all)]]));
    }
    for target in [1, 2, 6, 12] {
        let rate = estimate(target);
        assert!((5_000.0..5_100.0).contains(&rate), "5,000,000 satoshi for some 991,000 virtual bytes: {rate}");
    }
    // Once blocks have had room for a while, the least is enough.
    for height in 13..=24 {
        assert!(estimate(1) > 5_000.0 || height > 22, "four in five have room from the tenth on: {height}");
        let payment = node.spend(height, 500);
        node.ask("generateblock", json!([anyone_s_address(), [hex(&payment)]]));
    }
    assert_eq!((estimate(1).round() as u64, estimate(144).round() as u64), (100, 100));
}
