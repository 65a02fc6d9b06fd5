//! How long to wait before mining on demand.
//!
//! A payment that is made here is known here first, so whoever has made it mines it soon, and everybody else after it should
//! have been mined: only if its maker does not mine, or is gone, does it take so long. On a chain that is in use it is
//! otherwise: several have payments at once, and all hear of a new tip in the same moment. Then there is no hurry, as the tip
//! is younger than a spacing, and those with payments of their own spread over a whole one, and
//! everybody else comes after that.
//!
//! Where producers sign the blocks, work is no matter, and nothing else spaces them: a block comes a spacing after the tip at
//! the soonest. So that more than two thirds of the producers build on each, whoever signed last comes last: of `n` producers, one
//! on whose last block `d` others lie waits `n - 1 - d` parts of `n - 1` of a spacing more. Who is in turn and silent is thus
//! passed over after such a part. It is a habit and no rule: a block out of turn is as good as any other.

use std::time::Duration;

use yap_api::backend::Mining;
use yap_protocol::Time;

use super::Plan;

impl Plan {
    /// Draws when to begin, unless that was done or there is nothing to begin.
    pub(super) fn demand(&mut self, now: Time) {
        let waits = match self.mining {
            _ if self.catching_up => false,
            Mining::Off => false,
            Mining::OnDemand => self.pool.waiting > 0 || self.is_owed(),
            Mining::Continuous => self.config.producers.is_some(),
        };
        if !waits {
            self.demand = None;
        } else if self.demand.is_none() {
            if let Some(producers) = self.config.producers {
                self.demand = Some(self.in_turn(now, producers));
                return;
            }
            let spacing = self.config.spacing;
            let busy = self.tip_since.is_some_and(|since| now.since(since) < spacing);
            let part = |divisor| spacing.checked_div(divisor).unwrap_or_default();
            let (least, width) = match (self.pool.own > 0, busy) {
                (true, false) => (Duration::ZERO, part(5)),
                (true, true) => (Duration::ZERO, spacing),
                (false, false) => (part(2), spacing),
                (false, true) => (spacing, spacing),
            };
            self.demand = Some(now.after(least).after(self.random.up_to(width)));
        }
    }

    /// Whether a block without transactions is wanted, so that one with some becomes irreversible.
    pub(super) fn is_owed(&self) -> bool {
        self.config.producers.is_some() && self.turn.owed
    }

    /// When this producer's turn comes.
    fn in_turn(&mut self, now: Time, producers: u16) -> Time {
        let spacing = self.config.spacing;
        let begins = self.tip_since.map_or(now, |since| since.after(spacing).max(now));
        let others = producers.saturating_sub(1);
        let before = others.saturating_sub(self.turn.since);
        let part = spacing.checked_div(others.into()).unwrap_or_default();
        let width = spacing.checked_div(5).unwrap_or_default();
        begins.after(part.saturating_mul(before.into())).after(self.random.up_to(width))
    }
}
