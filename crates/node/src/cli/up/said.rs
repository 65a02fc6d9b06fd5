//! What is worth telling of what happens, in words. Log lines and the status have the same ones.

use yap_api::event::Event;

use super::line::Style;
use super::words::{coins, count, number, short, short_hash};

/// Something worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// In words.
    pub(super) text: String,
    /// What it means for the user.
    pub(super) tone: Tone,
}

/// What something means for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// For who wants to know more.
    Detail,
    /// Life goes on.
    News,
    /// Something good.
    Good,
    /// Something to look after.
    Warning,
}

impl Tone {
    pub(super) fn style(self) -> Style {
        match self {
            Self::Detail => Style::Dim,
            Self::News => Style::Plain,
            Self::Good => Style::Good,
            Self::Warning => Style::Warn,
        }
    }
}

/// Blocks that are connected at one go beyond which they are told together, as progress.
const MANY: u32 = 3;

/// Tells what happens. Remembers what was said, so that nothing is told twice.
#[derive(Debug, Default)]
pub(super) struct Teller {
    ticker: String,
    /// Headers that are known beyond the tip, while blocks are fetched.
    behind: u32,
    /// Whether it was told that no peer is connected.
    alone: bool,
}

impl Teller {
    pub(super) fn new(ticker: &str) -> Self {
        Self { ticker: ticker.to_owned(), ..Self::default() }
    }

    /// What is worth telling of `event`, if anything.
    pub(super) fn tell(&mut self, event: &Event) -> Option<Said> {
        let said = |tone, text: String| Some(Said { text, tone });
        match event {
            Event::BlockConnected { hash, height, transactions } => {
                let (hash, transactions) =
                    (short_hash(&hash.to_string()), count((*transactions).into(), "transaction"));
                let tone = if self.behind > MANY { Tone::Detail } else { Tone::News };
                said(tone, format!("block {} with {transactions}, {hash}", number((*height).into())))
            }
            Event::BlockDisconnected { hash, height } => {
                let (hash, height) = (short_hash(&hash.to_string()), number((*height).into()));
                said(Tone::News, format!("block {height} is left for a better branch, {hash}"))
            }
            // They follow the blocks at a distance of some; each by itself is no news.
            Event::Irreversible { height, .. } => {
                said(Tone::Detail, format!("up to block {} nothing can be taken back", number((*height).into())))
            }
            Event::BlockRefused { hash, reason } => {
                said(Tone::Warning, format!("block {} breaks a rule: {reason}", short_hash(&hash.to_string())))
            }
            Event::BlockMined { height, .. } => {
                said(Tone::Good, format!("this node mined block {}", number((*height).into())))
            }
            Event::Syncing { behind } => self.of_sync(*behind),
            Event::PeerConnected { identity, address, path, .. } => {
                let peer = short(identity.as_deref().unwrap_or(address));
                said(Tone::News, format!("peer {peer} is there, {path}"))
            }
            Event::PeerGone { identity, why, peer } => {
                let peer = identity.as_deref().map_or_else(|| number(*peer), short);
                let why = why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
                said(Tone::News, format!("peer {peer} is gone{why}"))
            }
            Event::PeerFault { peer, fault, penalty } => {
                said(Tone::Detail, format!("peer {peer} broke a rule ({penalty}): {fault}"))
            }
            Event::Alone { alone } => {
                let changed = std::mem::replace(&mut self.alone, *alone) != *alone;
                match (changed, alone) {
                    (false, _) => None,
                    (true, true) => said(Tone::Warning, "no peer is connected: this node is alone".to_owned()),
                    (true, false) => said(Tone::Good, "this node is not alone any more".to_owned()),
                }
            }
            Event::Ping { from } => said(Tone::Good, format!("ping from {}: I'm alive", short(from))),
            Event::Message { topic, from, data, .. } => {
                said(Tone::News, format!("{} says under {topic}: {}", short(from), first(data)))
            }
            Event::Payment { amount, height, .. } => self.of_payment(*amount, *height),
            Event::TransactionAdded { txid } => {
                said(Tone::Detail, format!("transaction {} waits for a block", short_hash(&txid.to_string())))
            }
            Event::TransactionRemoved { txid, why } => {
                said(Tone::Detail, format!("transaction {} waits no more: {why}", short_hash(&txid.to_string())))
            }
            Event::Notice { text } => said(Tone::News, text.clone()),
            Event::Stopping => said(Tone::News, "stopping".to_owned()),
            // The interface may come to tell more.
            _ => None,
        }
    }

