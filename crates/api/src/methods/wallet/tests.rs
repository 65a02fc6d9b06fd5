//! Each method once as it should be, and once for each way in which it fails.

use std::sync::Arc;

use serde_json::{Value, json};
use yap_protocol::io::Judged;

use crate::error::Code;
use crate::fixture::StandIn;

const COIN: u64 = 100_000_000;

/// Somebody else's, on the chain `local`: the witness program is 20 zeros.
fn theirs(node: &Arc<StandIn>) -> String {
    let mut script = vec![0, 20];
    script.extend([0; 20]);
    let spec = yap_chain::spec::Spec::local();
    let address = yap_chain::address::encode(bitcoin::Script::from_bytes(&script), &spec.addresses);
    assert!(!node.wallet(|wallet| wallet.is_mine(bitcoin::Script::from_bytes(&script))));
    address.unwrap()
}

fn rich() -> Arc<StandIn> {
    StandIn::with_coins(&[COIN, 2 * COIN, 3 * COIN])
}

fn call(node: &Arc<StandIn>, method: &str, parameters: Value) -> Value {
    node.call(method, parameters).unwrap_or_else(|error| panic!("{method}: {error}"))
}

fn fails(node: &Arc<StandIn>, method: &str, parameters: Value) -> (Code, String) {
    let error = node.call(method, parameters).expect_err("it fails");
    (error.code, error.message)
}

/// The transaction that was sent to the network.
fn sent(node: &Arc<StandIn>) -> Vec<String> {
    node.calls().into_iter().filter_map(|call| call.strip_prefix("submit ").map(str::to_owned)).collect()
}

#[test]
fn without_a_wallet_it_is_said_how_to_get_one() {
    let node = StandIn::new();
    let (code, text) = fails(&node, "getbalance", json!([]));
    assert_eq!((code, text.contains("yap wallet create")), (Code::WalletNotFound, true));
    assert_eq!(call(&node, "listwallets", json!([])), json!([]));
    assert!(text.contains("createwallet") && text.contains("loadwallet"), "{text}");
    assert_eq!(call(&node, "listwalletdir", json!([])), json!({ "wallets": [] }));
    assert_eq!(fails(&node, "loadwallet", json!([""])).0, Code::WalletNotFound);
    assert_eq!(fails(&node, "unloadwallet", json!([])).0, Code::WalletNotFound);
}

#[test]
fn a_wallet_is_made_let_go_of_and_loaded_again() {
    let node = StandIn::new();
    let named = json!({ "name": "" });
    assert_eq!(call(&node, "createwallet", json!([""])), named);
    assert_eq!(call(&node, "listwallets", json!([])), json!([""]));
    let address = call(&node, "getnewaddress", json!([]));
    assert_eq!(call(&node, "unloadwallet", json!([""])), json!({}));
    assert_eq!(call(&node, "listwallets", json!([])), json!([]));
    assert_eq!(call(&node, "listwalletdir", json!([])), json!({ "wallets": [named] }));
    assert_eq!(fails(&node, "getnewaddress", json!([])).0, Code::WalletNotFound);
    assert_eq!(fails(&node, "createwallet", json!([""])).0, Code::WalletAlreadyExists);
    assert_eq!(call(&node, "loadwallet", json!([""])), named);
    assert_eq!(call(&node, "getaddressinfo", json!([address]))["ismine"], json!(true));
}

