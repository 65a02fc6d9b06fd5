//! Commands against a node that is played: what they ask of it, in which order, and how they end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use clap::Parser;
use serde_json::{Value, json};
use yap_api::Client as Rpc;
use yap_chain::spec::Spec;

use super::{Error, Link, Output};
use crate::cli::{Cli, Command, Ending};

/// An address of the chain `local`, and one of Bitcoin's.
const BOB: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
const STRANGER: &str = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";

type Calls = Arc<Mutex<Vec<(String, Value)>>>;

/// A node that answers calls as `answer` says, and remembers them.
struct Played {
    address: SocketAddr,
    calls: Calls,
}

impl Played {
    fn new(answer: impl FnMut(&str, &Value) -> Result<Value, (i64, &'static str)> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Calls::default();
        let (told, answer) = (Arc::clone(&calls), Arc::new(Mutex::new(answer)));
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (told, answer) = (Arc::clone(&told), Arc::clone(&answer));
                std::thread::spawn(move || {
                    serve(stream, |method, params| {
                        told.lock().unwrap().push((method.to_owned(), params.clone()));
                        (answer.lock().unwrap())(method, params)
                    });
                });
            }
        });
        Self { address, calls }
    }

    /// Runs a command line as if it were typed.
    fn run(&self, arguments: &[&str]) -> Result<Ending, crate::cli::Error> {
        let cli = Cli::try_parse_from(["yap", "--json"].iter().chain(arguments)).unwrap();
        let client = Rpc::new(&self.address.to_string(), None).unwrap();
        let link = Link::new(client, Arc::new(Spec::local()));
        let Some(Command::Client(command)) = cli.command else { panic!("not a command that asks a node") };
        command.ask(&link, &Output::new(true))
    }

    /// The methods that were called, in order.
    fn called(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(|(method, _)| method.clone()).collect()
    }

    /// The parameters of the only call of that method.
    fn params(&self, method: &str) -> Value {
        let calls = self.calls.lock().unwrap();
        let found: Vec<&Value> = calls.iter().filter(|(name, _)| name == method).map(|(_, params)| params).collect();
        assert_eq!(found.len(), 1, "{method}");
        found[0].clone()
    }
}

/// Answers the calls of one connection.
fn serve(stream: TcpStream, mut answer: impl FnMut(&str, &Value) -> Result<Value, (i64, &'static str)>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let call: Value = serde_json::from_slice(&body).unwrap();
        let reply = match answer(call["method"].as_str().unwrap(), &call["params"]) {
            Ok(result) => json!({"jsonrpc": "2.0", "id": 1, "result": result}),
            Err((code, message)) => json!({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}}),
        };
        let text = reply.to_string();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", text.len());
        reader.get_mut().write_all(head.as_bytes()).unwrap();
        reader.get_mut().write_all(text.as_bytes()).unwrap();
    }
}

/// A node with a wallet that has 2 coins.
fn rich(method: &str, _: &Value) -> Result<Value, (i64, &'static str)> {
    Ok(match method {
        "walletcreatefundedpsbt" => json!({"psbt": "unsigned", "fee": "0.00001000", "changepos": 1}),
        "walletprocesspsbt" => json!({"psbt": "signed", "complete": true}),
        "finalizepsbt" => json!({"hex": "00ff", "complete": true}),
        "sendrawtransaction" => json!("ab".repeat(32)),
        "getconnectioncount" => json!(1),
        "getbalances" => json!({"mine": {"trusted": "2.00000000", "untrusted_pending": 0, "immature": 0}}),
        "getnewaddress" => json!(BOB),
        "getblockcount" => json!(7),
        _ => Value::Null,
    })
}

