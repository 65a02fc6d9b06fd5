#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "tests: the numbers are their own"
)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use futures::future::{FutureExt, poll_fn};
use futures::{AsyncReadExt, AsyncWriteExt};
use proptest::prelude::*;
use soketto::connection::{Builder, Mode};

use super::*;

/// One direction of a pipe in memory, that gives and takes a few bytes at a time.
#[derive(Debug, Default)]
struct Way {
    bytes: VecDeque<u8>,
    ended: bool,
    /// Most bytes that it holds; writers wait.
    room: usize,
    wakers: Vec<std::task::Waker>,
}

impl Way {
    fn wake(&mut self) {
        self.wakers.drain(..).for_each(std::task::Waker::wake);
    }
}

/// An end of a pipe.
#[derive(Debug)]
struct Pipe {
    from: Arc<Mutex<Way>>,
    to: Arc<Mutex<Way>>,
    /// Most bytes at a time.
    step: usize,
}

fn pipe(step: usize, room: usize) -> (Pipe, Pipe) {
    let way = || Arc::new(Mutex::new(Way { room, ..Way::default() }));
    let (there, back) = (way(), way());
    let near = Pipe { from: Arc::clone(&back), to: Arc::clone(&there), step };
    (near, Pipe { from: there, to: back, step })
}

impl Pipe {
    fn say(&self, bytes: &[u8]) {
        let mut to = self.to.lock().unwrap();
        to.bytes.extend(bytes);
        to.wake();
    }

    fn end(&self) {
        let mut to = self.to.lock().unwrap();
        to.ended = true;
        to.wake();
    }

