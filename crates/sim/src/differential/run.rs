//! One run: the chain as both know it, and the cases on it.

use bitcoin::consensus::encode;
use bitcoin::{Block, BlockHash};

use super::MAX_DIFFERENCES;
use super::report::{Answer, Difference, Report, StateDifference};
use crate::arrival::Tree;
use crate::builder::Builder;
use crate::mutation::{Mutation, Witness};
use crate::random::Random;
use crate::unspent;
use crate::verdict::{Subject, Verdict};

/// Coins of each kind that the chain begins with, and gets when it runs out of one.
const COINS: usize = 24;

/// Changes of witnesses that leave the header as it was.
const WITNESSES: [Witness; 5] =
    [Witness::Stripped, Witness::Added, Witness::Changed, Witness::ReservedShort, Witness::ReservedMissing];

/// Refusals after which Core knows the header all the same (as of a block that may yet come right).
const HEADER_KEPT: [&str; 3] = ["bad-witness-merkle-match", "bad-witness-nonce-size", "unexpected-witness"];

/// One run.
pub(super) struct Run<'a> {
    subject: &'a mut dyn Subject,
    reference: &'a mut dyn Subject,
    builder: Builder,
    mutations: Vec<Mutation>,
    seed: u64,
    case: usize,
    over: bool,
    report: Report,
}

impl<'a> Run<'a> {
    pub(super) fn new(subject: &'a mut dyn Subject, reference: &'a mut dyn Subject, seed: u64) -> Self {
        let report = Report::default();
        let (builder, mutations) = (Builder::regtest(seed), Mutation::all());
        Self { subject, reference, builder, mutations, seed, case: 0, over: false, report }
    }

    /// Builds the chain that all cases start from.
    pub(super) fn begin(&mut self) {
        self.builder.prepare(COINS);
        for _ in 0..8 {
            self.builder.random_block();
        }
        let blocks: Vec<Block> = self.builder.blocks().cloned().collect();
        for block in &blocks {
            if self.over {
                return;
            }
            self.submit("base chain", &encode::serialize(block));
        }
    }

    pub(super) const fn case(&mut self, case: usize) {
        self.case = case;
        self.report.cases += 1;
    }

    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn report(self) -> Report {
        self.report
    }

    /// A mutation of the next block, and what may follow it.
    pub(super) fn mutation_on_tip(&mut self, random: &mut Random) {
        let mutation = self.random_mutation(random);
        let Some(case) = mutation.apply(&mut self.builder) else { return self.replenish() };
        let name = format!("{mutation:?}");
        let verdict = self.submit(&name, &case.raw);
        if verdict == Verdict::Accepted {
            return self.follow(case.block);
        }
        if random.one_in(4) {
            self.submit(&format!("{name}, again"), &case.raw);
        }
        if let Some(block) = case.block.as_ref().filter(|_| random.one_in(4))
            && verdict.rule().is_some_and(|rule| !HEADER_KEPT.contains(&rule))
        {
            let child = self.child(block);
            self.submit(&format!("{name}, its child"), &encode::serialize(&child));
        }
        if let Some(original) = case.original {
            self.submit(&format!("{name}, unchanged"), &encode::serialize(&original));
            self.follow(Some(original));
        }
    }

    /// Two mutations in one block, so that the order of the rules shows.
    pub(super) fn mutations_together(&mut self, random: &mut Random) {
        let (one, two) = (self.random_mutation(random), self.random_mutation(random));
        let cases = one.apply(&mut self.builder).zip(two.apply(&mut self.builder));
        let Some((first, second)) = cases else { return self.replenish() };
        let Some(block) = first.with(&second, &mut self.builder) else { return };
        let verdict = self.submit(&format!("{one:?} with {two:?}"), &encode::serialize(&block));
        if verdict == Verdict::Accepted {
            self.follow(Some(block));
        }
    }

    /// A mutation on a block below the tip: nobody connects it, so only some rules are looked at.
    pub(super) fn mutation_below_tip(&mut self, random: &mut Random) {
        let mutation = self.random_mutation(random);
        let depth = 1 + random.small(5);
        let mut side = self.builder.fork_at(self.builder.height() - depth);
        let Some(case) = mutation.apply(&mut side) else { return self.replenish() };
        let name = format!("{mutation:?}, {depth} below the tip");
        self.submit(&name, &case.raw);
        if random.one_in(3) {
            self.submit(&format!("{name}, again"), &case.raw);
        }
    }

    /// A block that is known already, the genesis block among them.
    pub(super) fn known(&mut self, random: &mut Random) {
        let height = random.small(self.builder.height() + 1);
        let block = self.builder.block(height).expect("not above the tip").clone();
        self.submit(&format!("known block at {height}"), &encode::serialize(&block));
    }

