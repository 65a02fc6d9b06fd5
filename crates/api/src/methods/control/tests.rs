//! Each method once as it should be, and once for each way in which it fails.

use serde_json::{Value, json};

use crate::backend::{Federation, Miner, Mining, Peer, Progress, Tally, WalletStanding};
use crate::error::Code;
use crate::fixture::StandIn;

#[test]
fn help_is_given() {
    let node = StandIn::new();
    let all = node.call("help", json!([])).unwrap();
    let text = all.as_str().unwrap();
    for line in
        ["== Network ==", "addnode \"node\" \"command\"", "help ( \"command\" )", "put \"key\" \"value\" ( hex )"]
    {
        assert!(text.contains(line), "{line} in {text}");
    }
    let one = node.call("help", json!(["addnode"])).unwrap();
    assert!(one.as_str().unwrap().contains("Keeps a peer connected"), "{one}");
    let error = node.call("help", json!(["getgold"])).unwrap_err();
    assert_eq!((error.code, error.message.starts_with("help: unknown command: getgold")), (Code::MethodNotFound, true));
}

#[test]
fn the_node_is_stopped_after_a_while() {
    let node = StandIn::new();
    assert!(
        node.call("uptime", json!([])).unwrap().as_u64() > Some(1_700_000_000),
        "since 1970, as nothing else is said"
    );
    assert_eq!(node.call("stop", json!([])).unwrap(), json!("Yap stopping"));
    assert!(node.scene().stopped);
    assert_eq!(node.call("uptime", json!([])).unwrap_err().code, Code::Misc);
}

#[test]
fn calls_that_are_under_way_are_told() {
    let node = StandIn::new();
    for _ in 0..2 {
        let info = node.call("getrpcinfo", json!([])).unwrap();
        assert_eq!(info["active_commands"].as_array().unwrap().len(), 1, "the one before has ended: {info}");
        assert_eq!(info["active_commands"][0]["method"], "getrpcinfo");
        assert!(info["active_commands"][0]["duration"].as_u64().is_some_and(|micros| micros < 60_000_000));
        assert_eq!(info["logpath"], "");
    }
}

#[test]
fn operations_are_told() {
    let node = StandIn::new();
    node.scene().tally = vec![Tally { id: "P7", name: "block gossip", counts: vec![("whole", 1), ("rebuilt", 2)] }];
    let told = json!([{ "id": "P7", "name": "block gossip", "counts": { "rebuilt": 2, "whole": 1 } }]);
    assert_eq!(node.call("getoperations", json!([])).unwrap(), told);
}

#[test]
fn the_miner_is_set() {
    let node = StandIn::new();
    node.scene().standing.miner = Miner { mining: Mining::OnDemand, threads: 2, working: true, rate: 1.5, found: 3 };
    let told = json!({ "mining": "ondemand", "threads": 2, "working": true, "hashespersec": 1.5, "found": 3 });
    assert_eq!(node.call("getminer", json!([])).unwrap(), told);
    for (mode, call) in [("off", "Off"), ("ondemand", "OnDemand"), ("continuous", "Continuous")] {
        assert_eq!(node.call("setmining", json!([mode])).unwrap()["mining"], mode);
        assert_eq!(node.calls(), [format!("set_mining {call}")]);
    }
    let error = node.call("setmining", json!(["fast"])).unwrap_err();
    assert!(error.message.contains("ondemand"), "it says what there is: {error:?}");
    assert_eq!(node.calls(), Vec::<String>::new());
    node.scene().signed = true;
    let error = node.call("setmining", json!(["ondemand"])).unwrap_err();
    assert!(error.message.contains("signed by its producers"), "{error:?}");
}

#[test]
fn the_status_has_everything() {
    let node = StandIn::new();
    let bare = node.call("getstatus", json!([])).unwrap();
    assert_eq!((&bare["chain"], &bare["height"], &bare["headers"]), (&json!("local"), &json!(0), &json!(0)));
    assert_eq!((bare.get("wallet"), bare.get("progress")), (None, None));
    assert_eq!((&bare["pending"], &bare["sizeondisk"], &bare["isolated"]), (&json!(0), &json!(1000), &json!(false)));
    {
        let mut scene = node.scene();
        let standing = &mut scene.standing;
        (standing.alone, standing.catching_up) = (true, true);
        standing.progress = Some(Progress { behind: 9, rate: 2.5, left: Some(4) });
        standing.wallet = Some(WalletStanding { trusted: 150_000_000, unsaved: true, ..WalletStanding::default() });
        standing.records = (5, 6);
        let peer = Peer {
            id: 1,
            address: "a:1".into(),
            path: "relayed by Carol".into(),
            starting_height: 8,
            ..Peer::default()
        };
        scene.peers = vec![peer];
    }
    let told = node.call("getstatus", Value::Null).unwrap();
    assert_eq!((&told["isolated"], &told["catchingup"]), (&json!(true), &json!(true)));
    assert_eq!(told["progress"], json!({ "behind": 9, "rate": 2.5, "left": 4 }));
    assert_eq!(
        (told["wallet"]["balance"].to_string(), &told["wallet"]["unsaved"]),
        ("1.50000000".into(), &json!(true))
    );
    assert_eq!((&told["records"], &told["routing"]), (&json!(5), &json!(6)));
    let peer = json!({ "id": 1, "address": "a:1", "path": "relayed by Carol", "inbound": false, "height": 8 });
    assert_eq!(told["peers"], json!([peer]));
}

#[test]
fn a_federation_is_shown_with_what_is_irreversible() {
    let node = StandIn::new();
    let told = |method: &str| node.call(method, json!([])).unwrap();
    assert_eq!(
        (told("getstatus").get("federation"), told("getblockchaininfo").get("irreversible_height")),
        (None, None)
    );
    let keys = [1, 2].map(|byte| yap_chain::producer::Key::new(&[byte; 32]).unwrap().public());
    let hash = bitcoin::hashes::Hash::all_zeros();
    for (irreversible, height) in [(None, 0), (Some((7, hash)), 7)] {
        node.scene().standing.federation = Some(Federation { producers: keys.to_vec(), place: Some(1), irreversible });
        let shown = json!({ "producers": keys.map(|key| key.to_string()), "place": 2, "irreversible": height });
        assert_eq!(told("getstatus")["federation"], shown);
        let info = told("getblockchaininfo");
        let hash = irreversible.map(|(_, hash): (u32, bitcoin::BlockHash)| json!(hash.to_string()));
        assert_eq!((&info["irreversible_height"], info.get("irreversible_hash")), (&json!(height), hash.as_ref()));
    }
}
