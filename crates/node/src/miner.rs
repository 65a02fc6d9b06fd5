//! Mining: when, what, and the hashing.
//!
//! | module | owns |
//! |---|---|
//! | [`Plan`] | when to mine and for whom: a state machine without a clock |
//! | [`Draft`](yap_chain::block::Draft) (in `chain`) | the block that is to be found |
//! | [`Miner`] | threads that try nonces, on one block at a time |
//!
//! ```text
//! tip, pool, orders ─▶ Plan ── Build ──▶ driver: template ─▶ Draft ─▶ Miner::start
//!                       ▲ │                                              │
//!                       │ └─ Cancel ─▶ Miner::cancel                     │
//!                       └── found, spent ◀── driver ◀── Report ──────────┘
//! ```
//!
//! Whoever drives it (the node's loop) asks `Plan` what to do, makes templates, and takes what is found to the ledger.
//! Threads run at a low priority, so that mining takes only the time that nothing else wants.

mod plan;
mod search;
mod threads;

pub use self::plan::{
    Action, Build, Built, Config, MAX_ORDERS, OrderId, Plan, Pool, REFRESH, RETRY, SETTLE, Tip, Turn, WorkId,
};
pub use self::threads::{CHUNK, MAX_THREADS, Miner, Report, Work};
