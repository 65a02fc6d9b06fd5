use bitcoin::consensus::Params;
use bitcoin::hex::DisplayHex;
use bitcoin::{Network, constants};

use super::*;

fn specs() -> impl Iterator<Item = Spec> {
    NAMES.into_iter().map(|name| Spec::builtin(name).unwrap())
}

#[test]
fn genesis_blocks_have_the_known_hashes() {
    let satoshis_coinbase = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b";
    let known = [
        (Spec::bitcoin(), "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f", satoshis_coinbase),
        (Spec::signet(), "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6", satoshis_coinbase),
        (Spec::regtest(), "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206", satoshis_coinbase),
        (
            Spec::testnet4(),
            "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
            "7aa0a7ae1e223414cb807e40cd57e667b718e42aaf9306db9102fe28912b7b4e",
        ),
    ];
    for (spec, hash, root) in known {
        assert_eq!(spec.genesis.block_hash().to_string(), hash, "{}", spec.name);
        assert_eq!(spec.genesis.header.merkle_root.to_string(), root, "{}", spec.name);
        assert!(spec.genesis.check_merkle_root(), "{}", spec.name);
    }
}

#[test]
fn genesis_blocks_equal_those_of_the_bitcoin_crate() {
    let networks = [Network::Bitcoin, Network::Signet, Network::Regtest, Network::Testnet4];
    for (spec, network) in
        [Spec::bitcoin(), Spec::signet(), Spec::regtest(), Spec::testnet4()].into_iter().zip(networks)
    {
        assert_eq!(spec.genesis, constants::genesis_block(network));
        assert_eq!(spec.magic, network.magic().to_bytes());
    }
}

#[test]
fn rules_equal_those_of_the_bitcoin_crate() {
    for (spec, params) in [
        (Spec::bitcoin(), Params::MAINNET),
        (Spec::signet(), Params::SIGNET),
        (Spec::regtest(), Params::REGTEST),
        (Spec::testnet4(), Params::TESTNET4),
    ] {
        assert_eq!(
            spec.work.limit.to_compact_lossy(),
            params.max_attainable_target.to_compact_lossy(),
            "{}",
            spec.name
        );
        assert_eq!(u64::from(spec.work.spacing), params.pow_target_spacing, "{}", spec.name);
        assert_eq!(spec.times, Times { future: 7_200, monotone: false }, "MAX_FUTURE_BLOCK_TIME of Bitcoin Core");
        match spec.work.retarget {
            Retarget::None => assert!(params.no_pow_retargeting),
            Retarget::Bitcoin { interval, min_difficulty_blocks, .. } => {
                assert_eq!(u64::from(interval), params.difficulty_adjustment_interval());
                assert_eq!(min_difficulty_blocks, params.allow_min_difficulty_blocks);
            }
            Retarget::Asert { .. } | Retarget::Relative { .. } => panic!("not Bitcoin's"),
        }
    }
}

/// The limits in full, as Bitcoin Core writes them.
#[test]
fn limits_are_known_to_the_last_digit() {
    let limit = |spec: Spec| spec.work.limit.to_be_bytes().to_lower_hex_string();
    let difficulty_one = format!("00000000{}", "f".repeat(56));
    assert_eq!(limit(Spec::bitcoin()), difficulty_one);
    assert_eq!(limit(Spec::testnet4()), difficulty_one);
    assert_eq!(limit(Spec::regtest()), format!("7{}", "f".repeat(63)));
    assert_eq!(limit(Spec::signet()), format!("00000377ae{}", "0".repeat(54)));
}

#[test]
fn the_local_chain_never_changes() {
    let spec = Spec::local();
    assert_eq!(
        spec.genesis.block_hash().to_string(),
        "22803b75fc20099fc08f5dbda299469f24a43ae98bac7a90a39640e5a580d223"
    );
    assert_eq!(
        genesis::message(&spec.genesis).unwrap(),
        b"Nobody carries a stone to the shop, nobody keeps the book, and the book is never lost"
    );
}

#[test]
fn every_genesis_block_meets_its_own_target() {
    for spec in specs() {
        let header = spec.genesis.header;
        pow::check(&header, &header.block_hash(), &spec.work.limit).unwrap();
    }
}

#[test]
fn every_name_is_that_of_its_chain() {
    for name in NAMES {
        assert_eq!(Spec::builtin(name).unwrap().name, name);
    }
    assert_eq!(Spec::builtin("testnet3"), None);
}

#[test]
fn chains_are_told_apart_by_magic() {
    let mut magics: Vec<[u8; 4]> = specs().map(|spec| spec.magic).collect();
    magics.sort_unstable();
    magics.dedup();
    assert_eq!(magics.len(), NAMES.len());
}

#[test]
fn a_signet_of_ones_own_has_the_magic_of_its_challenge() {
    // The default signet's, from BIP-0325.
    assert_eq!(Spec::signet().magic, [0x0a, 0x03, 0xcf, 0x40]);
    let own = Spec::signet_with(ScriptBuf::from_bytes(vec![0x51]));
    assert_ne!(own.magic, Spec::signet().magic);
    assert_eq!(own.name, "signet-54d26fbd");
    assert_eq!(own.genesis, Spec::signet().genesis);
    assert_eq!((own.assume_valid, own.minimum_work), (None, builtin::no_work()));
}

