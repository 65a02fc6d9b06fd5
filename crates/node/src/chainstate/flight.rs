//! Connected blocks above the verified tip: their scripts are being verified.

use std::collections::VecDeque;
use std::sync::Arc;

use yap_chain::block::Block;
use yap_chain::header::tree::Id;
use yap_chain::undo::Undo;

/// Blocks in flight at most. The script queue's bound on inputs comes first but for nearly empty blocks.
pub(super) const MOST_BLOCKS: usize = 1_000;

/// Bytes of serialised blocks in flight at most, within one block; decoded, and with the coins that they spend, they
/// take about three times that. The script queue holds less.
pub(super) const MOST_BYTES: usize = 128 << 20;

/// A connected block whose scripts are being verified.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) id: Id,
    pub(super) block: Arc<Block>,
    pub(super) undo: Arc<Undo>,
    /// The batch at the verification engine; `None` once it was verified.
    pub(super) batch: Option<u64>,
}

/// The blocks in flight, oldest first. One that is verified stays while one before it is not.
#[derive(Debug)]
pub(super) struct Flight {
    blocks: VecDeque<InFlight>,
    bytes: usize,
    most_blocks: usize,
    most_bytes: usize,
}

impl Default for Flight {
    fn default() -> Self {
        Self::bounded(MOST_BLOCKS, MOST_BYTES)
    }
}

impl Flight {
    /// With bounds of one's own.
    pub(super) fn bounded(most_blocks: usize, most_bytes: usize) -> Self {
        Self { blocks: VecDeque::new(), bytes: 0, most_blocks, most_bytes }
    }

    /// Whether no block more may be connected before one is verified.
    pub(super) fn is_full(&self) -> bool {
        self.blocks.len() >= self.most_blocks || self.bytes >= self.most_bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// The oldest.
    pub(super) fn first(&self) -> Option<Id> {
        self.blocks.front().map(|block| block.id)
    }

    /// Adds a block that follows the newest.
    pub(super) fn push(&mut self, block: InFlight) {
        self.bytes = self.bytes.saturating_add(block.block.bytes().len());
        self.blocks.push_back(block);
    }

    /// Takes out the newest.
    pub(super) fn pop_newest(&mut self) -> Option<InFlight> {
        let block = self.blocks.pop_back();
        self.left(block)
    }

    /// Takes out the oldest if its scripts are verified.
    pub(super) fn pop_verified(&mut self) -> Option<InFlight> {
        let block = self.blocks.pop_front_if(|block| block.batch.is_none());
        self.left(block)
    }

    fn left(&mut self, block: Option<InFlight>) -> Option<InFlight> {
        let bytes = block.as_ref().map_or(0, |block| block.block.bytes().len());
        self.bytes = self.bytes.saturating_sub(bytes);
        block
    }

    /// How many are older than the one whose scripts are this batch; `None` if it was taken back.
    pub(super) fn position(&self, batch: u64) -> Option<usize> {
        self.blocks.iter().position(|block| block.batch == Some(batch))
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut InFlight> {
        self.blocks.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use yap_chain::bitcoin::consensus::serialize;
    use yap_chain::header::tree::Tree;
    use yap_chain::spec::Spec;

    use super::*;

    fn fly(flight: &mut Flight, batch: Option<u64>) {
        let spec = Arc::new(Spec::regtest());
        let block = Arc::new(Block::parse(serialize(&spec.genesis)).unwrap());
        flight.push(InFlight { id: Tree::new(spec, 0).genesis(), block, undo: Arc::default(), batch });
    }

    #[test]
    fn blocks_are_as_many_as_the_bound_says() {
        let mut flight = Flight::default();
        (1..MOST_BLOCKS).for_each(|_| fly(&mut flight, None));
        assert!(!flight.is_full(), "one below it");
        fly(&mut flight, None);
        assert!(flight.is_full());
        flight.pop_verified().unwrap();
        assert!(!flight.is_full());
    }

    #[test]
    fn bytes_are_as_many_as_the_bound_says() {
        let size = serialize(&Spec::regtest().genesis).len();
        let mut flight = Flight::bounded(MOST_BLOCKS, 10 * size);
        (1..10).for_each(|_| fly(&mut flight, Some(1)));
        assert!(!flight.is_full(), "one below it");
        fly(&mut flight, Some(1));
        assert!(flight.is_full());
        assert!(flight.pop_verified().is_none(), "the oldest is not verified");
        assert!(flight.is_full());
        flight.pop_newest().unwrap();
        assert!(!flight.is_full());
        while flight.pop_newest().is_some() {}
        assert_eq!((flight.bytes, flight.first()), (0, None));
    }
}
