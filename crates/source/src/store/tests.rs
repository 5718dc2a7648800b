use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::rules::clean;
use super::*;
use nixdive_base::cancel::Cancel;
use nixdive_base::sqlite::samples::{Cell, SampleTable, sqlite_tables};
use nixdive_image::testing::corpus_file;
use nixdive_nix::StorePath;
use nixdive_scan::{NameRoom, ReadAt, Section};

const BASE_NAME: &str = "7pr3f0vqg8mjwlx30jdkzlpyz8mahl94-web-root";

fn plan(store: &LocalStore) -> TarPlan<'_> {
    TarPlan::new(store, NameRoom::default(), Cancel::new())
}

fn read(section: &Section) -> Vec<u8> {
    let mut bytes = Vec::new();
    section.reader().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, section.length());
    bytes
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(path: &Path, content: &[u8], mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Creates a store with the single path [`BASE_NAME`].
fn store_with(files: &[(&str, &[u8])]) -> (tempfile::TempDir, LocalStore, StorePath) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("nix/store").join(BASE_NAME);
    fs::create_dir_all(&path).unwrap();
    for (name, content) in files {
        write(&path.join(name), content, 0o644);
    }
    let store = LocalStore::at(root.path());
    (root, store, StorePath::parse_base_name(BASE_NAME.as_bytes()).unwrap())
}

fn tar_of(store: &LocalStore, path: &StorePath, rules: &Rules) -> Vec<u8> {
    let mut planned = plan(store);
    planned.add(path, rules).unwrap();
    read(&planned.finish().into_section())
}

#[test]
fn streams_have_the_digests_that_nix2container_gives_them() {
    let root = tempfile::tempdir().unwrap();
    let inner = root.path().join("inner");
    let file = root.path().join("data/layer1/file1");
    fs::create_dir(&inner).unwrap();
    let cases = [
        (0o644, "cc45bd46eca903b0900ebb997dffd5778904dca9ec02e7375dd1e653dfb61e2e"),
        (0o641, "adf74a52f9e1bcd7dab77193455fa06743b979cf5955148010e5becedba4f72d"),
    ];
    for (mode, expected) in cases {
        write(&file, b"", mode);
        let store = LocalStore::at(&inner);
        let mut planned = plan(&store);
        planned.add_tree(b"../data/layer1/file1", &Rules::default()).unwrap();
        let bytes = read(&planned.finish().into_section());
        assert_eq!((bytes.len(), digest(&bytes).as_str()), (3072, expected));
    }
}

#[test]
fn rewritten_and_permitted_files_make_the_very_tar_of_nix2container() {
    let Some(file) = corpus_file("nix2container/web-root.layer.tar") else { return };
    let (_root, store, path) = store_with(&[("index.html", b"<h1>hi</h1>\n")]);
    let mut rules = Rules::default();
    rules.rewrite(&format!("^/nix/store/{BASE_NAME}"), "").unwrap();
    rules.permit(Permission::new(".*\\.html", "0750", "", (1000, 100), ("app", "users")).unwrap()).unwrap();
    assert_eq!(tar_of(&store, &path, &rules), fs::read(file).unwrap());
}

#[test]
fn the_last_permission_that_matches_counts_and_bits_can_be_added() {
    let mut rules = Rules::default();
    rules.permit(Permission::new("a", "0700", "", (1, 2), ("one", "two")).unwrap()).unwrap();
    rules.permit(Permission::new("b", "", "0022", (3, 4), ("", "")).unwrap()).unwrap();
    let (mode, owner) = rules.apply(b"ab", 0o444);
    assert_eq!((mode, owner.uid, owner.gid, owner.user.as_str()), (0o722, 3, 4, "one"));
    assert_eq!(rules.apply(b"c", 0o444), (0o444, Owner::default()));
}

#[test]
fn ignored_paths_are_skipped_with_everything_below() {
    let (_root, store, path) = store_with(&[("share/doc/a", b""), ("share/b", b"")]);
    let mut rules = Rules::default();
    rules.ignore("/share/doc$").unwrap();
    let bytes = tar_of(&store, &path, &rules);
    let names = names(&bytes);
    assert_eq!(names.last().unwrap(), &format!("/nix/store/{BASE_NAME}/share/b"));
    assert_eq!(names.len(), 6, "{names:?}");
}

fn names(bytes: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(bytes);
    archive.entries().unwrap().map(|entry| String::from_utf8(entry.unwrap().path_bytes().to_vec()).unwrap()).collect()
}

