//! Amounts, hashes and bytes, as Bitcoin Core reads and refuses them.

use serde_json::json;

use super::*;

fn read(value: serde_json::Value) -> Result<i64, String> {
    serde_json::from_value::<Btc>(value).map(Btc::to_sat).map_err(|error| error.to_string())
}

/// Bitcoin Core, `src/test/rpc_tests.cpp`, `rpc_parse_monetary_values` and `rpc_format_monetary_values` (MIT).
#[test]
fn amounts_are_read_as_core_reads_them() {
    for (text, satoshi) in [
        ("0", 0),
        ("0.00000000", 0),
        ("0.00000001", 1),
        ("0.17622195", 17_622_195),
        ("0.5", 50_000_000),
        ("0.50000000", 50_000_000),
        ("0.89898989", 89_898_989),
        ("1.00000000", 100_000_000),
        ("20999999.9999999", 2_099_999_999_999_990),
        ("20999999.99999999", 2_099_999_999_999_999),
        ("1e-8", 1),
        ("0.1e-7", 1),
        ("0.01e-6", 1),
        ("0.00000000000000000000000000000000000001e+30", 1),
    ] {
        assert_eq!(read(json!(text)), Ok(satoshi), "{text}");
        let number: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(read(number), Ok(satoshi), "{text} as a number");
    }
    for text in ["1e-9", "0.000000019", "", "1.", ".5", "01", "-", "0x1", "1e", "93e+9999999999", "\u{661}"] {
        assert_eq!(read(json!(text)), Err("Invalid amount".into()), "{text}");
    }
    for text in ["-0.00000001", "21000000.00000001", "1e+9"] {
        assert_eq!(read(json!(text)), Err("Amount out of range".into()), "{text}");
    }
    assert_eq!(read(json!([])), Err("Amount is not a number or string".into()));
}

#[test]
fn amounts_are_written_with_eight_decimals() {
    for (satoshi, text) in [
        (0, "0.00000000"),
        (1, "0.00000001"),
        (-1, "-0.00000001"),
        (5_000_000_000, "50.00000000"),
        (-150_000_000, "-1.50000000"),
    ] {
        assert_eq!(serde_json::to_string(&Btc::from_sat(satoshi)).unwrap(), text);
        assert_eq!(serde_json::to_value(Btc::from_sat(satoshi)).unwrap().to_string(), text);
    }
}

#[test]
fn hashes_are_refused_in_core_s_words() {
    let error = block_hash("abcde", "blockhash").unwrap_err();
    assert_eq!(error, Error::new(Code::InvalidParameter, "blockhash must be of length 64 (not 5, for 'abcde')"));
    let text = "Z".repeat(64);
    let error = txid(&text, "txid").unwrap_err();
    assert_eq!(error.message, format!("txid must be hexadecimal string (not '{text}')"));
    assert_eq!(bytes("0", "data").unwrap_err().message, "data must be hexadecimal string (not '0')");
    assert_eq!(transaction("00").unwrap_err().code, Code::Deserialization);
}

#[test]
fn verbosity_is_a_number_or_a_flag() {
    let read = |value| serde_json::from_value::<Verbosity>(value).ok();
    assert_eq!(read(json!(true)), Some(Verbosity(1)));
    assert_eq!(read(json!(false)), Some(Verbosity(0)));
    assert_eq!(read(json!(2)), Some(Verbosity(2)));
    assert_eq!(read(json!(-1)), Some(Verbosity(-1)));
    assert_eq!(read(json!("1")), None);
    assert_eq!(read(json!(1.5)), None);
}
