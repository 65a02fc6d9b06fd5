//! How the wallet stands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_wallet::{LOOK_AHEAD, Wallet};

use super::super::types::Btc;
use super::with;
use crate::error::Error;
use crate::method::{Context, Method, Methods};

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods.with::<GetWalletInfo>()
}

/// How the wallet stands.
#[derive(Debug, Deserialize, JsonSchema)]
struct GetWalletInfo {}

/// How the wallet stands.
#[derive(Debug, Serialize, JsonSchema)]
struct WalletInfo {
    /// Its name: always empty.
    walletname: String,
    /// Version, as Bitcoin Core numbers wallets with descriptors.
    walletversion: u32,
    /// Format of its file.
    format: String,
    /// What can be spent.
    balance: Btc,
    /// Others' payments that are not confirmed.
    unconfirmed_balance: Btc,
    /// Rewards of blocks that are too young to be spent.
    immature_balance: Btc,
    /// Transactions that concern it.
    txcount: usize,
    /// Addresses that may be given without one being paid.
    keypoolsize: u32,
    /// Unix time at which it locks itself, 0 if it is locked; left out if it has no passphrase.
    #[serde(skip_serializing_if = "Option::is_none")]
    unlocked_until: Option<u64>,
    /// A fee rate that was set for all payments: there is none.
    paytxfee: Btc,
    /// Whether it has private keys.
    private_keys_enabled: bool,
    /// Whether coins of one address are spent together.
    avoid_reuse: bool,
    /// The rescan that is under way; `false` if there is none.
    #[serde(serialize_with = "or_false")]
    scanning: Option<Scanning>,
    /// Whether its addresses come from descriptors.
    descriptors: bool,
    /// What it is, in Bitcoin Core's words.
    flags: [&'static str; 2],
    /// Whether a device signs.
    external_signer: bool,
    /// Whether it has no keys yet.
    blank: bool,
    /// Unix time at which it was made.
    birthtime: u64,
    /// The newest block that it took in.
    lastprocessedblock: LastBlock,
    /// Whether the user has its words, or a backup.
    saved: bool,
}

/// A rescan.
#[derive(Debug, Serialize, JsonSchema)]
struct Scanning {
    /// Height that it has come to.
    height: u32,
    /// The same as a part of all blocks, from 0 to 1.
    progress: f64,
}

/// A block.
#[derive(Debug, Serialize, JsonSchema)]
struct LastBlock {
    /// Its hash.
    hash: String,
    /// Its height.
    height: u32,
}

impl WalletInfo {
    fn of(wallet: &mut Wallet) -> Self {
        let (height, hash) = wallet.tip();
        let balance = wallet.balance();
        let scanning = wallet
            .rescanning()
            .map(|(at, _)| Scanning { height: at, progress: f64::from(at) / f64::from(height.max(1)) });
        Self {
            walletname: String::new(),
            walletversion: 169_900,
            format: "yap".to_owned(),
            balance: balance.trusted.into(),
            unconfirmed_balance: balance.pending.into(),
            immature_balance: balance.immature.into(),
            txcount: wallet.transactions(),
            keypoolsize: LOOK_AHEAD,
            unlocked_until: wallet.is_protected().then(|| wallet.unlocked_until().unwrap_or(0)),
            paytxfee: Btc::default(),
            private_keys_enabled: true,
            avoid_reuse: false,
            scanning,
            descriptors: true,
            flags: ["key_origin_metadata", "descriptor_wallet"],
            external_signer: false,
            blank: false,
            birthtime: wallet.birthday().0,
            lastprocessedblock: LastBlock { hash: hash.to_string(), height },
            saved: wallet.is_saved(),
        }
    }
}

impl Method for GetWalletInfo {
    known_as!("getwalletinfo", Wallet, Cookie);
    type Reply = WalletInfo;

    async fn call(self, context: Context) -> Result<WalletInfo, Error> {
        with(&context, |wallet| Ok(WalletInfo::of(wallet))).await
    }
}

/// What there is, or `false`, as Bitcoin Core has it.
fn or_false<S: serde::Serializer>(what: &Option<Scanning>, serializer: S) -> Result<S::Ok, S::Error> {
    match what {
        Some(what) => what.serialize(serializer),
        None => serializer.serialize_bool(false),
    }
}
