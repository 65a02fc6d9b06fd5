//! What is shown, step by step.

use std::path::Path;
use std::time::{Duration, Instant};

use bitcoin::Amount;
use serde_json::{Value, json};

use super::Error;
use super::child::{Child, Ports};
use super::error::LastWords;
use super::story::{Story, told};
use crate::cli::client::amount;
use crate::cli::client::reply::Reply;

/// Time for something that takes a moment.
const SOON: Duration = Duration::from_secs(20);

/// Time to make the first blocks.
const MINING: Duration = Duration::from_secs(120);

/// Blocks after which the first coins can be spent.
const FIRST: u64 = 101;

/// Blocks that are asked for by one call, so that Ctrl-C does not wait long.
const AT_ONCE: u64 = 10;

/// Hashes that one call may try.
const TRIES: u64 = 5_000_000;

/// What each payment is worth.
const PAYMENT: Amount = Amount::from_sat(25_000_000);

/// The three nodes.
#[derive(Debug)]
pub(super) struct Town {
    pub(super) nodes: [Child; 3],
}

impl Town {
    /// Three nodes that are to stand in a line; none is started.
    pub(super) fn new(base: &Path) -> Result<Self, Error> {
        let ports = [Ports::free()?, Ports::free()?, Ports::free()?];
        let [first, second, _] = ports;
        let node = |number, ports, peers| Child::new(number, base, ports, peers);
        let [a, b, c] = ports;
        let nodes = [
            node(1, a, String::new())?,
            node(2, b, format!("ws://localhost:{}", first.p2p))?,
            node(3, c, format!("ws://localhost:{}", second.p2p))?,
        ];
        Ok(Self { nodes })
    }

    /// Stops the nodes.
    pub(super) fn end(mut self) {
        for node in &self.nodes {
            node.ask_to_stop();
        }
        for node in &mut self.nodes {
            node.wait();
        }
    }

    fn words(&self) -> LastWords {
        LastWords(self.nodes.iter().map(|node| (node.number(), node.last_words())).collect())
    }

    /// Every node that was started still runs.
    fn alive(&mut self) -> Result<(), Error> {
        let ended = self.nodes.iter_mut().find_map(|node| Some((node.number(), node.ended()?)));
        match ended {
            Some((number, status)) => Err(Error::Died { number, status, words: self.words() }),
            None => Ok(()),
        }
    }

    /// Waits until `look` sees something of the nodes.
    fn until<T>(
        &mut self,
        story: &Story<'_>,
        (what, limit): (&str, Duration),
        mut look: impl FnMut(&Self) -> Result<Result<T, String>, Error>,
    ) -> Result<T, Error> {
        let seen = story.until(limit, || {
            self.alive()?;
            look(self)
        })?;
        let seconds = limit.as_secs();
        seen.map_err(|last| Error::Late { what: what.to_owned(), seconds, last, words: self.words() })
    }

    fn wrong(&self, what: String) -> Error {
        Error::Wrong { what, words: self.words() }
    }

    /// How many peers each of the nodes has that run; 0 for those that don't.
    fn peers(&self) -> Result<[u64; 3], Error> {
        let count = |node: &Child| match node.is_started() {
            true => Ok(node.call("getconnectioncount", json!([]))?.as_u64().unwrap_or(0)),
            false => Ok(0),
        };
        let [a, b, c] = &self.nodes;
        Ok([count(a)?, count(b)?, count(c)?])
    }

    /// Waits until the nodes have so many peers.
    fn connected(&mut self, story: &Story<'_>, what: &str, wanted: [u64; 3]) -> Result<(), Error> {
        self.until(story, (what, SOON), |town| {
            let peers = town.peers()?;
            let [a, b, c] = peers;
            Ok(if peers == wanted { Ok(()) } else { Err(format!("Nodes 1, 2 and 3 have {a}, {b} and {c} peers.")) })
        })
    }

