//! Many payments, at a steady pace, through all nodes; one of them mines on demand.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::key::{Key, Signed};
use crate::town::{COIN, MATURITY, Town};

/// What the one who splits a coin pays, satoshis: at least two for each byte.
const FEE: i64 = 100_000;

/// What each payment pays.
const SMALL_FEE: i64 = 500;

/// How many nodes there are.
const NODES: usize = 3;

/// Parts of a coin.
const PARTS: usize = 1000;

/// Memory that may be more at the end than in the middle: what the allocator keeps and caches still fill.
const SLACK: u64 = 24 << 20;

/// How a run went.
struct Figures {
    memory: [[u64; 3]; 2],
    late: Duration,
    confirmed: Duration,
}

/// Transactions that don't depend on one another, each of a confirmed coin.
fn prepare(town: &mut Town, count: usize) -> Vec<Signed> {
    let (key, other) = (Key::new(7), Key::new(8).address());
    let coins = count.div_ceil(PARTS);
    town.mine_to(2, MATURITY + u64::try_from(coins).unwrap(), &key.address());
    town.agreed();
    let address = key.address();
    let part = (COIN - FEE) / i64::try_from(PARTS).unwrap();
    let mut payments = Vec::with_capacity(coins * PARTS);
    for height in 1..=u64::try_from(coins).unwrap() {
        let split = key.spend(&key.reward(town, height), &vec![(address.as_str(), part); PARTS]);
        town.call(2, "sendrawtransaction", json!([split.hex]));
        for output in 0..u32::try_from(PARTS).unwrap() {
            payments.push(key.spend(&split.coin(output, part), &[(other.as_str(), part - SMALL_FEE)]));
        }
    }
    town.mine_to(2, 1, &other);
    town.until("the parts are confirmed", |town| {
        let pools = [1, 2, 3].map(|number| town.pool(number).len());
        if pools == [0, 0, 0] { Ok(()) } else { Err(format!("{pools:?} wait")) }
    });
    town.agreed();
    payments.truncate(count);
    payments
}

/// Sends payments at a pace, each node its share, and listens meanwhile. Gives by how much the last was late.
fn send(town: &mut Town, payments: &[Signed], begun: Instant, gap: Duration) -> Duration {
    let clients = [1, 2, 3].map(|number| town.node(number).client.clone());
    std::thread::scope(|scope| {
        let senders: Vec<_> = clients
            .iter()
            .enumerate()
            .map(|(share, client)| {
                scope.spawn(move || {
                    let mut late = Duration::ZERO;
                    for (number, payment) in payments.iter().enumerate().skip(share).step_by(NODES) {
                        let due = begun + gap * u32::try_from(number).unwrap();
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                        client.call("sendrawtransaction", json!([payment.hex])).unwrap();
                        late = due.elapsed();
                    }
                    late
                })
            })
            .collect();
        while senders.iter().any(|sender| !sender.is_finished()) {
            town.listen_until(Instant::now() + Duration::from_millis(50));
        }
        senders.into_iter().map(|sender| sender.join().unwrap()).max().unwrap()
    })
}

fn run(rate: u32, seconds: u32) -> Figures {
    let mut town = Town::line();
    town.node_mut(2).mining = "on-demand";
    town.start_all();
    town.connected([1, 2, 1]);
    let count = usize::try_from(rate * seconds).unwrap();
    let payments = prepare(&mut town, count);
    let start = town.height(1);
    let (half, rest) = payments.split_at(count / 2);
    let (begun, gap) = (Instant::now(), Duration::from_secs(1) / rate);
    send(&mut town, half, begun, gap);
    let middle = [1, 2, 3].map(|number| town.node(number).memory());
    let late = send(&mut town, rest, begun + gap * u32::try_from(half.len()).unwrap(), gap);
    let sent = Instant::now();
    town.until("all payments are confirmed", |town| {
        let pools = [1, 2, 3].map(|number| town.pool(number).len());
        if pools == [0, 0, 0] { Ok(()) } else { Err(format!("{pools:?} wait")) }
    });
    let confirmed = sent.elapsed();
    let end = [1, 2, 3].map(|number| town.node(number).memory());
    let (height, _) = town.agreed();
    let mut in_blocks = BTreeSet::new();
    for height in start..=height {
        let hash = town.call(3, "getblockhash", json!([height]));
        let block = town.call(3, "getblock", json!([hash, 1]));
        in_blocks.extend(block["tx"].as_array().unwrap().iter().map(|txid| txid.as_str().unwrap().to_owned()));
    }
    let missing: Vec<_> = payments.iter().filter(|payment| !in_blocks.contains(&payment.txid)).collect();
    assert!(missing.is_empty(), "{} of {count} payments are in no block", missing.len());
    println!("{count} payments, {rate} a second: in {} blocks, last confirmed {confirmed:?} later", height - start);
    println!("the last was sent {late:?} late; memory in the middle {middle:?}, at the end {end:?}");
    Figures { memory: [middle, end], late, confirmed }
}

#[test]
fn all_of_fifty_payments_a_second_are_confirmed() {
    let figures = run(50, 10);
    assert!(figures.late < Duration::from_secs(5), "{:?}", figures.late);
    assert!(figures.confirmed < Duration::from_secs(45), "{:?}", figures.confirmed);
}

#[test]
#[ignore = "a minute of load: make test-load"]
fn all_of_two_hundred_payments_a_second_are_confirmed_and_memory_stays_as_it_is() {
    let figures = run(200, 60);
    assert!(figures.late < Duration::from_secs(5), "{:?}", figures.late);
    let [middle, end] = figures.memory;
    for (middle, end) in middle.into_iter().zip(end) {
        assert!(end <= middle + middle / 5 + SLACK, "memory grew from {middle} to {end} bytes");
    }
}
