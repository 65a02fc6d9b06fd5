//! What tests inside this crate share: the one node that stands in for a real one, and a server before it.

mod harness;
mod stand_in;

pub(crate) use self::harness::{Answer, Node, answers, closes, gate, open, post, until};
pub(crate) use self::stand_in::{EVENTS, StandIn};
