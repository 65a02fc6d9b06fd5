//! WebSocket (RFC 6455), plain and within TLS, on the port that TCP listens on.
//!
//! libp2p has a WebSocket transport too. Its dialling end believes a frame's header and reserves up to 256 MiB before a byte
//! of the frame has come, and reads a response without end: whoever gets us to dial would fill our memory with ten bytes.
//! Here a frame is handed on as it comes, whatever its length, and a response has a bound.
//!
//! | module | owns |
//! |---|---|
//! | `address` | which addresses are WebSocket's, and what they say |
//! | `frames` | bytes in frames |
//!
//! The handshake is soketto's. TLS protects against whoever listens in; who the peer is, Noise says above.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, Either, FutureExt, TryFutureExt};
use futures_rustls::{TlsAcceptor, TlsConnector, client, server};
use libp2p::Multiaddr;
use libp2p::core::transport::{DialOpts, ListenerId, Transport, TransportError, TransportEvent};
use libp2p::dns::tokio::Transport as Names;
use libp2p::tcp::tokio::TcpStream;
use soketto::handshake::{self, Client, Server, ServerResponse, server::Response};

use self::address::{Listen, Target};
use self::frames::{End, Frames};
use self::handshaking::Handshaking;
use super::port::{Branch, Dialler};
use super::{HANDSHAKE, names};

mod address;
mod frames;
mod handshaking;

/// A TCP connection, or one within TLS that either end opened.
pub(super) type Socket = Either<TcpStream, Either<client::TlsStream<TcpStream>, server::TlsStream<TcpStream>>>;

/// RFC 9110, section 15.5.22.
const UPGRADE_REQUIRED: u16 = 426;

/// Why a WebSocket connection was not opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// TCP failed, or resolving the name.
    #[error(transparent)]
    Connect(#[from] libp2p::dns::Error<io::Error>),
    /// A listener failed.
    #[error(transparent)]
    Listen(io::Error),
    /// TLS failed: the certificate, as a rule.
    #[error("TLS: {0}")]
    Tls(io::Error),
    /// The other end does not speak WebSocket.
    #[error("WebSocket handshake: {0}")]
    Handshake(#[from] handshake::Error),
    /// The other end took too long over its handshakes.
    #[error("the WebSocket handshake took too long")]
    Late,
    /// The other end is a web server that has no WebSocket at that path.
    #[error("a web server answered with status {0}, and no WebSocket")]
    Refused(u16),
}

/// What transports wrap around an error passes on its source alone: this makes the source be the error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Failure(#[source] Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// The WebSocket carrier.
pub(super) struct WebSocket {
    plain: Branch,
    secure: Option<(Branch, TlsAcceptor)>,
    /// Resolves names itself: a certificate is checked against the name that was dialled.
    dialler: Names<Dialler>,
    connector: TlsConnector,
}

impl WebSocket {
    /// Listens by the branches, and dials from the same port.
    pub(super) fn new(plain: Branch, secure: Option<(Branch, TlsAcceptor)>, connector: TlsConnector) -> Self {
        let dialler = names::around(plain.dialler());
        Self { plain, secure, dialler, connector }
    }
}

type Opening = BoxFuture<'static, Result<Frames<Socket>, Failure>>;

impl Transport for WebSocket {
    type Output = Frames<Socket>;
    type Error = Failure;
    type ListenerUpgrade = Opening;
    type Dial = Opening;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<Failure>> {
        let branch = match (Listen::parse(&address), &mut self.secure) {
            (Some(Listen::Plain(tcp)), _) => self.plain.listen_on(id, tcp),
            (Some(Listen::Secure(tcp)), Some((branch, _))) => branch.listen_on(id, tcp),
            (Some(Listen::Secure(_)), None) | (None, _) => return Err(TransportError::MultiaddrNotSupported(address)),
        };
        branch.map_err(|error| error.map(listen))
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.plain.remove_listener(id) || self.secure.as_mut().is_some_and(|(branch, _)| branch.remove_listener(id))
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Opening, TransportError<Failure>> {
        let Some(target) = Target::parse(&address) else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        let tcp = self
            .dialler
            .dial(target.tcp.clone(), options)
            .map_err(|error| error.map(|error| Error::Connect(error).into()))?;
        Ok(dial(tcp.err_into(), target, self.connector.clone()).err_into().boxed())
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TransportEvent<Opening, Failure>> {
        if let Poll::Ready(event) = Pin::new(&mut self.plain).poll(cx) {
            let event = event.map_upgrade(|tcp| accept(tcp, None).err_into().boxed()).map_err(listen);
            return Poll::Ready(address::named(event, Listen::plain));
        }
        if let Some((branch, acceptor)) = &mut self.secure
            && let Poll::Ready(event) = Pin::new(branch).poll(cx)
        {
            let acceptor = acceptor.clone();
            let event = event.map_upgrade(|tcp| accept(tcp, Some(acceptor)).err_into().boxed()).map_err(listen);
            return Poll::Ready(address::named(event, Listen::secure));
        }
        Poll::Pending
    }
}

fn listen(error: io::Error) -> Failure {
    Error::Listen(error).into()
}

async fn dial(
    tcp: impl Future<Output = Result<TcpStream, Error>>,
    target: Target,
    connector: TlsConnector,
) -> Result<Frames<Socket>, Error> {
    let tcp = tcp.await?;
    let open = tokio::time::timeout(HANDSHAKE, request(tcp, target, connector));
    open.await.map_err(|_| Error::Late)?
}

async fn request(tcp: TcpStream, target: Target, connector: TlsConnector) -> Result<Frames<Socket>, Error> {
    let socket = match target.tls {
        Some(name) => Either::Right(Either::Left(connector.connect(name, tcp).await.map_err(Error::Tls)?)),
        None => Either::Left(tcp),
    };
    let mut client = Client::new(Handshaking::new(socket), &target.host, &target.path);
    match client.handshake().await? {
        ServerResponse::Accepted { .. } => {
            let early = client.take_buffer();
            Ok(Frames::new(client.into_inner().into_inner(), End::Client, &early))
        }
        ServerResponse::Redirect { status_code, .. } | ServerResponse::Rejected { status_code } => {
            Err(Error::Refused(status_code))
        }
    }
}

async fn accept(
    tcp: impl Future<Output = io::Result<TcpStream>>,
    acceptor: Option<TlsAcceptor>,
) -> Result<Frames<Socket>, Error> {
    let tcp = tcp.await.map_err(Error::Listen)?;
    let socket = match acceptor {
        Some(acceptor) => Either::Right(Either::Right(acceptor.accept(tcp).await.map_err(Error::Tls)?)),
        None => Either::Left(tcp),
    };
    let mut server = Server::new(Handshaking::new(socket));
    let key = match server.receive_request().await.map(|request| request.key()) {
        Ok(key) => key,
        Err(handshake::Error::Io(error)) => return Err(handshake::Error::Io(error).into()),
        Err(error) => {
            // For people who look at the port with a browser: there is something, but it is no page.
            server.send_response(&Response::Reject { status_code: UPGRADE_REQUIRED }).await?;
            return Err(error.into());
        }
    };
    server.send_response(&Response::Accept { key, protocol: None }).await?;
    // A client says nothing before it has the response (RFC 6455, section 4.1).
    Ok(Frames::new(server.into_inner().into_inner(), End::Server, &[]))
}
