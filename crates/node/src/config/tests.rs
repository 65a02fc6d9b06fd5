use super::*;

/// Three values that a key takes, as text.
fn samples(key: &Key) -> [&'static str; 3] {
    match key.name {
        "chain" => ["regtest", "signet", "testnet4"],
        "p2p.listen" => ["loopback", "none", "all"],
        "p2p.peers" => ["ws://one.example:1", "two.example:2", "bitcoin://three.example:3"],
        "http.listen" => ["127.0.0.1", "0.0.0.0", "::1"],
        "mining.mode" => ["off", "on-demand", "continuous"],
        "storage.assume_valid" => ["0", "chain", "00000000000000000000000000000000000000000000000000000000000000aa"],
        "log.level" => ["error", "warn", "trace"],
        "log.format" => ["json", "text", "json"],
        _ if matches!(key.flag, Flag::Switch { .. }) => ["false", "true", "false"],
        _ if (key.show)(&config()).is_number() => ["600", "700", "800"],
        _ => ["/one", "/two", "/three"],
    }
}

fn config() -> Config {
    Config::new("/data".into())
}

/// The value as the file has it.
fn toml(key: &Key, text: &str) -> String {
    match key.flag {
        Flag::List(..) => format!("[\"{text}\"]"),
        Flag::Switch { .. } => text.to_owned(),
        Flag::Value(..) if (key.show)(&config()).is_number() => text.to_owned(),
        Flag::Value(..) => format!("\"{text}\""),
    }
}

/// A data directory with that file in it.
fn with_file(text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(FILE), text).unwrap();
    directory
}

fn flags(directory: &tempfile::TempDir) -> Flags {
    Flags::from([("data_dir", directory.path().display().to_string())])
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::new(variables.iter().copied(), "/home/alice".into())
}

/// What that file is refused for.
fn refused(text: &str) -> String {
    let directory = with_file(text);
    let error = Config::load(&flags(&directory), &environment(&[])).unwrap_err().to_string();
    error.replace(&directory.path().display().to_string(), "DIR")
}

fn shown(key: &Key, text: &str) -> serde_json::Value {
    let mut config = config();
    (key.set)(&mut config, &value::Value::Text(text)).unwrap();
    (key.show)(&config)
}

#[test]
fn of_all_sources_the_nearest_counts_for_every_key() {
    for key in KEYS {
        let [flag, variable, file] = samples(key);
        for sources in 0..8_u8 {
            let (has_flag, has_variable, has_file) = (sources & 1 > 0, sources & 2 > 0, sources & 4 > 0);
            if key.name == "data_dir" && (has_file || !has_flag) {
                continue;
            }
            let (section, name) = key.place();
            let section = section.map_or_else(String::new, |section| format!("[{section}]\n"));
            // A certificate needs its key.
            let other = match key.name {
                "p2p.tls_certificate" => "[p2p]\ntls_key = \"/key\"\n",
                "p2p.tls_key" => "[p2p]\ntls_certificate = \"/certificate\"\n",
                _ => section.as_str(),
            };
            let line = if has_file { format!("{name} = {}\n", toml(key, file)) } else { String::new() };
            let directory = with_file(&format!("{other}{line}"));
            let mut typed = flags(&directory);
            if has_flag {
                typed.insert(key.name, flag.to_owned());
            }
            let full = key.variable();
            let variables: &[(&str, &str)] = if has_variable { &[(&full, variable)] } else { &[] };
            let alone = key.name.starts_with("p2p.tls") && sources == 0;
            let loaded = Config::load(&typed, &environment(variables));
            if alone {
                assert!(matches!(loaded, Err(Error::Alone { .. })));
                continue;
            }
            let config = loaded.unwrap();
            let expected = match (has_flag, has_variable, has_file) {
                (true, _, _) => shown(key, flag),
                (false, true, _) => shown(key, variable),
                (false, false, true) => shown(key, file),
                (false, false, false) => (key.show)(&self::config()),
            };
            assert_eq!((key.show)(&config), expected, "{} {sources}", key.name);
            let origin = match config.origin(key.name) {
                Origin::Flag(name) => (has_flag && name == key.flag.name()).then_some(3),
                Origin::Environment(name) => (name == full).then_some(2),
                Origin::File { line, .. } => (line >= 1).then_some(1),
                Origin::Default => Some(0),
            };
            let nearest = if has_flag {
                3
            } else if has_variable {
                2
            } else {
                u8::from(has_file)
            };
            assert_eq!(origin, Some(nearest), "{} {sources}", key.name);
        }
    }
}

