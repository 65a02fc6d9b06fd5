//! Rules about coins, heights and times.

use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, Block, OutPoint, ScriptBuf, Sequence, Txid};

use super::{Expected, Plan};
use crate::builder::{Coin, MATURITY, Payment};
use crate::lock::{Kind, LOCK_TIME_THRESHOLD, SEQUENCE_TIME};

/// A change to what a transaction spends, or when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Spends an output of a transaction that doesn't exist.
    InputUnknown,
    /// Spends an output that a known transaction doesn't have.
    InputBeyondOutputs,
    /// Spends what an earlier block spent.
    InputSpentBefore,
    /// Spends what another transaction of the block spends.
    InputSpentInBlock,
    /// Spends an output of a later transaction of the block.
    ChildBeforeParent,
    /// Spends an output of an earlier transaction of the block: valid.
    ChildAfterParent,
    /// Spends an `OP_RETURN` output or one with a script above 10,000 bytes, which never became coins.
    InputUnspendable,
    /// Spends a coinbase 99 blocks down.
    CoinbaseImmature,
    /// Spends a coinbase 100 blocks down: valid.
    CoinbaseMature,
    /// Spends the block's own coinbase.
    CoinbaseOwn,
    /// Pays one satoshi more than it spends.
    PaysOneMore,
    /// Pays all that it spends: valid.
    PaysAll,
    /// It is 64 bytes long, as an inner node of the Merkle tree: valid.
    SixtyFourBytes,
    /// Its lock time is the block's height.
    LockHeight,
    /// Its lock time is the height before: valid.
    LockHeightReached,
    /// Its lock time is the median time past (BIP-0113).
    LockTime,
    /// Its lock time is the second before: valid.
    LockTimeReached,
    /// Its lock time is the highest that is a height.
    LockHighest,
    /// Its lock time is the lowest that is a time, long ago: valid.
    LockEarliest,
    /// Its lock time is not reached, but all inputs are final: valid.
    LockIgnored,
    /// An input is a block younger than its sequence asks (BIP-0068).
    AgeBlocks,
    /// An input is as many blocks old as its sequence asks: valid.
    AgeBlocksReached,
    /// An input is up to 512 seconds younger than its sequence asks (BIP-0068).
    AgeTime,
    /// An input is as old as its sequence asks: valid.
    AgeTimeReached,
    /// An input is too young, but the transaction's version is 1: valid.
    AgeIgnoredByVersion,
    /// An input is too young, but bit 31 of its sequence is set: valid.
    AgeIgnoredByFlag,
    /// An input is too young, and the version is -1, which is above 2 as an unsigned number.
    AgeNegativeVersion,
}

impl Context {
    pub(super) const ALL: [Self; 27] = [
        Self::InputUnknown,
        Self::InputBeyondOutputs,
        Self::InputSpentBefore,
        Self::InputSpentInBlock,
        Self::ChildBeforeParent,
        Self::ChildAfterParent,
        Self::InputUnspendable,
        Self::CoinbaseImmature,
        Self::CoinbaseMature,
        Self::CoinbaseOwn,
        Self::PaysOneMore,
        Self::PaysAll,
        Self::SixtyFourBytes,
        Self::LockHeight,
        Self::LockHeightReached,
        Self::LockTime,
        Self::LockTimeReached,
        Self::LockHighest,
        Self::LockEarliest,
        Self::LockIgnored,
        Self::AgeBlocks,
        Self::AgeBlocksReached,
        Self::AgeTime,
        Self::AgeTimeReached,
        Self::AgeIgnoredByVersion,
        Self::AgeIgnoredByFlag,
        Self::AgeNegativeVersion,
    ];

    pub(super) fn apply(self, mut plan: Plan<'_>) -> Option<Block> {
        match self {
            Self::InputUnknown
            | Self::InputBeyondOutputs
            | Self::InputSpentBefore
            | Self::InputSpentInBlock
            | Self::InputUnspendable => self.input(&mut plan)?,
            Self::ChildBeforeParent | Self::ChildAfterParent => self.family(&mut plan)?,
            Self::CoinbaseImmature | Self::CoinbaseMature => {
                let height = plan.height - MATURITY + u32::from(self == Self::CoinbaseImmature);
                let coin = plan.builder.coinbase_at(height)?;
                let payment = plan.payment_from(coin);
                plan.pay(&payment);
            }
            Self::CoinbaseOwn => return self.own_coinbase(plan),
            Self::PaysOneMore | Self::PaysAll => {
                let mut payment = plan.payment()?;
                payment.outputs[0].value += Amount::from_sat(u64::from(self == Self::PaysOneMore));
                plan.pay(&payment);
            }
            Self::SixtyFourBytes => {
                let mut payment = plan.payment_of(Kind::True)?;
                payment.outputs[0].script_pubkey = ScriptBuf::from(vec![0x61; 4]);
                plan.pay(&payment);
                assert_eq!(plan.last().total_size(), 64, "nothing but four bytes of script");
            }
            Self::LockHeight
            | Self::LockHeightReached
            | Self::LockTime
            | Self::LockTimeReached
            | Self::LockHighest
            | Self::LockEarliest
            | Self::LockIgnored => {
                self.lock(&mut plan)?;
            }
            Self::AgeBlocks
            | Self::AgeBlocksReached
            | Self::AgeTime
            | Self::AgeTimeReached
            | Self::AgeIgnoredByVersion
            | Self::AgeIgnoredByFlag
            | Self::AgeNegativeVersion => self.age(&mut plan)?,
        }
        Some(plan.filled().seal())
    }

