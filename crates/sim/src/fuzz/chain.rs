//! What must hold of what makes a chain: its spec, its headers, the solutions in a signet's blocks.

use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::consensus::encode;
use bitcoin::{Amount, Script, ScriptBuf};
use yap_chain::block::{Block, signet};
use yap_chain::header::{Accepted, Tree, pow};
use yap_chain::spec::{Retarget, Spec, Times, file};
use yap_chain::transaction::Transaction;

use super::Outcome;

/// The clock that headers are judged by, in seconds since 1970: some time in 2033.
const NOW: u32 = 2_000_000_000;

/// Longest message of an error about a spec: one that quotes a value and lists a table's keys.
const MAX_MESSAGE: usize = 512;

/// A spec comes back from the text written of it; an error says where to look, in few words.
pub fn spec(data: &[u8]) -> Outcome {
    let Ok(text) = str::from_utf8(data) else { return Outcome::Refused };
    let (draft, read) = (Spec::draft(text), Spec::from_toml(text));
    for error in [draft.as_ref().err(), read.as_ref().err()].into_iter().flatten() {
        let message = error.to_string();
        assert!(message.len() <= MAX_MESSAGE, "{message}");
        assert!(error.line().is_none_or(|line| (1..=text.split('\n').count()).contains(&line)), "{message}");
    }
    let Ok(draft) = draft else {
        assert_eq!(read, draft);
        return Outcome::Refused;
    };
    match read {
        Ok(read) => assert_eq!(read, draft),
        Err(error) => assert!(matches!(error, file::Error::GenesisWork { .. }), "{error}"),
    }
    let written = draft.to_toml();
    assert_eq!(Spec::draft(&written).as_ref(), Ok(&draft), "{written}");
    for height in [0, 1, draft.subsidy.halving, u32::MAX] {
        assert!(draft.subsidy_at(height) <= Amount::MAX_MONEY);
        let _ = draft.script_flags(height, &draft.genesis.block_hash());
    }
    let genesis = encode::serialize(&draft.genesis);
    assert_eq!(Block::parse(genesis).map(|block| block.hash()).ok(), Some(draft.genesis.block_hash()));
    Outcome::Held
}

/// A chain whose blocks anyone can find, with the retarget rule of that number.
pub(super) fn with_rule(number: u8) -> Spec {
    let mut spec = Spec::regtest();
    spec.work.retarget = match number % 5 {
        0 => Retarget::None,
        1 => Retarget::Bitcoin { interval: 4, min_difficulty_blocks: true, bip94: false },
        2 => Retarget::Bitcoin { interval: 5, min_difficulty_blocks: false, bip94: true },
        3 => Retarget::Asert { half_life: 120 },
        _ => {
            spec.times = Times { future: 240, monotone: true };
            Retarget::Relative { half_life: 240 }
        }
    };
    spec
}

/// Headers join the tree in their place or leave it as it was, and the branch with the most work is known.
///
/// The first byte names a retarget rule; headers of 80 bytes follow.
pub fn header(data: &[u8]) -> Outcome {
    let Some((&rule, data)) = data.split_first() else { return Outcome::Refused };
    let spec = Arc::new(with_rule(rule));
    let (mut judged, mut trusted) = (Tree::new(Arc::clone(&spec), 1), Tree::new(spec, 1));
    for bytes in data.as_chunks::<80>().0 {
        let header: Header = encode::deserialize(bytes).expect("any 80 bytes are a header");
        assert_eq!(encode::serialize(&header), bytes);
        accept(&mut judged, &header);
        // What a damaged disk makes of headers is not judged again, and must do no harm.
        insert(&mut trusted, &header);
    }
    let outcome = if judged.len() > 1 { Outcome::Held } else { Outcome::Refused };
    check_tree(&mut judged);
    check_tree(&mut trusted);
    outcome
}

/// Judges a header.
fn accept(tree: &mut Tree, header: &Header) {
    let (known, best) = (tree.len(), tree.best());
    match tree.accept(header, NOW) {
        Ok(Accepted::New(id)) => {
            assert_eq!((tree.len(), id.index()), (known + 1, known));
            assert_eq!((tree.header(id), tree.hash(id)), (*header, header.block_hash()));
            let parent = tree.parent(id).expect("the genesis header is no new one");
            assert_eq!((tree.hash(parent), tree.height(parent) + 1), (header.prev_blockhash, tree.height(id)));
            assert_eq!(tree.work(id), tree.work(parent) + header.work());
            assert!(tree.work(id) > tree.work(parent));
            assert_eq!(tree.next_bits(parent, header.time), header.bits);
            assert!(tree.median_time_past(parent) < header.time && tree.earliest_time(parent) <= header.time);
            assert_eq!(tree.work(tree.best()), tree.work(best).max(tree.work(id)));
            let after = tree.next_bits(id, header.time.saturating_add(1));
            assert!(pow::target(after, &with_rule(0).work.limit).is_some(), "the next header could not be made");
            assert_eq!(tree.accept(header, NOW), Ok(Accepted::Known(id)));
        }
        Ok(Accepted::Known(id)) => assert_eq!((tree.hash(id), tree.len()), (header.block_hash(), known)),
        Err(error) => {
            assert!(!error.reason().is_empty());
            assert_eq!((tree.len(), tree.best(), tree.get(&header.block_hash())), (known, best, None));
        }
    }
}

