//! Refusals, as clients of Bitcoin Core tell them apart: by their numbers.

use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, BlockHash, Txid};
use corepc_client::client_sync::{Auth, Error, v31::Client};
use jsonrpc::error::Error as Answer;
use serde_json::{Value, json};

use crate::client;
use crate::support::Place;

/// The number of a refusal, and what it says.
fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>) -> (i32, String) {
    match outcome.unwrap_err() {
        Error::JsonRpc(Answer::Rpc(error)) => (error.code, error.message),
        other => panic!("no refusal: {other:?}"),
    }
}

#[test]
fn refusals_have_the_numbers_of_bitcoin_core() {
    let place = Place::with_node_of("regtest");
    let client = client(&place);
    let address = client.new_address().unwrap();
    let code = |outcome: Result<(), Error>| refused(outcome).0;
    let (block, txid) = (BlockHash::all_zeros(), Txid::all_zeros());
    assert_eq!(refused(client.get_block(block)), (-5, "Block not found".to_owned()));
    assert_eq!(refused(client.get_block_header(&block)), (-5, "Block not found".to_owned()));
    assert_eq!(refused(client.get_block_hash(1_000)), (-8, "Block height out of range".to_owned()));
    assert_eq!(code(client.get_raw_transaction(txid).map(drop)), -5);
    assert_eq!(code(client.get_mempool_entry(txid).map(drop)), -5);
    assert_eq!(code(client.get_transaction(txid).map(drop)), -5);
    assert_eq!(code(client.send_to_address(&address, Amount::ONE_BTC).map(drop)), -6);
    assert_eq!(code(client.disconnect_node("192.0.2.1:1").map(drop)), -29);
    assert_eq!(code(client.wallet_passphrase("none", 1)), -15);
    assert_eq!(code(client.load_wallet("another").map(drop)), -18);
    let asked = |method: &str, args: &[Value]| code(client.call::<Value>(method, args).map(drop));
    assert_eq!(asked("nothing", &[]), -32601);
    assert_eq!(asked("getblockhash", &[]), -1);
    assert_eq!(asked("getblockhash", &[json!("many")]), -3);
    assert_eq!(asked("getblockhash", &[json!(1), json!(2)]), -1);
    assert_eq!(asked("decoderawtransaction", &[json!("00")]), -22);
    assert_eq!(asked("sendrawtransaction", &[json!("zz")]), -22);
    assert_eq!(asked("generatetoaddress", &[json!(1), json!("nobody")]), -5);
    assert_eq!(asked("sendtoaddress", &[json!(address.to_string()), json!(-1)]), -3);
    assert_eq!(asked("getblock", &[json!("00")]), -8);
    assert_eq!(asked("submitblock", &[json!("00")]), -22);
}

#[test]
fn a_wrong_password_is_told_as_one() {
    let place = Place::with_node_of("regtest");
    let url = format!("http://{}", place.http());
    let wrong = Auth::UserPass("__cookie__".to_owned(), "wrong".to_owned());
    let error = Client::new_with_auth(&url, wrong).unwrap().get_block_count().unwrap_err();
    assert!(format!("{error:?}").contains("401"), "{error:?}");
    // What every peer knows is there for whoever is on this machine and says what it sends; this client does not say it.
    assert!(Client::new(&url).new_address().is_err());
}