    /// A tree of blocks in a random order.
    pub(super) fn tree(&mut self, random: &mut Random) {
        let most = if random.one_in(8) { 40 } else { 12 };
        let size = 3 + random.index(most);
        let mut tree = Tree::random(&mut self.builder, size);
        for index in tree.order(random) {
            let entry = &tree.entries()[index];
            let name = format!("tree entry {index} on {:?}, broken by {:?}", entry.parent, entry.broken);
            self.submit(&name, &tree.raw(index));
            if self.over {
                return;
            }
        }
        let tip = self.reference.tip().0;
        self.builder = tree.branch_at(tip).expect("the tip is of the tree or below it");
    }

    /// A child of a block whose witnesses were changed, then the unchanged block.
    pub(super) fn child_of_mutated(&mut self, random: &mut Random) {
        let witness = WITNESSES[random.index(WITNESSES.len())];
        let Some(case) = Mutation::Witness(witness).apply(&mut self.builder) else { return self.replenish() };
        let original = case.original.expect("the header is as it was");
        let mut branch = self.builder.fork_at(self.builder.height());
        branch.adopt(original.clone());
        let child = branch.random_block();
        self.submit(&format!("{witness:?}"), &case.raw);
        self.submit(&format!("{witness:?}, its child"), &encode::serialize(&child));
        self.submit(&format!("{witness:?}, unchanged"), &encode::serialize(&original));
        self.builder = branch;
        if self.reference.tip().0 != self.builder.tip() {
            self.over = true; // The chain isn't what the next case would build on.
        }
    }

    /// Compares the subject's UTXO set with what the chain's blocks make. The two chains must be the same.
    pub(super) fn compare_state(&mut self) {
        if self.over {
            return;
        }
        let Some(found) = self.subject.unspent() else { return };
        assert_eq!(self.builder.tip(), self.reference.tip().0, "the run follows the reference");
        self.report.states += 1;
        if let Some(difference) = unspent::Difference::between(&unspent::replay(self.builder.blocks()), &found) {
            let (seed, case) = (self.seed, self.case);
            self.report.state_differences.push(StateDifference { seed, case, difference });
            self.over = true; // What follows from a wrong set is of no interest.
        }
    }

    /// A mutation; blocks of a megabyte and more come seldom.
    fn random_mutation(&self, random: &mut Random) -> Mutation {
        loop {
            let mutation = self.mutations[random.index(self.mutations.len())];
            if !matches!(mutation, Mutation::Limit(_)) || random.one_in(8) {
                return mutation;
            }
        }
    }

    /// An empty block on top of one that isn't on the branch.
    fn child(&mut self, parent: &Block) -> Block {
        let mut draft = self.builder.draft();
        draft.header.prev_blockhash = parent.block_hash();
        draft.header.time = parent.header.time.saturating_add(1);
        draft.height += 1;
        draft.set_payload(b"child");
        self.builder.seal(draft)
    }

    /// Gets coins of every kind again.
    fn replenish(&mut self) {
        let from = self.builder.height();
        self.builder.prepare(COINS);
        for height in from + 1..=self.builder.height() {
            let block = self.builder.block(height).expect("not above the tip").clone();
            self.submit("more coins", &encode::serialize(&block));
        }
    }

    /// Puts a block on the branch that the reference has as its tip.
    fn follow(&mut self, block: Option<Block>) {
        let tip = self.reference.tip().0;
        match block {
            Some(block) if block.block_hash() == tip => self.builder.adopt(block),
            _ => self.over = self.over || tip != self.builder.tip(),
        }
    }

    /// Gives both a block and compares.
    fn submit(&mut self, name: &str, raw: &[u8]) -> Verdict {
        let before = self.reference.tip();
        let reference = Answer { verdict: self.reference.submit(raw), tip: self.reference.tip() };
        let subject = Answer { verdict: self.subject.submit(raw), tip: self.subject.tip() };
        self.count(before.0, &reference, raw);
        let verdict = reference.verdict.clone();
        let same_tip = subject.tip == reference.tip;
        if !same_tip || !subject.verdict.agrees_with(&reference.verdict) {
            let (seed, case, name) = (self.seed, self.case, name.to_owned());
            let raw = raw.to_vec();
            self.report.differences.push(Difference { seed, case, name, subject, reference, raw });
            // Two chains have nothing more to be compared.
            self.over = !same_tip || self.report.differences.len() >= MAX_DIFFERENCES;
        }
        verdict
    }

    fn count(&mut self, before: BlockHash, reference: &Answer, raw: &[u8]) {
        self.report.submitted += 1;
        let verdict = reference.verdict.rule().map_or_else(|| reference.verdict.to_string(), str::to_owned);
        *self.report.verdicts.entry(verdict).or_default() += 1;
        let parent =
            encode::deserialize_partial::<bitcoin::block::Header>(raw).map(|(header, _)| header.prev_blockhash);
        if reference.tip.0 != before && parent.ok() != Some(before) {
            self.report.reorganisations += 1;
        }
    }
}
