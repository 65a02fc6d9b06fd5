use bitcoin::hex::FromHex;
use proptest::prelude::*;
use serde_json::Value;

use super::number::{Number, SIZE};
use super::{MuHash, chacha20};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../../vectors/muhash.json")).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    Vec::from_hex(value.as_str().unwrap()).unwrap()
}

fn number(value: &Value) -> Number {
    Number::from_bytes(&bytes(value).try_into().unwrap())
}

fn set(elements: &[Vec<u8>]) -> MuHash {
    let mut hash = MuHash::EMPTY;
    elements.iter().for_each(|element| hash.insert(element));
    hash
}

#[test]
fn keystream_is_that_of_the_reference() {
    let vector = &vectors()["keystream"];
    assert_eq!(chacha20::keystream(&bytes(&vector["key"]).try_into().unwrap()).to_vec(), bytes(&vector["bytes"]));
}

#[test]
fn sets_hash_as_in_the_reference() {
    for case in vectors()["sets"].as_array().unwrap() {
        let mut hash = MuHash::default();
        case["insert"].as_array().unwrap().iter().for_each(|element| hash.insert(&bytes(element)));
        case["remove"].as_array().unwrap().iter().for_each(|element| hash.remove(&bytes(element)));
        assert_eq!(hash.digest().to_string(), case["digest"]);
    }
}

#[test]
fn set_of_core_hashes_as_in_core() {
    // Core's `muhash_tests`: elements 0 and 1 inserted, 2 removed, each 32 bytes.
    let element = |first: u8| [&[first][..], &[0; 31]].concat();
    let mut hash = set(&[element(0), element(1)]);
    hash.remove(&element(2));
    assert_eq!(hash.digest().to_string(), "10d312b100cbd32ada024a6646e40d3482fcff103668d2625f10002a607d5863");
}

#[test]
fn products_are_those_of_the_reference() {
    for case in vectors()["products"].as_array().unwrap() {
        let (mut a, mut b) = (number(&case["a"]), number(&case["b"]));
        let first = a.clone();
        a.multiply(&b);
        assert_eq!(a.to_bytes().to_vec(), bytes(&case["product"]));
        b.multiply(&first);
        assert_eq!(b.to_bytes().to_vec(), bytes(&case["product"]));
    }
}

#[test]
fn inverses_are_those_of_the_reference() {
    for case in vectors()["inverses"].as_array().unwrap() {
        let mut inverse = number(&case["of"]);
        inverse.invert();
        assert_eq!(inverse.to_bytes().to_vec(), bytes(&case["inverse"]));
        inverse.multiply(&number(&case["of"]));
        assert_eq!(inverse.to_bytes(), Number::ONE.to_bytes());
    }
}

#[test]
fn zero_has_no_inverse_and_does_no_harm() {
    let mut zero = Number::from_bytes(&[0; SIZE]);
    zero.invert();
    assert_eq!(zero.to_bytes(), [0; SIZE]);
}

fn elements() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 0..12)
}

/// A sixteenth of the usual number of cases: each costs inversions.
fn few() -> ProptestConfig {
    ProptestConfig::with_cases(ProptestConfig::default().cases.div_ceil(16))
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn order_does_not_matter((elements, shuffled) in elements().prop_flat_map(|e| (Just(e.clone()), Just(e).prop_shuffle()))) {
        prop_assert_eq!(set(&elements).digest(), set(&shuffled).digest());
    }

    #[test]
    fn what_came_and_went_leaves_no_trace(stay in elements(), go in elements()) {
        let mut hash = set(&go);
        stay.iter().for_each(|element| hash.insert(element));
        go.iter().rev().for_each(|element| hash.remove(element));
        prop_assert_eq!(hash.digest(), set(&stay).digest());
    }

    #[test]
    fn parts_combine_to_the_whole(left in elements(), right in elements()) {
        let mut hash = set(&left);
        hash.combine(&set(&right));
        prop_assert_eq!(hash.digest(), set(&[left, right].concat()).digest());
    }

    #[test]
    fn one_element_more_is_another_set(elements in elements(), more in any::<[u8; 8]>()) {
        let mut hash = set(&elements);
        hash.insert(&more);
        prop_assert_ne!(hash.digest(), set(&elements).digest());
    }

    #[test]
    fn a_kept_hash_goes_on(before in elements(), after in elements()) {
        let mut first = set(&before);
        after.iter().for_each(|element| first.remove(element));
        let mut kept = MuHash::from_bytes(&first.to_bytes());
        first.insert(b"more");
        kept.insert(b"more");
        prop_assert_eq!(kept.digest(), first.digest());
    }
}
