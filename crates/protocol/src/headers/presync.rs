//! Fetches a chain of unknown work twice, so that none of it is kept before all of it has proved enough.
//!
//! As Bitcoin Core's `HeadersSyncState`. Counting: of each header only the work is added, and of every
//! [`COMMITMENT_PERIOD`]th, from an offset that the peer can't know, one bit of a keyed hash is remembered. Once the work
//! suffices, the chain is fetched again and compared with those bits; a header is released when [`LOOKAHEAD`] more have
//! come, whose twenty-odd bits a peer with another chain would have to guess. A chain of little work so costs
//! two bits per thousand headers, whatever its length.
//!
//! ```text
//! Counting ──enough work──▶ Keeping ──lookahead──▶ released … ──enough work again──▶ all released
//! ```

use std::collections::VecDeque;

use bitcoin::block::{Header, Version};
use bitcoin::hashes::{Hash, siphash24};
use bitcoin::{BlockHash, CompactTarget, TxMerkleNode, Work};
use yap_chain::header::{pow, retarget, tree};

use super::{Config, Fault};
use crate::random::Random;
use crate::time::Timestamp;

/// Headers between those of which a bit is remembered. With [`LOOKAHEAD`] the optimum for Bitcoin's length, as Bitcoin
/// Core computes it.
pub const COMMITMENT_PERIOD: u32 = 640;

/// Headers held back while fetching again. With one message more they fill the buffer's power of two.
pub const LOOKAHEAD: usize = 16_384 - 2_000;

/// Most bits remembered of one chain: 1 MiB, for five billion headers.
pub const MAX_COMMITMENTS: u64 = 1 << 23;

/// Most bytes that one presync takes: the bits, and the headers held back.
pub const MAX_PRESYNC: usize = (1 << 20) + 16_384 * size_of::<Packed>();

/// Headers that a valid chain can have per second of its time: of eleven in a row, six share one second at most.
const MAX_RATE: u64 = 6;

/// A chain that is being fetched twice.
#[derive(Debug)]
pub(super) struct Presync {
    /// The last header before it that is in the tree.
    start: tree::Id,
    threshold: Work,
    key: (u64, u64),
    period: u32,
    offset: u32,
    lookahead: usize,
    max_commitments: u64,
    commitments: Bits,
    /// The last header of this pass, its hash and height, and the work up to it.
    tail: Header,
    tail_hash: BlockHash,
    /// The time of the header before it; none before the genesis header.
    before_tail: Option<u32>,
    height: u32,
    work: Work,
    keeping: Option<Keeping>,
}

/// The second pass.
#[derive(Debug)]
struct Keeping {
    held: VecDeque<Packed>,
    /// The hash before the first of `held`.
    before: BlockHash,
    /// Whether the work has come together again.
    enough: bool,
}

/// A header without its parent's hash.
#[derive(Debug)]
struct Packed {
    version: i32,
    merkle_root: TxMerkleNode,
    time: u32,
    bits: CompactTarget,
    nonce: u32,
}

/// What became of a message's headers.
#[derive(Debug)]
pub(super) enum Progress {
    /// Go on asking.
    More,
    /// These have proved their work and follow one another.
    Release(Vec<Header>, After),
    /// The chain ended with too little work, or is longer than any can be.
    TooLittle,
    /// It is another chain than before.
    Changed,
}

/// How it goes on after a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Go on asking.
    More,
    /// The presync is done.
    Done,
    /// The peer has withheld the rest.
    Changed,
}

impl Presync {
    /// Of a chain after `start` that has to prove `threshold`.
    pub(super) fn new(
        start: tree::Id,
        threshold: Work,
        tree: &tree::Tree,
        config: &Config,
        random: &mut Random,
        wall: Timestamp,
    ) -> Self {
        let period = config.commitment_period.max(1);
        let age = wall
            .0
            .saturating_sub(u64::from(tree.median_time_past(start)))
            .saturating_add(u64::from(tree.spec().times.future));
        let longest = age.saturating_mul(MAX_RATE).checked_div(u64::from(period)).unwrap_or(0);
        Self {
            start,
            threshold,
            key: (random.next_u64(), random.next_u64()),
            period,
            offset: u32::try_from(random.below(u64::from(period))).unwrap_or(0),
            lookahead: config.lookahead.min(LOOKAHEAD),
            max_commitments: longest.min(MAX_COMMITMENTS),
            commitments: Bits::default(),
            tail: tree.header(start),
            tail_hash: tree.hash(start),
            before_tail: time_before(tree, start),
            height: tree.height(start),
            work: tree.work(start),
            keeping: None,
        }
    }