#[test]
fn a_wallet_is_made_with_a_passphrase_and_not_as_it_cannot_be() {
    let node = StandIn::new();
    let positional = json!(["", false, false, "secret", false, true, null, false]);
    assert_eq!(call(&node, "createwallet", positional), json!({ "name": "" }));
    assert_eq!(call(&node, "getwalletinfo", json!([]))["unlocked_until"], json!(0), "it is locked");
    call(&node, "walletpassphrase", json!(["secret", 60]));
    let node = StandIn::new();
    for (wish, code) in [
        (json!({ "disable_private_keys": true }), Code::Wallet),
        (json!({ "blank": true }), Code::Wallet),
        (json!({ "avoid_reuse": true }), Code::Wallet),
        (json!({ "descriptors": false }), Code::Wallet),
        (json!({ "external_signer": true }), Code::Wallet),
        (json!({ "load_on_startup": true }), Code::InvalidParameter),
    ] {
        let mut wish = wish;
        wish["wallet_name"] = json!("");
        assert_eq!(fails(&node, "createwallet", wish.clone()).0, code, "{wish}");
    }
    assert_eq!(call(&node, "listwalletdir", json!([])), json!({ "wallets": [] }), "none was made");
    let warned = call(&node, "createwallet", json!({ "wallet_name": "", "passphrase": "" }));
    assert_eq!(warned["warnings"], json!(["Empty string given as passphrase, wallet will not be encrypted."]));
}

#[test]
fn there_is_one_wallet() {
    let node = rich();
    assert_eq!(call(&node, "listwallets", json!([])), json!([""]));
    assert_eq!(
        fails(&node, "loadwallet", json!([""])),
        (Code::WalletAlreadyLoaded, "Wallet \"\" is already loaded.".into())
    );
    assert_eq!(fails(&node, "loadwallet", json!(["boat"])).0, Code::WalletNotFound);
    assert_eq!(fails(&node, "createwallet", json!([""])).0, Code::WalletAlreadyExists);
    assert_eq!(fails(&node, "createwallet", json!(["boat"])).0, Code::Wallet);
    assert_eq!(fails(&node, "unloadwallet", json!(["boat"])).0, Code::WalletNotFound);
    let info = call(&node, "getwalletinfo", json!([]));
    assert_eq!((&info["walletname"], info["balance"].to_string()), (&json!(""), "6.00000000".into()));
    assert_eq!((&info["txcount"], &info["lastprocessedblock"]["height"]), (&json!(3), &json!(3)));
    assert_eq!((info.get("unlocked_until"), &info["scanning"]), (None, &json!(false)));
}

#[test]
fn addresses_are_given_and_described() {
    let node = rich();
    for (kind, start) in [(json!(null), "bcrt1q"), (json!("bech32m"), "bcrt1p"), (json!("bech32"), "bcrt1q")] {
        let address = call(&node, "getnewaddress", json!(["", kind]));
        assert!(address.as_str().unwrap().starts_with(start), "{address}");
        assert!(call(&node, "getrawchangeaddress", json!([kind])).as_str().unwrap().starts_with(start));
    }
    let address = call(&node, "getnewaddress", json!(["boat", "legacy"]));
    let info = call(&node, "getaddressinfo", json!([address]));
    assert_eq!((&info["ismine"], &info["ischange"], &info["labels"]), (&json!(true), &json!(false), &json!(["boat"])));
    assert_eq!(info["hdkeypath"], "m/44h/1h/0h/0/0");
    assert!(info["desc"].as_str().unwrap().starts_with("pkh([73c5da0a/44h/1h/0h/0/0]"), "{info}");
    let other = call(&node, "getaddressinfo", json!([theirs(&node)]));
    assert_eq!((&other["ismine"], other.get("desc"), &other["iswitness"]), (&json!(false), None, &json!(true)));
    let wrong = |parameters| fails(&node, "getnewaddress", parameters);
    assert_eq!(wrong(json!(["", "p2sh-segwit"])), (Code::Wallet, "Error: No p2sh-segwit addresses available.".into()));
    assert_eq!(wrong(json!(["", "gold"])), (Code::NotFound, "Unknown address type 'gold'".into()));
    assert_eq!(wrong(json!(["*"])), (Code::InvalidLabel, "Invalid label name".into()));
    assert_eq!(wrong(json!(["x".repeat(256)])).0, Code::InvalidLabel);
    assert_eq!(fails(&node, "getaddressinfo", json!(["gold"])).0, Code::NotFound);
    assert_eq!(fails(&node, "getrawchangeaddress", json!(["gold"])).0, Code::NotFound);
}

