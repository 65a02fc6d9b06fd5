//! Counts of messages and bytes, by kind and by node.

use super::NodeId;
use super::wire::Kind;

/// Messages and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub messages: u64,
    /// Their bytes, framing included.
    pub bytes: u64,
}

impl Count {
    const fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }
}

/// What was sent so far.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    kinds: [Count; Kind::COUNT],
    sent: Vec<Count>,
    received: Vec<Count>,
}

impl Traffic {
    pub(super) fn sent(&mut self, node: NodeId, kind: Kind, bytes: usize) {
        self.kinds[kind as usize].add(bytes);
        slot(&mut self.sent, node).add(bytes);
    }

    pub(super) fn received(&mut self, node: NodeId, bytes: usize) {
        slot(&mut self.received, node).add(bytes);
    }

    /// Everything of one kind that was sent.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> Count {
        self.kinds[kind as usize]
    }

    /// Bytes of several kinds that were sent.
    #[must_use]
    pub fn bytes(&self, kinds: &[Kind]) -> u64 {
        kinds.iter().map(|kind| self.of(*kind).bytes).sum()
    }

    /// What a node sent.
    #[must_use]
    pub fn sent_by(&self, node: NodeId) -> Count {
        self.sent.get(node.0 as usize).copied().unwrap_or_default()
    }

    /// What reached a node.
    #[must_use]
    pub fn received_by(&self, node: NodeId) -> Count {
        self.received.get(node.0 as usize).copied().unwrap_or_default()
    }

    /// What was sent since an earlier count, by kind.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        for (count, before) in since.kinds.iter_mut().zip(&earlier.kinds) {
            count.messages -= before.messages;
            count.bytes -= before.bytes;
        }
        let less = |counts: &mut [Count], before: &[Count]| {
            for (count, before) in counts.iter_mut().zip(before) {
                count.messages -= before.messages;
                count.bytes -= before.bytes;
            }
        };
        less(&mut since.sent, &earlier.sent);
        less(&mut since.received, &earlier.received);
        since
    }
}

fn slot(counts: &mut Vec<Count>, node: NodeId) -> &mut Count {
    let index = node.0 as usize;
    if counts.len() <= index {
        counts.resize(index + 1, Count::default());
    }
    &mut counts[index]
}
