//! The words that a wallet is made of (BIP-0039): whoever has them has the money.

use std::fmt;

use bip39::{Language, Mnemonic};
use bitcoin::NetworkKind;
use bitcoin::bip32::Xpriv;
use zeroize::Zeroizing;

/// How many words a new wallet has: 128 bits.
pub const NEW_WORDS: usize = 12;

/// Longest passphrase that words may have, in bytes.
const MAX_PASSPHRASE: usize = 1_024;

/// English words of BIP-0039, and the passphrase that may belong to them.
#[derive(Clone, PartialEq, Eq)]
pub struct Words {
    /// The bits that the words stand for; 16 to 32 bytes.
    entropy: Zeroizing<Vec<u8>>,
    /// BIP-0039: the passphrase, without which the same words make another wallet; mostly empty.
    passphrase: Zeroizing<String>,
}

impl fmt::Debug for Words {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Words(…)")
    }
}

/// Why text is not the words of a wallet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Neither 12, 15, 18, 21 nor 24.
    #[error("{0} words: a wallet has 12, 15, 18, 21 or 24")]
    Count(usize),
    /// A word that is not on BIP-0039's list.
    #[error("word {} is not on the list of BIP-0039: check how it is spelt", place.saturating_add(1))]
    Unknown {
        /// Which word, from 0.
        place: usize,
    },
    /// All words are known, but not together.
    #[error("these words don't belong together: one of them is wrong, or two have changed places (checksum)")]
    Checksum,
    /// The passphrase is longer than is taken.
    #[error("the passphrase of the words has {0} bytes; at most {MAX_PASSPHRASE} are taken")]
    Passphrase(usize),
}

impl Words {
    /// [`NEW_WORDS`] words made of random bits.
    #[must_use]
    pub fn from_entropy(entropy: [u8; 16]) -> Self {
        Self { entropy: Zeroizing::new(entropy.to_vec()), passphrase: Zeroizing::new(String::new()) }
    }

    /// Reads words, parted by white space, in any case.
    ///
    /// # Errors
    /// [`Error`].
    pub fn parse(text: &str, passphrase: &str) -> Result<Self, Error> {
        if passphrase.len() > MAX_PASSPHRASE {
            return Err(Error::Passphrase(passphrase.len()));
        }
        let words: Vec<&str> = text.split_whitespace().take(25).collect();
        if !matches!(words.len(), 12 | 15 | 18 | 21 | 24) {
            return Err(Error::Count(text.split_whitespace().count()));
        }
        let text = Zeroizing::new(words.join(" ").to_lowercase());
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, &text).map_err(|error| {
            if let bip39::Error::UnknownWord(place) = error { Error::Unknown { place } } else { Error::Checksum }
        })?;
        let entropy = Zeroizing::new(mnemonic.to_entropy());
        Ok(Self { entropy, passphrase: Zeroizing::new(passphrase.to_owned()) })
    }

    /// The words, parted by blanks. Whoever reads them can spend all.
    #[must_use]
    pub fn phrase(&self) -> Zeroizing<String> {
        Zeroizing::new(self.mnemonic().to_string())
    }

    /// The passphrase that belongs to the words; empty if there is none.
    #[must_use]
    pub fn passphrase(&self) -> &str {
        &self.passphrase
    }

    /// The key from which all others come (BIP-0032).
    pub(crate) fn master(&self, network: NetworkKind) -> Xpriv {
        let seed = Zeroizing::new(self.mnemonic().to_seed(self.passphrase.as_str()));
        Xpriv::new_master(network, seed.as_slice()).expect("one seed in 2^127 has no key")
    }

    /// The bytes in which a wallet file keeps them (sealed): length of the entropy, entropy, passphrase.
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let length = u8::try_from(self.entropy.len()).expect("at most 32 bytes");
        Zeroizing::new([&[length], self.entropy.as_slice(), self.passphrase.as_bytes()].concat())
    }

    /// Takes back [`to_bytes`](Self::to_bytes).
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first()?;
        let (entropy, passphrase) = rest.split_at_checked(usize::from(*length))?;
        Mnemonic::from_entropy(entropy).ok()?;
        let passphrase = std::str::from_utf8(passphrase).ok()?.to_owned();
        Some(Self { entropy: Zeroizing::new(entropy.to_vec()), passphrase: Zeroizing::new(passphrase) })
    }

    fn mnemonic(&self) -> Mnemonic {
        Mnemonic::from_entropy(&self.entropy).expect("it was made of words, or has 16 bytes")
    }
}
