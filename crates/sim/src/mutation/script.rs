//! Scripts and signatures. The changes are made after signing, and committed to.

use bitcoin::secp256k1::ecdsa;
use bitcoin::{Block, ScriptBuf, Sequence, TxIn, Witness};

use super::{Expected, Plan};
use crate::builder::Payment;
use crate::lock::{Kind, LOCK_TIME_THRESHOLD};

/// A change to what unlocks an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// One bit of a signature is flipped.
    Signature(Kind),
    /// The signature is empty.
    SignatureEmpty,
    /// The signature is not strict DER (BIP-0066).
    SignaturePadded,
    /// The signature's second number is the higher of two that verify: valid in blocks.
    SignatureHigh,
    /// Another preimage.
    Preimage,
    /// Another witness script than the output commits to.
    WitnessScript,
    /// Another redeem script than the output commits to.
    RedeemScript,
    /// The lock time is below the operand of `OP_CHECKLOCKTIMEVERIFY`.
    LockTime(Kind),
    /// The input's sequence turns the lock time off (BIP-0065).
    LockTimeFinal(Kind),
    /// The sequence is below the operand of `OP_CHECKSEQUENCEVERIFY`.
    Sequence,
    /// The transaction's version is 1 (BIP-0112).
    SequenceVersion,
    /// What `OP_CHECKMULTISIG` pops too much is not empty (BIP-0147).
    Dummy,
    /// A native witness output is spent with a script too (BIP-0141).
    ScriptBesideWitness,
    /// A nested witness output is spent with more than the redeem script (BIP-0141).
    PushBesideWitness,
    /// A witness where none belongs (BIP-0141).
    WitnessUnexpected,
    /// An element too many stays on the stack of a witness script (BIP-0141).
    StackUnclean,
    /// An element too many stays on the stack of an old script: valid.
    StackUncleanLegacy,
    /// The stack ends false.
    StackFalse,
    /// A taproot signature names its default sighash type (BIP-0341).
    TaprootDefaultNamed,
    /// A taproot signature has a sighash type that isn't defined (BIP-0341).
    TaprootTypeUndefined,
    /// The annex that the signature covers is gone.
    AnnexRemoved,
    /// An annex that the signature doesn't cover.
    AnnexAdded,
    /// A bit of the control block's Merkle path is flipped.
    ControlPath,
    /// The control block says the other parity.
    ControlParity,
    /// The control block is a byte short.
    ControlLength,
    /// The control block's path is 129 deep.
    ControlDeep,
    /// The witness of a taproot output is empty.
    TaprootEmpty,
}

impl Script {
    pub(super) fn all() -> Vec<Self> {
        let mut all: Vec<_> = Kind::SIGNED.into_iter().chain([Kind::TrAnnex]).map(Self::Signature).collect();
        all.extend([
            Self::SignatureEmpty,
            Self::SignaturePadded,
            Self::SignatureHigh,
            Self::Preimage,
            Self::WitnessScript,
            Self::RedeemScript,
            Self::LockTime(Kind::ShLockTime),
            Self::LockTime(Kind::WshLockTime),
            Self::LockTimeFinal(Kind::ShLockTime),
            Self::LockTimeFinal(Kind::WshLockTime),
            Self::Sequence,
            Self::SequenceVersion,
            Self::Dummy,
            Self::ScriptBesideWitness,
            Self::PushBesideWitness,
            Self::WitnessUnexpected,
            Self::StackUnclean,
            Self::StackUncleanLegacy,
            Self::StackFalse,
            Self::TaprootDefaultNamed,
            Self::TaprootTypeUndefined,
            Self::AnnexRemoved,
            Self::AnnexAdded,
            Self::ControlPath,
            Self::ControlParity,
            Self::ControlLength,
            Self::ControlDeep,
            Self::TaprootEmpty,
        ]);
        all
    }

    /// The kind of output that is spent.
    const fn kind(self) -> Kind {
        match self {
            Self::Signature(kind) | Self::LockTime(kind) | Self::LockTimeFinal(kind) => kind,
            Self::SignatureEmpty | Self::SignaturePadded | Self::SignatureHigh | Self::ScriptBesideWitness => {
                Kind::Wpkh
            }
            Self::Preimage | Self::StackUnclean => Kind::WshHash,
            Self::WitnessScript => Kind::WshMultisig,
            Self::RedeemScript => Kind::ShMultisig,
            Self::Sequence | Self::SequenceVersion => Kind::WshSequence,
            Self::Dummy => Kind::Multisig2of3,
            Self::PushBesideWitness => Kind::ShWpkh,
            Self::WitnessUnexpected | Self::StackUncleanLegacy => Kind::PublicKeyHash,
            Self::StackFalse => Kind::Empty,
            Self::TaprootDefaultNamed | Self::TaprootTypeUndefined | Self::AnnexAdded | Self::TaprootEmpty => {
                Kind::TrKey
            }
            Self::AnnexRemoved => Kind::TrAnnex,
            Self::ControlPath | Self::ControlParity | Self::ControlLength | Self::ControlDeep => Kind::TrScript,
        }
    }

