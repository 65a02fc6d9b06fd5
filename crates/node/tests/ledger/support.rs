//! What the tests share: the vector and its blocks, the `yap` command, a seeded source of numbers.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use yap_chain::block::Block;
use yap_chain::spec::Spec;
use yap_chain::utxo::Hashes;
use yap_node::chainstate::{Accepted, Chainstate, Options, Trust};
use yap_node::prepare::Prepared;

/// The magic of regtest.
pub(crate) const MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];

/// Height, hash and MuHash of the vector's tip, as Bitcoin Core says.
pub(crate) const HEIGHT: u64 = 160;
pub(crate) const TIP: &str = "2f8aedc07d7f739751d771e017bd62e9f7cb523c89fa9a6f28af06f492156fca";
pub(crate) const MUHASH: &str = "cb6b7edde26e47c2a220a43aeb4e4807b99a868e2f553aa5f0e51693d508ca8e";

/// A time after those of all blocks.
pub(crate) const NOW: u32 = 2_000_000_000;

/// Time after which a process that must end is taken to hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// A file of `vectors`.
pub(crate) fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors").join(name)
}

/// The folder with larger chains, or word that there is none.
pub(crate) fn test_data() -> Option<PathBuf> {
    let folder = std::env::var_os("YAP_TEST_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("passed over: YAP_TEST_DATA names no folder with larger chains");
    }
    folder
}

/// The blocks 1 to 160 of the vector, serialised.
pub(crate) fn blocks() -> Vec<Vec<u8>> {
    let file = fs::read(vector("regtest-160.blk")).unwrap();
    let mut rest = file.as_slice();
    let mut blocks = Vec::new();
    while let Some((head, tail)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes(head[4..].try_into().unwrap()) as usize;
        blocks.push(tail[..length].to_vec());
        rest = &tail[length..];
    }
    assert_eq!(blocks.len() as u64, HEIGHT);
    blocks
}

/// A block in its frame.
pub(crate) fn framed(block: &[u8]) -> Vec<u8> {
    [&MAGIC, (block.len() as u32).to_le_bytes().as_slice(), block].concat()
}

/// Blocks as a block file.
pub(crate) fn file_of<'a>(blocks: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    blocks.into_iter().flat_map(|block| framed(block)).collect()
}

/// A regtest ledger in `directory` that takes the vector's scripts as valid if `trust`.
pub(crate) fn open(directory: &Path, trust: bool) -> Chainstate {
    let trust = if trust { Trust::Block(TIP.parse().unwrap()) } else { Trust::Nobody };
    let options = Options { threads: 1, cache_bytes: 8 << 20, trust, ..Options::default() };
    Chainstate::open(directory, Arc::new(Spec::regtest()), options).unwrap()
}

pub(crate) fn muhash(chainstate: &Chainstate) -> String {
    chainstate.totals(Hashes { serialized: false, muhash: true }).unwrap().muhash.unwrap().to_string()
}

/// The MuHash at each height of the chain in `file`.
pub(crate) fn muhashes(file: &Path) -> BTreeMap<u64, String> {
    let directory = tempfile::tempdir().unwrap();
    let mut chainstate = open(directory.path(), false);
    let mut table = BTreeMap::new();
    chainstate.flush().unwrap();
    table.insert(0, muhash(&chainstate));
    for record in yap_store::framing::Reader::new(fs::File::open(file).unwrap(), MAGIC) {
        let yap_store::framing::Event::Record { bytes, .. } = record.unwrap() else { panic!("no record") };
        let prepared = Prepared::new(Block::parse(bytes).unwrap(), chainstate.spec());
        assert!(matches!(chainstate.process(prepared, NOW).unwrap(), Accepted::Stored));
        chainstate.flush().unwrap();
        table.insert(chainstate.tree().height(chainstate.tip()).into(), muhash(&chainstate));
    }
    table
}

/// A `yap` command that knows nothing of the environment.
pub(crate) fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yap"));
    command.env_remove("YAP_CHAIN").env_remove("YAP_DATA_DIR").stdin(Stdio::null());
    command
}

/// `yap --chain regtest --data-dir DATA …`.
pub(crate) fn yap(data: &Path) -> Command {
    let mut command = bare();
    command.args(["--chain", "regtest", "--data-dir"]).arg(data);
    command
}

/// Starts to import what will be written to its standard input.
pub(crate) fn import_stdin(data: &Path) -> Child {
    let mut command = yap(data);
    command.args(["--json", "import", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ran = Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) };
        assert!(!ran.err.contains("panicked"), "{ran:?}");
        ran
    }
}

impl Ran {
    /// That it ended with this code; otherwise shows what it said.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// That standard error has this text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "{text:?} is not in {self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

pub(crate) fn run(command: &mut Command) -> Ran {
    command.output().unwrap().into()
}

/// Runs `yap` on regtest with these arguments.
pub(crate) fn yap_with<I: IntoIterator<Item: AsRef<OsStr>>>(data: &Path, arguments: I) -> Ran {
    run(yap(data).args(arguments))
}

/// Imports a file.
pub(crate) fn import(data: &Path, file: &Path) -> Ran {
    run(yap(data).args(["--json", "import"]).arg(file))
}

/// That `data` holds the whole vector.
#[track_caller]
pub(crate) fn assert_whole(data: &Path) {
    let utxo = yap_with(data, ["--json", "utxo", "--muhash"]).ends(0).json();
    assert_eq!(utxo["height"], HEIGHT);
    assert_eq!(utxo["bestblock"], TIP);
    assert_eq!(utxo["muhash"], MUHASH);
}

/// Waits for the end of a process that must end.
#[track_caller]
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("the process hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Copies a directory with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// `SplitMix64`: the same numbers for the same seed.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}
