//! Selections from small images whose store paths refer to each other.

use std::io::Read;

use super::{SelectError, Selection, StoreImage, compose, select};
use crate::choices::{Choices, Cut};
use crate::plan::{Decision, DropClass, RowSubject};
use crate::{Body, Composition, ImageContent, ReadContent};
use nixdive_base::cancel::Cancel;
use nixdive_image::testing::archive::{Written, docker_archive, tar_of};
use nixdive_nix::graph::PathId;
use nixdive_nix::study::StoreStudy;
use nixdive_scan::Section;
use nixdive_source::open::{Keep, OpenOptions, Opened, Progress, open_section};
use nixdive_source::study::{StudyOptions, study};

/// Returns a store path whose hash part is one letter, 32 times.
pub(super) fn path(letter: char, name: &str) -> String {
    format!("nix/store/{}-{name}", letter.to_string().repeat(32))
}

/// Returns an image in which `app` needs `lib` and, through a script, `tool`; `tool` needs `deep`; nothing needs
/// `stray`, which needs `lib`. `/bin/app` is a link into `app`.
pub(super) fn entries() -> Vec<Written> {
    let (app, lib, tool) = (path('a', "app-1.0"), path('b', "lib-2.0"), path('c', "tool-3.0"));
    let (deep, stray) = (path('d', "deep-4.0"), path('f', "stray-5.0"));
    vec![
        Written::directory("nix"),
        Written::directory("nix/store"),
        Written::directory(&app),
        Written::directory(&format!("{app}/bin")),
        Written { mode: 0o555, ..Written::file(&format!("{app}/bin/app"), format!("uses /{lib}/l.so").as_bytes()) },
        Written { mode: 0o555, ..Written::file(&format!("{app}/bin/fix"), format!("#!/{tool}/t\n").as_bytes()) },
        Written::directory(&format!("{app}/share")),
        Written::directory(&format!("{app}/share/man")),
        Written::file(&format!("{app}/share/man/app.1"), &[b'm'; 100]),
        Written::symlink(&format!("{app}/manual"), "share/man/app.1"),
        Written::directory(&lib),
        Written::file(&format!("{lib}/l.so"), &[b'l'; 1000]),
        Written::directory(&tool),
        Written::file(&format!("{tool}/t"), format!("/{deep}/d").as_bytes()),
        Written::directory(&deep),
        Written::file(&format!("{deep}/d"), &[b'd'; 5000]),
        Written::directory(&stray),
        Written::file(&format!("{stray}/s"), format!("/{lib}").as_bytes()),
        Written::directory("bin"),
        Written::symlink("bin/app", &format!("/{app}/bin/app")),
        Written::symlink("bin/man", &format!("/{app}/manual")),
    ]
}

pub(super) struct Known {
    pub opened: Opened,
    pub study: StoreStudy,
}

impl Known {
    pub fn new(entries: &[Written]) -> Self {
        let archive = docker_archive(&[tar_of(entries)]);
        let options = OpenOptions { keep: Keep::Aside, ..OpenOptions::default() };
        let opened = open_section(Section::from_bytes(archive), "image.tar", &options, &Progress::new()).unwrap();
        let study = study(&opened, &StudyOptions::default()).unwrap().unwrap();
        Self { opened, study }
    }

    pub fn image(&self) -> StoreImage<'_> {
        StoreImage::new(&self.opened.image, &self.study)
    }

    fn id(&self, name: &str) -> PathId {
        self.study.ids().find(|&id| self.study.get_path(id).unwrap().package().name == name).unwrap()
    }

    fn kept(&self, selection: &Selection) -> Vec<String> {
        let kept = self.study.ids().filter(|&id| selection.keeps(id));
        kept.map(|id| self.study.get_path(id).unwrap().package().name.to_owned()).collect()
    }
}

fn choices(keep: &[&str], drop: &[&str], cut: &[(&str, &str)]) -> Choices {
    let mut choices = Choices::default();
    keep.iter().for_each(|text| choices.keep(text).unwrap());
    drop.iter().for_each(|text| choices.drop(text).unwrap());
    choices.cut = cut.iter().map(|(from, to)| Cut { from: (*from).into(), to: (*to).into() }).collect();
    choices
}

#[test]
fn what_no_root_reaches_goes_and_every_row_says_why() {
    let known = Known::new(&entries());
    let image = known.image();
    let selection = select(&image, &Choices::default()).unwrap();
    assert_eq!(known.kept(&selection), ["app", "lib", "tool", "deep"]);
    let plan = image.plan(&selection, &Choices::default());
    let row = |name: &str| plan.rows.iter().find(|row| row.name.contains(name)).unwrap();
    assert_eq!(row("deep").evidence, ["/bin/app → app-1.0/bin/app → tool-3.0 (by bin/fix) → deep-4.0 (by t)"]);
    assert_eq!((row("deep").decision, row("deep").kept_bytes), (Decision::Keep, 5000));
    assert_eq!(row("stray").evidence, ["no field of the configuration, file or store path refers to it"]);
    assert_eq!(plan.bytes_before() - plan.bytes_after(), row("stray").bytes_before());
}

