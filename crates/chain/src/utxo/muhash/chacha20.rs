//! The ChaCha20 keystream (RFC 8439) that stretches a hash to a number.

use super::number::SIZE;

/// "expand 32-byte k".
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// The first [`SIZE`] bytes of the keystream under `key`, with nonce and counter zero.
pub(super) fn keystream(key: &[u8; 32]) -> [u8; SIZE] {
    let mut initial = [0; 16];
    let key = key.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
    for (word, value) in initial.iter_mut().zip(CONSTANTS.into_iter().chain(key)) {
        *word = value;
    }
    let mut stream = [0; SIZE];
    for (counter, bytes) in (0..).zip(stream.as_chunks_mut::<64>().0) {
        initial[12] = counter;
        for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(block(&initial)) {
            *bytes = word.to_le_bytes();
        }
    }
    stream
}

fn block(initial: &[u32; 16]) -> [u32; 16] {
    let mut state = *initial;
    for _ in 0..10 {
        double_round(&mut state);
    }
    for (word, first) in state.iter_mut().zip(initial) {
        *word = word.wrapping_add(*first);
    }
    state
}

#[inline]
fn double_round(state: &mut [u32; 16]) {
    let [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15] = state;
    quarter(s0, s4, s8, s12);
    quarter(s1, s5, s9, s13);
    quarter(s2, s6, s10, s14);
    quarter(s3, s7, s11, s15);
    quarter(s0, s5, s10, s15);
    quarter(s1, s6, s11, s12);
    quarter(s2, s7, s8, s13);
    quarter(s3, s4, s9, s14);
}

#[inline]
fn quarter(a: &mut u32, b: &mut u32, c: &mut u32, d: &mut u32) {
    step::<16>(a, *b, d);
    step::<12>(c, *d, b);
    step::<8>(a, *b, d);
    step::<7>(c, *d, b);
}

/// `a ← a + b; d ← (d ⊕ a) ⋘ N`.
#[inline]
fn step<const N: u32>(a: &mut u32, b: u32, d: &mut u32) {
    *a = a.wrapping_add(b);
    *d = (*d ^ *a).rotate_left(N);
}
