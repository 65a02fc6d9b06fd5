//! Each method once as it should be, and once for each way in which it fails.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::backend::{Added, Ban, Peer, PeerError, Traffic};
use crate::error::Code;
use crate::fixture::StandIn;

fn peer(id: u64, inbound: bool) -> Peer {
    Peer {
        id,
        identity: Some("12D3KooWBob".into()),
        address: "/ip4/8.8.8.8/tcp/6001".into(),
        path: "connected directly by TCP".into(),
        transport: "tcp",
        inbound,
        kind: if inbound { "inbound" } else { "manual" },
        version: 70016,
        agent: "/yap:0.1.0/".into(),
        services: 0x409,
        best_header: Some(7),
        comparison: Some("ahead"),
        ping: Some((1_500, 250)),
        bytes: (10, 20),
        least_feerate: 100,
        high_bandwidth: (true, false),
        ..Peer::default()
    }
}

/// A call that fails: code and message.
fn fails(node: &Arc<StandIn>, method: &str, parameters: Value) -> (Code, String) {
    let error = node.call(method, parameters).expect_err("it fails");
    (error.code, error.message)
}

#[test]
fn the_network_is_described() {
    let node = StandIn::new();
    {
        let mut scene = node.scene();
        scene.peers = vec![peer(1, true), peer(2, false), peer(3, false)];
        (scene.standing.agent, scene.standing.services) = ("/yap:0.1.0/".into(), 0x409);
        scene.standing.identity = "12D3KooWAlice".into();
        scene.standing.clock_offset = Some(-90);
        scene.standing.warnings = vec!["the clock is wrong".into()];
        (scene.standing.reach.kind, scene.standing.reach.text) = ("public", "reachable".into());
        scene.standing.reach.addresses = vec!["/ip4/9.9.9.9/tcp/6001".into()];
    }
    let info = node.call("getnetworkinfo", json!([])).unwrap();
    assert_eq!(
        (&info["connections"], &info["connections_in"], &info["connections_out"]),
        (&json!(3), &json!(1), &json!(2))
    );
    assert_eq!((&info["subversion"], &info["protocolversion"]), (&json!("/yap:0.1.0/"), &json!(70016)));
    assert_eq!(info["localservices"], "0000000000000409");
    assert_eq!(info["localservicesnames"], json!(["NETWORK", "WITNESS", "NETWORK_LIMITED"]));
    assert_eq!(info["localaddresses"], json!([{ "address": "9.9.9.9", "port": 6001, "score": 1 }]));
    assert_eq!((info["timeoffset"].as_i64(), info["relayfee"].to_string()), (Some(-90), "0.00000100".into()));
    assert_eq!((&info["reach"], &info["warnings"]), (&json!("public"), &json!(["the clock is wrong"])));
    assert_eq!(info["networks"].as_array().map(Vec::len), Some(5));
    assert_eq!(node.call("getconnectioncount", json!([])).unwrap(), json!(3));
    node.scene().traffic = Traffic { received: 5, sent: 6 };
    let totals = node.call("getnettotals", Value::Null).unwrap();
    assert_eq!((&totals["totalbytesrecv"], &totals["totalbytessent"]), (&json!(5), &json!(6)));
    assert!(totals["timemillis"].as_u64() > Some(1_700_000_000_000));
    assert_eq!(totals["uploadtarget"]["target"], 0);
    node.scene().stopped = true;
    assert_eq!(fails(&node, "getnetworkinfo", json!([])), (Code::Misc, "the node is stopping".into()));
}

