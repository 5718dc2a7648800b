use super::root;
use crate::support::program::run;

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
        ("/etc/missing", "«/etc/missing» is not in the image"),
        ("/nowhere", "leads to /not"),
        ("/ring", "ring of symbolic links"),
        ("/etc/config/below", "not in the image"),
    ] {
        let message = run(&["cat", place.image(), path]).refused();
        assert!(message.contains(reason), "{path}: {message}");
    }
}
