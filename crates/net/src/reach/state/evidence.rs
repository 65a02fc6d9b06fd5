//! What speaks for and against our being reached at an address.
//!
//! ```text
//! for:     the user says so · the router forwards it · a peer dialled us back there · peers came to us there
//! against: peers dialled us back there in vain · we are seen at an address that is not this machine's, and nothing for it
//! ```

use std::net::IpAddr;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use yap_protocol::Time;
use yap_protocol::address::{Group, Scope};

use super::super::place;

/// Addresses that are held for good at one time, those that the user named aside.
pub(crate) const MAX_CONFIRMED: usize = 16;

/// Failed tests, views and claims of peers that are kept, each.
pub(crate) const MAX_KEPT: usize = 16;

/// How long addresses seen to be ours but not this machine's may go unconfirmed before we hold us for unreachable.
/// Dial-back begins 5 s after a candidate is known and takes up to 10 s.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How long a confirmation is remembered of an address that was given up because this machine changed networks.
pub(crate) const MEMORY: Duration = Duration::from_secs(24 * 60 * 60);

/// Why we hold an address for one at which we are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The user says so. Never doubted.
    Configured,
    /// The router forwards it.
    Mapped,
    /// A peer dialled us back.
    Tested,
    /// Peers came to us there, with nothing of ours to open the way.
    Visited,
}

/// An address at which we are reached.
#[derive(Clone, Debug)]
pub(super) struct Confirmed {
    pub(super) address: Multiaddr,
    pub(super) source: Source,
    /// Whether it is known to lead to us from another network. All public ones do.
    pub(super) far: bool,
    since: Time,
}

/// How peers of one group see us.
#[derive(Clone, Copy, Debug)]
struct View {
    ip: IpAddr,
    group: Group,
    at: Time,
    /// Whether this machine has lost an address since: it holds until there is a newer one of its address family.
    stale: bool,
}

/// All evidence.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    confirmed: Vec<Confirmed>,
    /// Tests of public addresses that failed, oldest first.
    failed: Vec<(Multiaddr, PeerId)>,
    /// The last view of each group, oldest first.
    views: Vec<View>,
    /// Public addresses that are not this machine's, at which peers say they came to us, oldest first.
    claims: Vec<(Multiaddr, Group)>,
    /// Addresses that were confirmed by a test before this machine changed networks, and when that was.
    remembered: Vec<(Multiaddr, Time)>,
}

/// Makes room for one more in a list of bounded length, at the cost of the oldest.
fn make_room<T>(list: &mut Vec<T>, most: usize) {
    if list.len() >= most {
        list.remove(0);
    }
}

impl Evidence {
    /// An address is good, if there is room for it.
    pub(super) fn confirm(&mut self, now: Time, address: &Multiaddr, source: Source, far: bool) {
        if let Some(known) = self.confirmed.iter_mut().find(|known| known.address == *address) {
            known.far |= far;
            if known.source != Source::Configured {
                known.source = source;
            }
            return;
        }
        let doubtful = self.confirmed.iter().filter(|known| known.source != Source::Configured).count();
        if source != Source::Configured && doubtful >= MAX_CONFIRMED {
            return;
        }
        self.failed.retain(|(failed, _)| source == Source::Visited || failed != address);
        self.confirmed.push(Confirmed { address: address.clone(), source, far, since: now });
    }

    /// An address is not good any more, unless the user said that it is. Returns whether it was.
    pub(super) fn withdraw(&mut self, address: &Multiaddr) -> bool {
        let before = self.confirmed.len();
        self.confirmed.retain(|known| known.address != *address || known.source == Source::Configured);
        self.confirmed.len() < before
    }

    /// Whether an address is good.
    pub(super) fn has(&self, address: &Multiaddr) -> bool {
        self.confirmed.iter().any(|known| known.address == *address)
    }

    /// A test of a public address by a public peer failed. Returns whether the address is given up for it.
    pub(super) fn fail(&mut self, address: &Multiaddr, server: PeerId) -> bool {
        if self.failed.iter().any(|(failed, by)| failed == address && *by == server) {
            return false;
        }
        make_room(&mut self.failed, MAX_KEPT);
        self.failed.push((address.clone(), server));
        let tests = self.failed.iter().filter(|(failed, _)| failed == address).count();
        // Whoever came to us may have come through a hole that we had made without knowing: a test is worth more.
        let weak = |known: &Confirmed| match known.source {
            Source::Visited => true,
            Source::Mapped => tests >= 2,
            Source::Configured | Source::Tested => false,
        };
        let before = self.confirmed.len();
        self.confirmed.retain(|known| known.address != *address || !weak(known));
        self.confirmed.len() < before
    }

    /// Whether a test of this address failed.
    pub(super) fn has_failed(&self, address: &Multiaddr) -> bool {
        self.failed.iter().any(|(failed, _)| failed == address)
    }

