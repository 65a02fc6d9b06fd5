//! Whole peers of one process without libp2p: the loop, the ledger, what is kept. What the network adds is in `network`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "tests"
)]

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinHandle;
use yap_lab::peer::{self, Control, Event, FOUNDATION, Home, Line, Place, RequestError, Switchboard, Watch, chain};
use yap_protocol::Address;
use yap_protocol::io::Command;

/// Long enough for anything here, on a machine that is busy.
const SOON: Duration = Duration::from_secs(20);

struct Peer {
    control: Control,
    watch: Watch,
    address: Address,
    task: JoinHandle<Line>,
    home: Home,
}

fn start_in(board: &Switchboard, directory: &Path) -> Peer {
    let (home, keys) = Home::open(directory, chain::built_in(), None).unwrap();
    let line = board.join(keys.identity());
    let address = line.address().clone();
    let (control, events, task) = peer::start(&home, line).unwrap();
    Peer { control, watch: Watch::new(events), address, task, home }
}

fn start(board: &Switchboard) -> (Peer, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (start_in(board, directory.path()), directory)
}

impl Peer {
    async fn connected(&mut self) -> String {
        let named = |event: &Event| match event {
            Event::Connected { identity, .. } => Some(identity.clone()),
            _ => None,
        };
        self.watch.find(SOON, named).await.unwrap()
    }

    async fn reaches(&mut self, height: u32) {
        if self.control.standing().await.unwrap().height < height {
            let there =
                |event: &Event| matches!(event, Event::Tip { height: found, .. } if *found >= height).then_some(());
            self.watch.find(SOON, there).await.unwrap();
        }
    }

    async fn pending(&mut self, txid: bitcoin::Txid) {
        if self.control.place(txid).await.unwrap().is_none() {
            let wanted = txid.to_string();
            let there = |event: &Event| matches!(event, Event::Transaction { txid } if *txid == wanted).then_some(());
            self.watch.find(SOON, there).await.unwrap();
        }
    }

    async fn gone(&mut self) -> Option<String> {
        let gone = |event: &Event| match event {
            Event::Gone { why, .. } => Some(why.clone()),
            _ => None,
        };
        self.watch.find(SOON, gone).await.unwrap()
    }

    /// As a power cut ends it.
    async fn kill(self) -> Home {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        self.home
    }
}

#[tokio::test]
async fn two_peers_share_blocks_and_payments() {
    let board = Switchboard::default();
    let ((mut alice, _a), (mut bob, _b)) = (start(&board), start(&board));
    alice.control.dial(bob.address.clone()).await.unwrap();
    assert_eq!(alice.connected().await, yap_net::identity::Name(bob.control.identity()).to_string());
    bob.connected().await;
    let mined = alice.control.mine(3, Some(20_000)).await.unwrap();
    assert_eq!(mined.height, FOUNDATION + 3);
    bob.reaches(FOUNDATION + 3).await;
    assert_eq!(bob.control.standing().await.unwrap().tip, mined.tip);
    let txid = bob.control.pay().await.unwrap();
    alice.pending(txid).await;
    alice.control.mine(1, None).await.unwrap();
    bob.reaches(FOUNDATION + 4).await;
    assert_eq!(bob.control.place(txid).await.unwrap(), Some(Place::Confirmed(FOUNDATION + 4)));
}

#[tokio::test]
async fn a_line_becomes_one_network_in_whatever_order_it_starts() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let board = Switchboard::default();
        let directories = [(); 3].map(|()| tempfile::tempdir().unwrap());
        // Each names the one before it, whose address must be known before it starts.
        let mut peers: Vec<Option<Peer>> = vec![None, None, None];
        for index in order {
            peers[index] = Some(start_in(&board, directories[index].path()));
            for (left, right) in [(0, 1), (1, 2)] {
                if let (Some(named), Some(naming)) = (&peers[left], &peers[right])
                    && [left, right].contains(&index)
                {
                    naming.control.dial(named.address.clone()).await.unwrap();
                }
            }
        }
        let [mut first, mut middle, mut last]: [Peer; 3] =
            peers.into_iter().map(Option::unwrap).collect::<Vec<_>>().try_into().ok().unwrap();
        let mined = first.control.mine(1, None).await.unwrap();
        last.reaches(mined.height).await;
        middle.reaches(mined.height).await;
        assert_eq!(last.control.standing().await.unwrap().tip, mined.tip, "order {order:?}");
        let txid = last.control.pay().await.unwrap();
        first.pending(txid).await;
        middle.pending(txid).await;
    }
}

