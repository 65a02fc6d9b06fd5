//! A transaction sent together with its parents.
//!
//! Parents are judged by themselves first, as in Bitcoin Core: whoever pays enough alone needs no help. One parent that pays
//! too little is judged together with the child. Core also takes a child that pays for several such parents; the mempool
//! here, like the network's relay, knows pairs of one parent and one child, so that is refused as it would be if each came
//! alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bitcoin::{OutPoint, Txid, Wtxid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use yap_chain::mempool::{FeeRate, Mempool};
use yap_chain::transaction::Transaction;
use yap_protocol::io::Judged;

use super::super::types::{Btc, unreadable};
use super::send::{Fees, burns_no_more, exceeds, limit, transactions};
use crate::backend::View;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Sends a transaction and its parents to the network, if they keep the rules: each parent by itself, or one that pays too
/// little together with the transaction.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SubmitPackage {
    /// Their bytes in hexadecimal digits: 25 at most, the transaction last, and none of its parents a parent of another.
    package: Vec<String>,
    /// Refuse what pays more, in coins for 1,000 virtual bytes; 0: whatever it pays; 0.1 if left out.
    maxfeerate: Option<Btc>,
    /// Refuse all if one output burns more; 0 if left out.
    maxburnamount: Option<Btc>,
}

/// What became of transactions that were sent together.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Submitted {
    /// `success`, or why not all of them wait now.
    package_msg: &'static str,
    /// What became of each, by the hash of all of it.
    #[serde(rename = "tx-results")]
    #[schemars(with = "BTreeMap<String, One>")]
    results: Map<String, Value>,
    /// Transactions whose place they took.
    #[serde(rename = "replaced-transactions")]
    replaced: Vec<String>,
}

/// What became of one of them.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct One {
    /// Its id.
    txid: String,
    /// The transaction of the same id, with another witness, that was waiting; then this one was passed over.
    #[serde(rename = "other-wtxid", skip_serializing_if = "Option::is_none")]
    other: Option<String>,
    /// Virtual bytes that count for its fee rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    vsize: Option<u64>,
    /// What it pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    fees: Option<Fees>,
    /// The rule by which it is refused; `package-not-validated` if no transaction was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

/// What became of a transaction.
enum Fate {
    /// It was waiting before.
    Waited,
    /// One with another witness was waiting before.
    Other(Wtxid),
    /// It waits now, and was judged by what these pay.
    Taken(Vec<Wtxid>),
    /// It breaks this rule.
    Refused(&'static str),
}

/// Why the package as a whole is not taken (Core's `PCKG_TX`).
const FAILED: &str = "transaction failed";

/// What a transaction is refused for whose coins are not known.
const MISSING: &str = "bad-txns-inputs-missingorspent";

impl Method for SubmitPackage {
    known_as!("submitpackage", RawTransactions, Cookie);
    type Reply = Submitted;

    async fn call(self, context: Context) -> Result<Submitted, Error> {
        let limit = limit(self.maxfeerate)?;
        let package = transactions(&self.package)?;
        for transaction in &package {
            burns_no_more(transaction, self.maxburnamount.unwrap_or_default())?;
        }
        if !is_child_with_parents(&package) {
            let text = "package topology disallowed. not child-with-parents or parents depend on each other.";
            return Err(Error::new(Code::Verify, text));
        }
        if let Some(why) = malformed(&package) {
            let one = |one: &Arc<Transaction>| {
                let error = Some("package-not-validated");
                (one.wtxid(), One { txid: one.txid().to_string(), error, ..One::default() })
            };
            return written(why, package.iter().map(one), BTreeSet::new());
        }
        let before = package.clone();
        let conflicts = context.backend.ask(move |view| conflicts(view.pool(), &before)).await?;
        let fates = send(&context, &package, limit).await?;
        let all_wait = fates.iter().all(|fate| !matches!(fate, Fate::Refused(_)));
        let taken = |txid: &Txid| {
            package.iter().zip(&fates).any(|(one, fate)| one.txid() == *txid && matches!(fate, Fate::Taken(_)))
        };
        let replaced = conflicts.iter().filter(|(by, _)| taken(by)).flat_map(|(_, replaced)| replaced).copied();
        let replaced: BTreeSet<Txid> = replaced.collect();
        let ones = context.backend.ask(move |view| {
            let pool = view.pool();
            package.iter().zip(fates).map(|(one, fate)| (one.wtxid(), told(pool, one, fate))).collect::<Vec<_>>()
        });
        written(if all_wait { "success" } else { FAILED }, ones.await?, replaced)
    }
}

fn written(
    package_msg: &'static str,
    ones: impl IntoIterator<Item = (Wtxid, One)>,
    replaced: BTreeSet<Txid>,
) -> Result<Submitted, Error> {
    let results = ones.into_iter().map(|(wtxid, one)| {
        let one = serde_json::to_value(one).map_err(|error| Error::new(Code::Internal, error.to_string()))?;
        Ok((wtxid.to_string(), one))
    });
    let results = results.collect::<Result<Map<_, _>, Error>>()?;
    Ok(Submitted { package_msg, results, replaced: replaced.iter().map(Txid::to_string).collect() })
}

/// What a transaction spends.
fn spent(transaction: &Transaction) -> impl Iterator<Item = OutPoint> + '_ {
    transaction.decoded().input.iter().map(|input| input.previous_output)
}

