//! The status as lines of text: a function of what is and of the room there is.

use std::time::Duration;

use yap_api::backend::Mining;

use super::line::{Line, Style, wrap};
use super::snapshot::{Neighbour, SHOWN_PEERS, Snapshot};
use super::words::{ago, coins, count, number, short, span};

/// Letters of the names at the left.
const INDENT: usize = 9;

/// Width below which each thing has one line, and the names at the left go.
const NARROW: usize = 44;

/// Things that happened which are shown.
pub(super) const SHOWN_EVENTS: usize = 4;

/// Warnings that are shown.
const SHOWN_WARNINGS: usize = 4;

/// The status in `width` letters. `now` is Unix time in seconds.
pub(super) fn render(snapshot: &Snapshot, width: usize, now: u64) -> Vec<Line> {
    let mut page = Page { width, lines: Vec::new() };
    page.lines.push(head(snapshot, now).cut(width));
    if let Some(line) = sync(snapshot) {
        page.item("sync", line);
    }
    peers(&mut page, snapshot);
    page.item("waiting", Line::of(Style::Plain, waiting(snapshot)));
    if let Some(line) = balance(snapshot) {
        page.item("balance", line);
    }
    if snapshot.mined {
        page.item("mining", Line::of(Style::Plain, mining(snapshot)));
    }
    if !snapshot.reach.text.is_empty() {
        page.item("reach", Line::of(Style::Plain, snapshot.reach.text.clone()));
    }
    page.item("http", Line::of(Style::Plain, snapshot.http.as_deref().unwrap_or("off")));
    page.item("files", Line::of(Style::Dim, snapshot.directory.clone()));
    for warning in warnings(snapshot).iter().take(SHOWN_WARNINGS) {
        page.warning(warning);
    }
    let said = snapshot.said.iter().skip(snapshot.said.len().saturating_sub(SHOWN_EVENTS));
    for (time, said) in said {
        let when = ago(Duration::from_secs(now.saturating_sub(*time)));
        let line = Line::of(Style::Dim, format!("{when:>12}  ")).with(said.tone.style(), said.text.clone());
        page.lines.push(line.cut(width));
    }
    page.item("next", Line::of(Style::Strong, next(snapshot)));
    page.lines
}

/// How far blocks have been fetched, while they are.
pub(super) fn progress(snapshot: &Snapshot) -> Option<String> {
    snapshot
        .progress
        .is_some_and(|progress| progress.behind > 0)
        .then(|| sync(snapshot))
        .flatten()
        .map(|line| line.plain())
}

struct Page {
    width: usize,
    lines: Vec<Line>,
}

impl Page {
    /// A thing with its name at the left.
    fn item(&mut self, name: &str, text: Line) {
        let label = if self.width < NARROW { format!("{name} ") } else { format!("{name:<INDENT$}") };
        let line = Line::of(Style::Dim, label);
        self.lines.push(line.joined(text).cut(self.width));
    }

    /// A thing that goes on below the last one.
    fn more(&mut self, text: Line) {
        let indent = if self.width < NARROW { 2 } else { INDENT };
        self.lines.push(Line::of(Style::Plain, " ".repeat(indent)).joined(text).cut(self.width));
    }

    /// A warning, whole: it says what to do.
    fn warning(&mut self, text: &str) {
        for (place, part) in wrap(text, self.width.saturating_sub(2)).into_iter().enumerate() {
            let mark = if place == 0 { "! " } else { "  " };
            self.lines.push(Line::of(Style::Warn, mark).with(Style::Warn, part).cut(self.width));
        }
    }
}

fn head(snapshot: &Snapshot, now: u64) -> Line {
    let age = Duration::from_secs(now.saturating_sub(snapshot.tip_time.into()));
    let line = Line::of(Style::Strong, format!("yap · {}", snapshot.chain))
        .with(Style::Plain, " · height ")
        .with(Style::Strong, number(snapshot.height.into()));
    if snapshot.height == 0 {
        return line.with(Style::Dim, " · no block yet but the first");
    }
    line.with(Style::Dim, format!(" · last block {}", ago(age)))
}

fn sync(snapshot: &Snapshot) -> Option<Line> {
    let progress = snapshot.progress.filter(|progress| progress.behind > 0);
    let Some(progress) = progress else {
        let text = "asking peers for newer blocks";
        return (snapshot.catching_up && snapshot.peers.0 > 0).then(|| Line::of(Style::Plain, text));
    };
    let total = u64::from(snapshot.height).saturating_add(progress.behind.into()).max(1);
    let percent = u64::from(snapshot.height).saturating_mul(100).checked_div(total).unwrap_or(0);
    let mut line = Line::of(Style::Strong, format!("{percent} %"))
        .with(Style::Plain, format!(" · {} left", count(progress.behind.into(), "block")));
    if progress.rate > 0.0 {
        line = line.with(Style::Plain, format!(" · {:.0} a second", progress.rate));
    }
    if let Some(left) = progress.left {
        line = line.with(Style::Plain, format!(" · done in {}", span(Duration::from_secs(left))));
    }
    Some(line)
}

