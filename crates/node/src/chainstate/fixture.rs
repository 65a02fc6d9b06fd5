//! What tests of several parts of the chainstate start from.

use std::sync::Arc;

use yap_chain::header::tree::{Id, Tree};
use yap_chain::spec::Spec;

/// As many headers as asked for, one on the other, the genesis header first.
pub(super) fn branch(count: usize) -> Vec<Id> {
    let mut tree = Tree::new(Arc::new(Spec::regtest()), 0);
    let mut ids = vec![tree.genesis()];
    while ids.len() < count {
        let mut header = Spec::regtest().genesis.header;
        header.prev_blockhash = tree.hash(*ids.last().unwrap());
        ids.push(tree.insert_trusted(&header).unwrap());
    }
    ids
}
