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

/// Every ban.
#[derive(Clone, Debug, Default)]
pub(super) struct Bans {
    until: BTreeMap<Target, Timestamp>,
    /// The same, in order of their end.
    ends: BTreeSet<(Timestamp, Target)>,
}

impl Bans {
    /// Bans `target`, or changes when its ban ends. Returns what gave way for it.
    pub(super) fn ban(&mut self, target: Target, until: Timestamp) -> Option<Target> {
        if let Some(old) = self.until.insert(target.clone(), until) {
            self.ends.remove(&(old, target.clone()));
        }
        self.ends.insert((until, target));
        if self.until.len() <= MAX_BANS {
            return None;
        }
        let (_, gone) = self.ends.pop_first()?;
        self.until.remove(&gone);
        Some(gone)
    }

    /// When a ban ends.
    pub(super) fn until(&self, target: &Target) -> Option<Timestamp> {
        self.until.get(target).copied()
    }

    /// Lifts a ban. Says whether there was one.
    pub(super) fn lift(&mut self, target: &Target) -> bool {
        let Some(until) = self.until.remove(target) else { return false };
        self.ends.remove(&(until, target.clone()))
    }

    /// Takes out the first ban that has ended.
    pub(super) fn ended(&mut self, wall: Timestamp) -> Option<Target> {
        let (until, _) = self.ends.first()?;
        if *until > wall {
            return None;
        }
        let (_, target) = self.ends.pop_first()?;
        self.until.remove(&target);
        Some(target)
    }

    /// Whether one of `targets` is banned at `wall`.
    pub(super) fn any(&self, targets: &[Target], wall: Timestamp) -> bool {
        targets.iter().any(|target| self.until.get(target).is_some_and(|until| *until > wall))
    }

    /// All of them, with their ends.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Target, Timestamp)> {
        self.until.iter().map(|(target, until)| (target, *until))
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        assert!(self.until.len() <= MAX_BANS, "{} bans", self.until.len());
        assert_eq!(self.until.len(), self.ends.len(), "each ban has one end");
    }
}
