//! Who says whether a signature is valid.

use super::Error;
use super::machine::Dialect;

/// Bytes of a Schnorr signature (BIP-0340).
const SCHNORR_SIZE: usize = 64;

/// An answer for each signature that a script asks about.
pub(super) trait Signatures {
    /// Whether `signature`, with its hash type behind it, is one of `key` over `code`.
    fn ecdsa(&self, signature: &[u8], key: &[u8], code: &[u8], dialect: Dialect) -> bool;

    /// Whether `signature`, which is not empty, is one of the taproot key (BIP-0341) or a key in a tapscript (BIP-0342).
    fn schnorr(&self, signature: &[u8]) -> Result<(), Error>;
}

/// Presumes every signature valid that is not empty, as the engine will find: see the module above.
#[derive(Clone, Copy, Debug)]
pub(super) struct Presumed {
    /// Outputs of the transaction.
    pub(super) outputs: usize,
    /// The input that is signed.
    pub(super) index: usize,
}

impl Signatures for Presumed {
    fn ecdsa(&self, signature: &[u8], _: &[u8], _: &[u8], _: Dialect) -> bool {
        !signature.is_empty()
    }

    fn schnorr(&self, signature: &[u8]) -> Result<(), Error> {
        // Consensus, but told by the form.
        match signature.get(SCHNORR_SIZE..) {
            Some([]) => Ok(()),
            // BIP-0341: one of the three, for all inputs or this one; 0 must be left out. SINGLE needs its output.
            Some([1 | 2 | 0x81 | 0x82]) => Ok(()),
            Some([3 | 0x83]) if self.index < self.outputs => Ok(()),
            Some([_]) => Err(Error::SchnorrSigHashtype),
            _ => Err(Error::SchnorrSigSize),
        }
    }
}
