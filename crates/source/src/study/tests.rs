//! The same store, read in every way: the result must not depend on it.

use std::io::{Cursor, Write};
use std::sync::Arc;

use super::{StoreWatch, StudyOptions, study};
use proptest::prelude::*;

use crate::open::{Keep, OpenOptions, Opened, Progress, Verify, open_pipe, open_section};
use nixdive_base::sqlite::samples::{Cell, SampleTable, sqlite_tables};
use nixdive_base::text::display_name;
use nixdive_image::testing::archive::{Written, docker_archive, tar_of};
use nixdive_nix::contents::{Place, RootSource};
use nixdive_nix::study::{RecordedPath, RecordedStore, SightingSource, StoreStudy};
use nixdive_nix::{Sha256Hash, StorePath};
use nixdive_scan::Section;

const A: &str = "nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-a-1.0";
const B: &str = "nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-b-2.0-dev";
const C: &str = "nix/store/cccccccccccccccccccccccccccccccc-c";
const GONE: &str = "nix/store/dddddddddddddddddddddddddddddddd-gone-1";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn text(bytes: &str) -> Vec<u8> {
    bytes.as_bytes().to_vec()
}

/// Opens and studies an archive in every way.
fn in_every_way(archive: &[u8]) -> Vec<(String, Opened, StoreStudy)> {
    let mut results = Vec::new();
    for (packed, bytes) in [("plain", archive.to_vec()), ("gzip", gzip(archive))] {
        for keep in [Keep::Trees, Keep::Content, Keep::AnyContent] {
            for (verify, watched) in [(Verify::Cheap, true), (Verify::Cheap, false), (Verify::All, true)] {
                let watch = StoreWatch::new();
                let options = OpenOptions {
                    keep,
                    verify,
                    watch: watched.then(|| Arc::new(watch.clone()) as Arc<_>),
                    ..OpenOptions::default()
                };
                let section = Section::from_bytes(bytes.clone());
                let opened = open_section(section, "test.tar", &options, &Progress::new()).unwrap();
                let options = StudyOptions { watch: watched.then_some(&watch), ..StudyOptions::default() };
                let study = study(&opened, &options).unwrap().unwrap();
                results.push((format!("{packed}, {keep:?}, {verify:?}, watched {watched}"), opened, study));
            }
        }
    }
    results
}

/// Returns the content of a study as lines.
fn lines(opened: &Opened, study: &StoreStudy) -> Vec<String> {
    let tree = &opened.image.tree;
    let name = |id| study.store.get(id).unwrap().path.name().to_owned();
    let mut lines: Vec<String> = study.ids().map(|id| format!("{} {:?}", name(id), study.paths[id.index()])).collect();
    for (id, proofs) in study.ids().zip(&study.evidence) {
        for proof in proofs {
            let path = display_name(&tree.path(proof.node)).into_owned();
            lines.push(format!("{} → {} by {path} {:?}", name(id), name(proof.to), proof.place));
        }
    }
    lines.extend(study.roots.iter().map(|root| format!("root {} {:?}", name(root.path), root.source)));
    lines.extend(study.dangling.iter().map(|absent| format!("dangling {} {:?}", absent.path, absent.sightings)));
    lines.extend(study.scrubbed.iter().map(|absent| format!("scrubbed {} {:?}", absent.name, absent.sightings)));
    lines.extend(study.unread.iter().cloned());
    lines
}

fn named<'s>(study: &'s StoreStudy, name: &str) -> &'s nixdive_nix::study::StudiedPath {
    let id = study.ids().find(|&id| study.store.get(id).unwrap().path.name() == name).unwrap();
    &study.paths[id.index()]
}

/// A store with difficulties: a file outside before the first store path, an order that makes no NAR, a hard link, a
/// path in two layers, and mentions of missing paths.
fn awkward() -> Vec<u8> {
    let base = [
        Written::file("etc/profile", &text(&format!("PATH=/{B}/bin"))),
        Written::directory(B),
        Written::file(&format!("{B}/z"), &text(&format!("/{C} and /{GONE}/lib"))),
        Written::file(&format!("{B}/a"), b"out of order"),
        Written::file(&format!("{C}/f"), b"hard"),
        Written::hard_link(&format!("{C}/g"), &format!("{C}/f")),
    ];
    let top = [
        Written::directory(A),
        Written::file(&format!("{A}/empty"), b""),
        Written::file(&format!("{A}/self"), &text(&format!("/{A} 0/nix/store/{}-gcc-12/bin", "e".repeat(32)))),
        Written::file(&format!("{C}/h"), &[7; 300_000]),
        Written::symlink("bin/c", &format!("/{C}/f")),
        Written::symlink("bin/gone", &format!("/{GONE}")),
    ];
    docker_archive(&[tar_of(&base), tar_of(&top)])
}

