//! Proposals (BIP-0023): whether a block would be valid but for its proof of work.

use std::collections::HashMap;
use std::sync::Arc;

use bitcoin::{BlockHash, OutPoint};
use yap_chain::block::{self, Block};
use yap_chain::coin::Coin;
use yap_chain::connect::{self, Coins, Failure};
use yap_chain::header::tree::{Id, Status, Tree};
use yap_chain::header::{self, MAX_FUTURE};
use yap_chain::transaction::lock::Ancestors;
use yap_chain::verify::Job;

use crate::backend::{ReadError, View};
use crate::error::{Code, Error};
use crate::method::Context;

/// Why a proposal is refused, in the words of BIP-0022.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    Reason(String),
    Failed,
}

impl From<header::Error> for Refused {
    fn from(error: header::Error) -> Self {
        Self::Reason(error.reason().into_owned())
    }
}

impl From<block::Error> for Refused {
    fn from(error: block::Error) -> Self {
        Self::Reason(error.reason().to_owned())
    }
}

/// Judges a proposal: nothing if it would be valid.
pub(super) async fn judge(block: Block, context: &Context) -> Result<Option<String>, Error> {
    let block = Arc::new(block);
    let judged = context.backend.ask(move |view| connected(view, &block)).await?;
    let failed = || Error::new(Code::Verify, "The block could not be judged: see the log");
    match judged {
        Ok(jobs) => match context.backend.verify(jobs).await? {
            Some(true) => Ok(None),
            Some(false) => Ok(Some("block-script-verify-flag-failed".to_owned())),
            None => Err(failed()),
        },
        Err(Refused::Reason(reason)) => Ok(Some(reason)),
        Err(Refused::Failed) => Err(failed()),
    }
}

/// Checks all but scripts, which it gives.
fn connected(view: &mut dyn View, block: &Block) -> Result<Vec<Job>, Refused> {
    let reason = |text: &str| Err(Refused::Reason(text.to_owned()));
    let (tree, tip) = (view.tree(), view.tip());
    if let Some(id) = tree.get(&block.hash()) {
        return reason(match tree.status(id) {
            Status::Invalid | Status::Descends => "duplicate-invalid",
            Status::Valid if tree.is_ancestor(id, tip) => "duplicate",
            Status::Valid | Status::Forked => "duplicate-inconclusive",
        });
    }
    if block.header().prev_blockhash != tree.hash(tip) {
        return reason("inconclusive-not-best-prevblk");
    }
    header_in_place(view, block, tip)?;
    block::check(block)?;
    let spec = Arc::clone(view.spec());
    let height = tree.height(tip).saturating_add(1);
    let median_time_past = tree.median_time_past(tip);
    let place = block::Context { height, median_time_past, deployments: &spec.deployments };
    block::check_in_context(block, &place)?;
    let mut coins = Found::of(view, block).map_err(|_| Refused::Failed)?;
    let line = Line { tree: view.tree(), tip };
    let context = connect::Context {
        place,
        ancestors: &line,
        subsidy: spec.subsidy_at(height),
        flags: spec.script_flags(height, &block.hash()),
        scripts: true,
        seed: u64::from(view.now()),
    };
    match connect::connect(block, &context, &mut coins) {
        Ok(effect) => Ok(effect.jobs),
        Err(Failure::Rule(error)) => Err(error.into()),
        Err(Failure::Coins(never)) => match never {},
    }
}

/// The rules of a header in its place, but proof of work.
fn header_in_place(view: &dyn View, block: &Block, tip: Id) -> Result<(), header::Error> {
    let (tree, header, spec) = (view.tree(), block.header(), view.spec());
    let expected = tree.next_bits(tip, header.time);
    if header.bits != expected {
        return Err(header::Error::WrongBits { expected, found: header.bits });
    }
    let median = tree.median_time_past(tip);
    if header.time <= median {
        return Err(header::Error::TimeTooOld { time: header.time, median });
    }
    let latest = view.now().saturating_add(MAX_FUTURE);
    if header.time > latest {
        return Err(header::Error::TimeTooNew { time: header.time, latest });
    }
    let height = tree.height(tip).saturating_add(1);
    let forks = [(spec.deployments.bip34, 2), (spec.deployments.bip66, 3), (spec.deployments.bip65, 4)];
    let least = forks.into_iter().filter(|(from, _)| height >= *from).map(|(_, least)| least).max().unwrap_or(1);
    let version = header.version.to_consensus();
    if version < least { Err(header::Error::Version { version, least }) } else { Ok(()) }
}

/// The headers below a proposal.
struct Line<'a> {
    tree: &'a Tree,
    tip: Id,
}

impl Ancestors for Line<'_> {
    fn median_time_past(&self, height: u32) -> u32 {
        // A coin's height is below the block's, so the ancestor exists; the tip is the strictest answer if not.
        self.tree.median_time_past(self.tree.ancestor(self.tip, height).unwrap_or(self.tip))
    }

    fn hash(&self, height: u32) -> Option<BlockHash> {
        self.tree.ancestor(self.tip, height).map(|id| self.tree.hash(id))
    }
}

/// The coins that a proposal may ask for.
struct Found(HashMap<OutPoint, Coin>);

impl Found {
    /// Looks up what the block spends, and what it would overwrite (BIP-0030).
    fn of(view: &mut dyn View, block: &Block) -> Result<Self, ReadError> {
        let mut found = HashMap::new();
        let mut look = |outpoint: OutPoint| {
            if let Some(coin) = view.coin(&outpoint)? {
                found.insert(outpoint, coin);
            }
            Ok(())
        };
        for transaction in block.transactions() {
            let spent = transaction.decoded().input.iter().map(|input| input.previous_output);
            let made = (0_u32..).take(transaction.decoded().output.len());
            let made = made.map(|vout| OutPoint { txid: transaction.txid(), vout });
            spent.filter(|outpoint| !outpoint.is_null()).chain(made).try_for_each(&mut look)?;
        }
        Ok(Self(found))
    }
}

impl Coins for Found {
    type Error = std::convert::Infallible;

    fn coin(&mut self, outpoint: &OutPoint) -> Result<Option<Coin>, Self::Error> {
        Ok(self.0.get(outpoint).cloned())
    }
}