#[test]
fn addresses_have_labels() {
    let node = rich();
    let (mine, theirs) = (call(&node, "getnewaddress", json!(["rent"])), theirs(&node));
    call(&node, "setlabel", json!([theirs, "landlord"]));
    assert_eq!(call(&node, "listlabels", json!([])), json!(["", "landlord", "rent"]));
    assert_eq!(call(&node, "listlabels", json!(["send"])), json!(["landlord"]));
    assert_eq!(call(&node, "listlabels", json!(["receive"])), json!(["", "rent"]));
    let found = call(&node, "getaddressesbylabel", json!(["rent"]));
    assert_eq!(found, json!({ mine.as_str().unwrap(): { "purpose": "receive" } }));
    assert_eq!(call(&node, "getaddressesbylabel", json!(["landlord"]))[&theirs]["purpose"], "send");
    let none = (Code::InvalidLabel, "No addresses with label boat".to_owned());
    assert_eq!(fails(&node, "getaddressesbylabel", json!(["boat"])), none);
    assert_eq!(fails(&node, "setlabel", json!([theirs, "*"])).0, Code::InvalidLabel);
    assert_eq!(fails(&node, "setlabel", json!(["gold", "x"])).0, Code::NotFound);
}

#[test]
fn what_is_there_is_counted() {
    let node = rich();
    assert_eq!(call(&node, "getbalance", json!([])).to_string(), "6.00000000");
    assert_eq!(call(&node, "getbalance", json!(["*", 2])).to_string(), "3.00000000", "of two blocks");
    assert_eq!(fails(&node, "getbalance", json!(["savings"])).0, Code::Deprecated);
    let balances = call(&node, "getbalances", json!([]));
    assert_eq!(balances["mine"]["trusted"].to_string(), "6.00000000");
    assert_eq!(call(&node, "getunconfirmedbalance", json!([])).to_string(), "0.00000000");
    let coins = call(&node, "listunspent", json!([]));
    assert_eq!(coins.as_array().map(Vec::len), Some(3));
    let address = coins[0]["address"].clone();
    let amount = coins[0]["amount"].to_string();
    assert_eq!(call(&node, "getreceivedbyaddress", json!([address])).to_string(), amount);
    assert_eq!(call(&node, "listunspent", json!([1, 9_999_999, [address]])).as_array().map(Vec::len), Some(1));
    assert_eq!(call(&node, "listunspent", json!([2])).as_array().map(Vec::len), Some(2));
    let large = json!([1, 9_999_999, [], true, { "minimumAmount": 2.5 }]);
    assert_eq!(call(&node, "listunspent", large)[0]["amount"].to_string(), "3.00000000");
    let few = json!([1, 9_999_999, [], true, { "maximumCount": 2 }]);
    assert_eq!(call(&node, "listunspent", few).as_array().map(Vec::len), Some(2));
    assert_eq!(fails(&node, "listunspent", json!([1, 9, [address, address]])).0, Code::InvalidParameter);
    assert_eq!(fails(&node, "getreceivedbyaddress", json!([theirs(&node)])).0, Code::Wallet);
    let received = call(&node, "listreceivedbyaddress", json!([]));
    assert_eq!(received.as_array().map(Vec::len), Some(3));
    assert_eq!((&received[2]["confirmations"], received[2]["txids"].as_array().map(Vec::len)), (&json!(1), Some(1)));
    call(&node, "getnewaddress", json!([]));
    assert_eq!(call(&node, "listreceivedbyaddress", json!([1, true])).as_array().map(Vec::len), Some(4));
}