#[test]
fn three_nodes_in_a_line_are_told_by_the_environment_alone() {
    let variables =
        [("HTTP_PORT", "3003"), ("P2P_PORT", "6003"), ("PEERS", "ws://localhost:6001, ws://localhost:6002")];
    let config = Config::load(&Flags::new(), &environment(&variables)).unwrap();
    assert_eq!((config.http.port, config.p2p.port), (3003, 6003));
    let peers: Vec<_> = config.p2p.peers.iter().map(ToString::to_string).collect();
    assert_eq!(peers, ["ws://localhost:6001", "ws://localhost:6002"]);
    assert_eq!(config.data_dir, PathBuf::from("/home/alice/.yap"));
    assert!(config.warnings().is_empty());
}

#[test]
fn the_full_name_of_a_variable_counts_before_the_short_one() {
    let config = Config::load(&Flags::new(), &environment(&[("P2P_PORT", "1"), ("YAP_P2P_PORT", "2")])).unwrap();
    assert_eq!(config.p2p.port, 2);
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let config = Config::load(&Flags::new(), &environment(&[("PEERS", ""), ("P2P_PORT", " "), ("YAP_CONFIG", "")]));
    let config = config.unwrap();
    assert!(!config.is_given("p2p.peers") && !config.is_given("p2p.port"));
}

#[test]
fn a_mistyped_variable_brings_a_suggestion() {
    for (name, meant) in [
        ("YAP_DATADIR", "YAP_DATA_DIR"),
        ("YAP_PEERS", "YAP_P2P_PEERS"),
        ("YAP_MDNS", "YAP_P2P_MDNS"),
        ("YAP_CONFG", "YAP_CONFIG"),
    ] {
        let config = Config::load(&Flags::new(), &environment(&[(name, "x")])).unwrap();
        let [warning] = config.warnings() else { panic!("{name}: {:?}", config.warnings()) };
        let text = warning.to_string();
        assert!(text.contains(name) && (text.contains(meant) || text.contains("PEERS")), "{text}");
    }
    let config = Config::load(&Flags::new(), &environment(&[("YAP_SOMETHING_ELSE", "x")])).unwrap();
    assert_eq!(config.warnings()[0].to_string(), "YAP_SOMETHING_ELSE in the environment means nothing here");
}

#[test]
fn what_kubernetes_tells_of_a_service_is_no_port() {
    let config = Config::load(&Flags::new(), &environment(&[("YAP_P2P_PORT", "tcp://10.0.0.1:6001")])).unwrap();
    assert_eq!(config.p2p.port, 6001);
    assert!(matches!(config.warnings(), [Warning::ServiceLink { .. }]));
    let config = Config::load(&Flags::new(), &environment(&[("PEERS", "tcp://10.0.0.1:6001")])).unwrap();
    assert_eq!(config.p2p.peers.len(), 1, "peers may be named so");
}

#[test]
fn unknown_keys_are_refused_with_line_and_suggestion() {
    assert_eq!(
        refused("chain = \"local\"\n\n[p2p]\nprot = 1\n"),
        "DIR/yap.toml:4: unknown key `prot` in [p2p]; did you mean `port`?"
    );
    assert_eq!(refused("port = 1\n"), "DIR/yap.toml:1: unknown key `port`; did you mean `port` in [p2p]?");
    assert_eq!(
        refused("[p2p]\nchain = \"x\"\n"),
        "DIR/yap.toml:2: unknown key `chain` in [p2p]; did you mean `chain` before the first section?"
    );
    assert_eq!(refused("[ptp]\nport = 1\n"), "DIR/yap.toml:1: unknown section [ptp]; did you mean [p2p]?");
    assert_eq!(
        refused("[p2p]\nwhatever_else = 1\n"),
        "DIR/yap.toml:2: unknown key `whatever_else` in [p2p]; `yap config` shows all keys"
    );
    assert!(refused("p2p = 1\n").contains("`p2p` is a section"));
    assert!(refused("data_dir = \"/x\"\n").starts_with("DIR/yap.toml:1: `data_dir` can't stand in the file"));
    assert!(refused("\n[p2p\n").starts_with("DIR/yap.toml:2: "));
}

