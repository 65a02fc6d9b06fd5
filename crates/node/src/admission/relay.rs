//! The engine of admission: Bitcoin Core's for what is valid, and ours for what is relayed, on the same thread.
//!
//! A job that asks for policy bears a mark among its flags that no rule of consensus has. Most do not: whether usual
//! inputs satisfy policy is told by their form (`policy::script::is_usual`).

use yap_chain::policy;
use yap_chain::transaction::Transaction;
use yap_chain::verify::{Flags, Job};
use yap_script::engine::kernel;
use yap_script::engine::{No, Span};
use yap_script::{Engine, Kernel, Reason};

/// The mark. Bitcoin Core's flags have lower bits.
const POLICY: Flags = Flags(1 << 31);

/// Whether policy is asked too.
pub(super) fn asks_policy(flags: Flags) -> bool {
    flags.contains(POLICY)
}

/// The job, with policy asked too.
pub(super) fn marked(job: Job) -> Job {
    Job { flags: job.flags.with(POLICY), ..job }
}

/// The job as a block asks it.
pub(super) fn plain(job: &Job) -> Job {
    Job { flags: Flags(job.flags.0 & !POLICY.0), ..job.clone() }
}

/// The engine.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Relay(Kernel);

/// What inputs of a transaction share.
#[derive(Debug)]
pub(super) struct Prepared {
    kernel: kernel::Prepared,
    /// The job without its mark, and the transaction.
    marked: Option<(Job, Transaction)>,
}

impl Engine for Relay {
    type Prepared = Prepared;

    fn prepare(&self, job: &Job) -> Result<Prepared, Reason> {
        if !asks_policy(job.flags) {
            return Ok(Prepared { kernel: self.0.prepare(job)?, marked: None });
        }
        let job = plain(job);
        let transaction = Transaction::parse(job.transaction.as_slice().to_vec()).map_err(|_| Reason::Undecodable)?;
        Ok(Prepared { kernel: self.0.prepare(&job)?, marked: Some((job, transaction)) })
    }

    fn verify(&self, spans: &[Span<'_, Prepared>]) -> Vec<No> {
        let inner: Vec<_> = spans
            .iter()
            .map(|span| Span {
                job: span.prepared.marked.as_ref().map_or(span.job, |(job, _)| job),
                prepared: &span.prepared.kernel,
                inputs: span.inputs.clone(),
            })
            .collect();
        let mut noes = self.0.verify(&inner);
        for (index, span) in spans.iter().enumerate() {
            // What the engine refuses need not be asked again, nor what comes after it.
            let end = noes.iter().find(|no| no.span == index).map_or(span.inputs.end, |no| no.input);
            noes.extend(refused(span, span.inputs.start..end).map(|(input, reason)| No { span: index, input, reason }));
        }
        noes
    }

    fn appetite(&self) -> usize {
        self.0.appetite()
    }
}

/// The first of these inputs that holds, but not as policy asks.
fn refused(span: &Span<'_, Prepared>, mut inputs: std::ops::Range<usize>) -> Option<(usize, Reason)> {
    let (job, transaction) = span.prepared.marked.as_ref()?;
    inputs.find_map(|input| {
        let error = policy::script::check(transaction, input, &job.spent).err()?;
        Some((input, Reason::Policy(error)))
    })
}
