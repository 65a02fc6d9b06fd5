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
        output.reply(&reply, || match reply.number("holders").unwrap_or(0) {
            0 => "kept here; no other peer holds it yet\n".into(),
            holders => format!("kept here and by {}\n", count(holders, "peer")),
        })?;
        warn_if_alone(&reply, output);
        Ok(Ending::Done)
    }
}

/// Tells that nobody else knows yet.
fn warn_if_alone(reply: &Value, output: &Output) {
    if reply.holds("alone") {
        output.note("no peer is connected: it is kept here, and offered to peers when they come (`yap peers`)");
    }
}

/// `yap get`.
pub(super) fn get(key: &Key, link: &Link, output: &Output) -> Run {
    let reply = link.call("get", json!([key.key]))?;
    output.reply(&reply, || format!("{}\n", reply.text("value")))?;
    if reply.holds("hex") && !output.is_json() {
        output.note("it is no text: these are hexadecimal digits");
    }
    Ok(Ending::Done)
}

/// `yap provide`.
pub(super) fn provide(key: &Key, link: &Link, output: &Output) -> Run {
    let reply = link.call("provide", json!([key.key]))?;
    output.reply(&reply, || format!("told the network that this node has {}\n", key.key))?;
    warn_if_alone(&reply, output);
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
        if reply.holds("alone") {
            output.note("no peer is connected: it is offered for half a minute to those that come");
        }
        Ok(Ending::Done)
    }
}
