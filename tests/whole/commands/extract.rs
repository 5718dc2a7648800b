//! Extraction, which never writes outside its destination.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::{Place, contents, root};
use crate::support::program::{Run, nixdive, run};
use crate::support::tar_bytes::{Entry, Tar};

/// Extracts a path of an image into `dest`, beside a directory that must stay as it was.
fn extract_beside_sentinel(place: &Place, path: &str) -> Run {
    let outside = place.path("outside");
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::write(outside.join("sentinel"), "untouched").unwrap();
    let run = run(&["extract", place.image(), path, "-o", &place.text("dest")]);
    assert_eq!(contents(&outside), [("sentinel".to_owned(), "untouched".to_owned())], "{}", run.stderr);
    let beside: Vec<String> = contents(place.directory.path())
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with("dest/"))
        .collect();
    assert_eq!(
        beside,
        ["dest", "image.tar", "outside", "outside/sentinel"],
        "nothing is written beside the destination"
    );
    run
}

fn names(place: &Place) -> Vec<String> {
    contents(&place.path("dest")).into_iter().map(|(name, what)| format!("{name} {what}")).collect()
}

#[test]
fn a_file_a_directory_and_all() {
    let place = root();
    let to = |name: &str| place.text(name);
    run(&["extract", place.image(), "/etc/config", "-o", &to("file")]).done();
    assert_eq!(contents(&place.path("file")), [("config".to_owned(), "two\n".to_owned())]);
    run(&["extract", place.image(), "/etc/config", "-o", &to("file"), "--layer", "0"]).done();
    assert_eq!(contents(&place.path("file")), [("config".to_owned(), "one\n".to_owned())], "replaced");
    run(&["extract", place.image(), "/dir", "-o", &to("directory")]).done();
    assert_eq!(
        contents(&place.path("directory")),
        [
            ("etc", "directory"),
            ("etc/absolute", "-> /etc/config"),
            ("etc/climbs", "-> ../../../../etc/config"),
            ("etc/config", "two\n"),
            ("etc/relative", "-> config"),
            ("etc/secret", "s"),
        ]
        .map(|(name, what)| (name.to_owned(), what.to_owned()))
    );
    for arguments in [&["extract", place.image(), "/"][..], &["extract", place.image()]] {
        let to = to("all");
        let arguments = [arguments, &["-o", &to]].concat();
        // A second time over what is there already.
        run(&arguments).done();
        assert_eq!(contents(&place.path("all")).len(), 13);
    }
    let tool = place.path("all/bin/tool").metadata().unwrap();
    assert_eq!(tool.mode() & 0o7777, 0o755);
    assert_eq!(tool.mtime(), 1_700_000_000);
    assert_eq!(tool.ino(), place.path("all/bin/alias").metadata().unwrap().ino(), "one file under two names");
    assert_eq!(place.path("all/etc/secret").metadata().unwrap().mode() & 0o7777, 0o600);
}

#[test]
fn names_that_climb_or_are_absolute_stay_inside() {
    let place = Place::of(vec![
        Tar::new()
            .file("../outside/sentinel", "hostile")
            .file("../../outside/evil", "hostile")
            .file("/outside/evil", "hostile")
            .file("a/../../outside/evil2", "hostile")
            .pax(&[("path", b"../outside/evil3")])
            .file("x", "hostile")
            .finish(),
    ]);
    extract_beside_sentinel(&place, "/").done();
    assert_eq!(
        names(&place),
        [
            "outside directory",
            "outside/evil hostile",
            "outside/evil2 hostile",
            "outside/evil3 hostile",
            "outside/sentinel hostile"
        ]
    );
}

#[test]
fn nothing_is_written_through_a_symbolic_link_of_the_image() {
    for target in ["../outside", "/proc/self/cwd/outside"] {
        let place = Place::of(vec![
            Tar::new()
                .symlink("way", target)
                .file("way/evil", "hostile")
                .symlink("file", format!("{target}/sentinel"))
                .hard_link("hard", "file")
                .finish(),
            Tar::new().file("way/later", "hostile").finish(),
        ]);
        extract_beside_sentinel(&place, "/");
    }
    // The link in one layer, and a file through it in the next one.
    let place = Place::of(vec![
        Tar::new().symlink("way", "../outside").finish(),
        Tar::new().directory("way").file("way/sentinel", "hostile").finish(),
    ]);
    extract_beside_sentinel(&place, "/").done();
    assert_eq!(names(&place), ["way directory", "way/sentinel hostile"]);
}

