//! Signatures that are really made, where the machine verifies them.

use bitcoin::hashes::{Hash, hash160, sha256};
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{Amount, Script, Transaction, Witness};

use crate::coin::Coin;
use crate::fixture::{outpoint, parsed, spend};
use crate::policy::script::{Error, check};

const VALUE: Amount = Amount::from_sat(5000);

fn push(data: &[u8]) -> Vec<u8> {
    let mut script = bitcoin::ScriptBuf::new();
    script.push_slice(bitcoin::script::PushBytesBuf::try_from(data.to_vec()).unwrap());
    script.into_bytes()
}

fn secret() -> SecretKey {
    SecretKey::from_slice(&[3; 32]).unwrap()
}

fn key() -> PublicKey {
    secret().public_key(&Secp256k1::signing_only())
}

fn sign(hash: [u8; 32]) -> Vec<u8> {
    let signature = Secp256k1::signing_only().sign_ecdsa(&Message::from_digest(hash), &secret());
    [&signature.serialize_der()[..], &[1]].concat()
}

fn coin(script: &[u8]) -> [Coin; 1] {
    [Coin::new(VALUE, Script::from_bytes(script), 1, false)]
}

/// Behind P2SH, where the arguments before the script are `arguments` of the signature.
fn nested(script: &[u8], arguments: impl Fn(&[u8]) -> Vec<u8>) -> Result<(), Error> {
    let mut transaction: Transaction = spend(&[outpoint(1)], &[1000]);
    let hash = SighashCache::new(&transaction).legacy_signature_hash(0, Script::from_bytes(script), 1).unwrap();
    let arguments = arguments(&sign(hash.to_byte_array()));
    transaction.input[0].script_sig = [arguments, push(script)].concat().into();
    let spent = [&[0xa9, 20], &hash160::Hash::hash(script).to_byte_array()[..], &[0x87]].concat();
    check(&parsed(&transaction), 0, &coin(&spent))
}

/// In a witness of version 0, with the items that `items` makes of the signature.
fn witness(script: &[u8], items: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> Result<(), Error> {
    let mut transaction: Transaction = spend(&[outpoint(1)], &[1000]);
    let script_code = Script::from_bytes(script);
    let hash = SighashCache::new(&transaction)
        .p2wsh_signature_hash(0, script_code, VALUE, EcdsaSighashType::All)
        .unwrap()
        .to_byte_array();
    let mut items = items(&sign(hash));
    items.push(script.to_vec());
    transaction.input[0].witness = Witness::from_slice(&items);
    let spent = [&[0, 32], &sha256::Hash::hash(script).to_byte_array()[..]].concat();
    check(&parsed(&transaction), 0, &coin(&spent))
}

/// The signature with another R, as well encoded.
fn spoiled(signature: &[u8]) -> Vec<u8> {
    let mut spoiled = signature.to_vec();
    spoiled[20] ^= 1;
    spoiled
}

#[test]
fn a_right_signature_passes_where_it_is_verified() {
    // The script holds either way, so the engine would not miss the signature.
    let script = [push(&key().serialize()), vec![0xac, 0x75, 0x51]].concat();
    assert_eq!(nested(&script, push), Ok(()));
    assert_eq!(nested(&script, |signature| push(&spoiled(signature))), Err(Error::NullFail));
    assert_eq!(witness(&script, |signature| vec![signature.to_vec()]), Ok(()));
    assert_eq!(witness(&script, |signature| vec![spoiled(signature)]), Err(Error::NullFail));
}

#[test]
fn a_signature_is_verified_as_often_as_it_is_asked_about() {
    let check = [&[0x76][..], &push(&key().serialize()), &[0xac, 0x75]].concat();
    let script = [check.repeat(5), vec![0x75, 0x51]].concat();
    assert_eq!(nested(&script, push), Ok(()));
    assert_eq!(nested(&script, |signature| push(&spoiled(signature))), Err(Error::NullFail));
}

#[test]
fn a_code_separator_in_a_witness_cuts_what_is_signed() {
    // The signature is over the part behind it, so it is wrong for the whole.
    let signed = [push(&key().serialize()), vec![0xac, 0x75, 0x51]].concat();
    let script = [&[0xab], &signed[..]].concat();
    assert_eq!(witness(&script, |signature| vec![signature.to_vec()]), Err(Error::NullFail));
    let mut transaction: Transaction = spend(&[outpoint(1)], &[1000]);
    let hash = SighashCache::new(&transaction)
        .p2wsh_signature_hash(0, Script::from_bytes(&signed), VALUE, EcdsaSighashType::All)
        .unwrap();
    transaction.input[0].witness = Witness::from_slice(&[sign(hash.to_byte_array()), script.clone()]);
    let spent = [&[0, 32], &sha256::Hash::hash(&script).to_byte_array()[..]].concat();
    assert_eq!(check(&parsed(&transaction), 0, &coin(&spent)), Ok(()));
}

/// Which keys a multi-signature looks at depends on whose the signatures are: from the last to the first.
#[test]
fn a_bad_key_matters_only_where_it_is_looked_at() {
    let good = push(&key().serialize());
    // A hybrid key: the form is defined, and relayed nowhere.
    let mut hybrid = key().serialize_uncompressed();
    hybrid[0] = if hybrid[64] & 1 == 0 { 6 } else { 7 };
    let multisig = |first: &[u8], second: &[u8]| [&[0x51], first, second, &[0x52, 0xae]].concat();
    let spend = |script: &[u8]| nested(script, |signature| [&[0], &push(signature)[..]].concat());
    assert_eq!(spend(&multisig(&good, &good)), Ok(()));
    assert_eq!(spend(&multisig(&push(&hybrid), &good)), Ok(()), "the last one signed");
    assert_eq!(spend(&multisig(&good, &push(&hybrid))), Err(Error::PubkeyType));
    let other = push(&SecretKey::from_slice(&[4; 32]).unwrap().public_key(&Secp256k1::signing_only()).serialize());
    assert_eq!(spend(&multisig(&push(&hybrid), &other)), Err(Error::PubkeyType), "the last one did not");
}
