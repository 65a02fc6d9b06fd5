//! Transactions that Bitcoin Core has validated, in the blocks of a chain for tests.

use std::collections::BTreeMap;

use bitcoin::OutPoint;

use crate::block::Block;
use crate::coin::Coin;
use crate::fixture::regtest_160;
use crate::policy::{self, Rules, script};

#[test]
fn transactions_of_a_whole_chain_are_standard() {
    let mut coins = BTreeMap::<OutPoint, Coin>::new();
    let (mut reasons, mut inputs) = (BTreeMap::<_, usize>::new(), 0);
    for (height, bytes) in (1..).zip(regtest_160()) {
        let block = Block::parse(bytes).unwrap();
        for transaction in block.transactions() {
            let decoded = transaction.decoded();
            if !transaction.is_coinbase() {
                let spent: Vec<Coin> =
                    decoded.input.iter().map(|input| coins[&input.previous_output].clone()).collect();
                inputs += spent.len();
                let reason = match policy::check(transaction, &spent, &Rules::default()) {
                    Err(error) => error.reason().to_owned(),
                    Ok(()) => script::check_all(transaction, &spent)
                        .map_or_else(|(_, error)| error.to_string(), |()| String::new()),
                };
                *reasons.entry(reason).or_default() += 1;
            }
            for (vout, output) in (0..).zip(&decoded.output) {
                let coin = Coin::new(output.value, &output.script_pubkey, height, transaction.is_coinbase());
                coins.insert(OutPoint::new(transaction.txid(), vout), coin);
            }
        }
    }
    assert_eq!((inputs, reasons), (1915, BTreeMap::from([(String::new(), 987)])));
}
