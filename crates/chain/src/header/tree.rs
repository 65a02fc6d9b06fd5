//! Every known header, linked to the one before.
//!
//! Headers sit in one arena in the order they came, so a parent always has a smaller index than its children. None is
//! ever removed: a block that turns out to be invalid is marked, with everything that follows it. About 140 bytes each,
//! index included, so Bitcoin's million headers take some 140 MB.
//!
//! ```text
//! accept ──rules──▶ Valid ──invalidate──▶ Invalid, and every descendant Descends
//!                     ▲──────reconsider──────┘
//! ```
//!
//! A block that was [fixed](Tree::fix) is never left: headers of branches that leave it are kept, and not followed.
//!
//! Not its job: which blocks' data has arrived, and which chain is connected. Whoever knows compares [`Candidate`]s.

mod choice;
mod entry;
mod walk;

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it fails")]
mod tests;

use std::hash::BuildHasher;
use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::{BlockHash, CompactTarget, Work};
use foldhash::fast::FixedState;
use hashbrown::HashTable;

pub use self::choice::Candidate;
use self::entry::Entry;
pub use self::entry::Status;
pub use self::walk::Path;
use super::wide::Wide;
use super::{Error, pow, retarget, rules};
use crate::spec::Spec;

/// Most headers that a tree holds: what a chain of 10 s spacing reaches after 21 years, and some 9 GB. It bounds what an
/// index counts; that a peer can't make us keep headers without work is decided before they come here.
pub const MAX_HEADERS: u32 = 1 << 26;

/// A header in one [`Tree`]. It means nothing to another tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u32);

impl Id {
    /// Its place in the order in which the tree's headers came: 0 for the genesis header. For whoever keeps something of
    /// each header in an array.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What became of a header that keeps every rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Accepted {
    /// It joined the tree.
    New(Id),
    /// It was there.
    Known(Id),
}

impl Accepted {
    /// The header, new or known.
    #[must_use]
    pub fn id(self) -> Id {
        match self {
            Self::New(id) | Self::Known(id) => id,
        }
    }
}

/// Every known header.
#[derive(Clone, Debug)]
pub struct Tree {
    spec: Arc<Spec>,
    entries: Vec<Entry>,
    /// Indexes into `entries`, by hash.
    index: HashTable<u32>,
    hasher: FixedState,
    best: Id,
    /// What branches are not to leave; the genesis header if nothing was fixed.
    fixed: Id,
    /// The work of one header with these bits: neighbours mostly share them, and it takes a long division.
    unit: (CompactTarget, Work),
    capacity: u32,
}

impl Tree {
    /// A tree of the genesis header alone. `seed` should be unpredictable for peers: it keeps them from choosing headers
    /// that collide in the index.
    #[must_use]
    pub fn new(spec: Arc<Spec>, seed: u64) -> Self {
        Self::with_capacity(spec, seed, MAX_HEADERS)
    }

    fn with_capacity(spec: Arc<Spec>, seed: u64, capacity: u32) -> Self {
        let header = spec.genesis.header;
        let hash = header.block_hash();
        let unit = (header.bits, pow::work(header.bits));
        let hasher = FixedState::with_seed(seed);
        let mut index = HashTable::new();
        index.insert_unique(hasher.hash_one(hash), 0, |_| hasher.hash_one(hash));
        let entries = vec![Entry::root(&header, hash, unit.1)];
        Self { spec, entries, index, hasher, best: Id(0), fixed: Id(0), unit, capacity }
    }

    /// Adds a header if it keeps every rule in its place; `now` is the node's clock in seconds since 1970.
    ///
    /// The order of the rules is Bitcoin Core's, so that of several broken ones the same is reported.
    ///
    /// # Errors
    /// The first rule that the header breaks.
    pub fn accept(&mut self, header: &Header, now: u32) -> Result<Accepted, Error> {
        self.accept_hashed(header, header.block_hash(), now)
    }

