//! Messages that are not completed, and what is no message.

use tokio::time::Instant;

use super::*;
use yap_protocol::codec;

use crate::session::inbox::{Hold, Place};
use crate::session::outbox::Outbox;
use crate::session::pace::{FRAME_RATE, FRAME_SILENCE, FRAME_TIME};
use crate::session::reader::{IDLE, LEAST_CHUNK, MOST_CHUNK, Read, Reader};

#[tokio::test(start_paused = true)]
async fn nothing_may_be_said_for_as_long_as_one_likes() {
    let mut bench = Bench::new(Limits::default());
    let (session, mut far) = bench.session(1, 1000);
    bench.silence().await;
    write(&mut far, &ping(1).1).await;
    assert_eq!(bench.message().await.0, Message::Ping(1));
    bench.silence().await;
    session.send(Message::Pong(1)).unwrap();
    session.finish();
    assert_eq!(read_all(&mut far).await, [Message::Pong(1)]);
}

#[tokio::test(start_paused = true)]
async fn half_a_message_is_waited_for_and_then_not() {
    let mut bench = Bench::new(Limits::default());
    let (_session, mut far) = bench.session(1, 1000);
    let (_, bytes) = ping(1);
    let start = Instant::now();
    write(&mut far, &bytes[..5]).await;
    assert!(timeout(FRAME_TIME - Duration::from_secs(1), bench.inflow.next()).await.is_err());
    write(&mut far, &bytes[5..]).await;
    assert_eq!(bench.message().await.0, Message::Ping(1));
    write(&mut far, &bytes[..5]).await;
    assert_eq!(bench.closed().await, Why::Stalled);
    assert_eq!((Instant::now() - start).as_secs(), 2 * FRAME_TIME.as_secs() - 1);
}

