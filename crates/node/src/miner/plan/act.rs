//! What is to be done now, and when to ask again.

use std::sync::Arc;

use bitcoin::BlockHash;
use yap_api::backend::{MineError, Mining};
use yap_protocol::Time;

use super::{Action, Build, OrderId, Plan, REFRESH, Settling, Stage, Work, WorkId};

impl Plan {
    /// What to do next; to be called until there is nothing more.
    pub fn poll(&mut self, now: Time) -> Option<Action> {
        if let Some(action) = self.actions.pop_front() {
            return Some(action);
        }
        match self.stage {
            Stage::Settling(settling) if now >= settling.until => {
                self.give_up(settling);
                self.actions.pop_front().or_else(|| self.begin(now))
            }
            Stage::Building(work) | Stage::Working(work) if work.order.is_none() && self.orders.first().is_some() => {
                self.cancel();
                self.actions.pop_front()
            }
            Stage::Working(work) if self.refresh_at(&work).is_some_and(|at| now >= at) => {
                Some(Action::Build(self.build(now, None)))
            }
            Stage::Idle => self.begin(now),
            Stage::Building(_) | Stage::Working(_) | Stage::Settling(_) => None,
        }
    }

    /// When [`poll`](Self::poll) has something to do that time alone brings about.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        match &self.stage {
            Stage::Settling(settling) => Some(settling.until),
            Stage::Working(work) => self.refresh_at(work),
            Stage::Building(_) => None,
            Stage::Idle => self.begin_at(),
        }
    }

    /// Builds what there is to build, if it is time.
    fn begin(&mut self, now: Time) -> Option<Action> {
        if self.begin_at()? > now {
            return None;
        }
        self.pause = None;
        let order = self.orders.first().map(|(id, ..)| id);
        Some(Action::Build(self.build(now, order)))
    }

    /// When the next block may be built; none while there is no reason to, or no tip to build on.
    fn begin_at(&self) -> Option<Time> {
        if !self.tip?.verified {
            return None;
        }
        let reason = match self.mining {
            _ if self.orders.first().is_some() => Time::ZERO,
            _ if self.catching_up => return None,
            Mining::Off => return None,
            Mining::Continuous if self.config.producers.is_some() => self.demand?,
            Mining::Continuous => Time::ZERO,
            Mining::OnDemand => self.demand?,
        };
        Some(self.pause.map_or(reason, |pause| reason.max(pause)))
    }

    /// When a work should be built anew: its pool was worth less.
    fn refresh_at(&self, work: &Work) -> Option<Time> {
        let better = work.order.is_none() && self.pool.fees > work.pool.fees;
        better.then(|| work.since.after(REFRESH))
    }

    fn build(&mut self, now: Time, order: Option<OrderId>) -> Build {
        self.works = self.works.saturating_add(1);
        let id = WorkId(self.works);
        let parent = self.parent();
        self.stage = Stage::Building(Work { id, parent, order, since: now, pool: self.pool });
        let first = self.orders.first().filter(|_| order.is_some());
        let empty = first.is_some() || self.mining == Mining::Continuous || self.is_owed();
        let (order, tries) = (first.map(|(_, order, _)| Arc::clone(order)), first.map(|(.., left)| left));
        if let Some((of, ..)) = first {
            self.orders.works(id, of);
        }
        Build { work: id, parent, order, tries, empty }
    }

    fn parent(&self) -> BlockHash {
        // Nothing is built before there is a tip.
        self.tip.map_or_else(bitcoin::hashes::Hash::all_zeros, |tip| tip.hash)
    }

    /// The work at hand.
    pub(super) fn work(&self) -> Option<Work> {
        match self.stage {
            Stage::Building(work) | Stage::Working(work) => Some(work),
            Stage::Idle | Stage::Settling(_) => None,
        }
    }

    /// Takes back the work at hand.
    pub(super) fn cancel(&mut self) {
        if self.work().is_some() {
            self.stage = Stage::Idle;
            self.actions.push_back(Action::Cancel);
        }
    }

    /// Goes on if both the ledger's verdict and another tip have come.
    pub(super) fn settle(&mut self, settling: Settling) {
        self.stage = if settling.judged && settling.moved { Stage::Idle } else { Stage::Settling(settling) };
    }

    /// The ledger did not answer, or its tip did not move: something is amiss with it.
    fn give_up(&mut self, settling: Settling) {
        self.stage = Stage::Idle;
        if let Some(order) = settling.order {
            self.finish(order, Err(MineError::Refused("the ledger does not take it".into())));
        }
    }

    /// Answers an order.
    pub(super) fn finish(&mut self, order: OrderId, outcome: Result<Vec<BlockHash>, MineError>) {
        // Whoever ordered may have gone.
        if self.orders.remove(order).is_some() {
            self.actions.push_back(Action::Done(order, outcome));
        }
        self.close_orders();
    }

    /// Answers the orders that have all they get.
    pub(super) fn close_orders(&mut self) {
        // A block that was found for one may still be taken or refused.
        let settling = match self.stage {
            Stage::Settling(settling) if !settling.judged => settling.order,
            Stage::Settling(_) | Stage::Idle | Stage::Building(_) | Stage::Working(_) => None,
        };
        while let Some(order) = self.orders.complete().filter(|order| Some(*order) != settling) {
            if let Some(found) = self.orders.remove(order) {
                self.actions.push_back(Action::Done(order, Ok(found)));
            }
        }
    }
}
