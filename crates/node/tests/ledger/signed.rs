//! Chains whose blocks are signed by their producers (BIP-0325), and what becomes irreversible on them.

use yap_chain::bitcoin::block::Header;
use yap_chain::bitcoin::consensus::serialize;
use yap_chain::bitcoin::hashes::Hash;
use yap_chain::bitcoin::hex::FromHex;
use yap_chain::bitcoin::opcodes::all::OP_CHECKSIG;
use yap_chain::bitcoin::script::PushBytesBuf;
use yap_chain::bitcoin::secp256k1::{Keypair, Message, Secp256k1, SecretKey};
use yap_chain::bitcoin::sighash::{EcdsaSighashType, SighashCache};
use yap_chain::bitcoin::{Block, PublicKey, ScriptBuf, Witness, ecdsa};
use yap_chain::block::signet::{Solution, embed, template};
use yap_chain::block::{self, Contents, Draft};
use yap_chain::header::tree::{Id, Status};
use yap_chain::producer::{Key, Producers};
use yap_chain::spec::Spec;
use yap_node::chainstate::{Accepted, Event};
use yap_node::reject::{FORKED, Reject};
use yap_sim::builder::Builder;
use yap_sim::verdict::{Subject, Verdict};

use crate::subject::{Ledger, now};

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

/// A chain with so many producers, and their keys.
struct Guild {
    keys: Vec<Key>,
    producers: Producers,
    ledger: Ledger,
    salt: u64,
}

impl Guild {
    fn of(count: u8) -> Self {
        let keys: Vec<Key> = (1..=count).map(|byte| Key::new(&[byte; 32]).unwrap()).collect();
        let producers = Producers::new(keys.iter().map(Key::public).collect()).unwrap();
        let challenge = Some(producers.challenge().to_owned());
        let ledger = Ledger::new(Spec { name: "guild".into(), challenge, ..Spec::regtest() });
        Self { keys, producers, ledger, salt: 0 }
    }

    /// A block on `parent` that a producer signed.
    fn make(&mut self, parent: Id, signer: usize) -> block::Block {
        self.salt += 1;
        let contents = Contents { payout: ScriptBuf::from_bytes(vec![0x51]), ..Contents::default() };
        let draft = Draft::new(self.ledger.chainstate().tree(), parent, contents, now());
        let draft = self.keys[signer].sign(&draft, self.salt, &self.producers).unwrap();
        let header = draft.header(0);
        let target = header.target();
        let good = |nonce: &u32| target.is_met_by(Header { nonce: *nonce, ..header }.block_hash());
        draft.seal(0, header.time, (0..).find(good).unwrap())
    }

    /// Gives such a block to the ledger; it must be stored.
    fn grow(&mut self, parent: Id, signer: usize) -> Id {
        let block = self.make(parent, signer);
        let (accepted, events) = self.ledger.give(block.bytes());
        assert!(matches!(accepted, Some(Accepted::Stored)), "{accepted:?}");
        assert!(!events.iter().any(|event| matches!(event, Event::Invalid { .. })), "{events:?}");
        self.ledger.chainstate().tree().get(&block.hash()).unwrap()
    }

    /// Blocks on `parent`, one for each signer; gives the last.
    fn grow_all(&mut self, parent: Id, signers: &[usize]) -> Id {
        signers.iter().fold(parent, |parent, signer| self.grow(parent, *signer))
    }

    fn genesis(&mut self) -> Id {
        self.ledger.chainstate().tree().genesis()
    }

    fn tip(&mut self) -> Id {
        self.ledger.chainstate().verified_tip()
    }

    fn irreversible(&mut self) -> Option<u32> {
        let chainstate = self.ledger.chainstate();
        chainstate.irreversible().map(|id| chainstate.tree().height(id))
    }
}

#[test]
fn every_producers_blocks_satisfy_the_script_engine_and_no_strangers_do() {
    for count in [1, 2, 16] {
        let mut guild = Guild::of(count);
        for signer in 0..usize::from(count) {
            let tip = guild.tip();
            let id = guild.grow(tip, signer);
            assert_eq!(guild.ledger.chainstate().signer(id), Some(u16::try_from(signer).unwrap()));
        }
        guild.keys.push(Key::new(&[99; 32]).unwrap());
        let (tip, stranger) = (guild.tip(), guild.keys.len() - 1);
        let forged = guild.make(tip, stranger);
        assert_eq!(guild.ledger.submit(forged.bytes()).rule(), Some("bad-signet-blksig"));
    }
}

