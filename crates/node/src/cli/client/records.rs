//! `yap put`, `get`, `provide`, `providers`, `publish`: what the peer-to-peer network keeps and carries for applications.

use clap::Args;
use serde_json::{Value, json};

use super::reply::{Reply, entries};
use super::text::count;
use super::{Link, Output, Run};
use crate::cli::Ending;

#[derive(Debug, Args)]
pub(in crate::cli) struct Put {
    /// Name under which it is found.
    key: String,
    /// What is kept, up to 60,000 bytes.
    #[arg(allow_hyphen_values = true)]
    value: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Key {
    /// Name of what is meant.
    key: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Publish {
    /// Topic; whoever subscribes to it hears the message.
    topic: String,
    /// What is said.
    #[arg(allow_hyphen_values = true)]
    message: String,
}

impl Put {
    pub(super) fn run(&self, link: &Link, output: &Output) -> Run {
        let reply = link.call("put", json!([self.key, self.value]))?;
        let holders = reply.as_u64().or_else(|| reply.number("holders"));
        output.reply(&reply, || match holders {
            Some(0) => "kept here; no peer holds it yet\n".into(),
            Some(holders) => format!("kept by {}\n", count(holders, "peer")),
            None => "kept\n".into(),
        })?;
        link.warn_if_alone(output);
        Ok(Ending::Done)
    }
}

/// `yap get`.
pub(super) fn get(key: &Key, link: &Link, output: &Output) -> Run {
    let reply = link.call("get", json!([key.key]))?;
    let value = reply.as_str().unwrap_or_else(|| reply.text("value")).to_owned();
    output.reply(&reply, || format!("{value}\n"))?;
    Ok(Ending::Done)
}

/// `yap provide`.
pub(super) fn provide(key: &Key, link: &Link, output: &Output) -> Run {
    let reply = link.call("provide", json!([key.key]))?;
    output.reply(&reply, || format!("told the network that this node has {}\n", key.key))?;
    link.warn_if_alone(output);
    Ok(Ending::Done)
}

/// `yap providers`.
pub(super) fn providers(key: &Key, link: &Link, output: &Output) -> Run {
    let reply = link.call("providers", json!([key.key]))?;
    output.reply(&reply, || {
        let names: Vec<&str> = entries(&reply).iter().filter_map(Value::as_str).collect();
        if names.is_empty() { "nobody that can be reached has it\n".into() } else { format!("{}\n", names.join("\n")) }
    })?;
    Ok(Ending::Done)
}

impl Publish {
    pub(super) fn run(&self, link: &Link, output: &Output) -> Run {
        let reply = link.call("publish", json!([self.topic, self.message]))?;
        output.reply(&reply, || "published\n".into())?;
        link.warn_if_alone(output);
        Ok(Ending::Done)
    }
}
