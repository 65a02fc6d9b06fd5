//! What jobs that look at the node see.

use std::collections::BTreeMap;
use std::sync::Arc;

use yap_api::backend::{Added, Ban, Coins, Peer, Progress, Reach, ReadError, Standing, Tally, Traffic, View};
use yap_chain::bitcoin::bip158::FilterHeader;
use yap_chain::bitcoin::block::Header;
use yap_chain::bitcoin::{BlockHash, OutPoint, Txid};
use yap_chain::block::Block;
use yap_chain::coin::Coin;
use yap_chain::connect::Coins as _;
use yap_chain::header::{
    self,
    tree::{Id, Tree},
};
use yap_chain::mempool::{Mempool, Room, Template};
use yap_chain::spec::Spec;
use yap_chain::undo::Undo;
use yap_chain::utxo::{Hashes, Stats, Totals};
use yap_net::Given;
use yap_net::identity::Name;
use yap_net::status::{self, Path, Via};
use yap_protocol::PeerId;
use yap_protocol::address::Identity;
use yap_protocol::handshake::TOLERANCE;
use yap_protocol::io::Comparison;
use yap_protocol::link::{Direction, Purpose};
use yap_protocol::node::PeerFacts;
use yap_protocol::peers::ban::{self, Target};

use super::Machine;
use crate::chainstate::Error;

/// What went wrong with the ledger, in words; what is only missing is told apart.
fn unreadable(error: &Error) -> ReadError {
    if matches!(error, Error::Pruned { .. }) { ReadError::Pruned } else { ReadError::Damaged(error.to_string()) }
}

fn damaged(error: &impl ToString) -> ReadError {
    ReadError::Damaged(error.to_string())
}

impl Machine {
    /// A block whose data should be at hand.
    fn held(&self, id: Id) -> Result<(), ReadError> {
        let chain = self.ledger.chain();
        match (chain.has_block(id), chain.is_pruned(id)) {
            (true, _) => Ok(()),
            (false, true) => Err(ReadError::Pruned),
            (false, false) => Err(ReadError::Missing),
        }
    }

    fn stored_filter(&self, id: Id) -> Result<Option<(Vec<u8>, FilterHeader)>, ReadError> {
        let (height, hash) = (self.tree().height(id), self.tree().hash(id));
        let reader = self.ledger.chain().store().reader();
        let bytes = reader.filter(height, &hash).map_err(|error| damaged(&error))?;
        let header = reader.filter_header(height, &hash).map_err(|error| damaged(&error))?;
        Ok(bytes.zip(header))
    }

    /// Commits what is new, so that whoever looks at the disk sees the tip. While a chain is fetched that may be much, with
    /// scripts under way: then the loop does not wait, and what is seen is as of the last commit, if there was one.
    fn settle_for_look(&mut self) -> Result<(), ReadError> {
        let chain = self.ledger.chain();
        if self.node.is_catching_up() && chain.store().tip().is_some() && !chain.commit_is_short() {
            return Ok(());
        }
        self.ledger.chain_mut().persist().map_err(|error| self.fail(error))
    }

    /// Keeps the first failure of the ledger that a job has met, so that the node stops on it.
    fn fail(&mut self, error: Error) -> ReadError {
        let told = unreadable(&error);
        if !matches!(error, Error::Pruned { .. }) {
            self.failed.get_or_insert(error);
        }
        told
    }

    /// The failure that a job has met.
    pub(super) fn look_failed(&mut self) -> Result<(), Error> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn progress(&self) -> Option<Progress> {
        let chain = self.ledger.chain();
        let (tree, tip) = (chain.tree(), chain.verified_tip());
        let behind = tree.height(tree.best()).saturating_sub(tree.height(tip));
        if behind == 0 || !self.node.is_catching_up() {
            return None;
        }
        let rate = self.chores.rate();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts from floats saturate")]
        let left = (rate > 0.0).then(|| (f64::from(behind) / rate).ceil() as u64);
        Some(Progress { behind, rate, left })
    }

