//! What every connection shares.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use super::gate::{Caller, Doors};
use super::limits::{Lane, Limits};
use crate::method::Context;

/// What every connection shares.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) context: Context,
    pub(crate) limits: Limits,
    pub(crate) doors: Doors,
    pub(crate) owner: Lane,
    pub(crate) open: Lane,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(super) router: axum::Router,
}

impl App {
    /// What a caller's requests share.
    pub(crate) const fn lane(&self, caller: Caller) -> &Lane {
        match caller {
            Caller::Owner => &self.owner,
            Caller::Anyone => &self.open,
        }
    }
}
