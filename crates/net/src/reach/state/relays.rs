//! Reservations with relays: with whom, since when, and when to ask again.
//!
//! ```text
//! Asked ──accepted──▶ Held ──listener closed──▶ gone, and asked again after a while
//!   └──refused, or nothing for ANSWER──▶ gone, and asked again later each time
//! ```

use std::time::Duration;

use libp2p::core::transport::ListenerId;
use libp2p::{Multiaddr, PeerId};
use yap_protocol::Time;
use yap_protocol::address::{Group, Scope};

use super::peers::Relay;
use super::place;

/// Relays through which we can be reached at one time: a second, so that one may go.
pub(crate) const RESERVATIONS: usize = 2;

/// How long a relay may take to answer.
pub(crate) const ANSWER: Duration = Duration::from_secs(15);

/// How long a relay that refused is left alone the first time; twice as long after each further refusal. A relay
/// refuses for as long as it does not know its own address, which is a matter of seconds.
pub(crate) const FIRST_WAIT: Duration = Duration::from_secs(2);

/// How long it is left alone at most.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);

/// Relays that refused, of which that is remembered. The one that may be asked soonest is forgotten first.
pub(crate) const MAX_REFUSED: usize = 64;

/// Addresses of one relay that are told to others.
pub(crate) const MAX_ADDRESSES: usize = 4;

/// How long a reservation must have lasted for the relay's earlier refusals to be forgotten.
pub(crate) const STEADY: Duration = Duration::from_secs(60);

/// How long a reservation must last at least: a relay that gives shorter ones makes us ask all the time.
pub(crate) const SHORTEST: Duration = Duration::from_secs(10);

/// How many shorter ones cost the connection.
pub(crate) const MAX_HASTY: u8 = 3;

/// One reservation.
#[derive(Clone, Debug)]
pub(super) struct Reservation {
    pub(super) relay: PeerId,
    group: Group,
    pub(super) listener: Option<ListenerId>,
    asked: Time,
    /// When it was granted first.
    since: Option<Time>,
    /// When it was granted, or renewed, last.
    held: Option<Time>,
    hasty: u8,
    /// What the relay says under which addresses we are reached.
    pub(super) addresses: Vec<Multiaddr>,
}

#[derive(Clone, Copy, Debug)]
struct Refusal {
    relay: PeerId,
    times: u32,
    until: Time,
}

/// What a relay's acceptance means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Accepted {
    /// A reservation of ours.
    Ours,
    /// One that was given up meanwhile.
    Unwanted,
    /// One too many in a short time: the reservation is gone, and the relay to be left.
    Hasty,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Relays {
    reservations: Vec<Reservation>,
    refused: Vec<Refusal>,
}

impl Relays {
    /// Whether there is no room for another reservation.
    pub(super) fn is_full(&self) -> bool {
        self.reservations.len() >= RESERVATIONS
    }

    /// The relay to ask next, if there is room for a reservation. It counts as asked.
    pub(super) fn ask(&mut self, now: Time, mut known: Vec<Relay>) -> Option<Relay> {
        if self.is_full() {
            return None;
        }
        known.retain(|relay| {
            let is_asked = self.reservations.iter().any(|reservation| reservation.relay == relay.peer);
            let is_refused = self.refused.iter().any(|refusal| refusal.relay == relay.peer && refusal.until > now);
            !is_asked && !is_refused
        });
        let crowded = |relay: &Relay| self.reservations.iter().any(|reservation| reservation.group == relay.group);
        let relay = known.into_iter().min_by_key(|relay| (crowded(relay), relay.since, relay.peer))?;
        self.reservations.push(Reservation {
            relay: relay.peer,
            group: relay.group,
            listener: None,
            asked: now,
            since: None,
            held: None,
            hasty: 0,
            addresses: Vec::new(),
        });
        Some(relay)
    }

    fn find(&mut self, relay: &PeerId) -> Option<&mut Reservation> {
        self.reservations.iter_mut().find(|reservation| reservation.relay == *relay)
    }

    /// The listener that stands for a reservation.
    pub(super) fn listening(&mut self, relay: &PeerId, listener: ListenerId) {
        if let Some(reservation) = self.find(relay) {
            reservation.listener = Some(listener);
        }
    }

    /// The relay said yes.
    pub(super) fn accepted(&mut self, now: Time, relay: &PeerId) -> Accepted {
        let Some(reservation) = self.find(relay) else { return Accepted::Unwanted };
        if reservation.held.is_some_and(|held| now.since(held) < SHORTEST) {
            reservation.hasty = reservation.hasty.saturating_add(1);
        } else {
            reservation.hasty = 0;
        }
        reservation.held = Some(now);
        reservation.since.get_or_insert(now);
        if reservation.hasty < MAX_HASTY {
            return Accepted::Ours;
        }
        self.reservations.retain(|reservation| reservation.relay != *relay);
        self.refuse(now, *relay, LONGEST_WAIT);
        Accepted::Hasty
    }