#[test]
fn coins_are_locked_and_let_go() {
    let node = rich();
    let coin = call(&node, "listunspent", json!([]))[0].clone();
    let named = json!({ "txid": coin["txid"], "vout": coin["vout"] });
    assert_eq!(call(&node, "lockunspent", json!([false, [named]])), json!(true));
    assert_eq!(call(&node, "listlockunspent", json!([])), json!([named]));
    assert_eq!(call(&node, "listunspent", json!([])).as_array().map(Vec::len), Some(2));
    let wrong = |parameters| fails(&node, "lockunspent", parameters).1;
    assert_eq!(wrong(json!([false, [named]])), "Invalid parameter, output already locked");
    let (mut beyond, mut unknown) = (named.clone(), named.clone());
    beyond["vout"] = json!(9);
    unknown["txid"] = json!("11".repeat(32));
    assert_eq!(wrong(json!([false, [beyond]])), "Invalid parameter, expected unspent output");
    assert_eq!(wrong(json!([false, [unknown]])), "Invalid parameter, unknown transaction");
    assert_eq!(wrong(json!([false, ["coin"]])), "a coin is not an object as expected");
    assert_eq!(call(&node, "lockunspent", json!([true])), json!(true));
    assert_eq!(call(&node, "listlockunspent", json!([])), json!([]));
    assert_eq!(wrong(json!([true, [named]])), "Invalid parameter, expected locked output");
}

#[test]
fn somebody_is_paid() {
    let node = rich();
    let to = theirs(&node);
    let paid = call(&node, "sendtoaddress", json!([to, 1.5, "for the boat", "Bob"]));
    assert_eq!(sent(&node), [paid.as_str().unwrap()]);
    let told = call(&node, "gettransaction", json!([paid]));
    assert_eq!((told["amount"].to_string(), &told["comment"]), ("-1.50000000".into(), &json!("for the boat")));
    assert_eq!((&told["to"], &told["status"], &told["confirmations"]), (&json!("Bob"), &json!("pending"), &json!(0)));
    assert_eq!((&told["isolated"], &told["bip125-replaceable"]), (&json!(false), &json!("yes")));
    assert!(told["fee"].to_string().starts_with("-0.0"), "{told}");
    assert_eq!((&told["details"][0]["category"], &told["details"][0]["address"]), (&json!("send"), &json!(to)));
    let decoded = call(&node, "gettransaction", json!([paid, true, true]))["decoded"]["txid"].clone();
    assert_eq!((decoded, told.get("decoded")), (paid.clone(), None));
    let both = json!({ "address": to, "amount": 0.5, "fee_rate": 2.5, "subtractfeefromamount": true, "verbose": true });
    let object = call(&node, "sendtoaddress", both);
    assert_eq!(object["fee_reason"], "Fee rate was given");
    let told = call(&node, "gettransaction", json!([object["txid"]]));
    let list = call(&node, "listtransactions", json!([]));
    assert_eq!(list.as_array().map(Vec::len), Some(5), "three that came, and two that went");
    assert_eq!((&list[4]["txid"], &list[4]["category"]), (&told["txid"], &json!("send")));
    assert_eq!(list[0]["category"], "receive");
}

#[test]
fn payments_that_cant_be_are_refused() {
    let node = rich();
    let to = theirs(&node);
    for (parameters, code) in [
        (json!([to, 7]), Code::InsufficientFunds),
        (json!([to, 0.00000001]), Code::Wallet),
        (json!(["gold", 1]), Code::NotFound),
        (json!({ "address": to, "amount": 1, "fee_rate": 1, "conf_target": 6 }), Code::InvalidParameter),
        (json!({ "address": to, "amount": 1, "conf_target": 0 }), Code::InvalidParameter),
        (json!({ "address": to, "amount": 1, "estimate_mode": "wild" }), Code::InvalidParameter),
        (json!({ "address": to, "amount": 1, "avoid_reuse": true }), Code::Wallet),
        (json!({ "address": to, "amount": 1, "fee_rate": 0.01 }), Code::Wallet),
        (json!({ "address": to, "amount": 1, "comment": "x".repeat(256) }), Code::InvalidParameter),
    ] {
        assert_eq!(fails(&node, "sendtoaddress", parameters.clone()).0, code, "{parameters}");
    }
    let (_, text) = fails(&node, "sendtoaddress", json!([to, 7]));
    assert!(text.starts_with("Insufficient funds"), "{text}");
    assert_eq!(fails(&node, "sendtoaddress", json!([to, -1])).0, Code::Type);
    assert_eq!(sent(&node), Vec::<String>::new());
}

