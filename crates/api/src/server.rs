//! The HTTP server: who is let in, within which bounds, and an orderly end.
//!
//! | module | owns |
//! |---|---|
//! | [`limits`] | how much requests may take |
//! | `app` | what all connections share |
//! | `connection`, `link`, `pulse` | one connection, whom it connects, what it is at, and for how long |
//! | `guests` | who is connected, and who leaves when there is no room |
//! | `gate` | who may ask: host, origin, credentials |
//! | `body` | bodies in and out, within bounds |
//! | `service`, `pages` | a request's way to its answer |
//!
//! Whoever reaches the port may be hostile: a web page that the user looks at (DNS rebinding, forged requests), another
//! user of this machine, or, if the node listens beyond this machine, anyone. None of them brings the node down, fills
//! its memory, or holds up whoever has the cookie: requests with it have room of their own.

pub(crate) mod app;
pub(crate) mod body;
mod connection;
mod error;
pub(crate) mod gate;
mod guests;
pub mod limits;
mod link;
mod pages;
mod pulse;
mod service;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::backend::Backend;
use crate::credentials::{CookieFile, Credentials};
use crate::method::{Context, Methods};

use self::app::App;
use self::gate::Doors;
use self::guests::Guests;
use self::limits::{Lane, Limits, STOP};
use self::link::Link;

pub use self::error::StartError;

/// Port of the interface.
pub const PORT: u16 = 3001;

/// Pause after a connection could not be taken, such as when no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where and how to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Addresses to listen on; port 0 takes a free one.
    pub addresses: Vec<SocketAddr>,
    /// Where the cookie file is made.
    pub cookie: PathBuf,
    /// How much requests may take.
    pub limits: Limits,
    /// Names by which the node may be called in `Host`, beside this machine's own and the address that was reached.
    pub allow_hosts: Vec<String>,
    /// Web sites whose pages may talk to the node, such as `https://example.org`.
    pub allow_origins: Vec<String>,
}

impl Config {
    /// Serves this machine alone, at 127.0.0.1:3001.
    #[must_use]
    pub fn new(cookie: PathBuf) -> Self {
        Self {
            addresses: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))],
            cookie,
            limits: Limits::default(),
            allow_hosts: Vec::new(),
            allow_origins: Vec::new(),
        }
    }
}

/// A running server. It stops when it is dropped, and orderly with [`stop`](Self::stop).
#[derive(Debug)]
pub struct Server {
    addresses: Vec<SocketAddr>,
    app: Arc<App>,
    guests: Arc<Guests>,
    stop: watch::Sender<bool>,
    credentials: Credentials,
    _cookie: CookieFile,
}

impl Server {
    /// Listens, makes the cookie file, and serves from then on, on tasks of its own.
    ///
    /// # Errors
    /// If an address is taken, the cookie file can't be made, or a host or origin is none.
    pub async fn start(backend: Arc<dyn Backend>, methods: Arc<Methods>, config: Config) -> Result<Self, StartError> {
        let mut listeners = Vec::with_capacity(config.addresses.len());
        let mut addresses = Vec::with_capacity(config.addresses.len());
        for address in config.addresses {
            let failed = |why| StartError::Listen { address, why };
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            addresses.push(listener.local_addr().map_err(failed)?);
            listeners.push(listener);
        }
        // After the ports are ours: a second node must not take the first one's cookie away.
        let path = config.cookie;
        let cookie = CookieFile::create(&path).map_err(|why| StartError::Cookie { path, why })?;
        let credentials = cookie.credentials();
        let (stop, stopped) = watch::channel(false);
        let limits = config.limits;
        let app = Arc::new(App {
            context: Context { backend, methods },
            doors: Doors::new(credentials.clone(), &config.allow_hosts, &config.allow_origins)?,
            owner: Lane::owner(&limits),
            open: Lane::open(&limits),
            streams: Arc::new(Semaphore::new(limits.streams)),
            stop: stopped,
            router: service::router(),
            limits,
        });
        let guests = Guests::new(&app.limits);
        for listener in listeners {
            tokio::spawn(accept(listener, Arc::clone(&app), Arc::clone(&guests)));
        }
        Ok(Self { addresses, app, guests, stop, credentials, _cookie: cookie })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What a request must show to be let do all.
    #[must_use]
    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Stops: nothing new is taken, connections that wait are closed at once, event streams end, and requests that are
    /// being answered get up to [`limits::STOP`]. Then the cookie file is deleted.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let ended = async {
            self.guests.gone().await;
            // Calls go on when whoever made them has gone.
            self.app.owner.quiet().await;
            self.app.open.quiet().await;
        };
        if tokio::time::timeout(STOP, ended).await.is_err() {
            tracing::debug!("requests were cut off at the stop");
        }
    }
}

/// Takes connections until the server stops.
async fn accept(listener: TcpListener, app: Arc<App>, guests: Arc<Guests>) {
    let loopback = listener.local_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback());
    let mut stop = app.stop.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // An error is a server that was dropped: it stops as well.
            _ = stop.wait_for(|stopping| *stopping) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                guests.make_room().await;
                welcome(stream, peer, loopback, &app, &guests);
            }
            Err(error) => {
                tracing::debug!(%error, "a connection could not be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Begins to serve a connection, if there is a place for it; else it is closed.
fn welcome(stream: TcpStream, peer: SocketAddr, loopback: bool, app: &Arc<App>, guests: &Arc<Guests>) {
    let Some(seat) = guests.seat(peer.ip()) else {
        tracing::debug!(%peer, "connection refused: there are too many");
        return;
    };
    let Ok(local) = stream.local_addr() else { return };
    // Replies are written whole. Where it can't be set, they are only later.
    let _ = stream.set_nodelay(true);
    let link = Link { peer, local, loopback, pulse: seat.pulse().clone() };
    let (app, stop) = (Arc::clone(app), app.stop.clone());
    tokio::spawn(async move {
        connection::serve(app, stream, link, stop).await;
        drop(seat);
    });
}

#[cfg(test)]
mod tests;
