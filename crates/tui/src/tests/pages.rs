//! The pages other than the files.

use std::sync::Arc;

use super::screens::shows;
use super::*;
use crate::pages::Page;
use crate::{Insights, Opened};
use nixdive_analyse::analysis::{HiddenCopies, assess};
use nixdive_image::LayerIndex;
use nixdive_packages::{DatabaseFile, Inventory, Ownership, parse};
use samples::web_with_history;

/// A database in which one package owns what the sample's installation brought.
const INSTALLED: &[u8] = b"P:tool\nV:1.2-r0\nA:x86_64\nI:4096\nF:usr/bin\nR:tool\nF:opt/app\nR:tool\n\n";

/// A person who sees an image of which waste and packages are known.
pub(super) fn informed(opened: Opened, database: &[u8], size: (u16, u16)) -> Person {
    let image = Arc::clone(&opened.image);
    let mut person = Person::seeing(opened, size);
    let packages = parse(&[DatabaseFile { path: b"/lib/apk/db/installed".into(), content: database }]).packages;
    let top = image.tree.top_layer().unwrap_or(LayerIndex(0));
    let ownership = Ownership::compute(&image.tree, top, &packages, &|_| None);
    let packages = Arc::new(Inventory { packages, ownership, problems: Vec::new() });
    let hidden = Some(HiddenCopies::of(&image.tree));
    let findings = Insights { assessment: assess(&image), hidden, packages };
    person.hears(Report::Insights(Arc::new(findings)));
    person
}

fn looking(size: (u16, u16), keys: &str) -> Person {
    let mut person = informed(web_with_history(), INSTALLED, size);
    person.presses(keys);
    person
}

fn page(person: &Person) -> Page {
    person.session().pages.current
}

#[test]
fn digits_and_tab_lead_from_page_to_page() {
    for (keys, expected) in [
        ("2", Page::Image),
        ("3", Page::Waste),
        ("4", Page::Packages),
        ("5", Page::Map),
        ("2 1", Page::Files),
        ("2 tab", Page::Waste),
        ("5 tab", Page::Store),
        ("6 tab", Page::Findings),
        ("7 tab", Page::Rebuild),
        ("8 tab", Page::Files),
        ("R", Page::Rebuild),
        ("2 shift-tab", Page::Files),
        ("4 esc", Page::Files),
    ] {
        assert_eq!(page(&looking((120, 40), keys)), expected, "{keys}");
    }
}

#[test]
fn a_wasted_path_is_shown_in_the_files() {
    let person = looking((120, 40), "3 enter");
    assert_eq!(page(&person), Page::Files);
    assert_eq!(person.selected_path(), "/var/cache/packages.db");
}

#[test]
fn a_package_shows_its_files_alone() {
    let mut person = looking((120, 40), "4 enter");
    assert_eq!(person.opened().tree.filter.as_ref().unwrap().marks.count, 2);
    person.presses("esc");
    assert!(person.opened().tree.filter.is_none());
}

#[test]
fn a_map_goes_in_and_out() {
    let mut person = looking((40, 12), "5 down");
    let selected = person.session().pages.map.selected;
    assert!(selected.is_some());
    person.presses("enter");
    let inside = person.session().pages.map.directory;
    assert_eq!(Some(inside), selected);
    person.presses("minus");
    assert_eq!(person.session().pages.map.selected, selected);
}

#[test]
fn the_image_with_its_dockerfile() {
    shows("page_image", |size| looking(size, "2"));
}

#[test]
fn the_waste_and_what_would_save_it() {
    shows("page_waste", |size| looking(size, "3"));
}

#[test]
fn the_packages() {
    shows("page_packages", |size| looking(size, "4"));
}

#[test]
fn the_map() {
    shows("page_map", |size| looking(size, "5 down"));
    shows("page_map_kind", |size| looking(size, "5 down enter c"));
}

#[test]
fn packages_are_filtered_by_name() {
    let mut person = looking((120, 40), "4");
    let shown = |person: &Person| person.session().pages.packages.len();
    let all = shown(&person);
    let name = person.session().pages.packages.row(&person.session().pages.findings.packages, 0).unwrap().name;
    person.presses("/").types(&name.to_uppercase());
    assert_eq!(shown(&person), 1, "{}", person.text());
    person.types("x");
    assert_eq!(shown(&person), 0, "{}", person.text());
    person.presses("enter esc");
    assert_eq!(shown(&person), all);
    assert_eq!(page(&person), Page::Packages);
}