    /// A peer tells at which address it sees us. Returns addresses to be given up, since we are not there any more, and
    /// those that are good again.
    pub(super) fn see(
        &mut self,
        now: Time,
        ip: IpAddr,
        group: Group,
        is_own: impl Fn(IpAddr) -> bool,
    ) -> (Vec<Multiaddr>, Vec<Multiaddr>) {
        let is_v4 = ip.is_ipv4();
        self.views.retain(|view| view.ip.is_ipv4() != is_v4 || (view.group != group && !view.stale));
        make_room(&mut self.views, MAX_KEPT);
        self.views.push(View { ip, group, at: now, stale: false });
        let views = &self.views;
        // The router's address has changed once peers of two groups see another than the one that was confirmed.
        let has_moved = |known: &Confirmed| {
            let Some(old) = place::ip(&known.address) else { return false };
            let is_later = |view: &&View| {
                let is_public = place::scope_of(view.ip) == Some(Scope::Public) && !is_own(view.ip);
                view.ip.is_ipv4() == old.is_ipv4() && is_public && view.at > known.since
            };
            let later = || views.iter().filter(is_later);
            let is_there = later().any(|view| view.ip == old);
            known.source != Source::Configured && !is_own(old) && !is_there && later().count() >= 2
        };
        let gone: Vec<Confirmed> = self.confirmed.iter().filter(|known| has_moved(known)).cloned().collect();
        let gone = self.drop(now, gone);
        self.remembered.retain(|(_, since)| now.since(*since) < MEMORY);
        let back: Vec<Multiaddr> = self
            .remembered
            .iter()
            .filter(|(address, _)| place::ip(address) == Some(ip))
            .map(|(address, _)| address.clone())
            .collect();
        self.remembered.retain(|(address, _)| !back.contains(address));
        (gone, back)
    }

    /// A peer of this group says that it came to us at a public address that is not this machine's. Returns whether
    /// enough say so.
    pub(super) fn claim(&mut self, address: &Multiaddr, group: Group) -> bool {
        if !self.claims.iter().any(|(claimed, by)| claimed == address && *by == group) {
            make_room(&mut self.claims, MAX_KEPT);
            self.claims.push((address.clone(), group));
        }
        // One alone could make us tell everybody an address of its choice.
        self.claims.iter().filter(|(claimed, _)| claimed == address).count() >= 2
    }

    /// This machine has lost an address. Returns the addresses that are given up for it: those of that address, and
    /// those of routers, which it may have led to.
    pub(super) fn lose(&mut self, now: Time, is_own: impl Fn(IpAddr) -> bool) -> Vec<Multiaddr> {
        let gone = |known: &Confirmed| {
            known.source != Source::Configured && place::ip(&known.address).is_none_or(|ip| !is_own(ip))
        };
        let lost: Vec<Confirmed> = self.confirmed.iter().filter(|known| gone(known)).cloned().collect();
        self.failed.retain(|(address, _)| place::ip(address).is_some_and(&is_own));
        self.views.iter_mut().for_each(|view| view.stale = true);
        self.claims.clear();
        self.drop(now, lost)
    }

    /// Gives addresses up, but remembers those that were tested: dial-back tests each but once.
    fn drop(&mut self, now: Time, gone: Vec<Confirmed>) -> Vec<Multiaddr> {
        for known in &gone {
            self.confirmed.retain(|other| other.address != known.address);
            if known.source == Source::Tested {
                make_room(&mut self.remembered, MAX_KEPT);
                self.remembered.push((known.address.clone(), now));
            }
        }
        gone.into_iter().map(|known| known.address).collect()
    }

    /// Addresses at which we are reached, as far as they reach.
    pub(super) fn confirmed(&self, scope: Scope) -> impl Iterator<Item = &Confirmed> {
        self.confirmed.iter().filter(move |known| place::scope(&known.address) == Some(scope))
    }

    /// Whether peers see us at an address that is not this machine's: more of their groups than see us at one that is.
    pub(super) fn is_translated(&self, is_own: impl Fn(IpAddr) -> bool) -> bool {
        let family = |v4: bool| {
            let of = || self.views.iter().filter(move |view| view.ip.is_ipv4() == v4);
            let own = of().filter(|view| is_own(view.ip)).count();
            (own, of().count().saturating_sub(own))
        };
        let counts = [family(true), family(false)];
        let is_straight = |(own, foreign): &(usize, usize)| *own > 0 && own >= foreign;
        counts.iter().any(|(own, foreign)| foreign > own) && !counts.iter().any(is_straight)
    }

    /// Whether anybody sees us at a public address.
    pub(super) fn is_seen_publicly(&self) -> bool {
        self.views.iter().any(|view| place::scope_of(view.ip) == Some(Scope::Public))
    }

    /// Whether enough tests failed to hold us for unreachable. One peer may err, or have one address family alone.
    pub(super) fn is_refuted(&self, translated: bool) -> bool {
        let Some((address, server)) = self.failed.first() else { return false };
        translated || self.failed.iter().any(|(other, by)| other != address || by != server)
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> [usize; 3] {
        [self.failed.len(), self.claims.len(), self.views.len()]
    }
}
