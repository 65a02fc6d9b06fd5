//! What is said of a submitted block.

use std::fmt;

use bitcoin::BlockHash;

use crate::unspent;

/// What is said of a submitted block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// New, and not known to be invalid: on the best chain now, or kept beside it.
    Accepted,
    /// Known and kept before.
    Duplicate,
    /// Refused.
    Invalid {
        /// Whether the block can be remembered as invalid, if that is said.
        kind: Option<Kind>,
        /// The broken rule as BIP-0022 words it, such as `bad-txnmrklroot`, if that is said.
        reason: Option<String>,
    },
    /// The bytes are not one block.
    Unreadable,
}

/// Bitcoin Core's groups of reasons, which decide what may be remembered of a block and held against who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A rule of blocks or transactions is broken.
    Consensus,
    /// It was found invalid before.
    Cached,
    /// A rule of headers is broken.
    Header,
    /// The transactions are not those that the header commits to; the header may still be of a valid block.
    Mutated,
    /// The parent is unknown.
    MissingParent,
    /// The parent is invalid.
    InvalidParent,
    /// The time is too far ahead; it may be valid later.
    Future,
    /// The header has too little work behind it.
    LowWork,
}

impl Verdict {
    /// Refused for a reason.
    #[must_use]
    pub fn invalid(kind: Kind, reason: &str) -> Self {
        Self::Invalid { kind: Some(kind), reason: Some(reason.to_owned()) }
    }

    /// The broken rule, without the details that follow a script failure in brackets: engines that check inputs in
    /// parallel may name another of several failures.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        match self {
            Self::Invalid { reason: Some(reason), .. } => Some(reason.split(" (").next().unwrap_or(reason)),
            Self::Invalid { .. } | Self::Accepted | Self::Duplicate | Self::Unreadable => None,
        }
    }

    /// Whether two verdicts of the same block are compatible: both refuse or both don't, and where both give a kind
    /// or a reason, it is the same. Where one can't read the bytes, the other may refuse them for any reason.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Invalid { kind: one, .. }, Self::Invalid { kind: two, .. }) => {
                let same_kind = one.is_none() || two.is_none() || one == two;
                let same_rule = match (self.rule(), other.rule()) {
                    (Some(one), Some(two)) => one == two,
                    (None, _) | (_, None) => true,
                };
                same_kind && same_rule
            }
            (Self::Invalid { .. }, Self::Unreadable) | (Self::Unreadable, Self::Invalid { .. }) => true,
            (one, two) => one == two,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Duplicate => f.write_str("duplicate"),
            Self::Invalid { kind, reason } => {
                write!(f, "invalid: {} [{kind:?}]", reason.as_deref().unwrap_or("no reason given"))
            }
            Self::Unreadable => f.write_str("unreadable"),
        }
    }
}

/// Whoever validates blocks and follows the best chain.
pub trait Subject {
    /// Takes one serialised block.
    fn submit(&mut self, raw: &[u8]) -> Verdict;

    /// The best valid chain's last block and its height.
    fn tip(&self) -> (BlockHash, u32);

    /// The whole UTXO set at the tip, if it can be had.
    fn unspent(&mut self) -> Option<unspent::Set> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Verdict};

    #[test]
    fn refusals_agree_as_far_as_both_say_why() {
        let full = Verdict::invalid(Kind::Consensus, "bad-cb-amount");
        let silent = Verdict::Invalid { kind: None, reason: None };
        assert!(full.agrees_with(&full));
        assert!(full.agrees_with(&silent) && silent.agrees_with(&full));
        assert!(full.agrees_with(&Verdict::Unreadable) && Verdict::Unreadable.agrees_with(&full));
        assert!(!full.agrees_with(&Verdict::invalid(Kind::Consensus, "bad-cb-height")));
        assert!(!full.agrees_with(&Verdict::invalid(Kind::Mutated, "bad-cb-amount")));
    }

    #[test]
    fn accepting_and_refusing_never_agree() {
        let refused = Verdict::Invalid { kind: None, reason: None };
        for welcome in [Verdict::Accepted, Verdict::Duplicate] {
            assert!(!welcome.agrees_with(&refused) && !refused.agrees_with(&welcome));
            assert!(!welcome.agrees_with(&Verdict::Unreadable));
        }
        assert!(!Verdict::Accepted.agrees_with(&Verdict::Duplicate));
    }

    #[test]
    fn details_of_script_failures_are_not_compared() {
        let one = Verdict::invalid(Kind::Consensus, "block-script-verify-flag-failed (Invalid Schnorr signature)");
        let two = Verdict::invalid(Kind::Consensus, "block-script-verify-flag-failed");
        assert!(one.agrees_with(&two));
        assert_eq!(one.rule(), Some("block-script-verify-flag-failed"));
        let version = Verdict::invalid(Kind::Header, "bad-version(0x00000001)");
        assert_eq!(version.rule(), Some("bad-version(0x00000001)"));
    }
}
