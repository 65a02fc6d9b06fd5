//! The user's money, with the methods of Bitcoin Core's wallet. There is one wallet; its name is empty.
//!
//! | module | methods |
//! |---|---|
//! | `load` | which wallet there is: made, loaded, let go of |
//! | `info` | how it stands |
//! | `keys` | words, passphrase, backup, descriptors |
//! | `addresses`, `received` | addresses, labels, and what they received |
//! | `coins` | balances and coins |
//! | `history`, `entry` | transactions |
//! | `pay`, `send`, `bump`, `fund` | payments |
//! | `psbt` | partially signed transactions |
//! | `rate`, `error` | what they have in common |
//!
//! A payment is made and kept on disk before anybody hears of it. If the mempool refuses it, it is given up; if no peer is
//! connected, it is kept, and told as isolated.

mod addresses;
mod bump;
mod coins;
mod entry;
mod error;
mod fund;
mod history;
mod info;
mod keys;
mod load;
mod pay;
mod psbt;
mod rate;
mod received;
mod send;
#[cfg(test)]
mod tests;

use bitcoin::{ScriptBuf, Txid};
use yap_chain::address;
use yap_chain::spec::Spec;
use yap_protocol::io::Judged;
use yap_wallet::{Payment, Wallet};

use crate::error::{Code, Error};
use crate::method::{Context, Methods};

/// Adds the methods.
pub(super) fn add(methods: Methods) -> Methods {
    let parts: [fn(Methods) -> Methods; 11] = [
        info::add,
        load::add,
        keys::add,
        addresses::add,
        received::add,
        coins::add,
        history::add,
        send::add,
        bump::add,
        fund::add,
        psbt::add,
    ];
    parts.into_iter().fold(pay::add(methods), |methods, add| add(methods))
}

/// Runs a job in the wallet; what it changes is on disk when this is over.
async fn with<T: Send + 'static>(
    context: &Context,
    job: impl FnOnce(&mut Wallet) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    context.backend.with_wallet(job).await?
}

/// Makes a payment, keeps it, and then tells it to the network. What the mempool refuses is given up.
async fn submit(
    context: &Context,
    make: impl FnOnce(&mut Wallet) -> Result<Payment, Error> + Send + 'static,
) -> Result<Payment, Error> {
    let payment = with(context, make).await?;
    let txid = payment.transaction.txid();
    // It is kept, and offered to the mempool again.
    let kept = |why: &str| {
        let text = format!("payment {txid} is kept and will be sent, but was not yet: {why}. Do not pay again");
        Error::new(Code::Wallet, text)
    };
    let judged = context.backend.submit(payment.transaction.clone()).await;
    let reason = match judged.map_err(|error| kept(&error.to_string()))? {
        Judged::Accepted | Judged::Known => return Ok(payment),
        Judged::Failed => return Err(kept("it could not be checked")),
        Judged::MissingInputs(_) => "bad-txns-inputs-missingorspent",
        Judged::LowFee { reason } | Judged::Policy { reason, .. } | Judged::Invalid { reason, .. } => reason,
    };
    with(context, move |wallet| Ok(wallet.abandon(txid))).await?;
    Err(Error::new(Code::Rejected, reason))
}

/// The script of an address.
fn script(text: &str, spec: &Spec) -> Result<ScriptBuf, Error> {
    address::parse(text, &spec.addresses)
        .map_err(|error| Error::new(Code::NotFound, format!("Invalid address: {error}")))
}

/// The id of a transaction that a parameter names.
fn txid(text: &str) -> Result<Txid, Error> {
    super::types::txid(text, "txid")
}

/// What is said of a transaction that is not the wallet's.
fn foreign() -> Error {
    Error::new(Code::NotFound, "Invalid or non-wallet transaction id")
}
