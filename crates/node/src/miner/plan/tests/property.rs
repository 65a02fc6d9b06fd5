//! Whatever happens, in whatever order.

use proptest::prelude::*;

use super::*;

/// What may happen to a plan.
#[derive(Clone, Debug)]
enum Step {
    Wait(u32),
    Deadline,
    Tip { verified: bool },
    Verified,
    Pool(Pool),
    Order { blocks: u32, tries: u64 },
    Forget(usize),
    Mining(Mining),
    CatchingUp(bool),
    Built(Built),
    Found { hashes: u64 },
    Stale { back: u64 },
    Spent,
    Judged(bool),
    MoveTo,
}

fn step() -> impl Strategy<Value = Step> {
    let mining = prop::sample::select(vec![Mining::Off, Mining::OnDemand, Mining::Continuous]);
    let pool = (0_usize..4, 0_usize..3, 0_u64..5);
    let other = [Built::Nothing, Built::Early(at(500)), Built::Failed(MineError::NoWallet)];
    prop_oneof![
        1 => (0_u32..20_000_000).prop_map(Step::Wait),
        3 => Just(Step::Deadline),
        1 => any::<bool>().prop_map(|verified| Step::Tip { verified }),
        2 => Just(Step::Verified),
        2 => pool.prop_map(|(waiting, own, fees)| Step::Pool(Pool { waiting, own: own.min(waiting), fees })),
        1 => (0_u32..4, 0_u64..40).prop_map(|(blocks, tries)| Step::Order { blocks, tries }),
        1 => (0_usize..20).prop_map(Step::Forget),
        1 => mining.prop_map(Step::Mining),
        1 => any::<bool>().prop_map(Step::CatchingUp),
        4 => Just(Step::Built(Built::Started)),
        1 => prop::sample::select(other.to_vec()).prop_map(Step::Built),
        3 => (0_u64..20).prop_map(|hashes| Step::Found { hashes }),
        1 => (0_u64..4).prop_map(|back| Step::Stale { back }),
        1 => Just(Step::Spent),
        1 => any::<bool>().prop_map(Step::Judged),
        2 => Just(Step::Judged(true)),
        1 => Just(Step::MoveTo),
    ]
}

/// An order that is open.
#[derive(Debug)]
struct Open {
    id: OrderId,
    order: MiningOrder,
    found: u32,
    tried: u64,
}

/// A block that the ledger has yet to judge.
#[derive(Debug)]
struct Unjudged {
    hash: BlockHash,
    parent: BlockHash,
    ordered: bool,
}

/// The world as the plan should see it.
#[derive(Debug)]
struct Model {
    plan: Plan,
    now: Time,
    blocks: u64,
    tip: Tip,
    catching_up: bool,
    /// What the driver makes, or the miner works on once it has `started`.
    at_work: Option<Build>,
    started: bool,
    found: Option<Unjudged>,
    orders: Vec<Open>,
}

impl Model {
    fn new() -> Self {
        let mut plan = Plan::new(config(), Mining::OnDemand, random(9));
        plan.tip(at(0), tip(0));
        let (at_work, found, orders) = (None, None, Vec::new());
        Self { plan, now: at(0), blocks: 0, tip: tip(0), catching_up: true, at_work, started: false, found, orders }
    }

    fn new_block(&mut self) -> BlockHash {
        self.blocks += 1;
        hash(self.blocks)
    }

    /// The hashes that a work may have tried: they are its order's.
    fn charge(&mut self, build: &Build, hashes: u64) -> u64 {
        let hashes = build.tries.map_or(hashes, |tries| hashes.min(tries));
        if build.order.is_some() {
            self.orders[0].tried += hashes;
        }
        hashes
    }

    /// Does all that the plan wants done now.
    fn drain(&mut self) {
        for turn in 0.. {
            assert!(turn < 100, "it never rests: {self:?}");
            let Some(action) = self.plan.poll(self.now) else { break };
            match action {
                Action::Build(build) => self.build(build),
                Action::Cancel => {
                    let build = self.at_work.take().expect("only what is at work is cancelled");
                    if self.started {
                        let hashes = self.charge(&build, 1);
                        self.plan.spent(build.work, hashes);
                    }
                }
                Action::Done(id, outcome) => {
                    let Open { id: first, order, found, tried } = self.orders.remove(0);
                    assert_eq!(first, id, "one after another");
                    let Ok(hashes) = outcome else { continue };
                    assert_eq!(u32::try_from(hashes.len()).unwrap(), found);
                    assert!(found == order.blocks || tried == order.tries, "{found} {tried} of {order:?}");
                }
            }
        }
        let due = self.plan.next_deadline();
        assert!(due.is_none_or(|due| due > self.now), "what is due was done: {due:?} {:?}", self.plan);
    }

