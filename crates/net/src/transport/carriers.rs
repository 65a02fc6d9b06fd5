//! Several transports as one: an address belongs to the first that knows its form, and events are taken in turn, so that
//! a flood on one carrier holds up no other.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use libp2p::core::transport::{Boxed, DialOpts, ListenerId, Transport, TransportError, TransportEvent};
use libp2p::{Multiaddr, PeerId, core::muxing::StreamMuxerBox};

type Carrier = Boxed<(PeerId, StreamMuxerBox)>;

/// Several transports as one.
#[derive(Debug)]
pub(super) struct Carriers {
    all: Vec<Carrier>,
    /// Whose turn it is.
    next: usize,
}

impl Carriers {
    /// In the order in which they are asked.
    pub(super) fn new(all: Vec<Carrier>) -> Self {
        Self { all, next: 0 }
    }

    /// Asks each until one knows the address.
    fn first<O>(
        &mut self,
        mut address: Multiaddr,
        mut ask: impl FnMut(&mut Carrier, Multiaddr) -> Result<O, TransportError<io::Error>>,
    ) -> Result<O, TransportError<io::Error>> {
        for carrier in &mut self.all {
            match ask(carrier, address) {
                Err(TransportError::MultiaddrNotSupported(same)) => address = same,
                outcome => return outcome,
            }
        }
        Err(TransportError::MultiaddrNotSupported(address))
    }
}

impl Transport for Carriers {
    type Output = (PeerId, StreamMuxerBox);
    type Error = io::Error;
    type ListenerUpgrade = <Carrier as Transport>::ListenerUpgrade;
    type Dial = <Carrier as Transport>::Dial;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        self.first(address, |carrier, address| carrier.listen_on(id, address))
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.all.iter_mut().any(|carrier| carrier.remove_listener(id))
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        self.first(address, |carrier, address| carrier.dial(address, options))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        for _ in 0..self.all.len() {
            let turn = self.next;
            let Some(carrier) = self.all.get_mut(turn) else { break };
            let event = Pin::new(carrier).poll(cx);
            self.next = turn.checked_add(1).filter(|next| *next < self.all.len()).unwrap_or(0);
            if event.is_ready() {
                return event;
            }
        }
        Poll::Pending
    }
}
