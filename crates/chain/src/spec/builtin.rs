//! The chains that are known by name: Bitcoin's networks with Bitcoin Core's parameters, and `local`.
//!
//! Source of every number but those of [`Spec::local`]: Bitcoin Core, `src/kernel/chainparams.cpp` (MIT).

use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::hex::FromHex;
use bitcoin::opcodes::all::{OP_CHECKSIG, OP_RETURN};
use bitcoin::script::Builder;
use bitcoin::{Amount, Block, BlockHash, ScriptBuf, Target, Work};

use super::genesis::Genesis;
use super::{Addresses, Deployments, ProofOfWork, Retarget, Spec, Subsidy, Times};
use crate::verify::Flags;

/// Names that [`Spec::builtin`] knows; a chain of one's own can't take one of them.
pub const NAMES: [&str; 5] = ["local", "regtest", "signet", "testnet4", "bitcoin"];

/// Seconds between blocks of Bitcoin's networks.
const TEN_MINUTES: u32 = 600;

/// Blocks between Bitcoin's adjustments: two weeks of them.
const TWO_WEEKS: u32 = 2016;

/// What a block of Bitcoin's networks creates until the first halving.
const FIFTY: Amount = Amount::from_int_btc(50);

/// The public key in the output of Bitcoin's genesis coinbase.
const SATOSHI: &str = "04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384\
                       df7ba0b8d578a4c702b6bf11d5f";

/// The challenge of the public signet: one of two keys.
const SIGNET: &str = "512103ad5e0edad18cb1f0fc0d28a3d4f1f3e445640337489abb10404f2d1e086be430210359ef5021964fe22d6f8e05b2463c95\
                      40ce96883fe3b278760f048f5189f2e6c452ae";

impl Spec {
    /// The built-in chain of that name; [`NAMES`] lists them.
    #[must_use]
    pub fn builtin(name: &str) -> Option<Self> {
        match name {
            "local" => Some(Self::local()),
            "regtest" => Some(Self::regtest()),
            "signet" => Some(Self::signet()),
            "testnet4" => Some(Self::testnet4()),
            "bitcoin" => Some(Self::bitcoin()),
            _ => None,
        }
    }

    /// The chain that a node is on unless told otherwise: for a LAN or a café, mined by whoever is there.
    ///
    /// Blocks are 10 s apart, and each has its target from its parent's and from how long that took
    /// ([`Retarget::Relative`]): twice the hash rate is absorbed within 24 blocks of 5 to 10 s, while luck alone moves the
    /// target by an eighth (standard deviation). The easiest target is regtest's, met by every second hash, so that any
    /// machine can go on alone. A rest is forgiven: it makes the next block twice as easy at most, and is not made up for.
    /// Times go forward, and at most one half-life ahead of the clock, so that whoever lies about them gains 24 blocks
    /// once, and can't slow the chain down.
    ///
    /// A block creates 1 YAP, halved every 10,500,000 blocks (3.3 years at full pace), which sums to Bitcoin's 21 million
    /// and so keeps every amount within its limits.
    ///
    /// Every soft fork holds from block 1. Addresses are written as regtest's.
    #[must_use]
    pub fn local() -> Self {
        let subsidy = Subsidy { initial: Amount::ONE_BTC, halving: 10_500_000 };
        let genesis = Genesis {
            message: "Nobody carries a stone to the shop, nobody keeps the book, and the book is never lost",
            script: unspendable(),
            reward: subsidy.initial,
            time: 1_767_225_600, // 2026-01-01
            bits: 0x207f_ffff,
            nonce: 1,
        };
        Self {
            name: "local".into(),
            ticker: "YAP".into(),
            magic: [0xfa, 0xce, 0x59, 0xa9],
            genesis: genesis.block(),
            work: ProofOfWork { limit: half(), spacing: 10, retarget: Retarget::Relative { half_life: 240 } },
            times: Times { future: 240, monotone: true },
            subsidy,
            deployments: Deployments::from_height(1),
            challenge: None,
            assume_valid: None,
            minimum_work: no_work(),
            addresses: Addresses::regtest(),
        }
    }

