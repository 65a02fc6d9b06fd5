//! A folder in which the nodes of this host note where they listen, so that two of them find each other at once, without a
//! network.
//!
//! ```text
//! <directory>/<chain>-<8 hex digits of the genesis hash>/<peer id>
//! ```

use std::io;
use std::path::{Path, PathBuf};

use libp2p::{Multiaddr, PeerId};
use yap_protocol::address::Identity;

use crate::config::Chain;

/// Where the nodes of this user on this host meet; `None` on systems where that can't be safe.
#[must_use]
pub fn default_directory() -> Option<PathBuf> {
    todo!()
}

/// Our place among the nodes of this host. It is given up when this is dropped, or the process dies.
#[derive(Debug)]
pub(crate) struct Registry {}

impl Registry {
    /// Takes our place, with no address yet. Blocks for a moment at most: to be called before the engine runs, or off its
    /// task.
    ///
    /// # Errors
    /// If the folder can't be made, belongs to somebody else, or others may write to it; `ResourceBusy` if a node with our
    /// key is there.
    pub(crate) fn enter(directory: &Path, chain: &Chain, identity: &Identity) -> io::Result<Self> {
        todo!("{directory:?} {chain:?} {identity:?}")
    }

    /// Notes where we listen: instead of what was noted before, and at once for whoever reads. At most [`MAX_ADDRESSES`]
    /// are noted.
    ///
    /// # Errors
    /// If the file can't be written; then what was noted before is gone.
    pub(crate) fn note(&mut self, addresses: &[Multiaddr]) -> io::Result<()> {
        todo!("{addresses:?}")
    }

    /// The other nodes, and where they listen. Removes what dead ones left.
    #[must_use]
    pub(crate) fn others(&self) -> Vec<(PeerId, Vec<Multiaddr>)> {
        todo!()
    }
}

/// Most addresses of one node.
pub(crate) const MAX_ADDRESSES: usize = 16;
