//! Addresses, descriptors, signed messages, indexes.

use serde_json::json;

use super::node::{Node, anyone_s_address};

const KEY: &str = "03b0da749730dc9b4b1f4a14d6902877a92541f5368778853d9c4a0cb7802dcfb2";

#[test]
fn an_address_is_told_from_what_is_none() {
    let node = Node::new();
    let witness = node.ask("validateaddress", json!([anyone_s_address()]));
    assert_eq!((&witness["isvalid"], &witness["isscript"]), (&json!(true), &json!(true)));
    assert_eq!((&witness["iswitness"], &witness["witness_version"]), (&json!(true), &json!(0)));
    assert_eq!(witness["scriptPubKey"], format!("0020{}", witness["witness_program"].as_str().unwrap()));
    let legacy = node.ask("validateaddress", json!(["mpLQjfK79b7CCV4VMJWEWAj5Mpx8Up5zxB"]));
    assert_eq!((&legacy["isscript"], &legacy["iswitness"]), (&json!(false), &json!(false)));
    assert!(legacy.get("witness_version").is_none() && legacy.get("error").is_none());
    for text in ["", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "bcrt1q\u{e9}", "1"] {
        let none = node.ask("validateaddress", json!([text]));
        assert_eq!(none["isvalid"], json!(false), "{text}");
        assert!(none["error"].is_string() && none["error_locations"].is_array());
    }
    assert_eq!(node.refusal("validateaddress", json!([1])).0, -3);
}

/// Bitcoin Core, `test/functional/rpc_deriveaddresses.py` (MIT).
#[test]
fn addresses_of_descriptors_are_those_of_core() {
    let node = Node::new();
    let xprv = "tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK";
    let xpub = "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B";
    let address = "bcrt1qjqmxmkpmxt80xz4y3746zgt0q3u3ferr34acd5";
    assert_eq!(node.ask("deriveaddresses", json!([format!("wpkh({xprv}/1/1/0)#t6wfjs64")])), json!([address]));
    let public = format!("wpkh({xpub}/1/1/0)#s9ga3alw");
    assert_eq!(node.ask("deriveaddresses", json!([public])), json!([address]));
    let ranged = format!("wpkh({xprv}/1/1/*)#kft60nuy");
    let two = ["bcrt1qhku5rq7jz8ulufe2y6fkcpnlvpsta7rq4442dy", "bcrt1qpgptk2gvshyl0s9lqshsmx932l9ccsv265tvaq"];
    assert_eq!(node.ask("deriveaddresses", json!([ranged, [1, 2]])), json!(two));
    assert_eq!(node.ask("deriveaddresses", json!([ranged, 2])), json!([address, two[0], two[1]]));
    let checksum = node.ask("getdescriptorinfo", json!([format!("combo({xprv}/1/1/0)")]))["checksum"].clone();
    let combo = format!("combo({xprv}/1/1/0)#{}", checksum.as_str().unwrap());
    let all = ["mtfUoUax9L4tzXARpw1oTGxWyoogp52KhJ", address, "2NDvEwGfpEqJWfybzpKPHF2XH3jwoQV3D7x"];
    assert_eq!(node.ask("deriveaddresses", json!([combo])), json!(all));

    assert_eq!(
        node.refusal("deriveaddresses", json!([format!("wpkh({xprv}/1/1/0)")])),
        (-5, "Missing checksum".into())
    );
    let text = "Range must be specified for a ranged descriptor";
    assert_eq!(node.refusal("deriveaddresses", json!([ranged])), (-8, text.into()));
    let text = "Range should not be specified for an un-ranged descriptor";
    assert_eq!(node.refusal("deriveaddresses", json!([public, [0, 2]])), (-8, text.into()));
    for (range, text) in [
        (json!(10_000_000_000_u64), "End of range is too high"),
        (json!([1_000_000_000, 2_000_000_000]), "Range is too large"),
        (json!([0, 100_000]), "Range is too large"),
        (json!([2, 0]), "Range specified as [begin,end] must not have begin after end"),
        (json!([-1, 0]), "Range should be greater or equal than 0"),
        (json!([1]), "Range must have exactly two elements"),
        (json!("x"), "Range must be specified as end or as [begin,end]"),
    ] {
        assert_eq!(node.refusal("deriveaddresses", json!([ranged, range])), (-8, text.into()), "{range}");
    }
}

