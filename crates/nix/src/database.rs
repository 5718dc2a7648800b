//! Nix's own database of valid paths, `/nix/var/nix/db/db.sqlite` (Nix's `src/libstore/schema.sql`): what Nix knows of each
//! store path, read without Nix.

use hashbrown::HashMap;

use super::{Sha256Hash, StorePath};
use nixdive_base::sqlite::{Database, Row, SqliteError, Table, Value};

/// Path of the database, below the root of the image or machine.
pub const DATABASE_PATH: &str = "nix/var/nix/db/db.sqlite";
/// Path of its write-ahead log. If the log exists and is not empty, only it may contain the latest
/// changes.
pub const WRITE_AHEAD_LOG_PATH: &str = "nix/var/nix/db/db.sqlite-wal";
/// Bytes of a database that should be read: ten times those of a machine with half a million store paths.
pub const MAX_DATABASE_BYTES: u64 = 2 << 30;

/// Why a database cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// As a file.
    #[error(transparent)]
    Sqlite(#[from] SqliteError),
    /// It is of another schema.
    #[error("is not a Nix database: no table {0}")]
    NoTable(&'static str),
    /// It is of another schema.
    #[error("is not a Nix database: the table {0} has no column {1}")]
    NoColumn(&'static str, &'static str),
}

/// A store path as registered in Nix's database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPath {
    /// Which.
    pub path: StorePath,
    /// NAR size, bytes; `None` where Nix has not noted it.
    pub nar_bytes: Option<u64>,
    /// NAR hash.
    pub nar_hash: Option<Sha256Hash>,
    /// References, including to itself if any, as indexes into [`StoreDatabase::paths`], in order.
    pub references: Vec<usize>,
    /// The derivation that it was built from.
    pub deriver: Option<StorePath>,
}

/// The valid paths of a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreDatabase {
    /// In Nix's order.
    pub paths: Vec<KnownPath>,
    /// Rows that name no store path, or references between what is not there. None are in a sound database.
    pub invalid_rows: usize,
    /// Returns `true` if Nix keeps a write-ahead log next to it; see [`WRITE_AHEAD_LOG_PATH`].
    pub uses_write_ahead_log: bool,
}

impl StoreDatabase {
    /// Returns the record of a store path.
    #[must_use]
    pub fn get(&self, path: &StorePath) -> Option<&KnownPath> {
        self.paths.get(self.place(path)?)
    }

    fn place(&self, path: &StorePath) -> Option<usize> {
        self.paths.binary_search_by(|known| known.path.cmp(path)).ok()
    }

    /// The closure of a store path, what is referred to before what refers to it where that is possible; `None` where the
    /// path is not known.
    #[must_use]
    pub fn closure(&self, path: &StorePath) -> Option<Vec<&KnownPath>> {
        let mut seen = vec![false; self.paths.len()];
        let mut order = Vec::new();
        let mut stack = vec![(self.place(path)?, 0)];
        while let Some((place, next)) = stack.pop() {
            let Some(known) = self.paths.get(place) else { continue };
            if next == 0 && std::mem::replace(seen.get_mut(place)?, true) {
                continue;
            }
            match known.references.get(next) {
                Some(&reference) => {
                    stack.push((place, next + 1));
                    if seen.get(reference) == Some(&false) {
                        stack.push((reference, 0));
                    }
                }
                None => order.push(known),
            }
        }
        Some(order)
    }
}

/// Reads a database.
///
/// # Errors
/// [`DatabaseError`].
pub fn read(bytes: &[u8]) -> Result<StoreDatabase, DatabaseError> {
    let mut file = Database::open(bytes)?;
    let mut database = StoreDatabase { uses_write_ahead_log: file.uses_write_ahead_log(), ..StoreDatabase::default() };
    let valid = table(&mut file, "ValidPaths")?;
    let columns = Columns::of(&valid)?;
    let mut rows: Vec<(KnownPath, i64)> = Vec::new();
    file.for_each_row(&valid, &mut |row| match columns.known_path(row) {
        Some(known) => rows.push((known, row.id)),
        None => database.invalid_rows += 1,
    })?;
    rows.sort_by(|(one, _), (other, _)| one.path.cmp(&other.path));
    let before = rows.len();
    rows.dedup_by(|(one, _), (other, _)| one.path == other.path);
    database.invalid_rows += before - rows.len();
    let places: HashMap<i64, usize> = rows.iter().enumerate().map(|(place, (_, id))| (*id, place)).collect();
    database.paths = rows.into_iter().map(|(known, _)| known).collect();

    let references = table(&mut file, "Refs")?;
    let (referrer, reference) = (column(&references, "Refs", "referrer")?, column(&references, "Refs", "reference")?);
    file.for_each_row(&references, &mut |row| {
        let place = |column: usize| places.get(&row.value(column)?.integer()?).copied();
        match (place(referrer).and_then(|place| database.paths.get_mut(place)), place(reference)) {
            (Some(known), Some(place)) => known.references.push(place),
            _ => database.invalid_rows += 1,
        }
    })?;
    for known in &mut database.paths {
        known.references.sort_unstable();
        known.references.dedup();
    }
    Ok(database)
}