#[test]
fn nothing_is_written_through_a_link_that_was_there_before() {
    let place = Place::of(vec![Tar::new().file("way/sentinel", "hostile").finish()]);
    std::fs::create_dir(place.path("dest")).unwrap();
    symlink(place.path("outside"), place.path("dest/way")).unwrap();
    let message = extract_beside_sentinel(&place, "/").refused();
    assert!(message.contains("dest/way: not a directory"), "{message}");

    let place =
        Place::of(vec![Tar::new().file("file", "new").symlink("link", "elsewhere").hard_link("hard", "file").finish()]);
    std::fs::create_dir(place.path("dest")).unwrap();
    for name in ["file", "link", "hard"] {
        symlink(place.path("outside/sentinel"), place.path("dest").join(name)).unwrap();
    }
    extract_beside_sentinel(&place, "/").done();
    assert_eq!(
        names(&place),
        ["file new", "hard new", "link -> elsewhere"],
        "links in the way are replaced, not followed"
    );
}

#[test]
fn hard_links_lead_to_files_of_the_image_alone() {
    let place = Place::of(vec![
        Tar::new()
            .hard_link("absolute", "/etc/passwd")
            .hard_link("climbs", "../outside/sentinel")
            .hard_link("device", "dev")
            .add(Entry::device(b'3', "dev", 1, 3))
            .file("fine", "x")
            .finish(),
    ]);
    let run = extract_beside_sentinel(&place, "/");
    assert_eq!(run.code, Some(0));
    assert_eq!(names(&place), ["fine x"]);
    for name in ["absolute", "climbs", "dev", "device"] {
        assert!(run.stderr.contains(&format!("{name}: skipped")), "{}", run.stderr);
    }
}

#[test]
fn a_second_name_of_a_symbolic_link_is_one_too() {
    let place = Place::of(vec![Tar::new().symlink("link", "target").hard_link("second", "link").finish()]);
    extract_beside_sentinel(&place, "/").done();
    assert_eq!(names(&place), ["link -> target", "second -> target"]);
}

#[test]
fn set_id_bits_are_dropped_and_directories_stay_usable() {
    let place = Place::of(vec![
        Tar::new()
            .add(Entry::file("su", "x").mode(0o4755))
            .add(Entry::file("wall", "x").mode(0o2755))
            .add(Entry::directory("group").mode(0o2775))
            .add(Entry::directory("tmp").mode(0o1777))
            .add(Entry::directory("closed").mode(0o000))
            .file("closed/inside", "x")
            .finish(),
    ]);
    extract_beside_sentinel(&place, "/").done();
    let mode = |name: &str| place.path("dest").join(name).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("su"), 0o755);
    assert_eq!(mode("wall"), 0o755);
    assert_eq!(mode("group"), 0o775);
    assert_eq!(mode("tmp"), 0o1777, "without it anybody could remove another's files");
    assert_eq!(mode("closed"), 0o700);
}

#[test]
fn many_names_of_one_file() {
    let mut tar = Tar::new().file("first", vec![7; 100_000]);
    for number in 0..3000 {
        tar = tar.hard_link(format!("links/{number}"), "first");
    }
    let place = Place::of(vec![tar.finish()]);
    extract_beside_sentinel(&place, "/").done();
    assert_eq!(place.path("dest/first").metadata().unwrap().nlink(), 3001);
    // Only second names, and not the first.
    run(&["extract", place.image(), "/links", "-o", &place.text("links")]).done();
    assert_eq!(place.path("links/links/2999").metadata().unwrap().nlink(), 3000);
    assert_eq!(place.path("links/links/0").metadata().unwrap().len(), 100_000);
}

#[test]
fn devices_and_pipes_are_left_out_and_told() {
    let mut tar = Tar::new().file("file", "x");
    for number in 0..30 {
        tar = tar.add(Entry::of(b'6', format!("pipe-{number:02}")));
    }
    let place = Place::of(vec![tar.finish()]);
    let run = extract_beside_sentinel(&place, "/");
    assert_eq!(run.code, Some(0));
    assert_eq!(names(&place), ["file x"]);
    assert!(run.stderr.contains("pipe-00: skipped: device or pipe"), "{}", run.stderr);
    assert!(run.stderr.contains("10 more"), "what is not named is counted: {}", run.stderr);
}

