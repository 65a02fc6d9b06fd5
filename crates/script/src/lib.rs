//! Script verification: jobs in, verdicts out.
//!
//! The ledger's rules leave one question open for each transaction: are its scripts satisfied? It arrives as a
//! [`Job`](yap_chain::verify::Job), and an [`Engine`] answers it. [`Kernel`] is Bitcoin Core's own engine; [`Split`]
//! puts a verifier in front of it that knows some [`Template`]s only and checks many signatures at a time. [`Pool`]
//! keeps every core busy on one block and across blocks; [`Cache`] remembers which transactions the mempool has
//! verified.
//!
//! Not its job: any other rule of transactions and blocks (`yap-chain`), and what follows from a verdict (`yap-node`).
//!
//! ```
//! use yap_script::{Batch, Kernel, Pool, pool};
//!
//! let (pool, verdicts) = Pool::new(Kernel::new(), pool::Options::default());
//! pool.submit(Batch::new(7, Vec::new()));
//! let verdict = verdicts.recv().expect("the pool lives");
//! assert_eq!((verdict.id, verdict.result.is_ok()), (7, true));
//! ```

pub mod cache;
pub mod engine;
pub mod pool;
mod template;

pub use cache::Cache;
pub use engine::kernel::Kernel;
pub use engine::split::Split;
pub use engine::{Engine, Failure, Reason, check};
pub use pool::{Batch, Pool, Verdict};
pub use template::Template;

pub use crossbeam_channel;
pub use yap_chain;
