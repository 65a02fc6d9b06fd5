use bitcoin::hex::{DisplayHex, FromHex};

use super::*;
use crate::spec::Spec;

fn bitcoin() -> Addresses {
    Spec::bitcoin().addresses
}

fn testnet() -> Addresses {
    Spec::testnet4().addresses
}

/// Address and script, from BIP-0173 and BIP-0350 (test vectors, valid segwit addresses).
const VALID: [(&str, &str); 8] = [
    ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
    (
        "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
        "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
    ),
    (
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
        "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6",
    ),
    ("BC1SW50QGDZ25J", "6002751e"),
    ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "5210751e76e8199196d454941c45d1b3a323"),
    (
        "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy",
        "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
    ),
    (
        "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
        "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
    ),
    (
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    ),
];

#[test]
fn segwit_addresses_of_the_bips_are_read_and_written() {
    for (text, hex) in VALID {
        let addresses = if text.to_lowercase().starts_with("bc1") { bitcoin() } else { testnet() };
        let script = ScriptBuf::from_bytes(FromHex::from_hex(hex).unwrap());
        assert_eq!(parse(text, &addresses).as_ref(), Ok(&script), "{text}");
        assert_eq!(encode(&script, &addresses), Some(text.to_lowercase()), "{text}");
    }
}

#[test]
fn invalid_segwit_addresses_of_the_bips_are_refused_for_their_reason() {
    // BIP-0350, invalid segwit addresses.
    let kind = |version| Error::ChecksumKind { version };
    let length = |version, length| Error::WitnessLength { version, length };
    let other = Error::OtherNetwork { network: "its addresses begin with tc1".into() };
    for (text, why) in [
        ("tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut", other),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", kind(1)),
        ("BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL", kind(16)),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh", kind(0)),
        ("bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4", Error::Character { at: 59, found: 'o' }),
        ("BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R", Error::WitnessVersion(17)),
        ("bc1pw5dgrnzv", length(1, 1)),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav", length(1, 41)),
        ("BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P", length(0, 16)),
        ("bc1gmk9yu", Error::NoData),
    ] {
        assert_eq!(parse(text, &bitcoin()), Err(why), "{text}");
    }
    for (text, why) in [
        ("tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf", kind(2)),
        ("tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47", kind(0)),
        ("tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq", Error::MixedCase),
        ("tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j", Error::Padding),
    ] {
        assert_eq!(parse(text, &testnet()), Err(why), "{text}");
    }
    let padded = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf";
    assert_eq!(parse(padded, &bitcoin()), Err(Error::Padding));
}

#[test]
fn base58_addresses_are_read_and_written() {
    // The genesis block's key, and the first P2SH address of BIP-0013's examples.
    for (text, hex) in [
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac"),
        ("3P14159f73E4gFr7JterCCQh9QjiTjiZrG", "a914e9c3dd0c07aac76179ebc76a6c78d4d67c6c160a87"),
    ] {
        let script = parse(text, &bitcoin()).unwrap();
        assert_eq!(script.as_bytes().to_lower_hex_string(), hex);
        assert_eq!(encode(&script, &bitcoin()).as_deref(), Some(text));
    }
}

#[test]
fn address_of_another_network_is_named() {
    let local = Spec::local().addresses;
    for (text, network) in [
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "bitcoin"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "bitcoin"),
        ("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "Bitcoin's testnet or signet"),
    ] {
        assert_eq!(parse(text, &local), Err(Error::OtherNetwork { network: network.into() }));
    }
    let regtest = encode(&parse("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", &bitcoin()).unwrap(), &local).unwrap();
    assert_eq!(parse(&regtest, &bitcoin()), Err(Error::OtherNetwork { network: "regtest or local".into() }));
}

