//! Valid inputs of each target, most of them from a chain that Bitcoin Core made.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::block::{Header, Version};
use bitcoin::consensus::encode;
use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, TxMerkleNode};
use yap_chain::block::Block;
use yap_chain::coin::{Coin, codec};
use yap_chain::header::{Tree, pow};
use yap_chain::spec::{Retarget, Spec};
use yap_chain::transaction::Transaction;
use yap_chain::undo::{self, Undo};
use yap_chain::{filter, integer};

use super::chain::with_rule;
use crate::random::Random;

/// Blocks to take samples from: enough to have every kind of script, few enough to be quick.
const SAMPLED: usize = 24;

/// Transactions, coins and the like to take of each block.
const PER_BLOCK: usize = 12;

/// What records start with in regtest's block files.
pub(super) const MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];

const FILE: &[u8] = include_bytes!("../../../../vectors/regtest-160.blk");

/// Blocks 1 to 10 of the public signet, in hexadecimal digits, one a line.
const SIGNET: &str = include_str!("../../../../vectors/signet-10.txt");

/// The last blocks of the chain, which are those with transactions.
fn parsed() -> Vec<Block> {
    let blocks = crate::blk::blocks(FILE, MAGIC);
    let last = &blocks[blocks.len() - SAMPLED..];
    last.iter().map(|block| Block::parse(block.to_vec()).expect("Core made it")).collect()
}

/// The whole chain, without its genesis block.
pub(super) fn chain() -> Vec<Block> {
    let blocks = crate::blk::blocks(FILE, MAGIC);
    let blocks = blocks.iter().map(|block| Block::parse(block.to_vec()).expect("Core made it"));
    blocks.filter(|block| block.header().prev_blockhash != bitcoin::BlockHash::all_zeros()).collect()
}

/// The coins that a block makes, one list per transaction; the genesis block's height is one of them.
fn made(block: &Block) -> Vec<Arc<[Coin]>> {
    let transactions = block.transactions().iter().enumerate();
    let coins = transactions.map(|(height, transaction)| {
        let coin = |output: &bitcoin::TxOut| {
            Coin::new(output.value, &output.script_pubkey, height as u32, transaction.is_coinbase())
        };
        transaction.decoded().output.iter().map(coin).collect()
    });
    coins.collect()
}

pub(super) fn blocks() -> Vec<Vec<u8>> {
    parsed().iter().map(|block| block.bytes().to_vec()).collect()
}

pub(super) fn transactions() -> Vec<Vec<u8>> {
    let blocks = parsed();
    let transactions = blocks.iter().flat_map(|block| block.transactions().iter().take(PER_BLOCK));
    transactions.map(|transaction| transaction.raw().as_slice().to_vec()).collect()
}

/// Transactions of the last blocks, and the coins that they spend.
pub(super) fn spends() -> Vec<Vec<u8>> {
    let blocks = crate::blk::blocks(FILE, MAGIC);
    let blocks: Vec<Block> = blocks.iter().map(|block| Block::parse(block.to_vec()).expect("Core made it")).collect();
    let mut coins = BTreeMap::new();
    for (block, made) in blocks.iter().map(|block| (block, made(block))) {
        for (transaction, made) in block.transactions().iter().zip(made) {
            coins.extend((0..).zip(made.iter().cloned()).map(|(vout, coin)| ((transaction.txid(), vout), coin)));
        }
    }
    let sample = |transaction: &Transaction| {
        let raw = transaction.raw().as_slice();
        let mut bytes = [&(raw.len() as u32).to_le_bytes(), raw].concat();
        for OutPoint { txid, vout } in transaction.decoded().input.iter().map(|input| input.previous_output) {
            codec::encode(&coins[&(txid, vout)], &mut bytes);
        }
        bytes
    };
    let last = blocks.iter().rev().take(SAMPLED).flat_map(|block| block.transactions().iter().skip(1).take(PER_BLOCK));
    last.map(sample).collect()
}

pub(super) fn coins() -> Vec<Vec<u8>> {
    let encode = |coin: &Coin| {
        let mut bytes = Vec::new();
        codec::encode(coin, &mut bytes);
        bytes
    };
    let lists: Vec<_> = parsed().iter().flat_map(|block| made(block).into_iter().take(PER_BLOCK)).collect();
    lists.iter().flat_map(|coins| coins.iter()).map(encode).collect()
}

