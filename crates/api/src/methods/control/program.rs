//! The program: help, time, end.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::method::{Access, Context, Group, Method};

/// A line for each method, or all about one.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Help {
    /// The method; every one is listed otherwise.
    command: Option<String>,
}

impl Method for Help {
    const NAME: &'static str = "help";
    const GROUP: Group = Group::Control;
    const ACCESS: Access = Access::Open;
    type Reply = String;

    async fn call(self, context: Context) -> Result<String, Error> {
        let Some(command) = self.command.filter(|command| !command.is_empty()) else {
            return Ok(context.methods.help());
        };
        let entry = context.methods.get(&command);
        entry.map(crate::method::Entry::help).ok_or_else(|| {
            Error::new(Code::MethodNotFound, format!("help: unknown command: {command}; help alone lists all"))
        })
    }
}

/// Ends the node: peers are told, and everything is saved.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Stop {}

impl Method for Stop {
    const NAME: &'static str = "stop";
    const GROUP: Group = Group::Control;
    const ACCESS: Access = Access::Cookie;
    type Reply = String;

    async fn call(self, context: Context) -> Result<String, Error> {
        context.backend.stop();
        Ok("Yap stopping".to_owned())
    }
}

/// Seconds since the node started.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Uptime {}

impl Method for Uptime {
    const NAME: &'static str = "uptime";
    const GROUP: Group = Group::Control;
    const ACCESS: Access = Access::Open;
    type Reply = u64;

    async fn call(self, context: Context) -> Result<u64, Error> {
        let started = context.backend.ask(|view| view.standing().started).await?;
        Ok(since(started))
    }
}

/// Seconds since a Unix time.
pub(super) fn since(started: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    now.saturating_sub(started)
}

/// Tells what the interface is doing.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetRpcInfo {}

/// What the interface is doing.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RpcInfo {
    /// Calls that are under way, this one among them.
    active_commands: Vec<ActiveCommand>,
    /// File of the log: empty, since the log goes to standard output.
    logpath: &'static str,
}

/// A call that is under way.
#[derive(Debug, Serialize, JsonSchema)]
struct ActiveCommand {
    /// Its method.
    method: &'static str,
    /// Microseconds since it began.
    duration: u64,
}

impl Method for GetRpcInfo {
    known_as!("getrpcinfo", Control, Cookie);
    type Reply = RpcInfo;

    async fn call(self, context: Context) -> Result<RpcInfo, Error> {
        let command = |(method, time): (&'static str, Duration)| ActiveCommand {
            method,
            duration: u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
        };
        let active = context.methods.active().list();
        Ok(RpcInfo { active_commands: active.into_iter().map(command).collect(), logpath: "" })
    }
}
