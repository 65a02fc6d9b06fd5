#![expect(clippy::arithmetic_side_effects, reason = "small numbers in tests")]

use std::io::{self, Read};

use super::*;
use crate::testing::Random;

const MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];

fn frame(length: u32) -> Vec<u8> {
    [MAGIC.as_slice(), &length.to_le_bytes()].concat()
}

fn record(payload: &[u8]) -> Vec<u8> {
    [frame(u32::try_from(payload.len()).unwrap()).as_slice(), payload].concat()
}

fn block(fill: u8, length: usize) -> Vec<u8> {
    vec![fill; length]
}

fn read(input: &[u8]) -> Vec<Event> {
    Reader::new(input, MAGIC).map(Result::unwrap).collect()
}

fn found(offset: u64, bytes: Vec<u8>) -> Event {
    Event::Record { offset, bytes }
}

fn skipped(offset: u64, bytes: u64, why: Flaw) -> Event {
    Event::Skipped { offset, bytes, why }
}

/// Every byte is in one event, in order.
fn assert_covers(input: &[u8], events: &[Event]) {
    let mut at = 0;
    for event in events {
        match event {
            Event::Record { offset, bytes } => {
                assert_eq!(*offset, at + 8);
                let start = usize::try_from(*offset).unwrap();
                assert_eq!(&input[start..start + bytes.len()], bytes);
                at = offset + u64::try_from(bytes.len()).unwrap();
            }
            Event::Skipped { offset, bytes, .. } => {
                assert_eq!(*offset, at);
                assert!(*bytes > 0);
                at += bytes;
            }
        }
    }
    assert_eq!(at, u64::try_from(input.len()).unwrap());
}

#[test]
fn records_follow_one_another_and_padding_is_no_damage() {
    let input = [record(&block(1, 80)), record(&block(2, 300)), vec![0; 1_000]].concat();
    let events = read(&input);
    assert_eq!(events, [found(8, block(1, 80)), found(96, block(2, 300)), skipped(396, 1_000, Flaw::Padding)]);
}

#[test]
fn nothing_is_found_in_nothing() {
    assert_eq!(read(&[]), []);
}

#[test]
fn records_at_the_limits_are_read_and_one_past_them_are_not() {
    for length in [MIN_RECORD, MAX_RECORD] {
        assert_eq!(read(&record(&block(3, length))), [found(8, block(3, length))]);
    }
    let small = record(&block(3, MIN_RECORD - 1));
    assert_eq!(read(&small), [skipped(0, 87, Flaw::Undersized { announced: 79 })]);
    let large = record(&block(3, MAX_RECORD + 1));
    assert_eq!(read(&large), [skipped(0, 4_000_009, Flaw::Oversized { announced: 4_000_001 })]);
}

#[test]
fn a_length_field_alone_allocates_nothing() {
    let mut reader = Reader::new(io::Cursor::new(frame(4_000_000)), MAGIC);
    let event = reader.next().unwrap().unwrap();
    assert_eq!(event, skipped(0, 8, Flaw::Truncated { missing: 4_000_000 }));
    assert!(reader.buffer.capacity() <= 2 * CHUNK, "{}", reader.buffer.capacity());
}

#[test]
fn garbage_before_and_between_records_is_skipped_with_its_place() {
    let input = [b"hello".to_vec(), record(&block(1, 90)), b"\xfa\xbf".to_vec(), record(&block(2, 90))].concat();
    assert_eq!(
        read(&input),
        [
            skipped(0, 5, Flaw::Garbage),
            found(13, block(1, 90)),
            skipped(103, 2, Flaw::Garbage),
            found(113, block(2, 90))
        ]
    );
}

#[test]
fn a_truncated_record_hides_no_later_one() {
    let input = [frame(100_000), record(&block(1, 90)), MAGIC.to_vec()].concat();
    let events = read(&input);
    assert_eq!(events[..2], [skipped(0, 8, Flaw::Truncated { missing: 99_898 }), found(16, block(1, 90))]);
    assert_eq!(events[2], skipped(106, 4, Flaw::Truncated { missing: 84 }));
}

