//! Transactions as bytes, and PSBT.

use std::str::FromStr;

use bitcoin::Psbt;
use serde_json::{Value, json};

use super::node::{Node, anyone_s_address, hex, spend};

const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000001";

#[test]
fn a_sent_transaction_waits_and_is_mined() {
    let node = Node::mined(101);
    let transaction = node.spend(1, 1000);
    let id = json!(transaction.txid().to_string());
    let tried = node.ask("testmempoolaccept", json!([[hex(&transaction)]]));
    assert_eq!((&tried[0]["txid"], &tried[0]["allowed"]), (&id, &json!(true)));
    assert_eq!(tried[0]["fees"]["base"].to_string(), "0.00001000");
    assert_eq!(tried[0]["vsize"], json!(transaction.weight().div_ceil(4)));
    assert_eq!(node.ask("sendrawtransaction", json!([hex(&transaction)])), id);
    assert_eq!(node.ask("sendrawtransaction", json!([hex(&transaction)])), id, "once more is no error");
    assert_eq!(node.ask("getrawtransaction", json!([id])), hex(&transaction));
    let described = node.ask("getrawtransaction", json!([id, true]));
    assert_eq!(described["vout"][0]["value"].to_string(), "49.99999000");
    assert!(described.get("fee").is_none() && described.get("blockhash").is_none());
    let rich = node.ask("getrawtransaction", json!([id, 2]));
    assert_eq!(rich["fee"].to_string(), "0.00001000");
    assert_eq!(rich["vin"][0]["prevout"]["generated"], json!(true));

    let block = node.ask("generatetoaddress", json!([1, anyone_s_address()]))[0].clone();
    let text = "Transaction outputs already in utxo set";
    assert_eq!(node.refusal("sendrawtransaction", json!([hex(&transaction)])), (-27, text.into()));
    let (code, text) = node.refusal("getrawtransaction", json!([id]));
    assert!(code == -5 && text.starts_with("No such mempool transaction. Use -txindex"), "{text}");
    let mined = node.ask("getrawtransaction", json!([id, 1, block]));
    assert_eq!((&mined["in_active_chain"], &mined["confirmations"]), (&json!(true), &json!(1)));
    assert_eq!((&mined["blockhash"], &mined["time"]), (&block, &mined["blocktime"]));
    let keys: Vec<&String> = mined.as_object().unwrap().keys().collect();
    let expected = [
        "in_active_chain",
        "txid",
        "hash",
        "version",
        "size",
        "vsize",
        "weight",
        "locktime",
        "vin",
        "vout",
        "hex",
        "blockhash",
        "confirmations",
        "time",
        "blocktime",
    ];
    assert_eq!(keys, expected);
    let text = "No such transaction found in the provided block. Use gettransaction for wallet transactions.";
    assert_eq!(node.refusal("getrawtransaction", json!([NO_HASH, 0, block])), (-5, text.into()));
    assert_eq!(node.refusal("getrawtransaction", json!([NO_HASH, 0, NO_HASH])), (-5, "Block hash not found".into()));
    let genesis = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b";
    assert_eq!(node.refusal("getrawtransaction", json!([genesis])).0, -5);
    assert_eq!(node.refusal("getrawtransaction", json!(["x"])).1, "parameter 1 must be of length 64 (not 1, for 'x')");
}

