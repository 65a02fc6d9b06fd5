//! What a node is told before it starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use yap_api::backend::Mining;
use yap_api::server;
use yap_chain::bitcoin::ScriptBuf;
use yap_chain::producer::Key;
use yap_chain::spec::{Retarget, Spec};
use yap_net::Given;
use yap_net::config::{Find, Limits, Listen, Reach};

use super::{Node, StartError};
use crate::{admission, chainstate};

/// When a node of that chain mines if nothing is said: where the target forgives rests, as in a café, whoever is there
/// mines while payments wait, and so does a producer where blocks are signed; other chains are mined by those who mean to.
pub(crate) fn usual_mining(spec: &Spec, produces: bool) -> Mining {
    match spec.work.retarget {
        _ if produces => Mining::OnDemand,
        Retarget::Relative { .. } if spec.challenge.is_none() => Mining::OnDemand,
        Retarget::Relative { .. } | Retarget::None | Retarget::Bitcoin { .. } | Retarget::Asert { .. } => Mining::Off,
    }
}

/// What a node is told before it starts; everything else is as by default.
#[derive(Debug)]
pub struct Builder {
    pub(super) spec: Arc<Spec>,
    pub(super) directory: PathBuf,
    pub(super) listen: Listen,
    pub(super) peers: Vec<Given>,
    pub(super) only_peers: bool,
    pub(super) find: Find,
    pub(super) reach: Reach,
    pub(super) limits: Limits,
    pub(super) ledger: chainstate::Options,
    pub(super) mempool: admission::Options,
    pub(super) keep_mempool: bool,
    pub(super) http: Option<server::Config>,
    pub(super) wallet: bool,
    pub(super) mining: Mining,
    pub(super) mining_threads: usize,
    pub(super) mining_script: Option<ScriptBuf>,
    pub(super) producer: Option<Key>,
    pub(super) agent: Option<String>,
    pub(super) ends_process: bool,
}

impl Builder {
    pub(super) fn new(spec: Arc<Spec>, directory: PathBuf) -> Self {
        let cookie = directory.join(".cookie");
        let mining = usual_mining(&spec, false);
        let find = Find { registry: yap_net::default_registry(), ..Find::default() };
        Self {
            spec,
            directory,
            listen: Listen::default(),
            peers: Vec::new(),
            only_peers: false,
            find,
            reach: Reach::default(),
            limits: Limits::default(),
            ledger: chainstate::Options::default(),
            mempool: admission::Options::default(),
            keep_mempool: true,
            http: Some(server::Config::new(cookie)),
            wallet: true,
            mining,
            mining_threads: 1,
            mining_script: None,
            producer: None,
            agent: None,
            ends_process: false,
        }
    }

    /// Where peers reach it: port, addresses, certificate.
    #[must_use]
    pub fn listen(mut self, listen: Listen) -> Self {
        self.listen = listen;
        self
    }

    /// Peers that are kept connected.
    #[must_use]
    pub fn peers(mut self, peers: Vec<Given>) -> Self {
        self.peers = peers;
        self
    }

    /// Whether those are the only peers that are dialled, whoever else is known.
    #[must_use]
    pub fn only_peers(mut self, only: bool) -> Self {
        self.only_peers = only;
        self
    }

    /// How other peers are found.
    #[must_use]
    pub fn find(mut self, find: Find) -> Self {
        self.find = find;
        self
    }

    /// How it is reached behind NAT, and whether it relays for others.
    #[must_use]
    pub fn reach(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// What others may take of it.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How the ledger is kept: threads, memory, pruning.
    #[must_use]
    pub fn ledger(mut self, options: chainstate::Options) -> Self {
        self.ledger = options;
        self
    }

    /// Which transactions wait, and how many; whether they are kept across restarts.
    #[must_use]
    pub fn mempool(mut self, options: admission::Options, keep: bool) -> Self {
        (self.mempool, self.keep_mempool) = (options, keep);
        self
    }

    /// The HTTP interface; none at all with `None`.
    #[must_use]
    pub fn http(mut self, config: Option<server::Config>) -> Self {
        self.http = config;
        self
    }

    /// The HTTP interface, at these addresses.
    #[must_use]
    pub fn http_at(mut self, addresses: Vec<SocketAddr>) -> Self {
        let cookie = self.directory.join(".cookie");
        self.http = Some(server::Config { addresses, ..server::Config::new(cookie) });
        self
    }

    /// Whether it has a wallet.
    #[must_use]
    pub fn wallet(mut self, wallet: bool) -> Self {
        self.wallet = wallet;
        self
    }

    /// When it mines by itself, by how many threads (0: one per core), and for whom; for its wallet, if it is not said.
    #[must_use]
    pub fn mining(mut self, mining: Mining, threads: usize, script: Option<ScriptBuf>) -> Self {
        (self.mining, self.mining_threads, self.mining_script) = (mining, threads, script);
        self
    }

    /// A key that signs what is mined, on chains of whose producers it is one (BIP-0325); there it mines on demand, unless
    /// [`mining`](Self::mining) says otherwise after this.
    #[must_use]
    pub fn producer(mut self, key: Option<Key>) -> Self {
        let place = |key: &Key| self.spec.producers().is_some_and(|producers| producers.place(&key.public()).is_some());
        self.mining = usual_mining(&self.spec, key.as_ref().is_some_and(place));
        self.producer = key;
        self
    }

    /// What it says of its program, such as `/yap:0.1.0/`; at most 256 bytes.
    #[must_use]
    pub fn agent(mut self, agent: String) -> Self {
        self.agent = Some(agent);
        self
    }

    /// The process ends when the node does: it then need not wait until the store has tidied its tables, and is gone sooner.
    /// Until the process ends, the directory stays locked.
    #[must_use]
    pub fn ends_process(mut self) -> Self {
        self.ends_process = true;
        self
    }

    /// Starts the node. Needs a tokio runtime of several threads, with time and IO.
    ///
    /// # Errors
    /// If its directory, its ports or another thing that it was given can't be used.
    pub async fn start(self) -> Result<Node, StartError> {
        // Starting carries much, which whoever awaits it need not.
        Box::pin(super::start::start(self)).await
    }
}
