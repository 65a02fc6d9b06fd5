//! A key of the tests' own, for transactions that no wallet would make.

use std::str::FromStr as _;

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::ecdsa::Signature;
use bitcoin::hashes::Hash as _;
use bitcoin::secp256k1::{All, Message, Secp256k1, SecretKey};
use bitcoin::sighash::SighashCache;
use bitcoin::{
    Address, Amount, CompressedPublicKey, EcdsaSighashType, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn,
    TxOut, Txid, Witness,
};
use serde_json::json;

use crate::town::{COIN, Town};

/// A key, and the coins of its P2WPKH script.
pub(crate) struct Key {
    secp: Secp256k1<All>,
    secret: SecretKey,
    public: CompressedPublicKey,
}

/// A coin of a key.
#[derive(Clone, Copy)]
pub(crate) struct Coin {
    pub(crate) outpoint: OutPoint,
    pub(crate) value: i64,
}

/// A transaction that can be sent.
pub(crate) struct Signed {
    pub(crate) hex: String,
    pub(crate) txid: String,
}

impl Signed {
    /// What it creates, if that is a coin of a key.
    pub(crate) fn coin(&self, output: u32, value: i64) -> Coin {
        Coin { outpoint: OutPoint::new(Txid::from_str(&self.txid).unwrap(), output), value }
    }
}

impl Key {
    pub(crate) fn new(number: u8) -> Self {
        let secp = Secp256k1::new();
        let secret = SecretKey::from_slice(&[number; 32]).unwrap();
        let public = CompressedPublicKey(secret.public_key(&secp));
        Self { secp, secret, public }
    }

    /// The chain `local` writes addresses as regtest does.
    pub(crate) fn address(&self) -> String {
        Address::p2wpkh(&self.public, Network::Regtest).to_string()
    }

    fn script(&self) -> ScriptBuf {
        ScriptBuf::new_p2wpkh(&self.public.wpubkey_hash())
    }

    /// What the block at a height created, which was mined for this key.
    pub(crate) fn reward(&self, town: &Town, height: u64) -> Coin {
        let hash = town.call(1, "getblockhash", json!([height]));
        let block = town.call(1, "getblock", json!([hash, 1]));
        let txid = Txid::from_str(block["tx"][0].as_str().unwrap()).unwrap();
        Coin { outpoint: OutPoint::new(txid, 0), value: COIN }
    }

    /// Spends a coin, for addresses and what they get; the rest is the fee. It is not to be replaced.
    pub(crate) fn spend(&self, coin: &Coin, to: &[(&str, i64)]) -> Signed {
        let input = TxIn {
            previous_output: coin.outpoint,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        };
        let output = |(address, value): &(&str, i64)| TxOut {
            value: Amount::from_sat(u64::try_from(*value).unwrap()),
            script_pubkey: Address::from_str(address).unwrap().assume_checked().script_pubkey(),
        };
        let mut transaction = Transaction {
            version: bitcoin::transaction::Version::TWO,
            lock_time: bitcoin::absolute::LockTime::ZERO,
            input: vec![input],
            output: to.iter().map(output).collect(),
        };
        let value = Amount::from_sat(u64::try_from(coin.value).unwrap());
        let mut cache = SighashCache::new(&mut transaction);
        let hash = cache.p2wpkh_signature_hash(0, &self.script(), value, EcdsaSighashType::All).unwrap();
        let signature = self.secp.sign_ecdsa(&Message::from_digest(hash.to_byte_array()), &self.secret);
        let witness = Witness::p2wpkh(&Signature::sighash_all(signature), &self.public.0);
        *cache.witness_mut(0).unwrap() = witness;
        Signed { hex: serialize_hex(&transaction), txid: transaction.compute_txid().to_string() }
    }
}
