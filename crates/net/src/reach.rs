//! How we are reached, and by which way peers are.
//!
//! Two machines without sockets or clocks, and six behaviours that mend what libp2p's own leave open. The task that owns
//! the swarm feeds the machines what the swarm tells, and does what they ask: after every input it drains `poll` until
//! `None`, and calls `deadline` when `next_deadline` has come.
//!
//! | part | owns |
//! |---|---|
//! | [`State`] | whether we are public, behind NAT or on a network of our own; reservations with relays; what we tell of our addresses; whether we serve the DHT and relay |
//! | [`paths`] | every connection and the way it takes; which one a session should be on; what to close, and to dial again when an address of ours is lost |
//! | [`candidates`] | the addresses under which peers see us, for hole punching and dial-back (wraps identify) |
//! | [`introduction`] | which of our addresses identify tells to whom |
//! | [`relayed`] | the relay client, without its panic when a reservation is given up (wraps it) |
//! | [`relaying`] | the relay, without its panic when it begins to be one (wraps it) |
//! | [`punching`] | hole punching, within bounds (wraps DCUtR) |
//! | [`gateway`] | the router that forwards our port, asked anew in each network (wraps UPnP) |
//! | `place` | what an address says of where it leads |
//!
//! # What goes in
//!
//! | event of the swarm | input |
//! |---|---|
//! | `NewListenAddr` | [`Fact::Listening`] |
//! | `ExpiredListenAddr` | [`Fact::NotListening`] |
//! | `ListenerClosed` | [`Fact::NotListening`] for each of its addresses, then [`Fact::ListenerClosed`] |
//! | `ConnectionEstablished` | [`paths::State::connected`], then [`Fact::Connected`] |
//! | `ConnectionClosed` | [`paths::State::closed`], then [`Fact::Closed`] |
//! | `ExternalAddrConfirmed`, `ExternalAddrExpired` | [`Fact::Confirmed`], [`Fact::Expired`] |
//! | `NewExternalAddrCandidate` | nothing |
//! | `identify::Event::Received`, as which a peer's push comes too | [`Fact::Identified`] with [`Said::of`] |
//! | `identify::Event::Pushed`, which is about a push of ours | nothing |
//! | `autonat::v2::client::Event` | [`Fact::Tested`] |
//! | `upnp::Event::NewExternalAddr`, `ExpiredExternalAddr` | [`Fact::Mapped`], [`Fact::Unmapped`] |
//! | `upnp::Event::GatewayNotFound`, `NonRoutableGateway` | [`Fact::NoGateway`] |
//! | `relay::client::Event::ReservationReqAccepted` | [`Fact::Reserved`] |
//! | `dcutr::Event { result: Ok(connection), .. }` | [`paths::State::punched`] |
//! | a session was opened, has ended | [`paths::State::session`], [`paths::State::ended`] |
//!
//! # What comes out
//!
//! | action | call |
//! |---|---|
//! | [`Action::Reserve`] | `swarm.listen_on(address)`, then [`State::reserving`] with the listener, or `None` if that failed |
//! | [`Action::Unreserve`] | `relay_client.release(listener)`, then `swarm.remove_listener(listener)` |
//! | [`Action::ServeDht`] | `kad.set_mode(Some(Mode::Server or Mode::Client))` |
//! | [`Action::ServeRelay`] | `relay.serve(on)` |
//! | [`Action::AddExternal`], [`Action::RemoveExternal`] | `swarm.add_external_address`, `swarm.remove_external_address` |
//! | [`Action::SearchGateway`] | `gateway.search()` |
//! | [`Action::Advertise`] | tell the node, the registry and the DHT |
//! | [`Action::Changed`] | `Notice::Reach`, `Status::reach` |
//! | [`Action::Lost`] | [`paths::State::lost`], `candidates.forget()` |
//! | [`Action::Gained`] | [`paths::State::gained`] |
//! | [`Action::Disconnect`] | `swarm.disconnect_peer_id` |
//! | [`paths::Action::Move`] | open a session on that connection, and end the old one once it is open |
//! | [`paths::Action::Close`] | `swarm.close_connection` |
//! | [`paths::Action::Redial`] | dial the peer at the addresses that are known of it, with `PeerCondition::Always`: a dial from the old network may hang |
//! | [`paths::Action::Changed`] | `Notice::Path`, `Peer::path` |
//!
//! A behaviour that refuses connections (`limits`) comes before these in the swarm's, so that they do not see what is
//! refused.
//!
//! Set both modes by hand as said: left to themselves, DHT and relay serve as soon as any external address is confirmed,
//! and a circuit through a relay counts as one.

pub(crate) mod candidates;
mod fact;
pub(crate) mod gateway;
pub(crate) mod interfaces;
pub(crate) mod introduction;
pub(crate) mod paths;
mod place;
pub(crate) mod punching;
pub(crate) mod relayed;
pub(crate) mod relaying;
mod state;

pub(crate) use fact::{Action, Advertised, Fact, Said};
pub(crate) use state::{Options, State};
