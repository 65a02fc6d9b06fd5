//! Blocks and coins: what Bitcoin Core says of its own chain, and how calls are refused.

use std::sync::Arc;

use serde_json::{Value, json};
use yap_api::backend::View;
use yap_chain::header::tree::Id;

use super::node::{Node, anyone, anyone_s_address, hex, spend};

/// What Bitcoin Core says of the 160 blocks.
fn core_says() -> Value {
    serde_json::from_str(include_str!("../../../../vectors/regtest-160.json")).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000001";

#[test]
fn the_chain_stands_as_core_says() {
    let (node, core) = (Node::core(), core_says());
    let info = node.ask("getblockchaininfo", json!([]));
    assert_eq!(info["chain"], "regtest");
    assert_eq!((info["blocks"].as_u64(), info["headers"].as_u64()), (Some(160), Some(160)));
    assert_eq!(info["bestblockhash"], core["tip"]["bestblock"]);
    assert_eq!(info["chainwork"], core["chainwork"]);
    assert_eq!((&info["bits"], &info["pruned"]), (&json!("207fffff"), &json!(false)));
    assert_eq!(info["target"], "7fffff0000000000000000000000000000000000000000000000000000000000");
    assert_eq!(info["difficulty"].to_string(), "4.6565423739069247e-10");
    assert_eq!(info["verificationprogress"], json!(1.0));
    assert_eq!(node.ask("getblockcount", json!([])), json!(160));
    let states = node.ask("getchainstates", json!([]));
    let state = &states["chainstates"][0];
    assert_eq!((&states["headers"], &state["blocks"], &state["validated"]), (&json!(160), &json!(160), &json!(true)));
    assert_eq!((&state["bestblockhash"], &state["target"]), (&info["bestblockhash"], &info["target"]));
    assert_eq!((&state["coins_tip_cache_bytes"], &state["coins_db_cache_bytes"]), (&json!(64 << 20), &json!(8 << 20)));
    assert_eq!(node.ask("getbestblockhash", json!([])), core["tip"]["bestblock"]);
    assert_eq!(node.ask("getdifficulty", json!([])), info["difficulty"]);
}

#[test]
fn totals_of_coins_are_those_of_core() {
    let (node, core) = (Node::core(), core_says());
    let info = node.ask("gettxoutsetinfo", json!([]));
    for key in ["height", "bestblock", "txouts", "bogosize", "hash_serialized_3"] {
        assert_eq!(info[key], core["tip"][key], "{key}");
    }
    assert_eq!(info["total_amount"].to_string(), "7725.00000000");
    let muhash = node.ask("gettxoutsetinfo", json!(["muhash"]));
    assert_eq!(muhash["muhash"], core["tip"]["muhash"]);
    assert!(node.ask("gettxoutsetinfo", json!({"hash_type": "none"})).get("muhash").is_none());
    assert_eq!(node.refusal("gettxoutsetinfo", json!(["md5"])), (-8, "'md5' is not a valid hash_type".into()));
    assert_eq!(node.refusal("gettxoutsetinfo", json!(["muhash", 3])).0, -8);
}

#[test]
fn filters_are_those_of_core() {
    use bitcoin::hashes::{Hash, sha256};
    use bitcoin::hex::FromHex;
    let node = Node::core();
    for expected in core_says()["filters"].as_array().unwrap() {
        let hash = node.ask("getblockhash", json!([expected["height"]]));
        assert_eq!(hash, expected["block"]);
        let filter = node.ask("getblockfilter", json!([hash]));
        assert_eq!(filter["header"], expected["header"]);
        let bytes = Vec::from_hex(filter["filter"].as_str().unwrap()).unwrap();
        assert_eq!(sha256::Hash::hash(&bytes).to_string(), expected["filter_sha256"].as_str().unwrap());
    }
    assert_eq!(node.refusal("getblockfilter", json!([NO_HASH])), (-5, "Block not found".into()));
    let genesis = node.ask("getblockhash", json!([0]));
    assert_eq!(node.refusal("getblockfilter", json!([genesis, "extended"])), (-5, "Unknown filtertype".into()));
}

#[test]
fn the_genesis_header_is_the_one_that_core_shows() {
    let node = Node::new();
    let hash = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";
    let header = node.ask("getblockheader", json!([hash]));
    let expected = json!({
        "hash": hash,
        "confirmations": 1,
        "height": 0,
        "version": 1,
        "versionHex": "00000001",
        "merkleroot": "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b",
        "time": 1_296_688_602,
        "mediantime": 1_296_688_602,
        "nonce": 2,
        "bits": "207fffff",
        "target": "7fffff0000000000000000000000000000000000000000000000000000000000",
        "difficulty": 4.656_542_373_906_924_7e-10,
        "chainwork": "0000000000000000000000000000000000000000000000000000000000000002",
        "nTx": 1,
    });
    assert_eq!(header, expected);
    assert_eq!(keys(&header), keys(&expected), "the order of fields");
    let bytes = "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f61\
                 7fc81bc3888a51323a9fb8aa4b1e5e4adae5494dffff7f2002000000";
    assert_eq!(node.ask("getblockheader", json!([hash, false])), bytes);
    assert_eq!(node.refusal("getblockheader", json!(["xyz"])).1, "hash must be of length 64 (not 3, for 'xyz')");
    assert_eq!(node.refusal("getblockheader", json!([NO_HASH])), (-5, "Block not found".into()));
}

#[test]
fn a_block_is_shown_at_each_verbosity() {
    let node = Node::core();
    let block = node.block_at(159);
    let hash = block.hash().to_string();
    let raw = node.ask("getblock", json!([hash, 0]));
    assert_eq!(raw.as_str().unwrap().len(), 2 * block.bytes().len());
    assert_eq!(node.ask("getblock", json!([hash, false])), raw);
    let listed = node.ask("getblock", json!([hash]));
    assert_eq!(listed["size"], json!(block.bytes().len()));
    assert_eq!(listed["strippedsize"], json!(block.base_size()));
    assert_eq!(listed["weight"], json!(block.weight()));
    assert_eq!(listed["nTx"], json!(block.transactions().len()));
    assert_eq!(listed["tx"][0], block.transactions()[0].txid().to_string());
    assert_eq!(listed["confirmations"], json!(2));
    assert_eq!(listed["nextblockhash"], node.ask("getbestblockhash", json!([])));
    let sequence = block.transactions()[0].decoded().input[0].sequence.0;
    assert_eq!(listed["coinbase_tx"]["sequence"], json!(sequence));
    let full = node.ask("getblock", json!([hash, 2]));
    let coins = node.ask("getblock", json!({"blockhash": hash, "verbosity": 3}));
    assert!(full["tx"][0].get("fee").is_none(), "a coinbase pays no fee");
    assert_eq!(full["tx"].as_array().unwrap().len(), block.transactions().len());
    for (index, transaction) in block.transactions().iter().enumerate().skip(1) {
        let (plain, rich) = (&full["tx"][index], &coins["tx"][index]);
        assert_eq!(plain["txid"], transaction.txid().to_string());
        assert_eq!(plain["hex"], hex(transaction));
        assert_eq!(plain["fee"], rich["fee"]);
        assert!(plain["vin"][0].get("prevout").is_none());
        let value = |value: &Value| value.to_string().parse::<f64>().unwrap();
        let spent: f64 = rich["vin"].as_array().unwrap().iter().map(|input| value(&input["prevout"]["value"])).sum();
        let paid: f64 = rich["vout"].as_array().unwrap().iter().map(|output| value(&output["value"])).sum();
        assert!((spent - paid - value(&rich["fee"])).abs() < 1e-9);
    }
    assert_eq!(node.refusal("getblock", json!([NO_HASH])), (-5, "Block not found".into()));
    assert_eq!(node.refusal("getblock", json!([hash, "1"])).0, -3);
}

#[test]
fn a_pruned_block_is_said_to_be_pruned() {
    let node = Node::mined(5);
    let ids: Vec<Id> = {
        let state = node.state();
        (1..=3).map(|height| state.tree().ancestor(state.tip(), height).unwrap()).collect()
    };
    node.state().pruned = ids;
    let hash = node.ask("getblockhash", json!([2]));
    assert_eq!(node.refusal("getblock", json!([hash])), (-1, "Block not available (pruned data)".into()));
    let info = node.ask("getblockchaininfo", json!([]));
    assert_eq!((&info["pruned"], &info["pruneheight"]), (&json!(true), &json!(4)));
}

#[test]
fn heights_outside_of_the_chain_are_refused() {
    let node = Node::mined(2);
    for height in [json!(-1), json!(3), json!(4_294_967_296_u64)] {
        assert_eq!(node.refusal("getblockhash", json!([height])), (-8, "Block height out of range".into()));
    }
    assert_eq!(node.refusal("getblockhash", json!(["1"])).0, -3);
    assert_eq!(node.refusal("getblockhash", json!([])).0, -1);
}

#[test]
fn transactions_are_counted() {
    let (node, core) = (Node::core(), core_says());
    let stats = node.ask("getchaintxstats", json!([10]));
    let total = core["totals"]["transactions"].as_u64().unwrap();
    // Core counts the genesis block's as well.
    assert_eq!(stats["txcount"].as_u64().unwrap(), total + 1);
    let window: usize = (151..=160).map(|height| node.block_at(height).transactions().len()).sum();
    assert_eq!(stats["window_tx_count"], json!(window));
    assert_eq!(stats["window_block_count"], json!(10));
    assert_eq!(stats["window_final_block_hash"], core["tip"]["bestblock"]);
    let first = node.ask("getblockhash", json!([1]));
    assert_eq!(node.ask("getchaintxstats", json!([0, first]))["txcount"], json!(2));
    let text = "Invalid block count: should be between 0 and the block's height - 1";
    assert_eq!(node.refusal("getchaintxstats", json!([160])), (-8, text.into()));
    assert_eq!(node.refusal("getchaintxstats", json!([-1])), (-8, text.into()));
    assert_eq!(node.refusal("getchaintxstats", json!([1, NO_HASH])), (-5, "Block not found".into()));
}

#[test]
fn figures_of_a_block_agree_with_its_transactions() {
    let node = Node::mined(101);
    let parent = node.spend(1, 10_000);
    let child = spend(&[(parent.txid(), 0, parent.decoded().output[0].value)], 30_000, 2);
    let sizes = [parent.total_size(), child.total_size()];
    for transaction in [&parent, &child] {
        node.ask("sendrawtransaction", json!([hex(transaction)]));
    }
    node.ask("generatetoaddress", json!([1, anyone_s_address()]));
    let stats = node.ask("getblockstats", json!([102]));
    assert_eq!((&stats["txs"], &stats["ins"], &stats["outs"]), (&json!(3), &json!(2), &json!(5)));
    assert_eq!(
        (&stats["totalfee"], &stats["avgfee"], &stats["medianfee"]),
        (&json!(40_000), &json!(20_000), &json!(20_000))
    );
    assert_eq!((&stats["minfee"], &stats["maxfee"]), (&json!(10_000), &json!(30_000)));
    assert_eq!(stats["total_size"], json!(sizes.iter().sum::<usize>()));
    assert_eq!(stats["subsidy"], json!(5_000_000_000_u64));
    assert_eq!(stats["utxo_increase"], json!(3));
    // The commitment to witnesses is no coin.
    assert_eq!(stats["utxo_increase_actual"], json!(2));
    let rate = |fee: u64, weight: usize| fee * 4 / weight as u64;
    assert_eq!(stats["minfeerate"], json!(rate(10_000, parent.weight())));
    assert_eq!(stats["maxfeerate"], json!(rate(30_000, child.weight())));
    assert_eq!(stats["feerate_percentiles"][0], stats["minfeerate"]);
    assert_eq!(stats["feerate_percentiles"][4], stats["maxfeerate"]);
    let hash = node.ask("getblockhash", json!([102]));
    assert_eq!(node.ask("getblockstats", json!([hash, ["txs", "avgfee"]])), json!({"avgfee": 20_000, "txs": 3}));
    let wrong = (-8, "Invalid selected statistic 'wealth'".to_owned());
    assert_eq!(node.refusal("getblockstats", json!([102, ["wealth"]])), wrong);
    assert_eq!(node.refusal("getblockstats", json!([-1])), (-8, "Target block height -1 is negative".into()));
    let text = "Target block height 103 after current tip 102";
    assert_eq!(node.refusal("getblockstats", json!([103])), (-8, text.into()));
    assert_eq!(node.refusal("getblockstats", json!([true])).0, -3);
}

#[test]
fn the_ends_of_branches_are_told() {
    let node = Node::mined(2);
    let loser = node.draft(&anyone(), None);
    node.ask("generatetoaddress", json!([2, anyone_s_address()]));
    node.process(&Arc::new(loser.clone()));
    let tips = node.ask("getchaintips", json!([]));
    assert_eq!(tips[0]["status"], "active");
    assert_eq!((&tips[0]["height"], &tips[0]["branchlen"]), (&json!(4), &json!(0)));
    assert_eq!(tips[1]["hash"], loser.hash().to_string());
    assert_eq!((&tips[1]["status"], &tips[1]["branchlen"]), (&json!("valid-headers"), &json!(1)));
    let header = node.ask("getblockheader", json!([loser.hash().to_string()]));
    assert_eq!(header["confirmations"], json!(-1));
    assert!(header.get("nextblockhash").is_none());
    let text = "Block is not in main chain";
    assert_eq!(node.refusal("getchaintxstats", json!([1, loser.hash().to_string()])), (-8, text.into()));
}

#[test]
fn the_user_s_opinion_reaches_the_node() {
    let node = Node::mined(3);
    let hash = node.block_at(2).hash();
    assert_eq!(node.ask("invalidateblock", json!([hash.to_string()])), Value::Null);
    assert_eq!(node.ask("reconsiderblock", json!([hash.to_string()])), Value::Null);
    assert_eq!(node.state().opinions, [(hash, false), (hash, true)]);
    assert_eq!(node.refusal("invalidateblock", json!([NO_HASH])), (-5, "Block not found".into()));
    assert_eq!(node.refusal("reconsiderblock", json!([NO_HASH])), (-5, "Block not found".into()));
    assert_eq!(node.refusal("invalidateblock", json!([node.block_at(0).hash().to_string()])).0, -8);
}

#[test]
fn an_unspent_output_is_shown_until_something_that_waits_spends_it() {
    let node = Node::mined(101);
    let coinbase = node.block_at(1).transactions()[0].txid().to_string();
    let output = node.ask("gettxout", json!([coinbase, 0]));
    assert_eq!(output["value"].to_string(), "50.00000000");
    assert_eq!((&output["confirmations"], &output["coinbase"]), (&json!(101), &json!(true)));
    assert_eq!(output["scriptPubKey"]["address"], anyone_s_address());
    let transaction = node.spend(1, 1000);
    node.ask("sendrawtransaction", json!([hex(&transaction)]));
    assert_eq!(node.ask("gettxout", json!([coinbase, 0])), Value::Null);
    assert_eq!(node.ask("gettxout", json!([coinbase, 0, false])), output);
    let pending = node.ask("gettxout", json!([transaction.txid().to_string(), 0]));
    assert_eq!(pending["confirmations"], json!(0));
    assert_eq!(node.ask("gettxout", json!([NO_HASH, 0])), Value::Null);
    assert_eq!(node.refusal("gettxout", json!(["00", 0])).0, -8);
}

#[test]
fn a_scan_finds_what_pays_to_a_descriptor() {
    let node = Node::mined(3);
    let found = node.ask("scantxoutset", json!(["start", [format!("addr({})", anyone_s_address())]]));
    assert_eq!((&found["success"], &found["height"]), (&json!(true), &json!(3)));
    assert_eq!(found["unspents"].as_array().unwrap().len(), 3);
    assert_eq!(found["total_amount"].to_string(), "150.00000000");
    let one = &found["unspents"][0];
    let height = one["height"].as_u64().unwrap();
    assert_eq!(one["blockhash"], node.ask("getblockhash", json!([height])));
    assert_eq!(one["confirmations"].as_u64().unwrap(), 4 - height);
    let none = node.ask("scantxoutset", json!(["start", [{"desc": "raw(6a)", "range": 5}]]));
    assert_eq!((&none["unspents"], none["total_amount"].to_string()), (&json!([]), "0.00000000".to_owned()));
    assert_eq!(node.ask("scantxoutset", json!(["status"])), Value::Null);
    assert_eq!(node.ask("scantxoutset", json!(["abort"])), json!(false));
    assert_eq!(node.refusal("scantxoutset", json!(["stop"])), (-8, "Invalid action 'stop'".into()));
    let text = "scanobjects argument is required for the start action";
    assert_eq!(node.refusal("scantxoutset", json!(["start"])), (-1, text.into()));
    assert_eq!(node.refusal("scantxoutset", json!(["start", [7]])).0, -8);
}

#[test]
fn deployments_are_told_from_the_height_on_which_they_hold() {
    let node = Node::mined(1);
    let info = node.ask("getdeploymentinfo", json!([]));
    assert_eq!(info["deployments"]["segwit"], json!({"type": "buried", "active": true, "height": 0}));
    assert!(info["script_flags"].as_array().unwrap().contains(&json!("TAPROOT")));
    assert_eq!(node.refusal("getdeploymentinfo", json!([NO_HASH])), (-5, "Block not found".into()));
}

#[test]
fn stored_blocks_are_verified_at_every_level() {
    let node = Node::core();
    for level in 0..=4 {
        assert_eq!(node.ask("verifychain", json!([level, 0])), json!(true), "level {level}");
    }
    let tip = node.state().tip();
    let missing = node.state().tree().ancestor(tip, 158).unwrap();
    node.state().pruned.push(missing);
    assert_eq!(node.ask("verifychain", json!([0, 2])), json!(true));
    assert_eq!(node.ask("verifychain", json!([0, 3])), json!(false));
}

#[test]
fn waiting_ends_with_a_block_or_with_patience() {
    let node = Node::mined(2);
    let tip = node.ask("getbestblockhash", json!([]));
    assert_eq!(node.ask("waitfornewblock", json!([1])), json!({"hash": tip, "height": 2}));
    assert_eq!(node.ask("waitforblockheight", json!([2])), json!({"hash": tip, "height": 2}));
    assert_eq!(node.ask("waitforblock", json!([tip])), json!({"hash": tip, "height": 2}));
    assert_eq!(node.ask("waitforblock", json!([NO_HASH, 1]))["height"], json!(2));
    assert_eq!(node.refusal("waitfornewblock", json!([-1])), (-1, "Negative timeout".into()));

    let waiting = std::thread::spawn({
        let node = Arc::clone(&node);
        move || node.ask("waitforblockheight", json!([3, 60_000]))
    });
    node.ask("generatetoaddress", json!([1, anyone_s_address()]));
    assert_eq!(waiting.join().unwrap()["height"], json!(3));
}

#[test]
fn transactions_are_proven_to_be_in_a_block() {
    let node = Node::core();
    let block = node.block_at(130);
    let ids: Vec<String> = block.transactions().iter().map(|one| one.txid().to_string()).collect();
    assert!(ids.len() > 1, "the proof has something to prove");
    let hash = json!(block.hash().to_string());
    let last = ids.last().unwrap();
    for wanted in [vec![ids[0].clone()], vec![last.clone()], ids.clone()] {
        let proof = node.ask("gettxoutproof", json!([wanted, hash]));
        assert_eq!(node.ask("verifytxoutproof", json!([proof])), json!(wanted), "in the order of the block");
    }
    // Without the block's name, an unspent output tells.
    let mined = Node::mined(3);
    let coinbase = mined.block_at(2).transactions()[0].txid().to_string();
    let proof = mined.ask("gettxoutproof", json!([[coinbase]]));
    assert_eq!(proof, mined.ask("gettxoutproof", json!([[coinbase], mined.block_at(2).hash().to_string()])));
    let (code, text) = node.refusal("verifytxoutproof", json!([proof]));
    assert_eq!((code, text.as_str()), (-5, "Block not found in chain"), "another chain has it");

    let refusals = [
        (json!([[]]), -8, "Parameter 'txids' cannot be empty".to_owned()),
        (json!([[ids[0], ids[0]]]), -8, format!("Invalid parameter, duplicated txid: {}", ids[0])),
        (json!([["ab"]]), -8, "txid must be of length 64 (not 2, for 'ab')".to_owned()),
        (json!([[NO_HASH]]), -5, "Transaction not yet in block".to_owned()),
        (json!([[ids[0]], NO_HASH]), -5, "Block not found".to_owned()),
        (json!([[ids[0], NO_HASH], hash]), -5, "Not all transactions found in specified or retrieved block".to_owned()),
    ];
    for (parameters, code, text) in refusals {
        assert_eq!(node.refusal("gettxoutproof", parameters.clone()), (code, text), "{parameters}");
    }
}

#[test]
fn a_proof_that_was_changed_proves_nothing() {
    let node = Node::core();
    let block = node.block_at(130);
    let txid = block.transactions()[1].txid();
    let proof = node.ask("gettxoutproof", json!([[txid.to_string()], block.hash().to_string()]));
    let bytes: Vec<u8> = bitcoin::hex::FromHex::from_hex(proof.as_str().unwrap()).unwrap();
    for place in (0..bytes.len()).step_by(7) {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        let told = node.call("verifytxoutproof", json!([bitcoin::hex::DisplayHex::to_lower_hex_string(&changed[..])]));
        assert!(!told.is_ok_and(|told| told == json!([txid.to_string()])), "byte {place} was changed");
    }
    for end in (0..bytes.len()).step_by(31) {
        let cut = bitcoin::hex::DisplayHex::to_lower_hex_string(&bytes[..end]);
        assert_eq!(node.refusal("verifytxoutproof", json!([cut])).0, -1);
    }
    assert_eq!(node.refusal("verifytxoutproof", json!(["x"])).0, -8);
    // CVE-2017-12842: an inner node of the tree, told as a leaf of a smaller one.
    let ids: Vec<bitcoin::Txid> = block.transactions().iter().map(|one| one.txid()).collect();
    assert_eq!(ids.len() % 2, 0, "no node stands for two, to keep this short");
    let above: Vec<bitcoin::Txid> = ids
        .chunks(2)
        .map(|two| {
            use bitcoin::hashes::{Hash, sha256d};
            let both = [two[0].to_byte_array(), two[1].to_byte_array()].concat();
            bitcoin::Txid::from_raw_hash(sha256d::Hash::hash(&both))
        })
        .collect();
    let forged = bitcoin::MerkleBlock::from_header_txids_with_predicate(block.header(), &above, |_| true);
    assert!(forged.extract_matches(&mut Vec::new(), &mut Vec::new()).is_ok(), "the root is right");
    let forged = bitcoin::consensus::encode::serialize_hex(&forged);
    assert_eq!(node.ask("verifytxoutproof", json!([forged])), json!([]));
}

#[test]
fn a_block_is_preferred() {
    let node = Node::mined(2);
    let hash = node.block_at(1).hash();
    assert_eq!(node.ask("preciousblock", json!([hash.to_string()])), Value::Null);
    assert_eq!(node.state().preferred, [hash]);
    assert_eq!(node.refusal("preciousblock", json!([NO_HASH])), (-5, "Block not found".into()));
}

#[test]
fn old_blocks_are_deleted_where_blocks_are_deleted_at_all() {
    let node = Node::mined(300);
    let text = "Cannot prune blocks because node is not in prune mode.";
    assert_eq!(node.refusal("pruneblockchain", json!([5])), (-1, text.into()));
    node.state().prunes = true;
    assert_eq!(node.refusal("pruneblockchain", json!([-1])), (-8, "Negative block height.".into()));
    let text = "Blockchain is shorter than the attempted prune height.";
    assert_eq!(node.refusal("pruneblockchain", json!([301])), (-8, text.into()));
    let text = "Could not find block with at least the specified timestamp.";
    assert_eq!(node.refusal("pruneblockchain", json!([4_000_000_000_u64])), (-8, text.into()));
    assert_eq!(node.ask("pruneblockchain", json!([0])), json!(-1), "nothing is gone");
    assert_eq!(node.ask("pruneblockchain", json!([5])), json!(5));
    assert_eq!(node.ask("getblockchaininfo", json!([]))["pruneheight"], json!(6));
    // The last 288 stay.
    assert_eq!(node.ask("pruneblockchain", json!([300])), json!(12));
    let time = node.block_at(20).header().time + 2 * 60 * 60;
    let state = |node: &Node| node.state().pruned.len();
    assert!(time > 1_000_000_000);
    node.ask("pruneblockchain", json!([time]));
    assert!(state(&node) <= 12);
    node.state().pruned.clear();
    let early = u64::from(node.block_at(4).header().time) + 2 * 60 * 60;
    let first =
        (0..=300).find(|height| u64::from(node.block_at(*height).header().time) + 2 * 60 * 60 >= early).unwrap();
    assert_eq!(node.ask("pruneblockchain", json!([early])), json!(first));
    let young = Node::mined(288);
    young.state().prunes = true;
    assert_eq!(young.refusal("pruneblockchain", json!([1])), (-1, "Blockchain is too short for pruning.".into()));
}