/// Core's `IsChildWithParentsTree`: all but the last are parents of the last, and none of another.
fn is_child_with_parents(package: &[Arc<Transaction>]) -> bool {
    let Some((child, parents)) = package.split_last() else { return false };
    let needed: BTreeSet<Txid> = spent(child).map(|outpoint| outpoint.txid).collect();
    let given: BTreeSet<Txid> = parents.iter().map(|parent| parent.txid()).collect();
    given.is_subset(&needed) && !parents.iter().any(|parent| spent(parent).any(|coin| given.contains(&coin.txid)))
}

/// Why transactions can't stand beside each other in one block (Core's `IsWellFormedPackage`).
fn malformed(package: &[Arc<Transaction>]) -> Option<&'static str> {
    let ids: BTreeSet<Txid> = package.iter().map(|one| one.txid()).collect();
    if ids.len() != package.len() {
        return Some("package-contains-duplicates");
    }
    let mut coins = BTreeSet::new();
    // One transaction that spends a coin twice is refused for that by itself.
    let conflict = package.iter().any(|one| {
        let own: BTreeSet<OutPoint> = spent(one).collect();
        own.into_iter().any(|coin| !coins.insert(coin))
    });
    conflict.then_some("conflict-in-package")
}

/// For each transaction those that wait, too, and spend what it spends, with all that depend on them.
fn conflicts(pool: &Mempool, package: &[Arc<Transaction>]) -> Vec<(Txid, BTreeSet<Txid>)> {
    let rivals = |one: &Arc<Transaction>| {
        let rivals = spent(one).filter_map(|coin| pool.spender(&coin)).filter(|rival| rival.txid() != one.txid());
        let all =
            rivals.flat_map(|rival| pool.descendants(&rival.txid()).map(|entry| entry.txid()).collect::<Vec<_>>());
        (one.txid(), all.collect())
    };
    package.iter().map(rivals).collect()
}

/// Offers all of them: the parents, then the child.
async fn send(context: &Context, package: &[Arc<Transaction>], limit: Option<FeeRate>) -> Result<Vec<Fate>, Error> {
    let mut fates = Vec::with_capacity(package.len());
    let Some((child, parents)) = package.split_last() else { return Ok(fates) };
    // Places of parents that pay too little, and whether one is refused for anything else.
    let (mut low, mut hopeless) = (Vec::new(), false);
    for (place, parent) in parents.iter().enumerate() {
        let judged = alone(context, parent, package, limit).await?;
        match &judged {
            Ok(fate) => hopeless |= matches!(fate, Fate::Refused(_)),
            Err(_) => low.push((place, parent)),
        }
        fates.push(judged.unwrap_or_else(Fate::Refused));
    }
    match low.as_slice() {
        [] => fates.push(alone(context, child, package, limit).await?.unwrap_or_else(Fate::Refused)),
        [(place, parent)] if !hopeless => {
            let (first, last) = pair(context, child, parent, (package, limit)).await?;
            if let (Some(fate), Some(first)) = (fates.get_mut(*place), first) {
                *fate = first;
            }
            fates.push(last);
        }
        // What it spends is not there.
        _ => fates.push(Fate::Refused(MISSING)),
    }
    Ok(fates)
}

/// Offers a transaction by itself; the inner error is that it pays too little alone.
async fn alone(
    context: &Context,
    one: &Arc<Transaction>,
    package: &[Arc<Transaction>],
    limit: Option<FeeRate>,
) -> Result<Result<Fate, &'static str>, Error> {
    if let Some(fate) = before(context, one, package, limit).await? {
        return Ok(Ok(fate));
    }
    let judged = context.backend.submit(Arc::clone(one)).await?;
    Ok(if let Judged::LowFee { reason } = judged { Err(reason) } else { Ok(fate(&judged, vec![one.wtxid()])) })
}