#[test]
fn what_breaks_a_rule_is_not_sent() {
    let node = Node::mined(101);
    let good = node.spend(1, 1000);
    let text = "TX decode failed. Make sure the tx has at least one input.";
    assert_eq!(node.refusal("sendrawtransaction", json!(["00"])), (-22, text.into()));
    let missing = spend(&[(NO_HASH.parse().unwrap(), 0, bitcoin::Amount::ONE_BTC)], 1000, 1);
    let refusal = node.refusal("sendrawtransaction", json!([hex(&missing)]));
    assert_eq!(refusal, (-25, "bad-txns-inputs-missingorspent".into()));
    let free = node.spend(1, 0);
    assert_eq!(node.refusal("sendrawtransaction", json!([hex(&free)])), (-26, "min relay fee not met".into()));
    let young = node.spend(50, 1000);
    let refusal = node.refusal("sendrawtransaction", json!([hex(&young)]));
    assert_eq!(refusal, (-26, "bad-txns-premature-spend-of-coinbase".into()));
    let dear = node.spend(1, 100_000_000);
    let text = "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)";
    assert_eq!(node.refusal("sendrawtransaction", json!([hex(&dear)])), (-25, text.into()));
    let text = "Fee rates larger than or equal to 1BTC/kvB are not accepted";
    assert_eq!(node.refusal("sendrawtransaction", json!([hex(&good), 1])), (-8, text.into()));
    assert_eq!(node.refusal("sendrawtransaction", json!([hex(&good), "x"])), (-3, "Invalid amount".into()));
    // Of no inputs: version, no inputs, one output of nothing, its script, lock time.
    let bare = node.ask("createrawtransaction", json!([[], [{"data": "00"}]]));
    assert_eq!(bare, ["02000000", "00", "01", "0000000000000000", "03", "6a0100", "00000000"].concat());

    let tried = node.ask("testmempoolaccept", json!([[hex(&good), hex(&missing), hex(&dear), hex(&free)]]));
    let reasons: Vec<&Value> = tried.as_array().unwrap().iter().map(|one| &one["reject-reason"]).collect();
    let expected = json!([null, "missing-inputs", "max-fee-exceeded", "min relay fee not met"]);
    assert_eq!(json!(reasons), expected);
    assert_eq!(tried[1]["reject-details"], "bad-txns-inputs-missingorspent");
    let text = "Array must contain between 1 and 25 transactions.";
    assert_eq!(node.refusal("testmempoolaccept", json!([[]])), (-8, text.into()));
    assert_eq!(node.refusal("testmempoolaccept", json!([vec![hex(&good); 26]])), (-8, text.into()));
    assert_eq!(node.ask("testmempoolaccept", json!([vec![hex(&good); 25]])).as_array().unwrap().len(), 25);
    assert_eq!(node.refusal("testmempoolaccept", json!([["00"]])).0, -22);
    assert_eq!(node.ask("sendrawtransaction", json!([hex(&dear), 0])), dear.txid().to_string());
}

#[test]
fn money_is_not_burnt_by_mistake() {
    let node = Node::mined(101);
    let mut burning = node.spend(1, 1000).decoded().clone();
    burning.output[0].script_pubkey = bitcoin::ScriptBuf::new_op_return([7; 32]);
    let text = bitcoin::consensus::encode::serialize_hex(&burning);
    let refused = "Unspendable output exceeds maximum configured by user (maxburnamount)";
    assert_eq!(node.refusal("sendrawtransaction", json!([text])), (-25, refused.into()));
    let id = burning.compute_txid().to_string();
    assert_eq!(node.ask("sendrawtransaction", json!([text, null, 50])), id);
}

