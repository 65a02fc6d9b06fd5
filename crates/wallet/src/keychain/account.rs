//! The public keys of one kind of address, and the scripts that come from them.

use bdk_wallet::descriptor::calc_checksum;
use bitcoin::bip32::{ChildNumber, DerivationPath, Fingerprint, Xpriv, Xpub};
use bitcoin::key::{CompressedPublicKey, Secp256k1};
use bitcoin::secp256k1::{Signing, Verification};
use bitcoin::{NetworkKind, PubkeyHash, ScriptBuf};
use serde::{Deserialize, Serialize};

use super::Place;
use crate::secp;

/// Kinds of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// BIP-0086: taproot, spent by its key. Bitcoin Core's `bech32m`.
    Taproot,
    /// BIP-0084: P2WPKH. Bitcoin Core's `bech32`.
    Segwit,
    /// BIP-0044: P2PKH. Bitcoin Core's `legacy`.
    Legacy,
}

impl Kind {
    /// BIP-0043's first step of the path.
    #[must_use]
    pub fn purpose(self) -> u32 {
        match self {
            Self::Taproot => 86,
            Self::Segwit => 84,
            Self::Legacy => 44,
        }
    }

    /// Weight units of what satisfies a script of this kind, beside the outpoint, the sequence and empty counts.
    pub(crate) fn satisfaction(self) -> u64 {
        match self {
            // One item of 64 bytes with its length (BIP-0341, default sighash).
            Self::Taproot => 65,
            // Signature (low R: 71 bytes) and key, each with its length.
            Self::Segwit => 106,
            // The same, not in the witness: four weight units a byte.
            Self::Legacy => 424,
        }
    }
}

/// Where a key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Fingerprint of the master key.
    pub master: Fingerprint,
    /// Path from the master key to this one.
    pub path: DerivationPath,
}

/// One account (BIP-0044): number 0, of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) kind: Kind,
    pub(crate) master: Fingerprint,
    pub(crate) coin_type: u32,
    pub(crate) key: Xpub,
}

impl Account {
    /// The account's public keys.
    pub(crate) fn new<C: Signing>(kind: Kind, coin_type: u32, master: &Xpriv, secp: &Secp256k1<C>) -> Self {
        let key = master.derive_priv(secp, &path(kind, coin_type)).expect("hardened steps work but once in 2^127");
        Self { kind, master: master.fingerprint(secp), coin_type, key: Xpub::from_priv(secp, &key) }
    }

    /// The public key at a place.
    pub(crate) fn public<C: Verification>(&self, change: bool, index: u32, secp: &Secp256k1<C>) -> CompressedPublicKey {
        let steps = [ChildNumber::from(u32::from(change)), ChildNumber::from(index)];
        CompressedPublicKey(
            self.key.derive_pub(secp, &steps).expect("steps below 2^31 work but once in 2^127").public_key,
        )
    }

    /// The script at a place.
    pub(crate) fn script(&self, change: bool, index: u32) -> ScriptBuf {
        let secp = secp();
        let key = self.public(change, index, secp);
        match self.kind {
            Kind::Taproot => ScriptBuf::new_p2tr(secp, key.0.x_only_public_key().0, None),
            Kind::Segwit => ScriptBuf::new_p2wpkh(&key.wpubkey_hash()),
            Kind::Legacy => ScriptBuf::new_p2pkh(&PubkeyHash::from(key)),
        }
    }

    /// Where the key at a place comes from.
    pub(crate) fn origin(&self, place: Place) -> Origin {
        let steps = [ChildNumber::from(u32::from(place.keychain.change)), ChildNumber::from(place.index)];
        Origin { master: self.master, path: path(self.kind, self.coin_type).extend(steps) }
    }

    /// The output descriptor (BIP-0380) with its checksum. It shows every address, and spends nothing.
    pub(crate) fn descriptor(&self, change: bool) -> String {
        let key = format!("[{}/{}]{}/{}/*", self.master, path(self.kind, self.coin_type), self.key, u8::from(change));
        let text = match self.kind {
            Kind::Taproot => format!("tr({key})"),
            Kind::Segwit => format!("wpkh({key})"),
            Kind::Legacy => format!("pkh({key})"),
        };
        let checksum = calc_checksum(&text).expect("it has characters of descriptors only");
        format!("{text}#{checksum}")
    }
}

/// `m/purpose'/coin_type'/0'`.
pub(crate) fn path(kind: Kind, coin_type: u32) -> DerivationPath {
    let hardened = |index| ChildNumber::Hardened { index };
    DerivationPath::from(vec![hardened(kind.purpose()), hardened(coin_type), hardened(0)])
}

/// SLIP-0044: 0 for Bitcoin, 1 for every test network, which chains of one's own count as.
pub(crate) fn coin_type(bitcoin: bool) -> u32 {
    u32::from(!bitcoin)
}

/// How extended keys are written.
pub(crate) fn network(bitcoin: bool) -> NetworkKind {
    if bitcoin { NetworkKind::Main } else { NetworkKind::Test }
}
