//! The state of a chain on disk: blocks, undo data, index, UTXO set, filters.
//!
//! Inputs are blocks, the [changes](yap_chain::connect::Changes) that they make to the UTXO set, and what is known of
//! them; outputs are coins and everything that was stored. Rules are not checked here: whoever drives the store decides
//! what is valid and what the tip is.
//!
//! # On disk
//!
//! ```text
//! directory/            only its owner may look inside
//!   lock                held by the process that has the store open
//!   blocks/
//!     blk00000.dat …    blocks, in Bitcoin Core's framing (so that Core's -loadblock reads them, and we Core's)
//!     rev00000.dat …    their undo data, with checksums
//!   tables/             one keyspace of the fjall engine; the first byte of a key tells the table
//!     C ‖ txid ‖ vout   → coin
//!     F ‖ height ‖ hash → filter                 G ‖ height ‖ hash → filter header
//!     I ‖ sequence      → record of a block      L ‖ file          → how far block and undo file are filled
//!     M ‖ name          → what callers keep      S ‖ name          → schema, chain, tip
//!   tables.unfinished   there while the tables are being made, for the first time
//! ```
//!
//! # A commit
//!
//! Between commits nothing on disk says that anything has changed: blocks are appended where no row points, coins
//! change in memory. One commit is in flight at a time, on a thread of its own:
//!
//! ```text
//! caller                                   commit thread
//! write_block, write_undo, apply, …
//! begin_commit(batch) ─ coins frozen ────▶ 1. sync block and undo files
//! goes on: reads see frozen coins          2. one atomic, synced write: coins, records, filters, fill levels, tip
//! write_block, write_undo, apply, …        3. delete pruned files
//! flush / next begin_commit ◀───────────── result
//! ```
//!
//! After a crash at any point the tables are those of the last commit that reached the end of step 2. Opening cuts off
//! what the block files have beyond it; the blocks since then come again. A failed write stops the store: every later
//! change is refused with [`Error::Stopped`], and opening it again gives the last commit.
//!
//! # Example
//!
//! ```
//! use yap_chain::bitcoin::{BlockHash, hashes::Hash};
//! use yap_store::{Batch, Options, Store, Tip};
//!
//! # let temporary = tempfile::tempdir()?;
//! # let directory = temporary.path();
//! let genesis = BlockHash::all_zeros();
//! let (chain, magic) = ("example".to_owned(), *b"yap!");
//! let options = Options { chain, magic, genesis, cache: yap_store::DEFAULT_CACHE, block_file_size: 1 << 20 };
//! let mut store = Store::open(directory, &options)?;
//! assert_eq!(store.tip(), None);
//! store.begin_commit(Batch::new(Tip { hash: genesis, height: 0 }))?;
//! store.flush()?;
//! assert_eq!(store.reader().utxos()?.total(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blocks;
mod bytes;
mod coins;
mod commit;
mod database;
mod error;
pub mod framing;
mod index;
mod reader;
#[cfg(feature = "test-util")]
pub mod rows;
mod state;
mod store;

pub use blocks::{BLOCK_FILE_SIZE, FilePosition, KEPT_BLOCKS};
pub use commit::{Batch, Filter, MAX_NAME};
pub use error::{Damage, Error, RowDamage};
pub use fjall::Error as EngineError;
pub use index::{Record, Status};
pub use reader::{Reader, Utxos};
pub use state::Tip;
pub use store::{Budgets, DEFAULT_CACHE, Options, Store};

#[cfg(test)]
mod testing;
