//! Addresses, descriptors, fees, signed messages.

mod address;
pub(super) mod descriptor;
mod fee;
mod index;
mod message;

pub(super) use self::fee::{Rates, estimate, horizon};
use crate::method::Methods;

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    methods
        .with::<address::ValidateAddress>()
        .with::<address::CreateMultisig>()
        .with::<descriptor::GetDescriptorInfo>()
        .with::<descriptor::DeriveAddresses>()
        .with::<fee::EstimateSmartFee>()
        .with::<index::GetIndexInfo>()
        .with::<message::VerifyMessage>()
        .with::<message::SignMessageWithPrivKey>()
}
