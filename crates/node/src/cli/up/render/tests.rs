use yap_api::backend::{Miner, Progress, Reach, WalletStanding};

use super::super::said::{Said, Tone};
use super::*;

const NOW: u64 = 1_800_000_000;

fn fresh() -> Snapshot {
    Snapshot {
        chain: "local".into(),
        ticker: "YAP".into(),
        tip_time: 1_700_000_000,
        mined: true,
        miner: Miner { mining: Mining::OnDemand, threads: 1, ..Miner::default() },
        wallet: Some(WalletStanding { unsaved: true, ..WalletStanding::default() }),
        reach: Reach {
            kind: "local",
            text: "reachable on the local network at 192.168.1.5:6001".into(),
            ..Reach::default()
        },
        directory: "/home/alice/.yap/local".into(),
        http: Some("http://127.0.0.1:3001".into()),
        ..Snapshot::default()
    }
}

fn neighbour(number: u32) -> Neighbour {
    Neighbour {
        name: format!("12D3KooWAbcdefghijklmnopqrst{number:06}"),
        path: "connected directly by QUIC".into(),
        ping: Some(Duration::from_micros(1_500)),
    }
}

fn in_town(peers: usize) -> Snapshot {
    let shown = (0..u32::try_from(peers.min(SHOWN_PEERS)).unwrap()).map(neighbour).collect();
    Snapshot {
        height: 1_234,
        tip_time: u32::try_from(NOW - 75).unwrap(),
        peers: (peers, shown),
        waiting: (3, 423),
        wallet: Some(WalletStanding { trusted: 150_000_000, immature: 300_000_000, ..WalletStanding::default() }),
        said: vec![
            (NOW - 75, Said { text: "block 1,234 with 1 transaction, …deadbeef".into(), tone: Tone::News }),
            (NOW - 2, Said { text: "ping from 12D3…000001: I'm alive".into(), tone: Tone::Good }),
        ],
        ..fresh()
    }
}

fn text(snapshot: &Snapshot, width: usize) -> String {
    let lines: Vec<String> = render(snapshot, width, NOW).iter().map(Line::plain).collect();
    lines.join("\n")
}

#[test]
fn the_first_start_says_what_to_do() {
    let expected = "\
yap · local · height 0 · no block yet but the first
peers    none: this node is alone
waiting  no transaction
balance  0 YAP
mining   when transactions wait
reach    reachable on the local network at 192.168.1.5:6001
http     http://127.0.0.1:3001
files    /home/alice/.yap/local
! the wallet has no backup: write down its words, which `yap wallet words` shows
! no peer is connected, so nobody else hears of payments: start yap on another
  computer of this network, or name one that runs with `yap addpeer HOST:6001`
next     yap mine 101, for first coins · yap address, to be paid · Ctrl-C stops";
    assert_eq!(text(&fresh(), 80), expected);
}

#[test]
fn a_node_among_peers_is_calm() {
    let expected = "\
yap · local · height 1,234 · last block 1 min ago
peers    2
         12D3…000000  connected directly by QUIC, 1 ms
         12D3…000001  connected directly by QUIC, 1 ms
waiting  3 transactions · 423 vB
balance  1.5 YAP · 3 YAP mined, still immature
mining   when transactions wait
reach    reachable on the local network at 192.168.1.5:6001
http     http://127.0.0.1:3001
files    /home/alice/.yap/local
   1 min ago  block 1,234 with 1 transaction, …deadbeef
    just now  ping from 12D3…000001: I'm alive
next     yap pay ADDRESS AMOUNT · Ctrl-C stops";
    assert_eq!(text(&in_town(2), 80), expected);
}

#[test]
fn a_sync_shows_how_far_it_is_and_how_long_it_takes() {
    let progress = Progress { behind: 3_766, rate: 120.4, left: Some(31) };
    let snapshot = Snapshot { catching_up: true, progress: Some(progress), ..in_town(1) };
    let shown = text(&snapshot, 80);
    assert!(shown.contains("sync     24 % · 3,766 blocks left · 120 a second · done in 31 s"), "{shown}");
    assert!(shown.contains("peers    12D3…000000  connected directly by QUIC, 1 ms"), "{shown}");
    assert_eq!(super::progress(&snapshot).unwrap(), "24 % · 3,766 blocks left · 120 a second · done in 31 s");
    let begun = Snapshot { progress: Some(Progress { behind: 1, rate: 0.0, left: None }), ..snapshot.clone() };
    assert_eq!(super::progress(&begun).unwrap(), "99 % · 1 block left");
    let done = Snapshot { progress: None, catching_up: false, ..snapshot };
    assert_eq!(super::progress(&done), None);
    assert!(!text(&done, 80).contains("sync"));
}

#[test]
fn of_many_peers_the_first_are_shown_and_the_others_counted() {
    let shown = text(&in_town(9), 80);
    assert!(shown.contains("peers    9\n"), "{shown}");
    assert!(shown.contains("000005  connected") && !shown.contains("000006"), "{shown}");
    assert!(shown.contains("\n         +3\n"), "{shown}");
}

#[test]
fn warnings_are_whole_whatever_the_width() {
    let warning = "this computer's clock differs from that of most peers by 400 seconds: set it right";
    let mut snapshot = in_town(1);
    snapshot.warnings.push(warning.into());
    for width in [20, 40, 80] {
        let lines = render(&snapshot, width, NOW);
        let plain: Vec<String> =
            lines.iter().map(|line| line.plain().trim_start_matches(['!', ' ']).to_owned()).collect();
        assert!(plain.join(" ").contains(warning), "{width}: {plain:?}");
    }
}

#[test]
fn a_narrow_terminal_breaks_no_line() {
    for width in 0..=100 {
        for snapshot in [fresh(), in_town(0), in_town(9)] {
            let lines = render(&snapshot, width, NOW);
            assert!(lines.iter().all(|line| line.width() <= width), "{width}");
            assert!(width < 20 || lines.len() < 40, "{width}: {}", lines.len());
        }
    }
    let expected = "\
yap · local · height 1,234 · …
peers 12D3…000000  connected …
waiting 3 transactions · 423 …
balance 1.5 YAP · 3 YAP mined…
mining when transactions wait
reach reachable on the local …
http http://127.0.0.1:3001
files /home/alice/.yap/local
   1 min ago  block 1,234 wit…
    just now  ping from 12D3……
next yap pay ADDRESS AMOUNT ·…";
    assert_eq!(text(&in_town(1), 30), expected);
}

#[test]
fn what_to_do_next_follows_from_what_there_is() {
    let advice = |wallet, mining| {
        let miner = Miner { mining, ..Miner::default() };
        next(&Snapshot { wallet, miner, ..fresh() })
    };
    let none = WalletStanding::default();
    assert!(advice(None, Mining::Off).starts_with("yap status"));
    assert!(advice(Some(none.clone()), Mining::OnDemand).starts_with("yap mine 101"));
    assert!(advice(Some(none.clone()), Mining::Off).starts_with("yap address"));
    assert!(advice(Some(WalletStanding { immature: 1, ..none.clone() }), Mining::OnDemand).contains("ripens"));
    assert!(advice(Some(WalletStanding { trusted: 1, ..none }), Mining::Off).starts_with("yap pay"));
}
