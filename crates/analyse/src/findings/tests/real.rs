//! Tests on real images, with the findings that an expert expects.

use super::*;
use crate::examine::examine;
use crate::findings::{Subject, find};
use nixdive_base::cancel::Cancel;
use nixdive_image::NodeId;
use nixdive_image::reference::Reference;
use nixdive_image::testing::corpus_file;
use nixdive_source::open::{Keep, open};
use nixdive_source::open::{OpenOptions, Progress};
use nixdive_source::study::{StudyOptions, study};

fn judged(name: &str) -> Option<Judged> {
    let file = corpus_file(name)?;
    let reference = Reference::parse(file.as_os_str()).unwrap();
    let options = OpenOptions { keep: Keep::Content, ..OpenOptions::default() };
    let opened = open(&reference, &options, &Progress::new()).unwrap();
    let store = study(&opened, &StudyOptions::default()).unwrap();
    let facts = examine(&opened.image, &opened.contents, 0, &Cancel::new()).unwrap();
    assert_eq!(facts.unread, 0);
    let found = find(&Subject { image: &opened.image, packages: None, store: store.as_ref(), facts: Some(&facts) });
    Some(Judged { opened, store, found })
}

fn ids(judged: &Judged) -> Vec<&'static str> {
    judged.found.list.iter().map(|finding| finding.rule.id()).collect()
}

#[test]
fn perl_is_in_the_nix_image_for_one_script_of_openssl() {
    let Some(judged) = judged("nix/web-nix.tar.gz") else { return };
    let finding = judged.of(Rule::InterpreterByShebang).unwrap();
    assert_eq!((finding.count, finding.bytes), (1, 11_518_576));
    let script = judged.places(Rule::InterpreterByShebang).remove(1);
    assert!(script.ends_with("-openssl-3.0.22/bin/c_rehash"), "{script}");
    let expected = [
        "nix.interpreter-by-shebang",
        "image.duplicate-content",
        "nix.documentation",
        "image.root-user",
        "image.no-ca-bundle",
        "nix.created-1970",
    ];
    assert_eq!(ids(&judged), expected);
}

#[test]
fn what_apt_left_in_the_docker_image_is_found_under_what_removed_it() {
    let Some(judged) = judged("dockerfile/web-docker.tar.zst") else { return };
    assert!(judged.places(Rule::HiddenCopies).starts_with(&["/var/cache/apt/pkgcache.bin".to_owned()]));
    let expected = [
        "image.hidden-copies",
        "image.locales",
        "image.documentation",
        "image.package-cache",
        "image.temporary-files",
        "image.root-user",
        "image.set-uid",
    ];
    assert_eq!(ids(&judged), expected);
    let tree = &judged.opened.image.tree;
    let visible = tree.totals_at(NodeId::ROOT, tree.top_layer().unwrap()).bytes;
    let hidden = judged.of(Rule::HiddenCopies).unwrap().bytes;
    assert_eq!(hidden, judged.opened.image.file_bytes() - visible);
}
