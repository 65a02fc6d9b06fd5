//! Which coins a payment spends, what it costs, and what comes back.

use std::collections::BTreeSet;

use bdk_wallet::chain::ChainPosition;
use bdk_wallet::coin_selection::{BranchAndBoundCoinSelection, CoinSelectionAlgorithm, SingleRandomDraw};
use bdk_wallet::{KeychainKind, LocalOutput, Utxo, WeightedUtxo};
use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{Amount, FeeRate, OutPoint, Psbt, Script, ScriptBuf, Sequence, Transaction, TxIn, TxOut, VarInt, Weight};

use super::options::{Draft, MAX_FEE, MAX_FEERATE, MAX_RECIPIENTS, Options, PayError, Recipient};
use super::sign::Told;
use super::{MAX_LABEL, Wallet};
use crate::entropy::{Draw, bytes};
use crate::keychain::{Keychain, Kind};
use crate::ledger::Unspent;

/// Most weight units of a transaction that nodes relay (Bitcoin Core's `MAX_STANDARD_TX_WEIGHT`).
const MAX_WEIGHT: u64 = 400_000;

/// Bytes of an input without its script: outpoint, empty script's length, sequence.
const INPUT: u64 = 41;

/// What is fixed before coins are chosen.
struct Plan<'a> {
    outputs: Vec<TxOut>,
    /// Which outputs the fee is taken from.
    subtract: Vec<usize>,
    total: Amount,
    change: ScriptBuf,
    options: &'a Options,
}

/// Coins of a payment, and how they are divided.
struct Division {
    outputs: Vec<TxOut>,
    fee: Amount,
    change: Option<Amount>,
}

impl Wallet {
    /// Drafts a payment: chooses coins and change, and signs nothing. Works while the wallet is locked.
    ///
    /// # Errors
    /// [`PayError`].
    pub fn fund(&mut self, recipients: &[Recipient], options: &Options) -> Result<Draft, PayError> {
        check_options(options)?;
        let plan = self.plan(recipients, options)?;
        let (required, optional) = self.candidates(options)?;
        let chosen = self.choose(&plan, required, optional)?;
        let division = self.divide(&plan, &chosen)?;
        self.compose(&plan, &chosen, division)
    }

    /// Every coin that a payment with these options may spend, and their sum.
    ///
    /// # Errors
    /// [`PayError::NoCoin`].
    pub fn spendable(&mut self, options: &Options) -> Result<(Amount, Vec<OutPoint>), PayError> {
        let (required, optional) = self.candidates(options)?;
        let all: Vec<Unspent> = required.into_iter().chain(optional).collect();
        Ok((sum(&all), all.iter().map(|coin| coin.outpoint).collect()))
    }

