//! `yap-lab`: puts peers into networks out of namespaces, and shows what becomes of them.
//!
//! ```text
//! sudo yap-lab run lan nat-plain-both --runs 3
//! ```
//!
//! The table goes to standard output; how it goes on, and logs of what failed, to standard error. Needs root and the
//! tools that `scripts/deps.sh net` installs. Ends with 1 if a scenario failed, with 2 if none could be run.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints tables")]

use std::fs;
use std::io::{self, IsTerminal as _};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use yap_lab::attack;
use yap_lab::namespace::{self, Whose};
use yap_lab::probe;
use yap_lab::report::{self, Row};
use yap_lab::router::portal;
use yap_lab::scenario::{self, RunEnd, Scenario};

const EXAMPLES: &str = "\
Examples:
  yap-lab list                           what there is to run
  yap-lab run                            all of it (make test-net)
  yap-lab run nat-plain-tcp --runs 20    one scenario, twenty times
  yap-lab run upnp --keep                its files stay: data, and logs of every peer
  yap-lab sweep                          removes what killed runs have left";

/// Peers in networks out of namespaces.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Lists the scenarios.
    List,
    /// Runs scenarios and prints what they have shown.
    Run(Choice),
    /// Removes what killed runs have left.
    Sweep,
    /// What runs inside of a network.
    #[command(subcommand, hide = true)]
    Helper(Helper),
}

#[derive(Debug, clap::Args)]
struct Choice {
    /// Which; all of them unless told.
    names: Vec<String>,
    /// How often each; as often as it says itself unless told.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    /// Prints a table of Markdown.
    #[arg(long)]
    markdown: bool,
    /// Leaves the files of every run, and says where they are.
    #[arg(long)]
    keep: bool,
    /// The peer's program; the one beside this program unless told.
    #[arg(long, env = "YAP_PEER")]
    peer: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Helper {
    /// Answers everything with a redirection, and every name with this address.
    Portal { address: Ipv4Addr },
    /// Answers whoever asks with the address that it sees.
    Observe { port: u16 },
    /// Asks an observer.
    Ask {
        /// What carries the question.
        carrier: Carrier,
        /// The observer.
        to: SocketAddrV4,
        /// The port from which a datagram goes out.
        #[arg(long)]
        from: u16,
    },
    /// Does to a peer what no peer may mind, until the input ends.
    Attack {
        /// What.
        kind: attack::Kind,
        /// To whom.
        target: SocketAddrV4,
        /// Addresses from which it comes in turn.
        #[arg(long, value_delimiter = ',')]
        from: Vec<Ipv4Addr>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Carrier {
    Tcp,
    Udp,
}

/// Nothing could be run.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    match Arguments::parse().what {
        What::List => {
            let all = scenario::all();
            let width = all.iter().map(|scenario| scenario.name.len()).max().unwrap_or_default();
            for Scenario { name, needed, runs, .. } in all {
                println!("{name:width$}  {needed} ({runs} x)");
            }
            ExitCode::SUCCESS
        }
        What::Sweep => match namespace::check().and_then(|()| namespace::sweep(Whose::Dead)) {
            Ok(removed) => {
                println!("removed {removed} namespaces and folders of runs that are gone");
                ExitCode::SUCCESS
            }
            Err(error) => unusable(&error.to_string()),
        },
        What::Helper(helper) => match help(helper) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => unusable(&error.to_string()),
        },
        What::Run(choice) => match run(&choice) {
            Ok(code) => code,
            Err(message) => unusable(&message),
        },
    }
}

fn help(helper: Helper) -> io::Result<()> {
    match helper {
        Helper::Portal { address } => portal::serve(address, &mut io::stdout()),
        Helper::Observe { port } => {
            let observer = probe::Observer::bind(port)?;
            println!("ready");
            observer.serve()
        }
        Helper::Ask { carrier, to, from } => {
            let carrier = match carrier {
                Carrier::Tcp => probe::Carrier::Tcp,
                Carrier::Udp => probe::Carrier::Udp,
            };
            probe::ask(carrier, from, to).map(|seen| println!("{seen}"))
        }
        Helper::Attack { kind, target, from } => {
            let plan = attack::Plan { kind, target, sources: from };
            attack::run(plan, io::BufReader::new(io::stdin()), &mut io::stdout())
        }
    }
}

