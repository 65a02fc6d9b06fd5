//! What is written to disk: rows, each of which says all there is to say about one record or provider.
//!
//! A later row of the same record, or of the same provider of a key, replaces an earlier one. Every row begins with a
//! version, so that a later version of this program can tell them apart. Integers are little-endian.

use libp2p::kad::RecordKey;
use libp2p::{Multiaddr, PeerId};

use super::log::FRAME;

/// The first byte of a row.
const VERSION: u8 = 1;

const RECORD: u8 = 1;
const GONE: u8 = 2;
const PROVIDER: u8 = 3;
const NOT_PROVIDER: u8 = 4;

/// What a record's row takes besides its key and value, with the frame around it.
const RECORD_OVERHEAD: usize = FRAME + 37;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// A record.
    Record(Record),
    /// There is no such record any more.
    Gone { key: RecordKey },
    /// A peer provides a key.
    Provider(Provider),
    /// It does no more.
    NotProvider { key: RecordKey, peer: PeerId },
}

/// A record as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) key: RecordKey,
    /// Which of two values of one key is the later.
    pub(super) revision: u64,
    /// Wall clock, in seconds; [`u64::MAX`] for never.
    pub(super) expires: u64,
    /// If we put it: when the closest peers got it last, wall clock in seconds; 0 for never.
    pub(super) published: Option<u64>,
    /// Who gave it, as a fingerprint; 0 for ourselves.
    pub(super) source: u64,
    pub(super) value: Vec<u8>,
}

/// A provider as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Provider {
    pub(super) key: RecordKey,
    pub(super) peer: PeerId,
    /// Wall clock, in seconds; [`u64::MAX`] for never.
    pub(super) expires: u64,
    /// If we are the provider: when the closest peers were told last, wall clock in seconds; 0 for never.
    pub(super) announced: Option<u64>,
    pub(super) addresses: Vec<Multiaddr>,
}

impl Record {
    /// Bytes that it takes on disk.
    pub(super) fn size(&self) -> u64 {
        let length = self.key.as_ref().len().saturating_add(self.value.len()).saturating_add(RECORD_OVERHEAD);
        length as u64
    }
}

impl Row {
    /// The row as it is written.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut row = vec![VERSION];
        match self {
            Self::Record(record) => {
                row.reserve(record.value.len().saturating_add(64));
                row.push(RECORD);
                put_time(&mut row, record.published);
                row.extend(record.revision.to_le_bytes());
                row.extend(record.expires.to_le_bytes());
                row.extend(record.source.to_le_bytes());
                put_bytes(&mut row, record.key.as_ref());
                row.extend(&record.value);
            }
            Self::Gone { key } => {
                row.push(GONE);
                put_bytes(&mut row, key.as_ref());
            }
            Self::Provider(provider) => {
                row.push(PROVIDER);
                put_time(&mut row, provider.announced);
                row.extend(provider.expires.to_le_bytes());
                put_bytes(&mut row, provider.key.as_ref());
                put_bytes(&mut row, &provider.peer.to_bytes());
                for address in &provider.addresses {
                    put_bytes(&mut row, address.as_ref());
                }
            }
            Self::NotProvider { key, peer } => {
                row.push(NOT_PROVIDER);
                put_bytes(&mut row, key.as_ref());
                put_bytes(&mut row, &peer.to_bytes());
            }
        }
        row
    }

    /// The row that was written so; `None` if none is.
    pub(super) fn decode(row: &[u8]) -> Option<Self> {
        let rest = &mut { row };
        if take::<1>(rest)? != [VERSION] {
            return None;
        }
        let [kind] = take::<1>(rest)?;
        match kind {
            RECORD => Some(Self::Record(Record {
                published: take_time(rest)?,
                revision: take_number(rest)?,
                expires: take_number(rest)?,
                source: take_number(rest)?,
                key: take_key(rest)?,
                value: rest.to_vec(),
            })),
            GONE => Some(Self::Gone { key: take_key(rest)? }),
            PROVIDER => {
                let (announced, expires) = (take_time(rest)?, take_number(rest)?);
                let (key, peer) = (take_key(rest)?, take_peer(rest)?);
                let mut addresses = Vec::new();
                while !rest.is_empty() {
                    addresses.push(Multiaddr::try_from(take_bytes(rest)?.to_vec()).ok()?);
                }
                Some(Self::Provider(Provider { key, peer, expires, announced, addresses }))
            }
            NOT_PROVIDER => Some(Self::NotProvider { key: take_key(rest)?, peer: take_peer(rest)? }),
            _ => None,
        }
    }
}

