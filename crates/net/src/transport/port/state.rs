//! What the branches of a port share: the TCP transport, who listens on it, and what waits for each branch.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::FutureExt;
use libp2p::Multiaddr;
use libp2p::core::transport::{DialOpts, ListenerId, Transport, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use libp2p::tcp::{Config, tokio as tcp};
use tokio::sync::mpsc;

use super::silent::{Arrival, Silent};
use super::{Dial, Event, Kind, QUEUE};
use crate::transport::Bitcoin;
use crate::transport::first::First;

/// Steps in one poll, so that a flood of connections does not hold up the task that polls.
const STEPS: usize = 64;

/// How long connecting to one address may take: three packets lost in a row are resent until then.
const CONNECT: Duration = Duration::from_secs(8);

/// Connections that the system keeps for us to accept.
const BACKLOG: u32 = 1024;

/// What the branches of a port share.
pub(super) struct State {
    tcp: tcp::Transport,
    silent: Silent,
    /// Those of the plain branch; as many as the configuration names.
    listeners: Vec<Listener>,
    queues: [Queue; 3],
    bitcoin: mpsc::Sender<Bitcoin>,
}

/// A listener of the plain branch.
struct Listener {
    id: ListenerId,
    /// What was asked for; the port may be 0.
    asked: SocketAddr,
    /// Where it listens.
    addresses: Vec<Multiaddr>,
}

/// Why the system refuses to listen or connect. What transports wrap around an error passes on the source alone, so there
/// must be one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(#[source] io::Error);

impl Refused {
    fn wrap(error: io::Error) -> io::Error {
        io::Error::new(error.kind(), Self(error))
    }
}

/// What waits for one branch.
#[derive(Default)]
pub(super) struct Queue {
    /// At most [`QUEUE`] that peers caused, and those of our own interfaces' addresses.
    pub(super) events: VecDeque<Event>,
    waker: Option<Waker>,
    /// Its listeners, and those of the plain branch that they hang on.
    attached: Vec<Attached>,
}

#[derive(Clone, Copy)]
struct Attached {
    id: ListenerId,
    to: ListenerId,
}

impl Queue {
    fn push(&mut self, event: Event) {
        self.events.push_back(event);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Ends a listener; `false` if there is none of that name.
    pub(super) fn detach(&mut self, listener_id: ListenerId, reason: impl Fn() -> io::Result<()>) -> bool {
        let Some(place) = self.attached.iter().position(|attached| attached.id == listener_id) else { return false };
        self.attached.swap_remove(place);
        self.push(TransportEvent::ListenerClosed { listener_id, reason: reason() });
        true
    }
}

impl State {
    pub(super) fn new(magic: [u8; 4], bitcoin: mpsc::Sender<Bitcoin>) -> Self {
        Self {
            tcp: tcp::Transport::new(Config::new().nodelay(true).listen_backlog(BACKLOG)),
            silent: Silent::new(magic),
            listeners: Vec::new(),
            queues: Default::default(),
            bitcoin,
        }
    }

    pub(super) fn queue(&mut self, kind: Kind) -> &mut Queue {
        let [plain, websocket, secure] = &mut self.queues;
        match kind {
            Kind::Plain => plain,
            Kind::WebSocket => websocket,
            Kind::Secure => secure,
        }
    }

    pub(super) fn listen(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        let Some(asked) = socket_address(&address) else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        self.tcp.listen_on(id, address).map_err(|error| error.map(Refused::wrap))?;
        self.listeners.push(Listener { id, asked, addresses: Vec::new() });
        // The TCP transport wakes nobody when it gets its first listener.
        if let Some(waker) = self.queue(Kind::Plain).waker.take() {
            waker.wake();
        }
        Ok(())
    }

    /// Listens on what the plain branch listens on: the same address, and the same port if one was named.
    pub(super) fn attach(
        &mut self,
        kind: Kind,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<io::Error>> {
        let Some(asked) = socket_address(&address) else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        let Some(listener) = self.listeners.iter().find(|listener| listener.serves(asked)) else {
            return Err(TransportError::Other(io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "nothing listens there for TCP, whose socket is shared",
            )));
        };
        let (to, addresses) = (listener.id, listener.addresses.clone());
        let queue = self.queue(kind);
        queue.attached.push(Attached { id, to });
        for listen_addr in addresses {
            queue.push(TransportEvent::NewAddress { listener_id: id, listen_addr });
        }
        Ok(())
    }

    /// Ends a listener of the plain branch, and with it those that hang on it.
    pub(super) fn remove(&mut self, id: ListenerId) -> bool {
        self.tcp.remove_listener(id)
    }

    pub(super) fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Dial, TransportError<io::Error>> {
        let dial = self.tcp.dial(address, options).map_err(|error| error.map(Refused::wrap))?;
        let dial = async {
            let connected = tokio::time::timeout(CONNECT, dial).await;
            connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(Refused::wrap)
        };
        Ok(dial.boxed())
    }

    pub(super) fn poll(&mut self, kind: Kind, cx: &mut Context<'_>) -> Poll<Event> {
        self.drive(cx);
        let queue = self.queue(kind);
        match queue.events.pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                queue.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Accepts and looks, as long as there is room and something to do.
    fn drive(&mut self, cx: &mut Context<'_>) {
        for _ in 0..STEPS {
            // The branch that is full has been woken. When it has taken its events, its poll goes on here.
            if self.queues.iter().any(|queue| queue.events.len() >= QUEUE) {
                return;
            }
            let accepted = Pin::new(&mut self.tcp).poll(cx);
            let idle = accepted.is_pending();
            if let Poll::Ready(event) = accepted {
                self.take(event);
            }
            match self.silent.poll(cx) {
                Poll::Ready((arrival, first)) => self.route(arrival, first),
                Poll::Pending if idle => return,
                Poll::Pending => {}
            }
        }
        cx.waker().wake_by_ref();
    }

    /// What the socket says.
    fn take(&mut self, event: Event) {
        match event {
            TransportEvent::Incoming { listener_id, upgrade, local_addr, send_back_addr } => {
                if let (Ok(stream), Some(remote)) = (upgrade.into_inner(), socket_address(&send_back_addr)) {
                    self.silent.push(Arrival { listener: listener_id, stream, local: local_addr, remote });
                }
            }
            TransportEvent::NewAddress { listener_id, listen_addr } => {
                if let Some(listener) = self.listeners.iter_mut().find(|listener| listener.id == listener_id) {
                    listener.addresses.push(listen_addr.clone());
                }
                self.tell(listener_id, |listener_id| TransportEvent::NewAddress {
                    listener_id,
                    listen_addr: listen_addr.clone(),
                });
            }
            TransportEvent::AddressExpired { listener_id, listen_addr } => {
                if let Some(listener) = self.listeners.iter_mut().find(|listener| listener.id == listener_id) {
                    listener.addresses.retain(|address| *address != listen_addr);
                }
                self.tell(listener_id, |listener_id| TransportEvent::AddressExpired {
                    listener_id,
                    listen_addr: listen_addr.clone(),
                });
            }
            TransportEvent::ListenerError { listener_id, error } => {
                self.queue(Kind::Plain).push(TransportEvent::ListenerError { listener_id, error });
            }
            TransportEvent::ListenerClosed { listener_id, reason } => self.closed(listener_id, reason),
        }
    }

    /// Says the same to the plain branch and to all that hang on its listener.
    fn tell(&mut self, listener: ListenerId, event: impl Fn(ListenerId) -> Event) {
        self.queue(Kind::Plain).push(event(listener));
        for queue in &mut self.queues {
            for attached in queue.attached.clone() {
                if attached.to == listener {
                    queue.push(event(attached.id));
                }
            }
        }
    }

    fn closed(&mut self, listener_id: ListenerId, reason: io::Result<()>) {
        self.listeners.retain(|listener| listener.id != listener_id);
        for queue in &mut self.queues {
            for attached in queue.attached.clone() {
                if attached.to == listener_id {
                    queue.detach(attached.id, || match &reason {
                        Ok(()) => Ok(()),
                        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
                    });
                }
            }
        }
        self.queue(Kind::Plain).push(TransportEvent::ListenerClosed { listener_id, reason });
    }

    /// Gives a connection to whom its first bytes name. Without a taker it is closed.
    fn route(&mut self, arrival: Arrival, first: Option<First>) {
        let kind = match first {
            Some(First::Libp2p) => Kind::Plain,
            Some(First::WebSocket) => Kind::WebSocket,
            Some(First::Tls) => Kind::Secure,
            Some(First::Bitcoin) => {
                let Arrival { stream, remote, .. } = arrival;
                if self.bitcoin.try_send(Bitcoin { stream: stream.0, remote }).is_err() {
                    tracing::debug!(%remote, "closed a connection: too many of Bitcoin's wait");
                }
                return;
            }
            None => {
                tracing::debug!(remote = %arrival.remote, "closed a connection that began with nothing we speak");
                return;
            }
        };
        let listening = self.listeners.iter().any(|listener| listener.id == arrival.listener);
        let queue = self.queue(kind);
        let listener_id = match kind {
            Kind::Plain => listening.then_some(arrival.listener),
            Kind::WebSocket | Kind::Secure => {
                queue.attached.iter().find(|attached| attached.to == arrival.listener).map(|attached| attached.id)
            }
        };
        let Some(listener_id) = listener_id else {
            tracing::debug!(remote = %arrival.remote, ?kind, "closed a connection: nobody listens for it");
            return;
        };
        queue.push(TransportEvent::Incoming {
            listener_id,
            upgrade: futures::future::ready(Ok(arrival.stream)),
            local_addr: arrival.local,
            send_back_addr: multiaddr(arrival.remote),
        });
    }
}

impl Listener {
    /// Whether connections to that address come here. Port 0 stands for whatever port it turned out to be.
    fn serves(&self, wanted: SocketAddr) -> bool {
        let ports = self.addresses.iter().filter_map(socket_address).map(|address| address.port());
        self.asked.ip() == wanted.ip()
            && (wanted.port() == 0 || ports.chain([self.asked.port()]).any(|port| port == wanted.port()))
    }
}

/// The socket that an address names, if it names one and nothing above it.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other part is no IP address")]
pub(super) fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let host: IpAddr = match parts.next()? {
        Protocol::Ip4(host) => host.into(),
        Protocol::Ip6(host) => host.into(),
        _ => return None,
    };
    match (parts.next()?, parts.next()) {
        (Protocol::Tcp(port), None | Some(Protocol::P2p(_))) => Some(SocketAddr::new(host, port)),
        _ => None,
    }
}

pub(super) fn multiaddr(address: SocketAddr) -> Multiaddr {
    Multiaddr::from(address.ip()).with(Protocol::Tcp(address.port()))
}