#[tokio::test(start_paused = true)]
async fn a_byte_a_second_is_too_slow() {
    let mut bench = Bench::new(Limits::default());
    let (_session, mut far) = bench.session(1, 1000);
    let bytes = encode(&block(1000), Framing::Stream);
    let start = Instant::now();
    let writing = tokio::spawn(async move {
        for byte in bytes {
            if far.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    assert_eq!(bench.closed().await, Why::Stalled);
    let took = Instant::now() - start;
    assert!(took >= FRAME_TIME && took <= FRAME_TIME + Duration::from_secs(2), "{took:?}");
    writing.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_large_message_over_a_slow_line_is_taken() {
    let mut bench = Bench::new(Limits::default());
    let (_session, mut far) = bench.session(1, 1 << 20);
    let block = block(3_900_000);
    let bytes = encode(&block, Framing::Stream);
    let writing = tokio::spawn(async move {
        for chunk in bytes.chunks(usize::try_from(FRAME_RATE / 2).unwrap()) {
            write(&mut far, chunk).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        far
    });
    assert_eq!(bench.message().await.0, block);
    writing.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn time_in_which_we_did_not_read_is_not_held_against_a_peer() {
    let mut bench = Bench::new(Limits { receive: 10, ..Limits::default() });
    let (_session, mut far) = bench.session(1, 1000);
    let (_, bytes) = ping(1);
    write(&mut far, &bytes.repeat(2)).await;
    write(&mut far, &bytes[..5]).await;
    settle().await;
    // Two wait: one in the room, one before it, with half of another behind. Nobody takes them for a long time.
    tokio::time::sleep(LONG).await;
    write(&mut far, &bytes[5..]).await;
    for _ in 0..3 {
        assert_eq!(bench.message().await.0, Message::Ping(1));
    }
    bench.silence().await;
}

#[tokio::test(start_paused = true)]
async fn who_sends_garbage_is_told_why_we_part() {
    let mut bench = Bench::new(Limits::default());
    let (session, mut far) = bench.session(1, 1000);
    write(&mut far, &ping(1).1).await;
    write(&mut far, &[0xff; 64]).await;
    assert_eq!(bench.message().await.0, Message::Ping(1));
    let Received::Malformed(error) = bench.next().await.1 else { panic!("it was read") };
    assert_eq!(error, codec::Error::FrameLength([0xff; 4]));
    write(&mut far, &ping(2).1).await;
    bench.silence().await;
    session.send(Message::Verack).unwrap();
    session.finish();
    assert_eq!(read_all(&mut far).await, [Message::Verack]);
    assert_eq!(bench.closed().await, Why::Finished);
}

/// A reader without a task.
struct Alone {
    reader: Reader,
    near: Wire,
    far: DuplexStream,
    outbox: Outbox,
    place: Place,
}

fn alone(bench: &Bench, pipe: usize) -> Alone {
    let (near, far) = duplex(pipe);
    let place = bench.inbox.place(PeerId(1), Arc::default()).unwrap();
    let outbox = Outbox::new(Framing::Stream, &bench.limits, Arc::default(), place.signal());
    Alone { reader: Reader::new(Decoder::new(Framing::Stream)), near: Wire(near), far, outbox, place }
}

impl Alone {
    async fn poll(&mut self) -> Read {
        let Self { reader, near, outbox, place, .. } = self;
        std::future::poll_fn(|cx| Poll::Ready(reader.poll(near, outbox, place, cx))).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn buffers_grow_with_what_comes_and_shrink_with_silence() {
    let mut bench = Bench::new(Limits::default());
    let mut alone = alone(&bench, 1 << 20);
    assert_eq!((alone.poll().await, alone.reader.memory()), (Read::Waits, LEAST_CHUNK));
    let bytes = encode(&block(500_000), Framing::Stream);
    write(&mut alone.far, &bytes).await;
    assert_eq!((alone.poll().await, alone.reader.memory()), (Read::Waits, MOST_CHUNK));
    bench.message().await;
    assert_eq!(alone.reader.deadline(), Some(Instant::now() + IDLE));
    tokio::time::sleep(IDLE).await;
    assert_eq!((alone.poll().await, alone.reader.memory()), (Read::Waits, LEAST_CHUNK));
    assert_eq!(alone.reader.deadline(), None, "nothing is left to be done");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_finds_no_room_is_not_read_on() {
    let bench = Bench::new(Limits { receive: 300_000, ..Limits::default() });
    let mut alone = alone(&bench, 1 << 20);
    // Others have what there is: a complete message that waits for the owner, and one that is not complete.
    let carol = bench.inbox.place(PeerId(2), Arc::default()).unwrap();
    let dave = bench.inbox.place(PeerId(3), Arc::default()).unwrap();
    carol.offer(Message::Verack, 290_000);
    carol.offer(Message::Verack, 200_000);
    assert!(carol.waits());
    assert_eq!(dave.hold(99_000, Instant::now()), Hold::Granted);
    let bytes = encode(&block(500_000), Framing::Stream);
    write(&mut alone.far, &bytes).await;
    assert_eq!(alone.poll().await, Read::Waits);
    assert!(alone.outbox.received() < 200_000, "{} bytes were read", alone.outbox.received());
    // That is not its fault, and does not make its message the oldest.
    tokio::time::sleep(FRAME_SILENCE).await;
    let erin_bell = Arc::<Bell>::default();
    let erin = bench.inbox.place(PeerId(4), Arc::clone(&erin_bell)).unwrap();
    assert_eq!(erin.hold(70_000, Instant::now()), Hold::Waits);
    tokio::time::sleep(FRAME_SILENCE).await;
    assert_eq!(alone.poll().await, Read::Waits);
    assert!(!alone.reader.is_overdue(Instant::now()));
    assert_eq!(alone.reader.deadline(), None);
    drop((carol, dave));
    assert_eq!(alone.poll().await, Read::Waits);
    assert_eq!(alone.outbox.received(), bytes.len() as u64);
    assert_eq!(erin_bell.stopped(), Some(Why::Crowded));
}
