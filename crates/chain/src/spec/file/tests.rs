use proptest::prelude::*;

use super::*;

const STONES: &str = r#"name = "stones"
ticker = "FEI"
magic = "fe1f0a2c"

[genesis]
message = "Rai from \"Palau\" ☺"
time = 1767225600
bits = "207fffff"
nonce = 0

[work]
limit = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
spacing = 30
retarget = "bitcoin"
interval = 144
min-difficulty-blocks = true

[subsidy]
initial = 5000000000
halving = 210000
"#;

const OPTIONS: &str = r#"
challenge = "51"
assume-valid = "00000000000000000000ccebd6d74d9194d8dcdc1d177c478e094bfad51ba5ac"
minimum-work = "1f"

[deployments]
segwit = 0
csv = 432

[addresses]
p2pkh = 1
p2sh = 2
secret = 3
hrp = "fei"
xpub = "043587cf"
xprv = "04358394"
"#;

/// A valid file of every field.
fn full() -> String {
    let (top, tables) = OPTIONS.split_once("\n\n").unwrap();
    mined(&format!("{}\n{}\n{tables}", top.trim_start(), STONES))
}

/// The file with the nonce that its genesis block needs.
fn mined(text: &str) -> String {
    let nonce = Spec::draft(text).unwrap().mine_genesis(1_000).unwrap();
    let at = text.find("nonce = ").unwrap();
    let end = text[at..].find('\n').unwrap() + at;
    format!("{}nonce = {nonce}{}", &text[..at], &text[end..])
}