/// Takes a header as it is.
fn insert(tree: &mut Tree, header: &Header) {
    let known = tree.len();
    match tree.insert_trusted(header) {
        Ok(id) => {
            assert_eq!((tree.header(id), tree.hash(id)), (*header, header.block_hash()));
            assert!(tree.len() <= known + 1);
            if let Some(parent) = tree.parent(id) {
                assert!(tree.work(id) >= tree.work(parent));
            }
            assert!(tree.work(tree.best()) >= tree.work(id));
            for time in [0, header.time, u32::MAX] {
                let _ = tree.next_bits(id, time);
            }
        }
        Err(_) => assert_eq!(tree.len(), known),
    }
}

/// Ways through the tree lead where they should, and what is taken back can be taken back again.
fn check_tree(tree: &mut Tree) {
    let (best, genesis) = (tree.best(), tree.genesis());
    let locator = tree.locator(best);
    assert_eq!((locator.first(), locator.last()), (Some(&tree.hash(best)), Some(&tree.hash(genesis))));
    assert_eq!(tree.find_fork(best, &locator), best);
    for id in tree.iter() {
        let path = tree.path(id, best);
        assert_eq!(path.disconnect.len() as u32, tree.height(id) - tree.height(path.fork));
        assert_eq!(path.connect.len() as u32, tree.height(best) - tree.height(path.fork));
        assert!(tree.is_ancestor(path.fork, id) && tree.is_ancestor(path.fork, best));
    }
    if best != genesis {
        let hash = tree.hash(best);
        assert_eq!(tree.invalidate(&hash), Some(best));
        assert!(tree.best() != best && tree.work(tree.best()) <= tree.work(best));
        tree.reconsider(&hash);
        assert_eq!(tree.work(tree.best()), tree.work(best));
    }
}

/// What a signet's block is asked has the block's solution in it, holds whatever the work done, and asks of a block what
/// its producer was given to sign.
///
/// The first byte is the length of the challenge, which follows; the rest is the block.
pub fn solution(data: &[u8]) -> Outcome {
    let Some((&length, rest)) = data.split_first() else { return Outcome::Refused };
    let Some((challenge, block)) = rest.split_at_checked(usize::from(length)) else { return Outcome::Refused };
    let challenge = Script::from_bytes(challenge);
    let Ok(parsed) = Block::parse(block.to_vec()) else { return Outcome::Refused };
    let asked = asked(&parsed, challenge);
    let mut worked = block.to_vec();
    worked[72..80].fill(0xa5);
    assert_eq!(self::asked(&Block::parse(worked).expect("bits and nonce are any"), challenge), asked);

    let Ok(to_sign) = asked else { return Outcome::Refused };
    let solution =
        signet::Solution { script_sig: to_sign.input[0].script_sig.clone(), witness: to_sign.input[0].witness.clone() };
    check_embedded(block, challenge, &solution);
    let mut other = ScriptBuf::new();
    other.push_slice([0x17; 33]);
    check_embedded(block, challenge, &signet::Solution { script_sig: other, ..solution });
    Outcome::Held
}

/// The transaction whose only input a block must satisfy.
fn asked(block: &Block, challenge: &Script) -> Result<bitcoin::Transaction, signet::Error> {
    let job = signet::script_job(block, challenge)?;
    assert_eq!((job.flags, job.spent.len()), (signet::FLAGS, 1));
    assert_eq!((job.spent[0].value, job.spent[0].script()), (Amount::ZERO, challenge));
    let transaction = Transaction::parse(job.transaction.as_slice().to_vec()).expect("it was made of parts");
    let transaction = transaction.decoded().clone();
    assert_eq!((transaction.input.len(), transaction.output.len()), (1, 1));
    assert!(job.transaction.as_slice().len() <= block.bytes().len() + 64, "no more than the block carries");
    Ok(transaction)
}

/// A block that the solution is put in is asked what the template said, with that solution.
fn check_embedded(block: &[u8], challenge: &Script, solution: &signet::Solution) {
    let block: bitcoin::Block = encode::deserialize(block).expect("it was parsed");
    let (Ok(mut template), Ok(signed)) = (signet::template(&block, challenge), signet::embed(&block, solution)) else {
        return;
    };
    template.input[0].script_sig = solution.script_sig.clone();
    template.input[0].witness = solution.witness.clone();
    let signed = Block::parse(encode::serialize(&signed)).expect("a block that was written can be read");
    assert_eq!(asked(&signed, challenge), Ok(template));
}
