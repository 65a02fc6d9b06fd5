//! Asking what peers have under a key: to get it, or to put a later value.

use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::kad::store::RecordStore as _;
use libp2p::kad::{KBucketKey, PeerRecord, QueryId, QueryStats, Record, RecordKey};

use super::request::Reply;
use super::task::{Found, Get, HOME_HURRY, HURRY, Put, Why, Work, later};
use super::{Kad, QUORUM, RecordError, Service, Stored};
use crate::records::Versioned;

/// Most peers that a get gives the record to: those that had an older one, or should have had one.
const MAX_HEALED: usize = 4;

/// What is left of the life of a record whose holder does not say.
const LAST: Duration = Duration::from_secs(1);

impl Service {
    pub(super) fn get(&mut self, kad: &mut Kad, key: RecordKey, reply: Reply<Vec<u8>>, now: Instant) {
        let id = kad.get_record(key.clone());
        self.add(id, Work::Get(Get { key, found: Vec::new(), reply }), now);
    }

    pub(super) fn read_before_put(&mut self, kad: &mut Kad, put: Put, now: Instant) {
        let id = kad.get_record(put.key.clone());
        self.add(id, Work::Put(put), now);
    }

    /// A peer, or this node, has a record.
    pub(super) fn found(&mut self, kad: &mut Kad, id: QueryId, mut found: PeerRecord, now: Instant) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let Some(value) = Versioned::decode(&found.record.value) else { return };
        if !kad.store_mut().is_plausible(&value, now) || value.bytes.len() > crate::config::MAX_VALUE {
            return;
        }
        // Without any, its life is over but for a moment, and is not to begin anew.
        found.record.expires = found.record.expires.or_else(|| Some(later(now, LAST)));
        match &mut task.work {
            Work::Get(get) if found.record.key == get.key => {
                let hurry = if found.peer.is_some() { HURRY } else { HOME_HURRY };
                get.vote(found);
                if get.votes() < QUORUM {
                    task.hurry(now, hurry);
                } else if !task.is_ending {
                    task.end(kad, &id, now);
                }
            }
            Work::Put(put) if found.record.key == put.key => put.note(found),
            Work::Get(_)
            | Work::Put(_)
            | Work::Give(_)
            | Work::Closest { .. }
            | Work::Provide { .. }
            | Work::Providers(_)
            | Work::Find { .. } => {}
        }
    }

    /// All that were to be asked have answered, or time is up. `lacking` had no record.
    pub(super) fn asked(&mut self, kad: &mut Kad, id: QueryId, lacking: Vec<PeerId>, stats: &QueryStats, now: Instant) {
        let Some(task) = self.tasks.remove(&id) else { return };
        match task.work {
            Work::Get(get) => {
                // Not all were asked, or nobody answered: there may be one all the same.
                let in_vain = task.is_ending || (stats.num_requests() > 0 && stats.num_successes() == 0);
                let error = if in_vain { RecordError::Timeout } else { RecordError::NotFound };
                self.got(kad, get, lacking, error, now);
            }
            Work::Put(put) => self.put(kad, put, lacking, now),
            Work::Give(_) | Work::Closest { .. } | Work::Provide { .. } | Work::Providers(_) | Work::Find { .. } => {}
        }
    }

    fn got(&mut self, kad: &mut Kad, get: Get, lacking: Vec<PeerId>, none: RecordError, now: Instant) {
        let Some((Found { record, holders }, stale)) = decide(get.found) else {
            drop(get.reply.send(Err(none)));
            return;
        };
        let value = Versioned::decode(&record.value).map_or_else(Vec::new, |value| value.bytes.to_vec());
        drop(get.reply.send(Ok(value)));

        let home = stale.contains(&None);
        let closest = self.closest(kad, &get.key);
        let responsible = self.rank(&get.key, &closest) < self.replication();
        if home || (responsible && !holders.contains(&None)) {
            kad.store_mut().adopt(&record);
        }
        let mut targets: Vec<PeerId> = stale.into_iter().flatten().collect();
        targets.extend(nearer(&get.key, &lacking, &holders));
        targets.truncate(MAX_HEALED);
        if !targets.is_empty() && self.has_room() {
            self.give(kad, record, targets, Why::Lack, now);
        }
    }

    /// The latest that peers have is known: the value is put, later than that.
    fn put(&mut self, kad: &mut Kad, mut put: Put, lacking: Vec<PeerId>, now: Instant) {
        let mine = kad.store_mut().entry(&put.key).filter(|entry| entry.is_ours() && entry.revision() == put.revision);
        if mine.is_none() {
            // Another put was faster: this one is its past.
            return finish(put.reply, 0);
        }
        let Some(ours) = kad.store_mut().get(&put.key).map(std::borrow::Cow::into_owned) else {
            return finish(put.reply, 0);
        };
        let mut record = ours;
        let later = put.latest.take().filter(|latest| order(latest) > order(&record));
        if let Some(later) = later {
            if put.reply.is_none() {
                // Someone else put a later value: ours is history.
                kad.store_mut().adopt(&later);
                return;
            }
            let after = Versioned::decode(&later.value).map_or(0, |value| value.revision);
            let value = Versioned::decode(&record.value).map_or_else(Vec::new, |value| value.bytes.to_vec());
            match kad.store_mut().publish(&put.key, value, after) {
                Ok(revision) => put.revision = revision,
                Err(error) => {
                    if let Some(reply) = put.reply {
                        drop(reply.send(Err(error)));
                    }
                    return;
                }
            }
            match kad.store_mut().get(&put.key).map(std::borrow::Cow::into_owned) {
                Some(anew) => record = anew,
                None => return finish(put.reply, 0),
            }
        }
        let mut targets = put.holders;
        targets.extend(lacking);
        let key = KBucketKey::new(put.key.clone());
        targets.sort_by_cached_key(|peer| KBucketKey::from(*peer).distance(&key));
        targets.dedup();
        targets.truncate(self.replication());
        if targets.is_empty() {
            return finish(put.reply, 0);
        }
        let why = put.reply.map_or(Why::Publish, Why::Put);
        self.give(kad, record, targets, why, now);
    }
}

