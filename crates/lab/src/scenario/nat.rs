//! Two homes behind routers of every kind, and a public node that both know.
//!
//! ```text
//! alice ── router ──┐              ┌── router ── bob
//!                   ├── internet ──┤
//!                   └── public ────┘        both are told of the public node alone
//! ```

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::steps::{self, LARGE, PATIENCE};
use super::{Failure, Measured, PORT, Scenario, Site};
use crate::process::{ANSWER, Process};
use crate::router::{Mapping, Outside, Pass, Router, Rules};
use crate::topology::{Host, Internet, PRIVATE, PUBLIC, Subnet};

/// How often each kind of router is tried that holes can be punched through: a hole is a race.
const RUNS: u32 = 10;

pub(super) fn all() -> Vec<Scenario> {
    let plain = Setting::of(Mapping::Kept);
    let moved = Setting::of(Mapping::Moved);
    let random = Setting::of(Mapping::Random);
    let only = |setting: Setting, pass| Setting { pass, ..setting };
    let direct = |name, setting: Setting| {
        Scenario::new(name, "direct, and a block of 4 MB without the public node", move |site| punched(site, setting))
    };
    let through = |name, setting: Setting| {
        Scenario::new(
            name,
            "connected through the public node, 4 MB of messages and a block of 4 MB arrive",
            move |site| relayed(site, setting),
        )
    };
    vec![
        direct("nat-plain-both", plain).times(RUNS),
        direct("nat-plain-tcp", only(plain, Pass::Tcp)).times(RUNS),
        direct("nat-plain-quic", only(plain, Pass::Udp)).times(RUNS),
        direct("nat-moved-both", moved).times(RUNS),
        direct("nat-moved-tcp", only(moved, Pass::Tcp)).times(RUNS),
        direct("nat-moved-quic", only(moved, Pass::Udp)).times(RUNS),
        through("nat-random-one", Setting { mappings: [Mapping::Random, Mapping::Kept], ..plain }).times(3),
        through("nat-random-both", random).times(3),
        direct("nat-double", Setting { carriers: true, ..plain }).times(3),
        direct("nat-same-range", Setting { lans: [1, 1], ..plain }).times(3),
        direct("nat-private-internet", Setting { first: PRIVATE, ..plain }).times(3),
        Scenario::new("upnp", "reachable by a port that the router forwards, dialled there directly", upnp)
            .within(30)
            .times(3),
        Scenario::new(
            "by-key-nat",
            "a peer behind NAT known by its key alone is found, and then reached directly",
            by_key,
        )
        .within(30)
        .times(3),
    ]
}

/// How two homes are connected.
#[derive(Clone, Copy, Debug)]
struct Setting {
    /// First number of addresses on the internet.
    first: u8,
    /// What each home's router does.
    mappings: [Mapping; 2],
    /// What both let out.
    pass: Pass,
    /// Whether each router is itself behind one of its provider.
    carriers: bool,
    /// Third number of the addresses in each home.
    lans: [u8; 2],
}

impl Setting {
    const fn of(mapping: Mapping) -> Self {
        Self { first: PUBLIC, mappings: [mapping; 2], pass: Pass::All, carriers: false, lans: [1, 2] }
    }
}

/// Numbers of hosts on the internet.
const RELAY: u8 = 50;
const HOMES: [u8; 2] = [21, 22];

/// A home: its router, and that of its provider if there is one.
struct Home {
    host: Host,
    router: Router,
    carrier: Option<Router>,
}

impl Home {
    fn build(site: &Site, internet: &Internet, setting: Setting, place: usize) -> Result<Self, Failure> {
        let of = |pair: [u8; 2]| pair.get(place).copied().unwrap_or_default();
        let mapping = setting.mappings.get(place).copied().unwrap_or(Mapping::Kept);
        let label = ["alice", "bob"].get(place).copied().unwrap_or_default();
        let outside = Outside { switch: internet.switch(), address: internet.address(of(HOMES)), gateway: None };
        let inner = Subnet::new(192, 168, of(setting.lans), 1, 24);
        let rules = Rules { mapping, pass: setting.pass };
        let create = |outside| Router::create(&format!("{label}-router"), &site.folder, outside, inner, rules);
        let (carrier, router) = if setting.carriers {
            // The range that providers share among customers (RFC 6598).
            let shared = Subnet::new(100, 64, 0, 1, 10);
            let carrier =
                Router::create(&format!("{label}-carrier"), &site.folder, outside, shared, Rules::of(mapping))?;
            let outside = Outside { switch: carrier.lan(), address: shared.at(2), gateway: Some(shared.host) };
            let router = create(outside)?;
            (Some(carrier), router)
        } else {
            (None, create(outside)?)
        };
        let host = router.host(label, &site.folder, 2)?;
        Ok(Self { host, router, carrier })
    }

