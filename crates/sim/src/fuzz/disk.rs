//! What must hold of the bytes in files: the framing of blocks, and the rows of tables.

use std::io::{self, Read};

use yap_store::framing::{CHUNK, Event, FRAME, MAX_RECORD, MAX_REREADS, MIN_RECORD, Reader};
use yap_store::rows;

use super::Outcome;
use super::samples::MAGIC;

/// Records and what lies between them cover the input, in order, whichever records are rejected, and however the input
/// is cut into reads. Rejected ones do not add up to more than some passes over the input.
pub fn framing(data: &[u8]) -> Outcome {
    let judges: [fn(&[u8]) -> bool; 3] = [|_| false, |_| true, |record| record[0] & 1 == 1];
    for rejected in judges {
        let events = events(data, rejected);
        check_cover(data, &events, rejected);
        for most in [1 + data.len() % 7, 79, CHUNK + 1] {
            let pieces = Pieces { rest: data, most };
            assert_eq!(self::events(pieces, rejected), events, "at most {most} bytes a read");
        }
    }
    let record = events(data, judges[0]).iter().any(|event| matches!(event, Event::Record { .. }));
    if record { Outcome::Held } else { Outcome::Refused }
}

/// What is found in `input` when some of the records are rejected.
fn events(input: impl Read, rejected: fn(&[u8]) -> bool) -> Vec<Event> {
    let mut reader = Reader::new(input, MAGIC);
    let mut events = Vec::new();
    while let Some(event) = reader.next() {
        let event = event.expect("memory can be read");
        if let Event::Record { bytes, .. } = &event
            && rejected(bytes)
        {
            reader.reject(bytes);
        }
        events.push(event);
    }
    assert!(reader.next().is_none(), "the end is the end");
    events
}

/// Every byte is in one event. Of a rejected record that is the frame; what follows is looked at again.
fn check_cover(input: &[u8], events: &[Event], rejected: fn(&[u8]) -> bool) {
    let (mut at, mut searched) = (0, 0);
    for event in events {
        match event {
            Event::Record { offset, bytes } => {
                let start = at + FRAME;
                assert_eq!(*offset, start as u64);
                assert!((MIN_RECORD..=MAX_RECORD).contains(&bytes.len()));
                assert_eq!(input[at..start], yap_store::framing::frame(MAGIC, bytes.len()));
                assert_eq!(input[start..start + bytes.len()], *bytes);
                at = if rejected(bytes) { start } else { start + bytes.len() };
                searched += if rejected(bytes) { bytes.len() } else { 0 };
            }
            Event::Skipped { offset, bytes, .. } => {
                assert_eq!(*offset, at as u64);
                assert!(*bytes > 0, "an event without bytes is none");
                at += *bytes as usize;
            }
        }
    }
    assert_eq!(at, input.len());
    let most = (input.len() + MAX_RECORD) * MAX_REREADS as usize;
    assert!(searched <= most + input.len(), "a record that is one too many is not searched");
}

/// Gives at most so many bytes a read.
struct Pieces<'a> {
    rest: &'a [u8],
    most: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.most.min(out.len());
        self.rest.read(&mut out[..count])
    }
}

/// A row that a store takes is the very one that it would write; but a coin may be written longer than need be.
///
/// The first byte is the length of the key, which follows; the rest is the row.
pub fn row(data: &[u8]) -> Outcome {
    let Some((&length, rest)) = data.split_first() else { return Outcome::Refused };
    let Some((key, row)) = rest.split_at_checked(usize::from(length)) else { return Outcome::Refused };
    let Ok(rewritten) = rows::rewritten(key, row) else { return Outcome::Refused };
    assert_eq!(rewritten.0, key);
    if key[0] == b'C' {
        assert!(rewritten.1.len() <= row.len());
        assert_eq!(rows::rewritten(key, &rewritten.1).ok(), Some(rewritten));
    } else {
        assert_eq!(rewritten.1, row);
    }
    Outcome::Held
}
