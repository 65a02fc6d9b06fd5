//! The program itself: help, how long it runs, how the node stands, and its end.

mod miner;
mod operations;
mod program;
mod status;
#[cfg(test)]
mod tests;

use crate::method::Methods;

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods
        .with::<program::Help>()
        .with::<program::Stop>()
        .with::<program::Uptime>()
        .with::<program::GetRpcInfo>()
        .with::<status::GetStatus>()
        .with::<operations::GetOperations>()
        .with::<miner::GetMiner>()
        .with::<miner::SetMining>()
}
