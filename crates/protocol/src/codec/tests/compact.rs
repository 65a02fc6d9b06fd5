//! Places of compact blocks (BIP-0152), and the memory of their transactions.

use super::*;
use crate::arbitrary;
use crate::message::GetBlockTransactions;
use crate::penalty::Penalty;

/// `getblocktxn` with these differences.
fn request(differences: &[u64]) -> Result<Vec<u16>, Error> {
    let mut bytes = vec![0; 32];
    yap_chain::integer::write_compact(differences.len(), &mut bytes);
    for difference in differences {
        yap_chain::integer::write_compact(usize::try_from(*difference).unwrap(), &mut bytes);
    }
    payload("getblocktxn", &bytes).map(|message| match message {
        Message::GetBlockTransactions(GetBlockTransactions { indexes, .. }) => indexes,
        other => panic!("{other:?}"),
    })
}

fn beyond(name: &'static str, place: u64, last: usize) -> Error {
    Error::Place { name, place, last }
}

#[test]
fn places_are_written_as_differences() {
    assert_eq!(request(&[]), Ok(vec![]));
    assert_eq!(request(&[0, 0, 0]), Ok(vec![0, 1, 2]));
    assert_eq!(request(&[5, 0, 300]), Ok(vec![5, 6, 307]));
}

#[test]
fn places_have_sixteen_bits() {
    assert_eq!(request(&[65_535]), Ok(vec![65_535]));
    assert_eq!(request(&[65_536]), Err(beyond("getblocktxn", 65_536, 65_535)));
    assert_eq!(request(&[65_534, 0]), Ok(vec![65_534, 65_535]));
    assert_eq!(request(&[65_535, 0]), Err(beyond("getblocktxn", 65_536, 65_535)));
    assert_eq!(request(&[0, 65_535]), Err(beyond("getblocktxn", 65_536, 65_535)));
}

#[test]
fn places_do_not_overflow_back_to_small_ones() {
    assert_eq!(request(&[5, u64::MAX]), Err(beyond("getblocktxn", u64::MAX, 65_535)));
    assert_eq!(request(&[5, u64::MAX - 5]), Err(beyond("getblocktxn", u64::MAX, 65_535)));
    assert_eq!(request(&[u64::MAX]), Err(beyond("getblocktxn", u64::MAX, 65_535)));
}

/// `cmpctblock` with so many short ids, and transactions prefilled at these differences.
fn compact(short_ids: usize, differences: &[usize]) -> Result<Vec<u16>, Error> {
    let mut bytes = vec![0; 88];
    yap_chain::integer::write_compact(short_ids, &mut bytes);
    bytes.resize(bytes.len() + 6 * short_ids, 0);
    yap_chain::integer::write_compact(differences.len(), &mut bytes);
    let transaction = crate::fixture::transaction(1, 100);
    for difference in differences {
        yap_chain::integer::write_compact(*difference, &mut bytes);
        bytes.extend(transaction.raw().as_slice());
    }
    payload("cmpctblock", &bytes).map(|message| match message {
        Message::CompactBlock(block) => block.prefilled.iter().map(|prefilled| prefilled.index).collect(),
        other => panic!("{other:?}"),
    })
}

#[test]
fn no_place_of_a_compact_block_stays_open() {
    assert_eq!(compact(0, &[0]), Ok(vec![0]));
    assert_eq!(compact(0, &[1]), Err(beyond("cmpctblock", 1, 0)));
    assert_eq!(compact(3, &[0, 3]), Ok(vec![0, 4]));
    assert_eq!(compact(3, &[0, 4]), Err(beyond("cmpctblock", 5, 4)));
    assert_eq!(compact(3, &[4]), Err(beyond("cmpctblock", 4, 3)));
    assert_eq!(beyond("cmpctblock", 4, 3).penalty(), Penalty::Ban);
}

#[test]
fn a_compact_block_has_65535_transactions_at_most() {
    assert_eq!(compact(65_534, &[65_534]), Ok(vec![65_534]));
    let (name, what) = ("cmpctblock", "prefilled transactions");
    assert_eq!(compact(65_534, &[0, 0]), Err(Error::TooMany { name, what, count: 2, limit: 1 }));
    assert_eq!(compact(65_535, &[0]), Err(Error::TooMany { name, what, count: 1, limit: 0 }));
}

#[test]
fn a_transaction_keeps_its_own_bytes_and_not_the_message() {
    let mut random = random(9);
    let transactions: Vec<_> = (0..3).map(|_| arbitrary::transaction(&mut random)).collect();
    let block = ::bitcoin::hashes::Hash::all_zeros();
    let message = Message::BlockTransactions(crate::message::BlockTransactions { block, transactions });
    let Ok(Message::BlockTransactions(read)) = payload("blocktxn", &encode(&message, BOTH[0])[24..]) else {
        panic!("it was encoded");
    };
    let Message::BlockTransactions(sent) = message else { unreachable!("it was made so") };
    for (read, sent) in read.transactions.iter().zip(&sent.transactions) {
        // Equality of `Raw` is that of buffer and span: a whole message would be another buffer.
        assert_eq!(read.raw(), sent.raw());
    }
}

#[test]
fn an_error_tells_where_the_transaction_starts() {
    let transaction = crate::fixture::transaction(1, 100);
    let bytes = [&[0; 32][..], &[2], transaction.raw().as_slice(), &[0; 9]].concat();
    let offset = 33 + transaction.total_size();
    assert_eq!(payload("blocktxn", &bytes), Err(Error::Transaction { name: "blocktxn", offset }));
}
