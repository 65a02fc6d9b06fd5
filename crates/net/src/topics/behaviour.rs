//! The whole, as the swarm and the engine see it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use libp2p::PeerId;
use libp2p::gossipsub::{self, IdentTopic, MessageAcceptance};
use libp2p::identity::Keypair;
use libp2p::swarm::{ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm};
use tokio::time::{Instant, Sleep};

use super::gossip::{self, Gossip};
use super::kept::Kept;
use super::load::{GRAVE, Load, Parcel};
use super::{MAX_MESSAGE, MAX_NAME, MAX_TOPICS, Message, MessageId, Validator, Verdict};
use crate::forward::forward;
use crate::{PublishError, address, config};

/// What gossipsub's handlers tell.
type Heard = THandlerOutEvent<Gossip>;

/// What the topics tell.
#[derive(Debug)]
pub(crate) enum Event {
    /// A message of a topic that we subscribed to.
    Message(Message),
    /// Nobody subscribed to its topic while a message was kept. It was not published, and can be again.
    Unheard(MessageId),
    /// A peer sends more than it may, or what no honest peer sends. Nothing of it is taken any more; disconnect it.
    /// Told once per connected peer.
    Flooding(PeerId),
}

/// Publishes and delivers. See the module.
pub(crate) struct Behaviour {
    gossip: Gossip,
    ourselves: PeerId,
    /// At most [`MAX_TOPICS`].
    topics: BTreeMap<Arc<str>, Option<Validator>>,
    kept: Kept,
    load: Load,
    /// To be told; at most one of each peer.
    flooding: VecDeque<PeerId>,
    timer: Option<Pin<Box<Sleep>>>,
    waker: Option<Waker>,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour")
            .field("topics", &self.topics.keys())
            .field("kept", &self.kept)
            .finish_non_exhaustive()
    }
}

/// A size as it is counted. Nothing that comes here has 4 GB.
fn size(data: &[u8]) -> u32 {
    u32::try_from(data.len()).unwrap_or(u32::MAX)
}

fn check_name(topic: &str) -> Result<(), PublishError> {
    if (1..=MAX_NAME).contains(&topic.len()) { Ok(()) } else { Err(PublishError::Name(topic.len())) }
}

impl Behaviour {
    /// The service of a chain, without subscriptions.
    pub(crate) fn new(keys: &Keypair, chain: &config::Chain) -> Self {
        Self {
            gossip: gossip::new(keys, chain),
            ourselves: keys.public().to_peer_id(),
            topics: BTreeMap::new(),
            kept: Kept::default(),
            load: Load::new(Instant::now()),
            flooding: VecDeque::new(),
            timer: None,
            waker: None,
        }
    }

    /// Delivers the messages of a topic from now on, those that `validator` accepts; all without one. For a topic that
    /// is subscribed to already, the validator is replaced.
    ///
    /// # Errors
    ///
    /// [`PublishError::Name`], [`PublishError::Topics`].
    pub(crate) fn subscribe(&mut self, topic: &str, validator: Option<Validator>) -> Result<(), PublishError> {
        check_name(topic)?;
        if let Some(present) = self.topics.get_mut(topic) {
            *present = validator;
            return Ok(());
        }
        if self.topics.len() >= MAX_TOPICS {
            return Err(PublishError::Topics);
        }
        self.gossip.subscribe(&IdentTopic::new(topic)).map_err(|_| PublishError::Name(topic.len()))?;
        self.topics.insert(topic.into(), validator);
        self.wake();
        Ok(())
    }

    /// Delivers no message of a topic any more. Does nothing for one that is not subscribed to.
    pub(crate) fn unsubscribe(&mut self, topic: &str) {
        if self.topics.remove(topic).is_some() {
            self.gossip.unsubscribe(&IdentTopic::new(topic));
            self.wake();
        }
    }

