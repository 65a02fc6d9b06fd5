//! `feefilter` (BIP-0133): what peers need not tell us of, and we need not tell them.

use std::time::Duration;

use bitcoin::Amount;

use crate::ledger::Ledger;
use crate::link::PeerId;
use crate::message::Message;
use crate::time::Time;

use super::timers::Timer;
use super::{Outcome, State};

/// Mean time between two looks at what a peer was told (Bitcoin Core's number).
pub const FEE_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Least time between two; with up to [`FEE_INTERVAL`] more, the mean is that.
const FEE_LEAST: Duration = Duration::from_secs(5 * 60);

/// Longest wait after a change by more than a quarter (Bitcoin Core's number), and the bound of the rate.
pub const FEE_CHANGE: Duration = Duration::from_secs(5 * 60);

/// The least feerate that is told apart from none.
const LOWEST: u64 = 50;

impl State {
    /// A peer wants nothing that pays less. What can't be a feerate is passed over.
    pub(super) fn filtered(&mut self, name: PeerId, feerate: u64) {
        if let Some(peer) = self.peers.get_mut(&name)
            && feerate <= Amount::MAX_MONEY.to_sat()
        {
            peer.filter = feerate;
        }
    }

    /// Tells a peer what we want, if it was told something else, and sets the time of the next look.
    pub(super) fn tell_filter(&mut self, name: PeerId, now: Time, ledger: &dyn Ledger) {
        let Some(peer) = self.peers.get_mut(&name) else { return };
        if !peer.facts.accept || !self.config.relay {
            return;
        }
        // While blocks are caught up with, no transaction is of use.
        let feerate = if self.catching_up { Amount::MAX_MONEY.to_sat() } else { round(ledger.min_feerate()) };
        if peer.filter_sent != Some(feerate) {
            peer.filter_sent = Some(feerate);
            self.out.push(Outcome::Send(name, Message::FeeFilter(feerate)));
        }
        let at = now.after(FEE_LEAST).after(self.random.up_to(FEE_INTERVAL));
        self.timers.set(name, Timer::Fee, at);
    }

    /// The mempool has changed: peers that were told something very different are told sooner.
    pub(super) fn fees_changed(&mut self, now: Time, ledger: &dyn Ledger) {
        let feerate = if self.catching_up { Amount::MAX_MONEY.to_sat() } else { ledger.min_feerate() };
        if self.fee_seen == Some(feerate) {
            return;
        }
        self.fee_seen = Some(feerate);
        for (name, peer) in &self.peers {
            let Some(sent) = peer.filter_sent else { continue };
            let near = feerate >= sent.saturating_mul(3) / 4 && feerate <= sent.saturating_mul(4) / 3;
            let late = self.timers.at(*name, Timer::Fee).is_some_and(|at| at > now.after(FEE_CHANGE));
            if !near && late {
                self.timers.set(*name, Timer::Fee, now.after(self.random.up_to(FEE_CHANGE)));
            }
        }
    }
}

/// The greatest of few numbers that is not above `feerate`. Each is a tenth above the one before, so that they say little
/// of who tells them. What is told is never above what we take: a payment of exactly that would stop here.
fn round(feerate: u64) -> u64 {
    let mut below = 0;
    let mut step = LOWEST;
    // Ends: each step is greater than the last by a tenth, and MAX_MONEY is reached after some 300.
    while step <= feerate && below < Amount::MAX_MONEY.to_sat() {
        below = step;
        step = step.saturating_add((step / 10).max(1));
    }
    below
}

#[cfg(test)]
mod tests {
    use bitcoin::Amount;

    use super::round;

    #[test]
    fn feerates_are_told_in_steps_of_a_tenth_and_never_above_what_is_taken() {
        assert_eq!([0, 49, 50].map(round), [0, 0, 50]);
        for feerate in [51, 100, 1_000, 12_345, 10_000_000] {
            let told = round(feerate);
            assert!(told <= feerate && feerate <= told + told / 10, "{told} for {feerate}");
        }
        assert!(round(u64::MAX) < 22 * Amount::MAX_MONEY.to_sat() / 20);
    }
}
