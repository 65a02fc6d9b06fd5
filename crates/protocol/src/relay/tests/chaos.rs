//! Peers that say anything at any time: every bound and invariant holds after each step.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::OutPoint;
use yap_chain::transaction::Transaction;

use super::desk::{Desk, bitcoin, facts, theirs};
use crate::fixture;
use crate::io::{Departure, Judged, TipChange};
use crate::link::PeerId;
use crate::message::{Announced, Inventory, PoolSummary};
use crate::random::Random;
use crate::relay::{Config, Facts, Outcome};

struct Chaos {
    desk: Desk,
    random: Random,
    coins: Vec<Arc<Transaction>>,
    judging: Vec<Arc<Transaction>>,
}

impl Chaos {
    fn new(seed: u8) -> Self {
        let mut coins: Vec<Arc<Transaction>> = (0..40).map(|salt| fixture::transaction(salt, 150)).collect();
        for at in 0..60 {
            let txid = coins[at].txid();
            coins.push(fixture::spend(OutPoint { txid, vout: 0 }, 160));
        }
        let desk = Desk::new(Config { serve_mempool: true, ..Config::default() });
        Self { desk, random: Random::new([seed; 32]), coins, judging: Vec::new() }
    }

    fn coin(&mut self) -> Arc<Transaction> {
        let at = self.random.index(self.coins.len());
        Arc::clone(&self.coins[at])
    }

    fn verdict(&mut self, coin: &Transaction) -> Judged {
        match self.random.below(8) {
            0 => Judged::Known,
            1 => Judged::MissingInputs(coin.decoded().input.iter().map(|input| input.previous_output).collect()),
            2 => Judged::LowFee { reason: "min relay fee not met" },
            3 => Judged::Policy { reason: "dust", witness: self.random.below(2) == 0 },
            4 => Judged::Invalid { reason: "bad-txns", witness: self.random.below(2) == 0 },
            5 => Judged::Failed,
            _ => Judged::Accepted,
        }
    }

    fn step(&mut self) -> Vec<Outcome> {
        let peer = PeerId(self.random.below(6));
        let coin = self.coin();
        let now = self.desk.now;
        let ours = self.desk.id(&coin);
        let Desk { relay, pool, .. } = &mut self.desk;
        match self.random.below(20) {
            0 => {
                let wtxid = self.random.below(2) == 0;
                let known = facts(peer);
                let known = if peer.0.is_multiple_of(3) { Facts { wtxid, ..bitcoin() } } else { known };
                if relay.peers.contains_key(&peer) { Vec::new() } else { relay.ready(peer, known, now, pool) }
            }
            1 if self.random.below(4) == 0 => relay.disconnected(peer, now),
            2..=4 => relay.on_announce(peer, &[ours, Announced(self.random.next_u64())], now),
            5 => relay.on_inv(peer, &[Inventory::Wtx(coin.wtxid()), Inventory::Tx(coin.txid())], now, pool),
            6..=8 => relay.on_tx(peer, coin, now),
            9 => relay.on_gone(peer, &[ours], now),
            10 => relay.on_notfound(peer, &[Inventory::WitnessTx(coin.txid())], now),
            11 => relay.on_request(peer, &[theirs(peer, &coin)], now, pool),
            12 => relay.on_getdata(peer, &[Inventory::Tx(coin.txid())], now, pool),
            13 => relay.congested(peer, self.random.below(2) == 0, now, pool),
            14 => relay.on_push(peer, self.random.below(2) == 0),
            15 => {
                let sums = (0..1 << self.random.below(9)).map(|_| self.random.next_u64()).collect();
                let count = u32::try_from(self.random.below(100)).unwrap();
                relay.on_pool_summary(peer, &PoolSummary { count, sums }, now)
            }
            16 => self.desk.remove(&coin, Departure::Evicted),
            17 if self.random.below(10) == 0 => relay.set_catching_up(self.random.below(3) == 0, now, pool),
            18 if self.random.below(10) == 0 => self.desk.tip(&TipChange::default()),
            19 => relay.submit(coin, now),
            _ => self.desk.millis(self.random.below(300)),
        }
    }

    fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            let mut outcomes = self.step();
            if self.random.below(2) == 0 && !self.judging.is_empty() {
                let at = self.random.index(self.judging.len());
                let coin = self.judging.swap_remove(at);
                let verdict = self.verdict(&coin);
                let pending = self.desk.pool.pending.contains_key(&coin.wtxid());
                if verdict == Judged::Accepted && !pending {
                    outcomes.extend(self.desk.pend(&coin, 1_000));
                }
                outcomes.extend(self.desk.judged(&coin, &verdict));
            }
            self.desk.relay.check();
            for outcome in outcomes {
                if let Outcome::Judge { transaction, parent } = outcome {
                    self.judging.push(transaction);
                    self.judging.extend(parent);
                }
            }
        }
    }
}

#[test]
fn whatever_peers_do_the_bounds_hold() {
    for seed in 0..16 {
        println!("seed {seed}");
        let mut chaos = Chaos::new(seed);
        chaos.run(4_000);
        // Left alone, everything that was asked for comes to an end.
        let Desk { relay, pool, now } = &mut chaos.desk;
        let _ = relay.set_catching_up(false, *now, pool);
        let _ = chaos.desk.wait(Duration::from_secs(600));
        assert_eq!(chaos.desk.relay.requests.next(), None, "no request is left without an end");
    }
}
