//! Addresses and labels.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::hex::DisplayHex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_wallet::{AddressInfo, Kind, Wallet};

use super::super::describe::with_checksum;
use super::{script, with};
use crate::error::{Code, Error};
use crate::method::{Context, Method, Methods};

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods
        .with::<GetNewAddress>()
        .with::<GetRawChangeAddress>()
        .with::<GetAddressInfo>()
        .with::<SetLabel>()
        .with::<ListLabels>()
        .with::<GetAddressesByLabel>()
}

/// The kind of address that is given where none is named. It is Bitcoin Core's, because there are clients that read
/// no newer one.
const DEFAULT: &str = "bech32";

/// The kind of address that a name stands for.
pub(super) fn kind(name: &str) -> Result<Kind, Error> {
    match name {
        "bech32m" => Ok(Kind::Taproot),
        "bech32" => Ok(Kind::Segwit),
        "legacy" => Ok(Kind::Legacy),
        "p2sh-segwit" => Err(Error::new(Code::Wallet, "Error: No p2sh-segwit addresses available.")),
        other => Err(Error::new(Code::NotFound, format!("Unknown address type '{other}'"))),
    }
}

/// An address's text. Every script of the wallet has one.
fn text(info: AddressInfo) -> Result<String, Error> {
    info.address.ok_or_else(|| Error::new(Code::Internal, "the wallet's script has no address"))
}

/// A new address to be paid at.
#[derive(Debug, Deserialize, JsonSchema)]
struct GetNewAddress {
    /// Its label.
    #[serde(default)]
    label: String,
    /// `bech32` (as if left out), `bech32m` (taproot) or `legacy`.
    address_type: Option<String>,
}

impl Method for GetNewAddress {
    known_as!("getnewaddress", Wallet, Cookie);
    type Reply = String;

    async fn call(self, context: Context) -> Result<String, Error> {
        if self.label == "*" {
            return Err(Error::new(Code::InvalidLabel, "Invalid label name"));
        }
        let kind = kind(self.address_type.as_deref().unwrap_or(DEFAULT))?;
        with(&context, move |wallet| {
            let info = wallet.new_address(kind)?;
            if !self.label.is_empty() {
                wallet.set_label(&info.script, &self.label)?;
            }
            text(info)
        })
        .await
    }
}

/// A new address for change, for transactions that are made by hand.
#[derive(Debug, Deserialize, JsonSchema)]
struct GetRawChangeAddress {
    /// `bech32` (as if left out), `bech32m` (taproot) or `legacy`.
    address_type: Option<String>,
}

impl Method for GetRawChangeAddress {
    known_as!("getrawchangeaddress", Wallet, Cookie);
    type Reply = String;

    async fn call(self, context: Context) -> Result<String, Error> {
        let kind = kind(self.address_type.as_deref().unwrap_or(DEFAULT))?;
        with(&context, move |wallet| text(wallet.new_change_address(kind)?)).await
    }
}

/// What the wallet knows of an address.
#[derive(Debug, Deserialize, JsonSchema)]
struct GetAddressInfo {
    /// The address.
    address: String,
}

/// What is known of an address.
#[derive(Debug, Serialize, JsonSchema)]
struct AddressTold {
    /// The address.
    address: String,
    /// Its script.
    #[serde(rename = "scriptPubKey")]
    script: String,
    /// Whether it is the wallet's.
    ismine: bool,
    /// Whether the wallet knows how to spend what it is paid.
    solvable: bool,
    /// Its descriptor.
    #[serde(skip_serializing_if = "Option::is_none")]
    desc: Option<String>,
    /// The descriptor that it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_desc: Option<String>,
    /// Whether it is watched without its key.
    iswatchonly: bool,
    /// Whether it stands for a script's hash.
    isscript: bool,
    /// Whether it is for change.
    ischange: bool,
    /// Whether it is a witness program.
    iswitness: bool,
    /// Version of the witness program.
    #[serde(skip_serializing_if = "Option::is_none")]
    witness_version: Option<u8>,
    /// The witness program.
    #[serde(skip_serializing_if = "Option::is_none")]
    witness_program: Option<String>,
    /// Its public key, where the address does not tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pubkey: Option<String>,
    /// Whether that key is compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    iscompressed: Option<bool>,
    /// Unix time at which the wallet was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<u64>,
    /// Path from the master key.
    #[serde(skip_serializing_if = "Option::is_none")]
    hdkeypath: Option<String>,
    /// Fingerprint of the master key.
    #[serde(skip_serializing_if = "Option::is_none")]
    hdmasterfingerprint: Option<String>,
    /// Its label, if it has one.
    labels: Vec<String>,
}

/// The descriptor of one address of the wallet.
fn descriptor(info: &AddressInfo) -> Option<String> {
    let (place, origin, key) = (info.place?, info.origin.as_ref()?, info.public_key?);
    let path = origin.path.to_string().replace('\'', "h");
    let (name, key) = match place.keychain.kind {
        Kind::Taproot => ("tr", key.get(1..)?.to_lower_hex_string()),
        Kind::Segwit => ("wpkh", key.to_lower_hex_string()),
        Kind::Legacy => ("pkh", key.to_lower_hex_string()),
    };
    Some(with_checksum(&format!("{name}([{}/{path}]{key})", origin.master)))
}

