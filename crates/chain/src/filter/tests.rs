use std::sync::Arc;

use bitcoin::hex::FromHex;
use bitcoin::{Amount, Script};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::coin::Coin;
use crate::integer;

fn hex(value: &Value) -> Vec<u8> {
    Vec::from_hex(value.as_str().unwrap()).unwrap()
}

fn coins(scripts: &[Vec<u8>]) -> Arc<[Coin]> {
    scripts.iter().map(|script| Coin::new(Amount::ZERO, Script::from_bytes(script), 1, false)).collect()
}

/// Rows of Core's file: height, hash, block, spent scripts, previous header, filter, header, notes.
fn core() -> Vec<Value> {
    let rows: Value = serde_json::from_str(include_str!("../../../../vectors/core/blockfilters.json")).unwrap();
    rows.as_array().unwrap()[1..].to_vec()
}

#[test]
fn filters_are_those_of_core() {
    let rows = core();
    assert!(rows.len() >= 10);
    for row in rows {
        let block = Block::parse(hex(&row[2])).unwrap();
        assert_eq!(block.hash().to_string(), row[1]);
        let spent: Vec<Vec<u8>> = row[3].as_array().unwrap().iter().map(hex).collect();
        let undo = Undo { transactions: vec![coins(&spent)] };
        let filter = basic(&block, &undo);
        assert_eq!(filter.bytes(), hex(&row[5]), "height {}", row[0]);
        let header = header(filter.hash(), row[4].as_str().unwrap().parse().unwrap());
        assert_eq!(header.to_string(), row[6]);
        assert_eq!(Filter::from_bytes(hex(&row[5])), Ok(filter.clone()));
        for script in spent.iter().filter(|script| !script.is_empty()) {
            assert!(filter.match_any(&block.hash(), [&script[..]]));
        }
    }
}

const BLOCK: &str = "000000006c02c8ea6e4ff69651f7fcde348fb9d557a06e6957b65552002a7820";

fn key() -> gcs::Key {
    gcs::Key::from(&BLOCK.parse::<BlockHash>().unwrap())
}

#[test]
fn set_of_nothing_matches_nothing() {
    let bytes = gcs::build(key(), []);
    assert_eq!(bytes, [0]);
    assert_eq!(gcs::match_any(key(), &bytes, [&b"a"[..], b""]), Ok(false));
    assert_eq!(gcs::match_any(key(), &gcs::build(key(), [&b"a"[..]]), []), Ok(false));
}

#[test]
fn element_given_twice_counts_once() {
    let once = gcs::build(key(), [&b"a"[..], b"b"]);
    assert_eq!(gcs::build(key(), [&b"b"[..], b"a", b"b", b"b"]), once);
    assert_eq!(once[0], 2);
}

#[test]
fn elements_that_share_a_hash_both_count() {
    // Found by search: under this key both hash to 0xa4935cb5299c7107, all 64 bits.
    let [first, second] = [0x355f_8f84_f792_5ea2_u64, 0x04ee_0e98_0c68_b424].map(u64::to_le_bytes);
    let both = gcs::build(key(), [&first[..], &second, &first]);
    assert_eq!(both[0], 2, "N counts elements, not hashes");
    // The value is the hash's share of 2 · M = 1,569,862: 1,009,222, which is 1 · 2^19 + 484,934; then no difference.
    let bits = format!("10{:019b}0{:019b}", 484_934, 0);
    let printed: String = both[1..].iter().map(|byte| format!("{byte:08b}")).collect();
    assert_eq!(&printed[..bits.len()], bits);
    assert_eq!(gcs::check(&both), Ok(()));
    assert_eq!(gcs::build(key(), [&second[..]]), gcs::build(key(), [&first[..]]), "alone they look the same");
}

#[test]
fn bytes_that_are_no_set_are_refused() {
    let set = gcs::build(key(), [&b"a"[..], b"b", b"c"]);
    let refused = |bytes: &[u8]| Filter::from_bytes(bytes.to_vec()).unwrap_err();
    assert_eq!(refused(&[]), integer::Error::Truncated.into());
    assert_eq!(refused(&[0xfd, 3, 0]), integer::Error::NotMinimal(3).into());
    assert_eq!(refused(&[0xff, 0, 0, 0, 0, 1, 0, 0, 0]), gcs::Error::TooMany(1 << 32));
    assert_eq!(refused(&[0xfe, 0xff, 0xff, 0xff, 0xff]), gcs::Error::Truncated { at: 0, count: u32::MAX });
    assert_eq!(refused(&set[..set.len() - 1]), gcs::Error::Truncated { at: 2, count: 3 });
    assert_eq!(refused(&[&set[..], &[0]].concat()), gcs::Error::Trailing(1));
    assert_eq!(refused(&[0, 0]), gcs::Error::Trailing(1));
}

proptest! {
    #[test]
    fn no_element_is_missed(
        elements in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 1..300),
        others in prop::collection::vec(prop::collection::vec(any::<u8>(), 51..60), 0..20),
        pick: prop::sample::Index,
    ) {
        let bytes = gcs::build(key(), elements.iter().map(Vec::as_slice));
        prop_assert_eq!(gcs::check(&bytes), Ok(()));
        let wanted = others.iter().chain([pick.get(&elements)]).map(Vec::as_slice);
        prop_assert_eq!(gcs::match_any(key(), &bytes, wanted), Ok(true));
        for end in 0..bytes.len() {
            prop_assert!(gcs::check(&bytes[..end]).is_err());
        }
    }
}

#[test]
fn false_matches_are_rare() {
    let elements: Vec<[u8; 4]> = (0..2_000_u32).map(u32::to_le_bytes).collect();
    let bytes = gcs::build(key(), elements.iter().map(|element| &element[..]));
    let strangers = (10_000..30_000_u32).map(u32::to_le_bytes);
    let matches = strangers.filter(|other| gcs::match_any(key(), &bytes, [&other[..]]) == Ok(true)).count();
    assert!(matches <= 1, "{matches} of 20,000, where one in 784,931 is expected");
}
