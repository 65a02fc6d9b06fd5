//! However a session ends, its end is told once.

use std::io;

use super::*;
use crate::session::inbox::MAX_SESSIONS;
use crate::session::task::LINGER;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_session_that_is_aborted_ends_at_once() {
    let mut bench = Bench::new(Limits::default());
    let (session, mut far) = bench.session(1, 10);
    write(&mut far, &ping(1).1).await;
    write(&mut far, &ping(2).1).await;
    settle().await;
    session.send(block(1000)).unwrap();
    session.abort();
    session.abort();
    session.finish();
    assert_eq!(bench.closed().await, Why::Aborted, "what came before is not given any more");
    assert!(far.write_all(b"more").await.is_err(), "the stream is gone");
    bench.silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_dropped_is_aborted() {
    let mut bench = Bench::new(Limits::default());
    let (session, _far) = bench.session(1, 10);
    drop(session);
    assert_eq!(bench.closed().await, Why::Aborted);
    assert_eq!(bench.inbox.sessions(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_dropped_after_it_was_told_to_finish_finishes() {
    let mut bench = Bench::new(Limits::default());
    let (session, mut far) = bench.session(1, 10);
    session.send(Message::Ping(3)).unwrap();
    session.finish();
    drop(session);
    assert_eq!(read_all(&mut far).await, [Message::Ping(3)]);
    drop(far);
    assert_eq!(bench.closed().await, Why::Finished);
}

#[tokio::test(start_paused = true)]
async fn what_came_before_the_other_end_closed_is_given() {
    let mut bench = Bench::new(Limits { receive: 10, ..Limits::default() });
    let (session, mut far) = bench.session(1, 1000);
    for nonce in 0..20 {
        write(&mut far, &ping(nonce).1).await;
    }
    drop(far);
    // It can't be written, but there is more to read.
    session.send(Message::Verack).unwrap();
    tokio::time::sleep(LONG).await;
    for nonce in 0..20 {
        assert_eq!(bench.message().await.0, Message::Ping(nonce));
    }
    assert_eq!(bench.closed().await, Why::Theirs);
    assert_eq!(session.send(Message::Verack), Ok(()));
    bench.silence().await;
}

#[tokio::test(start_paused = true)]
async fn finishing_waits_for_the_other_end_but_not_for_long() {
    let mut bench = Bench::new(Limits::default());
    let (session, mut far) = bench.session(1, 1000);
    session.send(Message::Verack).unwrap();
    session.finish();
    let start = Instant::now();
    // What they still say hinders nothing, and is not given.
    write(&mut far, &ping(1).1).await;
    assert_eq!(bench.closed().await, Why::Finished);
    assert_eq!(Instant::now() - start, LINGER);
}

#[tokio::test(start_paused = true)]
async fn finishing_is_given_up_when_nobody_reads() {
    let mut bench = Bench::new(Limits::default());
    let (session, _far) = bench.session(1, 10);
    session.send(block(1000)).unwrap();
    session.finish();
    let start = Instant::now();
    assert_eq!(bench.closed().await, Why::Unfinished);
    assert_eq!((Instant::now() - start).as_secs(), FINISH_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn finishing_can_be_cut_short() {
    let mut bench = Bench::new(Limits::default());
    let (session, _far) = bench.session(1, 10);
    session.send(block(1000)).unwrap();
    session.finish();
    settle().await;
    session.abort();
    assert_eq!(bench.closed().await, Why::Aborted);
}

#[tokio::test(start_paused = true)]
async fn who_has_closed_its_side_may_still_read_while_we_finish() {
    let mut bench = Bench::new(Limits::default());
    let (session, mut far) = bench.session(1, 10);
    session.send(block(1000)).unwrap();
    session.finish();
    far.shutdown().await.unwrap();
    assert_eq!(read_all(&mut far).await, [block(1000)]);
    assert_eq!(bench.closed().await, Why::Finished);
}

/// A stream that fails.
struct Broken(Fails);

#[derive(Clone, Copy)]
enum Fails {
    AtOnce,
    Writing,
}

impl AsyncRead for Broken {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.0 {
            Fails::AtOnce => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Fails::Writing => Poll::Pending,
        }
    }
}

impl AsyncWrite for Broken {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_fails_ends_its_session() {
    let mut bench = Bench::new(Limits::default());
    let session = start(PeerId(1), Broken(Fails::AtOnce), Framing::Stream, &bench.limits, &bench.inbox).unwrap();
    assert_eq!(bench.closed().await, Why::Broken(io::ErrorKind::ConnectionReset));
    drop(session);
    bench.silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_takes_nothing_is_read_for_a_moment() {
    let mut bench = Bench::new(Limits::default());
    let session = start(PeerId(1), Broken(Fails::Writing), Framing::Stream, &bench.limits, &bench.inbox).unwrap();
    bench.silence().await;
    session.send(Message::Verack).unwrap();
    let start = Instant::now();
    assert_eq!(bench.closed().await, Why::Broken(io::ErrorKind::BrokenPipe));
    assert_eq!(Instant::now() - start, LINGER);
}

#[test]
fn a_session_ends_with_its_runtime() {
    let new = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut bench = Bench::new(Limits::default());
    let runtime = new();
    let (session, far) = runtime.block_on(async {
        let (session, mut far) = bench.session(1, 1000);
        write(&mut far, &ping(1).1).await;
        settle().await;
        (session, far)
    });
    drop(runtime);
    assert_eq!(session.send(Message::Verack), Ok(()));
    new().block_on(async {
        assert_eq!(bench.message().await.0, Message::Ping(1));
        assert_eq!(bench.closed().await, Why::Stopped);
        drop(far);
    });
}

#[tokio::test(start_paused = true)]
async fn sessions_end_when_nobody_takes_what_they_receive() {
    let Bench { limits, inbox, inflow } = Bench::new(Limits::default());
    let (near, mut far) = duplex(1000);
    let _session = start(PeerId(1), Wire(near), Framing::Stream, &limits, &inbox).unwrap();
    settle().await;
    drop(inflow);
    assert_eq!(read_all(&mut far).await, []);
    assert_eq!(inbox.sessions(), 0);
    let (near, mut far) = duplex(1000);
    let _session = start(PeerId(2), Wire(near), Framing::Stream, &limits, &inbox).unwrap();
    assert_eq!(read_all(&mut far).await, [], "and none begins");
}

#[tokio::test(start_paused = true)]
async fn all_is_over_when_no_inbox_and_no_session_is_left() {
    let Bench { limits, inbox, mut inflow } = Bench::new(Limits::default());
    let (near, far) = duplex(1000);
    let session = start(PeerId(1), Wire(near), Framing::Stream, &limits, &inbox).unwrap();
    let other = inbox.clone();
    drop(inbox);
    drop(other);
    assert!(timeout(LONG, inflow.next()).await.is_err(), "a session is open");
    drop((session, far));
    assert!(matches!(inflow.next().await.unwrap().what, Received::Closed(Why::Aborted)));
    assert!(inflow.next().await.is_none());
}

#[test]
fn there_are_so_many_sessions_and_not_one_more() {
    let (inbox, _inflow) = channel(1000);
    let mut places: Vec<_> =
        (0..MAX_SESSIONS as u64).map(|id| inbox.place(PeerId(id), Arc::default()).unwrap()).collect();
    assert_eq!(inbox.place(PeerId(0), Arc::default()).err(), Some(Full));
    places.truncate(1);
    assert_eq!(inbox.place(PeerId(0), Arc::default()).err(), Some(Full), "ends that were not taken count");
}
