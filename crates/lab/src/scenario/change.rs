//! Addresses that change, nodes that go, and nodes that are looked for by their key.

use std::time::Instant;

use super::steps::{self, PATIENCE};
use super::{Failure, Measured, PORT, Scenario, Site};
use crate::process::Process;
use crate::router::{Mapping, Outside, Router, Rules};
use crate::topology::{Host, Internet, PUBLIC, Subnet};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "new-address",
            "connected again after an address changed in mid-transfer, which goes on",
            new_address,
        )
        .within(10)
        .times(3),
        Scenario::new(
            "cut-cable",
            "connected again after a cable was out for 3 s in mid-transfer, which goes on",
            cut_cable,
        )
        .within(20),
        Scenario::new(
            "first-gone",
            "the node that all started from is killed: one network, which a newcomer joins",
            first_gone,
        )
        .within(10),
        Scenario::new("by-key", "a peer known by its key alone is found, at its first address and at another", by_key)
            .within(30),
    ]
}

/// The chain that is transferred: long enough that something can happen while it is.
const BLOCKS: u32 = 64;
const BLOCK: u64 = 3_000_000;

/// Blocks that have arrived when it happens.
const UNDER_WAY: u64 = 8;

/// A home whose peer fetches a long chain from the public node.
struct Transfer {
    public: Process,
    guest: Process,
    tip: String,
    host: Host,
    router: Router,
    _relay: Host,
    _internet: Internet,
}

impl Transfer {
    fn begin(site: &Site) -> Result<Self, Failure> {
        let internet = Internet::create(PUBLIC)?;
        let relay = internet.host("public", &site.folder, 50)?;
        let outside = Outside { switch: internet.switch(), address: internet.address(21), gateway: None };
        let inner = Subnet::new(192, 168, 1, 1, 24);
        let router = Router::create("router", &site.folder, outside, inner, Rules::of(Mapping::Kept))?;
        let host = router.host("guest", &site.folder, 2)?;
        let public = site.ready(&relay, &[])?;
        let base = public.status()?.height;
        // In parts, so that each has its own time.
        let mut tip = String::new();
        for _ in 0..BLOCKS.div_euclid(8) {
            tip = steps::mine(&public, 8, Some(BLOCK))?;
        }
        let guest = site.ready(&host, &[&format!("{}:{PORT}", relay.address())])?;
        let under_way = base.saturating_add(UNDER_WAY);
        let status = guest.until("a part of the chain", PATIENCE, |status| status.height >= under_way)?;
        if status.tip == tip {
            let found = format!("all {BLOCKS} blocks were there at the first look");
            return Err(Failure::Wrong { what: "the transfer is under way", found });
        }
        Ok(Self { public, guest, tip, host, router, _relay: relay, _internet: internet })
    }

    /// Waits until the peer has a session that began after `mark`, and then until it has the whole chain.
    fn end(&self, mark: u64, since: Instant) -> Result<Measured, Failure> {
        let identity = steps::identity(&self.public)?;
        let connected = |event: &serde_json::Value| steps::is_of(event, "connected", &identity);
        let back = self.guest.hear_since(mark, "connected again", PATIENCE, connected)?;
        steps::same_tip([&self.guest], &self.tip, PATIENCE)?;
        let whole = since.elapsed().as_secs_f64();
        Ok(Measured::time(back.at.saturating_duration_since(since)).note(format!("whole chain after {whole:.1} s")))
    }
}

fn new_address(site: &Site) -> Result<Measured, Failure> {
    let transfer = Transfer::begin(site)?;
    let mark = transfer.guest.told().mark();
    transfer.host.move_to(transfer.router.inner().at(77))?;
    transfer.end(mark, Instant::now())
}

