//! Networks: hosts on switches, and an internet without multicast.
//!
//! A [`Switch`] is a bridge that [`Host`]s and routers are plugged into. It is a local network by itself (multicast
//! passes, as in a home), the [`Internet`] (multicast does not pass, every host has a network group of its own), or the
//! inner side of a [`Router`](crate::router::Router).
//!
//! ```text
//! host ── eth0 ═══ p0 ┐
//! host ── eth0 ═══ p1 ┤ bridge        a cable is cut, and a client isolated, at the switch's end of it
//! router ─ wan ═══ p2 ┘
//! ```
//!
//! Not its job: what routers do with packets.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use crate::namespace::{Error, Namespace};

/// An address on a network of this many leading bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The address.
    pub host: Ipv4Addr,
    /// Bits that all hosts of the network share.
    pub bits: u8,
}

impl Subnet {
    /// `a.b.c.d/bits`.
    #[must_use]
    pub const fn new(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Self {
        Self { host: Ipv4Addr::new(a, b, c, d), bits }
    }

    /// Another host of this network, by the last number of its address.
    #[must_use]
    pub const fn at(self, last: u8) -> Self {
        let [a, b, c, _] = self.host.octets();
        Self::new(a, b, c, last, self.bits)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.bits)
    }
}

/// The switch's end of a cable.
#[derive(Debug)]
pub struct Port {
    switch: Rc<Namespace>,
    name: String,
}

impl Port {
    /// Pulls the cable.
    ///
    /// # Errors
    ///
    /// The switch is gone.
    pub fn cut(&self) -> Result<(), Error> {
        self.switch.ip(&format!("link set {} down", self.name))
    }

    /// Plugs it in again.
    ///
    /// # Errors
    ///
    /// The switch is gone.
    pub fn restore(&self) -> Result<(), Error> {
        self.switch.ip(&format!("link set {} up", self.name))
    }

    /// Lets this port talk to ports that are not isolated alone, as Wi-Fi in cafés does: the gateway is not isolated.
    ///
    /// # Errors
    ///
    /// The switch is gone.
    pub fn isolate(&self) -> Result<(), Error> {
        self.switch.ip(&format!("link set {} type bridge_slave isolated on", self.name))
    }
}

/// A bridge.
#[derive(Debug)]
pub struct Switch {
    namespace: Rc<Namespace>,
    bridge: &'static str,
    ports: Cell<u32>,
}

impl Switch {
    /// Makes one in a namespace of its own: a local network.
    ///
    /// # Errors
    ///
    /// `ip` refuses.
    pub fn create(label: &str) -> Result<Self, Error> {
        Self::within(Rc::new(Namespace::create(label, true)?), "bridge")
    }

    /// Makes one in this namespace, which may have an address on it.
    ///
    /// # Errors
    ///
    /// `ip` refuses.
    pub fn within(namespace: Rc<Namespace>, bridge: &'static str) -> Result<Self, Error> {
        // A bridge that learns who listens to which multicast forgets those that asked before it was up.
        namespace.ip(&format!("link add {bridge} type bridge mcast_snooping 0\nlink set {bridge} up"))?;
        Ok(Self { namespace, bridge, ports: Cell::new(0) })
    }

    /// Where it is.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Joins a namespace to it by a cable, whose other end gets this name and address.
    ///
    /// # Errors
    ///
    /// `ip` refuses.
    pub fn plug(&self, other: &Namespace, interface: &str, address: Subnet) -> Result<Port, Error> {
        let name = format!("p{}", self.ports.replace(self.ports.get().saturating_add(1)));
        self.namespace.connect(&name, other, interface)?;
        self.namespace.ip(&format!("link set {name} master {} up", self.bridge))?;
        other.ip(&format!("address add {address} dev {interface}\nlink set {interface} up"))?;
        Ok(Port { switch: Rc::clone(&self.namespace), name })
    }

    /// A host on this network, with a way to elsewhere if there is a gateway. Its files are in a folder of `folder`.
    ///
    /// # Errors
    ///
    /// `ip` refuses, or the folder can't be made.
    pub fn host(&self, label: &str, folder: &Path, address: Subnet, gateway: Option<Ipv4Addr>) -> Result<Host, Error> {
        // Routers here know IPv4 alone, and their hosts are not to believe otherwise.
        let namespace = Rc::new(Namespace::create(label, gateway.is_none())?);
        let port = self.plug(&namespace, Host::INTERFACE, address)?;
        Host::set_up(namespace, Some(port), label, folder, Some(address), gateway)
    }
}

