//! The kinds of output scripts: Bitcoin Core's `Solver`.

use bitcoin::Script;

use super::opcode::{
    OP_0, OP_1, OP_16, OP_CHECKMULTISIG, OP_CHECKSIG, OP_DUP, OP_EQUAL, OP_EQUALVERIFY, OP_HASH160, OP_PUSHDATA4,
    OP_RETURN,
};
use super::script::{is_minimal_push, number};
use crate::transaction::sigops::{Step, step};

/// Keys of an output with bare multi-signature that is relayed.
pub const MAX_STANDARD_KEYS: u8 = 3;

/// Keys that `OP_CHECKMULTISIG` takes at most.
const MAX_KEYS: u8 = 20;

/// What an output asks of whoever spends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A signature for the key in the script.
    P2pk,
    /// A signature and the key whose hash is in the script.
    P2pkh,
    /// The script whose hash is in the script, and what satisfies it (BIP-0016).
    P2sh,
    /// Some signatures for several keys in the script.
    Multisig {
        /// Signatures, from 1 to `keys`.
        required: u8,
        /// Keys, 20 at most.
        keys: u8,
    },
    /// Nothing satisfies it: `OP_RETURN`, and pushes.
    NullData,
    /// As P2PKH, in the witness (BIP-0141).
    P2wpkh,
    /// As P2SH, in the witness (BIP-0141).
    P2wsh,
    /// A signature, or one of the scripts that the key commits to (BIP-0341).
    P2tr,
    /// Nothing: anyone may spend it, with an empty witness (P2A).
    Anchor,
    /// A witness program that no rule defines yet.
    WitnessUnknown {
        /// Its version, from 1 to 16.
        version: u8,
    },
    /// Anything else.
    NonStandard,
}

impl Kind {
    /// The kind of an output with this script.
    #[must_use]
    pub fn of(script: &Script) -> Self {
        let script = script.as_bytes();
        if let Some(program) = Program::of(script) {
            return program.kind();
        }
        match script {
            [OP_HASH160, 20, .., OP_EQUAL] if script.len() == 23 => Self::P2sh,
            // What follows is never run, so that any pushes will do.
            [OP_RETURN, data @ ..] if pushes_only(data) => Self::NullData,
            [length, key @ .., OP_CHECKSIG] if usize::from(*length) == key.len() && is_key(key) => Self::P2pk,
            [OP_DUP, OP_HASH160, 20, .., OP_EQUALVERIFY, OP_CHECKSIG] if script.len() == 25 => Self::P2pkh,
            [.., OP_CHECKMULTISIG] => multisig(script).unwrap_or(Self::NonStandard),
            _ => Self::NonStandard,
        }
    }

    /// Whether transactions that make such an output are relayed, if nothing else forbids it.
    #[must_use]
    pub fn is_standard(self) -> bool {
        match self {
            Self::NonStandard => false,
            Self::Multisig { keys, .. } => keys <= MAX_STANDARD_KEYS,
            Self::P2pk
            | Self::P2pkh
            | Self::P2sh
            | Self::NullData
            | Self::P2wpkh
            | Self::P2wsh
            | Self::P2tr
            | Self::Anchor
            | Self::WitnessUnknown { .. } => true,
        }
    }

    /// The name that Bitcoin Core gives it, as in `getrawtransaction`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::P2pk => "pubkey",
            Self::P2pkh => "pubkeyhash",
            Self::P2sh => "scripthash",
            Self::Multisig { .. } => "multisig",
            Self::NullData => "nulldata",
            Self::P2wpkh => "witness_v0_keyhash",
            Self::P2wsh => "witness_v0_scripthash",
            Self::P2tr => "witness_v1_taproot",
            Self::Anchor => "anchor",
            Self::WitnessUnknown { .. } => "witness_unknown",
            Self::NonStandard => "nonstandard",
        }
    }
}

/// A witness program (BIP-0141): a small number and 2 to 40 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Program<'a> {
    pub(super) version: u8,
    pub(super) program: &'a [u8],
}

impl<'a> Program<'a> {
    pub(super) fn of(script: &'a [u8]) -> Option<Self> {
        match script {
            [version @ (OP_0 | OP_1..=OP_16), length @ 2..=40, program @ ..]
                if program.len() == usize::from(*length) =>
            {
                // OP_1 comes after OP_RESERVED, which is where OP_0 would be.
                Some(Self { version: version.saturating_sub(OP_1.saturating_sub(1)), program })
            }
            _ => None,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match (self.version, self.program) {
            (0, [..]) if self.program.len() == 20 => Kind::P2wpkh,
            (0, [..]) if self.program.len() == 32 => Kind::P2wsh,
            (0, _) => Kind::NonStandard,
            (1, [..]) if self.program.len() == 32 => Kind::P2tr,
            (1, [0x4e, 0x73]) => Kind::Anchor,
            (version, _) => Kind::WitnessUnknown { version },
        }
    }
}

/// Whether `script` can be read and holds nothing but pushes, for which `OP_RESERVED` passes: Bitcoin Core's
/// `IsPushOnly`.
pub(super) fn pushes_only(script: &[u8]) -> bool {
    let mut rest = script;
    while !rest.is_empty() {
        match step(rest) {
            Some(Step { opcode: ..=OP_16, rest: after, .. }) => rest = after,
            Some(_) | None => return false,
        }
    }
    true
}

/// Whether `data` has the length that its first byte gives a key.
fn is_key(data: &[u8]) -> bool {
    match data {
        [2 | 3, ..] => data.len() == 33,
        [4 | 6 | 7, ..] => data.len() == 65,
        _ => false,
    }
}

fn multisig(script: &[u8]) -> Option<Kind> {
    let first = step(script)?;
    let required = small_number(&first).filter(|number| (1..=MAX_KEYS).contains(number))?;
    let mut keys: u8 = 0;
    let mut next = step(first.rest)?;
    while is_key(next.data) {
        keys = keys.checked_add(1)?;
        next = step(next.rest)?;
    }
    let counted = small_number(&next).filter(|number| (required..=MAX_KEYS).contains(number))?;
    (counted == keys && next.rest == [OP_CHECKMULTISIG]).then_some(Kind::Multisig { required, keys })
}

/// The number that `step` pushes, if it pushes one above 0 in the shortest way.
fn small_number(step: &Step<'_>) -> Option<u8> {
    match step.opcode {
        OP_1..=OP_16 => Some(step.opcode.abs_diff(OP_1).saturating_add(1)),
        1..=OP_PUSHDATA4 if is_minimal_push(step.opcode, step.data) => {
            number::read(step.data, true, number::SIZE).ok().and_then(|number| u8::try_from(number).ok())
        }
        _ => None,
    }
}
