//! What addresses received.

use bitcoin::{Amount, Txid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_wallet::{AddressInfo, Wallet};

use super::super::types::Btc;
use super::entry::block;
use super::{script, with};
use crate::error::{Code, Error};
use crate::method::{Context, Method, Methods};

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods.with::<GetReceivedByAddress>().with::<ListReceivedByAddress>()
}

const fn one() -> u32 {
    1
}

/// What an address received in all.
#[derive(Debug, Deserialize, JsonSchema)]
struct GetReceivedByAddress {
    /// The address.
    address: String,
    /// Confirmations that count at least; 0 counts what waits for a block, too.
    #[serde(default = "one")]
    minconf: u32,
}

impl Method for GetReceivedByAddress {
    known_as!("getreceivedbyaddress", Wallet, Cookie);
    type Reply = Btc;

    async fn call(self, context: Context) -> Result<Btc, Error> {
        let script = script(&self.address, context.backend.spec())?;
        with(&context, move |wallet| {
            if !wallet.is_mine(&script) {
                return Err(Error::new(Code::Wallet, "Address not found in wallet"));
            }
            Ok(wallet.received(self.minconf).get(&script).map_or(Amount::ZERO, |(amount, _)| *amount).into())
        })
        .await
    }
}

/// What each address received.
#[derive(Debug, Deserialize, JsonSchema)]
struct ListReceivedByAddress {
    /// Confirmations that count at least; 0 counts what waits for a block, too.
    #[serde(default = "one")]
    minconf: u32,
    /// Whether addresses are listed that received nothing.
    #[serde(default)]
    include_empty: bool,
    /// Whether addresses are listed that are watched without their keys: there are none.
    #[serde(default)]
    #[expect(dead_code, reason = "it has a place among the parameters, and no effect in a wallet that has its keys")]
    include_watchonly: bool,
    /// This address alone.
    address_filter: Option<String>,
}

/// What an address received.
#[derive(Debug, Serialize, JsonSchema)]
struct Received {
    /// The address.
    address: String,
    /// What it received.
    amount: Btc,
    /// Confirmations of the newest payment.
    confirmations: u32,
    /// Its label.
    label: String,
    /// The payments.
    txids: Vec<String>,
}

impl Received {
    fn of(wallet: &Wallet, info: AddressInfo, received: Option<&(Amount, Vec<Txid>)>) -> Option<Self> {
        let none = (Amount::ZERO, Vec::new());
        let (amount, txids) = received.unwrap_or(&none);
        let entries = txids.iter().filter_map(|txid| wallet.transaction(txid));
        let confirmations = entries.map(|entry| block(&entry).map_or(0, |block| wallet.confirmations(&block)));
        Some(Self {
            address: info.address?,
            amount: (*amount).into(),
            confirmations: confirmations.min().unwrap_or(0),
            label: info.label.unwrap_or_default(),
            txids: txids.iter().map(Txid::to_string).collect(),
        })
    }
}

impl Method for ListReceivedByAddress {
    known_as!("listreceivedbyaddress", Wallet, Cookie);
    type Reply = Vec<Received>;

    async fn call(self, context: Context) -> Result<Vec<Received>, Error> {
        let only = self.address_filter.as_deref().map(|text| {
            let spec = context.backend.spec();
            script(text, spec).map_err(|_| Error::new(Code::Wallet, "address_filter parameter was invalid"))
        });
        let only = only.transpose()?;
        with(&context, move |wallet| {
            let received = wallet.received(self.minconf);
            let wanted = |info: &AddressInfo| {
                let change = info.place.is_some_and(|place| place.keychain.change);
                let shown = received.contains_key(&info.script) || (self.include_empty && !change);
                shown && only.as_ref().is_none_or(|only| *only == info.script)
            };
            let all = wallet.addresses().into_iter().filter(wanted);
            let told = all.filter_map(|info| {
                let amount = received.get(&info.script);
                Received::of(wallet, info, amount)
            });
            Ok(told.collect())
        })
        .await
    }
}
