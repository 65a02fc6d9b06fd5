//! A running node, as the interface sees it: requests to the loop, and calls of the network.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, mpsc, oneshot};
use yap_api::backend::{
    Backend, Job, MineError, Mining, MiningOrder, PeerError, Pending, RecordError, Tested, Unavailable, WalletError,
    WalletJob,
};
use yap_api::event::{Event, Stamped};
use yap_chain::bitcoin::BlockHash;
use yap_chain::block::Block;
use yap_chain::spec::Spec;
use yap_chain::transaction::Transaction;
use yap_chain::verify;
use yap_net::identity::Name;
use yap_net::{Given, Network, PublishError};
use yap_protocol::Output;
use yap_protocol::address::Host;
use yap_protocol::io::{Command, Judged, Processed, Reply};
use yap_protocol::link::Purpose;
use yap_protocol::peers::ban::Target;
use yap_protocol::time::Timestamp;
use yap_script::Kernel;

use crate::machine::{Order, PING, Request};
use crate::metrics;
use crate::observer::Observer;
use crate::purse::{self, Trouble, Which};

/// What others hold of a running node. Clones are of the same node.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pub(crate) spec: Arc<Spec>,
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) network: Network,
    pub(crate) observer: Observer,
    /// Where the wallet is, while one is loaded.
    pub(crate) wallet: Arc<purse::Slot>,
    pub(crate) topics: Topics,
}

/// How many subscribed to each topic, so that one who leaves does not take it from the others. At most as many topics as
/// the network lets be subscribed to, and those that are being asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Topics(Arc<Mutex<BTreeMap<String, usize>>>);

impl Topics {
    fn counts(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, topic: &str) {
        let mut counts = self.counts();
        let count = counts.entry(topic.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    /// Gives whether nobody is left.
    fn leave(&self, topic: &str) -> bool {
        let mut counts = self.counts();
        let Some(count) = counts.get_mut(topic) else { return true };
        *count = count.saturating_sub(1);
        let last = *count == 0;
        if last {
            counts.remove(topic);
        }
        last
    }
}

fn unavailable<T>(error: mpsc::error::TrySendError<T>) -> Unavailable {
    match error {
        mpsc::error::TrySendError::Full(_) => Unavailable::Busy,
        mpsc::error::TrySendError::Closed(_) => Unavailable::Stopped,
    }
}

impl Handle {
    /// Sends a request, and waits for its answer.
    fn ask<T: Send + 'static>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Pending<T> {
        let (answer, answered) = oneshot::channel();
        let sent = self.requests.try_send(request(answer)).map_err(unavailable);
        Box::pin(async move {
            sent?;
            answered.await.map_err(|_| Unavailable::Stopped)
        })
    }

    /// Calls the network.
    fn on_network<T, F>(&self, call: impl FnOnce(Network) -> F + Send + 'static) -> Pending<T>
    where
        F: Future<Output = T> + Send,
    {
        let network = self.network.clone();
        Box::pin(async move { Ok(call(network).await) })
    }

    fn record<T: Send + 'static, F>(
        &self,
        call: impl FnOnce(Network) -> F + Send + 'static,
    ) -> Pending<Result<T, RecordError>>
    where
        F: Future<Output = Result<T, yap_net::RecordError>> + Send,
    {
        self.on_network(|network| async move { call(network).await.map_err(told) })
    }

    /// Has the node stop. Requests that wait are answered first; if there is no room, it is waited for elsewhere.
    pub(crate) fn end(&self) {
        let requests = self.requests.clone();
        if let Err(mpsc::error::TrySendError::Full(request)) = requests.try_send(Request::Stop) {
            // Without a thread there is no way to wait; then it takes the end of all who can ask.
            let _ = std::thread::Builder::new().name("stop".into()).spawn(move || requests.blocking_send(request));
        }
    }

    /// Loads the wallet, or makes one, and lets it follow the node. `tip` is the newest block that is known.
    pub(crate) async fn open_wallet(&self, which: Which, tip: (u32, BlockHash)) -> Result<(), Trouble> {
        let source = Box::new(purse::Node(Arc::new(self.clone()) as Arc<dyn Backend>));
        let (slot, observer) = (Arc::clone(&self.wallet), self.observer.clone());
        let tell = Box::new(move |event| observer.tell(event));
        let opened = tokio::task::spawn_blocking(move || slot.open(which, tip, source, tell)).await;
        opened.unwrap_or(Err(Trouble::Ended))
    }

    fn load(&self, which: Which) -> Pending<Result<(), WalletError>> {
        let handle = self.clone();
        Box::pin(async move {
            let backend: &dyn Backend = &handle;
            let tip = backend.ask(|view| (view.tree().height(view.tip()), view.tree().hash(view.tip()))).await?;
            untroubled(handle.open_wallet(which, tip).await)
        })
    }

    fn command<T: Send + 'static>(&self, command: Command, read: fn(Reply) -> T) -> Pending<T> {
        let reply = self.ask(|answer| Request::Command(command, answer));
        Box::pin(async move { Ok(read(reply.await?)) })
    }
}

