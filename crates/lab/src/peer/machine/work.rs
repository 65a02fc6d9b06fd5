//! What the network tells becomes the node's inputs, and what the node wants of the ledger is done.

use std::sync::Arc;

use yap_chain::block::Block;
use yap_chain::transaction::Transaction;
use yap_net::Notice;
use yap_protocol::io::{self, PoolChange, TipChange};
use yap_protocol::{Input, Output, PeerId};

use super::{Machine, SAVE_DELAY, after};
use crate::peer::carrier::Carrier;
use crate::peer::event::{Event, Reach, Way, name};

impl<C: Carrier> Machine<C> {
    /// Takes what the network tells.
    pub(super) fn network(&mut self, event: yap_net::Event) {
        match event {
            yap_net::Event::Input(input) => {
                if let Input::Connected { peer, link } = &input {
                    self.sessions.insert(*peer, link.identity);
                }
                let gone = if let Input::Disconnected { peer } = &input { Some(*peer) } else { None };
                self.feed(input);
                if let Some(gone) = gone {
                    self.sessions.remove(&gone);
                }
            }
            yap_net::Event::Command(command) => self.order(command),
            yap_net::Event::Topic(message) => self.tell(Event::Topic {
                topic: message.topic.to_string(),
                text: String::from_utf8_lossy(&message.data).into_owned(),
                identity: name(message.source),
            }),
            yap_net::Event::Notice(notice) => self.notice(&notice),
            // The network may come to tell more.
            other => tracing::debug!(?other, "passed over"),
        }
    }

    fn notice(&self, notice: &Notice) {
        let event = match notice {
            Notice::Listening(address) => Event::Listening { address: address.clone() },
            Notice::Reach(reach) => Event::Reach(Reach::from(reach)),
            Notice::Path { peer, path } => Event::Path { identity: name(*peer), way: Way::from(path) },
            Notice::NotListening(_) | Notice::Dial { .. } | Notice::Resolve { .. } | Notice::Listener { .. } | _ => {
                Event::Notice { text: notice.to_string() }
            }
        };
        self.tell(event);
    }

    /// Does what the network left.
    pub(super) fn work(&mut self, output: Output) {
        match output {
            Output::ReadBlock { ticket, hash } => {
                let block = self.ledger.read(&hash);
                self.inputs.push_back(Input::BlockRead { ticket, block });
            }
            Output::Process(block) => self.process(&block),
            Output::Judge { transaction, parent } => self.judge(&transaction, parent.as_ref()),
            Output::Persist(change) => {
                self.book.add(change);
                self.save.get_or_insert_with(|| after(SAVE_DELAY));
            }
            Output::Reply { ticket, reply } => {
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
    }

    fn process(&mut self, block: &Arc<Block>) {
        let step = self.ledger.process(block, self.header_time());
        if let Err(error) = step.kept {
            self.tell(Event::Notice { text: format!("can't keep block {}: {error}", block.hash()) });
        }
        self.inputs.push_back(Input::Processed { hash: block.hash(), outcome: step.outcome });
        if let Some(change) = step.tip {
            self.tip_changed(change);
        }
        self.pool_changed(step.pool);
    }

    fn tip_changed(&mut self, change: TipChange) {
        self.inputs.push_back(Input::Tip(change));
        self.tell(Event::Tip { height: self.ledger.height(), hash: self.ledger.tip().to_string() });
    }

    fn judge(&mut self, transaction: &Arc<Transaction>, parent: Option<&Arc<Transaction>>) {
        let (judged, change) = self.ledger.judge(transaction, parent, self.header_time());
        self.inputs.extend(judged.into_iter().map(|(wtxid, outcome)| Input::Judged { wtxid, outcome }));
        self.pool_changed(change);
    }

    fn pool_changed(&mut self, change: PoolChange) {
        for transaction in &change.added {
            self.tell(Event::Transaction { txid: transaction.txid().to_string() });
        }
        if !change.added.is_empty() || !change.removed.is_empty() {
            self.inputs.push_back(Input::Pool(change));
        }
    }

    fn event(&self, event: &io::Event) {
        match event {
            io::Event::PeerReady { peer, .. } => {
                self.tell(Event::Connected { identity: self.identity(*peer), way: self.way(*peer) });
            }
            io::Event::PeerGone { peer, why } => {
                self.tell(Event::Gone { identity: self.identity(*peer), why: why.map(|why| why.to_string()) });
            }
            io::Event::Alone(value) => self.tell(Event::Alone { value: *value }),
            io::Event::Fault { peer, fault, penalty } => {
                let text = format!("{} broke a rule: {fault} ({penalty:?})", self.identity(*peer));
                self.tell(Event::Notice { text });
            }
            io::Event::Syncing { .. }
            | io::Event::Clock(_)
            | io::Event::Irreversible(_)
            | io::Event::BlockRelayed(_)
            | io::Event::TransactionRelayed(_)
            | _ => tracing::debug!(?event, "event"),
        }
    }

    /// The name of who is at the other end of a connection.
    fn identity(&self, peer: PeerId) -> String {
        self.sessions.get(&peer).copied().flatten().map_or_else(|| peer.to_string(), name)
    }

    /// How the other end of a connection is reached.
    fn way(&self, peer: PeerId) -> Way {
        let status = self.carrier.status();
        status.peers.iter().find(|one| one.peer == peer).map_or(Way::UNKNOWN, |one| Way::from(&one.path))
    }
}
