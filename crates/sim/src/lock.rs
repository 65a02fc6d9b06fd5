//! Every kind of output, and the keys to it.
//!
//! A [`Lock`] is what a [`Wallet`] needs to know to write an output's script and, later, what unlocks it. Rules about
//! when a lock opens (BIP-0065, BIP-0112) are [`Lock::opens`]; signing is [`Wallet::sign`].
#![expect(clippy::wildcard_enum_match_arm, reason = "each step of making a lock concerns a few kinds of many")]

mod sign;
mod wallet;

pub use sign::Signing;
pub use wallet::Wallet;

/// A kind of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// P2PK with a compressed key.
    PublicKey,
    /// P2PK with an uncompressed key.
    PublicKeyUncompressed,
    /// P2PKH with a compressed key.
    PublicKeyHash,
    /// P2PKH with an uncompressed key.
    PublicKeyHashUncompressed,
    /// Bare 1-of-2 multisig.
    Multisig1of2,
    /// Bare 2-of-3 multisig.
    Multisig2of3,
    /// P2SH of a 2-of-3 multisig.
    ShMultisig,
    /// P2SH of `OP_CHECKLOCKTIMEVERIFY` (BIP-0065).
    ShLockTime,
    /// P2SH-P2WPKH.
    ShWpkh,
    /// P2SH-P2WSH of a 2-of-3 multisig.
    ShWshMultisig,
    /// P2SH of a witness version without rules yet.
    ShFuture,
    /// P2WPKH.
    Wpkh,
    /// P2WSH of a 2-of-3 multisig.
    WshMultisig,
    /// P2WSH of `OP_CHECKLOCKTIMEVERIFY` (BIP-0065).
    WshLockTime,
    /// P2WSH of `OP_CHECKSEQUENCEVERIFY` (BIP-0112).
    WshSequence,
    /// P2WSH of a preimage and a signature.
    WshHash,
    /// P2TR without script tree, spent by key.
    TrKey,
    /// P2TR with a script tree, spent by key.
    TrKeyRoot,
    /// P2TR spent by a script of `OP_CHECKSIG`.
    TrScript,
    /// P2TR spent by a script of `OP_CHECKSIGADD`, 2 of 3.
    TrScriptAdd,
    /// P2TR spent by a script, with an annex (BIP-0341).
    TrAnnex,
    /// P2TR spent by a leaf version without rules yet: anyone can.
    TrFuture,
    /// P2TR spent by a script with `OP_SUCCESS` (BIP-0342): anyone can.
    TrSuccess,
    /// P2SH of a script with signature operations that don't run, but count.
    ShCounted,
    /// P2SH-P2WSH of a script with signature operations that don't run, but count.
    ShWshCounted,
    /// P2WSH of a script with signature operations that don't run, but count.
    WshCounted,
    /// A witness version without rules yet: anyone can spend it.
    Future,
    /// `OP_TRUE`.
    True,
    /// The empty script: any true value on the stack spends it.
    Empty,
    /// `OP_RETURN` and data: unspendable.
    Return,
    /// Random bytes: a coin that nobody is known to be able to spend.
    Noise,
    /// A script over 10,000 bytes: unspendable.
    Oversized,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 32] = [
        Self::PublicKey,
        Self::PublicKeyUncompressed,
        Self::PublicKeyHash,
        Self::PublicKeyHashUncompressed,
        Self::Multisig1of2,
        Self::Multisig2of3,
        Self::ShMultisig,
        Self::ShLockTime,
        Self::ShWpkh,
        Self::ShWshMultisig,
        Self::ShFuture,
        Self::Wpkh,
        Self::WshMultisig,
        Self::WshLockTime,
        Self::WshSequence,
        Self::WshHash,
        Self::TrKey,
        Self::TrKeyRoot,
        Self::TrScript,
        Self::TrScriptAdd,
        Self::TrAnnex,
        Self::TrFuture,
        Self::TrSuccess,
        Self::ShCounted,
        Self::ShWshCounted,
        Self::WshCounted,
        Self::Future,
        Self::True,
        Self::Empty,
        Self::Return,
        Self::Noise,
        Self::Oversized,
    ];

    /// Those whose spending needs a signature.
    pub const SIGNED: [Self; 19] = [
        Self::PublicKey,
        Self::PublicKeyUncompressed,
        Self::PublicKeyHash,
        Self::PublicKeyHashUncompressed,
        Self::Multisig1of2,
        Self::Multisig2of3,
        Self::ShMultisig,
        Self::ShLockTime,
        Self::ShWpkh,
        Self::ShWshMultisig,
        Self::Wpkh,
        Self::WshMultisig,
        Self::WshLockTime,
        Self::WshSequence,
        Self::WshHash,
        Self::TrKey,
        Self::TrKeyRoot,
        Self::TrScript,
        Self::TrScriptAdd,
    ];

    /// Whether the wallet can spend it.
    #[must_use]
    pub const fn is_spendable(self) -> bool {
        !matches!(self, Self::Return | Self::Noise | Self::Oversized)
    }

    /// Whether it becomes a coin, which outputs don't that nobody can ever spend.
    #[must_use]
    pub const fn is_coin(self) -> bool {
        !matches!(self, Self::Return | Self::Oversized)
    }

    /// Whether what unlocks it sits in the witness.
    #[must_use]
    pub const fn is_witness(self) -> bool {
        matches!(
            self,
            Self::ShWpkh
                | Self::ShWshMultisig
                | Self::Wpkh
                | Self::WshMultisig
                | Self::WshLockTime
                | Self::WshSequence
                | Self::WshHash
                | Self::TrKey
                | Self::TrKeyRoot
                | Self::TrScript
                | Self::TrScriptAdd
                | Self::TrAnnex
                | Self::TrFuture
                | Self::TrSuccess
        )
    }
}