    fn peer(&self, facts: &PeerFacts, there: Option<&status::Peer>) -> Peer {
        let tree = self.ledger.chain().tree();
        let greeting = facts.established.as_deref();
        let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Peer {
            id: facts.peer.0,
            identity: facts.link.identity.map(|identity| Name(identity).to_string()),
            address: there.map_or_else(|| facts.link.address.to_string(), |one| one.address.clone()),
            path: there.map(|one| one.path.to_string()).unwrap_or_default(),
            transport: there.map_or("", |one| transport(&one.path)),
            inbound: facts.link.direction == Direction::Inbound,
            kind: kind(facts.link.direction, facts.link.purpose),
            version: greeting.map_or(0, |greeting| greeting.version),
            agent: greeting.map(|greeting| greeting.user_agent.to_string()).unwrap_or_default(),
            services: facts.status.services.0,
            relays: greeting.is_some_and(|greeting| greeting.relay),
            starting_height: greeting.map_or(-1, |greeting| greeting.start_height),
            // A peer that took the chain from us has no reason to show any of it.
            best_header: [facts.best_header, facts.last_told]
                .into_iter()
                .flatten()
                .max_by_key(|id| tree.work(*id))
                .map(|id| tree.height(id)),
            comparison: facts.comparison.map(|comparison| match comparison {
                Comparison::Same => "same",
                Comparison::Behind => "behind",
                Comparison::Ahead => "ahead",
                Comparison::Forked => "forked",
            }),
            time_offset: greeting.map_or(0, |greeting| greeting.clock_offset),
            ping: facts.latency.as_ref().map(|latency| (micros(latency.last), micros(latency.min))),
            connected: facts.connected.0,
            bytes: there.map_or((0, 0), |one| (one.received, one.sent)),
            score: facts.status.score.into(),
            blocks_in_flight: facts.blocks_in_flight,
            least_feerate: facts.least_feerate,
            last_block: facts.last_block.map_or(0, |time| time.0),
            last_received: facts.last_received.map_or(0, |time| time.0),
            last_sent: facts.last_sent.map_or(0, |time| time.0),
            last_transaction: facts.last_transaction.map_or(0, |time| time.0),
            high_bandwidth: facts.high_bandwidth,
        }
    }
}

/// Whether a connection leads to a peer that the user named. A name that has to be resolved is known by its port.
fn leads(facts: &PeerFacts, given: &Given) -> bool {
    let address = &facts.link.address;
    match given {
        Given::Peer(identity) => facts.link.identity == Some(*identity),
        Given::Host { port, .. } if given.name().is_some() => {
            facts.link.purpose == Some(Purpose::Manual) && has_port(&address.to_string(), *port)
        }
        Given::Host { .. } | Given::Address(_) => {
            given.addresses(&[]).iter().any(|one| one.endpoint == address.endpoint)
        }
    }
}

/// What users call somebody who is banned.
fn called(target: &Target) -> String {
    match target {
        Target::Identity(identity) => Name(*identity).to_string(),
        Target::Host(host) => host.to_string(),
    }
}

fn told_ban((who, ban): (&Target, ban::Ban)) -> Ban {
    Ban { target: called(who), since: ban.since.0, until: ban.until.0 }
}

/// Everything under which a peer that the user named may be banned. `led_to` is who was there last.
fn named(given: &Given, led_to: Option<Identity>) -> Vec<Target> {
    let places = given.addresses(&[]);
    let known = places.iter().flat_map(|address| Target::matching(address, led_to));
    let identity = if let Given::Peer(identity) = given { Some(*identity) } else { led_to };
    known.chain(identity.map(Target::Identity)).collect()
}

/// Whether an address, of either carrier, is at that port.
fn has_port(address: &str, port: u16) -> bool {
    address.split('/').chain(address.rsplit(':').take(1)).any(|part| part.parse() == Ok(port))
}

fn transport(path: &Path) -> &'static str {
    match path {
        Path::Relayed(_) => "relayed",
        Path::Direct(via) | Path::Punched(via) => match via {
            Via::Tcp => "tcp",
            Via::Quic => "quic",
            Via::WebSocket => "websocket",
            Via::SecureWebSocket => "wss",
            Via::Bitcoin => "bitcoin",
            Via::Memory => "memory",
        },
    }
}

fn kind(direction: Direction, purpose: Option<Purpose>) -> &'static str {
    match (direction, purpose) {
        (Direction::Inbound, _) => "inbound",
        (Direction::Outbound, Some(Purpose::Full) | None) => "outbound-full-relay",
        (Direction::Outbound, Some(Purpose::BlockOnly)) => "block-relay-only",
        (Direction::Outbound, Some(Purpose::Feeler)) => "feeler",
        (Direction::Outbound, Some(Purpose::Seed)) => "addr-fetch",
        (Direction::Outbound, Some(Purpose::Manual)) => "manual",
    }
}

fn reach(reach: &status::Reach) -> Reach {
    let (kind, addresses) = match reach {
        status::Reach::Unknown => ("unknown", Vec::new()),
        status::Reach::Public { addresses, .. } => ("public", addresses.clone()),
        status::Reach::Local { addresses } => ("local", addresses.clone()),
        status::Reach::Relayed { .. } => ("relayed", Vec::new()),
        status::Reach::Hidden => ("hidden", Vec::new()),
    };
    Reach { kind, text: reach.to_string(), addresses }
}

