//! A captive portal: every TCP connection, whatever its port, is answered with a redirection to a login page, and every
//! name has the portal's own address.
//!
//! It runs as a process of its own in the router's namespace (`yap-lab helper portal ADDRESS`), since packets are
//! redirected to ports of that namespace.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

/// Where TCP connections are answered.
pub const HTTP: u16 = 8080;

/// Where names are answered.
pub const DNS: u16 = 8053;

/// Most that is read of a request before it is answered.
const REQUEST: usize = 4096;

/// How long a client may take to ask. One that says nothing is answered all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// What every request is answered with.
const ANSWER: &str =
    "HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Longest question of DNS over UDP (RFC 1035 §4.2.1).
const QUESTION: usize = 512;

/// What is said once both ports are there.
pub(super) const READY: &str = "ready";

/// Answers for ever, with `address` for every name. Says on `out` when it begins.
///
/// # Errors
///
/// A port is taken, or the system closes one.
pub fn serve(address: Ipv4Addr, out: &mut impl Write) -> io::Result<()> {
    let names = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, DNS))?;
    let pages = TcpListener::bind((Ipv4Addr::UNSPECIFIED, HTTP))?;
    writeln!(out, "{READY}").and_then(|()| out.flush())?;
    thread::spawn(move || serve_names(&names, address));
    loop {
        let (client, _) = pages.accept()?;
        // One thread each: there are a handful of clients, and none stays longer than `PATIENCE`.
        thread::spawn(move || redirect(client));
    }
}

fn redirect(mut client: TcpStream) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    // What is asked makes no difference.
    let _ = client.read(&mut [0; REQUEST]);
    client.write_all(ANSWER.as_bytes())
}

fn serve_names(socket: &UdpSocket, address: Ipv4Addr) -> io::Result<()> {
    let mut question = [0; QUESTION];
    loop {
        let (length, client) = socket.recv_from(&mut question)?;
        if let Some(answer) = question.get(..length).and_then(|question| answer(question, address)) {
            socket.send_to(&answer, client)?;
        }
    }
}

/// The answer to a question of DNS (RFC 1035 §4.1): this address to a question for IPv4, nothing to another. `None` if it
/// is no question.
fn answer(question: &[u8], address: Ipv4Addr) -> Option<Vec<u8>> {
    let id = question.get(..2)?;
    // One question, and it is none that answers another.
    let (flags, count) = (question.get(2)?, question.get(4..6)?);
    if flags & 0x80 != 0 || count != [0, 1] {
        return None;
    }
    let asked = question.get(12..)?;
    let mut end = 0_usize;
    while *asked.get(end)? != 0 {
        end = end.checked_add(usize::from(*asked.get(end)?))?.checked_add(1)?;
    }
    // The empty label, two bytes of type, two of class.
    let asked = asked.get(..end.checked_add(5)?)?;
    let wants_ipv4 = asked.get(end.checked_add(1)?..)? == [0, 1, 0, 1];
    let mut out = id.to_vec();
    // An answer, recursion done, no error; one question, so many answers.
    out.extend([0x81, 0x80, 0, 1, 0, u8::from(wants_ipv4), 0, 0, 0, 0]);
    out.extend(asked);
    if wants_ipv4 {
        // The name that was asked for, IPv4, internet, for no time, four bytes.
        out.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        out.extend(address.octets());
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::answer;
    use std::net::Ipv4Addr;

    const PORTAL: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

    /// A question for a.bc.
    fn question(kind: u8) -> Vec<u8> {
        let mut out = vec![7, 8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        out.extend([1, b'a', 2, b'b', b'c', 0, 0, kind, 0, 1]);
        out
    }

    #[test]
    fn every_name_has_the_portals_address() {
        let out = answer(&question(1), PORTAL).unwrap();
        assert_eq!(out[..8], [7, 8, 0x81, 0x80, 0, 1, 0, 1]);
        assert_eq!(out[out.len() - 4..], PORTAL.octets());
    }

    #[test]
    fn a_question_for_another_kind_has_an_answer_without_records() {
        let out = answer(&question(28), PORTAL).unwrap();
        assert_eq!((out[7], out.len()), (0, question(28).len()));
    }

    #[test]
    fn what_is_cut_short_has_no_answer() {
        let whole = question(1);
        for length in 0..whole.len() {
            assert!(answer(&whole[..length], PORTAL).is_none(), "{length}");
        }
    }

    #[test]
    fn an_answer_is_not_answered() {
        let mut reply = question(1);
        reply[2] |= 0x80;
        assert!(answer(&reply, PORTAL).is_none());
    }
}
