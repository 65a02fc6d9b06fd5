//! Requests of users that wait for what becomes of a block or a transaction.

use std::collections::BTreeSet;

use bitcoin::{BlockHash, Wtxid};

use crate::io::{Reply, Ticket};

/// Most requests that wait at a time, of each kind.
pub const MAX_REQUESTS: usize = 1024;

/// Who waits for what.
#[derive(Debug, Default)]
pub(super) struct Requests {
    transactions: BTreeSet<(Wtxid, Ticket)>,
    blocks: BTreeSet<(BlockHash, Ticket)>,
}

impl Requests {
    /// Has `ticket` wait; or the reply, if too many do.
    pub(super) fn transaction(&mut self, wtxid: Wtxid, ticket: Ticket) -> Option<Reply> {
        wait(&mut self.transactions, wtxid, ticket)
    }

    /// Has `ticket` wait; or the reply, if too many do.
    pub(super) fn block(&mut self, hash: BlockHash, ticket: Ticket) -> Option<Reply> {
        wait(&mut self.blocks, hash, ticket)
    }

    /// Has `ticket` wait no more.
    pub(super) fn forget(&mut self, wtxid: Wtxid, ticket: Ticket) {
        self.transactions.remove(&(wtxid, ticket));
    }

    /// Who waited for a transaction.
    pub(super) fn judged(&mut self, wtxid: Wtxid) -> Vec<Ticket> {
        take(&mut self.transactions, wtxid)
    }

    /// Who waited for a block.
    pub(super) fn processed(&mut self, hash: BlockHash) -> Vec<Ticket> {
        take(&mut self.blocks, hash)
    }
}

fn wait<K: Ord>(waiting: &mut BTreeSet<(K, Ticket)>, key: K, ticket: Ticket) -> Option<Reply> {
    if waiting.len() >= MAX_REQUESTS {
        return Some(Reply::Busy);
    }
    waiting.insert((key, ticket));
    None
}

fn take<K: Ord + Copy>(waiting: &mut BTreeSet<(K, Ticket)>, key: K) -> Vec<Ticket> {
    let range = (key, Ticket(u64::MIN))..=(key, Ticket(u64::MAX));
    let tickets: Vec<Ticket> = waiting.range(range).map(|(_, ticket)| *ticket).collect();
    for ticket in &tickets {
        waiting.remove(&(key, *ticket));
    }
    tickets
}
