#![expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it fails")]

use std::sync::Arc;

use yap_chain::bitcoin::hashes::Hash;
use yap_chain::block::Block;

use super::*;
use crate::import::Source;

/// A block of this size that is nobody's child; each number another one. What is in it, nobody here looks at.
fn block(number: usize, parent: BlockHash, size: usize) -> (Origin, Prepared) {
    assert!(size == 81 || size > 200);
    let mut bytes = vec![0; 80];
    bytes[4..36].copy_from_slice(parent.as_byte_array());
    bytes[36..44].copy_from_slice(&number.to_le_bytes());
    if size == 81 {
        bytes.push(0);
    } else {
        // One transaction: an input without a script, and an output with one that fills the size.
        let script = size - 80 - 1 - 4 - 1 - 41 - 1 - 8 - 5 - 4;
        bytes.extend([1, 1, 0, 0, 0, 1]);
        bytes.extend([0; 41]);
        bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0xfe]);
        bytes.extend(u32::try_from(script).unwrap().to_le_bytes());
        bytes.resize(size, 0);
    }
    let offset = u64::try_from(number).unwrap();
    let block = Arc::new(Block::parse(bytes).unwrap());
    assert_eq!(block.bytes().len(), size);
    (Origin { source: Arc::new(Source::Stdin), offset }, Prepared { block, verdict: Ok(()) })
}

fn parent(number: usize) -> BlockHash {
    BlockHash::hash(&number.to_le_bytes())
}

fn hold(orphans: &mut Orphans, number: usize, size: usize) -> Vec<u64> {
    let (origin, prepared) = block(number, parent(number), size);
    orphans.hold(origin, prepared).into_iter().map(|(origin, ..)| origin.offset).collect()
}

#[test]
fn blocks_are_held_up_to_the_bound_and_the_oldest_leaves_for_one_more() {
    let mut orphans = Orphans::default();
    for number in 0..MOST_BLOCKS {
        assert!(hold(&mut orphans, number, 81).is_empty());
    }
    assert_eq!(hold(&mut orphans, MOST_BLOCKS, 81), [0]);
    assert_eq!(orphans.release(parent(0)).len(), 0);
    assert_eq!(orphans.release(parent(1)).len(), 1);
    assert!(hold(&mut orphans, MOST_BLOCKS + 1, 81).is_empty());
    assert_eq!(orphans.into_left().count(), MOST_BLOCKS);
}

#[test]
fn bytes_are_held_up_to_the_bound_and_as_many_leave_as_must() {
    let mut orphans = Orphans::default();
    let quarter = MOST_BYTES / 4;
    // Many small ones, and large ones that fill the rest.
    for number in 0..500 {
        assert!(hold(&mut orphans, number, 81).is_empty());
    }
    for number in 500..503 {
        assert!(hold(&mut orphans, number, quarter).is_empty());
    }
    assert!(hold(&mut orphans, 503, quarter - 500 * 81).is_empty());
    assert_eq!(orphans.bytes, MOST_BYTES);
    // One byte too many costs one small block, a large block all the small ones and the oldest of the large ones.
    assert_eq!(hold(&mut orphans, 504, 81), [0]);
    assert_eq!(hold(&mut orphans, 505, quarter).len(), 500);
    assert!(orphans.bytes <= MOST_BYTES);
    assert_eq!(orphans.release(parent(500)).len(), 0);
    assert_eq!(orphans.release(parent(501)).len(), 1);
}

#[test]
fn all_children_of_a_parent_are_released_at_once_and_make_room() {
    let mut orphans = Orphans::default();
    for number in 0..MOST_BLOCKS {
        let (origin, prepared) = block(number, parent(number % 2), 81);
        assert!(orphans.hold(origin, prepared).is_empty());
    }
    assert_eq!(orphans.release(parent(0)).len(), MOST_BLOCKS / 2);
    assert_eq!((orphans.blocks, orphans.bytes), (MOST_BLOCKS / 2, 81 * MOST_BLOCKS / 2));
    assert!(hold(&mut orphans, MOST_BLOCKS, 81).is_empty());
    assert_eq!(orphans.order.len(), orphans.blocks);
}
