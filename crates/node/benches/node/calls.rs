//! Calls over one connection, one after the other.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::bare::Server;
use crate::http::Connection;
use crate::median;
use crate::process::{Node, Usage};

/// Calls before it counts, and in each turn.
const WARM: usize = 500;
const TURN: usize = 4000;

/// Turns; medians are taken, since other programs run as well.
const TURNS: usize = 5;

/// Someone who is asked.
struct Asked<'a> {
    name: &'a str,
    connection: Connection,
    request: String,
    usage: &'a dyn Fn() -> Usage,
    /// Calls per second, and CPU time of whoever is asked.
    speeds: Vec<f64>,
    costs: Vec<Duration>,
    bytes: usize,
}

impl<'a> Asked<'a> {
    fn new(name: &'a str, connection: Connection, body: &str, usage: &'a dyn Fn() -> Usage) -> Self {
        let request = connection.request(body);
        Self { name, connection, request, usage, speeds: Vec::new(), costs: Vec::new(), bytes: 0 }
    }

    fn ask(&mut self, times: usize) {
        for _ in 0..times {
            let (status, body) = self.connection.send(&self.request).unwrap();
            assert_eq!(status, 200, "{}: {}", self.name, String::from_utf8_lossy(&body));
            self.bytes = body.len();
        }
    }

    fn turn(&mut self) {
        let (begun, before) = (Instant::now(), (self.usage)().cpu);
        self.ask(TURN);
        self.speeds.push(TURN as f64 / begun.elapsed().as_secs_f64());
        self.costs.push((self.usage)().cpu.saturating_sub(before));
    }
}

pub(crate) fn run(place: &Path) {
    let server = Server::start();
    let mut node = Node::start(place, "local", &[]);
    node.ready();
    let tip = node.call("getbestblockhash", &json!([]));
    let (of_server, of_node) = (|| server.usage(), || node.usage());
    let mut all = vec![Asked::new("hello (bare server)", Connection::open(server.address).unwrap(), "{}", &of_server)];
    for (method, params) in [
        ("getblockcount", json!([])),
        ("getblockheader", json!([tip])),
        ("getblock", json!([tip, 1])),
        ("getrawmempool", json!([])),
    ] {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        all.push(Asked::new(method, node.connect(), &body, &of_node));
    }
    all.iter_mut().for_each(|asked| asked.ask(WARM));
    for _ in 0..TURNS {
        all.iter_mut().for_each(Asked::turn);
    }
    println!("calls over one connection, one after the other; the median of {TURNS} turns of {TURN}");
    println!(
        "{:<24} {:>7} {:>12} {:>8} {:>18} {:>8}",
        "", "bytes", "per second", "ratio", "CPU of the server", "ratio"
    );
    let mut floor = None;
    for Asked { name, speeds, costs, bytes, .. } in all {
        let (speed, cost) = (median(speeds), median(costs).as_secs_f64() * 1e6 / TURN as f64);
        let (least, cheapest) = *floor.get_or_insert((speed, cost));
        println!(
            "{name:<24} {bytes:>7} {speed:>12.0} {:>8.2} {cost:>15.1} µs {:>8.2}",
            speed / least,
            cost / cheapest.max(f64::MIN_POSITIVE)
        );
    }
    println!();
    node.stop();
}
