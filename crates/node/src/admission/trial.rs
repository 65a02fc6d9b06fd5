//! What would become of transactions if they were offered, without offering them.
//!
//! Each is judged as if those before it were pending, but for what a mempool asks of transactions that belong together
//! (the bounds on clusters, and packages that pay for one another, and replacement: what one of them spends is gone for
//! those after it). Scripts are not verified here: they leave as jobs, to be verified wherever the caller has the time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use yap_chain::bitcoin::OutPoint;
use yap_chain::coin::Coin;
use yap_chain::mempool::{Refusal, UNCONFIRMED};
use yap_chain::transaction::Transaction;
use yap_chain::verify::Job;

use super::judge::{Reading, place, with_policy};
use super::{Admission, Why, relay};
use crate::chainstate::Chainstate;

/// Transactions of one trial (Core's `MAX_PACKAGE_COUNT`).
pub const MOST_TRIED: usize = 25;

/// What was found of one transaction.
#[derive(Debug)]
pub struct Trial {
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// Satoshis that it pays, and virtual bytes that count; nothing if it is refused before that is known.
    pub pays: Option<(u64, u64)>,
    /// What is left to verify, or why it is refused.
    pub outcome: Result<Job, Why>,
}

/// A transaction that was tried, what it pays, and nothing if it would be taken, or why not.
pub type Verified = (Arc<Transaction>, Option<(u64, u64)>, Result<(), Why>);

impl Trial {
    /// Verifies what is left. To be done where nobody waits.
    #[must_use = "that is all that it does"]
    pub fn verify(self) -> Verified {
        let Self { transaction, pays, outcome } = self;
        let outcome = outcome.and_then(|job| {
            yap_script::check(&relay::Relay::default(), &job).map_err(|failure| Why::script(failure, &transaction))
        });
        (transaction, pays, outcome)
    }
}

impl Admission {
    /// Tries transactions, [`MOST_TRIED`] at most; those beyond are left out. `now` is the time in Unix seconds. Nothing is
    /// judged while the chain moves: then each is refused as one to be offered again.
    pub fn try_all(&self, chain: &mut Chainstate, transactions: Vec<Arc<Transaction>>, now: u64) -> Vec<Trial> {
        let mut made: BTreeMap<OutPoint, Coin> = BTreeMap::new();
        let mut spent: BTreeSet<OutPoint> = BTreeSet::new();
        let mut trials = Vec::new();
        for transaction in transactions.into_iter().take(MOST_TRIED) {
            let inputs = || transaction.decoded().input.iter().map(|input| input.previous_output);
            let gone: Vec<OutPoint> = inputs().filter(|outpoint| spent.contains(outpoint)).collect();
            let (pays, outcome) = if gone.is_empty() {
                self.try_one(chain, &transaction, &made, now)
            } else {
                (None, Err(Refusal::MissingInputs(gone.into()).into()))
            };
            if outcome.is_ok() {
                spent.extend(inputs());
                for (index, output) in (0..).zip(&transaction.decoded().output) {
                    let outpoint = OutPoint { txid: transaction.txid(), vout: index };
                    made.insert(outpoint, Coin::new(output.value, &output.script_pubkey, UNCONFIRMED, false));
                }
            }
            trials.push(Trial { transaction, pays, outcome });
        }
        trials
    }

    fn try_one(
        &self,
        chain: &mut Chainstate,
        transaction: &Arc<Transaction>,
        made: &BTreeMap<OutPoint, Coin>,
        now: u64,
    ) -> (Option<(u64, u64)>, Result<Job, Why>) {
        let next = chain.next();
        if next.tip != self.tip || self.reorganisation.is_some() {
            return (None, Err(Refusal::Stale.into()));
        }
        let place = place(&next, &next.ancestors);
        let reading = Reading::new(next.coins, transaction.txid());
        let coins = |outpoint: &OutPoint| made.get(outpoint).cloned().or_else(|| reading.coin(outpoint));
        let outcome = self.pool.check(transaction, &coins, &place, now);
        let outcome = match reading.finish() {
            Ok(_) => outcome.map_err(Why::from),
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok(candidate) => {
                let pays = (candidate.fee().to_sat(), candidate.vsize());
                (Some(pays), Ok(with_policy(transaction, candidate.job())))
            }
            Err(why) => (None, Err(why)),
        }
    }
}