#[test]
fn peers_are_described() {
    let node = StandIn::new();
    let mut stranger = peer(2, false);
    (stranger.identity, stranger.transport, stranger.ping) = (None, "bitcoin", None);
    (stranger.best_header, stranger.comparison) = (None, None);
    node.scene().peers = vec![peer(1, true), stranger];
    let peers = node.call("getpeerinfo", json!([])).unwrap();
    let [bob, stranger] = [&peers[0], &peers[1]];
    assert_eq!(
        (&bob["id"], &bob["addr"], &bob["network"]),
        (&json!(1), &json!("/ip4/8.8.8.8/tcp/6001"), &json!("ipv4"))
    );
    assert_eq!((&bob["identity"], &bob["path"]), (&json!("12D3KooWBob"), &json!("connected directly by TCP")));
    assert_eq!((&bob["transport"], &bob["transport_protocol_type"]), (&json!("tcp"), &json!("libp2p")));
    assert_eq!((&bob["pingtime"], &bob["minping"]), (&json!(0.0015), &json!(0.00025)));
    assert_eq!((&bob["bytesrecv"], &bob["bytessent"]), (&json!(10), &json!(20)));
    assert_eq!((&bob["synced_headers"], &bob["comparison"]), (&json!(7), &json!("ahead")));
    assert_eq!((&bob["bip152_hb_to"], &bob["bip152_hb_from"]), (&json!(true), &json!(false)));
    assert_eq!((bob["minfeefilter"].to_string(), &bob["connection_type"]), ("0.00000100".into(), &json!("inbound")));
    for left_out in ["identity", "pingtime", "minping", "comparison"] {
        assert_eq!(stranger.get(left_out), None);
    }
    assert_eq!((&stranger["synced_headers"], &stranger["transport_protocol_type"]), (&json!(-1), &json!("v1")));
}

#[test]
fn peers_are_pinged_and_parted_from() {
    let node = StandIn::new();
    assert_eq!(node.call("ping", json!([])).unwrap(), Value::Null);
    node.call("disconnectnode", json!(["8.8.8.8:6001"])).unwrap();
    node.call("disconnectnode", json!(["", 7])).unwrap();
    node.call("disconnectnode", json!({ "nodeid": 8 })).unwrap();
    assert_eq!(node.calls(), ["ping_peers", "disconnect 8.8.8.8:6001", "disconnect 7", "disconnect 8"]);
    let both = (Code::InvalidParams, "Only one of address and nodeid should be provided.".to_owned());
    assert_eq!(fails(&node, "disconnectnode", json!(["8.8.8.8", 7])), both);
    assert_eq!(fails(&node, "disconnectnode", json!([])), both);
    node.scene().peer = Err(PeerError::None);
    let none = (Code::NodeNotConnected, "Node not found in connected nodes".to_owned());
    assert_eq!(fails(&node, "disconnectnode", json!(["8.8.8.8"])), none);
}

#[test]
fn peers_are_added_and_removed() {
    let node = StandIn::new();
    for command in ["add", "onetry", "remove"] {
        assert_eq!(node.call("addnode", json!(["ws://localhost:6001", command])).unwrap(), Value::Null);
    }
    let calls =
        ["add_peer ws://localhost:6001 false", "add_peer ws://localhost:6001 true", "remove_peer ws://localhost:6001"];
    assert_eq!(node.calls(), calls);
    assert_eq!(fails(&node, "addnode", json!(["a:1", "keep"])).0, Code::InvalidParameter);
    for (command, why, code, words) in [
        ("add", PeerError::Added, Code::NodeAlreadyAdded, "Error: Node already added"),
        ("add", PeerError::Address("\"a\" has no port".into()), Code::NotFound, "\"a\" has no port"),
        ("onetry", PeerError::Full, Code::Misc, "too many peers were added: remove one first"),
        (
            "remove",
            PeerError::None,
            Code::NodeNotAdded,
            "Error: Node could not be removed. It has not been added previously.",
        ),
    ] {
        node.scene().peer = Err(why);
        assert_eq!(fails(&node, "addnode", json!(["a", command])), (code, words.to_owned()));
    }
}

#[test]
fn added_peers_are_told() {
    let node = StandIn::new();
    {
        let mut scene = node.scene();
        scene.peers = vec![peer(4, false)];
        let added = |peer: &str, connections: &[u64]| Added {
            peer: peer.into(),
            connections: connections.into(),
            ban: (peer == "carol:6001").then(|| Ban { target: "8.8.4.4".into(), until: 1_700_000_000 }),
        };
        scene.added = vec![added("bob:6001", &[4]), added("carol:6001", &[9])];
    }
    let told = node.call("getaddednodeinfo", json!([])).unwrap();
    let bob = json!({
        "addednode": "bob:6001",
        "connected": true,
        "addresses": [{ "address": "/ip4/8.8.8.8/tcp/6001", "connected": "outbound" }],
    });
    let carol = json!({
        "addednode": "carol:6001", "connected": false, "addresses": [], "banned_until": 1_700_000_000,
        "banned_as": "8.8.4.4",
    });
    // Connection 9 has ended meanwhile.
    assert_eq!(told, json!([bob, carol]));
    assert_eq!(node.call("getaddednodeinfo", json!(["bob:6001"])).unwrap(), json!([bob]));
    let (code, words) = fails(&node, "getaddednodeinfo", json!(["dave:6001"]));
    assert_eq!((code, words.as_str()), (Code::NodeNotAdded, "Error: Node has not been added."));
}

