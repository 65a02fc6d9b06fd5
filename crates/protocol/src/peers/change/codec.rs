//! Change-sets as bytes, for whoever stores them.
//!
//! A version byte, then items until the end, each with a tag: `0` key, `1` address, `2` record, `4` anchors, `5` ban; and
//! `3`, a ban that does not say when it began, which is read and not written any more.
//! Numbers are little-endian. Equal sets have equal bytes. Reading takes no more memory than a few times the bytes.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::address::{Address, Endpoint, Group, Host, Identity, Multiaddr};
use crate::message::{MAX_ENDPOINTS, PeerRecord, Services};
use crate::peers::ban::{Ban, Target};
use crate::time::Timestamp;

use super::{ChangeSet, Known, MAX_ANCHORS, Place};

/// The format that is written, and the only one that is read.
const VERSION: u8 = 1;
/// Most new buckets that an address can be in.
const MAX_BUCKETS: usize = 8;

/// Why bytes are no change-set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Another version wrote them.
    #[error("a change-set of format {0}, where {VERSION} is known")]
    Version(u8),
    /// They end within something.
    #[error("the change-set ends too early")]
    End,
    /// Something is tagged as nothing that is known.
    #[error("tag {0} is not known")]
    Tag(u8),
    /// A list or an address is longer than it can be.
    #[error("{0} items are too many")]
    Length(usize),
}

/// Writes an address so that no two are written alike.
pub(in crate::peers) fn write_address(address: &Address, put: &mut dyn FnMut(&[u8])) {
    match address.identity {
        Some(Identity(key)) => {
            put(&[1]);
            put(&key);
        }
        None => put(&[0]),
    }
    match &address.endpoint {
        Endpoint::Bitcoin { host, port } => {
            write_host(host, put);
            put(&port.to_le_bytes());
        }
        Endpoint::Libp2p(multiaddr) => {
            put(&[5]);
            write_multiaddr(multiaddr, put);
        }
    }
}

fn write_host(host: &Host, put: &mut dyn FnMut(&[u8])) {
    match host {
        Host::Ipv4(ip) => {
            put(&[0]);
            put(&ip.octets());
        }
        Host::Ipv6(ip) => {
            put(&[1]);
            put(&ip.octets());
        }
        Host::Tor(key) => {
            put(&[2]);
            put(key);
        }
        Host::I2p(hash) => {
            put(&[3]);
            put(hash);
        }
        Host::Cjdns(ip) => {
            put(&[4]);
            put(&ip.octets());
        }
    }
}

fn write_multiaddr(multiaddr: &Multiaddr, put: &mut dyn FnMut(&[u8])) {
    let bytes = multiaddr.as_bytes();
    put(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes());
    put(bytes);
}

fn count(length: usize) -> [u8; 1] {
    [u8::try_from(length).unwrap_or(u8::MAX)]
}

fn write_known(known: &Known, put: &mut dyn FnMut(&[u8])) {
    for number in [known.services.0, known.seen.0, known.source.number(), known.tried.0, known.succeeded.0] {
        put(&number.to_le_bytes());
    }
    put(&[known.failures]);
    match &known.place {
        Place::Tried => put(&[u8::MAX]),
        Place::New(buckets) => {
            put(&count(buckets.len().min(MAX_BUCKETS)));
            buckets.iter().take(MAX_BUCKETS).for_each(|bucket| put(&bucket.to_le_bytes()));
        }
    }
}

fn write_record(record: &PeerRecord, put: &mut dyn FnMut(&[u8])) {
    put(&record.sequence.to_le_bytes());
    put(&record.services.0.to_le_bytes());
    put(&count(record.endpoints.len().min(MAX_ENDPOINTS)));
    record.endpoints.iter().take(MAX_ENDPOINTS).for_each(|endpoint| write_multiaddr(endpoint, put));
    put(&record.signature);
}

fn write_target(target: &Target, put: &mut dyn FnMut(&[u8])) {
    match target {
        Target::Identity(Identity(key)) => {
            put(&[u8::MAX]);
            put(key);
        }
        Target::Host(host) => write_host(host, put),
    }
}