#[test]
fn a_branch_that_leaves_an_irreversible_block_is_refused_however_long_it_is() {
    let mut guild = Guild::of(4);
    let genesis = guild.genesis();
    let common = guild.grow_all(genesis, &[0, 1]);
    // One producer goes its own way, before anything on the others' is irreversible: that may still win.
    let rogue = guild.grow_all(common, &[3, 3]);
    assert_eq!((guild.tip(), guild.irreversible()), (rogue, None));
    let ours = guild.grow_all(common, &[0, 1, 2]);
    assert_eq!((guild.tip(), guild.irreversible()), (ours, Some(2)), "0, 1 and 2 stand on the second block");
    let ours = guild.grow_all(ours, &[0, 1, 2]);
    assert_eq!((guild.tip(), guild.irreversible()), (ours, Some(5)));

    // It has two blocks, and makes five more.
    let mut parent = rogue;
    for _ in 0..5 {
        let block = guild.make(parent, 3);
        let (accepted, _) = guild.ledger.give(block.bytes());
        let Some(Accepted::Rejected(why @ Reject::Irreversible { height: 5, .. })) = accepted else {
            panic!("{accepted:?}");
        };
        assert_eq!(why.reason(), FORKED);
        let tree = guild.ledger.chainstate().tree();
        parent = tree.get(&block.hash()).unwrap();
        assert_eq!(tree.status(parent), Status::Forked, "its header is known, and nothing is held against it");
    }
    let tree = guild.ledger.chainstate().tree();
    assert!(tree.work(parent) > tree.work(ours));
    assert_eq!((tree.best(), guild.tip()), (ours, ours));
    // Life goes on.
    let next = guild.grow(ours, 0);
    assert_eq!((guild.tip(), guild.irreversible()), (next, Some(6)));
}

#[test]
fn what_is_irreversible_is_so_after_a_restart_whatever_else_is_stored() {
    let mut guild = Guild::of(3);
    let genesis = guild.genesis();
    let ours = guild.grow_all(genesis, &[0, 1, 2]);
    assert_eq!(guild.irreversible(), None, "the first block cannot be left anyway");
    // A longer branch is stored but for its first block, so that nobody can tell yet that it competes.
    let first = guild.make(genesis, 2);
    let header = *first.header();
    let mut parent = guild.ledger.chainstate().accept_header(&header, now()).unwrap();
    let mut others = Vec::new();
    for _ in 0..6 {
        parent = guild.grow(parent, 2);
        others.push(parent);
    }
    assert_eq!(guild.tip(), ours);
    let ours = guild.grow(ours, 0);
    assert_eq!((guild.tip(), guild.irreversible()), (ours, Some(1)));
    let hash = guild.ledger.chainstate().tree().hash(ours);

    for crash in [false, true] {
        if crash {
            guild.ledger.crash();
        } else {
            guild.ledger.restart();
        }
        let ours = guild.ledger.chainstate().tree().get(&hash).unwrap();
        assert_eq!((guild.tip(), guild.irreversible()), (ours, Some(1)));
        // Now all of the longer branch could be connected.
        let (accepted, _) = guild.ledger.give(first.bytes());
        assert!(matches!(accepted, Some(Accepted::Rejected(Reject::Irreversible { .. }))), "{accepted:?}");
        guild.ledger.chainstate().settle().unwrap();
        assert_eq!(guild.tip(), ours);
    }
}

#[test]
fn with_too_few_producers_nothing_becomes_irreversible_and_most_work_wins() {
    let mut guild = Guild::of(4);
    let genesis = guild.genesis();
    let ours = guild.grow_all(genesis, &[0, 1, 0, 1, 0, 1]);
    assert_eq!((guild.tip(), guild.irreversible()), (ours, None));
    let theirs = guild.grow_all(genesis, &[2, 3, 2, 3, 2, 3, 2]);
    assert_eq!((guild.tip(), guild.irreversible()), (theirs, None));
    // Together again.
    let tip = guild.grow_all(theirs, &[0]);
    assert_eq!((guild.tip(), guild.irreversible()), (tip, Some(5)), "2, 3 and 0 stand on the fifth");
}

#[test]
fn other_challenges_make_nothing_irreversible() {
    let anyone = ScriptBuf::from_bytes(vec![0x51]);
    let mut ledger = Ledger::new(Spec { name: "open".into(), challenge: Some(anyone), ..Spec::regtest() });
    let mut builder = Builder::regtest(5);
    for _ in 0..5 {
        let block = serialize(&builder.mine(&[]));
        assert_eq!(ledger.submit(&block), Verdict::Accepted);
    }
    let chainstate = ledger.chainstate();
    assert_eq!((chainstate.producers(), chainstate.irreversible()), (None, None));
}
