//! Two engines behind one: a fast one for some templates, and one whose word is final.
//!
//! A verifier that checks hundreds of signatures at a time ([`Fast`]) need not know the script language. It says which
//! templates it takes, and "yes" or "unsure" to each input; everything else, and every input it is unsure of, goes to
//! the sure engine. So a mistake of the fast one can only be a wrong "yes", and a failure is always the sure one's.
//!
//! ```text
//! spans ──template──▶ taken ──▶ Fast ──yes──▶ holds
//!            │                    └──unsure─┐
//!            └──────others──────────────────┴──▶ sure engine ──▶ holds, or not
//! ```
//!
//! A pool with one engine only is given that engine itself, and pays nothing for this module.

use std::sync::OnceLock;

use bitcoin::consensus::encode;
use yap_chain::verify::{Flags, Job};

use super::{Engine, No, Reason, Span, check_flags};
use crate::template::Template;

/// Verifies inputs of some templates, many at a time.
pub trait Fast: Send + Sync + 'static {
    /// What is computed of a transaction once: the hashes that its signature hashes share.
    type Prepared: Send + Sync;

    /// Whether inputs of this template are its business when these rules are in force.
    fn takes(&self, template: Template, flags: Flags) -> bool;

    /// Computes what the inputs of a transaction share; `None` sends them all to the sure engine.
    fn prepare(&self, job: &Job, decoded: &bitcoin::Transaction) -> Option<Self::Prepared>;

    /// Verifies inputs of many transactions. Gives the indices in `inputs` of those that it does not vouch for.
    fn unsure(&self, inputs: &[Input<'_, Self::Prepared>]) -> Vec<usize>;

    /// How many inputs are best verified in one call.
    fn appetite(&self) -> usize;
}

/// One input for a [`Fast`] verifier.
#[derive(Debug)]
pub struct Input<'a, P> {
    /// The transaction, its coins and the rules in force.
    pub job: &'a Job,
    /// The transaction, decoded.
    pub decoded: &'a bitcoin::Transaction,
    /// What [`Fast::prepare`] made of it.
    pub prepared: &'a P,
    /// The input's index in it.
    pub input: usize,
    /// How it spends its coin: one that the verifier takes.
    pub template: Template,
}

/// An engine made of a fast verifier and a sure one.
#[derive(Debug)]
pub struct Split<F, S> {
    fast: F,
    sure: S,
}

/// What both verifiers keep of a transaction. The sure one's part is made when it is first asked.
#[derive(Debug)]
pub struct Prepared<F, S> {
    decoded: bitcoin::Transaction,
    fast: Option<F>,
    sure: OnceLock<Result<S, Reason>>,
}

/// Where an input of the sure engine came from.
struct Origin {
    span: usize,
    input: usize,
}

impl<F: Fast, S: Engine> Split<F, S> {
    /// Puts `fast` in front of `sure`.
    #[must_use]
    pub fn new(fast: F, sure: S) -> Self {
        Self { fast, sure }
    }

    /// Asks the fast verifier about what it takes; gives what is left.
    fn narrow(&self, spans: &[Span<'_, Prepared<F::Prepared, S::Prepared>>]) -> Vec<Origin> {
        let (mut taken, mut origins, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for (index, span) in spans.iter().enumerate() {
            let Prepared { decoded, fast, .. } = span.prepared;
            for input in span.inputs.clone() {
                let origin = Origin { span: index, input };
                match (fast, template(span.job, decoded, input)) {
                    (Some(prepared), Some(template)) if self.fast.takes(template, span.job.flags) => {
                        taken.push(Input { job: span.job, decoded, prepared, input, template });
                        origins.push(origin);
                    }
                    _ => left.push(origin),
                }
            }
        }
        let unsure = if taken.is_empty() { Vec::new() } else { self.fast.unsure(&taken) };
        let mut origins: Vec<_> = origins.into_iter().map(Some).collect();
        left.extend(unsure.into_iter().filter_map(|index| origins.get_mut(index)?.take()));
        left
    }
}

impl<F: Fast, S: Engine> Engine for Split<F, S> {
    type Prepared = Prepared<F::Prepared, S::Prepared>;

    fn prepare(&self, job: &Job) -> Result<Self::Prepared, Reason> {
        check_flags(job.flags)?;
        let decoded: bitcoin::Transaction =
            encode::deserialize(job.transaction.as_slice()).map_err(|_| Reason::Undecodable)?;
        let (inputs, spent) = (decoded.input.len(), job.spent.len());
        if inputs != spent {
            return Err(Reason::Coins { inputs, spent });
        }
        let fast = self.fast.prepare(job, &decoded);
        Ok(Prepared { decoded, fast, sure: OnceLock::new() })
    }

    fn verify(&self, spans: &[Span<'_, Self::Prepared>]) -> Vec<No> {
        let (mut noes, mut origins, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for Origin { span, input } in self.narrow(spans) {
            let Some(Span { job, prepared, .. }) = spans.get(span) else { continue };
            match prepared.sure.get_or_init(|| self.sure.prepare(job)) {
                Ok(prepared) => {
                    rest.push(Span { job, prepared, inputs: input..input.saturating_add(1) });
                    origins.push(span);
                }
                Err(reason) => noes.push(No { span, input, reason: *reason }),
            }
        }
        let back = |no: No| Some(No { span: *origins.get(no.span)?, ..no });
        noes.extend(self.sure.verify(&rest).into_iter().filter_map(back));
        noes
    }

    fn appetite(&self) -> usize {
        self.fast.appetite().max(self.sure.appetite())
    }
}

fn template(job: &Job, decoded: &bitcoin::Transaction, input: usize) -> Option<Template> {
    let (coin, spender) = (job.spent.get(input)?, decoded.input.get(input)?);
    Some(Template::of(coin.script(), &spender.script_sig, &spender.witness))
}
