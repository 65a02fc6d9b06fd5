//! What a node notes of itself.
//!
//! ```text
//! yap-node-1 <bytes of the rest> <16 hex digits of the SHA-256 of the rest>
//! <number of the network namespace>
//! <multiaddr>
//! …
//! ```
//!
//! A note is written over the one before, in place. Whoever reads in between sees by length and hash that it is not whole.

use std::fmt::Write as _;

use bitcoin::hashes::{Hash as _, sha256};
use libp2p::Multiaddr;
use yap_protocol::address::Scope;

use crate::address;
use crate::status::Via;

/// Most addresses of one node.
pub(crate) const MAX_ADDRESSES: usize = 16;

/// Longest address, as text.
const MAX_ADDRESS: usize = 512;

/// Longest first line, and longest second one, together.
const MAX_HEAD: usize = 128;

/// Longest note, in bytes.
pub(super) const MAX_NOTE: usize = MAX_HEAD + MAX_ADDRESSES * (MAX_ADDRESS + 1);

const TAG: &str = "yap-node-1";

/// A note of those addresses that another process of this host can dial.
pub(super) fn write(addresses: &[Multiaddr], namespace: u64) -> String {
    let mut useful: Vec<_> = addresses.iter().map(|address| address::split(address).0).filter(is_useful).collect();
    address::order(&mut useful);
    let mut rest = format!("{namespace}\n");
    for line in useful.iter().map(Multiaddr::to_string).filter(|line| line.len() <= MAX_ADDRESS).take(MAX_ADDRESSES) {
        rest.push_str(&line);
        rest.push('\n');
    }
    format!("{TAG} {} {}\n{rest}", rest.len(), digest(rest.as_bytes()))
}

/// The addresses of a note, in the order in which they are to be tried; `None` if it is damaged. From another namespace,
/// those of loopback are left out.
pub(super) fn read(text: &str, namespace: u64) -> Option<Vec<Multiaddr>> {
    if text.len() > MAX_NOTE {
        return None;
    }
    let (head, rest) = text.split_once('\n')?;
    let mut words = head.split(' ');
    let (Some(TAG), Some(length), Some(hash), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return None;
    };
    let rest = rest.get(..length.parse().ok()?)?;
    if digest(rest.as_bytes()) != hash {
        return None;
    }
    let mut lines = rest.lines();
    let near = lines.next()?.parse::<u64>().ok()? == namespace;
    let addresses = lines.take(MAX_ADDRESSES).filter_map(|line| line.parse().ok());
    let mut addresses: Vec<Multiaddr> = addresses
        .filter(is_useful)
        .filter(|address| near || address::scope(address) != Some(Scope::Loopback))
        .collect();
    address::order(&mut addresses);
    Some(addresses)
}

/// Whether another process of this host can dial it as it stands.
fn is_useful(multiaddr: &Multiaddr) -> bool {
    address::is_whole(multiaddr)
        && !address::is_circuit(multiaddr)
        && address::scope(multiaddr).is_some()
        && address::via(multiaddr).is_some_and(|via| via != Via::Memory)
}

fn digest(bytes: &[u8]) -> String {
    let hash = sha256::Hash::hash(bytes).to_byte_array();
    hash.iter().take(8).fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("a string takes what is written");
        digits
    })
}
