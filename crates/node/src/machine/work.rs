//! What the network tells becomes the protocol's inputs, and what the protocol wants of the ledger is done.

use std::sync::Arc;

use yap_api::event::Event;
use yap_chain::block::Block;
use yap_chain::mempool::Reason;
use yap_net::identity::Name;
use yap_net::{DialError, Notice};
use yap_protocol::io::{self, TipChange};
use yap_protocol::{Input, Output, PeerId};

use super::{Machine, notice};
use crate::chainstate::Error;
use crate::ledger::Happening;
use crate::prepare;

/// The topic under which nodes tell one another of pings (W2).
pub(crate) const PING: &str = "yap/ping";

impl Machine {
    /// Takes what the network tells.
    pub(super) fn network(&mut self, event: yap_net::Event) -> Result<(), Error> {
        match event {
            yap_net::Event::Input(input) => {
                if let Input::Connected { peer, link } = &input {
                    self.sessions.insert(*peer, link.identity);
                }
                let gone = if let Input::Disconnected { peer } = &input { Some(*peer) } else { None };
                self.inputs.push_back(input);
                self.feed_all()?;
                if let Some(gone) = gone {
                    self.sessions.remove(&gone);
                }
            }
            yap_net::Event::Command(command) => {
                let input = self.command(command);
                self.inputs.push_back(input);
            }
            yap_net::Event::Topic(message) => {
                let from = Name(message.source).to_string();
                if message.topic.as_ref() == PING {
                    self.observer.tell(Event::Ping { from });
                } else {
                    let (data, hex) = readable(&message.data);
                    self.observer.tell(Event::Message { topic: message.topic.to_string(), from, data, hex });
                }
            }
            yap_net::Event::Notice(notice) => self.notice(&notice),
            // The network may come to tell more.
            other => tracing::debug!(?other, "passed over"),
        }
        Ok(())
    }

    fn notice(&self, told: &Notice) {
        if matches!(told, Notice::Listening(_) | Notice::NotListening(_)) {
            // It is part of the status.
            tracing::info!(%told);
            return;
        }
        let banned = if let Notice::Dial { why: DialError::Banned(target), .. } = told { Some(target) } else { None };
        let ban = banned.and_then(|banned| self.node.bans().find(|(target, _)| *target == banned));
        let text = match ban {
            Some((_, ban)) => {
                let left = ban.until.0.saturating_sub(self.clock.wall().0);
                format!("{told}, as its end does in {}", span(left))
            }
            None => told.to_string(),
        };
        self.observer.tell(notice(text));
    }

    /// Does what the network left.
    pub(super) fn work(&mut self, output: Output) -> Result<(), Error> {
        match output {
            Output::ReadBlock { ticket, hash } => {
                let block = self.read(&hash);
                self.inputs.push_back(Input::BlockRead { ticket, block });
            }
            Output::Process(block) => {
                if let Some(prepared) = self.stage.prepare(block) {
                    self.take_in(prepared)?;
                }
            }
            Output::Judge { transaction, parent } => {
                let now = self.clock.wall().0;
                for happening in self.ledger.judge(transaction, parent, now) {
                    self.happened(happening);
                }
                self.busy = true;
            }
            Output::Persist(change) => {
                self.book.add(change);
                self.chores.book_changed();
            }
            Output::Reply { ticket, reply } => {
                if let Some(hash) = self.mine.answered(ticket) {
                    self.judged_mined(hash, &reply);
                }
                if let Some(waiting) = self.waiting.remove(&ticket) {
                    // Whoever asked may have gone.
                    let _ = waiting.send(reply);
                }
            }
            Output::Event(event) => self.event(&event),
            Output::Send { .. } | Output::Dial { .. } | Output::Disconnect { .. } => {
                tracing::warn!(?output, "the network left what is its own");
            }
        }
        Ok(())
    }

    /// A stored block for a peer. One that can't be read is not there: the peer asks another.
    fn read(&self, hash: &bitcoin::BlockHash) -> Option<Arc<Block>> {
        let chain = self.ledger.chain();
        let id = chain.tree().get(hash).filter(|id| chain.has_block(*id))?;
        match chain.read_unread(id) {
            Ok(block) => Some(block),
            Err(error) => {
                self.observer.tell(notice(format!("a stored block can't be read: {error}")));
                None
            }
        }
    }