/// What became of the wallet, as users are told.
fn untroubled(outcome: Result<(), Trouble>) -> Result<Result<(), WalletError>, Unavailable> {
    match outcome {
        Ok(()) => Ok(Ok(())),
        Err(Trouble::Wallet(error)) => Ok(Err(error)),
        Err(Trouble::Purse(error)) => Ok(Err(WalletError::Failed(error.to_string()))),
        Err(Trouble::Ended) => Err(Unavailable::Stopped),
    }
}

fn told(error: yap_net::RecordError) -> RecordError {
    if error == yap_net::RecordError::NotFound {
        RecordError::NotFound
    } else {
        RecordError::Refused(error.to_string())
    }
}

fn published<T>(outcome: Result<T, PublishError>) -> Result<(), RecordError> {
    outcome.map(|_| ()).map_err(|error| {
        if error == PublishError::NoSubscriber { RecordError::Alone } else { RecordError::Refused(error.to_string()) }
    })
}

fn given(peer: &str) -> Result<Given, PeerError> {
    peer.parse::<Given>().map_err(|error| PeerError::Address(error.to_string()))
}

fn failed<T: Send + 'static>(error: PeerError) -> Pending<Result<T, PeerError>> {
    Box::pin(std::future::ready(Ok(Err(error))))
}

/// Who is meant by a peer's name, or a host's address.
fn target(text: &str) -> Option<Target> {
    if let Ok(Given::Peer(identity)) = text.parse() {
        return Some(Target::Identity(identity));
    }
    Some(Target::host(match IpAddr::from_str(text).ok()? {
        IpAddr::V4(ip) => Host::Ipv4(ip),
        IpAddr::V6(ip) => Host::Ipv6(ip),
    }))
}

impl Backend for Handle {
    fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    fn look(&self, job: Job) -> Result<(), Unavailable> {
        self.requests.try_send(Request::Look(job)).map_err(unavailable)
    }

    fn wallet(&self, job: WalletJob) -> Result<(), Unavailable> {
        self.wallet.get().ok_or(Unavailable::NoWallet)?.run(job)
    }

    fn create_wallet(&self) -> Pending<Result<(), WalletError>> {
        self.load(Which::New)
    }

    fn load_wallet(&self) -> Pending<Result<(), WalletError>> {
        self.load(Which::Old)
    }

    fn unload_wallet(&self) -> Pending<Result<(), WalletError>> {
        let slot = Arc::clone(&self.wallet);
        Box::pin(async move {
            let closed = tokio::task::spawn_blocking(move || slot.close()).await;
            untroubled(closed.unwrap_or(Err(Trouble::Ended)))
        })
    }

    fn has_wallet(&self) -> Pending<bool> {
        let slot = Arc::clone(&self.wallet);
        Box::pin(
            async move { tokio::task::spawn_blocking(move || slot.exists()).await.map_err(|_| Unavailable::Stopped) },
        )
    }

    fn submit(&self, transaction: Arc<Transaction>) -> Pending<Judged> {
        self.command(Command::Submit(transaction), |reply| {
            if let Reply::Transaction(judged) = reply { judged } else { Judged::Failed }
        })
    }

    fn submit_pair(&self, child: Arc<Transaction>, parent: Arc<Transaction>) -> Pending<(Judged, Judged)> {
        let (parent_answer, parent_judged) = oneshot::channel();
        let judged = self.ask(|answer| Request::Pair { child, parent, parent_answer, answer });
        Box::pin(async move {
            let read = |reply| if let Reply::Transaction(judged) = reply { judged } else { Judged::Failed };
            let child = read(judged.await?);
            let parent = read(parent_judged.await.map_err(|_| Unavailable::Stopped)?);
            Ok((parent, child))
        })
    }

    fn test(&self, transactions: Vec<Arc<Transaction>>) -> Pending<Vec<Tested>> {
        self.ask(|answer| Request::Test(transactions, answer))
    }

    fn submit_block(&self, block: Arc<Block>) -> Pending<Processed> {
        self.command(Command::SubmitBlock(block), |reply| {
            if let Reply::Block(processed) = reply { processed } else { Processed::Failed }
        })
    }

    fn mine(&self, order: MiningOrder) -> Pending<Result<Vec<BlockHash>, MineError>> {
        self.ask(|answer| Request::Mine(Order::Blocks(order, answer)))
    }

    fn set_mining(&self, mining: Mining) -> Pending<Result<(), MineError>> {
        self.ask(|answer| Request::Mine(Order::Mode(mining, answer)))
    }

    fn verify(&self, jobs: Vec<verify::Job>) -> Pending<Option<bool>> {
        Box::pin(async move {
            let work = move || {
                let engine = Kernel::new();
                for job in &jobs {
                    match yap_script::check(&engine, job) {
                        Ok(()) => {}
                        Err(failure) if failure.reason.is_invalid() => return Some(false),
                        Err(_) => return None,
                    }
                }
                Some(true)
            };
            tokio::task::spawn_blocking(work).await.map_err(|_| Unavailable::Stopped)
        })
    }

