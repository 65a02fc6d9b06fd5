//! How a running node is shown: as a status on a terminal, as log lines elsewhere.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use yap_api::backend::{Federation, Standing, WalletStanding};
use yap_api::event::Stamped;
use yap_chain::spec::Spec;

use super::log::TOLD;
use super::render::{self, SHOWN_EVENTS};
use super::said::{Said, Teller, Tone};
use super::screen::Screen;
use super::snapshot::Snapshot;
use super::words;
use crate::config::{Config, Format, HTTP_PORT};
use crate::home::{Home, Running};
use crate::import::unix_time;

/// Between two looks at the node for the status.
const STATUS: Duration = Duration::from_millis(500);

/// Between two lines of progress in a log.
const PROGRESS: Duration = Duration::from_secs(5);

/// Shows a node.
#[derive(Debug)]
pub(super) struct Show {
    spec: Arc<Spec>,
    screen: Option<Arc<Screen>>,
    /// Whether log lines are JSON, which has room for all of an event.
    json: bool,
    teller: Teller,
    /// What happened last; [`SHOWN_EVENTS`] at most.
    said: VecDeque<(u64, Said)>,
    /// The last line of progress.
    progress: Option<String>,
}

impl Show {
    pub(super) fn new(spec: Arc<Spec>, config: &Config, screen: Option<Arc<Screen>>) -> Self {
        let teller = Teller::new(&spec.ticker);
        let json = config.log.format == Format::Json;
        Self { spec, screen, json, teller, said: VecDeque::new(), progress: None }
    }

    /// Time between two [`tick`](Self::tick)s.
    pub(super) fn interval(&self) -> Duration {
        if self.screen.is_some() { STATUS } else { PROGRESS }
    }

    /// Greets: says what was made, and what is not where it would be expected.
    pub(super) fn begin(&self, config: &Config, home: &Home, running: &Running, standing: Option<&Standing>) {
        let wallet = standing.and_then(|standing| standing.wallet.as_ref());
        let lines = greeting(config, home, &self.spec, wallet);
        let signs = standing.and_then(|standing| standing.federation.as_ref()).map(signs);
        for line in lines.into_iter().chain(signs) {
            self.line(&line);
        }
        if self.screen.is_none() {
            let http = running.http.map_or_else(|| "off".to_owned(), |http| format!("http://{http}"));
            let directory = home.directory().display();
            let text = format!(
                "started: chain {}, peers at port {}, HTTP {http}, files in {directory}",
                self.spec.name, running.p2p_port
            );
            tracing::info!(target: TOLD, "{text}");
        }
    }

    fn line(&self, text: &str) {
        match &self.screen {
            Some(screen) => screen.above(text),
            None => tracing::info!(target: TOLD, "{text}"),
        }
    }

    /// Tells of something that happened.
    pub(super) fn event(&mut self, stamped: &Stamped) {
        let Some(said) = self.teller.tell(&stamped.event) else { return };
        if self.screen.is_some() {
            if said.tone == Tone::Detail {
                return;
            }
            if self.said.len() == SHOWN_EVENTS {
                self.said.pop_front();
            }
            self.said.push_back((stamped.time / 1_000, said));
            return;
        }
        let text = said.text;
        // The text alone for people; programs get the event beside it.
        let event = self.json.then(|| serde_json::to_string(&stamped.event).unwrap_or_default());
        let event = event.as_deref();
        match said.tone {
            Tone::Detail => tracing::debug!(target: TOLD, event, "{text}"),
            Tone::News | Tone::Good => tracing::info!(target: TOLD, event, "{text}"),
            Tone::Warning => tracing::warn!(target: TOLD, event, "{text}"),
        }
    }

    /// Shows how the node stands.
    pub(super) fn tick(&mut self, mut snapshot: Snapshot, http: Option<SocketAddr>) {
        let Some(screen) = &self.screen else {
            let progress = render::progress(&snapshot);
            if progress.is_some() && progress != self.progress {
                let text = progress.as_deref().unwrap_or_default();
                tracing::info!(target: TOLD, height = snapshot.height, "fetching blocks: {text}");
            }
            self.progress = progress;
            return;
        };
        snapshot.http = http.map(|http| format!("http://{http}"));
        snapshot.said = self.said.iter().cloned().collect();
        screen.draw(render::render(&snapshot, screen.width(), unix_time().into()));
    }

    /// Says that the node is about to stop.
    pub(super) fn end(&self) {
        match &self.screen {
            Some(screen) => {
                screen.draw(Vec::new());
                screen.above("stopping; Ctrl-C again ends at once (nothing that was committed is lost)");
            }
            None => tracing::info!(target: TOLD, "stopping"),
        }
    }
}

/// Who signs the chain's blocks.
fn signs(all: &Federation) -> String {
    let count = all.producers.len();
    match all.place {
        Some(place) => {
            format!("This node signs blocks: it is number {} of {count} producers.", place.saturating_add(1))
        }
        None => format!(
            "Blocks of this chain are signed by {}; this node is none of them.",
            words::count(u64::try_from(count).unwrap_or(u64::MAX), "producer")
        ),
    }
}

/// What is new, and what is not where it would be expected.
fn greeting(config: &Config, home: &Home, spec: &Spec, wallet: Option<&WalletStanding>) -> Vec<String> {
    let mut lines = Vec::new();
    let directory = home.directory().display();
    if home.is_new() {
        lines.push(format!("Welcome to yap. This is the first start on the chain {} here.", spec.name));
        let wallet_too = if wallet.is_some() { ", its wallet" } else { "" };
        lines.push(format!("Everything of this node is in {directory}: its identity, its ledger{wallet_too}."));
        if wallet.is_some_and(|wallet| wallet.unsaved) {
            lines.push("The wallet has no backup yet: `yap wallet words` shows the words that are one.".to_owned());
        }
    }
    if home.number() > 1 {
        let first = config.directory(&spec.name);
        lines.push(format!(
            "Another node runs in {}: this is number {}, in {directory}.",
            first.display(),
            home.number()
        ));
    }
    let wanted = (config.p2p.port, config.http.enabled.then_some(config.http.port));
    let moved = |is: u16, wanted: u16, default: u16| is != wanted && wanted == default;
    if moved(home.p2p_port(), wanted.0, yap_net::config::PORT) {
        lines.push(format!("Port {} is taken: peers reach this node at port {}.", wanted.0, home.p2p_port()));
    }
    if let (Some(is), Some(wanted)) = (home.http_port(), wanted.1)
        && moved(is, wanted, HTTP_PORT)
    {
        lines.push(format!(
            "Port {wanted} is taken: HTTP is at port {is}; `--http-port {is}` names this node to commands."
        ));
    }
    lines
}
