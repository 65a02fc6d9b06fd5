//! A link between two nodes that can go silent: what passes over it stops, and nobody is told.
//!
//! So it is when a cable is pulled behind a switch, or a router forgets a connection: both ends keep an open socket, and
//! whoever dials is taken and hears nothing.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// What becomes of the connections that went silent when the link passes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Old {
    /// What was sent arrives late.
    Revive,
    /// They stay open and silent. What was dialled meanwhile gets through, as does a SYN that is sent again.
    StayDead,
}

/// A link. Its threads end with the connections, which end with the nodes.
pub(crate) struct Link {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    passing: Mutex<Passing>,
    changed: Condvar,
}

/// Connections are numbered in the order in which they came.
#[derive(Default)]
struct Passing {
    silent: bool,
    /// The number of the next connection.
    next: u64,
    /// The first connection that came since the link went silent.
    since: u64,
    /// Those with a smaller number never pass again.
    dead: u64,
    /// Bytes that passed.
    bytes: u64,
}

impl Link {
    /// A link to whoever listens on that port of this machine.
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let here = Arc::clone(&state);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let number = {
                    let mut passing = here.passing.lock().unwrap();
                    passing.next += 1;
                    passing.next - 1
                };
                let state = Arc::clone(&here);
                std::thread::spawn(move || state.join(number, near, port));
            }
        });
        Self { address, state }
    }

    /// How a node names what is at its end.
    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// Nothing passes any more.
    pub(crate) fn silence(&self) {
        let mut passing = self.state.passing.lock().unwrap();
        (passing.silent, passing.since) = (true, passing.next);
    }

    /// It passes again.
    pub(crate) fn heal(&self, old: Old) {
        let mut passing = self.state.passing.lock().unwrap();
        passing.silent = false;
        if old == Old::StayDead {
            passing.dead = passing.since;
        }
        self.state.changed.notify_all();
    }

    /// Bytes that passed.
    pub(crate) fn bytes(&self) -> u64 {
        self.state.passing.lock().unwrap().bytes
    }
}

impl State {
    /// Joins a connection with one to the port, once the link passes.
    fn join(self: Arc<Self>, number: u64, near: TcpStream, port: u16) {
        self.wait(number, 0);
        // Whoever is at the end may be gone: then so is this.
        let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
        let (from, to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        let state = Arc::clone(&self);
        std::thread::spawn(move || state.pump(number, from, to));
        self.pump(number, far, near);
    }

    /// Waits while the link is silent, for ever if the connection never passes again; then counts what passes.
    fn wait(&self, number: u64, bytes: usize) {
        let mut passing = self.passing.lock().unwrap();
        while passing.silent || number < passing.dead {
            passing = self.changed.wait(passing).unwrap();
        }
        passing.bytes += u64::try_from(bytes).unwrap();
    }

    /// Passes on what comes, and the end of it.
    fn pump(&self, number: u64, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 16 << 10];
        loop {
            let read = from.read(&mut buffer).unwrap_or(0);
            self.wait(number, read);
            if read == 0 || to.write_all(&buffer[..read]).is_err() {
                // Either may be closed already.
                let _ = to.shutdown(std::net::Shutdown::Both);
                let _ = from.shutdown(std::net::Shutdown::Both);
                return;
            }
        }
    }
}
