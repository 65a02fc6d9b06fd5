//! Messages come back, whatever the chunks; memory follows what came.

use yap_chain::block::Block;

use super::*;
use crate::arbitrary;

#[test]
fn every_message_comes_back_in_as_many_bytes_as_were_told() {
    for (seed, kind) in (0..8).flat_map(|seed| Kind::ALL.map(|kind| (seed, kind))) {
        let message = arbitrary::message_of(kind, &mut random(seed));
        assert_eq!(Kind::of(&message), Ok(kind));
        for framing in BOTH {
            let bytes = encode(&message, framing);
            assert_eq!(bytes.len(), encoded_len(&message, framing), "seed {seed}, {kind:?}");
            let read = decode(&bytes, framing);
            assert_eq!(read, [Ok((message.clone(), bytes.len()))], "seed {seed}, {kind:?}");
        }
    }
}

#[test]
fn a_block_s_bytes_may_be_written_apart() {
    let mut random = random(31);
    for kind in Kind::ALL {
        let message = arbitrary::message_of(kind, &mut random);
        for framing in BOTH {
            let mut written = Vec::new();
            let apart = encode_apart(&message, framing, &mut written);
            assert_eq!(apart.is_some(), kind == Kind::Block);
            written.extend(apart.iter().flat_map(|bytes| bytes.iter()));
            assert_eq!(written, encode(&message, framing), "{kind:?}");
        }
    }
}

#[test]
fn messages_that_are_not_known_are_passed_over() {
    for framing in BOTH {
        let unknown = Message::Unknown { command: "merkleblock".into(), size: 3_999_999 };
        let mut bytes = encode(&unknown, framing);
        assert_eq!(bytes.len(), encoded_len(&unknown, framing));
        let wire = bytes.len();
        bytes.extend(encode(&Message::Verack, framing));
        let after = bytes.len() - wire;
        assert_eq!(decode(&bytes, framing), [Ok((unknown, wire)), Ok((Message::Verack, after))]);
    }
}

#[test]
fn messages_that_are_not_known_take_no_memory() {
    for framing in BOTH {
        let bytes = encode(&Message::Unknown { command: "merkleblock".into(), size: 3_999_999 }, framing);
        let mut decoder = Decoder::new(framing);
        assert_eq!(decoder.read(&mut &bytes[..3_000_000]), None);
        assert_eq!(decoder.memory(), 0);
        assert!(decoder.is_partial());
    }
}

#[test]
fn types_that_are_not_known_are_told_by_number() {
    let unknown = |number: &str, size| Message::Unknown { command: number.into(), size };
    assert_eq!(decode(&[3, 29, 0, 0], Framing::Stream), [Ok((unknown("#29", 2), 4))]);
    assert_eq!(decode(&[1, 255], Framing::Stream), [Ok((unknown("#255", 0), 2))]);
}

