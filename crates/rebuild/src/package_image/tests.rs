//! Plans and compositions of small images, with needs given explicitly.

use std::collections::BTreeMap;

use super::{Granularity, PackageImage, compose, select};
use crate::choices::Choices;
use crate::needs::{How, Needs, Reason};
use crate::plan::Decision;
use crate::{Body, Composition, ImageContent};
use nixdive_base::cancel::Cancel;
use nixdive_base::text::display_name;
use nixdive_image::testing::archive::{Written, docker_archive, tar_of};
use nixdive_packages::{CapturedFile, Inventory};
use nixdive_scan::Section;
use nixdive_source::open::{Keep, OpenOptions, Opened, Progress, open_section};

const DATABASE: &str =
    "P:web\nV:1.2-r0\nF:usr/bin\nR:web\nF:usr/share/man\nR:web.1\n\nP:tool\nV:3\nF:usr/bin\nR:tool\n";

fn entries() -> Vec<Written> {
    vec![
        Written::symlink("bin", "usr/bin"),
        Written::directory("usr"),
        Written::directory("usr/bin"),
        Written { mode: 0o4755, uid: 7, ..Written::file("usr/bin/web", &[b'w'; 1000]) },
        Written::hard_link("usr/bin/web-again", "usr/bin/web"),
        Written::symlink("usr/bin/w", "web"),
        Written::file("usr/bin/tool", &[b't'; 3000]),
        Written::symlink("usr/bin/t", "tool"),
        Written::directory("usr/share/man"),
        Written::file("usr/share/man/web.1", &[b'm'; 200]),
        Written::directory("app"),
        Written::file("app/page", b"hello"),
        Written::symlink("app/p", "page"),
        Written::symlink("app/q", "../srv/../app/page"),
        Written::symlink("app/w", "../usr/bin/web"),
        Written::file("etc/passwd", b"root:x:0:0::/:"),
        Written { mode: 0o1777, ..Written::directory("tmp") },
        Written::directory("srv"),
        Written::file("lib/apk/db/installed", DATABASE.as_bytes()),
    ]
}

struct Known {
    opened: Opened,
    packages: Inventory,
    needs: Needs,
}

impl Known {
    fn new(needed: &[&str]) -> Self {
        let archive = docker_archive(&[tar_of(&entries())]);
        let options = OpenOptions { keep: Keep::Aside, ..OpenOptions::default() };
        let opened = open_section(Section::from_bytes(archive), "image.tar", &options, &Progress::new()).unwrap();
        let tree = &opened.image.tree;
        let top = tree.top_layer().unwrap();
        let captured = [CapturedFile { layer: top, path: b"lib/apk/db/installed", content: DATABASE.as_bytes() }];
        let packages = nixdive_packages::find(tree, top, &captured);
        let mut needs = Needs { reasons: vec![None; tree.node_count()], ..Needs::default() };
        for path in needed {
            let node = tree.lookup(path.as_bytes()).unwrap_or_else(|| panic!("{path}"));
            needs.reasons[node.index()] = Some(Reason { from: None, how: How::Entrypoint(0) });
        }
        Self { opened, packages, needs }
    }

    fn image(&self) -> PackageImage<'_> {
        PackageImage::new(&self.opened.image, &self.packages, &self.needs)
    }

    fn composed(&self, choices: &Choices, granularity: Granularity) -> Composition {
        let image = self.image();
        let selection = select(&image, choices, granularity);
        let content = ImageContent::new(&self.opened.image.tree, &self.opened.contents);
        compose(&image, &selection, &content, &Cancel::new()).unwrap()
    }
}

/// Returns the entries by path, without hash parts.
fn entries_by_path(composition: &Composition) -> BTreeMap<String, String> {
    let of_store = composition.store_paths.iter().flat_map(|path| &path.entries);
    let describe = |entry: &crate::Entry| {
        let body = match &entry.body {
            Body::Directory => "directory".to_owned(),
            Body::Symlink(target) => format!("→ {}", without_hash(&display_name(target))),
            Body::File(content) => format!("{} bytes", content.bytes),
        };
        (without_hash(&display_name(&entry.path)), body)
    };
    of_store.chain(&composition.outside).map(describe).collect()
}

fn without_hash(path: &str) -> String {
    match path.split_once("nix/store/") {
        Some((before, rest)) => format!("{before}nix/store/{}", rest.get(33..).unwrap_or_default()),
        None => path.to_owned(),
    }
}

#[test]
fn needed_files_go_to_the_store_by_package_and_links_take_their_places() {
    let known = Known::new(&["usr/bin/web", "usr/bin/web-again", "usr/bin/w", "bin", "app/page", "etc/passwd", "tmp"]);
    let composition = known.composed(&Choices::default(), Granularity::File);
    let entries = entries_by_path(&composition);
    let expected = [
        ("app", "directory"),
        ("app/page", "→ /nix/store/application/app/page"),
        ("bin", "→ usr/bin"),
        ("etc", "directory"),
        ("etc/passwd", "14 bytes"),
        ("nix/store/application", "directory"),
        ("nix/store/application/app", "directory"),
        ("nix/store/application/app/page", "5 bytes"),
        ("nix/store/web-1.2-r0", "directory"),
        ("nix/store/web-1.2-r0/usr", "directory"),
        ("nix/store/web-1.2-r0/usr/bin", "directory"),
        ("nix/store/web-1.2-r0/usr/bin/web", "1000 bytes"),
        ("tmp", "directory"),
        ("usr", "directory"),
        ("usr/bin", "directory"),
        ("usr/bin/w", "→ web"),
        ("usr/bin/web", "→ /nix/store/web-1.2-r0/usr/bin/web"),
        ("usr/bin/web-again", "→ /nix/store/web-1.2-r0/usr/bin/web"),
    ];
    let expected: BTreeMap<String, String> =
        expected.iter().map(|(path, body)| ((*path).to_owned(), (*body).to_owned())).collect();
    assert_eq!(entries, expected);
    let web = composition.store_paths.iter().find(|path| path.path.name() == "web-1.2-r0").unwrap();
    let metadata = &web.entries.last().unwrap().metadata;
    assert_eq!((metadata.mode, metadata.uid), (0o4755, 7), "who may run it as whom stays");
    let tmp = composition.outside.iter().find(|entry| &*entry.path == b"tmp").unwrap();
    assert_eq!(tmp.metadata.mode, 0o1777);
}