    /// As [`accept`](Self::accept), for whoever has hashed the header.
    ///
    /// # Errors
    /// The first rule that the header breaks.
    pub fn accept_hashed(&mut self, header: &Header, hash: BlockHash, now: u32) -> Result<Accepted, Error> {
        if let Some(id) = self.get(&hash) {
            return match self.status(id) {
                Status::Valid | Status::Forked => Ok(Accepted::Known(id)),
                Status::Invalid | Status::Descends => Err(Error::KnownInvalid { hash }),
            };
        }
        pow::check(header, &hash, &self.spec.work.limit)?;
        let parent = self.parent_of(header, hash)?;
        if self.entry(parent).status != Status::Valid {
            return Err(Error::InvalidParent { hash, parent: header.prev_blockhash });
        }
        self.check_in_place(header, parent, now)?;
        self.push(header, hash, parent).map(Accepted::New)
    }

    /// Adds a header that was accepted before, such as one from the disk, without checking a rule again. Its parent
    /// comes first. Gives the header that is there if it is known.
    ///
    /// # Errors
    /// [`Error::UnknownParent`], or [`Error::Full`].
    pub fn insert_trusted(&mut self, header: &Header) -> Result<Id, Error> {
        let hash = header.block_hash();
        if let Some(id) = self.get(&hash) {
            return Ok(id);
        }
        let parent = self.parent_of(header, hash)?;
        self.push(header, hash, parent)
    }

    /// The rules that depend on the headers before.
    fn check_in_place(&self, header: &Header, parent: Id, now: u32) -> Result<(), Error> {
        let expected = retarget::next_bits(self, parent, header.time);
        if header.bits != expected {
            return Err(Error::WrongBits { expected, found: header.bits });
        }
        let height = self.height(parent).saturating_add(1);
        rules::after_median(header.time, self.median_time_past(parent))?;
        rules::not_backwards(&self.spec.times, header.time, self.time(parent))?;
        rules::no_timewarp(&self.spec.work.retarget, height, header.time, self.time(parent))?;
        rules::not_ahead(&self.spec.times, header.time, now)?;
        rules::version(&self.spec.deployments, height, header.version.to_consensus())
    }

    fn parent_of(&self, header: &Header, hash: BlockHash) -> Result<Id, Error> {
        let parent = header.prev_blockhash;
        self.get(&parent).ok_or(Error::UnknownParent { hash, parent })
    }

