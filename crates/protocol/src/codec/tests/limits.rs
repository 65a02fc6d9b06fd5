//! Every limit, at the bound and one past it.

use super::*;
use crate::penalty::Penalty;

/// The bytes before a payload of this size, without the payload.
fn head(name: &str, size: usize, framing: Framing) -> Vec<u8> {
    match framing {
        Framing::Bitcoin(magic) => {
            let size = u32::try_from(size).unwrap().to_le_bytes();
            [&magic[..], &bitcoin::padded(name), &size, &[0; 4]].concat()
        }
        Framing::Stream => {
            let mut bytes = framed(name, &vec![0; size], framing);
            bytes.truncate(bytes.len() - size);
            bytes
        }
    }
}

#[test]
fn a_payload_beyond_its_kinds_limit_is_refused_before_it_comes() {
    let kinds = Kind::ALL.map(|kind| (kind.name(), kind.limit()));
    for (name, limit) in kinds.into_iter().chain([("merkleblock", MAX_PAYLOAD)]) {
        for framing in BOTH {
            let mut decoder = Decoder::new(framing);
            assert_eq!(decoder.read(&mut &head(name, limit, framing)[..]), None, "{name}");
            assert!(decoder.is_partial(), "{name}");
            let size = u32::try_from(limit).unwrap() + 1;
            let error = decode_one(&head(name, limit + 1, framing), framing).unwrap_err();
            assert_eq!(error, Error::TooLong { name: name.into(), size, limit }, "{name}");
            assert_eq!(error.penalty(), Penalty::Disconnect);
        }
    }
}

#[test]
fn a_length_of_four_gigabytes_is_refused() {
    let mut bytes = head("block", 0, Framing::Bitcoin(MAGIC));
    bytes[16..20].fill(0xff);
    let expected = Error::TooLong { name: "block".into(), size: u32::MAX, limit: 4_000_000 };
    assert_eq!(decode_one(&bytes, Framing::Bitcoin(MAGIC)), Err(expected));
}

/// A payload of `before`, a count, items of zeros, and `after`.
fn counted(before: usize, count: usize, item: usize, after: usize) -> Vec<u8> {
    let mut bytes = vec![0; before];
    yap_chain::integer::write_compact(count, &mut bytes);
    bytes.resize(bytes.len() + count * item + after, 0);
    bytes
}

#[test]
fn lists_have_as_many_items_as_allowed_and_not_one_more() {
    // Name; most items; bytes before the count, of an item, and after the list.
    let lists = [
        ("addr", 1000, 0, 30, 0),
        ("addrv2", 1000, 0, 9, 0),
        ("inv", 50_000, 0, 36, 0),
        ("getdata", 50_000, 0, 36, 0),
        ("notfound", 50_000, 0, 36, 0),
        ("getheaders", 101, 4, 32, 32),
        ("getblocks", 101, 4, 32, 32),
        ("headers", 2000, 0, 81, 0),
        ("cfheaders", 2000, 65, 32, 0),
        ("cfcheckpt", 100_000, 33, 32, 0),
        ("cfilter", 1 << 20, 33, 1, 0),
        ("yaprecord", 100, 0, 113, 0),
        ("getblocktxn", 65_536, 32, 1, 0),
        ("blocktxn", 65_536, 32, 10, 0),
        ("cmpctblock", 65_535, 88, 6, 1),
        ("block", 65_536, 80, 10, 0),
    ];
    for (name, limit, before, item, after) in lists {
        let result = payload(name, &counted(before, limit, item, after));
        assert!(result.is_ok(), "{name}: {result:?}");
        // The count alone is refused: nothing that it counts is there, and the payload is not too long.
        let mut bytes = vec![0; before];
        yap_chain::integer::write_compact(limit + 1, &mut bytes);
        let error = payload(name, &bytes).unwrap_err();
        let told = matches!(error, Error::TooMany { name: told, count, limit: most, .. }
            if told == name && count == limit as u64 + 1 && most == limit);
        assert!(told, "{name}: {error}");
        assert_eq!(error.penalty(), Penalty::Ban);
    }
}

#[test]
fn a_count_beyond_what_the_bytes_can_hold_takes_no_memory() {
    for (name, before) in [("inv", 0), ("headers", 0), ("addrv2", 0), ("cfcheckpt", 33), ("blocktxn", 32)] {
        let mut bytes = vec![0; before];
        yap_chain::integer::write_compact(1000, &mut bytes);
        bytes.extend([0; 999]);
        assert_eq!(payload(name, &bytes), Err(Error::Truncated(name)));
    }
}

