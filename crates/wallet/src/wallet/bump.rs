//! Paying more for what is not confirmed (BIP-0125).

use bitcoin::{Amount, FeeRate, OutPoint, Txid};

use super::draft::{fee, weight};
use super::options::{Draft, Options, PayError, Payment, Recipient, vbyte};
use super::{KeyError, Wallet};
use crate::ledger::State;

/// By how much the fee rate grows if none is given, and the least by which it must: 5 sat/vB and 1 sat/vB, as Bitcoin
/// Core's wallet and nodes have it.
const USUAL_STEP: FeeRate = FeeRate::from_sat_per_kwu(1_250);
/// See [`USUAL_STEP`]. What a replacement pays for its own relay (rule 4 of BIP-0125).
const LEAST_STEP: FeeRate = FeeRate::from_sat_per_kwu(250);

/// Turns in which the fee rate is raised until the absolute fee suffices.
const TURNS: usize = 8;

/// Why no more is paid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BumpError {
    /// The wallet does not know it.
    #[error("the wallet has no transaction {0}")]
    Unknown(Txid),
    /// A block has it, or a rival of it.
    #[error("transaction {0} is confirmed, conflicted or given up: its fee can't be changed any more")]
    Settled(Txid),
    /// Some of its inputs are others'.
    #[error("transaction {0} spends coins that are not this wallet's: only who signed all of it can pay more")]
    Foreign(Txid),
    /// Its outputs are spent by other transactions of the wallet.
    #[error("outputs of transaction {0} are spent by {1} already: pay more for that one")]
    Descendants(Txid, Txid),
    /// It was replaced before.
    #[error("transaction {0} was replaced by {1}: pay more for that one")]
    Replaced(Txid, Txid),
    /// BIP-0125, rules 3 and 4.
    #[error("{} sat/vB is too low: a replacement must pay at least {} sat/vB", vbyte(*rate), vbyte(*least))]
    RateTooLow {
        /// What was asked for.
        rate: FeeRate,
        /// The least.
        least: FeeRate,
    },
    /// The replacement can't be paid.
    #[error(transparent)]
    Pay(#[from] PayError),
}

impl Wallet {
    /// Replaces an own payment by one with a higher fee, which is then to be submitted. Recipients get the same; change
    /// shrinks, and coins are added if it must be. `options.coins` and the like are set by this.
    ///
    /// # Errors
    /// [`BumpError`]; the wallet is then as it was.
    pub fn bump(&mut self, txid: Txid, rate: Option<FeeRate>, options: &Options) -> Result<Payment, BumpError> {
        if self.is_locked() {
            return Err(PayError::from(KeyError::Locked).into());
        }
        let (draft, options) = self.draft_bump(txid, rate, options)?;
        let payment = self.finish(draft, &options)?;
        let by = payment.transaction.txid();
        self.ledger.note(txid, |note| note.replaced_by = Some(by));
        self.ledger.note(by, |note| note.replaces = Some(txid));
        Ok(payment)
    }

    /// The same as a draft, which nobody signed.
    ///
    /// # Errors
    /// [`BumpError`].
    pub fn fund_bump(&mut self, txid: Txid, rate: Option<FeeRate>, options: &Options) -> Result<Draft, BumpError> {
        self.draft_bump(txid, rate, options).map(|(draft, _)| draft)
    }