/// Bitcoin Core, `test/functional/rpc_rawtransaction.py` and `rpc_psbt.py` (MIT): the same refusals.
#[test]
fn a_transaction_is_made_of_its_parts() {
    let node = Node::new();
    let address = anyone_s_address();
    let input = json!([{"txid": NO_HASH, "vout": 1}]);
    let made = node.ask("createrawtransaction", json!([input, {address.clone(): "0.5"}, 7]));
    let decoded = node.ask("decoderawtransaction", json!([made]));
    assert_eq!((&decoded["version"], &decoded["locktime"]), (&json!(2), &json!(7)));
    assert_eq!(decoded["vin"][0]["sequence"], json!(0xffff_fffd_u32));
    assert_eq!(decoded["vout"][0]["value"].to_string(), "0.50000000");
    assert_eq!(decoded["vout"][0]["scriptPubKey"]["type"], "witness_v0_scripthash");
    let last = |replaceable: bool, lock: u32| {
        let made = node.ask("createrawtransaction", json!([input, {}, lock, replaceable]));
        node.ask("decoderawtransaction", json!([made]))["vin"][0]["sequence"].clone()
    };
    assert_eq!((last(false, 0), last(false, 1)), (json!(0xffff_ffff_u32), json!(0xffff_fffe_u32)));
    for (parameters, code, message) in [
        (json!([[{}], {}]), -8, "Invalid parameter, missing txid key"),
        (json!([[{"txid": NO_HASH}], {}]), -8, "Invalid parameter, missing vout key"),
        (json!([[{"txid": NO_HASH, "vout": -1}], {}]), -8, "Invalid parameter, vout cannot be negative"),
        (
            json!([[{"txid": NO_HASH, "vout": 0, "sequence": -1}], {}]),
            -8,
            "Invalid parameter, sequence number is out of range",
        ),
        (json!([[{"txid": "foo", "vout": 0}], {}]), -8, "txid must be of length 64 (not 3, for 'foo')"),
        (json!([[], {}, -1]), -8, "Invalid parameter, locktime out of range"),
        (json!([[], {}, 4_294_967_296_u64]), -8, "Invalid parameter, locktime out of range"),
        (json!([[], {}, 0, true, 4]), -8, "Invalid parameter, version out of range(1~3)"),
        (json!([[], {"foo": 1}]), -5, "Invalid Bitcoin address: foo"),
        (json!([[], {address.clone(): "foo"}]), -3, "Invalid amount"),
        (json!([[], {address.clone(): -1}]), -3, "Amount out of range"),
        (
            json!([[], [{address.clone(): 1}, {address.clone(): 1}]]),
            -8,
            &format!("Invalid parameter, duplicated address: {address}"),
        ),
        (json!([[], [{"data": "99"}, {"data": "99"}]]), -8, "Invalid parameter, duplicate key: data"),
        (json!([[], [{"a": 1, "b": 2}]]), -8, "Invalid parameter, key-value pair must contain exactly one key"),
        (json!([[], ["a"]]), -8, "Invalid parameter, key-value pair not an object as expected"),
        (json!([[], {"data": "foo"}]), -8, "Data must be hexadecimal string (not 'foo')"),
    ] {
        assert_eq!(
            node.refusal("createrawtransaction", parameters.clone()),
            (code, message.to_owned()),
            "{parameters}"
        );
    }
    assert_eq!(node.refusal("decoderawtransaction", json!(["zz"])), (-22, "TX decode failed".into()));
}

/// Bitcoin Core, `test/functional/rpc_decodescript.py` and `src/test/data/tx_valid.json` (MIT).
#[test]
fn scripts_are_told_in_words() {
    let node = Node::new();
    let asm = |hex: &str| node.ask("decodescript", json!([hex]))["asm"].clone();
    assert_eq!(asm(""), "");
    assert_eq!(asm("6a"), "OP_RETURN");
    assert_eq!(asm("00514f60"), "0 1 -1 16");
    assert_eq!(asm("0102020304"), "2 1027");
    assert_eq!(asm("0181"), "-1");
    assert_eq!(asm("04ffffff7f"), "2147483647");
    assert_eq!(asm("050102030405"), "0102030405");
    assert_eq!(asm("b1b2ba"), "OP_CHECKLOCKTIMEVERIFY OP_CHECKSEQUENCEVERIFY OP_CHECKSIGADD");
    assert_eq!(asm("bbff"), "OP_UNKNOWN OP_INVALIDOPCODE");
    assert_eq!(asm("4c"), "[error]");
    let key = "03b0da749730dc9b4b1f4a14d6902877a92541f5368778853d9c4a0cb7802dcfb2";
    let script = node.ask("decodescript", json!([format!("21{key}ac")]));
    assert_eq!(script["asm"], format!("{key} OP_CHECKSIG"));
    assert_eq!(script["type"], "pubkey");
    assert!(script.get("hex").is_none() && script.get("address").is_none());
    assert!(script["desc"].as_str().unwrap().starts_with(&format!("pk({key})#")));
    let segwit = &script["segwit"];
    assert_eq!(segwit["asm"], "0 5dd1d3a048119c27b28293056724d9522f26d945");
    assert_eq!(segwit["type"], "witness_v0_keyhash");
    let multi = node.ask("decodescript", json!([format!("5221{key}21{key}21{key}53ae")]));
    assert_eq!((&multi["type"], &multi["segwit"]["type"]), (&json!("multisig"), &json!("witness_v0_scripthash")));
    assert!(multi["segwit"]["desc"].as_str().unwrap().starts_with("wsh(multi(2,"));
    let hash = "a9145dd1d3a048119c27b28293056724d9522f26d94587";
    let wrapped = node.ask("decodescript", json!([hash]));
    assert!(wrapped.get("p2sh").is_none() && wrapped.get("segwit").is_none());
    assert_eq!(node.refusal("decodescript", json!(["0"])).0, -8);
}

