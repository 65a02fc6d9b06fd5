use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::hashes::sha256d;
use bitcoin::opcodes::all::OP_PUSHBYTES_4;
use bitcoin::script::Instruction;
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1, SecretKey};
use bitcoin::sighash::SighashCache;
use bitcoin::{CompressedPublicKey, EcdsaSighashType, ecdsa};
use proptest::prelude::*;

use super::*;

/// Blocks that Bitcoin Core accepts on the public signet.
const BLOCKS: &str = include_str!("../../../../../vectors/signet-10.txt");

fn blocks() -> Vec<bitcoin::Block> {
    BLOCKS.lines().filter(|line| !line.starts_with('#')).map(|line| deserialize_hex(line).unwrap()).collect()
}

fn parsed(block: &bitcoin::Block) -> Block {
    Block::parse(serialize(block)).unwrap()
}

fn asked(block: &bitcoin::Block, challenge: &Script) -> Result<bitcoin::Transaction, Error> {
    let job = script_job(&parsed(block), challenge)?;
    Ok(encode::deserialize(job.transaction.as_slice()).unwrap())
}

fn anyone() -> ScriptBuf {
    ScriptBuf::from_bytes(vec![0x51])
}

/// Whether the first signature in the input's script is one of the two keys' of the public challenge.
fn signed(to_sign: &bitcoin::Transaction, challenge: &Script) -> bool {
    let pushes = |script: &Script| -> Vec<Vec<u8>> {
        script.instructions().filter_map(|part| Some(part.unwrap().push_bytes()?.as_bytes().to_vec())).collect()
    };
    let signatures = pushes(&to_sign.input[0].script_sig);
    let signature = ecdsa::Signature::from_slice(&signatures[1]).unwrap();
    let hash = SighashCache::new(to_sign).legacy_signature_hash(0, challenge, signature.sighash_type.to_u32()).unwrap();
    let message = Message::from_digest(hash.to_byte_array());
    let secp = Secp256k1::verification_only();
    pushes(challenge).iter().any(|key| {
        let key = PublicKey::from_slice(key).unwrap();
        secp.verify_ecdsa(&message, &signature.signature, &key).is_ok()
    })
}

/// A block with the given witness commitment in its coinbase, and two more transactions.
fn block_with(commitment: ScriptBuf) -> bitcoin::Block {
    let mut block = blocks().remove(0);
    block.txdata[0].output[1].script_pubkey = commitment;
    for number in 1..3 {
        let mut transaction = block.txdata[0].clone();
        transaction.lock_time = absolute::LockTime::from_height(number).unwrap();
        transaction.input[0].previous_output = OutPoint::new(Txid::from_raw_hash(sha256d::Hash::all_zeros()), number);
        block.txdata.push(transaction);
    }
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    block
}

/// A witness commitment with more pushes behind it.
fn commitment_with(pushes: &[&[u8]]) -> ScriptBuf {
    let mut script = ScriptBuf::from_bytes([COMMITMENT.as_slice(), &[0xff; 32]].concat());
    for push in pushes {
        script.push_slice(<&PushBytes>::try_from(*push).unwrap());
    }
    script
}

#[test]
fn the_public_signets_first_blocks_are_signed() {
    let spec = Spec::signet();
    let challenge = spec.challenge.clone().unwrap();
    let blocks = blocks();
    assert_eq!(blocks.len(), 10);
    for block in blocks {
        let job = job(&parsed(&block), &spec).unwrap().unwrap();
        assert_eq!(job.flags, FLAGS);
        assert_eq!(job.spent.len(), 1);
        assert_eq!((job.spent[0].value, job.spent[0].script()), (Amount::ZERO, challenge.as_script()));
        assert!(signed(&asked(&block, &challenge).unwrap(), &challenge), "{}", block.block_hash());
    }
}

