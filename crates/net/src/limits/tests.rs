//! Connections that come and go.

mod behaviour;
mod property;
mod swarms;
mod table;

use libp2p::Multiaddr;
use libp2p::PeerId;
use libp2p::swarm::ConnectionId;

use super::origin::Origin;

fn id(number: usize) -> ConnectionId {
    ConnectionId::new_unchecked(number)
}

fn here() -> Multiaddr {
    "/ip4/198.51.100.1/tcp/6001".parse().unwrap()
}

/// Host number `host` of group number `net`.
fn there(net: usize, host: usize) -> Multiaddr {
    format!("/ip4/{}.{}.{}.{}/tcp/4000", 11 + net / 256, net % 256, host / 256, host % 256).parse().unwrap()
}

fn from(net: usize, host: usize) -> Origin {
    Origin::new(&here(), &there(net, host))
}

fn through(relay: PeerId) -> Origin {
    let local = format!("/ip4/11.1.2.3/tcp/1/p2p/{relay}/p2p-circuit");
    Origin::new(&local.parse().unwrap(), &format!("/p2p/{}", PeerId::random()).parse().unwrap())
}

fn loopback() -> Origin {
    Origin::new(&here(), &"/ip4/127.0.0.1/tcp/4000".parse().unwrap())
}
