//! Stories of nodes that share a host.

#![cfg(unix)]

use std::os::unix::fs::PermissionsExt as _;

use bitcoin::BlockHash;
use bitcoin::hashes::Hash as _;
use tempfile::TempDir;

use super::*;
use crate::identity::Keys;

fn chain() -> Chain {
    Chain { name: "local".into(), genesis: BlockHash::all_zeros(), magic: [0; 4] }
}

fn addr(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

fn addrs<const N: usize>(texts: [&str; N]) -> Vec<Multiaddr> {
    texts.map(addr).to_vec()
}

/// A folder where nodes meet.
struct Host(TempDir);

impl Host {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn directory(&self) -> PathBuf {
        self.0.path().join("yap")
    }

    fn folder(&self) -> PathBuf {
        self.directory().join("local-00000000")
    }

    fn enter(&self, keys: &Keys) -> Registry {
        Registry::enter(&self.directory(), &chain(), &keys.identity()).unwrap()
    }

    /// A node that listens.
    fn node(&self, addresses: &[Multiaddr]) -> Registry {
        let mut node = self.enter(&Keys::generate());
        node.note(addresses).unwrap();
        node
    }
}

/// Forgets a node as a crash does: the lock goes, the file stays.
fn crash(node: Registry) -> PathBuf {
    let text = fs::read(&node.path).unwrap();
    let path = node.path.clone();
    drop(node);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn two_nodes_find_each_other() {
    let host = Host::new();
    let alice = host.node(&addrs(["/ip4/192.168.1.5/tcp/1", "/ip4/127.0.0.1/udp/1/quic-v1"]));
    let bob = host.node(&addrs(["/ip4/127.0.0.1/tcp/2"]));
    assert_eq!(alice.others(), [(bob.us, addrs(["/ip4/127.0.0.1/tcp/2"]))]);
    // Nearest first.
    assert_eq!(bob.others(), [(alice.us, addrs(["/ip4/127.0.0.1/udp/1/quic-v1", "/ip4/192.168.1.5/tcp/1"]))]);
    drop(alice);
    assert_eq!(bob.others(), []);
    drop(bob);
    assert_eq!(fs::read_dir(host.folder()).unwrap().count(), 0, "who leaves takes everything away");
}

#[test]
fn of_two_that_start_at_once_one_sees_the_other() {
    for _ in 0..20 {
        let host = Host::new();
        let start = || {
            let node = host.node(&addrs(["/ip4/127.0.0.1/tcp/1"]));
            let others = node.others().len();
            (node, others)
        };
        let (alice, bob) = std::thread::scope(|scope| {
            let alice = scope.spawn(start);
            let bob = scope.spawn(start);
            (alice.join().unwrap(), bob.join().unwrap())
        });
        assert!(alice.1 + bob.1 >= 1);
    }
}

#[test]
fn a_later_note_takes_the_place_of_the_first() {
    let host = Host::new();
    let mut alice = host.node(&addrs(["/ip4/127.0.0.1/tcp/1", "/ip4/192.168.1.5/tcp/1", "/ip4/10.0.0.1/tcp/1"]));
    let bob = host.node(&[]);
    alice.note(&addrs(["/ip4/127.0.0.1/tcp/7"])).unwrap();
    assert_eq!(bob.others(), [(alice.us, addrs(["/ip4/127.0.0.1/tcp/7"]))]);
    alice.note(&[]).unwrap();
    assert_eq!(bob.others(), [], "who listens nowhere is not told");
}

#[test]
fn a_reader_sees_the_note_before_or_the_note_after() {
    let host = Host::new();
    let notes = [addrs(["/ip4/127.0.0.1/tcp/1"; 1]), addrs(["/ip4/127.0.0.1/udp/1/quic-v1", "/ip4/127.0.0.1/tcp/2"])];
    let mut alice = host.node(&notes[0]);
    let bob = host.node(&[]);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| (0..500).for_each(|at| alice.note(&notes[at % 2]).unwrap()));
        let mut seen = 0;
        while !writing.is_finished() || seen == 0 {
            for (_, addresses) in bob.others() {
                assert!(notes.contains(&addresses), "{addresses:?}");
                seen += 1;
            }
        }
    });
}

