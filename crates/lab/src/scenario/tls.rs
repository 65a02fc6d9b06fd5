//! Secure WebSocket where TCP to port 443 alone gets out, and certificates that are not to be trusted.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cafe::{Cafe, HTTPS};
use super::steps::{self, LARGE, PATIENCE};
use super::{Failure, Measured, Scenario, Site};
use crate::certificate::{Authority, LASTING};
use crate::process::Process;
use crate::router::Pass;
use crate::topology::Host;

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("only-443-tls", "connected by secure WebSocket where TCP to port 443 alone gets out", trusted)
            .within(10),
        Scenario::new("tls-expired", "a certificate that has expired is told of in words, and what to do", expired)
            .within(10),
        Scenario::new(
            "tls-unknown",
            "an authority that nobody knows is told of in words, and what to do; trusted, it connects",
            unknown,
        )
        .within(10),
    ]
}

/// How long a certificate lasts that expires while its node runs: longer than a node takes to start.
const SHORT: Duration = Duration::from_secs(8);

impl Cafe {
    /// Starts the public node with a certificate that lasts so long.
    fn serve(&self, site: &Site, authority: &Authority, lasting: Duration) -> Result<Process, Failure> {
        let files = authority.sign(&self.public.address().to_string(), lasting)?;
        let flags = format!("--tls-cert {} --tls-key {}", files.certificate.display(), files.key.display());
        let public = Process::start(&self.public, &site.launch("public").port(HTTPS).flag(&flags))?;
        steps::listening(&public)?;
        Ok(public)
    }

    /// Starts a guest that knows the public node by secure WebSocket alone; its host lasts as long as
    /// what is given.
    fn guest(&self, site: &Site, last: u8, trust: Option<&Path>) -> Result<(Host, Process), Failure> {
        let host = self.router.host(&format!("guest{last}"), &site.folder, last)?;
        let launch = site.launch("guest").peer(format!("wss://{}:{HTTPS}", self.public.address()));
        let launch = trust.iter().fold(launch, |launch, path| launch.flag(&format!("--trust {}", path.display())));
        let guest = Process::start(&host, &launch)?;
        Ok((host, guest))
    }
}

/// Waits until both are connected, and a block of 4 MB has arrived.
fn connects(guest: &Process, public: &Process) -> Result<Measured, Failure> {
    let met = steps::meet(guest, public, PATIENCE)?;
    let way = steps::way(guest, &steps::identity(public)?)?;
    let tip = steps::mine(public, 1, Some(LARGE))?;
    steps::same_tip([guest], &tip, PATIENCE)?;
    if way.contains("wss") {
        Ok(Measured::time(met.saturating_duration_since(guest.started())).note(way))
    } else {
        Err(Failure::Wrong { what: "the connection is a secure WebSocket", found: way })
    }
}

fn trusted(site: &Site) -> Result<Measured, Failure> {
    let cafe = Cafe::build(site, Pass::Https)?;
    let authority = Authority::create(&site.folder)?;
    let public = cafe.serve(site, &authority, LASTING)?;
    let (_host, guest) = cafe.guest(site, 2, Some(&authority.path()))?;
    connects(&guest, &public)
}

/// Waits for a notice about the certificate that has these words, and says when it came and what it says.
fn told(guest: &Process, words: &[&str]) -> Result<(Instant, String), Failure> {
    let about = |event: &Value| {
        let text = event.get("text").and_then(Value::as_str);
        steps::is(event, "notice") && text.is_some_and(|text| text.contains("certificate"))
    };
    let told = guest.hear("a notice about the certificate", PATIENCE, about)?;
    let text = told.event.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
    if words.iter().all(|word| text.to_lowercase().contains(word)) {
        return Ok((told.at, text));
    }
    Err(Failure::Wrong { what: "the notice says what is wrong and what to do", found: text })
}

fn expired(site: &Site) -> Result<Measured, Failure> {
    let cafe = Cafe::build(site, Pass::Https)?;
    let authority = Authority::create(&site.folder)?;
    let begun = Instant::now();
    let _public = cafe.serve(site, &authority, SHORT)?;
    // A node refuses to start with a certificate that has expired. One that runs has to be waited for: certificates know
    // whole seconds alone.
    std::thread::sleep(SHORT.saturating_add(Duration::from_secs(1)).saturating_sub(begun.elapsed()));
    let (_host, guest) = cafe.guest(site, 2, Some(&authority.path()))?;
    let (at, text) = told(&guest, &["expired", "operator", "renew"])?;
    Ok(Measured::time(at.saturating_duration_since(guest.started())).note(format!("told: {text}")))
}

fn unknown(site: &Site) -> Result<Measured, Failure> {
    let cafe = Cafe::build(site, Pass::Https)?;
    let authority = Authority::create(&site.folder)?;
    let public = cafe.serve(site, &authority, LASTING)?;
    let (_host, guest) = cafe.guest(site, 2, None)?;
    let (at, text) = told(&guest, &["unknown", "issuer", "trust"])?;
    let (_other, trusting) = cafe.guest(site, 3, Some(&authority.path()))?;
    connects(&trusting, &public)?;
    Ok(Measured::time(at.saturating_duration_since(guest.started())).note(format!("told: {text}")))
}
