//! What the eight peer-to-peer operations did.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::Tally;
use crate::error::Error;
use crate::method::{Access, Context, Group, Method};

/// What the eight peer-to-peer operations did since the node started: node discovery (P1), chain comparison (P2),
/// blockchain sync (P3), handshake (P4), mempool sync (P5), transaction gossip (P6), block gossip (P7) and peer list
/// gossip (P8).
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetOperations {}

/// One operation.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Operation {
    /// `P1` to `P8`.
    id: String,
    /// Its name.
    name: String,
    /// What was counted.
    counts: BTreeMap<String, u64>,
}

impl From<Tally> for Operation {
    fn from(tally: Tally) -> Self {
        let counts = tally.counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        Self { id: tally.id.to_owned(), name: tally.name.to_owned(), counts }
    }
}

impl Method for GetOperations {
    const NAME: &'static str = "getoperations";
    const GROUP: Group = Group::Control;
    const ACCESS: Access = Access::Open;
    type Reply = Vec<Operation>;

    async fn call(self, context: Context) -> Result<Vec<Operation>, Error> {
        let tally = context.backend.ask(|view| view.tally()).await?;
        Ok(tally.into_iter().map(Operation::from).collect())
    }
}
