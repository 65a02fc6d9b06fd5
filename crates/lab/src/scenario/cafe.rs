//! Networks that let little through: those of cafés, trains and offices.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::steps::{self, LARGE, PATIENCE};
use super::{Failure, Measured, PORT, Scenario, Site};
use crate::process::Process;
use crate::router::{Mapping, Outside, Pass, Router, Rules};
use crate::topology::{Host, Internet, PUBLIC, Subnet};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("only-443", "connected by WebSocket where TCP to port 443 alone gets out", only_443).within(10),
        Scenario::new("portal", "a portal is told of in words; connected after it opens", portal).within(60),
        Scenario::new(
            "isolated",
            "isolated clients of one Wi-Fi reach one another, and a block of 4 MB arrives",
            isolated,
        )
        .within(30)
        .times(3),
    ]
}

/// The port that gets out everywhere.
pub(super) const HTTPS: u16 = 443;

/// The café's network: its router, and the public node on the internet.
pub(super) struct Cafe {
    pub(super) router: Router,
    pub(super) public: Host,
    // The switch of the internet lives as long as the café.
    _internet: Internet,
}

impl Cafe {
    pub(super) fn build(site: &Site, pass: Pass) -> Result<Self, Failure> {
        let internet = Internet::create(PUBLIC)?;
        let public = internet.host("public", &site.folder, 50)?;
        let outside = Outside { switch: internet.switch(), address: internet.address(21), gateway: None };
        let rules = Rules { mapping: Mapping::Kept, pass };
        let router = Router::create("cafe", &site.folder, outside, Subnet::new(192, 168, 1, 1, 24), rules)?;
        Ok(Self { router, public, _internet: internet })
    }
}

fn only_443(site: &Site) -> Result<Measured, Failure> {
    let cafe = Cafe::build(site, Pass::Https)?;
    let address = cafe.public.address();
    let public = Process::start(&cafe.public, &site.launch("public").port(HTTPS))?;
    steps::listening(&public)?;
    let guest = cafe.router.host("guest", &site.folder, 2)?;
    let guest = Process::start(&guest, &site.launch("guest").peer(format!("ws://{address}:{HTTPS}")))?;
    let met = steps::meet(&guest, &public, PATIENCE)?;
    let way = steps::way(&guest, &steps::identity(&public)?)?;
    let tip = steps::mine(&public, 1, Some(LARGE))?;
    steps::same_tip([&guest], &tip, PATIENCE)?;
    if way.contains("websocket") {
        Ok(Measured::time(met.saturating_duration_since(guest.started())).note(way))
    } else {
        Err(Failure::Wrong { what: "the connection is a WebSocket", found: way })
    }
}

fn portal(site: &Site) -> Result<Measured, Failure> {
    let mut cafe = Cafe::build(site, Pass::Portal)?;
    cafe.router.serve_portal()?;
    let host = cafe.router.host("guest", &site.folder, 2)?;
    // Names are asked of the router, which answers each with its own address.
    host.namespace().resolver(cafe.router.inner().host)?;
    let public = site.ready(&cafe.public, &[])?;
    let named = [format!("{}:{PORT}", cafe.public.address()), format!("ws://{}:{PORT}", cafe.public.address())];
    let guest = site.ready(&host, &[&named[0], &named[1]])?;
    let says_why = |event: &Value| {
        let text = event.get("text").and_then(Value::as_str);
        steps::is(event, "notice") && text.is_some_and(|text| text.contains("portal"))
    };
    let told = guest.hear("a notice that names the portal", PATIENCE, says_why)?;
    cafe.router.apply(Rules::of(Mapping::Kept))?;
    let opened = Instant::now();
    let met = steps::meet(&guest, &public, Duration::from_secs(120))?;
    let notice = told.event.get("text").and_then(Value::as_str).unwrap_or_default();
    Ok(Measured::time(met.saturating_duration_since(opened)).note(format!("told: {notice}")))
}

fn isolated(site: &Site) -> Result<Measured, Failure> {
    let cafe = Cafe::build(site, Pass::All)?;
    let guests = [cafe.router.host("alice", &site.folder, 2)?, cafe.router.host("bob", &site.folder, 3)?];
    for port in guests.iter().filter_map(Host::port) {
        port.isolate()?;
    }
    let address = cafe.public.address();
    let launch = site.launch("public").flag(&format!("--external /ip4/{address}/tcp/{PORT}"));
    let public = Process::start(&cafe.public, &launch.flag(&format!("--external /ip4/{address}/udp/{PORT}/quic-v1")))?;
    steps::listening(&public)?;
    let known = format!("{address}:{PORT}");
    let [first, second] = &guests;
    let alice = site.ready(first, &[&known])?;
    let bob = site.ready(second, &[&known])?;
    let met = steps::meet(&alice, &bob, PATIENCE)?;
    let tip = steps::mine(&alice, 1, Some(LARGE))?;
    steps::same_tip([&bob], &tip, PATIENCE)?;
    let way = steps::way(&alice, &steps::identity(&bob)?)?;
    Ok(Measured::time(met.saturating_duration_since(bob.started())).note(way))
}
