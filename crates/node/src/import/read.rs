//! The thread that reads: finds records in files and pipes, and parses them.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::sync::Arc;

use crossbeam_channel::Sender;
use yap_chain::bitcoin::BlockHash;
use yap_chain::bitcoin::hashes::Hash;
use yap_chain::block::{Block, HEADER_SIZE};
use yap_chain::spec::{NAMES, Spec};
use yap_store::framing::{self, Flaw};

use super::stages::{Item, Read};
use super::window::Window;
use super::{Origin, Problem, Source, mask};
use crate::chainstate::Chainstate;

type Input = Box<dyn io::Read>;

pub(super) struct Reader {
    magic: [u8; 4],
    /// Blocks that are stored already need no second look.
    known: BTreeSet<BlockHash>,
    window: Arc<Window>,
    send: Sender<(u64, Read)>,
    next: u64,
}

impl Reader {
    /// What reads for `chainstate` as far ahead as `window` allows.
    pub(super) fn new(chainstate: &Chainstate, window: Arc<Window>, send: Sender<(u64, Read)>) -> Self {
        let (magic, known) = (chainstate.spec().magic, chainstate.stored_hashes());
        Self { magic, known, window, send, next: 0 }
    }

    /// Reads all sources, one after the other, until nobody wants more.
    pub(super) fn run(mut self, sources: &[Arc<Source>]) {
        for source in sources {
            tracing::info!(%source, "reading");
            let more = match open(source) {
                Ok((start, input)) => self.read(source, start, input),
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
    fn read(&mut self, source: &Arc<Source>, start: Vec<u8>, input: Input) -> bool {
        let other = other_chain(&start, self.magic);
        let mut records = framing::Reader::new(io::Cursor::new(start).chain(input), self.magic);
        while let Some(found) = records.next() {
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
                    let problem = match other.filter(|_| offset == 0 && why == Flaw::Garbage) {
                        Some(chain) => Problem::OtherChain { origin: origin(offset), bytes, chain },
                        None => Problem::Damaged { origin: origin(offset), bytes, why },
                    };
                    Read::Done(Item::Problem(problem))
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

    /// Hands on once there is room. False when nobody wants more.
    fn send(&mut self, read: Read) -> bool {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.window.enter(read.held()) && self.send.send((number, read)).is_ok()
    }
}

/// Opens an input, and reads its first four bytes.
fn open(source: &Source) -> io::Result<(Vec<u8>, Input)> {
    let mut input: Input = match source {
        Source::File(path) => Box::new(mask::open(path)?),
        Source::Stdin => Box::new(io::stdin()),
    };
    let mut start = Vec::new();
    input.by_ref().take(4).read_to_end(&mut start)?;
    Ok((start, input))
}

/// The built-in chain whose blocks an input that starts like this holds, if it is another than the one with `magic`.
fn other_chain(start: &[u8], magic: [u8; 4]) -> Option<&'static str> {
    let of = |name: &&str| Spec::builtin(name).is_some_and(|spec| spec.magic == start && spec.magic != magic);
    NAMES.into_iter().find(of)
}