#[test]
fn a_store_is_the_same_whichever_way_it_is_read() {
    let results = in_every_way(&awkward());
    let expected = lines(&results[0].1, &results[0].2);
    for (way, opened, study) in &results {
        assert_eq!(lines(opened, study), expected, "{way}");
        assert!(study.paths.iter().all(|path| path.nar_hash.is_some()), "{way}");
        assert_eq!(study.unread, Vec::<String>::new(), "{way}");
    }
}

#[test]
fn unreachable_dangling_and_scrubbed_paths_are_reported() {
    let (_, opened, study) = in_every_way(&awkward()).pop().unwrap();
    let unreachable: Vec<&str> = study.unreachable().map(|id| study.store.get(id).unwrap().path.name()).collect();
    assert_eq!(unreachable, ["a-1.0"]);
    assert_eq!(study.unreachable_bytes(), named(&study, "a-1.0").nar_bytes.unwrap());
    let [gone] = study.dangling.as_slice() else { panic!("{:?}", study.dangling) };
    assert_eq!((gone.path.to_string(), gone.sightings.len()), (format!("/{GONE}"), 2));
    let [scrubbed] = study.scrubbed.as_slice() else { panic!("{:?}", study.scrubbed) };
    assert_eq!(&*scrubbed.name, "gcc-12");
    let link = opened.image.tree.lookup(b"bin/gone").unwrap();
    let by_link = SightingSource::Written(RootSource::Tree(link, Place::LinkTarget));
    assert!(gone.sightings.iter().any(|sighting| sighting.source == by_link && sighting.from.is_none()));
    let c = named(&study, "c");
    assert_eq!((c.files, c.depth), (3, Some(0)));
    let twice: Vec<u16> = study.store.paths.iter().map(|known| known.layers.len() as u16).collect();
    assert_eq!(twice, [1, 1, 2]);
}

#[test]
fn an_image_without_a_store_is_not_studied() {
    let archive = docker_archive(&[tar_of(&[Written::file("bin/sh", b"/nix/store/")])]);
    let watch = StoreWatch::new();
    let options = OpenOptions { watch: Some(Arc::new(watch.clone())), ..OpenOptions::default() };
    let opened = open_section(Section::from_bytes(archive), "test.tar", &options, &Progress::new()).unwrap();
    let options = StudyOptions { watch: Some(&watch), ..StudyOptions::default() };
    assert!(study(&opened, &options).unwrap().is_none());
    watch.with_notes(|notes| assert!(notes.iter().all(|notes| notes.first.is_none())));
}

#[test]
fn content_that_came_through_a_pipe_is_known_by_the_watch_alone() {
    let sorted = [Written::directory(A), Written::file(&format!("{A}/f"), &text(&format!("/{A} /{B}")))];
    let archive = docker_archive(&[tar_of(&sorted), tar_of(&[Written::file(B, b"flat")])]);
    let watch = StoreWatch::new();
    let options = OpenOptions { watch: Some(Arc::new(watch.clone())), ..OpenOptions::default() };
    let opened = open_pipe(Box::new(Cursor::new(archive.clone())), "-", &options, &Progress::new()).unwrap();
    let through_pipe = study(&opened, &StudyOptions { watch: Some(&watch), ..StudyOptions::default() });
    let through_pipe = through_pipe.unwrap().unwrap();
    let (_, at_hand, other) = in_every_way(&archive).remove(1);
    assert_eq!(lines(&opened, &through_pipe), lines(&at_hand, &other));
    let unwatched = study(&opened, &StudyOptions::default()).unwrap().unwrap();
    assert!(unwatched.unread.iter().all(|sentence| sentence.contains("pipe")) && !unwatched.unread.is_empty());
    assert!(unwatched.paths.iter().all(|path| path.nar_hash.is_none()));
}

