//! Nodes that die, and come back, or come late: the others go on, and nothing that anybody was told is lost (L6).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use yap_api::client::Client;
use yap_api::event::Event;

use crate::town::{COIN, MATURITY, PATIENCE, Town};

/// Three nodes that know one another, so that any two are connected without the third.
fn ring() -> Town {
    let mut town = Town::line();
    let first = town.node(1).url();
    town.node_mut(3).know(&first);
    town.start_all();
    town.connected([2, 2, 2]);
    town
}

/// Gives each wallet some coins that can be spent.
fn endow(town: &mut Town, coins: usize) {
    town.mine(3, MATURITY + 3 * u64::try_from(coins).unwrap());
    town.agreed_among(&[1, 2, 3]);
    for number in [1, 2] {
        let to: serde_json::Map<String, Value> = (0..coins).map(|_| (town.address(number), json!("0.5"))).collect();
        town.call(3, "sendmany", json!(["", to]));
    }
    town.until("the gifts wait at node 3", |town| {
        let pool = town.pool(3);
        if pool.len() == 2 { Ok(()) } else { Err(format!("{pool:?}")) }
    });
    town.mine(3, 1);
    let given = i64::try_from(coins).unwrap() * COIN / 2;
    town.has(1, given, 0);
    town.has(2, given, 0);
}

#[test]
fn the_others_go_on_paying_and_confirming_when_one_is_killed() {
    let mut town = ring();
    endow(&mut town, 4);
    for dead in 1..=3 {
        town.node_mut(dead).kill();
        let others = town.alive();
        let mut wanted = [1; 3];
        wanted[dead - 1] = 0;
        town.connected(wanted);
        let (payer, paid) = (others[0], others[1]);
        let address = town.address(paid);
        let txid = town.pay(payer, &address, COIN / 100);
        town.waits(paid, &txid);
        town.mine(paid, 1);
        town.until("it is confirmed for both", |town| {
            let confirmed = [payer, paid].map(|number| town.confirmations(number, &txid));
            if confirmed == [1, 1] { Ok(()) } else { Err(format!("{confirmed:?}")) }
        });
        town.start(dead);
        town.connected([2, 2, 2]);
        town.agreed();
    }
}

/// Pays others in turn until told to stop; gives the payments that the wallet answered with an id.
fn pay_on(client: &Client, to: &[String], stop: &AtomicBool) -> Vec<String> {
    let mut paid = Vec::new();
    let mut addresses = to.iter().cycle();
    while !stop.load(Ordering::Relaxed) {
        let address = addresses.next().unwrap();
        // It may be refused while all coins are in long chains of payments that wait, and at the end nobody answers.
        if let Ok(txid) = client.call("sendtoaddress", json!([address, "0.0001"])) {
            paid.push(txid.as_str().unwrap().to_owned());
        }
    }
    paid
}

