//! Peers that read slowly, or send too much.

use tokio::time::Instant;

use super::*;
use crate::session::inbox::{OVERHEAD, SHARE};
use crate::session::outbox;
use crate::session::pace::{MESSAGE_BURST, MESSAGE_RATE};
use crate::session::reader::MOST_CHUNK;
use crate::session::writer::WRITE_TIMEOUT;

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_dropped() {
    let mut bench = Bench::new(Limits { send_high: 1000, ..Limits::default() });
    let (session, _far) = bench.session(1, 100);
    let start = Instant::now();
    session.send(block(5000)).unwrap();
    assert!(matches!(bench.next().await.1, Received::Congested(true)));
    assert_eq!(bench.closed().await, Why::TooSlow);
    assert_eq!((Instant::now() - start).as_secs(), WRITE_TIMEOUT.as_secs());
    bench.silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_a_little_is_kept() {
    let mut bench = Bench::new(Limits::default());
    let (session, mut far) = bench.session(1, 1);
    session.send(Message::Ping(7)).unwrap();
    let (_, bytes) = ping(7);
    for byte in bytes {
        tokio::time::sleep(WRITE_TIMEOUT - Duration::from_secs(1)).await;
        assert_eq!(far.read_u8().await.unwrap(), byte);
    }
    bench.silence().await;
}

#[tokio::test(start_paused = true)]
async fn the_queue_takes_its_bound_and_not_a_message_more() {
    let cost = outbox::cost(&Message::Ping(0), Framing::Stream);
    let mut bench = Bench::new(Limits { send_most: 50 * cost, ..Limits::default() });
    let (session, mut far) = bench.session(1, 4096);
    // The task has no turn before this one waits.
    (0..50).for_each(|nonce| session.send(Message::Ping(nonce)).unwrap());
    assert_eq!(session.send(Message::Ping(50)), Err(Overflow));
    assert_eq!(session.send(Message::Ping(51)), Ok(()), "it is dropped: the session is at its end");
    assert_eq!(bench.closed().await, Why::TooSlow);
    assert_eq!(read_all(&mut far).await, [], "and so is what waited");
    bench.silence().await;
}

#[tokio::test(start_paused = true)]
async fn congestion_is_told_once_each_way() {
    let cost = outbox::cost(&Message::Ping(0), Framing::Stream);
    let mut bench = Bench::new(Limits { send_high: 40 * cost, ..Limits::default() });
    let (session, mut far) = bench.session(1, 1);
    for round in 0..3 {
        (0..40).for_each(|nonce| session.send(Message::Ping(nonce)).unwrap());
        if round == 0 {
            assert!(timeout(WRITE_TIMEOUT / 2, bench.inflow.next()).await.is_err(), "as much as this may wait");
        }
        (40..80).for_each(|nonce| session.send(Message::Ping(nonce)).unwrap());
        assert!(matches!(bench.next().await, (1, Received::Congested(true))));
        let mut bytes = vec![0; 80 * (cost - OVERHEAD)];
        far.read_exact(&mut bytes).await.unwrap();
        assert!(matches!(bench.next().await, (1, Received::Congested(false))));
    }
    bench.silence().await;
}

#[tokio::test(start_paused = true)]
async fn congestion_ends_below_a_quarter() {
    let cost = outbox::cost(&Message::Ping(0), Framing::Stream);
    let mut bench = Bench::new(Limits { send_high: 40 * cost, ..Limits::default() });
    let place = bench.inbox.place(PeerId(1), Arc::default()).unwrap();
    let outbox = Outbox::new(Framing::Stream, &bench.limits, Arc::default(), place.signal());
    (0..41).for_each(|nonce| outbox.push(Message::Ping(nonce)).unwrap());
    assert!(matches!(bench.next().await.1, Received::Congested(true)));
    (0..31).for_each(|_| outbox.written(cost));
    bench.silence().await;
    outbox.written(1);
    assert!(matches!(bench.next().await.1, Received::Congested(false)));
}

#[tokio::test(start_paused = true)]
async fn congestion_that_has_passed_is_not_told() {
    let mut bench = Bench::new(Limits { send_high: 1000, ..Limits::default() });
    let (session, mut far) = bench.session(1, 1 << 16);
    (0..100).for_each(|nonce| session.send(Message::Ping(nonce)).unwrap());
    settle().await;
    bench.silence().await;
    session.finish();
    assert_eq!(read_all(&mut far).await.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_flooding_peer_is_slowed_and_others_get_in() {
    let mut bench = Bench::new(Limits { receive: 80_000, ..Limits::default() });
    let (mallory, mut flood) = bench.session(1, 1000);
    let (_bob, mut far) = bench.session(2, 1000);
    let flooding = tokio::spawn(async move {
        let (_, bytes) = ping(0);
        for _ in 0..5000 {
            write(&mut flood, &bytes).await;
        }
        flood
    });
    settle().await;
    let share = 80_000 / SHARE / (OVERHEAD + 9);
    let read = mallory.received();
    assert!(read <= ((share + 2) * 10 + MOST_CHUNK) as u64, "{read} bytes were read of a peer that nobody hears");
    write(&mut far, &ping(1).1).await;
    settle().await;
    let first = [bench.next().await.0, bench.next().await.0];
    assert!(first.contains(&2), "bob has his turn");
    for _ in 1..5000 {
        assert_eq!(bench.message().await.0, Message::Ping(0));
    }
    flooding.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_session_may_always_have_one_message() {
    let mut bench = Bench::new(Limits { receive: 1, ..Limits::default() });
    let (_session, mut far) = bench.session(1, 1000);
    let block = block(100_000);
    let bytes = encode(&block, Framing::Stream);
    let writing = tokio::spawn(async move {
        write(&mut far, &bytes).await;
        write(&mut far, &bytes).await;
        far
    });
    assert_eq!(bench.message().await.0, block);
    assert_eq!(bench.message().await.0, block);
    writing.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn small_messages_are_paced() {
    let mut bench = Bench::new(Limits::default());
    let (_session, mut far) = bench.session(1, 1 << 16);
    let start = Instant::now();
    let most = MESSAGE_BURST + 2 * MESSAGE_RATE;
    let flooding = tokio::spawn(async move {
        let (_, bytes) = ping(0);
        let bytes = bytes.repeat(usize::try_from(most).unwrap());
        write(&mut far, &bytes).await;
        far
    });
    for count in 0..most {
        bench.message().await;
        if count < MESSAGE_BURST {
            assert_eq!(Instant::now(), start, "a burst passes at once");
        }
    }
    let took = Instant::now() - start;
    assert!((1.9..2.1).contains(&took.as_secs_f64()), "{took:?}");
    flooding.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn blocks_are_not_paced() {
    let mut bench = Bench::new(Limits::default());
    let (_session, mut far) = bench.session(1, 1 << 16);
    let bytes = encode(&block(10), Framing::Stream);
    let most = MESSAGE_BURST + 1;
    let sending = tokio::spawn(async move {
        write(&mut far, &bytes.repeat(usize::try_from(most).unwrap())).await;
        far
    });
    let start = Instant::now();
    for _ in 0..most {
        bench.message().await;
    }
    assert_eq!(Instant::now(), start);
    sending.await.unwrap();
}
