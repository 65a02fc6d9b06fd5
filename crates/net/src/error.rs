//! Why the network could not start, or do what was asked. Every text says what to do.

use std::io;
use std::path::PathBuf;

use yap_protocol::address::Identity;
use yap_protocol::peers::ban::Target;

use crate::identity::{self, Name};

/// Why the network did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The key of the node.
    #[error(transparent)]
    Key(#[from] identity::KeyError),
    /// Another program has the port.
    #[error(
        "port {port} is in use by another program (perhaps another node): choose another port with P2P_PORT, or stop that program"
    )]
    PortInUse {
        /// The port.
        port: u16,
    },
    /// The port is one that only the system's programs may have.
    #[error("port {port} may not be used without special rights: choose one above 1023 with P2P_PORT")]
    PortForbidden {
        /// The port.
        port: u16,
    },
    /// The system refuses to listen for another reason.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// Where.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// An address that the user gave as our own is not one.
    #[error("{text} is no multiaddr: write an address such as /ip4/203.0.113.5/tcp/6001")]
    External {
        /// What was given.
        text: String,
    },
    /// The certificate for secure WebSocket.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The records of the DHT can't be opened.
    #[error("can't open the records in {}: {why}; if another node runs there, give this one a directory of its own", path.display())]
    Records {
        /// Their folder.
        path: PathBuf,
        /// What the store says.
        why: String,
    },
    /// The name resolver of the system can't be set up.
    #[error("can't set up name resolution: {0}")]
    Resolver(io::Error),
    /// Something that libp2p needs is not there.
    #[error("can't set up the transport: {0}")]
    Transport(String),
}

/// What is wrong with a certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A file can't be read.
    #[error("can't read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file holds no certificate or key.
    #[error("{} holds no {what} in PEM form", path.display())]
    Missing {
        /// Which.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The certificate has expired, or is not valid yet.
    #[error("the certificate in {} is valid from {from} to {until}, not now: renew it, or set the clock", path.display())]
    Expired {
        /// Which.
        path: PathBuf,
        /// First moment.
        from: String,
        /// Last moment.
        until: String,
    },
    /// Certificate and key do not belong together, or can't be used.
    #[error("the certificate in {} can't be used with its key: {why}", path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// What the TLS library says.
        why: String,
    },
    /// A certificate that is to be trusted is none of an authority.
    #[error("{} can't be trusted as a certificate authority: {why}", path.display())]
    Authority {
        /// Which.
        path: PathBuf,
        /// What the TLS library says.
        why: String,
    },
}

/// Why a dial failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// Somebody else answered.
    #[error("{} answered there, not {}: ask for the peer's present address, or dial without a name", Name(*found), Name(*wanted))]
    WrongPeer {
        /// Who was wanted.
        wanted: Identity,
        /// Who answered.
        found: Identity,
    },
    /// The peer does not have our chain.
    #[error("it does not serve the chain {chain}: check that both nodes run on the same chain")]
    WrongChain {
        /// Ours.
        chain: String,
    },
    /// It is us.
    #[error("that is this node itself")]
    Ourselves,
    /// The certificate of a secure WebSocket was refused.
    #[error(
        "its certificate was refused ({why}): its operator must renew it, or it is not the host that it claims to be"
    )]
    Certificate {
        /// What the TLS library says.
        why: String,
    },
    /// The certificate of a secure WebSocket is signed by nobody who is trusted here.
    #[error(
        "its certificate is of an issuer unknown here: if that authority is one of yours, add its certificate to those \
         that this node trusts; if not, it may not be the host that it claims to be"
    )]
    Issuer,
    /// Nobody answers there.
    #[error("nobody answers there: check the address, and that a node runs there and its firewall lets us in")]
    Unreachable,
    /// The connection was refused by the other end.
    #[error("the host refuses connections on that port: check the port, and that a node runs there")]
    Refused,
    /// Whatever answers there ended the connection before anything was said.
    #[error(
        "the connection was closed at once: the node there may be full, or have banned this one, or it is no node but, say, a portal that wants a login first"
    )]
    Closed,
    /// There is no way to that network.
    #[error("there is no route to that network: check this machine's connection")]
    NoRoute,
    /// The name has no address.
    #[error("the name has no address: check its spelling, and this machine's name resolution")]
    NoName,
    /// Something else answered, such as a web server or a captive portal.
    #[error(
        "what answers there is no node: another program has that port, or a portal of this network wants a login first"
    )]
    NotANode,
    /// The address has a form that nothing here can dial.
    #[error("no transport can dial that address")]
    Unsupported,
    /// No address of the peer is known, and nobody who was asked knows one.
    #[error("no address of that peer is known, and no connected peer knows one")]
    Unknown,
    /// Our own limit of connections is reached.
    #[error("this node has as many connections as it may")]
    Limit,
    /// This node does not let it in. The owner knows until when.
    #[error("{who} is banned here; `yap rpc setban {who} remove` lets it in again", who = banned(.0))]
    Banned(Target),
}

/// Who is banned, as the user names it.
fn banned(target: &Target) -> String {
    match target {
        Target::Identity(identity) => Name(*identity).to_string(),
        Target::Host(host) => host.to_string(),
    }
}

/// Why a record could not be put, got, provided or found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The key is empty or too long.
    #[error("a key has 1 to {most} bytes, this one has {0}", most = crate::config::MAX_KEY)]
    Key(usize),
    /// The value is too long.
    #[error("a value has at most {most} bytes, this one has {0}: store its parts, or a reference", most = crate::config::MAX_VALUE)]
    Value(usize),
    /// Nobody has it.
    #[error("no peer that was asked has that record")]
    NotFound,
    /// Not enough peers answered in time.
    #[error("the peers that were asked did not answer in time: try again")]
    Timeout,
    /// There is no room for more records of our own.
    #[error("this node has no room for more records of its own: withdraw some, or give records more room")]
    Full,
    /// The disk did not take it.
    #[error("this node could not write the record to its disk: its log says why")]
    Disk,
    /// Too many requests wait for their answers.
    #[error("too many requests wait for their answers: try again")]
    Busy,
    /// This node takes no part in the DHT.
    #[error(
        "records need the DHT, which this node has turned off: start it without --no-dht, and without `dht = false` in \
         its settings"
    )]
    Off,
    /// The network has stopped.
    #[error("the network has stopped")]
    Stopped,
}

/// Why a message was not published, or a topic not subscribed to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The topic's name is empty or too long.
    #[error("a topic's name has 1 to {most} bytes, this one has {0}", most = crate::topics::MAX_NAME)]
    Name(usize),
    /// The message is too long.
    #[error("a message has at most {most} bytes, this one has {0}", most = crate::topics::MAX_MESSAGE)]
    Size(usize),
    /// Too many topics.
    #[error("at most {} topics can be subscribed to at one time", crate::topics::MAX_TOPICS)]
    Topics,
    /// The same message was published a moment ago.
    #[error("the same message was published a moment ago")]
    Duplicate,
    /// Nobody that is connected has subscribed.
    #[error("no connected peer has subscribed to that topic")]
    NoSubscriber,
    /// More is published than the network takes.
    #[error("messages are published faster than peers take them: wait a moment")]
    Busy,
    /// The network has stopped.
    #[error("the network has stopped")]
    Stopped,
}
