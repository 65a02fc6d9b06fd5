//! What is kept beside the chain itself.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::method::{Context, Method};

/// Tells which indexes there are, and how far they are. The one that is kept is that of compact block filters, and it
/// moves with the chain.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetIndexInfo {
    /// Only the index of this name.
    index_name: Option<String>,
}

/// Core's name of the index of compact block filters.
const FILTERS: &str = "basic block filter index";

impl Method for GetIndexInfo {
    known_as!("getindexinfo", Util, Open);
    type Reply = Map<String, Value>;

    async fn call(self, context: Context) -> Result<Map<String, Value>, Error> {
        let mut info = Map::new();
        if self.index_name.is_none_or(|name| name == FILTERS) {
            let height = context.backend.ask(|view| view.tree().height(view.tip())).await?;
            info.insert(FILTERS.to_owned(), json!({ "synced": true, "best_block_height": height }));
        }
        Ok(info)
    }
}
