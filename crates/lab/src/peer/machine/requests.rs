//! What users ask of a peer's own task.

use std::sync::Arc;

use bitcoin::{BlockHash, Txid};
use tokio::sync::oneshot;
use yap_protocol::Input;
use yap_protocol::address::Identity;
use yap_protocol::io::{Command, Reply};

use super::Machine;
use crate::peer::carrier::Carrier;
use crate::peer::ledger::{MakeError, Place};

/// A request, and where its answer goes.
#[derive(Debug)]
pub(in crate::peer) enum Request {
    /// How the ledger stands.
    Standing(oneshot::Sender<Standing>),
    /// Mine blocks on the tip, each of that size if one is given.
    Mine { blocks: u32, bytes: Option<usize>, done: oneshot::Sender<Result<Mined, MakeError>> },
    /// Pay from some coin, and make the payment known. The second answer is the node's.
    Pay(oneshot::Sender<Result<(Txid, oneshot::Receiver<Reply>), MakeError>>),
    /// Where a transaction is.
    Place(Txid, oneshot::Sender<Option<Place>>),
    /// Something for the node.
    Command(Command, oneshot::Sender<Reply>),
    /// Part from a peer; whether it was connected.
    Part(Identity, oneshot::Sender<bool>),
    /// Stop; answered once nothing runs any more.
    Stop(oneshot::Sender<()>),
}

/// How the ledger stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Height of the newest block.
    pub height: u32,
    /// Its hash.
    pub tip: BlockHash,
    /// Transactions that wait to be confirmed.
    pub pending: usize,
}

/// What was mined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mined {
    /// Height of the newest block.
    pub height: u32,
    /// Its hash.
    pub tip: BlockHash,
    /// Bytes of all blocks together.
    pub bytes: usize,
}

/// Blocks that are being mined.
#[derive(Debug)]
pub(super) struct Mining {
    left: u32,
    bytes: Option<usize>,
    made: usize,
    done: oneshot::Sender<Result<Mined, MakeError>>,
}

impl<C: Carrier> Machine<C> {
    /// Does what a user asks, or begins to.
    pub(super) fn request(&mut self, request: Request) {
        // Whoever asked may have gone: then nobody hears the answer.
        match request {
            Request::Standing(answer) => {
                let _ = answer.send(self.standing());
            }
            Request::Mine { blocks, bytes, done } => {
                self.mining.push_back(Mining { left: blocks, bytes, made: 0, done });
            }
            Request::Pay(answer) => {
                let _ = answer.send(self.pay());
            }
            Request::Place(txid, answer) => {
                let _ = answer.send(self.ledger.place(&txid));
            }
            Request::Command(command, answer) => self.command(command, answer),
            Request::Part(identity, answer) => {
                let _ = answer.send(self.part(identity));
            }
            Request::Stop(answer) => {
                let _ = answer.send(());
            }
        }
    }

    fn standing(&self) -> Standing {
        Standing { height: self.ledger.height(), tip: self.ledger.tip(), pending: self.ledger.pending() }
    }

    fn command(&mut self, command: Command, answer: oneshot::Sender<Reply>) {
        let ticket = self.ticket();
        self.waiting.insert(ticket, answer);
        self.feed(Input::Command { ticket, command });
    }

    fn pay(&mut self) -> Result<(Txid, oneshot::Receiver<Reply>), MakeError> {
        let payment = self.ledger.pay()?;
        let txid = payment.txid();
        let (answer, reply) = oneshot::channel();
        self.command(Command::Submit(payment), answer);
        Ok((txid, reply))
    }

    fn part(&mut self, identity: Identity) -> bool {
        let ours = self.sessions.iter().filter(|(_, other)| **other == Some(identity));
        let peers: Vec<_> = ours.map(|(peer, _)| *peer).collect();
        for peer in &peers {
            self.order(Command::Disconnect(*peer));
        }
        !peers.is_empty()
    }

    /// Mines one block of those that were asked for first.
    pub(super) fn mine(&mut self) {
        let Some(mut mining) = self.mining.pop_front() else { return };
        if mining.left > 0 {
            let block = match self.ledger.mine(mining.bytes, self.header_time()) {
                Ok(block) => Arc::new(block),
                Err(error) => {
                    let _ = mining.done.send(Err(error));
                    return;
                }
            };
            mining.left = mining.left.saturating_sub(1);
            mining.made = mining.made.saturating_add(block.bytes().len());
            self.order(Command::SubmitBlock(block));
        }
        if mining.left > 0 {
            self.mining.push_front(mining);
        } else {
            let Standing { height, tip, .. } = self.standing();
            let _ = mining.done.send(Ok(Mined { height, tip, bytes: mining.made }));
        }
    }
}
