//! Blocks, the chain, and its coins.

mod block;
mod coins;
mod deployment;
mod info;
mod proof;
mod prune;
mod scan;
mod stats;
mod tips;
mod verify;
mod wait;

pub(super) use self::info::chain_name;
use crate::method::Methods;

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods
        .with::<info::GetBlockchainInfo>()
        .with::<info::GetChainStates>()
        .with::<info::GetBlockCount>()
        .with::<info::GetBestBlockHash>()
        .with::<info::GetDifficulty>()
        .with::<info::GetChainTxStats>()
        .with::<block::GetBlockHash>()
        .with::<block::GetBlockHeader>()
        .with::<block::GetBlock>()
        .with::<block::GetBlockFilter>()
        .with::<stats::GetBlockStats>()
        .with::<tips::GetChainTips>()
        .with::<tips::InvalidateBlock>()
        .with::<tips::ReconsiderBlock>()
        .with::<tips::PreciousBlock>()
        .with::<prune::PruneBlockchain>()
        .with::<proof::GetTxOutProof>()
        .with::<proof::VerifyTxOutProof>()
        .with::<coins::GetTxOut>()
        .with::<coins::GetTxOutSetInfo>()
        .with::<scan::ScanTxOutSet>()
        .with::<deployment::GetDeploymentInfo>()
        .with::<verify::VerifyChain>()
        .with::<wait::WaitForNewBlock>()
        .with::<wait::WaitForBlock>()
        .with::<wait::WaitForBlockHeight>()
}
