//! What users ask of the machine.

use std::sync::Arc;

use tokio::sync::oneshot;
use yap_api::backend::{Job, MineError, Mining, PeerError, Tested};
use yap_chain::transaction::Transaction;
use yap_net::Given;
use yap_net::given::MAX_PEERS;
use yap_net::identity::Name;
use yap_protocol::Input;
use yap_protocol::io::{Command, Reply};

use super::Machine;
use crate::chainstate::Error;

/// A request, and where its answer goes.
pub(crate) enum Request {
    /// Look at the node.
    Look(Job),
    /// Something for the protocol.
    Command(Command, oneshot::Sender<Reply>),
    /// Make a transaction known together with its parent.
    Pair {
        /// The transaction.
        child: Arc<Transaction>,
        /// Its parent.
        parent: Arc<Transaction>,
        /// Where the parent's verdict goes.
        parent_answer: oneshot::Sender<Reply>,
        /// Where its own verdict goes.
        answer: oneshot::Sender<Reply>,
    },
    /// Judge transactions as a trial.
    Test(Vec<Arc<Transaction>>, oneshot::Sender<Vec<Tested>>),
    /// Keep a peer connected.
    Add(Given, oneshot::Sender<Result<(), PeerError>>),
    /// Take that back.
    Remove(Given, oneshot::Sender<Result<(), PeerError>>),
    /// Part from a peer.
    Part(String, oneshot::Sender<Result<(), PeerError>>),
    /// Something for the miner.
    Mine(Order),
    /// Write the pending transactions; gives the file.
    Save(oneshot::Sender<Result<String, String>>),
    /// Stop.
    Stop,
}

/// What is asked of the miner.
#[derive(Debug)]
pub(crate) enum Order {
    /// Blocks.
    Blocks(yap_api::backend::MiningOrder, oneshot::Sender<Mined>),
    /// When to mine.
    Mode(Mining, oneshot::Sender<Result<(), MineError>>),
}

/// What came of an order of blocks.
pub(crate) type Mined = Result<Vec<bitcoin::BlockHash>, MineError>;

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Look(_) => "Look",
            Self::Command(..) => "Command",
            Self::Pair { .. } => "Pair",
            Self::Test(..) => "Test",
            Self::Add(..) => "Add",
            Self::Remove(..) => "Remove",
            Self::Part(..) => "Part",
            Self::Mine(_) => "Mine",
            Self::Save(_) => "Save",
            Self::Stop => "Stop",
        })
    }
}

impl Machine {
    /// Does what a user asks, or begins to. Whoever asked may have gone: then nobody hears the answer.
    pub(super) fn request(&mut self, request: Request) -> Result<(), Error> {
        match request {
            Request::Look(job) => {
                self.note_untaken();
                // A mistake in a method of the interface is not to cost the node. Jobs read; the ledger's own steps, in
                // which a panic would leave something half done, stop the ledger by themselves.
                if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(self))).is_err() {
                    self.observer
                        .tell(super::notice("a request failed by a mistake in this program: please report it".into()));
                }
                self.look_failed()?;
                // It may have changed what the ledger has to do.
                self.busy = true;
            }
            Request::Command(command, answer) => {
                if let Command::Submit(transaction) = &command {
                    self.mine.submitted(transaction.txid());
                }
                if let Command::Unban(target) = &command {
                    self.network.lift_ban(target.clone());
                }
                let ticket = self.ticket();
                self.waiting.insert(ticket, answer);
                self.inputs.push_back(Input::Command { ticket, command });
            }
            Request::Pair { child, parent, parent_answer, answer } => {
                self.mine.submitted(parent.txid());
                self.mine.submitted(child.txid());
                let (ticket, parent_ticket) = (self.ticket(), self.ticket());
                self.waiting.insert(ticket, answer);
                self.waiting.insert(parent_ticket, parent_answer);
                let command = Command::SubmitPair { child, parent, parent_ticket };
                self.inputs.push_back(Input::Command { ticket, command });
            }
            Request::Test(transactions, answer) => self.test(transactions, answer),
            Request::Add(given, answer) => {
                let _ = answer.send(self.add_peer(given));
            }
            Request::Remove(given, answer) => {
                let _ = answer.send(self.remove_peer(&given));
            }
            Request::Part(peer, answer) => {
                let _ = answer.send(self.part(&peer));
            }
            Request::Mine(order) => self.mining(order),
            Request::Save(answer) => self.save_mempool(answer),
            Request::Stop => {}
        }
        Ok(())
    }

    fn add_peer(&mut self, given: Given) -> Result<(), PeerError> {
        if self.added.contains(&given) {
            return Err(PeerError::Added);
        }
        if self.added.len() >= MAX_PEERS {
            return Err(PeerError::Full);
        }
        self.network.add_peer(given.clone());
        self.added.push(given);
        Ok(())
    }

    fn remove_peer(&mut self, given: &Given) -> Result<(), PeerError> {
        let place = self.added.iter().position(|one| one == given).ok_or(PeerError::None)?;
        let removed = self.added.remove(place);
        self.led_to.remove(&removed.to_string());
        self.network.remove_peer(removed);
        Ok(())
    }

    /// Parts from a peer: by the number of its connection, its name, or its address.
    fn part(&mut self, which: &str) -> Result<(), PeerError> {
        let named = |identity: &yap_protocol::address::Identity| Name(*identity).to_string() == which;
        let status = self.network.status();
        let peers: Vec<_> = self
            .sessions
            .iter()
            .filter(|(peer, identity)| {
                let address = status.peers.iter().find(|one| one.peer == **peer).map(|one| one.address.as_str());
                peer.0.to_string() == which || identity.as_ref().is_some_and(named) || address == Some(which)
            })
            .map(|(peer, _)| *peer)
            .collect();
        if peers.is_empty() {
            return Err(PeerError::None);
        }
        for peer in peers {
            let input = self.command(Command::Disconnect(peer));
            self.inputs.push_back(input);
        }
        Ok(())
    }
}
