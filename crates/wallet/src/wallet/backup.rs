//! A backup: one file from which the wallet comes back.
//!
//! ```text
//! "yap-wallet-backup 1\n" ‖ 0 ‖ wallet file             opened by the passphrase
//! "yap-wallet-backup 1\n" ‖ 1 ‖ key (32) ‖ wallet file  opened by whoever has it
//! ```
//!
//! The key is one of its own, made for the backup. Without a passphrase, a backup is as good as the money.

use std::sync::Arc;

use yap_chain::spec::Spec;
use zeroize::Zeroizing;

use super::Wallet;
use crate::entropy::{Entropy, bytes};
use crate::sealed::{Key, OpenError, Opener};
use crate::words::Words;

/// What a backup begins with.
pub const BACKUP_MAGIC: &[u8] = b"yap-wallet-backup 1\n";

/// Why a wallet does not come back from a backup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// It is something else.
    #[error("this is not a backup of a wallet")]
    NotABackup,
    /// It opens with its passphrase only.
    #[error("this backup has a passphrase: give it")]
    PassphraseNeeded,
    /// It does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It opens, and the words in it can't be read.
    #[error("the words in the backup can't be read")]
    Words,
}

impl Wallet {
    /// A backup. With a passphrase, that opens it; without one, the key that does is in it.
    pub fn backup(&mut self) -> Zeroizing<Vec<u8>> {
        let (records, _) = self.all_records();
        let key = Key::new(bytes(&mut self.entropy));
        let words = self.keys_words().map(Words::to_bytes);
        let secret = words.as_ref().map(|words| words.as_slice());
        let file = self.log.copy(&records, (&key, secret), &mut self.entropy);
        let mut backup = Zeroizing::new(BACKUP_MAGIC.to_vec());
        if self.is_protected() {
            backup.push(0);
        } else {
            backup.push(1);
            backup.extend_from_slice(key.as_slice());
        }
        backup.extend(file);
        backup
    }

    /// The wallet of a backup, which a new key file opens from now on. All of it is in
    /// [`take_changes`](Self::take_changes) then. More addresses are watched than were given.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn from_backup(
        spec: &Arc<Spec>,
        backup: &[u8],
        passphrase: Option<&str>,
        key_file: &Key,
        (entropy, now): (Entropy, u64),
    ) -> Result<Self, BackupError> {
        let rest = backup.strip_prefix(BACKUP_MAGIC).ok_or(BackupError::NotABackup)?;
        let (kind, rest) = rest.split_first().ok_or(BackupError::NotABackup)?;
        let opened = match kind {
            0 => {
                let passphrase = passphrase.ok_or(BackupError::PassphraseNeeded)?;
                Self::open(spec, rest, Opener::Passphrase(passphrase), entropy, now)?
            }
            1 => {
                let (key, file) = rest.split_first_chunk::<32>().ok_or(BackupError::NotABackup)?;
                Self::open(spec, file, Opener::KeyFile(&Key::new(*key)), entropy, now)?
            }
            _ => return Err(BackupError::NotABackup),
        };
        let mut wallet = opened.wallet;
        wallet.saved = true;
        wallet.look_far();
        wallet.rekey(key_file).map_err(|_| BackupError::Words)?;
        Ok(wallet)
    }
}
