//! Whatever happens, in whatever order: messages come in their order, then the end, once.

use std::collections::BTreeMap;

use super::*;

/// One session, as the test knows it.
struct Party {
    session: Option<Session>,
    far: Option<DuplexStream>,
    /// Nonces of the pings that were written to it whole.
    written: u64,
    /// Nonce of the ping that is to come next.
    next: u64,
    malformed: bool,
    /// It was told to end: nothing else may come.
    muted: bool,
    closed: bool,
}

struct World {
    random: Random,
    bench: Bench,
    parties: BTreeMap<u64, Party>,
}

impl World {
    fn new(seed: u64) -> Self {
        let limits = Limits { receive: 4000, send_high: 1000, send_most: 9000, ..Limits::default() };
        Self { random: random(seed), bench: Bench::new(limits), parties: BTreeMap::new() }
    }

    fn begin(&mut self) {
        let id = self.parties.len() as u64;
        let (session, far) = self.bench.session(id, 1 + self.random.index(300));
        let (session, far) = (Some(session), Some(far));
        let party = Party { session, far, written: 0, next: 0, malformed: false, muted: false, closed: false };
        self.parties.insert(id, party);
    }

    /// Does something to a session.
    async fn act(&mut self) {
        let id = self.random.index(self.parties.len()) as u64;
        let choice = self.random.index(100);
        let count = 1 + self.random.index(40);
        let party = self.parties.get_mut(&id).unwrap();
        match choice {
            0 => {
                party.muted |= party.session.take().is_some();
            }
            1..4 => {
                party.session.iter().for_each(Session::abort);
                party.muted |= party.session.is_some();
            }
            4..8 => {
                party.session.iter().for_each(Session::finish);
                party.muted |= party.session.is_some();
            }
            8..12 => party.far = None,
            12..15 => {
                // Whatever follows is part of a message that never ends, or no message at all.
                if let Some(far) = &mut party.far {
                    let _ = timeout(Duration::from_millis(1), far.write_all(&[0xff; 9])).await;
                    party.far = party.far.take().filter(|_| choice == 12);
                }
            }
            15..40 => {
                for _ in 0..count {
                    let sent = party.session.as_ref().is_some_and(|session| session.send(Message::Verack).is_err());
                    party.muted |= sent;
                }
            }
            40..60 => {
                for _ in 0..count {
                    let bytes = ping(party.written).1;
                    let Some(far) = &mut party.far else { break };
                    if timeout(Duration::from_millis(1), far.write_all(&bytes)).await.is_ok_and(|sent| sent.is_ok()) {
                        party.written += 1;
                    } else {
                        party.far = None;
                    }
                }
            }
            60..75 => {
                if let Some(far) = &mut party.far {
                    let mut bytes = vec![0; count * 10];
                    let _ = timeout(Duration::from_millis(1), far.read(&mut bytes)).await;
                }
            }
            75..78 => tokio::time::sleep(Duration::from_secs(count as u64)).await,
            _ => {
                for _ in 0..count {
                    let Ok(item) = timeout(Duration::from_millis(1), self.bench.inflow.next()).await else { break };
                    let item = item.expect("an inbox is there");
                    self.took(item.peer.0, &item.what);
                }
            }
        }
    }

    /// Checks that this may come of the session now.
    fn took(&mut self, id: u64, what: &Received) {
        let party = self.parties.get_mut(&id).unwrap();
        assert!(!party.closed, "{what:?} after the end of {id}");
        match what {
            Received::Closed(why) => {
                party.closed = true;
                let ours = matches!(why, Why::Aborted | Why::Finished | Why::Unfinished);
                assert!(!ours || party.muted, "{why:?} of {id}, that was not told to end");
            }
            _ if party.muted => panic!("{what:?} of {id}, that was told to end"),
            Received::Message { message, .. } => {
                assert!(!party.malformed);
                assert_eq!(*message, Message::Ping(party.next));
                party.next += 1;
                assert!(party.next <= party.written + 1);
            }
            Received::Malformed(_) => {
                assert!(!party.malformed);
                party.malformed = true;
            }
            Received::Congested(_) => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn messages_come_in_order_then_the_end_once_whatever_happens() {
    for seed in 0..150 {
        println!("seed {seed}");
        let mut world = World::new(seed);
        (0..6).for_each(|_| world.begin());
        for _ in 0..150 {
            world.act().await;
        }
        world.begin();
        for party in world.parties.values_mut() {
            party.muted |= party.session.take().is_some();
        }
        while world.parties.values().any(|party| !party.closed) {
            let (id, what) = world.bench.next().await;
            world.took(id, &what);
        }
        world.bench.silence().await;
        assert_eq!(world.bench.inbox.sessions(), 0);
    }
}
