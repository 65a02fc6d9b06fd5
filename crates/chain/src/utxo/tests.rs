use bitcoin::{Script, Txid};

use super::*;

const BOTH: Hashes = Hashes { serialized: true, muhash: true };

fn outpoint(txid: u8, vout: u32) -> OutPoint {
    OutPoint { txid: Txid::from_byte_array([txid; 32]), vout }
}

fn coin(value: u64) -> Coin {
    Coin::new(Amount::from_sat(value), Script::from_bytes(&[0x51, 0x52]), 9, true)
}

#[test]
fn element_is_outpoint_code_and_output() {
    let mut bytes = Vec::new();
    element(&outpoint(7, 0x0102), &coin(5), &mut bytes);
    let expected = [&[7; 32][..], &[2, 1, 0, 0], &[19, 0, 0, 0], &[5, 0, 0, 0, 0, 0, 0, 0], &[2, 0x51, 0x52]].concat();
    assert_eq!(bytes, expected);
}

#[test]
fn totals_count_coins_and_transactions() {
    let mut stats = Stats::new(BOTH);
    for (txid, vout) in [(1, 0), (1, 5), (2, 3), (9, 0), (9, 256)] {
        stats.add(&outpoint(txid, vout), &coin(10)).unwrap();
    }
    let totals = stats.finish();
    assert_eq!((totals.txouts, totals.transactions, totals.bogosize), (5, 3, 5 * 52));
    assert_eq!(totals.amount, Amount::from_sat(50));
    assert!(totals.serialized.is_some() && totals.muhash.is_some());
}

#[test]
fn hashes_that_were_not_asked_for_are_absent() {
    let totals = Stats::new(Hashes::default()).finish();
    assert_eq!(totals, Totals::default());
}

#[test]
fn coins_out_of_order_are_refused() {
    for (last, next) in [((2, 0), (1, 9)), ((2, 7), (2, 6)), ((2, 7), (2, 7)), ((1, 256), (1, 1))] {
        let (last, next) = (outpoint(last.0, last.1), outpoint(next.0, next.1));
        let mut stats = Stats::new(BOTH);
        stats.add(&last, &coin(1)).unwrap();
        assert_eq!(stats.add(&next, &coin(1)), Err(Error::Order { last, next }));
        assert_eq!(stats.finish().txouts, 1);
    }
}

#[test]
fn a_total_that_overflows_is_refused() {
    let mut stats = Stats::new(Hashes::default());
    stats.add(&outpoint(1, 0), &coin(u64::MAX)).unwrap();
    assert_eq!(stats.add(&outpoint(1, 1), &coin(1)), Err(Error::Amount { at: outpoint(1, 1) }));
    assert_eq!(stats.finish().amount, Amount::from_sat(u64::MAX));
}