#[test]
fn a_type_may_be_written_as_a_name() {
    let bytes = [&[21, 0][..], b"ping\0\0\0\0\0\0\0\0", &[9, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert_eq!(decode(&bytes, Framing::Stream), [Ok((Message::Ping(9), 22))]);
}

#[test]
fn chunks_of_any_size_give_the_same_messages() {
    for seed in 0..40 {
        let mut random = random(seed);
        let framing = BOTH[usize::from(seed % 2)];
        let messages = arbitrary::list(&mut random, 6, arbitrary::message);
        let mut bytes: Vec<u8> = messages.iter().flat_map(|message| encode(message, framing)).collect();
        // In half of the runs something is wrong somewhere.
        if random.below(2) == 0 && !bytes.is_empty() {
            let at = random.index(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
        let whole = decode(&bytes, framing);
        let single = decode_chunks(bytes.chunks(1), framing);
        assert_eq!(whole, single, "seed {seed}");
        let mut rest = &bytes[..];
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            let bits = random.below(14);
            let (chunk, after) = rest.split_at(random.index(1 << bits).min(rest.len()));
            chunks.push(chunk);
            rest = after;
        }
        assert_eq!(whole, decode_chunks(chunks, framing), "seed {seed}");
    }
}

#[test]
fn damage_never_panics_and_errors_are_final() {
    for seed in 0..60 {
        let mut random = random(seed);
        let framing = BOTH[usize::from(seed % 2)];
        let mut bytes = encode(&arbitrary::message(&mut random), framing);
        for _ in 0..=random.below(4) {
            let at = random.index(bytes.len());
            bytes[at] = arbitrary::bytes::<1>(&mut random)[0];
        }
        bytes.truncate(random.index(bytes.len() + 1).max(bytes.len() / 2));
        let results = decode(&bytes, framing);
        let failed = results.iter().position(Result::is_err);
        assert!(failed.is_none_or(|at| at + 1 == results.len()), "seed {seed}");
    }
}

/// Damage in v1 ends at the checksum, so payloads are damaged in whole frames here.
#[test]
fn damaged_payloads_are_refused_or_come_back() {
    for (seed, kind) in (0..6).flat_map(|seed| Kind::ALL.map(|kind| (seed, kind))) {
        let mut random = random(seed);
        let mut bytes = encode(&arbitrary::message_of(kind, &mut random), Framing::Bitcoin(MAGIC)).split_off(24);
        if bytes.is_empty() {
            continue;
        }
        let at = random.index(bytes.len());
        bytes[at] ^= 1 << random.below(8);
        if random.below(2) == 0 {
            bytes.truncate(at);
        }
        let Ok(message) = payload(kind.name(), &bytes) else { continue };
        for framing in BOTH {
            assert_eq!(decode_one(&encode(&message, framing), framing), Ok(message.clone()), "seed {seed}, {kind:?}");
        }
    }
}

#[test]
fn nothing_is_read_after_an_error() {
    let good = encode(&Message::Verack, Framing::Bitcoin(MAGIC));
    let mut bytes = good.clone();
    bytes.extend([0; 4]);
    bytes.extend(&good);
    let expected = Err(Error::Magic { expected: MAGIC, found: [0; 4] });
    assert_eq!(decode(&bytes, Framing::Bitcoin(MAGIC)), [Ok((Message::Verack, 24)), expected]);
}

#[test]
fn another_chain_is_told_by_its_first_four_bytes() {
    let mut decoder = Decoder::new(Framing::Bitcoin(MAGIC));
    assert_eq!(decoder.read(&mut &[0xf9, 0xbe, 0xb4][..]), None);
    let expected = Error::Magic { expected: MAGIC, found: [0xf9, 0xbe, 0xb4, 0xd9] };
    assert_eq!(decoder.read(&mut &[0xd9][..]), Some(Err(expected)));
    assert!(!decoder.is_partial());
}

#[test]
fn checksums_are_checked_of_messages_that_are_not_known_too() {
    for name in ["ping", "merkleblock"] {
        let mut bytes = framed(name, &[7; 8], Framing::Bitcoin(MAGIC));
        bytes[30] ^= 1;
        let error = decode_one(&bytes, Framing::Bitcoin(MAGIC)).unwrap_err();
        assert!(matches!(&error, Error::Checksum { name: found, .. } if **found == *name), "{error}");
    }
}

#[test]
fn names_are_printable_and_padded_with_zeros() {
    for name in [*b"ping\0\0\0\0\0\0\0x", *b"pi\x7fg\0\0\0\0\0\0\0\0", *b"pi\xc3\xa4\0\0\0\0\0\0\0\0"] {
        let stream = [&[13, 0][..], &name].concat();
        assert_eq!(decode_one(&stream, Framing::Stream), Err(Error::Name(name)));
        let bitcoin = [&MAGIC[..], &name, &[0; 4], &[0x5d, 0xf6, 0xe0, 0xe2]].concat();
        assert_eq!(decode_one(&bitcoin, Framing::Bitcoin(MAGIC)), Err(Error::Name(name)));
    }
}

#[test]
fn lengths_have_one_form() {
    let error = |bytes: &[u8]| decode_one(bytes, Framing::Stream).unwrap_err();
    assert_eq!(error(&[0x81, 0x00]), Error::FrameLength([0x81, 0, 0, 0]));
    assert_eq!(error(&[0xff, 0xff, 0xff, 0xff]), Error::FrameLength([0xff; 4]));
    assert_eq!(error(&[0]), Error::FrameSize(0));
    assert_eq!(error(&[12, 0]), Error::FrameSize(12));
    assert_eq!(decode(&[0x81, 0x01, 15], Framing::Stream), [], "129 bytes are to come");
}

#[test]
fn lengths_grow_with_the_payload() {
    // The type takes one byte, so payloads reach the next length one byte early.
    let head = |size| encode(&Message::Transaction(transaction_of(size)), Framing::Stream).len() - size;
    assert_eq!([126, 127, 16_382, 16_383].map(head), [2, 3, 3, 4]);
    assert_eq!([2_097_150, 2_097_151].map(head), [4, 5]);
}

fn transaction_of(size: usize) -> Arc<yap_chain::transaction::Transaction> {
    // The fixture's sizes are a few bytes off, by the length of a length.
    let mut near = (size - 4..size + 4).map(|about| crate::fixture::transaction(1, about));
    near.find(|transaction| transaction.total_size() == size).expect("one of them has the size")
}

#[test]
fn a_transaction_is_announced_in_ten_bytes() {
    let message = Message::Announce(vec![crate::message::Announced(7)]);
    assert_eq!(encode(&message, Framing::Stream), [9, 0xe4, 7, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(encoded_len(&Message::Ping(1), Framing::Stream), 10);
    assert_eq!(encoded_len(&Message::Verack, Framing::Stream), 2);
}

#[test]
fn memory_follows_the_bytes_received() {
    let mut random = random(3);
    let block = arbitrary::block(&mut random);
    for framing in BOTH {
        // The head of the longest block, and some of it.
        let mut head = match framing {
            Framing::Bitcoin(magic) => {
                [&magic[..], b"block\0\0\0\0\0\0\0", &4_000_000_u32.to_le_bytes(), &[0; 4]].concat()
            }
            Framing::Stream => vec![0x81, 0x92, 0xf4, 0x01, 2],
        };
        let head_len = head.len();
        head.extend(block.bytes().iter());
        let mut decoder = Decoder::new(framing);
        for (at, byte) in head.iter().enumerate() {
            assert_eq!(decoder.read(&mut &[*byte][..]), None);
            let received = (at + 1).saturating_sub(head_len);
            assert!(decoder.memory() <= 256.max(2 * received), "{} bytes for {received}", decoder.memory());
        }
        let more = vec![0; 1_000_000];
        assert_eq!(decoder.read(&mut &more[..]), None);
        assert!(decoder.memory() <= 2 * (more.len() + block.bytes().len()));
    }
}

#[test]
fn a_complete_payload_has_no_room_left() {
    let mut random = random(4);
    let transaction = arbitrary::transaction(&mut random);
    let bytes = encode(&Message::Transaction(transaction), Framing::Stream);
    let mut decoder = Decoder::new(Framing::Stream);
    let (last, most) = bytes.split_last().unwrap();
    for byte in most {
        assert_eq!(decoder.read(&mut &[*byte][..]), None);
    }
    assert!(decoder.memory() < bytes.len());
    assert!(decoder.read(&mut &[*last][..]).is_some_and(|result| result.is_ok()));
    assert_eq!((decoder.memory(), decoder.is_partial()), (0, false));
}

#[test]
fn what_follows_the_last_field_is_passed_over() {
    assert_eq!(payload("ping", &[1, 0, 0, 0, 0, 0, 0, 0, 99]), Ok(Message::Ping(1)));
    assert_eq!(payload("verack", &[99]), Ok(Message::Verack));
    assert_eq!(payload("inv", &[0, 99]), Ok(Message::Inv(Vec::new())));
    assert_eq!(payload("inv", &[]), Err(Error::Truncated("inv")));
}

#[test]
fn transactions_and_blocks_fill_their_payload() {
    let mut random = random(5);
    let transaction = [arbitrary::transaction(&mut random).raw().as_slice(), &[0]].concat();
    assert_eq!(payload("tx", &transaction), Err(Error::Transaction { name: "tx", offset: 0 }));
    let mut block = arbitrary::block(&mut random).bytes().to_vec();
    let offset = block.len();
    block.push(0);
    let Ok(Message::Block(block)) = payload("block", &block) else { panic!("its transactions are read later") };
    assert_eq!(block.read().unwrap_err().offset, offset);
}

#[test]
fn a_block_is_taken_as_it_came_and_read_later() {
    for seed in 0..40 {
        let mut random = random(seed);
        let mut bytes = arbitrary::block(&mut random).bytes().to_vec();
        for _ in 0..random.below(3) {
            let at = random.index(bytes.len());
            bytes[at] = arbitrary::bytes::<1>(&mut random)[0];
        }
        if random.below(4) == 0 {
            bytes.truncate(random.index(bytes.len()));
        }
        let whole = Block::parse(bytes.clone());
        match payload("block", &bytes) {
            Ok(Message::Block(block)) => {
                assert_eq!(block.bytes().as_slice(), bytes);
                // Each transaction that was read would share them.
                assert_eq!(Arc::strong_count(block.bytes()), 1, "seed {seed}");
                assert_eq!(block.read().ok(), whole.as_ref().ok().map(Block::transactions), "seed {seed}");
            }
            other => assert!(other.is_err() && whole.is_err(), "seed {seed}: {other:?}"),
        }
    }
}

#[test]
fn bytes_that_can_t_be_a_block_are_refused_at_once() {
    let header = [7; 80];
    // One transaction takes ten bytes at least.
    let short = [&header[..], &[1], &[0; 9]].concat();
    assert_eq!(payload("block", &short), Err(Error::Block { offset: 81 }));
    assert!(payload("block", &[&short[..], &[0]].concat()).is_ok());
    assert_eq!(payload("block", &header), Err(Error::Truncated("block")));
    assert_eq!(payload("block", &header[1..]), Err(Error::Truncated("block")));
}

#[test]
fn compact_sizes_are_those_of_the_chain() {
    let edges = [0, 0xfc, 0xfd, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, u64::MAX];
    for value in edges {
        let (mut bytes, mut counter) = (Vec::new(), Counter::default());
        sink::Sink::compact(&mut bytes, value);
        sink::Sink::compact(&mut counter, value);
        assert_eq!((yap_chain::integer::read_compact(&mut &bytes[..]), counter.count()), (Ok(value), bytes.len()));
    }
}
