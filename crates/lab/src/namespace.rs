//! Hosts that are no machines: network namespaces, and the commands that make, join and remove them.
//!
//! Owns a [`Namespace`] from its making to its end: dropping it ends the processes inside, removes it, and with it every
//! interface that was made inside. Nothing is ever made in the host's own namespace. [`sweep`] removes what runs left
//! behind that could not drop (killed, or out of power). Whom a thing belongs to is read from its [`name`] alone, so
//! nothing is touched that a run of this program did not make.
//!
//! Not its job: which hosts there are and how they are joined (`topology`), and rules of routers (`router`).

pub mod name;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use crate::namespace::name::Name;

/// What is needed to make networks, and the Debian package that has it.
const TOOLS: [(&str, &str); 3] = [("ip", "iproute2"), ("nft", "nftables"), ("miniupnpd", "miniupnpd-nftables")];

/// Where tools for administrators are, whether or not `PATH` says so.
const ADMINISTRATION: &str = "/usr/local/sbin:/usr/sbin:/sbin";

/// Where `ip netns exec` looks for files that a namespace has in place of those in `/etc`.
const ETC: &str = "/etc/netns";

/// Why a network could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not enough rights.
    #[error("networks can be made by root alone: run as root, such as with sudo")]
    NotRoot,
    /// A tool is not installed.
    #[error("{tool} is missing: install the package {package} (scripts/deps.sh net does)")]
    Missing {
        /// Its name.
        tool: &'static str,
        /// What has it, on Debian.
        package: &'static str,
    },
    /// A tool did not start.
    #[error("can't run {command}: {source}")]
    Start {
        /// What was to run.
        command: String,
        /// What the system says.
        source: io::Error,
    },
    /// A tool refused.
    #[error("{command} failed: {message}")]
    Failed {
        /// What ran.
        command: String,
        /// What it said.
        message: String,
    },
    /// A file or folder can't be used.
    #[error("can't use {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A part of a name that no namespace can have.
    #[error(transparent)]
    Name(#[from] name::NameError),
}

/// Checks that networks can be made here.
///
/// # Errors
///
/// Not root, or a tool is missing.
pub fn check() -> Result<(), Error> {
    // The owner of a process's folder is the user that it runs as.
    let root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !root {
        return Err(Error::NotRoot);
    }
    let missing =
        TOOLS.iter().find(|(tool, _)| !search_path().split(':').any(|dir| Path::new(dir).join(tool).exists()));
    missing.map_or(Ok(()), |&(tool, package)| Err(Error::Missing { tool, package }))
}

fn search_path() -> String {
    std::env::var("PATH").map_or_else(|_| ADMINISTRATION.to_owned(), |path| format!("{path}:{ADMINISTRATION}"))
}

/// A command that finds the tools of administrators, with nothing on its standard input.
fn tool(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", search_path()).stdin(Stdio::null());
    command
}

/// Runs a command to its end, with `input` on its standard input.
fn run(mut command: Command, input: Option<&str>) -> Result<String, Error> {
    let words: Vec<_> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    let shown = words.join(" ");
    let failed = |source| Error::Start { command: shown.clone(), source };
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    if let (Some(mut stdin), Some(text)) = (child.stdin.take(), input) {
        // A tool that does not read to the end says why in what it prints.
        let _ = stdin.write_all(text.as_bytes());
    }
    let Output { status, stdout, stderr } = child.wait_with_output().map_err(failed)?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&stderr);
    let message = if said.trim().is_empty() { status.to_string() } else { said.trim().to_owned() };
    let message = input.map_or_else(|| message.clone(), |text| format!("{message}\n{text}"));
    Err(Error::Failed { command: shown, message })
}

/// A host: its own interfaces, addresses, routes, rules and ports.
#[derive(Debug)]
pub struct Namespace {
    name: Name,
}

impl Namespace {
    /// Makes one with nothing but `lo`, which is up. Routed networks are of IPv4 alone: `ipv6` is off there.
    ///
    /// # Errors
    ///
    /// `ip` refuses, which it does if one of this name exists.
    pub fn create(label: &str, ipv6: bool) -> Result<Self, Error> {
        let name = Name::new(std::process::id(), label)?;
        let _making = making();
        let mut add = tool("ip");
        add.args(["netns", "add", &name.to_string()]);
        run(add, None)?;
        // From here on a failure drops, and so removes, it.
        let namespace = Self { name };
        if !ipv6 {
            namespace.set("net/ipv6/conf/all/disable_ipv6", "1")?;
            namespace.set("net/ipv6/conf/default/disable_ipv6", "1")?;
        }
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Its name, as `ip netns` lists it.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// A command that runs inside: interfaces, ports and `/proc/sys/net` are the namespace's, files are everybody's.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = tool("ip");
        command.args(["netns", "exec"]).arg(self.name.to_string()).arg(program);
        command
    }

    /// Runs commands of `ip`, one a line, in one process.
    ///
    /// # Errors
    ///
    /// The first that `ip` refuses.
    pub fn ip(&self, lines: &str) -> Result<(), Error> {
        let mut command = tool("ip");
        command.args(["-n", &self.name.to_string(), "-batch", "-"]);
        run(command, Some(lines)).map(drop)
    }