#[test]
fn a_descriptor_is_told_in_its_usual_form() {
    let node = Node::new();
    let info = node.ask("getdescriptorinfo", json!([format!("wpkh([d34db33f/84h/0h/0h]{KEY})")]));
    let usual = info["descriptor"].as_str().unwrap();
    assert!(usual.starts_with(&format!("wpkh([d34db33f/84'/0'/0']{KEY})#")), "{usual}");
    assert_eq!(
        (&info["isrange"], &info["issolvable"], &info["hasprivatekeys"]),
        (&json!(false), &json!(true), &json!(false))
    );
    let wif = "cUeKHd5orzT3mz8P9pxyREHfsWtVfgsfDjiZZBcjUBAaGk1BTj7N";
    let private = node.ask("getdescriptorinfo", json!([format!("pkh({wif})")]));
    assert_eq!(private["hasprivatekeys"], json!(true));
    assert!(!private["descriptor"].as_str().unwrap().contains(wif), "no private key is told");
    let address = node.ask("getdescriptorinfo", json!([format!("addr({})", anyone_s_address())]));
    assert_eq!(address["issolvable"], json!(false));
    let raw = node.ask("getdescriptorinfo", json!(["raw(6a)"]));
    assert_eq!(raw["issolvable"], json!(false));
    for text in ["", "x", "raw(6)", "addr(x)", "pk()", "rawtr(x)", "wsh(multi(3,x))", "raw(6a)#aaaaaaaa", "combo()"] {
        assert_eq!(node.refusal("getdescriptorinfo", json!([text])).0, -5, "{text}");
    }
}

#[test]
fn several_keys_share_an_address() {
    let node = Node::new();
    let other = "02".to_owned() + &KEY[2..];
    for (kind, prefix) in [("legacy", "sh(multi("), ("p2sh-segwit", "sh(wsh(multi("), ("bech32", "wsh(multi(")] {
        let made = node.ask("createmultisig", json!([2, [KEY, other], kind]));
        let descriptor = made["descriptor"].as_str().unwrap();
        assert!(descriptor.starts_with(prefix), "{descriptor}");
        assert_eq!(node.ask("deriveaddresses", json!([descriptor]))[0], made["address"]);
        assert_eq!(made["redeemScript"], format!("5221{KEY}21{other}52ae"));
    }
    for (parameters, code, text) in [
        (json!([0, [KEY]]), -8, "a multisignature address must require at least one key to redeem"),
        (json!([2, [KEY]]), -8, "not enough keys supplied (got 1 keys, but need at least 2 to redeem)"),
        (json!([1, ["a"]]), -5, "Pubkey \"a\" must be a hex string"),
        (json!([1, ["aa"]]), -5, "Pubkey \"aa\" must have a length of either 33 or 65 bytes"),
        (json!([1, [KEY], "x"]), -5, "Unknown address type 'x'"),
        (json!([1, [KEY], "bech32m"]), -5, "createmultisig cannot create bech32m multisig addresses"),
    ] {
        assert_eq!(node.refusal("createmultisig", parameters), (code, text.to_owned()));
    }
    assert_eq!(node.refusal("createmultisig", json!([1, vec![KEY; 21]])).0, -8);
    assert_eq!(
        node.refusal("createmultisig", json!([1, vec![KEY; 16]])).1,
        "redeemScript exceeds size limit: 547 > 520"
    );
}

/// Bitcoin Core, `test/functional/rpc_signmessagewithprivkey.py` (MIT).
#[test]
fn a_message_is_signed_and_verified_as_by_core() {
    let node = Node::new();
    let key = "cUeKHd5orzT3mz8P9pxyREHfsWtVfgsfDjiZZBcjUBAaGk1BTj7N";
    let signature = "INbVnW4e6PeRmsv2Qgu8NuopvrVjkcxob+sX8OcZG0SALhWybUjzMLPdAsXI46YZGb0KQTRii+wWIQzRpG/U+S0=";
    let (address, message) = ("mpLQjfK79b7CCV4VMJWEWAj5Mpx8Up5zxB", "This is just a test message");
    assert_eq!(node.ask("signmessagewithprivkey", json!([key, message])), signature);
    assert_eq!(node.ask("verifymessage", json!([address, signature, message])), json!(true));
    assert_eq!(node.ask("verifymessage", json!([address, signature, "another"])), json!(false));
    assert_eq!(node.ask("verifymessage", json!([address, "aGVsbG8=", message])), json!(false));
    assert_eq!(node.refusal("signmessagewithprivkey", json!(["x", message])), (-5, "Invalid private key".into()));
    assert_eq!(node.refusal("verifymessage", json!(["x", signature, message])), (-5, "Invalid address".into()));
    let text = "Address does not refer to key";
    assert_eq!(node.refusal("verifymessage", json!([anyone_s_address(), signature, message])), (-3, text.into()));
    let text = "Malformed base64 encoding";
    assert_eq!(node.refusal("verifymessage", json!([address, "%%", message])), (-3, text.into()));
}

#[test]
fn the_index_of_filters_moves_with_the_chain() {
    let node = Node::mined(3);
    let all = json!({"basic block filter index": {"synced": true, "best_block_height": 3}});
    assert_eq!(node.ask("getindexinfo", json!([])), all);
    assert_eq!(node.ask("getindexinfo", json!(["basic block filter index"])), all);
    assert_eq!(node.ask("getindexinfo", json!(["txindex"])), json!({}));
}
