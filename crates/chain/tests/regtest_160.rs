//! Replays chains that Bitcoin Core validated and compares hashes, totals and filters with what Core said of them.
//!
//! The UTXO set is a plain map and no rule is checked: this is about what is computed of a set and of a block.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test may panic, and reads the larger chain from a folder that the environment names"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Amount, BlockHash, OutPoint};
use serde_json::Value;
use yap_chain::block::Block;
use yap_chain::coin::{Coin, codec};
use yap_chain::filter::{self, Filter};
use yap_chain::undo::{self, Undo};
use yap_chain::utxo::{self, Digest, Hashes, MuHash, Stats};

/// Records of a block file: magic, length, block.
fn blocks(mut file: &[u8]) -> impl Iterator<Item = Block> {
    std::iter::from_fn(move || {
        let (magic, rest) = file.split_first_chunk::<4>()?;
        assert_eq!(*magic, [0xfa, 0xbf, 0xb5, 0xda]);
        let (len, rest) = rest.split_first_chunk().unwrap();
        let (block, rest) = rest.split_at(u32::from_le_bytes(*len) as usize);
        file = rest;
        Some(Block::parse(block.to_vec()).unwrap())
    })
}

fn genesis() -> Block {
    let block = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
    Block::parse(bitcoin::consensus::serialize(&block)).unwrap()
}

/// The set as a map, its hash kept up block by block, and the filter headers.
struct Ledger {
    height: u32,
    tip: BlockHash,
    coins: BTreeMap<[u8; codec::KEY_SIZE], Coin>,
    muhash: MuHash,
    header: bitcoin::bip158::FilterHeader,
    element: Vec<u8>,
}

impl Ledger {
    fn new(genesis: &Block) -> (Self, Filter) {
        let filter = filter::basic(genesis, &Undo::default());
        let header = filter::header(filter.hash(), Hash::all_zeros());
        // The genesis block's coin is not part of the set.
        let (coins, muhash) = (BTreeMap::new(), MuHash::default());
        (Self { height: 0, tip: genesis.hash(), coins, muhash, header, element: Vec::new() }, filter)
    }

    fn connect(&mut self, block: &Block) -> (Undo, Filter) {
        assert_eq!(block.header().prev_blockhash, self.tip);
        (self.height, self.tip) = (self.height + 1, block.hash());
        let mut undo = Undo::default();
        for transaction in block.transactions() {
            if !transaction.is_coinbase() {
                let inputs = transaction.decoded().input.iter();
                let spent: Arc<[Coin]> = inputs.map(|input| self.spend(&input.previous_output)).collect();
                undo.transactions.push(spent);
            }
            for (vout, output) in transaction.decoded().output.iter().enumerate() {
                if !output.script_pubkey.is_op_return() {
                    let outpoint = OutPoint { txid: transaction.txid(), vout: u32::try_from(vout).unwrap() };
                    let coinbase = transaction.is_coinbase();
                    self.create(&outpoint, Coin::new(output.value, &output.script_pubkey, self.height, coinbase));
                }
            }
        }
        let filter = filter::basic(block, &undo);
        self.header = filter::header(filter.hash(), self.header);
        (undo, filter)
    }

    fn spend(&mut self, outpoint: &OutPoint) -> Coin {
        let coin = self.coins.remove(&codec::key(outpoint)).unwrap();
        self.element.clear();
        utxo::element(outpoint, &coin, &mut self.element);
        self.muhash.remove(&self.element);
        coin
    }

    fn create(&mut self, outpoint: &OutPoint, coin: Coin) {
        self.element.clear();
        utxo::element(outpoint, &coin, &mut self.element);
        self.muhash.insert(&self.element);
        assert!(self.coins.insert(codec::key(outpoint), coin).is_none());
    }
}

