//! How much the store holds.

use libp2p::kad::K_VALUE;

/// Least room that is reckoned with, however little is given.
const MIN_ROOM: u64 = 1 << 20;

/// Most records, however much room there is: what is known of each in memory takes about 400 bytes at the most.
pub(super) const MAX_RECORDS: usize = 65_536;

/// Most providers of all keys together.
pub(super) const MAX_PROVIDERS: usize = 16_384;

/// Most keys that one peer is known to provide, and that we may provide ourselves.
pub(super) const MAX_KEYS_PER_PROVIDER: usize = 1_024;

/// Most providers of one key. Those that are closest to it stay, so that all holders of the key keep the same.
pub(super) const MAX_PROVIDERS_PER_KEY: usize = K_VALUE.get();

/// Most addresses that are kept of a provider.
pub(super) const MAX_ADDRESSES: usize = 8;

/// Longest address that is kept, in bytes.
pub(super) const MAX_ADDRESS: usize = 128;

/// The bounds that follow from the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Bytes of all records. A third of the room: as much again may be rows that do not count any more and wait to be
    /// cleaned, and the last third is for providers and what is being cleaned.
    pub(super) bytes: u64,
    /// Records.
    pub(super) records: usize,
    /// Bytes of the records that one peer gave us, and of those of our own: half of all.
    pub(super) share_bytes: u64,
    /// Records that one peer gave us, and of our own: half of all.
    pub(super) share_records: usize,
    /// Providers of all keys.
    pub(super) providers: usize,
}

impl Limits {
    pub(super) fn new(room: u64) -> Self {
        let room = room.max(MIN_ROOM);
        let of =
            |unit: u64, most: usize| usize::try_from(room.checked_div(unit).unwrap_or(0)).unwrap_or(most).min(most);
        let (bytes, records) = (room / 3, of(4 << 10, MAX_RECORDS));
        Self {
            bytes,
            records,
            share_bytes: bytes / 2,
            share_records: records / 2,
            providers: of(16 << 10, MAX_PROVIDERS),
        }
    }
}
