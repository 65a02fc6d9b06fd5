//! What is sent comes, in its order.

use super::*;
use crate::session::inbox::OVERHEAD;
use crate::session::outbox::Outbox;
use crate::session::reader::LEAST_CHUNK;
use crate::session::writer::{BATCH, Writer, Wrote};

#[tokio::test(start_paused = true)]
async fn messages_come_in_order_whatever_the_chunks() {
    for seed in 0..12 {
        println!("seed {seed}");
        let mut random = random(seed);
        let sent = messages(&mut random, 60);
        let mut bench = Bench::new(Limits::default());
        let (session, mut far) = bench.session(1, 1 + random.index(3000));
        let bytes: Vec<u8> = sent.iter().flat_map(|message| encode(message, Framing::Stream)).collect();
        let total = bytes.len() as u64;
        let writing = tokio::spawn(async move {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let most = 1 << random.index(14);
                let (chunk, after) = rest.split_at(rest.len().min(1 + random.index(most)));
                write(&mut far, chunk).await;
                rest = after;
                tokio::task::yield_now().await;
            }
            far
        });
        for message in sent {
            assert_eq!(bench.message().await, (message.clone(), codec_len(&message)));
        }
        drop(writing.await.unwrap());
        assert_eq!(session.received(), total);
        assert_eq!(bench.closed().await, Why::Theirs);
    }
}

fn codec_len(message: &Message) -> usize {
    yap_protocol::codec::encoded_len(message, Framing::Stream)
}

#[tokio::test(start_paused = true)]
async fn messages_leave_in_order_and_finish_sends_all() {
    for seed in 0..12 {
        println!("seed {seed}");
        let mut random = random(seed);
        let mut sent = messages(&mut random, 60);
        let size = 1 << random.index(22);
        sent.insert(random.index(60), block(size));
        let mut bench = Bench::new(Limits { send_high: usize::MAX, ..Limits::default() });
        let (session, mut far) = bench.session(1, 1 + random.index(3000));
        for (place, message) in sent.iter().enumerate() {
            session.send(message.clone()).unwrap();
            if place % 7 == 0 {
                settle().await;
            }
        }
        session.finish();
        assert_eq!(session.send(Message::Verack), Ok(()), "it is dropped");
        assert_eq!(read_all(&mut far).await, sent);
        drop(far);
        assert_eq!(bench.closed().await, Why::Finished);
        assert_eq!(session.sent(), sent.iter().map(|message| codec_len(message) as u64).sum::<u64>());
    }
}

#[tokio::test(start_paused = true)]
async fn two_sessions_talk_both_ways_at_once() {
    let mut random = random(3);
    let (to_bob, to_alice) = (messages(&mut random, 200), messages(&mut random, 200));
    let (mut alice, mut bob) = (Bench::new(Limits::default()), Bench::new(Limits::default()));
    let (near, far) = duplex(500);
    let with_bob = start(PeerId(1), Wire(near), Framing::Stream, &alice.limits, &alice.inbox).unwrap();
    let with_alice = start(PeerId(1), Wire(far), Framing::Stream, &bob.limits, &bob.inbox).unwrap();
    to_bob.iter().for_each(|message| with_bob.send(message.clone()).unwrap());
    to_alice.iter().for_each(|message| with_alice.send(message.clone()).unwrap());
    for (for_alice, for_bob) in to_alice.into_iter().zip(to_bob) {
        assert_eq!(alice.message().await.0, for_alice);
        assert_eq!(bob.message().await.0, for_bob);
    }
    with_bob.finish();
    assert_eq!(bob.closed().await, Why::Theirs);
    assert_eq!(alice.closed().await, Why::Finished);
}

#[tokio::test(start_paused = true)]
async fn bitcoin_s_framing_is_carried_too() {
    let mut bench = Bench::new(Limits::default());
    let (near, mut far) = duplex(100);
    let framing = Framing::Bitcoin([0xfa, 0xbf, 0xb5, 0xda]);
    let session = start(PeerId(1), Wire(near), framing, &bench.limits, &bench.inbox).unwrap();
    let sent = [Message::Verack, block(3000), Message::Ping(5)];
    sent.iter().for_each(|message| session.send(message.clone()).unwrap());
    let expected: Vec<u8> = sent.iter().flat_map(|message| encode(message, framing)).collect();
    let mut bytes = vec![0; expected.len()];
    far.read_exact(&mut bytes).await.unwrap();
    assert_eq!(bytes, expected);
    write(&mut far, &encode(&Message::GetAddr, framing)).await;
    assert_eq!(bench.message().await.0, Message::GetAddr);
}

#[tokio::test(start_paused = true)]
async fn blocks_that_are_sent_take_no_memory() {
    let bench = Bench::new(Limits::default());
    let place = bench.inbox.place(PeerId(1), Arc::default()).unwrap();
    let outbox = Outbox::new(Framing::Stream, &bench.limits, Arc::default(), place.signal());
    let block = block(3_900_000);
    let expected = encode(&block, Framing::Stream);
    (0..3).for_each(|_| outbox.push(block.clone()).unwrap());
    outbox.push(Message::Verack).unwrap();
    let (near, mut far) = duplex(1 << 16);
    let (mut near, mut writer, mut read) = (Wire(near), Writer::default(), Vec::new());
    loop {
        let wrote = std::future::poll_fn(|cx| Poll::Ready(writer.poll(&mut near, &outbox, cx))).await.unwrap();
        assert!(writer.memory() <= BATCH, "{} bytes are held", writer.memory());
        if wrote == Wrote::All {
            break;
        }
        far.read_buf(&mut read).await.unwrap();
    }
    assert_eq!(outbox.bytes(), 0);
    assert!(writer.memory() <= 1024, "{} bytes are kept", writer.memory());
    drop(near);
    far.read_to_end(&mut read).await.unwrap();
    assert!(read.chunks(expected.len()).take(3).all(|bytes| bytes == expected));
    assert_eq!(decode(&read[expected.len() * 3..]), [Message::Verack]);
}

#[test]
fn a_session_that_is_idle_is_small() {
    let size = size_of::<Task<libp2p::Stream>>() + size_of::<Outbox>() + LEAST_CHUNK;
    assert!(size <= 2500, "{size} bytes");
    let size = size_of::<(Message, usize)>();
    assert!(OVERHEAD >= size, "a message takes {size} bytes in a queue");
}