/// A length of two bytes, and the bytes: nothing that is kept so is longer.
fn put_bytes(row: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    row.extend(length.to_le_bytes());
    row.extend(bytes.iter().take(usize::from(length)));
}

fn put_time(row: &mut Vec<u8>, time: Option<u64>) {
    row.push(u8::from(time.is_some()));
    row.extend(time.unwrap_or(0).to_le_bytes());
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    take(rest).map(u64::from_le_bytes)
}

fn take_time(rest: &mut &[u8]) -> Option<Option<u64>> {
    let [present] = take::<1>(rest)?;
    let time = take_number(rest)?;
    match present {
        0 => Some(None),
        1 => Some(Some(time)),
        _ => None,
    }
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::from(u16::from_le_bytes(take(rest)?));
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn take_key(rest: &mut &[u8]) -> Option<RecordKey> {
    take_bytes(rest).map(|key| RecordKey::new(&key))
}

fn take_peer(rest: &mut &[u8]) -> Option<PeerId> {
    PeerId::from_bytes(take_bytes(rest)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Row> {
        let key = RecordKey::new(b"key");
        let peer = PeerId::random();
        let addresses =
            vec!["/ip4/192.0.2.1/tcp/6001".parse().unwrap(), "/dns4/a.example/udp/1/quic-v1".parse().unwrap()];
        let record = |published, value: &[u8]| {
            let (key, value) = (key.clone(), value.to_vec());
            Row::Record(Record { key, revision: 7, expires: u64::MAX, published, source: 9, value })
        };
        let provider =
            |announced, addresses| Row::Provider(Provider { key: key.clone(), peer, expires: 8, announced, addresses });
        vec![
            record(None, b"value"),
            record(Some(5), b""),
            Row::Gone { key: key.clone() },
            provider(None, addresses),
            provider(Some(0), Vec::new()),
            Row::NotProvider { key: key.clone(), peer },
        ]
    }

    #[test]
    fn a_row_comes_back_as_it_was() {
        for row in samples() {
            assert_eq!(Row::decode(&row.encode()), Some(row));
        }
    }

    #[test]
    fn a_record_takes_what_it_says() {
        for row in samples() {
            if let Row::Record(record) = &row {
                assert_eq!(record.size(), super::super::shelf::size(&row.encode()));
            }
        }
    }

    #[test]
    fn a_row_of_another_version_or_kind_is_none() {
        for row in samples() {
            let mut newer = row.encode();
            newer[0] = VERSION + 1;
            assert_eq!(Row::decode(&newer), None);
            let mut unknown = row.encode();
            unknown[1] = NOT_PROVIDER + 1;
            assert_eq!(Row::decode(&unknown), None);
        }
        assert_eq!(Row::decode(&[]), None);
    }

    #[test]
    fn a_row_that_was_cut_is_never_taken_for_a_longer_one() {
        for row in samples() {
            let bytes = row.encode();
            for length in 0..bytes.len() {
                let decoded = Row::decode(&bytes[..length]);
                assert_ne!(decoded, Some(row.clone()));
                if let Some(decoded) = decoded {
                    assert_eq!(decoded.encode(), bytes[..length]);
                }
            }
        }
    }
}
