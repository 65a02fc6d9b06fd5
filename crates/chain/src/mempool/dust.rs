//! Dust that must go with the next transaction: Bitcoin Core's `PreCheckEphemeralTx` and `CheckEphemeralSpends`.
//!
//! A transaction without a fee may have an output worth less than spending it costs, if its child spends that output
//! too, so that it never stays behind. What dust is, and how much of it one transaction may have, `policy` says.

use bitcoin::{Amount, OutPoint, Txid};

use super::Mempool;
use super::check::Offer;
use super::refusal::Refusal;
use super::relation::Kin;
use crate::policy;
use crate::transaction::Transaction;

impl Mempool {
    /// That nobody gains by mining dust without the child that spends it: whoever has dust pays nothing, nor does the
    /// operator count anything for it.
    pub(super) fn unpaid_dust(&self, offer: &Offer) -> Result<(), Refusal> {
        let fee = self.paid(offer).fee;
        if offer.fee == Amount::ZERO && fee == 0 {
            return Ok(());
        }
        match self.dust(&offer.transaction).next() {
            Some(OutPoint { vout, .. }) => Err(Refusal::PaidDust { vout, fee }),
            None => Ok(()),
        }
    }

    /// A parent in the pool, or `beside` it, whose dust `transaction` leaves unspent.
    pub(super) fn unspent_dust(
        &self,
        transaction: &Transaction,
        kin: &Kin,
        beside: Option<&Transaction>,
    ) -> Option<Txid> {
        let parents = kin.parents.iter().filter_map(|slot| self.nodes.entry(*slot)).map(|entry| &**entry.transaction());
        let dust = parents.chain(beside).flat_map(|parent| self.dust(parent));
        let mut spent: Option<Vec<OutPoint>> = None;
        for outpoint in dust {
            let spent = spent.get_or_insert_with(|| {
                let mut spent: Vec<OutPoint> =
                    transaction.decoded().input.iter().map(|input| input.previous_output).collect();
                spent.sort_unstable();
                spent
            });
            if spent.binary_search(&outpoint).is_err() {
                return Some(outpoint.txid);
            }
        }
        None
    }

    /// The outputs of `transaction` that are dust.
    fn dust(&self, transaction: &Transaction) -> impl Iterator<Item = OutPoint> {
        let (txid, rate) = (transaction.txid(), Amount::from_sat(self.limits.dust.to_sat_per_kvb()));
        policy::dust(transaction, rate).map(move |vout| OutPoint { txid, vout })
    }
}
