//! One unspent transaction output.
//!
//! Millions of these sit in the UTXO cache, so a coin keeps its script inside itself when the script is one of the
//! usual short ones. Not its job: the byte format on disk (`coin::codec`).

pub mod codec;

use bitcoin::{Amount, Script};

/// Longest script that a [`Coin`] holds without an allocation. Every standard output script but bare multisig is
/// shorter (P2TR and P2WSH: 34 bytes); with it a coin takes 56 bytes.
pub const INLINE_SCRIPT: usize = 37;

/// An unspent output and where it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coin {
    /// What it is worth.
    pub value: Amount,
    /// Height of the block that made it.
    pub height: u32,
    /// Whether a coinbase made it, so that it matures before it may be spent.
    pub coinbase: bool,
    script: Bytes,
}

#[derive(Clone, PartialEq, Eq)]
enum Bytes {
    Inline { len: u8, data: [u8; INLINE_SCRIPT] },
    Heap(Box<[u8]>),
}

impl Coin {
    /// A coin with the given script.
    #[must_use]
    pub fn new(value: Amount, script: &Script, height: u32, coinbase: bool) -> Self {
        Self { value, height, coinbase, script: Bytes::new(script.as_bytes()) }
    }

    /// The script that whoever spends the coin must satisfy.
    #[must_use]
    pub fn script(&self) -> &Script {
        Script::from_bytes(self.script.as_slice())
    }

    /// Bytes on the heap, for caches that keep a limit on memory.
    #[must_use]
    pub fn heap_size(&self) -> usize {
        match &self.script {
            Bytes::Inline { .. } => 0,
            Bytes::Heap(script) => script.len(),
        }
    }
}

impl Bytes {
    fn new(script: &[u8]) -> Self {
        let mut data = [0; INLINE_SCRIPT];
        match (data.get_mut(..script.len()), u8::try_from(script.len())) {
            (Some(head), Ok(len)) => {
                head.copy_from_slice(script);
                Self::Inline { len, data }
            }
            _ => Self::Heap(script.into()),
        }
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline { len, data } => data.get(..usize::from(*len)).unwrap_or_default(),
            Self::Heap(script) => script,
        }
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", Script::from_bytes(self.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_around_the_inline_limit_come_back_whole() {
        for len in [0, 1, INLINE_SCRIPT - 1, INLINE_SCRIPT, INLINE_SCRIPT + 1, 255, 256, 10_000] {
            let script: Vec<u8> = (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let coin = Coin::new(Amount::ONE_SAT, Script::from_bytes(&script), 7, true);
            assert_eq!(coin.script().as_bytes(), script);
            assert_eq!(coin.heap_size(), if len > INLINE_SCRIPT { len } else { 0 });
        }
    }

    #[test]
    fn a_coin_stays_small() {
        assert!(size_of::<Coin>() <= 56, "{}", size_of::<Coin>());
    }
}