impl Machine {
    /// Keeps in mind who is at the end of what the user named.
    pub(super) fn remember_named(&mut self, peer: PeerId) {
        let Some(identity) = self.sessions.get(&peer).copied().flatten() else { return };
        let survey = self.node.survey();
        let Some(facts) = survey.iter().find(|facts| facts.peer == peer) else { return };
        for given in self.added.iter().filter(|given| leads(facts, given)) {
            self.led_to.insert(given.to_string(), identity);
        }
    }
}

impl View for Machine {
    fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    fn tree(&self) -> &Tree {
        self.ledger.chain().tree()
    }

    fn tip(&self) -> Id {
        self.ledger.chain().verified_tip()
    }

    fn has_block(&self, id: Id) -> bool {
        self.ledger.chain().has_block(id)
    }

    fn is_pruned(&self, id: Id) -> bool {
        self.ledger.chain().is_pruned(id)
    }

    fn transactions(&self, id: Id) -> Option<u32> {
        self.ledger.chain().transactions(id)
    }

    fn transactions_up_to(&self, id: Id) -> Option<u64> {
        self.ledger.chain().transactions_up_to(id)
    }

    fn accept_header(&mut self, header: &Header) -> Result<(), header::Error> {
        let now = self.clock.wall().header_time();
        self.ledger.chain_mut().add_header(header, now).map(|_| ())
    }

    fn block(&self, id: Id) -> Result<Arc<Block>, ReadError> {
        self.held(id)?;
        self.ledger.chain().read_unread(id).map_err(|error| unreadable(&error))
    }

    fn undo(&self, id: Id) -> Result<Undo, ReadError> {
        self.held(id)?;
        if self.tree().genesis() == id {
            return Ok(Undo::default());
        }
        self.ledger.chain().read_undo(id).map_err(|error| unreadable(&error))
    }

    fn filter(&mut self, id: Id) -> Result<(Vec<u8>, FilterHeader), ReadError> {
        // Filters are readable once they are committed, which the newest are not yet.
        if let Some(found) = self.stored_filter(id)? {
            return Ok(found);
        }
        if self.tree().is_ancestor(id, self.tip()) {
            self.settle_for_look()?;
        }
        self.stored_filter(id)?.ok_or(ReadError::Missing)
    }

    fn coin(&mut self, outpoint: &OutPoint) -> Result<Option<Coin>, ReadError> {
        self.ledger.chain_mut().next().coins.coin(outpoint).map_err(|error| damaged(&error))
    }

    fn coins(&mut self) -> Result<Box<dyn Coins>, ReadError> {
        self.settle_for_look()?;
        let utxos = self.ledger.chain().store().reader().utxos().map_err(|error| damaged(&error))?;
        let tip = utxos.tip().map(|tip| tip.hash).ok_or(ReadError::Missing)?;
        Ok(Box::new(Snapshot { tip, utxos }))
    }

    fn size_on_disk(&self) -> u64 {
        let reader = self.ledger.chain().store().reader();
        reader.block_files_size().saturating_add(reader.tables_size().unwrap_or_default())
    }

    fn coin_memory(&self) -> (u64, u64) {
        let budgets = self.ledger.chain().store().budgets();
        (budgets.coins, budgets.tables)
    }

    fn pool(&self) -> &Mempool {
        self.ledger.admission().pool()
    }

    fn template(&self, room: &Room) -> Option<Template> {
        self.ledger.admission().template(room)
    }

    fn prioritise(&mut self, txid: Txid, delta: i64) -> Option<i64> {
        self.ledger.admission_mut().prioritise(txid, delta)
    }

    fn invalidate(&mut self, id: Id) -> Result<(), ReadError> {
        let chain = self.ledger.chain();
        // Whoever left it would part from everybody else for good; and it would not be left, only forgotten.
        if chain.irreversible().is_some_and(|fixed| chain.tree().is_ancestor(id, fixed)) {
            return Err(ReadError::Irreversible);
        }
        self.ledger.chain_mut().invalidate(id).map_err(|error| self.fail(error))
    }

    fn reconsider(&mut self, id: Id) -> Result<(), ReadError> {
        self.ledger.chain_mut().reconsider(id).map_err(|error| self.fail(error))
    }

    fn prefer(&mut self, id: Id) -> Result<(), ReadError> {
        self.ledger.chain_mut().prefer(id).map_err(|error| self.fail(error))
    }

