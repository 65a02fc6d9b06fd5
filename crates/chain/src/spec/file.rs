//! A chain of one's own, as TOML text.
//!
//! [`Spec::from_toml`] reads it, [`Spec::to_toml`] writes it, [`Spec::draft`] reads one whose genesis block is yet to be
//! mined. Reading and writing the file itself is somebody else's job.
//!
//! ```toml
//! name = "stones"                       # also of the directory that holds the chain
//! ticker = "FEI"
//! magic = "fe1f0a2c"                    # first bytes of each peer message
//! challenge = "51"                      # optional, BIP-0325: the script that blocks must satisfy
//! assume-valid = "00…"                  # optional: hash of a block whose scripts need no look
//! minimum-work = "1f"                   # optional: with less work, assume-valid means nothing
//!
//! [genesis]
//! message = "Rai from Palau"
//! time = 1767225600
//! bits = "207fffff"
//! nonce = 1
//!
//! [work]
//! limit = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
//! spacing = 30                          # seconds
//! retarget = "bitcoin"                  # or "none", or "asert" or "relative" with `half-life = <seconds>`
//! interval = 144                        # these three for "bitcoin"
//! min-difficulty-blocks = false
//! bip94 = false
//!
//! [times]                               # optional: Bitcoin's unless given
//! future = 7200                         # seconds
//! monotone = false
//!
//! [subsidy]
//! initial = 5000000000                  # of the coin's hundred-millionth parts
//! halving = 210000                      # blocks; 0: never
//!
//! [deployments]                         # optional: heights of the soft forks, each 1 unless given
//! segwit = 0
//!
//! [addresses]                           # optional, as a whole: regtest's unless given
//! p2pkh = 111
//! p2sh = 196
//! secret = 239
//! hrp = "fei"
//! xpub = "043587cf"
//! xprv = "04358394"
//! ```

mod error;
mod reader;
mod writer;

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it fails")]
mod tests;

use bitcoin::hex::FromHex;
use bitcoin::{Amount, Block, CompactTarget, ScriptBuf, Target, WitnessVersion, Work};

pub use self::error::Error;
use self::reader::Reader;
use super::builtin::{NAMES, no_work, unspendable};
use super::{Addresses, Deployments, Genesis, MAX_MESSAGE, ProofOfWork, Retarget, Spec, Subsidy, Times};
use crate::header::pow;

/// Longest file that is read, in bytes: far more than any spec needs.
pub const MAX_SIZE: usize = 64 * 1024;

/// Longest name of a chain, in characters.
pub const MAX_NAME: usize = 32;

/// Longest ticker, in characters.
const MAX_TICKER: usize = 8;

/// Most seconds of a spacing or a half-life: a year. Past it a chain adjusts to nothing within a lifetime.
const MAX_SECONDS: u64 = 366 * 24 * 60 * 60;

/// Fewest seconds that times may be ahead of a clock: clocks that are set by hand differ by so much.
const MIN_FUTURE: u64 = 10;

/// Fewest blocks between adjustments: Bitcoin's rule leaves out one gap of each period, so a period of one block would
/// seem to take no time, and each block would be four times as hard as the one before.
const MIN_INTERVAL: u64 = 2;

/// Most blocks between adjustments: a walk back over minimum-difficulty blocks takes that many steps at most.
const MAX_INTERVAL: u64 = 100_000;

/// Largest challenge, in bytes: longer scripts can't be satisfied.
const MAX_CHALLENGE: usize = 10_000;

/// What the whole chain may create, in the coin's smallest parts ([`Amount::MAX_MONEY`]): larger amounts are in no valid
/// transaction.
const MAX_SUPPLY: u64 = 2_100_000_000_000_000;

impl Spec {
    /// Reads a chain of one's own.
    ///
    /// # Errors
    /// At the first line that is wrong, what is allowed there.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let (spec, nonce_line) = read(text)?;
        let header = &spec.genesis.header;
        match pow::check(header, &header.block_hash(), &spec.work.limit) {
            Ok(()) => Ok(spec),
            Err(_) => Err(Error::GenesisWork { line: nonce_line, nonce: header.nonce, bits: header.bits }),
        }
    }

    /// Reads a chain of one's own whose genesis block need not meet its target yet, and may lack a nonce (then 0).
    /// [`Spec::mine_genesis`] finds the nonce, [`Spec::to_toml`] writes the file.
    ///
    /// # Errors
    /// As [`Spec::from_toml`], but never [`Error::GenesisWork`].
    pub fn draft(text: &str) -> Result<Self, Error> {
        read(text).map(|(spec, _)| spec)
    }

    /// The text from which [`Spec::from_toml`] reads this spec again.
    ///
    /// Only for chains of one's own: a built-in chain has a name that a file can't take, and parts that no file
    /// expresses (another genesis output, exceptions to rules).
    #[must_use]
    pub fn to_toml(&self) -> String {
        writer::write(self)
    }
}

