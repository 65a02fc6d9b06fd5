//! Clients of Bitcoin Core that were written elsewhere, unchanged, against a real node in a process of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stderr,
    deprecated,
    missing_docs,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    unreachable_pub,
    clippy::too_many_lines,
    clippy::missing_panics_doc,
    reason = "a test may panic: it fails; says why it was passed over; and the client is one for tests, which its authors keep under another name by now"
)]

mod emitter;
mod errors;
mod hostile;
mod plain;
mod python;
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
#[path = "../commands/support.rs"]
mod support;
mod typed;

use corepc_client::client_sync::Auth;
use corepc_client::client_sync::v31::Client;

use crate::support::Place;

/// The client of Bitcoin Core 31, which reads every reply into a type of its own.
fn client(place: &Place) -> Client {
    let cookie = Auth::CookieFile(place.home().join(".cookie"));
    Client::new_with_auth(&format!("http://{}", place.http()), cookie).unwrap()
}