fn peers(page: &mut Page, snapshot: &Snapshot) {
    let (all, shown) = (snapshot.peers.0, &snapshot.peers.1);
    let mut shown = shown.iter().take(SHOWN_PEERS);
    let Some(first) = shown.next() else {
        return page.item("peers", Line::of(Style::Warn, "none: this node is alone"));
    };
    let mut rest: Vec<&Neighbour> = shown.collect();
    if all == 1 {
        return page.item("peers", neighbour(first));
    }
    page.item("peers", Line::of(Style::Plain, number(u64::try_from(all).unwrap_or(u64::MAX))));
    rest.insert(0, first);
    let hidden = all.saturating_sub(rest.len());
    for peer in rest {
        page.more(neighbour(peer));
    }
    if hidden > 0 {
        page.more(Line::of(Style::Dim, format!("+{hidden}")));
    }
}

fn neighbour(peer: &Neighbour) -> Line {
    let line = Line::of(Style::Plain, short(&peer.name)).with(Style::Dim, format!("  {}", peer.path));
    match peer.ping {
        Some(ping) if ping < Duration::from_millis(1) => line.with(Style::Dim, ", under 1 ms"),
        Some(ping) => line.with(Style::Dim, format!(", {} ms", ping.as_millis())),
        None => line,
    }
}

fn waiting(snapshot: &Snapshot) -> String {
    match snapshot.waiting {
        (0, _) => "no transaction".to_owned(),
        (many, bytes) => {
            let many = count(u64::try_from(many).unwrap_or(u64::MAX), "transaction");
            format!("{many} · {} vB", number(bytes))
        }
    }
}

fn balance(snapshot: &Snapshot) -> Option<Line> {
    let wallet = snapshot.wallet.as_ref()?;
    let coins = |satoshis| coins(satoshis, &snapshot.ticker);
    let mut line = Line::of(Style::Strong, coins(wallet.trusted));
    if wallet.pending > 0 {
        line = line.with(Style::Plain, format!(" · {} on the way", coins(wallet.pending)));
    }
    if wallet.immature > 0 {
        line = line.with(Style::Plain, format!(" · {} mined, still immature", coins(wallet.immature)));
    }
    if wallet.behind > 0 {
        line = line.with(Style::Dim, format!(" · {} to read", count(wallet.behind.into(), "block")));
    }
    Some(if wallet.locked { line.with(Style::Dim, " · locked") } else { line })
}

fn mining(snapshot: &Snapshot) -> String {
    let miner = &snapshot.miner;
    let mode = match (miner.mining, miner.working) {
        (Mining::Off, false) => "off".to_owned(),
        (Mining::OnDemand, false) => "when transactions wait".to_owned(),
        (Mining::Continuous, false) => "always; resting now".to_owned(),
        (_, true) => {
            let threads = count(u64::try_from(miner.threads).unwrap_or(u64::MAX), "thread");
            if miner.rate >= 1.0 {
                format!("now, {threads}, {:.0} hashes a second", miner.rate)
            } else {
                format!("now, {threads}")
            }
        }
    };
    if miner.found == 0 { mode } else { format!("{mode} · found {}", count(miner.found, "block")) }
}

fn warnings(snapshot: &Snapshot) -> Vec<String> {
    let mut warnings = snapshot.warnings.clone();
    if snapshot.wallet.as_ref().is_some_and(|wallet| wallet.unsaved) {
        warnings.push("the wallet has no backup: write down its words, which `yap wallet words` shows".to_owned());
    }
    if snapshot.peers.0 == 0 {
        warnings.push(
            "no peer is connected, so nobody else hears of payments: start yap on another computer of this network, or \
             name one that runs with `yap addpeer HOST:6001`"
                .to_owned(),
        );
    }
    warnings
}

/// What to do next.
fn next(snapshot: &Snapshot) -> String {
    let has_money = |wallet: &yap_api::backend::WalletStanding| wallet.trusted > 0;
    match &snapshot.wallet {
        None => "yap status · Ctrl-C stops".to_owned(),
        Some(wallet) if has_money(wallet) => "yap pay ADDRESS AMOUNT · Ctrl-C stops".to_owned(),
        Some(wallet) if wallet.immature > 0 || wallet.pending > 0 => {
            "yap address, to be paid · yap mine 100 ripens coins · Ctrl-C stops".to_owned()
        }
        Some(_) if snapshot.mined && snapshot.miner.mining != Mining::Off => {
            "yap mine 101, for first coins · yap address, to be paid · Ctrl-C stops".to_owned()
        }
        Some(_) => "yap address, to be paid · Ctrl-C stops".to_owned(),
    }
}

#[cfg(test)]
mod tests;
