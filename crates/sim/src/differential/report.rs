//! What a run found.

use std::collections::BTreeMap;
use std::fmt;

use bitcoin::BlockHash;

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
    /// Where the two differ.
    pub differences: Vec<Difference>,
}

impl Report {
    /// Adds what another run found.
    pub fn merge(&mut self, other: Self) {
        self.cases += other.cases;
        self.submitted += other.submitted;
        self.reorganisations += other.reorganisations;
        for (verdict, count) in other.verdicts {
            *self.verdicts.entry(verdict).or_default() += count;
        }
        self.differences.extend(other.differences);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} cases, {} blocks, {} reorganisations", self.cases, self.submitted, self.reorganisations)?;
        for (verdict, count) in &self.verdicts {
            writeln!(f, "  {count:6} {verdict}")?;
        }
        self.differences.iter().try_for_each(|difference| write!(f, "{difference}"))
    }
}
