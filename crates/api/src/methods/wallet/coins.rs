//! What the wallet has.

use std::collections::BTreeSet;

use bitcoin::hex::DisplayHex;
use bitcoin::{Amount, OutPoint, ScriptBuf};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use yap_wallet::{Unspent, Wallet};

use super::super::raw;
use super::super::types::Btc;
use super::{script, with};
use crate::error::{Code, Error};
use crate::method::{Context, Method, Methods};

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods
        .with::<GetBalance>()
        .with::<GetBalances>()
        .with::<GetUnconfirmedBalance>()
        .with::<ListUnspent>()
        .with::<LockUnspent>()
        .with::<ListLockUnspent>()
}

/// What can be spent.
#[derive(Debug, Deserialize, JsonSchema)]
struct GetBalance {
    /// `*`, or left out: there are no accounts any more.
    dummy: Option<String>,
    /// Confirmations that a coin has at least; with 0, change of own payments counts, too.
    #[serde(default)]
    minconf: u32,
    /// Has no effect: the wallet has the keys of all that it watches.
    #[serde(default)]
    #[expect(dead_code, reason = "it has a place among the parameters, and no effect in a wallet that has its keys")]
    include_watchonly: bool,
    /// Whether coins of used addresses are left out: this wallet can't.
    #[serde(default)]
    avoid_reuse: bool,
}

impl Method for GetBalance {
    known_as!("getbalance", Wallet, Cookie);
    type Reply = Btc;

    async fn call(self, context: Context) -> Result<Btc, Error> {
        if self.dummy.is_some_and(|dummy| dummy != "*" && !dummy.is_empty()) {
            let text = "dummy first argument must be excluded or set to \"*\".";
            return Err(Error::new(Code::Deprecated, text));
        }
        if self.avoid_reuse {
            let text = "wallet does not have the \"avoid reuse\" feature enabled";
            return Err(Error::new(Code::Wallet, text));
        }
        with(&context, move |wallet| {
            if self.minconf == 0 {
                return Ok(wallet.balance().trusted.into());
            }
            let tip = wallet.tip().0;
            let counts = |coin: &&Unspent| coin.safe && !coin.immature && coin.confirmations(tip) >= self.minconf;
            let coins = wallet.unspent();
            let sum = coins.iter().filter(counts).map(|coin| coin.amount);
            Ok(sum.fold(Amount::ZERO, |sum, amount| sum.checked_add(amount).unwrap_or(sum)).into())
        })
        .await
    }
}

/// What the wallet has, by what can be done with it.
#[derive(Debug, Deserialize, JsonSchema)]
struct GetBalances {}

/// What the wallet has.
#[derive(Debug, Serialize, JsonSchema)]
struct Balances {
    /// Of coins whose keys the wallet has.
    mine: Mine,
    /// The newest block that this is as of.
    lastprocessedblock: AsOf,
}

/// What the wallet has.
#[derive(Debug, Serialize, JsonSchema)]
struct Mine {
    /// What can be spent: confirmed, or change of own payments.
    trusted: Btc,
    /// Others' payments that are not confirmed.
    untrusted_pending: Btc,
    /// Rewards of blocks that are too young to be spent.
    immature: Btc,
}

/// A block.
#[derive(Debug, Serialize, JsonSchema)]
struct AsOf {
    /// Its hash.
    hash: String,
    /// Its height.
    height: u32,
}

impl Method for GetBalances {
    known_as!("getbalances", Wallet, Cookie);
    type Reply = Balances;

    async fn call(self, context: Context) -> Result<Balances, Error> {
        with(&context, |wallet| {
            let (balance, (height, hash)) = (wallet.balance(), wallet.tip());
            let mine = Mine {
                trusted: balance.trusted.into(),
                untrusted_pending: balance.pending.into(),
                immature: balance.immature.into(),
            };
            Ok(Balances { mine, lastprocessedblock: AsOf { hash: hash.to_string(), height } })
        })
        .await
    }
}

/// Others' payments that are not confirmed.
#[derive(Debug, Deserialize, JsonSchema)]
struct GetUnconfirmedBalance {}

impl Method for GetUnconfirmedBalance {
    known_as!("getunconfirmedbalance", Wallet, Cookie);
    type Reply = Btc;

