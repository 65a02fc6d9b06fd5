//! Transactions that are judged as a trial: the coins here, the scripts on another thread.

use std::sync::Arc;

use tokio::sync::oneshot;
use yap_api::backend::Tested;
use yap_chain::transaction::Transaction;

use super::Machine;
use crate::ledger::judged;

impl Machine {
    /// Tries transactions; the answer comes from another thread, since scripts may take long.
    pub(super) fn test(&mut self, transactions: Vec<Arc<Transaction>>, answer: oneshot::Sender<Vec<Tested>>) {
        let now = self.clock.wall().0;
        let (chain, admission) = self.ledger.both();
        let trials = admission.try_all(chain, transactions, now);
        let work = move || {
            let tested = trials.into_iter().map(|trial| {
                let (transaction, pays, outcome) = trial.verify();
                Tested { pays, judged: judged(&transaction, outcome) }
            });
            // Whoever asked may have gone.
            let _ = answer.send(tested.collect());
        };
        // Without a thread there is no answer, which the caller hears.
        let _ = std::thread::Builder::new().name("trial".into()).spawn(work);
    }
}
