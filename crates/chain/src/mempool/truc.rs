//! Transactions of version 3, "topologically restricted until confirmation" (BIP-0431): one unconfirmed parent, one
//! unconfirmed child, and small, so that nobody can pin them by adding to what they would have to pay for.

use super::Mempool;
use super::check::Offer;
use super::cluster::bit;
use super::nodes::{Slot, Spot};
use super::refusal::Truc;
use super::relation::Kin;
use crate::transaction::Transaction;

/// The version that opts in.
const VERSION: i32 = 3;

/// Virtual bytes of a transaction of version 3 (BIP-0431, rule 4).
pub(super) const MAX_VSIZE: u64 = 10_000;

/// Virtual bytes of one that spends an unconfirmed output (BIP-0431, rule 5).
pub(super) const MAX_CHILD_VSIZE: u64 = 1000;

/// Unconfirmed transactions from the first ancestor to itself, and from itself to the last descendant.
const LIMIT: u32 = 2;

impl Mempool {
    /// Checks the rules for one transaction. If its only fault is that its parent has a child already, which has no
    /// other relatives, gives that child: it may be replaced.
    pub(super) fn truc(&self, transaction: &Transaction, vsize: u64, kin: &Kin) -> Result<Option<Slot>, Truc> {
        let restricted = is_restricted(transaction);
        self.inheritance(restricted, kin)?;
        if !restricted {
            return Ok(None);
        }
        within(vsize, MAX_VSIZE)?;
        let [parent] = *kin.parents.as_slice() else {
            return if kin.parents.is_empty() { Ok(None) } else { Err(Truc::Ancestors) };
        };
        let spot = self.nodes.spot(parent).unwrap_or_default();
        if self.graph.ancestors(spot).count_ones() >= LIMIT {
            return Err(Truc::Ancestors);
        }
        within(vsize, MAX_CHILD_VSIZE)?;
        self.only_child(parent, spot, kin)
    }

    /// Version 3 spends unconfirmed outputs of version 3 only, and other versions those of others only (BIP-0431,
    /// rule 2).
    fn inheritance(&self, restricted: bool, kin: &Kin) -> Result<(), Truc> {
        let parents = kin.parents.iter().filter_map(|slot| self.nodes.entry(*slot));
        let mut strange = parents.filter(|parent| is_restricted(parent.transaction()) != restricted);
        strange.next().map_or(Ok(()), |parent| Err(Truc::Inheritance { parent: parent.txid() }))
    }

    fn only_child(&self, parent: Slot, spot: Spot, kin: &Kin) -> Result<Option<Slot>, Truc> {
        let Some(cluster) = self.graph.cluster(spot.cluster) else { return Ok(None) };
        let children = self.graph.descendants(spot) & !bit(spot.position.into());
        if children == 0 || cluster.members(children).any(|child| kin.conflicts.contains(&child)) {
            return Ok(None);
        }
        // More than one child, or one with other parents, is there only after blocks were taken back.
        let single = children.count_ones() == 1 && cluster.with_ancestors(children).count_ones() == LIMIT;
        match cluster.members(children).next() {
            Some(sibling) if single => Ok(Some(sibling)),
            _ => Err(self.has_child(parent)),
        }
    }

    fn has_child(&self, parent: Slot) -> Truc {
        let parent = self.nodes.entry(parent).map(|entry| entry.txid());
        Truc::Descendants { parent: parent.unwrap_or_else(bitcoin::hashes::Hash::all_zeros) }
    }

    /// Checks the rules for two transactions offered together, the second of which spends from the first.
    pub(super) fn truc_pair(
        &self,
        (parent, above): (&Offer, &Kin),
        (child, beside): (&Offer, &Kin),
    ) -> Result<(), Truc> {
        // No sibling is replaced for a pair.
        for (offer, kin) in [(parent, above), (child, beside)] {
            if self.truc(&offer.transaction, offer.vsize(), kin)?.is_some() {
                return Err(kin.parents.first().map_or(Truc::Ancestors, |parent| self.has_child(*parent)));
            }
        }
        let restricted = is_restricted(&child.transaction);
        if is_restricted(&parent.transaction) != restricted {
            return Err(Truc::Inheritance { parent: parent.txid() });
        }
        if !restricted {
            return Ok(());
        }
        if !above.parents.is_empty() || !beside.parents.is_empty() {
            return Err(Truc::Ancestors);
        }
        within(child.vsize(), MAX_CHILD_VSIZE)
    }
}

fn is_restricted(transaction: &Transaction) -> bool {
    transaction.decoded().version.0 == VERSION
}

fn within(vsize: u64, most: u64) -> Result<(), Truc> {
    if vsize > most { Err(Truc::Size { vsize, most }) } else { Ok(()) }
}
