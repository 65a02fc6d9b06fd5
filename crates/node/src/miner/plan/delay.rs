//! How long to wait before mining on demand.
//!
//! A payment that is made here is known here first, so whoever has made it mines it soon, and everybody else after it should
//! have been mined: only if its maker does not mine, or is gone, does it take so long. After a new tip it is otherwise. All
//! hear of that in the same moment, and those whose payments are not in it would all start at once: so they spread over a
//! whole spacing.

use std::time::Duration;

use yap_api::backend::Mining;
use yap_protocol::Time;

use super::Plan;

impl Plan {
    /// Draws when to begin, unless that was done or there is nothing to begin; `at_tip` if a new tip is the reason.
    pub(super) fn demand(&mut self, now: Time, at_tip: bool) {
        let waits = self.mining == Mining::OnDemand && !self.catching_up && self.pool.waiting > 0;
        if !waits {
            self.demand = None;
        } else if self.demand.is_none() {
            let spacing = self.config.spacing;
            let (least, width) = match (self.pool.own > 0, at_tip) {
                (true, false) => (Duration::ZERO, spacing / 5),
                (true, true) => (Duration::ZERO, spacing),
                (false, _) => (spacing / 2, spacing),
            };
            self.demand = Some(now.after(least).after(self.random.up_to(width)));
        }
    }
}
