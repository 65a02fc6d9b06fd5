//! The threads that read and prepare, and the queue that puts blocks back in the order of the input.
//!
//! None of the threads is waited for at the end: one that reads a pipe may never come back. They hold nothing but
//! their item, and end when nobody takes it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use yap_chain::block::Block;
use yap_chain::spec::Spec;

use super::read::Reader;
use super::window::{MOST_ITEMS, Window};
use super::{Origin, Problem, Source};
use crate::chainstate::{Chainstate, Error};
use crate::prepare::Prepared;

/// Time after which a stop is noticed while the input brings nothing.
const STOP_INTERVAL: Duration = Duration::from_millis(100);

/// What was found in the input, in its order.
#[derive(Debug)]
pub(super) enum Item {
    Block { origin: Origin, prepared: Prepared },
    Known { size: usize },
    Problem(Problem),
}

impl Item {
    /// Bytes that count in the [`Window`].
    fn held(&self) -> usize {
        match self {
            Self::Block { prepared, .. } => prepared.block().bytes().len(),
            Self::Known { .. } | Self::Problem(_) => 0,
        }
    }
}

/// What the reading thread hands on.
pub(super) enum Read {
    /// A block, to be prepared.
    Block(Origin, Block),
    /// Anything else is passed on as it is.
    Done(Item),
}

impl Read {
    /// As [`Item::held`].
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Block(_, block) => block.bytes().len(),
            Self::Done(item) => item.held(),
        }
    }
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    Item(Item),
    /// The input is at its end.
    End,
    /// The user wants no more.
    Stopped,
}

/// The input, with the threads that feed it.
#[derive(Debug)]
pub(super) struct Stages {
    items: Receiver<(u64, Item)>,
    /// Items that came before one that stands in front of them in the input; the window bounds them.
    waiting: BTreeMap<u64, Item>,
    next: u64,
    window: Arc<Window>,
    stop: Arc<AtomicBool>,
    reader: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
}

impl Stages {
    /// Starts one thread that reads and `threads` that prepare.
    pub(super) fn start(
        chainstate: &Chainstate,
        sources: &[Source],
        threads: usize,
        stop: &Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let (send_raw, raw) = bounded::<(u64, Read)>(MOST_ITEMS);
        let (send_items, items) = bounded(MOST_ITEMS);
        let mut workers = Vec::new();
        for _ in 0..threads.max(1) {
            let (raw, send, spec) = (raw.clone(), send_items.clone(), Arc::clone(chainstate.spec()));
            workers.push(spawn("prepare", move || prepare_all(&raw, &send, &spec))?);
        }
        let window = Arc::new(Window::default());
        let reader = Reader::new(chainstate, Arc::clone(&window), send_raw);
        let sources: Vec<_> = sources.iter().cloned().map(Arc::new).collect();
        let reader = spawn("read", move || reader.run(&sources))?;
        let stop = Arc::clone(stop);
        Ok(Self { items, waiting: BTreeMap::new(), next: 0, window, stop, reader, workers })
    }

    /// Waits for what comes next in the order of the input.
    pub(super) fn next(&mut self) -> Result<Next, Error> {
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(Next::Stopped);
            }
            if let Some(item) = self.waiting.remove(&self.next) {
                self.next = self.next.wrapping_add(1);
                self.window.leave(item.held());
                return Ok(Next::Item(item));
            }
            match self.items.recv_timeout(STOP_INTERVAL) {
                Ok((number, item)) => {
                    self.waiting.insert(number, item);
                }
                // They work until the reader ends: one that ended before has lost its item, and the others wait for it.
                Err(RecvTimeoutError::Timeout) if self.reader.is_finished() || !self.a_worker_ended() => {}
                Err(RecvTimeoutError::Timeout) => return Err(Error::Worker("parsing")),
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            }
        }
    }

    fn a_worker_ended(&self) -> bool {
        self.workers.iter().any(JoinHandle::is_finished)
    }

    /// Every thread has ended. Says so, or that one of them did not reach its end.
    fn end(&mut self) -> Result<Next, Error> {
        let whole = self.workers.drain(..).all(|worker| worker.join().is_ok());
        if whole && self.waiting.is_empty() { Ok(Next::End) } else { Err(Error::Worker("parsing")) }
    }
}

impl Drop for Stages {
    fn drop(&mut self) {
        self.window.close();
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(body)
}

fn prepare_all(raw: &Receiver<(u64, Read)>, send: &Sender<(u64, Item)>, spec: &Spec) {
    for (number, read) in raw {
        let item = match read {
            Read::Done(item) => item,
            Read::Block(origin, block) => Item::Block { origin, prepared: Prepared::new(block, spec) },
        };
        if send.send((number, item)).is_err() {
            return;
        }
    }
}
