//! `python-bitcoinlib`, the client of Bitcoin Core for Python, against a node: `session.py`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Place, Ran};

/// The Python that programs find; `None` where there is none.
fn python() -> Option<&'static str> {
    let runs = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|told| told.status.success());
    ["python3", "python"].into_iter().find(runs)
}

/// The folder with the library, which is fetched once: its version and the hash of its file are fixed.
fn library(python: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-bitcoinlib-0.12.2");
    if folder.is_dir() {
        return folder;
    }
    let new = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile"]);
    pip.args(["--only-binary", ":all:", "--require-hashes", "--target"]).arg(new.path().join("library"));
    let fetched: Ran = pip.arg("--requirement").arg(tests.join("requirements.txt")).output().unwrap().into();
    fetched.ends(0);
    // Another run may have been quicker: what it fetched is the same.
    let moved = std::fs::rename(new.path().join("library"), &folder);
    assert!(moved.is_ok() || folder.is_dir(), "{moved:?}");
    folder
}

#[test]
fn a_program_in_python_mines_pays_and_is_refused_as_by_bitcoin_core() {
    let Some(python) = python() else {
        eprintln!("no Python here: passed over");
        return;
    };
    let library = library(python);
    let place = Place::with_node_of("regtest");
    let (conf, http) = (place.path().join("bitcoin.conf"), place.http());
    let data = place.home().parent().unwrap().to_owned();
    let lines = format!("datadir={}\nrpcconnect={}\nrpcport={}\n", data.display(), http.ip(), http.port());
    std::fs::write(&conf, lines).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/session.py");
    let mut session = Command::new(python);
    // Bytecode would be written beside the source.
    session.arg("-B").arg(script).arg(&conf).env("PYTHONPATH", library);
    let ran: Ran = session.output().unwrap().into();
    assert_eq!(ran.ends(0).out, "every step is done\n");
}