/// From this value on, lock times are seconds, below they are heights.
pub const LOCK_TIME_THRESHOLD: u32 = 500_000_000;

/// BIP-0068: the flag of sequences that count units of 512 seconds.
pub const SEQUENCE_TIME: u32 = 1 << 22;

/// One output's lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lock {
    /// What kind of output.
    pub kind: Kind,
    /// Which of the wallet's keys; how many of them count depends on the kind.
    pub keys: [u8; 3],
    /// The operand of `OP_CHECKLOCKTIMEVERIFY` or `OP_CHECKSEQUENCEVERIFY`, or a number that makes the script unique.
    pub argument: u32,
}

/// Where a coin stands, as far as locks look at it.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// Height of the block.
    pub height: u32,
    /// Median time past of the block before (BIP-0113).
    pub median: u32,
}

impl Lock {
    /// The lock time that the spending transaction needs at least.
    #[must_use]
    pub const fn lock_time(&self) -> Option<u32> {
        if matches!(self.kind, Kind::ShLockTime | Kind::WshLockTime) { Some(self.argument) } else { None }
    }

    /// The sequence that the spending input needs at least.
    #[must_use]
    pub const fn sequence(&self) -> Option<u32> {
        if matches!(self.kind, Kind::WshSequence) { Some(self.argument) } else { None }
    }

    /// Whether a block at `at` may spend it, created at `created`.
    #[must_use]
    pub fn opens(&self, created: Position, at: Position) -> bool {
        let time_lock = self
            .lock_time()
            .is_none_or(|least| if least < LOCK_TIME_THRESHOLD { least < at.height } else { least < at.median });
        let age = self.sequence().is_none_or(|least| {
            let units = least & 0xffff;
            if least & SEQUENCE_TIME == 0 {
                created.height + units <= at.height
            } else {
                created.median + (units << 9) <= at.median
            }
        });
        self.kind.is_spendable() && time_lock && age
    }
}
