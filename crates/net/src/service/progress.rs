//! What Kademlia tells, brought to whoever waits for it.

use std::time::Instant;

use libp2p::PeerId;
use libp2p::kad::{
    self, GetClosestPeersError, GetClosestPeersOk, GetProvidersOk, GetRecordError, GetRecordOk, InboundRequest,
    PeerInfo, ProgressStep, PutRecordError, QueryId, QueryResult, QueryStats,
};

use super::task::{HURRY, Work, providers_or};
use super::{Kad, RecordError, Service, short};

impl Service {
    /// Takes what Kademlia tells. Every event of [`Kad`] belongs here.
    pub(crate) fn event(&mut self, kad: &mut Kad, event: kad::Event, now: Instant) {
        match event {
            kad::Event::OutboundQueryProgressed { id, result, stats, step } => {
                self.progress(kad, id, result, (stats, step), now);
            }
            kad::Event::InboundRequest { request: InboundRequest::PutRecord { .. } } => self.received(kad, now),
            kad::Event::RoutingUpdated { is_new_peer: true, .. } => self.upkeep.changed(now),
            kad::Event::InboundRequest {
                request:
                    InboundRequest::FindNode { .. }
                    | InboundRequest::GetProvider { .. }
                    | InboundRequest::AddProvider { .. }
                    | InboundRequest::GetRecord { .. },
            }
            | kad::Event::RoutingUpdated { is_new_peer: false, .. }
            | kad::Event::UnroutablePeer { .. }
            | kad::Event::RoutablePeer { .. }
            | kad::Event::PendingRoutablePeer { .. }
            | kad::Event::ModeChanged { .. } => {}
        }
    }

    fn progress(
        &mut self,
        kad: &mut Kad,
        id: QueryId,
        result: QueryResult,
        (stats, step): (QueryStats, ProgressStep),
        now: Instant,
    ) {
        match result {
            QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(found))) => self.found(kad, id, found, now),
            QueryResult::GetRecord(end) => {
                let lacking = match end {
                    Ok(GetRecordOk::FinishedWithNoAdditionalRecord { cache_candidates }) => {
                        cache_candidates.into_values().collect()
                    }
                    Err(GetRecordError::NotFound { closest_peers, .. }) => closest_peers,
                    Ok(GetRecordOk::FoundRecord(_)) | Err(GetRecordError::Timeout { .. }) => Vec::new(),
                };
                self.asked(kad, id, lacking, &stats, now);
            }
            QueryResult::PutRecord(end) => {
                let taken = match end {
                    Ok(_) => None,
                    Err(PutRecordError::QuorumFailed { success, .. } | PutRecordError::Timeout { success, .. }) => {
                        Some(success)
                    }
                };
                self.given(kad, id, taken, now);
            }
            QueryResult::GetClosestPeers(
                Ok(GetClosestPeersOk { peers, .. }) | Err(GetClosestPeersError::Timeout { peers, .. }),
            ) => self.near(kad, id, peers, now),
            QueryResult::GetProviders(end) => self.providers(kad, id, end.ok(), step.last, now),
            QueryResult::StartProviding(end) => {
                self.told(kad, id, end.is_ok() && stats.num_successes() > 0, end.is_ok(), now);
            }
            // Both are the service's own: Kademlia does neither by itself.
            QueryResult::RepublishProvider(_) | QueryResult::RepublishRecord(_) => {}
            QueryResult::Bootstrap(_) => {}
        }
    }

    /// Peers gave records. Whoever gives one gives it to all that are closest.
    fn received(&mut self, kad: &mut Kad, now: Instant) {
        for key in kad.store_mut().received() {
            let closest: Vec<u32> = self.closest(kad, &key).iter().map(short).collect();
            kad.store_mut().know(&key, &closest, Some(now));
        }
    }

    /// The closest peers of a key or a peer are there.
    fn near(&mut self, kad: &mut Kad, id: QueryId, peers: Vec<PeerInfo>, now: Instant) {
        match self.tasks.remove(&id).map(|task| task.work) {
            Some(Work::Find { peer, reply }) => {
                let found = peers.into_iter().find(|found| found.peer_id == peer);
                drop(reply.send(found.map_or_else(Vec::new, |found| found.addrs)));
            }
            Some(Work::Closest { key }) => {
                let peers = peers.into_iter().map(|found| found.peer_id).take(self.replication()).collect();
                self.repair(kad, key, peers, now);
            }
            Some(Work::Get(_) | Work::Put(_) | Work::Give(_) | Work::Provide { .. } | Work::Providers(_)) | None => {}
        }
    }

    /// Providers are there, or all that there are.
    fn providers(&mut self, kad: &mut Kad, id: QueryId, found: Option<GetProvidersOk>, last: bool, now: Instant) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let Work::Providers(work) = &mut task.work else { return };
        if let Some(GetProvidersOk::FoundProviders { providers, .. }) = found {
            let mut new: Vec<PeerId> = providers.into_iter().filter(|peer| !work.found.contains(peer)).collect();
            new.sort_unstable();
            new.truncate(kad::K_VALUE.get().saturating_sub(work.found.len()));
            work.found.extend(new);
            let enough = work.found.len() >= kad::K_VALUE.get();
            if !work.found.is_empty() {
                task.hurry(now, HURRY);
            }
            if enough && !task.is_ending {
                task.end(kad, &id, now);
            }
        }
        if last && let Some(Work::Providers(work)) = self.tasks.remove(&id).map(|task| task.work) {
            drop(work.reply.send(providers_or(work.found, RecordError::NotFound)));
        }
    }
}