    fn of_sync(&mut self, behind: u32) -> Option<Said> {
        let before = std::mem::replace(&mut self.behind, behind);
        if before <= MANY && behind > MANY {
            return Some(Said { text: format!("{} to fetch", count(behind.into(), "block")), tone: Tone::News });
        }
        (before > MANY && behind == 0).then(|| Said { text: "all blocks are here".to_owned(), tone: Tone::Good })
    }

    fn of_payment(&self, amount: i64, height: Option<u32>) -> Option<Said> {
        let coins = coins(amount.unsigned_abs(), &self.ticker);
        let what = match amount.signum() {
            1 => format!("received {coins}"),
            -1 => format!("paid {coins}"),
            _ => "payment to this wallet itself".to_owned(),
        };
        let state = match height {
            Some(height) => format!("confirmed in block {}", number(height.into())),
            None => "waits for a block".to_owned(),
        };
        Some(Said { text: format!("{what}, {state}"), tone: Tone::Good })
    }
}

/// Letters of a message that are shown.
const MOST_LETTERS: usize = 200;

fn first(text: &str) -> String {
    let mut cut: String = text.chars().take(MOST_LETTERS).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use yap_chain::bitcoin::hashes::Hash as _;
    use yap_chain::bitcoin::{BlockHash, Txid};

    use super::*;

    fn connected(height: u32) -> Event {
        Event::BlockConnected { hash: BlockHash::all_zeros(), height, transactions: 1 }
    }

    #[test]
    fn a_ping_says_that_its_sender_is_alive() {
        let event = Event::Ping { from: "12D3KooWAbcdefghijklmnopqrstuvwxyz".into() };
        assert_eq!(Teller::new("YAP").tell(&event).unwrap().text, "ping from 12D3…uvwxyz: I'm alive");
    }

    #[test]
    fn a_sync_is_told_once_when_it_begins_and_once_when_it_ends() {
        let mut teller = Teller::new("YAP");
        assert_eq!(teller.tell(&Event::Syncing { behind: 500 }).unwrap().text, "500 blocks to fetch");
        assert_eq!(teller.tell(&Event::Syncing { behind: 499 }), None);
        assert_eq!(teller.tell(&connected(1)).unwrap().tone, Tone::Detail);
        assert_eq!(teller.tell(&Event::Syncing { behind: 0 }).unwrap().text, "all blocks are here");
        assert_eq!(teller.tell(&Event::Syncing { behind: 1 }), None, "a block that was just mined is no sync");
        assert_eq!(teller.tell(&connected(501)).unwrap().tone, Tone::News);
        assert_eq!(teller.tell(&Event::Syncing { behind: 0 }), None);
    }

    #[test]
    fn loneliness_is_told_when_it_changes() {
        let mut teller = Teller::new("YAP");
        assert_eq!(teller.tell(&Event::Alone { alone: false }), None);
        assert_eq!(teller.tell(&Event::Alone { alone: true }).unwrap().tone, Tone::Warning);
        assert_eq!(teller.tell(&Event::Alone { alone: true }), None);
        assert_eq!(teller.tell(&Event::Alone { alone: false }).unwrap().tone, Tone::Good);
    }

    #[test]
    fn payments_are_told_with_direction_and_state() {
        let mut teller = Teller::new("YAP");
        let txid = Txid::all_zeros();
        let mut text = |amount, height| teller.tell(&Event::Payment { txid, amount, height }).unwrap().text;
        assert_eq!(text(150_000_000, None), "received 1.5 YAP, waits for a block");
        assert_eq!(text(-1_000, Some(1_234)), "paid 0.00001 YAP, confirmed in block 1,234");
        assert_eq!(text(i64::MIN, None), "paid 92,233,720,368.54775808 YAP, waits for a block");
    }
}
