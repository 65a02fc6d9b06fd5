//! Requests that are made to bring a node down: it refuses them, and goes on answering its owner.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

use crate::client;
use crate::support::Place;

/// Time in which the owner is answered, whatever others do.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most bytes by which hostile requests may make a node grow: what bodies and connections may take together.
#[cfg(target_os = "linux")]
const GROWTH: u64 = 160 << 20;

/// Sends bytes on a connection of its own; the status that comes, or `None` if the node hangs up without a word.
fn status(to: SocketAddr, request: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    // A node that has heard enough hangs up while this is written.
    let _ = stream.write_all(request);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head).ok()?.strip_prefix("HTTP/1.1 ")?.parse().ok()
}

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{headers}");
    [format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// What a client of HTTP Basic sends.
fn basic(place: &Place) -> String {
    let cookie = std::fs::read(place.home().join(".cookie")).unwrap();
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let coded = cookie.chunks(3).map(|chunk| {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | chunk.get(at).map_or(0, |byte| usize::from(*byte)));
        let digit = |at: usize| if at <= chunk.len() { char::from(DIGITS[bits >> (18 - 6 * at) & 63]) } else { '=' };
        (0..4).map(digit).collect::<String>()
    });
    format!("authorization: Basic {}\r\n", coded.collect::<String>())
}

/// The most memory that the node has had, bytes.
#[cfg(target_os = "linux")]
fn peak(place: &Place) -> u64 {
    let told = std::fs::read_to_string(format!("/proc/{}/status", place.pid())).unwrap();
    let line = told.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// Requests, each of which is refused; with and without the cookie.
fn refused(to: SocketAddr, cookie: &str) {
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    let objects = br#"{"a":"#.repeat(100_000);
    let huge = vec![b' '; 64 << 20];
    let endless = [b"POST / HTTP/1.1\r\nhost: localhost\r\n".to_vec(), b"x: y\r\n".repeat(200_000)].concat();
    let line = [b"GET /".to_vec(), vec![b'a'; 1 << 20]].concat();
    for headers in ["", cookie] {
        for body in [&deep, &objects, &huge] {
            let status = status(to, &post(headers, body));
            assert!(status.is_none_or(|status| (400..500).contains(&status)), "{status:?}");
        }
    }
    for head in [&endless, &line] {
        let status = status(to, head);
        assert!(status.is_none_or(|status| (400..500).contains(&status)), "{status:?}");
    }
}

/// Bytes without sense, some of them after a head that has some.
fn noise(to: SocketAddr, cookie: &str) {
    let seed = [7; 32];
    let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    for round in 0..300 {
        let mut bytes = vec![0; 1 << (round % 12)];
        rng.fill_bytes(&mut bytes);
        let request = match round % 3 {
            0 => bytes,
            1 => post(cookie, &bytes),
            _ => post("", &bytes),
        };
        let status = status(to, &request);
        assert!(status.is_none_or(|status| status < 500), "{status:?} in round {round} of seed {seed:?}");
    }
}

#[test]
fn a_node_under_attack_answers_its_owner() {
    let place = Place::with_node_of("local");
    let (to, cookie) = (place.http(), basic(&place));
    #[cfg(target_os = "linux")]
    let before = peak(&place);
    let (over, owner) = (AtomicBool::new(false), client(&place));
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut answers = 0;
            while !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                assert_eq!(owner.get_block_count().unwrap().0, 0);
                assert!(begun.elapsed() < PATIENCE, "the owner waited for {:?}", begun.elapsed());
                answers += 1;
            }
            answers
        });
        // Whoever has nothing to say, and whoever says it slowly.
        let slow = scope.spawn(|| {
            let mut held = Vec::new();
            for number in 0..600 {
                // The system may allow fewer.
                let Ok(mut stream) = TcpStream::connect_timeout(&to, PATIENCE) else { break };
                if number % 2 == 0 {
                    let _ = stream.write_all(b"POST / HTTP/1.1\r\nhost: loc");
                }
                held.push(stream);
            }
            held
        });
        refused(to, &cookie);
        let held = slow.join().unwrap();
        assert!(held.len() > 150, "{}", held.len());
        drop(held);
        noise(to, &cookie);
        over.store(true, Ordering::Relaxed);
        assert!(asking.join().unwrap() > 10);
    });
    #[cfg(target_os = "linux")]
    assert!(peak(&place) - before < GROWTH, "{before} bytes became {}", peak(&place));
    assert!(!place.said().contains("panicked"), "{}", place.said());
    assert_eq!(place.run(["stop"]).ends(0).out, "stopped\n");
}
