//! Nonces tried one after another, on one thread.
//!
//! A header is hashed twice, and its first hash takes two blocks of SHA-256. The first block ends before the last four bytes
//! of the Merkle root, so its state is computed once for each extra nonce; what is left are two compressions a nonce.
//! Processors with instructions for SHA-256 do them with these.
//!
//! ```text
//! nonces run out ─▶ next extra nonce: another coinbase, another Merkle root
//! a second later ─▶ another time in the header (`set_time`), at no cost
//! ```
//!
//! A draft that is signed has one header: then the lanes share out its nonces, and a search may come to its end.

use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Target};
use sha2::block_api::compress256;
use yap_chain::block::Draft;

/// Initial state of SHA-256 (FIPS 180-4).
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Where a header's time and nonce are in the second block.
const TIME: std::ops::Range<usize> = 4..8;
const NONCE: std::ops::Range<usize> = 12..16;

/// Nonces that are tried for some extra nonces: the first one, and each `lanes` further. So threads share out the work
/// without talking to each other.
#[derive(Clone, Debug)]
pub(super) struct Search {
    draft: Arc<Draft>,
    target: Target,
    /// The four bytes of the target that count most.
    top: u32,
    lanes: u64,
    /// From one nonce to the next: the lanes, if they share the nonces.
    step: u32,
    extra: u64,
    time: u32,
    /// State after the header's first 64 bytes.
    midstate: [u32; 8],
    /// The rest of the header, padded.
    second: [u8; 64],
    /// The first hash, padded.
    outer: [u8; 64],
    /// The nonce that comes next; none once all were tried.
    next: Option<u32>,
    last: u32,
}

/// What makes a draft a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) extra: u64,
    pub(super) time: u32,
    pub(super) nonce: u32,
}

impl Search {
    /// Of lane number `lane`, with nonces up to `last` before the extra nonce changes. `target` is what the draft's bits
    /// stand for.
    pub(super) fn new(draft: Arc<Draft>, target: Target, (lane, lanes): (u64, u64), last: u32) -> Self {
        let [a, b, c, d, ..] = target.to_be_bytes();
        let time = draft.header(lane).time;
        let (first, step) = if draft.is_signed() { (u32::try_from(lane).ok(), lanes) } else { (Some(0), 1) };
        let mut search = Self {
            step: u32::try_from(step).unwrap_or(u32::MAX).max(1),
            draft,
            target,
            top: u32::from_be_bytes([a, b, c, d]),
            lanes: lanes.max(1),
            extra: lane,
            time,
            midstate: START,
            second: padded(640),
            outer: padded(256),
            next: first.filter(|first| *first <= last),
            last,
        };
        search.prepare();
        search
    }

    /// The time that blocks claim from now on.
    pub(super) fn set_time(&mut self, time: u32) {
        self.time = time;
        write(&mut self.second, TIME, time.to_le_bytes());
    }

    /// Whether there is nothing left to try: all nonces of a signed draft were.
    pub(super) fn is_spent(&self) -> bool {
        self.next.is_none() && self.draft.is_signed()
    }

    /// Tries `count` nonces, or fewer if one is found or none are left; gives how many.
    pub(super) fn run(&mut self, count: u32) -> (u32, Option<Found>) {
        for tried in 1..=count {
            let nonce = match self.next {
                Some(nonce) => nonce,
                None if self.is_spent() => return (tried.saturating_sub(1), None),
                None => self.roll(),
            };
            self.next = nonce.checked_add(self.step).filter(|next| *next <= self.last);
            write(&mut self.second, NONCE, nonce.to_le_bytes());
            if self.is_met() {
                return (tried, Some(Found { extra: self.extra, time: self.time, nonce }));
            }
        }
        (count, None)
    }

    /// Goes on to the lane's next extra nonce; gives the first nonce.
    fn roll(&mut self) -> u32 {
        self.extra = self.extra.wrapping_add(self.lanes);
        self.prepare();
        0
    }

    fn prepare(&mut self) {
        let header = serialize(&Header { time: self.time, ..self.draft.header(self.extra) });
        if let Some((first, rest)) = header.split_first_chunk::<64>() {
            self.midstate = START;
            compress256(&mut self.midstate, &[*first]);
            self.second.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
        }
    }

    #[inline]
    fn is_met(&mut self) -> bool {
        let mut state = self.midstate;
        compress256(&mut state, &[self.second]);
        for (place, word) in self.outer.chunks_exact_mut(4).zip(state) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        let mut state = START;
        compress256(&mut state, &[self.outer]);
        let [.., last] = state;
        // A hash is a little-endian number, and its words are big-endian.
        last.swap_bytes() <= self.top && self.target.is_met_by(hash(state))
    }
}

#[cold]
fn hash(state: [u32; 8]) -> BlockHash {
    let mut bytes = [0; 32];
    for (place, word) in bytes.chunks_exact_mut(4).zip(state) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    BlockHash::from_byte_array(bytes)
}

/// The last block of a message of so many bits, without what the message has in it.
fn padded(bits: u16) -> [u8; 64] {
    let mut block = [0; 64];
    let end = usize::from(bits / 8 % 64);
    block.iter_mut().skip(end).take(1).for_each(|byte| *byte = 0x80);
    block.iter_mut().skip(62).zip(bits.to_be_bytes()).for_each(|(place, byte)| *place = byte);
    block
}

fn write(block: &mut [u8; 64], at: std::ops::Range<usize>, bytes: [u8; 4]) {
    if let Some(place) = block.get_mut(at) {
        place.copy_from_slice(&bytes);
    }
}

#[cfg(test)]
mod tests;
