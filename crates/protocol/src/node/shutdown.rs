//! The end: every peer is told, and nothing is begun any more.
//!
//! What users asked for and is under way is still answered, so that nobody waits for ever.

use crate::io::{Command, Input, Output, Reply};
use crate::link::PeerId;
use crate::penalty::Reason;

use super::Node;

impl Node {
    /// Ends every connection. The machines are not driven any more.
    pub(super) fn shut_down(&mut self) {
        if let Some(changes) = self.peers.take_changes() {
            self.outputs.push_back(Output::Persist(changes));
        }
        let peers: Vec<PeerId> = self.sessions.keys().copied().collect();
        for peer in peers {
            self.say_goodbye(peer, Reason::Shutdown);
            if self.sessions.remove(&peer).is_some_and(|session| session.established.is_none()) {
                self.tally.handshakes.failed(Some(Reason::Shutdown));
            }
        }
        self.stopped = true;
    }

    pub(super) fn after_shutdown(&mut self, input: Input) {
        match input {
            // It was dialled, or came, before the driver knew.
            Input::Connected { peer, .. } => {
                self.outputs.push_back(Output::Disconnect { peer, why: Reason::Shutdown });
            }
            Input::Processed { hash, outcome } => self.reply_processed(hash, &outcome),
            Input::Judged { wtxid, outcome } => self.reply_judged(wtxid, &outcome),
            Input::Command { ticket, command } => {
                if let Command::SubmitPair { parent_ticket, .. } = command {
                    self.outputs.push_back(Output::Reply { ticket: parent_ticket, reply: Reply::Stopped });
                }
                self.outputs.push_back(Output::Reply { ticket, reply: Reply::Stopped });
            }
            Input::Clock(_)
            | Input::Disconnected { .. }
            | Input::DialFailed { .. }
            | Input::Message { .. }
            | Input::Malformed { .. }
            | Input::Congested { .. }
            | Input::BlockRead { .. }
            | Input::Tip(_)
            | Input::Pool(_)
            | Input::Deadline => {}
        }
    }
}
