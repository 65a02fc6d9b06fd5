//! Addresses as people read them.

use std::fmt;

use super::{Address, Endpoint, Host, Identity};

/// Writes base32 (RFC 4648, small letters, without padding).
pub(super) fn base32(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use fmt::Write as _;
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    for chunk in bytes.chunks(5) {
        let mut wide = [0; 8];
        wide.iter_mut().skip(3).zip(chunk).for_each(|(to, from)| *to = *from);
        let value = u64::from_be_bytes(wide);
        let letters = chunk.len().saturating_mul(8).div_ceil(5);
        for letter in [35, 30, 25, 20, 15, 10, 5, 0].into_iter().take(letters).map(|shift| value >> shift & 31) {
            let letter = usize::try_from(letter).ok().and_then(|letter| LETTERS.get(letter));
            f.write_char(letter.map_or('?', |letter| char::from(*letter)))?;
        }
    }
    Ok(())
}

impl fmt::Display for Identity {
    /// All 64 hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for Host {
    /// An IP address; `….b32.i2p`; and for Tor, whose names carry a checksum that nothing here can make, `tor:` and
    /// the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4(ip) => ip.fmt(f),
            Self::Ipv6(ip) | Self::Cjdns(ip) => write!(f, "[{ip}]"),
            Self::Tor(key) => {
                f.write_str("tor:")?;
                base32(key, f)
            }
            Self::I2p(hash) => {
                base32(hash, f)?;
                f.write_str(".b32.i2p")
            }
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bitcoin { host, port } => write!(f, "{host}:{port}"),
            Self::Libp2p(multiaddr) => multiaddr.fmt(f),
        }
    }
}

impl fmt::Display for Address {
    /// The endpoint, and before it the first eight hex digits of the key, if it is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(identity) = self.identity {
            identity.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))?;
            f.write_str("@")?;
        }
        self.endpoint.fmt(f)
    }
}
