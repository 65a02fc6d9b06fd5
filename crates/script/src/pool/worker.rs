//! One thread of the pool.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use crossbeam_channel::{Receiver, Sender, select};
use yap_chain::verify::Job;

use super::progress::{Progress, Ready, Run};
use super::queue::Queue;
use super::{Bell, Verdict};
use crate::cache::Cache;
use crate::engine::{Engine, No, Reason, Span};

pub(super) struct Worker<E: Engine> {
    pub(super) engine: Arc<E>,
    pub(super) queue: Arc<Queue<E>>,
    pub(super) cache: Option<Arc<Cache>>,
    pub(super) verdicts: Sender<Verdict>,
    /// Rung after each verdict.
    pub(super) bell: Arc<OnceLock<Bell>>,
    /// Disconnected when the pool is dropped.
    pub(super) stopped: Receiver<()>,
}

/// What is prepared of a job: this thread's own, or shared with others.
enum Loaded<'a, P> {
    Own(Ready<P>),
    Shared(&'a Ready<P>),
}

impl<P> Loaded<'_, P> {
    fn ready(&self) -> &Ready<P> {
        match self {
            Self::Own(ready) => ready,
            Self::Shared(ready) => ready,
        }
    }
}

impl<E: Engine> Worker<E> {
    /// Works until the pool is dropped.
    pub(super) fn run(&self) {
        // Without this a batch whose run was in its hands would never be answered.
        let _alarm = Alarm(&self.queue);
        while let Some(runs) = self.queue.take() {
            self.verify(&runs);
            for run in &runs {
                if run.finish() {
                    self.answer(&run.progress);
                }
            }
        }
    }

    fn verify(&self, runs: &[Run<E>]) {
        let loaded: Vec<_> = runs.iter().map(|run| self.load(run)).collect();
        let (mut spans, mut owners) = (Vec::with_capacity(runs.len()), Vec::with_capacity(runs.len()));
        for (run, loaded) in runs.iter().zip(&loaded) {
            match (loaded.ready(), run.job()) {
                (Ok(Some(prepared)), Some(job)) => {
                    spans.push(Span { job, prepared, inputs: run.inputs.clone() });
                    owners.push(run);
                }
                (Ok(_), _) => {}
                (Err(reason), _) => run.fail(run.inputs.start, *reason),
            }
        }
        for no in self.ask(&spans) {
            if let Some(run) = owners.get(no.span) {
                run.fail(no.input, no.reason);
            }
        }
    }

    fn load<'a>(&self, run: &'a Run<E>) -> Loaded<'a, E::Prepared> {
        match (run.job(), run.shared()) {
            (Some(_), _) if run.is_moot() => Loaded::Own(Ok(None)),
            (Some(job), Some(shared)) => Loaded::Shared(shared.get_or_init(|| self.prepare(run, job))),
            (Some(job), None) => Loaded::Own(self.prepare(run, job)),
            (None, _) => Loaded::Own(Ok(None)),
        }
    }

    fn prepare(&self, run: &Run<E>, job: &Job) -> Ready<E::Prepared> {
        // What is to be remembered is new: to look for it would cost as much as putting it there.
        if !run.progress.remember() && self.cache.as_ref().is_some_and(|cache| cache.contains(job)) {
            return Ok(None);
        }
        let prepared = catch_unwind(AssertUnwindSafe(|| self.engine.prepare(job)));
        prepared.unwrap_or(Err(Reason::Engine)).map(Some)
    }

    /// Asks the engine. If it panics, asks again for each run alone, so that no other run suffers.
    fn ask(&self, spans: &[Span<'_, E::Prepared>]) -> Vec<No> {
        let ask = |spans: &[Span<'_, E::Prepared>]| catch_unwind(AssertUnwindSafe(|| self.engine.verify(spans)));
        if spans.is_empty() {
            return Vec::new();
        }
        let alone = |(index, span): (usize, &Span<'_, E::Prepared>)| match ask(std::slice::from_ref(span)) {
            Ok(noes) => noes.into_iter().map(|no| No { span: index, ..no }).collect(),
            Err(_) => vec![No { span: index, input: span.inputs.start, reason: Reason::Engine }],
        };
        ask(spans).unwrap_or_else(|_| spans.iter().enumerate().flat_map(alone).collect())
    }

    fn answer(&self, progress: &Progress<E>) {
        let verdict = progress.verdict();
        if let (Ok(()), true, Some(cache)) = (&verdict.result, progress.remember(), &self.cache) {
            progress.jobs().iter().for_each(|job| cache.insert(job));
        }
        // First, so that whoever receives the verdict finds the room.
        self.queue.release(progress.size());
        select! {
            // Fails if nobody wants verdicts any more.
            send(self.verdicts, verdict) -> _ => {}
            recv(self.stopped) -> _ => {}
        }
        if let Some(bell) = self.bell.get() {
            bell();
        }
    }
}

/// Ends all threads when one of them panics, which ends the verdicts: whoever waits for one hears of it.
struct Alarm<'a, E: Engine>(&'a Queue<E>);

impl<E: Engine> Drop for Alarm<'_, E> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}
