//! Stories of keys, the files that keep them, and names.

use std::fs;
use std::path::PathBuf;

use libp2p::PeerId;
use tempfile::TempDir;
use yap_protocol::address::MAX_MULTIADDR;
use yap_protocol::message::MAX_ENDPOINTS;

use super::*;

/// Test vectors of <https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md> (CC-BY-SA 3.0): the secret half and the
/// public half of an ed25519 key, and a peer id of one.
const SECRET_HEX: &str = "7e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d";
const PUBLIC_HEX: &str = "1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e";
const EXAMPLE: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";

/// The name of that public half, worked out by hand: base58 of 00 24 08 01 12 20 and the key.
const NAME: &str = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq";

/// A folder, and the path of a key file in it.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    (folder, path)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    protect(path, 0o600);
}

#[cfg(unix)]
fn protect(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn protect(_: &Path, _: u32) {}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_key_is_made_once_and_found_again() {
    let (folder, _) = place();
    let path = folder.path().join("deep").join("down").join("key");
    let made = Keys::load_or_create(&path).unwrap();
    let before = fs::read(&path).unwrap();
    let found = Keys::load_or_create(&path).unwrap();
    assert_eq!(found.identity(), made.identity());
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else stays");
    assert_ne!(Keys::load_or_create(&folder.path().join("other")).unwrap().identity(), made.identity());
}

#[cfg(unix)]
#[test]
fn nobody_else_may_see_what_was_made() {
    let (folder, _) = place();
    let path = folder.path().join("data").join("key");
    Keys::load_or_create(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
}

#[test]
fn the_file_says_what_it_is_and_holds_the_key() {
    let (_folder, path) = place();
    let keys = Keys::load_or_create(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# The secret key of a Yap node"));
    assert!(text.ends_with(&format!("yap-key-1 {}\n", hex(&*keys.secret()))), "{}", text.len());
}

#[test]
fn the_key_of_the_specification_has_its_name() {
    let (_folder, path) = place();
    for text in [
        format!("yap-key-1 {SECRET_HEX}"),
        format!("# from a copy\r\n\r\n  yap-key-1  {}\r\n# end", SECRET_HEX.to_uppercase()),
    ] {
        write(&path, &text);
        let keys = Keys::load_or_create(&path).unwrap();
        assert_eq!(hex(&keys.identity().0), PUBLIC_HEX);
        assert_eq!(Name(keys.identity()).to_string(), NAME);
        assert_eq!(keys.pair().public().to_peer_id().to_string(), NAME);
    }
}

#[test]
fn what_is_damaged_is_refused_and_left_alone() {
    let (_folder, path) = place();
    let whole = format!("yap-key-1 {SECRET_HEX}");
    let cases = [
        String::new(),
        "# nothing but a comment\n".to_owned(),
        SECRET_HEX.to_owned(),
        whole[..whole.len() - 1].to_owned(),
        whole[..whole.len() - 2].to_owned(),
        format!("{whole}0"),
        format!("{whole}00"),
        format!("{whole}\n{whole}"),
        whole.replace('e', "x"),
        whole.replace("7e", "+e"),
        whole.replace('7', "é"),
        format!("yap-key-one {SECRET_HEX}"),
        format!("{whole}\n{}", "#".repeat(file::MAX_FILE)),
    ];
    for text in cases {
        write(&path, &text);
        let error = Keys::load_or_create(&path).unwrap_err();
        assert!(matches!(error, KeyError::Damaged { .. }), "{text:?}: {error}");
        assert!(!error.to_string().contains(&SECRET_HEX[2..]), "no error shows the key");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    fs::write(&path, [0xff; 64]).unwrap();
    assert!(matches!(Keys::load_or_create(&path), Err(KeyError::Damaged { .. })));
}

#[test]
fn the_longest_file_is_read_and_one_byte_more_is_not() {
    let (_folder, path) = place();
    let key = format!("yap-key-1 {SECRET_HEX}\n");
    let filled = |length: usize| format!("{key}{}", "#".repeat(length - key.len()));
    write(&path, &filled(file::MAX_FILE));
    assert_eq!(hex(&Keys::load_or_create(&path).unwrap().identity().0), PUBLIC_HEX);
    write(&path, &filled(file::MAX_FILE + 1));
    assert!(matches!(Keys::load_or_create(&path), Err(KeyError::Damaged { .. })));
}

#[test]
fn a_later_version_is_named() {
    let (_folder, path) = place();
    write(&path, "yap-key-2 kdf:argon2id whatever\n");
    let error = Keys::load_or_create(&path).unwrap_err();
    assert!(matches!(&error, KeyError::Version { version, .. } if version == "2"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_use_is_refused_with_what_to_do() {
    let (_folder, path) = place();
    Keys::load_or_create(&path).unwrap();
    for exposed in [0o640, 0o604, 0o620, 0o601, 0o666] {
        protect(&path, exposed);
        let error = Keys::load_or_create(&path).unwrap_err();
        assert!(matches!(error, KeyError::Exposed { mode, .. } if mode == exposed), "{error}");
        assert!(error.to_string().contains(&format!("chmod 600 {}", path.display())), "{error}");
        assert!(error.to_string().contains(&format!("{exposed:o}")), "{error}");
    }
    for private in [0o600, 0o400] {
        protect(&path, private);
        Keys::load_or_create(&path).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_this_user_may_not_read_is_refused() {
    let (_folder, path) = place();
    Keys::load_or_create(&path).unwrap();
    protect(&path, 0o200);
    let read = Keys::load_or_create(&path);
    // The superuser may read everything.
    let root = rustix::process::geteuid().is_root();
    assert!(if root { read.is_ok() } else { matches!(read, Err(KeyError::Forbidden { .. })) }, "{read:?}");
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused() {
    let (folder, path) = place();
    let directory = Keys::load_or_create(folder.path()).unwrap_err();
    assert!(matches!(directory, KeyError::NotAFile { .. }), "{directory}");
    // To open a pipe would be to wait for ever.
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    let pipe = Keys::load_or_create(&path).unwrap_err();
    assert!(matches!(pipe, KeyError::NotAFile { .. }), "{pipe}");
    let below = Keys::load_or_create(&path.join("key")).unwrap_err();
    assert!(matches!(below, KeyError::Io { .. }), "{below}");
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_to_a_key_but_not_into_nothing() {
    let (folder, path) = place();
    let real = folder.path().join("real");
    std::os::unix::fs::symlink(&real, &path).unwrap();
    let dangling = Keys::load_or_create(&path).unwrap_err();
    assert!(matches!(dangling, KeyError::Dangling { .. }), "{dangling}");
    assert!(!real.exists());
    let keys = Keys::load_or_create(&real).unwrap();
    assert_eq!(Keys::load_or_create(&path).unwrap().identity(), keys.identity());
}

#[test]
fn of_many_that_start_at_once_all_have_one_key() {
    let (folder, path) = place();
    let keys: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| Keys::load_or_create(&path).unwrap().identity())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft stays");
}

#[test]
fn the_secret_is_never_shown() {
    let keys = Keys::from_secret(Zeroizing::new([7; SECRET]));
    assert_eq!(format!("{keys:?}"), format!("Keys({})", Name(keys.identity())));
}

#[test]
fn a_record_is_the_nodes_own() {
    let keys = Keys::generate();
    let endpoint = Multiaddr::new(&[1; MAX_MULTIADDR]).unwrap();
    let record = keys.sign_record(vec![endpoint.clone(); MAX_ENDPOINTS], Services::NETWORK, 7).unwrap();
    assert_eq!((record.identity, record.sequence, record.services), (keys.identity(), 7, Services::NETWORK));
    assert_eq!(record.verify(), Ok(()));
    let more = keys.sign_record(vec![endpoint; MAX_ENDPOINTS + 1], Services::NETWORK, 7);
    assert_eq!(more, Err(RecordError::Endpoints(MAX_ENDPOINTS + 1)));
}

#[test]
fn names_are_read_back() {
    for text in [EXAMPLE, NAME] {
        let name: Name = text.parse().unwrap();
        assert_eq!(name.to_string(), text);
        assert_eq!(format!("{name:?}"), text);
        assert_eq!(crate::address::peer_id(&name.0).unwrap().to_string(), text);
    }
}

#[test]
fn only_ed25519_keys_have_names_here() {
    let wrong = [
        "",
        "12D3KooW",
        // An RSA key's, from the same specification.
        "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
        &NAME[1..],
        &NAME[..NAME.len() - 1],
        &NAME.to_lowercase(),
        &format!("{NAME}1"),
        &format!(" {NAME}"),
    ];
    for text in wrong {
        assert_eq!(text.parse::<Name>(), Err(NameError), "{text:?}");
    }
    // A peer id may be made of any bytes; of these, no key is.
    assert_eq!(crate::address::identity(&PeerId::random()), None);
    let keys = (0..=255).filter(|byte| crate::address::peer_id(&Identity([*byte; 32])).is_some()).count();
    assert!((64..192).contains(&keys), "half of all numbers are on the curve: {keys}");
}