    /// The address under which the internet sees it.
    fn outer(&self) -> std::net::Ipv4Addr {
        self.carrier.as_ref().unwrap_or(&self.router).outer()
    }
}

/// Both homes with a peer each, and the public node.
struct Homes {
    public: Process,
    alice: Process,
    bob: Process,
    relay: Host,
    homes: [Home; 2],
    internet: Internet,
}

impl Homes {
    fn build(site: &Site, setting: Setting) -> Result<Self, Failure> {
        let internet = Internet::create(setting.first)?;
        let relay = internet.host("public", &site.folder, RELAY)?;
        let homes = [Home::build(site, &internet, setting, 0)?, Home::build(site, &internet, setting, 1)?];
        let (address, public) = (relay.address(), serve(site, &relay)?);
        let known = match setting.pass {
            // A host and port are dialled by TCP alone.
            Pass::Udp => format!("/ip4/{address}/udp/{PORT}/quic-v1"),
            Pass::All | Pass::Tcp | Pass::Https | Pass::Portal => format!("{address}:{PORT}"),
        };
        let [first, second] = &homes;
        let alice = site.ready(&first.host, &[&known])?;
        steps::has_peers(&alice, 1, PATIENCE)?;
        let bob = site.ready(&second.host, &[&known])?;
        steps::has_peers(&bob, 1, PATIENCE)?;
        Ok(Self { public, alice, bob, relay, homes, internet })
    }

    fn outer(&self) -> [std::net::Ipv4Addr; 2] {
        let [first, second] = &self.homes;
        [first.outer(), second.outer()]
    }
}

/// Starts the public node, with what an operator says who knows that the address is public. Only to be found out where it
/// can be.
fn serve(site: &Site, relay: &Host) -> Result<Process, Failure> {
    let address = relay.address();
    let launch = site.launch("public").flag(&format!("--external /ip4/{address}/tcp/{PORT}"));
    let public = Process::start(relay, &launch.flag(&format!("--external /ip4/{address}/udp/{PORT}/quic-v1")))?;
    steps::listening(&public)?;
    Ok(public)
}

/// A hole is punched; then the public node is cut off, and what is mined at one home arrives at the other.
fn punched(site: &Site, setting: Setting) -> Result<Measured, Failure> {
    let net = Homes::build(site, setting)?;
    let moment = steps::direct(&net.alice, &net.bob, PATIENCE)?;
    let time = moment.saturating_duration_since(net.bob.started());
    let (identity, relay) = (steps::identity(&net.bob)?, steps::identity(&net.public)?);
    let way = steps::way(&net.alice, &identity)?;
    let [first, second] = net.outer();
    let straight = net.internet.meter(first, Some(second))?;
    if let Some(port) = net.relay.port() {
        port.cut()?;
    }
    let tip = steps::mine(&net.alice, 1, Some(LARGE))?;
    steps::same_tip([&net.bob], &tip, PATIENCE)?;
    let straight = straight.bytes()?;
    if straight < LARGE {
        let found = format!("{straight} bytes from home to home");
        return Err(Failure::Wrong { what: "the block goes straight from home to home", found });
    }
    let still = net.alice.status()?;
    if !still.is_direct(&identity) {
        let found = format!("{:?} (the public node is {relay})", still.peers);
        return Err(Failure::Wrong { what: "the direct way lasts without the public node", found });
    }
    Ok(Measured::time(time).note(format!("{way}; {straight} B straight, the public node cut off")))
}

/// Messages that go through the relay: 4 MB, where a relay of libp2p's defaults carries 128 kB.
const MESSAGES: usize = 80;
const MESSAGE: usize = 50_000;

/// No hole can be punched: the way stays through the public node, for as much as there is to say. A block may take
/// another way, since the public node has the ledger too; messages of a topic that it did not subscribe to may not.
fn relayed(site: &Site, setting: Setting) -> Result<Measured, Failure> {
    let net = Homes::build(site, setting)?;
    let met = steps::meet(&net.alice, &net.bob, PATIENCE)?;
    let time = met.saturating_duration_since(net.bob.started());
    let (alice, bob) = (steps::identity(&net.alice)?, steps::identity(&net.bob)?);
    let [first, second] = net.outer();
    let straight = net.internet.meter(first, Some(second))?;
    let begun = Instant::now();
    converse(&net.alice, &net.bob)?;
    let carried = begun.elapsed().as_secs_f64();
    let tip = steps::mine(&net.alice, 1, Some(LARGE))?;
    steps::same_tip([&net.bob], &tip, PATIENCE)?;
    let ways = [steps::way(&net.alice, &bob)?, steps::way(&net.bob, &alice)?];
    if !ways.iter().all(|way| way.starts_with("relayed")) {
        return Err(Failure::Wrong { what: "both say that the way is relayed", found: ways.join(" and ") });
    }
    let (bytes, straight) = (MESSAGES.saturating_mul(MESSAGE), straight.bytes()?);
    Ok(Measured::time(time).note(format!("{bytes} B of messages in {carried:.1} s; {straight} B straight")))
}