#[test]
fn signatures_in_scripts_are_told_with_their_kind() {
    let node = Node::core();
    // A P2PKH or P2SH input of Core's chain has a signature in its script.
    let scripts = (1..=160).flat_map(|height| {
        let block = node.ask("getblock", json!([node.ask("getblockhash", json!([height])), 2]));
        let inputs = block["tx"].as_array().unwrap().iter().flat_map(|tx| tx["vin"].as_array().unwrap().clone());
        inputs.filter_map(|input| Some(input.get("scriptSig")?["asm"].as_str()?.to_owned())).collect::<Vec<_>>()
    });
    let scripts: Vec<String> = scripts.collect();
    assert!(scripts.iter().any(|asm| asm.contains("[ALL] 0")), "no signature among {} scripts", scripts.len());
}

#[test]
fn a_psbt_goes_from_hand_to_hand_until_it_is_a_transaction() {
    let node = Node::mined(101);
    let coinbase = node.block_at(1).transactions()[0].txid().to_string();
    let input = json!([{"txid": coinbase, "vout": 0}]);
    let made = node.ask("createpsbt", json!([input, {anyone_s_address(): "49.9999"}]));
    let next = |psbt: &Value| node.ask("analyzepsbt", json!([psbt]))["next"].clone();
    assert_eq!(next(&made), "updater");
    let updated = node.ask("utxoupdatepsbt", json!([made]));
    assert_eq!(next(&updated), "signer");
    let shown = node.ask("decodepsbt", json!([updated]));
    assert_eq!(shown["fee"].to_string(), "0.00010000");
    assert_eq!(shown["inputs"][0]["witness_utxo"]["amount"].to_string(), "50.00000000");
    assert_eq!(shown["tx"]["vin"][0]["txid"], coinbase);

    // Whoever knows the script adds it; nobody has to sign.
    let mut psbt = Psbt::from_str(updated.as_str().unwrap()).unwrap();
    psbt.inputs[0].witness_script = Some(bitcoin::ScriptBuf::from_bytes(vec![0x51]));
    let known = json!(psbt.to_string());
    let combined = node.ask("combinepsbt", json!([[updated, known]]));
    assert_eq!(combined, known);
    let shown = node.ask("decodepsbt", json!([combined]));
    assert_eq!(shown["inputs"][0]["witness_script"]["asm"], "1");
    let analysis = node.ask("analyzepsbt", json!([combined]));
    assert_eq!((&analysis["next"], analysis["fee"].to_string()), (&json!("finalizer"), "0.00010000".to_owned()));
    let whole = node.ask("finalizepsbt", json!([combined]));
    assert_eq!(whole["complete"], json!(true));
    assert!(whole.get("psbt").is_none());
    let id = node.ask("sendrawtransaction", json!([whole["hex"]]));
    assert_eq!(id, shown["tx"]["txid"]);
    let kept = node.ask("finalizepsbt", json!([combined, false]));
    assert_eq!(next(&kept["psbt"]), "extractor");
    let unfinished = node.ask("finalizepsbt", json!([updated]));
    assert_eq!((&unfinished["complete"], &unfinished["psbt"]), (&json!(false), &updated));

    let converted = node.ask("converttopsbt", json!([whole["hex"], true]));
    assert_eq!(converted, made);
    let text = "Inputs must not have scriptSigs and scriptWitnesses";
    assert_eq!(node.refusal("converttopsbt", json!([whole["hex"]])), (-22, text.into()));
    assert_eq!(node.refusal("combinepsbt", json!([[]])), (-8, "Parameter 'txs' cannot be empty".into()));
    let other = node.ask("createpsbt", json!([input, {anyone_s_address(): 1}]));
    let text = "PSBTs not compatible (different transactions)";
    assert_eq!(node.refusal("combinepsbt", json!([[made, other]])), (-8, text.into()));
    for method in ["decodepsbt", "analyzepsbt", "finalizepsbt", "utxoupdatepsbt"] {
        let (code, text) = node.refusal(method, json!(["aaaa"]));
        assert!(code == -22 && text.starts_with("TX decode failed "), "{text}");
    }
}