#[test]
fn known_addresses_are_told() {
    let node = StandIn::new();
    node.scene().known = vec![
        ("/ip4/127.0.0.1/tcp/6001/p2p/12D3KooWBob".into(), 9, 20),
        ("8.8.8.8:8333".into(), 9, 10),
        ("[2001:db8::1]:8333".into(), 1, 5),
    ];
    let told = |parameters| node.call("getnodeaddresses", parameters).unwrap();
    assert_eq!(told(json!([])).as_array().map(Vec::len), Some(1), "one unless told otherwise");
    assert_eq!(told(json!([0])).as_array().map(Vec::len), Some(3));
    let known = json!([{
        "time": 10, "services": 9, "address": "8.8.8.8", "port": 8333, "network": "ipv4", "node": "8.8.8.8:8333",
    }]);
    assert_eq!(told(json!([1, "ipv4"])), known);
    assert_eq!(told(json!([5, "onion"])), json!([]));
    let failed = |parameters| fails(&node, "getnodeaddresses", parameters);
    assert_eq!(failed(json!([-1])), (Code::InvalidParameter, "Address count out of range".into()));
    assert_eq!(failed(json!([1, "ipx"])), (Code::InvalidParameter, "Network not recognized: ipx".into()));
}

#[test]
fn bans_are_set_and_lifted() {
    let node = StandIn::new();
    node.call("setban", json!(["8.8.8.8", "add"])).unwrap();
    node.call("setban", json!(["8.8.8.8", "add", 60])).unwrap();
    node.call("setban", json!(["8.8.8.8", "add", 1_700_000_001, true])).unwrap();
    node.call("setban", json!(["8.8.8.8", "remove"])).unwrap();
    let day = 1_700_000_000 + 86_400;
    let expected = [day, 1_700_000_060, 1_700_000_001].map(|until| format!("set_ban 8.8.8.8 Some({until})"));
    let calls = node.calls();
    assert_eq!(calls.split_last(), Some((&"set_ban 8.8.8.8 None".to_owned(), &expected[..])));
    let past = (Code::InvalidParameter, "Error: Absolute timestamp is in the past".to_owned());
    assert_eq!(fails(&node, "setban", json!(["8.8.8.8", "add", 1_699_999_999, true])), past);
    assert_eq!(fails(&node, "setban", json!(["8.8.8.8", "forget"])).0, Code::InvalidParameter);
    node.scene().bans = vec![Ban { target: "8.8.8.8".into(), since: 1_699_999_900, until: 1_700_000_100 }];
    let told = json!([{
        "address": "8.8.8.8", "ban_created": 1_699_999_900, "banned_until": 1_700_000_100, "ban_duration": 200,
        "time_remaining": 100,
    }]);
    assert_eq!(node.call("listbanned", json!([])).unwrap(), told);
    let twice = (Code::NodeAlreadyAdded, "Error: IP/Subnet already banned".to_owned());
    assert_eq!(fails(&node, "setban", json!(["8.8.8.8", "add"])), twice);
    node.calls();
    node.call("clearbanned", json!([])).unwrap();
    assert_eq!(node.calls(), ["set_ban 8.8.8.8 None"]);
    node.scene().peer = Err(PeerError::Address("no IP address".into()));
    assert_eq!(
        fails(&node, "setban", json!(["x", "add"])),
        (Code::InvalidHost, "Error: Invalid IP/Subnet: no IP address".into())
    );
    node.scene().peer = Err(PeerError::None);
    assert_eq!(fails(&node, "setban", json!(["9.9.9.9", "remove"])).0, Code::InvalidHost);
}