/// A host: a namespace with its own folder for files and its own runtime directory.
#[derive(Debug)]
pub struct Host {
    namespace: Rc<Namespace>,
    port: Option<Port>,
    label: String,
    folder: PathBuf,
    address: Cell<Option<Subnet>>,
    gateway: Option<Ipv4Addr>,
}

impl Host {
    const INTERFACE: &'static str = "eth0";

    /// A host without any network but itself.
    ///
    /// # Errors
    ///
    /// `ip` refuses, or the folder can't be made.
    pub fn lonely(label: &str, folder: &Path) -> Result<Self, Error> {
        Self::set_up(Rc::new(Namespace::create(label, true)?), None, label, folder, None, None)
    }

    fn set_up(
        namespace: Rc<Namespace>,
        port: Option<Port>,
        label: &str,
        folder: &Path,
        address: Option<Subnet>,
        gateway: Option<Ipv4Addr>,
    ) -> Result<Self, Error> {
        let folder = folder.join(label);
        // Namespaces share the file system: without a folder of its own for what runs, hosts would find one another there.
        let runtime = folder.join("run");
        fs::create_dir_all(&runtime).map_err(|source| Error::File { path: runtime, source })?;
        let host = Self { namespace, port, label: label.to_owned(), folder, address: Cell::new(address), gateway };
        host.route()?;
        Ok(host)
    }

    fn route(&self) -> Result<(), Error> {
        self.gateway.map_or(Ok(()), |gateway| self.namespace.ip(&format!("route replace default via {gateway}")))
    }

    /// What it is called.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Its address; that of the loopback interface if it has no network.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address.get().map_or(Ipv4Addr::LOCALHOST, |address| address.host)
    }

    /// A command that runs here, with nothing of the environment that a node would read.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.namespace.command(program);
        command.env("XDG_RUNTIME_DIR", self.folder.join("run")).env("HOME", &self.folder);
        command.env_remove("P2P_PORT").env_remove("PEERS");
        command
    }

    /// Its cable's end at the switch; `None` if it has no network.
    #[must_use]
    pub fn port(&self) -> Option<&Port> {
        self.port.as_ref()
    }

    /// Gives it another address in place of its own, as a network does that is left and joined again.
    ///
    /// # Errors
    ///
    /// `ip` refuses, which it does for a host without a network.
    pub fn move_to(&self, address: Subnet) -> Result<(), Error> {
        let interface = Self::INTERFACE;
        self.namespace.ip(&format!("address flush dev {interface}\naddress add {address} dev {interface}"))?;
        self.address.set(Some(address));
        // The route went with the address that it was reached by.
        self.route()
    }
}

/// A network on which all can reach all, without multicast. Its hosts have addresses `N.x.0.1` with `N` the first number
/// and `x` their own, so that each is a network group (IPv4 /16) by itself.
#[derive(Debug)]
pub struct Internet {
    switch: Switch,
    first: u8,
}

/// First number of addresses that everybody takes for public. 11.0.0.0/8 is never met by accident.
pub const PUBLIC: u8 = 11;

/// First number of addresses that are private: a provider's own network (RFC 1918).
pub const PRIVATE: u8 = 10;

impl Internet {
    /// Makes one whose addresses begin with this number.
    ///
    /// # Errors
    ///
    /// `ip` or `nft` refuses.
    pub fn create(first: u8) -> Result<Self, Error> {
        let switch = Switch::within(Rc::new(Namespace::create("internet", false)?), "bridge")?;
        switch.namespace.nft(concat!(
            "table bridge internet {\n",
            " chain local {\n",
            "  type filter hook forward priority 0; policy accept;\n",
            "  ip daddr 224.0.0.0/4 drop\n",
            " }\n",
            "}\n"
        ))?;
        Ok(Self { switch, first })
    }

    /// What its hosts are plugged into.
    #[must_use]
    pub fn switch(&self) -> &Switch {
        &self.switch
    }

    /// The address of host `number`.
    #[must_use]
    pub const fn address(&self, number: u8) -> Subnet {
        Subnet::new(self.first, number, 0, 1, 8)
    }

    /// A host with a public address.
    ///
    /// # Errors
    ///
    /// `ip` refuses, or the folder can't be made.
    pub fn host(&self, label: &str, folder: &Path, number: u8) -> Result<Host, Error> {
        // No gateway: every address of the internet is on the same switch. Nobody speaks IPv6 here.
        let host = self.switch.host(label, folder, self.address(number), None)?;
        host.namespace.set("net/ipv6/conf/all/disable_ipv6", "1")?;
        Ok(host)
    }