/// The error that a valid file gets when the first `from` becomes `to`.
fn broken(from: &str, to: &str) -> String {
    let text = mined(STONES);
    assert!(text.contains(from), "{from}");
    Spec::from_toml(&text.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn a_file_becomes_a_spec() {
    let spec = Spec::from_toml(&mined(STONES)).unwrap();
    assert_eq!((spec.name.as_str(), spec.ticker.as_str(), spec.magic), ("stones", "FEI", [0xfe, 0x1f, 0x0a, 0x2c]));
    assert_eq!(spec.work.spacing, 30);
    assert_eq!(spec.work.retarget, Retarget::Bitcoin { interval: 144, min_difficulty_blocks: true, bip94: false });
    assert_eq!(spec.subsidy, Subsidy { initial: Amount::from_int_btc(50), halving: 210_000 });
    assert_eq!(spec.genesis.txdata[0].output[0].value, Amount::from_int_btc(50));
    assert_eq!(spec.deployments, Deployments::from_height(1));
    assert_eq!(spec.addresses, Addresses::regtest());
    assert_eq!((spec.challenge, spec.assume_valid, spec.minimum_work), (None, None, no_work()));
}

#[test]
fn optional_fields_are_read() {
    let spec = Spec::from_toml(&full()).unwrap();
    assert_eq!(spec.challenge, Some(ScriptBuf::from_bytes(vec![0x51])));
    assert_eq!(spec.assume_valid, Spec::bitcoin().assume_valid);
    assert_eq!(spec.minimum_work.to_string(), "31");
    assert_eq!((spec.deployments.segwit, spec.deployments.csv, spec.deployments.bip34), (0, 432, 1));
    assert_eq!((spec.addresses.hrp.as_str(), spec.addresses.p2pkh), ("fei", 1));
}

#[test]
fn a_written_spec_reads_the_same() {
    let local = Spec { name: "own".into(), ..Spec::local() };
    let still = Spec { work: ProofOfWork { retarget: Retarget::None, ..local.work.clone() }, ..local.clone() };
    let asert = ProofOfWork { retarget: Retarget::Asert { half_life: 120 }, ..local.work.clone() };
    let asert = Spec { work: asert, times: Times::BITCOIN, ..local.clone() };
    for spec in [Spec::from_toml(&mined(STONES)).unwrap(), Spec::from_toml(&full()).unwrap(), local, still, asert] {
        assert_eq!(Spec::from_toml(&spec.to_toml()), Ok(spec));
    }
}

#[test]
fn times_are_bitcoins_unless_the_file_says_otherwise() {
    let with = |retarget: &str, times: &str| {
        let rule = "retarget = \"bitcoin\"\ninterval = 144\nmin-difficulty-blocks = true\n";
        Spec::draft(&STONES.replacen(rule, retarget, 1).replacen("[subsidy]", &format!("{times}\n[subsidy]"), 1))
    };
    let (none, relative) = ("retarget = \"none\"\n", "retarget = \"relative\"\nhalf-life = 720\n");
    let times = |retarget, times| with(retarget, times).map(|spec| (spec.times.future, spec.times.monotone));
    assert_eq!(times(none, ""), Ok((7_200, false)));
    assert_eq!(times(none, "[times]"), Ok((7_200, false)));
    assert_eq!(times(none, "[times]\nfuture = 60\nmonotone = true"), Ok((60, true)));
    assert_eq!(with(relative, "").unwrap().work.retarget, Retarget::Relative { half_life: 720 });
    assert_eq!(times(relative, ""), Ok((7_200, true)), "seconds that are claimed twice would count twice");
    assert_eq!(times(relative, "[times]\nfuture = 720"), Ok((720, true)));
    assert_eq!(times(relative, "[times]\nmonotone = true"), Ok((7_200, true)));
    let error = times(relative, "[times]\nmonotone = false").unwrap_err().to_string();
    assert!(error.ends_with("false is not allowed; allowed: true, as work.retarget is \"relative\""), "{error}");
    for (future, allowed) in [(9, false), (10, true), (MAX_SECONDS, true), (MAX_SECONDS + 1, false)] {
        assert_eq!(with(none, &format!("[times]\nfuture = {future}")).is_ok(), allowed, "{future}");
    }
    assert!(
        with("retarget = \"relative\"\n", "").is_err() && with("retarget = \"none\"\nhalf-life = 3\n", "").is_err()
    );
}

#[test]
fn a_draft_needs_no_nonce() {
    let text = STONES.replacen("nonce = 0\n", "", 1);
    assert_eq!(Spec::draft(&text), Spec::draft(STONES));
    let mut spec = Spec::draft(&text).unwrap();
    spec.mine_genesis(1_000).unwrap();
    assert_eq!(Spec::from_toml(&spec.to_toml()), Ok(spec));
}

#[test]
fn a_genesis_block_without_its_work_is_refused() {
    let spec = Spec::from_toml(&mined(STONES)).unwrap();
    let mut other = spec.clone();
    let lazy = (0..1_000).find(|nonce| {
        other.genesis.header.nonce = *nonce;
        other.mine_genesis(1).is_none()
    });
    let lazy = format!("nonce = {}", lazy.unwrap());
    let error = Spec::from_toml(&STONES.replacen("nonce = 0", &lazy, 1)).unwrap_err();
    assert!(matches!(error, Error::GenesisWork { line: 9, .. }), "{error}");
    assert!(error.to_string().starts_with("line 9: genesis.nonce: with "), "{error}");
}

#[test]
fn errors_say_where_what_and_what_else() {
    assert_eq!(
        broken("retarget = \"bitcoin\"", "retarget = \"foo\""),
        "line 14: work.retarget: \"foo\" is not allowed; allowed: none, bitcoin, asert, relative"
    );
    assert_eq!(
        broken("spacing = 30", "spacing = 0"),
        "line 13: work.spacing: 0 is not allowed; allowed: an integer from 1 to 31622400"
    );
    assert_eq!(
        broken("spacing = 30", "spacng = 30"),
        "line 13: work.spacng is not a field; allowed: limit, spacing, retarget, interval, half-life, \
         min-difficulty-blocks, bip94"
    );
    assert_eq!(broken("spacing = 30\n", ""), "line 11: work.spacing is missing");
    assert_eq!(broken("ticker = \"FEI\"\n", ""), "line 1: ticker is missing");
    assert_eq!(
        broken("interval = 144", "half-life = 144\ninterval = 144"),
        "line 15: work.half-life means nothing when work.retarget is \"bitcoin\""
    );
    assert!(broken("ticker = \"FEI\"", "ticker = ").starts_with("line 2: "));
    assert!(broken("magic = ", "ticker = ").starts_with("line 3: duplicate key"));
    assert_eq!(broken("[work]", "[[work]]"), "line 11: work: [[work]] is not allowed; allowed: a table");
}

#[test]
fn values_that_can_not_be_are_refused() {
    let cases = [
        ("name = \"stones\"", "name = \"local\"", "line 1: name: \"local\" is not allowed; allowed: 1 to 32"),
        ("name = \"stones\"", "name = \"bitcoin\"", "line 1: name: "),
        ("name = \"stones\"", "name = \"\"", "line 1: name: "),
        ("name = \"stones\"", "name = \"../x\"", "line 1: name: "),
        ("name = \"stones\"", "name = \"Stones\"", "line 1: name: "),
        ("name = \"stones\"", "name = 7", "line 1: name: 7 is"),
        ("\"FEI\"", "\"FE I\"", "line 2: ticker: "),
        ("\"fe1f0a2c\"", "\"fe1f0a2\"", "line 3: magic: "),
        ("\"fe1f0a2c\"", "\"fe1f0a2g\"", "line 3: magic: "),
        ("message = \"Rai from", "message = \"\" # ", "line 6: genesis.message: "),
        ("time = 1767225600", "time = 4294967296", "line 7: genesis.time: "),
        ("time = 1767225600", "time = -1", "line 7: genesis.time: -1 is"),
        ("time = 1767225600", "time = 1.5", "line 7: genesis.time: 1.5 is"),
        ("bits = \"207fffff\"", "bits = \"00000000\"", "line 8: genesis.bits: "),
        ("bits = \"207fffff\"", "bits = \"2100ffff\"", "line 8: genesis.bits: "),
        ("bits = \"207fffff\"", "bits = \"+07fffff\"", "line 8: genesis.bits: "),
        ("bits = \"207fffff\"", "bits = \"20ffffff\"", "line 8: genesis.bits: "),
        ("limit = \"7fff", "limit = \"00\" # ", "line 12: work.limit: "),
        ("limit = \"7fff", "limit = \"\" # ", "line 12: work.limit: "),
        ("limit = \"7fff", "limit = \"07fff", "line 12: work.limit: "),
        ("interval = 144", "interval = 0", "line 15: work.interval: "),
        ("interval = 144", "interval = 1", "line 15: work.interval: 1 is not allowed; allowed: an integer from 2 to"),
        ("interval = 144", "interval = 100001", "line 15: work.interval: "),
        ("interval = 144\n", "", "line 11: work.interval is missing"),
        ("retarget = \"bitcoin\"\ninterval = 144", "retarget = \"asert\"\nhalf-life = 0", "line 15: work.half-life: "),
        ("min-difficulty-blocks = true", "min-difficulty-blocks = 1", "line 16: work.min-difficulty-blocks: 1 is"),
        ("initial = 5000000000", "initial = 2100000000000001", "line 19: subsidy.initial: "),
        ("initial = 5000000000", "initial = 10000000000", "line 19: subsidy.initial: "),
        ("halving = 210000", "halving = 4294967296", "line 20: subsidy.halving: "),
        ("halving = 210000", "halving = 210000\n[deployments]\nbip34 = -1", "line 22: deployments.bip34: "),
        (
            "halving = 210000",
            "halving = 210000\n[deployments]\ntaproot = 1",
            "line 22: deployments.taproot is not a field",
        ),
        ("halving = 210000", "halving = 210000\n[addresses]\np2pkh = 1", "line 21: addresses.p2sh is missing"),
        ("magic", "challenge = \"\"\nmagic", "line 3: challenge: "),
        ("magic", "challenge = \"0\"\nmagic", "line 3: challenge: "),
        ("magic", &format!("challenge = \"5120{}\"\nmagic", "07".repeat(32)), "line 3: challenge: "),
        ("magic", "challenge = \"60020707\"\nmagic", "line 3: challenge: "),
        ("magic", "assume-valid = \"00\"\nmagic", "line 3: assume-valid: "),
        ("magic", "minimum-work = \"\"\nmagic", "line 3: minimum-work: "),
    ];
    for (from, to, expected) in cases {
        let error = broken(from, to);
        assert!(error.starts_with(expected), "{to}: {error}");
    }
}

#[test]
fn a_challenge_may_be_a_witness_program_that_signatures_are_checked_for() {
    for program in [format!("0014{}", "07".repeat(20)), format!("0020{}", "07".repeat(32))] {
        let text = STONES.replacen("magic", &format!("challenge = \"{program}\"\nmagic"), 1);
        assert!(Spec::draft(&text).is_ok(), "{program}");
    }
}

#[test]
fn limits_are_met_and_not_passed() {
    let text = mined(STONES);
    let with = |from: &str, to: &str| Spec::draft(&text.replacen(from, to, 1));
    let names = |length| with("\"stones\"", &format!("\"{}\"", "x".repeat(length)));
    assert!(names(MAX_NAME).is_ok() && names(MAX_NAME + 1).is_err());
    let tickers = |length| with("\"FEI\"", &format!("\"{}\"", "X".repeat(length)));
    assert!(tickers(MAX_TICKER).is_ok() && tickers(MAX_TICKER + 1).is_err());
    let messages = |length| with("\"Rai from \\\"Palau\\\" ☺\"", &format!("\"{}\"", "x".repeat(length)));
    assert!(messages(MAX_MESSAGE).is_ok() && messages(MAX_MESSAGE + 1).is_err());
    let challenges = |length| with("magic", &format!("challenge = \"{}\"\nmagic", "51".repeat(length)));
    assert!(challenges(MAX_CHALLENGE).is_ok() && challenges(MAX_CHALLENGE + 1).is_err());
    let intervals = |blocks| with("interval = 144", &format!("interval = {blocks}"));
    assert!(intervals(MAX_INTERVAL).is_ok() && intervals(MAX_INTERVAL + 1).is_err());
    let spacings = |seconds| with("spacing = 30", &format!("spacing = {seconds}"));
    assert!(spacings(MAX_SECONDS).is_ok() && spacings(MAX_SECONDS + 1).is_err());
    let padded = |size: usize| Spec::draft(&format!("{text}#{}", "x".repeat(size - text.len() - 1)));
    assert!(padded(MAX_SIZE).is_ok());
    assert_eq!(padded(MAX_SIZE + 1), Err(Error::TooLong { size: MAX_SIZE + 1 }));
}

#[test]
fn a_built_in_chain_is_not_read_from_its_text() {
    for name in NAMES {
        let spec = Spec::builtin(name).unwrap();
        assert!(matches!(Spec::draft(&spec.to_toml()), Err(Error::NotAllowed { line: 1, .. })), "{name}");
    }
}

#[test]
fn the_documented_example_is_read() {
    let example: String = include_str!("../file.rs")
        .lines()
        .skip_while(|line| *line != "//! ```toml")
        .skip(1)
        .take_while(|line| *line != "//! ```")
        .map(|line| format!("{}\n", line.trim_start_matches("//!").trim_start()))
        .collect();
    let text = example.replace("00…", &"00".repeat(32));
    Spec::draft(&text).unwrap();
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = Spec::from_toml(&text);
    }

    #[test]
    fn no_change_of_a_valid_file_panics(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..20, "[ -~\n☺]{0,6}"), 1..4)
    ) {
        let mut text: Vec<char> = full().chars().collect();
        for (at, length, with) in cuts {
            let start = at.index(text.len() + 1);
            let end = (start + length).min(text.len());
            text.splice(start..end, with.chars());
        }
        let text: String = text.into_iter().collect();
        match Spec::from_toml(&text) {
            Ok(spec) => prop_assert_eq!(Spec::from_toml(&spec.to_toml()), Ok(spec)),
            Err(error) => {
                let line = error.line().unwrap_or(1);
                prop_assert!(line >= 1 && line <= text.lines().count() + 1, "{}", error);
                prop_assert!(!error.to_string().contains('\n'), "{}", error);
            }
        }
    }
}

#[test]
fn depth_is_no_danger() {
    let deep = |open: &str, shut: &str| {
        let levels = MAX_SIZE / (open.len() + shut.len()) - 4;
        [&open.repeat(levels), "a", &shut.repeat(levels)].concat()
    };
    let values = [deep("[", "]"), deep("{a=", "}"), deep("[", ""), deep("{a=", "")].map(|value| format!("a={value}"));
    let keys = [format!("{}=1", deep("a.", "")), format!("[{}]", deep("a.", "")), format!("[[{}]]", deep("a.", ""))];
    for text in values.into_iter().chain(keys) {
        assert!(text.len() <= MAX_SIZE);
        let error = Spec::draft(&text).unwrap_err();
        assert!(error.line() == Some(1) && error.to_string().len() < 300, "{error}");
    }
}