    async fn call(self, context: Context) -> Result<Btc, Error> {
        with(&context, |wallet| Ok(wallet.balance().pending.into())).await
    }
}

const fn one() -> u32 {
    1
}

const fn many() -> u32 {
    9_999_999
}

const fn yes() -> bool {
    true
}

/// Coins that can be spent.
#[derive(Debug, Deserialize, JsonSchema)]
struct ListUnspent {
    /// Confirmations at least.
    #[serde(default = "one")]
    minconf: u32,
    /// Confirmations at most.
    #[serde(default = "many")]
    maxconf: u32,
    /// Coins of these addresses alone.
    #[serde(default)]
    addresses: Vec<String>,
    /// Whether coins of others' pending payments are listed.
    #[serde(default = "yes")]
    include_unsafe: bool,
    /// Which coins, by their amounts.
    #[serde(default)]
    query_options: Query,
}

/// Which coins are listed.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Query {
    /// Least amount of a coin.
    #[serde(rename = "minimumAmount")]
    minimum_amount: Option<Btc>,
    /// Largest amount of a coin.
    #[serde(rename = "maximumAmount")]
    maximum_amount: Option<Btc>,
    /// Most coins that are listed.
    #[serde(rename = "maximumCount")]
    maximum_count: Option<usize>,
    /// Coins are listed until their sum is this.
    #[serde(rename = "minimumSumAmount")]
    minimum_sum_amount: Option<Btc>,
    /// Whether coins are listed that are too young to be spent.
    #[serde(default)]
    include_immature_coinbase: bool,
}

/// A coin.
#[derive(Debug, Serialize, JsonSchema)]
struct Coin {
    /// Id of its transaction.
    txid: String,
    /// Its index among the outputs.
    vout: u32,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// The address's label.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// Its script.
    #[serde(rename = "scriptPubKey")]
    script: String,
    /// How much.
    amount: Btc,
    /// Confirmations; 0 while it waits for a block.
    confirmations: u32,
    /// Whether the wallet has its key.
    spendable: bool,
    /// Whether the wallet knows how to spend it.
    solvable: bool,
    /// Descriptor of its address's keychain.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_desc: Option<String>,
    /// Whether nobody else can take it back: it is confirmed, or change of an own payment.
    safe: bool,
}

impl Coin {
    fn of(wallet: &Wallet, coin: &Unspent, script: &ScriptBuf) -> Self {
        let info = wallet.describe(script);
        Self {
            txid: coin.outpoint.txid.to_string(),
            vout: coin.outpoint.vout,
            address: info.address,
            label: info.label,
            script: script.as_bytes().to_lower_hex_string(),
            amount: coin.amount.into(),
            confirmations: coin.confirmations(wallet.tip().0),
            spendable: true,
            solvable: true,
            parent_desc: info.parent_descriptor,
            safe: coin.safe,
        }
    }
}

/// The script of a coin.
fn script_of(wallet: &Wallet, outpoint: &OutPoint) -> Option<ScriptBuf> {
    let entry = wallet.transaction(&outpoint.txid)?;
    let output = entry.transaction.decoded().output.get(usize::try_from(outpoint.vout).ok()?)?;
    Some(output.script_pubkey.clone())
}

impl ListUnspent {
    fn wants(&self, coin: &Unspent, tip: u32) -> bool {
        let confirmations = coin.confirmations(tip);
        let amount = Btc::from(coin.amount);
        !coin.locked
            && (self.minconf..=self.maxconf).contains(&confirmations)
            && (self.include_unsafe || coin.safe)
            && (self.query_options.include_immature_coinbase || !coin.immature)
            && self.query_options.minimum_amount.is_none_or(|least| amount >= least)
            && self.query_options.maximum_amount.is_none_or(|most| amount <= most)
    }
}

impl Method for ListUnspent {
    known_as!("listunspent", Wallet, Cookie);
    const LARGE: bool = true;
    type Reply = Vec<Coin>;

