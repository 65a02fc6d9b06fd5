use bitcoin::hex::FromHex;
use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    Vec::from_hex(text).unwrap()
}

fn coin(script: &[u8]) -> Coin {
    Coin::new(Amount::from_sat(1), Script::from_bytes(script), 0, false)
}

fn encoded(coin: &Coin) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(coin, &mut bytes);
    bytes
}

fn decoded(mut bytes: &[u8]) -> Result<Coin, Error> {
    let coin = decode(&mut bytes)?;
    assert!(bytes.is_empty(), "bytes left");
    Ok(coin)
}

/// The form of a script: what follows height and amount, one byte each.
fn form(script: &[u8]) -> Vec<u8> {
    encoded(&coin(script))[2..].to_vec()
}

/// The generator, whose y is even.
const X: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
const Y: &str = "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";

#[test]
fn coins_of_core_come_back() {
    // From Core's `ccoins_serialization` test: a P2PKH and a P2PKH coinbase of the main network.
    let bytes = hex("97f23c835800816115944e077fe7c803cfa57f29b36bf87c1d35");
    let coin = decoded(&bytes).unwrap();
    assert_eq!((coin.height, coin.coinbase, coin.value), (203_998, false, Amount::from_sat(60_000_000_000)));
    assert_eq!(coin.script().to_bytes(), hex("76a914816115944e077fe7c803cfa57f29b36bf87c1d3588ac"));
    assert_eq!(encoded(&coin), bytes);

    let bytes = hex("8ddf77bbd123008c988f1a4a4de2161e0f50aac7f17e7f9555caa4");
    let coin = decoded(&bytes).unwrap();
    assert_eq!((coin.height, coin.coinbase, coin.value), (120_891, true, Amount::from_sat(110_397)));
    assert_eq!(coin.script().to_bytes(), hex("76a9148c988f1a4a4de2161e0f50aac7f17e7f9555caa488ac"));
    assert_eq!(encoded(&coin), bytes);

    // The smallest: nothing at all.
    let coin = decoded(&[0, 0, 6]).unwrap();
    assert_eq!((coin.height, coin.coinbase, coin.value, coin.script().len()), (0, false, Amount::ZERO, 0));
}

#[test]
fn bytes_that_core_refuses_are_refused() {
    // Core's test: a script longer than what follows, and one longer than any.
    assert_eq!(decoded(&[0, 0, 7]), Err(integer::Error::Truncated.into()));
    assert_eq!(decoded(&hex("00008a95c0bb00")), Err(Error::ScriptSize(3_000_000_000 - 6)));
}

#[test]
fn templates_leave_hash_or_key() {
    let hash = "816115944e077fe7c803cfa57f29b36bf87c1d35";
    let cases = [
        (format!("76a914{hash}88ac"), format!("00{hash}")),
        (format!("a914{hash}87"), format!("01{hash}")),
        (format!("2102{X}ac"), format!("02{X}")),
        (format!("2103{X}ac"), format!("03{X}")),
        (format!("4104{X}{Y}ac"), format!("04{X}")),
    ];
    for (script, expected) in cases {
        assert_eq!(form(&hex(&script)), hex(&expected));
        assert_eq!(decoded(&encoded(&coin(&hex(&script)))), Ok(coin(&hex(&script))));
    }
}

#[test]
fn odd_uncompressed_key_comes_back() {
    use bitcoin::secp256k1::PublicKey;
    let key = PublicKey::from_slice(&hex(&format!("03{X}"))).unwrap().serialize_uncompressed();
    let script = [&[0x41][..], &key, &[0xac]].concat();
    assert_eq!(form(&script), hex(&format!("05{X}")));
    assert_eq!(decoded(&encoded(&coin(&script))), Ok(coin(&script)));
}

#[test]
fn what_only_resembles_a_template_stays_whole() {
    let hash = "816115944e077fe7c803cfa57f29b36bf87c1d35";
    let scripts = [
        format!("76a914{hash}88ad"),
        format!("76a914{hash}0088ac"),
        format!("a914{hash}88"),
        format!("2104{X}ac"),
        // Not on the curve, and a hybrid key.
        format!("4104{X}{X}ac"),
        format!("4106{X}{Y}ac"),
        format!("5120{X}"),
        String::new(),
    ];
    for script in scripts {
        let script = hex(&script);
        assert_eq!(form(&script)[0] as usize, script.len() + 6);
        assert_eq!(decoded(&encoded(&coin(&script))), Ok(coin(&script)));
    }
}

#[test]
fn key_that_does_not_exist_is_refused() {
    // No point of the curve has x = 5.
    let bytes = [&[0, 1, 4][..], &[0; 31], &[5]].concat();
    assert_eq!(decoded(&bytes), Err(Error::Key));
}

#[test]
fn scripts_stop_at_the_limit() {
    let longest = coin(&vec![0x61; MAX_SCRIPT_SIZE]);
    assert_eq!(decoded(&encoded(&longest)), Ok(longest));
    let longer = encoded(&coin(&vec![0x61; MAX_SCRIPT_SIZE + 1]));
    assert_eq!(decoded(&longer), Err(Error::ScriptSize(10_001)));
}

#[test]
fn amounts_stop_at_all_money() {
    let most = Coin::new(Amount::MAX_MONEY, Script::from_bytes(&[]), 1, false);
    assert_eq!(decoded(&encoded(&most)), Ok(most));
    let more = Coin::new(Amount::MAX_MONEY + Amount::ONE_SAT, Script::from_bytes(&[]), 1, false);
    assert!(matches!(decoded(&encoded(&more)), Err(Error::Amount(_))));
    let mut overflow = vec![0];
    integer::write_varint(u64::MAX, &mut overflow);
    overflow.push(6);
    assert_eq!(decoded(&overflow), Err(Error::Amount(u64::MAX)));
}

#[test]
fn heights_stop_at_31_bits() {
    let highest = Coin::new(Amount::ZERO, Script::from_bytes(&[]), u32::MAX >> 1, true);
    assert_eq!(decoded(&encoded(&highest)), Ok(highest));
    let mut higher = Vec::new();
    integer::write_varint(u64::from(u32::MAX) + 1, &mut higher);
    higher.extend([0, 6]);
    assert_eq!(decoded(&higher), Err(integer::Error::TooLarge.into()));
}

prop_compose! {
    fn coins()(value in 0..=Amount::MAX_MONEY.to_sat(), height in 0..1_u32 << 31, coinbase: bool,
        script in prop::collection::vec(any::<u8>(), 0..80)) -> Coin {
        Coin::new(Amount::from_sat(value), Script::from_bytes(&script), height, coinbase)
    }
}

proptest! {
    #[test]
    fn every_coin_comes_back_and_no_part_of_it_does(coin in coins()) {
        let bytes = encoded(&coin);
        prop_assert_eq!(decoded(&bytes), Ok(coin));
        for end in 0..bytes.len() {
            prop_assert_eq!(decode(&mut &bytes[..end]), Err(integer::Error::Truncated.into()));
        }
    }

    #[test]
    fn keys_order_as_txid_then_output(a: ([u8; 32], u32), b: ([u8; 32], u32), same: bool) {
        let b = if same { (a.0, b.1) } else { b };
        let outpoint_of = |(txid, vout)| OutPoint { txid: Txid::from_byte_array(txid), vout };
        let (left, right) = (key(&outpoint_of(a)), key(&outpoint_of(b)));
        prop_assert_eq!(left.cmp(&right), a.cmp(&b));
        prop_assert_eq!(outpoint(&left), outpoint_of(a));
    }
}
