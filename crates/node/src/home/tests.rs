use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use super::ports::unused;
use super::*;
use crate::config::{Environment, Flags};

/// What a user says who keeps all in `base`: as the home directory, so that the data directory is not given.
fn config(base: &Path, given: &[(&'static str, String)]) -> Config {
    let mut flags = Flags::from([("p2p.listen", "loopback".to_owned())]);
    flags.extend(given.iter().cloned());
    Config::load(&flags, &Environment::new([], base.to_path_buf())).unwrap()
}

fn ports(p2p: u16, http: u16) -> [(&'static str, String); 2] {
    [("p2p.port", p2p.to_string()), ("http.port", http.to_string())]
}

fn note(home: &Home, http: Option<u16>) -> Running {
    Running {
        pid: std::process::id(),
        chain: "local".to_owned(),
        http: http.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        p2p_port: 6001,
        started: 1,
        version: "1".to_owned(),
        directory: home.directory().to_path_buf(),
    }
}

#[test]
fn a_second_node_takes_the_next_directory_and_gives_it_back() {
    let base = tempfile::tempdir().unwrap();
    let config = config(base.path(), &ports(0, 0));
    let first = Home::take(&config, "local").unwrap();
    assert_eq!((first.number(), first.is_new()), (1, true));
    assert_eq!(first.directory(), base.path().join(".yap/local"));
    let second = Home::take(&config, "local").unwrap();
    assert_eq!(second.directory(), base.path().join(".yap/local.2"));
    let other = Home::take(&config, "regtest").unwrap();
    assert_eq!((other.number(), other.directory()), (1, &*base.path().join(".yap/regtest")));
    drop(first);
    let again = Home::take(&config, "local").unwrap();
    assert_eq!((again.number(), again.is_new()), (1, false));
}

#[test]
fn no_more_nodes_than_may_be_share_a_data_directory() {
    let base = tempfile::tempdir().unwrap();
    let config = config(base.path(), &ports(0, 0));
    let held: Vec<Lock> = (1..MOST_NODES)
        .map(|number| {
            let directory = numbered(&config.data_dir, "local", number);
            make(&directory).unwrap();
            Lock::take(&directory).unwrap().unwrap()
        })
        .collect();
    let last = Home::take(&config, "local").unwrap();
    assert_eq!(last.number(), MOST_NODES);
    assert!(matches!(Home::take(&config, "local"), Err(Error::Crowded { .. })));
    drop(held);
}

#[test]
fn a_data_directory_that_was_given_is_not_replaced() {
    let base = tempfile::tempdir().unwrap();
    let mut given = ports(0, 0).to_vec();
    given.push(("data_dir", base.path().display().to_string()));
    let config = config(base.path(), &given);
    let first = Home::take(&config, "local").unwrap();
    first.announce(&note(&first, None)).unwrap();
    let error = Home::take(&config, "local").unwrap_err();
    let process = std::process::id();
    assert!(matches!(&error, Error::Busy { process: Some(found), .. } if *found == process), "{error}");
    assert!(error.to_string().contains("--data-dir"), "{error}");
}

#[test]
fn a_port_that_was_given_is_not_replaced() {
    let base = tempfile::tempdir().unwrap();
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = tcp.local_addr().unwrap().port();
    let error = Home::take(&config(base.path(), &ports(taken, 0)), "local").unwrap_err();
    assert!(matches!(error, Error::PortBusy { port, used: Use::P2p, node: false } if port == taken), "{error}");
    let error = Home::take(&config(base.path(), &ports(0, taken)), "local").unwrap_err();
    assert!(matches!(error, Error::PortBusy { port, used: Use::Http, node: false } if port == taken), "{error}");
    let taken = unused().unwrap();
    let _udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, taken)).unwrap();
    let error = Home::take(&config(base.path(), &ports(taken, 0)), "local").unwrap_err();
    assert!(matches!(error, Error::PortBusy { used: Use::P2p, .. }), "QUIC needs the port of UDP: {error}");
    Home::take(&config(base.path(), &ports(0, taken)), "local").unwrap();
}

#[cfg(unix)]
#[test]
fn two_nodes_never_choose_one_port_even_before_they_bind_it() {
    let base = tempfile::tempdir().unwrap();
    let port = unused().unwrap();
    let config = config(base.path(), &ports(port, 0));
    let first = Home::take(&config, "local").unwrap();
    let error = Home::take(&config, "local").unwrap_err();
    assert!(matches!(error, Error::PortBusy { node: true, .. }), "{error}");
    drop(first);
    assert_eq!(Home::take(&config, "local").unwrap().p2p_port(), port);
}

#[test]
fn ports_that_nobody_set_make_room() {
    let base = tempfile::tempdir().unwrap();
    // Where a node has the defaults, or another program has, it is the next ones that are free.
    let config = config(base.path(), &[]);
    let first = Home::take(&config, "local").unwrap();
    let second = Home::take(&config, "local").unwrap();
    assert_ne!(first.p2p_port(), second.p2p_port());
    assert_ne!(first.http_port(), second.http_port());
    let _busy = TcpListener::bind((Ipv4Addr::LOCALHOST, second.p2p_port())).unwrap();
    let port = second.p2p_port();
    drop(second);
    assert_ne!(Home::take(&config, "local").unwrap().p2p_port(), port);
}

#[test]
fn commands_find_the_first_node_or_the_one_whose_port_they_name() {
    let base = tempfile::tempdir().unwrap();
    let told = config(base.path(), &ports(0, 0));
    let directory = told.directory("local");
    assert_eq!(running(&told, "local"), Err(NotRunning::None { directory: directory.clone() }));
    let first = Home::take(&told, "local").unwrap();
    assert_eq!(running(&told, "local"), Err(NotRunning::Starting { directory: directory.clone() }));
    first.announce(&note(&first, None)).unwrap();
    assert_eq!(running(&told, "local"), Err(NotRunning::NoHttp { directory: directory.clone() }));
    first.announce(&note(&first, Some(3001))).unwrap();
    let second = Home::take(&told, "local").unwrap();
    second.announce(&note(&second, Some(3002))).unwrap();
    assert_eq!(running(&told, "local").unwrap(), note(&first, Some(3001)));
    let named = config(base.path(), &ports(0, 3002));
    assert_eq!(running(&named, "local").unwrap().directory, second.directory());
    let wrong = config(base.path(), &ports(0, 3003));
    assert_eq!(running(&wrong, "local"), Err(NotRunning::OtherPort { directory, port: 3003 }));
    assert_eq!(all_running(&told.data_dir, "local").len(), 2);
    drop(first);
    assert_eq!(running(&told, "local").unwrap().directory, second.directory());
}

#[test]
fn a_note_that_a_dead_node_left_is_no_node() {
    let base = tempfile::tempdir().unwrap();
    let config = config(base.path(), &ports(0, 0));
    let home = Home::take(&config, "local").unwrap();
    home.announce(&note(&home, Some(3001))).unwrap();
    let path = home.directory().join("node.json");
    let text = fs::read(&path).unwrap();
    drop(home);
    assert!(!path.exists(), "a node that stops takes its note away");
    fs::write(&path, text).unwrap();
    assert!(matches!(running(&config, "local"), Err(NotRunning::None { .. })));
    check_idle(&config.directory("local")).unwrap();
    for damaged in ["", "{", "{\"pid\": 1}"] {
        fs::write(&path, damaged).unwrap();
        let _held = Lock::take(&config.directory("local")).unwrap().unwrap();
        assert!(matches!(running(&config, "local"), Err(NotRunning::Starting { .. })), "{damaged}");
    }
}

#[test]
fn files_of_a_running_node_are_left_alone() {
    let base = tempfile::tempdir().unwrap();
    let config = config(base.path(), &ports(0, 0));
    let home = Home::take(&config, "local").unwrap();
    let error = check_idle(home.directory()).unwrap_err();
    assert!(matches!(error, Error::Runs { process: None, .. }), "{error}");
    let directory = home.directory().to_path_buf();
    drop(home);
    check_idle(&directory).unwrap();
    check_idle(&base.path().join("nothing")).unwrap();
}

#[test]
fn a_directory_of_another_version_is_refused() {
    let base = tempfile::tempdir().unwrap();
    let config = config(base.path(), &ports(0, 0));
    let path = {
        let home = Home::take(&config, "local").unwrap();
        home.directory().join("format")
    };
    assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    fs::write(&path, "2").unwrap();
    assert!(matches!(Home::take(&config, "local"), Err(Error::Newer { found: 2, .. })));
    assert!(matches!(check_idle(&config.directory("local")), Err(Error::Newer { .. })));
    fs::write(&path, "0").unwrap();
    assert!(matches!(Home::take(&config, "local"), Err(Error::Older { found: 0, .. })));
    fs::write(&path, "x").unwrap();
    assert!(matches!(Home::take(&config, "local"), Err(Error::NoFormat { .. })));
}

#[cfg(unix)]
#[test]
fn what_a_node_leaves_on_disk_is_its_user_s_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let base = tempfile::tempdir().unwrap();
    let home = Home::take(&config(base.path(), &ports(0, 0)), "local").unwrap();
    home.announce(&note(&home, None)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(home.directory()), 0o700);
    assert_eq!(mode(&base.path().join(".yap")), 0o700);
    assert_eq!(mode(&home.directory().join("node.json")), 0o600);
    assert_eq!(mode(&home.directory().join("node.lock")), 0o600);
}