#[test]
fn mistyped_address_is_told_from_nonsense() {
    assert_eq!(parse("", &bitcoin()), Err(Error::Empty));
    assert_eq!(parse("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", &bitcoin()), Err(Error::Checksum));
    assert_eq!(parse("1A1zP1eP5QGefi2DMPTfTL5SLmv7Divf0a", &bitcoin()), Err(Error::Character { at: 32, found: '0' }));
    assert_eq!(parse("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", &bitcoin()), Err(Error::Checksum));
    assert_eq!(parse("Bob's address", &bitcoin()), Err(Error::Character { at: 5, found: ' ' }));
    assert_eq!(parse("é", &bitcoin()), Err(Error::Character { at: 0, found: 'é' }));
}

#[test]
fn ninety_characters_may_be_an_address_and_ninety_one_may_not() {
    let long = "q".repeat(MAX_LENGTH);
    assert_ne!(parse(&long, &bitcoin()), Err(Error::TooLong(MAX_LENGTH)));
    let longer = "q".repeat(MAX_LENGTH + 1);
    assert_eq!(parse(&longer, &bitcoin()), Err(Error::TooLong(MAX_LENGTH + 1)));
}

#[test]
fn script_without_an_address_has_none() {
    let nothing = bitcoin::script::Builder::new().push_opcode(bitcoin::opcodes::all::OP_RETURN).into_script();
    assert_eq!(encode(&nothing, &bitcoin()), None);
    assert!(!has_one(&nothing));
}

mod requests {
    use bitcoin::Amount;

    use super::super::uri::{self, Error, Request, encode, parse};
    use crate::spec::Spec;

    const ADDRESS: &str = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa";

    #[test]
    fn request_of_bip21_is_read() {
        let text = format!("bitcoin:{ADDRESS}?amount=50&label=Luke-Jr&message=Donation%20for%20project%20xyz&else=1");
        let request = parse(&text, &Spec::bitcoin()).unwrap();
        assert_eq!(request.amount, Some(Amount::from_int_btc(50)));
        assert_eq!(request.label.as_deref(), Some("Luke-Jr"));
        assert_eq!(request.message.as_deref(), Some("Donation for project xyz"));
        assert_eq!(request.address, ADDRESS);
    }

    #[test]
    fn requirement_that_is_not_known_is_not_paid() {
        let text = format!("bitcoin:{ADDRESS}?req-somethingyoudontunderstand=50");
        let name = "req-somethingyoudontunderstand".to_owned();
        assert_eq!(parse(&text, &Spec::bitcoin()), Err(Error::Required(name)));
    }

    #[test]
    fn request_is_read_as_it_was_written() {
        let spec = Spec::local();
        let script = bitcoin::ScriptBuf::new_p2wsh(&bitcoin::hashes::Hash::all_zeros());
        let request = Request {
            address: super::encode(&script, &spec.addresses).unwrap(),
            script,
            amount: Some(Amount::from_sat(12_345)),
            label: Some("Café & söhne = 100%".into()),
            message: None,
        };
        let text = encode(&request, &spec);
        assert!(text.starts_with("yap:bcrt1"), "{text}");
        assert_eq!(parse(&text, &spec), Ok(request));
    }

    #[test]
    fn wrong_requests_say_why() {
        let spec = Spec::bitcoin();
        let read = |query: &str| parse(&format!("bitcoin:{ADDRESS}?{query}"), &spec);
        assert_eq!(read("amount=1,5"), Err(Error::Amount("1,5".into())));
        assert_eq!(read("amount=-1"), Err(Error::Amount("-1".into())));
        assert_eq!(read("amount=21000001"), Err(Error::Amount("21000001".into())));
        assert_eq!(read("amount=1&amount=2"), Err(Error::Twice("amount".into())));
        assert_eq!(read("label=%4"), Err(Error::Encoding));
        assert_eq!(read("label=%ff"), Err(Error::Encoding));
        assert!(matches!(parse("litecoin:x", &spec), Err(Error::Scheme { .. })));
        assert!(matches!(parse("bitcoin:x", &spec), Err(Error::Address(_))));
        let long = format!("bitcoin:{ADDRESS}?label={}", "x".repeat(uri::MAX_LENGTH));
        assert!(matches!(parse(&long, &spec), Err(Error::TooLong(_))));
    }
}
