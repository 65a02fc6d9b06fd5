//! Starting: the parts are opened one after the other, so that each failure is told by itself, and put together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use yap_api::methods;
use yap_api::server::{self, Server};
use yap_chain::bitcoin::BlockHash;
use yap_net::config::Chain;
use yap_net::identity::{KeyError, Keys};
use yap_net::{Book, Events, Network};
use yap_protocol::address::Identity;
use yap_protocol::message::Services;
use yap_protocol::node::{self, Role};

use super::{Builder, Node, Outcome};
use crate::admission::Admission;
use crate::chainstate::{self, Chainstate};
use crate::handle::{Handle, Topics};
use crate::ledger::Ledger;
use crate::machine::{Machine, PING, Parts, Payout, REQUESTS, Setting};
use crate::observer::Observer;
use crate::purse::{self, PurseError, Trouble, Which};

/// The file of the node's own key.
const KEY: &str = "identity.key";

/// The folder of the DHT's records.
const RECORDS: &str = "records";

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The directory can't be used.
    #[error("can't use the directory {}: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The node's own key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] chainstate::Error),
    /// The network.
    #[error(transparent)]
    Network(#[from] yap_net::StartError),
    /// The wallet.
    #[error(transparent)]
    Wallet(#[from] PurseError),
    /// The wallet was loaded, or the node stopped, before its start was over.
    #[error("the wallet can't be loaded: {0}")]
    Begun(String),
    /// The HTTP interface.
    #[error(transparent)]
    Http(#[from] server::StartError),
    /// The system gives no random numbers, or no threads.
    #[error("the system lacks what every program needs: {0}")]
    System(#[from] std::io::Error),
}

impl From<Trouble> for StartError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Purse(error) => Self::Wallet(error),
            Trouble::Wallet(_) | Trouble::Ended => Self::Begun(trouble.to_string()),
        }
    }
}

/// Starts a node.
pub(super) async fn start(mut builder: Builder) -> Result<Node, StartError> {
    let directory = builder.directory.clone();
    make(&directory)?;
    let keys = Keys::load_or_create(&directory.join(KEY))?;
    let ledger = open(&builder).await?;
    let book = Book::open(&directory).map_err(|source| StartError::Directory { path: directory.clone(), source })?;
    let (protocol, greeting) = protocol(&builder, keys.identity(), &book)?;
    let (network, events) = network(&builder, keys, &directory).await?;
    let (requests, inbox) = mpsc::channel(REQUESTS);
    let observer = Observer::default();
    let wallet = Arc::new(purse::Slot::new(&purse::directory(&directory), &builder.spec));
    let handle = Arc::new(Handle {
        spec: Arc::clone(&builder.spec),
        requests,
        network: network.clone(),
        observer: observer.clone(),
        wallet: Arc::clone(&wallet),
        topics: Topics::default(),
    });
    let script = builder.mining_script.take();
    let payee = Arc::clone(&wallet);
    let payout: Payout =
        Arc::new(move || script.clone().or_else(|| payee.get().as_ref().and_then(purse::Handle::payout)));
    let tip = ledger.chain().tree().hash(ledger.chain().verified_tip());
    let tip = (ledger.chain().tree().height(ledger.chain().verified_tip()), tip);
    let parts = Parts {
        node: protocol,
        ledger,
        network,
        events,
        book,
        requests: inbox,
        observer,
        directory,
        threads: builder.ledger.threads,
        keep_mempool: builder.keep_mempool,
        peers: std::mem::take(&mut builder.peers),
        greeting,
        ends_process: builder.ends_process,
        wallet: Arc::clone(&wallet),
        mining: Setting {
            mining: builder.mining,
            threads: builder.mining_threads,
            payout,
            producer: builder.producer.take(),
        },
        seed: random()?,
    };
    let node = Node { handle, server: None, ended: run(parts).await? };
    complete(node, builder, tip).await
}

/// Adds to a node that runs what asks it. If that fails, the node is stopped in order: its ports and its directory are free
/// once the failure is told.
async fn complete(mut node: Node, mut builder: Builder, tip: (u32, BlockHash)) -> Result<Node, StartError> {
    match ask(&mut node, &mut builder, tip).await {
        Ok(()) => Ok(node),
        Err(error) => {
            // What failed first is what is told.
            let _ = node.stop().await;
            Err(error)
        }
    }
}

