//! Metrics in OpenMetrics' text format, made anew for whoever asks.

use std::sync::atomic::Ordering;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use yap_api::backend::{Standing, Tally, Traffic, View};

use crate::observer::Counts;

/// What is read of a node at one moment.
#[derive(Debug)]
pub(crate) struct Figures {
    height: u32,
    headers: u32,
    tip_time: u32,
    pending: usize,
    pending_bytes: u64,
    peers: [u64; 2],
    traffic: Traffic,
    standing: Standing,
    tally: Vec<Tally>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Direction {
    direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    id: &'static str,
    operation: &'static str,
    count: &'static str,
}

impl Figures {
    /// Looks at the node.
    pub(crate) fn of(view: &dyn View) -> Self {
        let (tree, tip, pool) = (view.tree(), view.tip(), view.pool());
        let peers = view.peers();
        let inbound = u64::try_from(peers.iter().filter(|peer| peer.inbound).count()).unwrap_or(u64::MAX);
        let all = u64::try_from(peers.len()).unwrap_or(u64::MAX);
        Self {
            height: tree.height(tip),
            headers: tree.height(tree.best()),
            tip_time: tree.time(tip),
            pending: pool.len(),
            pending_bytes: pool.vsize(),
            peers: [inbound, all.saturating_sub(inbound)],
            traffic: view.traffic(),
            standing: view.standing(),
            tally: view.tally(),
        }
    }

    /// All of it as text.
    pub(crate) fn text(&self, counts: &Counts) -> String {
        let mut registry = Registry::with_prefix("yap");
        self.gauges(&mut registry);
        self.counters(&mut registry, counts);
        let mut text = String::new();
        // Writing to memory does not fail.
        let _ = encode(&mut text, &registry);
        text
    }

    fn gauges(&self, registry: &mut Registry) {
        let whole = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let gauges = [
            ("height", "Height of the tip", i64::from(self.height)),
            ("headers", "Height of the best header", i64::from(self.headers)),
            ("tip_time_seconds", "Time in the tip's header", i64::from(self.tip_time)),
            ("catching_up", "1 while the chain of the network is being fetched", i64::from(self.standing.catching_up)),
            ("mempool_transactions", "Transactions that wait", whole(self.pending)),
            ("mempool_vbytes", "Their virtual bytes", i64::try_from(self.pending_bytes).unwrap_or(i64::MAX)),
            ("records", "Records of the DHT held here", whole(self.standing.records.0)),
            ("routing_peers", "Peers in the DHT's routing table", whole(self.standing.records.1)),
            ("mining", "1 while a block is being worked on", i64::from(self.standing.miner.working)),
        ];
        for (name, help, value) in gauges {
            registry.register(name, help, ConstGauge::new(value));
        }
        if let Some(all) = &self.standing.federation {
            let height = all.irreversible.map_or(0, |(height, _)| i64::from(height));
            registry.register(
                "irreversible_height",
                "Height of the newest irreversible block",
                ConstGauge::new(height),
            );
        }
        let start = i64::try_from(self.standing.started).unwrap_or(i64::MAX);
        registry.register("start_time_seconds", "When the node started", ConstGauge::new(start));
        let peers = Family::<Direction, Gauge>::default();
        for (direction, count) in ["inbound", "outbound"].into_iter().zip(self.peers) {
            peers.get_or_create(&Direction { direction }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        registry.register("peers", "Connected peers", peers);
    }

    fn counters(&self, registry: &mut Registry, counts: &Counts) {
        let counters = [
            ("blocks_connected", "Blocks connected", &counts.connected),
            ("blocks_disconnected", "Blocks taken back", &counts.disconnected),
            ("blocks_refused", "Blocks that broke a rule", &counts.refused),
            ("blocks_mined", "Blocks mined here", &counts.mined),
            ("transactions_added", "Transactions that became pending", &counts.added),
            ("transactions_removed", "Transactions that left the mempool", &counts.removed),
            ("peers_greeted", "Handshakes done", &counts.greeted),
            ("faults", "Rules that peers broke", &counts.faults),
            ("pings", "Pings heard", &counts.pings),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, ConstCounter::new(counter.load(Ordering::Relaxed)));
        }
        registry.register("bytes_received", "Bytes of peers' messages", ConstCounter::new(self.traffic.received));
        registry.register("bytes_sent", "Bytes of our messages", ConstCounter::new(self.traffic.sent));
        let operations = Family::<Operation, prometheus_client::metrics::counter::Counter>::default();
        for tally in &self.tally {
            for (count, value) in &tally.counts {
                let label = Operation { id: tally.id, operation: tally.name, count };
                operations.get_or_create(&label).inc_by(*value);
            }
        }
        registry.register("operations", "What the eight peer-to-peer operations did", operations);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_in_open_metrics() {
        let tally = Tally { id: "P6", name: "transaction gossip", counts: vec![("announced", 3)] };
        let figures = Figures {
            height: 7,
            headers: 9,
            tip_time: 1,
            pending: 2,
            pending_bytes: 300,
            peers: [1, 2],
            traffic: Traffic { received: 10, sent: 20 },
            standing: Standing::default(),
            tally: vec![tally],
        };
        let counts = Counts::default();
        counts.connected.store(7, Ordering::Relaxed);
        let text = figures.text(&counts);
        let lines = [
            "yap_height 7",
            "yap_peers{direction=\"inbound\"} 1",
            "yap_blocks_connected_total 7",
            "yap_operations_total{id=\"P6\",operation=\"transaction gossip\",count=\"announced\"} 3",
        ];
        for line in lines {
            assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