    fn plan<'a>(&self, recipients: &[Recipient], options: &'a Options) -> Result<Plan<'a>, PayError> {
        if recipients.is_empty() {
            return Err(PayError::Empty);
        }
        if recipients.len() > MAX_RECIPIENTS {
            return Err(PayError::TooMany(recipients.len()));
        }
        let mut total = Amount::ZERO;
        let mut outputs = Vec::with_capacity(recipients.len());
        for (index, recipient) in recipients.iter().enumerate() {
            let output = TxOut { value: recipient.amount, script_pubkey: recipient.script.clone() };
            check_dust(index, &output)?;
            total =
                total.checked_add(recipient.amount).filter(|sum| *sum <= Amount::MAX_MONEY).ok_or(PayError::Amount)?;
            outputs.push(output);
        }
        let change = match &options.change_script {
            Some(script) => script.clone(),
            None => {
                let kind = options.change.unwrap_or_else(|| like(recipients));
                self.scripts.unused(Keychain { kind, change: true }).ok_or(crate::Exhausted)?.1
            }
        };
        let subtract = (0..).zip(recipients).filter(|(_, r)| r.subtract_fee).map(|(index, _)| index).collect();
        Ok(Plan { outputs, subtract, total, change, options })
    }

    /// Coins that must be spent, and those that may.
    fn candidates(&mut self, options: &Options) -> Result<(Vec<Unspent>, Vec<Unspent>), PayError> {
        let tip = self.tip().0;
        let coins = self.unspent();
        let named: BTreeSet<OutPoint> = options.coins.iter().copied().collect();
        let find = |outpoint: &OutPoint| {
            let place = coins.binary_search_by_key(outpoint, |coin| coin.outpoint).ok();
            place.and_then(|place| coins.get(place)).filter(|coin| !coin.immature).cloned()
        };
        let required = named
            .iter()
            .map(|outpoint| find(outpoint).ok_or(PayError::NoCoin(*outpoint)))
            .collect::<Result<Vec<_>, _>>()?;
        let may = |coin: &&Unspent| {
            !options.only_coins
                && !coin.immature
                && !coin.locked
                && (coin.safe || options.unsafe_coins)
                && coin.confirmations(tip) >= options.least_confirmations
                && !named.contains(&coin.outpoint)
        };
        let optional = coins.iter().filter(may).cloned().collect();
        Ok((required, optional))
    }

    fn choose(
        &mut self,
        plan: &Plan<'_>,
        required: Vec<Unspent>,
        optional: Vec<Unspent>,
    ) -> Result<Vec<Unspent>, PayError> {
        // What the fee is taken from pays for inputs too.
        let (rate, target) = if plan.subtract.is_empty() {
            let fixed = fee(plan.options.rate, weight(&[], &plan.outputs));
            (plan.options.rate, plan.total.checked_add(fixed).ok_or(PayError::Amount)?)
        } else {
            (FeeRate::ZERO, plan.total)
        };
        let all: Vec<Unspent> = required.iter().chain(&optional).cloned().collect();
        let algorithm = BranchAndBoundCoinSelection::<SingleRandomDraw>::default();
        let weighted = |coins: &[Unspent]| coins.iter().map(weighted).collect();
        let mut draw = Draw(&mut self.entropy);
        let chosen =
            algorithm.coin_select(weighted(&required), weighted(&optional), rate, target, &plan.change, &mut draw);
        let Ok(chosen) = chosen else {
            return Err(self.too_little(plan, &all));
        };
        let chosen: BTreeSet<OutPoint> = chosen.selected.iter().map(Utxo::outpoint).collect();
        Ok(all.into_iter().filter(|coin| chosen.contains(&coin.outpoint)).collect())
    }

    fn too_little(&mut self, plan: &Plan<'_>, coins: &[Unspent]) -> PayError {
        let balance = self.balance();
        let cost =
            if plan.subtract.is_empty() { fee(plan.options.rate, weight(coins, &plan.outputs)) } else { Amount::ZERO };
        let needs = plan.total.checked_add(cost).unwrap_or(plan.total);
        PayError::TooLittle { has: sum(coins), needs, pending: balance.pending, immature: balance.immature }
    }

    /// What goes to whom: outputs, fee, change.
    fn divide(&mut self, plan: &Plan<'_>, chosen: &[Unspent]) -> Result<Division, PayError> {
        let rate = plan.options.rate;
        let has = sum(chosen);
        let excess = has.checked_sub(plan.total).ok_or_else(|| self.too_little(plan, chosen))?;
        let change_output = TxOut { value: Amount::ZERO, script_pubkey: plan.change.clone() };
        let with_change: Vec<TxOut> = plan.outputs.iter().cloned().chain([change_output]).collect();
        let (cost, cost_with_change) =
            (fee(rate, weight(chosen, &plan.outputs)), fee(rate, weight(chosen, &with_change)));
        let least = plan.change.minimal_non_dust();
        let mut outputs = plan.outputs.clone();
        if plan.subtract.is_empty() {
            let change = excess.checked_sub(cost_with_change).filter(|change| *change >= least);
            if change.is_none() && excess < cost {
                return Err(self.too_little(plan, chosen));
            }
            let fee = excess.checked_sub(change.unwrap_or(Amount::ZERO)).unwrap_or(excess);
            return Ok(Division { outputs, fee, change });
        }
        let change = (excess >= least).then_some(excess);
        // What is too little for change pays its part of the fee.
        let (cost, spare) = if change.is_some() { (cost_with_change, Amount::ZERO) } else { (cost, excess) };
        subtract(&mut outputs, &plan.subtract, cost.checked_sub(spare).unwrap_or(Amount::ZERO))?;
        Ok(Division { outputs, fee: cost.max(spare), change })
    }

    fn compose(&mut self, plan: &Plan<'_>, chosen: &[Unspent], division: Division) -> Result<Draft, PayError> {
        let Division { mut outputs, fee, change } = division;
        if fee > MAX_FEE {
            return Err(PayError::FeeTooHigh { fee });
        }
        let change = change.map(|amount| {
            let length = outputs.len();
            let asked = plan.options.change_position.and_then(|place| usize::try_from(place).ok());
            // Whoever looks at the transaction is not to see which output is the change.
            let random = || usize::try_from(u64::from_le_bytes(bytes(&mut self.entropy)) >> 1).unwrap_or(0);
            let place = asked.unwrap_or_else(random).checked_rem(length.saturating_add(1)).unwrap_or(0);
            outputs.insert(place, TxOut { value: amount, script_pubkey: plan.change.clone() });
            u32::try_from(place).unwrap_or(u32::MAX)
        });
        let weight = weight(chosen, &outputs).to_wu();
        if weight > MAX_WEIGHT {
            return Err(PayError::TooLarge { weight, most: MAX_WEIGHT });
        }
        let sequence =
            if plan.options.replaceable { Sequence::ENABLE_RBF_NO_LOCKTIME } else { Sequence::ENABLE_LOCKTIME_NO_RBF };
        let input = chosen.iter().map(|coin| TxIn { previous_output: coin.outpoint, sequence, ..TxIn::default() });
        let lock_time = plan.options.lock_time.unwrap_or_else(|| self.tip().0);
        let transaction = Transaction {
            version: Version::TWO,
            lock_time: LockTime::from_consensus(lock_time),
            input: input.collect(),
            output: outputs,
        };
        let mut psbt = Psbt::from_unsigned_tx(transaction).expect("no input has a script yet");
        self.fill(&mut psbt, &Told::new());
        Ok(Draft { psbt, fee, change })
    }
}

