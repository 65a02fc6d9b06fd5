//! Block templates (BIP-0022, BIP-0023), submission, blocks on demand.

mod generate;
mod info;
mod propose;
mod submit;
mod template;

use crate::method::Methods;

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods
        .with::<info::GetMiningInfo>()
        .with::<info::GetNetworkHashPs>()
        .with::<template::GetBlockTemplate>()
        .with::<submit::SubmitBlock>()
        .with::<submit::SubmitHeader>()
        .with::<generate::GenerateToAddress>()
        .with::<generate::GenerateToDescriptor>()
        .with::<generate::GenerateBlock>()
}
