//! Sessions over pipes, with time that passes when nothing else happens.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops at what it did not expect"
)]

mod behaviour;
mod ends;
mod flow;
mod late;
mod schedule;
mod slow;
mod speed;

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bitcoin::consensus;
use bitcoin::hashes::Hash;
use tokio::io::{AsyncRead as _, AsyncReadExt, AsyncWrite as _, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::time::timeout;
use yap_chain::block::Block;
use yap_protocol::Random;
use yap_protocol::codec::{Decoder, encode};

use super::*;

/// Longer than anything takes here, and passes at once if nothing else happens.
pub(super) const LONG: Duration = Duration::from_secs(3600);

/// A pipe's end, as sessions take it.
#[derive(Debug)]
pub(super) struct Wire(pub(super) DuplexStream);

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<std::io::Result<usize>> {
        let mut buffer = ReadBuf::new(bytes);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// An inbox with the sessions of one test.
pub(super) struct Bench {
    pub(super) limits: Limits,
    pub(super) inbox: Inbox,
    pub(super) inflow: Inflow,
}

impl Bench {
    pub(super) fn new(limits: Limits) -> Self {
        let (inbox, inflow) = channel(limits.receive);
        Self { limits, inbox, inflow }
    }

    /// A session on a pipe of so many bytes, and the other end.
    pub(super) fn session(&self, id: u64, pipe: usize) -> (Session, DuplexStream) {
        let (near, far) = duplex(pipe);
        let session = start(PeerId(id), Wire(near), Framing::Stream, &self.limits, &self.inbox).unwrap();
        (session, far)
    }

    /// What comes next.
    pub(super) async fn next(&mut self) -> (u64, Received) {
        let item = timeout(LONG, self.inflow.next()).await.expect("something comes");
        let Item { peer, what } = item.expect("an inbox is there");
        (peer.0, what)
    }

    /// The message that comes next.
    pub(super) async fn message(&mut self) -> (Message, usize) {
        match self.next().await.1 {
            Received::Message { message, size } => (message, size),
            other => panic!("not a message: {other:?}"),
        }
    }

    /// How the session ends, as comes next.
    pub(super) async fn closed(&mut self) -> Why {
        match self.next().await.1 {
            Received::Closed(why) => why,
            other => panic!("not its end: {other:?}"),
        }
    }

    /// Nothing comes, however long one waits.
    pub(super) async fn silence(&mut self) {
        let what = timeout(LONG, self.inflow.next()).await;
        assert!(what.is_err(), "{what:?}");
    }
}

pub(super) fn random(seed: u64) -> Random {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    Random::new(bytes)
}

pub(super) fn messages(random: &mut Random, count: usize) -> Vec<Message> {
    (0..count).map(|_| yap_protocol::arbitrary::message(random)).collect()
}

/// A block of about so many bytes.
pub(super) fn block(bytes: usize) -> Message {
    let header = yap_protocol::arbitrary::header(&mut random(7));
    let input = bitcoin::TxIn { script_sig: vec![0x51; bytes].into(), ..bitcoin::TxIn::default() };
    let transaction = bitcoin::Transaction {
        version: bitcoin::transaction::Version::ONE,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![input],
        output: Vec::new(),
    };
    assert_ne!(header.prev_blockhash, bitcoin::BlockHash::all_zeros());
    let bytes = consensus::serialize(&bitcoin::Block { header, txdata: vec![transaction] });
    Message::Block(Arc::new(Block::parse(bytes).unwrap()))
}

pub(super) fn ping(nonce: u64) -> (Message, Vec<u8>) {
    let message = Message::Ping(nonce);
    let bytes = encode(&message, Framing::Stream);
    (message, bytes)
}

/// Reads until the other end closes.
pub(super) async fn read_all(far: &mut DuplexStream) -> Vec<Message> {
    let mut bytes = Vec::new();
    far.read_to_end(&mut bytes).await.unwrap();
    decode(&bytes)
}

pub(super) fn decode(mut bytes: &[u8]) -> Vec<Message> {
    let mut decoder = Decoder::new(Framing::Stream);
    std::iter::from_fn(|| decoder.read(&mut bytes)).map(|result| result.unwrap().0).collect()
}

/// Lets every task do what it can.
pub(super) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Writes, however long it takes.
pub(super) async fn write(far: &mut DuplexStream, bytes: &[u8]) {
    timeout(LONG, far.write_all(bytes)).await.expect("it is read").expect("it is open");
}
