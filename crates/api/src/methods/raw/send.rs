//! Transactions for the network.

use std::sync::Arc;

use bitcoin::OutPoint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_chain::connect::is_unspendable;
use yap_chain::mempool::FeeRate;
use yap_chain::transaction::Transaction;
use yap_protocol::io::Judged;

use super::super::types::{Btc, transaction, unreadable};
use crate::backend::{Tested, View};
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// The fee rate that is not passed by mistake if nothing is said: 0.1 coins for 1,000 virtual bytes.
const MOST_RATE: i64 = 10_000_000;

/// Fee rates from here on are refused as mistakes: a coin for 1,000 virtual bytes.
const ABSURD_RATE: i64 = 100_000_000;

/// Transactions that can be tried at a time (Core's `MAX_PACKAGE_COUNT`).
pub(super) const MOST_TRIED: usize = 25;

/// A limit on fee rates: none if it is 0. Core's `ParseFeeRate`.
pub(super) fn limit(rate: Option<Btc>) -> Result<Option<FeeRate>, Error> {
    let rate = rate.unwrap_or(Btc::from_sat(MOST_RATE));
    if rate.to_sat() >= ABSURD_RATE {
        let text = "Fee rates larger than or equal to 1BTC/kvB are not accepted";
        return Err(Error::new(Code::InvalidParameter, text));
    }
    Ok((rate.to_sat() > 0).then(|| rate.rate()))
}

/// Whether a fee is more than a limit allows for a transaction.
pub(super) fn exceeds(limit: Option<FeeRate>, fee: u64, vsize: u64) -> bool {
    limit.is_some_and(|limit| i64::try_from(fee).unwrap_or(i64::MAX) > limit.fee(vsize))
}

/// That no output burns more than that.
pub(super) fn burns_no_more(transaction: &Transaction, most: Btc) -> Result<(), Error> {
    let burns = |output: &bitcoin::TxOut| {
        (is_unspendable(&output.script_pubkey) || output.script_pubkey.instructions().any(|i| i.is_err()))
            && Btc::from(output.value) > most
    };
    if transaction.decoded().output.iter().any(burns) {
        let text = "Unspendable output exceeds maximum configured by user (maxburnamount)";
        return Err(Error::new(Code::Verify, text));
    }
    Ok(())
}

/// Transactions of a list of texts.
pub(super) fn transactions(texts: &[String]) -> Result<Vec<Arc<Transaction>>, Error> {
    if !(1..=MOST_TRIED).contains(&texts.len()) {
        let text = format!("Array must contain between 1 and {MOST_TRIED} transactions.");
        return Err(Error::new(Code::InvalidParameter, text));
    }
    let decoded = texts.iter().map(|text| {
        transaction(text).map(Arc::new).map_err(|_| {
            let text = format!("TX decode failed: {text} Make sure the tx has at least one input.");
            Error::new(Code::Deserialization, text)
        })
    });
    decoded.collect()
}

/// Sends a transaction to the network, if it keeps the rules.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SendRawTransaction {
    /// Its bytes in hexadecimal digits.
    hexstring: String,
    /// Refuse it if it pays more, in coins for 1,000 virtual bytes; 0: whatever it pays; 0.1 if left out.
    maxfeerate: Option<Btc>,
    /// Refuse it if it burns more in one output; 0 if left out.
    maxburnamount: Option<Btc>,
}

impl Method for SendRawTransaction {
    known_as!("sendrawtransaction", RawTransactions, Cookie);
    type Reply = String;

    async fn call(self, context: Context) -> Result<String, Error> {
        let burnt = self.maxburnamount.unwrap_or_default();
        let transaction = Arc::new(transaction(&self.hexstring)?);
        burns_no_more(&transaction, burnt)?;
        let limit = limit(self.maxfeerate)?;
        let id = transaction.txid();
        let asked = Arc::clone(&transaction);
        if context.backend.ask(move |view| known(view, &asked)).await?? {
            return Ok(id.to_string());
        }
        if limit.is_some() {
            let tested = context.backend.test(vec![Arc::clone(&transaction)]).await?;
            let pays = tested.first().and_then(|tested| tested.pays);
            if pays.is_some_and(|(fee, vsize)| exceeds(limit, fee, vsize)) {
                let text = "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)";
                return Err(Error::new(Code::Verify, text));
            }
        }
        match context.backend.submit(transaction).await? {
            Judged::Accepted | Judged::Known => Ok(id.to_string()),
            Judged::MissingInputs(_) => Err(Error::new(Code::Verify, "bad-txns-inputs-missingorspent")),
            Judged::LowFee { reason } | Judged::Policy { reason, .. } | Judged::Invalid { reason, .. } => {
                Err(Error::new(Code::Rejected, reason))
            }
            Judged::Failed => Err(Error::new(Code::Misc, "The transaction could not be judged: try again")),
        }
    }
}

