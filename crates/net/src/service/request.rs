//! What the DHT is asked for.

use super::{
    Kad, MAX_KEY, MAX_REQUESTS, MAX_VALUE, Multiaddr, PeerId, RecordError, RecordKey, Service, Stored, Work, oneshot,
};
use crate::service::task::{Providers, Put};
use std::time::Instant;

/// Where an answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, RecordError>>;

/// What the DHT is asked for. Each is answered within [`PATIENCE`](super::PATIENCE), whatever peers do.
#[derive(Debug)]
pub(crate) enum Request {
    /// Keep a value under a key, here and at the closest peers, and put it anew as long as this node lives.
    Put { key: Vec<u8>, value: Vec<u8>, reply: Reply<Stored> },
    /// The value of a key.
    Get { key: Vec<u8>, reply: Reply<Vec<u8>> },
    /// Stop putting a record of ours anew; it is forgotten when it expires. `NotFound` if it is not ours.
    Withdraw { key: Vec<u8>, reply: Reply<()> },
    /// Tell that we provide what a key stands for, and tell it anew as long as this node lives. If nobody is there, it is
    /// told when peers come.
    Provide { key: Vec<u8>, reply: Reply<()> },
    /// Tell it no more; peers forget it when it expires.
    StopProviding { key: Vec<u8> },
    /// Who provides what a key stands for; `NotFound` if nobody does.
    Providers { key: Vec<u8>, reply: Reply<Vec<PeerId>> },
    /// Where a peer is; nothing if nobody knows.
    FindPeer { identity: PeerId, reply: oneshot::Sender<Vec<Multiaddr>> },
}

impl Request {
    /// Answers why not.
    pub(crate) fn fail(self, error: RecordError) {
        // Whoever asked may have gone.
        match self {
            Self::Put { reply, .. } => drop(reply.send(Err(error))),
            Self::Get { reply, .. } => drop(reply.send(Err(error))),
            Self::Withdraw { reply, .. } | Self::Provide { reply, .. } => drop(reply.send(Err(error))),
            Self::Providers { reply, .. } => drop(reply.send(Err(error))),
            Self::FindPeer { reply, .. } => drop(reply.send(Vec::new())),
            Self::StopProviding { .. } => {}
        }
    }

    fn value(&self) -> Option<&[u8]> {
        if let Self::Put { value, .. } = self { Some(value) } else { None }
    }

    fn key(&self) -> Option<&[u8]> {
        match self {
            Self::Put { key, .. }
            | Self::Get { key, .. }
            | Self::Withdraw { key, .. }
            | Self::Provide { key, .. }
            | Self::StopProviding { key }
            | Self::Providers { key, .. } => Some(key),
            Self::FindPeer { .. } => None,
        }
    }
}

/// A request that can't be done, and why.
pub(super) type Refused = (Request, RecordError);

impl Service {
    /// Refuses what nobody may ask, and what is too much.
    pub(super) fn refuse(&self, request: Request) -> Result<Request, Refused> {
        let key = request.key().map(<[u8]>::len).filter(|length| !(1..=MAX_KEY).contains(length));
        let value = request.value().map(<[u8]>::len).filter(|length| *length > MAX_VALUE);
        match (key, value) {
            (Some(length), _) => Err((request, RecordError::Key(length))),
            (None, Some(length)) => Err((request, RecordError::Value(length))),
            (None, None) if self.waiting() >= MAX_REQUESTS => Err((request, RecordError::Busy)),
            (None, None) => Ok(request),
        }
    }

    pub(super) fn start(&mut self, kad: &mut Kad, request: Request, now: Instant) -> Result<(), Refused> {
        match request {
            Request::Put { key, value, reply } => {
                let key = RecordKey::from(key);
                match kad.store_mut().publish(&key, value, 0) {
                    Ok(revision) => self.read_before_put(kad, Put::new(key, revision, Some(reply)), now),
                    Err(error) => drop(reply.send(Err(error))),
                }
            }
            Request::Get { key, reply } => self.get(kad, RecordKey::from(key), reply, now),
            Request::Withdraw { key, reply } => {
                let withdrawn = kad.store_mut().withdraw(&RecordKey::from(key));
                let answer = withdrawn.and_then(|there| there.then_some(()).ok_or(RecordError::NotFound));
                drop(reply.send(answer));
            }
            Request::Provide { key, reply } => self.provide(kad, RecordKey::from(key), Some(reply), now),
            Request::StopProviding { key } => kad.stop_providing(&RecordKey::from(key)),
            Request::Providers { key, reply } => {
                let id = kad.get_providers(RecordKey::from(key));
                self.add(id, Work::Providers(Providers { found: Vec::new(), reply }), now);
            }
            Request::FindPeer { identity, reply } => match kad.addresses(&identity) {
                Some(addresses) => drop(reply.send(addresses)),
                None => {
                    let id = kad.get_closest_peers(identity);
                    self.add(id, Work::Find { peer: identity, reply }, now);
                }
            },
        }
        Ok(())
    }
}
