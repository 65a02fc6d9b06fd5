//! Keys from a seed, and the scripts that they lock.

use bitcoin::blockdata::opcodes::all as op;
use bitcoin::hashes::{Hash as _, sha256};
use bitcoin::key::{Keypair, TapTweak as _, UntweakedPublicKey};
use bitcoin::script::{Builder, PushBytesBuf, ScriptBuf};
use bitcoin::secp256k1::{All, Secp256k1, SecretKey};
use bitcoin::taproot::{LeafVersion, TaprootBuilder, TaprootSpendInfo};
use bitcoin::{CompressedPublicKey, PublicKey, WitnessProgram, WitnessVersion};

use super::{Kind, Lock};
use crate::random::Random;

/// Keys that a wallet holds.
pub(super) const KEYS: u8 = 16;

/// A leaf version without rules (BIP-0341).
const FUTURE_LEAF: u8 = 0xc2;

/// Keys from a seed.
#[derive(Debug)]
pub struct Wallet {
    pub(super) secp: Secp256k1<All>,
    pub(super) keys: Vec<Keypair>,
}

impl Wallet {
    /// The keys of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let secp = Secp256k1::new();
        let mut random = Random::new(seed).fork("wallet");
        let keys = (0..KEYS)
            .map(|_| {
                let secret = SecretKey::from_slice(&random.bytes::<32>()).expect("nearly all 256-bit numbers are keys");
                Keypair::from_secret_key(&secp, &secret)
            })
            .collect();
        Self { secp, keys }
    }

    /// A lock of that kind with random keys, that opens some blocks after height `height` at the latest.
    #[must_use]
    pub fn lock(kind: Kind, height: u32, median: u32, random: &mut Random) -> Lock {
        let keys = [(); 3].map(|()| random.small(u32::from(KEYS)) as u8);
        let argument = match kind {
            Kind::ShLockTime | Kind::WshLockTime if random.one_in(3) => {
                median.saturating_sub(3000) + random.small(6000)
            }
            Kind::ShLockTime | Kind::WshLockTime => random.small(height + 4),
            Kind::WshSequence if random.one_in(3) => super::SEQUENCE_TIME | random.small(4),
            Kind::WshSequence => random.small(5),
            _ => random.small(1 << 16),
        };
        Lock { kind, keys, argument }
    }

    /// The output's script.
    #[must_use]
    pub fn script_pubkey(&self, lock: &Lock) -> ScriptBuf {
        match lock.kind {
            Kind::PublicKey | Kind::PublicKeyUncompressed => ScriptBuf::new_p2pk(&self.public(lock, 0)),
            Kind::PublicKeyHash | Kind::PublicKeyHashUncompressed => {
                ScriptBuf::new_p2pkh(&self.public(lock, 0).pubkey_hash())
            }
            Kind::Multisig1of2 | Kind::Multisig2of3 | Kind::True | Kind::Empty => self.inner_script(lock),
            Kind::ShMultisig
            | Kind::ShLockTime
            | Kind::ShWpkh
            | Kind::ShWshMultisig
            | Kind::ShCounted
            | Kind::ShWshCounted
            | Kind::ShFuture => ScriptBuf::new_p2sh(&self.redeem_script(lock).script_hash()),
            Kind::Wpkh => ScriptBuf::new_p2wpkh(&self.compressed(lock, 0).wpubkey_hash()),
            Kind::WshMultisig | Kind::WshLockTime | Kind::WshSequence | Kind::WshHash | Kind::WshCounted => {
                ScriptBuf::new_p2wsh(&self.inner_script(lock).wscript_hash())
            }
            Kind::TrKey => ScriptBuf::new_p2tr(&self.secp, self.internal(lock), None),
            Kind::TrKeyRoot | Kind::TrScript | Kind::TrScriptAdd | Kind::TrAnnex | Kind::TrFuture | Kind::TrSuccess => {
                ScriptBuf::new_p2tr_tweaked(self.tree(lock).output_key())
            }
            Kind::Future => future(lock),
            Kind::Return => {
                let data = PushBytesBuf::from(lock.argument.to_le_bytes());
                Builder::new().push_opcode(op::OP_RETURN).push_slice(data).into_script()
            }
            Kind::Noise => noise(lock),
            Kind::Oversized => ScriptBuf::from(vec![op::OP_NOP.to_u8(); 10_001]),
        }
    }

    /// What a P2SH output commits to.
    pub(super) fn redeem_script(&self, lock: &Lock) -> ScriptBuf {
        match lock.kind {
            Kind::ShWpkh => ScriptBuf::new_p2wpkh(&self.compressed(lock, 0).wpubkey_hash()),
            Kind::ShWshMultisig | Kind::ShWshCounted => ScriptBuf::new_p2wsh(&self.inner_script(lock).wscript_hash()),
            Kind::ShFuture => future(lock),
            _ => self.inner_script(lock),
        }
    }

    /// The script that runs in the end: of a witness, of a P2SH output, of a leaf, or bare.
    pub(super) fn inner_script(&self, lock: &Lock) -> ScriptBuf {
        let key = |index| self.public(lock, index);
        let checked = |builder: Builder| builder.push_key(&key(0)).push_opcode(op::OP_CHECKSIG).into_script();
        match lock.kind {
            Kind::Multisig1of2 => multisig(1, &[key(0), key(1)]),
            Kind::Multisig2of3 | Kind::ShMultisig | Kind::ShWshMultisig | Kind::WshMultisig => {
                multisig(2, &[key(0), key(1), key(2)])
            }
            Kind::ShLockTime | Kind::WshLockTime => checked(
                Builder::new().push_int(i64::from(lock.argument)).push_opcode(op::OP_CLTV).push_opcode(op::OP_DROP),
            ),
            Kind::WshSequence => checked(
                Builder::new().push_int(i64::from(lock.argument)).push_opcode(op::OP_CSV).push_opcode(op::OP_DROP),
            ),
            Kind::WshHash => checked(
                Builder::new()
                    .push_opcode(op::OP_SHA256)
                    .push_slice(sha256::Hash::hash(&preimage(lock)).to_byte_array())
                    .push_opcode(op::OP_EQUALVERIFY),
            ),
            Kind::TrScript | Kind::TrAnnex | Kind::TrKeyRoot | Kind::TrFuture => {
                Builder::new().push_x_only_key(&self.x_only(lock, 1)).push_opcode(op::OP_CHECKSIG).into_script()
            }
            Kind::TrScriptAdd => Builder::new()
                .push_x_only_key(&self.x_only(lock, 0))
                .push_opcode(op::OP_CHECKSIG)
                .push_x_only_key(&self.x_only(lock, 1))
                .push_opcode(op::OP_CHECKSIGADD)
                .push_x_only_key(&self.x_only(lock, 2))
                .push_opcode(op::OP_CHECKSIGADD)
                .push_int(2)
                .push_opcode(op::OP_NUMEQUAL)
                .into_script(),
            Kind::TrSuccess => Builder::new().push_opcode(op::OP_RESERVED).into_script(),
            Kind::ShCounted | Kind::ShWshCounted | Kind::WshCounted => counted(lock),
            Kind::True => Builder::new().push_int(1).into_script(),
            _ => ScriptBuf::new(),
        }
    }

    /// The script tree of a taproot output: the leaf to spend by, beside one that is never shown.
    pub(super) fn tree(&self, lock: &Lock) -> TaprootSpendInfo {
        // The kind too, or kinds of equal leaves would share a script.
        let unique = i64::from(lock.argument) << 8 | lock.kind as i64;
        let hidden = Builder::new().push_int(unique).push_opcode(op::OP_DROP).into_script();
        TaprootBuilder::new()
            .add_leaf_with_ver(1, self.inner_script(lock), leaf_version(lock))
            .and_then(|builder| builder.add_leaf(1, hidden))
            .expect("two leaves at depth 1 make a tree")
            .finalize(&self.secp, self.internal(lock))
            .expect("the tree is whole")
    }

    /// The key that signs a key path spend.
    pub(super) fn output_keypair(&self, lock: &Lock) -> Keypair {
        let root = if lock.kind == Kind::TrKey { None } else { self.tree(lock).merkle_root() };
        self.keypair(lock, 0).tap_tweak(&self.secp, root).to_keypair()
    }

    pub(super) fn keypair(&self, lock: &Lock, index: usize) -> Keypair {
        self.keys[usize::from(lock.keys[index])]
    }

    pub(super) fn public(&self, lock: &Lock, index: usize) -> PublicKey {
        let compressed = !matches!(lock.kind, Kind::PublicKeyUncompressed | Kind::PublicKeyHashUncompressed);
        PublicKey { compressed, inner: self.keypair(lock, index).public_key() }
    }

    pub(super) fn compressed(&self, lock: &Lock, index: usize) -> CompressedPublicKey {
        CompressedPublicKey(self.keypair(lock, index).public_key())
    }

    fn internal(&self, lock: &Lock) -> UntweakedPublicKey {
        self.x_only(lock, 0)
    }

    fn x_only(&self, lock: &Lock, index: usize) -> UntweakedPublicKey {
        self.keypair(lock, index).x_only_public_key().0
    }
}

