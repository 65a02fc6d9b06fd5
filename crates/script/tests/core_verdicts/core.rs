//! Bitcoin Core on regtest, which tells its reasons in its log only.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bitcoinkernel::prelude::*;
use bitcoinkernel::{
    Block, BlockValidationResult, BlockValidationStateRef, ChainType, ChainstateManager, Context, ContextBuilder, Log,
    Logger, ValidationMode,
};

use crate::ours::Verdict;

pub(crate) struct Chain {
    manager: Option<ChainstateManager>,
    log: Arc<Mutex<Vec<String>>>,
    mutated: Arc<Mutex<Option<bool>>>,
    folder: PathBuf,
    _logger: Logger,
    _context: Context,
}

struct Lines(Arc<Mutex<Vec<String>>>);

impl Log for Lines {
    fn log(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

impl Chain {
    pub(crate) fn new(seed: u64) -> Self {
        let folder = std::env::temp_dir().join(format!("yap-core-verdicts-{}-{seed}", std::process::id()));
        std::fs::create_dir_all(folder.join("blocks")).unwrap();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let mutated: Arc<Mutex<Option<bool>>> = Arc::default();
        let logger = Logger::new(Lines(Arc::clone(&log))).unwrap();
        let result = Arc::clone(&mutated);
        let context = ContextBuilder::new()
            .chain_type(ChainType::Regtest)
            .with_block_checked_validation(move |_block: Block, state: BlockValidationStateRef<'_>| {
                let invalid = state.mode() != ValidationMode::Valid;
                *result.lock().unwrap() = invalid.then(|| state.result() == BlockValidationResult::Mutated);
            })
            .build()
            .unwrap();
        let data = folder.to_str().unwrap();
        let blocks = folder.join("blocks");
        let manager = ChainstateManager::builder(&context, data, blocks.to_str().unwrap())
            .unwrap()
            .worker_threads(0)
            .block_tree_db_in_memory(true)
            .chainstate_db_in_memory(true)
            .build()
            .unwrap();
        Self { manager: Some(manager), log, mutated, folder, _logger: logger, _context: context }
    }

    /// Shows a block to Bitcoin Core; `None` if it has become the tip.
    pub(crate) fn judge(&self, bytes: &[u8]) -> Option<Verdict> {
        self.log.lock().unwrap().clear();
        *self.mutated.lock().unwrap() = None;
        let block = Block::new(bytes).expect("Bitcoin Core can read the block");
        let manager = self.manager.as_ref().expect("it lives as long as we do");
        let _ = manager.process_block(&block);
        let tip = manager.active_chain().tip().block_hash().to_bytes() == block.hash().to_bytes();
        let log = self.log.lock().unwrap();
        let verdict = self.mutated.lock().unwrap().map(|mutation| {
            let reason = log.iter().find_map(|line| reason(line));
            Verdict { reason: reason.unwrap_or_else(|| panic!("no reason in {log:#?}")), mutation }
        });
        assert_eq!(tip, verdict.is_none(), "{log:#?}");
        verdict
    }
}

/// What follows one of the phrases that introduce a reason.
fn reason(line: &str) -> Option<String> {
    let phrases = ["AcceptBlock FAILED (", "Block validation error: "];
    let (_, rest) = phrases.iter().find_map(|phrase| line.split_once(phrase))?;
    rest.split([',', ')', '\n']).next().map(str::to_owned)
}

impl Drop for Chain {
    fn drop(&mut self) {
        drop(self.manager.take());
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
