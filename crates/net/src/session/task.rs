//! The task of one session: reads, writes, and ends.
//!
//! ```text
//! Open ──finish──▶ Draining ──all written──▶ Closing ──closed──▶ Lingering ──end of theirs, or LINGER──▶ over
//!   ├──can't write──▶ Failed ──all read, or LINGER──▶ over
//!   └── aborted, a limit, an error, end of theirs (while open) ──▶ over
//! ```
//!
//! It lingers so that what was sent last, such as why we part, arrives: to drop a stream while something of the other end's
//! is unread there would reset it, and take what is on its way along. For the same reason a session whose stream takes nothing
//! any more reads what is left.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until};
use yap_protocol::codec::Decoder;

use super::inbox::{Place, Why};
use super::outbox::{Outbox, Phase};
use super::reader::{Read, Reader};
use super::writer::{Writer, Wrote};

/// Time in which what is queued must be sent after [`Session::finish`](super::Session::finish).
pub(crate) const FINISH_TIMEOUT: Duration = Duration::from_secs(10);

/// Time that the other end has to close its side after we closed ours.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// The task of one session. Fields are dropped in their order: the end is told when the stream is gone.
#[derive(Debug)]
pub(super) struct Task<S> {
    stream: S,
    reader: Reader,
    writer: Writer,
    ending: Ending,
    alarm: Alarm,
    outbox: Arc<Outbox>,
    place: Place,
}

/// How near a session is to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// It goes on.
    No,
    /// What is queued is being sent, until then.
    Draining(Instant),
    /// All is sent, and the stream is being closed, until then.
    Closing(Instant),
    /// It is closed. The other end may close its side until then.
    Lingering(Instant),
    /// Nothing can be written, for this reason. What comes until then is read.
    Failed(io::ErrorKind, Instant),
}

impl<S> Task<S> {
    pub(super) fn new(stream: S, outbox: Arc<Outbox>, place: Place) -> Self {
        let reader = Reader::new(Decoder::new(outbox.framing()));
        Self { stream, reader, writer: Writer::default(), ending: Ending::No, alarm: Alarm::default(), outbox, place }
    }
}

impl<S> Drop for Task<S> {
    fn drop(&mut self) {
        self.outbox.over();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Task<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        // Before anything is looked at, so that nothing that changes meanwhile is missed.
        this.outbox.bell().register(cx.waker());
        loop {
            if let Some(why) = this.step(cx) {
                this.place.ends(why);
                return Poll::Ready(());
            }
            // An alarm that has come rings again at the next deadline, so this ends.
            if this.alarm.poll(this.deadline(), cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Task<S> {
    /// Does what can be done now, and says why the session ends, if it does.
    fn step(&mut self, cx: &mut Context<'_>) -> Option<Why> {
        if let Some(why) = self.outbox.bell().stopped() {
            return Some(why);
        }
        match self.outbox.phase() {
            Phase::Open => {}
            Phase::Finishing => {
                if self.ending == Ending::No {
                    self.reader.deafen();
                    self.ending = Ending::Draining(after(FINISH_TIMEOUT));
                }
            }
            Phase::Aborted(why) => return Some(why),
            // Nothing can be written.
            Phase::Over => {}
        }
        self.write(cx).or_else(|| self.read(cx)).or_else(|| self.overdue())
    }

    fn writes(&self) -> bool {
        matches!(self.ending, Ending::No | Ending::Draining(_))
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Option<Why> {
        if self.writes() {
            match self.writer.poll(&mut self.stream, &self.outbox, cx) {
                Err(error) => {
                    self.outbox.over();
                    self.ending = Ending::Failed(error.kind(), after(LINGER));
                    return None;
                }
                Ok(Wrote::Some) => return None,
                Ok(Wrote::All) => {}
            }
        }
        if let Ending::Draining(until) = self.ending {
            self.ending = Ending::Closing(until);
        }
        if let Ending::Closing(until) = self.ending
            && let Poll::Ready(closed) = Pin::new(&mut self.stream).poll_close(cx)
        {
            if let Err(error) = closed {
                return Some(Why::Broken(error.kind()));
            }
            self.ending = Ending::Lingering(until.min(after(LINGER)));
        }
        None
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Option<Why> {
        let read = self.reader.poll(&mut self.stream, &self.outbox, &self.place, cx);
        match (read, self.ending) {
            (Ok(Read::Waits), _) => None,
            (Ok(Read::Ended), Ending::No | Ending::Failed(..)) => Some(Why::Theirs),
            // Theirs is closed, but they may still read.
            (Ok(Read::Ended), Ending::Draining(_) | Ending::Closing(_)) => None,
            (Ok(Read::Ended) | Err(_), Ending::Lingering(_)) => Some(Why::Finished),
            (Err(error), _) => Some(Why::Broken(error.kind())),
        }
    }

    /// Says which limit of time has been passed, if any.
    fn overdue(&self) -> Option<Why> {
        let now = Instant::now();
        let ends = self.ending().filter(|(until, _)| *until <= now).map(|(_, why)| why);
        let writes = self.write_deadline().filter(|until| *until <= now).map(|_| Why::TooSlow);
        ends.or(writes).or_else(|| self.reader.is_overdue(now).then_some(Why::Stalled))
    }

    /// When the session ends if nothing else happens, and why.
    fn ending(&self) -> Option<(Instant, Why)> {
        match self.ending {
            Ending::No => None,
            Ending::Draining(until) | Ending::Closing(until) => Some((until, Why::Unfinished)),
            Ending::Lingering(until) => Some((until, Why::Finished)),
            // What it waits for then is in our hands.
            Ending::Failed(why, until) => (!self.reader.is_paused()).then_some((until, Why::Broken(why))),
        }
    }

    fn write_deadline(&self) -> Option<Instant> {
        self.writer.deadline().filter(|_| self.writes())
    }

    fn deadline(&self) -> Option<Instant> {
        let ending = self.ending().map(|(until, _)| until);
        [ending, self.write_deadline(), self.reader.deadline()].into_iter().flatten().min()
    }
}

fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}

/// One timer for all deadlines, made when the first is there. It is moved when a deadline is nearer than what it is set
/// to, or when it has come: so most deadlines, which are never reached, cost nothing.
#[derive(Debug, Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready if the deadline has come.
    fn poll(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < sleep.deadline() || sleep.is_elapsed() {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}
