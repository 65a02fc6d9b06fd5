//! Changed coins as rows, in the order of their keys.
//!
//! A hash table of coins is larger than the processor's caches, so it is walked once, in the order of its memory. The
//! encoded rows fall into buckets by the first byte of their txid, and each bucket is small enough to be sorted and read
//! again within the caches: a quarter of a commit's time less than sorting references into the table.

use std::sync::mpsc::SyncSender;

use yap_chain::coin::codec;

use crate::coins;
use crate::database::{Put, Table};
use crate::error::Error;

/// Values of the first byte of a txid.
const BUCKETS: usize = 256;

/// Bytes of a row's key.
const KEY: usize = 1 + codec::KEY_SIZE;

/// Bytes of the rows of most coins, at most: height, amount and a 32-byte program.
const USUAL_ROW: usize = KEY + 4 + 5 + 34;

/// The rows whose txids share their first byte.
#[derive(Debug)]
pub(super) struct Bucket {
    /// Key and value of each row; no value: the coin is gone.
    bytes: Vec<u8>,
    rows: Vec<Row>,
}

/// Where a row is, and what most comparisons need to know of its key.
#[derive(Clone, Copy, Debug)]
struct Row {
    prefix: u64,
    start: usize,
    end: usize,
}

/// Sorts the rows of all entries, and hands the buckets on in order until nobody takes them.
pub(super) fn send(coins: &coins::Table, to: &SyncSender<Bucket>) {
    for mut bucket in buckets(coins) {
        bucket.sort();
        if to.send(bucket).is_err() {
            return;
        }
    }
}

/// The rows of all entries, the buckets in order.
fn buckets(coins: &coins::Table) -> Vec<Bucket> {
    // Txids are evenly spread, or someone pays for them not to be.
    let rows = (coins.len() / BUCKETS).saturating_mul(9) / 8;
    let bytes = rows.saturating_mul(USUAL_ROW);
    let empty = || Bucket { bytes: Vec::with_capacity(bytes), rows: Vec::with_capacity(rows) };
    let mut buckets: Vec<_> = (0..BUCKETS).map(|_| empty()).collect();
    for entry in coins.entries() {
        let key = codec::key(&entry.outpoint);
        if let Some(bucket) = buckets.get_mut(usize::from(key[0])) {
            bucket.push(&key, entry);
        }
    }
    buckets
}

impl Bucket {
    fn push(&mut self, key: &[u8; codec::KEY_SIZE], entry: &coins::Entry) {
        let start = self.bytes.len();
        self.bytes.push(Table::Coins.byte());
        self.bytes.extend_from_slice(key);
        if let Some(coin) = &entry.coin {
            codec::encode(coin, &mut self.bytes);
        }
        let prefix = key.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        self.rows.push(Row { prefix, start, end: self.bytes.len() });
    }

    /// Key and value of a row.
    fn parts(&self, row: &Row) -> (&[u8], &[u8]) {
        let bytes = self.bytes.get(row.start..row.end).unwrap_or_default();
        bytes.split_at_checked(KEY).unwrap_or_default()
    }

    /// Puts the rows into the order of their keys.
    fn sort(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_unstable_by(|a, b| a.prefix.cmp(&b.prefix).then_with(|| self.parts(a).0.cmp(self.parts(b).0)));
        self.rows = rows;
    }

    /// Writes the rows.
    pub(super) fn for_each(&self, put: &mut Put<'_>) -> Result<(), Error> {
        self.rows.iter().try_for_each(|row| {
            let (key, value) = self.parts(row);
            // An encoded coin is never empty.
            put(key, (!value.is_empty()).then_some(value))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::coins::Cache;
    use crate::testing::{coin, outpoint};

    #[test]
    fn rows_come_in_the_order_of_their_keys_with_coins_and_tombstones() {
        let mut cache = Cache::new(1 << 20);
        for number in 0..5_000 {
            if number % 3 == 0 {
                cache.remove(&outpoint(number));
            } else {
                cache.insert(&outpoint(number), coin(number, 22, false), false);
            }
        }
        let frozen: Arc<coins::Table> = cache.freeze();
        let mut rows = Vec::new();
        let (send, sorted) = std::sync::mpsc::sync_channel(BUCKETS);
        super::send(&frozen, &send);
        drop(send);
        for bucket in sorted {
            let mut put = |key: &[u8], value: Option<&[u8]>| {
                rows.push((key.to_vec(), value.map(<[u8]>::to_vec)));
                Ok(())
            };
            bucket.for_each(&mut put).unwrap();
        }
        let mut expected: Vec<_> = (0..5_000)
            .map(|number| {
                let mut value = Vec::new();
                codec::encode(&coin(number, 22, false), &mut value);
                (Table::Coins.key(&codec::key(&outpoint(number))), (number % 3 != 0).then_some(value))
            })
            .collect();
        expected.sort();
        assert_eq!(rows, expected);
    }
}