impl AddressTold {
    fn of(wallet: &Wallet, address: String, info: AddressInfo) -> Self {
        let version = info.script.witness_version().map(bitcoin::WitnessVersion::to_num);
        let program = info.script.as_bytes().get(2..).filter(|_| version.is_some());
        let hidden = info.public_key.filter(|_| version != Some(1));
        Self {
            address,
            script: info.script.as_bytes().to_lower_hex_string(),
            ismine: info.place.is_some(),
            solvable: info.place.is_some(),
            desc: descriptor(&info),
            iswatchonly: false,
            // As Bitcoin Core has it, taproot counts as a script.
            isscript: info.script.is_p2sh() || info.script.is_p2wsh() || info.script.is_p2tr(),
            ischange: info.place.is_some_and(|place| place.keychain.change),
            iswitness: version.is_some(),
            witness_version: version,
            witness_program: program.map(|program| program.to_lower_hex_string()),
            pubkey: hidden.map(|key| key.to_lower_hex_string()),
            iscompressed: hidden.map(|_| true),
            timestamp: info.place.map(|_| wallet.birthday().0),
            hdkeypath: info.origin.as_ref().map(|origin| format!("m/{}", origin.path).replace('\'', "h")),
            hdmasterfingerprint: info.origin.as_ref().map(|origin| origin.master.to_string()),
            labels: info.label.into_iter().collect(),
            parent_desc: info.parent_descriptor,
        }
    }
}

impl Method for GetAddressInfo {
    known_as!("getaddressinfo", Wallet, Cookie);
    type Reply = AddressTold;

    async fn call(self, context: Context) -> Result<AddressTold, Error> {
        let script = script(&self.address, context.backend.spec())?;
        with(&context, move |wallet| {
            let info = wallet.describe(&script);
            Ok(AddressTold::of(wallet, self.address, info))
        })
        .await
    }
}

/// Labels an address, the wallet's or another's.
#[derive(Debug, Deserialize, JsonSchema)]
struct SetLabel {
    /// The address.
    address: String,
    /// Its label; an empty one takes it back.
    label: String,
}

impl Method for SetLabel {
    known_as!("setlabel", Wallet, Cookie);
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        let script = script(&self.address, context.backend.spec())?;
        if self.label == "*" {
            return Err(Error::new(Code::InvalidLabel, "Invalid label name"));
        }
        with(&context, move |wallet| Ok(wallet.set_label(&script, &self.label)?)).await
    }
}

/// What an address with a label is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Purpose {
    /// To be paid at.
    Receive,
    /// To pay others.
    Send,
}

impl Purpose {
    fn of(wallet: &Wallet, script: &bitcoin::Script) -> Self {
        if wallet.is_mine(script) { Self::Receive } else { Self::Send }
    }
}

/// Labels that addresses have.
#[derive(Debug, Deserialize, JsonSchema)]
struct ListLabels {
    /// Those of one purpose alone: `receive` or `send`.
    purpose: Option<Purpose>,
}

impl Method for ListLabels {
    known_as!("listlabels", Wallet, Cookie);
    type Reply = BTreeSet<String>;

    async fn call(self, context: Context) -> Result<BTreeSet<String>, Error> {
        with(&context, move |wallet| {
            let wanted = |script| self.purpose.is_none_or(|purpose| purpose == Purpose::of(wallet, script));
            let labels = wallet.labels().filter(|(script, _)| wanted(script)).map(|(_, label)| label.to_owned());
            let mut labels: BTreeSet<String> = labels.collect();
            // Addresses without a label have the empty one.
            let bare = |info: &AddressInfo| info.label.is_none() && !info.place.is_some_and(|at| at.keychain.change);
            if self.purpose != Some(Purpose::Send) && wallet.addresses().iter().any(bare) {
                labels.insert(String::new());
            }
            Ok(labels)
        })
        .await
    }
}

/// Addresses with a label.
#[derive(Debug, Deserialize, JsonSchema)]
struct GetAddressesByLabel {
    /// The label.
    label: String,
}

/// What an address is for.
#[derive(Debug, Serialize, JsonSchema)]
struct Labelled {
    /// `receive` or `send`.
    purpose: Purpose,
}

impl Method for GetAddressesByLabel {
    known_as!("getaddressesbylabel", Wallet, Cookie);
    type Reply = BTreeMap<String, Labelled>;

    async fn call(self, context: Context) -> Result<BTreeMap<String, Labelled>, Error> {
        with(&context, move |wallet| {
            let own = wallet.addresses().into_iter().filter(|info| !info.place.is_some_and(|at| at.keychain.change));
            let own = own.filter(|info| info.label.as_deref().unwrap_or_default() == self.label);
            let own = own.filter_map(|info| Some((info.address?, Labelled { purpose: Purpose::Receive })));
            let mut found: BTreeMap<String, Labelled> = own.collect();
            for (script, _) in wallet.labels().filter(|(_, label)| *label == self.label) {
                if let Some(address) = wallet.describe(script).address {
                    found.entry(address).or_insert_with(|| Labelled { purpose: Purpose::of(wallet, script) });
                }
            }
            if found.is_empty() {
                return Err(Error::new(Code::InvalidLabel, format!("No addresses with label {}", self.label)));
            }
            Ok(found)
        })
        .await
    }
}
