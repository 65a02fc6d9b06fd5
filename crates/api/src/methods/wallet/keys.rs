//! Who can spend: words, passphrase, backup; and the descriptors of what is watched.

use std::io::Write;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_wallet::LOOK_AHEAD;

use super::{script, with};
use crate::error::{Code, Error};
use crate::method::{Context, Method, Methods};

/// Longest time for which a wallet is unlocked, in seconds: Bitcoin Core's, some three years.
const MAX_TIME: i64 = 100_000_000;

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods
        .with::<WalletPassphrase>()
        .with::<WalletLock>()
        .with::<WalletPassphraseChange>()
        .with::<EncryptWallet>()
        .with::<GetWalletWords>()
        .with::<BackupWallet>()
        .with::<ListDescriptors>()
        .with::<SignMessage>()
}

/// Unlocks the wallet for some time, so that it can pay.
#[derive(Deserialize, JsonSchema)]
struct WalletPassphrase {
    /// The passphrase.
    passphrase: String,
    /// Seconds until it locks itself.
    timeout: i64,
}

impl Method for WalletPassphrase {
    known_as!("walletpassphrase", Wallet, Cookie);
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        let seconds = u64::try_from(self.timeout.min(MAX_TIME))
            .map_err(|_| Error::new(Code::InvalidParameter, "Timeout cannot be negative."))?;
        with(&context, move |wallet| {
            if !wallet.is_protected() {
                let text = "Error: running with an unencrypted wallet, but walletpassphrase was called.";
                return Err(Error::new(Code::WrongEncryptionState, text));
            }
            let until = wallet.time().saturating_add(seconds);
            Ok(wallet.unlock(&self.passphrase, until)?)
        })
        .await
    }
}

/// Locks the wallet: nothing is paid until the passphrase is given again.
#[derive(Debug, Deserialize, JsonSchema)]
struct WalletLock {}

impl Method for WalletLock {
    known_as!("walletlock", Wallet, Cookie);
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        with(&context, |wallet| {
            let text = "Error: running with an unencrypted wallet, but walletlock was called.";
            wallet.lock().map_err(|_| Error::new(Code::WrongEncryptionState, text))
        })
        .await
    }
}

/// Changes the wallet's passphrase.
#[derive(Deserialize, JsonSchema)]
struct WalletPassphraseChange {
    /// The passphrase until now.
    oldpassphrase: String,
    /// The passphrase from now on.
    newpassphrase: String,
}

impl Method for WalletPassphraseChange {
    known_as!("walletpassphrasechange", Wallet, Cookie);
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        with(&context, move |wallet| {
            if !wallet.is_protected() {
                let text = "Error: running with an unencrypted wallet, but walletpassphrasechange was called.";
                return Err(Error::new(Code::WrongEncryptionState, text));
            }
            Ok(wallet.change_passphrase(&self.oldpassphrase, &self.newpassphrase)?)
        })
        .await
    }
}

/// Gives the wallet a passphrase, and locks it. Backups that were made before open without it.
#[derive(Deserialize, JsonSchema)]
struct EncryptWallet {
    /// The passphrase.
    passphrase: String,
}

impl Method for EncryptWallet {
    known_as!("encryptwallet", Wallet, Cookie);
    type Reply = String;

    async fn call(self, context: Context) -> Result<String, Error> {
        with(&context, move |wallet| {
            if wallet.is_protected() {
                let text = "Error: running with an encrypted wallet, but encryptwallet was called.";
                return Err(Error::new(Code::WrongEncryptionState, text));
            }
            wallet.protect(&self.passphrase)?;
            Ok("wallet encrypted; it is locked now: walletpassphrase unlocks it. Its words stay the same; backups that \
                were made before open without the passphrase"
                .to_owned())
        })
        .await
    }
}

/// The wallet's words: whoever has them can spend all. That they were shown counts as a backup.
#[derive(Debug, Deserialize, JsonSchema)]
struct GetWalletWords {}

/// The words.
#[derive(Serialize, JsonSchema)]
struct WalletWords {
    /// The words, parted by blanks (BIP-0039).
    words: String,
    /// The passphrase that belongs to the words; left out if there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    passphrase: String,
    /// Height of a block up to which nothing was paid to the wallet.
    birthheight: u32,
}