/// What of a package's result is about a transaction.
fn of<'a>(reply: &'a Value, transaction: &yap_chain::transaction::Transaction) -> &'a Value {
    &reply["tx-results"][transaction.wtxid().to_string()]
}

/// A parent of the coinbase at a height with this fee, and a child of it.
fn family(node: &Node, height: u32, fees: [u64; 2]) -> [yap_chain::transaction::Transaction; 2] {
    let parent = node.spend(height, fees[0]);
    let child = spend(&[(parent.txid(), 0, parent.decoded().output[0].value)], fees[1], 1);
    [parent, child]
}

#[test]
fn a_child_pays_for_its_parent_in_a_package() {
    let node = Node::mined(110);
    let [parent, child] = family(&node, 1, [0, 5_000]);
    assert_eq!(node.refusal("sendrawtransaction", json!([hex(&parent)])), (-26, "min relay fee not met".into()));
    let package = json!([[hex(&parent), hex(&child)]]);
    let reply = node.ask("submitpackage", package.clone());
    assert_eq!((&reply["package_msg"], &reply["replaced-transactions"]), (&json!("success"), &json!([])));
    let order: Vec<&String> = reply["tx-results"].as_object().unwrap().keys().collect();
    assert_eq!(order, [&parent.wtxid().to_string(), &child.wtxid().to_string()]);
    for (one, fee) in [(&parent, "0.00000000"), (&child, "0.00005000")] {
        let result = of(&reply, one);
        assert_eq!((&result["txid"], result["fees"]["base"].to_string()), (&json!(one.txid().to_string()), fee.into()));
        let vsize: u64 = [&parent, &child].iter().map(|one| one.weight().div_ceil(4) as u64).sum();
        let rate = format!("0.{:08}", 5_000 * 1_000 / vsize);
        assert_eq!(result["fees"]["effective-feerate"].to_string(), rate);
        assert_eq!(
            result["fees"]["effective-includes"],
            json!([parent.wtxid().to_string(), child.wtxid().to_string()])
        );
    }
    assert_eq!(node.ask("getmempoolinfo", json!([]))["size"], json!(2));
    // They wait already: then it is not told by what they were judged.
    let again = node.ask("submitpackage", package);
    assert_eq!(again["package_msg"], "success");
    assert!(of(&again, &parent)["fees"].get("effective-feerate").is_none());
    assert_eq!(of(&again, &child)["vsize"], json!(child.weight().div_ceil(4)));
}

