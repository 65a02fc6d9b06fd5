//! A network that is split goes on on both sides, and heals by most work (M5, P15).

use serde_json::{Value, json};

use crate::town::{COIN, MATURITY, Town};

#[test]
fn both_sides_of_a_split_go_on_and_heal_by_most_work() {
    let mut town = Town::running();
    town.mine(3, MATURITY + 10);
    town.agreed();
    let first = town.address(1);
    town.pay(3, &first, COIN);
    town.mine(3, 1);
    town.has(1, COIN, 0);
    assert_eq!(town.call(3, "getstatus", json!([]))["isolated"], json!(false));

    // Node 3 is cut off.
    let way = town.node(2).url();
    town.call(3, "addnode", json!([way, "remove"]));
    for peer in town.call(3, "getpeerinfo", json!([])).as_array().unwrap() {
        // It may be gone with its removal already.
        let _ = town.node(3).call("disconnectnode", json!(["", peer["id"]]));
    }
    town.connected([1, 1, 0]);
    town.until("node 3 says that it is isolated", |town| match &town.call(3, "getstatus", json!([]))["isolated"] {
        Value::Bool(true) => Ok(()),
        other => Err(other.to_string()),
    });
    assert_eq!(town.call(1, "getstatus", json!([]))["isolated"], json!(false));

    // Both sides pay and confirm; the one that is cut off works more.
    let second = town.address(2);
    let here = town.pay(1, &second, COIN / 8);
    town.waits(2, &here);
    town.mine(2, 1);
    town.confirmed(1, &here, 1);
    let there = town.pay(3, &first, COIN / 16);
    town.until("the wallet says that it is isolated", |town| {
        let told = town.call(3, "gettransaction", json!([there]));
        if told["isolated"] == json!(true) { Ok(()) } else { Err(told["status"].to_string()) }
    });
    town.mine(3, 3);
    town.confirmed(3, &there, 3);
    let (left, right) = (town.agreed_among(&[1, 2]), town.agreed_among(&[3]));
    assert_eq!(right.0, left.0 + 2);

    // The sides meet: most work wins, and what the other side had confirmed waits again.
    town.call(3, "addnode", json!([way, "add"]));
    town.connected([1, 2, 1]);
    assert_eq!(town.agreed(), right);
    for number in 1..=2 {
        town.waits(number, &here);
    }
    assert_eq!(town.confirmations(1, &here), 0);
    town.waits(3, &here);
    town.mine(3, 1);
    town.until("it is confirmed again", |town| match (town.confirmations(1, &here), town.confirmations(1, &there)) {
        (1, 4) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    town.agreed();
}