fn finish(reply: Option<Reply<Stored>>, copies: usize) {
    if let Some(reply) = reply {
        // Whoever asked may have gone.
        drop(reply.send(Ok(Stored { copies })));
    }
}

impl Get {
    fn votes(&self) -> usize {
        self.found.iter().map(|found| found.holders.len()).sum()
    }

    fn vote(&mut self, voter: PeerRecord) {
        if self.votes() >= QUORUM {
            return;
        }
        match self.found.iter_mut().find(|found| found.record.value == voter.record.value) {
            Some(found) => {
                found.record.expires = found.record.expires.max(voter.record.expires);
                found.holders.push(voter.peer);
            }
            None => self.found.push(Found { record: voter.record, holders: vec![voter.peer] }),
        }
    }
}

impl Put {
    fn note(&mut self, found: PeerRecord) {
        let Some(peer) = found.peer else { return };
        self.holders.push(peer);
        if self.latest.as_ref().is_none_or(|latest| order(latest) < order(&found.record)) {
            self.latest = Some(found.record);
        }
    }
}

/// Which of two records is the later.
fn order(record: &Record) -> Option<Versioned<'_>> {
    Versioned::decode(&record.value)
}

/// The value that most have, of several the latest; and who has an older one.
fn decide(mut found: Vec<Found>) -> Option<(Found, Vec<Option<PeerId>>)> {
    let best =
        (0..found.len()).max_by_key(|at| found.get(*at).map(|found| (found.holders.len(), order(&found.record))))?;
    let best = found.swap_remove(best);
    let older = found.into_iter().filter(|other| order(&other.record) < order(&best.record));
    let stale = older.flat_map(|other| other.holders).collect();
    Some((best, stale))
}

/// Those that are closer to a key than one that has its record: they should have it too.
fn nearer(key: &RecordKey, lacking: &[PeerId], holders: &[Option<PeerId>]) -> Vec<PeerId> {
    let key = KBucketKey::new(key.clone());
    let far = |peer: &PeerId| KBucketKey::from(*peer).distance(&key);
    let farthest = holders.iter().flatten().map(far).max();
    lacking.iter().filter(|peer| farthest.is_some_and(|farthest| far(peer) < farthest)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(revision: u64, bytes: &[u8]) -> Record {
        Record::new(b"key".to_vec(), Versioned { revision, bytes }.encode())
    }

    fn found(answers: &[(u64, &[u8])]) -> Vec<Found> {
        let (reply, _) = tokio::sync::oneshot::channel();
        let mut get = Get { key: RecordKey::new(b"key"), found: Vec::new(), reply };
        for (revision, bytes) in answers {
            get.vote(PeerRecord { peer: Some(PeerId::random()), record: record(*revision, bytes) });
        }
        get.found
    }

    #[test]
    fn the_value_of_most_answers_wins_even_over_a_later_one() {
        let (best, stale) = decide(found(&[(1, b"old"), (9, b"lie"), (1, b"old")])).unwrap();
        assert_eq!((best.record, best.holders.len(), stale.len()), (record(1, b"old"), 2, 0));
    }

    #[test]
    fn of_two_with_as_many_answers_the_later_wins_and_the_other_is_stale() {
        let (best, stale) = decide(found(&[(1, b"old"), (2, b"new")])).unwrap();
        assert_eq!((best.record, best.holders.len(), stale.len()), (record(2, b"new"), 1, 1));
        let (best, _) = decide(found(&[(2, b"b"), (2, b"c"), (2, b"a")])).unwrap();
        assert_eq!(best.record, record(2, b"c"));
    }

    #[test]
    fn no_more_answers_are_kept_than_decide() {
        let answers: Vec<(u64, &[u8])> = vec![(1, b"a"), (2, b"b"), (3, b"c"), (4, b"d")];
        assert_eq!(found(&answers).len(), QUORUM);
        assert!(decide(Vec::new()).is_none());
    }
}