pub(super) fn undo() -> Vec<Vec<u8>> {
    let encode = |block: &Block| {
        let mut bytes = Vec::new();
        undo::codec::encode(&Undo { transactions: made(block) }, &mut bytes);
        bytes
    };
    parsed().iter().map(encode).collect()
}

pub(super) fn keys() -> Vec<Vec<u8>> {
    let keys = |block: &Block| {
        let txids = block.transactions().iter().take(PER_BLOCK).map(|transaction| transaction.txid());
        txids.enumerate().flat_map(|(vout, txid)| codec::key(&OutPoint { txid, vout: vout as u32 })).collect()
    };
    parsed().iter().map(keys).collect()
}

pub(super) fn filters() -> Vec<Vec<u8>> {
    parsed().iter().map(|block| filter::basic(block, &Undo::default()).into_bytes()).collect()
}

pub(super) fn elements() -> Vec<Vec<u8>> {
    // The first byte is the size of an element: that of a P2WPKH script, 22.
    keys().into_iter().map(|keys| [&[22], &keys[..]].concat()).collect()
}

pub(super) fn integers() -> Vec<Vec<u8>> {
    let values = (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1]);
    let both = values.flat_map(|value| {
        let (mut varint, mut compact) = (Vec::new(), Vec::new());
        integer::write_varint(value, &mut varint);
        integer::write_compact(value as usize, &mut compact);
        [varint, compact]
    });
    both.collect()
}

pub(super) fn specs() -> Vec<Vec<u8>> {
    let rules = [
        Retarget::None,
        Retarget::Bitcoin { interval: 144, min_difficulty_blocks: true, bip94: false },
        Retarget::Bitcoin { interval: 2_016, min_difficulty_blocks: false, bip94: true },
        Retarget::Asert { half_life: 120 },
        Retarget::Relative { half_life: 240 },
    ];
    let text = |(number, retarget): (usize, Retarget)| {
        let mut spec = Spec::local();
        spec.name = format!("stones-{number}");
        spec.work.retarget = retarget;
        spec.challenge = (number % 2 == 0).then(|| vec![0x51; number + 1].into());
        spec.assume_valid = (number % 3 == 0).then(|| spec.genesis.block_hash());
        spec.to_toml().into_bytes()
    };
    rules.into_iter().cycle().take(15).enumerate().map(text).collect()
}

/// Chains of some headers under every retarget rule, forks included.
pub(super) fn headers() -> Vec<Vec<u8>> {
    let mined = (0..20).map(|number: u8| {
        let mut random = Random::new(u64::from(number)).fork("headers");
        let mut tree = Tree::new(Arc::new(with_rule(number)), 0);
        let mut bytes = vec![number];
        for _ in 0..SAMPLED {
            let last = tree.best();
            let parent = if random.one_in(5) { tree.parent(last).unwrap_or(last) } else { last };
            let header = mine(&tree, parent, &mut random);
            tree.insert_trusted(&header).expect("its parent is there");
            bytes.extend(encode::serialize(&header));
        }
        bytes
    });
    let core = crate::blk::blocks(FILE, MAGIC).into_iter().take(SAMPLED).map(|block| &block[..80]);
    mined.chain([[&[0]].into_iter().map(<[u8; 1]>::as_slice).chain(core).collect::<Vec<_>>().concat()]).collect()
}

/// A header after `parent`, somewhat later than it is due: so it is found soon under every rule.
fn mine(tree: &Tree, parent: yap_chain::header::Id, random: &mut Random) -> Header {
    let time = tree.time(parent).max(tree.median_time_past(parent)) + 300 + random.small(1_500);
    let mut header = Header {
        version: Version::from_consensus(0x2000_0000),
        prev_blockhash: tree.hash(parent),
        merkle_root: TxMerkleNode::from_byte_array(random.bytes()),
        time,
        bits: tree.next_bits(parent, time),
        nonce: 0,
    };
    while pow::check(&header, &header.block_hash(), &with_rule(0).work.limit).is_err() {
        header.nonce += 1;
    }
    header
}

