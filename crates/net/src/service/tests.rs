//! Whole networks in one process: swarms over the memory transport, whose nodes find one another by the DHT alone.

#![expect(clippy::arithmetic_side_effects, reason = "the numbers are small and of our own making")]

use super::*;

mod bounds;
mod network;
mod stories;

use network::{Network, Node, closest, config, tarpit, unpolled, without_rounds};