#[test]
fn a_payment_that_the_mempool_refuses_is_given_up() {
    let node = rich();
    node.scene().judged = Judged::Policy { reason: "min relay fee not met", witness: false };
    let refused = fails(&node, "sendtoaddress", json!([theirs(&node), 5.5]));
    assert_eq!(refused, (Code::Rejected, "min relay fee not met".into()));
    let [given_up] = <[String; 1]>::try_from(sent(&node)).unwrap();
    assert_eq!(call(&node, "gettransaction", json!([given_up]))["status"], "abandoned");
    assert_eq!(call(&node, "getbalance", json!([])).to_string(), "6.00000000", "its coins are free again");
    // What could not be checked is kept.
    node.scene().judged = Judged::Failed;
    let (code, text) = fails(&node, "sendtoaddress", json!([theirs(&node), 5.5]));
    assert_eq!((code, text.contains("is kept")), (Code::Wallet, true), "{text}");
    let [kept] = <[String; 1]>::try_from(sent(&node)).unwrap();
    assert_eq!(call(&node, "gettransaction", json!([kept]))["status"], "dropped");
    call(&node, "abandontransaction", json!([kept]));
    let again = (Code::NotFound, "Transaction not eligible for abandonment".to_owned());
    assert_eq!(fails(&node, "abandontransaction", json!([kept])), again);
    let unknown = (Code::NotFound, "Invalid or non-wallet transaction id".to_owned());
    assert_eq!(fails(&node, "abandontransaction", json!(["11".repeat(32)])), unknown);
    assert_eq!(fails(&node, "gettransaction", json!(["11".repeat(32)])), unknown);
}

#[test]
fn whoever_is_alone_is_told_so() {
    let node = rich();
    node.wallet(|wallet| wallet.set_alone(true));
    let paid = call(&node, "sendtoaddress", json!([theirs(&node), 1]));
    let told = call(&node, "gettransaction", json!([paid]));
    assert_eq!((&told["isolated"], &told["status"]), (&json!(true), &json!("isolated")));
    node.wallet(|wallet| wallet.set_alone(false));
    assert_eq!(call(&node, "gettransaction", json!([paid]))["isolated"], false);
}

#[test]
fn several_are_paid_at_once() {
    let node = rich();
    let (to, mine) = (theirs(&node), call(&node, "getnewaddress", json!([])));
    let amounts = json!({ to.clone(): 1, mine.as_str().unwrap(): 0.25 });
    let paid = call(&node, "sendmany", json!(["", amounts, null, "both", [to]]));
    let told = call(&node, "gettransaction", json!([paid]));
    let categories: Vec<&Value> = told["details"].as_array().unwrap().iter().map(|part| &part["category"]).collect();
    assert_eq!(categories, [&json!("send"), &json!("send"), &json!("receive")], "{told}");
    assert_eq!(fails(&node, "sendmany", json!(["savings", {}])).0, Code::InvalidParameter);
    assert_eq!(fails(&node, "sendmany", json!(["", {}])).0, Code::Wallet, "nobody is paid");
    assert_eq!(fails(&node, "sendmany", json!(["", { "gold": 1 }])).0, Code::NotFound);
    let nobody = json!({ "amounts": { to: 1 }, "subtractfeefrom": [mine] });
    assert_eq!(fails(&node, "sendmany", nobody).0, Code::InvalidParameter);
}

