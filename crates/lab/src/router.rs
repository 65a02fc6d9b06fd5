//! Routers: what stands between a home, a café or an office, and the internet.
//!
//! A [`Router`] is a namespace with an inner switch (`lan`) and an outer cable (`wan`). What it does with packets is said
//! by [`Rules`], which can change while packets flow. It may run servers: UPnP ([`Router::serve_upnp`]), a captive
//! portal ([`portal`]).

pub mod portal;
mod rules;
mod upnp;

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use crate::namespace::{Error, Namespace};
use crate::topology::{Host, Port, Subnet, Switch};

pub use rules::{Mapping, Pass, Rules};

/// The inner interface of a router: the bridge that its hosts are on.
pub(crate) const LAN: &str = "lan";

/// The outer interface of a router.
pub(crate) const WAN: &str = "wan";

/// A router with the hosts behind it.
#[derive(Debug)]
pub struct Router {
    servers: Vec<Server>,
    namespace: Rc<Namespace>,
    lan: Switch,
    wan: Port,
    inner: Subnet,
    outer: Ipv4Addr,
    folder: PathBuf,
}

/// Where a router is plugged in.
#[derive(Clone, Copy, Debug)]
pub struct Outside<'a> {
    /// Into what.
    pub switch: &'a Switch,
    /// Its address there.
    pub address: Subnet,
    /// Its own way to elsewhere, if not everybody is on that switch.
    pub gateway: Option<Ipv4Addr>,
}

impl Router {
    /// Makes one. `inner` is its address on the inside, and the gateway of its hosts.
    ///
    /// # Errors
    ///
    /// `ip` or `nft` refuses.
    pub fn create(
        label: &str,
        folder: &Path,
        outside: Outside<'_>,
        inner: Subnet,
        rules: Rules,
    ) -> Result<Self, Error> {
        let namespace = Rc::new(Namespace::create(label, false)?);
        let lan = Switch::within(Rc::clone(&namespace), LAN)?;
        namespace.ip(&format!("address add {inner} dev {LAN}"))?;
        let wan = outside.switch.plug(&namespace, WAN, outside.address)?;
        if let Some(gateway) = outside.gateway {
            namespace.ip(&format!("route add default via {gateway}"))?;
        }
        let (outer, folder) = (outside.address.host, folder.join(label));
        std::fs::create_dir_all(&folder).map_err(|source| Error::File { path: folder.clone(), source })?;
        let router = Self { servers: Vec::new(), namespace, lan, wan, inner, outer, folder };
        router.apply(rules)?;
        // Not before the rules: until then nothing is translated.
        router.namespace.set("net/ipv4/ip_forward", "1")?;
        Ok(router)
    }

    /// Puts these rules in place of those that hold.
    ///
    /// # Errors
    ///
    /// `nft` refuses.
    pub fn apply(&self, rules: Rules) -> Result<(), Error> {
        self.namespace.nft(&rules.to_string())
    }

    /// Its inner switch.
    #[must_use]
    pub fn lan(&self) -> &Switch {
        &self.lan
    }

    /// Its outer cable.
    #[must_use]
    pub fn wan(&self) -> &Port {
        &self.wan
    }

    /// Its address on the inside.
    #[must_use]
    pub fn inner(&self) -> Subnet {
        self.inner
    }

    /// Its address on the outside: whence the internet sees its hosts come.
    #[must_use]
    pub fn outer(&self) -> Ipv4Addr {
        self.outer
    }

    /// A host behind it, whose address ends in `last`.
    ///
    /// # Errors
    ///
    /// `ip` refuses, or the folder can't be made.
    pub fn host(&self, label: &str, folder: &Path, last: u8) -> Result<Host, Error> {
        self.lan.host(label, folder, self.inner.at(last), Some(self.inner.host))
    }

    /// Forwards ports for hosts that ask for it by UPnP.
    ///
    /// # Errors
    ///
    /// The server does not start, or `nft` refuses the tables that it works in.
    pub fn serve_upnp(&mut self) -> Result<(), Error> {
        self.namespace.nft(upnp::TABLES)?;
        let path = self.folder.join("upnp.conf");
        std::fs::write(&path, upnp::configuration(self.inner))
            .map_err(|source| Error::File { path: path.clone(), source })?;
        let mut command = self.namespace.command("miniupnpd");
        command.arg("-d").arg("-f").arg(path).arg("-P").arg(self.folder.join("upnp.pid"));
        command.stdout(Stdio::null());
        self.servers.push(Server::start(command, &self.folder.join("upnp.err"))?);
        Ok(())
    }

    /// Answers whatever a host behind it asks, once [`Pass::Portal`] sends it there.
    ///
    /// # Errors
    ///
    /// The server does not start.
    pub fn serve_portal(&mut self) -> Result<(), Error> {
        let path = std::env::current_exe().map_err(|source| Error::File { path: "/proc/self/exe".into(), source })?;
        let mut command = self.namespace.command(path);
        command.args(["helper", "portal", &self.inner.host.to_string()]);
        command.stdout(Stdio::piped());
        let mut server = Server::start(command, &self.folder.join("portal.err"))?;
        let mut said = String::new();
        if let Some(output) = server.0.stdout.take() {
            // What can't be read has not been said.
            let _ = BufReader::new(output).read_line(&mut said);
        }
        self.servers.push(server);
        if said.trim_end() == portal::READY {
            return Ok(());
        }
        Err(Error::Failed { command: "yap-lab helper portal".to_owned(), message: "it has not begun".to_owned() })
    }
}

/// A program that runs until this is dropped.
#[derive(Debug)]
struct Server(Child);

impl Server {
    /// What it says is the command's own affair; its errors go to this file.
    fn start(mut command: Command, errors: &Path) -> Result<Self, Error> {
        let file = File::create(errors).map_err(|source| Error::File { path: errors.to_owned(), source })?;
        let shown = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
        let spawned = command.stdin(Stdio::null()).stderr(file).spawn();
        spawned.map(Self).map_err(|source| Error::Start { command: shown, source })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended by itself is no failure.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
