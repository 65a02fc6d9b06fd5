//! Which rule of relay a transaction breaks.

/// Why a transaction is not relayed, with the values that break the rule. It may be valid all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NonStandard {
    /// It is a coinbase, which is valid in its block only.
    #[error("a coinbase without its block")]
    Coinbase,
    /// Its version has no meaning.
    #[error("version {version}")]
    Version {
        /// Unsigned, as in Bitcoin.
        version: u32,
    },
    /// It is too large.
    #[error("weight {weight}")]
    Weight {
        /// BIP-0141's.
        weight: usize,
    },
    /// It is so small that it could pass for a node of a Merkle tree (CVE-2017-12842).
    #[error("{size} bytes without the witness")]
    TooSmall {
        /// Bytes without the witness.
        size: usize,
    },
    /// The script of an input is too long.
    #[error("the script of input {input} has {size} bytes")]
    ScriptSigSize {
        /// Its index.
        input: usize,
        /// Bytes of its script.
        size: usize,
    },
    /// The script of an input does other things than push.
    #[error("the script of input {input} does not only push")]
    ScriptSigNotPushOnly {
        /// Its index.
        input: usize,
    },
    /// The script of an output is of no kind that is relayed.
    #[error("the script of output {output} is of no standard kind")]
    ScriptPubKey {
        /// Its index.
        output: usize,
    },
    /// Outputs carry too many bytes of data.
    #[error("output {output} carries {size} bytes where {left} are left")]
    DataCarrier {
        /// Index of the output that passes the limit.
        output: usize,
        /// Bytes of its script.
        size: usize,
        /// Bytes that the outputs before it leave.
        left: usize,
    },
    /// An output has a multi-signature script outside of P2SH.
    #[error("output {output} is a bare multi-signature")]
    BareMultisig {
        /// Its index.
        output: usize,
    },
    /// Outputs are worth less than it costs to spend them.
    #[error("{outputs} outputs are dust")]
    Dust {
        /// How many.
        outputs: usize,
    },
    /// There is not one coin per input: whoever asks made a mistake.
    #[error("{spent} coins for {inputs} inputs")]
    Coins {
        /// Inputs.
        inputs: usize,
        /// Coins.
        spent: usize,
    },
    /// It may run too many signature operations outside of the witness (BIP-0054).
    #[error("{sigops} signature operations outside of the witness")]
    LegacySigops {
        /// Those of the inputs up to the one that passes the limit.
        sigops: u32,
    },
    /// An input spends a script of no known kind.
    #[error("input {input} spends a script of no standard kind")]
    SpentScript {
        /// Its index.
        input: usize,
    },
    /// An input spends a witness program that no rule defines yet.
    #[error("input {input} spends an undefined witness program of version {version}")]
    SpentWitness {
        /// Its index.
        input: usize,
        /// The program's version.
        version: u8,
    },
    /// The script of an input that spends P2SH can't be run.
    #[error("the script of input {input}, which spends P2SH, is malformed")]
    ScriptSigMalformed {
        /// Its index.
        input: usize,
    },
    /// An input that spends P2SH pushes no script.
    #[error("input {input} spends P2SH without a script")]
    RedeemScriptMissing {
        /// Its index.
        input: usize,
    },
    /// The script behind P2SH has too many signature operations.
    #[error("{sigops} signature operations in the script behind input {input}")]
    P2shSigops {
        /// The input's index.
        input: usize,
        /// Operations, counted as BIP-0016 does.
        sigops: u32,
    },
    /// An input that spends P2SH has a witness, and no script that could be run.
    #[error("input {input} has a witness, and no script behind P2SH")]
    WitnessRedeemScript {
        /// Its index.
        input: usize,
    },
    /// An input has a witness where none is looked at.
    #[error("input {input} has a witness without need")]
    WitnessUnexpected {
        /// Its index.
        input: usize,
    },
    /// The script in a witness is too long.
    #[error("the script in the witness of input {input} has {size} bytes")]
    WitnessScriptSize {
        /// The input's index.
        input: usize,
        /// Bytes of the script.
        size: usize,
    },
    /// A script in a witness gets too many items.
    #[error("the script in the witness of input {input} gets {items} items")]
    WitnessItems {
        /// The input's index.
        input: usize,
        /// Items besides the script.
        items: usize,
    },
    /// A script in a witness gets an item that is too long.
    #[error("item {item} in the witness of input {input} has {size} bytes")]
    WitnessItemSize {
        /// The input's index.
        input: usize,
        /// The item's index.
        item: usize,
        /// Its bytes.
        size: usize,
    },
    /// A taproot witness has an annex.
    #[error("the witness of input {input} has an annex")]
    Annex {
        /// The input's index.
        input: usize,
    },
    /// The last item of a taproot witness, where the control block must be, is empty.
    #[error("the witness of input {input} has no control block")]
    ControlBlockMissing {
        /// The input's index.
        input: usize,
    },
    /// Its signature operations cost too much.
    #[error("signature operations of cost {cost}")]
    SigopsCost {
        /// BIP-0141's.
        cost: usize,
    },
}

impl NonStandard {
    /// The reason as Bitcoin Core gives it (`testmempoolaccept`).
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Coinbase => "coinbase",
            Self::Version { .. } => "version",
            Self::Weight { .. } => "tx-size",
            Self::TooSmall { .. } => "tx-size-small",
            Self::ScriptSigSize { .. } => "scriptsig-size",
            Self::ScriptSigNotPushOnly { .. } => "scriptsig-not-pushonly",
            Self::ScriptPubKey { .. } => "scriptpubkey",
            Self::DataCarrier { .. } => "datacarrier",
            Self::BareMultisig { .. } => "bare-multisig",
            Self::Dust { .. } => "dust",
            Self::Coins { .. } => "bad-txns-inputs-missingorspent",
            Self::LegacySigops { .. }
            | Self::SpentScript { .. }
            | Self::SpentWitness { .. }
            | Self::ScriptSigMalformed { .. }
            | Self::RedeemScriptMissing { .. }
            | Self::P2shSigops { .. } => "bad-txns-nonstandard-inputs",
            Self::WitnessRedeemScript { .. }
            | Self::WitnessUnexpected { .. }
            | Self::WitnessScriptSize { .. }
            | Self::WitnessItems { .. }
            | Self::WitnessItemSize { .. }
            | Self::Annex { .. }
            | Self::ControlBlockMissing { .. } => "bad-witness-nonstandard",
            Self::SigopsCost { .. } => "bad-txns-too-many-sigops",
        }
    }

    /// Whether it says nothing of other transactions with the same txid: the witness is to blame, which anyone on the
    /// way may have changed. Bitcoin Core's `TX_WITNESS_MUTATED`.
    #[must_use]
    pub fn blames_witness(&self) -> bool {
        self.reason() == "bad-witness-nonstandard"
    }
}
