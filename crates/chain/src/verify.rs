//! Script jobs: what a verification engine is asked, as data.
//!
//! The rules in this crate decide everything about a transaction but whether its scripts are satisfied. That question
//! leaves as a [`Job`] and is answered by an engine elsewhere (`yap-script`).

use std::sync::Arc;

use crate::coin::Coin;
use crate::transaction::Raw;

/// Which script rules are in force, as bits with the values of Bitcoin Core's `script_verify_flags`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u32);

impl Flags {
    /// No soft fork.
    pub const NONE: Self = Self(0);
    /// BIP-0016.
    pub const P2SH: Self = Self(1);
    /// BIP-0066.
    pub const DERSIG: Self = Self(1 << 2);
    /// BIP-0147.
    pub const NULLDUMMY: Self = Self(1 << 4);
    /// BIP-0065.
    pub const CHECKLOCKTIMEVERIFY: Self = Self(1 << 9);
    /// BIP-0112.
    pub const CHECKSEQUENCEVERIFY: Self = Self(1 << 10);
    /// BIP-0141.
    pub const WITNESS: Self = Self(1 << 11);
    /// BIP-0341 and BIP-0342.
    pub const TAPROOT: Self = Self(1 << 17);
    /// Every consensus rule.
    pub const ALL: Self = Self(
        Self::P2SH.0
            | Self::DERSIG.0
            | Self::NULLDUMMY.0
            | Self::CHECKLOCKTIMEVERIFY.0
            | Self::CHECKSEQUENCEVERIFY.0
            | Self::WITNESS.0
            | Self::TAPROOT.0,
    );

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every bit of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Every input of one transaction, to be verified.
#[derive(Clone, Debug)]
pub struct Job {
    /// The transaction that spends.
    pub transaction: Raw,
    /// The coins it spends, one per input, in the order of the inputs.
    pub spent: Arc<[Coin]>,
    /// The rules in force.
    pub flags: Flags,
}