/// One publishes, the other hears all of it.
fn converse(alice: &Process, bob: &Process) -> Result<(), Failure> {
    for peer in [alice, bob] {
        peer.ask("subscribe", json!({"topic": "talk"}), ANSWER)?;
    }
    let heard = |text: String| {
        move |event: &Value| steps::is(event, "topic") && event.get("text").and_then(Value::as_str) == Some(&text)
    };
    // Who has subscribed is told by and by: until then nobody hears, or the message is refused.
    let begun = Instant::now();
    for attempt in 0_u32.. {
        let text = format!("hello {attempt}");
        let said = alice.ask("publish", json!({"topic": "talk", "text": text}), ANSWER);
        if said.is_ok() && bob.hear("a first message", Duration::from_secs(1), heard(text)).is_ok() {
            break;
        }
        if begun.elapsed() > PATIENCE {
            let found = said.err().map_or_else(|| "not heard".to_owned(), |error| error.to_string());
            return Err(Failure::Wrong { what: "a message of a topic arrives", found });
        }
        bob.told().pause(Duration::from_millis(200));
    }
    for number in 0..MESSAGES {
        let text = format!("{number:05}").repeat(MESSAGE.div_euclid(5));
        alice.ask("publish", json!({"topic": "talk", "text": text}), ANSWER)?;
        bob.hear("a message", ANSWER, heard(text))?;
    }
    Ok(())
}

/// A home whose router forwards ports that are asked for, and one that does not. There is no public node.
fn upnp(site: &Site) -> Result<Measured, Failure> {
    let setting = Setting::of(Mapping::Kept);
    let internet = Internet::create(setting.first)?;
    let mut first = Home::build(site, &internet, setting, 0)?;
    first.router.serve_upnp()?;
    let second = Home::build(site, &internet, setting, 1)?;
    let alice = site.ready(&first.host, &[])?;
    let status = alice.until("reachable by UPnP", PATIENCE, |status| status.reach.kind == "public")?;
    let time = alice.started().elapsed();
    let bob = site.ready(&second.host, &[&format!("{}:{PORT}", first.outer())])?;
    steps::direct(&alice, &bob, PATIENCE)?;
    let (way, back) = (steps::way(&bob, &steps::identity(&alice)?)?, steps::way(&alice, &steps::identity(&bob)?)?);
    if way.starts_with("direct") && back.starts_with("direct") {
        Ok(Measured::time(time).note(format!("{way}; {}", status.reach.text)))
    } else {
        Err(Failure::Wrong { what: "the other home dials straight", found: format!("{way} and {back}") })
    }
}

/// One home is told of the public node and of the other's key. The other answers nobody in the DHT, being behind NAT, and
/// its address leads through the public node.
fn by_key(site: &Site) -> Result<Measured, Failure> {
    let setting = Setting::of(Mapping::Kept);
    let internet = Internet::create(setting.first)?;
    let relay = internet.host("public", &site.folder, RELAY)?;
    let homes = [Home::build(site, &internet, setting, 0)?, Home::build(site, &internet, setting, 1)?];
    let _public = serve(site, &relay)?;
    let known = format!("{}:{PORT}", relay.address());
    let [first, second] = &homes;
    let alice = site.ready(&first.host, &[&known])?;
    alice.until("reachable through the public node", PATIENCE, |status| status.reach.kind == "relayed")?;
    let key = steps::identity(&alice)?;
    let bob = site.ready(&second.host, &[&known, &key])?;
    let way = |event: &Value| steps::is_of(event, "connected", &key) || steps::is_of(event, "path", &key);
    let found = bob.hear("a way to the other", PATIENCE, way)?;
    // From then on the other hears of the seeker as of anybody, and dials: that would prove nothing of a search.
    let known = bob.told().find(0, |event| steps::is(event, "reach"));
    if let Some(known) = known.filter(|known| known.at < found.at) {
        return Err(Failure::Wrong { what: "the seeker finds the other", found: known.event.to_string() });
    }
    let met = steps::meet(&bob, &alice, PATIENCE)?;
    let straight = steps::direct(&bob, &alice, PATIENCE)?.saturating_duration_since(bob.started()).as_secs_f64();
    let way = steps::way(&bob, &key)?;
    let time = met.saturating_duration_since(bob.started());
    Ok(Measured::time(time).note(format!("{way} after {straight:.2} s")))
}