    fn heard(&self) -> Vec<u8> {
        self.from.lock().unwrap().bytes.drain(..).collect()
    }
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut from = self.from.lock().unwrap();
        let length = bytes.len().min(self.step).min(from.bytes.len());
        if length == 0 && !from.ended && !bytes.is_empty() {
            from.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        for (target, byte) in bytes.iter_mut().zip(from.bytes.drain(..length)) {
            *target = byte;
        }
        from.wake();
        Poll::Ready(Ok(length))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut to = self.to.lock().unwrap();
        let length = bytes.len().min(self.step).min(to.room - to.bytes.len().min(to.room));
        if length == 0 && !bytes.is_empty() {
            to.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        to.bytes.extend(&bytes[..length]);
        to.wake();
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end();
        Poll::Ready(Ok(()))
    }
}

/// A client whose server is the test.
fn client() -> (Frames<Pipe>, Pipe) {
    let (near, far) = pipe(usize::MAX, usize::MAX);
    (Frames::new(near, End::Client, &[]), far)
}

/// A server whose client is the test.
fn server() -> (Frames<Pipe>, Pipe) {
    let (near, far) = pipe(usize::MAX, usize::MAX);
    (Frames::new(near, End::Server, &[]), far)
}

fn read(frames: &mut Frames<Pipe>, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    let read = frames.read(&mut bytes).now_or_never().expect("something to read")?;
    bytes.truncate(read);
    Ok(bytes)
}

/// The examples of RFC 6455, section 5.7, with bytes in place of text.
#[test]
fn the_examples_of_the_rfc_are_read() {
    let (mut frames, far) = server();
    far.say(&[0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    assert_eq!(read(&mut frames, 9).unwrap(), b"Hello");

    let (mut frames, far) = client();
    far.say(&[0x02, 0x03, b'H', b'e', b'l', 0x80, 0x02, b'l', b'o']);
    assert_eq!(read(&mut frames, 9).unwrap(), b"Hel");
    assert_eq!(read(&mut frames, 9).unwrap(), b"lo");

    far.say(&[0x82, 0x7e, 0x01, 0x00]);
    far.say(&[7; 256]);
    assert_eq!(read(&mut frames, 999).unwrap(), [7; 256]);

    far.say(&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
    far.say(&[8; 1 << 16]);
    let mut all = vec![0; 1 << 16];
    block_on(frames.read_exact(&mut all)).unwrap();
    assert_eq!(all, [8; 1 << 16]);
}

#[test]
fn a_ping_is_answered_without_anybody_writing() {
    let (mut frames, far) = client();
    far.say(&[0x89, 0x05, b'H', b'e', b'l', b'l', b'o', 0x82, 0x01, b'!']);
    assert_eq!(read(&mut frames, 9).unwrap(), b"!");
    let pong = far.heard();
    assert_eq!(&pong[..2], &[0x8a, 0x85]);
    let mut payload = pong[6..].to_vec();
    header::mask(&mut payload, pong[2..6].try_into().unwrap());
    assert_eq!(payload, b"Hello");
}

#[test]
fn a_close_is_answered_and_ends_the_stream() {
    let (mut frames, far) = client();
    far.say(&[0x88, 0x05, 0x03, 0xe9, b'b', b'y', b'e']);
    assert_eq!(read(&mut frames, 9).unwrap(), b"");
    let close = far.heard();
    assert_eq!(&close[..2], &[0x88, 0x82], "the status alone comes back");
    let error = block_on(frames.write(b"more")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    block_on(frames.close()).unwrap();
    assert!(far.heard().is_empty(), "one close frame is enough");
}

#[test]
fn closing_says_so_once() {
    let (mut frames, far) = server();
    block_on(frames.close()).unwrap();
    assert_eq!(far.heard(), [0x88, 0x02, 0x03, 0xe8]);
    far.say(&[0x88, 0x80, 0, 0, 0, 0]);
    assert_eq!(read(&mut frames, 9).unwrap(), b"");
    assert!(far.heard().is_empty());
}

#[test]
fn what_breaks_the_rules_ends_the_connection() {
    let broken: [(&str, &[u8]); 9] = [
        ("masked by a server", &[0x82, 0x81, 0, 0, 0, 0, 1]),
        ("text", &[0x81, 0x01, b'a']),
        ("reserved bits", &[0xc2, 0x01, 1]),
        ("an unknown kind", &[0x83, 0x01, 1]),
        ("a long ping", &[0x89, 0x7e, 0, 126]),
        ("a ping in parts", &[0x09, 0x01, 1]),
        ("a message within a message", &[0x02, 0x00, 0x82, 0x01, 1]),
        ("the rest of no message", &[0x80, 0x01, 1]),
        ("a negative length", &[0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0]),
    ];
    for (what, bytes) in broken {
        let (mut frames, far) = client();
        far.say(bytes);
        assert_eq!(read(&mut frames, 9).unwrap_err().kind(), io::ErrorKind::InvalidData, "{what}");
    }
    let (mut frames, far) = server();
    far.say(&[0x82, 0x01, 1]);
    assert_eq!(read(&mut frames, 9).unwrap_err().kind(), io::ErrorKind::InvalidData, "not masked by a client");
}

#[test]
fn a_longest_ping_is_answered_and_one_longer_is_not() {
    let (mut frames, far) = client();
    far.say(&[0x89, 125]);
    far.say(&[9; 125]);
    far.say(&[0x82, 0x01, b'!']);
    assert_eq!(read(&mut frames, 9).unwrap(), b"!");
    assert_eq!(far.heard().len(), 2 + 4 + 125);
    far.say(&[0x89, 126, 0, 126]);
    read(&mut frames, 9).unwrap_err();
}

#[test]
fn an_end_within_a_frame_is_an_error_and_between_frames_is_none() {
    for (bytes, end) in [(&[0x82, 0x02, 1][..], false), (&[0x82][..], false), (&[0x89, 5, 1][..], false), (&[], true)] {
        let (mut frames, far) = client();
        far.say(bytes);
        far.end();
        let mut all = Vec::new();
        let outcome = block_on(frames.read_to_end(&mut all));
        assert_eq!(outcome.is_ok(), end, "{bytes:?}");
    }
}

#[test]
fn a_frame_that_claims_to_be_huge_costs_nothing() {
    let (mut frames, far) = client();
    far.say(&[0x82, 0x7f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
    assert_eq!(read(&mut frames, 99).unwrap(), [1, 2, 3]);
    assert!(frames.output.capacity() <= KEPT);
    // The next bytes of it are handed on as they come, for ever.
    far.say(&[4; 10_000]);
    assert_eq!(read(&mut frames, 100_000).unwrap(), [4; 10_000]);
}

#[test]
fn a_flood_of_pings_that_nobody_takes_fills_no_memory() {
    let (near, far) = pipe(usize::MAX, 1000);
    let mut frames = Frames::new(near, End::Server, &[]);
    let mut ping = vec![0x89, 0x80 | 125, 0, 0, 0, 0];
    ping.resize(ping.len() + 125, 0);
    for _ in 0..10_000 {
        far.say(&ping);
        let mut bytes = [0; 9];
        assert!(frames.read(&mut bytes).now_or_never().is_none());
        assert!(frames.output.len() < OUTPUT + 2 + 125);
    }
}

#[test]
fn a_flood_of_empty_frames_lets_others_have_their_turn() {
    let (mut frames, far) = client();
    for _ in 0..10 * STEPS {
        far.say(&[0x82, 0x00]);
    }
    far.say(&[0x82, 0x01, 1]);
    let mut turns = 0;
    let mut byte = [0];
    let read = block_on(poll_fn(|cx| {
        turns += 1;
        Pin::new(&mut frames).poll_read(cx, &mut byte)
    }));
    assert_eq!((read.unwrap(), byte), (1, [1]));
    assert!(turns > 10, "{turns} turns");
}

#[test]
fn more_than_fits_waits() {
    let (near, far) = pipe(usize::MAX, 100);
    let mut frames = Frames::new(near, End::Server, &[]);
    let block = [5; FRAME];
    assert_eq!(frames.write(&block).now_or_never().unwrap().unwrap(), FRAME);
    assert!(frames.write(&block).now_or_never().is_none(), "{} bytes wait", frames.output.len());
    assert!(frames.output.len() <= OUTPUT + FRAME);
    assert_eq!(far.heard().len(), 100);
}

/// Both ends of a connection are often tasks of their own, and a socket remembers one that waits to write.
#[test]
fn an_answer_takes_no_waiting_writers_place() {
    let (near, far) = pipe(usize::MAX, 10);
    let mut frames = Frames::new(near, End::Server, &[]);
    block_on(frames.write_all(b"far too long for the pipe")).unwrap();
    assert!(frames.flush().now_or_never().is_none());
    let waiting = |far: &Pipe| far.from.lock().unwrap().wakers.len();
    assert_eq!(waiting(&far), 1);
    far.say(&[0x89, 0x80, 0, 0, 0, 0]);
    assert!(frames.read(&mut [0]).now_or_never().is_none());
    assert_eq!(waiting(&far), 1, "the reader did not ask the socket to be woken");
    let mut sent = Vec::new();
    while frames.flush().now_or_never().is_none() {
        sent.extend(far.heard());
    }
    sent.extend(far.heard());
    assert!(sent.ends_with(&[0x8a, 0x00]), "and the answer goes with what was written: {sent:?}");
}

#[test]
fn two_masks_are_never_seen_alike() {
    let (mut frames, far) = client();
    block_on(async {
        frames.write_all(&[0; 4]).await.unwrap();
        frames.write_all(&[0; 4]).await.unwrap();
        frames.flush().await.unwrap();
    });
    let sent = far.heard();
    assert_ne!(sent[2..6], sent[12..16]);
}

proptest! {
    #[test]
    fn masking_does_not_depend_on_where_bytes_are_cut(bytes in prop::collection::vec(any::<u8>(), 0..100), mask: [u8; 4], cut: prop::sample::Index) {
        let whole: Vec<u8> = bytes.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        let (mut cut_bytes, cut) = (bytes.clone(), cut.index(bytes.len() + 1));
        let (left, right) = cut_bytes.split_at_mut(cut);
        let turned = header::mask(left, mask);
        header::mask(right, turned);
        prop_assert_eq!(cut_bytes, whole);
    }

    #[test]
    fn headers_come_back(last: bool, mask: Option<[u8; 4]>, length in prop_oneof![0..200_u64, 65_000..66_000_u64, 0..1_u64 << 63]) {
        let header = Header { opcode: Opcode::Binary, last, mask, length };
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        prop_assert_eq!(Header::decode(&bytes).unwrap(), Some((header, bytes.len())));
        for end in 0..bytes.len() {
            prop_assert_eq!(Header::decode(&bytes[..end]).unwrap(), None);
        }
    }

    #[test]
    fn bytes_arrive_whatever_way_they_are_cut(
        writes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..20),
        step in 1..3000_usize, room in 1..5000_usize, most in 1..9000_usize, early in 0..200_usize, to_server: bool,
    ) {
        let (near, far) = pipe(step, room);
        let (from, to) = if to_server { (End::Client, End::Server) } else { (End::Server, End::Client) };
        let mut writer = Frames::new(near, from, &[]);
        let sent = writes.concat();
        // What came with the handshake is there already.
        let mut early_bytes = Vec::new();
        let mask = (from == End::Client).then_some([0; 4]);
        Header { opcode: Opcode::Binary, last: true, mask, length: early as u64 }.encode(&mut early_bytes);
        early_bytes.extend(vec![0; early]);
        let mut reader = Frames::new(far, to, &early_bytes);
        let write = async {
            for bytes in &writes {
                writer.write_all(bytes).await.unwrap();
            }
            writer.close().await.unwrap();
        };
        let mut got: Vec<u8> = Vec::new();
        let read = async {
            let mut bytes = vec![0; most];
            loop {
                match reader.read(&mut bytes).await.unwrap() {
                    0 => break,
                    read => got.extend(&bytes[..read]),
                }
            }
        };
        block_on(futures::future::join(write, read));
        prop_assert_eq!(&got[..early], &vec![0; early]);
        prop_assert_eq!(&got[early..], &sent[..]);
    }

    #[test]
    fn no_bytes_of_a_stranger_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..400), to_server: bool) {
        let (mut frames, far) = if to_server { server() } else { client() };
        far.say(&bytes);
        far.end();
        let mut all = Vec::new();
        let _ = block_on(frames.read_to_end(&mut all));
        prop_assert!(all.len() <= bytes.len());
    }

    #[test]
    fn another_implementation_understands_us(payload in prop::collection::vec(any::<u8>(), 1..70_000), we_dial: bool) {
        let (near, far) = pipe(usize::MAX, usize::MAX);
        let (end, mode) = if we_dial { (End::Client, Mode::Server) } else { (End::Server, Mode::Client) };
        let mut ours = Frames::new(near, end, &[]);
        let (mut sender, mut receiver) = Builder::new(far, mode).finish();
        block_on(async {
            ours.write_all(&payload).await.unwrap();
            ours.flush().await.unwrap();
            let mut got = Vec::new();
            while got.len() < payload.len() {
                receiver.receive_data(&mut got).await.unwrap();
            }
            assert_eq!(got, payload);
            sender.send_binary(&payload).await.unwrap();
            sender.flush().await.unwrap();
            let mut back = vec![0; payload.len()];
            ours.read_exact(&mut back).await.unwrap();
            assert_eq!(back, payload);
        });
    }
}
