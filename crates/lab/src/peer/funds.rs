//! Coins of the test key: where they come from, and what is made of them.
//!
//! Blocks pay to two scripts that every peer knows. Coins of the first, P2WPKH of a key that follows from a constant, are
//! for payments, which every node relays. Coins of the second, of a witness version without rules, are for filling
//! blocks: anyone can spend them with a witness of any size, so a block of 4 MB costs no signature.

use std::collections::BTreeMap;

use bitcoin::absolute::LockTime;
use bitcoin::consensus::serialize;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, TxIn, TxOut, Witness};
use yap_chain::block::Block;
use yap_chain::transaction::Transaction;
use yap_sim::Random;
use yap_sim::lock::{Kind, Lock, Signing, Wallet};

/// The seed of the keys: the same in every process.
const SEED: u64 = 0x7961_702d_6c61_6221;

/// What a payment pays to miners: some ten satoshis per virtual byte.
const FEE: Amount = Amount::from_sat(1500);

/// Blocks until a coinbase can be spent.
const MATURITY: u32 = 100;

/// Which of the two scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// To pay.
    Pay,
    /// To fill blocks.
    Fill,
}

/// A coin of ours, spent or not.
#[derive(Clone, Debug)]
pub(super) struct Coin {
    pub(super) outpoint: OutPoint,
    pub(super) output: TxOut,
}

/// What is remembered of one.
#[derive(Clone, Debug)]
struct Known {
    output: TxOut,
    usable: u32,
}

/// Keys, and every coin that blocks gave them.
#[derive(Debug)]
pub(super) struct Funds {
    wallet: Wallet,
    lock: Lock,
    /// By script: pay, fill.
    scripts: [ScriptBuf; 2],
    coins: [BTreeMap<OutPoint, Known>; 2],
    random: Random,
}

impl Funds {
    /// The keys; `seed` chooses which coins are taken first, so that peers that pay at one time take different ones.
    pub(super) fn new(seed: u64) -> Self {
        let wallet = Wallet::new(SEED);
        let lock = Lock { kind: Kind::Wpkh, keys: [0; 3], argument: 0 };
        let fill = Lock { kind: Kind::Future, keys: [0; 3], argument: 0 };
        let scripts = [lock, fill].map(|lock| wallet.script_pubkey(&lock));
        Self { wallet, lock, scripts, coins: Default::default(), random: Random::new(seed).fork("funds") }
    }

    pub(super) fn script(&self, purpose: Use) -> &ScriptBuf {
        let [pay, fill] = &self.scripts;
        match purpose {
            Use::Pay => pay,
            Use::Fill => fill,
        }
    }

    const fn of(&self, purpose: Use) -> &BTreeMap<OutPoint, Known> {
        let [pay, fill] = &self.coins;
        match purpose {
            Use::Pay => pay,
            Use::Fill => fill,
        }
    }

    /// Notes what a connected block at `height` pays to our scripts.
    pub(super) fn connected(&mut self, block: &Block, height: u32) {
        let [pay, fill] = &self.scripts;
        let [pays, fills] = &mut self.coins;
        for (index, transaction) in block.transactions().iter().enumerate() {
            let usable = if index == 0 { height.saturating_add(MATURITY) } else { height };
            for (vout, output) in (0..).zip(&transaction.decoded().output) {
                let coins = match &output.script_pubkey {
                    script if script == pay => &mut *pays,
                    script if script == fill => &mut *fills,
                    _ => continue,
                };
                let outpoint = OutPoint { txid: transaction.txid(), vout };
                coins.insert(outpoint, Known { output: output.clone(), usable });
            }
        }
    }

    /// A coin that can be in the block at `height` and that is `free`: the search begins at a random one.
    pub(super) fn coin(&mut self, purpose: Use, height: u32, free: impl Fn(&OutPoint) -> bool) -> Option<Coin> {
        let first = self.random.index(self.of(purpose).len().max(1));
        let coins = self.of(purpose);
        let mut all = coins.iter().skip(first).chain(coins.iter().take(first));
        let found = all.find(|(outpoint, known)| known.usable <= height && free(outpoint));
        found.map(|(outpoint, known)| Coin { outpoint: *outpoint, output: known.output.clone() })
    }

    /// A payment that every node relays: half of the coin to the test key, and half, but for the fee, again.
    pub(super) fn pay(&mut self, coin: &Coin) -> Transaction {
        let value = coin.output.value.checked_sub(FEE).unwrap_or(Amount::ZERO);
        let half = Amount::from_sat(value.to_sat() / 2);
        let script = self.script(Use::Pay);
        let output = [half, value.checked_sub(half).unwrap_or(Amount::ZERO)]
            .map(|value| TxOut { value, script_pubkey: script.clone() });
        let mut transaction = spend(coin, output.to_vec());
        let (outputs, locks) = (std::slice::from_ref(&coin.output), std::slice::from_ref(&self.lock));
        let signing = Signing { outputs, locks, annexes: false };
        self.wallet.sign(&mut transaction, &signing, &mut self.random);
        parse(&transaction)
    }

    /// A transaction whose witness has `size` bytes of noise, for a block: it pays no fee, and nobody relays it.
    pub(super) fn fill(&mut self, coin: &Coin, size: usize) -> Transaction {
        let mut transaction = spend(coin, vec![coin.output.clone()]);
        let mut noise = Vec::with_capacity(size.next_multiple_of(8));
        while noise.len() < size {
            noise.extend_from_slice(&self.random.next().to_le_bytes());
        }
        noise.truncate(size);
        if let Some(input) = transaction.input.first_mut() {
            input.witness = Witness::from_slice(&[noise]);
        }
        parse(&transaction)
    }
}

fn spend(coin: &Coin, output: Vec<TxOut>) -> bitcoin::Transaction {
    let input = TxIn {
        previous_output: coin.outpoint,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    };
    bitcoin::Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: vec![input], output }
}

fn parse(transaction: &bitcoin::Transaction) -> Transaction {
    Transaction::parse(serialize(transaction)).expect("it was serialised")
}
