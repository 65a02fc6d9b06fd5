//! Unlocks the inputs of a transaction: signatures with deterministic nonces, of every sighash type.

use bitcoin::hashes::Hash as _;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::secp256k1::Message;
use bitcoin::sighash::{Annex, EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::taproot::TapLeafHash;
use bitcoin::{Amount, Script, ScriptBuf, Transaction, TxOut, Witness};

use super::wallet::{leaf_version, preimage};
use super::{Kind, Lock, Wallet};
use crate::random::Random;

/// The annex of [`Kind::TrAnnex`] spends: BIP-0341 wants 0x50 first.
const ANNEX: [u8; 5] = [0x50, 1, 2, 3, 4];

/// What an output takes to spend it.
#[derive(Clone, Debug)]
pub struct Signing<'a> {
    /// The outputs that the transaction spends, in the order of its inputs.
    pub outputs: &'a [TxOut],
    /// Their locks.
    pub locks: &'a [Lock],
    /// Whether some inputs that need none have an annex, which is valid and not relayed.
    pub annexes: bool,
}

/// One input while it is signed.
struct Input<'a, 'b> {
    wallet: &'a Wallet,
    cache: &'a mut SighashCache<&'b Transaction>,
    index: usize,
    lock: &'a Lock,
    outputs: &'a [TxOut],
    annexes: bool,
    random: &'a mut Random,
}

impl Wallet {
    /// Fills in every input's script and witness. Sighash types are drawn from `random`; half of them are `ALL`.
    pub fn sign(&self, transaction: &mut Transaction, signing: &Signing<'_>, random: &mut Random) {
        assert_eq!(transaction.input.len(), signing.locks.len(), "one lock per input");
        let unsigned = transaction.clone();
        let mut cache = SighashCache::new(&unsigned);
        for (index, lock) in signing.locks.iter().enumerate() {
            let (outputs, annexes, random) = (signing.outputs, signing.annexes, &mut *random);
            let mut input = Input { wallet: self, cache: &mut cache, index, lock, outputs, annexes, random };
            let (script_sig, witness) = input.unlock();
            transaction.input[index].script_sig = script_sig;
            transaction.input[index].witness = witness;
        }
    }
}

impl Input<'_, '_> {
    fn unlock(&mut self) -> (ScriptBuf, Witness) {
        let lock = self.lock;
        match lock.kind {
            Kind::PublicKey
            | Kind::PublicKeyUncompressed
            | Kind::PublicKeyHash
            | Kind::PublicKeyHashUncompressed
            | Kind::Multisig1of2
            | Kind::Multisig2of3
            | Kind::ShMultisig
            | Kind::ShLockTime => (self.legacy(), Witness::new()),
            Kind::ShWpkh | Kind::ShWshMultisig => {
                let redeem = self.wallet.redeem_script(lock);
                (pushes([redeem.to_bytes()]), self.segwit())
            }
            Kind::Wpkh | Kind::WshMultisig | Kind::WshLockTime | Kind::WshSequence | Kind::WshHash => {
                (ScriptBuf::new(), self.segwit())
            }
            Kind::TrKey | Kind::TrKeyRoot => (ScriptBuf::new(), self.key_path()),
            Kind::TrScript | Kind::TrScriptAdd | Kind::TrAnnex | Kind::TrFuture | Kind::TrSuccess => {
                (ScriptBuf::new(), self.script_path())
            }
            Kind::ShCounted => (pushes([self.wallet.redeem_script(lock).to_bytes()]), Witness::new()),
            Kind::ShWshCounted => {
                let witness = Witness::from_slice(&[self.wallet.inner_script(lock)]);
                (pushes([self.wallet.redeem_script(lock).to_bytes()]), witness)
            }
            Kind::WshCounted => (ScriptBuf::new(), Witness::from_slice(&[self.wallet.inner_script(lock)])),
            Kind::ShFuture => (pushes([self.wallet.redeem_script(lock).to_bytes()]), Witness::new()),
            Kind::Future if self.random.one_in(2) => (ScriptBuf::new(), Witness::from_slice(&[[1_u8; 5]])),
            Kind::Empty => (Builder::new().push_int(1).into_script(), Witness::new()),
            Kind::Future | Kind::True | Kind::Return | Kind::Noise | Kind::Oversized => {
                (ScriptBuf::new(), Witness::new())
            }
        }
    }

