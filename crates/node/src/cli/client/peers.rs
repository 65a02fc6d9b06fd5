//! `yap peers`, `yap addpeer`, `yap droppeer`: who is connected, and who shall be.

use clap::Args;
use serde_json::{Value, json};
use yap_api::error::Code;

use super::reply::{Reply, entries};
use super::text::{Table, bytes, grouped, short, span};
use super::{Link, Output, Run, now};
use crate::cli::Ending;

/// `yap peers`.
pub(super) fn list(link: &Link, output: &Output) -> Run {
    let reply = link.call("getpeerinfo", json!([]))?;
    let named = link.call("getaddednodeinfo", json!([]))?;
    output.reply(&reply, || show(&reply, now()) + &banned(&named, now()))?;
    Ok(Ending::Done)
}

/// What is to be said of peers that the user named and that are banned.
fn banned(named: &Value, now: u64) -> String {
    let line = |peer: &Value| {
        let until = peer.number("banned_until").filter(|until| *until > now && !peer.holds("connected"))?;
        Some(format!(
            "{} is banned here for another {}: `yap rpc setban {} remove` lets it in sooner.\n",
            peer.text("addednode"),
            span(until.saturating_sub(now)),
            peer.text("banned_as")
        ))
    };
    entries(named).iter().filter_map(line).collect()
}

fn show(reply: &Value, now: u64) -> String {
    let peers = entries(reply);
    if peers.is_empty() {
        return "No peer is connected. Start `yap` on another computer of this network, \
                or name one: `yap addpeer HOST:PORT`.\n"
            .into();
    }
    let mut table =
        Table::new([">Id", "Peer", "How it is reached", "Direction", ">Height", ">Ping", ">In", ">Out", "For"]);
    for peer in peers {
        let name = match peer.text("identity") {
            "" => peer.text("addr").to_owned(),
            name => short(name),
        };
        let path = if peer.text("path").is_empty() { peer.text("addr") } else { peer.text("path") };
        let height = peer.signed("synced_headers").filter(|height| *height >= 0);
        let height = height.or_else(|| peer.signed("startingheight")).and_then(|height| u64::try_from(height).ok());
        let ping = peer.get("pingtime").and_then(Value::as_f64).map(|seconds| format!("{:.1} ms", seconds * 1000.0));
        let since = peer.number("conntime").map(|time| span(now.saturating_sub(time))).unwrap_or_default();
        table.row([
            peer.number("id").map(|id| id.to_string()).unwrap_or_default(),
            name,
            path.to_owned(),
            if peer.holds("inbound") { "in" } else { "out" }.into(),
            height.map(grouped).unwrap_or_default(),
            ping.unwrap_or_default(),
            bytes(peer.number("bytesrecv").unwrap_or(0)),
            bytes(peer.number("bytessent").unwrap_or(0)),
            since,
        ]);
    }
    table.text()
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Peer {
    /// `HOST:PORT`, a multiaddr, a URL such as `ws://HOST:PORT`, or the peer's name.
    #[arg(value_name = "ADDRESS")]
    address: String,
}

/// `yap addpeer`.
pub(super) fn add(peer: &Peer, link: &Link, output: &Output) -> Run {
    let reply = link.call("addnode", json!([peer.address, "add"]))?;
    output.reply(&reply, || {
        format!("{} is kept connected from now on; `yap peers` shows whether it is there\n", peer.address)
    })?;
    Ok(Ending::Done)
}

/// `yap droppeer`.
pub(super) fn drop(peer: &Peer, link: &Link, output: &Output) -> Run {
    let removed = link.call("addnode", json!([peer.address, "remove"]));
    // It may be connected without having been added, and the other way round.
    let number = peer.address.parse::<u64>().ok();
    let parted = match number {
        Some(id) => link.call("disconnectnode", json!(["", id])),
        None => link.call("disconnectnode", json!([peer.address])),
    };
    match (removed, parted) {
        (Err(_), Err(error)) if error.is(Code::NodeNotConnected) => {
            return Err(super::Error::Lost(format!(
                "{} is neither connected nor was it added: `yap peers` lists who is connected",
                peer.address
            ))
            .into());
        }
        (Err(_), Err(error)) => return Err(error.into()),
        (Ok(_), _) | (_, Ok(_)) => {}
    }
    output.reply(&Value::Null, || format!("parted from {}\n", peer.address))?;
    Ok(Ending::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_listed_with_the_way_to_them() {
        let reply = json!([
            {"id": 3, "identity": "12D3KooWabcdefghijklmnop", "addr": "/ip4/10.0.0.2/udp/6001/quic-v1",
             "path": "QUIC, local network", "inbound": false, "synced_headers": 1205, "pingtime": 0.00123,
             "bytesrecv": 12_345, "bytessent": 99, "conntime": 1000},
            {"id": 12, "addr": "10.0.0.3:6001", "inbound": true, "startingheight": 7, "synced_headers": -1,
             "conntime": 4000},
        ]);
        assert_eq!(
            show(&reply, 4600),
            "Id  Peer           How it is reached    Direction  Height    Ping       In   Out  For\n \
             3  12D3KooW…mnop  QUIC, local network  out         1,205  1.2 ms  12.3 kB  99 B  1 h\n\
             12  10.0.0.3:6001  10.0.0.3:6001        in              7              0 B   0 B  10 min\n"
        );
        assert!(show(&json!([]), 0).contains("yap addpeer"));
    }

    #[test]
    fn named_peers_that_are_banned_are_told_and_how_to_let_them_in() {
        let named = json!([
            {"addednode": "bob:6001", "connected": false, "addresses": [], "banned_until": 4600, "banned_as": "8.8.4.4"},
            {"addednode": "carol:6001", "connected": false, "addresses": []},
            {"addednode": "dave:6001", "connected": true, "addresses": [], "banned_until": 4600},
            {"addednode": "erin:6001", "connected": false, "addresses": [], "banned_until": 999},
        ]);
        let told = banned(&named, 1000);
        assert!(told.starts_with("bob:6001 is banned here for another 1 h: "), "{told}");
        assert!(told.contains("yap rpc setban 8.8.4.4 remove"), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}
