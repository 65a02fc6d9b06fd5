//! The best order of a few transactions that depend on each other.
//!
//! An order is cut into chunks of falling fee rate, and is optimal if no other has, for any weight, a prefix that pays
//! more. The optimal chunks of a set are found by halving it: with the set's own rate as the price, each transaction
//! has a profit `fee - rate * weight`, and the set of greatest profit that holds the ancestors of all its members is
//! what comes before the rest. That set is a minimum cut (maximum closure), found here by pushing the gains to the
//! losses among their ancestors until nothing more can be pushed. Where everything is paid for, the set is one chunk,
//! or several of equal rate, which are then told apart.
//!
//! Cost: each cut adds a chunk or shows that there is none, so at most `2 n - 1` for `n` transactions, each over sets
//! that fit the bits of a `u64`.

#![expect(clippy::indexing_slicing, reason = "arrays have one place for each of the 64 bits that index them")]

use super::super::rate::Paid;

/// Transactions that one order may have.
pub(in super::super) const MOST: usize = 64;

/// One transaction to be placed.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Part {
    /// What it pays.
    pub(in super::super) paid: Paid,
    /// Those that must come before it: bit `i` for the `i`-th.
    pub(in super::super) parents: u64,
}

/// An order and where its chunks end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Linear {
    /// Indexes of the parts, first to last.
    pub(in super::super) order: Vec<u8>,
    /// Each chunk: how many parts come before its end, and what it pays.
    pub(in super::super) chunks: Vec<(u8, Paid)>,
}

/// The indexes of the bits that are set, lowest first.
pub(in super::super) fn ones(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = mask.trailing_zeros();
        mask &= mask.wrapping_sub(1);
        (lowest < u64::BITS).then_some(lowest as usize)
    })
}

/// The lowest `count` bits.
pub(in super::super) fn lowest(count: usize) -> u64 {
    u32::try_from(count).ok().and_then(|count| 1_u64.checked_shl(count)).map_or(u64::MAX, |bit| bit.wrapping_sub(1))
}

/// For each part, itself and all that must come before it.
pub(in super::super) fn ancestors(parents: impl Iterator<Item = u64> + Clone) -> [u64; MOST] {
    let mut ancestors = [0; MOST];
    // One round is enough if parents come first; at most one per generation otherwise.
    loop {
        let mut changed = false;
        for (index, parents) in parents.clone().take(MOST).enumerate() {
            let above = ones(parents).fold(parents | bit(index), |above, parent| above | ancestors[parent]);
            changed |= above != ancestors[index];
            ancestors[index] = above;
        }
        if !changed {
            return ancestors;
        }
    }
}

pub(in super::super) fn bit(index: usize) -> u64 {
    u32::try_from(index).ok().and_then(|index| 1_u64.checked_shl(index)).unwrap_or(0)
}

/// The optimal order of at most [`MOST`] parts, in chunks as small as they can be.
pub(in super::super) fn linearise(parts: &[Part]) -> Linear {
    let parts = parts.get(..MOST).unwrap_or(parts);
    let graph = Graph { parts, ancestors: ancestors(parts.iter().map(|part| part.parents)) };
    let mut linear = Linear { order: Vec::with_capacity(parts.len()), chunks: Vec::new() };
    let mut flow = Flow::new(parts.len());
    let mut waiting = vec![lowest(parts.len())];
    while let Some(set) = waiting.pop() {
        if set & set.wrapping_sub(1) == 0 {
            graph.emit(set, &mut linear);
            continue;
        }
        flow.push_all(&graph, set);
        let first = flow.profitable(&graph, set);
        if first == 0 {
            flow.split_equal(&graph, set, &mut linear);
        } else {
            waiting.push(set & !first);
            waiting.push(first);
        }
    }
    linear
}

struct Graph<'a> {
    parts: &'a [Part],
    ancestors: [u64; MOST],
}

impl Graph<'_> {
    fn paid(&self, set: u64) -> Paid {
        ones(set).filter_map(|index| self.parts.get(index)).map(|part| part.paid).sum()
    }

    /// Appends `set` as a chunk: parents have fewer ancestors than their children.
    fn emit(&self, set: u64, linear: &mut Linear) {
        if set == 0 {
            return;
        }
        let start = linear.order.len();
        linear.order.extend(ones(set).filter_map(|index| u8::try_from(index).ok()));
        let chunk = linear.order.get_mut(start..).unwrap_or_default();
        chunk.sort_by_key(|index| self.ancestors[usize::from(*index)].count_ones());
        let end = u8::try_from(linear.order.len()).unwrap_or(u8::MAX);
        linear.chunks.push((end, self.paid(set)));
    }
}

/// Gains pushed to losses.
struct Flow {
    /// Gains not yet pushed, per part.
    supply: [i128; MOST],
    /// Losses not yet covered, per part.
    demand: [i128; MOST],
    /// Which parts gain.
    gains: u64,
    /// Which parts lose.
    losses: u64,
    /// From which parts each gets something.
    sources: [u64; MOST],
    /// What the part of the row pushes to the part of the column.
    pushed: Vec<i128>,
    width: usize,
    /// Parts from which no loss can be reached that is not covered yet, though there is gain left.
    stuck: u64,
}

