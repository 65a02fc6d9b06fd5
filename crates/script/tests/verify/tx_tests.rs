//! `tx_valid.json` and `tx_invalid.json`: transactions, the coins they spend, and flags.

use std::collections::BTreeMap;

use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::{Amount, OutPoint, Transaction};
use serde_json::Value;
use yap_chain::coin::Coin;
use yap_chain::verify::Flags;
use yap_script::{Kernel, Reason, check};

use crate::{NAMES, coin, flags, job, notation, vectors};

struct Case {
    transaction: Transaction,
    spent: Vec<Coin>,
    flags: String,
    test: String,
}

impl Case {
    /// `None` for comments, and for transactions that break a rule without any script.
    fn read(test: &Value) -> Option<Self> {
        let [Value::Array(coins), transaction, flags] = test.as_array()?.as_slice() else { return None };
        let flags = flags.as_str()?.to_owned();
        if flags == "BADTX" {
            return None;
        }
        let coins: BTreeMap<_, _> = coins.iter().map(read_coin).collect();
        let transaction: Transaction = deserialize_hex(transaction.as_str()?).unwrap();
        let spent = transaction.input.iter().map(|input| coins[&input.previous_output].clone()).collect();
        Some(Self { transaction, spent, flags, test: test.to_string() })
    }

    fn holds(&self, flags: Flags) -> bool {
        self.failure(flags).is_none()
    }

    fn failure(&self, flags: Flags) -> Option<Reason> {
        let failure = check(&Kernel::new(), &job(&self.transaction, &self.spent, flags)).err()?;
        assert!(failure.reason.is_invalid(), "{failure} {}", self.test);
        assert_eq!(failure.transaction, self.transaction.compute_txid());
        Some(failure.reason)
    }
}

/// `[txid, index, script, value?]`
fn read_coin(value: &Value) -> (OutPoint, Coin) {
    // -1 stands for 2^32 - 1, as in an outpoint that names nothing.
    let index = u32::try_from(value[1].as_i64().unwrap() & 0xffff_ffff).unwrap();
    let outpoint = OutPoint::new(value[0].as_str().unwrap().parse().unwrap(), index);
    let amount = Amount::from_sat(value.get(3).map_or(0, |amount| amount.as_u64().unwrap()));
    (outpoint, coin(amount, &notation::parse(value[2].as_str().unwrap())))
}

fn without(flags: Flags, other: Flags) -> Flags {
    let left = Flags(flags.0 & !other.0);
    // BIP-0141 builds upon BIP-0016.
    if left.contains(Flags::P2SH) { left } else { Flags(left.0 & !Flags::WITNESS.0) }
}

fn with(flags: Flags, other: Flags) -> Flags {
    let all = flags.with(other);
    if all.contains(Flags::WITNESS) { all.with(Flags::P2SH) } else { all }
}

/// The flags listed are those that the transaction would break: it holds under all others, and under any fewer.
#[test]
fn valid_transactions_hold() {
    let mut checked = 0;
    for case in vectors("tx_valid.json").iter().filter_map(Case::read) {
        let (broken, _) = flags(&case.flags);
        let most = without(Flags::ALL, broken);
        assert!(case.holds(most), "{}", case.test);
        for (name, flag) in NAMES {
            assert!(case.holds(without(most, flag)), "without {name}: {}", case.test);
            if broken.contains(flag) {
                assert!(!case.holds(with(most, flag)), "with {name}: {}", case.test);
            }
        }
        checked += 1;
    }
    assert_eq!(checked, 121, "all of them");
}

/// The flags listed are the fewest that the transaction breaks: it holds under none fewer, and under none more.
#[test]
fn invalid_transactions_fail() {
    let (mut checked, mut left_out) = (0, 0);
    for case in vectors("tx_invalid.json").iter().filter_map(Case::read) {
        let (fewest, policy) = flags(&case.flags);
        if policy {
            // Breaks a rule that is none of consensus: then it holds under those that are.
            assert!(case.holds(fewest), "{}", case.test);
            left_out += 1;
            continue;
        }
        // Where one rule is to blame and forbids one thing, the engine names it.
        let narrow = [
            (Flags::DERSIG, Reason::NotDer),
            (Flags::NULLDUMMY, Reason::Dummy),
            (Flags::CHECKLOCKTIMEVERIFY, Reason::LockTime),
            (Flags::CHECKSEQUENCEVERIFY, Reason::Sequence),
        ];
        let expected =
            narrow.iter().find(|(rule, _)| *rule == fewest).map_or(Reason::Unsatisfied, |(_, reason)| *reason);
        let reason = case.failure(fewest);
        if expected != Reason::Unsatisfied {
            assert_eq!(reason, Some(expected), "{}", case.test);
        }
        assert!(reason.is_some(), "{}", case.test);
        for (name, flag) in NAMES {
            assert!(!case.holds(with(fewest, flag)), "with {name}: {}", case.test);
            if without(fewest, flag) != fewest {
                assert!(case.holds(without(fewest, flag)), "without {name}: {}", case.test);
            }
        }
        checked += 1;
    }
    assert_eq!((checked, left_out), (70, 14), "all but nine that break rules without scripts");
}