fn client_error(result: Result<Ending, crate::cli::Error>) -> Error {
    match result {
        Err(crate::cli::Error::Client(error)) => *error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_shown_is_what_is_sent() {
    let node = Played::new(rich);
    assert_eq!(node.run(&["pay", BOB, "0.5", "YAP", "--fee-rate", "2.5", "--yes"]).unwrap(), Ending::Done);
    let funded = node.params("walletcreatefundedpsbt");
    assert_eq!(funded.to_string(), format!(r#"[[],[{{"{BOB}":0.50000000}}],0,{{"fee_rate":2.5}}]"#));
    assert_eq!(node.params("walletprocesspsbt"), json!(["unsigned"]));
    assert_eq!(node.params("finalizepsbt"), json!(["signed"]));
    assert_eq!(node.params("sendrawtransaction"), json!(["00ff"]));
}

#[test]
fn everything_is_paid_with_the_fee_taken_from_it() {
    let node = Played::new(rich);
    node.run(&["pay", BOB, "--all", "--yes"]).unwrap();
    let funded = node.params("walletcreatefundedpsbt");
    assert_eq!(funded.to_string(), format!(r#"[[],[{{"{BOB}":2.00000000}}],0,{{"subtractFeeFromOutputs":[0]}}]"#));
}

#[test]
fn a_request_says_amount_and_label() {
    let node = Played::new(rich);
    node.run(&["pay", &format!("yap:{BOB}?amount=0.25&label=rent"), "--yes"]).unwrap();
    assert!(node.params("walletcreatefundedpsbt").to_string().contains("0.25000000"));
    assert_eq!(node.params("setlabel"), json!([BOB, "rent"]));
    let twice = client_error(node.run(&["pay", &format!("yap:{BOB}?amount=0.25"), "0.3", "--yes"]));
    assert!(matches!(&twice, Error::TwoAmounts { .. }) && twice.is_usage(), "{twice}");
    assert!(twice.to_string().contains("0.25 YAP") && twice.to_string().contains("0.30 YAP"), "{twice}");
}

#[test]
fn what_is_typed_wrong_reaches_no_node() {
    let node = Played::new(rich);
    for arguments in [
        &["pay", STRANGER, "1", "--yes"][..],
        &["pay", "nobody", "1", "--yes"],
        &["pay", BOB, "--yes"],
        &["pay", BOB, "0", "--yes"],
        &["pay", BOB, "1,000", "--yes"],
        &["pay", BOB, "1", "BTC", "--yes"],
        &["pay", "yap:", "1", "--yes"],
        &["mine", "--to", STRANGER],
        &["address", "--uri", "lots"],
        &["wallet", "label", STRANGER, "x"],
        &["wallet", "psbt", "create", STRANGER, "1"],
    ] {
        let error = client_error(node.run(arguments));
        assert!(error.is_usage(), "{arguments:?}: {error}");
        assert!(!error.is_no_node());
    }
    assert_eq!(node.called(), [""; 0]);
}

#[test]
fn nobody_asked_means_nothing_sent() {
    // The tests have no terminal for an answer; where one runs them by hand, there is somebody, and nothing to show.
    if super::secret::can_ask() {
        return;
    }
    let node = Played::new(rich);
    let error = client_error(node.run(&["pay", BOB, "1"]));
    assert!(matches!(error, Error::CannotAsk) && error.is_usage(), "{error}");
    assert_eq!(node.called(), ["walletcreatefundedpsbt"]);
}

#[test]
fn too_little_money_is_told_as_the_node_says() {
    let node = Played::new(|_, _| Err((-6, "Insufficient funds: 2.00 are there, 3.00001 are needed")));
    let error = client_error(node.run(&["pay", BOB, "3", "--yes"]));
    assert_eq!(error.to_string(), "Insufficient funds: 2.00 are there, 3.00001 are needed");
    assert!(!error.is_usage());
}

#[test]
fn a_locked_wallet_is_unlocked_for_one_payment_and_locked_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("passphrase");
    std::fs::write(&file, "open sesame\n").unwrap();
    let mut locked = true;
    let node = Played::new(move |method, params| {
        match method {
            "walletpassphrase" => {
                assert_eq!(params[0], "open sesame");
                locked = false;
            }
            "walletlock" => locked = true,
            "walletprocesspsbt" if locked => return Err((-13, "Please enter the wallet passphrase")),
            _ => {}
        }
        rich(method, params)
    });
    node.run(&["pay", BOB, "1", "--yes", "--passphrase-file", file.to_str().unwrap()]).unwrap();
    let called = node.called();
    let order = ["walletprocesspsbt", "walletpassphrase", "walletprocesspsbt", "walletlock", "finalizepsbt"];
    assert_eq!(called[1..6], order, "{called:?}");
    assert!(called.contains(&"sendrawtransaction".to_owned()));
}

#[test]
fn a_refused_transaction_is_no_payment() {
    let node = Played::new(|method, params| match method {
        "sendrawtransaction" => Err((-26, "min relay fee not met")),
        _ => rich(method, params),
    });
    let error = client_error(node.run(&["pay", BOB, "1", "--yes", "--label", "x"]));
    assert_eq!(error.to_string(), "min relay fee not met");
    assert!(!node.called().contains(&"setlabel".to_owned()));
}

#[test]
fn mining_goes_on_until_enough_blocks_are_found() {
    let mut tries = 0;
    let node = Played::new(move |method, params| match method {
        "generatetoaddress" => {
            tries += 1;
            // The target may be hard: a call can end without a block.
            Ok(if tries % 2 == 0 { json!(["00"]) } else { json!([]) })
        }
        _ => rich(method, params),
    });
    assert_eq!(node.run(&["mine", "3"]).unwrap(), Ending::Done);
    let called = node.called();
    assert_eq!(called.iter().filter(|method| *method == "generatetoaddress").count(), 6, "{called:?}");
    assert_eq!(called[0], "getnewaddress");
    node.run(&["mine", "--on-demand"]).unwrap();
    assert_eq!(node.params("setmining"), json!(["ondemand"]));
}

#[test]
fn a_peer_that_is_not_there_is_told() {
    let node = Played::new(|method, _| match method {
        "addnode" => Err((-24, "Error: Node could not be removed. It has not been added previously.")),
        _ => Err((-29, "Node not found in connected nodes")),
    });
    let error = client_error(node.run(&["droppeer", "10.0.0.1:6001"]));
    assert!(error.to_string().contains("`yap peers`"), "{error}");
    let node = Played::new(|method, _| if method == "addnode" { Err((-24, "not added")) } else { Ok(Value::Null) });
    assert_eq!(node.run(&["droppeer", "12"]).unwrap(), Ending::Done);
    assert_eq!(node.params("disconnectnode"), json!(["", 12]));
}

#[test]
fn any_method_can_be_called() {
    let node = Played::new(|_, _| Ok(json!({"a": 1})));
    node.run(&["rpc", "unheard-of", "1", "text", "-5", "{\"x\": null}"]).unwrap();
    assert_eq!(node.params("unheard-of"), json!([1, "text", -5, {"x": null}]));
    let node = Played::new(|_, _| Err((-32601, "Method not found")));
    let error = client_error(node.run(&["rpc", "unheard-of"]));
    assert!(error.to_string().contains("`yap rpc help`"), "{error}");
}

#[test]
fn a_node_that_is_gone_is_told_from_one_that_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let nobody = Played { address, calls: Calls::default() };
    let error = client_error(nobody.run(&["balance"]));
    assert!(error.is_no_node(), "{error}");
    assert!(error.to_string().contains("start one with `yap`"), "{error}");
    let node = Played::new(|_, _| Err((-18, "No wallet is loaded")));
    assert!(!client_error(node.run(&["balance"])).is_no_node());
}

#[test]
fn a_running_node_s_wallet_is_not_made_beside_it() {
    let node = Played::new(rich);
    for arguments in [&["wallet", "create"][..], &["wallet", "restore"]] {
        assert!(matches!(client_error(node.run(arguments)), Error::NodeRuns));
    }
    assert_eq!(node.called(), [""; 0]);
}

#[test]
fn passphrases_are_never_on_the_command_line() {
    for arguments in
        [&["wallet", "unlock", "secret"][..], &["wallet", "encrypt", "secret"], &["wallet", "restore", "zoo"]]
    {
        assert!(Cli::try_parse_from(["yap"].iter().chain(arguments)).is_err(), "{arguments:?}");
    }
}
