use super::*;
use nixdive_image::reference::Reference;
use nixdive_image::testing::archive::{Written, docker_archive, tar_of};
use nixdive_image::testing::corpus_file;
use nixdive_scan::Section;
use nixdive_source::open::{Keep, OpenOptions, Opened, Progress, open, open_section};

fn opened(entries: &[Written]) -> Opened {
    let bytes: &'static [u8] = Vec::leak(docker_archive(&[tar_of(entries)]));
    let section = Section::new(std::sync::Arc::new(bytes), 0, bytes.len() as u64);
    let options = OpenOptions { keep: Keep::AnyContent, ..OpenOptions::default() };
    open_section(section, "test", &options, &Progress::new()).unwrap()
}

fn script(path: &str, text: &str) -> Written {
    Written { mode: 0o755, ..Written::file(path, text.as_bytes()) }
}

fn kinds(opened: &Opened) -> Vec<BrokenKind> {
    let report = check(&opened.image, &opened.contents, &Cancel::new()).unwrap();
    report.broken.iter().map(|broken| broken.kind).collect()
}

#[test]
fn what_is_started_has_to_be_there_with_the_program_of_its_first_line() {
    let mut image = opened(&[script("bin/app", "#!/bin/none\n"), script("bin/good", "#!/bin/good\n")]);
    image.image.config.entrypoint = vec!["app".into()];
    assert_eq!(kinds(&image), [BrokenKind::Shebang]);
    image.image.config.entrypoint = vec!["/bin/good".into()];
    assert_eq!(kinds(&image), []);
    image.image.config.entrypoint = vec!["/bin/missing".into()];
    assert_eq!(kinds(&image), [BrokenKind::Start]);
}

#[test]
fn a_user_by_name_has_to_be_known_and_one_by_number_not() {
    let mut image = opened(&[Written::file("etc/passwd", b"app:x:1:1::/:\n"), Written::file("etc/group", b"")]);
    for (user, expected) in [("app", 0), ("1000:1000", 0), ("other", 1), ("app:staff", 1), ("", 0)] {
        image.image.config.user = user.into();
        assert_eq!(kinds(&image), vec![BrokenKind::User; expected], "{user}");
    }
}

#[test]
fn links_into_the_store_must_resolve_and_others_are_reported() {
    let image = opened(&[
        Written::file("nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-x/bin/x", b"x"),
        Written::symlink("bin/x", "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-x/bin/x"),
        Written::symlink("bin/y", "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-x/bin/y"),
        Written::symlink("nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-x/z", "/nix/store/bbbb-z/z"),
        Written::symlink(
            "nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-x/cut",
            "/nix/store/eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee-p",
        ),
        Written::symlink("nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-x/own", "none"),
        Written::symlink("dev/fd", "/proc/self/fd"),
    ]);
    let report = check(&image.image, &image.contents, &Cancel::new()).unwrap();
    let broken: Vec<&str> = report.broken.iter().map(|broken| broken.message.as_str()).collect();
    assert_eq!(broken.len(), 2, "{broken:?}");
    let own = "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-x";
    assert_eq!(broken[0], format!("/bin/y is a broken link: {own}/bin/y does not exist"));
    assert_eq!(broken[1], format!("{own}/z is a broken link: /nix/store/bbbb-z does not exist"));
    assert_eq!(report.loose_links[1], format!("{own}/own is a broken link: {own}/none does not exist"));
    assert_eq!((report.loose_links.len(), report.links), (2, 6));
}

#[test]
fn a_ring_of_links_is_a_broken_link() {
    let image = opened(&[Written::symlink("a", "b"), Written::symlink("b", "a")]);
    let report = check(&image.image, &image.contents, &Cancel::new()).unwrap();
    assert_eq!(report.loose_links[0], "/a is a broken link: more than 40 links in a row");
}

#[test]
fn real_images_are_sound() {
    for name in
        ["nix/hello-nix.tar.gz", "nix/web-nix.tar.gz", "dockerfile/web-docker.tar.zst", "alpine/alpine-311.tar.gz"]
    {
        let Some(file) = corpus_file(name) else { return };
        let reference = Reference::parse(file.as_os_str()).unwrap();
        let options = OpenOptions { keep: Keep::AnyContent, ..OpenOptions::default() };
        let opened = open(&reference, &options, &Progress::new()).unwrap();
        let report = check(&opened.image, &opened.contents, &Cancel::new()).unwrap();
        assert!(report.is_sound(), "{name}: {:#?}", report.broken);
        assert!(report.reached > 2, "{name}: {report:?}");
    }
}
