//! Words, passphrase, lock: who can spend.

use std::sync::Arc;

use bitcoin::bip32::Xpriv;
use zeroize::Zeroizing;

use super::Wallet;
use crate::keychain::network;
use crate::sealed::{Key, MAX_PASSPHRASE};
use crate::words::Words;

/// Why keys can't be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The passphrase was not given, or its time is over.
    #[error("the wallet is locked: unlock it with its passphrase (`yap wallet unlock`, RPC `walletpassphrase`)")]
    Locked,
    /// The passphrase is wrong.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// There is no passphrase.
    #[error("the wallet has no passphrase: `yap wallet encrypt` (RPC `encryptwallet`) sets one")]
    Unprotected,
    /// There is a passphrase already.
    #[error("the wallet has a passphrase already: change it with the old one (RPC `walletpassphrasechange`)")]
    Protected,
    /// An empty passphrase protects nothing.
    #[error("the new passphrase is empty")]
    EmptyPassphrase,
    /// It is longer than [`MAX_PASSPHRASE`].
    #[error("the passphrase has {0} bytes; at most {MAX_PASSPHRASE} are taken")]
    LongPassphrase(usize),
}

/// The words, while they are at hand.
pub(super) struct Keys {
    words: Option<Words>,
    /// The master key, made of the words when it is first needed.
    master: Option<Master>,
    /// Unix time at which a protected wallet locks itself.
    until: Option<u64>,
}

/// A master key, which leaves no trace.
struct Master(Xpriv);

impl Drop for Master {
    fn drop(&mut self) {
        self.0.private_key.non_secure_erase();
    }
}

impl Keys {
    pub(super) fn new(words: Option<Words>) -> Self {
        Self { words, master: None, until: None }
    }

    /// Locks what was unlocked until now or earlier.
    pub(super) fn expire(&mut self, now: u64) {
        if self.until.is_some_and(|until| until <= now) {
            *self = Self::new(None);
        }
    }
}

impl Wallet {
    /// Whether the words are not at hand: nothing can be signed.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.keys.words.is_none()
    }

    /// Whether there is a passphrase.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.log.is_protected()
    }

    /// Unix time at which the wallet locks itself; `None` if it is locked, or has no passphrase.
    #[must_use]
    pub fn unlocked_until(&self) -> Option<u64> {
        self.keys.until
    }

    /// Opens the words with the passphrase, until that Unix time. Takes a fifth of a second, as Argon2 does.
    ///
    /// # Errors
    /// [`KeyError::Unprotected`], [`KeyError::WrongPassphrase`].
    pub fn unlock(&mut self, passphrase: &str, until: u64) -> Result<(), KeyError> {
        let words = self.open_words(passphrase)?;
        self.keys = Keys { words: Some(words), master: None, until: Some(until) };
        self.keys.expire(self.now);
        Ok(())
    }

    /// Forgets the words until the passphrase is given again.
    ///
    /// # Errors
    /// [`KeyError::Unprotected`]: nobody could open it again.
    pub fn lock(&mut self) -> Result<(), KeyError> {
        if !self.is_protected() {
            return Err(KeyError::Unprotected);
        }
        self.keys = Keys::new(None);
        Ok(())
    }

    /// Sets the passphrase of a wallet that has none, and locks it. The file is written anew; copies of it that were made
    /// before open without the passphrase.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn protect(&mut self, passphrase: &str) -> Result<(), KeyError> {
        if self.is_protected() {
            return Err(KeyError::Protected);
        }
        let words = self.keys.words.clone().ok_or(KeyError::Locked)?;
        self.seal_words(&words, passphrase)?;
        self.keys = Keys::new(None);
        Ok(())
    }

    /// Changes the passphrase; whether it is locked stays as it is.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn change_passphrase(&mut self, old: &str, new: &str) -> Result<(), KeyError> {
        let words = self.open_words(old)?;
        self.seal_words(&words, new)
    }

    /// The words. Whoever sees them can spend all; that they were seen counts as a backup ([`mark_saved`]).
    ///
    /// # Errors
    /// [`KeyError::Locked`].
    ///
    /// [`mark_saved`]: Self::mark_saved
    pub fn words(&self) -> Result<&Words, KeyError> {
        self.keys.words.as_ref().ok_or(KeyError::Locked)
    }

    /// Notes that the user has the words, or a backup.
    pub fn mark_saved(&mut self) {
        if !self.saved {
            self.saved = true;
            self.record.saved = Some(true);
        }
    }

    /// Whether the user has the words, or a backup.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        self.saved
    }

    /// From now on another key file opens the wallet: it comes from a backup. The file is written anew.
    ///
    /// # Errors
    /// [`KeyError::Locked`], if it has no passphrase and the words are not at hand.
    pub fn rekey(&mut self, key_file: &Key) -> Result<(), KeyError> {
        let secret = self.keys.words.as_ref().map(Words::to_bytes);
        if secret.is_none() && !self.is_protected() {
            return Err(KeyError::Locked);
        }
        self.log.rekey(key_file, secret.as_ref().map(|secret| secret.as_slice()), &mut self.entropy);
        self.rewrite = true;
        Ok(())
    }

    /// The words, if they are at hand.
    pub(super) fn keys_words(&self) -> Option<&Words> {
        self.keys.words.as_ref()
    }

    /// The master key.
    pub(super) fn master(&mut self) -> Result<Xpriv, KeyError> {
        let words = self.keys.words.as_ref().ok_or(KeyError::Locked)?;
        let network = network(self.is_bitcoin());
        Ok(self.keys.master.get_or_insert_with(|| Master(words.master(network))).0)
    }

    /// Whether the chain is Bitcoin's main chain, whose keys have numbers and letters of their own.
    pub(super) fn is_bitcoin(&self) -> bool {
        is_bitcoin(&self.spec)
    }

    fn open_words(&self, passphrase: &str) -> Result<Words, KeyError> {
        if !self.is_protected() {
            return Err(KeyError::Unprotected);
        }
        let secret: Zeroizing<Vec<u8>> = self.log.secret(passphrase).ok_or(KeyError::WrongPassphrase)?;
        Words::from_bytes(&secret).ok_or(KeyError::WrongPassphrase)
    }

    fn seal_words(&mut self, words: &Words, passphrase: &str) -> Result<(), KeyError> {
        if passphrase.is_empty() {
            return Err(KeyError::EmptyPassphrase);
        }
        let long = KeyError::LongPassphrase(passphrase.len());
        self.log.protect(passphrase, &words.to_bytes(), &mut self.entropy).ok_or(long)?;
        self.rewrite = true;
        Ok(())
    }
}

/// See [`Wallet::is_bitcoin`].
pub(super) fn is_bitcoin(spec: &Arc<yap_chain::spec::Spec>) -> bool {
    spec.name == "bitcoin"
}
