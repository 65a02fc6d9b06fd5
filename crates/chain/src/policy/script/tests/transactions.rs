//! `tx_valid.json` and `tx_invalid.json`: transactions, the coins they spend, and flags.

use std::collections::BTreeMap;

use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::{Amount, OutPoint};
use serde_json::Value;

use super::verifier::Verifier;
use super::{NAMES, flags_of, notation, with, without};
use crate::coin::Coin;
use crate::fixture::parsed;
use crate::policy::script::{Error, Spend, check_all, flags, verify};
use crate::verify::Flags;

struct Case {
    transaction: bitcoin::Transaction,
    spent: Vec<Coin>,
    flags: Flags,
    test: String,
}

impl Case {
    /// `None` for comments, and for transactions that break a rule without any script.
    fn read(test: &Value) -> Option<Self> {
        let [Value::Array(coins), transaction, flags] = test.as_array()?.as_slice() else { return None };
        let flags = flags.as_str().filter(|flags| *flags != "BADTX")?;
        let coins: BTreeMap<_, _> = coins.iter().map(read_coin).collect();
        let transaction: bitcoin::Transaction = deserialize_hex(transaction.as_str()?).unwrap();
        let spent = transaction.input.iter().map(|input| coins[&input.previous_output].clone()).collect();
        Some(Self { transaction, spent, flags: flags_of(flags), test: test.to_string() })
    }

    fn all(json: &str) -> Vec<Self> {
        let Value::Array(tests) = serde_json::from_str(json).unwrap() else { panic!("not a list") };
        tests.iter().filter_map(Self::read).collect()
    }

    fn verdict(&self, flags: Flags) -> Result<(), Error> {
        (0..self.spent.len()).try_for_each(|index| {
            let spend = Spend::of(&self.transaction, index, &self.spent).unwrap();
            verify::verify(&spend, flags, &Verifier(&spend))
        })
    }

    fn holds(&self, flags: Flags) -> bool {
        self.verdict(flags).is_ok()
    }
}

/// `[txid, index, script, value?]`
fn read_coin(value: &Value) -> (OutPoint, Coin) {
    // -1 stands for 2^32 - 1, as in an outpoint that names nothing.
    let index = u32::try_from(value[1].as_i64().unwrap() & 0xffff_ffff).unwrap();
    let outpoint = OutPoint::new(value[0].as_str().unwrap().parse().unwrap(), index);
    let amount = Amount::from_sat(value.get(3).map_or(0, |amount| amount.as_u64().unwrap()));
    (outpoint, Coin::new(amount, &notation::parse(value[2].as_str().unwrap()), 1, false))
}

fn all_flags() -> Flags {
    NAMES.iter().fold(Flags::NONE, |all, (_, flag)| all.with(*flag))
}

/// The flags listed are those that the transaction would break: it holds under all others, and breaks each of them.
#[test]
fn valid_transactions_break_the_rules_they_say() {
    let (mut refused, mut relayed) = (0, 0);
    let cases = Case::all(include_str!("../../../../../../vectors/core/tx_valid.json"));
    for case in &cases {
        let most = without(all_flags(), case.flags);
        assert_eq!(case.verdict(most), Ok(()), "{}", case.test);
        for (name, flag) in NAMES {
            assert!(case.holds(without(most, flag)), "without {name}: {}", case.test);
            if case.flags.contains(flag) {
                assert!(!case.holds(with(most, flag)), "with {name}: {}", case.test);
            }
        }
        let standard = case.verdict(flags::STANDARD);
        let verdict = check_all(&parsed(&case.transaction), &case.spent);
        if case.holds(Flags::ALL) {
            assert_eq!(verdict.map_err(|(_, error)| error), standard, "{}", case.test);
        }
        if verdict.is_ok() { relayed += 1 } else { refused += 1 }
    }
    assert_eq!((cases.len(), relayed, refused), (121, 66, 55));
}

/// The flags listed are the fewest that the transaction breaks: it holds with any of them taken away.
#[test]
fn invalid_transactions_break_the_rules_they_say() {
    let (mut refused, mut for_the_engine) = (0, 0);
    let cases = Case::all(include_str!("../../../../../../vectors/core/tx_invalid.json"));
    for case in &cases {
        assert!(!case.holds(case.flags), "{}", case.test);
        for (name, flag) in NAMES {
            assert!(!case.holds(with(case.flags, flag)), "with {name}: {}", case.test);
            if without(case.flags, flag) != case.flags {
                assert!(case.holds(without(case.flags, flag)), "without {name}: {}", case.test);
            }
        }
        let standard = case.verdict(flags::STANDARD);
        assert!(standard.is_err(), "{}", case.test);
        match check_all(&parsed(&case.transaction), &case.spent) {
            Err(_) => refused += 1,
            Ok(()) => {
                assert!(!case.holds(Flags::ALL), "the engine sees it: {}", case.test);
                for_the_engine += 1;
            }
        }
    }
    assert_eq!((cases.len(), refused, for_the_engine), (84, 80, 4), "all but nine that break rules without scripts");
}