fn check_options(options: &Options) -> Result<(), PayError> {
    if options.rate > MAX_FEERATE {
        return Err(PayError::RateTooHigh { rate: options.rate });
    }
    if options.rate < options.least_rate {
        return Err(PayError::RateTooLow { rate: options.rate, least: options.least_rate });
    }
    let notes = [&options.comment, &options.to];
    let long = notes.into_iter().flatten().map(String::len).find(|length| *length > MAX_LABEL);
    long.map_or(Ok(()), |length| Err(PayError::LongNote(length)))
}

/// Change that does not stand out among what is paid. Besides, who is paid at old addresses may read no newer ones.
fn like(recipients: &[Recipient]) -> Kind {
    let any = |is: fn(&Script) -> bool| recipients.iter().any(|recipient| is(&recipient.script));
    if !any(Script::is_p2tr) && any(Script::is_p2wpkh) { Kind::Segwit } else { Kind::Taproot }
}

fn check_dust(index: usize, output: &TxOut) -> Result<(), PayError> {
    let least = output.script_pubkey.minimal_non_dust();
    if output.value < least { Err(PayError::Dust { index, amount: output.value, least }) } else { Ok(()) }
}

/// Takes a fee in equal parts from some outputs; the first of them pays what can't be divided, as with Bitcoin Core.
fn subtract(outputs: &mut [TxOut], from: &[usize], fee: Amount) -> Result<(), PayError> {
    let count = u64::try_from(from.len()).unwrap_or(u64::MAX);
    let part = fee.to_sat().checked_div(count).unwrap_or(0);
    let mut odd = fee.to_sat().checked_rem(count).unwrap_or(0);
    for index in from {
        let Some(output) = outputs.get_mut(*index) else { continue };
        let share = Amount::from_sat(part.saturating_add(std::mem::take(&mut odd)));
        let exceeds = PayError::FeeExceedsAmount { fee: share, amount: output.value };
        output.value = output.value.checked_sub(share).ok_or(exceeds)?;
        check_dust(*index, output)?;
    }
    Ok(())
}

/// Weight units of the signed transaction, at most.
pub(super) fn weight(inputs: &[Unspent], outputs: &[TxOut]) -> Weight {
    let length = |count: usize| u64::try_from(VarInt::from(count).size()).unwrap_or(9);
    let size = |output: &TxOut| u64::try_from(output.size()).unwrap_or(u64::MAX);
    let outputs_size = outputs.iter().map(size).fold(0, u64::saturating_add);
    let count = u64::try_from(inputs.len()).unwrap_or(u64::MAX);
    // Version and lock time have four bytes each.
    let base = [8, length(inputs.len()), length(outputs.len()), outputs_size, count.saturating_mul(INPUT)];
    let base = base.into_iter().fold(0, u64::saturating_add);
    let satisfied = inputs.iter().map(|coin| coin.place.keychain.kind.satisfaction()).fold(0, u64::saturating_add);
    // BIP-0144: marker and flag, and a count of witness items for each input. Drafts without inputs get some.
    let any = inputs.is_empty() || inputs.iter().any(|coin| coin.place.keychain.kind != Kind::Legacy);
    let witness = if any { count.saturating_add(2) } else { 0 };
    Weight::from_wu(base.saturating_mul(4).saturating_add(satisfied).saturating_add(witness))
}

/// What so many weight units cost; by whole virtual bytes, as nodes reckon.
pub(super) fn fee(rate: FeeRate, weight: Weight) -> Amount {
    let per_thousand = u128::from(rate.to_sat_per_kwu()).saturating_mul(4);
    let fee = per_thousand.saturating_mul(u128::from(weight.to_vbytes_ceil())).div_ceil(1_000);
    Amount::from_sat(u64::try_from(fee).unwrap_or(u64::MAX))
}

fn sum(coins: &[Unspent]) -> Amount {
    coins.iter().fold(Amount::ZERO, |sum, coin| sum.checked_add(coin.amount).unwrap_or(sum))
}

/// A coin in the form that the selection takes; it looks at amount and weight only.
fn weighted(coin: &Unspent) -> WeightedUtxo {
    let txout = TxOut { value: coin.amount, script_pubkey: Script::new().to_owned() };
    WeightedUtxo {
        satisfaction_weight: Weight::from_wu(coin.place.keychain.kind.satisfaction()),
        utxo: Utxo::Local(LocalOutput {
            outpoint: coin.outpoint,
            txout,
            keychain: KeychainKind::External,
            is_spent: false,
            derivation_index: coin.place.index,
            chain_position: ChainPosition::Unconfirmed { first_seen: None, last_seen: None },
        }),
    }
}