impl Method for GetWalletWords {
    known_as!("getwalletwords", Wallet, Cookie);
    type Reply = WalletWords;

    async fn call(self, context: Context) -> Result<WalletWords, Error> {
        with(&context, |wallet| {
            let birthheight = wallet.birthday().1;
            let words = wallet.words()?;
            let told = WalletWords {
                words: words.phrase().to_string(),
                passphrase: words.passphrase().to_owned(),
                birthheight,
            };
            wallet.mark_saved();
            Ok(told)
        })
        .await
    }
}

/// Writes a copy of the wallet to a file, which opens with the passphrase, or else with the wallet's key file.
#[derive(Debug, Deserialize, JsonSchema)]
struct BackupWallet {
    /// The file, or a directory in which it will be `wallet.backup`. No file is overwritten.
    destination: String,
}

impl Method for BackupWallet {
    known_as!("backupwallet", Wallet, Cookie);
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        let bytes = with(&context, |wallet| Ok(wallet.backup())).await?;
        let mut path = PathBuf::from(&self.destination);
        let written = tokio::task::spawn_blocking(move || {
            if path.is_dir() {
                path.push("wallet.backup");
            }
            let mut file = std::fs::File::create_new(&path)?;
            file.write_all(&bytes)?;
            file.sync_all()
        });
        let failed = |why: String| Error::new(Code::Wallet, format!("Error: Wallet backup failed! {why}"));
        written.await.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
        with(&context, |wallet| {
            wallet.mark_saved();
            Ok(())
        })
        .await
    }
}

/// The descriptors (BIP-0380) of the wallet's addresses, without private keys.
#[derive(Debug, Deserialize, JsonSchema)]
struct ListDescriptors {
    /// Whether private keys are shown: they never are; `getwalletwords` shows the words that they come from.
    #[serde(default)]
    private: bool,
}

/// The wallet's descriptors.
#[derive(Debug, Serialize, JsonSchema)]
struct Descriptors {
    /// Name of the wallet.
    wallet_name: String,
    /// Its descriptors.
    descriptors: Vec<Descriptor>,
}

/// A descriptor.
#[derive(Debug, Serialize, JsonSchema)]
struct Descriptor {
    /// It, with its checksum.
    desc: String,
    /// Unix time before which nothing was paid to it.
    timestamp: u64,
    /// Whether new addresses come from it.
    active: bool,
    /// Whether it is for change.
    internal: bool,
    /// First and last index that is watched.
    range: [u32; 2],
    /// Index of the next new address.
    next: u32,
    /// The same.
    next_index: u32,
}

impl Method for ListDescriptors {
    known_as!("listdescriptors", Wallet, Cookie);
    type Reply = Descriptors;

    async fn call(self, context: Context) -> Result<Descriptors, Error> {
        if self.private {
            let text = "Private descriptors are not shown: getwalletwords shows the words that all keys come from";
            return Err(Error::new(Code::Wallet, text));
        }
        with(&context, |wallet| {
            let timestamp = wallet.birthday().0;
            let told = wallet.descriptors().into_iter().map(|(keychain, desc, next)| Descriptor {
                desc,
                timestamp,
                active: true,
                internal: keychain.change,
                range: [0, next.saturating_add(LOOK_AHEAD).saturating_sub(1)],
                next,
                next_index: next,
            });
            Ok(Descriptors { wallet_name: String::new(), descriptors: told.collect() })
        })
        .await
    }
}

/// Signs a message with the key of an address of the wallet, so that whoever knows the address can verify it
/// (`verifymessage`).
#[derive(Debug, Deserialize, JsonSchema)]
struct SignMessage {
    /// The address, of type `legacy` (P2PKH).
    address: String,
    /// The message.
    message: String,
}

impl Method for SignMessage {
    known_as!("signmessage", Wallet, Cookie);
    type Reply = String;

    async fn call(self, context: Context) -> Result<String, Error> {
        let script = script(&self.address, context.backend.spec())?;
        if !script.is_p2pkh() {
            return Err(Error::new(Code::Type, "Address does not refer to key"));
        }
        with(&context, move |wallet| {
            let signature = wallet.sign_message(&script, &self.message)?;
            let text = "Private key for address is not available: it is not the wallet's";
            signature.map(|signature| signature.to_base64()).ok_or_else(|| Error::new(Code::Wallet, text))
        })
        .await
    }
}
