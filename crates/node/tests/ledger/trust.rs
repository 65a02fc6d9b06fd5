//! Scripts taken as valid on somebody's word: those of a block and its ancestors, and nothing else.

use std::path::Path;
use std::sync::Arc;

use yap_chain::bitcoin::consensus::serialize;
use yap_chain::bitcoin::{Amount, Block, BlockHash};
use yap_chain::spec::Spec;
use yap_node::chainstate::{Accepted, Chainstate, Event, Options, Trust};
use yap_node::prepare::Prepared;
use yap_node::reject::Reject;
use yap_sim::Builder;
use yap_sim::lock::Kind;

use crate::subject::now;

fn open(directory: &Path, trust: Trust) -> Chainstate {
    let options = Options { threads: 1, trust, ..Options::default() };
    Chainstate::open(directory, Arc::new(Spec::regtest()), options).unwrap()
}

/// Hands in a chain whose headers are known beforehand; gives the blocks that were refused.
fn give(chainstate: &mut Chainstate, builder: &Builder) -> Vec<(BlockHash, Reject)> {
    for block in builder.blocks() {
        chainstate.accept_header(&block.header, now()).unwrap();
    }
    let mut refused = Vec::new();
    for block in builder.blocks() {
        let parsed = yap_chain::block::Block::parse(serialize(block)).unwrap();
        let accepted = chainstate.process(Prepared::new(parsed, chainstate.spec()), now()).unwrap();
        chainstate.settle().unwrap();
        if let Accepted::Rejected(why) = accepted {
            refused.push((block.block_hash(), why));
        }
        while let Some(event) = chainstate.poll() {
            if let Event::Invalid { hash, why, .. } = event {
                refused.push((hash, why));
            }
        }
    }
    refused
}

/// Mines a payment whose signature is of another payment.
fn wrong_script(builder: &mut Builder) -> Block {
    let payment = builder.payment_of(Kind::Wpkh).unwrap();
    let mut transaction = builder.sign(&payment);
    transaction.output[0].value -= Amount::ONE_SAT;
    builder.mine(&[transaction])
}

/// Mines a payment of more than there is, well signed.
fn wrong_amount(builder: &mut Builder) -> Block {
    let mut payment = builder.payment_of(Kind::Wpkh).unwrap();
    payment.outputs[0].value += Amount::ONE_SAT;
    let transaction = builder.sign(&payment);
    builder.mine(&[transaction])
}

fn chain() -> Builder {
    let mut builder = Builder::regtest(9);
    builder.prepare(4);
    builder
}

#[test]
fn a_wrong_script_is_taken_up_to_the_trusted_block_and_refused_above_it() {
    let mut builder = chain();
    let wrong = wrong_script(&mut builder);
    builder.mine_empty(2);
    let wrong_hash = wrong.block_hash();
    let before = wrong.header.prev_blockhash;
    for (trust, taken) in [
        (Trust::Nobody, false),
        (Trust::Spec, false),
        (Trust::Block(before), false),
        (Trust::Block(wrong_hash), true),
        (Trust::Block(builder.tip()), true),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut chainstate = open(directory.path(), trust);
        let refused = give(&mut chainstate, &builder);
        let tip = chainstate.tree().hash(chainstate.tip());
        if taken {
            assert!(refused.is_empty(), "{trust:?}: {refused:?}");
            assert_eq!(tip, builder.tip(), "{trust:?}");
        } else {
            assert_eq!(refused[0].0, wrong_hash, "{trust:?}");
            assert!(matches!(refused[0].1, Reject::Script(_)), "{trust:?}: {refused:?}");
            assert_eq!(tip, before, "{trust:?}");
        }
    }
}

#[test]
fn trust_in_a_block_is_no_trust_in_another_branch() {
    let mut builder = chain();
    let mut other = builder.fork_at(builder.height());
    let trusted = builder.mine(&[]).block_hash();
    let wrong = wrong_script(&mut other);
    let directory = tempfile::tempdir().unwrap();
    let mut chainstate = open(directory.path(), Trust::Block(trusted));
    assert!(give(&mut chainstate, &builder).is_empty());
    other.mine_empty(1);
    let refused = give(&mut chainstate, &other);
    assert_eq!(refused[0].0, wrong.block_hash());
    assert_eq!(chainstate.tree().hash(chainstate.tip()), trusted);
}

#[test]
fn every_other_rule_holds_in_trusted_blocks() {
    let mut builder = chain();
    let wrong = wrong_amount(&mut builder);
    builder.mine_empty(2);
    let directory = tempfile::tempdir().unwrap();
    let mut chainstate = open(directory.path(), Trust::Block(builder.tip()));
    let refused = give(&mut chainstate, &builder);
    assert_eq!(refused[0].0, wrong.block_hash());
    assert_eq!(refused[0].1.reason(), "bad-txns-in-belowout");
    assert_eq!(chainstate.tree().hash(chainstate.tip()), wrong.header.prev_blockhash);
}

#[test]
fn what_was_taken_on_trust_is_not_verified_later() {
    let mut builder = chain();
    wrong_script(&mut builder);
    let trusted = builder.tip();
    let directory = tempfile::tempdir().unwrap();
    let mut chainstate = open(directory.path(), Trust::Block(trusted));
    assert!(give(&mut chainstate, &builder).is_empty());
    chainstate.flush().unwrap();
    drop(chainstate);
    let mut chainstate = open(directory.path(), Trust::Nobody);
    assert_eq!(chainstate.tree().hash(chainstate.verified_tip()), trusted);
    let wrong = wrong_script(&mut builder);
    assert_eq!(give(&mut chainstate, &builder)[0].0, wrong.block_hash(), "but what is new is");
    assert_eq!(chainstate.tree().hash(chainstate.tip()), trusted);
}