    fn prune(&mut self, height: u32) -> Result<bool, ReadError> {
        self.ledger.chain_mut().prune(height).map_err(|error| self.fail(error))
    }

    fn now(&self) -> u32 {
        self.clock.wall().header_time()
    }

    fn standing(&self) -> Standing {
        let network = self.network.status();
        let offset = self.node.clock_offset().map(|offset| offset.0).filter(|offset| offset.abs() > TOLERANCE);
        Standing {
            started: self.chores.started,
            catching_up: self.node.is_catching_up(),
            progress: self.progress(),
            identity: Name(self.network.identity()).to_string(),
            agent: self.greeting.0.clone(),
            services: self.greeting.1.0,
            listening: network.listening.clone(),
            reach: reach(&network.reach),
            alone: self.chores.alone,
            clock_offset: offset,
            records: (network.records, network.routing),
            miner: self.miner(),
            wallet: self.wallet_standing(),
            directory: self.directory.display().to_string(),
            federation: self.federation(),
            warnings: self.warnings(offset),
        }
    }

    fn peers(&self) -> Vec<Peer> {
        let network = self.network.status();
        let facts = self.node.survey();
        let there = |facts: &PeerFacts| network.peers.iter().find(|one| one.peer == facts.peer);
        facts.iter().map(|facts| self.peer(facts, there(facts))).collect()
    }

    fn traffic(&self) -> Traffic {
        let mut traffic = Traffic::default();
        for (_, received, sent) in self.node.messages().rows() {
            traffic.received = traffic.received.saturating_add(received.bytes);
            traffic.sent = traffic.sent.saturating_add(sent.bytes);
        }
        traffic
    }

    fn tally(&self) -> Vec<Tally> {
        let rows = self.node.tally().rows();
        rows.into_iter().map(|row| Tally { id: row.id, name: row.name, counts: row.counts }).collect()
    }

    fn added_peers(&self) -> Vec<Added> {
        let survey = self.node.survey();
        let leading =
            |given: &Given| survey.iter().filter(|facts| leads(facts, given)).map(|facts| facts.peer.0).collect();
        let bans: BTreeMap<&Target, ban::Ban> = self.node.bans().collect();
        let added = |given: &Given| {
            let peer = given.to_string();
            let targets = named(given, self.led_to.get(&peer).copied());
            let bans = targets.iter().filter_map(|target| Some((target, *bans.get(target)?)));
            let ban = bans.max_by_key(|(_, ban)| ban.until).map(told_ban);
            Added { peer, connections: leading(given), ban }
        };
        self.added.iter().map(added).collect()
    }

    fn bans(&self) -> Vec<Ban> {
        self.node.bans().map(told_ban).collect()
    }

    fn known_addresses(&self, most: usize) -> Vec<(String, u64, u64)> {
        let known = self.node.known(most);
        known.into_iter().map(|(address, known)| (address.to_string(), known.services.0, known.seen.0)).collect()
    }
}

/// The coins of the last commit.
struct Snapshot {
    tip: BlockHash,
    utxos: yap_store::Utxos,
}

impl Coins for Snapshot {
    fn tip(&self) -> BlockHash {
        self.tip
    }

    fn totals(&mut self, hashes: Hashes, stop: &dyn Fn() -> bool) -> Result<Option<Totals>, ReadError> {
        let mut stats = Stats::new(hashes);
        for coin in self.utxos.by_ref() {
            if stop() {
                return Ok(None);
            }
            let (outpoint, coin) = coin.map_err(|error| damaged(&error))?;
            stats.add(&outpoint, &coin).map_err(|error| damaged(&error))?;
        }
        Ok(Some(stats.finish()))
    }

    fn each(&mut self, visit: &mut dyn FnMut(&OutPoint, &Coin) -> bool) -> Result<(), ReadError> {
        for coin in self.utxos.by_ref() {
            let (outpoint, coin) = coin.map_err(|error| damaged(&error))?;
            if !visit(&outpoint, &coin) {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::has_port;

    #[test]
    fn a_port_is_told_from_one_that_begins_like_it() {
        for address in ["/dns4/example.org/tcp/6001", "/ip4/1.2.3.4/udp/6001/quic-v1", "1.2.3.4:6001"] {
            assert!(has_port(address, 6001), "{address}");
            assert!(!has_port(address, 600), "{address}");
        }
        assert!(!has_port("/ip6/2001:db8::600/tcp/6001", 600), "a part of a host is no port");
        assert!(!has_port("[2001:db8::600]:6001", 600));
    }
}
