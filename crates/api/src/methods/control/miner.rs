//! When this node mines by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::{Miner, Mining};
use crate::error::{Code, Error};
use crate::method::{Access, Context, Group, Method};

/// When a node mines by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// Never.
    Off,
    /// While transactions wait.
    OnDemand,
    /// Always.
    Continuous,
}

impl From<Mining> for Mode {
    fn from(mining: Mining) -> Self {
        match mining {
            Mining::Off => Self::Off,
            Mining::OnDemand => Self::OnDemand,
            Mining::Continuous => Self::Continuous,
        }
    }
}

impl From<Mode> for Mining {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Off => Self::Off,
            Mode::OnDemand => Self::OnDemand,
            Mode::Continuous => Self::Continuous,
        }
    }
}

/// How the miner of this node stands.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetMiner {}

/// How the miner stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct MinerInfo {
    /// When it mines: `off`, `ondemand` (while transactions wait) or `continuous`.
    mining: Mode,
    /// Threads that it may use.
    threads: usize,
    /// Whether it is at work now.
    working: bool,
    /// Hashes per second of the last block that was worked on; 0 if there was none.
    hashespersec: f64,
    /// Blocks found since the node started.
    found: u64,
}

impl From<Miner> for MinerInfo {
    fn from(miner: Miner) -> Self {
        Self {
            mining: miner.mining.into(),
            threads: miner.threads,
            working: miner.working,
            hashespersec: miner.rate,
            found: miner.found,
        }
    }
}

impl Method for GetMiner {
    const NAME: &'static str = "getminer";
    const GROUP: Group = Group::Control;
    const ACCESS: Access = Access::Open;
    type Reply = MinerInfo;

    async fn call(self, context: Context) -> Result<MinerInfo, Error> {
        Ok(context.backend.ask(|view| view.standing().miner).await?.into())
    }
}

/// Changes when this node mines by itself.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SetMining {
    /// `off`, `ondemand` (while transactions wait) or `continuous`.
    mining: Mode,
}

impl Method for SetMining {
    const NAME: &'static str = "setmining";
    const GROUP: Group = Group::Control;
    const ACCESS: Access = Access::Cookie;
    type Reply = MinerInfo;

    async fn call(self, context: Context) -> Result<MinerInfo, Error> {
        let set = context.backend.set_mining(self.mining.into()).await?;
        set.map_err(|why| Error::new(Code::Misc, why.to_string()))?;
        Ok(context.backend.ask(|view| view.standing().miner).await?.into())
    }
}