/// Whether a transaction waits already; an error if a block has it.
fn known(view: &mut dyn View, transaction: &Transaction) -> Result<bool, Error> {
    let id = transaction.txid();
    if view.pool().contains_txid(&id) {
        return Ok(true);
    }
    for vout in (0_u32..).take(transaction.decoded().output.len()) {
        let coin = view.coin(&OutPoint { txid: id, vout }).map_err(|error| unreadable(&error))?;
        if coin.is_some() {
            return Err(Error::new(Code::AlreadyInChain, "Transaction outputs already in utxo set"));
        }
    }
    Ok(false)
}

/// Tells whether transactions would be taken, each as if those before it were waiting; none is kept.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TestMempoolAccept {
    /// Their bytes in hexadecimal digits; 25 at most, parents first.
    rawtxs: Vec<String>,
    /// Refuse what pays more, in coins for 1,000 virtual bytes; 0: whatever it pays; 0.1 if left out.
    maxfeerate: Option<Btc>,
}

/// What would become of a transaction.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Acceptance {
    /// Its id.
    txid: String,
    /// Hash of all of it.
    wtxid: String,
    /// Whether it would be taken.
    allowed: bool,
    /// Virtual bytes that count for its fee rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    vsize: Option<u64>,
    /// What it pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    fees: Option<Fees>,
    /// The rule by which it is refused.
    #[serde(rename = "reject-reason", skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The same, with more where more is known.
    #[serde(rename = "reject-details", skip_serializing_if = "Option::is_none")]
    details: Option<&'static str>,
}

/// What a transaction pays.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Fees {
    /// Its fee.
    base: Btc,
    /// Coins for 1,000 virtual bytes; left out where the transaction was waiting before.
    #[serde(rename = "effective-feerate", skip_serializing_if = "Option::is_none")]
    rate: Option<Btc>,
    /// The transactions that the rate is of.
    #[serde(rename = "effective-includes", skip_serializing_if = "Option::is_none")]
    includes: Option<Vec<String>>,
}

impl Fees {
    /// Of a transaction that was waiting before.
    pub(super) fn base(fee: Btc) -> Self {
        Self { base: fee, rate: None, includes: None }
    }

    /// Of a transaction that is judged by what `includes`, itself among them, pay together.
    pub(super) fn judged(fee: Btc, (paid, vsize): (u64, u64), includes: Vec<String>) -> Self {
        let rate = u128::from(paid).saturating_mul(1000).checked_div(vsize.into()).unwrap_or(0);
        let rate = Btc::from_sat(i64::try_from(rate).unwrap_or(i64::MAX));
        Self { base: fee, rate: Some(rate), includes: Some(includes) }
    }
}

impl Method for TestMempoolAccept {
    known_as!("testmempoolaccept", RawTransactions, Open);
    type Reply = Vec<Acceptance>;

    async fn call(self, context: Context) -> Result<Vec<Acceptance>, Error> {
        let limit = limit(self.maxfeerate)?;
        let transactions = transactions(&self.rawtxs)?;
        let tested = context.backend.test(transactions.clone()).await?;
        Ok(transactions
            .iter()
            .zip(&tested)
            .map(|(transaction, tested)| acceptance(transaction, tested, limit))
            .collect())
    }
}

fn acceptance(transaction: &Transaction, tested: &Tested, limit: Option<FeeRate>) -> Acceptance {
    let too_much = tested.pays.is_some_and(|(fee, vsize)| exceeds(limit, fee, vsize));
    let (reason, details) = match &tested.judged {
        Judged::Accepted if too_much => (Some("max-fee-exceeded"), None),
        Judged::Accepted => (None, None),
        Judged::Known => (Some("txn-already-in-mempool"), Some("txn-already-in-mempool")),
        Judged::MissingInputs(_) => (Some("missing-inputs"), Some("bad-txns-inputs-missingorspent")),
        Judged::LowFee { reason } | Judged::Policy { reason, .. } | Judged::Invalid { reason, .. } => {
            (Some(*reason), Some(*reason))
        }
        Judged::Failed => (Some("not-judged"), Some("not-judged")),
    };
    let allowed = reason.is_none();
    let pays = tested.pays.filter(|_| allowed);
    let wtxid = transaction.wtxid().to_string();
    Acceptance {
        txid: transaction.txid().to_string(),
        wtxid: wtxid.clone(),
        allowed,
        vsize: pays.map(|(_, vsize)| vsize),
        fees: pays.map(|(fee, vsize)| {
            Fees::judged(Btc::from_sat(i64::try_from(fee).unwrap_or(i64::MAX)), (fee, vsize), vec![wtxid])
        }),
        reason,
        details,
    }
}
