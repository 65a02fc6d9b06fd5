//! Chains of signed blocks (BIP-0325): who may sign, who signed a block, and which blocks nobody can take back.
//!
//! A challenge of one of these forms names its *producers*; any one of them signs a block:
//!
//! ```text
//! 1 <key 1> … <key n> n OP_CHECKMULTISIG      1 to 16 compressed keys, no two of them the same
//! <key> OP_CHECKSIG
//! ```
//!
//! A challenge may be any other script. Blocks are then as good as the script says, and nobody knows who made them: nothing is
//! irreversible. Whether a block satisfies its challenge is always for the script engine to say ([`signet`]); what is found
//! out here is whose signature that was.
//!
//! Invariant: a signature of [`Key::solve`] satisfies every challenge that has the key.

mod finality;
mod key;

use bitcoin::opcodes::all::{OP_CHECKMULTISIG, OP_CHECKSIG, OP_PUSHNUM_1, OP_PUSHNUM_16};
use bitcoin::script::{Builder, Instruction};
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Script, ScriptBuf};

pub use self::finality::{MAX_WALK, irreversible};
pub use self::key::Key;
use crate::block::{Block, signet};

/// Most producers of a chain: what one opcode counts.
pub const MAX: usize = 16;

/// Why keys make no challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There are none, or too many.
    #[error("{count} producers were given; 1 to {MAX} are possible")]
    Count {
        /// How many.
        count: usize,
    },
    /// One came twice.
    #[error("the producer {key} was given twice")]
    Twice {
        /// Which.
        key: PublicKey,
    },
}

/// The producers of a chain, in the order of its challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producers {
    keys: Vec<PublicKey>,
    challenge: ScriptBuf,
}

impl Producers {
    /// The producers with these keys.
    ///
    /// # Errors
    /// [`Error`].
    pub fn new(keys: Vec<PublicKey>) -> Result<Self, Error> {
        if !(1..=MAX).contains(&keys.len()) {
            return Err(Error::Count { count: keys.len() });
        }
        if let Some(key) = twice(&keys) {
            return Err(Error::Twice { key });
        }
        let challenge = match keys.as_slice() {
            [key] => Builder::new().push_key(&(*key).into()).push_opcode(OP_CHECKSIG),
            keys => {
                let count = i64::try_from(keys.len()).unwrap_or(i64::MAX);
                let all = keys.iter().fold(Builder::new().push_int(1), |script, key| script.push_key(&(*key).into()));
                all.push_int(count).push_opcode(OP_CHECKMULTISIG)
            }
        };
        Ok(Self { keys, challenge: challenge.into_script() })
    }

    /// The producers that a challenge names; none if it has another form.
    #[must_use]
    pub fn of(challenge: &Script) -> Option<Self> {
        let parts: Vec<Instruction<'_>> = challenge.instructions().collect::<Result<_, _>>().ok()?;
        let keys = match parts.as_slice() {
            [key, Instruction::Op(OP_CHECKSIG)] => vec![public(key)?],
            [Instruction::Op(OP_PUSHNUM_1), keys @ .., count, Instruction::Op(OP_CHECKMULTISIG)] => {
                let keys: Vec<PublicKey> = keys.iter().map(public).collect::<Option<_>>()?;
                (number(count) == Some(keys.len()) && twice(&keys).is_none()).then_some(keys)?
            }
            _ => return None,
        };
        Some(Self { keys, challenge: challenge.to_owned() })
    }

    /// The script that their signatures satisfy.
    #[must_use]
    pub fn challenge(&self) -> &Script {
        &self.challenge
    }

    /// Whether the script is one for several keys, even if it has one.
    fn is_multisig(&self) -> bool {
        self.challenge.as_bytes().last() == Some(&OP_CHECKMULTISIG.to_u8())
    }

    /// Their keys.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// How many they are; at least one.
    #[must_use]
    pub fn count(&self) -> u16 {
        u16::try_from(self.keys.len()).unwrap_or(u16::MAX)
    }

    /// The place of a key among them, from 0.
    #[must_use]
    pub fn place(&self, key: &PublicKey) -> Option<u16> {
        let place = self.keys.iter().position(|one| one == key)?;
        u16::try_from(place).ok()
    }

    /// Who signed a block, by their place; none if that can't be told. That the block satisfies the challenge is taken for
    /// granted. One signature is verified for each producer up to the one whose it is.
    #[must_use]
    pub fn signer(&self, block: &Block) -> Option<u16> {
        let to_sign = signet::signed(block, &self.challenge).ok()?;
        // In both forms, the signature is what the script finds on top.
        let solution = to_sign.input.first()?.script_sig.clone();
        let last = solution.instructions().last()?.ok()?;
        let signature = key::Signature::read(last.push_bytes()?.as_bytes())?;
        let message = signature.message(&to_sign, &self.challenge)?;
        let place = self.keys.iter().position(|key| signature.is_by(key, &message))?;
        u16::try_from(place).ok()
    }
}

/// A compressed key that is pushed.
fn public(part: &Instruction<'_>) -> Option<PublicKey> {
    let bytes = part.push_bytes()?.as_bytes();
    // Uncompressed and hybrid keys have 65 bytes: one key could be there in three forms.
    (bytes.len() == 33).then(|| PublicKey::from_slice(bytes).ok())?
}

/// What an opcode pushes that stands for 1 to 16.
fn number(part: &Instruction<'_>) -> Option<usize> {
    let Instruction::Op(opcode) = part else { return None };
    let code = opcode.to_u8();
    let within = (OP_PUSHNUM_1.to_u8()..=OP_PUSHNUM_16.to_u8()).contains(&code);
    within.then(|| usize::from(code.saturating_sub(OP_PUSHNUM_1.to_u8()).saturating_add(1)))
}

/// A key that is there more than once.
fn twice(keys: &[PublicKey]) -> Option<PublicKey> {
    keys.iter()
        .enumerate()
        .find(|(place, key)| keys.iter().take(*place).any(|other| other == *key))
        .map(|(_, key)| *key)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it fails")]
mod tests;