    fn add_peer(&self, peer: &str, once: bool) -> Pending<Result<(), PeerError>> {
        let given = match given(peer) {
            Ok(given) => given,
            Err(error) => return failed(error),
        };
        if once {
            return self.on_network(|network| async move { dial(&network, &given).await });
        }
        self.ask(|answer| Request::Add(given, answer))
    }

    fn remove_peer(&self, peer: &str) -> Pending<Result<(), PeerError>> {
        match given(peer) {
            Ok(given) => self.ask(|answer| Request::Remove(given, answer)),
            Err(error) => failed(error),
        }
    }

    fn disconnect(&self, peer: &str) -> Pending<Result<(), PeerError>> {
        let peer = peer.to_owned();
        self.ask(|answer| Request::Part(peer, answer))
    }

    fn set_ban(&self, who: &str, until: Option<u64>) -> Pending<Result<(), PeerError>> {
        let Some(target) = target(who) else {
            return failed(PeerError::Address(format!("{who} is neither the name of a peer nor an IP address")));
        };
        let command = until
            .map_or_else(|| Command::Unban(target.clone()), |until| Command::Ban(target.clone(), Timestamp(until)));
        self.command(command, |reply| if reply == Reply::NoPeer { Err(PeerError::None) } else { Ok(()) })
    }

    fn ping_peers(&self) -> Pending<()> {
        self.command(Command::Ping, |_| ())
    }

    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> Pending<Result<usize, RecordError>> {
        self.record(|network| async move { Ok(network.put(key, value).await?.copies) })
    }

    fn get(&self, key: Vec<u8>) -> Pending<Result<Vec<u8>, RecordError>> {
        self.record(|network| async move { network.get(key).await })
    }

    fn withdraw(&self, key: Vec<u8>) -> Pending<Result<(), RecordError>> {
        self.record(|network| async move { network.withdraw(key).await })
    }

    fn provide(&self, key: Vec<u8>) -> Pending<Result<(), RecordError>> {
        self.record(|network| async move { network.provide(key).await })
    }

    fn stop_providing(&self, key: Vec<u8>) -> Pending<()> {
        self.on_network(|network| async move { network.stop_providing(key) })
    }

    fn providers(&self, key: Vec<u8>) -> Pending<Result<Vec<String>, RecordError>> {
        self.record(|network| async move {
            let peers = network.providers(key).await?;
            Ok(peers.into_iter().map(|identity| Name(identity).to_string()).collect())
        })
    }

    fn subscribe(&self, topic: &str) -> Pending<Result<(), RecordError>> {
        let topic = topic.to_owned();
        let topics = self.topics.clone();
        self.on_network(|network| async move {
            // Before it is asked for: else one who leaves meanwhile would take it away.
            topics.join(&topic);
            published(network.subscribe(&topic, None).await).inspect_err(|_| {
                topics.leave(&topic);
            })
        })
    }

    fn unsubscribe(&self, topic: &str) -> Pending<()> {
        let (topic, topics) = (topic.to_owned(), self.topics.clone());
        self.on_network(|network| async move {
            // Pings are heard for as long as the node runs.
            if topics.leave(&topic) && topic != PING {
                network.unsubscribe(&topic);
            }
        })
    }

    fn publish(&self, topic: &str, data: Vec<u8>) -> Pending<Result<(), RecordError>> {
        let topic = topic.to_owned();
        self.on_network(|network| async move { published(network.publish(&topic, data).await) })
    }

    fn ping(&self) -> Pending<()> {
        self.observer.tell(Event::Ping { from: Name(self.network.identity()).to_string() });
        self.on_network(|network| async move {
            // What is published twice is one message to the network: each ping is another.
            let mut ping = [0; 16];
            if getrandom::fill(&mut ping).is_ok() {
                // Alone, there is nobody to hear it.
                let _ = network.publish(PING, ping.to_vec()).await;
            }
        })
    }

    fn save_mempool(&self) -> Pending<Result<String, String>> {
        self.ask(Request::Save)
    }

    fn events(&self) -> broadcast::Receiver<Arc<Stamped>> {
        self.observer.listen()
    }

    fn metrics(&self) -> Pending<String> {
        let observer = self.observer.clone();
        let figures = self.ask(|answer| {
            Request::Look(Box::new(move |view| {
                // Whoever asked may have gone.
                let _ = answer.send(metrics::Figures::of(view));
            }))
        });
        Box::pin(async move { Ok(figures.await?.text(observer.counts())) })
    }

    fn stop(&self) {
        self.end();
    }
}

/// Connects to a peer one time.
async fn dial(network: &Network, given: &Given) -> Result<(), PeerError> {
    let resolved = match given.name() {
        None => Vec::new(),
        Some(name) => {
            let found = tokio::net::lookup_host((name, 0)).await;
            found
                .map_err(|error| PeerError::Address(format!("can't resolve {name}: {error}")))?
                .map(|one| one.ip())
                .collect()
        }
    };
    for address in given.addresses(&resolved) {
        // A dial is the network's to do. No limit counts whom the user names, as with one that is to stay.
        let _ = network.apply(Output::Dial { address, purpose: Purpose::Manual });
    }
    Ok(())
}
