//! The threads that read and prepare, and the queue that puts blocks back in the order of the input.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use yap_chain::bitcoin::BlockHash;
use yap_chain::bitcoin::hashes::Hash;
use yap_chain::block::{Block, HEADER_SIZE};
use yap_chain::spec::Spec;
use yap_store::framing::{self, Flaw};

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
    Known { size: usize },
    Problem(Problem),
}

/// What the reading thread hands on.
enum Read {
    /// A block, to be prepared.
    Block(Origin, Block),
    /// Anything else is passed on as it is.
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
        let (send_raw, raw) = bounded::<(u64, Read)>(QUEUE);
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

struct Reader {
    magic: [u8; 4],
    /// Blocks that are stored already need no second look.
    known: BTreeSet<BlockHash>,
    stop: Arc<AtomicBool>,
    send: Sender<(u64, Read)>,
    next: u64,
}

impl Reader {
    fn run(mut self, sources: &[Arc<Source>]) {
        for source in sources {
            let opened: io::Result<Box<dyn io::Read>> = match source.as_ref() {
                Source::File(path) => File::open(path).map(|file| Box::new(file) as Box<dyn io::Read>),
                Source::Stdin => Ok(Box::new(io::stdin())),
            };
            let more = match opened {
                Ok(input) => self.read(source, input),
                Err(why) => {
                    self.send(Read::Done(Item::Problem(Problem::Unreadable { input: Arc::clone(source), why })))
                }
            };
            if !more {
                return;
            }
        }
    }

    /// Reads one input to its end. False when nobody wants more.
    fn read(&mut self, source: &Arc<Source>, input: Box<dyn io::Read>) -> bool {
        let mut records = framing::Reader::new(input, self.magic);
        while let Some(found) = records.next() {
            if self.stop.load(Ordering::Relaxed) {
                return false;
            }
            let origin = |offset| Origin { source: Arc::clone(source), offset };
            let read = match found {
                Ok(framing::Event::Record { bytes, .. }) if self.is_known(&bytes) => {
                    Read::Done(Item::Known { size: bytes.len() })
                }
                Ok(framing::Event::Record { offset, bytes }) => {
                    let bytes = Arc::new(bytes);
                    match Block::parse(Arc::clone(&bytes)) {
                        Ok(block) => Read::Block(origin(offset), block),
                        Err(why) => {
                            // Whole blocks may stand inside, if the record's length was damaged.
                            records.reject(&bytes);
                            Read::Done(Item::Problem(Problem::NotABlock { origin: origin(offset), why }))
                        }
                    }
                }
                // Space that was reserved for later blocks, or what a record that is no block left.
                Ok(framing::Event::Skipped { why: Flaw::Padding | Flaw::NotABlock, .. }) => continue,
                Ok(framing::Event::Skipped { offset, bytes, why }) => {
                    Read::Done(Item::Problem(Problem::Damaged { origin: origin(offset), bytes, why }))
                }
                Err(why) => Read::Done(Item::Problem(Problem::Unreadable { input: Arc::clone(source), why })),
            };
            if !self.send(read) {
                return false;
            }
        }
        true
    }

    fn is_known(&self, bytes: &[u8]) -> bool {
        !self.known.is_empty()
            && bytes.get(..HEADER_SIZE).is_some_and(|header| self.known.contains(&BlockHash::hash(header)))
    }

    fn send(&mut self, read: Read) -> bool {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.send.send((number, read)).is_ok()
    }
}