    /// The relay says that we are reached at this address through it. Of too many, public ones are kept.
    pub(super) fn add_address(&mut self, relay: &PeerId, address: Multiaddr) {
        let Some(reservation) = self.find(relay) else { return };
        if reservation.addresses.contains(&address) {
            return;
        }
        let is_public = |address: &Multiaddr| place::scope(address) == Some(Scope::Public);
        if reservation.addresses.len() >= MAX_ADDRESSES {
            let other = reservation.addresses.iter().position(|known| !is_public(known));
            let Some(other) = other.filter(|_| is_public(&address)) else { return };
            reservation.addresses.remove(other);
        }
        reservation.addresses.push(address);
    }

    /// We are not reached there any more.
    pub(super) fn remove_address(&mut self, relay: &PeerId, address: &Multiaddr) {
        if let Some(reservation) = self.find(relay) {
            reservation.addresses.retain(|known| known != address);
        }
    }

    /// A listener ended: the relay refused, or the connection with it is gone.
    pub(super) fn ended(&mut self, now: Time, listener: ListenerId) {
        let ended = self.reservations.iter().position(|reservation| reservation.listener == Some(listener));
        if let Some(place) = ended {
            let reservation = self.reservations.remove(place);
            if reservation.since.is_some_and(|since| now.since(since) >= STEADY) {
                self.refused.retain(|refusal| refusal.relay != reservation.relay);
            }
            self.leave_alone(now, reservation.relay);
        }
    }

    /// There never was a listener for what was asked of this relay.
    pub(super) fn failed(&mut self, now: Time, relay: &PeerId) {
        self.reservations.retain(|reservation| reservation.relay != *relay);
        self.leave_alone(now, *relay);
    }

    /// Gives up what was not answered in time.
    pub(super) fn expire(&mut self, now: Time) -> Vec<Reservation> {
        let late: Vec<Reservation> = self
            .reservations
            .iter()
            .filter(|reservation| reservation.held.is_none() && now.since(reservation.asked) >= ANSWER)
            .cloned()
            .collect();
        for reservation in &late {
            self.failed(now, &reservation.relay);
        }
        late
    }

    /// Gives all of them up.
    pub(super) fn clear(&mut self) -> Vec<Reservation> {
        std::mem::take(&mut self.reservations)
    }

    /// This machine has changed networks: what relays refused may have been for the old one's sake.
    pub(super) fn forgive(&mut self) {
        self.refused.clear();
    }

    fn leave_alone(&mut self, now: Time, relay: PeerId) {
        let times = self.refused.iter().find(|refusal| refusal.relay == relay).map_or(0, |refusal| refusal.times);
        let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(times)).min(LONGEST_WAIT);
        self.refuse(now, relay, wait);
    }

    fn refuse(&mut self, now: Time, relay: PeerId, wait: Duration) {
        let times = self.refused.iter().find(|refusal| refusal.relay == relay).map_or(0, |refusal| refusal.times);
        self.refused.retain(|refusal| refusal.relay != relay);
        if self.refused.len() >= MAX_REFUSED
            && let Some(soonest) = self.refused.iter().enumerate().min_by_key(|(_, refusal)| refusal.until)
        {
            let place = soonest.0;
            self.refused.swap_remove(place);
        }
        self.refused.push(Refusal { relay, times: times.saturating_add(1), until: now.after(wait) });
    }

    /// Reservations that relays granted.
    pub(super) fn held(&self) -> impl Iterator<Item = &Reservation> {
        self.reservations.iter().filter(|reservation| reservation.held.is_some())
    }

    /// Whether something was asked of this relay, or granted by it.
    pub(super) fn has(&self, relay: &PeerId) -> bool {
        self.reservations.iter().any(|reservation| reservation.relay == *relay)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.reservations.len()
    }

    #[cfg(test)]
    pub(super) fn refusals(&self) -> usize {
        self.refused.len()
    }

    /// When something is to be done: a relay did not answer, or, if `wanting`, one may be asked again.
    pub(super) fn next_deadline(&self, now: Time, wanting: bool) -> Option<Time> {
        let late = self.reservations.iter().filter(|reservation| reservation.held.is_none());
        let late = late.map(|reservation| reservation.asked.after(ANSWER));
        let can_ask = wanting && !self.is_full();
        let again = self.refused.iter().map(|refusal| refusal.until).filter(|until| can_ask && *until > now);
        late.chain(again).min()
    }
}
