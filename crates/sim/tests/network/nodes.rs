//! What real nodes do together, by fixed seeds.

use std::time::Duration;

use yap_sim::network::scenario::{
    self, Attack, AttackConfig, CrashConfig, EclipseConfig, PartitionConfig, PropagationConfig, SyncConfig,
};
use yap_sim::network::{self, Checks, Failure};

/// The report, or a panic that tells the seed.
fn held<T>(result: Result<T, Failure>) -> T {
    result.unwrap_or_else(|failure| panic!("{failure}"))
}

fn spreading(nodes: usize) -> PropagationConfig {
    PropagationConfig { nodes, transactions: 10, blocks: 2, block_transactions: 20, ..PropagationConfig::default() }
}

#[test]
fn payments_and_blocks_reach_everybody_sooner_than_by_announcing_alone() {
    let config = spreading(60);
    let report = held(scenario::propagation(&config, 1));
    assert_eq!((report.transactions.complete, report.blocks.complete), (10, 2), "{report:?}");
    let announcing = PropagationConfig { how: scenario::How::Announcing, ..config };
    let bare = held(scenario::propagation(&announcing, 1));
    assert!(report.transactions.nearly < bare.transactions.nearly, "{report:?} {bare:?}");
    assert!(report.copies < 1.5 && report.block_copies < 0.1, "{report:?}");
}

#[test]
fn one_seed_gives_one_run_whether_messages_are_encoded_or_not() {
    let mut config = spreading(16);
    let plain = held(scenario::propagation(&config, 5));
    let again = held(scenario::propagation(&config, 5));
    assert_eq!((plain.transcript, plain.events), (again.transcript, again.events));
    config.network.codec = true;
    let encoded = held(scenario::propagation(&config, 5));
    assert_eq!((plain.transcript, plain.events), (encoded.transcript, encoded.events));
}

#[test]
fn both_carriers_carry() {
    let mut config = spreading(16);
    config.network.carrier = network::NodeCarrier::Bitcoin;
    config.network.codec = true;
    let report = held(scenario::propagation(&config, 2));
    assert_eq!((report.transactions.complete, report.blocks.complete), (10, 2), "{report:?}");
}

#[test]
fn lossy_lines_delay_and_lose_nothing() {
    let mut config = spreading(16);
    config.network.line.loss = 20_000;
    let report = held(scenario::propagation(&config, 3));
    assert_eq!((report.transactions.complete, report.blocks.complete), (10, 2), "{report:?}");
}

#[test]
fn three_in_a_line_hear_each_other_in_whatever_order_they_start() {
    let report = held(scenario::line(&network::Config::default(), 1));
    assert_eq!(report.orders.len(), 6);
}

#[test]
fn halves_that_were_apart_agree_and_lose_no_payment() {
    let config = PartitionConfig {
        nodes: 20,
        divided: Duration::from_secs(900),
        spacing: Duration::from_secs(60),
        ..PartitionConfig::default()
    };
    let report = held(scenario::partition(&config, 1));
    assert_eq!(report.confirmed + report.pending + report.conflicted, report.payments, "{report:?}");
    assert!(report.conflicted >= config.double_spends, "{report:?}");
}

#[test]
fn bad_peers_hardly_delay_who_catches_up() {
    let config = SyncConfig { blocks: 1500, ..SyncConfig::default() };
    let report = held(scenario::sync(&config, 1));
    assert!(report.ratio() <= 1.2, "{report:?}");
}

#[test]
fn nodes_that_crash_come_back() {
    let config = CrashConfig { nodes: 8, lasting: Duration::from_secs(900), ..CrashConfig::default() };
    let report = held(scenario::crash(&config, 1));
    assert!(report.crashes > 10 && report.fewest > 0, "{report:?}");
}

#[test]
fn an_attacker_with_most_addresses_does_not_surround_a_node() {
    let config = EclipseConfig {
        nodes: 20,
        sybils: 180,
        lasting: Duration::from_secs(900),
        restarts: 2,
        ..EclipseConfig::default()
    };
    let report = held(scenario::eclipse(&config, 1));
    assert_eq!(report.outbound.len(), 3);
}

/// Every payment reaches every honest node, and no honest node blames another, whatever the adversary does.
fn withstood(attack: Attack) {
    let mut config = AttackConfig { nodes: 6, lasting: Duration::from_secs(60), ..AttackConfig::new(attack) };
    config.network.checks = Checks::Sometimes(20);
    let report = held(scenario::attack(&config, 1));
    assert_eq!(report.reached, report.payments, "{report:?}");
}

macro_rules! attacks {
    ($($name:ident: $attack:ident,)*) => {
        $(#[test]
        fn $name() {
            withstood(Attack::$attack);
        })*

        #[test]
        fn every_attack_has_a_test() {
            assert_eq!([$(Attack::$attack),*].len(), Attack::ALL.len());
        }
    };
}

attacks! {
    withheld_blocks_and_payments_do_no_harm: Withhold,
    headers_without_work_do_no_harm: NoWork,
    endless_headers_of_little_work_do_no_harm: LowWork,
    unconnected_headers_do_no_harm: Unconnected,
    orphans_do_no_harm: Orphans,
    false_inventories_do_no_harm: Inventory,
    false_announcements_do_no_harm: Announcements,
    false_addresses_do_no_harm: Addresses,
    pings_do_no_harm: Pings,
    requests_for_blocks_do_no_harm: BlockRequests,
    requests_for_headers_do_no_harm: HeaderRequests,
    too_many_items_do_no_harm: TooMany,
    blocks_that_break_a_rule_do_no_harm: BadBlocks,
    double_spends_do_no_harm: DoubleSpends,
    servers_that_stall_do_no_harm: Stall,
    servers_that_lie_do_no_harm: Lies,
    servers_that_send_other_blocks_do_no_harm: Mistakes,
    slow_readers_do_no_harm: SlowReaders,
    mute_connections_do_no_harm: Mute,
    garbled_bytes_do_no_harm: Garble,
}
