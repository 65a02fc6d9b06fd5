//! `yap chain`: descriptions of chains.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use yap_chain::bitcoin::hashes::Hash;
use yap_chain::bitcoin::secp256k1::PublicKey;
use yap_chain::bitcoin::{Amount, Block, CompactTarget, Denomination, ScriptBuf, Target};
use yap_chain::producer::Producers;
use yap_chain::spec::{Genesis, MAX_MESSAGE, NAMES, Retarget, Spec, Times};

use super::output::{Fields, Output};
use super::{Ending, Error, Global};
use crate::import::unix_time;

/// Hashes tried for a first block. The easiest target needs two, one of 32 zero bits as many as this.
const GENESIS_ATTEMPTS: u32 = u32::MAX;

#[derive(Debug, Subcommand)]
pub(super) enum Chain {
    /// Show the rules of the chain that --chain names; of a chain of your own, as the file that --chain takes.
    Show,
    /// Make a chain of your own: a file that --chain takes, to be given to everybody who joins it.
    New(New),
}

#[derive(Debug, Args)]
pub(super) struct New {
    /// Name, also of the directory that holds its state: lower-case letters, digits and `-`.
    name: String,
    /// File to write [default: NAME.toml].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Unit of account.
    #[arg(long, default_value = "YAP")]
    ticker: String,
    /// Text in the first block, of at most 91 bytes [default: NAME].
    #[arg(long, value_name = "TEXT", value_parser = message)]
    message: Option<String>,
    /// Seconds between blocks.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    spacing: u32,
    /// How the target of proof of work follows the blocks' times [default: relative; with producers, none].
    #[arg(long, value_enum)]
    retarget: Option<Rule>,
    /// With relative and asert: seconds of delay that double the target [default: 24 and 12 blocks].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    half_life: Option<u32>,
    /// Seconds that a block's time may be ahead of the clock [default: 7200; with relative, the half-life].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(10..))]
    future: Option<u32>,
    /// With bitcoin: blocks between adjustments.
    #[arg(long, value_name = "BLOCKS", default_value_t = 2016, value_parser = clap::value_parser!(u32).range(2..))]
    interval: u32,
    /// Coins that a block creates.
    #[arg(long, value_name = "COINS", default_value = "1", value_parser = coins)]
    subsidy: Amount,
    /// Blocks after which the subsidy halves; 0: never.
    #[arg(long, value_name = "BLOCKS", default_value_t = 10_500_000)]
    halving: u32,
    /// Public key, as `yap producer new` shows it, of one who signs blocks: once for each, 1 to 16 of them. Nobody else can make
    /// blocks, and what more than two thirds of them have built on is irreversible.
    #[arg(long, value_name = "KEY", conflicts_with = "challenge")]
    producer: Vec<String>,
    /// Script, in hexadecimal digits, that every block must satisfy: blocks are then signed by agreed producers (BIP-0325).
    #[arg(long, value_name = "HEX")]
    challenge: Option<String>,
    /// Overwrite the file if it exists.
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Rule {
    /// Never.
    None,
    /// Every 2,016 blocks, or as --interval says.
    Bitcoin,
    /// Each block, by how long the one before took: for a few computers that come and go, and rest between.
    Relative,
    /// Each block, by how far the chain is ahead of its schedule (aserti3-2d): for computers of which one always mines.
    Asert,
}

fn message(text: &str) -> Result<String, String> {
    let fits = (1..=MAX_MESSAGE).contains(&text.len());
    fits.then(|| text.to_owned()).ok_or_else(|| format!("it has {} bytes; 1 to {MAX_MESSAGE} are possible", text.len()))
}

fn coins(text: &str) -> Result<Amount, String> {
    let amount = Amount::from_str_in(text, Denomination::Bitcoin);
    amount.map_err(|error| format!("{error}; an amount of coins such as 50 or 0.5 is expected"))
}

impl Chain {
    pub(super) fn run(&self, global: &Global, output: &Output) -> Result<Ending, Error> {
        match self {
            Self::Show => show(&global.spec()?, output)?,
            Self::New(new) => new.run(output)?,
        }
        Ok(Ending::Done)
    }
}

fn show(spec: &Spec, output: &Output) -> Result<(), Error> {
    let genesis = spec.genesis.block_hash();
    if !output.is_json() {
        let built_in = if NAMES.contains(&spec.name.as_str()) {
            "# built in: this shows its rules, but a file that --chain takes must have another name\n"
        } else {
            ""
        };
        let producers = producers(spec);
        return output.text(&format!("# genesis block: {genesis}\n{producers}{built_in}{}", spec.to_toml().trim_end()));
    }
    output.fields(
        Fields::default()
            .with("chain", spec.name.clone())
            .with("ticker", spec.ticker.clone())
            .with("genesisblockhash", genesis.to_string())
            .with_some("signet_challenge", spec.challenge.as_ref().map(|script| script.to_hex_string()))
            .with_some(
                "producers",
                spec.producers().map(|all| all.keys().iter().map(ToString::to_string).collect::<Vec<_>>()),
            )
            .with_some("assumevalid", spec.assume_valid.map(|hash| hash.to_string()))
            .with("minimumchainwork", format!("{:064x}", spec.minimum_work))
            .with("spec", spec.to_toml()),
    )
}

/// Who signs the blocks, as comments of the file.
fn producers(spec: &Spec) -> String {
    let Some(producers) = spec.producers() else { return String::new() };
    let lines = (1..).zip(producers.keys()).map(|(place, key)| format!("# producer {place}: {key}\n"));
    lines.collect()
}

impl New {
    fn run(&self, output: &Output) -> Result<(), Error> {
        let spec = self.spec()?;
        let text = spec.to_toml();
        let path = self.output.clone().unwrap_or_else(|| PathBuf::from(format!("{}.toml", self.name)));
        // What a user is handed must be accepted when it comes back.
        Spec::from_toml(&text).map_err(|cause| Error::NewChain { cause })?;
        let failed = |cause| Error::file(path.clone(), cause);
        let mut options = File::options();
        options.write(true);
        let options = if self.force { options.create(true).truncate(true) } else { options.create_new(true) };
        options.open(&path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
        output.fields(
            Fields::default()
                .with("chain", spec.name.clone())
                .with("file", path.display().to_string())
                .with("genesisblockhash", spec.genesis.block_hash().to_string()),
        )
    }

    fn spec(&self) -> Result<Spec, Error> {
        let mut spec = Spec::local();
        spec.name.clone_from(&self.name);
        spec.ticker.clone_from(&self.ticker);
        spec.work.spacing = self.spacing;
        spec.times = Times { future: self.future.unwrap_or(Times::BITCOIN.future), ..Times::BITCOIN };
        let usual = if self.producer.is_empty() { Rule::Relative } else { Rule::None };
        spec.work.retarget = match self.retarget.unwrap_or(usual) {
            Rule::None => Retarget::None,
            Rule::Bitcoin => Retarget::Bitcoin { interval: self.interval, min_difficulty_blocks: false, bip94: false },
            Rule::Asert => {
                Retarget::Asert { half_life: self.half_life.unwrap_or_else(|| self.spacing.saturating_mul(12)) }
            }
            Rule::Relative => {
                let half_life = self.half_life.unwrap_or_else(|| self.spacing.saturating_mul(24));
                // Times that are further ahead would not count in full, and could be used to slow the chain down.
                spec.times = Times { future: self.future.unwrap_or(half_life), monotone: true };
                Retarget::Relative { half_life }
            }
        };
        spec.subsidy.initial = self.subsidy;
        spec.subsidy.halving = self.halving;
        if let Some(hex) = &self.challenge {
            spec.challenge = Some(ScriptBuf::from_hex(hex).map_err(|_| Error::NotAScript(hex.clone()))?);
        }
        if !self.producer.is_empty() {
            spec.challenge = Some(self.producers()?.challenge().to_owned());
        }
        spec.genesis = self.genesis(&spec.work.limit);
        // A file says of the first block only what is the chain's own to choose; mined is the block that it stands for.
        let mut spec = Spec::draft(&spec.to_toml()).map_err(|cause| Error::NewChain { cause })?;
        // Two chains of the same name but another beginning must not take each other's files for their own.
        spec.mine_genesis(GENESIS_ATTEMPTS).ok_or(Error::NoGenesis)?;
        let [a, b, c, d, ..] = spec.genesis.block_hash().to_byte_array();
        // High bits, as in Bitcoin's own magic: such bytes are rare in text and in transactions.
        spec.magic = [a, b, c, d].map(|byte| byte | 0x80);
        Ok(spec)
    }

    /// Who signs the blocks.
    fn producers(&self) -> Result<Producers, Error> {
        let key = |text: &String| {
            // Other forms of a key are other keys to a script.
            let short = text.len() == 66;
            text.parse::<PublicKey>().ok().filter(|_| short).ok_or_else(|| Error::NotAProducer(text.clone()))
        };
        Ok(Producers::new(self.producer.iter().map(key).collect::<Result<_, _>>()?)?)
    }

    fn genesis(&self, limit: &Target) -> Block {
        let message = self.message.as_ref().unwrap_or(&self.name);
        let bits: CompactTarget = limit.to_compact_lossy();
        let script = ScriptBuf::new_op_return([]);
        let genesis =
            Genesis { message, script, reward: self.subsidy, time: unix_time(), bits: bits.to_consensus(), nonce: 0 };
        genesis.block()
    }
}
