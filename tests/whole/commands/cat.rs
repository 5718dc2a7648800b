use super::{Place, root};
use crate::support::program::run;
use crate::support::pseudo_terminal::on_terminal;
use crate::support::tar_bytes::Tar;

#[test]
fn links_lead_through_the_image_and_nowhere_else() {
    let place = root();
    for path in [
        "/etc/config",
        "etc/config",
        "/etc/relative",
        "/etc/absolute",
        "/etc/climbs",
        "/dir/config",
        "/../etc//./config",
    ] {
        assert_eq!(run(&["cat", place.image(), path]).done().text(), "two\n", "{path}");
    }
    assert_eq!(run(&["cat", place.image(), "/bin/alias"]).done().text(), "#!/bin/sh\n");
}

#[test]
fn as_the_image_is_with_the_layers_up_to_one() {
    let place = root();
    assert_eq!(run(&["cat", place.image(), "/dir/config", "--layer", "0"]).done().text(), "one\n");
    assert_eq!(run(&["cat", place.image(), "/dir/config", "--layer", "1"]).done().text(), "two\n");
    let report = run(&["inspect", place.image(), "--format", "json"]).done();
    let report: serde_json::Value = serde_json::from_str(report.text()).unwrap();
    let diff_id = report["layers"][0]["diffId"].as_str().unwrap();
    for layer in [diff_id, &diff_id[..19], &diff_id[7..15]] {
        assert_eq!(run(&["cat", place.image(), "/etc/config", "--layer", layer]).done().text(), "one\n", "{layer}");
    }
    for (layer, reason) in [("2", "numbered from 0"), ("ffff", "no layer"), ("sha256:", "more of the digest")] {
        let message = run(&["cat", place.image(), "/etc/config", "--layer", layer]).refused();
        assert!(message.contains(reason), "{message}");
    }
    assert!(run(&["cat", place.image(), "/etc/secret", "--layer", "0"]).refused().contains("not in the image"));
}

#[test]
fn what_has_no_content_is_told() {
    let place = root();
    for (path, reason) in [
        ("/etc", "/etc is a directory"),
        ("/", "/ is a directory"),
        ("/etc/missing", "`/etc/missing` is not in the image"),
        ("/nowhere", "links to /not"),
        ("/ring", "ring of symbolic links"),
        ("/etc/config/below", "not in the image"),
    ] {
        let message = run(&["cat", place.image(), path]).refused();
        assert!(message.contains(reason), "{path}: {message}");
    }
}

/// A file with everything that a terminal would take for more than text, and what is shown of it there.
const HOSTILE: &[u8] = b"a\x1b[2J\x1b]0;x\x07\tb\r\nc\xc2\x9b31m\xe2\x80\xae\xff\xe3\x85\xa4\xc2\xa0\x00 \xe6\x97\xa5\xe2\x9a\xa0\xef\xb8\x8f\n";
const SHOWN: &str = "a\\x1b[2J\\x1b]0;x\\x07\tb\\r\nc\\u{9b}31m\\u{202e}\\xff\\u{3164}\\u{a0}\\x00 日⚠\u{fe0f}\n";

#[test]
fn a_terminal_gets_no_control_characters_unless_it_is_asked_for() {
    let place = Place::of(vec![Tar::new().file("evil", HOSTILE).finish()]);
    let cat = |more: &[&str]| {
        let arguments = [&["cat", place.image(), "/evil"], more].concat();
        let written = on_terminal(&arguments, &[]);
        // The terminal itself puts a carriage return before each line feed.
        String::from_utf8_lossy(&written).replace("\r\n", "\n").into_bytes()
    };
    assert_eq!(String::from_utf8(cat(&[])).unwrap(), SHOWN);
    let raw = cat(&["--raw-bytes"]);
    assert!(raw.starts_with(b"a\x1b[2J\x1b]0;x\x07"), "{raw:?}");
    for more in [&[][..], &["--raw-bytes"]] {
        let arguments = [&["cat", place.image(), "/evil"], more].concat();
        assert_eq!(run(&arguments).done().stdout, HOSTILE);
    }
}