    async fn call(self, context: Context) -> Result<Vec<Coin>, Error> {
        let mut only = BTreeSet::new();
        for address in &self.addresses {
            if !only.insert(script(address, context.backend.spec())?) {
                let text = format!("Invalid parameter, duplicated address: {address}");
                return Err(Error::new(Code::InvalidParameter, text));
            }
        }
        with(&context, move |wallet| {
            let tip = wallet.tip().0;
            let most = self.query_options.maximum_count.unwrap_or(usize::MAX);
            let enough = self.query_options.minimum_sum_amount.map(Btc::to_sat);
            let (mut told, mut sum) = (Vec::new(), 0_i64);
            for coin in wallet.unspent().iter().filter(|coin| self.wants(coin, tip)) {
                if told.len() >= most || enough.is_some_and(|enough| sum >= enough) {
                    break;
                }
                let Some(script) = script_of(wallet, &coin.outpoint) else { continue };
                if only.is_empty() || only.contains(&script) {
                    sum = sum.saturating_add(Btc::from(coin.amount).to_sat());
                    told.push(Coin::of(wallet, coin, &script));
                }
            }
            Ok(told)
        })
        .await
    }
}

/// Keeps coins from being chosen for payments, or lets them go.
#[derive(Debug, Deserialize, JsonSchema)]
struct LockUnspent {
    /// Whether they are let go.
    unlock: bool,
    /// The coins: objects of `txid` and `vout`. To let all go, leave it out.
    transactions: Option<Vec<Value>>,
    /// Has no effect: what is locked stays so when the node starts again.
    #[serde(default)]
    #[expect(dead_code, reason = "it has a place among the parameters, and the wallet forgets no lock")]
    persistent: bool,
}

impl LockUnspent {
    /// Whether a coin may be locked, or let go.
    fn check(wallet: &mut Wallet, outpoint: &OutPoint, unlock: bool) -> Result<(), Error> {
        let wrong = |text: &str| Err(Error::new(Code::InvalidParameter, text));
        if wallet.transaction(&outpoint.txid).is_none() {
            return wrong("Invalid parameter, unknown transaction");
        }
        let coins = wallet.unspent();
        let coin = coins.iter().find(|coin| coin.outpoint == *outpoint);
        match (coin.map(|coin| coin.locked), unlock) {
            (None, _) => wrong("Invalid parameter, expected unspent output"),
            (Some(false), true) => wrong("Invalid parameter, expected locked output"),
            (Some(true), false) => wrong("Invalid parameter, output already locked"),
            (Some(_), _) => Ok(()),
        }
    }
}

impl Method for LockUnspent {
    known_as!("lockunspent", Wallet, Cookie);
    type Reply = bool;

    async fn call(self, context: Context) -> Result<bool, Error> {
        let outpoints = self.transactions.map(|list| {
            let object = |value: &Value| {
                let object = value.as_object().map(raw::outpoint);
                object.unwrap_or_else(|| Err(Error::new(Code::Type, "a coin is not an object as expected")))
            };
            list.iter().map(object).collect::<Result<Vec<_>, _>>()
        });
        let outpoints = outpoints.transpose()?;
        with(&context, move |wallet| {
            match outpoints {
                Some(outpoints) => {
                    // All of them, or none.
                    for outpoint in &outpoints {
                        Self::check(wallet, outpoint, self.unlock)?;
                    }
                    for outpoint in outpoints {
                        if !wallet.lock_coin(outpoint, !self.unlock) && !self.unlock {
                            let text = "too many coins are locked, or one was named twice: let some go first";
                            return Err(Error::new(Code::Wallet, text));
                        }
                    }
                }
                None if self.unlock => {
                    for outpoint in wallet.locked_coins() {
                        let _ = wallet.lock_coin(outpoint, false);
                    }
                }
                None => {}
            }
            Ok(true)
        })
        .await
    }
}

/// Coins that are kept from being chosen for payments.
#[derive(Debug, Deserialize, JsonSchema)]
struct ListLockUnspent {}

/// A coin that is kept.
#[derive(Debug, Serialize, JsonSchema)]
struct Locked {
    /// Id of its transaction.
    txid: String,
    /// Its index among the outputs.
    vout: u32,
}

impl Method for ListLockUnspent {
    known_as!("listlockunspent", Wallet, Cookie);
    type Reply = Vec<Locked>;

    async fn call(self, context: Context) -> Result<Vec<Locked>, Error> {
        let locked = with(&context, |wallet| Ok(wallet.locked_coins())).await?;
        Ok(locked.into_iter().map(|at| Locked { txid: at.txid.to_string(), vout: at.vout }).collect())
    }
}
