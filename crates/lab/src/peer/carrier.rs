//! What a peer's loop needs of a network, so that it runs over the real one and over one of a test's own.

use std::future::Future;

use yap_net::Status;
use yap_protocol::Output;

/// A network, as the loop of a peer sees it. [`yap_net::Network`] with its events is one, a line of a
/// [`Switchboard`](crate::peer::Switchboard) another.
pub trait Carrier: Send + 'static {
    /// Does what is the network's, and gives back what is not.
    fn apply(&mut self, output: Output) -> Option<Output>;

    /// The next thing that happened; `None` once the network has stopped.
    fn next(&mut self) -> impl Future<Output = Option<yap_net::Event>> + Send;

    /// How the network stands.
    fn status(&self) -> Status;
}