/// Signet's first blocks under its challenge; with other commitments, under one that anyone can satisfy.
pub(super) fn solutions() -> Vec<Vec<u8>> {
    let signet = Spec::signet().challenge.expect("it is one").into_bytes();
    let lines = SIGNET.lines().filter(|line| !line.starts_with('#'));
    let blocks: Vec<bitcoin::Block> = lines.map(|line| encode::deserialize_hex(line).expect("Core's")).collect();
    let sample = |challenge: &[u8], block: &bitcoin::Block| {
        [&[challenge.len() as u8], challenge, &encode::serialize(block)].concat()
    };
    let commitments = COMMITTED.iter().map(|pushes| {
        let mut block = blocks[0].clone();
        let mut script = vec![0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
        script.extend([0xff; 32]);
        script.extend(pushes.concat());
        block.txdata[0].output[1].script_pubkey = script.into();
        sample(&[0x51], &block)
    });
    blocks.iter().map(|block| sample(&signet, block)).chain(commitments).collect()
}

/// What may follow a commitment: no solution, one in every form of push, more than one, pushes before and behind.
const COMMITTED: [&[&[u8]]; 8] = [
    &[],
    &[b"\x04\xec\xc7\xda\xa2"],
    &[b"\x06\xec\xc7\xda\xa2\0\0"],
    &[b"\x4c\x07\xec\xc7\xda\xa2\x01\x51\0"],
    &[b"\x4d\x08\0\xec\xc7\xda\xa2\0\x01\x01\x02"],
    &[b"\x4e\x06\0\0\0\xec\xc7\xda\xa2\0\0", b"\x51", b"\x01\x17"],
    &[b"\x04\xec\xc7\xda\xa2", b"\x06\xec\xc7\xda\xa2\0\0", b"\0"],
    &[b"\x07\xec\xc7\xda\xa2\x01\x51\0", b"\x07\xec\xc7\xda\xa2\x01\x52\0"],
];

/// Files of a few blocks, with what may lie between them.
pub(super) fn framings() -> Vec<Vec<u8>> {
    let blocks = crate::blk::blocks(FILE, MAGIC);
    let file = |(number, blocks): (usize, &[&[u8]])| {
        let between: [&[u8]; 4] = [&[], &[0; 40], b"what is no record", &MAGIC];
        let part = |block: &&[u8]| [&MAGIC, &(block.len() as u32).to_le_bytes()[..], *block].concat();
        blocks.iter().map(part).collect::<Vec<_>>().join(between[number % between.len()])
    };
    blocks[..48].chunks(4).enumerate().map(file).collect()
}

/// Rows of every table, as the store's documentation draws them: the length of the key, the key, the row.
pub(super) fn rows() -> Vec<Vec<u8>> {
    let row = |key: &[&[u8]], row: &[&[u8]]| {
        let key = key.concat();
        [&[key.len() as u8], &key[..], &row.concat()].concat()
    };
    let mut rows = vec![row(&[b"Sschema"], &[&1_u32.to_le_bytes()])];
    for (height, block) in (0_u32..).zip(parsed()) {
        let (hash, header) = (block.hash().to_byte_array(), encode::serialize(block.header()));
        let number = |number: u32| number.to_le_bytes();
        let name = [&height.to_be_bytes(), &hash[..]].concat();
        rows.extend([
            row(&[b"Stip"], &[&hash, &number(height), &u64::from(height).to_le_bytes()]),
            row(&[b"Schain"], &[&MAGIC, &hash, b"regtest"]),
            row(&[b"L", &height.to_be_bytes()], &[&[9, 10_000, 700, 1, 9].map(number).concat()]),
            row(&[b"F", &name], &[filter::basic(&block, &Undo::default()).bytes()]),
            row(&[b"G", &name], &[&hash]),
            row(
                &[b"I", &height.to_be_bytes()],
                &[&hash, &header, &[7], &[height, 3, 500].map(number).concat(), &[0, 8, 0, 8].map(number).concat()],
            ),
            row(&[b"I", &height.to_be_bytes()], &[&hash, &header, &[1], &[0; 12], &[0xff; 16]]),
        ]);
        let key = codec::key(&OutPoint { txid: block.transactions()[0].txid(), vout: height });
        for coin in made(&block).iter().flat_map(|coins| coins.iter()).take(PER_BLOCK) {
            let mut bytes = Vec::new();
            codec::encode(coin, &mut bytes);
            rows.push(row(&[b"C", &key], &[&bytes]));
        }
    }
    rows
}
