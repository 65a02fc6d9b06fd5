//! Damage to bytes, as a bad disk or a bad peer does it.

use crate::random::Random;

/// Changes made to one input, at most.
const MOST_CHANGES: u64 = 4;

/// One of the samples, changed in one to four places, at random.
///
/// Changes are flipped bits, other bytes, lengths that claim too much, cut ends, and parts of this or another sample
/// moved, repeated or taken away.
#[must_use]
pub fn mutated(samples: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = random.pick(samples).cloned().unwrap_or_default();
    for _ in 0..=random.below(MOST_CHANGES) {
        change(&mut bytes, samples, random);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, samples: &[Vec<u8>], random: &mut Random) {
    if bytes.is_empty() {
        bytes.extend(random.bytes::<4>());
    }
    let at = random.index(bytes.len());
    match random.below(8) {
        0 | 1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes[at] = random.bytes::<1>()[0],
        3 => inflate(bytes, at, random),
        4 => bytes.truncate(at),
        5 => {
            let other = random.pick(samples).cloned().unwrap_or_default();
            let part = part(&other, random);
            let end = (at + part.len()).min(bytes.len());
            bytes.splice(at..end, part);
        }
        6 => {
            let part = part(bytes, random);
            bytes.splice(at..at, part);
        }
        _ => {
            let end = at + random.index(bytes.len() - at) + 1;
            bytes.drain(at..end);
        }
    }
}

/// Puts a length that claims much where some length may stand.
fn inflate(bytes: &mut Vec<u8>, at: usize, random: &mut Random) {
    let huge: [&[u8]; 6] = [
        &[0xfc],
        &[0xfd, 0xff, 0xff],
        &[0xfe, 0xff, 0xff, 0xff, 0x7f],
        &[0xff; 9],
        &[0x8e, 0xfe, 0xfe, 0xfe, 0x7f],
        &[0x80, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0x7f],
    ];
    let huge = *random.pick(&huge).expect("there are six");
    bytes.splice(at..=at, huge.iter().copied());
}

/// Up to 64 bytes from anywhere.
fn part(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let rest = &bytes[random.index(bytes.len())..];
    rest[..random.index(rest.len().min(64)) + 1].to_vec()
}