    /// The keys that sign: as many as the script wants, in its order.
    const fn signers(&self) -> &'static [usize] {
        match self.lock.kind {
            Kind::Multisig2of3 | Kind::ShMultisig | Kind::ShWshMultisig | Kind::WshMultisig => &[0, 2],
            _ => &[0],
        }
    }

    fn legacy(&mut self) -> ScriptBuf {
        let script_pubkey = self.outputs[self.index].script_pubkey.clone();
        let is_p2sh = matches!(self.lock.kind, Kind::ShMultisig | Kind::ShLockTime);
        let code = if is_p2sh { self.wallet.inner_script(self.lock) } else { script_pubkey };
        let mut stack = Vec::new();
        if matches!(self.lock.kind, Kind::Multisig1of2 | Kind::Multisig2of3 | Kind::ShMultisig) {
            stack.push(Vec::new()); // BIP-0147: what CHECKMULTISIG pops too much is empty.
        }
        for &signer in self.signers() {
            let hash_type = self.ecdsa_type();
            let hash = self
                .cache
                .legacy_signature_hash(self.index, &code, hash_type.to_u32())
                .expect("the index is of an input");
            stack.push(self.ecdsa(signer, hash.to_byte_array(), hash_type));
        }
        if matches!(self.lock.kind, Kind::PublicKeyHash | Kind::PublicKeyHashUncompressed) {
            stack.push(self.wallet.public(self.lock, 0).to_bytes());
        }
        if is_p2sh {
            stack.push(code.into_bytes());
        }
        pushes(stack)
    }

    fn segwit(&mut self) -> Witness {
        let value = self.outputs[self.index].value;
        if matches!(self.lock.kind, Kind::Wpkh | Kind::ShWpkh) {
            let key = self.wallet.compressed(self.lock, 0);
            let code = ScriptBuf::new_p2wpkh(&key.wpubkey_hash());
            let hash_type = self.ecdsa_type();
            let hash = self
                .cache
                .p2wpkh_signature_hash(self.index, &code, value, hash_type)
                .expect("a P2WPKH script and the index of an input");
            let signature = self.ecdsa(0, hash.to_byte_array(), hash_type);
            return Witness::from_slice(&[signature, key.to_bytes().to_vec()]);
        }
        let script = self.wallet.inner_script(self.lock);
        let mut witness = Witness::new();
        if matches!(self.lock.kind, Kind::WshMultisig | Kind::ShWshMultisig) {
            witness.push([]);
        }
        for &signer in self.signers() {
            witness.push(self.segwit_signature(signer, &script, value));
        }
        if self.lock.kind == Kind::WshHash {
            witness.push(preimage(self.lock));
        }
        witness.push(script);
        witness
    }

    fn segwit_signature(&mut self, signer: usize, script: &Script, value: Amount) -> Vec<u8> {
        let hash_type = self.ecdsa_type();
        let hash =
            self.cache.p2wsh_signature_hash(self.index, script, value, hash_type).expect("the index is of an input");
        self.ecdsa(signer, hash.to_byte_array(), hash_type)
    }

    fn key_path(&mut self) -> Witness {
        let annex = self.annexes && self.random.one_in(4);
        let keypair = self.wallet.output_keypair(self.lock);
        let mut witness = Witness::new();
        witness.push(self.schnorr(&keypair, None, annex));
        if annex {
            witness.push(ANNEX);
        }
        witness
    }

    fn script_path(&mut self) -> Witness {
        let script = self.wallet.inner_script(self.lock);
        let version = leaf_version(self.lock);
        let leaf = TapLeafHash::from_script(&script, version);
        let annex = self.lock.kind == Kind::TrAnnex;
        let mut witness = Witness::new();
        let signers: &[Option<usize>] = match self.lock.kind {
            Kind::TrScript | Kind::TrAnnex => &[Some(1)],
            Kind::TrScriptAdd => &[Some(2), None, Some(0)], // The first key's signature is on top.
            _ => &[],
        };
        for signer in signers {
            match signer {
                Some(signer) => {
                    let keypair = self.wallet.keypair(self.lock, *signer);
                    witness.push(self.schnorr(&keypair, Some(leaf), annex));
                }
                None => witness.push([]),
            }
        }
        let control = self
            .wallet
            .tree(self.lock)
            .control_block(&(script.clone(), version))
            .expect("the script is a leaf of the tree");
        witness.push(script);
        witness.push(control.serialize());
        if annex {
            witness.push(ANNEX);
        }
        witness
    }

    fn schnorr(&mut self, keypair: &bitcoin::key::Keypair, leaf: Option<TapLeafHash>, annex: bool) -> Vec<u8> {
        let hash_type = self.taproot_type();
        let annex = annex.then(|| Annex::new(&ANNEX).expect("it begins with 0x50"));
        let all = Prevouts::All(self.outputs);
        let hash = self
            .cache
            .taproot_signature_hash(self.index, &all, annex, leaf.map(|leaf| (leaf, u32::MAX)), hash_type)
            .expect("an output for SINGLE, and all outputs that are spent");
        let message = Message::from_digest(hash.to_byte_array());
        let signature = self.wallet.secp.sign_schnorr_no_aux_rand(&message, keypair);
        bitcoin::taproot::Signature { signature, sighash_type: hash_type }.to_vec()
    }

    fn ecdsa(&self, signer: usize, digest: [u8; 32], hash_type: EcdsaSighashType) -> Vec<u8> {
        let secret = self.wallet.keypair(self.lock, signer).secret_key();
        let signature = self.wallet.secp.sign_ecdsa(&Message::from_digest(digest), &secret);
        let mut bytes = signature.serialize_der().to_vec();
        bytes.push(hash_type as u8);
        bytes
    }

    /// `SINGLE` without an output of the same index hashes to 1 before segwit, which is valid too.
    fn ecdsa_type(&mut self) -> EcdsaSighashType {
        match self.random.below(10) {
            0 => EcdsaSighashType::None,
            1 => EcdsaSighashType::Single,
            2 => EcdsaSighashType::AllPlusAnyoneCanPay,
            3 => EcdsaSighashType::NonePlusAnyoneCanPay,
            4 => EcdsaSighashType::SinglePlusAnyoneCanPay,
            _ => EcdsaSighashType::All,
        }
    }

    /// BIP-0341 forbids `SINGLE` without an output of the same index.
    fn taproot_type(&mut self) -> TapSighashType {
        let single = self.index < self.cache.transaction().output.len();
        match self.random.below(10) {
            0 => TapSighashType::None,
            1 if single => TapSighashType::Single,
            2 => TapSighashType::AllPlusAnyoneCanPay,
            3 => TapSighashType::NonePlusAnyoneCanPay,
            4 if single => TapSighashType::SinglePlusAnyoneCanPay,
            5 => TapSighashType::All,
            _ => TapSighashType::Default,
        }
    }
}

/// A script of pushes only.
fn pushes(elements: impl IntoIterator<Item = Vec<u8>>) -> ScriptBuf {
    elements
        .into_iter()
        .fold(Builder::new(), |builder, element| {
            builder.push_slice(PushBytesBuf::try_from(element).expect("elements are small"))
        })
        .into_script()
}