    /// Loads rules of nftables.
    ///
    /// # Errors
    ///
    /// `nft` refuses them; none of them holds then.
    pub fn nft(&self, rules: &str) -> Result<(), Error> {
        let mut command = self.command("nft");
        command.args(["-f", "-"]);
        run(command, Some(rules)).map(drop)
    }

    /// What `nft` prints for these words, as JSON.
    ///
    /// # Errors
    ///
    /// `nft` refuses.
    pub fn nft_list(&self, words: &[&str]) -> Result<serde_json::Value, Error> {
        let mut command = self.command("nft");
        command.arg("-j").args(words);
        let text = run(command, None)?;
        serde_json::from_str(&text).map_err(|error| Error::Failed {
            command: format!("nft -j {}", words.join(" ")),
            message: format!("not JSON: {error}"),
        })
    }

    /// Sets a value of `/proc/sys`, which each namespace has its own of.
    ///
    /// # Errors
    ///
    /// The kernel has no such value.
    pub fn set(&self, path: &str, value: &str) -> Result<(), Error> {
        let mut command = self.command("sh");
        command.args(["-c", "echo \"$1\" > \"/proc/sys/$2\"", "sh", value, path]);
        run(command, None).map(drop)
    }

    /// Joins two namespaces by a cable: `here` is its end in this one, `there` in the other. Both ends are down.
    ///
    /// # Errors
    ///
    /// `ip` refuses, which it does for a name that is taken or has more than 15 bytes.
    pub fn connect(&self, here: &str, other: &Self, there: &str) -> Result<(), Error> {
        let mut command = tool("ip");
        let (own, others) = (self.name.to_string(), other.name.to_string());
        command.args(["link", "add", here, "netns", &own, "type", "veth"]);
        command.args(["peer", "name", there, "netns", &others]);
        run(command, None).map(drop)
    }

    /// Where programs inside ask for addresses of names; without this nobody answers.
    ///
    /// # Errors
    ///
    /// The file can't be written.
    pub fn resolver(&self, address: std::net::Ipv4Addr) -> Result<(), Error> {
        let folder = Path::new(ETC).join(self.name.to_string());
        let path = folder.join("resolv.conf");
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&path, format!("nameserver {address}\n")))
            .map_err(|source| Error::File { path, source })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.name) {
            tracing::warn!(name = %self.name, %error, "namespace not removed");
        }
    }
}

/// Ends what runs in a namespace, and removes it.
fn remove(name: &Name) -> Result<(), Error> {
    let text = name.to_string();
    let mut pids = tool("ip");
    pids.args(["netns", "pids", &text]);
    // A process keeps a namespace alive, nameless, for as long as it runs.
    let inside = run(pids, None).unwrap_or_default();
    let inside: Vec<_> = inside.split_whitespace().filter(|word| word.parse::<u32>().is_ok()).collect();
    if !inside.is_empty() {
        let mut kill = tool("kill");
        kill.arg("-9").args(inside);
        // One that has ended since is no failure.
        let _ = run(kill, None);
    }
    // Names resolve by a folder of the namespace's own, where one was asked for.
    let _ = fs::remove_dir_all(Path::new(ETC).join(&text));
    let mut delete = tool("ip");
    delete.args(["netns", "delete", &text]);
    run(delete, None).map(drop)
}

/// Held to make something that bears a [`Name`]; for ever by whoever removes all that this run has made.
static MAKING: RwLock<()> = RwLock::new(());

/// Held while something that bears a [`Name`] is made. Waits for ever once this run has been swept.
pub(crate) fn making() -> RwLockReadGuard<'static, ()> {
    MAKING.read().unwrap_or_else(PoisonError::into_inner)
}

/// Whose leftovers [`sweep`] removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// This run's, which ends at once: it makes nothing after.
    Own,
    /// Those of runs whose process is gone.
    Dead,
}

impl Whose {
    fn includes(self, name: &Name) -> bool {
        match self {
            Self::Own => name.run() == std::process::id(),
            Self::Dead => !Path::new("/proc").join(name.run().to_string()).exists(),
        }
    }
}

/// Removes namespaces and folders that runs have left, and says how many.
///
/// # Errors
///
/// The namespaces can't be listed, or one can't be removed; the others are removed all the same.
pub fn sweep(whose: Whose) -> Result<usize, Error> {
    if whose == Whose::Own {
        // Other threads still run, and would make anew what is removed.
        std::mem::forget(MAKING.write().unwrap_or_else(PoisonError::into_inner));
    }
    let mut list = tool("ip");
    list.args(["netns", "list"]);
    let listed = run(list, None)?;
    let (mut removed, mut failure) = (0_usize, None);
    // A line is a name, and the kernel's number if it has one.
    for name in listed.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()) {
        if whose.includes(&name) {
            match remove(&name) {
                Ok(()) => removed = removed.saturating_add(1),
                Err(error) => failure = Some(error),
            }
        }
    }
    for folder in [Path::new(ETC), &std::env::temp_dir()] {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name().to_str().and_then(|name| name.parse::<Name>().ok());
            if name.is_some_and(|name| whose.includes(&name)) && fs::remove_dir_all(entry.path()).is_ok() {
                removed = removed.saturating_add(1);
            }
        }
    }
    failure.map_or(Ok(removed), Err)
}
