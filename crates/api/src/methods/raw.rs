//! Transactions as bytes, and PSBT (BIP-0174).

mod create;
mod decode;
mod package;
mod psbt;
mod read;
mod send;

pub(super) use self::create::{outpoint, outputs};
pub(super) use self::decode::unfunded;
use crate::method::Methods;

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    let methods = methods
        .with::<read::GetRawTransaction>()
        .with::<decode::DecodeRawTransaction>()
        .with::<decode::DecodeScript>()
        .with::<create::CreateRawTransaction>()
        .with::<send::SendRawTransaction>()
        .with::<send::TestMempoolAccept>()
        .with::<package::SubmitPackage>();
    psbt::add(methods)
}
