//! What the first bytes of a connection say: which protocol the other end speaks.
//!
//! Pure. The verdict does not depend on how the bytes were cut into packets: once one is reached, more bytes never change it.

/// The longest beginning that is looked for, in bytes.
pub(super) const LONGEST: usize = MULTISTREAM.len();

/// libp2p: the header of multistream-select 1.0, its length in front.
const MULTISTREAM: &[u8] = b"\x13/multistream/1.0.0\n";

/// WebSocket: its handshake is a GET request (RFC 6455, section 4.1).
const GET: &[u8] = b"GET ";

/// TLS: a handshake record of major version 3 (RFC 8446, section 5.1), in which secure WebSocket comes.
const TLS: &[u8] = &[0x16, 0x03];

/// What the other end speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// libp2p.
    Libp2p,
    /// WebSocket.
    WebSocket,
    /// TLS.
    Tls,
    /// Bitcoin's transport.
    Bitcoin,
}

/// What can be said after some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// This it is.
    Is(First),
    /// More bytes are needed.
    More,
    /// Nothing that we speak.
    Nothing,
}

/// Judges the first bytes. The chain's magic goes first: a chain that chose one of the other beginnings would do without
/// that carrier.
pub(super) fn classify(prefix: &[u8], magic: &[u8; 4]) -> Verdict {
    let known =
        [(magic.as_slice(), First::Bitcoin), (MULTISTREAM, First::Libp2p), (GET, First::WebSocket), (TLS, First::Tls)];
    for (beginning, first) in known {
        if prefix.starts_with(beginning) {
            return Verdict::Is(first);
        }
        if beginning.starts_with(prefix) {
            return Verdict::More;
        }
    }
    Verdict::Nothing
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];

    #[test]
    fn each_protocol_is_known_by_its_beginning() {
        assert_eq!(classify(b"\x13/multistream/1.0.0\n\x07/noise\n", &MAGIC), Verdict::Is(First::Libp2p));
        assert_eq!(classify(b"GET / HTTP/1.1\r\n", &MAGIC), Verdict::Is(First::WebSocket));
        assert_eq!(classify(&[0x16, 0x03, 0x01, 0x02, 0x00], &MAGIC), Verdict::Is(First::Tls));
        assert_eq!(classify(b"\xfa\xbf\xb5\xdaversion", &MAGIC), Verdict::Is(First::Bitcoin));
    }

    #[test]
    fn other_protocols_are_nothing() {
        let others: [&[u8]; 5] =
            [b"SSH-2.0-OpenSSH", b"POST / HTTP/1.1", b"\x16\x04", b"\xf9\xbe\xb4\xd9", b"\x13/multistream/2.0.0\n"];
        for other in others {
            assert_eq!(classify(other, &MAGIC), Verdict::Nothing, "{other:?}");
        }
    }

    #[test]
    fn nothing_is_said_by_no_bytes() {
        assert_eq!(classify(b"", &MAGIC), Verdict::More);
    }

    #[test]
    fn a_magic_that_begins_like_another_protocol_is_told_from_it() {
        let like_tls = [0x16, 0x03, 0x33, 0x33];
        assert_eq!(classify(&[0x16, 0x03], &like_tls), Verdict::More);
        assert_eq!(classify(&like_tls, &like_tls), Verdict::Is(First::Bitcoin));
        assert_eq!(classify(&[0x16, 0x03, 0x01], &like_tls), Verdict::Is(First::Tls));
    }

    /// Bytes that begin, in part, like one of the protocols.
    fn beginnings() -> impl Strategy<Value = Vec<u8>> {
        let known = prop_oneof![
            Just(MULTISTREAM.to_vec()),
            Just(GET.to_vec()),
            Just(TLS.to_vec()),
            Just(MAGIC.to_vec()),
            Just(Vec::new()),
        ];
        (known, 0..=LONGEST, prop::collection::vec(any::<u8>(), 0..8)).prop_map(|(mut known, kept, rest)| {
            known.truncate(kept);
            known.extend(rest);
            known
        })
    }

    proptest! {
        #[test]
        fn any_cut_into_packets_gives_the_same_verdict(bytes in beginnings(), magic in prop_oneof![
            Just(MAGIC), any::<[u8; 4]>(), Just([0x16, 0x03, 0x01, 0x00]), Just(*b"GET/"), Just(*b"\x13/mu"),
        ]) {
            let mut decided = None;
            for end in 0..=bytes.len() {
                let verdict = classify(&bytes[..end], &magic);
                match decided {
                    Some(before) => prop_assert_eq!(verdict, before),
                    None if verdict == Verdict::More => {}
                    None => decided = Some(verdict),
                }
            }
        }

        #[test]
        fn the_longest_beginning_always_decides(bytes in prop::collection::vec(any::<u8>(), LONGEST), magic in any::<[u8; 4]>()) {
            prop_assert_ne!(classify(&bytes, &magic), Verdict::More);
        }
    }
}
