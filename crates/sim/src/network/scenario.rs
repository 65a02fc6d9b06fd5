//! Whole runs with a report.
//!
//! Each has a `Config`, a `run` that gives a `Report` or the [`Failure`](super::Failure) that ended it, and a table of what it found. What
//! must hold is checked while it runs; how well it went is in the report.

mod attack;
mod crash;
mod eclipse;
mod line;
mod partition;
mod propagation;
mod sync;
mod table;

pub use attack::{Attack, Config as AttackConfig, Report as AttackReport};
pub use crash::{Config as CrashConfig, Report as CrashReport};
pub use eclipse::{Config as EclipseConfig, Report as EclipseReport};
pub use line::Report as LineReport;
pub use partition::{Config as PartitionConfig, Report as PartitionReport};
pub use propagation::{Config as PropagationConfig, Early, How, Report as PropagationReport, Spread};
pub use sync::{Config as SyncConfig, Report as SyncReport};
pub use table::Table;

pub use attack::run as attack;
pub use crash::run as crash;
pub use eclipse::run as eclipse;
pub use line::run as line;
pub use partition::run as partition;
pub use propagation::run as propagation;
pub use sync::run as sync;