    /// Whether a message that starts after `parent` goes on where the last one ended.
    pub(super) fn expects(&self, parent: &BlockHash) -> bool {
        self.tail_hash == *parent
    }

    /// By which the peer is asked on.
    pub(super) fn locator(&self, tree: &tree::Tree) -> Vec<BlockHash> {
        let mut locator = tree.locator(self.start);
        // At the start of a pass the tail is the start.
        if locator.first() != Some(&self.tail_hash) {
            locator.insert(0, self.tail_hash);
        }
        locator
    }

    /// Takes headers that follow one another and meet their own targets; `full` if the message had no room for more.
    ///
    /// # Errors
    /// [`Fault::Transition`]: the chain can't be valid.
    pub(super) fn feed(
        &mut self,
        tree: &tree::Tree,
        headers: &[Header],
        hashes: &[BlockHash],
        full: bool,
    ) -> Result<Progress, Fault> {
        if !headers.first().is_some_and(|first| self.expects(&first.prev_blockhash)) {
            return Ok(Progress::Changed);
        }
        for (header, hash) in headers.iter().zip(hashes) {
            self.step(tree, header, *hash)?;
            let Some(keeping) = &mut self.keeping else {
                if self.commit(*hash) {
                    continue;
                }
                return Ok(Progress::TooLittle);
            };
            keeping.enough |= self.work >= self.threshold;
            keeping.held.push_back(Packed::from(header));
            // Once the work has come together again nothing is left to be proved, and the chain may be longer than it was.
            if !keeping.enough && !self.keeps(*hash) {
                return Ok(Progress::Changed);
            }
        }
        Ok(self.progress(tree, full))
    }

    fn progress(&mut self, tree: &tree::Tree, full: bool) -> Progress {
        let Some(keeping) = &mut self.keeping else {
            if self.work >= self.threshold {
                self.fetch_again(tree);
                return Progress::More;
            }
            return if full { Progress::More } else { Progress::TooLittle };
        };
        let released = keeping.release(self.lookahead);
        let after = match (keeping.enough, full) {
            (true, _) => After::Done,
            (false, true) => After::More,
            (false, false) => After::Changed,
        };
        Progress::Release(released, after)
    }

    /// Moves on by one header.
    fn step(&mut self, tree: &tree::Tree, header: &Header, hash: BlockHash) -> Result<(), Fault> {
        let height = self.height.saturating_add(1);
        // Else few headers could claim any work: a chain that gets harder faster than the rules let it proves nothing.
        if !retarget::permits(tree.spec(), height, &self.tail, self.before_tail, header.bits) {
            return Err(Fault::Transition { hash, height });
        }
        self.work = pow::sum(self.work, pow::work(header.bits));
        self.before_tail = Some(self.tail.time);
        (self.tail, self.tail_hash, self.height) = (*header, hash, height);
        Ok(())
    }

    /// Remembers a bit of the last header if it is one of those; `false` if the chain is too long to be valid.
    fn commit(&mut self, hash: BlockHash) -> bool {
        if self.is_committed() {
            self.commitments.push(self.bit(hash));
        }
        self.commitments.len() <= self.max_commitments
    }

    /// Whether the last header is the one of the first pass, as far as is remembered.
    fn keeps(&mut self, hash: BlockHash) -> bool {
        !self.is_committed() || self.commitments.pop() == Some(self.bit(hash))
    }

    fn is_committed(&self) -> bool {
        self.height.checked_rem(self.period) == Some(self.offset)
    }

    fn bit(&self, hash: BlockHash) -> bool {
        siphash24::Hash::hash_to_u64_with_keys(self.key.0, self.key.1, hash.as_byte_array()) & 1 == 1
    }

    fn fetch_again(&mut self, tree: &tree::Tree) {
        self.tail = tree.header(self.start);
        self.tail_hash = tree.hash(self.start);
        self.before_tail = time_before(tree, self.start);
        self.height = tree.height(self.start);
        self.work = tree.work(self.start);
        self.keeping = Some(Keeping { held: VecDeque::new(), before: self.tail_hash, enough: false });
    }