    fn draft_bump(
        &mut self,
        txid: Txid,
        rate: Option<FeeRate>,
        options: &Options,
    ) -> Result<(Draft, Options), BumpError> {
        let old_fee = self.check_bump(txid)?;
        let entry = self.ledger.entry(&txid).ok_or(BumpError::Unknown(txid))?;
        let transaction = std::sync::Arc::clone(&entry.transaction);
        let note = entry.note.clone();
        let size = transaction.weight().div_ceil(4).max(1);
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        let old = old_fee.to_sat().saturating_mul(250).div_ceil(size);
        let least = FeeRate::from_sat_per_kwu(old.saturating_add(LEAST_STEP.to_sat_per_kwu()));
        let usual = FeeRate::from_sat_per_kwu(old.saturating_add(USUAL_STEP.to_sat_per_kwu()));
        let rate = rate.unwrap_or(usual).max(options.least_rate);
        if rate < least {
            return Err(BumpError::RateTooLow { rate, least });
        }
        let decoded = transaction.decoded();
        let is_change = |script| self.scripts.place(script).is_some_and(|place| place.keychain.change);
        let change = decoded.output.iter().find(|output| is_change(&output.script_pubkey));
        let change = change.filter(|_| decoded.output.len() > 1).map(|output| output.script_pubkey.clone());
        let paid = decoded.output.iter().filter(|output| Some(&output.script_pubkey) != change.as_ref());
        let recipients: Vec<Recipient> = paid
            .map(|output| Recipient { script: output.script_pubkey.clone(), amount: output.value, subtract_fee: false })
            .collect();
        let mut options = Options {
            rate,
            replaceable: true,
            coins: decoded.input.iter().map(|input| input.previous_output).collect(),
            // BIP-0125, rule 2: no new unconfirmed coins.
            least_confirmations: options.least_confirmations.max(1),
            unsafe_coins: false,
            change_script: change.or_else(|| options.change_script.clone()),
            comment: options.comment.clone().or(note.comment),
            to: options.to.clone().or(note.to),
            ..options.clone()
        };
        for _ in 0..TURNS {
            let draft = self.fund_replacing(txid, &recipients, &options)?;
            // Rule 3 and 4: more than the old fee, by as much as its own relay costs.
            let coins = self.coins_of(&draft);
            let floor = fee(LEAST_STEP, weight(&coins, &draft.psbt.unsigned_tx.output));
            if draft.fee >= old_fee.checked_add(floor).unwrap_or(old_fee) {
                return Ok((draft, options));
            }
            options.rate =
                FeeRate::from_sat_per_kwu(options.rate.to_sat_per_kwu().saturating_add(LEAST_STEP.to_sat_per_kwu()));
        }
        Err(BumpError::RateTooLow { rate, least: options.rate })
    }

    /// Whether more may be paid for it; gives its fee.
    fn check_bump(&self, txid: Txid) -> Result<Amount, BumpError> {
        let entry = self.ledger.entry(&txid).ok_or(BumpError::Unknown(txid))?;
        if !matches!(entry.state, State::Pending | State::Waiting) {
            return Err(BumpError::Settled(txid));
        }
        if let Some(by) = entry.note.replaced_by {
            return Err(BumpError::Replaced(txid, by));
        }
        let active = |txid: &Txid| self.ledger.entry(txid).is_some_and(|entry| entry.state.is_active());
        if let Some(child) = self.ledger.with_descendants(txid).into_iter().skip(1).find(active) {
            return Err(BumpError::Descendants(txid, child));
        }
        self.sums(&entry.transaction).2.ok_or(BumpError::Foreign(txid))
    }

    /// Drafts a payment that may spend what a pending one spends.
    fn fund_replacing(&mut self, old: Txid, recipients: &[Recipient], options: &Options) -> Result<Draft, PayError> {
        let restore = self.ledger.suspend(old);
        let draft = self.fund(recipients, options);
        self.ledger.resume(old, restore);
        draft
    }

    fn coins_of(&self, draft: &Draft) -> Vec<crate::Unspent> {
        let inputs = draft.psbt.unsigned_tx.input.iter().map(|input| input.previous_output);
        let coin = |outpoint: OutPoint| {
            let own = self.ledger.own(&outpoint)?;
            Some(crate::Unspent {
                outpoint,
                amount: own.amount,
                place: own.place,
                height: None,
                safe: true,
                immature: false,
                locked: false,
            })
        };
        inputs.filter_map(coin).collect()
    }
}
