use super::*;
use crate::testing::hash;

fn chain(name: &str, genesis: u32) -> Chain<'_> {
    Chain { name, magic: *b"yap!", genesis: hash(genesis) }
}

fn open(directory: &Path) -> Database {
    Database::open(directory, 1 << 20).unwrap()
}

#[test]
fn another_chain_is_refused_by_genesis_or_magic_but_not_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    prepare(&database, directory.path(), &chain("stone", 0), &[]).unwrap();
    prepare(&database, directory.path(), &chain("renamed", 0), &[]).unwrap();
    let error = prepare(&database, directory.path(), &chain("shell", 1), &[]).unwrap_err();
    assert!(matches!(&error, Error::OtherChain { found, wanted, .. } if found == "stone" && wanted == "shell"));
    let other = Chain { magic: *b"yap?", ..chain("stone", 0) };
    assert!(matches!(prepare(&database, directory.path(), &other, &[]), Err(Error::OtherChain { .. })));
}

#[test]
fn a_newer_schema_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    prepare(&database, directory.path(), &chain("stone", 0), &[|_| Ok(Rows::new())]).unwrap();
    let error = prepare(&database, directory.path(), &chain("stone", 0), &[]).unwrap_err();
    assert!(matches!(error, Error::Newer { found: 2, known: 1, .. }), "{error}");
}

/// A migration that appends to a row.
fn append(database: &Database, letter: u8) -> Result<Rows, Error> {
    let key = Table::Meta.key(b"log");
    let mut log = database.get(&key)?.map_or_else(Vec::new, |log| log.to_vec());
    log.push(letter);
    Ok(vec![(key, Some(log))])
}

#[test]
fn migrations_run_once_each_in_order() {
    let first: Migration = |database| append(database, b'a');
    let second: Migration = |database| append(database, b'b');
    let broken: Migration = |_| Err(Error::Stopped);
    let directory = tempfile::tempdir().unwrap();
    let log = |database: &Database| database.get(&Table::Meta.key(b"log")).unwrap().map(|log| log.to_vec());

    let database = open(directory.path());
    prepare(&database, directory.path(), &chain("stone", 0), &[]).unwrap();
    assert!(prepare(&database, directory.path(), &chain("stone", 0), &[first, broken]).is_err());
    assert_eq!(log(&database).unwrap(), b"a", "what was done before the error is kept");
    drop(database);
    let database = open(directory.path());
    for _ in 0..2 {
        prepare(&database, directory.path(), &chain("stone", 0), &[first, second]).unwrap();
        assert_eq!(log(&database).unwrap(), b"ab");
    }
}

#[test]
fn a_damaged_row_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(directory.path());
    prepare(&database, directory.path(), &chain("stone", 0), &[]).unwrap();
    database.write(vec![(Table::State.key(TIP), Some(vec![1; 43]))]).unwrap();
    let error = Committed::read(&database.snapshot()).unwrap_err();
    assert!(matches!(error, Error::DamagedRow { table: "state", why: RowDamage::Length(43), .. }), "{error}");
    database.write(vec![(Table::State.key(SCHEMA), Some(vec![1, 0, 0, 0, 9]))]).unwrap();
    let error = prepare(&database, directory.path(), &chain("stone", 0), &[]).unwrap_err();
    assert!(matches!(error, Error::DamagedRow { table: "state", why: RowDamage::Length(5), .. }), "{error}");
    database.write(vec![schema_row(1), (Table::State.key(CHAIN), None)]).unwrap();
    let error = prepare(&database, directory.path(), &chain("stone", 0), &[]).unwrap_err();
    assert!(matches!(error, Error::DamagedRow { why: RowDamage::Missing, .. }), "{error}");
}
