//! Who is not let in, and until when.
//!
//! A ban is of a key, or of a host; hosts of IPv6 are banned by /64, which is what one customer gets. Loopback is never
//! banned, since all peers on this machine share it, and whoever proves a key on a LAN is banned by the key alone. At
//! most [`MAX_BANS`] are kept: the one that ends first gives way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use crate::address::{Address, Host, Identity, Scope};
use crate::time::Timestamp;

/// Most bans at a time.
pub const MAX_BANS: usize = 4096;

/// What is banned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Whoever has this key.
    Identity(Identity),
    /// Whoever comes from here. Of IPv6 the first 64 bits count, the others are 0.
    Host(Host),
}

impl Target {
    /// Everything under which the peer at `address` can be banned; `identity` is the key that it proved.
    #[must_use]
    pub fn of(address: &Address, identity: Option<Identity>) -> Vec<Self> {
        let identity = identity.or(address.identity);
        let host = address.endpoint.host().filter(|host| match host.scope() {
            Some(Scope::Public) => true,
            Some(Scope::Private) => identity.is_none(),
            Some(Scope::Loopback) | None => false,
        });
        identity.map(Self::Identity).into_iter().chain(host.map(Self::host)).collect()
    }

    /// Everything by which the peer at `address` may have been banned, be it by the user.
    #[must_use]
    pub fn matching(address: &Address, identity: Option<Identity>) -> Vec<Self> {
        let identity = identity.or(address.identity);
        identity.map(Self::Identity).into_iter().chain(Self::hosted(address)).collect()
    }

    /// The target of the host of `address`, wherever it is.
    pub(super) fn hosted(address: &Address) -> Option<Self> {
        address.endpoint.host().map(Self::host)
    }

    /// A host's target.
    #[must_use]
    pub fn host(host: Host) -> Self {
        Self::Host(match host {
            Host::Ipv6(ip) => Host::Ipv6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
            Host::Ipv4(_) | Host::Tor(_) | Host::I2p(_) | Host::Cjdns(_) => host,
        })
    }
}

/// For how long somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ban {
    /// When it began; 0 where that was not kept.
    pub since: Timestamp,
    /// When it ends.
    pub until: Timestamp,
}

/// Every ban.
#[derive(Clone, Debug, Default)]
pub(super) struct Bans {
    bans: BTreeMap<Target, Ban>,
    /// The same, in order of their end.
    ends: BTreeSet<(Timestamp, Target)>,
}

impl Bans {
    /// Bans `target`; the ban takes the place of one that it has. Returns what gave way for it.
    pub(super) fn ban(&mut self, target: Target, ban: Ban) -> Option<Target> {
        if let Some(old) = self.bans.insert(target.clone(), ban) {
            self.ends.remove(&(old.until, target.clone()));
        }
        self.ends.insert((ban.until, target));
        if self.bans.len() <= MAX_BANS {
            return None;
        }
        let (_, gone) = self.ends.pop_first()?;
        self.bans.remove(&gone);
        Some(gone)
    }

    /// The ban of `target`.
    pub(super) fn of(&self, target: &Target) -> Option<Ban> {
        self.bans.get(target).copied()
    }

    /// Lifts a ban. Says whether there was one.
    pub(super) fn lift(&mut self, target: &Target) -> bool {
        let Some(ban) = self.bans.remove(target) else { return false };
        self.ends.remove(&(ban.until, target.clone()))
    }

    /// Takes out the first ban that has ended.
    pub(super) fn ended(&mut self, wall: Timestamp) -> Option<Target> {
        let (until, _) = self.ends.first()?;
        if *until > wall {
            return None;
        }
        let (_, target) = self.ends.pop_first()?;
        self.bans.remove(&target);
        Some(target)
    }

    /// Whether one of `targets` is banned at `wall`.
    pub(super) fn any(&self, targets: &[Target], wall: Timestamp) -> bool {
        targets.iter().any(|target| self.bans.get(target).is_some_and(|ban| ban.until > wall))
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Target, Ban)> {
        self.bans.iter().map(|(target, ban)| (target, *ban))
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        assert!(self.bans.len() <= MAX_BANS, "{} bans", self.bans.len());
        assert_eq!(self.bans.len(), self.ends.len(), "each ban has one end");
    }
}
