//! The thread that owns the wallet: it follows the chain, runs jobs, and writes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bitcoin::BlockHash;
use crossbeam_channel::{TryRecvError, select};
use yap_api::backend::{Unavailable, WalletJob, WalletStanding};
use yap_api::event::Event;
use yap_chain::spec::Spec;
use yap_wallet::Wallet;

use super::files::Files;
use super::offer::Offers;
use super::source::{Next, Source};
use super::{Inbox, Shared, Tell, load, now};

/// A job does not wait for a wallet that is further behind than so many blocks.
const FAR_BEHIND: u32 = 100;

/// Blocks before which a new wallet can't have been paid: those whose time is earlier than its own by this, in seconds.
/// Bitcoin Core's margin for the times that miners claim.
const TIME_MARGIN: u64 = 2 * 60 * 60;

/// How long the thread sleeps if nothing happens: an unlocked wallet locks itself, and offers are made again.
const IDLE: Duration = Duration::from_secs(15);

/// How long the mempool is left alone after it was looked through, for each of its transactions.
const REST: Duration = Duration::from_micros(2);

/// Known blocks that are told when the next are asked for.
const KNOWN: usize = 64;

/// How far one turn of following came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// There is more.
    More,
    /// The wallet is at the tip, or can't go on.
    Done,
}

/// See the module.
pub(super) struct Worker {
    wallet: Wallet,
    files: Files,
    spec: Arc<Spec>,
    source: Box<dyn Source>,
    tell: Tell,
    shared: Arc<Mutex<Shared>>,
    offers: Offers,
    /// Sequence number up to which the mempool was looked through.
    sequence: u64,
    /// When it may be looked through again.
    rested: Instant,
    behind: u32,
    /// Whether it was said that blocks are missing.
    missed: bool,
    /// Why nothing can be done any more.
    broken: Option<String>,
}

impl Worker {
    pub(super) fn new(
        wallet: Wallet,
        files: Files,
        source: Box<dyn Source>,
        tell: Tell,
        shared: Arc<Mutex<Shared>>,
    ) -> Self {
        let spec = Arc::clone(wallet.spec());
        let (offers, rested) = (Offers::new(now()), Instant::now());
        let mut worker = Self {
            wallet,
            files,
            spec,
            source,
            tell,
            shared,
            offers,
            sequence: 0,
            rested,
            behind: 0,
            missed: false,
            broken: None,
        };
        worker.publish();
        worker
    }

    /// Works until it is stopped, or nobody holds a handle any more.
    pub(super) fn run(mut self, inbox: &Inbox) {
        self.skip();
        let mut turn = Turn::More;
        loop {
            if inbox.stopped.try_recv().is_ok() {
                break;
            }
            match inbox.jobs.try_recv() {
                Ok(job) => {
                    self.serve(job);
                    turn = Turn::More;
                    continue;
                }
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {}
            }
            if turn == Turn::More {
                turn = self.follow();
                continue;
            }
            self.offer();
            select! {
                recv(inbox.stopped) -> _ => break,
                recv(inbox.jobs) -> job => match job {
                    Ok(job) => self.serve(job),
                    Err(_) => break,
                },
                recv(inbox.nudges) -> _ => {}
                default(IDLE) => {}
            }
            turn = Turn::More;
        }
        let _ = self.keep(true);
    }

    /// A new wallet need not read the blocks from before it was made.
    fn skip(&mut self) {
        let (created, ..) = self.wallet.birthday();
        if let Ok((height, hash)) = self.source.before(created.saturating_sub(TIME_MARGIN)) {
            self.wallet.skip_to(height, hash);
        }
    }

    /// Runs a job, once the wallet is at the tip, or is too far from it.
    fn serve(&mut self, job: WalletJob) {
        while self.follow() == Turn::More && self.behind <= FAR_BEHIND {}
        if self.broken.is_some() {
            // Whoever waits for it is told by its end.
            drop(job);
            return;
        }
        self.wallet.set_time(now());
        let afterwards = job(&mut self.wallet);
        let kept = self.keep(false);
        self.publish();
        afterwards(kept);
    }

    /// One turn: some blocks, or a look at the mempool.
    fn follow(&mut self) -> Turn {
        self.wallet.set_time(now());
        let turn = match self.blocks() {
            Ok(Turn::Done) => self.pool(),
            Ok(Turn::More) => Ok(Turn::More),
            Err(unavailable) => Err(unavailable),
        };
        if let Err(error) = self.keep(false) {
            tracing::error!(target: "yap", %error, "the wallet");
        }
        self.publish();
        // A node that does not answer now nudges when it does.
        turn.unwrap_or(Turn::Done)
    }