#[test]
fn names_of_any_length_are_kept() {
    let long = format!("{}/{}", "d".repeat(90), "f".repeat(120));
    let split = format!("{}/{}", "s".repeat(60), "g".repeat(60));
    let accented = "caf\u{e9}";
    let (_root, store, path) = store_with(&[(&long, b"1"), (&split, b"2"), (accented, b"3")]);
    let names = names(&tar_of(&store, &path, &Rules::default()));
    for name in [long.as_str(), &split, accented] {
        assert!(names.contains(&format!("/nix/store/{BASE_NAME}/{name}")), "{names:?}");
    }
}

#[test]
fn rules_that_cannot_be_followed_are_errors() {
    let mut rules = Rules::default();
    assert!(rules.rewrite("(", "").is_err());
    assert!(rules.rewrite("a", &"b".repeat(5000)).is_err());
    assert!(Permission::new("", "089", "", (0, 0), ("", "")).is_err());
    assert!(Permission::new("", "-0200", "", (0, 0), ("", "")).is_err());
    rules.rewrite("e", &"b".repeat(4000)).unwrap();
    let (_root, store, path) = store_with(&[("eeee", b"")]);
    assert!(matches!(plan(&store).add(&path, &rules), Err(StoreError::Rule(_))));
}

#[test]
fn a_pipe_in_a_store_path_is_refused_and_an_absent_path_is_a_directory() {
    let (root, store, path) = store_with(&[]);
    let pipe = root.path().join("nix/store").join(BASE_NAME).join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    let mut planned = plan(&store);
    assert!(matches!(planned.add(&path, &Rules::default()), Err(StoreError::Special(_))));
    let other = StorePath::parse_base_name(BASE_NAME.replace("web", "no").as_bytes()).unwrap();
    assert!((store.holds(&path), store.holds(&other)) == (true, false));
    let mut planned = plan(&store);
    planned.add_absent(&other, &Rules::default()).unwrap();
    let names = names(&read(&planned.finish().into_section()));
    assert_eq!(names, ["/", "/nix", "/nix/store", &other.to_string()]);
}

#[test]
fn a_store_path_is_found_through_links_and_nothing_within_it() {
    let (root, store, path) = store_with(&[("bin/tool", b"")]);
    let there = root.path().join("nix/store").join(BASE_NAME);
    let result = root.path().join("result");
    std::os::unix::fs::symlink(&there, &result).unwrap();
    for place in [&there, &result] {
        assert_eq!(store.store_path_at(place).as_ref(), Some(&path));
    }
    assert_eq!(store.store_path_at(&there.join("bin")), None);
    assert_eq!(store.store_path_at(root.path()), None);
}

#[test]
fn a_file_that_has_changed_is_an_error() {
    let (root, store, path) = store_with(&[("data", &[7; 2000])]);
    let mut planned = plan(&store);
    planned.add(&path, &Rules::default()).unwrap();
    let section = planned.finish().into_section();
    fs::write(root.path().join("nix/store").join(BASE_NAME).join("data"), [7; 10]).unwrap();
    assert!(section.reader().read_to_end(&mut Vec::new()).is_err());
}

/// Creates a store of three paths: the first refers to the second in a file, the second to the third in a link.
fn chain() -> (tempfile::TempDir, LocalStore, Vec<StorePath>) {
    let root = tempfile::tempdir().unwrap();
    let names = ['a', 'b', 'c', 'd'].map(|letter| format!("{}-{letter}", letter.to_string().repeat(32)));
    let store = root.path().join("nix/store");
    write(&store.join(&names[0]), format!("exec /nix/store/{}/bin/b", names[1]).as_bytes(), 0o555);
    fs::create_dir_all(store.join(&names[1]).join("lib")).unwrap();
    let target = format!("/nix/store/{}/lib/c", names[2]);
    std::os::unix::fs::symlink(target, store.join(&names[1]).join("lib/c")).unwrap();
    write(&store.join(&names[2]).join("lib/c"), format!("back to {}", names[1]).as_bytes(), 0o444);
    write(&store.join(&names[3]), b"alone", 0o444);
    let paths = names.iter().map(|name| StorePath::parse_base_name(name.as_bytes()).unwrap()).collect();
    let local = LocalStore::at(root.path());
    (root, local, paths)
}