fn unusable(message: &str) -> ExitCode {
    eprintln!("yap-lab: {message}");
    ExitCode::from(UNUSABLE)
}

fn run(choice: &Choice) -> Result<ExitCode, String> {
    let scenarios = chosen(&choice.names)?;
    let program = peer(choice)?;
    namespace::check().map_err(|error| error.to_string())?;
    namespace::sweep(Whose::Dead).map_err(|error| error.to_string())?;
    // Not a drop but an end: what is up is removed by its name.
    ctrlc::set_handler(|| {
        let _ = namespace::sweep(Whose::Own);
        std::process::exit(130);
    })
    .map_err(|error| error.to_string())?;
    let mut rows = Vec::new();
    for scenario in &scenarios {
        let runs = choice.runs.unwrap_or(scenario.runs);
        rows.push(scenario.run(&program, runs, choice.keep, |end| tell(end, choice.keep)));
    }
    println!("{}", if choice.markdown { report::markdown(&rows) } else { report::plain(&rows) }.trim_end());
    let failed = rows.iter().filter(|row| !row.passed()).count();
    if failed > 0 {
        eprintln!("yap-lab: {failed} of {} scenarios failed", rows.len());
    }
    Ok(if rows.iter().all(Row::passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The scenarios of these names in the order of the names, or all.
fn chosen(names: &[String]) -> Result<Vec<Scenario>, String> {
    let mut all = scenario::all();
    if names.is_empty() {
        return Ok(all);
    }
    let take = |name: &String| {
        let place = all.iter().position(|scenario| scenario.name == name);
        place.map(|place| all.remove(place)).ok_or_else(|| {
            format!("there is no scenario {name}, or it was named before; `yap-lab list` names all that there are")
        })
    };
    names.iter().map(take).collect()
}

fn peer(choice: &Choice) -> Result<PathBuf, String> {
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("yap-peer"));
    let program = choice.peer.clone().or_else(beside).unwrap_or_default();
    // Programs start in namespaces with another working directory or the same; a full path is right in both.
    let whole = fs::canonicalize(&program);
    whole.map_err(|error| {
        format!("there is no peer to start at {}: {error}; build it with cargo build -p yap-lab", program.display())
    })
}

/// Lines of each log that are shown of a run that failed.
const LINES: usize = 30;

fn tell(end: &RunEnd<'_>, keep: bool) {
    let shown = match end.outcome {
        Ok(measured) => {
            let time = measured.time.map(|time| format!("{:.2} s  ", time.as_secs_f64())).unwrap_or_default();
            format!("ok      {time}{}", measured.note)
        }
        Err(why) => format!("FAILED  {why}"),
    };
    eprintln!("{} {}: {shown}", end.scenario, end.number);
    if keep {
        eprintln!("    files: {}", end.folder.display());
    }
    if end.outcome.is_err() {
        for log in logs(end.folder) {
            tail(&log);
        }
    }
}

/// Every log below this folder: those of a run are two levels down at most.
fn logs(folder: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut out: Vec<_> = entries(folder)
        .flat_map(|host| entries(&host).collect::<Vec<_>>())
        .filter(|path| path.extension().is_some_and(|end| end == "log" || end == "told" || end == "err"))
        .collect();
    out.sort();
    out
}

fn tail(path: &Path) {
    let Ok(bytes) = fs::read(path) else { return };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LINES);
    if let Some(last) = lines.get(from..).filter(|last| !last.is_empty()) {
        let dim = if io::stderr().is_terminal() { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        eprintln!("{}--- {}{}", dim.0, path.display(), dim.1);
        last.iter().for_each(|line| eprintln!("    {line}"));
    }
}
