//! The floor: every signature of a chain, verified by libsecp256k1 alone.
//!
//! A [`Check`] is what any verifier is left with once the scripts are interpreted and the signature hashes computed: a
//! message, a signature and a key, as bytes. Reading the two belongs to verifying them.

use yap_chain::bitcoin::hashes::Hash;
use yap_chain::bitcoin::script::{Instruction, PushBytes};
use yap_chain::bitcoin::secp256k1::{Message, PublicKey, Secp256k1, VerifyOnly, ecdsa, schnorr};
use yap_chain::bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use yap_chain::bitcoin::taproot::{ControlBlock, LeafVersion, TapLeafHash};
use yap_chain::bitcoin::{Amount, Script, ScriptBuf, Transaction, TxOut, Witness, XOnlyPublicKey, opcodes};
use yap_chain::verify::Job;
use yap_script::Template;

/// One signature to verify.
pub(crate) enum Check {
    /// A signature in DER and a serialised key.
    Ecdsa { message: [u8; 32], signature: Vec<u8>, key: Vec<u8> },
    /// BIP-0340.
    Schnorr { message: [u8; 32], signature: [u8; 64], key: [u8; 32] },
    /// No signature: that a taproot output commits to a leaf script (BIP-0341), which takes a multiplication as well.
    Commitment { output: XOnlyPublicKey, control: ControlBlock, script: ScriptBuf },
}

impl Check {
    /// Whether it holds. ECDSA as consensus has it: any DER, and either of the two S.
    pub(crate) fn holds(&self, secp: &Secp256k1<VerifyOnly>) -> bool {
        match self {
            Self::Ecdsa { message, signature, key } => {
                let (Ok(key), Ok(mut signature)) =
                    (PublicKey::from_slice(key), ecdsa::Signature::from_der_lax(signature))
                else {
                    return false;
                };
                signature.normalize_s();
                secp.verify_ecdsa(&Message::from_digest(*message), &signature, &key).is_ok()
            }
            Self::Schnorr { message, signature, key } => {
                let (Ok(key), Ok(signature)) =
                    (XOnlyPublicKey::from_slice(key), schnorr::Signature::from_slice(signature))
                else {
                    return false;
                };
                secp.verify_schnorr(&signature, &Message::from_digest(*message), &key).is_ok()
            }
            Self::Commitment { output, control, script } => control.verify_taproot_commitment(secp, *output, script),
        }
    }
}

/// What an input asks of a verifier.
#[derive(Default)]
pub(crate) struct Checks {
    /// Signatures that hold, each with its key: no verifier can do with less.
    pub(crate) good: Vec<Check>,
    /// Pairs that `OP_CHECKMULTISIG` tries in vain: the order of keys and signatures is all it goes by.
    pub(crate) vain: Vec<Check>,
    /// Commitments of taproot outputs to leaf scripts.
    pub(crate) commitments: Vec<Check>,
}

impl Checks {
    fn one(check: Check) -> Self {
        Self { good: vec![check], ..Self::default() }
    }

    pub(crate) fn append(&mut self, other: &mut Self) {
        self.good.append(&mut other.good);
        self.vain.append(&mut other.vain);
        self.commitments.append(&mut other.commitments);
    }
}

/// The signatures of one transaction.
pub(crate) struct Extractor<'a> {
    secp: &'a Secp256k1<VerifyOnly>,
    hashes: SighashCache<&'a Transaction>,
    spent: Vec<TxOut>,
}

