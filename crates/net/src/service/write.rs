//! Giving records to peers, and telling what we provide.

use std::num::NonZeroUsize;
use std::time::Instant;

use libp2p::PeerId;
use libp2p::kad::store::{self, RecordStore as _};
use libp2p::kad::{QueryId, Quorum, Record, RecordKey};

use super::request::Reply;
use super::task::{Give, Why, Work};
use super::{Kad, RecordError, Service, Stored, short};
use crate::records::Versioned;

impl Service {
    /// Gives a record to peers.
    pub(super) fn give(&mut self, kad: &mut Kad, record: Record, targets: Vec<PeerId>, why: Why, now: Instant) {
        let Some(revision) = Versioned::decode(&record.value).map(|value| value.revision) else { return };
        let key = record.key.clone();
        self.upkeep.spend(record.value.len().saturating_mul(targets.len()));
        // All of them: less would end the query before the others have answered.
        let all = NonZeroUsize::new(targets.len()).unwrap_or(NonZeroUsize::MIN);
        let id = kad.put_record_to(record, targets.clone().into_iter(), Quorum::N(all));
        self.add(id, Work::Give(Give { key, revision, targets, why }), now);
    }

    /// A record has been given; `taken` by these, or by all of them.
    pub(super) fn given(&mut self, kad: &mut Kad, id: QueryId, taken: Option<Vec<PeerId>>, now: Instant) {
        let Some(Work::Give(give)) = self.tasks.remove(&id).map(|task| task.work) else { return };
        let taken = taken.unwrap_or(give.targets);
        let store = kad.store_mut();
        if store.entry(&give.key).is_some_and(|entry| entry.revision() == give.revision) {
            let peers: Vec<u32> = taken.iter().map(short).collect();
            let to_all = !taken.is_empty() && !matches!(give.why, Why::Lack);
            store.know(&give.key, &peers, to_all.then_some(now));
            if to_all && !matches!(give.why, Why::Repair) {
                store.published(&give.key, now);
            }
        }
        if let Why::Put(reply) = give.why {
            // Whoever asked may have gone.
            drop(reply.send(Ok(Stored { copies: taken.len() })));
        }
    }

    /// Gives a record to those that are closest now.
    pub(super) fn repair(&mut self, kad: &mut Kad, key: RecordKey, peers: Vec<PeerId>, now: Instant) {
        let Some(record) = kad.store_mut().get(&key).map(std::borrow::Cow::into_owned) else { return };
        if !peers.is_empty() {
            self.give(kad, record, peers, Why::Repair, now);
        }
    }

    /// Tells that we provide a key.
    pub(super) fn provide(&mut self, kad: &mut Kad, key: RecordKey, reply: Option<Reply<()>>, now: Instant) {
        match kad.start_providing(key.clone()) {
            Ok(id) => self.add(id, Work::Provide { key, reply }, now),
            Err(error) => {
                if let Some(reply) = reply {
                    let disk = matches!(error, store::Error::MaxRecords);
                    drop(reply.send(Err(if disk { RecordError::Disk } else { RecordError::Full })));
                }
            }
        }
    }

    /// It was told, or there was nobody to tell; or not all who were to be told answered.
    pub(super) fn told(&mut self, kad: &mut Kad, id: QueryId, heard: bool, done: bool, now: Instant) {
        let Some(Work::Provide { key, reply }) = self.tasks.remove(&id).map(|task| task.work) else { return };
        if heard {
            kad.store_mut().announce(&key, now);
        }
        if let Some(reply) = reply {
            drop(reply.send(if done { Ok(()) } else { Err(RecordError::Timeout) }));
        }
    }
}
