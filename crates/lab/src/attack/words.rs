//! What a hostile host says on a connection.

use std::io;
use std::sync::Arc;

use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::pki_types::ServerName;
use futures_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore};
use yap_sim::Random;

use super::Kind;
use crate::peer::chain;

/// libp2p: the header of multistream-select 1.0, its length in front.
pub(super) const MULTISTREAM: &[u8] = b"\x13/multistream/1.0.0\n";

/// Bytes of garbage.
const GARBAGE: usize = 4096;

/// What connection `number` says at once.
pub(super) fn first(kind: Kind, number: u64) -> io::Result<Vec<u8>> {
    Ok(match kind {
        Kind::Silent | Kind::Streams | Kind::Resets | Kind::Datagrams => Vec::new(),
        Kind::Garbage => garbage(number, GARBAGE),
        // Its line, and the length of a proposal of 16,383 bytes: that would take hours.
        Kind::Slow => [MULTISTREAM, &[0xff, 0x7f]].concat(),
        Kind::HalfFrame => half_frame(),
        Kind::HalfHandshake if number.is_multiple_of(2) => b"GET / HTTP/1.1\r\nHost: victim\r\nUpgrade: web".to_vec(),
        Kind::HalfHandshake => client_hello()?,
    })
}

/// What it says each second from there on.
pub(super) fn then(kind: Kind) -> Option<u8> {
    (kind == Kind::Slow).then_some(b'a')
}

/// Bytes that follow from a number.
pub(super) fn garbage(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut out = Vec::with_capacity(length.saturating_add(8));
    while out.len() < length {
        out.extend_from_slice(&random.next().to_le_bytes());
    }
    out.truncate(length);
    out
}

/// The header of a `version` of 100 bytes, with any checksum.
fn half_frame() -> Vec<u8> {
    let mut out = chain::built_in().magic.to_vec();
    out.extend_from_slice(b"version\0\0\0\0\0");
    out.extend_from_slice(&100_u32.to_le_bytes());
    out.extend_from_slice(&[1, 2, 3, 4]);
    out
}

/// The first message of TLS, whole: the peer answers with all of its certificate and a signature, and then waits.
fn client_hello() -> io::Result<Vec<u8>> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("victim.example").map_err(io::Error::other)?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut out = Vec::new();
    connection.write_tls(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{Kind, MULTISTREAM, first, garbage};

    #[test]
    fn each_beginning_is_that_of_its_protocol() {
        assert!(first(Kind::Silent, 0).unwrap().is_empty());
        assert!(first(Kind::Slow, 0).unwrap().starts_with(MULTISTREAM));
        let frame = first(Kind::HalfFrame, 0).unwrap();
        assert_eq!((frame.len(), &frame[4..11]), (24, b"version".as_slice()));
        assert!(first(Kind::HalfHandshake, 0).unwrap().starts_with(b"GET "));
        let hello = first(Kind::HalfHandshake, 1).unwrap();
        // A record of a handshake (RFC 8446, section 5.1) that is as long as it says.
        assert_eq!(hello[..2], [0x16, 0x03]);
        assert_eq!(usize::from(u16::from_be_bytes([hello[3], hello[4]])), hello.len() - 5);
    }

    #[test]
    fn garbage_follows_from_its_number() {
        assert_eq!(garbage(1, 13), garbage(1, 13));
        assert_ne!(garbage(1, 13), garbage(2, 13));
        assert_eq!(garbage(1, 13).len(), 13);
    }
}
