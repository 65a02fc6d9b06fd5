//! Connecting and disconnecting.

mod property;
mod repeats;
mod replay;
mod rules;
