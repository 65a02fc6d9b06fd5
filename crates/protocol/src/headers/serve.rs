//! Answers `getheaders`.

use bitcoin::BlockHash;
use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use yap_chain::header::tree;

use crate::ledger::Ledger;
use crate::message::{Locate, MAX_HEADERS, MAX_LOCATOR, Message};

/// Our verified chain's headers after the locator's first hash on it, or after the genesis block if there is none, up to
/// the one where to stop and at most [`MAX_HEADERS`]. An empty locator asks for the stop's header alone.
///
/// As Bitcoin Core, a chain below the minimum work is not served: whoever asks would take its headers for an attack.
/// Branches that we left are not served either: they would tell a node from others.
///
/// With it comes the last header of our chain that the peer then has, if that can be told: without a locator it may lack
/// those before.
pub(super) fn answer(locate: &Locate, ledger: &dyn Ledger) -> (Message, Option<tree::Id>) {
    let (tree, tip) = (ledger.tree(), ledger.tip());
    if tree.work(tip) < tree.spec().minimum_work {
        return (Message::Headers(Vec::new()), None);
    }
    let stop = tree.get(&locate.stop).filter(|stop| tree.is_ancestor(*stop, tip));
    if locate.locator.is_empty() {
        return (Message::Headers(stop.map(|stop| tree.header(stop)).into_iter().collect()), None);
    }
    let locator = locate.locator.get(..MAX_LOCATOR).unwrap_or(&locate.locator);
    let start = tree.height(tree.find_fork(tip, locator));
    let most = u32::try_from(MAX_HEADERS).unwrap_or(u32::MAX);
    let mut end = start.saturating_add(most).min(tree.height(tip));
    // A stop at or before the start stops nothing, as in Bitcoin Core.
    if let Some(height) = stop.map(|stop| tree.height(stop)).filter(|height| *height > start) {
        end = end.min(height);
    }
    let Some(last) = tree.ancestor(tip, end) else { return (Message::Headers(Vec::new()), None) };
    let count = end.saturating_sub(start) as usize;
    let mut headers: Vec<Header> =
        std::iter::successors(Some(last), |id| tree.parent(*id)).take(count).map(|id| tree.header(id)).collect();
    headers.reverse();
    (Message::Headers(headers), Some(last))
}

/// Asks for what follows `locator`, as much as fits.
pub(super) fn ask(locator: Vec<BlockHash>) -> Message {
    Message::GetHeaders(Locate { locator, stop: BlockHash::all_zeros() })
}