#[test]
fn a_database_takes_precedence_and_differences_are_reported() {
    let layer = [
        Written::file(&format!("{A}/f"), &text(&format!("/{B}"))),
        Written::file(B, b"flat"),
        Written::file(C, b"not registered"),
    ];
    let archive = docker_archive(&[tar_of(&layer)]);
    let opened =
        open_section(Section::from_bytes(archive), "test.tar", &OpenOptions::default(), &Progress::new()).unwrap();
    let path = |text: &str| StorePath::parse(format!("/{text}").as_bytes()).unwrap();
    let record = |text: &str, references: &[&str]| RecordedPath {
        path: path(text),
        references: references.iter().map(|text| path(text)).collect(),
        nar_hash: Some(Sha256Hash([0; 32])),
        nar_bytes: None,
    };
    let recorded = RecordedStore { paths: vec![record(A, &[A, GONE]), record(B, &[A]), record(GONE, &[])] };
    let options = StudyOptions { recorded: Some(&recorded), ..StudyOptions::default() };
    let study = study(&opened, &options).unwrap().unwrap();
    let (a, b) = (study.store.id_of(&path(A)).unwrap(), study.store.id_of(&path(B)).unwrap());
    assert_eq!((study.graph.references(a), study.graph.references(b)), (&[][..], &[a][..]));
    assert!(study.graph.has_self_reference(a));
    let kinds: Vec<String> = study.disagreements.iter().map(|found| format!("{found:?}")).collect();
    let kinds: Vec<&str> = kinds.iter().map(|text| text.split([' ', '(']).next().unwrap()).collect();
    let expected = ["NotThere", "NarHash", "NarHash", "NotRecorded", "OnlyRecorded", "OnlyRecorded", "OnlyFound"];
    assert_eq!(kinds, expected);
    assert_eq!(study.dangling[0].sightings[0].source, SightingSource::Recorded);
}

#[test]
fn a_nar_much_longer_than_the_image_is_not_hashed() {
    let mut layer = vec![Written::file(&format!("{A}/f"), &vec![1; 1 << 20])];
    layer.extend((0..1100).map(|number| Written::hard_link(&format!("{A}/link{number}"), &format!("{A}/f"))));
    let opened = open_section(
        Section::from_bytes(docker_archive(&[tar_of(&layer)])),
        "test.tar",
        &OpenOptions::default(),
        &Progress::new(),
    );
    let opened = opened.unwrap();
    let study = study(&opened, &StudyOptions::default()).unwrap().unwrap();
    assert_eq!(study.paths[0].nar_hash, None);
    assert!(study.paths[0].nar_bytes.unwrap() > 1100 << 20);
    assert_eq!(study.unread.len(), 1, "{:?}", study.unread);
}

#[test]
fn the_database_in_an_image_is_read_and_a_broken_one_is_reported() {
    let statement =
        "CREATE TABLE ValidPaths (id integer primary key, path text, hash text, deriver text, narSize integer)";
    let (a, b) = (format!("/{A}"), format!("/{B}"));
    let row = |path| vec![Cell::Null, Cell::Text(path), Cell::Null, Cell::Null, Cell::Null];
    let valid = SampleTable { name: "ValidPaths", statement, rows: vec![row(a.as_str()), row(b.as_str())] };
    let statement = "CREATE TABLE Refs (referrer integer, reference integer)";
    let refs = SampleTable { name: "Refs", statement, rows: vec![vec![Cell::Number(2), Cell::Number(1)]] };
    let sound = sqlite_tables(&[valid, refs]);
    for (database, log, references, disagreements, problems) in
        [(&sound[..], &b""[..], 1, 2, 0), (&sound, b"log", 1, 2, 1), (b"no database", b"", 0, 0, 1)]
    {
        let layer = [
            Written::file(A, format!("names {b}").as_bytes()),
            Written::file(B, b"names nothing"),
            Written::file(nixdive_nix::database::DATABASE_PATH, database),
            Written::file(nixdive_nix::database::WRITE_AHEAD_LOG_PATH, log),
        ];
        let section = Section::from_bytes(docker_archive(&[tar_of(&layer)]));
        let opened = open_section(section, "test.tar", &OpenOptions::default(), &Progress::new()).unwrap();
        let study = study(&opened, &StudyOptions::default()).unwrap().unwrap();
        let id = study.store.id_of(&StorePath::parse(b.as_bytes()).unwrap()).unwrap();
        assert_eq!(study.graph.references(id).len(), references);
        assert_eq!((study.disagreements.len(), study.unread.len()), (disagreements, problems), "{:?}", study.unread);
    }
}

