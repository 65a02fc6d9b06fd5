//! On chains of signed blocks: who signed the newest ones, and which block nobody can take back.
//!
//! A block is irreversible once more than two thirds of the producers have built on it on our verified chain
//! ([`producer`]). It is fixed in the header tree at that moment, before anybody is told of the block that
//! made it so: whatever comes from then on, however much work it has, no branch that leaves it is followed.
//!
//! Nothing of this is on disk: it follows from the blocks that are. When the ledger is opened, as many of the newest are read
//! as it takes, before any other branch is looked at.

use std::collections::BTreeMap;

use yap_chain::block::Block;
use yap_chain::header::tree::{Id, Status, Tree};
use yap_chain::producer::{self, MAX_WALK, Producers};

use super::{Chainstate, Error};
use crate::reject::Reject;

/// Blocks of which it is known who signed them: all that are looked at for irreversible ones, and as many that were left.
const MOST: usize = 2 * MAX_WALK as usize;

/// The producers of a chain, and who signed its newest verified blocks.
#[derive(Debug)]
pub(super) struct Signed {
    producers: Producers,
    signers: BTreeMap<Id, u16>,
}

impl Signed {
    pub(super) fn new(producers: Producers) -> Self {
        Self { producers, signers: BTreeMap::new() }
    }

    /// Takes note of who signed a block.
    fn note(&mut self, id: Id, block: &Block) -> Option<u16> {
        let signer = self.producers.signer(block)?;
        self.insert(id, signer);
        Some(signer)
    }

    fn insert(&mut self, id: Id, signer: u16) {
        self.signers.insert(id, signer);
        while self.signers.len() > MOST {
            // Headers that came first are the lowest, or of branches that were left long ago.
            self.signers.pop_first();
        }
    }

    /// Whether so many producers are more than two thirds of all.
    fn is_enough(&self, some: usize) -> bool {
        some.saturating_mul(3) > usize::from(self.producers.count()).saturating_mul(2)
    }

    /// The newest irreversible block below `tip`, if it is above what is fixed.
    fn newest(&self, tree: &Tree, tip: Id) -> Option<Id> {
        let signer = |id| self.signers.get(&id).copied();
        producer::irreversible(tree, (tree.fixed(), tip), self.producers.count(), signer)
    }
}

impl Chainstate {
    /// The producers that sign this chain's blocks, where they are known.
    #[must_use]
    pub fn producers(&self) -> Option<&Producers> {
        self.signed.as_ref().map(|signed| &signed.producers)
    }

    /// Who signed a block, by the place among the [`producers`](Self::producers): known of the newest verified blocks.
    #[must_use]
    pub fn signer(&self, id: Id) -> Option<u16> {
        self.signed.as_ref()?.signers.get(&id).copied()
    }

    /// The newest block that nobody can take back; none where work alone counts, or as long as it is the genesis block.
    #[must_use]
    pub fn irreversible(&self) -> Option<Id> {
        Some(self.tree.fixed()).filter(|fixed| *fixed != self.tree.genesis())
    }

    /// Takes note of a block that is verified now, and fixes what it makes irreversible.
    pub(super) fn note_signer(&mut self, id: Id, block: &Block) {
        let Some(signed) = &mut self.signed else { return };
        signed.note(id, block);
        if let Some(fixed) = signed.newest(&self.tree, id) {
            self.tree.fix(fixed);
            self.index.drop_invalid(&self.tree);
        }
    }

    /// Finds again what was irreversible when the ledger was closed.
    pub(super) fn restore_signers(&mut self) -> Result<(), Error> {
        let Some(mut signed) = self.signed.take() else { return Ok(()) };
        let mut builders = std::collections::BTreeSet::new();
        let chain = std::iter::successors(Some(self.tip), |id| self.tree.parent(*id));
        for id in chain.take(MAX_WALK as usize).take_while(|id| self.has_block(*id)) {
            let block = self.read_block(id)?;
            builders.extend(signed.note(id, &block));
            if signed.is_enough(builders.len()) {
                break;
            }
        }
        if let Some(fixed) = signed.newest(&self.tree, self.tip) {
            self.tree.fix(fixed);
        }
        self.signed = Some(signed);
        Ok(())
    }

    /// Refuses a block whose branch leaves what is irreversible. Nothing is held against it: elsewhere it may be good.
    pub(super) fn refuse_fork(&self, id: Id) -> Option<Reject> {
        let fixed = self.tree.fixed();
        (self.tree.status(id) == Status::Forked)
            .then(|| Reject::Irreversible { hash: self.tree.hash(fixed), height: self.tree.height(fixed) })
    }
}

#[cfg(test)]
mod tests {
    use yap_chain::producer::Key;

    use super::super::fixture::branch;
    use super::*;

    #[test]
    fn the_oldest_signers_are_forgotten_at_the_bound_and_not_before() {
        let keys = [1, 2].map(|byte| Key::new(&[byte; 32]).unwrap().public());
        let mut signed = Signed::new(Producers::new(keys.to_vec()).unwrap());
        let ids = branch(MOST + 1);
        for &id in &ids[..MOST] {
            signed.insert(id, 1);
        }
        assert_eq!((signed.signers.len(), signed.signers.contains_key(&ids[0])), (MOST, true));
        signed.insert(ids[MOST], 0);
        assert_eq!((signed.signers.len(), signed.signers.contains_key(&ids[0])), (MOST, false));
        assert!(signed.signers.contains_key(&ids[MOST]));
    }

    #[test]
    fn more_than_two_thirds_are_enough() {
        for (count, needed) in [(1, 1), (2, 2), (3, 3), (4, 3), (6, 5), (7, 5), (16, 11)] {
            let keys = (1..=count).map(|byte| Key::new(&[byte; 32]).unwrap().public()).collect();
            let signed = Signed::new(Producers::new(keys).unwrap());
            assert!(signed.is_enough(needed) && !signed.is_enough(needed - 1), "{count}");
        }
    }
}
