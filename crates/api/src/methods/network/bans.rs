//! Who is not let in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::{PeerError, View};
use crate::error::{Code, Error};
use crate::method::{Access, Context, Group, Method};

/// Seconds of a ban unless told otherwise: a day, as in Bitcoin Core.
const BAN: u64 = 24 * 60 * 60;

/// Lets a peer in no more, and parts from it; or lets it in again.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SetBan {
    /// The peer's name, or its IP address. Of IPv6 the first 64 bits count.
    subnet: String,
    /// `add` to ban it, `remove` to let it in again.
    command: String,
    /// Seconds of the ban, or with `absolute` the Unix time of its end; 0 for 24 hours.
    #[serde(default)]
    bantime: u64,
    /// Whether `bantime` is the time of its end.
    #[serde(default)]
    absolute: bool,
}

impl SetBan {
    fn until(&self, now: u64) -> Result<u64, Error> {
        match (self.absolute, self.bantime) {
            (true, until) if until < now => {
                Err(Error::new(Code::InvalidParameter, "Error: Absolute timestamp is in the past"))
            }
            (true, until) => Ok(until),
            (false, 0) => Ok(now.saturating_add(BAN)),
            (false, seconds) => Ok(now.saturating_add(seconds)),
        }
    }
}

impl Method for SetBan {
    const NAME: &'static str = "setban";
    const GROUP: Group = Group::Network;
    const ACCESS: Access = Access::Cookie;
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        let invalid = |why: &str| Error::new(Code::InvalidHost, format!("Error: Invalid IP/Subnet: {why}"));
        match self.command.as_str() {
            "add" => {
                let (bans, now) = context.backend.ask(|view: &mut dyn View| (view.bans(), view.now())).await?;
                if bans.iter().any(|ban| ban.target == self.subnet) {
                    return Err(Error::new(Code::NodeAlreadyAdded, "Error: IP/Subnet already banned"));
                }
                let until = self.until(u64::from(now))?;
                let banned = context.backend.set_ban(&self.subnet, Some(until)).await?;
                banned.map_err(|error| invalid(&error.to_string()))
            }
            "remove" => {
                let lifted = context.backend.set_ban(&self.subnet, None).await?;
                lifted.map_err(|error| match error {
                    PeerError::None => {
                        let text = "Error: Unban failed. Requested address/subnet was not previously manually banned.";
                        Error::new(Code::InvalidHost, text)
                    }
                    PeerError::Address(why) => invalid(&why),
                    PeerError::Added | PeerError::Full => invalid(&error.to_string()),
                })
            }
            other => {
                let text = format!("\"{other}\" is no command: it is add or remove");
                Err(Error::new(Code::InvalidParameter, text))
            }
        }
    }
}

/// Who is not let in.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ListBanned {}

/// A ban.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Banned {
    /// Who: the name of a peer, or a host.
    address: String,
    /// Unix time at which it began; 0 if that was not kept.
    ban_created: u64,
    /// Unix time at which it ends.
    banned_until: u64,
    /// Seconds from the one to the other.
    ban_duration: u64,
    /// Seconds until it ends.
    time_remaining: u64,
}

impl Method for ListBanned {
    const NAME: &'static str = "listbanned";
    const GROUP: Group = Group::Network;
    const ACCESS: Access = Access::Cookie;
    type Reply = Vec<Banned>;

    async fn call(self, context: Context) -> Result<Vec<Banned>, Error> {
        let (bans, now) = context.backend.ask(|view: &mut dyn View| (view.bans(), view.now())).await?;
        let told = bans.into_iter().map(|ban| Banned {
            address: ban.target,
            ban_created: ban.since,
            banned_until: ban.until,
            ban_duration: ban.until.saturating_sub(ban.since),
            time_remaining: ban.until.saturating_sub(u64::from(now)),
        });
        Ok(told.collect())
    }
}

/// Lets everybody in again.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ClearBanned {}

impl Method for ClearBanned {
    const NAME: &'static str = "clearbanned";
    const GROUP: Group = Group::Network;
    const ACCESS: Access = Access::Cookie;
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        // As many as there are now; those that end meanwhile are no fault.
        for ban in context.backend.ask(|view| view.bans()).await? {
            let _ = context.backend.set_ban(&ban.target, None).await?;
        }
        Ok(())
    }
}
