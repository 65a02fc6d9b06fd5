//! Who is connected: how many, from where, and who leaves when there is no room.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::Limits;
use super::pulse::Pulse;

/// Time that a connection which makes room for another takes at most to leave.
const ROOM: Duration = Duration::from_millis(100);

/// Who is connected, counted.
#[derive(Debug)]
pub(crate) struct Guests {
    slots: Arc<Semaphore>,
    connections: usize,
    per_address: usize,
    addresses: Mutex<BTreeMap<IpAddr, usize>>,
    present: Mutex<Present>,
}

/// What each connection is at, in the order in which they came.
#[derive(Debug, Default)]
struct Present {
    next: u64,
    pulses: BTreeMap<u64, Pulse>,
}

/// One connection's place. It is free again with this value.
#[derive(Debug)]
pub(crate) struct Seat {
    guests: Arc<Guests>,
    address: Option<IpAddr>,
    number: u64,
    pulse: Pulse,
    _slot: OwnedSemaphorePermit,
}

impl Guests {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            slots: Arc::new(Semaphore::new(limits.connections)),
            connections: limits.connections,
            per_address: limits.connections_per_address,
            addresses: Mutex::default(),
            present: Mutex::default(),
        })
    }

    /// A place for a connection from that address, if there is one.
    pub(crate) fn seat(self: &Arc<Self>, from: IpAddr) -> Option<Seat> {
        let slot = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        let address = counted(from);
        if let Some(address) = address {
            let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
            let count = addresses.entry(address).or_default();
            if *count >= self.per_address {
                return None;
            }
            *count = count.saturating_add(1);
        }
        let pulse = Pulse::new();
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let number = present.next;
        present.next = number.wrapping_add(1);
        present.pulses.insert(number, pulse.clone());
        Some(Seat { guests: Arc::clone(self), address, number, pulse, _slot: slot })
    }

    /// Makes room where there is none: of the connections that nothing is being done for, the one that has waited longest
    /// leaves. So whoever holds connections without a word keeps nobody out.
    pub(crate) async fn make_room(&self) {
        if self.slots.available_permits() > 0 || !self.longest_waiting().is_some_and(|pulse| pulse.leave()) {
            return;
        }
        // Its permit comes back at once; it is only looked at here.
        drop(tokio::time::timeout(ROOM, self.slots.acquire()).await);
    }

    fn longest_waiting(&self) -> Option<Pulse> {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = present.pulses.values().filter_map(|pulse| Some((pulse.waiting()?, pulse)));
        waiting.min_by_key(|(since, _)| *since).map(|(_, pulse)| pulse.clone())
    }

    /// Waits until nobody is connected.
    pub(crate) async fn gone(&self) {
        let all = u32::try_from(self.connections).unwrap_or(u32::MAX);
        // It is never closed, and the permits go back at once.
        let _ = self.slots.acquire_many(all).await;
    }
}

impl Seat {
    /// Where what the connection is at is told.
    pub(crate) const fn pulse(&self) -> &Pulse {
        &self.pulse
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.guests.present.lock().unwrap_or_else(PoisonError::into_inner).pulses.remove(&self.number);
        let Some(address) = self.address else { return };
        let mut addresses = self.guests.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                addresses.remove(&address);
            }
        }
    }
}

/// What connections of an address are counted under; none for this machine itself.
fn counted(from: IpAddr) -> Option<IpAddr> {
    match from.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V6(address) => Some(IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))),
        address @ IpAddr::V4(_) => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(connections: usize, connections_per_address: usize) -> Limits {
        Limits { connections, connections_per_address, ..Limits::default() }
    }

    #[test]
    fn one_address_has_its_share_and_no_more() {
        let guests = Guests::new(&limits(10, 2));
        let from = |text: &str| guests.seat(text.parse().unwrap());
        let first = from("192.0.2.1");
        let second = from("::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(from("192.0.2.1").is_none(), "one past the bound");
        assert!(from("192.0.2.2").is_some());
        drop(first);
        assert!(from("192.0.2.1").is_some(), "the place is free again");
        let _one = from("2001:db8::1");
        let _two = from("2001:db8::2");
        assert!(from("2001:db8::3").is_none(), "neighbours count together");
        assert!(from("2001:db8:0:1::1").is_some());
    }

    #[test]
    fn this_machine_may_have_all_places() {
        let guests = Guests::new(&limits(3, 1));
        let seats: Vec<_> = (0..3).map(|_| guests.seat("127.0.0.1".parse().unwrap())).collect();
        assert!(seats.iter().all(Option::is_some));
        assert!(guests.seat("127.0.0.1".parse().unwrap()).is_none(), "one past the bound");
        drop(seats);
        assert!(guests.addresses.lock().unwrap().is_empty());
        assert!(guests.seat("192.0.2.1".parse().unwrap()).is_some());
        assert!(guests.addresses.lock().unwrap().is_empty(), "nothing is kept of who has gone");
    }
}
