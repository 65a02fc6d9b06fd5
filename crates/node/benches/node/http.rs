//! A client that costs next to nothing: one connection, one request at a time, answers of known length.

use std::io::{BufRead as _, BufReader, Error, ErrorKind, Read as _, Result, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connection that is kept.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    host: SocketAddr,
    authorization: String,
}

impl Connection {
    pub(crate) fn open(host: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream: BufReader::new(stream), host, authorization: String::new() })
    }

    /// With a cookie: user and password, separated by a colon.
    pub(crate) fn with_credentials(mut self, cookie: &str) -> Self {
        self.authorization = format!("authorization: Basic {}\r\n", base64(cookie.as_bytes()));
        self
    }

    pub(crate) fn get(&mut self, path: &str) -> Result<(u16, Vec<u8>)> {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{}\r\n", self.host, self.authorization))
    }

    pub(crate) fn post(&mut self, body: &str) -> Result<(u16, Vec<u8>)> {
        let request = self.request(body);
        self.send(&request)
    }

    /// A call as it goes over the wire, to be sent more than once.
    pub(crate) fn request(&self, body: &str) -> String {
        let (host, authorization, length) = (self.host, &self.authorization, body.len());
        format!(
            "POST / HTTP/1.1\r\nhost: {host}\r\n{authorization}content-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
    }

    /// Sends a request, and reads the answer: its status and its body.
    pub(crate) fn send(&mut self, request: &str) -> Result<(u16, Vec<u8>)> {
        self.stream.get_mut().write_all(request.as_bytes())?;
        let (mut line, mut length) = (String::new(), None);
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| Error::new(ErrorKind::InvalidData, line.clone()))?;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            match line.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse::<usize>().ok();
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length.ok_or_else(|| Error::new(ErrorKind::InvalidData, "an answer without length"))?];
        self.stream.read_exact(&mut body)?;
        Ok((status, body))
    }
}

/// As in RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = (0..3).fold(0_usize, |sum, index| sum << 8 | usize::from(three.get(index).copied().unwrap_or(0)));
        for index in 0..4 {
            let digit = ALPHABET[number >> (18 - 6 * index) & 63];
            text.push(if index <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}