#[test]
fn a_longer_message_is_cut_to_what_a_coinbase_can_carry() {
    let message = "x".repeat(MAX_MESSAGE + 1);
    let carrying = |message| Genesis {
        message,
        script: ScriptBuf::new(),
        reward: Amount::ZERO,
        time: 0,
        bits: 0x207f_ffff,
        nonce: 0,
    };
    let longest = carrying(&message[1..]).block();
    assert_eq!(longest.txdata[0].input[0].script_sig.len(), 100);
    assert_eq!(carrying(&message).block(), longest);
    assert_eq!(genesis::message(&longest).unwrap(), &message.as_bytes()[1..]);
}

/// Bitcoin Core, `src/test/validation_tests.cpp`, `block_subsidy_test` and `subsidy_limit_test` (MIT).
#[test]
fn subsidies_halve_until_nothing_is_left() {
    for spec in specs() {
        let Subsidy { initial, halving } = spec.subsidy;
        for halvings in 0..64 {
            let Some(height) = halving.checked_mul(halvings) else { break };
            assert_eq!(spec.subsidy_at(height), Amount::from_sat(initial.to_sat() >> halvings));
            if let Some(before) = height.checked_sub(1) {
                assert_eq!(spec.subsidy_at(before), Amount::from_sat(initial.to_sat() >> (halvings - 1)));
            }
        }
    }
    let regtest = Spec::regtest();
    assert_eq!(regtest.subsidy_at(64 * 150), Amount::ZERO);
    assert_eq!(regtest.subsidy_at(u32::MAX), Amount::ZERO);
    let total: u64 = (0..14_000_000).step_by(1000).map(|height| Spec::bitcoin_subsidy(height) * 1000).sum();
    assert_eq!(total, 2_099_999_997_690_000);
}

impl Spec {
    /// The subsidy alone, without building a whole spec for each height.
    fn bitcoin_subsidy(height: u32) -> u64 {
        thread_local!(static BITCOIN: Spec = Spec::bitcoin());
        BITCOIN.with(|spec| spec.subsidy_at(height).to_sat())
    }
}

#[test]
fn the_local_supply_stays_within_an_amount() {
    let spec = Spec::local();
    let eras = (0..64).map(|halvings| spec.subsidy.initial.to_sat() >> halvings);
    assert!(eras.map(|amount| amount * u64::from(spec.subsidy.halving)).sum::<u64>() <= Amount::MAX_MONEY.to_sat());
}

#[test]
fn a_subsidy_without_halvings_stays() {
    let spec = Spec { subsidy: Subsidy { initial: Amount::ONE_BTC, halving: 0 }, ..Spec::regtest() };
    assert_eq!(spec.subsidy_at(0), Amount::ONE_BTC);
    assert_eq!(spec.subsidy_at(u32::MAX), Amount::ONE_BTC);
}

#[test]
fn script_rules_come_with_their_heights() {
    let spec = Spec::bitcoin();
    let other = spec.genesis.block_hash();
    let first = Flags::P2SH.with(Flags::WITNESS).with(Flags::TAPROOT);
    let der = first.with(Flags::DERSIG);
    let cltv = der.with(Flags::CHECKLOCKTIMEVERIFY);
    let csv = cltv.with(Flags::CHECKSEQUENCEVERIFY);
    for (height, flags) in [
        (0, first),
        (363_724, first),
        (363_725, der),
        (388_380, der),
        (388_381, cltv),
        (419_327, cltv),
        (419_328, csv),
        (481_823, csv),
        (481_824, Flags::ALL),
        (1_000_000, Flags::ALL),
    ] {
        assert_eq!(spec.script_flags(height, &other), flags, "{height}");
    }
    assert_eq!(Spec::regtest().script_flags(0, &other), first.with(Flags::NULLDUMMY));
    assert_eq!(Spec::regtest().script_flags(1, &other), Flags::ALL);
}

#[test]
fn the_two_exceptional_blocks_keep_their_own_rules() {
    let spec = Spec::bitcoin();
    let bip16 = "00000000000002dc756eebf4f49723ed8d30cc28a5f108eb94b1ba88ac4f9c22".parse().unwrap();
    assert_eq!(spec.script_flags(170_060, &bip16), Flags::NONE);
    let taproot = "0000000000000000000f14c35b2d841e986ab5441de8c585d5ffe55ea1e395ad".parse().unwrap();
    let flags = spec.script_flags(692_261, &taproot);
    assert!(!flags.contains(Flags::TAPROOT));
    assert_eq!(flags.with(Flags::TAPROOT), Flags::ALL);
}

#[test]
fn mining_finds_a_nonce_or_leaves_the_block_alone() {
    let mut spec = Spec::local();
    spec.genesis.header.nonce = 0;
    let before = spec.clone();
    assert_eq!(spec.mine_genesis(0), None);
    assert_eq!(spec.mine_genesis(1), None);
    assert_eq!(spec, before);
    assert_eq!(spec.mine_genesis(2), Some(1));
    assert_eq!(spec, Spec::local());
    assert_eq!(spec.mine_genesis(1), Some(1));
}
