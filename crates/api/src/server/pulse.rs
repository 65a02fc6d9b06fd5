//! What a connection is at, and when it has been at it for too long.
//!
//! ```text
//! Idle ──first byte──▶ Head ──request──▶ Working ──▶ Body ──▶ Working ──reply──▶ Sending ──▶ Idle
//!                                                                   └──stream──▶ Streaming
//! ```

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::limits::Limits;

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It waits for a request.
    Idle(Instant),
    /// The head of a request comes in.
    Head(Instant),
    /// A body comes in: since when, and bytes so far.
    Body(Instant, usize),
    /// A request is being answered. That takes as long as it takes.
    Working,
    /// A reply goes out: since when, and its bytes.
    Sending(Instant, usize),
    /// Events go out: when the reader last took something.
    Streaming(Instant),
    /// It made room for another.
    Left(Instant),
}

impl Stage {
    /// When it will have taken too long.
    fn deadline(self, limits: &Limits) -> Option<Instant> {
        let (since, time): (Instant, Duration) = match self {
            Self::Idle(since) => (since, limits.idle_time),
            Self::Head(since) => (since, limits.head_time),
            Self::Body(since, bytes) | Self::Sending(since, bytes) => (since, limits.transfer(bytes)),
            Self::Working => return None,
            Self::Streaming(last) => (last, limits.stream_stall),
            Self::Left(since) => (since, Duration::ZERO),
        };
        since.checked_add(time)
    }
}

/// One connection's stage, told by those who work on it.
#[derive(Clone, Debug)]
pub(crate) struct Pulse(watch::Sender<Stage>);

impl Pulse {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Stage::Idle(Instant::now())))
    }

    pub(crate) fn stage(&self) -> Stage {
        *self.0.borrow()
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.0.send_replace(stage);
    }

    /// Since when nothing is being done for it, if so: no request has come yet.
    pub(crate) fn waiting(&self) -> Option<Instant> {
        match self.stage() {
            Stage::Idle(since) | Stage::Head(since) => Some(since),
            Stage::Body(..) | Stage::Working | Stage::Sending(..) | Stage::Streaming(_) | Stage::Left(_) => None,
        }
    }

    /// Ends the connection if nothing is being done for it; says whether that is so.
    pub(crate) fn leave(&self) -> bool {
        self.0.send_if_modified(|stage| {
            let waits = matches!(stage, Stage::Idle(_) | Stage::Head(_));
            if waits {
                *stage = Stage::Left(Instant::now());
            }
            waits
        })
    }

    /// Bytes came in.
    pub(crate) fn arrived(&self) {
        self.0.send_if_modified(|stage| {
            let first = matches!(stage, Stage::Idle(_));
            if first {
                *stage = Stage::Head(Instant::now());
            }
            first
        });
    }

    /// More of a body came in. That only puts the deadline off, which whoever waits for it finds out by itself.
    pub(crate) fn received(&self, more: usize) {
        self.0.send_if_modified(|stage| {
            if let Stage::Body(_, bytes) = stage {
                *bytes = bytes.saturating_add(more);
            }
            false
        });
    }

    /// The reader of a stream took something.
    pub(crate) fn taken(&self) {
        self.0.send_if_modified(|stage| {
            if let Stage::Streaming(last) = stage {
                *last = Instant::now();
            }
            false
        });
    }

    /// Returns when the connection has been at something for too long; gives what it was.
    pub(crate) async fn expired(&self, limits: &Limits) -> Stage {
        let mut stages = self.0.subscribe();
        loop {
            let stage = *stages.borrow_and_update();
            match stage.deadline(limits) {
                Some(deadline) if deadline <= Instant::now() => return stage,
                // The sender is this one: the channel is never closed.
                Some(deadline) => drop(tokio::time::timeout_at(deadline, stages.changed()).await),
                None => drop(stages.changed().await),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_has_its_time() {
        let limits = Limits { rate: 10, ..Limits::default() };
        let now = Instant::now();
        let after = |stage: Stage| stage.deadline(&limits).map(|deadline| deadline - now);
        assert_eq!(after(Stage::Idle(now)), Some(limits.idle_time));
        assert_eq!(after(Stage::Head(now)), Some(limits.head_time));
        assert_eq!(after(Stage::Body(now, 9)), Some(limits.transfer_time));
        assert_eq!(after(Stage::Body(now, 20)), Some(limits.transfer_time + Duration::from_secs(2)));
        assert_eq!(after(Stage::Working), None);
        assert_eq!(after(Stage::Streaming(now)), Some(limits.stream_stall));
    }

    #[test]
    fn first_byte_begins_a_head_once() {
        let pulse = Pulse::new();
        pulse.arrived();
        let Stage::Head(since) = pulse.stage() else { panic!("{:?}", pulse.stage()) };
        pulse.arrived();
        assert_eq!(pulse.stage(), Stage::Head(since), "further bytes do not put it off");
        pulse.enter(Stage::Working);
        pulse.arrived();
        assert_eq!(pulse.stage(), Stage::Working);
    }
}
