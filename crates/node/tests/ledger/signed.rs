//! A chain whose blocks are signed by its producer (BIP-0325).

use yap_chain::bitcoin::consensus::serialize;
use yap_chain::bitcoin::hashes::Hash;
use yap_chain::bitcoin::hex::FromHex;
use yap_chain::bitcoin::opcodes::all::OP_CHECKSIG;
use yap_chain::bitcoin::script::PushBytesBuf;
use yap_chain::bitcoin::secp256k1::{Keypair, Message, Secp256k1, SecretKey};
use yap_chain::bitcoin::sighash::{EcdsaSighashType, SighashCache};
use yap_chain::bitcoin::{Block, PublicKey, ScriptBuf, Witness, ecdsa};
use yap_chain::block::signet::{Solution, embed, template};
use yap_chain::spec::Spec;
use yap_sim::builder::Builder;
use yap_sim::verdict::{Subject, Verdict};

use crate::subject::Ledger;

fn key(byte: u8) -> Keypair {
    let secp = Secp256k1::new();
    Keypair::from_secret_key(&secp, &SecretKey::from_slice(&[byte; 32]).unwrap())
}

fn challenge(key: &Keypair) -> ScriptBuf {
    ScriptBuf::builder().push_key(&PublicKey::new(key.public_key())).push_opcode(OP_CHECKSIG).into_script()
}

/// What satisfies the challenge of `key` for this block.
fn solution(block: &Block, key: &Keypair, challenge: &ScriptBuf) -> Solution {
    let to_sign = template(block, challenge).unwrap();
    let hash = SighashCache::new(&to_sign).legacy_signature_hash(0, challenge, EcdsaSighashType::All.to_u32()).unwrap();
    let message = Message::from_digest(hash.to_byte_array());
    let signature = ecdsa::Signature::sighash_all(Secp256k1::new().sign_ecdsa(&message, &key.secret_key()));
    let push = PushBytesBuf::try_from(signature.to_vec()).unwrap();
    Solution { script_sig: ScriptBuf::builder().push_slice(push).into_script(), witness: Witness::new() }
}

/// The block with the solution in it and its proof of work done.
fn sealed(block: &Block, solution: &Solution) -> Vec<u8> {
    let mut block = embed(block, solution).unwrap();
    while block.header.validate_pow(block.header.target()).is_err() {
        block.header.nonce += 1;
    }
    serialize(&block)
}

#[test]
fn blocks_count_with_their_producers_signature_only() {
    let (producer, stranger) = (key(1), key(2));
    let challenge = challenge(&producer);
    let mut ledger = Ledger::new(Spec { challenge: Some(challenge.clone()), ..Spec::regtest() });
    let mut builder = Builder::regtest(31);

    let (block, other) = (builder.fork_at(0).mine(&[]), builder.fork_at(0).mine(&[]));

    let unsigned = ledger.submit(&serialize(&block));
    assert_eq!(unsigned.rule(), Some("bad-signet-blksig"));
    let forged = ledger.submit(&sealed(&block, &solution(&block, &stranger, &challenge)));
    assert_eq!(forged.rule(), Some("bad-signet-blksig"));
    let borrowed = ledger.submit(&sealed(&block, &solution(&other, &producer, &challenge)));
    assert_eq!(borrowed.rule(), Some("bad-signet-blksig"));
    assert_eq!(ledger.tip().1, 0);

    assert_eq!(ledger.submit(&sealed(&block, &solution(&block, &producer, &challenge))), Verdict::Accepted);
    assert_eq!(ledger.tip().1, 1);
    assert_eq!(ledger.restart().tip().1, 1);
}

#[test]
fn the_public_signets_first_blocks_are_signed() {
    let vectors = include_str!("../../../../vectors/signet-10.txt");
    let mut ledger = Ledger::new(Spec::signet());
    for (height, line) in (1..).zip(vectors.lines().filter(|line| !line.starts_with('#'))) {
        let raw = Vec::<u8>::from_hex(line).unwrap();
        assert_eq!(ledger.submit(&raw), Verdict::Accepted, "height {height}");
        assert_eq!(ledger.tip().1, height);
    }
    assert_eq!(ledger.tip().1, 10);
}