#[test]
fn a_signature_holds_for_its_block_and_challenge_alone() {
    let challenge = Spec::signet().challenge.unwrap();
    let block = blocks().remove(0);
    let mut later = block.clone();
    later.header.time += 1;
    assert!(!signed(&asked(&later, &challenge).unwrap(), &challenge));
    let mut richer = block.clone();
    richer.txdata[0].output[0].value += Amount::ONE_SAT;
    assert!(!signed(&asked(&richer, &challenge).unwrap(), &challenge));
    let mut harder = block.clone();
    harder.header.nonce += 1;
    assert!(signed(&asked(&harder, &challenge).unwrap(), &challenge), "work is done after signing");
    // Two of the same two keys: another challenge, another message.
    let mut both = challenge.to_bytes();
    both[0] = 0x52;
    let both = ScriptBuf::from_bytes(both);
    assert!(!signed(&asked(&block, &both).unwrap(), &both));
}

#[test]
fn genesis_blocks_and_other_chains_ask_nothing() {
    let signet = Spec::signet();
    assert!(job(&parsed(&signet.genesis), &signet).unwrap().is_none());
    assert!(job(&parsed(&blocks()[0]), &Spec::regtest()).unwrap().is_none());
}

/// Bitcoin Core, `src/test/validation_tests.cpp`, `signet_parse_tests` (MIT).
#[test]
fn solutions_are_read_as_core_reads_them() {
    let challenge = anyone();
    let with = |commitment| asked(&block_with(commitment), &challenge).map(|to_sign| to_sign.input[0].clone());
    assert_eq!(with(ScriptBuf::new()), Err(Error::NoCommitment));
    for (pushes, script) in [
        (vec![], vec![]),
        (vec![[0xec, 0xc7, 0xda, 0xa2].to_vec()], vec![]),
        (vec![vec![0xec, 0xc7, 0xda, 0xa2, 0x01, 0x51, 0x00]], vec![0x51]),
    ] {
        let pushes: Vec<&[u8]> = pushes.iter().map(Vec::as_slice).collect();
        let input = with(commitment_with(&pushes)).unwrap();
        assert_eq!((input.script_sig.to_bytes(), input.witness.len()), (script, 0));
    }
    assert_eq!(with(commitment_with(&[&[0xec, 0xc7, 0xda, 0xa2, 0x01, 0x51]])), Err(Error::Malformed));
    let extra = with(commitment_with(&[&[0xec, 0xc7, 0xda, 0xa2, 0x01, 0x51, 0x00, 0x00]]));
    assert_eq!(extra, Err(Error::Trailing { count: 1 }));
    assert_eq!(extra.unwrap_err().reason(), "bad-signet-blksig");
}

#[test]
fn a_block_without_a_coinbase_carries_nothing() {
    let mut block = blocks().remove(0);
    block.txdata.clear();
    assert_eq!(asked(&block, &anyone()), Err(Error::NoCoinbase));
    assert_eq!(template(&block, &anyone()), Err(Error::NoCoinbase));
}

#[test]
fn a_length_that_lies_is_malformed() {
    for solution in
        [&[0xff; 9][..], &[0xfe, 0xff, 0xff, 0xff, 0xff], &[0x00, 0xff], &[0x00, 0xfe, 0xff, 0xff, 0xff, 0x00]]
    {
        let push = [HEADER.as_slice(), solution].concat();
        assert_eq!(asked(&block_with(commitment_with(&[&push])), &anyone()), Err(Error::Malformed), "{solution:?}");
    }
}

#[test]
fn the_last_commitment_counts() {
    let mut block = block_with(commitment_with(&[&[0xec, 0xc7, 0xda, 0xa2, 0x01, 0x51, 0x00]]));
    let mut other = block.txdata[0].output[1].clone();
    other.script_pubkey = commitment_with(&[&[0xec, 0xc7, 0xda, 0xa2, 0x01, 0x52, 0x00]]);
    block.txdata[0].output.push(other);
    assert_eq!(asked(&block, &anyone()).unwrap().input[0].script_sig.to_bytes(), [0x52]);
}

