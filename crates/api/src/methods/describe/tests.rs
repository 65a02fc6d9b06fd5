//! Scripts in words, descriptors, difficulty.

use bitcoin::hex::FromHex;
use bitcoin::{CompactTarget, ScriptBuf};
use yap_chain::spec::Spec;

use super::*;

fn script(hex: &str) -> ScriptBuf {
    ScriptBuf::from(Vec::from_hex(hex).unwrap())
}

/// Bitcoin Core, `src/test/blockchain_tests.cpp` (MIT).
#[test]
fn difficulty_is_that_of_core() {
    for (bits, expected) in [
        (0x1f11_1111, 0.000_001),
        (0x1ef8_8f6f, 0.000_016),
        (0x1df8_8f6f, 0.004_023),
        (0x1cf8_8f6f, 1.029_916),
        (0x1234_5678, 5_913_134_931_067_755_359_633_408.0),
    ] {
        let found = difficulty(CompactTarget::from_consensus(bits));
        assert!((found - expected).abs() <= 1e-6 * expected.max(1.0), "{bits:08x}: {found}");
    }
    assert!(difficulty(CompactTarget::from_consensus(0x1d00_0000)).abs() < f64::MIN_POSITIVE);
}

#[test]
fn only_what_is_strict_der_is_shown_as_a_signature() {
    let signature = "3006020101020101";
    let words = |kind: &str| asm(&script(&format!("09{signature}{kind}")), true);
    assert_eq!(words("01"), format!("{signature}[ALL]"));
    assert_eq!(words("83"), format!("{signature}[SINGLE|ANYONECANPAY]"));
    assert_eq!(words("04"), format!("{signature}04"), "no kind of hash");
    assert_eq!(asm(&script(&format!("09{signature}01")), false), format!("{signature}01"));
    for wrong in ["3006020181020101", "300702020001020101", "3007020101020101", "300602010102010100"] {
        let data = format!("{wrong}01");
        let text = format!("{:02x}{data}", data.len() / 2);
        assert_eq!(asm(&script(&text), true), data);
    }
    assert_eq!(asm(&script(&format!("6a09{signature}01")), true), format!("OP_RETURN {signature}01"));
}

#[test]
fn a_script_has_a_descriptor_of_its_kind() {
    let addresses = Spec::regtest().addresses;
    let key = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    for (hex, descriptor) in [
        (format!("2102{key}ac"), format!("pk(02{key})#")),
        (format!("5121{}{key}21{}{key}52ae", "02", "03"), format!("multi(1,02{key},03{key})#")),
        (format!("5120{key}"), format!("rawtr({key})#")),
        ("6a".to_owned(), "raw(6a)#".to_owned()),
        (String::new(), "raw()#".to_owned()),
        (format!("0014{}", "00".repeat(20)), "addr(bcrt1q".to_owned()),
    ] {
        let found = inferred(&script(&hex), &addresses);
        assert!(found.starts_with(&descriptor), "{hex}: {found}");
        let (body, checksum) = found.split_once('#').unwrap();
        assert_eq!(miniscript::descriptor::checksum::desc_checksum(body).unwrap(), checksum);
    }
}
