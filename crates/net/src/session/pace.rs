//! How fast a peer must be with a message that it began, and how fast it may be with messages.

use std::time::Duration;

use tokio::time::Instant;
use yap_protocol::Message;

/// Time in which a message that was begun must be complete, besides that for its bytes.
pub(super) const FRAME_TIME: Duration = Duration::from_secs(60);

/// Bytes of a message that was begun for which its sender has another second: so four megabytes may take two minutes.
pub(super) const FRAME_RATE: u64 = 1 << 16;

/// Time in which something of a message that was begun must come.
pub(super) const FRAME_SILENCE: Duration = Duration::from_secs(60);

/// A message that was begun and is not complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    begun: Instant,
    /// When something of it came last.
    last: Instant,
    received: u64,
}

impl Frame {
    pub(super) fn begin(now: Instant) -> Self {
        Self { begun: now, last: now, received: 0 }
    }

    /// When it was begun.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// So many bytes came of it.
    pub(super) fn came(&mut self, bytes: usize, now: Instant) {
        self.received = self.received.saturating_add(bytes as u64);
        self.last = now;
    }

    /// We did not read for so long.
    pub(super) fn excuse(&mut self, waited: Duration) {
        self.begun = self.begun.checked_add(waited).unwrap_or(self.begun);
        self.last = self.last.checked_add(waited).unwrap_or(self.last);
    }

    /// When it must be complete, or more must have come of it.
    pub(super) fn deadline(&self) -> Instant {
        let micros = self.received.saturating_mul(1_000_000) / FRAME_RATE;
        let time = FRAME_TIME.saturating_add(Duration::from_micros(micros));
        let complete = self.begun.checked_add(time).unwrap_or(self.begun);
        complete.min(self.last.checked_add(FRAME_SILENCE).unwrap_or(self.last))
    }
}

/// Messages that a peer may send each second. A node that learns a full mempool at once, or relays a hundred times what
/// Bitcoin's network does, stays far below; a peer that fills its line with the smallest of messages would send a hundred
/// times as many.
pub(super) const MESSAGE_RATE: u32 = 10_000;

/// Messages that a peer may send at once.
pub(super) const MESSAGE_BURST: u32 = 20_000;

/// How long a peer that sent too many is not read: long enough that little is spent on waking up.
const PAUSE: Duration = Duration::from_millis(10);

/// Counts messages, as a bucket of tokens that fills as time passes. It looks at the clock only when it is empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    tokens: u32,
    filled: Instant,
}

impl Bucket {
    pub(super) fn new(now: Instant) -> Self {
        Self { tokens: MESSAGE_BURST, filled: now }
    }

    /// Takes what a message counts. Blocks and filters count nothing: they come because we ask for them, which bounds them,
    /// and a chain of empty blocks has a hundred thousand to be fetched in a second.
    pub(super) fn count(&mut self, message: &Message) {
        if !matches!(message, Message::Block(_) | Message::CFilter(_)) {
            self.tokens = self.tokens.saturating_sub(1);
        }
    }

    /// Until when nothing may be read, if so.
    pub(super) fn pause(&mut self, now: impl FnOnce() -> Instant) -> Option<Instant> {
        if self.tokens > 0 {
            return None;
        }
        let now = now();
        let gained = now.duration_since(self.filled).as_micros().saturating_mul(u128::from(MESSAGE_RATE)) / 1_000_000;
        // Fewer are not worth the while.
        if gained < u128::from(MESSAGE_RATE / 100) {
            return self.filled.checked_add(PAUSE);
        }
        self.tokens = u32::try_from(gained).unwrap_or(u32::MAX).min(MESSAGE_BURST);
        self.filled = now;
        None
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test stops at what it did not expect")]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn four_megabytes_may_take_two_minutes() {
        let start = Instant::now();
        let mut frame = Frame::begin(start);
        for second in 1..=120 {
            assert!(start + seconds(second) < frame.deadline(), "after {second} s");
            frame.came(4_000_000 / 120, start + seconds(second));
        }
        assert!(frame.deadline() < start + seconds(122));
    }

    #[test]
    fn one_byte_a_second_is_not_enough() {
        let start = Instant::now();
        let mut frame = Frame::begin(start);
        (0..60).for_each(|second| frame.came(1, start + seconds(second)));
        assert!(frame.deadline() <= start + seconds(61));
    }

    #[test]
    fn silence_ends_a_message_of_which_much_came() {
        let start = Instant::now();
        let mut frame = Frame::begin(start);
        frame.came(3_900_000, start + seconds(1));
        assert_eq!(frame.deadline(), start + seconds(1) + FRAME_SILENCE);
    }

    #[test]
    fn time_in_which_nothing_was_read_does_not_count() {
        let start = Instant::now();
        let mut frame = Frame::begin(start);
        frame.excuse(seconds(1000));
        assert_eq!(frame.deadline(), start + seconds(1000) + FRAME_TIME);
    }

    fn spend(bucket: &mut Bucket, now: Instant) -> u32 {
        let mut spent = 0;
        while bucket.pause(|| now).is_none() {
            bucket.count(&Message::Ping(0));
            spent += 1;
            assert!(spent <= MESSAGE_BURST);
        }
        spent
    }

    #[test]
    fn a_burst_passes_and_one_more_does_not() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        assert_eq!(spend(&mut bucket, start), MESSAGE_BURST);
        assert_eq!(bucket.pause(|| start), Some(start + PAUSE));
    }

    #[test]
    fn the_rate_is_kept_in_the_long_run() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        let spent: u32 = (0..=1000).map(|step| spend(&mut bucket, start + PAUSE * step)).sum();
        assert_eq!(spent, MESSAGE_BURST + 10 * MESSAGE_RATE);
        assert_eq!(spend(&mut bucket, start + seconds(10_000)), MESSAGE_BURST, "no more is saved up");
    }

    #[test]
    fn blocks_count_nothing() {
        let mut random = yap_protocol::Random::new([1; 32]);
        let block = Message::Block(yap_protocol::arbitrary::block(&mut random));
        let mut bucket = Bucket::new(Instant::now());
        (0..=MESSAGE_BURST).for_each(|_| bucket.count(&block));
        assert_eq!(bucket.pause(|| unreachable!("the clock is not needed")), None);
    }
}