    /// Waits until every node that runs has the tip of node 3; gives its height and hash.
    fn agreed(&mut self, story: &Story<'_>) -> Result<(u64, String), Error> {
        self.until(story, ("all nodes have the same newest block", SOON), |town| {
            let mut tips: Vec<(u64, String)> = Vec::new();
            for node in town.nodes.iter().filter(|node| node.is_started()) {
                let info = node.call("getblockchaininfo", json!([]))?;
                tips.push((info.number("blocks").unwrap_or(0), info.text("bestblockhash").to_owned()));
            }
            let same = tips.windows(2).all(|pair| matches!(pair, [a, b] if a == b));
            let heights: Vec<String> = tips.iter().map(|(height, _)| height.to_string()).collect();
            Ok(match tips.pop() {
                Some(tip) if same => Ok(tip),
                _ => Err(format!("Their heights are {}.", heights.join(", "))),
            })
        })
    }

    /// Makes blocks at node 3 until its chain has that height.
    fn mine(&mut self, story: &Story<'_>, height: u64) -> Result<(), Error> {
        let miner = self.third().call("getnewaddress", json!(["mined"]))?;
        let what = format!("the chain of node 3 has height {height}");
        self.until(story, (&what, MINING), |town| {
            let now = town.third().call("getblockcount", json!([]))?.as_u64().unwrap_or(0);
            if now >= height {
                return Ok(Ok(()));
            }
            let some = height.saturating_sub(now).min(AT_ONCE);
            town.third().call("generatetoaddress", json!([some, miner, TRIES]))?;
            Ok(Err(format!("Its height is {now}.")))
        })
    }

    fn first(&self) -> &Child {
        let [first, ..] = &self.nodes;
        first
    }

    fn third(&self) -> &Child {
        let [.., third] = &self.nodes;
        third
    }

    /// What node 1 has that is confirmed, and what is pending: satoshis.
    fn balance(&self) -> Result<(i64, i64), Error> {
        let balances = self.first().call("getbalances", json!([]))?;
        let mine = balances.part("mine");
        Ok((mine.sats("trusted").unwrap_or(0), mine.sats("untrusted_pending").unwrap_or(0)))
    }
}

/// Shows everything.
pub(super) fn play(town: &mut Town, story: &mut Story<'_>) -> Result<(), Error> {
    story.step("Start three nodes", |story| start(town, story))?;
    story.step("Wait until they have found each other", |story| {
        town.connected(story, "node 2 is connected to nodes 1 and 3, and they to nobody else", [1, 2, 1])?;
        Ok(vec!["1 - 2 - 3: nodes 1 and 3 have one peer each, node 2 has both".into()])
    })?;
    story.step("Make the first coins at node 3", |story| {
        town.mine(story, FIRST)?;
        let (height, _) = town.agreed(story)?;
        Ok(vec![format!("{height} blocks, and all three nodes have them; the oldest coins can be spent now")])
    })?;
    story.step("Pay 0.25 YAP from node 3 to node 1", |story| pay(town, story, 0))?;
    story.step("Put the payment into a block", |story| confirm(town, story, 1))?;
    story.step("Compare the coins of the three ledgers", |story| compare(town, story))?;
    story.step("Kill the node in the middle", |story| {
        let [_, second, _] = &mut town.nodes;
        second.kill()?;
        town.connected(story, "nodes 1 and 3 notice that they are alone", [0, 0, 0])?;
        Ok(vec!["node 2 is gone as after a power cut; nodes 1 and 3 have no peer, and their ledgers are whole".into()])
    })?;
    story.step("Connect them by another way: node 3 to node 1", |story| {
        let address = format!("ws://localhost:{}", town.first().ports().p2p);
        town.third().call("addnode", json!([address, "add"]))?;
        town.connected(story, "nodes 1 and 3 are connected", [1, 0, 1])?;
        Ok(vec!["1 - 3: nobody had to ask the one in the middle".into()])
    })?;
    story.step("Pay 0.25 YAP again", |story| pay(town, story, sats(PAYMENT)))?;
    story.step("Put that into a block too", |story| confirm(town, story, 2))?;
    story.step("Start node 2 again", |story| {
        let [_, second, _] = &mut town.nodes;
        second.start()?;
        ready(town, story)?;
        let (height, _) = town.agreed(story)?;
        Ok(vec![format!("it lost nothing, and fetched what it had missed: height {height}, as the others")])
    })?;
    story.step("Compare the coins once more", |story| compare(town, story))
}

