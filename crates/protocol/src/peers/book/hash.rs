//! Where an address belongs: a secret hash of the address, its group and its source's group.
//!
//! Sizes are Bitcoin Core's (`addrman_impl.h`): an address can be in up to [`BUCKETS_PER_ADDRESS`] of [`NEW_BUCKETS`],
//! if that many sources tell of it; one source reaches [`NEW_BUCKETS_PER_SOURCE`] of them, and one group of addresses
//! [`TRIED_BUCKETS_PER_GROUP`] of [`TRIED_BUCKETS`]. Without the key nobody can tell which.

use bitcoin::hashes::{Hash as _, HashEngine as _, siphash24};

use crate::address::{Address, Group};
use crate::peers::change;

use super::table::BUCKET_SIZE;

/// Buckets for addresses that were only heard of.
pub(super) const NEW_BUCKETS: u16 = 1024;
/// Buckets for addresses that were connected to.
pub(super) const TRIED_BUCKETS: u16 = 256;
/// Most buckets that addresses from one group of sources come into.
const NEW_BUCKETS_PER_SOURCE: u64 = 64;
/// Most buckets that connected addresses of one group come into.
const TRIED_BUCKETS_PER_GROUP: u64 = 8;
/// Most new buckets that one address is in.
pub(super) const BUCKETS_PER_ADDRESS: usize = 8;

/// The secret by which addresses are filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::peers) struct Key(pub(in crate::peers) [u64; 2]);

impl Key {
    /// A number that follows from `numbers`, and `address` if there is one; `salt` tells uses apart.
    pub(in crate::peers) fn hash(&self, salt: u64, numbers: &[u64], address: Option<&Address>) -> u64 {
        let Self([k0, k1]) = *self;
        let mut engine = siphash24::HashEngine::with_keys(k0 ^ salt, k1);
        numbers.iter().for_each(|number| engine.input(&number.to_le_bytes()));
        if let Some(address) = address {
            change::write_address(address, &mut |bytes| engine.input(bytes));
        }
        siphash24::Hash::from_engine(engine).as_u64()
    }

    /// The new bucket for `address` when told by `source`.
    pub(super) fn new_bucket(&self, address: &Address, source: Group) -> u16 {
        let first = self.hash(1, &[address.group().number(), source.number()], None) % NEW_BUCKETS_PER_SOURCE;
        below(self.hash(2, &[source.number(), first], None), NEW_BUCKETS)
    }

    /// The tried bucket for `address`.
    pub(super) fn tried_bucket(&self, address: &Address) -> u16 {
        let first = self.hash(3, &[], Some(address)) % TRIED_BUCKETS_PER_GROUP;
        below(self.hash(4, &[address.group().number(), first], None), TRIED_BUCKETS)
    }

    /// The place for `address` in a new bucket.
    pub(super) fn new_slot(&self, bucket: u16, address: &Address) -> u8 {
        slot(self.hash(5, &[u64::from(bucket)], Some(address)))
    }

    /// The place for `address` in a tried bucket.
    pub(super) fn tried_slot(&self, bucket: u16, address: &Address) -> u8 {
        slot(self.hash(6, &[u64::from(bucket)], Some(address)))
    }
}

fn below(hash: u64, bound: u16) -> u16 {
    u16::try_from(hash.checked_rem(u64::from(bound)).unwrap_or(0)).unwrap_or(0)
}

fn slot(hash: u64) -> u8 {
    u8::try_from(hash.checked_rem(u64::from(BUCKET_SIZE)).unwrap_or(0)).unwrap_or(0)
}
