//! What is paid at one end is read at the other, and nothing is paid twice (W3, H2, M3).

use serde_json::{Value, json};
use yap_api::client::ClientError;

use crate::key::Key;
use crate::town::{COIN, MATURITY, Town};

#[test]
fn a_payment_at_one_end_is_read_at_the_other() {
    let mut town = Town::running();
    town.mine(3, MATURITY + 1);
    town.agreed();
    let address = town.address(1);
    let txid = town.pay(3, &address, COIN / 4);
    town.has(1, 0, COIN / 4);
    assert_eq!(town.confirmations(1, &txid), 0);
    town.mine(3, 1);
    town.has(1, COIN / 4, 0);
    town.confirmed(1, &txid, 1);
    let (height, _) = town.agreed();
    assert_eq!(height, MATURITY + 2);
    for number in 1..=3 {
        assert_eq!(town.pool(number), [""; 0]);
    }
}

/// The code with which a node refused a transaction, and why.
fn refused(answer: Result<Value, ClientError>) -> (i64, String) {
    match answer {
        Err(ClientError::Rpc { code, message, .. }) => (code, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_coin_is_spent_once_whoever_is_told_of_what() {
    let mut town = Town::running();
    let key = Key::new(1);
    town.mine_to(2, MATURITY + 2, &key.address());
    town.agreed();
    let coins = [key.reward(&town, 1), key.reward(&town, 2)];
    let others = [Key::new(2).address(), Key::new(3).address()];
    let spend = |coin, to: &str| key.spend(coin, &[(to, COIN - 10_000)]);
    let send = |town: &Town, number, hex: &str| town.node(number).call("sendrawtransaction", json!([hex]));

    // One after another: who comes second is refused, wherever it is told.
    let [first, second] = [spend(&coins[0], &others[0]), spend(&coins[0], &others[1])];
    send(&town, 1, &first.hex).unwrap();
    town.waits(3, &first.txid);
    let (code, why) = refused(send(&town, 3, &second.hex));
    assert_eq!(code, -26, "{why}");

    // At one moment, at both ends.
    let [left, right] = [spend(&coins[1], &others[0]), spend(&coins[1], &others[1])];
    std::thread::scope(|scope| {
        let [one, other] = [town.node(1).client.clone(), town.node(3).client.clone()];
        let (left, right) = (&left.hex, &right.hex);
        scope.spawn(move || one.call("sendrawtransaction", json!([left])));
        scope.spawn(move || other.call("sendrawtransaction", json!([right])));
    });
    town.until("everybody has one of both", |town| {
        let pools = [1, 2, 3].map(|number| town.pool(number));
        let one = |pool: &Vec<String>| pool.contains(&left.txid) != pool.contains(&right.txid);
        if pools.iter().all(one) { Ok(()) } else { Err(format!("{pools:?}")) }
    });
    town.mine(2, 1);
    town.agreed();
    for number in 1..=3 {
        let there = |txid: &str| !town.call(number, "gettxout", json!([txid, 0])).is_null();
        assert!(there(&first.txid) && !there(&second.txid), "at node {number}");
        assert!(there(&left.txid) != there(&right.txid), "at node {number}");
        let lost = if there(&left.txid) { &right } else { &left };
        for loser in [&second, lost] {
            let (code, why) = refused(send(&town, number, &loser.hex));
            assert_eq!((code, why.as_str()), (-25, "bad-txns-inputs-missingorspent"), "at node {number}");
            assert!(!town.pool(number).contains(&loser.txid));
        }
    }
}