    /// Publishes a message, whether or not the topic is subscribed to. Where nobody connected has subscribed (as when a
    /// dial is under way still), the message is kept for [`KEEP`](super::KEEP) and goes to whoever subscribes; if nobody
    /// does, [`Event::Unheard`] tells.
    ///
    /// # Errors
    ///
    /// [`PublishError::Name`], [`PublishError::Size`], [`PublishError::Duplicate`]; [`PublishError::Busy`] where more is
    /// published than peers take; [`PublishError::NoSubscriber`] where there is no room to keep what nobody has
    /// subscribed to.
    pub(crate) fn publish(&mut self, topic: &str, data: Vec<u8>) -> Result<MessageId, PublishError> {
        check_name(topic)?;
        if data.len() > MAX_MESSAGE {
            return Err(PublishError::Size(data.len()));
        }
        let id = MessageId::new(topic, &data);
        if self.load.has(&id) || self.kept.is_waiting(&id) {
            return Err(PublishError::Duplicate);
        }
        let now = Instant::now();
        if !self.load.publish(size(&data), now) {
            return Err(PublishError::Busy);
        }
        if self.send(topic, &data, id, now)? || self.kept.wait(topic, data, id, now) {
            self.wake();
            Ok(id)
        } else {
            Err(PublishError::NoSubscriber)
        }
    }

    /// Gives a message to gossipsub; tells whether anybody has subscribed to it.
    fn send(&mut self, topic: &str, data: &[u8], id: MessageId, now: Instant) -> Result<bool, PublishError> {
        match self.gossip.publish(IdentTopic::new(topic), data) {
            // With full queues, it is gossipsub's all the same: those who miss it are told of it, and can ask.
            Ok(_) | Err(gossipsub::PublishError::AllQueuesFull(_)) => {
                self.load.remember(id, now);
                self.kept.passed(topic.into(), id, self.ourselves, now);
                Ok(true)
            }
            Err(gossipsub::PublishError::NoPeersSubscribedToTopic) => Ok(false),
            Err(gossipsub::PublishError::Duplicate) => Err(PublishError::Duplicate),
            Err(gossipsub::PublishError::MessageTooLarge) => Err(PublishError::Size(data.len())),
            // Our own key signs always, and nothing is transformed.
            Err(why @ (gossipsub::PublishError::SigningError(_) | gossipsub::PublishError::TransformFailed(_))) => {
                tracing::debug!(%why, "a message was not published");
                Err(PublishError::Busy)
            }
        }
    }

    /// Leaves out of a frame what is not to be taken, before gossipsub remembers anything of it.
    fn sift(&mut self, peer: &PeerId, event: &mut Heard) {
        let Heard::Message { rpc, invalid_messages } = event else { return };
        let now = Instant::now();
        let items = rpc.messages.len().saturating_add(invalid_messages.len());
        let items = items.saturating_add(rpc.control_msgs.len()).saturating_add(rpc.subscriptions.len());
        let bytes: usize = rpc.messages.iter().map(|message| message.data.len()).sum();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let mut flooding = self.load.frame(peer, count(items), count(bytes), now);
        for _ in invalid_messages.drain(..) {
            flooding |= self.load.fault(peer, GRAVE, now);
        }
        let (load, topics) = (&mut self.load, &self.topics);
        rpc.messages.retain(|message| {
            let topic = message.topic.as_str();
            let Some(source) = message.source.filter(|_| message.data.len() <= MAX_MESSAGE) else {
                flooding |= load.fault(peer, GRAVE, now);
                return false;
            };
            // It may have been on its way when we unsubscribed.
            topics.contains_key(topic) && {
                let id = MessageId::new(topic, &message.data);
                !load.is_flooding(peer) && load.take(peer, Parcel { id, source, size: size(&message.data) }, now)
            }
        });
        if flooding {
            self.flooding.push_back(*peer);
        }
    }

