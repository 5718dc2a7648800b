//! The page of a Nix store: what it costs, what refers to what, and why.

use std::sync::Arc;

use super::samples::{image, tree, web};
use super::screens::shows;
use super::{Person, Report};
use crate::pages::Page;
use crate::{Opened, Overview};
use nixdive_nix::StorePath;
use nixdive_nix::study::{ContentFindings, RecordedPath, RecordedStore, StoreOutline, StoreStudy};

const WEB: &str = "n38y6adslxrzvvgxzb0mqwkl16mbp5pr-web-1.4";
const TLS: &str = "kjs2gqh4mmdjicgrlzrwfq4s734sxd4f-tls-3.0.9";
const SCRIPT: &str = "587imkh7av06x79fp2yzyzg4z7mdgd6a-script-5.36";
const LIBC: &str = "hmnypiai2d9q9ri3yd4kdycjp1rg1027-libc-2.36";
const LEFT: &str = "35kdi2123456789abcdfghijklmnpqrs-left-over-0.1";

/// `web` needs `tls` and `libc`; `tls` needs `script` and `libc`; `script` needs `libc`. Nothing needs the last.
pub(super) fn sample() -> (Opened, Arc<StoreStudy>) {
    let entries: Vec<String> = [(WEB, 1_700), (TLS, 6_100), (SCRIPT, 12_000), (LIBC, 13_000), (LEFT, 900)]
        .iter()
        .map(|(name, kilobytes)| format!("f {kilobytes}000 nix/store/{name}/file"))
        .collect();
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    let mut image = image(tree(&[&entries[3..4], &entries[..3], &entries[4..]]), &["a", "b", "c"]);
    image.config.entrypoint = vec![format!("/nix/store/{WEB}/file")];
    let path = |name: &str| StorePath::parse(format!("/nix/store/{name}").as_bytes()).unwrap();
    let record = |(name, references): (&str, &[&str])| RecordedPath {
        path: path(name),
        references: references.iter().map(|name| path(name)).collect(),
        nar_hash: None,
        nar_bytes: None,
    };
    let graph: [(&str, &[&str]); 5] =
        [(WEB, &[TLS, LIBC]), (TLS, &[SCRIPT, LIBC]), (SCRIPT, &[LIBC]), (LIBC, &[]), (LEFT, &[])];
    let recorded = RecordedStore { paths: graph.map(record).into() };
    let outline = StoreOutline::new(&image.tree);
    let study = StoreStudy::new(&image, outline, ContentFindings::default(), Some(&recorded)).unwrap();
    let overview = Overview { efficiency: 1.0, ..Overview::default() };
    (Opened { image: Arc::new(image), overview }, Arc::new(study))
}

fn person(size: (u16, u16), keys: &str) -> Person {
    let (opened, study) = sample();
    let mut person = Person::seeing(opened, size);
    person.hears(Report::Store(Some(study)));
    person.presses(keys);
    person
}

/// The package of the selected path.
fn selected(person: &Person) -> String {
    let page = &person.session().pages.store;
    let known = page.selected().and_then(|id| page.study()?.store.get(id));
    known.map(|known| known.path.package().name.to_owned()).unwrap_or_default()
}

#[test]
fn keys_lead_along_references_and_referrers_and_back() {
    for (keys, expected) in [
        ("6", "web"),
        ("6 j", "tls"),
        ("6 j l", "libc"),
        ("6 j l j", "script"),
        ("6 j l j l", "libc"),
        ("6 j l j l h", "script"),
        ("6 j l j l h h", "tls"),
        ("6 G k h", "tls"),
        ("6 G k h h", "web"),
        ("6 G k h h l l", "script"),
        ("6 l l l l", "libc"),
        ("6 j l esc", "libc"),
        ("6 s", "web"),
        ("6 j s s", "tls"),
        ("6 s s g g", "libc"),
        ("6 s s s s g g", "left-over"),
        ("6 s s s s S g g", "web"),
        ("6 / l e f enter", "left-over"),
        ("6 / l e f enter esc", "left-over"),
        ("6 t", "web"),
    ] {
        assert_eq!(selected(&person((120, 40), keys)), expected, "{keys}");
    }
}

#[test]
fn enter_shows_the_files_of_a_store_path() {
    let person = person((120, 40), "6 j enter");
    assert_eq!(person.session().pages.current, Page::Files);
    assert_eq!(person.selected_path(), format!("/nix/store/{TLS}"));
}

#[test]
fn the_reason_is_a_chain_from_what_holds_it() {
    let mut person = person((120, 40), "6 G k");
    assert_eq!(selected(&person), "script");
    let text = person.text();
    assert!(text.contains(&format!("Why config Entrypoint: /nix/store/{WEB}/file → tls-3.0.9")), "{text}");
    person.presses("k w");
    assert!(person.text().contains("Chain 2 of 3"), "{}", person.text());
    person.presses("g g G");
    assert!(person.text().contains("unreachable from the configuration"), "{}", person.text());
}

#[test]
fn a_store_looks_like_this() {
    for (name, keys) in
        [("table", "6 j"), ("walk", "6 j l j"), ("referrers", "6 G k h"), ("map", "6 t"), ("unreachable", "6 G")]
    {
        shows(&format!("store_{name}"), |size| person(size, keys));
    }
    let without = |size| {
        let mut person = Person::seeing(web(), size);
        person.presses("6");
        person
    };
    shows("store_unknown", without);
    shows("store_none", |size| {
        let mut person = without(size);
        person.hears(Report::Store(None));
        person
    });
}

#[test]
fn a_script_is_run_only_when_the_user_says_so() {
    use crate::{Choice, Effect, Start};
    let mut person = Person::starting(Start::Loading("./result".into()), (80, 24));
    let choice = Choice { reference: "stream:./result".into(), title: "Run it".into(), detail: String::new() };
    person.hears(Report::Confirm { question: "./result is a script".into(), choice });
    assert!(person.text().contains("./result is a script") && person.text().contains("Run it"), "{}", person.text());
    let opens = |person: &Person| {
        let wanted = "stream:./result";
        person.effects.iter().any(|effect| matches!(effect, Effect::Open { reference, .. } if reference == wanted))
    };
    assert!(!opens(&person));
    person.presses("enter");
    assert!(opens(&person));
}

#[test]
fn what_is_not_here_never_weighs_nothing() {
    let name = format!("/nix/store/{WEB}");
    let directory = format!("d nix/store/{WEB}");
    let mut image = image(tree(&[&[&directory]]), &["nix2container"]);
    image.layers[0].contents = nixdive_image::LayerContents::Absent(vec![name]);
    let outline = StoreOutline::new(&image.tree);
    let study = StoreStudy::new(&image, outline, ContentFindings::default(), None).unwrap();
    let overview = Overview { efficiency: 1.0, ..Overview::default() };
    let mut person = Person::seeing(Opened { image: Arc::new(image), overview }, (120, 40));
    person.hears(Report::Store(Some(Arc::new(study))));
    person.presses("tab L");
    assert!(person.text().contains("absent"), "{}", person.text());
    person.presses("6");
    let text = person.text();
    assert!(text.contains("missing") && !text.contains("0 B"), "{text}");
}