#[test]
fn send_takes_every_setting() {
    let node = rich();
    let to = theirs(&node);
    let coins = call(&node, "listunspent", json!([]));
    let coin = json!({ "txid": coins[0]["txid"], "vout": coins[0]["vout"] });
    let options = json!({ "inputs": [coin], "change_type": "bech32", "subtract_fee_from_outputs": [0], "fee_rate": 2 });
    let paid = call(&node, "send", json!([{ to.clone(): 0.5 }, null, null, null, options]));
    assert_eq!((&paid["complete"], paid.get("psbt")), (&json!(true), None));
    assert_eq!(sent(&node), [paid["txid"].as_str().unwrap()]);
    let told = call(&node, "gettransaction", json!([paid["txid"], false, true]));
    assert_eq!(told["decoded"]["vin"].as_array().map(Vec::len), Some(1));
    assert_eq!(told["decoded"]["vin"][0]["txid"], coin["txid"]);
    let kept_back =
        call(&node, "send", json!({ "outputs": { to.clone(): 0.5 }, "options": { "add_to_wallet": false } }));
    assert_eq!((&kept_back["complete"], sent(&node).len()), (&json!(true), 0));
    assert!(kept_back["hex"].is_string() && kept_back["psbt"].is_string());
    let twice = json!({ "outputs": { to.clone(): 0.5 }, "fee_rate": 1, "options": { "fee_rate": 2 } });
    assert_eq!(fails(&node, "send", twice).0, Code::InvalidParameter);
    for options in [
        json!({ "colour": "red" }),
        json!({ "inputs": [7] }),
        json!({ "subtract_fee_from_outputs": [3] }),
        json!({ "change_address": "gold" }),
        json!({ "change_type": "gold" }),
        json!({ "fee_rate": 1, "feeRate": 0.001 }),
        json!({ "inputs": [{ "txid": "11".repeat(32), "vout": 0 }] }),
    ] {
        assert!(node.call("send", json!({ "outputs": { to.clone(): 0.1 }, "options": options })).is_err(), "{options}");
    }
}

#[test]
fn drafts_are_signed_and_finished() {
    let node = rich();
    let to = theirs(&node);
    let options = json!({ "lockUnspents": true, "feeRate": 0.00001, "changePosition": 0 });
    let draft = call(&node, "walletcreatefundedpsbt", json!([[], [{ to: 1 }], 0, options]));
    assert_eq!((&draft["changepos"], node.calls().len()), (&json!(0), 0));
    assert!(!call(&node, "listlockunspent", json!([])).as_array().unwrap().is_empty());
    let watched = call(&node, "walletprocesspsbt", json!([draft["psbt"], false]));
    assert_eq!((&watched["complete"], watched.get("hex")), (&json!(false), None));
    let signed = call(&node, "walletprocesspsbt", json!([draft["psbt"], true, "ALL"]));
    assert_eq!((&signed["complete"], signed["hex"].is_string()), (&json!(true), true));
    assert_eq!(fails(&node, "walletprocesspsbt", json!([draft["psbt"], true, "NONE"])).0, Code::InvalidParameter);
    assert_eq!(fails(&node, "walletprocesspsbt", json!(["gold"])).0, Code::Deserialization);
    // The same without signatures, as bytes.
    let mut bare: bitcoin::Transaction =
        bitcoin::consensus::encode::deserialize_hex(signed["hex"].as_str().unwrap()).unwrap();
    bare.input.iter_mut().for_each(|input| input.witness.clear());
    let hex = bitcoin::consensus::encode::serialize_hex(&bare);
    let again = call(&node, "signrawtransactionwithwallet", json!([hex]));
    assert_eq!((&again["hex"], &again["complete"], again.get("errors")), (&signed["hex"], &json!(true), None));
    bare.input[0].previous_output.vout = 77;
    let hex = bitcoin::consensus::encode::serialize_hex(&bare);
    let unsigned = call(&node, "signrawtransactionwithwallet", json!([hex]));
    assert_eq!((&unsigned["complete"], &unsigned["errors"][0]["vout"]), (&json!(false), &json!(77)));
    assert_eq!(fails(&node, "signrawtransactionwithwallet", json!(["00"])).0, Code::Deserialization);
    assert_eq!(fails(&node, "signrawtransactionwithwallet", json!([hex, [{ "vout": 1 }]])).0, Code::Deserialization);
}