async fn ask(node: &mut Node, builder: &mut Builder, tip: (u32, BlockHash)) -> Result<(), StartError> {
    let handle = &node.handle;
    // Pings reach this node whether or not anybody listens. It is the first topic, so there is room.
    let _ = handle.network.subscribe(PING, None).await;
    if builder.wallet {
        handle.open_wallet(Which::Either, tip).await?;
    }
    if let Some(config) = builder.http.take() {
        let backend = Arc::clone(handle) as Arc<dyn yap_api::Backend>;
        node.server = Some(Server::start(backend, Arc::new(methods::all()), config).await?);
    }
    Ok(())
}

/// Makes the directory, for this user alone.
fn make(directory: &Path) -> Result<(), StartError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(|source| StartError::Directory { path: directory.to_owned(), source })
}

/// Opens chain and mempool, beside the runtime: a large chain takes a while.
async fn open(builder: &Builder) -> Result<Ledger, StartError> {
    let (directory, spec) = (builder.directory.clone(), Arc::clone(&builder.spec));
    let (ledger, mempool) = (builder.ledger, builder.mempool);
    let opening = move || {
        let chain = Chainstate::open(&directory, spec, ledger)?;
        let admission = Admission::new(&chain, mempool);
        Ok::<_, chainstate::Error>(Ledger::new(chain, admission))
    };
    let opened = tokio::task::spawn_blocking(opening).await;
    Ok(opened.map_err(std::io::Error::other)??)
}

/// The protocol's state, and what it says of our program and offers.
fn protocol(
    builder: &Builder,
    identity: Identity,
    book: &Book,
) -> Result<(yap_protocol::Node, (String, Services)), StartError> {
    let role = if builder.ledger.prune_bytes.is_some() { Role::Pruned } else { Role::Full };
    let mut config = node::Config::of(role);
    config.peers.identity = Some(identity);
    if builder.only_peers {
        (config.peers.full, config.peers.block_only, config.peers.feelers) = (0, 0, None);
    }
    if let Some(agent) = &builder.agent {
        config.handshake.user_agent = agent.as_str().into();
    }
    // Where blocks are mined as they are needed, an old tip says nothing.
    if !matches!(builder.spec.name.as_str(), "bitcoin" | "testnet4" | "signet") {
        config.blocks.max_tip_age = None;
    }
    let greeting = (config.handshake.user_agent.to_string(), config.handshake.services);
    Ok((yap_protocol::Node::restore(config, random()?, book.kept().clone()), greeting))
}

/// Numbers that nobody else knows.
fn random() -> std::io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes)
}

async fn network(builder: &Builder, keys: Keys, directory: &Path) -> Result<(Network, Events), StartError> {
    let spec = &builder.spec;
    let chain = Chain { name: spec.name.clone(), genesis: spec.genesis.block_hash(), magic: spec.magic };
    let mut config = yap_net::Config::new(keys, chain);
    config.listen = builder.listen.clone();
    config.peers.clone_from(&builder.peers);
    config.find = builder.find.clone();
    config.reach = builder.reach.clone();
    config.limits = builder.limits.clone();
    config.directory = Some(directory.join(RECORDS));
    if let Some(agent) = &builder.agent {
        config.agent.clone_from(agent);
    }
    if builder.ledger.prune_bytes.is_some() {
        config.services = node::Config::of(Role::Pruned).handshake.services;
    }
    Ok(Network::start(config).await?)
}

/// Runs the machine on a thread of its own, so that long steps of the ledger hold nobody else up.
async fn run(parts: Parts) -> Result<watch::Receiver<Outcome>, StartError> {
    let (tell, ended) = watch::channel(None);
    let (began, begun) = oneshot::channel();
    let body = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(began.send(Err(error))),
        };
        let machine = match Machine::new(parts) {
            Ok(machine) => machine,
            Err(error) => return drop(began.send(Err(error))),
        };
        let _ = began.send(Ok(()));
        let outcome = runtime.block_on(machine.run());
        let _ = tell.send(Some(outcome.map_err(Arc::new)));
    };
    std::thread::Builder::new().name("ledger".into()).spawn(body)?;
    begun.await.map_err(std::io::Error::other)??;
    Ok(ended)
}
