//! Compact blocks that lack transactions: who is asked for them, and when they are given up.
//!
//! One peer at a time is asked. Up to [`MAX_SOURCES`] peers that sent the same block stand by for when it does not answer.
//! When none is left, the whole block is wanted, and an answer may still come first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::BlockHash;
use yap_chain::header::tree;
use yap_chain::transaction::Transaction;

use crate::compact::{Error, Partial, Whole};
use crate::link::PeerId;
use crate::time::Time;

/// Most peers whose compact form of one block is kept, as in Bitcoin Core.
pub(super) const MAX_SOURCES: usize = 3;

/// Most blocks that are rebuilt at a time.
pub(super) const MAX_REBUILT: usize = 8;

/// How long a peer is waited for if another stands by.
pub(super) const STANDBY_WAIT: Duration = Duration::from_millis(500);

/// How long a peer is waited for if none does, before the whole block is asked of anybody.
pub(super) const WHOLE_WAIT: Duration = Duration::from_secs(3);

#[derive(Debug)]
struct Source {
    peer: PeerId,
    partial: Partial,
    asked: bool,
}

#[derive(Debug)]
struct Rebuild {
    hash: BlockHash,
    sources: Vec<Source>,
    /// When whoever was asked last is given up; `None` if the block was.
    due: Option<Time>,
    asked_at: Time,
}

/// What to do for a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask the peer for transactions at these places.
    Ask(PeerId, BlockHash, Vec<u16>),
    /// Fetch the whole block.
    GiveUp(tree::Id),
}

/// What an answer came to.
#[derive(Debug)]
pub(super) enum Answer {
    /// The block.
    Whole(tree::Id, Whole),
    /// The peer broke a rule.
    Broken { asked: usize, sent: usize, then: Option<Step> },
    /// Nothing came of it.
    Failed(Option<Step>),
    /// Nobody asked, or the block came otherwise.
    Unneeded,
}

/// All blocks that are rebuilt.
#[derive(Debug, Default)]
pub(super) struct State {
    blocks: BTreeMap<tree::Id, Rebuild>,
}

impl State {
    /// Whether one more source for a block would be kept.
    pub(super) fn has_room(&self, id: tree::Id, peer: PeerId) -> bool {
        match self.blocks.get(&id) {
            Some(rebuild) => {
                rebuild.sources.len() < MAX_SOURCES && rebuild.sources.iter().all(|source| source.peer != peer)
            }
            None => self.blocks.len() < MAX_REBUILT,
        }
    }

    /// Whether the peer was asked for transactions of the block.
    pub(super) fn asked(&self, id: tree::Id, peer: PeerId) -> bool {
        let rebuild = self.blocks.get(&id);
        rebuild.is_some_and(|rebuild| rebuild.sources.iter().any(|source| source.peer == peer && source.asked))
    }

    /// Takes a compact block that lacks something. `has_room` said that there is room.
    pub(super) fn add(
        &mut self,
        id: tree::Id,
        hash: BlockHash,
        peer: PeerId,
        partial: Partial,
        now: Time,
    ) -> Option<Step> {
        let rebuild =
            self.blocks.entry(id).or_insert_with(|| Rebuild { hash, sources: Vec::new(), due: None, asked_at: now });
        rebuild.sources.push(Source { peer, partial, asked: false });
        if rebuild.due.is_some() {
            rebuild.wait();
            return None;
        }
        rebuild.next(id, now)
    }

    /// `blocktxn`.
    pub(super) fn answer(
        &mut self,
        peer: PeerId,
        id: tree::Id,
        sent: &[Arc<Transaction>],
        witnesses: bool,
        now: Time,
    ) -> Answer {
        let Some(rebuild) = self.blocks.get_mut(&id) else { return Answer::Unneeded };
        let Some(at) = rebuild.sources.iter().position(|source| source.peer == peer && source.asked) else {
            return Answer::Unneeded;
        };
        let source = rebuild.sources.remove(at);
        match source.partial.complete(sent, witnesses) {
            Ok(whole) => {
                self.blocks.remove(&id);
                Answer::Whole(id, whole)
            }
            Err(Error::Count { asked, sent }) => Answer::Broken { asked, sent, then: self.lost(id, now) },
            Err(Error::Malformed | Error::Collision | Error::Mismatch) => Answer::Failed(self.lost(id, now)),
        }
    }