#[test]
fn more_is_paid_for_what_waits() {
    let node = rich();
    let paid = call(&node, "sendtoaddress", json!({ "address": theirs(&node), "amount": 1, "fee_rate": 1 }));
    sent(&node);
    let draft = call(&node, "psbtbumpfee", json!([paid, { "fee_rate": 10 }]));
    assert!(draft["psbt"].is_string() && sent(&node).is_empty());
    let bumped = call(&node, "bumpfee", json!([paid]));
    assert_eq!(sent(&node), [bumped["txid"].as_str().unwrap()]);
    let [fee, origfee] = ["fee", "origfee"].map(|name| bumped[name].to_string().parse::<f64>().unwrap());
    assert!(fee > origfee, "{bumped}");
    assert_eq!(call(&node, "gettransaction", json!([paid]))["replaced_by_txid"], bumped["txid"]);
    assert_eq!(call(&node, "gettransaction", json!([bumped["txid"]]))["replaces_txid"], paid);
    assert_eq!(fails(&node, "bumpfee", json!(["11".repeat(32)])).0, Code::NotFound);
    assert_eq!(fails(&node, "bumpfee", json!([paid])).0, Code::Wallet, "it was replaced");
    assert_eq!(fails(&node, "bumpfee", json!([bumped["txid"], { "fee_rate": 1 }])).0, Code::InvalidParameter);
}

#[test]
fn payments_since_a_block_are_told() {
    let node = rich();
    let all = call(&node, "listsinceblock", json!([]));
    assert_eq!(all["transactions"].as_array().map(Vec::len), Some(3));
    let genesis = yap_chain::spec::Spec::local().genesis.block_hash().to_string();
    assert_eq!(all["lastblock"], genesis);
    assert_eq!(call(&node, "listsinceblock", json!([genesis]))["transactions"], all["transactions"]);
    assert_eq!(fails(&node, "listsinceblock", json!(["11".repeat(32)])), (Code::NotFound, "Block not found".into()));
    assert_eq!(fails(&node, "listsinceblock", json!([genesis, 0])).0, Code::InvalidParameter);
    let two = call(&node, "listtransactions", json!(["*", 2, 1]));
    assert_eq!(two, json!([all["transactions"][0], all["transactions"][1]]));
    assert_eq!(call(&node, "listtransactions", json!(["boat"])), json!([]));
    assert_eq!(fails(&node, "listtransactions", json!(["*", -1])), (Code::InvalidParameter, "Negative count".into()));
    assert_eq!(fails(&node, "listtransactions", json!(["*", 1, -1])), (Code::InvalidParameter, "Negative from".into()));
}

#[test]
fn a_passphrase_locks_the_wallet() {
    let node = rich();
    let to = theirs(&node);
    for method in ["walletlock", "walletpassphrase", "walletpassphrasechange"] {
        let parameters = match method {
            "walletlock" => json!([]),
            "walletpassphrase" => json!(["gold", 60]),
            _ => json!(["gold", "silver"]),
        };
        let (code, text) = fails(&node, method, parameters);
        assert_eq!(code, Code::WrongEncryptionState);
        assert_eq!(text, format!("Error: running with an unencrypted wallet, but {method} was called."));
    }
    assert_eq!(fails(&node, "encryptwallet", json!([""])).0, Code::InvalidParameter);
    assert!(call(&node, "encryptwallet", json!(["gold"])).as_str().unwrap().starts_with("wallet encrypted"));
    assert_eq!(fails(&node, "encryptwallet", json!(["gold"])).0, Code::WrongEncryptionState);
    let locked = "Error: Please enter the wallet passphrase with walletpassphrase first.";
    for (method, parameters) in [("sendtoaddress", json!([to, 1])), ("getwalletwords", json!([]))] {
        assert_eq!(fails(&node, method, parameters), (Code::UnlockNeeded, locked.to_owned()));
    }
    assert_eq!(call(&node, "getwalletinfo", json!([]))["unlocked_until"], 0);
    assert_eq!(fails(&node, "walletpassphrase", json!(["silver", 60])).0, Code::PassphraseIncorrect);
    assert_eq!(fails(&node, "walletpassphrase", json!(["gold", -1])).0, Code::InvalidParameter);
    call(&node, "walletpassphrase", json!(["gold", 60]));
    assert_eq!(call(&node, "getwalletinfo", json!([]))["unlocked_until"], 1_700_000_060);
    call(&node, "sendtoaddress", json!([to, 1]));
    call(&node, "walletlock", json!([]));
    assert_eq!(fails(&node, "sendtoaddress", json!([to, 1])).0, Code::UnlockNeeded);
    assert_eq!(fails(&node, "walletpassphrasechange", json!(["silver", "iron"])).0, Code::PassphraseIncorrect);
    call(&node, "walletpassphrasechange", json!(["gold", "silver"]));
    call(&node, "walletpassphrase", json!(["silver", 60]));
}