fn table(file: &mut Database<'_>, name: &'static str) -> Result<Table, DatabaseError> {
    file.table(name)?.ok_or(DatabaseError::NoTable(name))
}

fn column(table: &Table, name: &'static str, column: &'static str) -> Result<usize, DatabaseError> {
    table.column(column).ok_or(DatabaseError::NoColumn(name, column))
}

/// Indexes of the columns of `ValidPaths`.
struct Columns {
    path: usize,
    hash: usize,
    deriver: usize,
    nar_bytes: usize,
}

impl Columns {
    fn of(table: &Table) -> Result<Self, DatabaseError> {
        let of = |name| column(table, "ValidPaths", name);
        Ok(Self { path: of("path")?, hash: of("hash")?, deriver: of("deriver")?, nar_bytes: of("narSize")? })
    }

    fn known_path(&self, row: Row<'_>) -> Option<KnownPath> {
        let text = |column: usize| row.value(column).and_then(Value::bytes);
        let nar_bytes = row.value(self.nar_bytes).and_then(|value| u64::try_from(value.integer()?).ok());
        Some(KnownPath {
            path: StorePath::parse(text(self.path)?).ok()?,
            // Nix writes 0 where it does not know.
            nar_bytes: nar_bytes.filter(|&bytes| bytes > 0),
            nar_hash: text(self.hash).and_then(|hash| Sha256Hash::parse(std::str::from_utf8(hash).ok()?)),
            references: Vec::new(),
            deriver: text(self.deriver).and_then(|path| StorePath::parse(path).ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::process::Command;

    use proptest::prelude::*;

    use super::super::live::lab;
    use super::*;
    use nixdive_base::sqlite::samples::{Cell, SampleTable, sqlite_tables};

    const A: &str = "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-a-1";
    const B: &str = "/nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-b-2";
    const HASH: &str = "sha256:0d2374a7014f79c7fe2487f5c23c7f035aa9c556cf7438af72e63b79106e8171";
    const VALID: &str = "CREATE TABLE ValidPaths (id integer primary key, path text, hash text, registrationTime integer, deriver text, narSize integer)";
    const REFS: &str = "CREATE TABLE Refs (referrer integer, reference integer, primary key (referrer, reference))";

    fn valid<'a>(paths: &[&'a str]) -> SampleTable<'a> {
        let row = |path: &&'a str| {
            vec![Cell::Null, Cell::Text(path), Cell::Text(HASH), Cell::Number(1), Cell::Null, Cell::Number(544)]
        };
        SampleTable { name: "ValidPaths", statement: VALID, rows: paths.iter().map(row).collect() }
    }