/// Which signature hash the ECDSA signatures of a script sign.
enum Signed<'a> {
    Legacy(&'a Script),
    KeyHash(&'a Script, Amount),
    Segwit(&'a Script, Amount),
}

impl<'a> Extractor<'a> {
    pub(crate) fn new(secp: &'a Secp256k1<VerifyOnly>, transaction: &'a Transaction, job: &Job) -> Self {
        let spent = job.spent.iter();
        let spent = spent.map(|coin| TxOut { value: coin.value, script_pubkey: coin.script().to_owned() }).collect();
        Self { secp, hashes: SighashCache::new(transaction), spent }
    }

    /// What an input asks; nothing if its script is none of those that are known here.
    pub(crate) fn input(&mut self, index: usize, template: Template) -> Option<Checks> {
        let TxOut { value, script_pubkey } = self.spent.get(index)?.clone();
        let spender = self.hashes.transaction().tx_in(index).ok()?.clone();
        let (script, witness) = (spender.script_sig, spender.witness);
        let pushes = pushes(&script)?;
        match template {
            Template::P2pk => {
                let key = script_pubkey.p2pk_public_key()?.to_bytes();
                self.one_of(index, &Signed::Legacy(&script_pubkey), pushes.first()?, &key)
            }
            Template::P2pkh => self.one_of(index, &Signed::Legacy(&script_pubkey), pushes.first()?, pushes.get(1)?),
            Template::P2wpkh => {
                self.one_of(index, &Signed::KeyHash(&script_pubkey, value), witness.nth(0)?, witness.nth(1)?)
            }
            Template::P2shP2wpkh => {
                let program = ScriptBuf::from_bytes(pushes.last()?.clone());
                self.one_of(index, &Signed::KeyHash(&program, value), witness.nth(0)?, witness.nth(1)?)
            }
            Template::Multisig => self.script(index, &Signed::Legacy(&script_pubkey), &pushes),
            Template::P2sh => {
                let (redeem, stack) = pushes.split_last()?;
                self.script(index, &Signed::Legacy(Script::from_bytes(redeem)), stack)
            }
            Template::P2wsh | Template::P2shP2wsh => {
                let elements = witness.to_vec();
                let (script, stack) = elements.split_last()?;
                self.script(index, &Signed::Segwit(Script::from_bytes(script), value), stack)
            }
            Template::P2trKey => self.taproot(index, script_pubkey.as_bytes().get(2..)?, witness.nth(0)?, None),
            Template::P2trScript => self.tapscript(index, &script_pubkey, &witness),
            Template::Other => None,
        }
    }

    /// A script that is `<key> OP_CHECKSIG` or a multisig, and the stack below it.
    fn script(&mut self, index: usize, signed: &Signed<'_>, stack: &[Vec<u8>]) -> Option<Checks> {
        let (Signed::Legacy(script) | Signed::KeyHash(script, _) | Signed::Segwit(script, _)) = signed;
        if script.is_p2pk() {
            return self.one_of(index, signed, stack.first()?, &script.p2pk_public_key()?.to_bytes());
        }
        if !script.is_multisig() {
            return None;
        }
        let keys = pushes_of(script);
        let (_, signatures) = stack.split_first()?;
        // From the last, as the interpreter takes them off its stack.
        let (mut found, mut keys) = (Checks::default(), keys.iter().rev());
        for signature in signatures.iter().rev() {
            loop {
                let check = self.ecdsa(index, signed, signature, keys.next()?)?;
                if check.holds(self.secp) {
                    found.good.push(check);
                    break;
                }
                found.vain.push(check);
            }
        }
        Some(found)
    }

    fn tapscript(&mut self, index: usize, spent: &Script, witness: &Witness) -> Option<Checks> {
        let script = witness.taproot_leaf_script().filter(|leaf| leaf.version == LeafVersion::TapScript)?.script;
        // <key> OP_CHECKSIG
        let [0x20, key @ .., 0xac] = script.as_bytes() else { return None };
        let leaf = TapLeafHash::from_script(script, LeafVersion::TapScript);
        let mut checks = (witness.len() == 3).then(|| self.taproot(index, key, witness.nth(0)?, Some(leaf)))??;
        let output = XOnlyPublicKey::from_slice(spent.as_bytes().get(2..)?).ok()?;
        let control = ControlBlock::decode(witness.taproot_control_block()?).ok()?;
        checks.commitments.push(Check::Commitment { output, control, script: script.to_owned() });
        Some(checks)
    }

    fn one_of(&mut self, index: usize, signed: &Signed<'_>, signature: &[u8], key: &[u8]) -> Option<Checks> {
        let check = self.ecdsa(index, signed, signature, key)?;
        check.holds(self.secp).then(|| Checks::one(check))
    }

    fn ecdsa(&mut self, index: usize, signed: &Signed<'_>, signature: &[u8], key: &[u8]) -> Option<Check> {
        let (hash_type, der) = signature.split_last()?;
        let kind = EcdsaSighashType::from_consensus(u32::from(*hash_type));
        let message = match *signed {
            Signed::Legacy(script) => {
                self.hashes.legacy_signature_hash(index, script, u32::from(*hash_type)).ok()?.to_byte_array()
            }
            Signed::KeyHash(program, value) => {
                self.hashes.p2wpkh_signature_hash(index, program, value, kind).ok()?.to_byte_array()
            }
            Signed::Segwit(script, value) => {
                self.hashes.p2wsh_signature_hash(index, script, value, kind).ok()?.to_byte_array()
            }
        };
        Some(Check::Ecdsa { message, signature: der.to_vec(), key: key.to_vec() })
    }

    fn taproot(&mut self, index: usize, key: &[u8], signature: &[u8], leaf: Option<TapLeafHash>) -> Option<Checks> {
        let kind = match signature.get(64) {
            Some(byte) => TapSighashType::from_consensus_u8(*byte).ok()?,
            None => TapSighashType::Default,
        };
        let (all, leaf) = (Prevouts::All(&self.spent), leaf.map(|leaf| (leaf, u32::MAX)));
        let message = self.hashes.taproot_signature_hash(index, &all, None, leaf, kind).ok()?.to_byte_array();
        let check =
            Check::Schnorr { message, signature: signature.get(..64)?.try_into().ok()?, key: key.try_into().ok()? };
        check.holds(self.secp).then(|| Checks::one(check))
    }
}

/// What a script of nothing but pushes pushes.
fn pushes(script: &Script) -> Option<Vec<Vec<u8>>> {
    script
        .instructions()
        .map(|instruction| match instruction.ok()? {
            Instruction::PushBytes(bytes) => Some(bytes.as_bytes().to_vec()),
            Instruction::Op(code) => (code == opcodes::OP_0).then(Vec::new),
        })
        .collect()
}

/// The pushes in a script, whatever else it holds.
fn pushes_of(script: &Script) -> Vec<Vec<u8>> {
    let push = |instruction: Result<Instruction<'_>, _>| {
        instruction.ok()?.push_bytes().map(PushBytes::as_bytes).map(<[u8]>::to_vec)
    };
    script.instructions().filter_map(push).collect()
}
