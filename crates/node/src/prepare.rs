//! The first stage of a block's way: parse and hash once, then every rule that needs no other block.
//!
//! Runs on any thread and keeps nothing, so that several blocks are prepared at once.

use std::sync::Arc;

use yap_chain::Block;
use yap_chain::block::{self, ParseError, signet};
use yap_chain::header::pow;
use yap_chain::spec::Spec;
use yap_script::{Engine, Kernel};

use crate::chainstate::Reject;

/// A block that was read and looked at by itself.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) block: Arc<Block>,
    pub(crate) verdict: Result<(), Reject>,
}

impl Prepared {
    /// Reads a block and checks every rule that needs no other block.
    ///
    /// # Errors
    /// If the bytes are not a block. A broken rule is not an error here: it is kept for the chainstate, which says
    /// so in the order of arrival.
    pub fn new(bytes: Vec<u8>, spec: &Spec) -> Result<Self, ParseError> {
        let block = Block::parse(bytes)?;
        let verdict = check(&block, spec);
        Ok(Self { block: Arc::new(block), verdict })
    }

    /// The block.
    #[must_use]
    pub fn block(&self) -> &Arc<Block> {
        &self.block
    }
}

/// In Bitcoin Core's order, which decides the reason that is given when several rules are broken.
fn check(block: &Block, spec: &Spec) -> Result<(), Reject> {
    pow::check(block.header(), &spec.work)?;
    if let Some(challenge) = &spec.challenge
        && block.hash() != spec.genesis.block_hash()
    {
        let job = signet::script_job(block, challenge)?;
        Kernel::new().verify_job(&job).map_err(Reject::WrongSignature)?;
    }
    block::check(block)?;
    Ok(())
}
