//! Sizes and counts, at the limit and one past it.

use bitcoin::{Amount, Block, OutPoint, ScriptBuf, TxOut, Weight};

use super::{Expected, Plan, sigops};
use crate::lock::Kind;

/// BIP-0141: a block's weight.
const MAX_WEIGHT: u64 = 4_000_000;

/// Bytes of a block without witnesses.
const MAX_STRIPPED: usize = 1_000_000;

/// BIP-0141: the cost of a block's signature operations.
const MAX_SIGOPS: usize = 80_000;

/// Transactions of a crowded block.
const CROWD: usize = 3000;

/// A block as large as allowed, or larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// As heavy as allowed: valid.
    Weight,
    /// One unit too heavy.
    WeightExceeded,
    /// As long as allowed without any witness: valid.
    Stripped,
    /// A byte too long without witnesses.
    StrippedExceeded,
    /// As many signature operations as allowed: valid.
    Sigops,
    /// One unit of signature operations too many, which only counting witnesses finds.
    SigopsWitnessExceeded,
    /// One too many in outputs alone.
    SigopsExceeded,
    /// As many as allowed, of which a P2SH output has some: valid.
    SigopsSh,
    /// Too many by what a P2SH output has.
    SigopsShExceeded,
    /// As many as allowed, over scripts of all kinds and noise: valid.
    SigopsMixed,
    /// One operation more.
    SigopsMixedExceeded,
    /// Thousands of transactions, each of which spends the one before: valid.
    Crowded,
}

impl Limit {
    pub(super) const ALL: [Self; 12] = [
        Self::Weight,
        Self::WeightExceeded,
        Self::Stripped,
        Self::StrippedExceeded,
        Self::Sigops,
        Self::SigopsWitnessExceeded,
        Self::SigopsExceeded,
        Self::SigopsSh,
        Self::SigopsShExceeded,
        Self::SigopsMixed,
        Self::SigopsMixedExceeded,
        Self::Crowded,
    ];

    pub(super) fn apply(self, mut plan: Plan<'_>) -> Option<Block> {
        // An output without signature operations of its own.
        plan.coinbase.output[0] = {
            let value = plan.coinbase.output[0].value;
            plan.builder.output(Kind::Wpkh, value)
        };
        match self {
            Self::Weight => self.heavy(plan, MAX_WEIGHT),
            Self::WeightExceeded => self.heavy(plan, MAX_WEIGHT + 1),
            Self::Stripped => self.long(plan, MAX_STRIPPED),
            Self::StrippedExceeded => self.long(plan, MAX_STRIPPED + 1),
            Self::Sigops => self.checks(plan, Kind::Future, 20_000),
            Self::SigopsWitnessExceeded => self.checks(plan, Kind::Wpkh, 20_000),
            Self::SigopsExceeded => self.checks(plan, Kind::Future, 20_001),
            // A 2-of-3 multisig counts as 3.
            Self::SigopsSh => self.checks(plan, Kind::ShMultisig, 19_997),
            Self::SigopsShExceeded => self.checks(plan, Kind::ShMultisig, 19_998),
            Self::SigopsMixed => self.mixed(plan, 0),
            Self::SigopsMixedExceeded => self.mixed(plan, 1),
            Self::Crowded => self.crowded(plan),
        }
    }

    /// A block of that weight, by a witness without rules.
    fn heavy(self, mut plan: Plan<'_>, weight: u64) -> Option<Block> {
        let payment = plan.payment_of(Kind::Future)?;
        plan.pay(&payment);
        let set = |plan: &mut Plan<'_>, length: usize| {
            plan.last().input[0].witness = bitcoin::Witness::from_slice(&[vec![0xab; length]]);
        };
        // A length above 65,535 takes five bytes, as does that of all that fill a block.
        let probe = 100_000;
        set(&mut plan, probe);
        let mut draft = plan.draft.clone();
        draft.commit();
        let missing = weight - draft.assemble().weight().to_wu();
        set(&mut plan, probe + usize::try_from(missing).expect("a block fits into memory"));
        let block = plan.seal();
        debug_assert_eq!(block.weight(), Weight::from_wu(weight), "the witness was measured right");
        Some(block)
    }

    /// A block of that length without witnesses, by an output that nobody can spend.
    fn long(self, mut plan: Plan<'_>, length: usize) -> Option<Block> {
        plan.commitment = false;
        let mut payment = plan.payment_of(Kind::True)?; // Nothing to sign: the output can change afterwards.
        let padding = |length| TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::from(vec![0x6a; length]) };
        let probe = 100_000;
        payment.outputs = vec![padding(probe)];
        plan.pay(&payment);
        let missing = length - plan.assemble().total_size();
        plan.last().output[0] = padding(probe + missing);
        Some(plan.seal())
    }

    /// A block of that many `OP_CHECKSIG` in one output, and one input of that kind.
    fn checks(self, mut plan: Plan<'_>, kind: Kind, count: usize) -> Option<Block> {
        let mut payment = plan.payment_of(kind)?;
        payment.outputs.push(TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::from(vec![0xac; count]) });
        plan.pay(&payment);
        Some(plan.seal())
    }

    /// A block of scripts that count in every way, filled up with `OP_CHECKSIG` to the limit and `over` it.
    fn mixed(self, mut plan: Plan<'_>, over: usize) -> Option<Block> {
        const KINDS: [Kind; 6] = [
            Kind::ShCounted,
            Kind::ShWshCounted,
            Kind::WshCounted,
            Kind::ShMultisig,
            Kind::WshMultisig,
            Kind::Multisig1of2,
        ];
        let mut cost = 0;
        for kind in KINDS {
            let mut payment = plan.payment_of(kind)?;
            payment.outputs.extend((0..4).map(|_| plan.builder.output(Kind::Noise, Amount::ZERO)));
            let spent = payment.inputs[0].1.output.clone();
            plan.pay(&payment);
            cost += sigops::cost(plan.last(), &[spent]);
        }
        // Each operation in an output counts four times.
        self.checks(plan, Kind::Future, (MAX_SIGOPS - cost) / 4 + over)
    }

    /// A block of a long line of transactions.
    fn crowded(self, mut plan: Plan<'_>) -> Option<Block> {
        let mut payment = plan.payment_of(Kind::True)?;
        payment.outputs = vec![plan.builder.output(Kind::True, payment.value())];
        plan.pay(&payment);
        for _ in 1..CROWD {
            let mut next = plan.last().clone();
            next.input[0].previous_output = OutPoint { txid: plan.last().compute_txid(), vout: 0 };
            plan.push(next);
        }
        Some(plan.seal())
    }

    pub(super) fn expected(self) -> Expected {
        match self {
            Self::Weight | Self::Sigops | Self::SigopsSh | Self::SigopsMixed | Self::Crowded => Expected::Valid,
            // Without any witness, the weight is four times the length.
            Self::Stripped => Expected::Valid,
            Self::WeightExceeded => Expected::consensus("bad-blk-weight"),
            Self::StrippedExceeded => Expected::consensus("bad-blk-length"),
            Self::SigopsWitnessExceeded | Self::SigopsExceeded | Self::SigopsShExceeded | Self::SigopsMixedExceeded => {
                Expected::consensus("bad-blk-sigops")
            }
        }
    }
}
