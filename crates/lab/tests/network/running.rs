//! A running peer, and what a test waits for.

use std::time::Duration;

use bitcoin::Txid;
use tempfile::TempDir;
use yap_lab::peer::{Command, Event, Options, Peer, Status, Watch};
use yap_net::Given;
use yap_net::identity::Name;

/// Long enough for anything here, on a machine that is busy.
pub(crate) const SOON: Duration = Duration::from_secs(40);

/// Between two looks at what no event tells.
const LOOK: Duration = Duration::from_millis(50);

pub(crate) struct Running {
    pub(crate) peer: Peer,
    pub(crate) watch: Watch,
    pub(crate) options: Options,
    pub(crate) directory: TempDir,
}

/// Starts a peer in a new directory; `change` changes what is not as usual.
pub(crate) async fn start(change: impl FnOnce(&mut Options)) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::loopback(directory.path());
    change(&mut options);
    start_in(directory, options).await
}

pub(crate) async fn start_in(directory: TempDir, options: Options) -> Running {
    let (peer, events) = Peer::start(&options).await.unwrap();
    Running { peer, watch: Watch::new(events), options, directory }
}

/// A peer that names others.
pub(crate) async fn start_with(peers: &[String]) -> Running {
    let peers: Vec<Given> = peers.iter().map(|peer| peer.parse().unwrap()).collect();
    start(|options| options.peers = peers).await
}

impl Running {
    pub(crate) fn name(&self) -> String {
        Name(self.peer.identity()).to_string()
    }

    pub(crate) async fn status(&self) -> Status {
        self.peer.status().await.unwrap()
    }

    /// Looks at the status until it is as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        let deadline = tokio::time::Instant::now() + SOON;
        loop {
            let status = self.status().await;
            if wanted(&status) {
                return status;
            }
            assert!(tokio::time::Instant::now() < deadline, "{what}: {status:#?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Where it listens by TCP.
    pub(crate) async fn address(&self) -> String {
        let plain =
            |address: &&String| address.contains("/tcp/") && !address.contains("/ws") && !address.contains("/ip6");
        let status = self.until("it listens", |status| status.listening.iter().any(|one| plain(&one))).await;
        status.listening.iter().find(plain).unwrap().clone()
    }

    pub(crate) async fn port(&self) -> u16 {
        self.address().await.rsplit("/tcp/").next().unwrap().split('/').next().unwrap().parse().unwrap()
    }

    pub(crate) async fn dial(&self, address: &str) {
        self.peer.execute(Command::Dial { address: address.to_owned() }).await.unwrap();
    }

    /// Waits until it has a session with that peer.
    pub(crate) async fn knows(&self, name: &str) {
        let found = |status: &Status| status.peers.iter().any(|peer| peer.identity.as_deref() == Some(name));
        self.until(&format!("a session with {name}"), found).await;
    }

    pub(crate) async fn reaches(&self, tip: &str) {
        self.until(&format!("the tip {tip}"), |status| status.tip == tip).await;
    }

    pub(crate) async fn mine(&self, blocks: u32, bytes: Option<usize>) -> String {
        self.peer.mine(blocks, bytes).await.unwrap().tip.to_string()
    }

    /// Waits until it has a transaction.
    pub(crate) async fn has(&self, txid: Txid) {
        let deadline = tokio::time::Instant::now() + SOON;
        while self.peer.place(txid).await.unwrap().is_none() {
            assert!(
                tokio::time::Instant::now() < deadline,
                "the payment {txid} did not come: {:#?}",
                self.status().await
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits for a notice that has this in it.
    pub(crate) async fn notice(&mut self, words: &str) -> String {
        let found = |event: &Event| match event {
            Event::Notice { text } if text.contains(words) => Some(text.clone()),
            _ => None,
        };
        self.watch.find(SOON, found).await.unwrap()
    }
}

/// One tip and one payment for all of them, whoever made them.
pub(crate) async fn are_one_network(peers: &[&Running]) {
    let tip = peers[0].mine(1, None).await;
    for peer in peers {
        peer.reaches(&tip).await;
    }
    let txid = peers[peers.len() - 1].peer.pay().await.unwrap();
    for peer in peers {
        peer.has(txid).await;
    }
}
