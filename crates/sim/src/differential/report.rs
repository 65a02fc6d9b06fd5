//! What a run found.

use std::collections::BTreeMap;
use std::fmt;

use bitcoin::BlockHash;

use crate::unspent;
use crate::verdict::Verdict;

/// What one of the two said and where it stood afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its verdict.
    pub verdict: Verdict,
    /// Its tip and the tip's height.
    pub tip: (BlockHash, u32),
}

/// One block that the two differ on.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The run's seed.
    pub seed: u64,
    /// Which case of the run.
    pub case: usize,
    /// What the block was.
    pub name: String,
    /// What the subject said.
    pub subject: Answer,
    /// What the reference said.
    pub reference: Answer,
    /// The serialised block.
    pub raw: Vec<u8>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, case {}: {} ({} bytes)", self.seed, self.case, self.name, self.raw.len())?;
        for (who, answer) in [("subject", &self.subject), ("reference", &self.reference)] {
            writeln!(f, "  {who}: {}; tip {} at {}", answer.verdict, answer.tip.0, answer.tip.1)?;
        }
        Ok(())
    }
}

/// A UTXO set of the subject's that isn't what its chain's blocks make.
#[derive(Clone, Debug)]
pub struct StateDifference {
    /// The run's seed.
    pub seed: u64,
    /// After which case.
    pub case: usize,
    /// Where it differs.
    pub difference: unspent::Difference,
}

impl fmt::Display for StateDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unspent::Difference { missing, surplus, changed } = &self.difference;
        writeln!(f, "seed {}, case {}: the UTXO set", self.seed, self.case)?;
        for (what, outpoints) in [("missing", missing), ("surplus", surplus), ("changed", changed)] {
            let first = outpoints.first().map_or_else(String::new, |outpoint| format!(", {outpoint} the first"));
            writeln!(f, "  {what}: {}{first}", outpoints.len())?;
        }
        Ok(())
    }
}

/// What a run found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Cases begun.
    pub cases: usize,
    /// Blocks given to both.
    pub submitted: usize,
    /// Times that the reference's tip became a block that isn't the child of the one before.
    pub reorganisations: usize,
    /// How often the reference said what: verdicts, or the rules of those that refuse.
    pub verdicts: BTreeMap<String, usize>,
    /// UTXO sets compared.
    pub states: usize,
    /// Where the two differ.
    pub differences: Vec<Difference>,
    /// Where the subject's UTXO set is wrong.
    pub state_differences: Vec<StateDifference>,
}

impl Report {
    /// Whether nothing differs.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.differences.is_empty() && self.state_differences.is_empty()
    }

    /// Adds what another run found.
    pub fn merge(&mut self, other: Self) {
        self.cases += other.cases;
        self.submitted += other.submitted;
        self.reorganisations += other.reorganisations;
        for (verdict, count) in other.verdicts {
            *self.verdicts.entry(verdict).or_default() += count;
        }
        self.states += other.states;
        self.differences.extend(other.differences);
        self.state_differences.extend(other.state_differences);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} cases, {} blocks, {} reorganisations", self.cases, self.submitted, self.reorganisations)?;
        writeln!(f, "{} UTXO sets compared", self.states)?;
        for (verdict, count) in &self.verdicts {
            writeln!(f, "  {count:6} {verdict}")?;
        }
        self.differences.iter().try_for_each(|difference| write!(f, "{difference}"))?;
        self.state_differences.iter().try_for_each(|difference| write!(f, "{difference}"))
    }
}
