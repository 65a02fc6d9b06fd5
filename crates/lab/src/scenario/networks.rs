//! The networks themselves: that they do what other scenarios rely on. No peer takes part.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, SocketAddrV4};
use std::process::{Child, Stdio};

use super::{Failure, Measured, Scenario, Site};
use crate::namespace::Error;
use crate::router::{Mapping, Outside, Pass, Router, Rules};
use crate::topology::{self, Host, Internet, PUBLIC, Subnet, Switch};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("net-mappings", "routers map ports as their kind says, and let nobody in", mappings),
        Scenario::new("net-filters", "routers let out what they should, and a portal answers the rest", filters),
        Scenario::new("net-cables", "cables are cut, clients isolated, addresses changed, bytes counted", cables),
    ]
}

/// Where observers listen, and whence they are asked by UDP.
const OBSERVER: u16 = 443;
const ASKER: u16 = 6001;

/// A process that answers on a host for as long as this lives.
struct Observer {
    child: Child,
    address: SocketAddrV4,
}

fn own_program() -> Result<std::path::PathBuf, Failure> {
    std::env::current_exe().map_err(|source| Error::File { path: "/proc/self/exe".into(), source }.into())
}

impl Observer {
    fn start(host: &Host, port: u16) -> Result<Self, Failure> {
        let mut command = host.command(own_program()?);
        command.args(["helper", "observe", &port.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
        let failed = |source| Error::Start { command: "helper observe".to_owned(), source };
        let mut child = command.spawn().map_err(failed)?;
        let ready = child.stdout.take().map(|out| BufReader::new(out).read_line(&mut String::new()));
        let observer = Self { child, address: SocketAddrV4::new(host.address(), port) };
        match ready {
            Some(Ok(read)) if read > 0 => Ok(observer),
            _ => Err(Failure::Wrong { what: "an observer starts", found: host.label().to_owned() }),
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        // One that has ended by itself is no failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How this address sees the host, or what came instead.
fn ask(host: &Host, carrier: &str, to: SocketAddrV4) -> Result<Result<SocketAddr, String>, Failure> {
    let mut command = host.command(own_program()?);
    command.args(["helper", "ask", carrier, &to.to_string(), "--from", &ASKER.to_string()]);
    let output = command.output().map_err(|source| Error::Start { command: "helper ask".to_owned(), source })?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let errors = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok(text.parse().map_err(|_| errors))
}

fn seen(host: &Host, carrier: &str, by: &Observer) -> Result<SocketAddr, Failure> {
    ask(host, carrier, by.address)?.map_err(|error| Failure::Wrong {
        what: "a packet gets through",
        found: format!("{} to {} by {carrier}: {error}", host.label(), by.address),
    })
}

fn silent(host: &Host, carrier: &str, to: SocketAddrV4) -> Result<(), Failure> {
    match ask(host, carrier, to)? {
        Err(_) => Ok(()),
        Ok(seen) => Err(Failure::Wrong {
            what: "no packet gets through",
            found: format!("{} to {to} by {carrier}, seen as {seen}", host.label()),
        }),
    }
}

fn check(what: &'static str, holds: bool, found: impl std::fmt::Debug) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::Wrong { what, found: format!("{found:?}") }) }
}

fn home(site: &Site, internet: &Internet, rules: Rules) -> Result<(Router, Host), Failure> {
    let outside = Outside { switch: internet.switch(), address: internet.address(21), gateway: None };
    let router = Router::create("router", &site.folder, outside, Subnet::new(192, 168, 1, 1, 24), rules)?;
    let host = router.host("alice", &site.folder, 2)?;
    Ok((router, host))
}

fn mappings(site: &Site) -> Result<Measured, Failure> {
    for mapping in [Mapping::Kept, Mapping::Moved, Mapping::Random] {
        let internet = Internet::create(PUBLIC)?;
        let hosts = [internet.host("first", &site.folder, 50)?, internet.host("second", &site.folder, 51)?];
        let (router, alice) = home(site, &internet, Rules::of(mapping))?;
        let [one, other] = &hosts;
        let observers = [Observer::start(one, OBSERVER)?, Observer::start(other, OBSERVER)?];
        let [first, second] = [seen(&alice, "udp", &observers[0])?, seen(&alice, "udp", &observers[1])?];
        check("the internet sees the router", first.ip() == router.outer(), first)?;
        check("the internet sees the router", seen(&alice, "tcp", &observers[0])?.ip() == router.outer(), "tcp")?;
        let ports = (first.port(), second.port());
        let right = match mapping {
            Mapping::None => false,
            Mapping::Kept => ports == (ASKER, ASKER),
            Mapping::Moved => ports.0 == ports.1 && (20_000..=30_000).contains(&ports.0),
            Mapping::Random => ports.0 != ports.1,
        };
        check("ports are mapped as the kind of router says", right, (mapping, ports))?;
        // Even to the port that is mapped this moment, and to the router itself.
        let _inside = Observer::start(&alice, ASKER)?;
        for port in [ports.0, ASKER] {
            for carrier in ["udp", "tcp"] {
                silent(
                    &hosts[1],
                    carrier,
                    SocketAddrV4::new(router.outer(), port.wrapping_add(u16::from(port == ports.1))),
                )?;
            }
        }
    }
    Ok(Measured::default())
}

fn filters(site: &Site) -> Result<Measured, Failure> {
    let kinds = [
        (Pass::All, [true, true, true]),
        (Pass::Tcp, [true, true, false]),
        (Pass::Udp, [false, false, true]),
        (Pass::Https, [true, false, false]),
        (Pass::Portal, [false, false, false]),
    ];
    for (pass, open) in kinds {
        let internet = Internet::create(PUBLIC)?;
        let host = internet.host("public", &site.folder, 50)?;
        let (https, other) = (Observer::start(&host, OBSERVER)?, Observer::start(&host, ASKER)?);
        let (mut router, alice) = home(site, &internet, Rules { mapping: Mapping::Kept, pass })?;
        router.serve_portal()?;
        let ways = [("tcp", &https), ("tcp", &other), ("udp", &other)];
        for ((carrier, observer), open) in ways.into_iter().zip(open) {
            let answer = ask(&alice, carrier, observer.address)?;
            let found = (pass, carrier, observer.address, &answer);
            check("what is let out is let out, and nothing else", answer.is_ok() == open, found)?;
            let portal = answer.is_err_and(|error| error.contains("302 Found"));
            check("a portal answers TCP", portal == (pass == Pass::Portal && carrier == "tcp"), (pass, carrier))?;
        }
    }
    Ok(Measured::default())
}

fn cables(site: &Site) -> Result<Measured, Failure> {
    let internet = Internet::create(PUBLIC)?;
    let host = internet.host("public", &site.folder, 50)?;
    let observer = Observer::start(&host, OBSERVER)?;
    let (router, alice) = home(site, &internet, Rules::of(Mapping::Kept))?;
    let bob = router.host("bob", &site.folder, 3)?;
    let inside = Observer::start(&bob, OBSERVER)?;
    let meter = internet.meter(host.address(), Some(router.outer()))?;
    seen(&alice, "tcp", &observer)?;
    let counted = meter.bytes()?;
    check("bytes are counted", counted > 100, counted)?;
    seen(&alice, "tcp", &inside)?;
    check("bytes of a home do not reach the internet", meter.bytes()? == counted, counted)?;
    for port in [&alice, &bob].into_iter().filter_map(|host| host.port()) {
        port.isolate()?;
    }
    silent(&alice, "tcp", inside.address)?;
    seen(&alice, "tcp", &observer)?;
    alice.move_to(router.inner().at(77))?;
    seen(&alice, "tcp", &observer)?;
    router.wan().cut()?;
    silent(&alice, "udp", observer.address)?;
    router.wan().restore()?;
    seen(&alice, "tcp", &observer)?;
    routed(site)
}

fn routed(site: &Site) -> Result<Measured, Failure> {
    let hosts = topology::routed(&["left", "right"], &site.folder)?;
    let [left, right] = hosts.as_slice() else { return Ok(Measured::default()) };
    let observer = Observer::start(right, OBSERVER)?;
    let by = seen(left, "tcp", &observer)?;
    check("a router that translates nothing is not seen", by.ip() == left.address(), by)?;
    let lan = Switch::create("lan")?;
    let subnet = Subnet::new(10, 0, 0, 1, 24);
    let (here, there) =
        (lan.host("here", &site.folder, subnet, None)?, lan.host("there", &site.folder, subnet.at(2), None)?);
    seen(&here, "udp", &Observer::start(&there, OBSERVER)?)?;
    Ok(Measured::default())
}
