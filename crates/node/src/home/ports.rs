//! Which ports a node takes.

use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};

use yap_net::config::Hosts;

use super::lock::{self, Lock};
use super::{Error, MOST_NODES, Use};

/// How many ports are tried, from the default on.
const MOST_PORTS: u16 = 128;

/// Where [`unused`] looks: far from the ports of a node that may run here, and below those that the system gives to outgoing
/// connections, one of which could take a port before it is bound.
const UNUSED: Range<u16> = 12_000..32_000;

/// A port that nobody has on this machine, by TCP or UDP, and that no other call in this process returns: for whoever starts
/// several nodes that must know of each other before they run.
///
/// It is not held: whoever binds it next has it. Processes that look at one time try others first, as their ids differ.
#[must_use]
pub fn unused() -> Option<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let places = u32::from(UNUSED.end.saturating_sub(UNUSED.start));
    let own = std::process::id().wrapping_mul(131);
    (0..places).find_map(|_| {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let place = u16::try_from(own.wrapping_add(step).checked_rem(places)?).ok()?;
        let here = (Ipv4Addr::UNSPECIFIED, UNUSED.start.saturating_add(place));
        (TcpListener::bind(here).is_ok() && UdpSocket::bind(here).is_ok()).then_some(here.1)
    })
}

/// A port that no other node of this user takes, for as long as this value lives.
#[derive(Debug)]
pub(super) struct Reserved {
    port: u16,
    _lock: Option<File>,
}

impl Reserved {
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

/// What is looked for.
#[derive(Debug)]
pub(super) struct Search<'a> {
    pub(super) used: Use,
    /// The port that is wanted.
    pub(super) port: u16,
    /// Whether the user set it, so that no other will do.
    pub(super) given: bool,
    /// The first to try if not.
    pub(super) default: u16,
    /// The node's number, which gets the same ports again where it can.
    pub(super) number: u32,
    pub(super) hosts: &'a Hosts,
}

/// How a port was found.
enum Found {
    Free(Reserved),
    /// Another node of ours has it.
    Ours,
    Busy,
    Forbidden,
}

impl Search<'_> {
    /// Reserves a port, none of those that are `taken`. `ours` is a file that belongs to this user.
    pub(super) fn reserve(&self, taken: &[u16], ours: &Lock) -> Result<Reserved, Error> {
        let (port, used) = (self.port, self.used);
        if port == 0 || matches!(self.hosts, Hosts::None) {
            return Ok(Reserved { port, _lock: None });
        }
        if self.given {
            return match self.look(port, taken, ours) {
                Found::Free(reserved) => Ok(reserved),
                Found::Ours => Err(Error::PortBusy { port, used, node: true }),
                Found::Busy => Err(Error::PortBusy { port, used, node: false }),
                Found::Forbidden => Err(Error::PortForbidden { port, used }),
            };
        }
        let (first, last) = (self.default, self.default.saturating_add(MOST_PORTS));
        let own = u16::try_from(self.number.min(MOST_NODES).saturating_sub(1)).unwrap_or(0);
        let own = first.saturating_add(own);
        for port in std::iter::once(own).chain((first..=last).filter(|port| *port != own)) {
            if let Found::Free(reserved) = self.look(port, taken, ours) {
                return Ok(reserved);
            }
        }
        Err(Error::NoPort { first, last, used })
    }

    fn look(&self, port: u16, taken: &[u16], ours: &Lock) -> Found {
        if taken.contains(&port) {
            return Found::Ours;
        }
        let lock = match hold(port, ours) {
            Held::Yes(file) => Some(file),
            Held::Unknown => None,
            Held::ByAnother => return Found::Ours,
        };
        for address in addresses(self.hosts) {
            let tcp = TcpListener::bind((address, port)).map(drop);
            let udp = if self.used == Use::P2p { UdpSocket::bind((address, port)).map(drop) } else { Ok(()) };
            for error in [tcp, udp].into_iter().filter_map(Result::err) {
                // Anything else, such as a machine without IPv6 or an address that it does not have, is told by whoever
                // binds it for good.
                if error.kind() == io::ErrorKind::AddrInUse {
                    return Found::Busy;
                }
                if error.kind() == io::ErrorKind::PermissionDenied {
                    return Found::Forbidden;
                }
            }
        }
        Found::Free(Reserved { port, _lock: lock })
    }
}

/// The addresses on which a port must be free, each by itself: one of IPv6 may stand for IPv4 too.
fn addresses(hosts: &Hosts) -> Vec<IpAddr> {
    match hosts {
        Hosts::All => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        Hosts::Loopback => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        Hosts::Only(list) => list.clone(),
        Hosts::None => Vec::new(),
    }
}

enum Held {
    Yes(File),
    ByAnother,
    /// There is no folder for it.
    Unknown,
}

/// Locks the file that stands for a port. Without one, a port is just looked at.
fn hold(port: u16, ours: &Lock) -> Held {
    let Some(folder) = folder(ours) else { return Held::Unknown };
    let Ok(file) = lock::open(&folder.join(format!("port-{}-{port}", namespace()))) else { return Held::Unknown };
    match file.try_lock() {
        Ok(()) => Held::Yes(file),
        Err(fs::TryLockError::WouldBlock) => Held::ByAnother,
        Err(fs::TryLockError::Error(_)) => Held::Unknown,
    }
}

/// The folder in which the nodes of this user meet, if it is this user's alone.
#[cfg(unix)]
fn folder(ours: &Lock) -> Option<PathBuf> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};

    let folder = yap_net::default_registry()?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok()?;
    let (there, owner) = (fs::symlink_metadata(&folder).ok()?, ours.file().metadata().ok()?);
    // Elsewhere somebody could lay a link where our file is to be.
    (there.is_dir() && there.uid() == owner.uid() && there.mode() & 0o022 == 0).then_some(folder)
}

#[cfg(not(unix))]
fn folder(_: &Lock) -> Option<PathBuf> {
    None
}

/// The network that ports belong to: those of two containers that share a folder are not the same.
#[cfg(target_os = "linux")]
fn namespace() -> u64 {
    use std::os::unix::fs::MetadataExt as _;

    fs::metadata("/proc/self/ns/net").map_or(0, |metadata| metadata.ino())
}

#[cfg(not(target_os = "linux"))]
fn namespace() -> u64 {
    0
}
