//! A whole peer: the node of `yap_protocol`, a small ledger, and the network of `yap_net`.

mod book;
mod carrier;
pub mod chain;
pub mod command;
pub mod console;
mod control;
mod event;
mod funds;
mod home;
mod journal;
pub mod ledger;
mod machine;
mod network;
mod options;
mod status;
mod switchboard;
mod watch;

pub use carrier::Carrier;
pub use command::{Command, CommandError};
pub use control::{Control, RequestError, start};
pub use event::{Event, Reach, Way};
use home::random;
pub use home::{Home, StartError};
pub use ledger::{FOUNDATION, Ledger, MakeError, Place};
pub use machine::{Mined, Standing};
pub use network::Peer;
pub use options::{ArgumentError, Arguments, Options};
pub use status::{Session, Status};
pub use switchboard::{BACKLOG, Line, Switchboard};
pub use watch::{Late, Watch};
