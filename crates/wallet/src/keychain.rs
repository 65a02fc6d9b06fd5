//! Which scripts are the wallet's own.
//!
//! Six keychains come from one master key: addresses to receive with and for change, of three kinds (BIP-0086 taproot,
//! BIP-0084 segwit, BIP-0044 P2PKH). Only their public halves are needed to watch and to give addresses, so a locked
//! wallet has them too.
//!
//! An address is *revealed* when it was given to somebody, or was seen in use. Beyond the last revealed one,
//! [`LOOK_AHEAD`] scripts are watched, so that a wallet that comes back from its words or an old backup finds what was
//! paid to addresses that it does not remember. Derived scripts are kept in the wallet's file: deriving costs some 60 µs
//! each.

mod account;

use std::collections::BTreeMap;

use bitcoin::{Script, ScriptBuf};
use serde::{Deserialize, Serialize};

pub(crate) use self::account::{Account, coin_type, network};
pub use self::account::{Kind, Origin};

/// Unrevealed scripts that are watched on each keychain that receives. Also the most addresses that may be given in a
/// row without one being paid: later ones would not be found again from the words alone. BIP-0044 has 20.
pub const LOOK_AHEAD: u32 = 1_000;

/// The same for change, which is used in order.
pub const LOOK_AHEAD_CHANGE: u32 = 100;

/// Scripts derived before they are needed by a wallet that was made just now: nobody else knows its words.
const FRESH_LOOK_AHEAD: u32 = 20;

/// One of the wallet's sequences of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Keychain {
    /// Which kind of script.
    pub kind: Kind,
    /// Whether it is for change.
    pub change: bool,
}

impl Keychain {
    /// Each of them.
    pub const ALL: [Self; 6] = [
        Self { kind: Kind::Taproot, change: false },
        Self { kind: Kind::Taproot, change: true },
        Self { kind: Kind::Segwit, change: false },
        Self { kind: Kind::Segwit, change: true },
        Self { kind: Kind::Legacy, change: false },
        Self { kind: Kind::Legacy, change: true },
    ];

    fn look_ahead(self, fresh: bool) -> u32 {
        match (fresh, self.change) {
            (true, _) => FRESH_LOOK_AHEAD,
            (false, false) => LOOK_AHEAD,
            (false, true) => LOOK_AHEAD_CHANGE,
        }
    }
}

/// The place of a script: keychain, and index on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The keychain.
    pub keychain: Keychain,
    /// Counts from 0, below 2³¹.
    pub index: u32,
}

/// Why no further address is given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{LOOK_AHEAD} addresses in a row were given and never paid. A wallet restored from its words would not find later \
     ones: use one of those (`listreceivedbyaddress`), or another address type"
)]
pub struct Exhausted;

/// The wallet's own scripts.
#[derive(Clone, Debug)]
pub(crate) struct Scripts {
    accounts: Vec<Account>,
    chains: BTreeMap<Keychain, Chain>,
    places: BTreeMap<ScriptBuf, Place>,
    fresh: bool,
}

#[derive(Clone, Debug, Default)]
struct Chain {
    /// As far as they are derived.
    scripts: Vec<ScriptBuf>,
    /// How many were given to somebody or seen.
    revealed: u32,
    /// How many there are up to the last one that was seen in a transaction.
    used: u32,
}

/// What is new of a keychain, for the wallet's file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Revealed {
    /// How many are revealed.
    pub(crate) revealed: u32,
    /// How many there are up to the last one in use.
    pub(crate) used: u32,
    /// Index of the first of `scripts`.
    pub(crate) from: u32,
    /// Scripts that were derived.
    pub(crate) scripts: Vec<ScriptBuf>,
}

impl Scripts {
    /// No script yet. `fresh`: nobody had these keys before.
    pub(crate) fn new(accounts: Vec<Account>, fresh: bool) -> Self {
        let chains = Keychain::ALL.iter().map(|keychain| (*keychain, Chain::default())).collect();
        Self { accounts, chains, places: BTreeMap::new(), fresh }
    }

    /// Public keys of the accounts.
    pub(crate) fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// From now on, scripts are watched as far ahead as [`LOOK_AHEAD`] says: other copies of the wallet may be in use.
    pub(crate) fn look_far(&mut self) {
        self.fresh = false;
    }