    pub(super) fn apply(self, mut plan: Plan<'_>) -> Option<Block> {
        let mut payment = self.payment(&mut plan)?;
        self.before_signing(&mut payment);
        let index = plan.surround(&mut payment);
        plan.pay(&payment);
        self.after_signing(&mut plan.last().input[index]);
        Some(plan.filled().seal())
    }

    /// A payment that the change can be made to.
    fn payment(self, plan: &mut Plan<'_>) -> Option<Payment> {
        let wants_operand = matches!(self, Self::LockTime(_) | Self::Sequence);
        plan.payment_where(self.kind(), |coin| {
            let operand = coin.lock.argument;
            // One less must still be a lock of the same unit.
            !wants_operand || operand & 0xffff != 0 && operand != LOCK_TIME_THRESHOLD
        })
    }

    fn before_signing(self, payment: &mut Payment) {
        match self {
            Self::LockTime(_) => payment.lock_time -= 1,
            Self::LockTimeFinal(_) => payment.sequences[0] = Sequence::MAX,
            Self::Sequence => payment.sequences[0].0 -= 1,
            Self::SequenceVersion => payment.version = 1,
            _ => {}
        }
    }

    /// Changes the signed input.
    fn after_signing(self, input: &mut TxIn) {
        let mut stack = input.witness.to_vec();
        match self {
            Self::Signature(kind) if kind.is_witness() => {
                let signature = stack.iter_mut().find(|element| !element.is_empty()).expect("it is signed");
                signature[20] ^= 1;
            }
            Self::Signature(_) => input.script_sig = with_byte(&input.script_sig, 24, |byte| byte ^ 1),
            Self::SignatureEmpty => stack[0].clear(),
            Self::SignaturePadded => pad(&mut stack[0]),
            Self::SignatureHigh => raise(&mut stack[0]),
            Self::Preimage => stack[1][0] ^= 1,
            Self::WitnessScript => stack.last_mut().expect("the script")[10] ^= 1,
            Self::RedeemScript => {
                let length = input.script_sig.len();
                input.script_sig = with_byte(&input.script_sig, length - 10, |byte| byte ^ 1);
            }
            Self::Dummy => input.script_sig = with_byte(&input.script_sig, 0, |_| 0x51),
            Self::ScriptBesideWitness => input.script_sig = ScriptBuf::from(vec![0x51]),
            Self::PushBesideWitness | Self::StackUncleanLegacy => {
                input.script_sig = ScriptBuf::from([&[0x51], input.script_sig.as_bytes()].concat());
            }
            Self::WitnessUnexpected => stack.push(vec![1]),
            Self::StackUnclean => stack.insert(0, vec![1]),
            Self::StackFalse => input.script_sig = ScriptBuf::from(vec![0]),
            Self::TaprootDefaultNamed => {
                stack[0].truncate(64);
                stack[0].push(0);
            }
            Self::TaprootTypeUndefined => {
                stack[0].truncate(64);
                stack[0].push(4);
            }
            Self::AnnexRemoved => drop(stack.pop()),
            Self::AnnexAdded => {
                stack.truncate(1);
                stack.push(vec![0x50, 9]);
            }
            Self::ControlPath => stack[2][40] ^= 1,
            Self::ControlParity => stack[2][0] ^= 1,
            Self::ControlLength => drop(stack[2].pop()),
            Self::ControlDeep => stack[2].resize(33 + 32 * 129, 7),
            Self::TaprootEmpty => stack.clear(),
            Self::LockTime(_) | Self::LockTimeFinal(_) | Self::Sequence | Self::SequenceVersion => {}
        }
        input.witness = Witness::from_slice(&stack);
    }

    pub(super) fn expected(self) -> Expected {
        if matches!(self, Self::SignatureHigh | Self::StackUncleanLegacy) {
            Expected::Valid
        } else {
            Expected::consensus("block-script-verify-flag-failed")
        }
    }
}

fn with_byte(script: &ScriptBuf, index: usize, change: impl FnOnce(u8) -> u8) -> ScriptBuf {
    let mut bytes = script.to_bytes();
    bytes[index] = change(bytes[index]);
    ScriptBuf::from(bytes)
}

/// Adds a needless zero to the first number of a DER signature.
fn pad(signature: &mut Vec<u8>) {
    signature[1] += 1;
    signature[3] += 1;
    signature.insert(4, 0);
}

/// Replaces the second number of a DER signature by the order of the group less that.
fn raise(signature: &mut Vec<u8>) {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae,
        0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
    ];
    let (der, hash_type) = signature.split_at(signature.len() - 1);
    let hash_type = hash_type[0];
    let mut compact = ecdsa::Signature::from_der(der).expect("it was just made").serialize_compact();
    let mut borrow = 0_i16;
    for index in (0..32).rev() {
        let difference = i16::from(ORDER[index]) - i16::from(compact[32 + index]) - borrow;
        borrow = i16::from(difference < 0);
        compact[32 + index] = (difference & 0xff) as u8;
    }
    let raised = ecdsa::Signature::from_compact(&compact).expect("both numbers are below the order");
    *signature = raised.serialize_der().to_vec();
    signature.push(hash_type);
}
