//! The commitment to witnesses (BIP-0141).

use bitcoin::{Block, ScriptBuf, TxOut};

use super::{Changed, Expected, Plan};
use crate::lock::Kind;

/// Bytes of a commitment's output script.
const COMMITMENT: usize = 38;

/// A change to witnesses or to what commits to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Witness {
    /// The commitment is to something else.
    CommitmentOther,
    /// No commitment, though there are witnesses.
    CommitmentMissing,
    /// No commitment and no witnesses: valid.
    CommitmentNeedless,
    /// No commitment, and only the coinbase has a witness.
    CommitmentMissingCoinbaseWitness,
    /// The commitment is a byte too short to be one.
    CommitmentShort,
    /// The commitment's script goes on behind it: valid.
    CommitmentLong,
    /// A wrong commitment before the right one: valid, the last counts.
    CommitmentSecond,
    /// A wrong commitment behind the right one.
    CommitmentOutdone,
    /// The reserved value is 31 bytes.
    ReservedShort,
    /// The reserved value is 33 bytes.
    ReservedLong,
    /// There are two reserved values.
    ReservedTwice,
    /// There is no reserved value.
    ReservedMissing,
    /// Another reserved value than the commitment's.
    ReservedOther,
    /// A witness is gone that the commitment covers.
    Stripped,
    /// A witness that the commitment doesn't cover.
    Added,
    /// A bit of a witness is flipped behind the commitment's back.
    Changed,
}

impl Witness {
    pub(super) const ALL: [Self; 16] = [
        Self::CommitmentOther,
        Self::CommitmentMissing,
        Self::CommitmentNeedless,
        Self::CommitmentMissingCoinbaseWitness,
        Self::CommitmentShort,
        Self::CommitmentLong,
        Self::CommitmentSecond,
        Self::CommitmentOutdone,
        Self::ReservedShort,
        Self::ReservedLong,
        Self::ReservedTwice,
        Self::ReservedMissing,
        Self::ReservedOther,
        Self::Stripped,
        Self::Added,
        Self::Changed,
    ];

    pub(super) fn apply(self, mut plan: Plan<'_>) -> Option<Changed> {
        let without = matches!(self, Self::CommitmentNeedless | Self::CommitmentMissingCoinbaseWitness);
        for kind in if without { [Kind::PublicKeyHash; 2] } else { [Kind::Wpkh, Kind::PublicKeyHash] } {
            let payment = plan.payment_of(kind)?;
            plan.pay(&payment);
        }
        match self {
            Self::CommitmentMissing | Self::CommitmentNeedless | Self::CommitmentMissingCoinbaseWitness => {
                plan.commitment = false;
                if self == Self::CommitmentMissingCoinbaseWitness {
                    plan.coinbase.input[0].witness.push([0; 32]);
                }
            }
            Self::CommitmentOther
            | Self::CommitmentShort
            | Self::CommitmentLong
            | Self::CommitmentSecond
            | Self::CommitmentOutdone => self.commitment(&mut plan),
            Self::ReservedShort
            | Self::ReservedLong
            | Self::ReservedTwice
            | Self::ReservedMissing
            | Self::ReservedOther
            | Self::Stripped
            | Self::Added
            | Self::Changed => {
                // Witnesses are not in the Merkle root: the header stays as it is.
                let original = plan.seal();
                let mut block = original.clone();
                self.uncommitted(&mut block);
                return Some(Changed { original: Some(original), ..block.into() });
            }
        }
        Some(plan.seal().into())
    }

    /// Changes the commitment before the Merkle root is made.
    fn commitment(self, plan: &mut Plan<'_>) {
        let mut wrong = vec![0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
        wrong.resize(COMMITMENT, 0x77);
        let wrong = TxOut { value: bitcoin::Amount::ZERO, script_pubkey: ScriptBuf::from(wrong) };
        if self == Self::CommitmentSecond {
            plan.coinbase.output.push(wrong);
            return;
        }
        plan.commit();
        plan.commitment = false;
        let last = plan.coinbase.output.last_mut().expect("the commitment");
        let mut script = last.script_pubkey.to_bytes();
        match self {
            Self::CommitmentShort => drop(script.pop()),
            Self::CommitmentLong => script.extend_from_slice(&[1, 2, 3]),
            Self::CommitmentOther => script[20] ^= 1,
            _ => {
                plan.coinbase.output.push(wrong);
                return;
            }
        }
        last.script_pubkey = ScriptBuf::from(script);
    }

    /// Changes witnesses after the commitment was made.
    fn uncommitted(self, block: &mut Block) {
        let coinbase = &mut block.txdata[0].input[0].witness;
        match self {
            Self::ReservedShort => *coinbase = bitcoin::Witness::from_slice(&[[0; 31]]),
            Self::ReservedLong => *coinbase = bitcoin::Witness::from_slice(&[[0; 33]]),
            Self::ReservedTwice => coinbase.push([0; 32]),
            Self::ReservedMissing => coinbase.clear(),
            Self::ReservedOther => {
                let mut value = coinbase.to_vec().concat();
                value[7] ^= 1;
                *coinbase = bitcoin::Witness::from_slice(&[value]);
            }
            Self::Stripped => block.txdata[1].input[0].witness.clear(),
            Self::Added => block.txdata[2].input[0].witness.push([1]),
            _ => {
                let mut stack = block.txdata[1].input[0].witness.to_vec();
                stack[0][30] ^= 1;
                block.txdata[1].input[0].witness = bitcoin::Witness::from_slice(&stack);
            }
        }
    }

    pub(super) fn expected(self) -> Expected {
        match self {
            Self::CommitmentOther | Self::CommitmentOutdone | Self::ReservedOther => {
                Expected::mutated("bad-witness-merkle-match")
            }
            Self::Stripped | Self::Added | Self::Changed => Expected::mutated("bad-witness-merkle-match"),
            Self::CommitmentMissing | Self::CommitmentMissingCoinbaseWitness | Self::CommitmentShort => {
                Expected::mutated("unexpected-witness")
            }
            Self::ReservedShort | Self::ReservedLong | Self::ReservedTwice | Self::ReservedMissing => {
                Expected::mutated("bad-witness-nonce-size")
            }
            Self::CommitmentNeedless | Self::CommitmentLong | Self::CommitmentSecond => Expected::Valid,
        }
    }
}
