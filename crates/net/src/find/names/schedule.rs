//! When which name is asked for, and what of the answers is news. Pure: time comes in, questions and news go out.
//!
//! ```text
//!  follow ─▶ Due ──next──▶ Asked ──answer──▶ Due after SOON or LATER ─▶ …
//!                             └───failure──▶ Due after 1 s, 2 s, 4 s … LONGEST
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use yap_protocol::{Address, Time};

use super::{Found, MAX_NAMES};
use crate::given::Given;

/// Between two questions while peers of the name are missing. A new pod is found within it.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Between two questions while all its peers are connected.
pub(crate) const LATER: Duration = Duration::from_secs(5 * 60);

/// After the first failure; twice as long after each further one.
pub(crate) const FIRST: Duration = Duration::from_secs(1);

/// Longest wait after a failure.
pub(crate) const LONGEST: Duration = Duration::from_secs(60);

/// Longest reason that is kept.
const MAX_WHY: usize = 256;

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask the resolver.
    Ask(Question),
    /// Tell whoever follows.
    Tell(Found),
}

/// A name to be resolved. Its answer comes back with `given` and `round`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) given: usize,
    pub(super) round: u64,
    pub(super) name: String,
}

/// Everything that is followed.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    names: BTreeMap<usize, Followed>,
    /// Counts questions and followings, so that no answer is taken for another's.
    rounds: u64,
}

#[derive(Debug)]
struct Followed {
    peer: Given,
    settled: bool,
    /// When the resolver was asked last.
    asked: Time,
    state: State,
    /// Failures since the last answer.
    failures: u32,
    /// What was told last.
    told: Option<Vec<Address>>,
    why: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Due(Time),
    Asked(u64),
}

impl Schedule {
    /// Follows a peer; `false` if [`MAX_NAMES`] are followed.
    pub(super) fn follow(&mut self, now: Time, given: usize, peer: &Given) -> bool {
        if self.names.len() >= MAX_NAMES && !self.names.contains_key(&given) {
            return false;
        }
        let followed = Followed {
            peer: peer.clone(),
            settled: false,
            asked: now,
            state: State::Due(now),
            failures: 0,
            told: None,
            why: None,
        };
        self.names.insert(given, followed);
        true
    }

    pub(super) fn forget(&mut self, given: usize) {
        self.names.remove(&given);
    }

    /// Whether every peer of the name is connected.
    pub(super) fn settle(&mut self, given: usize, settled: bool) {
        let Some(name) = self.names.get_mut(&given) else { return };
        name.settled = settled;
        if name.failures == 0 && name.told.is_some() && matches!(name.state, State::Due(_)) {
            name.state = State::Due(name.asked.after(name.wait()));
        }
    }

    /// One thing to do, if there is one.
    pub(super) fn next(&mut self, now: Time) -> Option<Step> {
        let due = |name: &Followed| matches!(name.state, State::Due(time) if time <= now);
        let (&given, name) = self.names.iter_mut().find(|(_, name)| due(name))?;
        if let Some(host) = name.peer.name() {
            self.rounds = self.rounds.wrapping_add(1);
            let question = Question { given, round: self.rounds, name: host.to_owned() };
            name.state = State::Asked(self.rounds);
            name.asked = now;
            return Some(Step::Ask(question));
        }
        // Nothing to resolve: told once.
        let addresses = name.peer.addresses(&[]);
        self.names.remove(&given);
        Some(Step::Tell(Found::Resolved { given, addresses }))
    }

    /// When [`next`](Self::next) has something to do, if nothing else happens.
    pub(super) fn deadline(&self) -> Option<Time> {
        let due = self.names.values().filter_map(|name| match name.state {
            State::Due(time) => Some(time),
            State::Asked(_) => None,
        });
        due.min()
    }

    /// What the resolver says. Gives what is news.
    pub(super) fn answer(
        &mut self,
        now: Time,
        question: &Question,
        answer: Result<Vec<IpAddr>, String>,
    ) -> Option<Found> {
        let given = question.given;
        let name = self.names.get_mut(&given).filter(|name| name.state == State::Asked(question.round))?;
        let found = match answer {
            Ok(hosts) if !hosts.is_empty() => {
                name.failures = 0;
                name.why = None;
                let addresses = name.peer.addresses(&hosts);
                let news = name.told.as_ref() != Some(&addresses);
                name.told = Some(addresses.clone());
                news.then_some(Found::Resolved { given, addresses })
            }
            Ok(_) => name.fail(given, &question.name, "it has no address".to_owned()),
            Err(why) => name.fail(given, &question.name, why.chars().take(MAX_WHY).collect()),
        };
        name.state = State::Due(now.after(name.wait()));
        found
    }
}

impl Followed {
    fn fail(&mut self, given: usize, name: &str, why: String) -> Option<Found> {
        self.failures = self.failures.saturating_add(1);
        if self.why.as_ref() == Some(&why) {
            return None;
        }
        self.why = Some(why.clone());
        Some(Found::Failed { given, name: name.to_owned(), why })
    }

    fn wait(&self) -> Duration {
        match self.failures.checked_sub(1) {
            Some(before) => FIRST.saturating_mul(2_u32.saturating_pow(before)).min(LONGEST),
            None if self.settled => LATER,
            None => SOON,
        }
    }
}

#[cfg(test)]
mod tests;