/// The leaf version that the lock's script is committed with.
pub(super) fn leaf_version(lock: &Lock) -> LeafVersion {
    if lock.kind == Kind::TrFuture {
        LeafVersion::from_consensus(FUTURE_LEAF).expect("an even number that isn't the annex's")
    } else {
        LeafVersion::TapScript
    }
}

/// What the script of [`Kind::WshHash`] wants to see.
pub(super) fn preimage(lock: &Lock) -> [u8; 32] {
    sha256::Hash::hash(&lock.argument.to_le_bytes()).to_byte_array()
}

/// A witness program of 2 to 40 bytes that has no rules: of a version above 1, or of version 1 but not a bare one of 32
/// bytes.
fn future(lock: &Lock) -> ScriptBuf {
    const VERSIONS: [WitnessVersion; 4] =
        [WitnessVersion::V1, WitnessVersion::V2, WitnessVersion::V9, WitnessVersion::V16];
    let version = VERSIONS[lock.argument as usize % VERSIONS.len()];
    let taproot = version == WitnessVersion::V1;
    let length = match 2 + lock.argument as usize / VERSIONS.len() % 39 {
        32 if taproot && lock.kind == Kind::Future => 33,
        _ if taproot && lock.kind == Kind::ShFuture => 32, // BIP-0341: taproot rules don't hold within P2SH.
        length => length,
    };
    // Never zeros: a program that is false leaves a false stack, which fails even where the version has no rules.
    let program = WitnessProgram::new(version, &vec![lock.keys[0] + 1; length]).expect("2 to 40 bytes");
    ScriptBuf::new_witness_program(&program)
}