    /// Counts what passes from now on between `here` and `there`, or between `here` and anybody.
    ///
    /// # Errors
    ///
    /// `nft` refuses.
    pub fn meter(&self, here: Ipv4Addr, there: Option<Ipv4Addr>) -> Result<Meter, Error> {
        let table = format!("meter{}", self.switch.ports.replace(self.switch.ports.get().saturating_add(1)));
        self.switch.namespace.nft(&meter_rules(&table, here, there))?;
        Ok(Meter { namespace: Rc::clone(&self.switch.namespace), table })
    }
}

fn meter_rules(table: &str, here: Ipv4Addr, there: Option<Ipv4Addr>) -> String {
    let (from, to) =
        there.map_or_else(<_>::default, |there| (format!(" ip saddr {there}"), format!(" ip daddr {there}")));
    format!(
        "table bridge {table} {{\n counter passed {{}}\n chain count {{\n  type filter hook forward priority 10; policy accept;\n  \
         ip saddr {here}{to} counter name passed\n  ip daddr {here}{from} counter name passed\n }}\n}}\n"
    )
}

/// Counts bytes that pass a switch, headers of IP included.
#[derive(Debug)]
pub struct Meter {
    namespace: Rc<Namespace>,
    table: String,
}

impl Meter {
    /// Bytes so far.
    ///
    /// # Errors
    ///
    /// The switch is gone.
    pub fn bytes(&self) -> Result<u64, Error> {
        let listed = self.namespace.nft_list(&["list", "counter", "bridge", &self.table, "passed"])?;
        let bytes = listed
            .get("nftables")
            .and_then(serde_json::Value::as_array)
            .and_then(|entries| entries.iter().find_map(|entry| entry.pointer("/counter/bytes")?.as_u64()));
        bytes.ok_or_else(|| Error::Failed {
            command: "nft -j list counter".to_owned(),
            message: format!("no bytes in {listed}"),
        })
    }
}

/// Hosts in networks of one host each, with one router between all of them that translates nothing.
///
/// # Errors
///
/// `ip` refuses, or a folder can't be made.
pub fn routed(labels: &[&str], folder: &Path) -> Result<Vec<Host>, Error> {
    let router = Rc::new(Namespace::create("backbone", false)?);
    router.set("net/ipv4/ip_forward", "1")?;
    let legs = labels.iter().zip(1_u8..);
    let host = |(label, leg): (&&str, u8)| {
        let (gateway, address) = (Subnet::new(PUBLIC, leg, 0, 1, 16), Subnet::new(PUBLIC, leg, 0, 2, 16));
        let namespace = Rc::new(Namespace::create(label, false)?);
        let (inner, interface) = (format!("leg{leg}"), Host::INTERFACE);
        router.connect(&inner, &namespace, interface)?;
        router.ip(&format!("address add {gateway} dev {inner}\nlink set {inner} up"))?;
        namespace.ip(&format!("address add {address} dev {interface}\nlink set {interface} up"))?;
        let port = Port { switch: Rc::clone(&router), name: inner };
        Host::set_up(namespace, Some(port), label, folder, Some(address), Some(gateway.host))
    };
    legs.map(host).collect()
}

#[cfg(test)]
mod tests {
    use super::{Subnet, meter_rules};
    use std::net::Ipv4Addr;

    #[test]
    fn a_meter_counts_both_directions_of_a_pair_or_of_one_host() {
        let (here, there) = (Ipv4Addr::new(11, 1, 0, 1), Ipv4Addr::new(11, 2, 0, 1));
        let pair = meter_rules("m", here, Some(there));
        assert!(pair.contains("ip saddr 11.1.0.1 ip daddr 11.2.0.1 counter name passed"), "{pair}");
        assert!(pair.contains("ip daddr 11.1.0.1 ip saddr 11.2.0.1 counter name passed"), "{pair}");
        let one = meter_rules("m", here, None);
        assert!(one.contains("ip saddr 11.1.0.1 counter name passed"), "{one}");
        assert!(one.contains("ip daddr 11.1.0.1 counter name passed"), "{one}");
    }

    #[test]
    fn hosts_of_a_network_differ_in_the_last_number() {
        let router = Subnet::new(192, 168, 1, 1, 24);
        assert_eq!(router.at(2).to_string(), "192.168.1.2/24");
    }
}