#[test]
fn a_cut_takes_what_only_it_led_to() {
    let known = Known::new(&entries());
    let image = known.image();
    for from in ["app", "fix", &format!("/{}/bin/fix", path('a', "app-1.0"))] {
        let selection = select(&image, &choices(&[], &[], &[(from, "tool")])).unwrap();
        assert_eq!(known.kept(&selection), ["app", "lib"], "{from}");
        let plan = image.plan(&selection, &Choices::default());
        let deep = plan.rows.iter().find(|row| row.name.contains("deep")).unwrap();
        assert_eq!(deep.evidence, ["only referenced by what is dropped or cut: tool-3.0"]);
    }
}

#[test]
fn a_cut_of_nothing_is_an_error() {
    let known = Known::new(&entries());
    let image = known.image();
    let cut = |from: &str, to: &str| select(&image, &choices(&[], &[], &[(from, to)])).unwrap_err();
    assert!(matches!(cut("lib", "tool"), SelectError::NothingToCut { .. }));
    assert!(matches!(cut("app", "nobody"), SelectError::Unknown { .. }));
}

#[test]
fn a_class_goes_with_its_directories_and_the_links_to_it() {
    let known = Known::new(&entries());
    let image = known.image();
    let asked = choices(&[], &["docs"], &[]);
    let selection = select(&image, &asked).unwrap();
    let app = known.id("app");
    let gone: Vec<String> = image
        .entries(app)
        .iter()
        .enumerate()
        .filter(|(place, _)| selection.drops_entry(app, *place))
        .map(|(_, entry)| String::from_utf8(known.opened.image.tree.name(entry.node).to_vec()).unwrap())
        .collect();
    assert_eq!(gone, ["manual", "share", "man", "app.1"]);
    assert_eq!(selection.dropped_links, 2, "the link in the store and the one that leads to it");
    let plan = image.plan(&selection, &asked);
    let docs = plan.classes.iter().find(|row| row.class == DropClass::Docs).unwrap();
    assert_eq!((docs.bytes, docs.is_kept), (100, false));
}

#[test]
fn what_is_asked_for_stays_with_what_it_needs() {
    let known = Known::new(&entries());
    let image = known.image();
    let selection = select(&image, &choices(&["stray"], &["tool"], &[])).unwrap();
    assert_eq!(known.kept(&selection), ["app", "lib", "stray"]);
    let plan = image.plan(&selection, &Choices::default());
    let tool = plan.rows.iter().find(|row| row.name.contains("tool")).unwrap();
    assert_eq!(tool.decision, Decision::DropAsked);
    assert!(tool.doubt.is_some(), "it is needed all the same");
}

#[test]
fn a_row_that_was_decided_wins_over_patterns() {
    let known = Known::new(&entries());
    let image = known.image();
    let mut asked = choices(&[], &["tool"], &[]);
    asked.decided.insert(RowSubject::StorePath(known.id("tool")), true);
    let selection = select(&image, &asked).unwrap();
    assert_eq!(known.kept(&selection), ["app", "lib", "tool", "deep"]);
}

#[test]
fn what_changes_is_named_by_its_content_and_so_is_all_that_refers_to_it() {
    let known = Known::new(&entries());
    let image = known.image();
    let content = ImageContent::new(&known.opened.image.tree, &known.opened.contents);
    let composed = |choices: &Choices| {
        let selection = select(&image, choices).unwrap();
        compose(&image, &selection, &content, &Cancel::new()).unwrap()
    };
    let names = |composition: &Composition| -> Vec<String> {
        composition.store_paths.iter().map(|path| path.path.base_name().to_owned()).collect()
    };
    let kept = composed(&Choices::default());
    assert!(names(&kept).iter().all(|name| name.starts_with(&name[..1].repeat(32))), "nothing changed");
    let cut = composed(&choices(&[], &["docs"], &[("fix", "tool")]));
    let app = cut.store_paths.iter().find(|path| path.path.package().name == "app").unwrap();
    assert!(!app.path.base_name().starts_with(&"a".repeat(32)));
    assert!(names(&cut).contains(&format!("{}-lib-2.0", "b".repeat(32))), "what it refers to stays as it is");
    let link = cut.outside.iter().find(|entry| &*entry.path == b"bin/app").unwrap();
    let Body::Symlink(target) = &link.body else { panic!("{link:?}") };
    assert_eq!(&**target, format!("{}/bin/app", app.path).as_bytes(), "links follow the new name");
    let fix = app.entries.iter().find(|entry| entry.path.ends_with(b"/bin/fix")).unwrap();
    let Body::File(file) = &fix.body else { panic!("{fix:?}") };
    let mut bytes = String::new();
    content.read(&file.content).unwrap().read_to_string(&mut bytes).unwrap();
    assert_eq!(bytes, format!("#!/nix/store/{}-tool-3.0/t\n", "e".repeat(32)));
}