/// The spec, and the line of its genesis block's nonce.
fn read(text: &str) -> Result<(Spec, usize), Error> {
    let table = reader::parse(text)?;
    let root = Reader::root(
        text,
        table.get_ref(),
        &[
            "name",
            "ticker",
            "magic",
            "genesis",
            "work",
            "times",
            "subsidy",
            "challenge",
            "deployments",
            "addresses",
            "assume-valid",
            "minimum-work",
        ],
    )?;
    let work = work(&root.table(
        "work",
        &["limit", "spacing", "retarget", "interval", "half-life", "min-difficulty-blocks", "bip94"],
    )?)?;
    let subsidy = subsidy(&root.table("subsidy", &["initial", "halving"])?)?;
    let first = root.table("genesis", &["message", "time", "bits", "nonce"])?;
    let spec = Spec {
        name: root.text("name", "1 to 32 of a-z, 0-9 and -, and not the name of a built-in chain", is_name)?,
        ticker: root.text("ticker", "1 to 8 of A-Z, a-z and 0-9", is_ticker)?,
        magic: root.bytes("magic")?,
        genesis: genesis(&first, &work, subsidy.initial)?,
        times: times(&root, &work.retarget)?,
        work,
        subsidy,
        deployments: deployments(&root)?,
        challenge: challenge(&root)?,
        assume_valid: root
            .optional("assume-valid")
            .map(|value| value.parsed("a block hash of 64 hexadecimal digits", |text| text.parse().ok()))
            .transpose()?,
        minimum_work: root
            .optional("minimum-work")
            .map(|value| value.parsed(reader::NUMBER, |text| number(text).map(Work::from_be_bytes)))
            .transpose()?
            .unwrap_or_else(no_work),
        addresses: addresses(&root)?,
    };
    Ok((spec, first.line_of("nonce")))
}

fn work(table: &Reader<'_>) -> Result<ProofOfWork, Error> {
    let limit = |text: &str| number(text).map(Target::from_be_bytes).filter(|limit| *limit > Target::ZERO);
    Ok(ProofOfWork {
        limit: table.required("limit")?.parsed("1 to 64 hexadecimal digits, not all of them 0", limit)?,
        spacing: table.required("spacing")?.integer(1..=MAX_SECONDS)?,
        retarget: retarget(table)?,
    })
}

fn retarget(table: &Reader<'_>) -> Result<Retarget, Error> {
    const RULES: &str = "none, bitcoin, asert, relative";
    let rule = table.required("retarget")?;
    let (retarget, keys): (_, &[&str]) = match rule.str() {
        Some("none") => (Retarget::None, &[]),
        Some("asert") => {
            (Retarget::Asert { half_life: table.required("half-life")?.integer(1..=MAX_SECONDS)? }, &["half-life"])
        }
        Some("relative") => {
            (Retarget::Relative { half_life: table.required("half-life")?.integer(1..=MAX_SECONDS)? }, &["half-life"])
        }
        Some("bitcoin") => (
            Retarget::Bitcoin {
                interval: table.required("interval")?.integer(MIN_INTERVAL..=MAX_INTERVAL)?,
                min_difficulty_blocks: table.flag("min-difficulty-blocks")?,
                bip94: table.flag("bip94")?,
            },
            &["interval", "min-difficulty-blocks", "bip94"],
        ),
        _ => return Err(rule.not_allowed(RULES)),
    };
    // A key of another rule would be read and mean nothing.
    match ["interval", "half-life", "min-difficulty-blocks", "bip94"]
        .into_iter()
        .find_map(|key| table.optional(key).filter(|_| !keys.contains(&key)))
    {
        Some(stray) => Err(stray.misplaced(rule.str().unwrap_or_default())),
        None => Ok(retarget),
    }
}

/// Times go forward where targets follow from them block by block: seconds that were claimed twice would count twice.
fn times(root: &Reader<'_>, retarget: &Retarget) -> Result<Times, Error> {
    let relative = matches!(retarget, Retarget::Relative { .. });
    let unsaid = Times { monotone: relative, ..Times::BITCOIN };
    let Some(table) = root.optional_table("times", &["future", "monotone"])? else { return Ok(unsaid) };
    let future = table.optional("future").map_or(Ok(unsaid.future), |value| value.integer(MIN_FUTURE..=MAX_SECONDS))?;
    let monotone = match table.optional("monotone") {
        None => unsaid.monotone,
        Some(value) if relative && !table.flag("monotone")? => {
            return Err(value.not_allowed("true, as work.retarget is \"relative\""));
        }
        Some(_) => table.flag("monotone")?,
    };
    Ok(Times { future, monotone })
}

