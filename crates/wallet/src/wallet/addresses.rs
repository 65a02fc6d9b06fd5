//! Addresses and labels.

use bitcoin::{Script, ScriptBuf};
use yap_chain::address;

use super::Wallet;
use crate::keychain::{Exhausted, Keychain, Kind, Origin, Place};
use crate::secp;

/// Longest label, comment or name, in bytes: as Bitcoin Core has it for labels.
pub const MAX_LABEL: usize = 255;

/// Most addresses that may have labels.
pub const MAX_LABELS: usize = 100_000;

/// Why a label was not set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// It is longer than [`MAX_LABEL`].
    #[error("a label of {0} bytes is too long: at most {MAX_LABEL}")]
    TooLong(usize),
    /// There are [`MAX_LABELS`].
    #[error("there are {MAX_LABELS} labels: remove some first")]
    TooMany,
}

/// What the wallet knows of an address, or of any output script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressInfo {
    /// The address, if the script has one.
    pub address: Option<String>,
    /// The output script.
    pub script: ScriptBuf,
    /// Its place among the wallet's own; `None` if it is not the wallet's.
    pub place: Option<Place>,
    /// Whether it was given to somebody, or seen in use.
    pub revealed: bool,
    /// Its label.
    pub label: Option<String>,
    /// Where its key comes from, if it is the wallet's.
    pub origin: Option<Origin>,
    /// The key, compressed, if it is the wallet's.
    pub public_key: Option<[u8; 33]>,
    /// Its descriptor without a range, such as `tr([…]…)#…`, if it is the wallet's.
    pub parent_descriptor: Option<String>,
}

impl Wallet {
    /// An address that nobody was given yet, to be paid at.
    ///
    /// # Errors
    /// [`Exhausted`].
    pub fn new_address(&mut self, kind: Kind) -> Result<AddressInfo, Exhausted> {
        self.reveal(Keychain { kind, change: false })
    }

    /// An address for change that was not given before.
    ///
    /// # Errors
    /// [`Exhausted`].
    pub fn new_change_address(&mut self, kind: Kind) -> Result<AddressInfo, Exhausted> {
        self.reveal(Keychain { kind, change: true })
    }

    /// Who is to be paid for mining: a script for change that was not seen in use. It changes with each block.
    #[must_use]
    pub fn payout(&self) -> Option<ScriptBuf> {
        self.scripts.unused(Keychain { kind: Kind::Taproot, change: true }).map(|(_, script)| script)
    }

    /// What is known of an output script.
    #[must_use]
    pub fn describe(&self, script: &Script) -> AddressInfo {
        let place = self.scripts.place(script);
        let account = place.and_then(|place| self.scripts.accounts().iter().find(|a| a.kind == place.keychain.kind));
        let known = place.zip(account);
        AddressInfo {
            address: address::encode(script, &self.spec.addresses),
            script: script.to_owned(),
            place,
            revealed: place.is_some_and(|place| self.scripts.is_revealed(place)),
            label: self.labels.get(script).cloned(),
            origin: known.map(|(place, account)| account.origin(place)),
            public_key: known
                .map(|(place, account)| account.public(place.keychain.change, place.index, secp()).to_bytes()),
            parent_descriptor: known.map(|(place, account)| account.descriptor(place.keychain.change)),
        }
    }

    /// Addresses that were given or seen in use, by keychain and index.
    #[must_use]
    pub fn addresses(&self) -> Vec<AddressInfo> {
        let chains = Keychain::ALL.iter().flat_map(|keychain| self.scripts.revealed(*keychain));
        chains.map(|(_, script)| self.describe(script)).collect()
    }

    /// Whether an output script is the wallet's.
    #[must_use]
    pub fn is_mine(&self, script: &Script) -> bool {
        self.scripts.place(script).is_some()
    }

    /// The descriptors of all keychains (BIP-0380), with checksums: keychain, text, and how many addresses were revealed.
    #[must_use]
    pub fn descriptors(&self) -> Vec<(Keychain, String, u32)> {
        let chains = Keychain::ALL.iter().filter_map(|keychain| {
            let account = self.scripts.accounts().iter().find(|account| account.kind == keychain.kind)?;
            Some((*keychain, account.descriptor(keychain.change), self.scripts.standing(*keychain).revealed))
        });
        chains.collect()
    }

    /// Labels an output script; an empty label takes it back.
    ///
    /// # Errors
    /// [`LabelError`].
    pub fn set_label(&mut self, script: &Script, label: &str) -> Result<(), LabelError> {
        if label.len() > MAX_LABEL {
            return Err(LabelError::TooLong(label.len()));
        }
        if label.is_empty() {
            if self.labels.remove(script).is_some() {
                self.record.labels.push((script.to_owned(), None));
            }
            return Ok(());
        }
        if self.labels.len() >= MAX_LABELS && !self.labels.contains_key(script) {
            return Err(LabelError::TooMany);
        }
        self.labels.insert(script.to_owned(), label.to_owned());
        self.record.labels.push((script.to_owned(), Some(label.to_owned())));
        Ok(())
    }

    /// The label of an output script.
    #[must_use]
    pub fn label(&self, script: &Script) -> Option<&str> {
        self.labels.get(script).map(String::as_str)
    }

    /// Every labelled script.
    pub fn labels(&self) -> impl Iterator<Item = (&ScriptBuf, &str)> {
        self.labels.iter().map(|(script, label)| (script, label.as_str()))
    }

    fn reveal(&mut self, keychain: Keychain) -> Result<AddressInfo, Exhausted> {
        let (_, script) = self.scripts.reveal(keychain)?;
        self.record.keychains.push((keychain, self.scripts.standing(keychain)));
        self.record.keychains.extend(self.scripts.derive());
        Ok(self.describe(&script))
    }
}