fn start(town: &mut Town, story: &Story<'_>) -> Result<Vec<String>, Error> {
    for node in &mut town.nodes {
        node.start()?;
    }
    ready(town, story)?;
    let line = |node: &Child| {
        let Ports { p2p, http } = node.ports();
        format!("node {}: peers at port {p2p}, HTTP at http://127.0.0.1:{http}", node.number())
    };
    Ok(town.nodes.iter().map(line).collect())
}

fn ready(town: &mut Town, story: &Story<'_>) -> Result<(), Error> {
    town.until(story, ("every node answers by HTTP", SOON), |town| {
        let missing = town.nodes.iter().find(|node| !node.is_ready());
        Ok(missing.map_or(Ok(()), |node| Err(format!("Node {} does not answer yet.", node.number()))))
    })
}

/// Pays from node 3 to node 1, which has `before` satoshis confirmed, and waits until node 1 knows.
fn pay(town: &mut Town, story: &Story<'_>, before: i64) -> Result<Vec<String>, Error> {
    let address = town.first().call("getnewaddress", json!(["demo"]))?;
    let txid = town.third().call("sendtoaddress", json!([address, amount::json(PAYMENT)]))?;
    let sent = Instant::now();
    let paid = sats(PAYMENT);
    town.until(story, ("node 1 knows of the payment", SOON), |town| {
        let (trusted, pending) = town.balance()?;
        Ok(if (trusted, pending) == (before, paid) {
            Ok(())
        } else {
            Err(format!("It has {} and {} pending.", amount::number(trusted), amount::number(pending)))
        })
    })?;
    Ok(vec![
        format!("transaction {}", txid.as_str().unwrap_or_default()),
        format!("node 1 shows {} as pending, {} after it was sent", amount::show(paid, "YAP"), told(sent.elapsed())),
    ])
}

/// Makes a block at node 3, and waits until node 1 has that many payments confirmed.
fn confirm(town: &mut Town, story: &Story<'_>, payments: i64) -> Result<Vec<String>, Error> {
    let height = town.third().call("getblockcount", json!([]))?.as_u64().unwrap_or(0);
    town.mine(story, height.saturating_add(1))?;
    let mined = Instant::now();
    let wanted = sats(PAYMENT).saturating_mul(payments);
    town.until(story, ("node 1 has the payment confirmed", SOON), |town| {
        let (trusted, pending) = town.balance()?;
        Ok(if (trusted, pending) == (wanted, 0) {
            Ok(())
        } else {
            Err(format!("It has {} and {} pending.", amount::number(trusted), amount::number(pending)))
        })
    })?;
    let (height, hash) = town.agreed(story)?;
    Ok(vec![
        format!("block {height}, {hash}"),
        format!(
            "node 1 has {} confirmed, {} after node 3 had the block",
            amount::show(wanted, "YAP"),
            told(mined.elapsed())
        ),
    ])
}

/// Compares the hash of all unspent outputs that each node computes for itself.
fn compare(town: &mut Town, story: &Story<'_>) -> Result<Vec<String>, Error> {
    town.agreed(story)?;
    let mut hashes: Vec<(usize, Value)> = Vec::new();
    for node in town.nodes.iter().filter(|node| node.is_started()) {
        hashes.push((node.number(), node.call("gettxoutsetinfo", json!(["muhash"]))?));
    }
    let Some((_, first)) = hashes.first() else { return Ok(Vec::new()) };
    let muhash = first.text("muhash");
    if muhash.is_empty() || hashes.iter().any(|(_, info)| info.text("muhash") != muhash) {
        let list = hashes.iter().map(|(number, info)| format!("node {number}: {}", info.text("muhash")));
        return Err(town.wrong(format!("the ledgers differ: {}", list.collect::<Vec<_>>().join(", "))));
    }
    let coins = first.number("txouts").unwrap_or(0);
    Ok(vec![format!("{} ledgers, {coins} coins each, one hash: {muhash}", hashes.len())])
}

fn sats(amount: Amount) -> i64 {
    i64::try_from(amount.to_sat()).unwrap_or(i64::MAX)
}
