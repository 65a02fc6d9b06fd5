//! A transaction: Bitcoin Core's `TxToUniv`.

use bitcoin::hex::DisplayHex;
use bitcoin::{Amount, TxIn};
use schemars::JsonSchema;
use serde::Serialize;
use yap_chain::coin::Coin;
use yap_chain::spec::Addresses;

use super::super::types::Btc;
use super::{Output, Paid, Satisfying};

/// How much is shown of what a transaction spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Its fee.
    Fee,
    /// Its fee, and each coin.
    Coins,
}

/// A transaction.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Transaction {
    /// Its id.
    pub(crate) txid: String,
    /// Hash of all of it, the witness included.
    pub(crate) hash: String,
    /// Its version.
    pub(crate) version: u32,
    /// Bytes.
    pub(crate) size: usize,
    /// Virtual bytes (BIP-0141).
    pub(crate) vsize: usize,
    /// Weight units (BIP-0141).
    pub(crate) weight: usize,
    /// Height or time before which no block may have it.
    pub(crate) locktime: u32,
    /// What it spends.
    pub(crate) vin: Vec<Input>,
    /// What it pays.
    pub(crate) vout: Vec<Paid>,
    /// What it pays to whoever mines it, if its coins are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fee: Option<Btc>,
    /// Its bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hex: Option<String>,
}

/// One thing that a transaction spends.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Input {
    /// What a block's first transaction has instead of an output that it spends.
    #[serde(skip_serializing_if = "Option::is_none")]
    coinbase: Option<String>,
    /// Id of the transaction that made the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    txid: Option<String>,
    /// Index of the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    vout: Option<u32>,
    /// What satisfies the output's script, outside of the witness.
    #[serde(rename = "scriptSig", skip_serializing_if = "Option::is_none")]
    script: Option<Satisfying>,
    /// Items of the witness.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    txinwitness: Vec<String>,
    /// The output.
    #[serde(skip_serializing_if = "Option::is_none")]
    prevout: Option<Spent>,
    /// Its sequence number (BIP-0068, BIP-0125).
    sequence: u32,
}

/// A coin that is spent.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Spent {
    /// Whether a coinbase made it.
    generated: bool,
    /// Height of the block that made it.
    height: u32,
    /// What it was worth.
    value: Btc,
    /// Its script.
    #[serde(rename = "scriptPubKey")]
    script: Output,
}

impl Transaction {
    /// What is known of the transaction alone.
    pub(crate) fn of(transaction: &yap_chain::transaction::Transaction, addresses: &Addresses) -> Self {
        let decoded = transaction.decoded();
        let is_coinbase = transaction.is_coinbase();
        Self {
            txid: transaction.txid().to_string(),
            hash: transaction.wtxid().to_string(),
            version: decoded.version.0.cast_unsigned(),
            size: transaction.total_size(),
            vsize: transaction.weight().div_ceil(4),
            weight: transaction.weight(),
            locktime: decoded.lock_time.to_consensus_u32(),
            vin: decoded.input.iter().map(|input| Input::of(input, is_coinbase)).collect(),
            vout: decoded.output.iter().enumerate().map(|(n, output)| Paid::of(n, output, addresses)).collect(),
            fee: None,
            hex: None,
        }
    }

    /// With its bytes.
    pub(crate) fn with_hex(self, transaction: &yap_chain::transaction::Transaction) -> Self {
        Self { hex: Some(transaction.raw().as_slice().to_lower_hex_string()), ..self }
    }

    /// With what follows from the coins that it spends, one for each input.
    pub(crate) fn with_coins(
        self,
        transaction: &yap_chain::transaction::Transaction,
        coins: &[Coin],
        detail: Detail,
        addresses: &Addresses,
    ) -> Self {
        if transaction.is_coinbase() || coins.len() != self.vin.len() {
            return self;
        }
        let sum = |amounts: &mut dyn Iterator<Item = Amount>| {
            amounts.fold(0_i64, |sum, amount| sum.saturating_add(Btc::from(amount).to_sat()))
        };
        let spent = sum(&mut coins.iter().map(|coin| coin.value));
        let paid = sum(&mut transaction.decoded().output.iter().map(|output| output.value));
        let vin = self.vin.into_iter().zip(coins).map(|(input, coin)| match detail {
            Detail::Fee => input,
            Detail::Coins => Input { prevout: Some(Spent::of(coin, addresses)), ..input },
        });
        Self { vin: vin.collect(), fee: Some(Btc::from_sat(spent.saturating_sub(paid))), ..self }
    }
}

impl Input {
    fn of(input: &TxIn, is_coinbase: bool) -> Self {
        let spends = (!is_coinbase).then_some(input.previous_output);
        Self {
            coinbase: is_coinbase.then(|| input.script_sig.as_bytes().to_lower_hex_string()),
            txid: spends.map(|outpoint| outpoint.txid.to_string()),
            vout: spends.map(|outpoint| outpoint.vout),
            script: spends.map(|_| Satisfying::of(&input.script_sig)),
            txinwitness: input.witness.iter().map(|item| item.to_lower_hex_string()).collect(),
            prevout: None,
            sequence: input.sequence.0,
        }
    }
}

impl Spent {
    fn of(coin: &Coin, addresses: &Addresses) -> Self {
        Self {
            generated: coin.coinbase,
            height: coin.height,
            value: coin.value.into(),
            script: Output::of(coin.script(), addresses),
        }
    }
}