    /// Bitcoin's chain for tests on one machine.
    #[must_use]
    pub fn regtest() -> Self {
        Self {
            name: "regtest".into(),
            ticker: "BTC".into(),
            magic: [0xfa, 0xbf, 0xb5, 0xda],
            genesis: satoshi(1_296_688_602, 0x207f_ffff, 2),
            work: ProofOfWork { limit: half(), spacing: TEN_MINUTES, retarget: Retarget::None },
            times: Times::BITCOIN,
            subsidy: Subsidy { initial: FIFTY, halving: 150 },
            deployments: Deployments { segwit: 0, ..Deployments::from_height(1) },
            challenge: None,
            assume_valid: None,
            minimum_work: no_work(),
            addresses: Addresses::regtest(),
        }
    }

    /// The public signet.
    #[must_use]
    pub fn signet() -> Self {
        Self {
            name: "signet".into(),
            assume_valid: Some(hash("00000008414aab61092ef93f1aacc54cf9e9f16af29ddad493b908a01ff5c329")),
            minimum_work: work("b463ea0a4b8"),
            ..Self::signet_with(ScriptBuf::from_bytes(bytes(SIGNET)))
        }
    }

    /// A signet (BIP-0325) whose blocks satisfy `challenge`.
    ///
    /// All of them start from one genesis block. The magic tells them apart, and names the chain: `signet-<magic>`.
    #[must_use]
    pub fn signet_with(challenge: ScriptBuf) -> Self {
        // BIP-0325: the first four bytes of the double SHA-256 of the challenge behind its length.
        let [m0, m1, m2, m3, ..] = sha256d::Hash::hash(&serialize(&challenge)).to_byte_array();
        Self {
            name: format!("signet-{m0:02x}{m1:02x}{m2:02x}{m3:02x}"),
            ticker: "sBTC".into(),
            magic: [m0, m1, m2, m3],
            genesis: satoshi(1_598_918_400, 0x1e03_77ae, 52_613_770),
            work: ProofOfWork {
                limit: limit("377ae000000000000000000000000000000000000000000000000000000"),
                spacing: TEN_MINUTES,
                retarget: Retarget::Bitcoin { interval: TWO_WEEKS, min_difficulty_blocks: false, bip94: false },
            },
            times: Times::BITCOIN,
            subsidy: Subsidy { initial: FIFTY, halving: 210_000 },
            deployments: Deployments::from_height(1),
            challenge: Some(challenge),
            assume_valid: None,
            minimum_work: no_work(),
            addresses: Addresses { hrp: "tb".into(), ..Addresses::regtest() },
        }
    }

    /// The public test network of BIP-0094.
    #[must_use]
    pub fn testnet4() -> Self {
        let genesis = Genesis {
            message: "03/May/2024 000000000000000000001ebd58c244970b3aa9d783bb001011fbe8ea8e98e00e",
            script: Builder::new().push_slice([0; 33]).push_opcode(OP_CHECKSIG).into_script(),
            reward: FIFTY,
            time: 1_714_777_860,
            bits: 0x1d00_ffff,
            nonce: 393_743_547,
        };
        Self {
            name: "testnet4".into(),
            ticker: "tBTC".into(),
            magic: [0x1c, 0x16, 0x3f, 0x28],
            genesis: genesis.block(),
            work: ProofOfWork {
                limit: difficulty_one(),
                spacing: TEN_MINUTES,
                retarget: Retarget::Bitcoin { interval: TWO_WEEKS, min_difficulty_blocks: true, bip94: true },
            },
            times: Times::BITCOIN,
            subsidy: Subsidy { initial: FIFTY, halving: 210_000 },
            deployments: Deployments::from_height(1),
            challenge: None,
            assume_valid: Some(hash("0000000002368b1e4ee27e2e85676ae6f9f9e69579b29093e9a82c170bf7cf8a")),
            minimum_work: work("9a0fe15d0177d086304"),
            addresses: Addresses { hrp: "tb".into(), ..Addresses::regtest() },
        }
    }

