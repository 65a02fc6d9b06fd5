//! The chain that test peers are on unless told otherwise: regtest's rules, with a genesis block of its own.

use std::path::{Path, PathBuf};

use bitcoin::Target;
use bitcoin::hashes::{Hash, sha256};
use yap_chain::spec::{self, Spec};

/// Name of the built-in chain.
pub const NAME: &str = "lab";

/// Hashes that may be tried for its genesis block: half of all meet the target.
const ATTEMPTS: u32 = 1 << 16;

/// Hashes that a block of a chain may take, so that peers of one test machine mine at once.
const MOST_WORK: u32 = 1 << 12;

/// Why a chain can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file can't be read.
    #[error("can't read the chain in {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file describes no chain.
    #[error("{} describes no chain: {source}", path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: spec::file::Error,
    },
    /// Its blocks take too much work, or are signed.
    #[error("the chain {name} can't be mined here: a test chain has regtest's easy target and no challenge")]
    Work {
        /// Its name.
        name: String,
    },
}

/// The built-in chain: the same in every process.
#[must_use]
pub fn built_in() -> Spec {
    easy(NAME)
}

/// A chain with regtest's rules that follows from its name, so that chains of two names have nothing in common.
/// [`Spec::to_toml`] writes it for [`read`].
///
/// # Panics
/// If the name is none that a chain can have.
#[must_use]
pub fn easy(name: &str) -> Spec {
    let hash = sha256::Hash::hash(name.as_bytes()).to_byte_array();
    let [m0, m1, m2, m3] = hash.first_chunk().copied().unwrap_or_default();
    let text = format!(
        r#"name = "{name}"
ticker = "LAB"
magic = "{m0:02x}{m1:02x}{m2:02x}{m3:02x}"

[genesis]
message = "Stones that are carried from one end of the table to the other: {name}"
time = 1767225600
bits = "207fffff"
nonce = 0

[work]
limit = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
spacing = 600
retarget = "none"

[subsidy]
initial = 5000000000
halving = 0
"#
    );
    let mut spec = Spec::draft(&text).expect("with a name that a chain can have, it is a chain");
    spec.mine_genesis(ATTEMPTS).expect("half of all nonces will do");
    spec
}

/// The chain that a file describes.
///
/// # Errors
/// If it can't be read, or not be mined by a test.
pub fn read(path: &Path) -> Result<Spec, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    let spec = Spec::from_toml(&text).map_err(|source| Error::Invalid { path: path.to_owned(), source })?;
    let easy = Target::from_compact(spec.genesis.header.bits).to_work() <= easiest(MOST_WORK);
    if easy && spec.challenge.is_none() { Ok(spec) } else { Err(Error::Work { name: spec.name }) }
}

/// The work of `hashes` hashes.
fn easiest(hashes: u32) -> bitcoin::Work {
    let mut bytes = [0; 32];
    if let Some(last) = bytes.last_chunk_mut::<4>() {
        *last = hashes.to_be_bytes();
    }
    bitcoin::Work::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_chain_is_the_same_every_time_and_nobody_elses() {
        let spec = built_in();
        assert_eq!(spec, built_in());
        assert_ne!(spec.genesis.block_hash(), Spec::regtest().genesis.block_hash());
        assert_ne!(spec.genesis.block_hash(), easy("other").genesis.block_hash());
    }

    #[test]
    fn a_chain_of_ones_own_is_read_from_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chain.toml");
        let other = easy("other");
        std::fs::write(&path, other.to_toml()).unwrap();
        assert_eq!(read(&path).unwrap(), other);
    }

    #[test]
    fn chains_that_take_work_or_signatures_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chain.toml");
        assert!(matches!(read(&path), Err(Error::Unreadable { .. })));
        std::fs::write(&path, "name = 7").unwrap();
        assert!(matches!(read(&path), Err(Error::Invalid { .. })));
        let signed =
            Spec { name: "signed".into(), challenge: Some(bitcoin::ScriptBuf::from_bytes(vec![0x51])), ..built_in() };
        std::fs::write(&path, signed.to_toml()).unwrap();
        assert!(matches!(read(&path), Err(Error::Work { .. })));
    }
}