    /// A source was taken away: if nobody is asked now, another one is.
    fn lost(&mut self, id: tree::Id, now: Time) -> Option<Step> {
        let rebuild = self.blocks.get_mut(&id)?;
        let given_up = rebuild.due.is_none();
        let waiting = rebuild.due.is_some() && rebuild.sources.iter().any(|source| source.asked);
        if waiting {
            return None;
        }
        let step = rebuild.next(id, now);
        if rebuild.sources.is_empty() {
            self.blocks.remove(&id);
        }
        step.filter(|step| !given_up || matches!(step, Step::Ask(..)))
    }

    /// A peer is gone, or does not have the block.
    pub(super) fn gone(&mut self, peer: PeerId, only: Option<tree::Id>, now: Time) -> Vec<Step> {
        let ids: Vec<_> = match only {
            Some(id) => vec![id],
            None => self.blocks.keys().copied().collect(),
        };
        let mut steps = Vec::new();
        for id in ids {
            let Some(rebuild) = self.blocks.get_mut(&id) else { continue };
            let before = rebuild.sources.len();
            rebuild.sources.retain(|source| source.peer != peer);
            if rebuild.sources.len() < before {
                steps.extend(self.lost(id, now));
            }
        }
        steps
    }

    /// A block came otherwise, or is not wanted any more.
    pub(super) fn forget(&mut self, id: tree::Id) {
        self.blocks.remove(&id);
    }

    /// Forgets the blocks of which `keep` says no.
    pub(super) fn retain(&mut self, keep: impl Fn(tree::Id) -> bool) {
        self.blocks.retain(|id, _| keep(*id));
    }

    /// Gives up waiting for whoever was waited for too long.
    pub(super) fn deadline(&mut self, now: Time) -> Vec<Step> {
        let due = self.blocks.iter_mut().filter(|(_, rebuild)| rebuild.due.is_some_and(|due| due <= now));
        due.filter_map(|(id, rebuild)| rebuild.next(*id, now)).collect()
    }

    /// When the first one is given up. At most [`MAX_REBUILT`] are looked at.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.blocks.values().filter_map(|rebuild| rebuild.due).min()
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        assert!(self.blocks.len() <= MAX_REBUILT, "{} blocks are rebuilt", self.blocks.len());
        for rebuild in self.blocks.values() {
            let peers: std::collections::BTreeSet<_> = rebuild.sources.iter().map(|source| source.peer).collect();
            assert_eq!(peers.len(), rebuild.sources.len(), "a peer stands by twice");
            assert!((1..=MAX_SOURCES).contains(&peers.len()), "{} peers stand by", peers.len());
            assert!(rebuild.due.is_none() || rebuild.sources.iter().any(|source| source.asked), "nobody was asked");
        }
    }
}

impl Rebuild {
    /// Asks the next one that stands by, or gives up.
    fn next(&mut self, id: tree::Id, now: Time) -> Option<Step> {
        let Some(source) = self.sources.iter_mut().find(|source| !source.asked) else {
            self.due = None;
            return Some(Step::GiveUp(id));
        };
        source.asked = true;
        self.asked_at = now;
        let step = Step::Ask(source.peer, self.hash, source.partial.missing());
        self.wait();
        Some(step)
    }

    /// Sets when the peer that was asked last is given up.
    fn wait(&mut self) {
        let standby = self.sources.iter().any(|source| !source.asked);
        self.due = Some(self.asked_at.after(if standby { STANDBY_WAIT } else { WHOLE_WAIT }));
    }
}
