//! Blocks and transactions without witnesses are those of the `bitcoin` crate.

use super::*;
use crate::arbitrary;

fn stripped(transaction: &::bitcoin::Transaction) -> ::bitcoin::Transaction {
    let mut transaction = transaction.clone();
    transaction.input.iter_mut().for_each(|input| input.witness.clear());
    transaction
}

#[test]
fn witnesses_are_left_out() {
    let mut with = 0;
    for seed in 0..40 {
        let block = arbitrary::block(&mut random(seed));
        let bare = block_without_witness(&block);
        let txdata = block.transactions().iter().map(|transaction| stripped(transaction.decoded())).collect();
        let expected = ::bitcoin::Block { header: *block.header(), txdata };
        assert_eq!(**bare.bytes(), ::bitcoin::consensus::serialize(&expected), "seed {seed}");
        assert_eq!((bare.hash(), bare.bytes().len()), (block.hash(), block.base_size()), "seed {seed}");
        for transaction in block.transactions() {
            let bare = transaction_without_witness(transaction);
            assert_eq!((bare.txid(), bare.has_witness()), (transaction.txid(), false), "seed {seed}");
            with += usize::from(transaction.has_witness());
        }
    }
    assert!(with > 20, "{with} had a witness");
}

#[test]
fn a_transaction_of_nothing_stays_as_it_is() {
    // Version, no inputs, no outputs, lock time: read as such in blocks, though it breaks a rule.
    let bytes = [&[0; 80][..], &[1], &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    let Ok(Message::Block(block)) = payload("block", &bytes) else { panic!("the chain reads it") };
    assert_eq!(**block_without_witness(&block).bytes(), bytes);
}