#[test]
fn a_producer_signs_with_a_witness() {
    let secp = Secp256k1::new();
    let secret = SecretKey::from_slice(&[7; 32]).unwrap();
    let key = CompressedPublicKey(secret.public_key(&secp));
    let challenge = ScriptBuf::new_p2wpkh(&key.wpubkey_hash());
    let block = block_with(commitment_with(&[]));

    let to_sign = template(&block, &challenge).unwrap();
    let message = |to_sign: &bitcoin::Transaction| {
        let mut cache = SighashCache::new(to_sign);
        let hash = cache.p2wpkh_signature_hash(0, &challenge, Amount::ZERO, EcdsaSighashType::All).unwrap();
        Message::from_digest(hash.to_byte_array())
    };
    let signature = secp.sign_ecdsa(&message(&to_sign), &secret);
    let witness = Witness::p2wpkh(&ecdsa::Signature::sighash_all(signature), &key.0);
    let solution = Solution { script_sig: ScriptBuf::new(), witness };
    let sealed = embed(&block, &solution).unwrap();

    assert!(sealed.check_merkle_root());
    let asked = asked(&sealed, &challenge).unwrap();
    assert_eq!(asked.input[0].witness, solution.witness);
    assert_eq!(asked.compute_txid(), to_sign.compute_txid(), "what was signed is what is asked");
    assert!(secp.verify_ecdsa(&message(&asked), &signature, &key.0).is_ok());
}

#[test]
fn a_solution_takes_the_place_of_another() {
    let solution =
        |byte| Solution { script_sig: ScriptBuf::from_bytes(vec![byte; 90]), witness: Witness::from_slice(&[[byte]]) };
    for pushes in [vec![], vec![&b"note"[..]], vec![&HEADER[..]]] {
        let block = block_with(commitment_with(&pushes));
        let first = embed(&block, &solution(1)).unwrap();
        let second = embed(&block, &solution(2)).unwrap();
        assert_ne!(first, second);
        let again = embed(&first, &solution(2)).unwrap();
        assert_eq!(again.txdata[0].output[1].script_pubkey.len(), second.txdata[0].output[1].script_pubkey.len());
        assert_eq!(asked(&again, &anyone()).unwrap().input[0].script_sig, solution(2).script_sig);
        assert_eq!(template(&first, &anyone()).unwrap().output, template(&second, &anyone()).unwrap().output);
    }
    let block = block_with(commitment_with(&[]));
    let resigned = embed(&embed(&block, &solution(1)).unwrap(), &solution(2)).unwrap();
    assert_eq!(resigned, embed(&block, &solution(2)).unwrap());
    assert_eq!(template(&resigned, &anyone()), template(&block, &anyone()));
}

#[test]
fn a_solution_takes_the_place_of_several_others() {
    let [first, second] = [0x51, 0x52].map(|script| [HEADER.as_slice(), &[0x01, script, 0x00]].concat());
    let block = block_with(commitment_with(&[&first, b"note", &second]));
    let input = |block| asked(block, &anyone()).unwrap().input[0].script_sig.to_bytes();
    assert_eq!(input(&block), [0x51], "the first counts");
    let solution = Solution { script_sig: ScriptBuf::from_bytes(vec![0x53]), witness: Witness::new() };
    assert_eq!(input(&embed(&block, &solution).unwrap()), [0x53]);
}

#[test]
fn a_commitment_that_is_cut_off_can_carry_nothing() {
    let mut script = commitment_with(&[]).into_bytes();
    script.push(OP_PUSHBYTES_4.to_u8());
    let block = block_with(ScriptBuf::from_bytes(script));
    assert_eq!(embed(&block, &Solution::default()), Err(Error::NoCommitment));
}

proptest! {
    #[test]
    fn scripts_are_taken_apart_as_the_bitcoin_crate_does(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let script = Script::from_bytes(&bytes);
        let expected = script.instructions().map_while(Result::ok).map(|part| match part {
            Instruction::PushBytes(push) => push.as_bytes().to_vec(),
            Instruction::Op(_) => Vec::new(),
        });
        let found = Parts(&bytes).map(|part| match part {
            Part::Push(data) => data.to_vec(),
            Part::Opcode(_) => Vec::new(),
        });
        prop_assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn no_commitment_panics(tail in prop::collection::vec(any::<u8>(), 0..60), header in any::<bool>()) {
        let mut script = commitment_with(&[]).into_bytes();
        if header {
            script.push(u8::try_from(tail.len().min(71) + 4).unwrap());
            script.extend(HEADER);
        }
        script.extend(tail);
        let block = block_with(ScriptBuf::from_bytes(script));
        let _ = asked(&block, &anyone());
        if let Ok(sealed) = embed(&block, &Solution::default()) {
            prop_assert_eq!(asked(&sealed, &anyone()).unwrap(), template(&sealed, &anyone()).unwrap());
        }
    }
}