    fn refs(pairs: &[(i64, i64)]) -> SampleTable<'static> {
        let rows = pairs.iter().map(|&(from, to)| vec![Cell::Number(from), Cell::Number(to)]).collect();
        SampleTable { name: "Refs", statement: REFS, rows }
    }

    fn parsed(path: &str) -> StorePath {
        StorePath::parse(path.as_bytes()).unwrap()
    }

    #[test]
    fn paths_and_references_are_read() {
        let database = read(&sqlite_tables(&[valid(&[B, A]), refs(&[(1, 2), (1, 1), (2, 1)])])).unwrap();
        let a = database.get(&parsed(A)).unwrap();
        assert_eq!((a.nar_bytes, a.nar_hash, &a.references[..]), (Some(544), Sha256Hash::parse(HASH), &[1][..]));
        assert_eq!(database.get(&parsed(B)).unwrap().references, [0, 1]);
        let closure: Vec<&StorePath> =
            database.closure(&parsed(B)).unwrap().into_iter().map(|known| &known.path).collect();
        assert_eq!(closure, [&parsed(A), &parsed(B)], "also where references go round");
        assert_eq!(database.closure(&parsed(&A.replace("a-1", "c"))), None);
    }

    #[test]
    fn rows_that_make_no_sense_are_counted() {
        let database = read(&sqlite_tables(&[valid(&[A, "/etc/passwd", A]), refs(&[(1, 9), (2, 1)])])).unwrap();
        assert_eq!((database.paths.len(), database.invalid_rows), (1, 4));
    }

    #[test]
    fn a_database_of_another_schema_is_told() {
        assert_eq!(read(b"no database"), Err(DatabaseError::Sqlite(SqliteError::NotSqlite)));
        assert_eq!(read(&sqlite_tables(&[refs(&[])])), Err(DatabaseError::NoTable("ValidPaths")));
        assert_eq!(read(&sqlite_tables(&[valid(&[])])), Err(DatabaseError::NoTable("Refs")));
        let other = SampleTable { statement: "CREATE TABLE ValidPaths (id, path, deriver, narSize)", ..valid(&[]) };
        let error = read(&sqlite_tables(&[other, refs(&[])])).unwrap_err();
        assert_eq!(error, DatabaseError::NoColumn("ValidPaths", "hash"));
    }

    /// The database of a store with some flat files that name one another.
    #[test]
    fn a_database_of_nix_is_read_as_nix_reads_it() {
        let Some(lab) = lab("a_database_of_nix_is_read_as_nix_reads_it") else { return };
        let expression = r#"let file = n: builtins.toFile "f${toString n}-0.${toString n}.txt"
            (if n == 0 then "end" else "${file (n - 1)} ${if n > 2 then file (n - 3) else ""}"); in file 30"#;
        let top = lab.run("nix-instantiate", &["--eval", "--read-write-mode", "--expr", expression]);
        let top = parsed(top.trim().trim_matches('"'));
        let directory = lab.path().join("root");
        let log = std::fs::read(directory.join(WRITE_AHEAD_LOG_PATH)).unwrap_or_default();
        assert!(log.is_empty(), "Nix leaves nothing behind");
        let database = read(&std::fs::read(directory.join(DATABASE_PATH)).unwrap()).unwrap();
        assert_eq!((database.invalid_rows, database.uses_write_ahead_log), (0, true));
        let closure: BTreeSet<String> =
            database.closure(&top).unwrap().iter().map(|known| known.path.to_string()).collect();
        let expected = lab.run("nix-store", &["-qR", &top.to_string()]);
        assert_eq!(closure, expected.lines().map(str::to_owned).collect());
        assert!(closure.len() > 20);
        for known in &database.paths {
            let path = known.path.to_string();
            let references: BTreeSet<String> =
                known.references.iter().map(|&place| database.paths[place].path.to_string()).collect();
            let expected = lab.run("nix-store", &["-q", "--references", &path]);
            assert_eq!(references, expected.lines().map(str::to_owned).collect());
            let hash = known.nar_hash.unwrap().to_base32();
            assert_eq!(hash, lab.run("nix-store", &["-q", "--hash", &path]).trim());
            let bytes = known.nar_bytes.unwrap().to_string();
            assert_eq!(bytes, lab.run("nix-store", &["-q", "--size", &path]).trim());
        }
    }

    /// sqlite3 writes the file, over many pages, and deletes some of it.
    #[test]
    fn what_sqlite_writes_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("db.sqlite");
        let statements = format!(
            "{VALID}; {REFS}; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
            INSERT INTO ValidPaths SELECT i, printf('/nix/store/%032d-p-%d', i, i), '{HASH}', 1, NULL, i * 1000000000 FROM n;
            INSERT INTO Refs SELECT id, id + 1 FROM ValidPaths WHERE id < 5000; DELETE FROM ValidPaths WHERE id % 7 = 0;"
        );
        let ran = Command::new("sqlite3").arg(&file).arg(statements).output();
        if !ran.is_ok_and(|output| output.status.success()) {
            assert_ne!(std::env::var("NIXDIVE_LIVE").as_deref(), Ok("1"), "sqlite3 is missing");
            println!("skipped: sqlite3 is missing");
            return;
        }
        let database = read(&std::fs::read(file).unwrap()).unwrap();
        assert_eq!(database.paths.len(), 5000 - 5000 / 7);
        assert_eq!(database.invalid_rows, 2 * (5000 / 7), "references from and to what was deleted");
        assert_eq!(database.paths[0].references, [1]);
        assert_eq!(database.paths.last().unwrap().nar_bytes, Some(5_000_000_000_000));
    }

    proptest! {
        #[test]
        fn damage_anywhere_never_panics_or_loops(
            damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..12),
            cut in any::<proptest::sample::Index>(),
        ) {
            let paths: Vec<String> = (0..40).map(|n| A.replace("a-1", &format!("p-{n}"))).collect();
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let pairs: Vec<(i64, i64)> = (1..40).map(|n| (n, n + 1)).collect();
            let mut file = sqlite_tables(&[valid(&paths), refs(&pairs)]);
            for (place, byte) in damage {
                let place = place.index(file.len());
                file[place] = byte;
            }
            if let Ok(database) = read(&file) {
                for known in &database.paths {
                    prop_assert!(database.closure(&known.path).is_some());
                }
            }
            let _ = read(&file[..cut.index(file.len())]);
        }
    }
}
