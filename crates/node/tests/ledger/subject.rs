//! The ledger as tests drive it: block by block, each settled before the next.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;
use yap_chain::bitcoin::{BlockHash, TxOut, hashes::Hash};
use yap_chain::block::{Block, Error};
use yap_chain::header::Error as HeaderError;
use yap_chain::spec::Spec;
use yap_chain::utxo::{Hashes, Totals};
use yap_node::chainstate::{Accepted, Chainstate, Event, Options};
use yap_node::prepare::Prepared;
use yap_node::reject::Reject;
use yap_sim::unspent::{Set, Unspent};
use yap_sim::verdict::{Kind, Subject, Verdict};

/// A chainstate in a directory of its own.
pub(crate) struct Ledger {
    /// Gone while it restarts.
    chainstate: Option<Chainstate>,
    spec: Arc<Spec>,
    directory: TempDir,
}

impl Ledger {
    /// A fresh regtest chain.
    pub(crate) fn regtest() -> Self {
        Self::new(Spec::regtest())
    }

    /// A fresh chain of any kind.
    pub(crate) fn new(spec: Spec) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let spec = Arc::new(spec);
        let chainstate = Some(open(directory.path(), &spec));
        Self { chainstate, spec, directory }
    }

    pub(crate) fn chainstate(&mut self) -> &mut Chainstate {
        self.chainstate.as_mut().unwrap()
    }

    /// Commits, closes and opens again.
    pub(crate) fn restart(&mut self) -> &mut Self {
        self.chainstate().flush().unwrap();
        self.chainstate = None;
        self.chainstate = Some(open(self.directory.path(), &self.spec));
        self
    }

    /// Commits and closes, changes the first place in a block file that holds `from`, and opens again.
    pub(crate) fn overwrite(&mut self, from: &[u8], to: &[u8]) {
        assert_eq!(from.len(), to.len());
        self.chainstate().flush().unwrap();
        self.chainstate = None;
        let files = std::fs::read_dir(self.directory.path().join("blocks")).unwrap().map(|file| file.unwrap().path());
        let found = files.into_iter().find_map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            let at = bytes.windows(from.len()).position(|window| window == from)?;
            Some((path, bytes, at))
        });
        let (path, mut bytes, at) = found.expect("a block file holds it");
        bytes[at..at + to.len()].copy_from_slice(to);
        std::fs::write(path, bytes).unwrap();
        self.chainstate = Some(open(self.directory.path(), &self.spec));
    }

    /// Closes without a commit, as a crash would, and opens again.
    pub(crate) fn crash(&mut self) -> &mut Self {
        self.chainstate = None;
        self.chainstate = Some(open(self.directory.path(), &self.spec));
        self
    }

    /// The set of unspent outputs after all that was submitted.
    pub(crate) fn totals(&mut self) -> Totals {
        self.chainstate().flush().unwrap();
        self.chainstate().totals(Hashes { serialized: true, muhash: true }).unwrap()
    }

    /// Hands in a block, and waits until everything that follows from it has followed.
    pub(crate) fn give(&mut self, raw: &[u8]) -> (Option<Accepted>, Vec<Event>) {
        let Ok(block) = Block::unread(raw.to_vec()) else { return (None, Vec::new()) };
        let prepared = Prepared::new(block, &self.spec);
        let chainstate = self.chainstate();
        let accepted = chainstate.process(prepared, now()).unwrap();
        chainstate.settle().unwrap();
        (Some(accepted), std::iter::from_fn(|| chainstate.poll()).collect())
    }
}

fn open(directory: &Path, spec: &Arc<Spec>) -> Chainstate {
    Chainstate::open(directory, Arc::clone(spec), Options { threads: 2, ..Options::default() }).unwrap()
}

pub(crate) fn now() -> u32 {
    u32::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

impl Subject for Ledger {
    fn unspent(&mut self) -> Option<Set> {
        self.chainstate().flush().unwrap();
        let coins = self.chainstate().store().reader().utxos().unwrap().map(|coin| {
            let (outpoint, coin) = coin.unwrap();
            let output = TxOut { value: coin.value, script_pubkey: coin.script().into() };
            (outpoint, Unspent { output, height: coin.height, coinbase: coin.coinbase })
        });
        Some(coins.collect())
    }

    fn submit(&mut self, raw: &[u8]) -> Verdict {
        let hash = raw.get(..80).map(BlockHash::hash);
        let (accepted, events) = self.give(raw);
        match accepted {
            None => Verdict::Unreadable,
            Some(Accepted::Known) => Verdict::Duplicate,
            Some(Accepted::Rejected(Reject::Block(Error::Malformed { .. }))) => Verdict::Unreadable,
            Some(Accepted::Rejected(why)) => verdict(&why),
            Some(Accepted::Stored) => events
                .iter()
                .find_map(|event| match event {
                    Event::Invalid { hash: invalid, why, .. } if Some(*invalid) == hash => Some(verdict(why)),
                    _ => None,
                })
                .unwrap_or(Verdict::Accepted),
        }
    }

    fn tip(&self) -> (BlockHash, u32) {
        let chainstate = self.chainstate.as_ref().unwrap();
        let tip = chainstate.tip();
        (chainstate.tree().hash(tip), chainstate.tree().height(tip))
    }
}

fn verdict(why: &Reject) -> Verdict {
    Verdict::invalid(kind(why), &why.reason())
}

fn kind(why: &Reject) -> Kind {
    match why {
        Reject::Header(HeaderError::UnknownParent { .. }) => Kind::MissingParent,
        Reject::Header(HeaderError::InvalidParent { .. }) => Kind::InvalidParent,
        Reject::Header(HeaderError::KnownInvalid { .. }) => Kind::Cached,
        Reject::Header(HeaderError::TimeTooNew { .. }) => Kind::Future,
        Reject::Header(_) => Kind::Header,
        Reject::Block(error) if error.is_mutation() => Kind::Mutated,
        _ => Kind::Consensus,
    }
}
