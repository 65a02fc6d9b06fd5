use yap_chain::bitcoin::absolute::LockTime;
use yap_chain::bitcoin::consensus::serialize;
use yap_chain::bitcoin::hashes::Hash;
use yap_chain::bitcoin::transaction::Version;
use yap_chain::bitcoin::{Amount, BlockHash, Script, ScriptBuf, Transaction as Decoded, TxIn, TxOut};

use super::*;

/// A transaction that spends the first outputs of others.
fn spending(parents: &[Txid]) -> Arc<Transaction> {
    let input = |txid: &Txid| TxIn { previous_output: OutPoint { txid: *txid, vout: 0 }, ..TxIn::default() };
    let output = TxOut { value: Amount::from_sat(1000), script_pubkey: ScriptBuf::new() };
    let decoded = Decoded {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: parents.iter().map(input).collect(),
        output: vec![output],
    };
    Arc::new(Transaction::parse(serialize(&decoded)).unwrap())
}

fn coin(number: u8) -> Txid {
    Txid::hash(&[number])
}

fn work(transaction: &Arc<Transaction>, parent: Option<&Arc<Transaction>>, origin: Origin) -> Work {
    Work::new(Arc::clone(transaction), parent.cloned(), origin, 0)
}

fn offered(transaction: &Arc<Transaction>) -> Work {
    work(transaction, None, Origin::Offered)
}

#[test]
fn as_many_fly_as_the_bounds_say() {
    let mut flight = Flight::new(Bounds { transactions: 3, bytes: usize::MAX });
    let [a, b, c] = [1, 2, 3].map(|number| spending(&[coin(number)]));
    let child = spending(&[c.txid()]);
    let first = flight.add(offered(&a)).unwrap();
    assert_eq!(flight.add(work(&child, Some(&c), Origin::Offered)), Ok(2), "a pair is two");
    assert_eq!(flight.add(offered(&b)), Err(Full));
    assert!(flight.has(&offered(&a)) && !flight.has(&offered(&b)));
    flight.remove(first).unwrap();
    assert_eq!(flight.add(offered(&b)), Ok(3));
}

#[test]
fn a_flight_that_has_ended_leaves_nothing_behind() {
    let mut flight = Flight::new(Bounds::default());
    let parent = spending(&[coin(1)]);
    let child = spending(&[parent.txid()]);
    for (number, origin) in [Origin::Offered, Origin::Saved, Origin::Returned].into_iter().enumerate() {
        let first = flight.add(work(&parent, None, origin)).unwrap();
        let second = flight.add(work(&child, None, origin)).unwrap();
        assert!(flight.wait(second));
        flight.begin(first, Verifying { checked: refused_pair(), jobs: Vec::new() });
        assert_eq!((flight.len(), flight.verifying()), (2, 1), "{number}");
        assert_eq!(flight.remove(first).unwrap().1, [second]);
        flight.remove(second).unwrap();
    }
    let Flight { works, names, makers, transactions, bytes, verifying, returned, .. } = flight;
    assert!(works.is_empty() && names.is_empty() && makers.is_empty());
    assert_eq!((transactions, bytes, verifying, returned), (0, 0, 0, 0));
}

/// Something that stands for what is verified.
fn refused_pair() -> Checked {
    use yap_chain::coin::Coin;
    use yap_chain::mempool::{Limits, Mempool, Place};
    use yap_chain::transaction::lock::Ancestors;

    struct Headers;

    impl Ancestors for Headers {
        fn median_time_past(&self, _: u32) -> u32 {
            0
        }

        fn hash(&self, _: u32) -> Option<BlockHash> {
            None
        }
    }

    let place = Place { height: 1, median_time_past: 0, ancestors: &Headers, flags: yap_chain::verify::Flags::ALL };
    let value = Amount::from_sat(100_000);
    let coins = |_: &OutPoint| Some(Coin::new(value, Script::new(), 0, false));
    let candidate = Mempool::new(Limits::default(), 0).check(&spending(&[coin(9)]), &coins, &place, 0).unwrap();
    Checked::One(Box::new(candidate))
}

#[test]
fn works_wait_for_earlier_ones_only() {
    let mut flight = Flight::new(Bounds::default());
    let parent = spending(&[coin(1)]);
    let child = spending(&[parent.txid()]);
    let early = flight.add(offered(&child)).unwrap();
    let maker = flight.add(offered(&parent)).unwrap();
    assert!(!flight.wait(early), "its parent came later");
    let sibling = spending(&[parent.txid(), coin(2)]);
    let late = flight.add(offered(&sibling)).unwrap();
    assert!(flight.wait(late));
    assert_eq!(flight.remove(maker).unwrap().1, [late]);
    assert!(!flight.wait(late), "nobody makes what it spends any more");
}

#[test]
fn what_a_block_gave_back_waits_for_no_stranger() {
    let mut flight = Flight::new(Bounds::default());
    let parent = spending(&[coin(1)]);
    let child = spending(&[parent.txid()]);
    flight.add(offered(&parent)).unwrap();
    let first = flight.force(work(&child, None, Origin::Returned));
    assert!(!flight.wait(first));
    let again = flight.force(work(&parent, None, Origin::Returned));
    let second = flight.force(work(&spending(&[parent.txid(), coin(3)]), None, Origin::Returned));
    assert!(flight.wait(second));
    assert_eq!(flight.remove(again).unwrap().1, [second]);
    assert_eq!(flight.returned(), 2);
}

#[test]
fn parent_of_a_split_pair_keeps_its_turn() {
    let mut flight = Flight::new(Bounds::default());
    let parent = spending(&[coin(1)]);
    let child = spending(&[parent.txid()]);
    let pair = flight.add(work(&child, Some(&parent), Origin::Offered)).unwrap();
    let other = flight.add(offered(&spending(&[parent.txid(), coin(2)]))).unwrap();
    assert!(flight.wait(other));
    let second = flight.split(pair).unwrap();
    assert_eq!(flight.work(pair).unwrap().transaction.txid(), parent.txid());
    assert!(flight.wait(second), "the child waits for its parent");
    assert_eq!(flight.remove(pair).unwrap().1, [other, second]);
    assert_eq!(flight.len(), 2);
}
