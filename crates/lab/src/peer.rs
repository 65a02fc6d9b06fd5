//! A whole peer: the node of `yap_protocol`, a small ledger, and the network of `yap_net`.

mod book;
mod carrier;
pub mod chain;
mod control;
mod event;
mod funds;
mod home;
mod journal;
pub mod ledger;
mod machine;
mod switchboard;
mod watch;

pub use carrier::Carrier;
pub use control::{Control, RequestError, start};
pub use event::{Event, Reach, Way};
use home::random;
pub use home::{Home, StartError};
pub use ledger::{FOUNDATION, Ledger, MakeError, Place};
pub use machine::{Mined, Standing};
pub use switchboard::{BACKLOG, Line, Switchboard};
pub use watch::{Late, Watch};
