//! What a node offers, as bits and as names.

use yap_protocol::message::Services;

/// Names of the services, as Bitcoin Core's `serviceFlagsToStr`.
const NAMES: [(Services, &str); 5] = [
    (Services::NETWORK, "NETWORK"),
    (Services::WITNESS, "WITNESS"),
    (Services::COMPACT_FILTERS, "COMPACT_FILTERS"),
    (Services::NETWORK_LIMITED, "NETWORK_LIMITED"),
    (Services::P2P_V2, "P2P_V2"),
];

/// The bits as 16 hexadecimal digits.
#[must_use]
pub fn digits(services: u64) -> String {
    format!("{services:016x}")
}

/// The names of the bits; those without a name as `UNKNOWN[2^n]`.
#[must_use]
pub fn names(services: u64) -> Vec<String> {
    let bits = (0..u64::BITS).map(|bit| (bit, 1_u64 << bit)).filter(|(_, value)| services & value != 0);
    let name = |(bit, value): (u32, u64)| {
        let known = NAMES.iter().find(|(known, _)| known.0 == value);
        known.map_or_else(|| format!("UNKNOWN[2^{bit}]"), |(_, name)| (*name).to_owned())
    };
    bits.map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_have_names() {
        assert_eq!(names(0x409), ["NETWORK", "WITNESS", "NETWORK_LIMITED"]);
        assert_eq!((names(0), names(1 << 24)), (Vec::new(), vec!["UNKNOWN[2^24]".to_owned()]));
        assert_eq!(digits(0x409), "0000000000000409");
    }
}