#[test]
fn nothing_is_lost_when_all_are_killed_under_load() {
    const LOAD: Duration = Duration::from_secs(3);
    const SETTLED: Duration = Duration::from_secs(1);

    let mut town = Town::running();
    endow(&mut town, 8);
    let addresses: Vec<String> = (1..=3).map(|number| town.address(number)).collect();
    let miner = town.address(3);
    let stop = AtomicBool::new(false);
    let (payments, struck) = std::thread::scope(|scope| {
        let payers: Vec<_> = (1..=3)
            .map(|number| {
                let client = town.node(number).client.clone();
                let others: Vec<_> = addresses.iter().filter(|one| **one != addresses[number - 1]).cloned().collect();
                let stop = &stop;
                (number, scope.spawn(move || pay_on(&client, &others, stop)))
            })
            .collect();
        let client = town.node(3).client.clone();
        let (stopped, miner) = (&stop, &miner);
        scope.spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                // At the end nobody answers.
                let _ = client.call("generatetoaddress", json!([1, miner, 50_000_000]));
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        town.listen_until(Instant::now() + LOAD);
        let struck = Instant::now();
        town.kill_all();
        stop.store(true, Ordering::Relaxed);
        let payments: Vec<_> = payers.into_iter().map(|(number, payer)| (number, payer.join().unwrap())).collect();
        (payments, struck)
    });
    let count: usize = payments.iter().map(|(_, paid)| paid.len()).sum();
    assert!(count >= 10, "{count} payments are no load");
    town.listen();
    let told = |heard: &crate::town::Heard| match &heard.event {
        Event::BlockConnected { hash, .. } if heard.at + SETTLED <= struck => Some(hash.to_string()),
        _ => None,
    };
    let blocks: BTreeSet<String> = town.heard.iter().filter_map(told).collect();
    assert!(blocks.len() > usize::try_from(MATURITY).unwrap());

    town.start_all();
    town.connected([1, 2, 1]);
    town.agreed();
    for number in 1..=3 {
        for hash in &blocks {
            let confirmations = &town.call(number, "getblockheader", json!([hash]))["confirmations"];
            assert!(confirmations.as_i64().unwrap() > 0, "node {number} lost block {hash}");
        }
    }
    for (number, paid) in &payments {
        for txid in paid {
            assert!(town.confirmations(*number, txid) >= 0, "node {number} takes {txid} back");
        }
    }
    // Those that no block had are told again, and confirmed.
    let begun = Instant::now();
    for (number, paid) in &payments {
        for txid in paid {
            while town.confirmations(*number, txid) <= 0 {
                if begun.elapsed() > PATIENCE {
                    let told = town.call(*number, "gettransaction", json!([txid]));
                    let why = town.call(*number, "testmempoolaccept", json!([[told["hex"]]]));
                    let pools = [1, 2, 3].map(|node| (town.pool(node).contains(txid), town.pool(node).len()));
                    let words = town.words();
                    panic!("{txid} of node {number} is never confirmed: {told}, {why}, pools {pools:?}\n{words}");
                }
                town.listen_until(Instant::now() + Duration::from_millis(50));
                if !town.pool(3).is_empty() {
                    town.mine(3, 1);
                }
            }
        }
    }
    town.agreed();
    println!("{count} payments and {} blocks outlived the death of all nodes", blocks.len());
}

#[test]
fn who_comes_late_and_who_slept_catches_up() {
    let mut town = Town::line();
    for number in [1, 2] {
        town.start(number);
    }
    town.connected([1, 1, 0]);
    town.mine(1, MATURITY + 10);
    let address = town.address(2);
    town.pay(1, &address, COIN / 2);
    town.mine(1, 1);
    let height = town.agreed_among(&[1, 2]).0;
    town.start(3);
    town.connected([1, 2, 1]);
    assert_eq!(town.agreed().0, height);
    // The one in the middle sleeps, so that the last is without blocks too.
    town.node_mut(2).stop();
    town.connected([0, 0, 0]);
    town.mine(1, 50);
    town.start(2);
    town.connected([1, 2, 1]);
    let height = height + 50;
    assert_eq!(town.agreed().0, height);
    town.has(2, COIN / 2, 0);
    // Also of who took all from others and had nothing to tell.
    town.until("each knows how far its peers are", |town| {
        let known = |number| match town.call(number, "getpeerinfo", json!([])) {
            Value::Array(peers) => peers.into_iter().map(|peer| peer["synced_headers"].clone()).collect::<Vec<_>>(),
            other => vec![other],
        };
        let (seen, wanted) = ([1, 2, 3].map(known), [1, 2, 1].map(|peers| vec![json!(height); peers]));
        if seen == wanted { Ok(()) } else { Err(format!("{seen:?}")) }
    });
}

#[test]
fn a_killed_node_still_has_what_others_paid_each_other_half_a_minute_before() {
    let mut town = Town::running();
    endow(&mut town, 2);
    let address = town.address(2);
    let txid = town.pay(1, &address, COIN / 100);
    // Node 3 has nothing to do with the payment, so no wallet of its keeps it.
    town.waits(3, &txid);
    let file = town.node(3).file("mempool.dat");
    town.until("the pending payments are on disk", |_| match std::fs::metadata(&file) {
        // The pool was empty before, and such a file has some 30 bytes.
        Ok(there) if there.len() > 100 => Ok(()),
        other => Err(format!("{other:?}")),
    });
    town.kill_all();
    town.start(3);
    town.until("the payment waits again", |town| {
        let pool = town.pool(3);
        if pool == [txid.clone()] { Ok(()) } else { Err(format!("{pool:?}")) }
    });
    assert_eq!(town.call(3, "getconnectioncount", json!([])), json!(0), "nobody told it");
}