#[tokio::test]
async fn a_newcomer_gets_everything() {
    let board = Switchboard::default();
    let (alice, _a) = start(&board);
    let mined = alice.control.mine(60, Some(200_000)).await.unwrap();
    assert!(mined.bytes > 60 * 199_000);
    let (mut bob, _b) = start(&board);
    bob.control.dial(alice.address.clone()).await.unwrap();
    bob.reaches(FOUNDATION + 60).await;
    assert_eq!(bob.control.standing().await.unwrap().tip, mined.tip);
}

#[tokio::test]
async fn the_largest_blocks_cross() {
    let board = Switchboard::default();
    let ((mut alice, _a), (mut bob, _b)) = (start(&board), start(&board));
    bob.control.dial(alice.address.clone()).await.unwrap();
    alice.connected().await;
    let mined = alice.control.mine(5, Some(3_990_000)).await.unwrap();
    bob.reaches(FOUNDATION + 5).await;
    assert_eq!(bob.control.standing().await.unwrap().tip, mined.tip);
}

#[tokio::test]
async fn a_killed_peer_has_its_chain_again() {
    let board = Switchboard::default();
    let directory = tempfile::tempdir().unwrap();
    let (mut bob, _b) = start(&board);
    let mut alice = start_in(&board, directory.path());
    alice.control.dial(bob.address.clone()).await.unwrap();
    bob.connected().await;
    let mined = bob.control.mine(2, Some(30_000)).await.unwrap();
    alice.reaches(mined.height).await;
    drop(alice.kill().await);
    bob.gone().await;
    let mined = bob.control.mine(1, None).await.unwrap();
    let mut alice = start_in(&board, directory.path());
    assert_eq!(alice.control.standing().await.unwrap().height, mined.height - 1);
    alice.control.dial(bob.address.clone()).await.unwrap();
    alice.reaches(mined.height).await;
}

#[tokio::test]
async fn a_stopped_peer_finds_its_peers_again() {
    let board = Switchboard::default();
    let directory = tempfile::tempdir().unwrap();
    let (mut bob, _b) = start(&board);
    let mut alice = start_in(&board, directory.path());
    // It heard of bob, and found him good.
    alice.control.command(Command::Learn(vec![bob.address.clone()])).await.unwrap();
    alice.connected().await;
    alice.control.stop().await;
    bob.gone().await;
    drop(alice);
    let mined = bob.control.mine(1, None).await.unwrap();
    // Nobody tells it where bob is.
    let mut alice = start_in(&board, directory.path());
    alice.connected().await;
    alice.reaches(mined.height).await;
}

#[tokio::test]
async fn of_two_dials_at_one_time_one_connection_stays() {
    let board = Switchboard::default();
    let ((mut alice, _a), (mut bob, _b)) = (start(&board), start(&board));
    let (to_bob, to_alice) = (alice.control.dial(bob.address.clone()), bob.control.dial(alice.address.clone()));
    let (one, other) = tokio::join!(to_bob, to_alice);
    one.and(other).unwrap();
    alice.connected().await;
    bob.connected().await;
    let mined = alice.control.mine(1, None).await.unwrap();
    bob.reaches(mined.height).await;
    // If it was one connection that stayed, one parting ends it.
    assert!(alice.control.part(bob.control.identity()).await.unwrap());
    assert!(!alice.control.part(yap_net::identity::Keys::generate().identity()).await.unwrap());
}

#[tokio::test]
async fn whoever_stops_says_so_and_answers_nothing_any_more() {
    let board = Switchboard::default();
    let ((mut alice, _a), (mut bob, _b)) = (start(&board), start(&board));
    alice.control.dial(bob.address.clone()).await.unwrap();
    alice.connected().await;
    bob.connected().await;
    alice.control.stop().await;
    assert_eq!(bob.gone().await.as_deref(), Some("the node stops"));
    assert_eq!(alice.control.standing().await, Err(RequestError::Stopped));
    assert_eq!(alice.control.pay().await, Err(RequestError::Stopped));
    alice.task.await.unwrap();
}

#[tokio::test]
async fn a_peer_without_a_control_stops_by_itself() {
    let board = Switchboard::default();
    let (alice, _a) = start(&board);
    drop(alice.control);
    tokio::time::timeout(SOON, alice.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn two_halves_agree_on_the_longer_chain() {
    let board = Switchboard::default();
    let ((mut alice, _a), (mut bob, _b)) = (start(&board), start(&board));
    let txid = bob.control.pay().await.unwrap();
    bob.control.mine(2, None).await.unwrap();
    let longer = alice.control.mine(3, Some(50_000)).await.unwrap();
    alice.control.dial(bob.address.clone()).await.unwrap();
    bob.reaches(longer.height).await;
    assert_eq!(bob.control.standing().await.unwrap().tip, longer.tip);
    // The payment of the branch that was given up is pending again, and is told.
    alice.pending(txid).await;
    assert_eq!(bob.control.place(txid).await.unwrap(), Some(Place::Pending));
}