#[test]
fn a_closure_is_found_in_files_where_there_is_no_database() {
    let (_root, store, paths) = chain();
    let closure = store.closure(&paths[0], &Cancel::new()).unwrap();
    assert_eq!(closure.paths, [paths[2].clone(), paths[1].clone(), paths[0].clone()]);
    assert_eq!(closure.references[&paths[0]], [paths[1].clone()]);
    let both = store.closure_of(&[&paths[3], &paths[1]], &Cancel::new()).unwrap();
    assert_eq!(both.paths, [paths[3].clone(), paths[2].clone(), paths[1].clone()]);
    assert!(closure.scanned_because.unwrap().contains("db.sqlite"));
    assert_eq!(store.closure(&paths[3], &Cancel::new()).unwrap().paths, [paths[3].clone()]);
    let gone = StorePath::parse_base_name(BASE_NAME.as_bytes()).unwrap();
    assert!(matches!(store.closure(&gone, &Cancel::new()), Err(StoreError::Read { .. })));
}

#[test]
fn a_database_takes_precedence_and_a_broken_one_is_reported() {
    let (root, store, paths) = chain();
    let statement =
        "CREATE TABLE ValidPaths (id integer primary key, path text, hash text, deriver text, narSize integer)";
    let texts: Vec<String> = paths.iter().map(ToString::to_string).collect();
    let row = |path: &'static str| vec![Cell::Null, Cell::Text(path), Cell::Null, Cell::Null, Cell::Null];
    let rows = texts.iter().take(2).map(|path| row(path.clone().leak())).collect();
    let valid = SampleTable { name: "ValidPaths", statement, rows };
    let statement = "CREATE TABLE Refs (referrer integer, reference integer)";
    let refs = SampleTable { name: "Refs", statement, rows: vec![vec![Cell::Number(1), Cell::Number(2)]] };
    let file = root.path().join(nixdive_nix::database::DATABASE_PATH);
    write(&file, &sqlite_tables(&[valid, refs]), 0o644);
    let known = store.closure(&paths[0], &Cancel::new()).unwrap();
    assert_eq!(known.references[&paths[0]], [paths[1].clone()]);
    assert_eq!((known.paths, known.scanned_because), (vec![paths[1].clone(), paths[0].clone()], None));
    let unknown = store.closure(&paths[2], &Cancel::new()).unwrap();
    assert_eq!(unknown.paths.len(), 2);
    assert!(unknown.scanned_because.unwrap().contains("does not know"));
    write(&file, b"no database", 0o644);
    write(&file.with_file_name("db.sqlite-wal"), b"log", 0o644);
    let note = store.closure(&paths[0], &Cancel::new()).unwrap().scanned_because.unwrap();
    assert!(note.contains("is not an SQLite database") && note.contains("write-ahead log"), "{note}");
}

proptest! {
    #[test]
    fn a_clean_path_stays_as_it_is(path in "[/.a]{0,12}") {
        let once = clean(path.as_bytes());
        prop_assert_eq!(clean(&once), once);
    }

    #[test]
    fn any_part_of_a_stream_is_what_the_whole_has_there(
        files in proptest::collection::btree_map("[a-z]{1,3}(/[a-z\u{e9}]{1,130}){0,2}x", 0usize..1500, 0..6),
        at in any::<proptest::sample::Index>(),
        length in 1usize..2000,
    ) {
        let lies_in = |path: &String| files.keys().any(|other| path.starts_with(&format!("{other}/")));
        prop_assume!(!files.keys().any(lies_in));
        let contents: Vec<(String, Vec<u8>)> =
            files.into_iter().map(|(name, length)| (name, vec![b'x'; length])).collect();
        let files: Vec<(&str, &[u8])> = contents.iter().map(|(name, content)| (&**name, &**content)).collect();
        let (_root, store, path) = store_with(&files);
        let mut planned = plan(&store);
        planned.add(&path, &Rules::default()).unwrap();
        let section = planned.finish().into_section();
        let whole = read(&section);
        let at = at.index(whole.len());
        let mut part = vec![1; length];
        let count = section.read_at(&mut part, at as u64).unwrap();
        let expected = &whole[at..whole.len().min(at + length)];
        prop_assert_eq!(&part[..count], &expected[..count]);
        prop_assert!(count > 0);
        let found = names(&whole);
        for (name, _) in &files {
            let expected = format!("/nix/store/{BASE_NAME}/{name}");
            prop_assert!(found.contains(&expected));
        }
    }
}
