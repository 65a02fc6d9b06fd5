//! Learns the headers of a regular file before its blocks are read.
//!
//! Blocks may then come in any order, wherever their parents stand in the input, and the block of assumed validity is
//! known from the start. Only a prefix of each record is read, the rest is skipped. Whatever goes wrong here is met
//! again, and reported, when the blocks are read.

use std::collections::BTreeMap;
use std::fs::{File, metadata};
use std::io::{BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use yap_chain::bitcoin::BlockHash;
use yap_chain::bitcoin::block::Header;
use yap_chain::bitcoin::consensus::deserialize;
use yap_chain::block::HEADER_SIZE;
use yap_store::framing::{FRAME, MAX_RECORD};

use super::Source;
use super::mask::{self, Unmasked};
use crate::chainstate::{Chainstate, Error};

/// Headers that are held while their parents are not known: 2 MB.
const MOST_WAITING: usize = 16_384;

/// Takes in the headers of all files among `sources`, until `stop`.
///
/// # Errors
/// If the ledger cannot go on: headers are many, and committed on the way.
pub(super) fn learn(chainstate: &mut Chainstate, sources: &[Source], now: u32, stop: &AtomicBool) -> Result<(), Error> {
    for source in sources {
        // A pipe must not even be opened: whoever writes into it would be cut off when this ends.
        if let Source::File(path) = source
            && metadata(path).is_ok_and(|file| file.is_file())
            && let Ok(file) = mask::open(path)
        {
            let mut learner = Learner { chainstate, now, stop, waiting: BTreeMap::new(), held: 0 };
            // An error of the input comes again when the blocks are read.
            if let Ok(learned) = learner.file(file) {
                learned?;
            }
        }
    }
    Ok(())
}

struct Learner<'a> {
    chainstate: &'a mut Chainstate,
    now: u32,
    stop: &'a AtomicBool,
    waiting: BTreeMap<BlockHash, Vec<Header>>,
    held: usize,
}

impl Learner<'_> {
    /// The outer error is the input's, the inner one the ledger's.
    fn file(&mut self, file: Unmasked<File>) -> std::io::Result<Result<(), Error>> {
        let magic = self.chainstate.spec().magic;
        let mut file = BufReader::with_capacity(HEADER_SIZE.saturating_add(FRAME), file);
        while !self.stop.load(Ordering::Relaxed) {
            let mut prefix = [0; FRAME];
            file.read_exact(&mut prefix)?;
            let [m0, m1, m2, m3, l0, l1, l2, l3] = prefix;
            let length = u32::from_le_bytes([l0, l1, l2, l3]);
            let Some(rest) = i64::from(length).checked_sub(80).filter(|rest| *rest >= 0) else { return Ok(Ok(())) };
            if [m0, m1, m2, m3] != magic || usize::try_from(length).is_ok_and(|length| length > MAX_RECORD) {
                return Ok(Ok(()));
            }
            let mut header = [0; HEADER_SIZE];
            file.read_exact(&mut header)?;
            if let Ok(header) = deserialize::<Header>(&header) {
                self.header(header);
            }
            if self.chainstate.commit_due()
                && let Err(error) = self.chainstate.commit()
            {
                return Ok(Err(error));
            }
            file.seek_relative(rest)?;
        }
        Ok(Ok(()))
    }

    fn header(&mut self, header: Header) {
        if self.chainstate.tree().get(&header.prev_blockhash).is_none() {
            if self.held < MOST_WAITING {
                self.held = self.held.saturating_add(1);
                self.waiting.entry(header.prev_blockhash).or_default().push(header);
            }
            return;
        }
        let mut ready = vec![header];
        while let Some(header) = ready.pop() {
            // A header that breaks a rule is reported with its block.
            if self.chainstate.accept_header(&header, self.now).is_ok() {
                let children = self.waiting.remove(&header.block_hash()).unwrap_or_default();
                self.held = self.held.saturating_sub(children.len());
                ready.extend(children);
            }
        }
    }
}
