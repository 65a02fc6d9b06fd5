//! The blocks of a peer on disk: one file to which each is appended as it comes, and which is read again at the start.
//!
//! Bitcoin Core's framing of block files: magic, `u32` little-endian length, block. A record that a kill cut short ends
//! the file: it is cut off when the file is opened.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use yap_chain::block::Block;

/// Bytes before a block: magic and length.
const HEAD: usize = 8;

/// A file of blocks.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    magic: [u8; 4],
}

impl Journal {
    /// Opens or makes the file, and gives what it holds in the order in which it came.
    pub(super) fn open(path: &Path, magic: [u8; 4]) -> io::Result<(Self, Vec<Arc<Block>>)> {
        let mut file = File::options().read(true).append(true).create(true).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut blocks = Vec::new();
        let mut rest = bytes.as_slice();
        while let Some((block, after)) = record(rest, magic) {
            blocks.push(Arc::new(block));
            rest = after;
        }
        if !rest.is_empty() {
            tracing::warn!(bytes = rest.len(), file = %path.display(), "the last block was cut short: it is left out");
            file.set_len(bytes.len().saturating_sub(rest.len()) as u64)?;
        }
        Ok((Self { file, magic }, blocks))
    }

    /// A file that takes nothing: the disk is full.
    #[cfg(test)]
    pub(super) fn full() -> Self {
        let file = File::options().append(true).open("/dev/full").expect("Linux has it");
        Self { file, magic: [0; 4] }
    }

    /// Appends a block: in one write, so that a kill leaves at most one record cut short.
    pub(super) fn append(&mut self, block: &Block) -> io::Result<()> {
        let bytes = block.bytes();
        let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut record = Vec::with_capacity(bytes.len().saturating_add(HEAD));
        record.extend_from_slice(&self.magic);
        record.extend_from_slice(&length.to_le_bytes());
        record.extend_from_slice(bytes);
        self.file.write_all(&record)
    }
}

/// The first block of `bytes`, and what follows it; `None` if there is no whole one.
fn record(bytes: &[u8], magic: [u8; 4]) -> Option<(Block, &[u8])> {
    let (found, rest) = bytes.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (block, after) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let block = (*found == magic).then(|| Block::parse(block.to_vec()).ok()).flatten()?;
    Some((block, after))
}

#[cfg(test)]
mod tests {
    use bitcoin::consensus::serialize;
    use yap_sim::Builder;

    use super::*;

    const MAGIC: [u8; 4] = [1, 2, 3, 4];

    fn blocks(count: u32) -> Vec<Block> {
        let mut builder = Builder::regtest(5);
        builder.mine_empty(count);
        builder.blocks().map(|block| Block::parse(serialize(block)).unwrap()).collect()
    }

    #[test]
    fn what_was_written_is_read_again_and_a_cut_record_is_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("blocks");
        let blocks = blocks(3);
        let (mut journal, found) = Journal::open(&path, MAGIC).unwrap();
        assert!(found.is_empty());
        blocks.iter().for_each(|block| journal.append(block).unwrap());
        drop(journal);
        let whole = std::fs::metadata(&path).unwrap().len();
        let last = blocks[2].bytes().len() as u64 + HEAD as u64;
        // Wherever a kill cut the last record, the two before are there and the next one goes behind them.
        for length in whole - last + 1..whole {
            let copy = directory.path().join("copy");
            std::fs::copy(&path, &copy).unwrap();
            File::options().write(true).open(&copy).unwrap().set_len(length).unwrap();
            let (mut journal, found) = Journal::open(&copy, MAGIC).unwrap();
            assert_eq!(found.len(), 2, "cut at {length}");
            journal.append(&blocks[2]).unwrap();
            let (_, found) = Journal::open(&copy, MAGIC).unwrap();
            assert_eq!(found.len(), 3);
            std::fs::remove_file(&copy).unwrap();
        }
    }

    #[test]
    fn blocks_of_another_chain_are_none_of_ours() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("blocks");
        let (mut journal, _) = Journal::open(&path, MAGIC).unwrap();
        journal.append(&blocks(1)[0]).unwrap();
        assert!(Journal::open(&path, [9; 4]).unwrap().1.is_empty());
    }
}