fn subsidy(table: &Reader<'_>) -> Result<Subsidy, Error> {
    let initial = table.required("initial")?;
    let subsidy = Subsidy {
        initial: Amount::from_sat(initial.integer(0..=MAX_SUPPLY)?),
        halving: table.required("halving")?.integer(0..=u64::from(u32::MAX))?,
    };
    // Without halvings the sum has no end; each amount stays within its limit all the same.
    let era = |halvings: u32| (subsidy.initial.to_sat() >> halvings).saturating_mul(u64::from(subsidy.halving));
    let total = (0..u64::BITS).map(era).fold(0, u64::saturating_add);
    if total > MAX_SUPPLY {
        return Err(initial.not_allowed("an amount that sums to at most 2100000000000000 over all halvings"));
    }
    Ok(subsidy)
}

fn genesis(table: &Reader<'_>, work: &ProofOfWork, reward: Amount) -> Result<Block, Error> {
    let bits = |text: &str| {
        let bits = CompactTarget::from_consensus(u32::from_be_bytes(FromHex::from_hex(text).ok()?));
        pow::target(bits, &work.limit).is_some().then_some(bits)
    };
    let message = table.text("message", "1 to 91 bytes", |text| (1..=MAX_MESSAGE).contains(&text.len()))?;
    let genesis = Genesis {
        message: &message,
        script: unspendable(),
        reward,
        time: table.required("time")?.integer(0..=u64::from(u32::MAX))?,
        bits: table
            .required("bits")?
            .parsed("a compact target of 8 hexadecimal digits, at most work.limit", bits)?
            .to_consensus(),
        nonce: table.optional("nonce").map_or(Ok(0), |nonce| nonce.integer(0..=u64::from(u32::MAX)))?,
    };
    Ok(genesis.block())
}

fn deployments(root: &Reader<'_>) -> Result<Deployments, Error> {
    let table = root.optional_table("deployments", &["bip34", "bip65", "bip66", "csv", "segwit"])?;
    let height = |key| {
        let value = table.as_ref().and_then(|table| table.optional(key));
        value.map_or(Ok(1), |value| value.integer(0..=u64::from(u32::MAX)))
    };
    Ok(Deployments {
        bip34: height("bip34")?,
        bip65: height("bip65")?,
        bip66: height("bip66")?,
        csv: height("csv")?,
        segwit: height("segwit")?,
        ..Deployments::from_height(1)
    })
}

fn challenge(root: &Reader<'_>) -> Result<Option<ScriptBuf>, Error> {
    let script = |text: &str| {
        let bytes: Option<Vec<u8>> = FromHex::from_hex(text).ok();
        let script = bytes.filter(|bytes| (1..=MAX_CHALLENGE).contains(&bytes.len())).map(ScriptBuf::from_bytes);
        // BIP-0325 checks solutions by the rules before taproot: anybody satisfies a witness program of a later version,
        // whoever's key it names.
        script.filter(|script| script.witness_version().is_none_or(|version| version == WitnessVersion::V0))
    };
    let allowed = "a script of 1 to 10000 bytes in hexadecimal digits, and no witness program after version 0";
    root.optional("challenge").map(|value| value.parsed(allowed, script)).transpose()
}

fn addresses(root: &Reader<'_>) -> Result<Addresses, Error> {
    let Some(table) = root.optional_table("addresses", &["p2pkh", "p2sh", "secret", "hrp", "xpub", "xprv"])? else {
        return Ok(Addresses::regtest());
    };
    let version = |key| table.required(key)?.integer(0..=u64::from(u8::MAX));
    Ok(Addresses {
        p2pkh: version("p2pkh")?,
        p2sh: version("p2sh")?,
        hrp: table.text("hrp", "1 to 16 of a-z and 0-9", |hrp| {
            (1..=16).contains(&hrp.len()) && hrp.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })?,
        secret: version("secret")?,
        xpub: table.bytes("xpub")?,
        xprv: table.bytes("xprv")?,
    })
}

/// Whether a chain may be called so: it becomes a directory's name, and must not pass for a built-in chain.
fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(allowed) && !NAMES.contains(&name)
}

fn is_ticker(ticker: &str) -> bool {
    (1..=MAX_TICKER).contains(&ticker.len()) && ticker.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A number of at most 256 bits in hexadecimal digits, big-endian.
fn number(text: &str) -> Option<[u8; 32]> {
    if text.is_empty() || text.len() > 64 || !text.is_ascii() {
        return None;
    }
    FromHex::from_hex(&format!("{text:0>64}")).ok()
}
