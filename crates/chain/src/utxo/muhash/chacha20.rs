//! The ChaCha20 keystream (RFC 8439) that stretches a hash to a number.

use super::number::SIZE;

/// Blocks of 64 bytes that fill a number; computed side by side, for the compiler to use vectors.
const BLOCKS: usize = SIZE / 64;

/// One word of the state, in every block.
type Lanes = [u32; BLOCKS];

/// "expand 32-byte k".
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// The first [`SIZE`] bytes of the keystream under `key`, with nonce and counter zero.
pub(super) fn keystream(key: &[u8; 32]) -> [u8; SIZE] {
    let mut initial = [[0; BLOCKS]; 16];
    let key = key.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
    for (lanes, word) in initial.iter_mut().zip(CONSTANTS.into_iter().chain(key)) {
        *lanes = [word; BLOCKS];
    }
    initial[12] = [0, 1, 2, 3, 4, 5];
    let mut state = initial;
    for _ in 0..10 {
        double_round(&mut state);
    }
    let mut bytes = [0; SIZE];
    for (block, bytes) in bytes.as_chunks_mut::<64>().0.iter_mut().enumerate() {
        for (bytes, (lanes, first)) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(state.iter().zip(&initial)) {
            let word = lanes.get(block).copied().unwrap_or(0).wrapping_add(first.get(block).copied().unwrap_or(0));
            *bytes = word.to_le_bytes();
        }
    }
    bytes
}

fn double_round(state: &mut [Lanes; 16]) {
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
fn quarter(a: &mut Lanes, b: &mut Lanes, c: &mut Lanes, d: &mut Lanes) {
    step::<16>(a, b, d);
    step::<12>(c, d, b);
    step::<8>(a, b, d);
    step::<7>(c, d, b);
}

/// `a ← a + b; d ← (d ⊕ a) ⋘ N`.
#[inline]
fn step<const N: u32>(a: &mut Lanes, b: &Lanes, d: &mut Lanes) {
    for ((a, b), d) in a.iter_mut().zip(b).zip(d) {
        *a = a.wrapping_add(*b);
        *d = (*d ^ *a).rotate_left(N);
    }
}