#[test]
fn parents_that_pay_enough_go_alone_and_what_they_replace_is_told() {
    let node = Node::mined(110);
    let rival = node.spend(1, 1_000);
    node.ask("sendrawtransaction", json!([hex(&rival)]));
    let parents = [node.spend(1, 9_000), node.spend(2, 9_000), node.spend(3, 0)];
    let coins: Vec<_> = parents.iter().map(|one| (one.txid(), 0, one.decoded().output[0].value)).collect();
    let child = spend(&coins, 20_000, 1);
    let all: Vec<String> = parents.iter().chain([&child]).map(hex).collect();
    let reply = node.ask("submitpackage", json!([all]));
    assert_eq!(reply["package_msg"], "success", "{reply}");
    assert_eq!(reply["replaced-transactions"], json!([rival.txid().to_string()]));
    let includes = |one| of(&reply, one)["fees"]["effective-includes"].as_array().unwrap().len();
    assert_eq!(parents.iter().map(includes).collect::<Vec<_>>(), [1, 1, 2]);
    let single = node.spend(4, 2_000);
    let reply = node.ask("submitpackage", json!([[hex(&single)]]));
    assert_eq!(of(&reply, &single)["fees"]["base"].to_string(), "0.00002000");
}

#[test]
fn what_is_wrong_with_a_package_is_told() {
    let node = Node::mined(110);
    let limits = "Array must contain between 1 and 25 transactions.";
    assert_eq!(node.refusal("submitpackage", json!([[]])), (-8, limits.into()));
    assert_eq!(node.refusal("submitpackage", json!([vec!["00"; 26]])), (-8, limits.into()));
    let [parent, child] = family(&node, 1, [0, 5_000]);
    let topology = "package topology disallowed. not child-with-parents or parents depend on each other.";
    for wrong in [vec![&child, &parent], vec![&node.spend(2, 500), &child]] {
        let wrong: Vec<String> = wrong.into_iter().map(hex).collect();
        assert_eq!(node.refusal("submitpackage", json!([wrong])), (-25, topology.into()));
    }
    let reply = node.ask("submitpackage", json!([[hex(&parent), hex(&parent), hex(&child)]]));
    assert_eq!(reply["package_msg"], "package-contains-duplicates");
    assert_eq!(of(&reply, &child)["error"], "package-not-validated");
    let rival = spend(
        &[(
            parent.decoded().input[0].previous_output.txid,
            0,
            node.block_at(1).transactions()[0].decoded().output[0].value,
        )],
        7_000,
        2,
    );
    let both = spend(
        &[(parent.txid(), 0, parent.decoded().output[0].value), (rival.txid(), 0, rival.decoded().output[0].value)],
        500,
        1,
    );
    let reply = node.ask("submitpackage", json!([[hex(&parent), hex(&rival), hex(&both)]]));
    assert_eq!(reply["package_msg"], "conflict-in-package");

    // Too little for both.
    let [low, lower] = family(&node, 2, [0, 1]);
    let reply = node.ask("submitpackage", json!([[hex(&low), hex(&lower)]]));
    assert_eq!(reply["package_msg"], "transaction failed");
    assert_eq!(of(&reply, &low)["error"], "min relay fee not met");
    assert!(of(&reply, &lower)["error"].is_string(), "{reply}");
    // More than the caller wants to pay.
    let dear = json!([[hex(&parent), hex(&child)], "0.00000100"]);
    let reply = node.ask("submitpackage", dear);
    assert_eq!(
        (&reply["package_msg"], &of(&reply, &child)["error"]),
        (&json!("transaction failed"), &json!("max feerate exceeded"))
    );
    assert_eq!(node.refusal("submitpackage", json!([[hex(&parent), hex(&child)], 1])).0, -8);
    // Two parents that both need help: one child can't help both here.
    let needy = [node.spend(3, 0), node.spend(4, 0)];
    let coins: Vec<_> = needy.iter().map(|one| (one.txid(), 0, one.decoded().output[0].value)).collect();
    let helper = spend(&coins, 50_000, 1);
    let reply = node.ask("submitpackage", json!([[hex(&needy[0]), hex(&needy[1]), hex(&helper)]]));
    assert_eq!(of(&reply, &needy[1])["error"], "min relay fee not met");
    assert_eq!(of(&reply, &helper)["error"], "bad-txns-inputs-missingorspent");
    assert_eq!(node.ask("getmempoolinfo", json!([]))["size"], json!(0));
}
