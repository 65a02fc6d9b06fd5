use bitcoin::{Amount, Script};
use proptest::prelude::*;

use super::*;

fn encoded(undo: &Undo) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(undo, &mut bytes);
    bytes
}

fn coin(height: u32, coinbase: bool) -> Coin {
    Coin::new(Amount::from_sat(1), Script::from_bytes(&[0x51]), height, coinbase)
}

fn undo(transactions: &[&[Coin]]) -> Undo {
    Undo { transactions: transactions.iter().map(|coins| Arc::from(*coins)).collect() }
}

#[test]
fn bytes_are_those_of_core() {
    let undo = undo(&[&[coin(0, false), coin(1, true)], &[coin(64, false)]]);
    // Counts; per coin: code, dummy unless at height 0, amount 1, length 1 + 6, script.
    let expected = [2, 2, 0, 1, 7, 0x51, 3, 0, 1, 7, 0x51, 1, 0x80, 0, 0, 1, 7, 0x51];
    assert_eq!(encoded(&undo), expected);
    assert_eq!(decode(&expected), Ok(undo));
}

#[test]
fn block_that_spends_nothing_has_empty_undo() {
    assert_eq!(encoded(&Undo::default()), [0]);
    assert_eq!(decode(&[0]), Ok(Undo::default()));
}

#[test]
fn version_that_old_core_wrote_is_read() {
    let bytes = [1, 1, 3, 2, 1, 7, 0x51];
    assert_eq!(decode(&bytes), Ok(undo(&[&[coin(1, true)]])));
}

#[test]
fn counts_beyond_the_bytes_are_refused() {
    assert_eq!(decode(&[2, 0]), Err(Error::TooMany { count: 2, bytes: 1 }));
    assert_eq!(decode(&[1, 2, 0, 0, 6, 0, 0]), Err(Error::TooMany { count: 2, bytes: 5 }));
    assert_eq!(decode(&[1, 2, 0, 0, 6, 0, 0, 6]), Ok(undo(&[&[empty(), empty()]])));
    let huge = [0xff; 9];
    assert_eq!(decode(&huge), Err(Error::TooMany { count: u64::MAX, bytes: 0 }));
    assert_eq!(decode(&[0xfd, 1, 0]), Err(Error::Count(integer::Error::NotMinimal(1))));
}

#[test]
fn damage_is_named_by_its_place() {
    let bytes = [2, 0, 2, 0, 0, 6, 0, 0, 9, 0];
    let cause = codec::Error::Integer(integer::Error::Truncated);
    assert_eq!(decode(&bytes), Err(Error::Coin { transaction: 1, input: 1, cause }));
}

#[test]
fn trailing_bytes_are_refused() {
    assert_eq!(decode(&[0, 7]), Err(Error::Trailing(1)));
}

fn empty() -> Coin {
    Coin::new(Amount::ZERO, Script::from_bytes(&[]), 0, false)
}

prop_compose! {
    fn coins()(value in 0..=Amount::MAX_MONEY.to_sat(), height in prop_oneof![Just(0), 0..1_u32 << 31], coinbase: bool,
        script in prop::collection::vec(any::<u8>(), 0..60)) -> Coin {
        Coin::new(Amount::from_sat(value), Script::from_bytes(&script), height, coinbase)
    }
}

proptest! {
    #[test]
    fn every_undo_comes_back_and_no_part_of_it_does(
        transactions in prop::collection::vec(prop::collection::vec(coins(), 0..5), 0..5)
    ) {
        let undo = Undo { transactions: transactions.into_iter().map(Arc::from).collect() };
        let bytes = encoded(&undo);
        prop_assert_eq!(decode(&bytes), Ok(undo));
        for end in 0..bytes.len() {
            prop_assert!(decode(&bytes[..end]).is_err());
        }
    }
}
