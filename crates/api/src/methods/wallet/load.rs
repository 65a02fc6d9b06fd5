//! Which wallet there is: made, loaded and let go of while the node runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::with;
use crate::backend::WalletError;
use crate::error::{Code, Error};
use crate::method::{Context, Method, Methods};

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods
        .with::<ListWallets>()
        .with::<ListWalletDir>()
        .with::<LoadWallet>()
        .with::<CreateWallet>()
        .with::<UnloadWallet>()
}

/// Names of the wallets that are loaded: one, with an empty name, or none.
#[derive(Debug, Deserialize, JsonSchema)]
struct ListWallets {}

impl Method for ListWallets {
    known_as!("listwallets", Wallet, Cookie);
    type Reply = Vec<String>;

    async fn call(self, context: Context) -> Result<Vec<String>, Error> {
        match with(&context, |_| Ok(())).await {
            Ok(()) => Ok(vec![String::new()]),
            Err(error) if error.code == Code::WalletNotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// Lists the wallets that there are, loaded or not: one, with an empty name, or none.
#[derive(Debug, Deserialize, JsonSchema)]
struct ListWalletDir {}

/// The wallets that there are.
#[derive(Debug, Serialize, JsonSchema)]
struct WalletDir {
    /// Each.
    wallets: Vec<WalletName>,
}

/// A wallet.
#[derive(Debug, Serialize, JsonSchema)]
struct WalletName {
    /// Its name: always empty.
    name: String,
}

impl Method for ListWalletDir {
    known_as!("listwalletdir", Wallet, Cookie);
    type Reply = WalletDir;

    async fn call(self, context: Context) -> Result<WalletDir, Error> {
        let there = context.backend.has_wallet().await?;
        Ok(WalletDir { wallets: there.then(|| WalletName { name: String::new() }).into_iter().collect() })
    }
}

/// What is said of wallets with a name.
fn only_one(name: &str) -> Error {
    let text = format!("A node has one wallet, whose name is empty: there is no wallet \"{name}\"");
    Error::new(Code::WalletNotFound, text)
}

/// What is said of a wish that is kept in the configuration.
fn at_start(wish: Option<bool>) -> Result<(), Error> {
    match wish {
        None => Ok(()),
        Some(_) => {
            let text = "Whether the wallet is loaded when the node starts is said by the setting wallet.enabled, and not \
                        by load_on_startup";
            Err(Error::new(Code::InvalidParameter, text))
        }
    }
}

/// Why a wallet was not made, loaded or let go of.
fn refused(error: WalletError) -> Error {
    let (code, text) = match error {
        WalletError::Exists => (
            Code::WalletAlreadyExists,
            "Wallet file verification failed. The wallet exists already; loadwallet loads it.".to_owned(),
        ),
        WalletError::None => (
            Code::WalletNotFound,
            "Wallet file verification failed. Path does not exist: createwallet makes a wallet.".to_owned(),
        ),
        WalletError::Loaded => (Code::WalletAlreadyLoaded, "Wallet \"\" is already loaded.".to_owned()),
        WalletError::NotLoaded => (Code::WalletNotFound, "Requested wallet does not exist or is not loaded".to_owned()),
        WalletError::Failed(why) => (Code::Wallet, why),
    };
    Error::new(code, text)
}

/// A wallet that was made or loaded.
#[derive(Debug, Serialize, JsonSchema)]
struct Loaded {
    /// Its name: always empty.
    name: String,
    /// What the user should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
}

impl Loaded {
    fn with(warnings: Vec<&'static str>) -> Self {
        Self { name: String::new(), warnings }
    }
}

/// Loads the wallet, where the node was started without it (`--no-wallet`) or it was let go of.
#[derive(Debug, Deserialize, JsonSchema)]
struct LoadWallet {
    /// Its name: empty.
    filename: String,
    /// Left out: the setting `wallet.enabled` says whether it is loaded when the node starts.
    load_on_startup: Option<bool>,
}

impl Method for LoadWallet {
    known_as!("loadwallet", Wallet, Cookie);
    type Reply = Loaded;

    async fn call(self, context: Context) -> Result<Loaded, Error> {
        at_start(self.load_on_startup)?;
        if !self.filename.is_empty() {
            return Err(only_one(&self.filename));
        }
        context.backend.load_wallet().await?.map_err(refused)?;
        Ok(Loaded::with(Vec::new()))
    }
}

/// Makes a wallet with new words, and loads it, where there is none. A node has one, whose name is empty; for another, run
/// another node in a directory of its own.
#[derive(Deserialize, JsonSchema)]
struct CreateWallet {
    /// Its name: empty.
    wallet_name: String,
    /// Whether it has no private keys: this one has.
    #[serde(default)]
    disable_private_keys: bool,
    /// Whether it has no keys yet: this one has.
    #[serde(default)]
    blank: bool,
    /// A passphrase to lock it with.
    passphrase: Option<String>,
    /// Whether coins of used addresses are kept apart: this wallet can't.
    #[serde(default)]
    avoid_reuse: bool,
    /// Whether its addresses come from descriptors: always.
    descriptors: Option<bool>,
    /// Left out: the setting `wallet.enabled` says whether it is loaded when the node starts.
    load_on_startup: Option<bool>,
    /// Whether a device signs: this wallet signs by itself.
    #[serde(default)]
    external_signer: bool,
}

impl CreateWallet {
    fn check(&self) -> Result<(), Error> {
        at_start(self.load_on_startup)?;
        let refused = [
            (
                !self.wallet_name.is_empty(),
                "A node has one wallet, whose name is empty. For another one, run another node in \
                                            a directory of its own (`--data-dir`)",
            ),
            (self.disable_private_keys, "A wallet without private keys is not supported"),
            (self.blank, "A wallet without keys is not supported"),
            (self.avoid_reuse, "wallet does not have the \"avoid reuse\" feature"),
            (
                self.descriptors == Some(false),
                "descriptors argument must be set to \"true\"; it is no longer possible to \
                                               create a legacy wallet.",
            ),
            (self.external_signer, "Wallets that are signed for by a device are not supported"),
        ];
        let why = refused.into_iter().find_map(|(wrong, why)| wrong.then_some(why));
        why.map_or(Ok(()), |why| Err(Error::new(Code::Wallet, why)))
    }
}

impl Method for CreateWallet {
    known_as!("createwallet", Wallet, Cookie);
    type Reply = Loaded;

    async fn call(self, context: Context) -> Result<Loaded, Error> {
        self.check()?;
        context.backend.create_wallet().await?.map_err(refused)?;
        let mut warnings = Vec::new();
        match self.passphrase {
            Some(passphrase) if !passphrase.is_empty() => {
                with(&context, move |wallet| Ok(wallet.protect(&passphrase)?)).await?;
            }
            Some(_) => warnings.push("Empty string given as passphrase, wallet will not be encrypted."),
            None => {}
        }
        Ok(Loaded::with(warnings))
    }
}

/// Lets go of the wallet: it is written to disk, and hears of no payments until it is loaded again.
#[derive(Debug, Deserialize, JsonSchema)]
struct UnloadWallet {
    /// Its name: empty, or left out.
    wallet_name: Option<String>,
    /// Left out: the setting `wallet.enabled` says whether it is loaded when the node starts.
    load_on_startup: Option<bool>,
}

/// A wallet that was let go of.
#[derive(Debug, Serialize, JsonSchema)]
struct Unloaded {}

impl Method for UnloadWallet {
    known_as!("unloadwallet", Wallet, Cookie);
    type Reply = Unloaded;

    async fn call(self, context: Context) -> Result<Unloaded, Error> {
        at_start(self.load_on_startup)?;
        if let Some(name) = self.wallet_name.filter(|name| !name.is_empty()) {
            return Err(only_one(&name));
        }
        context.backend.unload_wallet().await?.map_err(refused)?;
        Ok(Unloaded {})
    }
}
