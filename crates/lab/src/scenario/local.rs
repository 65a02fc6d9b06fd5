//! One host, one local network, and lines of peers that were named to one another.

use std::time::Duration;

use super::steps::{self, PATIENCE};
use super::{Failure, Measured, Scenario, Site};
use crate::process::{Launch, Process};
use crate::topology::{self, Host, Subnet, Switch};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("lan", "two hosts of one LAN connect, without flags", lan).within(2).times(5),
        Scenario::new("lan-crowd", "eight hosts of one LAN become one network, without flags", crowd).within(10),
        Scenario::new("same-host", "two peers of one host without a LAN connect", same_host).within(1).times(5),
        Scenario::new("line-host", "three named in a line on one host, in each order: one network", line_on_host)
            .within(5),
        Scenario::new("line-routed", "three named in a line on routed hosts, in each order: one network", line_routed)
            .within(5),
    ]
}

const LAN: Subnet = Subnet::new(10, 0, 0, 1, 24);

fn lan(site: &Site) -> Result<Measured, Failure> {
    let switch = Switch::create("lan")?;
    let first = switch.host("alice", &site.folder, LAN.at(1), None)?;
    let second = switch.host("bob", &site.folder, LAN.at(2), None)?;
    let alice = site.ready(&first, &[])?;
    let bob = site.start(&second)?;
    let met = steps::meet(&alice, &bob, PATIENCE)?;
    let way = steps::way(&alice, &steps::identity(&bob)?)?;
    Ok(Measured::time(met.saturating_duration_since(bob.started())).note(way))
}

fn crowd(site: &Site) -> Result<Measured, Failure> {
    let switch = Switch::create("lan")?;
    let hosts: Vec<Host> = (1..=8_u8)
        .map(|number| switch.host(&format!("host{number}"), &site.folder, LAN.at(number), None))
        .collect::<Result<_, _>>()?;
    let peers: Vec<Process> = hosts.iter().map(|host| site.start(host)).collect::<Result<_, _>>()?;
    let (Some(first), Some(last)) = (peers.first(), peers.last()) else { return Ok(Measured::default()) };
    for peer in &peers {
        steps::listening(peer)?;
    }
    let tip = steps::mine(first, 1, None)?;
    steps::same_tip(&peers, &tip, PATIENCE)?;
    let time = last.started().elapsed();
    let mut sessions = 0_usize;
    for peer in &peers {
        sessions = sessions.saturating_add(peer.status()?.peers.len());
    }
    Ok(Measured::time(time).note(format!("{sessions} ends of sessions")))
}

fn same_host(site: &Site) -> Result<Measured, Failure> {
    let host = Host::lonely("host", &site.folder)?;
    let alice = Process::start(&host, &site.launch("alice"))?;
    steps::listening(&alice)?;
    let bob = Process::start(&host, &site.launch("bob").port(6002))?;
    let met = steps::meet(&alice, &bob, PATIENCE)?;
    Ok(Measured::time(met.saturating_duration_since(bob.started())))
}

/// Every order in which three can be started.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

fn line_on_host(site: &Site) -> Result<Measured, Failure> {
    let host = Host::lonely("host", &site.folder)?;
    let launches = [("a", 6001, None), ("b", 6002, Some(6001)), ("c", 6003, Some(6002))];
    in_every_order([&host; 3], |place, order| {
        let (name, port, peer) = launches.get(place).copied()?;
        // Nothing but names, so that it is a line.
        let launch = site.launch(&format!("{name}{order}")).port(port).flag("--no-mdns --no-registry");
        Some(match peer {
            Some(peer) => launch.peer(format!("ws://localhost:{peer}")),
            None => launch,
        })
    })
}

fn line_routed(site: &Site) -> Result<Measured, Failure> {
    let hosts = topology::routed(&["left", "middle", "right"], &site.folder)?;
    let [left, middle, right] = hosts.as_slice() else { return Ok(Measured::default()) };
    let named = [None, Some(left), Some(middle)];
    in_every_order([left, middle, right], |place, order| {
        let launch = site.launch(&format!("peer{order}"));
        Some(match named.get(place)? {
            Some(host) => launch.peer(format!("{}:{}", host.address(), super::PORT)),
            None => launch,
        })
    })
}

/// Starts three in each order, and once all at one time; measures the slowest.
fn in_every_order(hosts: [&Host; 3], launch: impl Fn(usize, usize) -> Option<Launch>) -> Result<Measured, Failure> {
    let (mut times, mut slowest) = (Vec::new(), String::new());
    for (number, order) in ORDERS.iter().enumerate() {
        let starts: Vec<(usize, &Host, Launch)> =
            order.iter().filter_map(|&place| Some((place, *hosts.get(place)?, launch(place, number)?))).collect();
        times.push((one_network(&starts, true)?, format!("{order:?}")));
    }
    let together: Vec<(usize, &Host, Launch)> = hosts
        .iter()
        .enumerate()
        .filter_map(|(place, host)| Some((place, *host, launch(place, ORDERS.len())?)))
        .collect();
    times.push((one_network(&together, false)?, "all at once".to_owned()));
    let mut worst = Duration::ZERO;
    for (time, order) in times {
        if time > worst {
            (worst, slowest) = (time, order);
        }
    }
    Ok(Measured::time(worst).note(format!("slowest order {slowest}")))
}

/// Starts peers, each when the one before it listens or all at once; mines at the left end and pays at the right one.
/// Time from the last start until everybody has both.
fn one_network(starts: &[(usize, &Host, Launch)], in_turn: bool) -> Result<Duration, Failure> {
    let mut peers = Vec::new();
    for (place, host, launch) in starts {
        let process = Process::start(host, launch)?;
        if in_turn {
            steps::listening(&process)?;
        }
        peers.push((*place, process));
    }
    let last = peers.iter().map(|(_, process)| process.started()).max();
    peers.sort_by_key(|(place, _)| *place);
    let peers: Vec<Process> = peers.into_iter().map(|(_, process)| process).collect();
    let ([first, ..], [.., end]) = (peers.as_slice(), peers.as_slice()) else { return Ok(Duration::MAX) };
    let tip = steps::mine(first, 1, None)?;
    steps::same_tip(&peers, &tip, PATIENCE)?;
    steps::payment_arrives(end, &peers.iter().collect::<Vec<_>>(), PATIENCE)?;
    Ok(last.map_or(Duration::MAX, |last| last.elapsed()))
}
