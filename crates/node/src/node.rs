//! A peer in one's own program: built, started, asked, stopped.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use yap_node::{Node, yap_chain::spec::Spec};
//!
//! let node = Node::builder(Arc::new(Spec::local()), "data/local").http(None).start().await?;
//! let height = node.backend().ask(|view| view.tree().height(view.tip())).await?;
//! println!("the tip is at height {height}");
//! node.stop().await?;
//! # Ok(())
//! # }
//! ```

mod builder;
mod start;

use std::sync::Arc;

use tokio::sync::watch;
use yap_api::{Backend, server};

use crate::chainstate::Error;
use crate::handle::Handle;
use crate::machine::Request;

pub use self::builder::Builder;
pub(crate) use self::builder::usual_mining;
pub use self::start::StartError;

/// How a node ended: nothing yet, in order, or by a failure.
type Outcome = Option<Result<(), Arc<Error>>>;

/// A running node. Dropping it ends the node without waiting for it; [`stop`](Self::stop) waits.
#[derive(Debug)]
pub struct Node {
    handle: Arc<Handle>,
    server: Option<server::Server>,
    ended: watch::Receiver<Outcome>,
}

impl Node {
    /// Begins to build a node of that chain, which keeps everything in that directory.
    #[must_use]
    pub fn builder(spec: Arc<yap_chain::spec::Spec>, directory: impl Into<std::path::PathBuf>) -> Builder {
        Builder::new(spec, directory.into())
    }

    /// What can be asked of it.
    #[must_use]
    pub fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.handle) as Arc<dyn Backend>
    }

    /// Where its HTTP interface listens, if it has one.
    #[must_use]
    pub fn http(&self) -> &[std::net::SocketAddr] {
        self.server.as_ref().map_or(&[], server::Server::addresses)
    }

    /// Waits until the node ends by itself, or by a request to stop.
    ///
    /// # Errors
    /// What it failed of.
    pub async fn finished(&mut self) -> Result<(), Arc<Error>> {
        match self.ended.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Ok(())),
            // The thread is gone without a word: it has panicked.
            Err(_) => Err(Arc::new(Error::Worker("the node's own"))),
        }
    }

    /// Stops: peers are told, everything is committed, and its port and directory are free afterwards.
    ///
    /// # Errors
    /// What the node failed of, now or before.
    pub async fn stop(mut self) -> Result<(), Arc<Error>> {
        // A full queue of requests is waited for: the node takes them one after the other.
        let _ = self.handle.requests.send(Request::Stop).await;
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
        let outcome = self.finished().await;
        // It may be writing. Its thread is waited for where that holds nobody up.
        let wallet = Arc::clone(&self.handle.wallet);
        let _ = tokio::task::spawn_blocking(move || wallet.end()).await;
        outcome
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Whoever still holds what asks the node does not keep it running. One that was stopped hears nothing any more.
        self.handle.end();
        // Its thread holds what asks the node, which would never end.
        self.handle.wallet.end();
    }
}