    /// Takes in a block that was prepared. One that could not be is asked for again, after a while.
    pub(super) fn take_in(&mut self, prepared: prepare::Outcome) -> Result<(), Error> {
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(mistake) => {
                self.observer.tell(notice(mistake.to_string()));
                self.inputs.push_back(Input::Processed { hash: mistake.0, outcome: io::Processed::Failed });
                return Ok(());
            }
        };
        let now = self.clock.wall().header_time();
        for happening in self.ledger.process(prepared, now)? {
            self.happened(happening);
        }
        self.busy = true;
        if self.ledger.chain().commit_due() {
            self.ledger.chain_mut().commit()?;
        }
        Ok(())
    }

    /// Tells the protocol and whoever watches what came of a change of the ledger.
    pub(super) fn happened(&mut self, happening: Happening) {
        match &happening {
            Happening::Tip(change) => {
                self.tip_moved(change);
                self.nudge_wallet();
            }
            Happening::Pool(added, removed) => {
                self.mine.pool(added, removed);
                self.keep.changed(self.ledger.admission().pool().usage());
                self.nudge_wallet();
                for entry in added {
                    self.observer.tell(Event::TransactionAdded { txid: entry.txid() });
                }
                for one in removed {
                    let why = departure(&one.reason).to_owned();
                    self.observer.tell(Event::TransactionRemoved { txid: one.entry.txid(), why });
                }
            }
            Happening::Refused(hash, reason) => {
                self.observer.tell(Event::BlockRefused { hash: *hash, reason: reason.to_string() });
            }
            Happening::Processed(hash, io::Processed::Invalid { reason, .. }) => {
                tracing::info!(%hash, reason, "a block was refused");
            }
            // It may be refused because it is there already.
            Happening::Judged(transaction, Err(_))
                if !self.ledger.admission().pool().contains_txid(&transaction.txid()) =>
            {
                self.mine.refused(&transaction.txid());
            }
            Happening::Restored(_) => self.tell_untaken(),
            Happening::Processed(..) | Happening::Judged(..) => {}
        }
        self.inputs.extend(happening.into_input());
    }

    fn tip_moved(&mut self, change: &TipChange) {
        let tree = self.ledger.chain().tree();
        for hash in &change.disconnected {
            let height = tree.get(hash).map_or(0, |id| tree.height(id));
            self.observer.tell(Event::BlockDisconnected { hash: *hash, height });
        }
        for (hash, block) in &change.connected {
            let height = tree.get(hash).map_or(0, |id| tree.height(id));
            let transactions = block.as_ref().map_or(0, |block| block.transactions().len());
            let transactions = u32::try_from(transactions).unwrap_or(u32::MAX);
            self.observer.tell(Event::BlockConnected { hash: *hash, height, transactions });
        }
        self.chores.measure(tree.height(self.ledger.chain().verified_tip()));
        if !self.node.is_catching_up() {
            self.chores.tip_moved();
        }
    }

    fn event(&mut self, event: &io::Event) {
        let told = match event {
            io::Event::PeerReady { peer, .. } => {
                self.remember_named(*peer);
                let status = self.network.status();
                let there = status.peers.iter().find(|one| one.peer == *peer);
                Event::PeerConnected {
                    peer: peer.0,
                    identity: self.identity(*peer),
                    address: there.map(|one| one.address.clone()).unwrap_or_default(),
                    path: there.map(|one| one.path.to_string()).unwrap_or_default(),
                }
            }
            io::Event::PeerGone { peer, why } => {
                let why = why.map(|why| why.to_string());
                Event::PeerGone { peer: peer.0, identity: self.identity(*peer), why }
            }
            io::Event::Alone(alone) => {
                self.chores.alone = *alone;
                self.nudge_wallet();
                Event::Alone { alone: *alone }
            }
            io::Event::Fault { peer, fault, penalty } => {
                Event::PeerFault { peer: peer.0, fault: fault.to_string(), penalty: format!("{penalty:?}") }
            }
            io::Event::Syncing { behind } => Event::Syncing { behind: *behind },
            io::Event::Clock(Some(offset)) => notice(format!(
                "this computer's clock differs from that of most peers by {} seconds: set it right, or blocks may be \
                 refused",
                offset.0
            )),
            io::Event::Clock(None) => notice("this computer's clock agrees with the peers' again".to_owned()),
            io::Event::Irreversible(block) => Event::Irreversible { hash: block.hash, height: block.height },
            io::Event::BlockRelayed(_) | io::Event::TransactionRelayed(_) | _ => {
                tracing::debug!(?event, "event");
                return;
            }
        };
        self.observer.tell(told);
    }

    /// The name of who is at the other end of a connection.
    pub(super) fn identity(&self, peer: PeerId) -> Option<String> {
        self.sessions.get(&peer).copied().flatten().map(|identity| Name(identity).to_string())
    }
}

/// A number of seconds, in the unit that suits a ban.
fn span(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    if seconds < HOUR { format!("{} min", seconds.div_ceil(MINUTE)) } else { format!("{} h", seconds.div_ceil(HOUR)) }
}

/// Text as it is, anything else in hexadecimal digits; whether it is those.
fn readable(data: &[u8]) -> (String, bool) {
    match std::str::from_utf8(data) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (bitcoin::hex::DisplayHex::to_lower_hex_string(data), true),
    }
}

fn departure(reason: &Reason) -> &'static str {
    match reason {
        Reason::Confirmed => "confirmed",
        Reason::Conflict { .. } => "conflicted",
        Reason::Replaced { .. } => "replaced",
        Reason::Evicted | Reason::ClusterLimit => "evicted",
        Reason::Expired => "expired",
        Reason::Reorganised(_) => "reorganised",
        _ => "removed",
    }
}
