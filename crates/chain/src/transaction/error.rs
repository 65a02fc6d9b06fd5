//! Which rule a transaction breaks.

use bitcoin::{Amount, OutPoint};

/// The rule of a transaction that is broken, with the values that break it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It spends nothing.
    #[error("it has no input")]
    NoInputs,
    /// It pays nobody.
    #[error("it has no output")]
    NoOutputs,
    /// Even without its witness it would not fit a block.
    #[error("{base_size} bytes without the witness do not fit a block")]
    Oversize {
        /// Bytes without the witness.
        base_size: usize,
    },
    /// An output is worth less than nothing, read as the signed number that it is in Bitcoin.
    #[error("output {output} is worth {value} satoshi")]
    NegativeOutput {
        /// Its index.
        output: usize,
        /// Its value in satoshi.
        value: i64,
    },
    /// An output is worth more than all the money.
    #[error("output {output} is worth {} satoshis, more than all the money", value.to_sat())]
    OutputTooLarge {
        /// Its index.
        output: usize,
        /// Its value.
        value: Amount,
    },
    /// The outputs together are worth more than all the money (CVE-2010-5139).
    #[error("outputs up to {output} are worth {} satoshis, more than all the money", total.to_sat())]
    OutputsTooLarge {
        /// The output that passes the limit.
        output: usize,
        /// What the outputs up to it are worth.
        total: Amount,
    },
    /// Two inputs spend one output (CVE-2018-17144).
    #[error("two inputs spend {outpoint}")]
    RepeatedInput {
        /// The output.
        outpoint: OutPoint,
    },
    /// The script of a coinbase has a length out of bounds.
    #[error("a coinbase's script of {length} bytes")]
    CoinbaseLength {
        /// Its bytes.
        length: usize,
    },
    /// An input of something that is no coinbase spends nothing.
    #[error("input {input} spends nothing")]
    NullInput {
        /// Its index.
        input: usize,
    },
    /// Its lock time is not yet reached.
    #[error("locked until {lock_time}")]
    Locked {
        /// A height if below 500,000,000, a time otherwise.
        lock_time: u32,
    },
    /// The output does not exist, or no longer.
    #[error("{outpoint} does not exist or is spent")]
    Missing {
        /// The output.
        outpoint: OutPoint,
    },
    /// The output of a coinbase is not buried deep enough.
    #[error("{outpoint} is of a coinbase {depth} blocks deep")]
    Immature {
        /// The output.
        outpoint: OutPoint,
        /// Blocks from the one that made it to the one that would spend it.
        depth: u32,
    },
    /// What it spends is worth more than all the money.
    #[error("inputs up to {input} are worth more than all the money")]
    InputsTooLarge {
        /// The input that passes the limit.
        input: usize,
    },
    /// It pays out more than it spends.
    #[error("it spends {} satoshis and pays {}", spent.to_sat(), paid.to_sat())]
    Overspent {
        /// What its inputs are worth.
        spent: Amount,
        /// What its outputs are worth.
        paid: Amount,
    },
    /// An input is not old enough for its sequence number (BIP-0068).
    #[error("input {input} is not old enough for its sequence number {sequence:#010x}")]
    SequenceLocked {
        /// Its index.
        input: usize,
        /// Its sequence number.
        sequence: u32,
    },
}

impl Error {
    /// The reason as Bitcoin Core gives it when a block holds such a transaction (BIP-0022).
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoInputs => "bad-txns-vin-empty",
            Self::NoOutputs => "bad-txns-vout-empty",
            Self::Oversize { .. } => "bad-txns-oversize",
            Self::NegativeOutput { .. } => "bad-txns-vout-negative",
            Self::OutputTooLarge { .. } => "bad-txns-vout-toolarge",
            Self::OutputsTooLarge { .. } => "bad-txns-txouttotal-toolarge",
            Self::RepeatedInput { .. } => "bad-txns-inputs-duplicate",
            Self::CoinbaseLength { .. } => "bad-cb-length",
            Self::NullInput { .. } => "bad-txns-prevout-null",
            Self::Locked { .. } | Self::SequenceLocked { .. } => "bad-txns-nonfinal",
            Self::Missing { .. } => "bad-txns-inputs-missingorspent",
            Self::Immature { .. } => "bad-txns-premature-spend-of-coinbase",
            Self::InputsTooLarge { .. } => "bad-txns-inputvalues-outofrange",
            Self::Overspent { .. } => "bad-txns-in-belowout",
        }
    }
}
