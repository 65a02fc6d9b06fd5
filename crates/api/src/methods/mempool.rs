//! Transactions that wait for a block.

mod change;
mod entry;
mod list;
mod spender;

use crate::method::Methods;

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods
        .with::<list::GetMempoolInfo>()
        .with::<list::GetRawMempool>()
        .with::<entry::GetMempoolEntry>()
        .with::<entry::GetMempoolAncestors>()
        .with::<entry::GetMempoolDescendants>()
        .with::<entry::GetMempoolCluster>()
        .with::<spender::GetTxSpendingPrevOut>()
        .with::<change::SaveMempool>()
        .with::<change::PrioritiseTransaction>()
        .with::<change::GetPrioritisedTransactions>()
}