    fn push(&mut self, header: &Header, hash: BlockHash, parent: Id) -> Result<Id, Error> {
        let id = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        if id >= self.capacity {
            return Err(Error::Full { limit: self.capacity });
        }
        if self.unit.0 != header.bits {
            self.unit = (header.bits, pow::work(header.bits));
        }
        let before = self.entry(parent);
        let height = before.height.saturating_add(1);
        let entry = Entry {
            work: Wide::from(before.work()).plus(Wide::from(self.unit.1)).to_work().to_be_bytes(),
            parent: parent.0,
            skip: self.skip(parent, height).0,
            height,
            median: self.median_with(header.time, parent),
            status: if before.status == Status::Valid { Status::Valid } else { Status::Descends },
            ..Entry::root(header, hash, self.unit.1)
        };
        // The arena grows by an eighth, not twofold: it is most of a light node's memory.
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact((self.entries.len() >> 3).max(1024));
        }
        let better = entry.status == Status::Valid && entry.work > self.entry(self.best).work;
        self.entries.push(entry);
        if better && self.keeps_fixed(Id(id)) {
            self.best = Id(id);
        }
        let Self { index, entries, hasher, .. } = self;
        index.insert_unique(hasher.hash_one(hash), id, |id| {
            hasher.hash_one(entries.get(*id as usize).map_or(hash, |entry| entry.hash))
        });
        Ok(Id(id))
    }

    /// The median time over a header of the given time and those before.
    fn median_with(&self, time: u32, parent: Id) -> u32 {
        let mut times = [time; rules::MEDIAN_SPAN];
        let mut count = 1_usize;
        let mut before = Some(parent);
        while let (Some(id), Some(place)) = (before, times.get_mut(count)) {
            *place = self.time(id);
            count = count.saturating_add(1);
            before = self.parent(id);
        }
        let times = times.get_mut(..count).unwrap_or_default();
        times.sort_unstable();
        times.get(count >> 1).copied().unwrap_or(time)
    }

    /// The header with that hash.
    #[must_use]
    pub fn get(&self, hash: &BlockHash) -> Option<Id> {
        let found = self.index.find(self.hasher.hash_one(hash), |id| {
            self.entries.get(*id as usize).is_some_and(|entry| entry.hash == *hash)
        });
        found.copied().map(Id)
    }

    /// Whether a header with that hash is known, valid or not.
    #[must_use]
    pub fn contains(&self, hash: &BlockHash) -> bool {
        self.get(hash).is_some()
    }

    /// The rules of the chain.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The header at height 0.
    #[must_use]
    pub fn genesis(&self) -> Id {
        Id(0)
    }

    /// How many headers are known; at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a tree is never empty")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Every header, in the order they came: a parent before its children.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Id> + use<> {
        (0..u32::try_from(self.entries.len()).unwrap_or(u32::MAX)).map(Id)
    }

    /// The hash of a header.
    #[must_use]
    pub fn hash(&self, id: Id) -> BlockHash {
        self.entry(id).hash
    }

    /// The header itself.
    #[must_use]
    pub fn header(&self, id: Id) -> Header {
        let parent = self.parent(id).map(|parent| self.hash(parent));
        self.entry(id).header(parent.unwrap_or(self.spec.genesis.header.prev_blockhash))
    }

    /// Blocks before it.
    #[must_use]
    pub fn height(&self, id: Id) -> u32 {
        self.entry(id).height
    }

    /// Its time, in seconds since 1970.
    #[must_use]
    pub fn time(&self, id: Id) -> u32 {
        self.entry(id).time
    }

    /// Its compact target.
    #[must_use]
    pub fn bits(&self, id: Id) -> CompactTarget {
        self.entry(id).bits
    }

    /// The work of it and of every header before.
    #[must_use]
    pub fn work(&self, id: Id) -> Work {
        self.entry(id).work()
    }

    /// The median time of it and the ten headers before: what the next one's time must be after, and what lock times
    /// of the next block's transactions are compared with (BIP-0113).
    #[must_use]
    pub fn median_time_past(&self, id: Id) -> u32 {
        self.entry(id).median
    }

    /// The earliest time of a header after `parent`, in seconds since 1970: after the median time, and what else the chain
    /// demands. A miner claims the later of this and its clock's; if the clock is too far behind, it has to wait.
    #[must_use]
    pub fn earliest_time(&self, parent: Id) -> u32 {
        let height = self.height(parent).saturating_add(1);
        rules::earliest(&self.spec, height, self.median_time_past(parent), self.time(parent))
    }

    /// The bits of a header after `parent` with the given time.
    #[must_use]
    pub fn next_bits(&self, parent: Id, time: u32) -> CompactTarget {
        retarget::next_bits(self, parent, time)
    }

    /// Whether its block may be valid, and followed.
    #[must_use]
    pub fn status(&self, id: Id) -> Status {
        let status = self.entry(id).status;
        if status == Status::Valid && !self.keeps_fixed(id) { Status::Forked } else { status }
    }

    /// The header before; none before the genesis header.
    #[must_use]
    pub fn parent(&self, id: Id) -> Option<Id> {
        (id != self.genesis()).then(|| Id(self.entry(id).parent))
    }

    fn entry(&self, id: Id) -> &Entry {
        self.entries.get(id.0 as usize).expect("only the tree makes ids, and it never forgets a header")
    }
}
