use std::time::Duration;

use yap_chain::header::tree::Status;

use super::line::{Network, address};
use crate::blocks;
use crate::fixture::{self, Chain};
use crate::io::{Command, Comparison, Event, Input, Reply};
use crate::ledger::Ledger;
use crate::link::Purpose;
use crate::message::{Inventory, Locate, Message};
use crate::node::{Config, Fault, Role};
use crate::penalty::{Penalty, Reason};

const A_WHILE: Duration = Duration::from_secs(20);

fn full() -> Config {
    Config::of(Role::Full)
}

#[test]
fn who_is_behind_catches_up() {
    let mut network = Network::new();
    let alice = network.start(Chain::of(120), full());
    let bob = network.start(Chain::new(), full());
    network.connect(bob, alice);
    network.run(A_WHILE);
    let (alice, bob) = (&network.places[alice], &network.places[bob]);
    assert_eq!(bob.chain.tree.height(bob.chain.tip), 120);
    let (of_bob, genesis) = (&alice.node.survey()[0], alice.chain.tree.genesis());
    assert_eq!(
        (of_bob.best_header, of_bob.last_told),
        (Some(genesis), Some(alice.chain.tip)),
        "he took it, and showed nothing"
    );
    let compared = |place: &super::line::Place| {
        place.events.iter().find_map(|event| match event {
            Event::PeerReady { comparison, .. } => *comparison,
            _ => None,
        })
    };
    assert_eq!((compared(alice), compared(bob)), (Some(Comparison::Ahead), Some(Comparison::Behind)));
    assert!(bob.events.contains(&Event::Syncing { behind: 0 }), "{:?}", bob.events);
}

#[test]
fn who_sends_what_is_no_block_is_left_and_another_is_asked() {
    // So many that they are asked for whole.
    let height = 60;
    let mut network = Network::new();
    let [mallory, bob] = [(); 2].map(|()| network.start(Chain::of(height), full()));
    let carol = network.start(Chain::new(), full());
    for block in network.places[mallory].chain.blocks.values_mut() {
        *block = Chain::rubbish(block);
    }
    let (to_mallory, _) = network.connect(carol, mallory);
    network.run(A_WHILE);
    let place = &network.places[carol];
    assert_eq!((place.chain.tree.height(place.chain.tip), &place.parted[..]), (0, &[Reason::Invalid][..]));
    let faulty = place.events.iter().filter_map(|event| match event {
        Event::Fault { peer, fault: Fault::Blocks(fault), penalty } => Some((*peer, fault, *penalty)),
        _ => None,
    });
    let faulty: Vec<_> = faulty.collect();
    assert!(matches!(faulty[..], [(peer, blocks::Fault::Mutated { .. }, Penalty::Ban)] if peer == to_mallory));
    // The headers are as good as before, and so are the blocks that another has.
    network.connect(carol, bob);
    network.run(A_WHILE);
    let Chain { tree, tip, .. } = &network.places[carol].chain;
    assert_eq!(tree.height(*tip), height);
    assert!(tree.iter().all(|id| tree.status(id) == Status::Valid));
}

/// Three in a line: in every order of their connections and heights, whatever is under way when the second comes.
#[test]
fn a_line_converges_in_every_order() {
    let connections = [[(0, 1), (1, 2)], [(1, 2), (0, 1)], [(1, 0), (1, 2)], [(2, 1), (1, 0)]];
    for (order, heights) in
        connections.into_iter().flat_map(|order| [[3, 0, 9], [0, 9, 3], [40, 3, 0]].map(|heights| (order, heights)))
    {
        for wait in (0..600).step_by(25) {
            let mut network = Network::new();
            for height in heights {
                network.start(Chain::of(height), full());
            }
            for (from, to) in order {
                network.connect(from, to);
                network.run(Duration::from_millis(wait));
            }
            network.run(A_WHILE);
            let best = heights.into_iter().max().expect("there are three");
            assert_eq!(network.heights(), [best; 3], "{order:?} {heights:?} {wait} ms");
            network.mine(0);
            network.run(A_WHILE);
            assert_eq!(network.heights(), [best + 1; 3], "{order:?} {heights:?} {wait} ms");
            let tips: Vec<_> = network.places.iter().map(|place| place.chain.tree.hash(place.chain.tip)).collect();
            assert_eq!(tips, vec![tips[0]; 3]);
        }
    }
}

#[test]
fn a_payment_crosses_the_line_and_is_confirmed() {
    let mut network = Network::new();
    for _ in 0..3 {
        network.start(Chain::of(5), full());
    }
    network.connect(0, 1);
    network.connect(2, 1);
    network.run(A_WHILE);
    let payment = fixture::transaction(1, 300);
    network.command(0, Command::Submit(payment.clone()));
    network.run(A_WHILE);
    for place in &network.places {
        assert!(place.chain.pooled(&payment.wtxid()).is_some());
    }
    let copies = |network: &Network| {
        let sent = network.places.iter().flat_map(|place| &place.sent);
        sent.filter(|message| matches!(message, Message::Transaction(_))).count()
    };
    assert_eq!(copies(&network), 2, "each of the others gets it once");
    network.mine(2);
    network.run(A_WHILE);
    for place in &network.places {
        assert_eq!((place.chain.tree.height(place.chain.tip), place.chain.pool_len()), (6, 0));
    }
    assert_eq!(copies(&network), 2, "the block came without it");
}

#[test]
fn who_comes_back_gets_what_is_pending() {
    let mut network = Network::new();
    let alice = network.start(Chain::of(5), full());
    let bob = network.start(Chain::of(5), full());
    for salt in 0..50 {
        let payment = fixture::transaction(salt, 300);
        network.command(alice, Command::Submit(payment));
    }
    network.run(A_WHILE);
    network.connect(bob, alice);
    network.run(A_WHILE);
    assert_eq!(network.places[bob].chain.pool_len(), 50);
}