#[test]
fn words_and_backups_are_given() {
    let node = rich();
    let words = call(&node, "getwalletwords", json!([]));
    assert!(words["words"].as_str().unwrap().ends_with("abandon about"), "{words}");
    assert_eq!((words.get("passphrase"), &words["birthheight"]), (None, &json!(0)));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    assert_eq!(call(&node, "backupwallet", json!([path])), Value::Null);
    let written = std::fs::read(directory.path().join("wallet.backup")).unwrap();
    assert!(written.len() > 100);
    let (code, text) = fails(&node, "backupwallet", json!([path]));
    assert_eq!(
        (code, text.starts_with("Error: Wallet backup failed!")),
        (Code::Wallet, true),
        "nothing is overwritten"
    );
    let descriptors = call(&node, "listdescriptors", json!([]));
    assert_eq!(descriptors["descriptors"].as_array().map(Vec::len), Some(6));
    assert!(descriptors["descriptors"][0]["desc"].as_str().unwrap().starts_with("tr([73c5da0a/86"), "{descriptors}");
    assert_eq!(fails(&node, "listdescriptors", json!([true])).0, Code::Wallet);
}

#[test]
fn old_blocks_are_looked_through_again() {
    let node = rich();
    assert_eq!(call(&node, "abortrescan", json!([])), json!(false));
    assert_eq!(call(&node, "rescanblockchain", json!([0])), json!({ "start_height": 0, "stop_height": 3 }));
    assert_eq!(call(&node, "getwalletinfo", json!([]))["scanning"]["height"], 0);
    assert_eq!(fails(&node, "rescanblockchain", json!([])).0, Code::Wallet, "one is under way");
    assert_eq!(call(&node, "abortrescan", json!([])), json!(true));
    assert_eq!(fails(&node, "rescanblockchain", json!([7])), (Code::InvalidParameter, "Invalid start_height".into()));
}

#[test]
fn messages_are_signed() {
    let node = rich();
    let address = call(&node, "getnewaddress", json!(["", "legacy"]));
    let signature = call(&node, "signmessage", json!([address, "I was here"]));
    assert_eq!(call(&node, "verifymessage", json!([address, signature, "I was here"])), json!(true));
    assert_eq!(call(&node, "verifymessage", json!([address, signature, "I was there"])), json!(false));
    let taproot = call(&node, "getnewaddress", json!(["", "bech32m"]));
    assert_eq!(
        fails(&node, "signmessage", json!([taproot, "x"])),
        (Code::Type, "Address does not refer to key".into())
    );
    let spec = yap_chain::spec::Spec::local();
    let foreign = bitcoin::ScriptBuf::new_p2pkh(&bitcoin::hashes::Hash::all_zeros());
    let foreign = yap_chain::address::encode(&foreign, &spec.addresses);
    assert_eq!(fails(&node, "signmessage", json!([foreign, "x"])).0, Code::Wallet);
    call(&node, "encryptwallet", json!(["gold"]));
    assert_eq!(fails(&node, "signmessage", json!([address, "x"])).0, Code::UnlockNeeded);
}
