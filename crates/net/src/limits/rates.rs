//! How fast others may open connections.
//!
//! A host has half of what its group has, and a group a small part of the whole, so that nobody keeps a stranger out.
//! What is refused for one costs the others nothing.

use tokio::time::Instant;
use yap_protocol::address::Scope;

use crate::rate::{Bucket, Rate};
use crate::recent::Recent;

use super::origin::{Host, Origin, Source};

/// From one group or through one relay: a few peers that start at one time, and their second tries.
pub(super) const GROUP: Rate = Rate { burst: 32, each_second: 4 };

/// From one host of a public group.
pub(super) const HOST: Rate = Rate { burst: 16, each_second: 2 };

/// From everywhere: a handshake costs about 0.2 ms, so that a hundred take 2 % of one core.
pub(super) const ALL: Rate = Rate { burst: 200, each_second: 100 };

/// A machine that runs many nodes has so many times the rate with itself.
pub(super) const LOOPBACK: u32 = 4;

/// Groups that are remembered, and hosts.
pub(super) const MOST: usize = 4_096;

/// See the module.
#[derive(Debug)]
pub(super) struct Rates {
    groups: Recent<Source, Bucket>,
    hosts: Recent<Host, Bucket>,
    all: Bucket,
}

impl Rates {
    pub(super) fn new(now: Instant) -> Self {
        Self { groups: Recent::new(MOST), hosts: Recent::new(MOST), all: Bucket::new(now) }
    }

    /// Whether another connection may begin; if so, it is counted.
    #[must_use]
    pub(super) fn take(&mut self, origin: &Origin, now: Instant) -> bool {
        let times = if origin.is_loopback() { LOOPBACK } else { 1 };
        let group = self.groups.touch(origin.source, || Bucket::new(now));
        let mut host = match origin.host {
            // A host of a LAN is its own group.
            Some(host) if origin.scope == Some(Scope::Public) => Some(self.hosts.touch(host, || Bucket::new(now))),
            Some(_) | None => None,
        };
        let may = self.all.holds(ALL, 1, now)
            && group.holds(GROUP.times(times), 1, now)
            && host.as_ref().is_none_or(|host| host.holds(HOST, 1, now));
        if may {
            self.all.charge(ALL, 1, now);
            group.charge(GROUP.times(times), 1, now);
            if let Some(host) = &mut host {
                host.charge(HOST, 1, now);
            }
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn from(remote: &str) -> Origin {
        Origin::new(&"/ip4/198.51.100.1/tcp/6001".parse().unwrap(), &remote.parse().unwrap())
    }

    fn taken(rates: &mut Rates, remote: &str, times: usize, now: Instant) -> usize {
        let origin = from(remote);
        (0..times).filter(|_| rates.take(&origin, now)).count()
    }

    #[test]
    fn each_of_host_group_and_all_has_its_burst_and_its_rate() {
        let now = Instant::now();
        let mut rates = Rates::new(now);
        assert_eq!(taken(&mut rates, "/ip4/11.1.0.1/tcp/1", 10_000, now), 16);
        assert_eq!(taken(&mut rates, "/ip4/11.1.0.2/tcp/1", 10_000, now), 16);
        assert_eq!(taken(&mut rates, "/ip4/11.1.0.3/tcp/1", 10_000, now), 0);
        let second = now + Duration::from_secs(1);
        assert_eq!(taken(&mut rates, "/ip4/11.1.0.1/tcp/1", 10_000, second), 2);
        assert_eq!(taken(&mut rates, "/ip4/11.1.0.3/tcp/1", 10_000, second), 2);
        let others = (2..100).map(|net| taken(&mut rates, &format!("/ip4/11.{net}.0.1/tcp/1"), 10, second));
        assert_eq!(others.sum::<usize>(), 196, "200 flowed in, 4 were taken");
    }

    #[test]
    fn a_flood_from_one_host_takes_nothing_from_another() {
        let now = Instant::now();
        let mut rates = Rates::new(now);
        taken(&mut rates, "/ip4/11.1.0.1/tcp/1", 10_000, now);
        assert_eq!(taken(&mut rates, "/ip4/11.1.0.2/tcp/1", 1, now), 1);
        assert_eq!(taken(&mut rates, "/ip4/12.1.0.2/tcp/1", 1, now), 1);
    }

    #[test]
    fn hosts_of_a_lan_and_this_machine_have_more() {
        let now = Instant::now();
        let mut rates = Rates::new(now);
        assert_eq!(taken(&mut rates, "/ip4/192.168.1.2/tcp/1", 1_000, now), 32);
        assert_eq!(taken(&mut rates, "/ip4/127.0.0.1/tcp/1", 1_000, now), 128);
    }

    #[test]
    fn no_more_sources_are_remembered_than_there_may_be() {
        let mut now = Instant::now();
        let mut rates = Rates::new(now);
        for number in 0..20_000_u32 {
            now += Duration::from_millis(20);
            let [a, b, ..] = number.to_le_bytes();
            taken(&mut rates, &format!("/ip4/{}.{a}.0.1/tcp/1", 20 + b), 1, now);
            assert!(rates.groups.len() <= MOST && rates.hosts.len() <= MOST);
        }
    }
}