#[test]
fn two_that_dial_each_other_keep_one_connection() {
    let mut network = Network::new();
    for index in 0..2 {
        let mut config = full();
        config.peers.identity = address(index).identity;
        network.start(Chain::of(1), config);
    }
    network.connect(0, 1);
    network.connect(1, 0);
    network.run(A_WHILE);
    let reasons: Vec<_> = network.places.iter().flat_map(|place| &place.parted).collect();
    assert!(!reasons.is_empty() && reasons.iter().all(|why| **why == Reason::Duplicate), "{reasons:?}");
    for place in &network.places {
        let ready = place.node.sessions.values().filter(|session| session.established.is_some()).count();
        assert_eq!((ready, place.node.sessions.len()), (1, 1));
    }
}

#[test]
fn a_node_that_stops_says_why() {
    let mut network = Network::new();
    let alice = network.start(Chain::of(1), full());
    let bob = network.start(Chain::of(1), full());
    network.connect(alice, bob);
    network.run(A_WHILE);
    network.command(alice, Command::Shutdown);
    network.run(A_WHILE);
    let gone = network.places[bob].events.iter().find_map(|event| match event {
        Event::PeerGone { why, .. } => Some(*why),
        _ => None,
    });
    assert_eq!(gone, Some(Some(Reason::Shutdown)));
}

#[test]
fn nothing_is_begun_after_the_end() {
    let mut network = Network::new();
    let alice = network.start(Chain::of(1), full());
    let bob = network.start(Chain::of(1), full());
    network.command(alice, Command::Shutdown);
    network.connect(bob, alice);
    network.mine(alice);
    network.run(A_WHILE);
    let alice = &network.places[alice];
    assert_eq!(alice.node.next_deadline(), None);
    assert_eq!(alice.parted, vec![Reason::Shutdown]);
    assert_eq!(alice.replies.last().map(|(_, reply)| reply), Some(&Reply::Stopped));
    assert!(alice.sent.is_empty(), "{:?}", alice.sent);
}

/// A peer that is dialled for a moment only, and that was connected to us in the meantime: the visit takes the other
/// connection's place, and must be worth as much.
#[test]
fn a_visit_that_becomes_a_stay_carries_payments() {
    let mut network = Network::new();
    for index in 0..2 {
        let mut config = full();
        config.peers.identity = address(index).identity;
        network.start(Chain::of(1), config);
    }
    network.connect(1, 0);
    network.run(A_WHILE);
    network.purpose = Purpose::Feeler;
    network.connect(0, 1);
    network.run(A_WHILE);
    let ready = |network: &Network| network.places.iter().map(|place| place.lines.len()).collect::<Vec<_>>();
    assert_eq!(ready(&network), vec![1, 1]);
    for index in 0..2 {
        network.command(index, Command::Submit(fixture::transaction(index as u64, 300)));
    }
    network.run(A_WHILE);
    let pools: Vec<_> = network.places.iter().map(|place| place.chain.pool_len()).collect();
    assert_eq!(pools, vec![2, 2]);
}

/// Else whoever asks for long answers and reads none would fill our memory.
#[test]
fn who_asks_without_reading_is_answered_once() {
    let mut network = Network::new();
    let alice = network.start(Chain::of(30), full());
    let bob = network.start(Chain::of(30), full());
    let (peer, _) = network.connect(alice, bob);
    network.run(A_WHILE);
    let answers = |network: &Network| {
        let is_answer = |message: &&Message| match message {
            Message::Headers(headers) => headers.len() == 30,
            Message::Inv(items) => items.len() == 30,
            Message::BlockTransactions(_) | Message::NotFound(_) => true,
            _ => false,
        };
        network.places[alice].sent.iter().filter(is_answer).count()
    };
    let before = answers(&network);
    network.input(alice, Input::Congested { peer, congested: true });
    let chain = &network.places[alice].chain;
    let genesis = chain.tree.hash(chain.tree.genesis());
    let locate = Locate { locator: vec![genesis], stop: genesis };
    for _ in 0..100 {
        let questions = [
            Message::GetHeaders(locate.clone()),
            Message::GetBlocks(locate.clone()),
            Message::GetData(vec![Inventory::WitnessBlock(genesis); 2]),
        ];
        for message in questions {
            network.input(alice, Input::Message { peer, message, size: 100 });
        }
    }
    network.run(Duration::from_secs(1));
    assert_eq!(answers(&network), before);
    network.input(alice, Input::Congested { peer, congested: false });
    assert_eq!(answers(&network), before + 2, "the newest of each kind");
}

#[test]
fn a_branch_that_leaves_an_irreversible_block_is_not_fetched() {
    for producers in [0, 3] {
        let mut network = Network::new();
        let alice = network.start(Chain { producers, ..Chain::of(10) }, full());
        let mut fork = Chain::of(2);
        for _ in 0..20 {
            let block = fork.mine(fork.tip, 77, &[]);
            fork.store(&block);
        }
        let bob = network.start(fork, full());
        network.mine(alice);
        network.run(A_WHILE);
        network.connect(alice, bob);
        network.run(A_WHILE);
        let fetched = network.places[alice].sent.iter().any(|message| matches!(message, Message::GetData(_)));
        assert_eq!(fetched, producers == 0, "{producers} producers");
        assert_eq!(network.heights(), if producers == 0 { [22, 22] } else { [11, 22] });
        assert!(network.places[alice].parted.is_empty(), "it may not have heard of the block yet");
    }
}