impl Flow {
    fn new(width: usize) -> Self {
        Self {
            supply: [0; MOST],
            demand: [0; MOST],
            gains: 0,
            losses: 0,
            sources: [0; MOST],
            pushed: vec![0; width.saturating_mul(width)],
            width,
            stuck: 0,
        }
    }

    fn between(&mut self, from: usize, to: usize) -> &mut i128 {
        &mut self.pushed[from.wrapping_mul(self.width).wrapping_add(to)]
    }

    /// Pushes as much as can be, at the price that `set` as a whole pays.
    fn push_all(&mut self, graph: &Graph<'_>, set: u64) {
        let total = graph.paid(set);
        self.pushed.fill(0);
        (self.gains, self.losses, self.stuck) = (0, 0, 0);
        for index in ones(set) {
            let paid = graph.parts[index].paid;
            // No product passes 127 bits; fees and weights have 64.
            let gain = i128::from(paid.fee).wrapping_mul(total.weight.into());
            let cost = i128::from(total.fee).wrapping_mul(paid.weight.into());
            let profit = gain.saturating_sub(cost);
            self.sources[index] = 0;
            self.supply[index] = profit.max(0);
            self.demand[index] = profit.min(0).saturating_neg();
            self.gains |= if profit > 0 { bit(index) } else { 0 };
            self.losses |= if profit < 0 { bit(index) } else { 0 };
        }
        for start in ones(self.gains) {
            while self.supply[start] > 0 && self.stuck & bit(start) == 0 {
                self.push_once(graph, start);
            }
        }
    }

    /// Finds the shortest way from the gain at `start` to a loss not yet covered, which may take back what others
    /// pushed to losses on the way if they find another one; or learns that there is none. Each push uses up the gain,
    /// the loss, or something taken back.
    fn push_once(&mut self, graph: &Graph<'_>, start: usize) {
        let mut queue = [0_u8; MOST];
        let (mut head, mut tail) = (0_usize, 1_usize);
        queue[0] = start.to_le_bytes()[0];
        // By which gain each loss was reached, and by which loss each gain.
        let (mut to_loss, mut to_gain) = ([0_u8; MOST], [0_u8; MOST]);
        let mut seen = bit(start) | self.stuck;
        while head < tail {
            let from = usize::from(queue[head]);
            head = head.wrapping_add(1);
            for loss in ones(graph.ancestors[from] & self.losses & !seen) {
                seen |= bit(loss);
                to_loss[loss] = from.to_le_bytes()[0];
                if self.demand[loss] > 0 {
                    self.push_along(start, loss, &to_loss, &to_gain);
                    return;
                }
                for gain in ones(self.sources[loss] & !seen) {
                    seen |= bit(gain);
                    to_gain[gain] = loss.to_le_bytes()[0];
                    queue[tail] = gain.to_le_bytes()[0];
                    tail = tail.wrapping_add(1);
                }
            }
        }
        self.stuck |= seen;
    }

    fn push_along(&mut self, start: usize, end: usize, to_loss: &[u8; MOST], to_gain: &[u8; MOST]) {
        let mut amount = self.supply[start].min(self.demand[end]);
        let mut gain = usize::from(to_loss[end]);
        while gain != start {
            let loss = usize::from(to_gain[gain]);
            amount = amount.min(*self.between(gain, loss));
            gain = usize::from(to_loss[loss]);
        }
        self.supply[start] = self.supply[start].saturating_sub(amount);
        self.demand[end] = self.demand[end].saturating_sub(amount);
        let mut loss = end;
        loop {
            let gain = usize::from(to_loss[loss]);
            let forward = self.between(gain, loss);
            *forward = forward.saturating_add(amount);
            self.sources[loss] |= bit(gain);
            if gain == start {
                return;
            }
            loss = usize::from(to_gain[gain]);
            let back = self.between(gain, loss);
            *back = back.saturating_sub(amount);
            if *back == 0 {
                self.sources[loss] &= !bit(gain);
            }
        }
    }

    /// The smallest set of greatest profit that holds all ancestors of its members; empty if none makes any.
    fn profitable(&self, graph: &Graph<'_>, set: u64) -> u64 {
        ones(self.stuck & self.gains).fold(0, |all, gain| all | graph.ancestors[gain]) & set
    }

    /// Appends `set`, in which no part comes before the rest by its rate, in the smallest chunks of that same rate.
    ///
    /// All gains are pushed and all losses covered. A part of the set has the same rate if it holds the ancestors of
    /// its members, and whoever covers their losses.
    fn split_equal(&self, graph: &Graph<'_>, set: u64, linear: &mut Linear) {
        let mut rest = set;
        while rest != 0 {
            let closed = ones(rest).map(|start| self.closed(graph, start, rest));
            let least = closed.min_by_key(|closed| closed.count_ones()).unwrap_or(rest);
            graph.emit(least, linear);
            rest &= !least;
        }
    }

    fn closed(&self, graph: &Graph<'_>, start: usize, rest: u64) -> u64 {
        let mut closed = 0;
        let mut new = bit(start);
        while new != 0 {
            let index = new.trailing_zeros() as usize;
            closed |= bit(index);
            new |= graph.ancestors[index] | self.sources[index];
            new &= rest & !closed;
        }
        closed
    }
}

#[cfg(test)]
mod tests;
