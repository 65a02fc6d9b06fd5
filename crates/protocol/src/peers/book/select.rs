//! Whom to dial, and whom to tell of.

use crate::random::Random;
use crate::time::Timestamp;

use super::Book;
use super::rules::Entry;
use super::table::Id;

/// Draws before giving up. After about 45 of them every entry is taken, whatever its chance.
const DRAWS: u32 = 100;

/// Up to so many addresses, all are looked through when the draws find none.
const FEW: usize = 256;

/// Of which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::peers) enum Among {
    /// Either one, both as likely.
    All,
    /// Those that were only heard of.
    New,
}

impl Book {
    /// An address that `fits`. Bad ones are less likely, the more so the more often they failed.
    pub(in crate::peers) fn select(
        &self,
        among: Among,
        wall: Timestamp,
        random: &mut Random,
        fits: &dyn Fn(&Entry) -> bool,
    ) -> Option<&Entry> {
        // In millionths, growing by a fifth with every draw in vain, as in Core.
        let mut leniency: u64 = 1_000_000;
        for _ in 0..DRAWS {
            let coin = random.below(2) == 0;
            let table = match among {
                Among::New => &self.new,
                Among::All if self.tried.len() == 0 => &self.new,
                Among::All if self.new.len() == 0 || coin => &self.tried,
                Among::All => &self.new,
            };
            let entry = self.entry(table.pick(random)?)?;
            let chance = entry.chance(wall).saturating_mul(leniency) / 1_000_000;
            let lucky = random.below(1_000_000) < chance;
            leniency = leniency.saturating_mul(6) / 5;
            leniency = leniency.min(1_000_000_000_000);
            if fits(entry) && lucky {
                return Some(entry);
            }
        }
        if self.len() > FEW {
            return None;
        }
        let table = |id: &Id| self.entry(*id).filter(|entry| fits(entry));
        let mut ids: Vec<Id> = self.new.iter().map(|(_, _, id)| id).collect();
        if among == Among::All {
            ids.extend(self.tried.iter().map(|(_, _, id)| id));
        }
        random.shuffle(&mut ids);
        ids.iter().find_map(table)
    }

    /// Up to `most` addresses that are worth telling and `fit`, in random order.
    pub(in crate::peers) fn sample(
        &self,
        most: usize,
        wall: Timestamp,
        random: &mut Random,
        fits: &dyn Fn(&Entry) -> bool,
    ) -> Vec<&Entry> {
        let mut all: Vec<&Entry> = self.iter().filter(|entry| !entry.is_terrible(wall) && fits(entry)).collect();
        random.shuffle(&mut all);
        all.truncate(most);
        all
    }
}
