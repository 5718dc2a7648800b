//! Trees that no honest image has.

use std::collections::BTreeMap;
use std::io::Read;

use nixdive::cancel::Cancel;
use nixdive::image::{Kind, Resolution};
use nixdive::open::{Keep, OpenOptions, Opened};
use nixdive::rebuild::needs::{NeedsOptions, find};
use proptest::prelude::*;

use super::Bench;
use crate::support::program::{open_with, run};
use crate::support::tar_bytes::{Entry, Tar};

const HASH: &str = "0123456789abcdfghijklmnpqrsvwxyz";

fn app() -> Tar {
    Tar::new()
        .add(Entry::file("bin/app", "#!/bin/sh\ncat /data/file\n. /data/more\n").mode(0o755))
        .add(Entry::file("bin/sh", "sh").mode(0o755))
        .add(Entry::file("bin/cat", "cat").mode(0o755))
}

fn check(image: &std::path::Path) -> Option<i32> {
    let run = run(&["rebuild", image.to_str().unwrap(), "--check"]);
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    assert!(!run.text().contains('\x1b') && !run.stderr.contains('\x1b'), "{}", run.text());
    run.code
}

/// Rebuilds it: an error with nothing written, or an image that is as sound as before. Whether it was written.
#[track_caller]
fn assert_survived(what: &str, bench: &Bench) -> bool {
    let plan = run(&["rebuild", bench.image.to_str().unwrap(), "--plan"]);
    assert!(matches!(plan.code, Some(0 | 2)) && !plan.stderr.contains("panicked"), "{what}: {}", plan.stderr);
    assert!(!plan.text().contains('\x1b'), "{what}: {}", plan.text());
    let run = bench.rebuild(&[]);
    assert!(!run.stderr.contains('\x1b'), "{what}: {}", run.stderr);
    if run.code != Some(0) {
        run.refused();
        assert_eq!(bench.written(), [""; 0], "{what}");
        return false;
    }
    assert_eq!(bench.written(), ["new.tar"], "{what}");
    assert!(check(&bench.out("new.tar")) <= check(&bench.image), "{what}");
    let mut beside: Vec<_> =
        std::fs::read_dir(bench.directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    beside.sort();
    assert_eq!(beside, ["image.tar", "out"], "{what}");
    true
}

#[test]
fn odd_names_links_and_kinds_are_survived() {
    let loops = |tar: Tar| tar.symlink("data", "atad").symlink("atad", "data");
    let cases: Vec<(&str, Vec<Tar>)> = vec![
        ("climbs", vec![app().file("../../../../tmp/climbed", "x").file("data/../../up", "x")]),
        ("absolute", vec![app().file("/data/file", "x").file("//data//more", "true")]),
        ("controls", vec![app().file("data/\x1b[31mred\n", "x").symlink("data/file", "\x1b[31mred\n")]),
        ("no UTF-8", vec![app().file(b"data/\xff\xfe", "x").symlink("data/file", b"\xff\xfe")]),
        ("loops", vec![loops(app())]),
        ("a link to itself", vec![app().symlink("data", "data")]),
        ("links to proc", vec![app().symlink("data", "/proc/self/root").symlink("x", "/proc/1/fd/0")]),
        ("links outside", vec![app().symlink("data", "../../../../../../etc")]),
        ("a link in place of a directory", vec![app().symlink("data", "bin").file("data/file", "x")]),
        ("hard links to nowhere", vec![app().hard_link("data/file", "none").hard_link("data/more", "data/file")]),
        (
            "hard links to each other",
            vec![app().hard_link("data/file", "data/more").hard_link("data/more", "data/file")],
        ),
        ("a hard link to a directory", vec![app().directory("data/d").hard_link("data/file", "data/d")]),
        ("a hard link to the program", vec![app().hard_link("data/file", "bin/app").hard_link("data/more", "bin/sh")]),
        ("devices", vec![app().add(Entry::device(b'3', "data/file", 1, 3)).add(Entry::of(b'6', "data/more"))]),
        ("a file in the place of a directory", vec![app().file("data/file", "x"), Tar::new().file("data", "x")]),
        ("a directory in the place of a file", vec![app(), Tar::new().directory("bin/cat").file("bin/cat/x", "x")]),
        ("opaque", vec![app().file("data/file", "x"), Tar::new().file("data/.wh..wh..opq", "").file("data/more", "y")]),
        ("whiteouts of nothing", vec![app(), Tar::new().file("none/.wh.x", "").file(".wh.none", "")]),
        ("a whiteout without a name", vec![app(), Tar::new().file("data/.wh.", "")]),
        ("twice in a layer", vec![app().file("data/file", "one").file("data/file", "two")]),
        ("no mode", vec![app().add(Entry::file("data/file", "x").mode(0)).add(Entry::directory("data").mode(0))]),
        ("owners at the end", vec![app().add(Entry::file("data/file", "x").owner(u32::MAX, u32::MAX))]),
        ("a long name", vec![app().gnu_long(b'L', format!("data/{}", "n".repeat(5000))).file("x", "x")]),
        ("deep", vec![app().gnu_long(b'L', format!("data/{}", "d/".repeat(3000))).file("x", "x")]),
    ];
    for (what, layers) in cases {
        let bench = Bench::new(layers.into_iter().map(Tar::finish).collect(), "/bin/app");
        assert_survived(what, &bench);
    }
    assert!(!std::path::Path::new("/tmp/climbed").exists());
}

#[test]
fn odd_stores_are_survived() {
    let program = |path: String| Tar::new().add(Entry::file(path, "app").mode(0o755));
    let path = |name: &str| format!("nix/store/{HASH}-{name}");
    let cases: Vec<(&str, Tar, String)> = vec![
        ("a file", program(path("app")), path("app")),
        ("a link", program("app".into()).symlink(path("app"), "/app"), path("app")),
        ("a link to itself", program("app".into()).symlink(path("app"), path("app")), "app".into()),
        (
            "links to each other",
            program(path("app/a"))
                .symlink(path("x"), format!("/{}", path("y")))
                .symlink(path("y"), format!("/{}", path("x"))),
            path("app/a"),
        ),
        ("the store a link", program("s/app".into()).directory("nix").symlink("nix/store", "/s"), "s/app".into()),
        ("a name of all that is allowed", program(path("+-._?=a/b")), path("+-._?=a/b")),
        ("a name too long", program(path(&format!("{}/b", "n".repeat(250)))), path(&format!("{}/b", "n".repeat(250)))),
        ("a dot", program(path("./b")), path("b")),
        ("a name with controls", program(path("\x1b[31m/b")), path("\x1b[31m/b")),
        ("nothing in the store", program("app".into()).directory("nix/store"), "app".into()),
        ("a file in the place of the store", program("app".into()).file("nix/store", "x"), "app".into()),
        ("devices", program(path("app/b")).add(Entry::device(b'4', &path("app/tty"), 4, 1)), path("app/b")),
        ("who names itself", program(path("app/b")).file(path("app/c"), format!("/{}", path("app"))), path("app/b")),
    ];
    for (what, tar, start) in cases {
        let bench = Bench::new(vec![tar.finish()], &format!("/{start}"));
        assert_survived(what, &bench);
    }
}

#[test]
fn a_directory_of_a_hundred_thousand_files_is_no_matter() {
    let tar = (0..100_000).fold(app(), |tar, number| tar.file(format!("data/{number}"), ""));
    let bench = Bench::new(vec![tar.finish()], "/bin/app");
    assert!(assert_survived("many files", &bench));
}

fn open(path: &std::path::Path) -> Opened {
    open_with(path, OpenOptions { keep: Keep::AnyContent, ..OpenOptions::default() }).unwrap()
}

/// What is found at a path, links followed: its kind, mode, owner and bytes.
fn found(opened: &Opened, path: &[u8]) -> Option<(bool, u16, u32, u32, Vec<u8>)> {
    let tree = &opened.image.tree;
    let top = tree.top_layer()?;
    let Resolution::Found { node, .. } = tree.resolve(path, top, true) else { return None };
    let Some(id) = tree.visible_at(node, top) else { return Some((true, 0o755, 0, 0, Vec::new())) };
    let (id, owner) = (tree.linked(id)?, tree.owner(id));
    let occurrence = tree.occurrence(id);
    let mut bytes = Vec::new();
    if occurrence.kind == Kind::File {
        opened.contents.reader(tree, id).unwrap().read_to_end(&mut bytes).unwrap();
    }
    Some((occurrence.kind != Kind::File, occurrence.mode(), owner.uid, owner.gid, bytes))
}

/// Entries by their paths: files, links and directories at few places, so that they meet.
fn any_tree() -> impl Strategy<Value = BTreeMap<String, Entry>> {
    let place = "(app|data|usr/lib|etc|opt/x)(/[ab]){1,3}";
    let modes = prop::sample::select(vec![0o644u32, 0o755, 0o4755, 0o600, 0o1777, 0o2750]);
    let entry = (place, 0..4u8, modes, 0..3u32, "(/app|/data|/opt/x|\\.\\.|\\.)(/[ab]){0,2}", "[a-z/ ]{0,20}");
    prop::collection::btree_map("[a-z]{3}", entry, 1..12).prop_map(|entries| {
        let made = entries.into_values().map(|(path, kind, mode, user, target, text)| {
            let entry = match kind {
                0 => Entry::directory(&path),
                1 => Entry::symlink(&path, target),
                _ => Entry::file(&path, text),
            };
            (path, entry.mode(mode).owner(user, user))
        });
        made.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_kept_is_found_as_it_was(entries in any_tree()) {
        let tar = entries.into_values().fold(app().file("data/file", "x"), Tar::add);
        let bench = Bench::new(vec![tar.finish()], "/bin/app");
        let run = bench.rebuild(&[]);
        prop_assert_eq!(run.code, Some(0), "{}", run.stderr);
        let (before, after) = (open(&bench.image), open(&bench.out("new.tar")));
        let packages = nixdive::packages::find(&before.image.tree, before.image.tree.top_layer().unwrap(), &[]);
        let needs = find(&before.image, &before.contents, &packages, &NeedsOptions::default(), &Cancel::new()).unwrap();
        let mut count = 0;
        let tree = &before.image.tree;
        for (node, _) in tree.stacked_paths(tree.top_layer().unwrap()).filter(|(node, _)| needs.is_needed(*node)) {
            let path = tree.path(node);
            prop_assert_eq!(found(&after, &path), found(&before, &path), "{}", String::from_utf8_lossy(&path));
            count += 1;
        }
        prop_assert!(count >= 3);
    }
}
