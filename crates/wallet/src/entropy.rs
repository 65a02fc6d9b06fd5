//! Randomness, as it comes in from whoever has some.

use bitcoin::secp256k1::rand::{Error, RngCore};

/// Fills a buffer with bytes that nobody can guess. Keys, salts and nonces are made of them.
pub type Entropy = Box<dyn FnMut(&mut [u8]) + Send>;

/// [`Entropy`] in the form that coin selection takes.
pub(crate) struct Draw<'a>(pub(crate) &'a mut Entropy);

impl RngCore for Draw<'_> {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(bytes(self.0))
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(bytes(self.0))
    }

    fn fill_bytes(&mut self, buffer: &mut [u8]) {
        (self.0)(buffer);
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        (self.0)(buffer);
        Ok(())
    }
}

/// So many random bytes.
pub(crate) fn bytes<const N: usize>(entropy: &mut Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy(&mut bytes);
    bytes
}