#[test]
fn a_damaged_length_costs_one_block() {
    let inner = record(&block(1, 90));
    let wrong = [frame(150), inner.clone(), block(7, 200)].concat();
    let mut reader = Reader::new(wrong.as_slice(), MAGIC);
    let Some(Ok(Event::Record { offset: 8, bytes })) = reader.next() else { panic!("swallowed by the first") };
    reader.reject(&bytes);
    let rest: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(rest, [found(16, block(1, 90)), skipped(106, 200, Flaw::Garbage)]);
}

#[test]
fn a_rejected_record_without_another_inside_is_skipped() {
    let input = [record(&block(1, 90)), record(&block(2, 90))].concat();
    let mut reader = Reader::new(input.as_slice(), MAGIC);
    let Some(Ok(Event::Record { bytes, .. })) = reader.next() else { panic!("a record") };
    reader.reject(&bytes);
    let rest: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(rest, [skipped(8, 90, Flaw::NotABlock), found(106, block(2, 90))]);
}

#[test]
fn records_within_records_are_not_read_for_ever() {
    let frames = frame(u32::try_from(MAX_RECORD).unwrap()).repeat(1_000);
    let input = [frames, block(7, MAX_RECORD), record(&block(1, 90))].concat();
    let mut reader = Reader::new(input.as_slice(), MAGIC);
    let (mut rejected, mut kept) = (0, Vec::new());
    while let Some(event) = reader.next() {
        match event.unwrap() {
            Event::Record { bytes, .. } if bytes.len() == MAX_RECORD => {
                rejected += 1;
                reader.reject(&bytes);
            }
            other @ (Event::Record { .. } | Event::Skipped { .. }) => kept.push(other),
        }
    }
    // 4 MB read and as many allowed beside them, 16 times over; the record that is one too many is not searched.
    assert_eq!(rejected, 2 * MAX_REREADS + 1);
    let start = u64::try_from(input.len() - 90).unwrap();
    assert_eq!(kept.last(), Some(&found(start, block(1, 90))), "what follows is found");
    let end = start - 8;
    assert!(matches!(kept[kept.len() - 2], Event::Skipped { offset, bytes, .. } if offset + bytes == end), "in order");
}

#[test]
fn an_error_of_the_input_ends_the_reading_after_what_was_read() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
    let input = record(&block(1, 90));
    let mut reader = Reader::new(input.as_slice().chain(Broken), MAGIC);
    assert_eq!(reader.next().unwrap().unwrap(), found(8, block(1, 90)));
    assert_eq!(reader.next().unwrap().unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    assert!(reader.next().is_none());
}

/// Gives a few bytes at a time.
struct Drip<'a>(&'a [u8], Random);

impl Read for Drip<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = self.1.below(7) + 1;
        let count = most.min(out.len()).min(self.0.len());
        let (now, later) = self.0.split_at(count);
        out[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

#[test]
fn any_mixture_is_covered_and_no_intact_record_is_lost() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let (mut input, mut intact) = (Vec::new(), Vec::new());
        for _ in 0..random.below(12) {
            match random.below(6) {
                0 => input.extend(vec![0; random.below(50)]),
                1 => input.extend((0..random.below(50)).map(|_| random.byte())),
                2 => input.extend(frame(u32::try_from(random.below(79)).unwrap())),
                3 => input.extend(frame(u32::MAX - u32::try_from(random.below(1_000)).unwrap())),
                _ => {
                    let payload = block(random.byte() & 0x7f, 80 + random.below(500));
                    input.extend(record(&payload));
                    intact.push(payload);
                }
            }
        }
        let events = read(&input);
        assert_covers(&input, &events);
        let records = |events: &[Event]| -> Vec<Vec<u8>> {
            let bytes = events.iter().filter_map(|event| match event {
                Event::Record { bytes, .. } => Some(bytes.clone()),
                Event::Skipped { .. } => None,
            });
            bytes.collect()
        };
        assert_eq!(records(&events), intact, "seed {seed}");
        let dripped: Vec<_> = Reader::new(Drip(&input, random), MAGIC).map(Result::unwrap).collect();
        assert_eq!(dripped, events, "seed {seed}");
    }
}