#[test]
fn announcements_have_as_many_items_as_allowed_and_not_one_more() {
    for name in ["yaptxinv", "yapgettx", "yapnotx"] {
        assert!(payload(name, &[0; 400_000]).is_ok());
        assert_eq!(payload(name, &[0; 17]), Err(Error::Uneven { name, size: 17, item: 8 }));
        for framing in BOTH {
            let error = decode_one(&head(name, 400_001, framing), framing).unwrap_err();
            assert_eq!(error, Error::TooLong { name: name.into(), size: 400_001, limit: 400_000 });
        }
    }
}

#[test]
fn records_have_as_many_endpoints_as_allowed_and_not_one_more() {
    let record = |endpoints: u8, length: usize| {
        let mut bytes = vec![1];
        bytes.extend([0; 48]);
        bytes.push(endpoints);
        for _ in 0..endpoints {
            yap_chain::integer::write_compact(length, &mut bytes);
            bytes.resize(bytes.len() + length, 7);
        }
        bytes.extend([0; 64]);
        payload("yaprecord", &bytes)
    };
    assert!(record(16, 256).is_ok());
    assert!(record(16, 1).is_ok());
    assert_eq!(record(16, 0), Err(Error::EmptyEndpoint));
    let (name, limit) = ("yaprecord", 16);
    assert_eq!(record(17, 1), Err(Error::TooMany { name, what: "endpoints", count: 17, limit }));
    let limit = 256;
    assert_eq!(record(1, 257), Err(Error::TooMany { name, what: "bytes of an endpoint", count: 257, limit }));
}

#[test]
fn goodbyes_are_short() {
    assert!(payload("yapgoodbye", &[b'a'; 129]).is_ok());
    let framing = Framing::Stream;
    let expected = Error::TooLong { name: "yapgoodbye".into(), size: 130, limit: 129 };
    assert_eq!(decode_one(&head("yapgoodbye", 130, framing), framing), Err(expected));
    let Ok(Message::Goodbye(goodbye)) = payload("yapgoodbye", b"\x01f\xc3\xbcll\x1b[2J") else { panic!("no goodbye") };
    assert_eq!((goodbye.reason, &*goodbye.text), (Ok(crate::penalty::Reason::Full), "fll[2J"));
    let Ok(Message::Goodbye(goodbye)) = payload("yapgoodbye", &[200]) else { panic!("no goodbye") };
    assert_eq!((goodbye.reason, &*goodbye.text), (Err(200), ""));
}

#[test]
fn the_largest_message_of_every_kind_keeps_to_its_limit() {
    let size = |before: usize, count: usize, item: usize| counted(before, count, item, 0).len();
    assert_eq!(Kind::Inv.limit(), size(0, 50_000, 36));
    assert_eq!(Kind::Headers.limit(), size(0, 2000, 81));
    assert_eq!(Kind::Addr.limit(), size(0, 1000, 30));
    assert_eq!(Kind::AddrV2.limit(), size(0, 1000, 4 + 9 + 1 + 3 + 512 + 2));
    assert_eq!(Kind::CFilter.limit(), size(33, 1 << 20, 1));
    assert_eq!(Kind::CFHeaders.limit(), size(65, 2000, 32));
    assert_eq!(Kind::CFCheckpoints.limit(), size(33, 100_000, 32));
    assert_eq!(Kind::GetBlockTransactions.limit(), size(32, 65_536, 1));
    assert!(Kind::GetHeaders.limit() >= size(4, 101, 32) + 32);
    // Every other place, from as far as it takes three bytes to say, costs less than all of them.
    let indexes: Vec<u16> = (0..=u16::MAX).step_by(254).collect();
    let request = crate::message::GetBlockTransactions { block: ::bitcoin::hashes::Hash::all_zeros(), indexes };
    assert!(payload_len(&Message::GetBlockTransactions(request)) < Kind::GetBlockTransactions.limit());
}

#[test]
fn names_and_types_are_unlike_each_other_and_fit() {
    for (at, kind) in Kind::ALL.into_iter().enumerate() {
        assert!((1..=12).contains(&kind.name().len()), "{kind:?}");
        assert_eq!(Kind::named(kind.name()), Some(kind));
        assert_eq!(Kind::of_short(kind.short()), Some(kind));
        assert!(kind.short() != 0 && kind.limit() <= MAX_PAYLOAD, "{kind:?}");
        assert_eq!(kind as usize, at, "every kind is listed once");
    }
}