#[test]
fn what_a_dead_node_left_is_removed() {
    let host = Host::new();
    let left = crash(host.node(&addrs(["/ip4/127.0.0.1/tcp/1"])));
    assert!(left.exists());
    let bob = host.node(&addrs(["/ip4/127.0.0.1/tcp/2"]));
    assert_eq!(bob.others(), []);
    assert!(!left.exists());
    assert!(bob.path.exists());
}

#[test]
fn a_node_that_comes_back_takes_its_place_again() {
    let host = Host::new();
    let keys = Keys::generate();
    let mut alice = host.enter(&keys);
    alice.note(&addrs(["/ip4/127.0.0.1/tcp/1"])).unwrap();
    crash(alice);
    let alice = host.enter(&keys);
    let bob = host.node(&[]);
    assert_eq!(bob.others(), [], "what it noted before is gone");
    assert!(alice.path.exists());
}

#[test]
fn one_key_is_one_node() {
    let host = Host::new();
    let keys = Keys::generate();
    let alice = host.enter(&keys);
    let error = Registry::enter(&host.directory(), &chain(), &keys.identity()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
    assert!(alice.path.exists(), "the first is still there");
    drop(alice);
    host.enter(&keys);
}

#[test]
fn a_living_nodes_file_is_never_removed() {
    let host = Host::new();
    let watcher = host.node(&[]);
    let keys = Keys::generate();
    // Comes and goes while it is looked at, in every state between.
    std::thread::scope(|scope| {
        let coming = scope.spawn(|| {
            (0..200).for_each(|_| {
                let mut alice = host.enter(&keys);
                alice.note(&addrs(["/ip4/127.0.0.1/tcp/1"])).unwrap();
                assert!(private::is_at(&alice.file, &alice.path).unwrap());
            });
        });
        while !coming.is_finished() {
            let _ = watcher.others();
        }
        coming.join().unwrap();
    });
}

#[test]
fn chains_have_folders_of_their_own() {
    let host = Host::new();
    let alice = host.node(&addrs(["/ip4/127.0.0.1/tcp/1"]));
    let other = Chain { name: "../Other chain!".into(), ..chain() };
    let bob = Registry::enter(&host.directory(), &other, &Keys::generate().identity()).unwrap();
    assert_eq!((alice.others(), bob.others()), (Vec::new(), Vec::new()));
    assert_eq!(bob.folder, host.directory().join("___Other_chain_-00000000"));
    let long = Chain { name: "x".repeat(1000), ..chain() };
    assert_eq!(folder_name(&long).len(), MAX_CHAIN + 9);
}

#[test]
fn nobody_else_may_look() {
    let host = Host::new();
    let alice = host.node(&[]);
    for (path, mode) in [(host.directory(), 0o700), (host.folder(), 0o700), (alice.path.clone(), 0o600)] {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }
}

#[test]
fn a_folder_where_others_may_write_is_refused() {
    let host = Host::new();
    for open in [0o770, 0o707, 0o777] {
        fs::create_dir_all(host.directory()).unwrap();
        fs::set_permissions(host.directory(), fs::Permissions::from_mode(open)).unwrap();
        let error = Registry::enter(&host.directory(), &chain(), &Keys::generate().identity()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
    }
    let link = host.0.path().join("link");
    fs::set_permissions(host.directory(), fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::symlink(host.directory(), &link).unwrap();
    let error = Registry::enter(&link, &chain(), &Keys::generate().identity()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
}

#[test]
fn a_folder_of_another_user_is_refused() {
    let host = Host::new();
    let alice = host.node(&addrs(["/ip4/127.0.0.1/tcp/1"]));
    let enter = || Registry::enter(&host.directory(), &chain(), &Keys::generate().identity());
    // Only the superuser can give things away.
    if !rustix::process::geteuid().is_root() {
        enter().unwrap();
        return;
    }
    let give = |path: &Path, to| std::os::unix::fs::chown(path, Some(to), None).unwrap();
    for path in [host.directory(), host.folder()] {
        give(&path, 1);
        assert_eq!(enter().unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        give(&path, 0);
    }
    give(&alice.path, 1);
    assert_eq!(enter().unwrap().others(), [], "nor is another user's note read");
}

/// The path of the note of somebody who is not there.
fn strange(host: &Host) -> PathBuf {
    host.folder().join(Keys::generate().pair().public().to_peer_id().to_base58())
}

/// Holds a file's lock, as a living node does.
fn hold(path: &Path, bytes: &[u8]) -> File {
    fs::write(path, bytes).unwrap();
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    file.try_lock().unwrap();
    file
}

#[test]
fn hostile_things_in_the_folder_cost_nothing() {
    let host = Host::new();
    let alice = host.node(&[]);
    let bob = host.node(&addrs(["/ip4/127.0.0.1/tcp/2"]));
    let whole = fs::read(&bob.path).unwrap();
    let garbage = hold(&strange(&host), &[0xff; 1000]);
    let huge = hold(&strange(&host), b"");
    huge.set_len(1 << 40).unwrap();
    let cut = hold(&strange(&host), &whole[..whole.len() - 1]);
    let secret = host.0.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let link = strange(&host);
    std::os::unix::fs::symlink(&secret, &link).unwrap();
    let pipe = strange(&host);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    fs::create_dir(strange(&host)).unwrap();
    let foreign = strange(&host);
    let _foreign = hold(&foreign, &whole);
    fs::set_permissions(&foreign, fs::Permissions::from_mode(0o666)).unwrap();
    fs::write(host.folder().join("readme"), "no note").unwrap();
    fs::write(host.folder().join("QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"), "no node").unwrap();

    assert_eq!(alice.others(), [(bob.us, addrs(["/ip4/127.0.0.1/tcp/2"]))]);
    assert!(secret.exists() && link.symlink_metadata().is_ok() && pipe.exists());
    assert!(host.folder().join("readme").exists(), "what is no note is left alone");
    drop((garbage, huge, cut));
    assert_eq!(alice.others().len(), 1);
}

#[test]
fn only_so_many_nodes_are_told() {
    let host = Host::new();
    let alice = host.node(&[]);
    let mut nodes: Vec<_> = (0..MAX_NODES).map(|_| host.node(&addrs(["/ip4/127.0.0.1/tcp/1"]))).collect();
    assert_eq!(alice.others().len(), MAX_NODES);
    nodes.push(host.node(&addrs(["/ip4/127.0.0.1/tcp/1"])));
    assert_eq!(alice.others().len(), MAX_NODES);
}

#[test]
fn only_so_many_entries_are_looked_at() {
    let host = Host::new();
    let alice = host.node(&[]);
    // What dead nodes left, and one file that is ours.
    let left = |count: usize| {
        (0..count).for_each(|_| fs::write(strange(&host), "").unwrap());
        assert_eq!(alice.others(), []);
        fs::read_dir(host.folder()).unwrap().count() - 1
    };
    assert_eq!(left(MAX_ENTRIES - 1), 0);
    // Whether our own is among those that are not looked at is for the system to say.
    let unseen = left(MAX_ENTRIES + 9);
    assert!((9..=10).contains(&unseen), "{unseen}");
    assert_eq!(left(0), 0, "what one look leaves is for the next");
}

#[test]
fn the_default_folder_is_this_users_alone() {
    let folder = default_directory().unwrap();
    assert!(folder.is_absolute());
    let name = folder.file_name().unwrap().to_str().unwrap();
    assert!(name == "yap" || name == format!("yap-{}", rustix::process::geteuid().as_raw()), "{name}");
}

mod notes {
    use super::note::{MAX_NOTE, read, write};
    use super::*;

    fn port(port: usize) -> Multiaddr {
        addr(&format!("/ip4/10.0.0.1/tcp/{port}"))
    }

    #[test]
    fn a_note_is_read_back() {
        let addresses = addrs(["/ip4/127.0.0.1/tcp/1", "/ip4/192.168.1.5/udp/1/quic-v1", "/ip6/fd00::1/tcp/1/ws"]);
        assert_eq!(read(&write(&addresses, 7), 7), Some(addresses));
        assert_eq!(read(&write(&[], 7), 7), Some(Vec::new()));
    }

    #[test]
    fn loopback_of_another_network_is_another_machines() {
        let note = write(&addrs(["/ip4/127.0.0.1/tcp/1", "/ip4/192.168.1.5/tcp/1"]), 7);
        assert_eq!(read(&note, 8), Some(addrs(["/ip4/192.168.1.5/tcp/1"])));
    }

    #[test]
    fn only_what_another_process_can_dial_is_noted() {
        let bob = Keys::generate().pair().public().to_peer_id();
        let useless = addrs(["/memory/7", "/ip4/0.0.0.0/tcp/1", "/ip4/127.0.0.1/tcp/0", "/p2p-circuit", "/unix/tmp"]);
        let circuit = addr(&format!("/ip4/10.0.0.1/tcp/1/p2p/{bob}/p2p-circuit"));
        let named = addr(&format!("/ip4/10.0.0.1/tcp/1/p2p/{bob}"));
        let note = write(&[useless.as_slice(), &[circuit, named]].concat(), 7);
        assert_eq!(read(&note, 7), Some(addrs(["/ip4/10.0.0.1/tcp/1"])));
    }

    #[test]
    fn a_note_has_a_bound_of_addresses() {
        let noted = |count| read(&write(&(1..=count).map(port).collect::<Vec<_>>(), 7), 7).unwrap().len();
        assert_eq!(noted(MAX_ADDRESSES), MAX_ADDRESSES);
        assert_eq!(noted(MAX_ADDRESSES + 1), MAX_ADDRESSES);
    }

    #[test]
    fn the_longest_note_fits() {
        let long = |at: usize| addr(&format!("/dns4/{}{at:03}/tcp/60001", "a".repeat(247)));
        let note = write(&(0..100).map(long).collect::<Vec<_>>(), u64::MAX);
        assert!(note.len() <= MAX_NOTE, "{}", note.len());
        assert_eq!(read(&note, u64::MAX).map(|addresses| addresses.len()), Some(MAX_ADDRESSES));
        let padded = |length: usize| format!("{note}{}", "x".repeat(length - note.len()));
        assert!(read(&padded(MAX_NOTE), u64::MAX).is_some(), "what a longer note left behind is passed over");
        assert_eq!(read(&padded(MAX_NOTE + 1), u64::MAX), None);
    }

    #[test]
    fn an_address_that_takes_too_many_letters_is_left_out() {
        // Each byte of a path may take three letters.
        let path = |length: usize| addr(&format!("/ip4/10.0.0.1/tcp/1/x-parity-ws/{}", "%20".repeat(length)));
        let length = |path: &Multiaddr| path.to_string().len();
        let (fits, exceeds) = (path(160), path(161));
        assert!(length(&fits) <= 512 && length(&exceeds) > 512, "{} {}", length(&fits), length(&exceeds));
        assert_eq!(read(&write(&[fits.clone(), exceeds], 7), 7), Some(vec![fits]));
    }

    #[test]
    fn no_damage_goes_unseen() {
        let note = write(&addrs(["/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1"]), 7);
        let other = write(&addrs(["/ip4/127.0.0.1/tcp/9", "/ip4/10.0.0.9/tcp/2"]), 7);
        for at in 0..note.len() {
            assert_eq!(read(&note[..at], 7), None, "cut at {at}");
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 1;
            assert_eq!(read(std::str::from_utf8(&bytes).unwrap(), 7), None, "changed at {at}");
            // Half of one, half of the other, as while it is written.
            let torn = format!("{}{}", &other[..at], &note[at..]);
            assert!(torn == note || torn == other || read(&torn, 7).is_none(), "torn at {at}");
        }
        for text in
            ["", "\n", "yap-node-1", "yap-node-1 0 0\n", "yap-node-1 99999999999999999999 0\n", "yap-node-2 0 0\n"]
        {
            assert_eq!(read(text, 7), None, "{text:?}");
        }
    }
}