#[test]
fn values_of_the_wrong_kind_are_refused_with_what_is_expected() {
    for (text, expected) in [
        ("[p2p]\nport = \"6001\"", "DIR/yap.toml:2: p2p.port can't be \"6001\": a number from 0 to 65535 is expected"),
        ("[p2p]\nport = 65536", "DIR/yap.toml:2: p2p.port can't be \"65536\": a number from 0 to 65535 is expected"),
        ("[p2p]\nport = -1", "DIR/yap.toml:2: p2p.port can't be \"-1\": a number from 0 to 65535 is expected"),
        ("[p2p]\nmdns = \"yes\"", "DIR/yap.toml:2: p2p.mdns can't be \"yes\": true or false is expected"),
        (
            "[storage]\nprune_mb = 549",
            "DIR/yap.toml:2: storage.prune_mb can't be \"549\": a number from 550 to 4294967295 is expected",
        ),
        (
            "[mining]\nmode = \"never\"",
            "DIR/yap.toml:2: mining.mode can't be \"never\": one of off, on-demand, continuous is expected",
        ),
        (
            "[http]\nlisten = \"localhost\"",
            "DIR/yap.toml:2: http.listen can't be \"localhost\": an IP address is expected, such as 127.0.0.1",
        ),
        ("chain = 1", "DIR/yap.toml:1: chain can't be \"1\": text is expected, in quotes in a file"),
        (
            "[p2p]\nlisten = []",
            "DIR/yap.toml:2: p2p.listen can't be \"a list\": all, loopback, none or a list of IP addresses is expected",
        ),
    ] {
        assert_eq!(refused(text), expected);
    }
    assert!(refused("[p2p]\npeers = [\"http://example.org\"]").contains("p2p.peers"));
    let many: Vec<String> = (0..=value::MOST_ENTRIES).map(|number| format!("\"h{number}\"")).collect();
    assert!(refused(&format!("[http]\nallow_hosts = [{}]", many.join(","))).contains("at most 256 entries"));
    let fits = with_file(&format!("[http]\nallow_hosts = [{}]", many[1..].join(",")));
    assert_eq!(Config::load(&flags(&fits), &environment(&[])).unwrap().http.allow_hosts.len(), value::MOST_ENTRIES);
}

#[test]
fn a_wrong_value_is_told_even_where_another_counts() {
    let directory = with_file("[p2p]\nport = \"x\"");
    let mut typed = flags(&directory);
    typed.insert("p2p.port", "1".to_owned());
    assert!(Config::load(&typed, &environment(&[])).is_err());
}

#[test]
fn a_file_that_was_named_must_be_there_and_no_longer_than_it_may_be() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mine.toml");
    let typed = Flags::from([("config", path.display().to_string())]);
    assert!(matches!(Config::load(&typed, &environment(&[])), Err(Error::Unreadable { .. })));
    let text = "chain = \"regtest\"\n";
    let padded = |length: u64| {
        let spaces = usize::try_from(length).unwrap() - text.len();
        std::fs::write(&path, format!("{text}{}", " ".repeat(spaces))).unwrap();
        Config::load(&typed, &environment(&[]))
    };
    assert_eq!(padded(MOST_FILE_BYTES).unwrap().chain, "regtest");
    assert!(matches!(padded(MOST_FILE_BYTES + 1), Err(Error::Long { .. })));
    let named = path.display().to_string();
    std::fs::write(&path, "[p2p]\nport = 7").unwrap();
    assert_eq!(Config::load(&Flags::new(), &environment(&[("YAP_CONFIG", &named)])).unwrap().p2p.port, 7);
}

#[test]
fn files_are_named_from_where_the_file_that_names_them_lies() {
    let directory = with_file(
        "chain = \"mine.toml\"\n[p2p]\ntls_key = \"k.pem\"\ntls_certificate = \"/c.pem\"\ntrust = [\"ca.pem\"]\n",
    );
    let config = Config::load(&flags(&directory), &environment(&[])).unwrap();
    assert_eq!(config.chain, directory.path().join("mine.toml").display().to_string());
    assert_eq!(config.p2p.tls_key, Some(directory.path().join("k.pem")));
    assert_eq!(config.p2p.tls_certificate, Some("/c.pem".into()));
    assert_eq!(config.p2p.trust, [directory.path().join("ca.pem")]);
}

#[test]
fn keys_are_told_apart_by_name_flag_and_variable() {
    let mut names: Vec<String> = KEYS.iter().map(|key| key.name.to_owned()).collect();
    names.extend(KEYS.iter().map(Key::variable));
    names.extend(KEYS.iter().filter_map(|key| key.short.map(str::to_owned)));
    names.extend(KEYS.iter().map(|key| format!("--{}", key.flag.name())));
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}

#[test]
fn only_the_chain_of_the_cafe_is_mined_unless_it_is_said() {
    use yap_chain::spec::Spec;
    let config = config();
    assert_eq!(config.mining_mode(&Spec::local().into(), false), Mining::OnDemand);
    assert_eq!(config.mining_mode(&Spec::builtin("regtest").unwrap().into(), false), Mining::Off);
    assert!(config.mining_threads() >= 1);
}

/// `YAP_WRITE_REFERENCE=1 cargo nextest run -p yap-node reference` writes the page anew.
#[test]
fn the_reference_on_disk_is_the_table_s() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    if std::env::var_os("YAP_WRITE_REFERENCE").is_some() {
        std::fs::write(&path, reference()).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap();
    assert_eq!(there, reference(), "run with YAP_WRITE_REFERENCE=1 to write it anew");
}