/// What must hold of each block, beside what Core said: every byte format comes back.
fn check_formats(block: &Block, undo: &Undo, filter: &Filter) {
    let mut bytes = Vec::new();
    undo::codec::encode(undo, &mut bytes);
    assert_eq!(undo::codec::decode(&bytes).as_ref(), Ok(undo));
    assert_eq!(Filter::from_bytes(filter.bytes().to_vec()).as_ref(), Ok(filter));
    for coin in undo.transactions.iter().flat_map(|coins| coins.iter()) {
        assert!(filter.match_any(&block.hash(), [coin.script().as_bytes()]));
    }
}

fn check_filter(ledger: &Ledger, filter: &Filter, vectors: &Value) -> usize {
    let Some(vector) = vectors["filters"].as_array().unwrap().iter().find(|v| v["height"] == ledger.height) else {
        return 0;
    };
    assert_eq!(ledger.tip.to_string(), vector["block"]);
    assert_eq!(sha256::Hash::hash(filter.bytes()).to_string(), vector["filter_sha256"]);
    assert_eq!(ledger.header.to_string(), vector["header"], "filter header at height {}", ledger.height);
    1
}

fn check_totals(ledger: &Ledger, muhash: Digest, tip: &Value) {
    let mut stats = Stats::new(Hashes { serialized: true, muhash: true });
    let mut bytes = Vec::new();
    for (key, coin) in &ledger.coins {
        stats.add(&codec::outpoint(key), coin).unwrap();
        bytes.clear();
        codec::encode(coin, &mut bytes);
        assert_eq!(codec::decode(&mut &bytes[..]).as_ref(), Ok(coin));
    }
    let totals = stats.finish();
    assert_eq!(ledger.tip.to_string(), tip["bestblock"]);
    assert_eq!(ledger.height, tip["height"]);
    assert_eq!(totals.txouts, tip["txouts"]);
    assert_eq!(totals.bogosize, tip["bogosize"]);
    assert_eq!(totals.amount, Amount::from_btc(tip["total_amount"].as_f64().unwrap()).unwrap());
    assert_eq!(totals.serialized.unwrap().to_string(), tip["hash_serialized_3"]);
    assert_eq!(totals.muhash, Some(muhash), "the set hashed at once and block by block");
}

fn replay(file: &[u8], vectors: &Value) {
    let genesis = genesis();
    let (mut ledger, filter) = Ledger::new(&genesis);
    let mut filters = check_filter(&ledger, &filter, vectors);
    let mut digests = 0;
    for block in blocks(file) {
        let (undo, filter) = ledger.connect(&block);
        check_formats(&block, &undo, &filter);
        filters += check_filter(&ledger, &filter, vectors);
        if let Some(expected) = vectors["muhash_at"].get(ledger.height.to_string()) {
            assert_eq!(ledger.muhash.digest().to_string(), *expected, "muhash at height {}", ledger.height);
            digests += 1;
        }
    }
    check_totals(&ledger, ledger.muhash.digest(), &vectors["tip"]);
    assert_eq!(ledger.muhash.digest().to_string(), vectors["tip"]["muhash"]);
    assert_eq!(filters, vectors["filters"].as_array().unwrap().len(), "every filter was compared");
    assert_eq!(digests, vectors["muhash_at"].as_object().unwrap().len(), "every muhash was compared");
}

#[test]
fn small_chain_is_as_core_says() {
    let vectors = serde_json::from_str(include_str!("../../../vectors/regtest-160.json")).unwrap();
    replay(include_bytes!("../../../vectors/regtest-160.blk"), &vectors);
}

#[test]
fn large_chain_is_as_core_says() {
    let Some(folder) = std::env::var_os("YAP_TEST_DATA") else {
        eprintln!("skipped: YAP_TEST_DATA does not name a folder with regtest-240.blk and regtest-240.json");
        return;
    };
    let read = |name: &str| std::fs::read(Path::new(&folder).join(name)).unwrap();
    replay(&read("regtest-240.blk"), &serde_json::from_slice(&read("regtest-240.json")).unwrap());
}
