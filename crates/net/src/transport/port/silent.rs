//! Connections that were accepted and have not said yet what they speak.
//!
//! Each is looked at until its first bytes decide, without taking them. At most [`SILENT`] are kept, [`PER_HOST`] of one
//! host, each for [`SILENCE`]. One too many closes the oldest of the host that has most, so that a host with thousands of
//! silent connections closes its own and locks nobody out.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use futures::future::{AbortHandle, Abortable, BoxFuture, FutureExt};
use futures::stream::FuturesUnordered;
use libp2p::Multiaddr;
use libp2p::core::transport::ListenerId;
use libp2p::tcp::tokio::TcpStream;
use rustix::net::{RecvFlags, recv};
use tokio::io::Interest;

use crate::transport::first::{First, LONGEST, Verdict, classify};

/// How long a connection may take to say what it speaks. A mobile network resends a lost packet after a few seconds.
pub(crate) const SILENCE: Duration = Duration::from_secs(10);

/// Connections that have not said yet what they speak, all together.
pub(crate) const SILENT: usize = 256;

/// Those of one host: an IPv4 address, or an IPv6 network of 64 bits, which is what one customer has.
pub(crate) const PER_HOST: usize = 64;

/// A connection that was accepted.
pub(super) struct Arrival {
    /// The plain branch's listener that accepted it.
    pub(super) listener: ListenerId,
    /// The connection. Nothing has been read from it.
    pub(super) stream: TcpStream,
    /// The address that it came to.
    pub(super) local: Multiaddr,
    /// Who opened it.
    pub(super) remote: SocketAddr,
}

/// In the order in which they came.
type Number = u64;

type Look = Abortable<BoxFuture<'static, (Number, Arrival, Option<First>)>>;

/// Connections that have not said yet what they speak.
pub(super) struct Silent {
    magic: [u8; 4],
    /// [`SILENCE`], except in tests of it.
    patience: Duration,
    looks: FuturesUnordered<Look>,
    hosts: BTreeMap<IpAddr, BTreeMap<Number, AbortHandle>>,
    /// How many there are in `hosts`.
    count: usize,
    next: Number,
}

impl Silent {
    pub(super) fn new(magic: [u8; 4]) -> Self {
        Self { magic, patience: SILENCE, looks: FuturesUnordered::new(), hosts: BTreeMap::new(), count: 0, next: 0 }
    }

    /// Adds one, and closes another if there are too many now.
    pub(super) fn push(&mut self, arrival: Arrival) {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let host = host(arrival.remote.ip());
        let (magic, patience) = (self.magic, self.patience);
        let look = async move {
            let first = tokio::time::timeout(patience, first(&arrival.stream.0, magic)).await;
            (number, arrival, first.ok().and_then(Result::ok).flatten())
        };
        let (handle, registration) = AbortHandle::new_pair();
        self.looks.push(Abortable::new(look.boxed(), registration));
        let others = self.hosts.entry(host).or_default();
        others.insert(number, handle);
        let crowded = others.len() > PER_HOST;
        self.count = self.count.saturating_add(1);
        if crowded {
            self.close_oldest(host);
        } else if self.count > SILENT {
            let most =
                self.hosts.iter().max_by_key(|(_, all)| (all.len(), all.keys().next().map(|oldest| Reverse(*oldest))));
            if let Some(most) = most.map(|(host, _)| *host) {
                self.close_oldest(most);
            }
        }
    }

    /// The next that has decided; without a verdict it is to be closed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(Arrival, Option<First>)> {
        loop {
            match self.looks.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok((number, arrival, first)))) => {
                    self.forget(host(arrival.remote.ip()), number);
                    return Poll::Ready((arrival, first));
                }
                // Closed by `close_oldest`: the connection is gone with its look.
                Poll::Ready(Some(Err(_))) => {}
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn close_oldest(&mut self, host: IpAddr) {
        let Some((number, handle)) = self.hosts.get(&host).and_then(BTreeMap::first_key_value) else { return };
        tracing::debug!(%host, "closed a silent connection: there are too many");
        handle.abort();
        let number = *number;
        self.forget(host, number);
    }

    fn forget(&mut self, host: IpAddr, number: Number) {
        let Some(all) = self.hosts.get_mut(&host) else { return };
        if all.remove(&number).is_some() {
            self.count = self.count.saturating_sub(1);
        }
        if all.is_empty() {
            self.hosts.remove(&host);
        }
    }
}

/// Waits until the first bytes decide, and leaves them where they are; `None` if they are nothing that we speak, or end.
async fn first(stream: &tokio::net::TcpStream, magic: [u8; 4]) -> io::Result<Option<First>> {
    let mut bytes = [0; LONGEST];
    loop {
        let ready = stream.ready(Interest::READABLE).await?;
        let verdict = stream.try_io(Interest::READABLE, || {
            let (filled, _) = recv(stream, &mut bytes, RecvFlags::PEEK | RecvFlags::DONTWAIT)?;
            match classify(bytes.get(..filled).unwrap_or_default(), &magic) {
                Verdict::Is(first) => Ok(Some(first)),
                Verdict::Nothing => Ok(None),
                // Makes the runtime wait for further bytes rather than report those that are there.
                Verdict::More => Err(io::ErrorKind::WouldBlock.into()),
            }
        });
        match verdict {
            // The other end has finished: what it said is all that will come.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && ready.is_read_closed() => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            decided => return decided,
        }
    }
}

/// Whom a connection is counted for.
fn host(address: IpAddr) -> IpAddr {
    const NETWORK: u128 = !0 << 64;
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => four.into(),
            None => Ipv6Addr::from_bits(six.to_bits() & NETWORK).into(),
        },
    }
}

#[cfg(test)]
mod tests;
