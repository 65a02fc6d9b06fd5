//! Bitcoin Core's own validation, as the [`Subject`] that all others are compared with.
//!
//! Core says whether it took a block, but not why not: that is in the callback for checked blocks (which block, and
//! which group of reasons) and in the lines of its log (the reason itself). Both are written by the same thread during
//! the call, so what was written since the call began belongs to the submitted block. The log belongs to the whole
//! process: several oracles in one process work if no two of them are called at the same time.
//!
//! Core has its real clock here: no block's time may lie in the future unless that is what is being tested.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bitcoin::BlockHash;
use bitcoin::hashes::Hash as _;
use bitcoinkernel::core::BlockHashExt as _;
use bitcoinkernel::notifications::types::BlockValidationStateExt as _;
use bitcoinkernel::{
    Block, BlockValidationResult, BlockValidationStateRef, ChainType, ChainstateManager, Context, ContextBuilder,
    KernelError, Log, Logger, ProcessBlockResult, ValidationMode,
};

use crate::verdict::{Kind, Subject, Verdict};

/// What Core said during one call.
#[derive(Debug, Default)]
struct Said {
    /// Blocks that were checked, with what was wrong with them.
    checked: Vec<(BlockHash, Option<Kind>)>,
    /// Log lines that name a reason.
    reasons: Vec<String>,
}

/// The log's lines, for whoever reads them.
struct Lines(Arc<Mutex<Said>>);

impl Log for Lines {
    fn log(&self, message: &str) {
        if let Some(reason) = reason(message) {
            self.0.lock().expect("no holder panics").reasons.push(reason.to_owned());
        }
    }
}

/// Bitcoin Core's validation of a regtest chain, in memory but for the block files.
pub struct Oracle {
    // In the order in which they must go.
    chain: ChainstateManager,
    _context: Context,
    _logger: Logger,
    said: Arc<Mutex<Said>>,
    _directory: tempfile::TempDir,
}

impl fmt::Debug for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oracle").field("tip", &self.tip()).finish_non_exhaustive()
    }
}

impl Oracle {
    /// A regtest chain of nothing but the genesis block.
    ///
    /// # Errors
    /// If Core does not start.
    pub fn regtest() -> Result<Self, KernelError> {
        let said = Arc::new(Mutex::new(Said::default()));
        let logger = Logger::new(Lines(Arc::clone(&said)))?;
        let heard = Arc::clone(&said);
        let context = ContextBuilder::new()
            .chain_type(ChainType::Regtest)
            .with_block_checked_validation(move |block: Block, state: BlockValidationStateRef<'_>| {
                let kind = (state.mode() != ValidationMode::Valid).then(|| kind(state.result())).flatten();
                let hash = BlockHash::from_byte_array(block.hash().to_bytes());
                heard.lock().expect("no holder panics").checked.push((hash, kind));
            })
            .build()?;
        let directory = tempfile::tempdir().expect("the system's temporary directory takes another");
        let blocks = directory.path().join("blocks");
        // One worker thread: with it, as in a node, scripts are judged after all other rules of a block.
        let chain = ChainstateManager::builder(&context, utf8(directory.path()), utf8(&blocks))?
            .block_tree_db_in_memory(true)
            .chainstate_db_in_memory(true)
            .worker_threads(1)
            .build()?;
        chain.import_blocks()?;
        Ok(Self { chain, _context: context, _logger: logger, said, _directory: directory })
    }
}

impl Subject for Oracle {
    fn submit(&mut self, raw: &[u8]) -> Verdict {
        let Ok(block) = Block::new(raw) else { return Verdict::Unreadable };
        // Core's parser stops at the block's end; here the bytes must be one block and nothing else.
        if block.consensus_encode().map(|bytes| bytes.len()).ok() != Some(raw.len()) {
            return Verdict::Unreadable;
        }
        let hash = BlockHash::from_byte_array(block.hash().to_bytes());
        *self.said.lock().expect("no holder panics") = Said::default();
        let result = self.chain.process_block(&block);
        let said = self.said.lock().expect("no holder panics");
        let failed = said.checked.iter().find(|(checked, kind)| *checked == hash && kind.is_some());
        match (result, failed) {
            (ProcessBlockResult::Rejected, _) | (_, Some(_)) => {
                Verdict::Invalid { kind: failed.and_then(|(_, kind)| *kind), reason: said.reasons.first().cloned() }
            }
            (ProcessBlockResult::NewBlock, None) => Verdict::Accepted,
            (ProcessBlockResult::Duplicate, None) => Verdict::Duplicate,
        }
    }

    fn tip(&self) -> (BlockHash, u32) {
        let tip = self.chain.active_chain().tip();
        let height = u32::try_from(tip.height()).expect("the tip is not below the genesis block");
        (BlockHash::from_byte_array(tip.block_hash().to_bytes()), height)
    }
}

/// The reason in one of the two log lines that name one: the block was refused as it came, or when it was connected.
fn reason(line: &str) -> Option<&str> {
    let (_, state) = line.split_once("AcceptBlock FAILED (").or_else(|| line.split_once("Block validation error: "))?;
    // The state's text is `reason, details`; script errors have their own brackets behind the reason.
    let state = state.trim_end();
    let end = state.find(", ").unwrap_or_else(|| {
        let brackets = state.matches('(').count();
        if state.ends_with(')') && state.matches(')').count() > brackets { state.len() - 1 } else { state.len() }
    });
    state.get(..end)
}

const fn kind(result: BlockValidationResult) -> Option<Kind> {
    match result {
        BlockValidationResult::Unset => None,
        BlockValidationResult::Consensus => Some(Kind::Consensus),
        BlockValidationResult::CachedInvalid => Some(Kind::Cached),
        BlockValidationResult::InvalidHeader => Some(Kind::Header),
        BlockValidationResult::Mutated => Some(Kind::Mutated),
        BlockValidationResult::MissingPrev => Some(Kind::MissingParent),
        BlockValidationResult::InvalidPrev => Some(Kind::InvalidParent),
        BlockValidationResult::TimeFuture => Some(Kind::Future),
        BlockValidationResult::HeaderLowWork => Some(Kind::LowWork),
    }
}

fn utf8(path: &Path) -> &str {
    path.to_str().expect("the system's temporary directory has a name in UTF-8")
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn reason_is_read_from_log_lines() {
        let lines = [
            ("[error] ProcessNewBlock: AcceptBlock FAILED (prev-blk-not-found)\n", Some("prev-blk-not-found")),
            ("[error] ProcessNewBlock: AcceptBlock FAILED (high-hash, proof of work failed)\n", Some("high-hash")),
            ("AcceptBlock FAILED (bad-version(0x00000001), rejected nVersion)", Some("bad-version(0x00000001)")),
            ("Block validation error: bad-cb-amount, coinbase pays too much (a vs b)", Some("bad-cb-amount")),
            (
                "Block validation error: block-script-verify-flag-failed (Witness program hash mismatch), input 0",
                Some("block-script-verify-flag-failed (Witness program hash mismatch)"),
            ),
            ("UpdateTip: new best=00", None),
        ];
        for (line, expected) in lines {
            assert_eq!(reason(line), expected, "{line}");
        }
    }
}
