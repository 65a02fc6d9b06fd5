//! A federated chain (M2): four producers who sign blocks in turn, and a node that signs none.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::node::Node;
use crate::town::{COIN, MATURITY, Town};

/// The node that is no producer.
const GUEST: usize = 5;

/// A node whose key is a producer's too, in a directory where nothing else is. It is started apart from the others.
const ROGUE: usize = 6;

const CHAIN: &str = "guild";

/// What a command prints with `--json`.
fn told(node: &Node, arguments: &[&str]) -> Value {
    let output = node.command().arg("--json").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a user does: every producer makes a key, somebody makes the chain of all of them, and everybody starts on it.
fn guild() -> Town {
    let base = tempfile::tempdir().unwrap();
    let file = base.path().join("guild.toml");
    let place = |number: usize| base.path().join(number.to_string());
    let mut nodes: Vec<Node> = Vec::new();
    for number in 1..=GUEST {
        let peers: Vec<String> = nodes.iter().map(Node::url).collect();
        nodes.push(Node::new(place(number), peers.join(","), "").on(CHAIN, &file));
    }
    nodes.push(Node::new(place(ROGUE), String::new(), "off").on(CHAIN, &file));
    let mut arguments = vec!["chain".to_owned(), "new".into(), CHAIN.into(), "--spacing".into(), "1".into()];
    arguments.extend(["--output".to_owned(), file.display().to_string()]);
    for node in &nodes[..4] {
        // The chain is not there yet.
        let made = told(&Node::new(node.directory().into(), String::new(), ""), &["producer", "new"]);
        arguments.extend(["--producer".to_owned(), made["producer"].as_str().unwrap().to_owned()]);
    }
    told(&Node::new(place(1), String::new(), ""), &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    for name in ["producer.key", "producer.sealed"] {
        std::fs::copy(nodes[3].directory().join(name), nodes[5].directory().join(name)).unwrap();
    }
    check_chain(&nodes[0], &file);
    Town::of(nodes, base)
}

/// The file names the producers, in their order.
fn check_chain(node: &Node, file: &Path) {
    let shown = told(node, &["chain", "show"]);
    let producers = shown["producers"].as_array().unwrap();
    assert_eq!(producers.len(), 4);
    assert_eq!(producers[0], told(node, &["producer", "show"])["producer"]);
    assert!(std::fs::read_to_string(file).unwrap().contains("retarget = \"none\""));
}

/// The guild with the guest, running, with coins at node 1.
fn running() -> Town {
    let mut town = guild();
    for number in 1..=GUEST {
        town.start(number);
    }
    town.until("everybody knows somebody", |town| {
        let count = |number: usize| town.call(number, "getconnectioncount", json!([])).as_u64().unwrap();
        let counts: Vec<u64> = (1..=GUEST).map(count).collect();
        if counts.iter().all(|count| *count >= 2) { Ok(()) } else { Err(format!("{counts:?}")) }
    });
    town.mine(1, MATURITY + 4);
    town.agreed();
    town
}

impl Town {
    /// The newest block that a node holds to be irreversible.
    fn irreversible(&self, number: usize) -> u64 {
        self.call(number, "getblockchaininfo", json!([]))["irreversible_height"].as_u64().unwrap()
    }

    /// Pays from node 1 to the guest, and waits until the payment's block is irreversible for all of these.
    #[track_caller]
    fn pay_for_good(&mut self, numbers: &[usize]) -> u64 {
        let address = self.address(GUEST);
        let txid = self.pay(1, &address, COIN / 8);
        let height = self.until("the payment is in a block", |town| {
            // It may not have heard of it yet.
            let told = town.node(GUEST).call("gettransaction", json!([txid])).map_err(|error| error.to_string())?;
            told["blockheight"].as_u64().ok_or_else(|| told.to_string())
        });
        self.until("its block is irreversible", |town| {
            let heights: Vec<u64> = numbers.iter().map(|number| town.irreversible(*number)).collect();
            if heights.iter().all(|fixed| *fixed >= height) { Ok(()) } else { Err(format!("{height}: {heights:?}")) }
        });
        height
    }

    /// Connects two nodes, and waits until the first knows the second's tip, if only as a header.
    #[track_caller]
    fn meet(&mut self, number: usize, other: usize) {
        let tip = self.call(other, "getbestblockhash", json!([]));
        let url = self.node(other).url();
        self.call(number, "addnode", json!([url, "add"]));
        self.until(&format!("node {number} hears of the tip of {other}"), |town| {
            let header = town.node(number).call("getblockheader", json!([tip]));
            header.map(drop).map_err(|error| error.to_string())
        });
    }
}

#[test]
fn payments_become_irreversible_also_while_one_producer_is_away() {
    let mut town = running();
    let status = town.call(2, "getstatus", json!([]));
    assert_eq!((&status["federation"]["place"], &status["miner"]["mining"]), (&json!(2), &json!("ondemand")));
    let guest = town.call(GUEST, "getstatus", json!([]));
    assert_eq!((guest["federation"].get("place"), &guest["miner"]["mining"]), (None, &json!("off")));
    let address = town.address(GUEST);
    let refused = town.node(GUEST).call("generatetoaddress", json!([1, address])).unwrap_err().to_string();
    assert!(refused.contains("signed by its producers") && refused.contains("yap producer"), "{refused}");

    let first = town.pay_for_good(&[1, 2, 3, 4, GUEST]);
    // Everybody rests once it is so: three have built on it, and nobody asks for more.
    let (height, _) = town.agreed();
    assert!(height <= first + 4, "{height} {first}");
    town.until("the guest was told", |town| {
        let told = |heard: &&crate::town::Heard| heard.node == GUEST && heard.event.kind() == "irreversible";
        if town.heard.iter().any(|heard| told(&heard)) { Ok(()) } else { Err("no event".into()) }
    });
    assert!(town.node(GUEST).client.page("/metrics").unwrap().contains("yap_irreversible_height "));

    town.node_mut(4).kill();
    let second = town.pay_for_good(&[1, 2, 3, GUEST]);
    assert!(second > first);
    // It comes back, and learns what it missed.
    town.start(4);
    town.agreed();
    town.pay_for_good(&[1, 2, 3, 4, GUEST]);
}

#[test]
fn a_template_for_a_signer_outside_has_the_challenge() {
    let mut town = guild();
    town.start(1);
    let refused = town.node(1).call("getblocktemplate", json!([{"rules": ["segwit"]}])).unwrap_err().to_string();
    assert!(refused.contains("signet rule set"), "{refused}");
    let template = town.call(1, "getblocktemplate", json!([{"rules": ["segwit", "signet"]}]));
    let challenge = town.call(1, "getblockchaininfo", json!([]))["signet_challenge"].clone();
    assert_eq!(template["signet_challenge"], challenge);
    assert!(challenge.as_str().unwrap().starts_with("5121") && challenge.as_str().unwrap().ends_with("54ae"));
    assert!(template["rules"].as_array().unwrap().contains(&json!("!signet")));
}

#[test]
fn a_longer_branch_that_leaves_an_irreversible_block_is_refused_by_all() {
    let mut town = running();
    let honest = [1, 2, 3, 4, GUEST];
    let paid = town.pay_for_good(&honest);

    // One producer makes a history of its own, of more blocks than everybody else's.
    town.start(ROGUE);
    town.mine(ROGUE, 150);
    let rogue_tip = town.call(ROGUE, "getbestblockhash", json!([]));
    for number in [1, GUEST] {
        town.meet(number, ROGUE);
    }
    let (height, _) = town.agreed_among(&honest);
    assert!(height < 150 && town.height(ROGUE) == 150);

    // Nor does it get in by another door.
    let first = town.call(ROGUE, "getblockhash", json!([1]));
    let block = town.call(ROGUE, "getblock", json!([first, 0]));
    assert_eq!(town.call(2, "submitblock", json!([block])), json!("bad-fork-irreversible"));
    let kept = town.call(2, "getblockhash", json!([paid]));
    let refused = town.node(2).call("invalidateblock", json!([kept])).unwrap_err().to_string();
    assert!(refused.contains("irreversible"), "{refused}");

    // Payments go on, and so does what is irreversible.
    let later = town.pay_for_good(&honest);
    assert!(later > paid);

    // A restart, in order or not, changes nothing.
    let before = town.irreversible(GUEST);
    town.node_mut(GUEST).stop();
    town.node_mut(2).kill();
    town.start(GUEST);
    town.start(2);
    assert!(town.irreversible(GUEST) >= before);
    // A kill may cost the newest block, which was not on disk yet, and with it what that had made irreversible.
    assert!(town.irreversible(2) >= paid);
    for number in [2, GUEST] {
        town.meet(number, ROGUE);
    }
    assert!(town.pay_for_good(&honest) > later);
    for number in honest {
        assert_eq!(town.call(number, "getblockhash", json!([paid])), kept);
    }

    // Whoever was led astray comes back by hand: to leave that branch is all it takes.
    assert_eq!(town.call(ROGUE, "getbestblockhash", json!([])), rogue_tip);
    town.until("it is told how", |town| {
        let warnings = town.call(ROGUE, "getstatus", json!([]))["warnings"].to_string();
        let said = warnings.contains(&format!("yap rpc invalidateblock {}", first.as_str().unwrap()));
        if said { Ok(()) } else { Err(warnings) }
    });
    town.call(ROGUE, "invalidateblock", json!([first]));
    town.agreed();
    assert_eq!(town.irreversible(ROGUE), town.irreversible(1));
}

#[test]
fn a_producer_that_is_cut_off_goes_on_makes_nothing_irreversible_and_comes_back() {
    const LONELY: usize = 4;
    let mut town = running();
    let own = town.address(LONELY);
    town.pay(1, &own, COIN);
    town.has(LONELY, COIN, 0);
    town.pay_for_good(&[1, 2, 3, LONELY, GUEST]);

    for other in [1, 2, 3] {
        let url = town.node(other).url();
        town.call(LONELY, "addnode", json!([url, "remove"]));
    }
    let url = town.node(LONELY).url();
    town.call(GUEST, "addnode", json!([url, "remove"]));
    for peer in town.call(LONELY, "getpeerinfo", json!([])).as_array().unwrap() {
        // It may be gone with its removal already.
        let _ = town.node(LONELY).call("disconnectnode", json!(["", peer["id"]]));
    }
    town.until("it is alone", |town| match &town.call(LONELY, "getstatus", json!([]))["isolated"] {
        Value::Bool(true) => Ok(()),
        other => Err(other.to_string()),
    });

    // Both sides confirm payments; that of more than two thirds makes them irreversible.
    let before = town.irreversible(LONELY);
    let there = town.pay(LONELY, &own, COIN / 16);
    town.until("the lonely side confirms", |town| match town.confirmations(LONELY, &there) {
        1.. => Ok(()),
        other => Err(other.to_string()),
    });
    let first = town.pay_for_good(&[1, 2, 3, GUEST]);
    let second = town.pay_for_good(&[1, 2, 3, GUEST]);
    assert!(second > first && first > before);
    // What was common may have become so by the lonely one's signature; what it made itself has not.
    let made = town.call(LONELY, "gettransaction", json!([there]))["blockheight"].as_u64().unwrap();
    assert!(town.irreversible(LONELY) < made);

    // Together again, the lonely payment is made again where everybody sees it, and is as good as any other.
    let url = town.node(1).url();
    town.call(LONELY, "addnode", json!([url, "add"]));
    town.until("its payment is irreversible everywhere", |town| {
        let told = town.call(LONELY, "gettransaction", json!([there]));
        let height = told["blockheight"].as_u64().ok_or_else(|| told.to_string())?;
        let heights: Vec<u64> = (1..=GUEST).map(|number| town.irreversible(number)).collect();
        let good = height > second && heights.iter().all(|fixed| *fixed >= height);
        if good { Ok(()) } else { Err(format!("{height}: {heights:?}")) }
    });
    town.agreed();
}

#[test]
fn two_histories_that_are_both_irreversible_part_with_a_reason() {
    let base = tempfile::tempdir().unwrap();
    let file = base.path().join("guild.toml");
    let node = |number: u8| Node::new(base.path().join(number.to_string()), String::new(), "off").on(CHAIN, &file);
    let nodes = vec![node(1), node(2)];
    let bare = Node::new(base.path().join("1"), String::new(), "");
    let key = told(&bare, &["producer", "new"])["producer"].as_str().unwrap().to_owned();
    told(&bare, &["chain", "new", CHAIN, "--producer", &key, "--output", file.to_str().unwrap()]);
    // The one producer has its key in two places, which is what must not be.
    for name in ["producer.key", "producer.sealed"] {
        std::fs::copy(nodes[0].directory().join(name), nodes[1].directory().join(name)).unwrap();
    }
    let mut town = Town::of(nodes, base);
    town.start_all();
    for (number, blocks) in [(1, 2), (2, 5)] {
        town.mine(number, blocks);
        town.until("all but the last is irreversible", |town| match town.irreversible(number) {
            height if height == blocks - 1 => Ok(()),
            other => Err(other.to_string()),
        });
    }
    let url = town.node(2).url();
    town.call(1, "addnode", json!([url, "add"]));
    town.until("they part, and say why", |town| {
        let why = |heard: &crate::town::Heard| match &heard.event {
            yap_api::event::Event::PeerGone { why: Some(why), .. } => why.contains("contradicts an irreversible block"),
            _ => false,
        };
        if town.heard.iter().any(why) { Ok(()) } else { Err("nobody says so".into()) }
    });
    assert_eq!((town.height(1), town.height(2)), (2, 5));
}

#[test]
fn a_key_is_made_once() {
    let base: TempDir = tempfile::tempdir().unwrap();
    let node = Node::new(base.path().join("1"), String::new(), "");
    let none = node.command().args(["producer", "show"]).output().unwrap();
    assert!(!none.status.success() && String::from_utf8_lossy(&none.stderr).contains("yap producer new"));
    let made = told(&node, &["producer", "new"]);
    assert_eq!(told(&node, &["producer", "show"]), made);
    let again = node.command().args(["producer", "new"]).output().unwrap();
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("is there already"));
    let elsewhere = base.path().join("safe");
    let other = node.command().args(["--producer-dir"]).arg(&elsewhere).args(["producer", "new"]).output().unwrap();
    assert!(other.status.success() && elsewhere.join("producer.sealed").exists());
    let key = made["producer"].as_str().unwrap();
    for (keys, why) in
        [(vec![key, key], "twice"), (vec!["02aa"], "66 hexadecimal digits"), (vec![&key[2..]], "66 hexadecimal digits")]
    {
        let mut command = node.command();
        command.args(["chain", "new", "guild"]);
        for key in &keys {
            command.args(["--producer", key]);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(why), "{keys:?}: {said}");
    }
}