#[test]
fn what_stands_in_the_way_is_told_and_nothing_is_left_half_written() {
    let place = Place::of(vec![Tar::new().file("name", "file").finish()]);
    std::fs::create_dir_all(place.path("dest/name/inside")).unwrap();
    let message = extract_beside_sentinel(&place, "/").refused();
    assert!(message.contains("dest/name: "), "{message}");
    assert_eq!(names(&place), ["name directory", "name/inside directory"]);
    std::fs::write(place.path("file"), "x").unwrap();
    let message = run(&["extract", place.image(), "/", "-o", &place.text("file")]).refused();
    assert!(message.contains("file: "), "{message}");
    assert!(
        run(&["extract", place.image(), "/missing", "-o", &place.text("d")]).refused().contains("not in the image")
    );
}

#[test]
fn a_file_that_was_cut_off_is_told_and_not_written() {
    let place = root();
    let bytes = std::fs::read(&place.image).unwrap();
    let end = bytes.windows(4).rposition(|window| window == b"two\n").unwrap() + 2;
    std::fs::write(&place.image, &bytes[..end]).unwrap();
    let run = extract_beside_sentinel(&place, "/etc/config");
    let message = run.refused();
    assert!(message.contains("etc/config") && message.contains("layer 1"), "{message}");
    assert_eq!(names(&place), [] as [&str; 0]);
}

#[test]
fn from_a_pipe_and_from_a_compressed_archive() {
    let place = root();
    let bytes = crate::support::compress::gzip(&std::fs::read(&place.image).unwrap());
    crate::support::program::run_with_pipe(&["extract", "-", "/", "-o", &place.text("piped")], &bytes).done();
    std::fs::write(place.path("image.tar.gz"), &bytes).unwrap();
    run(&["extract", &place.text("image.tar.gz"), "/", "-o", &place.text("unpacked")]).done();
    run(&["extract", place.image(), "/", "-o", &place.text("plain")]).done();
    assert_eq!(contents(&place.path("piped")), contents(&place.path("plain")));
    assert_eq!(contents(&place.path("unpacked")), contents(&place.path("plain")));
}

#[test]
fn a_name_longer_than_the_system_takes_is_left_out_and_told() {
    let long = "n".repeat(300);
    let deep = vec!["d"; 3000].join("/");
    let place = Place::of(vec![
        Tar::new()
            .pax(&[("path", long.as_bytes())])
            .file("x", "x")
            .pax(&[("path", deep.as_bytes())])
            .file("x", "x")
            .file("fine", "x")
            .finish(),
    ]);
    let run = extract_beside_sentinel(&place, "/");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(place.path("dest/fine").exists());
    assert_eq!(run.stderr.lines().count(), 2, "{}", run.stderr);
    assert!(run.stderr.contains("longer than the system allows"), "{}", run.stderr);
}

/// Another process that may write in the destination swaps a directory for a link while it is written to.
#[test]
fn a_directory_that_is_swapped_for_a_link_meanwhile_leads_nowhere() {
    let mut tar = Tar::new().directory("a");
    for number in 0..400 {
        tar = tar.file(format!("b/{number}"), "x".repeat(2000));
    }
    for number in 0..100 {
        tar = tar.file(format!("a/{number}"), "x");
    }
    let place = Place::of(vec![tar.finish()]);
    let victim = place.path("victim");
    std::fs::create_dir(&victim).unwrap();
    for round in 0..3 {
        let dest = place.path(&format!("dest-{round}"));
        std::fs::create_dir(&dest).unwrap();
        let mut child = nixdive()
            .args(["extract", place.image(), "/", "-o", dest.to_str().unwrap()])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut swapped = false;
        while !swapped && child.try_wait().unwrap().is_none() {
            swapped =
                std::fs::rename(dest.join("a"), dest.join("aside")).is_ok() && symlink(&victim, dest.join("a")).is_ok();
        }
        child.wait().unwrap();
        assert!(swapped, "round {round}: it was over before the directory was there");
        assert_eq!(contents(&victim), [], "round {round}");
    }
}
