//! Verifying blocks that are stored.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use yap_chain::block;
use yap_chain::transaction;
use yap_chain::undo::Undo;
use yap_chain::verify::{Flags, Job};

use super::super::types::{aside, at_height};
use super::block::fits;
use crate::backend::View;
use crate::error::Error;
use crate::method::{Context, Method};

/// Verifies stored blocks, the newest first.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct VerifyChain {
    /// How thoroughly, each level with those before: 0: blocks can be read; 1: they keep the rules that need no other
    /// block; 2: undo data fits; 3 (as if left out): what they spend and create adds up; 4: every script holds.
    checklevel: Option<u8>,
    /// How many blocks; 0: all. 6 if left out.
    nblocks: Option<u32>,
}

/// A block with what is needed to verify it.
struct Subject {
    block: Arc<block::Block>,
    undo: Option<Undo>,
    height: u32,
    subsidy: u64,
    flags: Flags,
}

impl Method for VerifyChain {
    known_as!("verifychain", Blockchain, Cookie);
    type Reply = bool;

    async fn call(self, context: Context) -> Result<bool, Error> {
        let (level, count) = (self.checklevel.unwrap_or(3), self.nblocks.unwrap_or(6));
        let tip = context.backend.ask(|view| view.tree().height(view.tip())).await?;
        let lowest = if count == 0 { 0 } else { tip.saturating_sub(count).saturating_add(1) };
        for height in (lowest.max(1)..=tip).rev() {
            let subject = context.backend.ask(move |view| subject(view, height)).await?;
            let Some(subject) = subject else { return Ok(false) };
            let Some(jobs) = aside(move || Ok(verified(&subject, level))).await? else { return Ok(false) };
            if level >= 4 && context.backend.verify(jobs).await? != Some(true) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A block of the best chain; none if it can't be read.
fn subject(view: &dyn View, height: u32) -> Option<Subject> {
    let id = at_height(view, height)?;
    let hash = view.tree().hash(id);
    Some(Subject {
        block: view.block(id).ok()?,
        undo: view.undo(id).ok(),
        height,
        subsidy: view.spec().subsidy_at(height).to_sat(),
        flags: view.spec().script_flags(height, &hash),
    })
}

/// What is left to be verified, if all else holds: scripts.
fn verified(subject: &Subject, level: u8) -> Option<Vec<Job>> {
    let transactions = subject.block.read().ok()?;
    if level >= 1 {
        block::check(&subject.block).ok()?;
    }
    if level < 2 {
        return Some(Vec::new());
    }
    let undo = subject.undo.as_ref().filter(|undo| fits(undo, &subject.block))?;
    let spending = transactions.iter().skip(1).zip(&undo.transactions);
    if !spending.clone().all(|(transaction, coins)| transaction.decoded().input.len() == coins.len()) {
        return None;
    }
    if level < 3 {
        return Some(Vec::new());
    }
    let mut allowed = subject.subsidy;
    for (transaction, coins) in spending.clone() {
        allowed = allowed.checked_add(transaction::fee(transaction, coins, subject.height).ok()?.to_sat())?;
    }
    let outputs = &transactions.first()?.decoded().output;
    let taken = outputs.iter().try_fold(0_u64, |sum, output| sum.checked_add(output.value.to_sat()))?;
    let job = |(transaction, coins): (&transaction::Transaction, &Arc<[_]>)| Job {
        transaction: transaction.raw().clone(),
        spent: Arc::clone(coins),
        flags: subject.flags,
    };
    (taken <= allowed).then(|| spending.map(job).collect())
}
