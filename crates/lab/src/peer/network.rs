//! A peer on the real network.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use yap_net::{Events, Network, Status};
use yap_protocol::Output;

use super::carrier::Carrier;
use super::control::{self, Control};
use super::{Event, Home, Options, StartError};

/// A peer that runs on the real network. Everything that a [`Control`] can do it can, and what the network does besides.
/// Copies are of the same peer.
#[derive(Clone, Debug)]
pub struct Peer {
    control: Control,
    network: Network,
    task: Arc<Mutex<Option<JoinHandle<Wire>>>>,
}

/// The network and what it tells.
#[derive(Debug)]
struct Wire {
    network: Network,
    events: Events,
}

impl Carrier for Wire {
    fn apply(&mut self, output: Output) -> Option<Output> {
        self.network.apply(output)
    }

    async fn next(&mut self) -> Option<yap_net::Event> {
        self.events.next().await
    }

    fn status(&self) -> Status {
        self.network.status()
    }
}

impl Peer {
    /// Starts a peer; gives its events from the first on.
    ///
    /// # Errors
    /// If its directory, its key, its port or another thing that it was given can't be used.
    pub async fn start(options: &Options) -> Result<(Self, broadcast::Receiver<Event>), StartError> {
        let (home, keys) = Home::open(&options.data, options.spec.clone(), options.name.as_deref())?;
        let (network, events) = Box::pin(Network::start(options.config(&home, keys))).await?;
        let wire = Wire { network: network.clone(), events };
        let (control, listener, task) = control::start(&home, wire)?;
        let task = Arc::new(Mutex::new(Some(task)));
        Ok((Self { control, network, task }, listener))
    }

    /// Its network.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// Parts from every peer, and stops. Once this is done, its port and its directory are free.
    pub async fn stop(self) {
        self.control.stop().await;
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(task) = task else { return };
        let Ok(Wire { network, mut events }) = task.await else { return };
        network.stop();
        while events.next().await.is_some() {}
        events.finished().await;
    }

    /// Ends the peer without a word, as a kill does: nothing is told, and nothing more is written.
    pub async fn kill(self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            // It was cancelled, or had ended.
            let _ = task.await;
        }
        self.network.stop();
    }
}

impl Deref for Peer {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}