    /// What gossipsub tells.
    fn told(&mut self, event: gossipsub::Event) -> Option<Event> {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                self.judge(propagation_source, &message_id, message).map(Event::Message)
            }
            gossipsub::Event::Subscribed { peer_id, topic } => {
                self.subscribed(peer_id, topic.as_str());
                None
            }
            gossipsub::Event::SlowPeer { peer_id, failed_messages } => {
                tracing::debug!(peer = %peer_id, ?failed_messages, "a peer is slow to take messages");
                None
            }
            gossipsub::Event::Unsubscribed { .. } | gossipsub::Event::GossipsubNotSupported { .. } => None,
        }
    }

    fn judge(&mut self, from: PeerId, id: &gossipsub::MessageId, message: gossipsub::Message) -> Option<Message> {
        let now = Instant::now();
        let topic = self.topics.get_key_value(message.topic.as_str());
        let source = message.source.and_then(|peer| address::identity(&peer));
        let verdict = match (topic, source) {
            (Some((_, Some(validator))), Some(source)) => validator(&message.data, source),
            (Some((_, None)), Some(_)) => Verdict::Accept,
            // A key of another kind than ours names nobody.
            (Some(_), None) => Verdict::Reject,
            (None, _) => Verdict::Ignore,
        };
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => MessageAcceptance::Reject,
        };
        self.gossip.report_message_validation_result(id, &from, acceptance);
        let accepted = (verdict == Verdict::Accept).then_some(topic).flatten().zip(source);
        let Some(((topic, _), source)) = accepted else {
            if verdict == Verdict::Reject {
                self.rejected(from, message.source, now);
            }
            return None;
        };
        let id = MessageId::new(topic, &message.data);
        let topic = Arc::clone(topic);
        self.kept.passed(Arc::clone(&topic), id, from, now);
        Some(Message { topic, data: message.data, source, id })
    }

    /// A message was rejected: both who published it and who sent it pay.
    fn rejected(&mut self, from: PeerId, source: Option<PeerId>, now: Instant) {
        if let Some(source) = source {
            self.load.rejected(source, now);
        }
        let weight = if source == Some(from) { GRAVE } else { 1 };
        if self.load.fault(&from, weight, now) {
            self.flooding.push_back(from);
        }
    }

    fn subscribed(&mut self, peer: PeerId, topic: &str) {
        let now = Instant::now();
        // First, so that what waited is not given twice.
        self.kept.subscribed(peer, topic, now);
        for waiting in self.kept.heard(topic) {
            match self.send(&waiting.topic, &waiting.data, waiting.id, now) {
                Ok(true) => {}
                // The subscriber has gone already.
                Ok(false) => _ = self.kept.wait(topic, waiting.data, waiting.id, now),
                Err(why) => tracing::debug!(%why, id = %waiting.id, "a message that waited was not published"),
            }
        }
    }

    /// Gives late subscribers what they missed: gossipsub passes a message that it has on again when it is accepted
    /// again, to the mesh and to peers that are marked as explicit.
    fn give(&mut self, now: Instant) {
        for mut gift in self.kept.gifts(now) {
            // An explicit peer that is not connected would be dialled.
            gift.peers.retain(|peer| self.load.is_connected(peer));
            for peer in &gift.peers {
                self.gossip.add_explicit_peer(peer);
            }
            for passed in gift.messages.iter().filter(|_| !gift.peers.is_empty()) {
                let id = gossipsub::MessageId::new(&passed.id.0);
                self.gossip.report_message_validation_result(&id, &passed.from, MessageAcceptance::Accept);
            }
            for peer in &gift.peers {
                self.gossip.remove_explicit_peer(peer);
            }
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// The next thing to tell of our own.
    fn poll_own(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(peer) = self.flooding.pop_front() {
            return Poll::Ready(Event::Flooding(peer));
        }
        let now = Instant::now();
        self.give(now);
        if let Some(id) = self.kept.unheard(now) {
            return Poll::Ready(Event::Unheard(id));
        }
        let deadline = self.kept.deadline();
        if self.timer.as_ref().map(|timer| timer.deadline()) != deadline {
            self.timer = deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline)));
        }
        if self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready()) {
            self.timer = None;
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = THandler<Gossip>;
    type ToSwarm = Event;

    forward!(gossip: established_inbound, established_outbound);

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionEstablished(open) = &event {
            self.load.connected(open.peer_id, Instant::now());
        } else if let FromSwarm::ConnectionClosed(closed) = &event
            && closed.remaining_established == 0
        {
            self.load.disconnected(&closed.peer_id);
            self.flooding.retain(|peer| *peer != closed.peer_id);
        }
        self.gossip.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, mut event: Heard) {
        self.sift(&peer, &mut event);
        if matches!(event, Heard::Message { .. }) && self.load.is_flooding(&peer) {
            return;
        }
        self.gossip.on_connection_handler_event(peer, connection, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        while let Poll::Ready(action) = self.gossip.poll(cx) {
            let action = action.map_out(|event| self.told(event));
            if let ToSwarm::GenerateEvent(None) = action {
                continue;
            }
            return Poll::Ready(action.map_out(|event| event.expect("only what is told has been left out")));
        }
        if let Poll::Ready(event) = self.poll_own(cx) {
            return Poll::Ready(ToSwarm::GenerateEvent(event));
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