#[test]
fn a_link_stays_in_the_store_path_of_what_it_leads_to() {
    let known = Known::new(&["usr/bin/tool", "usr/bin/t", "app/page", "app/p", "app/q", "usr/bin/web", "app/w"]);
    let entries = entries_by_path(&known.composed(&Choices::default(), Granularity::File));
    assert_eq!(entries["nix/store/application/app/p"], "→ page");
    assert_eq!(entries["nix/store/application/app/q"], "→ /app/q", "the original target leads through an absent link");
    assert!(!entries.contains_key("nix/store/application/app/w"), "it leads to another package's");
    assert!(!entries.contains_key("nix/store/tool-3/usr/bin/t"), "no package has it");
}

#[test]
fn who_looks_for_others_from_where_it_is_finds_them_there() {
    let mut known = Known::new(&["usr/bin/web", "usr/bin/tool", "usr/bin/t", "bin", "app/page", "etc/passwd", "tmp"]);
    let web = known.opened.image.tree.lookup(b"/usr/bin/web").unwrap();
    known.needs.look_around = vec![web];
    let entries = entries_by_path(&known.composed(&Choices::default(), Granularity::File));
    let of = |package: &str| -> Vec<(String, String)> {
        let prefix = format!("nix/store/{package}/");
        let within =
            entries.iter().filter_map(|(path, body)| Some((path.strip_prefix(&prefix)?.to_owned(), body.clone())));
        within.filter(|(_, body)| body.starts_with('→')).collect()
    };
    let expected = [
        ("app", "→ /app"),
        ("bin", "→ /bin"),
        ("etc", "→ /etc"),
        ("tmp", "→ /tmp"),
        ("usr/bin/t", "→ /usr/bin/t"),
        ("usr/bin/tool", "→ /usr/bin/tool"),
    ];
    assert_eq!(of("web-1.2-r0"), expected.map(|(path, body)| (path.to_owned(), body.to_owned())));
    assert_eq!(of("tool-3"), [], "it looks for nothing");
}

#[test]
fn a_package_is_kept_whole_where_that_is_asked_for() {
    let known = Known::new(&["usr/bin/web"]);
    let whole = entries_by_path(&known.composed(&Choices::default(), Granularity::Package));
    assert!(whole.contains_key("nix/store/web-1.2-r0/usr/share/man/web.1"));
    assert!(!whole.contains_key("usr/bin/tool"));
}

#[test]
fn wishes_win_over_what_is_needed() {
    let known = Known::new(&["usr/bin/web", "usr/share/man/web.1", "usr/bin/t"]);
    let mut choices = Choices::default();
    choices.drop("docs").unwrap();
    choices.keep("tool").unwrap();
    let image = known.image();
    let selection = select(&image, &choices, Granularity::File);
    let plan = image.plan(&selection, &choices);
    let row = |name: &str| plan.rows.iter().find(|row| row.name.starts_with(name)).unwrap();
    assert_eq!((row("tool").decision, row("tool").kept_bytes), (Decision::KeepAsked, 3000));
    assert_eq!((row("web").kept_bytes, row("web").dropped_bytes), (1000, 200));
    assert!(entries_by_path(&known.composed(&choices, Granularity::File)).contains_key("usr/bin/t"));
}

#[test]
fn a_link_to_what_goes_goes_too() {
    let known = Known::new(&["usr/bin/web", "usr/bin/t"]);
    let composition = known.composed(&Choices::default(), Granularity::File);
    assert!(!entries_by_path(&composition).contains_key("usr/bin/t"));
}

#[test]
fn every_byte_of_the_image_is_in_one_row() {
    let known = Known::new(&["usr/bin/web"]);
    let image = known.image();
    let choices = Choices::default();
    let plan = image.plan(&select(&image, &choices, Granularity::File), &choices);
    // A second name of a file costs nothing.
    let files: u64 = 1000 + 3000 + 200 + 5 + 14 + DATABASE.len() as u64;
    assert_eq!(plan.bytes_before(), files);
    assert_eq!(plan.bytes_after(), 1000);
    let dropped = plan.rows.iter().find(|row| row.name.starts_with("tool")).unwrap();
    assert_eq!(dropped.evidence, ["not needed by any program that the image starts"]);
}

#[test]
fn a_choice_that_matches_nothing_is_reported() {
    let known = Known::new(&["usr/bin/web"]);
    let mut choices = Choices::default();
    for wish in ["too1", "/usr/bin/tool", "/bin/tool", "/usr/share/m*/**", "/srv"] {
        choices.keep(wish).unwrap();
    }
    choices.drop("web,docs,/none").unwrap();
    let image = known.image();
    let plan = image.plan(&select(&image, &choices, Granularity::File), &choices);
    let expected = ["too1", "/none"].map(|wish| format!("{wish}: nothing in the image matches"));
    assert_eq!(plan.doubts, [format!("--keep {}", expected[0]), format!("--drop {}", expected[1])]);
}