/// Offers a child with a parent that pays too little: what became of the parent, if that is news, and of the child.
async fn pair(
    context: &Context,
    child: &Arc<Transaction>,
    parent: &Arc<Transaction>,
    (package, limit): (&[Arc<Transaction>], Option<FeeRate>),
) -> Result<(Option<Fate>, Fate), Error> {
    if let Some(fate) = before(context, child, package, limit).await? {
        return Ok((None, fate));
    }
    let (first, last) = context.backend.submit_pair(Arc::clone(child), Arc::clone(parent)).await?;
    let both = || vec![parent.wtxid(), child.wtxid()];
    Ok((Some(fate(&first, both())), fate(&last, both())))
}

/// What is known of a transaction before it is offered: that it waits, or pays more than the caller allows.
async fn before(
    context: &Context,
    one: &Arc<Transaction>,
    package: &[Arc<Transaction>],
    limit: Option<FeeRate>,
) -> Result<Option<Fate>, Error> {
    let (one, package) = (Arc::clone(one), package.to_vec());
    let known = context.backend.ask(move |view| {
        if let Some(entry) = view.pool().get_by_txid(&one.txid()) {
            let same = entry.wtxid() == one.wtxid();
            return Ok(Some(if same { Fate::Waited } else { Fate::Other(entry.wtxid()) }));
        }
        let dear = match limit {
            Some(_) => pays(view, &one, &package)?.is_some_and(|(fee, vsize)| exceeds(limit, fee, vsize)),
            None => false,
        };
        Ok(dear.then_some(Fate::Refused("max feerate exceeded")))
    });
    known.await?
}

/// Satoshis that a transaction pays, and its virtual bytes, if its coins are known.
fn pays(view: &mut dyn View, one: &Transaction, package: &[Arc<Transaction>]) -> Result<Option<(u64, u64)>, Error> {
    let mut input = 0_u64;
    for coin in spent(one) {
        let beside = package.iter().find(|other| other.txid() == coin.txid);
        let index = usize::try_from(coin.vout).unwrap_or(usize::MAX);
        let value = match beside {
            Some(other) => other.decoded().output.get(index).map(|output| output.value),
            None => match view.pool().coin(&coin) {
                Some(found) => Some(found.value),
                None => view.coin(&coin).map_err(|error| unreadable(&error))?.map(|found| found.value),
            },
        };
        let Some(value) = value else { return Ok(None) };
        input = input.saturating_add(value.to_sat());
    }
    let output = one.decoded().output.iter().fold(0_u64, |sum, output| sum.saturating_add(output.value.to_sat()));
    let vsize = u64::try_from(one.weight().div_ceil(4)).unwrap_or(u64::MAX);
    Ok(Some((input.saturating_sub(output), vsize)))
}

fn fate(judged: &Judged, includes: Vec<Wtxid>) -> Fate {
    match judged {
        Judged::Accepted => Fate::Taken(includes),
        Judged::Known => Fate::Waited,
        Judged::MissingInputs(_) => Fate::Refused(MISSING),
        Judged::LowFee { reason } | Judged::Policy { reason, .. } | Judged::Invalid { reason, .. } => {
            Fate::Refused(reason)
        }
        Judged::Failed => Fate::Refused("not-judged"),
    }
}

fn told(pool: &Mempool, one: &Transaction, fate: Fate) -> One {
    let entry = pool.get(&one.wtxid());
    let (vsize, fee) = (entry.map(|entry| entry.vsize()), entry.map(|entry| Btc::from(entry.fee())));
    let told = One { txid: one.txid().to_string(), ..One::default() };
    match fate {
        Fate::Other(wtxid) => One { other: Some(wtxid.to_string()), ..told },
        Fate::Refused(error) => One { error: Some(error), ..told },
        // What left already, such as for a block, is told without what it paid.
        Fate::Waited => One { vsize, fees: fee.map(Fees::base), ..told },
        Fate::Taken(includes) => {
            let paid =
                includes.iter().filter_map(|wtxid| pool.get(wtxid)).fold((0_u64, 0_u64), |(paid, size), entry| {
                    let fee = u64::try_from(entry.paid().fee).unwrap_or(0);
                    (paid.saturating_add(fee), size.saturating_add(entry.vsize()))
                });
            let includes = includes.iter().map(Wtxid::to_string).collect();
            One { vsize, fees: fee.map(|fee| Fees::judged(fee, paid, includes)), ..told }
        }
    }
}