    /// Takes back what a wallet file kept.
    pub(crate) fn load(&mut self, keychain: Keychain, kept: Revealed) {
        let Some(chain) = self.chains.get_mut(&keychain) else { return };
        chain.revealed = chain.revealed.max(kept.revealed);
        chain.used = chain.used.max(kept.used);
        for (index, script) in (kept.from..).zip(kept.scripts) {
            // What overlaps is the same.
            if u32::try_from(chain.scripts.len()).is_ok_and(|length| length == index) {
                self.places.insert(script.clone(), Place { keychain, index });
                chain.scripts.push(script);
            }
        }
    }

    /// Derives what is to be watched; gives what is new.
    pub(crate) fn derive(&mut self) -> Vec<(Keychain, Revealed)> {
        Keychain::ALL.iter().filter_map(|keychain| self.derive_one(*keychain).map(|new| (*keychain, new))).collect()
    }

    fn derive_one(&mut self, keychain: Keychain) -> Option<Revealed> {
        let account = self.accounts.iter().find(|account| account.kind == keychain.kind)?;
        let chain = self.chains.get_mut(&keychain)?;
        let from = u32::try_from(chain.scripts.len()).ok()?;
        let wanted = chain.revealed.saturating_add(keychain.look_ahead(self.fresh));
        let mut scripts = Vec::new();
        for index in from..wanted {
            let script = account.script(keychain.change, index);
            self.places.insert(script.clone(), Place { keychain, index });
            chain.scripts.push(script.clone());
            scripts.push(script);
        }
        (!scripts.is_empty()).then_some(Revealed { revealed: chain.revealed, used: chain.used, from, scripts })
    }

    /// Where a script is, if it is the wallet's own.
    pub(crate) fn place(&self, script: &Script) -> Option<Place> {
        self.places.get(script).copied()
    }

    /// The script at a place that is watched.
    pub(crate) fn script(&self, place: Place) -> Option<&ScriptBuf> {
        self.chains.get(&place.keychain)?.scripts.get(usize::try_from(place.index).ok()?)
    }

    /// Whether it was given to somebody or seen.
    pub(crate) fn is_revealed(&self, place: Place) -> bool {
        self.chains.get(&place.keychain).is_some_and(|chain| place.index < chain.revealed)
    }

    /// Scripts that were given to somebody or seen, of one keychain.
    pub(crate) fn revealed(&self, keychain: Keychain) -> impl Iterator<Item = (Place, &ScriptBuf)> {
        let chain = self.chains.get(&keychain);
        let revealed = chain.map_or(0, |chain| chain.revealed);
        let scripts = chain.map(|chain| chain.scripts.as_slice()).unwrap_or_default();
        (0..revealed).zip(scripts).map(move |(index, script)| (Place { keychain, index }, script))
    }

    /// The next script that nobody was given.
    pub(crate) fn reveal(&mut self, keychain: Keychain) -> Result<(Place, ScriptBuf), Exhausted> {
        let chain = self.chains.get_mut(&keychain).ok_or(Exhausted)?;
        let limit = if keychain.change { LOOK_AHEAD_CHANGE } else { LOOK_AHEAD };
        if chain.revealed.saturating_sub(chain.used) >= limit {
            return Err(Exhausted);
        }
        let place = Place { keychain, index: chain.revealed };
        chain.revealed = chain.revealed.saturating_add(1);
        let script = self.script(place).cloned().ok_or(Exhausted)?;
        Ok((place, script))
    }

    /// The first script for change that was not seen in use, revealed or not: a draft that was not sent wastes none.
    pub(crate) fn unused(&self, keychain: Keychain) -> Option<(Place, ScriptBuf)> {
        let place = Place { keychain, index: self.chains.get(&keychain)?.used };
        Some((place, self.script(place)?.clone()))
    }

    /// Notes that a script was seen in a transaction. Says whether anything changed.
    pub(crate) fn mark_used(&mut self, place: Place) -> bool {
        let Some(chain) = self.chains.get_mut(&place.keychain) else { return false };
        let used = place.index.saturating_add(1);
        let changed = used > chain.used || used > chain.revealed;
        chain.used = chain.used.max(used);
        chain.revealed = chain.revealed.max(used);
        changed
    }

    /// How a keychain stands, without scripts.
    pub(crate) fn standing(&self, keychain: Keychain) -> Revealed {
        let chain = self.chains.get(&keychain);
        let (revealed, used) = chain.map_or((0, 0), |chain| (chain.revealed, chain.used));
        Revealed { revealed, used, from: 0, scripts: Vec::new() }
    }

    /// All that is to be kept of a keychain.
    pub(crate) fn whole(&self, keychain: Keychain) -> Revealed {
        let scripts = self.chains.get(&keychain).map(|chain| chain.scripts.clone()).unwrap_or_default();
        Revealed { scripts, ..self.standing(keychain) }
    }
}