    fn build(&mut self, build: Build) {
        if let Some(before) = self.at_work.take() {
            // Built anew, of more: never for an order, nor on another tip.
            assert!(before.order.is_none() && build.order.is_none() && before.parent == build.parent && self.started);
            assert!(build.work > before.work);
        }
        assert!(self.tip.verified && build.parent == self.tip.hash, "it is built on the verified tip");
        assert!(self.found.is_none(), "what was found is settled first");
        match &build.order {
            Some(of) => {
                let Open { order, found, tried, .. } = &self.orders[0];
                assert_eq!(of.as_ref(), order);
                assert!(*found < order.blocks && build.tries == Some(order.tries - tried), "{tried} {build:?}");
                assert!(build.tries > Some(0) && build.empty);
            }
            None => {
                assert!(self.orders.is_empty() && !self.catching_up && self.plan.mining() != Mining::Off);
                assert_eq!(build.empty, self.plan.mining() == Mining::Continuous);
            }
        }
        self.at_work = Some(build);
        self.started = false;
    }

    fn step(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Wait(micros) => self.now = now.after(Duration::from_micros(micros.into())),
            Step::Deadline => self.now = self.plan.next_deadline().unwrap_or(now).max(now),
            Step::Tip { verified } => self.tip = Tip { hash: self.new_block(), verified },
            Step::Verified => self.tip.verified = true,
            Step::Pool(pool) => self.plan.pool(now, pool),
            Step::Order { blocks, tries } => self.order(order(blocks, tries)),
            Step::Forget(index) => {
                // The first one may be charged for what is at work.
                if index > 0 && index < self.orders.len() {
                    self.plan.forget(self.orders.remove(index).id);
                }
            }
            Step::Mining(mining) => self.plan.set_mining(now, mining).unwrap(),
            Step::CatchingUp(behind) => {
                self.plan.catching_up(now, behind);
                self.catching_up = behind;
            }
            Step::Built(built) => self.built(built),
            Step::Found { hashes } => self.find(hashes),
            Step::Stale { back } => self.stale(back + 1),
            Step::Spent => {
                let Some(build) = self.at_work.take_if(|build| self.started && build.tries.is_some()) else { return };
                let hashes = self.charge(&build, u64::MAX);
                self.plan.spent(build.work, hashes);
            }
            Step::Judged(taken) => self.judge(taken),
            Step::MoveTo => {
                let Some(found) = &self.found else { return };
                self.tip = Tip { hash: found.hash, verified: true };
            }
        }
        self.plan.tip(self.now, self.tip);
    }

    fn order(&mut self, order: MiningOrder) {
        match self.plan.order(order.clone()) {
            Ok(id) => self.orders.push(Open { id, order, found: 0, tried: 0 }),
            Err(why) => assert!(why == MineError::Busy && self.orders.len() == MAX_ORDERS),
        }
    }

    fn built(&mut self, built: Built) {
        let Some(build) = self.at_work.clone().filter(|_| !self.started) else { return };
        // The driver says that of no block that may be empty.
        let built = if built == Built::Nothing && build.empty { Built::Started } else { built };
        self.started = built == Built::Started;
        if !self.started {
            self.at_work = None;
        }
        self.plan.built(self.now, build.work, built);
    }

    fn find(&mut self, hashes: u64) {
        let Some(build) = self.at_work.take_if(|_| self.started) else { return };
        let (hashes, hash) = (self.charge(&build, hashes), self.new_block());
        assert!(self.plan.found(self.now, build.work, hash, hashes), "it is what was asked for");
        self.found = Some(Unjudged { hash, parent: build.parent, ordered: build.order.is_some() });
    }

    fn judge(&mut self, taken: bool) {
        let Some(Unjudged { hash, parent, ordered }) = self.found.take() else { return };
        // What is on the chain was not refused.
        let taken = taken || self.tip.hash == hash;
        if taken && ordered {
            self.orders[0].found += 1;
        }
        self.plan.judged(self.now, hash, if taken { Ok(()) } else { Err("bad".into()) });
        if taken && self.tip.hash == parent {
            self.tip = Tip { hash, verified: false };
        }
    }

    /// News of works that are over change nothing.
    fn stale(&mut self, back: u64) {
        let current = self.at_work.as_ref().map_or(u64::MAX, |build| build.work.0);
        let work = WorkId(current.wrapping_sub(back));
        let before = format!("{:?}", self.plan.stage);
        assert!(!self.plan.found(self.now, work, hash(u64::MAX), 0));
        self.plan.built(self.now, work, Built::Started);
        self.plan.judged(self.now, hash(u64::MAX), Err("of another".into()));
        assert_eq!(format!("{:?}", self.plan.stage), before);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// One work at a time, on the verified tip, for whom it should be; orders get what they asked for; what is due is done.
    #[test]
    fn every_rule_holds_whatever_happens(steps in prop::collection::vec(step(), 1..60)) {
        let mut model = Model::new();
        for step in steps {
            // The ledger answers before it is given up.
            if model.found.is_some() && matches!(step, Step::Wait(_) | Step::Deadline) {
                continue;
            }
            model.step(step);
            model.drain();
        }
    }
}
