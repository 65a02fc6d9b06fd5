//! Blocks in the framing of block files: magic, `u32` little-endian length, block.

use bitcoin::Block;
use bitcoin::consensus::encode;

/// One block file of those blocks.
#[must_use]
pub fn file<'a>(blocks: impl IntoIterator<Item = &'a Block>, magic: [u8; 4]) -> Vec<u8> {
    let mut file = Vec::new();
    for block in blocks {
        let bytes = encode::serialize(block);
        file.extend_from_slice(&magic);
        file.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        file.extend_from_slice(&bytes);
    }
    file
}

/// The blocks of a block file, as bytes.
///
/// # Panics
/// If the file has another magic, or ends within a block.
#[must_use]
pub fn blocks(file: &[u8], magic: [u8; 4]) -> Vec<&[u8]> {
    let mut rest = file;
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let (head, body) = rest.split_at(8);
        assert_eq!(head[..4], magic, "a record begins with the chain's magic");
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let (block, after) = body.split_at(length);
        blocks.push(block);
        rest = after;
    }
    blocks
}
