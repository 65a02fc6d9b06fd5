//! Ports for those whose addresses must be known before they start.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};

/// Where to look: below the ports that the system gives to outgoing connections, one of which could take a port before it
/// is bound, or in between when a peer is started again.
const PORTS: Range<u16> = 12_000..32_000;

/// A port that nobody has on this machine, by TCP or UDP, and that no other call in this process returns.
///
/// Processes that look at one time try others first, as their ids differ.
#[must_use]
pub fn unused() -> Option<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let places = u32::from(PORTS.end.saturating_sub(PORTS.start));
    let own = std::process::id().wrapping_mul(131);
    (0..places).find_map(|_| {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let place = u16::try_from(own.wrapping_add(step).checked_rem(places)?).ok()?;
        let here = (Ipv4Addr::UNSPECIFIED, PORTS.start.saturating_add(place));
        (TcpListener::bind(here).is_ok() && UdpSocket::bind(here).is_ok()).then_some(here.1)
    })
}
