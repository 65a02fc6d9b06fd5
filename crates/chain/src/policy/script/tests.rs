//! The rules of script against Bitcoin Core's vectors, against a verifier of signatures, and one by one.

mod names;
mod notation;
mod random;
mod scripts;
mod signed;
mod stories;
mod transactions;
mod verifier;

use crate::policy::script::flags;
use crate::verify::Flags;

/// The rules by the names that Bitcoin Core's vectors give them.
const NAMES: [(&str, Flags); 21] = [
    ("P2SH", Flags::P2SH),
    ("STRICTENC", flags::STRICTENC),
    ("DERSIG", Flags::DERSIG),
    ("LOW_S", flags::LOW_S),
    ("NULLDUMMY", Flags::NULLDUMMY),
    ("SIGPUSHONLY", flags::SIGPUSHONLY),
    ("MINIMALDATA", flags::MINIMALDATA),
    ("DISCOURAGE_UPGRADABLE_NOPS", flags::DISCOURAGE_UPGRADABLE_NOPS),
    ("CLEANSTACK", flags::CLEANSTACK),
    ("CHECKLOCKTIMEVERIFY", Flags::CHECKLOCKTIMEVERIFY),
    ("CHECKSEQUENCEVERIFY", Flags::CHECKSEQUENCEVERIFY),
    ("WITNESS", Flags::WITNESS),
    ("DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM", flags::DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM),
    ("MINIMALIF", flags::MINIMALIF),
    ("NULLFAIL", flags::NULLFAIL),
    ("WITNESS_PUBKEYTYPE", flags::WITNESS_PUBKEYTYPE),
    ("CONST_SCRIPTCODE", flags::CONST_SCRIPTCODE),
    ("TAPROOT", Flags::TAPROOT),
    ("DISCOURAGE_UPGRADABLE_TAPROOT_VERSION", flags::DISCOURAGE_UPGRADABLE_TAPROOT_VERSION),
    ("DISCOURAGE_OP_SUCCESS", flags::DISCOURAGE_OP_SUCCESS),
    ("DISCOURAGE_UPGRADABLE_PUBKEYTYPE", flags::DISCOURAGE_UPGRADABLE_PUBKEYTYPE),
];

/// The rules that a list of names stands for.
fn flags_of(list: &str) -> Flags {
    let words = list.split(',').filter(|word| !word.is_empty() && *word != "NONE");
    words.fold(Flags::NONE, |all, word| {
        let (_, flag) = NAMES.iter().find(|(name, _)| *name == word).unwrap_or_else(|| panic!("no rule {word}"));
        all.with(*flag)
    })
}

/// `flags` without those of `other`, and without what needs one of these.
fn without(flags: Flags, other: Flags) -> Flags {
    let mut left = Flags(flags.0 & !other.0);
    // BIP-0141 builds upon BIP-0016, and whether the stack is clean is asked after both.
    if !left.contains(Flags::P2SH) {
        left = Flags(left.0 & !Flags::WITNESS.0);
    }
    if left.contains(Flags::WITNESS) { left } else { Flags(left.0 & !flags::CLEANSTACK.0) }
}

/// `flags` with those of `other`, and with what these need.
fn with(flags: Flags, other: Flags) -> Flags {
    let mut all = flags.with(other);
    if all.contains(flags::CLEANSTACK) {
        all = all.with(Flags::WITNESS);
    }
    if all.contains(Flags::WITNESS) { all.with(Flags::P2SH) } else { all }
}

#[test]
fn what_is_relayed_is_all_but_one_of_the_rules() {
    let all = NAMES.iter().fold(Flags::NONE, |all, (_, flag)| all.with(*flag));
    assert_eq!(all, Flags((1 << 21) - 1));
    assert_eq!(flags::STANDARD, without(all, flags::SIGPUSHONLY));
}
