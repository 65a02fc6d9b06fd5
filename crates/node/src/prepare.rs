//! The first stage of a block's way: its transactions are read, if they came unread, and every rule is checked that needs no
//! other block.
//!
//! Runs on any thread and keeps nothing, so that several blocks are prepared at once.

mod stage;

use std::sync::Arc;

use yap_chain::block::Block;
use yap_chain::block::{self, signet};
use yap_chain::header::pow;
use yap_chain::spec::Spec;
use yap_script::Kernel;

use crate::reject::Reject;

pub use self::stage::{Mistake, Outcome, Stage, WAITING};

/// A block that was read and looked at by itself.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) block: Arc<Block>,
    pub(crate) verdict: Result<(), Reject>,
}

impl Prepared {
    /// Reads the block and checks every rule that needs no other. A broken one is kept for the chainstate, which tells of
    /// it in the order of arrival.
    #[must_use]
    pub fn new(block: impl Into<Arc<Block>>, spec: &Spec) -> Self {
        let block = block.into();
        let verdict = check(&block, spec);
        Self { block, verdict }
    }

    /// The block.
    #[must_use]
    pub fn block(&self) -> &Arc<Block> {
        &self.block
    }
}

/// In Bitcoin Core's order, which decides the reason that is given when several rules are broken.
fn check(block: &Block, spec: &Spec) -> Result<(), Reject> {
    block.read().map_err(block::Error::from)?;
    pow::check(block.header(), &block.hash(), &spec.work.limit)?;
    if let Some(job) = signet::job(block, spec)? {
        yap_script::check(&Kernel::new(), &job).map_err(Reject::WrongSignature)?;
    }
    block::check(block)?;
    Ok(())
}
