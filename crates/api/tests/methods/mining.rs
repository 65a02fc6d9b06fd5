//! Templates, submission, blocks on demand.

use std::sync::Arc;

use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::hex::DisplayHex;
use serde_json::{Value, json};
use yap_chain::block::Block;

use super::node::{Node, anyone, anyone_s_address, hex, spend};

fn request() -> Value {
    json!([{"rules": ["segwit"]}])
}

#[test]
fn a_template_has_what_waits_with_what_it_depends_on() {
    let node = Node::mined(101);
    let parent = node.spend(1, 1000);
    let child = spend(&[(parent.txid(), 0, parent.decoded().output[0].value)], 5000, 1);
    for transaction in [&parent, &child] {
        node.ask("sendrawtransaction", json!([hex(transaction)]));
    }
    let template = node.ask("getblocktemplate", request());
    assert_eq!(template["previousblockhash"], node.ask("getbestblockhash", json!([])));
    assert_eq!(template["height"], json!(102));
    assert_eq!(template["coinbasevalue"], json!(5_000_006_000_u64));
    assert_eq!(template["rules"], json!(["csv", "!segwit", "taproot"]));
    assert_eq!(template["transactions"][0]["data"], hex(&parent));
    assert_eq!(template["transactions"][0]["depends"], json!([]));
    assert_eq!(template["transactions"][1]["depends"], json!([1]));
    assert_eq!(template["transactions"][1]["fee"], json!(5000));
    assert_eq!(template["transactions"][1]["weight"], json!(child.weight()));
    assert_eq!((&template["sigoplimit"], &template["weightlimit"]), (&json!(80_000), &json!(4_000_000)));
    assert_eq!(template["bits"], "207fffff");
    assert_eq!(template["mutable"], json!(["time", "transactions", "prevblock"]));
    assert!(template["curtime"].as_u64().unwrap() >= template["mintime"].as_u64().unwrap());
    let commitment = template["default_witness_commitment"].as_str().unwrap();
    // The block that is made of it commits to the same.
    let block = node.draft(&anyone(), None);
    let outputs = &block.transactions()[0].decoded().output;
    assert_eq!(commitment, outputs.last().unwrap().script_pubkey.as_bytes().to_lower_hex_string());
    let keys: Vec<&String> = template.as_object().unwrap().keys().collect();
    let expected = [
        "capabilities",
        "version",
        "rules",
        "vbavailable",
        "vbrequired",
        "previousblockhash",
        "transactions",
        "coinbaseaux",
        "coinbasevalue",
        "longpollid",
        "target",
        "mintime",
        "mutable",
        "noncerange",
        "sigoplimit",
        "sizelimit",
        "weightlimit",
        "curtime",
        "bits",
        "height",
        "default_witness_commitment",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn a_miner_must_know_the_rules() {
    let node = Node::new();
    let text = "getblocktemplate must be called with the segwit rule set (call with {\"rules\": [\"segwit\"]})";
    assert_eq!(node.refusal("getblocktemplate", json!([])), (-8, text.into()));
    assert_eq!(node.refusal("getblocktemplate", json!([{"rules": ["csv"]}])), (-8, text.into()));
    assert_eq!(node.refusal("getblocktemplate", json!([{"mode": "x"}])), (-8, "Invalid mode".into()));
    assert_eq!(node.refusal("getblocktemplate", json!([{"mode": 1}])), (-8, "Invalid mode".into()));
    let text = "Missing data String key for proposal";
    assert_eq!(node.refusal("getblocktemplate", json!([{"mode": "proposal"}])), (-3, text.into()));
    let wrong = json!([{"mode": "proposal", "data": "00"}]);
    assert_eq!(node.refusal("getblocktemplate", wrong), (-22, "Block decode failed".into()));
}

#[test]
fn a_long_poll_ends_with_the_next_block() {
    let node = Node::mined(1);
    let id = node.ask("getblocktemplate", request())["longpollid"].clone();
    let waiting = std::thread::spawn({
        let node = Arc::clone(&node);
        move || node.ask("getblocktemplate", json!([{"rules": ["segwit"], "longpollid": id}]))
    });
    let hash = node.ask("generatetoaddress", json!([1, anyone_s_address()]))[0].clone();
    assert_eq!(waiting.join().unwrap()["previousblockhash"], hash);
}

fn text(block: &Block) -> String {
    block.bytes().to_lower_hex_string()
}

/// The same block with one thing changed.
fn changed(block: &Block, change: impl FnOnce(&mut bitcoin::Block)) -> String {
    let mut decoded: bitcoin::Block = deserialize_hex(&text(block)).unwrap();
    change(&mut decoded);
    serialize_hex(&decoded)
}

#[test]
fn a_proposal_is_judged_without_its_work() {
    let node = Node::mined(101);
    let transaction = Arc::new(node.spend(1, 1000));
    let good = node.draft(&anyone(), Some(vec![Arc::clone(&transaction)]));
    let judge = |data: String| node.ask("getblocktemplate", json!([{"mode": "proposal", "data": data}]));
    assert_eq!(judge(text(&good)), Value::Null);
    assert_eq!(judge(changed(&good, |block| block.header.nonce ^= 1)), Value::Null, "work is not asked for");
    assert_eq!(judge(changed(&good, |block| block.header.time = 0)), "time-too-old");
    assert_eq!(judge(changed(&good, |block| block.header.time += 100_000)), "time-too-new");
    let bits = bitcoin::CompactTarget::from_consensus(0x1d00_ffff);
    assert_eq!(judge(changed(&good, |block| block.header.bits = bits)), "bad-diffbits");
    let old = bitcoin::block::Version::from_consensus(1);
    assert_eq!(judge(changed(&good, |block| block.header.version = old)), "bad-version(0x00000001)");
    assert_eq!(judge(changed(&good, |block| drop(block.txdata.pop()))), "bad-txnmrklroot");
    let prev = bitcoin::hashes::Hash::all_zeros();
    let aside = changed(&good, |block| block.header.prev_blockhash = prev);
    assert_eq!(judge(aside), "inconclusive-not-best-prevblk");
    assert_eq!(judge(text(&node.block_at(5))), "duplicate");
    let young = node.draft(&anyone(), Some(vec![Arc::new(node.spend(50, 1000))]));
    assert_eq!(judge(text(&young)), "bad-txns-premature-spend-of-coinbase");
    let mut unsigned = transaction.decoded().clone();
    unsigned.input[0].witness = bitcoin::Witness::from_slice(&[vec![0x51, 0x51]]);
    let unsigned = yap_chain::transaction::Transaction::parse(bitcoin::consensus::serialize(&unsigned)).unwrap();
    let bad = node.draft(&anyone(), Some(vec![Arc::new(unsigned)]));
    assert_eq!(judge(text(&bad)), "block-script-verify-flag-failed");
    assert_eq!(node.ask("getblockcount", json!([])), json!(101), "nothing is kept");
}

#[test]
fn a_submitted_block_is_the_newest_or_is_told_why_not() {
    let node = Node::mined(2);
    let (winner, loser) = (node.draft(&anyone(), None), node.draft(&anyone(), None));
    assert_eq!(node.refusal("submitblock", json!(["00"])), (-22, "Block decode failed".into()));
    assert_eq!(node.ask("submitblock", json!([text(&winner)])), Value::Null);
    assert_eq!(node.ask("submitblock", json!([text(&winner)])), "duplicate");
    assert_eq!(node.ask("submitblock", json!([text(&loser)])), "inconclusive");
    // A miner may leave the coinbase's reserved value to the node.
    let next = node.draft(&anyone(), None);
    let bare = changed(&next, |block| block.txdata[0].input[0].witness.clear());
    assert_eq!(node.ask("submitblock", json!([bare])), Value::Null);
    assert_eq!(node.ask("getbestblockhash", json!([])), next.hash().to_string());
    let dear = node.draft(&anyone(), Some(vec![Arc::new(node.spend(1, 1000))]));
    assert_eq!(node.ask("submitblock", json!([text(&dear)])), "bad-txns-premature-spend-of-coinbase");
}

#[test]
fn a_submitted_header_joins_the_tree() {
    let node = Node::mined(2);
    let block = node.draft(&anyone(), None);
    let header = serialize_hex(block.header());
    assert_eq!(node.ask("submitheader", json!([header])), Value::Null);
    assert_eq!(node.ask("getblockchaininfo", json!([]))["headers"], json!(3));
    let tips = node.ask("getchaintips", json!([]));
    assert_eq!((&tips[0]["status"], &tips[1]["status"]), (&json!("headers-only"), &json!("active")));
    assert_eq!(node.refusal("submitheader", json!(["00"])), (-22, "Block header decode failed".into()));
    let mut orphan = *block.header();
    orphan.prev_blockhash = bitcoin::hashes::Hash::all_zeros();
    let (code, message) = node.refusal("submitheader", json!([serialize_hex(&orphan)]));
    assert!(code == -25 && message.starts_with("Must submit previous header ("), "{message}");
    let mut old = *block.header();
    old.time = 0;
    while !old.target().is_met_by(old.block_hash()) {
        old.nonce += 1;
    }
    assert_eq!(node.refusal("submitheader", json!([serialize_hex(&old)])), (-25, "time-too-old".into()));
}

#[test]
fn blocks_are_mined_on_demand() {
    let node = Node::mined(101);
    let address = anyone_s_address();
    assert_eq!(node.ask("generatetoaddress", json!([0, address])), json!([]));
    let text = "Error: Invalid address";
    assert_eq!(node.refusal("generatetoaddress", json!([1, "x"])), (-5, text.into()));
    assert_eq!(node.refusal("generatetoaddress", json!([-1, address])).0, -8);
    assert_eq!(node.refusal("generatetoaddress", json!([10_001, address])).0, -8);
    let one = node.ask("generatetodescriptor", json!([1, format!("addr({address})")]));
    assert_eq!(node.ask("getbestblockhash", json!([])), one[0]);
    assert_eq!(node.refusal("generatetodescriptor", json!([1, "x"])).0, -5);

    let (first, second) = (node.spend(1, 1000), node.spend(2, 1000));
    node.ask("sendrawtransaction", json!([hex(&first)]));
    let wanted = json!([first.txid().to_string(), hex(&second)]);
    let mined = node.ask("generateblock", json!([address, wanted]));
    let block = node.ask("getblock", json!([mined["hash"]]));
    assert_eq!(block["tx"][1], first.txid().to_string());
    assert_eq!(block["tx"][2], second.txid().to_string());
    let (code, message) = node.refusal("generateblock", json!([address, [hex(&first)]]));
    assert!(code == -25 && message.starts_with("TestBlockValidity failed: "), "{message}");
    let id = second.txid().to_string();
    let text = format!("Transaction {id} not in mempool.");
    assert_eq!(node.refusal("generateblock", json!([address, [id]])), (-5, text));
    assert_eq!(node.refusal("generateblock", json!([address, ["00"]])).0, -22);
    let tip = node.ask("getbestblockhash", json!([]));
    let given = node.ask("generateblock", json!([address, [], false]));
    assert_eq!(node.ask("getbestblockhash", json!([])), tip, "nobody is told of it");
    assert_eq!(node.ask("submitblock", json!([given["hex"]])), json!(null));
    assert_eq!(node.ask("getbestblockhash", json!([])), given["hash"]);
    assert_eq!(node.refusal("generateblock", json!([address, [hex(&first)], false])).0, -25);
    let text = "Error: Invalid address or descriptor";
    assert_eq!(node.refusal("generateblock", json!(["x", []])), (-5, text.into()));
}

#[test]
fn mining_is_told_in_figures() {
    let node = Node::mined(10);
    let info = node.ask("getmininginfo", json!([]));
    assert_eq!((&info["blocks"], &info["chain"], &info["pooledtx"]), (&json!(10), &json!("regtest"), &json!(0)));
    assert_eq!((&info["next"]["height"], &info["next"]["bits"]), (&json!(11), &json!("207fffff")));
    assert_eq!(info["networkhashps"], node.ask("getnetworkhashps", json!([])));
    // Two hashes for each block on average, in the time between the earliest and the latest.
    let times = [8, 9, 10].map(|height| node.block_at(height).header().time);
    let seconds = times.iter().max().unwrap() - times.iter().min().unwrap();
    let expected = if seconds == 0 { 0.0 } else { 4.0 / f64::from(seconds) };
    let rate = node.ask("getnetworkhashps", json!([2, 10])).as_f64().unwrap();
    assert!((rate - expected).abs() < 1e-12, "{rate} {times:?}");
    assert_eq!(node.ask("getnetworkhashps", json!([1, 0])), json!(0.0));
    let text = "Invalid nblocks. Must be a positive number or -1.";
    assert_eq!(node.refusal("getnetworkhashps", json!([0])), (-8, text.into()));
    let text = "Block does not exist at specified height";
    assert_eq!(node.refusal("getnetworkhashps", json!([1, 11])), (-8, text.into()));
}