    fn input(self, plan: &mut Plan<'_>) -> Option<()> {
        let mut payment = plan.payment()?;
        match self {
            Self::InputUnknown => {
                let txid = Txid::from_byte_array(plan.builder.random().bytes());
                payment.inputs[0].0 = OutPoint { txid, vout: 0 };
            }
            Self::InputBeyondOutputs => payment.inputs[0].0.vout += 1_000_000,
            Self::InputSpentBefore => {
                let coin = plan.builder.spent_coin()?;
                payment = plan.payment_from(coin);
            }
            Self::InputUnspendable => {
                let unspendable: Vec<_> = plan.builder.unspendable().iter().copied().collect();
                payment.inputs[0].0 = *plan.builder.random().pick(&unspendable)?;
            }
            _ => {
                plan.pay(&payment);
                payment.outputs = vec![plan.builder.output(Kind::Wpkh, payment.value())];
            }
        }
        plan.surround(&mut payment);
        plan.pay(&payment);
        Some(())
    }

    fn family(self, plan: &mut Plan<'_>) -> Option<()> {
        let parent = plan.payment()?;
        plan.pay(&parent);
        let output = plan.last().output[0].clone();
        let outpoint = OutPoint { txid: plan.last().compute_txid(), vout: 0 };
        let lock = plan.builder.known_lock(&output.script_pubkey)?;
        let (height, median) = (plan.height, plan.builder.median_time());
        let child = plan.payment_from((outpoint, Coin { output, lock, height, median, coinbase: false }));
        plan.pay(&child);
        if self == Self::ChildBeforeParent {
            plan.transactions.reverse();
        }
        Some(())
    }

    fn own_coinbase(self, mut plan: Plan<'_>) -> Option<Block> {
        // The commitment changes the coinbase's hash, so the spending transaction has no witness and there is none.
        let script = plan.builder.output(Kind::PublicKeyHash, plan.coinbase.output[0].value);
        plan.coinbase.output[0] = script;
        plan.commitment = false;
        let output = plan.coinbase.output[0].clone();
        let outpoint = OutPoint { txid: plan.coinbase.compute_txid(), vout: 0 };
        let lock = plan.builder.known_lock(&output.script_pubkey)?;
        let (height, median) = (plan.height, plan.builder.median_time());
        let payment = plan.payment_from((outpoint, Coin { output, lock, height, median, coinbase: true }));
        plan.pay(&payment);
        Some(plan.seal())
    }

    fn lock(self, plan: &mut Plan<'_>) -> Option<()> {
        let mut payment = plan.payment()?;
        let median = plan.builder.median_time();
        payment.lock_time = match self {
            Self::LockHeight => plan.height,
            Self::LockHeightReached => plan.height - 1,
            Self::LockTime => median,
            Self::LockTimeReached => median - 1,
            Self::LockHighest => LOCK_TIME_THRESHOLD - 1,
            Self::LockEarliest => LOCK_TIME_THRESHOLD,
            _ => plan.height + 1000,
        };
        if self != Self::LockIgnored {
            payment.sequences[0] = Sequence::ENABLE_LOCKTIME_NO_RBF;
        }
        plan.surround(&mut payment);
        plan.pay(&payment);
        Some(())
    }

    fn age(self, plan: &mut Plan<'_>) -> Option<()> {
        let mut payment: Payment = plan.payment()?;
        let coin = &payment.inputs[0].1;
        let blocks = plan.height - coin.height;
        let units = (plan.builder.median_time() - coin.median) >> 9;
        payment.sequences[0] = Sequence(match self {
            Self::AgeBlocksReached => blocks,
            Self::AgeTime => SEQUENCE_TIME | (units + 1),
            Self::AgeTimeReached => SEQUENCE_TIME | units,
            Self::AgeIgnoredByFlag => 1 << 31 | (blocks + 1),
            _ => blocks + 1,
        });
        payment.version = match self {
            Self::AgeIgnoredByVersion => 1,
            Self::AgeNegativeVersion => -1,
            _ => 2,
        };
        plan.surround(&mut payment);
        plan.pay(&payment);
        Some(())
    }

    pub(super) fn expected(self) -> Expected {
        match self {
            Self::InputUnknown
            | Self::InputBeyondOutputs
            | Self::InputSpentBefore
            | Self::InputSpentInBlock
            | Self::ChildBeforeParent
            | Self::InputUnspendable => Expected::consensus("bad-txns-inputs-missingorspent"),
            Self::CoinbaseImmature | Self::CoinbaseOwn => Expected::consensus("bad-txns-premature-spend-of-coinbase"),
            Self::PaysOneMore => Expected::consensus("bad-txns-in-belowout"),
            Self::LockHeight
            | Self::LockTime
            | Self::LockHighest
            | Self::AgeBlocks
            | Self::AgeTime
            | Self::AgeNegativeVersion => Expected::consensus("bad-txns-nonfinal"),
            Self::ChildAfterParent
            | Self::CoinbaseMature
            | Self::PaysAll
            | Self::SixtyFourBytes
            | Self::LockEarliest
            | Self::LockHeightReached
            | Self::LockTimeReached
            | Self::LockIgnored
            | Self::AgeBlocksReached
            | Self::AgeTimeReached
            | Self::AgeIgnoredByVersion
            | Self::AgeIgnoredByFlag => Expected::Valid,
        }
    }
}