impl ChangeSet {
    /// The changes as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        let mut put = |part: &[u8]| bytes.extend_from_slice(part);
        if let Some(key) = self.key {
            put(&[0]);
            key.iter().for_each(|half| put(&half.to_le_bytes()));
        }
        for (address, known) in &self.addresses {
            put(&[1]);
            write_address(address, &mut put);
            put(&[u8::from(known.is_some())]);
            known.iter().for_each(|known| write_known(known, &mut put));
        }
        for (identity, record) in &self.records {
            put(&[2]);
            put(&identity.0);
            put(&[u8::from(record.is_some())]);
            record.iter().for_each(|record| write_record(record, &mut put));
        }
        for (target, ban) in &self.bans {
            put(&[5]);
            write_target(target, &mut put);
            put(&[u8::from(ban.is_some())]);
            ban.iter().flat_map(|ban| [ban.since, ban.until]).for_each(|time| put(&time.0.to_le_bytes()));
        }
        if let Some(anchors) = &self.anchors {
            put(&[4]);
            put(&count(anchors.len().min(MAX_ANCHORS)));
            anchors.iter().take(MAX_ANCHORS).for_each(|anchor| write_address(anchor, &mut put));
        }
        bytes
    }

    /// The changes that bytes say.
    ///
    /// # Errors
    /// If nothing that [`encode`](Self::encode) writes is like that.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader(bytes);
        let version = reader.byte()?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let mut set = Self::default();
        while !reader.0.is_empty() {
            match reader.byte()? {
                0 => set.key = Some([reader.number()?, reader.number()?]),
                1 => {
                    let address = reader.address()?;
                    let known = if reader.flag()? { Some(reader.known()?) } else { None };
                    set.addresses.insert(address, known);
                }
                2 => {
                    let identity = Identity(reader.array()?);
                    let record = if reader.flag()? { Some(Arc::new(reader.record(identity)?)) } else { None };
                    set.records.insert(identity, record);
                }
                3 => {
                    let target = reader.target()?;
                    let until = if reader.flag()? { Some(Timestamp(reader.number()?)) } else { None };
                    set.bans.insert(target, until.map(|until| Ban { since: Timestamp(0), until }));
                }
                4 => {
                    let count = reader.count(MAX_ANCHORS)?;
                    set.anchors = Some((0..count).map(|_| reader.address()).collect::<Result<_, _>>()?);
                }
                5 => {
                    let target = reader.target()?;
                    let ban = if reader.flag()? { Some(reader.ban()?) } else { None };
                    set.bans.insert(target, ban);
                }
                tag => return Err(DecodeError::Tag(tag)),
            }
        }
        Ok(set)
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes(&mut self, length: usize) -> Result<&[u8], DecodeError> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(DecodeError::End)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.bytes(N)?.try_into().map_err(|_| DecodeError::End)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            tag => Err(DecodeError::Tag(tag)),
        }
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    fn short(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    fn count(&mut self, most: usize) -> Result<usize, DecodeError> {
        let count = usize::from(self.byte()?);
        if count > most { Err(DecodeError::Length(count)) } else { Ok(count) }
    }

    fn multiaddr(&mut self) -> Result<Multiaddr, DecodeError> {
        let length = usize::from(self.short()?);
        Multiaddr::new(self.bytes(length)?).ok_or(DecodeError::Length(length))
    }

    fn host(&mut self, tag: u8) -> Result<Host, DecodeError> {
        Ok(match tag {
            0 => Host::Ipv4(Ipv4Addr::from(self.array::<4>()?)),
            1 => Host::Ipv6(Ipv6Addr::from(self.array::<16>()?)),
            2 => Host::Tor(self.array()?),
            3 => Host::I2p(self.array()?),
            4 => Host::Cjdns(Ipv6Addr::from(self.array::<16>()?)),
            _ => return Err(DecodeError::Tag(tag)),
        })
    }

    fn address(&mut self) -> Result<Address, DecodeError> {
        let identity = if self.flag()? { Some(Identity(self.array()?)) } else { None };
        let endpoint = match self.byte()? {
            5 => Endpoint::Libp2p(self.multiaddr()?),
            tag => Endpoint::Bitcoin { host: self.host(tag)?, port: self.short()? },
        };
        Ok(Address { identity, endpoint })
    }

    fn known(&mut self) -> Result<Known, DecodeError> {
        Ok(Known {
            services: Services(self.number()?),
            seen: Timestamp(self.number()?),
            source: Group::of_number(self.number()?),
            tried: Timestamp(self.number()?),
            succeeded: Timestamp(self.number()?),
            failures: self.byte()?,
            place: match self.byte()? {
                u8::MAX => Place::Tried,
                count if usize::from(count) > MAX_BUCKETS => return Err(DecodeError::Length(count.into())),
                count => Place::New((0..count).map(|_| self.short()).collect::<Result<_, _>>()?),
            },
        })
    }

    fn record(&mut self, identity: Identity) -> Result<PeerRecord, DecodeError> {
        let (sequence, services) = (self.number()?, Services(self.number()?));
        let count = self.count(MAX_ENDPOINTS)?;
        let endpoints = (0..count).map(|_| self.multiaddr()).collect::<Result<_, _>>()?;
        Ok(PeerRecord { identity, sequence, services, endpoints, signature: self.array()? })
    }

    fn ban(&mut self) -> Result<Ban, DecodeError> {
        Ok(Ban { since: Timestamp(self.number()?), until: Timestamp(self.number()?) })
    }

    fn target(&mut self) -> Result<Target, DecodeError> {
        Ok(match self.byte()? {
            u8::MAX => Target::Identity(Identity(self.array()?)),
            tag => Target::Host(self.host(tag)?),
        })
    }
}
