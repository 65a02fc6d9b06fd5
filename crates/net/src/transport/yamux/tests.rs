#![allow(clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm, reason = "tests: the numbers are their own")]

use futures::future::{FutureExt, poll_fn};
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::core::muxing::StreamMuxerExt;
use libp2p::core::transport::memory::Channel;
use libp2p::core::transport::{DialOpts, ListenerId, MemoryTransport, PortUse, Transport, TransportEvent};
use libp2p::core::{Endpoint, Multiaddr};
use tokio_util::compat::TokioAsyncReadCompatExt as _;

use super::*;

type Memory = Muxer<Channel<Vec<u8>>>;

/// Two ends of a connection, in memory.
async fn ends() -> (Memory, Memory) {
    let mut transport = MemoryTransport::new();
    transport.listen_on(ListenerId::next(), "/memory/0".parse().unwrap()).unwrap();
    let mut next = async || poll_fn(|cx| Pin::new(&mut transport).poll(cx)).await;
    let address: Multiaddr = next().await.into_new_address().unwrap();
    let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
    let near = MemoryTransport::new().dial(address, options).unwrap();
    let accept = async {
        match next().await {
            TransportEvent::Incoming { upgrade, .. } => upgrade.await.unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let (near, far) = futures::join!(near, accept);
    (Config::muxer(near.unwrap(), Mode::Client), Config::muxer(far, Mode::Server))
}

/// Polls both ends until neither has anything more to do, which in memory is at once.
async fn settle(near: &mut Memory, far: &mut Memory) {
    for _ in 0..1000 {
        for end in [&mut *near, &mut *far] {
            poll_fn(|cx| Poll::Ready(end.poll_unpin(cx).map(Result::unwrap).is_pending())).await;
        }
    }
}

/// Opens a stream and says something on it that the other end may or may not take.
async fn open(near: &mut Memory, far: &mut Memory) -> (Stream, Stream) {
    let mut there = poll_fn(|cx| near.poll_outbound_unpin(cx)).await.unwrap();
    there.write_all(b"hello").await.unwrap();
    settle(near, far).await;
    let mut here = poll_fn(|cx| far.poll_inbound_unpin(cx)).await.unwrap();
    let mut hello = [0; 5];
    here.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello");
    (there, here)
}

#[tokio::test]
async fn a_stream_that_is_not_read_holds_its_first_window_and_no_more() {
    let (mut near, mut far) = ends().await;
    let (mut there, mut here) = open(&mut near, &mut far).await;
    let mut sent = 0;
    // As long as anything moves.
    loop {
        match there.write(&[7; 10_000]).now_or_never() {
            Some(written) => sent += written.unwrap(),
            None => {
                settle(&mut near, &mut far).await;
                match there.write(&[7; 10_000]).now_or_never() {
                    Some(written) => sent += written.unwrap(),
                    None => break,
                }
            }
        }
        assert!(sent < 10 * FIRST_WINDOW, "no end");
    }
    assert_eq!(sent + 5, FIRST_WINDOW);
    // Once it is read, more may come.
    let mut all = vec![0; sent];
    here.read_exact(&mut all).await.unwrap();
    assert!(all.iter().all(|byte| *byte == 7));
    // The reader's next turn tells the other end.
    assert!(here.read(&mut [0]).now_or_never().is_none());
    settle(&mut near, &mut far).await;
    assert!(there.write(&[7; 10_000]).now_or_never().is_some());
}

#[tokio::test]
async fn streams_that_nobody_takes_wait_within_the_bound() {
    let (mut near, mut far) = ends().await;
    let mut opened = Vec::new();
    for _ in 0..STREAMS {
        let mut stream = poll_fn(|cx| near.poll_outbound_unpin(cx)).await.unwrap();
        stream.write_all(b"x").await.unwrap();
        opened.push(stream);
    }
    settle(&mut near, &mut far).await;
    assert_eq!(far.opened.len(), STREAMS);
    // Our own end keeps the bound too.
    let one_more = poll_fn(|cx| near.poll_outbound_unpin(cx)).await;
    assert!(matches!(one_more, Err(ConnectionError::TooManyStreams)), "{one_more:?}");
}

#[tokio::test]
async fn whoever_opens_streams_and_drops_them_without_end_loses_the_connection() {
    let (mut near, mut far) = ends().await;
    // The bucket fills while this runs: it takes the burst, what flows in meanwhile, and one more.
    for opened in 0.. {
        assert!(opened < 100 * OPENINGS.burst, "no end");
        let mut there = poll_fn(|cx| near.poll_outbound_unpin(cx)).await.unwrap();
        there.write_all(b"!").await.unwrap();
        drop(there);
        poll_fn(|cx| Poll::Ready(near.poll_unpin(cx).map(Result::unwrap).is_pending())).await;
        let heard = poll_fn(|cx| Poll::Ready(far.poll_inbound_unpin(cx))).await;
        let driven = poll_fn(|cx| Poll::Ready(far.poll_unpin(cx).map(drop_ok))).await;
        let lost = matches!(heard, Poll::Ready(Err(_))) || matches!(driven, Poll::Ready(Err(_)));
        if lost {
            assert!(opened >= OPENINGS.burst, "an honest peer may open so many: {opened}");
            return;
        }
    }
}

/// What a muxer says next, or that it says nothing for so long.
async fn ends_within(muxer: &mut Memory, time: std::time::Duration) -> Option<ConnectionError> {
    let end = poll_fn(|cx| muxer.poll_unpin(cx));
    match tokio::time::timeout(time, end).await {
        Ok(Err(error)) => Some(error),
        Ok(Ok(event)) => panic!("{event:?}"),
        Err(_) => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_ends_and_one_that_is_heard_does_not() {
    let (mut near, mut far) = ends().await;
    let (mut there, mut here) = open(&mut near, &mut far).await;
    // Whoever says something now and then is there.
    for _ in 0..4 {
        tokio::time::advance(silence::SILENCE * 9 / 10).await;
        there.write_all(b"!").await.unwrap();
        here.write_all(b"!").await.unwrap();
        settle(&mut near, &mut far).await;
    }
    // Then nothing comes any more. The other end is held, and not closed.
    assert!(ends_within(&mut far, silence::SILENCE * 9 / 10).await.is_none());
    let error = ends_within(&mut far, silence::SILENCE / 5).await.expect("it is given up");
    assert!(matches!(&error, ConnectionError::Io(error) if error.kind() == std::io::ErrorKind::TimedOut), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_that_nobody_takes_ends_with_the_silence() {
    // Less than one frame fits, and nobody reads it.
    let (near, _far) = tokio::io::duplex(8);
    let mut near = Config::muxer(near.compat(), Mode::Client);
    let close = tokio::time::timeout(silence::SILENCE * 9 / 10, poll_fn(|cx| near.poll_close_unpin(cx)));
    assert!(close.await.is_err(), "it takes its time");
    let close = tokio::time::timeout(silence::SILENCE, poll_fn(|cx| near.poll_close_unpin(cx)));
    assert!(close.await.expect("it does not wait for ever").is_err());
}

#[test]
fn whoever_is_there_is_asked_before_it_counts_as_silent() {
    assert_eq!(silence::SILENCE, crate::engine::PING_INTERVAL + crate::engine::PING_TIMEOUT);
}

fn drop_ok(event: Result<StreamMuxerEvent, ConnectionError>) -> Result<(), ConnectionError> {
    event.map(drop)
}
