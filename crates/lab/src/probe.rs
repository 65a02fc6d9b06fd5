//! Asks a network whence a packet comes, so that networks can be tested without peers.
//!
//! An [`Observer`] answers whoever asks with the address that it sees; [`ask`] asks. Both run as processes of their own in
//! namespaces (`yap-lab helper observe`, `yap-lab helper ask`).

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

/// How long an answer is waited for. Networks out of namespaces have no delay.
const PATIENCE: Duration = Duration::from_millis(500);

/// Longest answer, in bytes: an address as text.
const ANSWER: usize = 64;

/// What carries a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A TCP connection.
    Tcp,
    /// A UDP datagram.
    Udp,
}

/// Who answers, on one port of TCP and UDP.
#[derive(Debug)]
pub struct Observer {
    datagrams: UdpSocket,
    connections: TcpListener,
}

impl Observer {
    /// Takes this port.
    ///
    /// # Errors
    ///
    /// The port is taken.
    pub fn bind(port: u16) -> io::Result<Self> {
        let here = (Ipv4Addr::UNSPECIFIED, port);
        Ok(Self { datagrams: UdpSocket::bind(here)?, connections: TcpListener::bind(here)? })
    }

    /// Answers for ever.
    ///
    /// # Errors
    ///
    /// The system closes the port.
    pub fn serve(self) -> io::Result<()> {
        let Self { datagrams, connections } = self;
        thread::spawn(move || -> io::Result<()> {
            loop {
                let (_, from) = datagrams.recv_from(&mut [0; ANSWER])?;
                datagrams.send_to(from.to_string().as_bytes(), from)?;
            }
        });
        loop {
            let (mut connection, from) = connections.accept()?;
            // One that went away in between is no reason to stop.
            let _ = connection.write_all(from.to_string().as_bytes());
        }
    }
}

/// Asks an observer how it sees us. UDP goes out from port `from`, TCP from any.
///
/// # Errors
///
/// Nobody answers in time, or what answers is no observer.
pub fn ask(carrier: Carrier, from: u16, to: SocketAddrV4) -> io::Result<SocketAddr> {
    let mut answer = [0; ANSWER];
    let length = match carrier {
        Carrier::Udp => {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, from))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.send_to(b"?", to)?;
            socket.recv_from(&mut answer)?.0
        }
        Carrier::Tcp => {
            let mut stream = TcpStream::connect_timeout(&SocketAddr::V4(to), PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            // A portal answers who has asked.
            stream.write_all(b"?")?;
            stream.read(&mut answer)?
        }
    };
    let text = answer.get(..length).map(String::from_utf8_lossy).unwrap_or_default().into_owned();
    text.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, text))
}

#[cfg(test)]
mod tests {
    use super::{Carrier, Observer, ask};
    use std::net::{Ipv4Addr, SocketAddrV4};

    #[test]
    fn an_observer_says_whence_it_was_asked() {
        let port = crate::ports::unused().unwrap();
        let observer = Observer::bind(port).unwrap();
        std::thread::spawn(|| observer.serve());
        for carrier in [Carrier::Tcp, Carrier::Udp] {
            let seen = ask(carrier, 0, SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).unwrap();
            assert_eq!(seen.ip(), Ipv4Addr::LOCALHOST);
        }
    }
}
