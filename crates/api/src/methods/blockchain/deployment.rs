//! Which soft forks hold.

use bitcoin::BlockHash;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use yap_chain::verify::Flags;

use super::super::types::{block_hash, known};
use crate::backend::View;
use crate::error::Error;
use crate::method::{Context, Method};

/// Tells which soft forks hold from which height on.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetDeploymentInfo {
    /// Block after which they are to hold; the newest if left out.
    blockhash: Option<String>,
}

/// Soft forks.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Deployments {
    /// The block.
    hash: String,
    /// Its height.
    height: u32,
    /// Names of the script rules in force for it.
    script_flags: Vec<&'static str>,
    /// By name: `type`, `active` for the block after it, and the `height` from which on.
    deployments: Map<String, Value>,
}

/// Names of the script rules, as Bitcoin Core has them.
const FLAGS: [(Flags, &str); 7] = [
    (Flags::CHECKLOCKTIMEVERIFY, "CHECKLOCKTIMEVERIFY"),
    (Flags::CHECKSEQUENCEVERIFY, "CHECKSEQUENCEVERIFY"),
    (Flags::DERSIG, "DERSIG"),
    (Flags::NULLDUMMY, "NULLDUMMY"),
    (Flags::P2SH, "P2SH"),
    (Flags::TAPROOT, "TAPROOT"),
    (Flags::WITNESS, "WITNESS"),
];

impl Method for GetDeploymentInfo {
    known_as!("getdeploymentinfo", Blockchain, Open);
    type Reply = Deployments;

    async fn call(self, context: Context) -> Result<Deployments, Error> {
        let hash = self.blockhash.map(|text| block_hash(&text, "blockhash")).transpose()?;
        context.backend.ask(move |view| deployments(view, hash)).await?
    }
}

fn deployments(view: &dyn View, hash: Option<BlockHash>) -> Result<Deployments, Error> {
    let id = hash.map_or_else(|| Ok(view.tip()), |hash| known(view, &hash))?;
    let (tree, spec) = (view.tree(), view.spec());
    let (hash, height) = (tree.hash(id), tree.height(id));
    let flags = spec.script_flags(height, &hash);
    let forks = &spec.deployments;
    let heights = [
        ("bip34", forks.bip34),
        ("bip66", forks.bip66),
        ("bip65", forks.bip65),
        ("csv", forks.csv),
        ("segwit", forks.segwit),
    ];
    let entries = heights.into_iter().chain([("taproot", 0)]).map(|(name, from)| {
        let entry = serde_json::json!({
            "type": "buried",
            "active": height.saturating_add(1) >= from,
            "height": from,
        });
        (name.to_owned(), entry)
    });
    Ok(Deployments {
        hash: hash.to_string(),
        height,
        script_flags: FLAGS.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, name)| *name).collect(),
        deployments: entries.collect(),
    })
}
