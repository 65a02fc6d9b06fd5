//! Reads the event stream of a node (server-sent events).
//!
//! The request is of HTTP/1.0, so that the answer comes without framing and ends with the connection.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::credentials::Credentials;
use crate::event::Stamped;

use super::{CONNECT, ClientError};

/// Silence after which the node is taken for gone. It sends a comment every 15 seconds.
const SILENCE: Duration = Duration::from_secs(60);

/// Longest line that is read, bytes.
const LINE_MAX: u64 = 1 << 20;

/// Most lines of an answer's head.
const HEAD_LINES: usize = 100;

/// Which events are wanted; all of them by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Types, such as `block_connected`; none means all.
    pub types: Vec<String>,
    /// Only messages under this topic.
    pub topic: Option<String>,
}

impl Filter {
    /// Only events of these types.
    #[must_use]
    pub fn types<T: Into<String>>(types: impl IntoIterator<Item = T>) -> Self {
        Self { types: types.into_iter().map(Into::into).collect(), topic: None }
    }

    /// Only messages under a topic.
    #[must_use]
    pub fn topic(topic: impl Into<String>) -> Self {
        Self { types: vec!["message".into()], topic: Some(topic.into()) }
    }

    fn path(&self) -> String {
        let types = (!self.types.is_empty()).then(|| format!("types={}", escaped(&self.types.join(","))));
        let topic = self.topic.as_ref().map(|topic| format!("topic={}", escaped(topic)));
        let query: Vec<String> = types.into_iter().chain(topic).collect();
        if query.is_empty() { "/events".to_owned() } else { format!("/events?{}", query.join("&")) }
    }
}

/// Percent-encoding (RFC 3986 §2.1) of all but unreserved characters.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |escaped, byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b',' => {
            escaped + &char::from(byte).to_string()
        }
        other => escaped + &format!("%{other:02X}"),
    })
}

/// What the stream tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// Something happened.
    Event(Box<Stamped>),
    /// We read too slowly: so many events were dropped.
    Lost(u64),
}

/// Ends an event stream from elsewhere.
#[derive(Clone, Debug)]
pub struct Stopper {
    stream: Arc<TcpStream>,
    stopped: Arc<AtomicBool>,
}

impl Stopper {
    /// Ends the stream: whoever waits for the next event gets `None` at once.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        // It fails if the connection is gone already, and then nobody waits.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// What happens at a node, until it stops or [`Stopper::stop`] is called.
#[derive(Debug)]
pub struct Events {
    reader: BufReader<TcpStream>,
    stopper: Stopper,
    address: String,
    done: bool,
}

impl Events {
    pub(super) fn open(address: &str, credentials: Option<&Credentials>, filter: &Filter) -> Result<Self, ClientError> {
        let failed = |why| ClientError::io(address, why);
        let mut stream = connect(address).map_err(failed)?;
        stream.set_read_timeout(Some(SILENCE)).map_err(failed)?;
        stream.set_write_timeout(Some(CONNECT)).map_err(failed)?;
        let mut head = format!("GET {} HTTP/1.0\r\nhost: {address}\r\naccept: text/event-stream\r\n", filter.path());
        if let Some(credentials) = credentials {
            head.push_str(&format!("authorization: {}\r\n", credentials.header()));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).map_err(failed)?;
        let shared = Arc::new(stream.try_clone().map_err(failed)?);
        let stopper = Stopper { stream: shared, stopped: Arc::default() };
        let mut events = Self { reader: BufReader::new(stream), stopper, address: address.to_owned(), done: false };
        events.answered()?;
        Ok(events)
    }

    /// What ends this stream from another thread.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Reads the head of the answer.
    fn answered(&mut self) -> Result<(), ClientError> {
        let not_a_node = |why| ClientError::NotANode { address: self.address.clone(), why };
        let failed = |why| ClientError::io(&self.address, why);
        let first = line(&mut self.reader).map_err(failed)?.unwrap_or_default();
        let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|code| code.parse().ok());
        let status: u16 = status.ok_or_else(|| not_a_node("it does not speak HTTP"))?;
        let mut stream = false;
        for _ in 0..HEAD_LINES {
            let Some(header) = line(&mut self.reader).map_err(failed)?.filter(|line| !line.is_empty()) else {
                return match status {
                    200 if stream => Ok(()),
                    200 => Err(not_a_node("it has no event stream")),
                    401 => Err(ClientError::NoCookie),
                    _ => Err(ClientError::http(&self.address, status, &rest(&mut self.reader))),
                };
            };
            let header = header.to_ascii_lowercase();
            stream |= header.starts_with("content-type:") && header.contains("text/event-stream");
        }
        Err(not_a_node("its answer has no end"))
    }

    /// The next whole event; `None` at the end of the stream.
    fn told(&mut self) -> io::Result<Option<Told>> {
        let mut data = String::new();
        let mut lost = false;
        while let Some(line) = line(&mut self.reader)? {
            if let Some(kind) = line.strip_prefix("event: ") {
                lost = kind == "lost";
            } else if let Some(more) = line.strip_prefix("data: ") {
                data.push_str(more);
            } else if line.is_empty() && !data.is_empty() {
                let value: Value = serde_json::from_str(&data).map_err(io::Error::other)?;
                if lost {
                    return Ok(Some(Told::Lost(value.get("lost").and_then(Value::as_u64).unwrap_or_default())));
                }
                // By way of a value: tagged types can't take exact numbers from text.
                if let Ok(stamped) = serde_json::from_value(value) {
                    return Ok(Some(Told::Event(Box::new(stamped))));
                }
                // An event that a newer node tells, and that we do not know.
                data.clear();
            }
        }
        Ok(None)
    }
}

impl Iterator for Events {
    type Item = Result<Told, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let told = self.told();
        self.done = !matches!(told, Ok(Some(_)));
        match told {
            Ok(told) => told.map(Ok),
            Err(_) if self.stopper.stopped.load(Ordering::SeqCst) => None,
            Err(why) => Some(Err(ClientError::io(&self.address, why))),
        }
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for socket in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&socket, CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The next line without its end; `None` at the end of the stream.
fn line(reader: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    reader.by_ref().take(LINE_MAX).read_until(b'\n', &mut bytes)?;
    match bytes.last() {
        None => Ok(None),
        Some(b'\n') => {
            bytes.truncate(bytes.trim_ascii_end().len());
            String::from_utf8(bytes).map(Some).map_err(io::Error::other)
        }
        Some(_) if bytes.len() as u64 >= LINE_MAX => Err(io::Error::other("a line has no end")),
        Some(_) => Ok(None),
    }
}

/// The beginning of an answer's body.
fn rest(reader: &mut BufReader<TcpStream>) -> Vec<u8> {
    let mut body = Vec::new();
    // What came before it failed is shown.
    let _ = reader.by_ref().take(4096).read_to_end(&mut body);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_written_as_a_query() {
        assert_eq!(Filter::default().path(), "/events");
        assert_eq!(Filter::types(["ping", "alone"]).path(), "/events?types=ping,alone");
        assert_eq!(Filter::topic("a b&c").path(), "/events?types=message&topic=a%20b%26c");
    }
}
