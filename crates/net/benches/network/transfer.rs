//! Blocks over one session.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash as _;
use bitcoin::{
    Amount, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, TxMerkleNode, TxOut, Txid, Witness, consensus,
};
use yap_chain::block::Block;
use yap_net::config::{Chain, Hosts};
use yap_net::identity::Keys;
use yap_net::{Config, Event, Events, Given, Network};
use yap_protocol::link::{PeerId, Purpose};
use yap_protocol::{Input, Message, Output};

use crate::{Carrier, Cost, now};

/// A node that finds nobody by itself.
pub(crate) fn config() -> Config {
    let chain = Chain { name: "bench".into(), genesis: BlockHash::from_byte_array([7; 32]), magic: [1, 2, 3, 4] };
    let mut config = Config::new(Keys::generate(), chain);
    config.listen.port = 0;
    config.listen.hosts = Hosts::Loopback;
    config.find.mdns = false;
    config.reach.upnp = false;
    config
}

/// Where a node is reached by a carrier.
pub(crate) fn address(network: &Network, carrier: Carrier) -> Option<Given> {
    let status = network.status();
    let fits = |text: &&String| {
        let text = text.as_str();
        text.starts_with("/ip4/127.0.0.1/")
            && match carrier {
                Carrier::Tcp => !text.contains("quic") && !text.contains("ws"),
                Carrier::Quic => text.contains("quic"),
                Carrier::WebSocket => text.contains("ws"),
            }
    };
    status.listening.iter().find(fits).map(|text| text.parse().unwrap())
}

/// Waits for a session.
pub(crate) async fn connected(events: &mut Events) -> PeerId {
    loop {
        match events.next().await.expect("it runs") {
            Event::Input(Input::Connected { peer, .. }) => return peer,
            Event::Input(Input::DialFailed { address }) => panic!("can't dial {address}"),
            _ => {}
        }
    }
}

/// A block of about 4 MB. Nobody judges it here.
fn block() -> Block {
    // Two inputs and two outputs of P2WPKH, as most payments have.
    let mut script = vec![0, 20];
    script.extend([9; 20]);
    let output = TxOut { value: Amount::ONE_BTC, script_pubkey: ScriptBuf::from(script) };
    let payment = |number: usize| bitcoin::Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: LockTime::from_consensus(u32::try_from(number).unwrap()),
        input: vec![
            bitcoin::TxIn {
                previous_output: OutPoint::new(Txid::from_byte_array([5; 32]), 1),
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness: Witness::from_slice(&[&[3; 72][..], &[2; 33][..]]),
            };
            2
        ],
        output: vec![output.clone(); 2],
    };
    let header = bitcoin::block::Header {
        version: bitcoin::block::Version::TWO,
        prev_blockhash: BlockHash::all_zeros(),
        merkle_root: TxMerkleNode::all_zeros(),
        time: 0,
        bits: CompactTarget::from_consensus(0x207f_ffff),
        nonce: 0,
    };
    Block::parse(consensus::serialize(&bitcoin::Block { header, txdata: (0..10_500).map(payment).collect() })).unwrap()
}

/// Two nodes, of which one dials the other.
async fn pair(carrier: Carrier) -> ((Network, Events), (Network, Events)) {
    let (listener, mut listening) = Network::start(config()).await.unwrap();
    let (dialler, dialling) = Network::start(config()).await.unwrap();
    let given = loop {
        match address(&listener, carrier) {
            Some(given) => break given,
            None => drop(tokio::time::timeout(Duration::from_millis(50), listening.next()).await),
        }
    };
    let address = given.addresses(&[]).pop().unwrap();
    let _ = dialler.apply(Output::Dial { address, purpose: Purpose::Full });
    ((listener, listening), (dialler, dialling))
}

/// The next message that is no part of the network's own talk.
async fn heard(events: &mut Events) -> (PeerId, Message) {
    loop {
        if let Event::Input(Input::Message { peer, message, .. }) = events.next().await.expect("it runs") {
            return (peer, message);
        }
    }
}

/// Round trips of a ping over a session, one after the other: the median.
pub(crate) async fn latency(carrier: Carrier, trips: usize) -> Duration {
    let ((listener, mut listening), (dialler, mut dialling)) = pair(carrier).await;
    let answering = tokio::spawn(async move {
        loop {
            let (peer, message) = heard(&mut listening).await;
            let Message::Ping(number) = message else { continue };
            let _ = listener.apply(Output::Send { peer, message: Message::Pong(number) });
        }
    });
    let peer = connected(&mut dialling).await;
    let mut took = Vec::with_capacity(trips);
    for number in 0..trips {
        let start = std::time::Instant::now();
        let _ = dialler.apply(Output::Send { peer, message: Message::Ping(number as u64) });
        while heard(&mut dialling).await.1 != Message::Pong(number as u64) {}
        took.push(start.elapsed());
    }
    answering.abort();
    dialler.stop();
    took.sort_unstable();
    took[trips / 2]
}

/// Sends blocks of so many bytes in all from one node to another, and waits until they have come.
pub(crate) async fn run(carrier: Carrier, bytes: usize) -> Cost {
    let ((listener, mut listening), (dialler, mut dialling)) = pair(carrier).await;
    let block = Arc::new(block());
    let count = bytes.div_ceil(block.bytes().len());
    let receiving = tokio::spawn(async move {
        let mut left = count;
        while left > 0 {
            if let Some(Event::Input(Input::Message { message: Message::Block(_), .. })) = listening.next().await {
                left -= 1;
            }
        }
        now()
    });
    let peer = connected(&mut dialling).await;
    let start = now();
    let (mut congested, mut sent) = (false, 0);
    while sent < count {
        if congested {
            match dialling.next().await.unwrap() {
                Event::Input(Input::Congested { congested: now, .. }) => congested = now,
                Event::Input(Input::Disconnected { .. }) => panic!("the session ended"),
                _ => {}
            }
            continue;
        }
        let _ = dialler.apply(Output::Send { peer, message: Message::Block(Arc::clone(&block)) });
        sent += 1;
        while let Ok(Some(event)) = tokio::time::timeout(Duration::ZERO, dialling.next()).await {
            if let Event::Input(Input::Congested { congested: now, .. }) = event {
                congested = now;
            }
        }
    }
    let pump = tokio::spawn(async move { while dialling.next().await.is_some() {} });
    let (end, cpu) = receiving.await.unwrap();
    let cost = Cost { wall: end - start.0, cpu: cpu - start.1 };
    dialler.stop();
    listener.stop();
    drop(tokio::time::timeout(Duration::from_secs(5), pump).await);
    cost
}
