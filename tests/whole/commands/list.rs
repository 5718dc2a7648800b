use super::root;
use crate::support::program::run;

#[test]
fn names_one_a_line() {
    let place = root();
    assert_eq!(run(&["ls", place.image()]).done().text(), "bin/\ndir\netc/\ngnir\nnowhere\nring\n");
    let etc = "absolute\nclimbs\nconfig\nrelative\nsecret\n";
    for path in ["/etc", "etc/", "/dir"] {
        assert_eq!(run(&["ls", place.image(), path]).done().text(), etc, "{path}");
    }
    assert_eq!(run(&["ls", place.image(), "/etc/config"]).done().text(), "config\n");
    assert_eq!(
        run(&["ls", place.image(), "/etc", "--layer", "0"]).done().text(),
        "absolute\nclimbs\nconfig\nrelative\n"
    );
}

#[test]
fn everything_below() {
    let place = root();
    let expected = "bin/\nbin/alias\nbin/tool\ndir\netc/\netc/absolute\netc/climbs\netc/config\netc/relative\netc/secret\n\
        gnir\nnowhere\nring\n";
    assert_eq!(run(&["ls", "-R", place.image()]).done().text(), expected);
    let below = "absolute\nclimbs\nconfig\nrelative\nsecret\n";
    assert_eq!(run(&["ls", place.image(), "/etc", "--recursive"]).done().text(), below);
}

#[test]
fn mode_owner_bytes_and_targets() {
    let place = root();
    let listing = run(&["ls", "-l", place.image(), "/etc"]).done();
    let line = |name: &str| {
        let line = listing.text().lines().find(|line| line.split(' ').any(|word| word == name));
        line.unwrap_or_else(|| panic!("{name} in {}", listing.text())).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("secret"), "-rw------- 5:6 1 secret");
    assert_eq!(line("config"), "-rw-r--r-- 0:0 4 config");
    assert_eq!(line("relative"), "lrwxrwxrwx 0:0 0 relative -> config");
    let bin = run(&["ls", "-lR", place.image(), "/"]).done();
    assert!(bin.text().contains(" link to bin/tool\n"), "{}", bin.text());
    assert!(bin.text().contains("-rwxr-xr-x"), "{}", bin.text());
}

#[test]
fn what_is_not_there_is_told() {
    let place = root();
    assert!(run(&["ls", place.image(), "/missing"]).refused().contains("`/missing` is not in the image"));
    assert!(run(&["ls", place.image(), "/ring"]).refused().contains("ring"));
}