fn cut_cable(site: &Site) -> Result<Measured, Failure> {
    let transfer = Transfer::begin(site)?;
    let mark = transfer.guest.told().mark();
    let port = transfer.router.wan();
    port.cut()?;
    // The cut itself is what lasts so long, nothing is waited for.
    std::thread::sleep(std::time::Duration::from_secs(3));
    port.restore()?;
    let restored = Instant::now();
    let status = transfer.guest.until("the whole chain", PATIENCE, |status| status.tip == transfer.tip)?;
    let again = transfer.guest.told().find(mark, |event| steps::is(event, "connected")).is_some();
    let how = if again { "connected anew" } else { "the connection lasted" };
    Ok(Measured::time(restored.elapsed()).note(format!("{how}, height {}", status.height)))
}

/// Public hosts, each with a peer that is told of these addresses.
fn crowd(site: &Site, internet: &Internet, labels: &[&str], from: u8) -> Result<Vec<Host>, Failure> {
    let hosts = labels.iter().zip(from..).map(|(label, number)| internet.host(label, &site.folder, number));
    Ok(hosts.collect::<Result<_, _>>()?)
}

fn first_gone(site: &Site) -> Result<Measured, Failure> {
    let internet = Internet::create(PUBLIC)?;
    let hosts = crowd(site, &internet, &["first", "ann", "ben", "cleo", "dan", "newcomer"], 30)?;
    let [first, rest @ .., last] = hosts.as_slice() else { return Ok(Measured::default()) };
    let origin = site.ready(first, &[])?;
    let known = format!("{}:{PORT}", first.address());
    let peers: Vec<Process> = rest.iter().map(|host| site.ready(host, &[&known])).collect::<Result<_, _>>()?;
    for peer in &peers {
        steps::has_peers(peer, 2, PATIENCE)?;
    }
    origin.kill();
    let (Some(miner), Some(host)) = (peers.first(), rest.last()) else { return Ok(Measured::default()) };
    let tip = steps::mine(miner, 1, None)?;
    steps::same_tip(&peers, &tip, PATIENCE)?;
    let newcomer = site.ready(last, &[&format!("{}:{PORT}", host.address())])?;
    let tip = steps::mine(miner, 1, None)?;
    steps::same_tip(peers.iter().chain([&newcomer]), &tip, PATIENCE)?;
    let time = newcomer.started().elapsed();
    let met = steps::has_peers(&newcomer, 2, PATIENCE)?.met();
    Ok(Measured::time(time).note(format!("the newcomer met {met} of {}", peers.len())))
}

fn by_key(site: &Site) -> Result<Measured, Failure> {
    let internet = Internet::create(PUBLIC)?;
    let hosts = crowd(site, &internet, &["meeting", "sought", "seeker"], 30)?;
    let [meeting, sought, seeker] = hosts.as_slice() else { return Ok(Measured::default()) };
    let known = format!("{}:{PORT}", meeting.address());
    let _meeting = site.ready(meeting, &[])?;
    let away = site.ready(sought, &[&known])?;
    let key = steps::identity(&away)?;
    steps::has_peers(&away, 1, PATIENCE)?;
    let seeking = site.ready(seeker, &[&known, &key])?;
    let first = steps::meet(&seeking, &away, PATIENCE)?.saturating_duration_since(seeking.started());
    away.stop(PATIENCE)?;
    let mark = seeking.told().mark();
    sought.move_to(internet.address(99))?;
    let back = Process::start(sought, &site.launch("sought").port(7777).peer(known))?;
    let connected = |event: &serde_json::Value| steps::is_of(event, "connected", &key);
    let again = seeking.hear_since(mark, "connected with the peer at its new place", PATIENCE, connected)?;
    let time = again.at.saturating_duration_since(back.started());
    if steps::identity(&back)? == key {
        Ok(Measured::time(time.max(first)).note(format!(
            "at first {:.2} s, then {:.2} s",
            first.as_secs_f64(),
            time.as_secs_f64()
        )))
    } else {
        Err(Failure::Wrong { what: "a peer keeps its key", found: steps::identity(&back)? })
    }
}
