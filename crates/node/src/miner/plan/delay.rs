//! How long to wait before mining on demand.
//!
//! A payment that is made here is known here first, so whoever has made it mines it soon, and everybody else after it should
//! have been mined: only if its maker does not mine, or is gone, does it take so long. On a chain that is in use it is
//! otherwise: several have payments at once, and all hear of a new tip in the same moment. Then there is no hurry, as the tip
//! is younger than a spacing, and those with payments of their own spread over a whole one, and
//! everybody else comes after that.

use std::time::Duration;

use yap_api::backend::Mining;
use yap_protocol::Time;

use super::Plan;

impl Plan {
    /// Draws when to begin, unless that was done or there is nothing to begin.
    pub(super) fn demand(&mut self, now: Time) {
        let waits = self.mining == Mining::OnDemand && !self.catching_up && self.pool.waiting > 0;
        if !waits {
            self.demand = None;
        } else if self.demand.is_none() {
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
}