    /// Bytes that it takes on the heap.
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn bytes(&self) -> usize {
        let held = self.keeping.as_ref().map_or(0, |keeping| keeping.held.capacity());
        let bits = self.commitments.words.capacity().saturating_mul(size_of::<u64>());
        held.saturating_mul(size_of::<Packed>()).saturating_add(bits)
    }
}

/// The time of the header before one.
fn time_before(tree: &tree::Tree, id: tree::Id) -> Option<u32> {
    tree.parent(id).map(|before| tree.time(before))
}

impl Keeping {
    /// The headers that enough others have followed.
    fn release(&mut self, lookahead: usize) -> Vec<Header> {
        let keep = if self.enough { 0 } else { lookahead };
        let count = self.held.len().saturating_sub(keep);
        let mut released = Vec::with_capacity(count);
        for packed in self.held.drain(..count) {
            let header = packed.after(self.before);
            self.before = header.block_hash();
            released.push(header);
        }
        released
    }
}

impl Packed {
    fn after(self, prev_blockhash: BlockHash) -> Header {
        Header {
            version: Version::from_consensus(self.version),
            prev_blockhash,
            merkle_root: self.merkle_root,
            time: self.time,
            bits: self.bits,
            nonce: self.nonce,
        }
    }
}

impl From<&Header> for Packed {
    fn from(header: &Header) -> Self {
        let Header { version, merkle_root, time, bits, nonce, .. } = *header;
        Self { version: version.to_consensus(), merkle_root, time, bits, nonce }
    }
}

/// A queue of bits.
#[derive(Debug, Default)]
struct Bits {
    words: VecDeque<u64>,
    /// Bits that were taken from the first word.
    taken: u32,
    /// Bits in the last word.
    last: u32,
}

impl Bits {
    fn len(&self) -> u64 {
        let all = (self.words.len() as u64).saturating_mul(64);
        let room = if self.words.is_empty() { 0 } else { 64_u32.saturating_sub(self.last) };
        all.saturating_sub(u64::from(room)).saturating_sub(u64::from(self.taken))
    }

    fn push(&mut self, bit: bool) {
        if self.words.is_empty() || self.last == 64 {
            self.words.push_back(0);
            self.last = 0;
        }
        if let Some(word) = self.words.back_mut() {
            *word |= u64::from(bit).wrapping_shl(self.last);
        }
        self.last = self.last.saturating_add(1);
    }

    fn pop(&mut self) -> Option<bool> {
        if self.len() == 0 {
            return None;
        }
        let bit = self.words.front()?.wrapping_shr(self.taken) & 1 == 1;
        self.taken = self.taken.saturating_add(1);
        if self.taken == 64 {
            self.words.pop_front();
            self.taken = 0;
        }
        Some(bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_back_in_order() {
        let mut random = Random::new([3; 32]);
        let (mut bits, mut model) = (Bits::default(), VecDeque::new());
        for _ in 0..10_000 {
            if random.below(5) < 3 {
                let bit = random.below(2) == 1;
                bits.push(bit);
                model.push_back(bit);
            } else {
                assert_eq!(bits.pop(), model.pop_front());
            }
            assert_eq!(bits.len(), model.len() as u64);
        }
        while let Some(bit) = model.pop_front() {
            assert_eq!(bits.pop(), Some(bit));
        }
        assert_eq!(bits.pop(), None);
    }

    /// Who knew which headers are remembered could send others between them.
    #[test]
    fn nobody_knows_which_headers_are_remembered() {
        let tree = tree::Tree::new(std::sync::Arc::new(yap_chain::spec::Spec::regtest()), 7);
        let mut random = Random::new([3; 32]);
        let mut drawn = || {
            let start = tree.genesis();
            Presync::new(start, tree.work(start), &tree, &Config::default(), &mut random, Timestamp(0)).offset
        };
        let offsets: std::collections::BTreeSet<u32> = (0..2_000).map(|_| drawn()).collect();
        // Of 640, some 28 are left out by chance.
        assert!(offsets.len() > 500 && offsets.iter().all(|offset| *offset < COMMITMENT_PERIOD), "{}", offsets.len());
    }

    #[test]
    fn a_packed_header_comes_back() {
        let header = yap_chain::spec::Spec::bitcoin().genesis.header;
        assert_eq!(Packed::from(&header).after(header.prev_blockhash), header);
        assert_eq!(size_of::<Packed>(), 48);
    }
}