    fn blocks(&mut self) -> Result<Turn, Unavailable> {
        if let Some((height, hash)) = self.wallet.rescanning() {
            let next = self.source.blocks(vec![(height, hash)])?;
            return Ok(self.scan(&next, (height, hash)));
        }
        let known = thinned(self.wallet.checkpoints());
        let next = self.source.blocks(known)?;
        let (height, hash) = self.wallet.tip();
        if next.fork != (height, hash) {
            self.wallet.rewind(next.fork.0);
        }
        for block in &next.blocks {
            if self.wallet.connect(block).is_err() {
                break;
            }
        }
        self.behind = next.tip.saturating_sub(self.wallet.tip().0);
        self.say_missing(&next);
        let on = self.behind > 0 && !next.blocks.is_empty();
        Ok(if on { Turn::More } else { Turn::Done })
    }

    fn scan(&mut self, next: &Next, from: (u32, BlockHash)) -> Turn {
        if next.fork != from {
            // A reorganisation went deeper than the rescan has come: it begins again below the fork.
            self.wallet.rescan(next.fork.0.saturating_add(1));
            return Turn::More;
        }
        // Blocks above the tip that the wallet knows are for the next turns.
        for block in &next.blocks {
            if self.wallet.rescanning().is_none() || self.wallet.scan(block).is_err() {
                break;
            }
        }
        let at = self.wallet.rescanning().map_or_else(|| self.wallet.tip().0, |(height, _)| height);
        self.behind = next.tip.saturating_sub(at);
        if next.blocks.is_empty() {
            self.say_missing(next);
            self.wallet.stop_rescan();
        }
        Turn::More
    }

    fn say_missing(&mut self, next: &Next) {
        let Some(error) = &next.missing else { return };
        if !std::mem::replace(&mut self.missed, true) {
            let height = next.fork.0.saturating_add(u32::try_from(next.blocks.len()).unwrap_or(0)).saturating_add(1);
            (self.tell)(Event::Notice {
                text: format!("the wallet can't read block {height}: {error}. Payments in it and above are not seen"),
            });
        }
    }

    fn pool(&mut self) -> Result<Turn, Unavailable> {
        if Instant::now() < self.rested {
            return Ok(Turn::Done);
        }
        let known = self.wallet.unsettled();
        let pool = self.source.pool(self.sequence, known)?;
        self.wallet.set_alone(pool.alone);
        self.wallet.pool_is(&|txid| pool.there.contains(txid));
        for (transaction, time) in &pool.added {
            self.wallet.pending(transaction, *time);
        }
        self.sequence = pool.sequence;
        let rest = REST.saturating_mul(u32::try_from(pool.size).unwrap_or(u32::MAX));
        self.rested = Instant::now().checked_add(rest).unwrap_or(self.rested);
        Ok(if pool.more { Turn::More } else { Turn::Done })
    }

    fn offer(&mut self) {
        for transaction in self.offers.due(&self.wallet, now()) {
            self.source.offer(transaction);
        }
    }

    /// Writes what changed. If that fails, the wallet becomes again what the file says.
    fn keep(&mut self, all: bool) -> Result<(), Unavailable> {
        if let Some(why) = &self.broken {
            return Err(Unavailable::NotKept(why.clone()));
        }
        let changes = if all { self.wallet.take_all_changes() } else { self.wallet.take_changes() };
        let Some(changes) = changes else { return Ok(()) };
        let Err(error) = self.files.keep(&changes) else { return Ok(()) };
        match load(&self.files, &self.spec) {
            Ok(wallet) => {
                self.wallet = wallet;
                self.sequence = 0;
            }
            Err(_) => self.broken = Some(error.to_string()),
        }
        Err(Unavailable::NotKept(error.to_string()))
    }

    /// Tells how the wallet stands, and what happened.
    fn publish(&mut self) {
        for notice in self.wallet.take_notices() {
            (self.tell)(Event::Payment { txid: notice.txid, amount: notice.amount, height: notice.height });
        }
        let balance = self.wallet.balance();
        let standing = WalletStanding {
            behind: self.behind,
            locked: self.wallet.is_locked(),
            unsaved: !self.wallet.is_saved(),
            trusted: balance.trusted.to_sat(),
            pending: balance.pending.to_sat(),
            immature: balance.immature.to_sat(),
        };
        let payout = self.wallet.payout();
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = Shared { standing, payout };
    }
}

/// Some of the known blocks: the newest, then ever larger steps, the oldest last.
fn thinned(known: impl Iterator<Item = (u32, BlockHash)>) -> Vec<(u32, BlockHash)> {
    let mut thin = Vec::with_capacity(KNOWN);
    let (mut step, mut due) = (1usize, 0usize);
    let mut last = None;
    for (index, block) in known.enumerate() {
        last = Some(block);
        if index == due && thin.len() < KNOWN {
            thin.push(block);
            if thin.len() > 10 {
                step = step.saturating_mul(2);
            }
            due = due.saturating_add(step);
        }
    }
    if let Some(last) = last.filter(|last| thin.last() != Some(last)) {
        thin.push(last);
    }
    thin
}
