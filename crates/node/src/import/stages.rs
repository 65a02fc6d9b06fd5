//! The threads that read and prepare, and the queue that puts blocks back in the order of the input.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use yap_chain::bitcoin::BlockHash;
use yap_chain::block::HEADER_SIZE;
use yap_chain::spec::Spec;
use yap_store::framing::{self, Found};

use super::{Origin, Problem, Source};
use crate::chainstate::Chainstate;
use crate::prepare::Prepared;

/// Records that wait to be prepared, and blocks that wait to be processed: each at most so many. A block holds at most
/// 4 MB serialised, twice that decoded.
const QUEUE: usize = 8;

/// What was found in the input, in its order.
#[derive(Debug)]
pub(super) enum Item {
    Block { origin: Origin, prepared: Prepared },
    Known { origin: Origin, size: usize },
    Problem(Problem),
}

struct Record {
    origin: Origin,
    bytes: Vec<u8>,
}

enum Read_ {
    Record(Record),
    Done(Item),
}

/// An iterator over the input, with the threads that feed it.
#[derive(Debug)]
pub(super) struct Stages {
    items: Option<Receiver<(u64, Item)>>,
    waiting: BTreeMap<u64, Item>,
    next: u64,
    threads: Vec<JoinHandle<()>>,
}

impl Stages {
    /// Starts one thread that reads and `threads` that prepare.
    pub(super) fn start(
        chainstate: &Chainstate,
        sources: &[Source],
        threads: usize,
        stop: &Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let (send_raw, raw) = bounded::<(u64, Read_)>(QUEUE);
        let (send_items, items) = bounded(QUEUE);
        let mut handles = Vec::new();
        for _ in 0..threads.max(1) {
            let (raw, send, spec) = (raw.clone(), send_items.clone(), Arc::clone(chainstate.spec()));
            handles.push(spawn("prepare", move || prepare_all(&raw, &send, &spec))?);
        }
        let reader = Reader {
            magic: chainstate.spec().magic,
            known: chainstate.stored_hashes(),
            stop: Arc::clone(stop),
            send: send_raw,
            next: 0,
        };
        let sources: Vec<_> = sources.iter().cloned().map(Arc::new).collect();
        handles.push(spawn("read", move || reader.run(&sources))?);
        Ok(Self { items: Some(items), waiting: BTreeMap::new(), next: 0, threads: handles })
    }
}

impl Iterator for Stages {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let items = self.items.as_ref()?;
        loop {
            if let Some(item) = self.waiting.remove(&self.next) {
                self.next = self.next.wrapping_add(1);
                return Some(item);
            }
            let (number, item) = items.recv().ok()?;
            self.waiting.insert(number, item);
        }
    }
}

impl Drop for Stages {
    fn drop(&mut self) {
        // With nobody to take their items, the threads stop.
        self.items = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(body)
}

fn prepare_all(raw: &Receiver<(u64, Read_)>, send: &Sender<(u64, Item)>, spec: &Spec) {
    for (number, read) in raw {
        let item = match read {
            Read_::Done(item) => item,
            Read_::Record(Record { origin, bytes }) => match Prepared::new(bytes, spec) {
                Ok(prepared) => Item::Block { origin, prepared },
                Err(why) => Item::Problem(Problem::NotABlock { origin, why }),
            },
        };
        if send.send((number, item)).is_err() {
            return;
        }
    }
}

struct Reader {
    magic: [u8; 4],
    /// Blocks that are stored already need no second look.
    known: BTreeSet<BlockHash>,
    stop: Arc<AtomicBool>,
    send: Sender<(u64, Read_)>,
    next: u64,
}

impl Reader {
    fn run(mut self, sources: &[Arc<Source>]) {
        for source in sources {
            let opened: io::Result<Box<dyn Read>> = match source.as_ref() {
                Source::File(path) => File::open(path).map(|file| Box::new(file) as Box<dyn Read>),
                Source::Stdin => Ok(Box::new(io::stdin())),
            };
            let more = match opened {
                Ok(input) => self.read(source, input),
                Err(why) => self.send(Read_::Done(Item::Problem(Problem::Unreadable { source: Arc::clone(source), why }))),
            };
            if !more {
                return;
            }
        }
    }

    /// Reads one input to its end. False when nobody wants more.
    fn read(&mut self, source: &Arc<Source>, input: Box<dyn Read>) -> bool {
        for found in framing::Reader::new(input, self.magic) {
            if self.stop.load(Ordering::Relaxed) {
                return false;
            }
            let origin = |offset| Origin { source: Arc::clone(source), offset };
            let item = match found {
                Ok(Found::Record { offset, bytes }) if self.is_known(&bytes) => {
                    Read_::Done(Item::Known { origin: origin(offset), size: bytes.len() })
                }
                Ok(Found::Record { offset, bytes }) => Read_::Record(Record { origin: origin(offset), bytes }),
                Ok(Found::Damage { offset, why }) => {
                    Read_::Done(Item::Problem(Problem::Damaged { origin: origin(offset), why }))
                }
                Err(why) => {
                    Read_::Done(Item::Problem(Problem::Unreadable { source: Arc::clone(source), why }))
                }
            };
            if !self.send(item) {
                return false;
            }
        }
        true
    }

    fn is_known(&self, bytes: &[u8]) -> bool {
        !self.known.is_empty()
            && bytes.get(..HEADER_SIZE).is_some_and(|header| self.known.contains(&BlockHash::hash(header)))
    }

    fn send(&mut self, read: Read_) -> bool {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.send.send((number, read)).is_ok()
    }
}
