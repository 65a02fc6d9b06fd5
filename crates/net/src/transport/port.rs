//! The listening socket that carriers share.
//!
//! One TCP transport listens. A connection that it accepts is looked at, without taking a byte from it, until its first
//! bytes say who it is for; then the [`Branch`] of that carrier announces it, as if it had listened itself. Branches other
//! than the plain one open no socket: they attach themselves to a listener of the plain one, and repeat what it says of its
//! addresses.
//!
//! ```text
//!  listener ─accept─▶ Silent ─first bytes─▶ plain │ WebSocket │ TLS branch ─▶ its carrier
//!   (PortReuse)       (bounded)          └▶ Bitcoin
//! ```
//!
//! Dials go through the same TCP transport, so that they can leave from the port that is listened on.
//!
//! Whichever branch is polled drives the whole and wakes the others. While [`QUEUE`] events wait for one branch nothing is
//! accepted: the system's own queue holds further connections, and no branch's peers crowd out another's.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use libp2p::Multiaddr;
use libp2p::core::transport::{DialOpts, ListenerId, Transport, TransportError, TransportEvent};
use libp2p::tcp::tokio as tcp;
use tokio::sync::mpsc;

use self::state::State;
use super::Bitcoin;

mod silent;
mod state;

/// Events that may wait for one branch while more is accepted.
pub(super) const QUEUE: usize = 16;

pub(super) type Event = TransportEvent<Upgrade, io::Error>;

/// A connection that was accepted is there at once.
pub(super) type Upgrade = futures::future::Ready<io::Result<tcp::TcpStream>>;

type Dial = BoxFuture<'static, io::Result<tcp::TcpStream>>;

/// For whom connections are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// libp2p; opens the sockets.
    Plain,
    /// WebSocket.
    WebSocket,
    /// WebSocket within TLS.
    Secure,
}

const KINDS: [Kind; 3] = [Kind::Plain, Kind::WebSocket, Kind::Secure];

/// The shared socket as one carrier sees it. Every branch that listens must be polled.
pub(super) struct Branch {
    kind: Kind,
    state: Arc<Mutex<State>>,
}

/// The branches of one port: plain, WebSocket, and TLS.
pub(super) fn branches(magic: [u8; 4], bitcoin: mpsc::Sender<Bitcoin>) -> [Branch; 3] {
    let state = Arc::new(Mutex::new(State::new(magic, bitcoin)));
    KINDS.map(|kind| Branch { kind, state: Arc::clone(&state) })
}

impl Branch {
    /// The same socket, to dial from: listens on nothing, and need not be polled.
    pub(super) fn dialler(&self) -> Dialler {
        Dialler(Arc::clone(&self.state))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// A panic elsewhere leaves nothing half done here that matters: each event is moved as a whole.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Transport for Branch {
    type Output = tcp::TcpStream;
    type Error = io::Error;
    type ListenerUpgrade = Upgrade;
    type Dial = Dial;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        match self.kind {
            Kind::Plain => self.state().listen(id, address),
            Kind::WebSocket | Kind::Secure => self.state().attach(self.kind, id, address),
        }
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        match self.kind {
            Kind::Plain => self.state().remove(id),
            Kind::WebSocket | Kind::Secure => self.state().queue(self.kind).detach(id, || Ok(())),
        }
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        self.state().dial(address, options)
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event> {
        self.state().poll(self.kind, cx)
    }
}

/// The shared socket as one who only dials sees it.
pub(super) struct Dialler(Arc<Mutex<State>>);

impl Transport for Dialler {
    type Output = tcp::TcpStream;
    type Error = io::Error;
    type ListenerUpgrade = Upgrade;
    type Dial = Dial;

    fn listen_on(&mut self, _: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        lock(&self.0).dial(address, options)
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Event> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