    /// Bitcoin.
    #[must_use]
    pub fn bitcoin() -> Self {
        Self {
            name: "bitcoin".into(),
            ticker: "BTC".into(),
            magic: [0xf9, 0xbe, 0xb4, 0xd9],
            genesis: satoshi(1_231_006_505, 0x1d00_ffff, 2_083_236_893),
            work: ProofOfWork {
                limit: difficulty_one(),
                spacing: TEN_MINUTES,
                retarget: Retarget::Bitcoin { interval: TWO_WEEKS, min_difficulty_blocks: false, bip94: false },
            },
            times: Times::BITCOIN,
            subsidy: Subsidy { initial: FIFTY, halving: 210_000 },
            deployments: Deployments::bitcoin(),
            challenge: None,
            assume_valid: Some(hash("00000000000000000000ccebd6d74d9194d8dcdc1d177c478e094bfad51ba5ac")),
            minimum_work: work("1128750f82f4c366153a3a030"),
            addresses: Addresses {
                p2pkh: 0,
                p2sh: 5,
                hrp: "bc".into(),
                secret: 128,
                xpub: [0x04, 0x88, 0xb2, 0x1e],
                xprv: [0x04, 0x88, 0xad, 0xe4],
            },
        }
    }
}

impl Deployments {
    /// Every soft fork from `height` on, without a history of exceptions.
    pub(super) fn from_height(height: u32) -> Self {
        Self {
            bip34: height,
            bip34_hash: None,
            bip65: height,
            bip66: height,
            csv: height,
            segwit: height,
            bip30_repeats: Vec::new(),
            script_exceptions: Vec::new(),
        }
    }

    fn bitcoin() -> Self {
        Self {
            bip34: 227_931,
            bip34_hash: Some(hash("000000000000024b89b42a942fe0d9fea3bb44ab7bd1b19115dd6a759c0808b8")),
            bip65: 388_381,
            bip66: 363_725,
            csv: 419_328,
            segwit: 481_824,
            bip30_repeats: vec![
                (91_842, hash("00000000000a4d0a398161ffc163c503763b1f4360639393e0e4c8e300e0caec")),
                (91_880, hash("00000000000743f190a18c5577a3c2d2a1f610ae9601ac046a38084ccb7cd721")),
            ],
            script_exceptions: vec![
                // The only block that broke BIP-0016.
                (hash("00000000000002dc756eebf4f49723ed8d30cc28a5f108eb94b1ba88ac4f9c22"), Flags::NONE),
                // The only one that broke BIP-0341.
                (
                    hash("0000000000000000000f14c35b2d841e986ab5441de8c585d5ffe55ea1e395ad"),
                    Flags::P2SH.with(Flags::WITNESS),
                ),
            ],
        }
    }
}

impl Addresses {
    /// Regtest's, which differ from the other test networks' in the human-readable part only.
    pub(super) fn regtest() -> Self {
        Self {
            p2pkh: 111,
            p2sh: 196,
            hrp: "bcrt".into(),
            secret: 239,
            xpub: [0x04, 0x35, 0x87, 0xcf],
            xprv: [0x04, 0x35, 0x83, 0x94],
        }
    }
}

/// The genesis block of Bitcoin, and of the test networks that changed its header only.
fn satoshi(time: u32, bits: u32, nonce: u32) -> Block {
    let key: [u8; 65] = FromHex::from_hex(SATOSHI).expect("a constant");
    Genesis {
        message: "The Times 03/Jan/2009 Chancellor on brink of second bailout for banks",
        script: Builder::new().push_slice(key).push_opcode(OP_CHECKSIG).into_script(),
        reward: FIFTY,
        time,
        bits,
        nonce,
    }
    .block()
}

/// Output script of our own genesis coinbases: it says openly that nobody can spend them.
pub(super) fn unspendable() -> ScriptBuf {
    Builder::new().push_opcode(OP_RETURN).into_script()
}

/// Regtest's easiest target.
fn half() -> Target {
    limit("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")
}

/// Bitcoin's easiest target.
fn difficulty_one() -> Target {
    limit("ffffffffffffffffffffffffffffffffffffffffffffffffffffffff")
}

fn limit(hex: &str) -> Target {
    Target::from_unprefixed_hex(hex).expect("a constant")
}

fn work(hex: &str) -> Work {
    Work::from_unprefixed_hex(hex).expect("a constant")
}

pub(super) fn no_work() -> Work {
    Work::from_be_bytes([0; 32])
}

fn hash(hex: &str) -> BlockHash {
    hex.parse().expect("a constant")
}

fn bytes(hex: &str) -> Vec<u8> {
    FromHex::from_hex(hex).expect("a constant")
}