#[test]
fn an_entry_in_another_directory_than_the_last_makes_no_nar_of_its_own() {
    let entries = [
        Written::directory(A),
        Written::directory(&format!("{A}/.wh.a")),
        Written::file(&format!("{A}/a/x"), b""),
        Written::directory(&format!("{A}/b")),
        Written::file(&format!("{A}/c/y"), b""),
    ];
    let results = in_every_way(&docker_archive(&[tar_of(&entries[..3]), tar_of(&[Written::file(B, b"")])]));
    let (_, opened, study) = &results[1];
    let expected = lines(opened, study);
    for (way, opened, study) in &results {
        assert_eq!(lines(opened, study), expected, "{way}");
    }
    let results = in_every_way(&docker_archive(&[tar_of(&[&entries[..1], &entries[3..]].concat())]));
    let (_, opened, study) = &results[1];
    let expected = lines(opened, study);
    for (way, opened, study) in &results {
        assert_eq!(lines(opened, study), expected, "{way}");
    }
}

/// Names that pass through a symbolic link of their layer change a store path from outside, before or after its own
/// entries.
#[test]
fn entries_that_reach_the_store_through_a_link_count() {
    let link = || Written::symlink("etc", &format!("/{A}"));
    let own = |content: &str| Written::file(&format!("{A}/a"), content.as_bytes());
    let through = |content: &str| Written::file("etc/a", content.as_bytes());
    let reference = format!("/{B}/bin");
    let other = Written::file(&format!("{B}/b"), b"b");
    let cases = [
        // The link is followed before any store path was seen by name.
        vec![link(), through(&reference), other.clone()],
        // As long as the content that it replaces, so that the NAR has the same length.
        vec![own(&"x".repeat(reference.len())), link(), through(&reference), other.clone()],
        vec![link(), through(&reference), own(&"x".repeat(reference.len())), other],
    ];
    for entries in cases {
        let results = in_every_way(&docker_archive(&[tar_of(&entries)]));
        let (_, opened, study) = &results[1];
        let expected = lines(opened, study);
        for (way, opened, study) in &results {
            assert_eq!(lines(opened, study), expected, "{way}");
        }
    }
}

/// Entries inside and outside of some store paths, in any order, with all effects of layers.
fn any_store() -> impl Strategy<Value = Vec<Written>> {
    let place = prop::sample::select(vec![A, A, B, C, "nix/store", "etc", "nix/store/short-name"]);
    let below =
        prop::sample::select(vec!["", "", "/a", "/b", "/a/x", "/a/y", "/.wh.a", "/.wh..wh..opq", "/b.c", "/b/c"]);
    let content = prop::sample::select(vec![
        String::new(),
        "x".repeat(1000),
        format!("/{A}/bin"),
        format!("/{B} /{GONE}"),
        format!("{} /nix/store/{}-scrubbed", "c".repeat(32), "e".repeat(32)),
    ]);
    let target = prop::sample::select(vec![format!("{A}/a"), format!("{B}/b"), C.to_owned(), GONE.to_owned()]);
    let flag = prop::sample::select(b"0000025551".to_vec());
    let entry = (place, below, content, target, flag, any::<bool>());
    let entry = entry.prop_map(|(place, below, content, target, flag, executable)| {
        let path = format!("{place}{below}");
        let mode = if executable { 0o755 } else { 0o644 };
        match flag {
            b'5' => Written { mode, ..Written::directory(&path) },
            b'2' => Written::symlink(&path, &format!("/{target}")),
            b'1' => Written::hard_link(&path, &target),
            _ => Written { mode, ..Written::file(&path, content.as_bytes()) },
        }
    });
    (prop::collection::vec(entry, 0..14), any::<bool>()).prop_map(|(mut entries, sorted)| {
        if sorted {
            entries.sort_by(|left, right| left.path.cmp(&right.path));
            entries.dedup_by(|left, right| left.path == right.path);
        }
        entries
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_store_is_the_same_whichever_way_it_is_read(
        layers in prop::collection::vec(any_store(), 1..4),
    ) {
        let mut layers: Vec<Vec<u8>> = layers.iter().map(|entries| tar_of(entries)).collect();
        // A last layer ensures that there is a store.
        layers.push(tar_of(&[Written::file("nix/store/zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz-z/z", b"z")]));
        let results = in_every_way(&docker_archive(&layers));
        // Reading everything afterwards, without notes, is the reference for the other ways.
        let (_, opened, study) = &results[1];
        let expected = lines(opened, study);
        for (way, opened, study) in &results {
            prop_assert_eq!(&lines(opened, study), &expected, "{}", way);
        }
    }
}