/// A lock's own randomness.
fn random(lock: &Lock) -> Random {
    let [a, b, c] = lock.keys;
    Random::new(u64::from(u32::from_le_bytes([a, b, c, 0])) << 32 | u64::from(lock.argument))
}

/// Signature operations in a branch that isn't taken, then true. As counts before `OP_CHECKMULTISIG` there are small
/// numbers, which P2SH and witness scripts are counted by, and others, which count as 20.
fn counted(lock: &Lock) -> ScriptBuf {
    let mut random = random(lock);
    let mut builder = Builder::new().push_int(0).push_opcode(op::OP_IF);
    for _ in 0..random.below(40) {
        builder = match random.below(6) {
            0 => builder.push_opcode(op::OP_CHECKSIG),
            1 => builder.push_opcode(op::OP_CHECKSIGVERIFY),
            2 => builder.push_opcode(op::OP_CHECKMULTISIG),
            3 => builder.push_int(i64::from(random.small(17))).push_opcode(op::OP_CHECKMULTISIG),
            4 => builder.push_int(i64::from(random.small(17))).push_opcode(op::OP_CHECKMULTISIGVERIFY),
            _ => builder.push_slice([op::OP_CHECKSIG.to_u8(); 3]), // Data: no operation.
        };
    }
    builder.push_opcode(op::OP_ENDIF).push_int(1).into_script()
}

/// Random bytes that begin with no opcode in particular, except that it isn't `OP_RETURN`.
fn noise(lock: &Lock) -> ScriptBuf {
    let mut random = random(lock);
    let length = 1 + random.index(120);
    let mut bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
    if bytes.first() == Some(&op::OP_RETURN.to_u8()) {
        bytes[0] = op::OP_NOP.to_u8();
    }
    ScriptBuf::from(bytes)
}

fn multisig(needed: i64, keys: &[PublicKey]) -> ScriptBuf {
    keys.iter()
        .fold(Builder::new().push_int(needed), Builder::push_key)
        .push_int(keys.len() as i64)
        .push_opcode(op::OP_CHECKMULTISIG)
        .into_script()
}
