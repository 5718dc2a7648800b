//! Names, links, attributes and special files.

use nixdive::image::Kind;

use super::{entry, exists, in_every_way, kind};
use crate::support::program::{content, paths};
use crate::support::tar_bytes::{Entry, Tar};

#[test]
fn absolute_names_dots_and_names_that_climb() {
    let tar = Tar::new()
        .directory("./")
        .file("/absolute", "1")
        .file("./dotted", "2")
        .directory("usr//lib/./")
        .file("usr/./lib//x", "3")
        .file("../climbs", "4")
        .file("usr/../../../etc/over", "5")
        .finish();
    in_every_way(&[tar], |opened, how| {
        let shown = ["/absolute", "/climbs", "/dotted", "/etc/", "/etc/over", "/usr/", "/usr/lib/", "/usr/lib/x"];
        assert_eq!(paths(opened), shown, "{how}");
        for (path, text) in
            [("/absolute", "1"), ("/dotted", "2"), ("/usr/lib/x", "3"), ("/climbs", "4"), ("/etc/over", "5")]
        {
            assert_eq!(content(opened, path), text.as_bytes(), "{how} {path}");
        }
        let warnings: Vec<&str> = opened.image.warnings.iter().map(|warning| warning.message.as_str()).collect();
        assert_eq!(warnings.len(), 1, "{how} {warnings:?}");
        assert!(warnings[0].contains("2 names contain `..`"), "{how} {warnings:?}");
    });
}

#[test]
fn long_names_and_link_targets_of_pax_and_of_gnu_tar() {
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(250));
    let target = format!("{}/t", "../x/".repeat(60));
    let pax = Tar::new()
        .pax(&[("path", long.as_bytes())])
        .file("short", "content")
        .pax(&[("path", b"link"), ("linkpath", target.as_bytes())])
        .symlink("short", "other")
        .pax(&[("path", b"hard"), ("linkpath", long.as_bytes())])
        .hard_link("short", "other")
        .finish();
    let gnu = Tar::new()
        .gnu_long(b'L', &long)
        .add(Entry::file(&long[..100], "content").gnu())
        .gnu_long(b'K', &target)
        .add(Entry::symlink("link", &target[..100]).gnu())
        .gnu_long(b'K', &long)
        .add(Entry::hard_link("hard", &long[..100]).gnu())
        .finish();
    let mut split = [0u8; 512];
    split.copy_from_slice(&Tar::new().file("f".repeat(90), "content").unfinished()[..512]);
    for tar in [pax, gnu] {
        in_every_way(&[tar], |opened, how| {
            assert_eq!(content(opened, &format!("/{long}")), b"content", "{how}");
            assert_eq!(content(opened, "/hard"), b"content", "{how}");
            let link = entry(opened, "/link");
            assert_eq!(opened.image.tree.link_target(link).unwrap(), target.as_bytes(), "{how}");
            assert_eq!(opened.image.warnings, [], "{how}");
        });
    }
}

#[test]
fn a_name_in_two_parts_as_ustar_has_it() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    let long = format!("{}/{}", "p".repeat(120), "n".repeat(80));
    header.set_path(&long).unwrap();
    header.set_size(4);
    header.set_mode(0o644);
    header.set_cksum();
    builder.append(&header, &b"text"[..]).unwrap();
    in_every_way(&[builder.into_inner().unwrap()], |opened, how| {
        assert_eq!(content(opened, &format!("/{long}")), b"text", "{how}");
    });
}

#[test]
fn hard_links_to_what_comes_later_and_to_what_lies_below() {
    let base = Tar::new().file("base", "from the base").finish();
    let upper = Tar::new()
        .hard_link("to-later", "later")
        .hard_link("./to-base", "/base")
        .hard_link("chain", "to-later")
        .hard_link("nowhere", "missing")
        .hard_link("self", "self")
        .hard_link("ring-a", "ring-b")
        .hard_link("ring-b", "ring-a")
        .file("later", "comes later")
        .symlink("symlink", "later")
        .hard_link("to-symlink", "symlink")
        .finish();
    in_every_way(&[base, upper], |opened, how| {
        for (path, text) in [
            ("to-later", "comes later"),
            ("chain", "comes later"),
            ("to-base", "from the base"),
            ("to-symlink", "comes later"),
        ] {
            assert_eq!(content(opened, path), text.as_bytes(), "{how} {path}");
        }
        for path in ["nowhere", "self", "ring-a"] {
            let error = opened.contents.reader(&opened.image.tree, entry(opened, path)).err().unwrap();
            assert!(error.to_string().contains("has no content"), "{how} {path}: {error}");
        }
    });
}

#[test]
fn a_hard_link_to_a_file_that_a_higher_layer_changes_keeps_its_own_content() {
    let base = Tar::new().file("a", "old").hard_link("b", "a").finish();
    let upper = Tar::new().file("a", "new").finish();
    in_every_way(&[base, upper], |opened, how| {
        assert_eq!(content(opened, "/a"), b"new", "{how}");
        assert_eq!(content(opened, "/b"), b"old", "{how}");
    });
}

#[test]
fn extended_attributes_and_file_capabilities() {
    // VFS_CAP_REVISION_2, effective, CAP_NET_BIND_SERVICE permitted: linux/capability.h.
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let tar = Tar::new()
        .pax(&[("SCHILY.xattr.security.capability", &capability), ("SCHILY.xattr.user.note", b"a=b\nc\0d")])
        .file("bin/server", "x")
        .file("bin/plain", "x")
        .finish();
    let upper = Tar::new().file("bin/server", "x").finish();
    in_every_way(&[tar, upper], |opened, how| {
        let tree = &opened.image.tree;
        let node = tree.lookup(b"/bin/server").unwrap();
        let base = tree.occurrence_in(node, nixdive::image::LayerIndex(0)).unwrap();
        let xattrs: Vec<(&[u8], &[u8])> = tree.xattrs(base).iter().map(|xattr| (&*xattr.name, &*xattr.value)).collect();
        assert_eq!(xattrs, [(&b"security.capability"[..], &capability[..]), (b"user.note", b"a=b\nc\0d")], "{how}");
        assert!(tree.xattrs(entry(opened, "/bin/plain")).is_empty(), "{how}");
        let difference = tree.occurrence(entry(opened, "/bin/server")).difference();
        assert_eq!(difference, nixdive::image::Difference::XATTRS, "{how}");
    });
}

#[test]
fn what_a_global_header_says_is_no_attribute_of_the_entries() {
    let mut global =
        Tar::new().pax(&[("path", b"same"), ("size", b"999999"), ("SCHILY.xattr.user.a", b"1"), ("comment", b"x")]);
    global = Tar::new().raw(&{
        let mut bytes = global.unfinished();
        bytes[156] = b'g';
        let sum: u32 = bytes[..512]
            .iter()
            .enumerate()
            .map(|(at, &byte)| if (148..156).contains(&at) { 32 } else { u32::from(byte) })
            .sum();
        bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        bytes
    });
    in_every_way(&[global.file("one", "1").file("two", "22").finish()], |opened, how| {
        assert_eq!(paths(opened), ["/one", "/two"], "{how}");
        assert_eq!(content(opened, "/two"), b"22", "{how}");
        assert!(opened.image.tree.xattrs(entry(opened, "/one")).is_empty(), "{how}");
    });
}

#[test]
fn devices_pipes_and_modes() {
    let tar = Tar::new()
        .add(Entry::device(b'3', "dev/null", 1, 3).mode(0o666))
        .add(Entry::device(b'4', "dev/sda", 8, 0).mode(0o660).owner(0, 6))
        .add(Entry::of(b'6', "run/pipe"))
        .add(Entry::file("bin/su", "x").mode(0o4755))
        .add(Entry::directory("tmp").mode(0o1777).owner(1000, 100))
        .add(Entry::of(b'7', "contiguous"))
        .finish();
    in_every_way(&[tar], |opened, how| {
        let tree = &opened.image.tree;
        assert_eq!(kind(opened, "/dev/null"), Kind::CharacterDevice, "{how}");
        assert_eq!(tree.device(entry(opened, "/dev/null")), Some((1, 3)), "{how}");
        assert_eq!(kind(opened, "/dev/sda"), Kind::BlockDevice, "{how}");
        assert_eq!(tree.device(entry(opened, "/dev/sda")), Some((8, 0)), "{how}");
        assert_eq!(kind(opened, "/run/pipe"), Kind::Fifo, "{how}");
        assert_eq!(kind(opened, "/contiguous"), Kind::File, "{how}");
        assert_eq!(tree.occurrence(entry(opened, "/bin/su")).mode(), 0o4755, "{how}");
        assert_eq!(tree.occurrence(entry(opened, "/tmp")).mode(), 0o1777, "{how}");
        let owner = tree.owner(entry(opened, "/tmp"));
        assert_eq!((owner.uid, owner.gid), (1000, 100), "{how}");
        assert!(opened.contents.reader(tree, entry(opened, "/dev/null")).is_err(), "{how}");
    });
}

#[test]
fn names_that_are_not_utf_8_are_kept_as_bytes() {
    let name = b"caf\xe9/\xff\xfe";
    let tar = Tar::new().file(name, "latin").pax(&[("path", b"pax-\xff")]).file("x", "pax").finish();
    in_every_way(&[tar], |opened, how| {
        let mut path = b"/".to_vec();
        path.extend(name);
        let id = entry(opened, &path);
        assert_eq!(opened.image.tree.path(opened.image.tree.occurrence(id).node()), path, "{how}");
        entry(opened, b"/pax-\xff");
        assert_eq!(paths(opened), ["/caf\\xe9/", "/caf\\xe9/\\xff\\xfe", "/pax-\\xff"], "{how}");
    });
}

#[test]
fn of_one_name_twice_the_last_counts() {
    let tar = Tar::new()
        .file("a", "first")
        .file("b", "file")
        .directory("c")
        .file("c/inside", "x")
        .file("a", "second, longer")
        .symlink("b", "a")
        .finish();
    in_every_way(&[tar], |opened, how| {
        assert_eq!(content(opened, "/a"), b"second, longer", "{how}");
        assert_eq!(kind(opened, "/b"), Kind::Symlink, "{how}");
        assert_eq!(content(opened, "/b"), b"second, longer", "{how}");
    });
}

#[test]
fn directories_that_only_their_children_imply() {
    let base = Tar::new().file("opt/app/bin/run", "x").finish();
    let upper = Tar::new().file("srv/www/index.html", "y").finish();
    in_every_way(&[base, upper], |opened, how| {
        let shown =
            ["/opt/", "/opt/app/", "/opt/app/bin/", "/opt/app/bin/run", "/srv/", "/srv/www/", "/srv/www/index.html"];
        assert_eq!(paths(opened), shown, "{how}");
        assert!(exists(opened, "/opt/app"), "{how}");
        let tree = &opened.image.tree;
        assert_eq!(tree.visible_at(tree.lookup(b"/opt").unwrap(), tree.top_layer().unwrap()), None, "{how}");
        assert_eq!(opened.image.layers[0].entries, 1, "{how}");
    });
}

#[test]
fn what_is_not_written_to_the_end_is_tolerated() {
    let entry = || Tar::new().file("a", "content");
    let without_padding = entry().unfinished()[..512 + 7].to_vec();
    let one_block = [entry().unfinished(), vec![0; 512]].concat();
    let record = [entry().finish(), vec![0; 10_240]].concat();
    for tar in [entry().unfinished(), without_padding, one_block, record] {
        in_every_way(&[tar], |opened, how| {
            assert_eq!(content(opened, "/a"), b"content", "{how}");
            assert_eq!(opened.image.warnings, [], "{how}");
        });
    }
}

#[test]
fn what_follows_the_end_is_part_of_the_layer_and_not_read() {
    let tar = [Tar::new().file("a", "1").finish(), Tar::new().file("b", "2").finish()].concat();
    let length = tar.len() as u64;
    in_every_way(&[tar], |opened, how| {
        assert_eq!(paths(opened), ["/a"], "{how}");
        assert_eq!(opened.image.layers[0].unpacked_bytes, length, "{how}");
        assert_eq!(opened.image.layers[0].diff_id_check, nixdive::image::DigestCheck::Matches, "{how}");
    });
}

#[test]
fn headers_of_the_seventh_edition_and_with_signed_sums() {
    let mut old = Tar::new().directory("dir/").file("dir/\u{fc}", "x").unfinished();
    for (at, type_flag) in [(0, 0), (512, 0)] {
        old[at + 156] = type_flag;
        old[at + 257..at + 512].fill(0);
        old[at + 148..at + 156].fill(b' ');
        let signed: i32 = old[at..at + 512].iter().map(|&byte| i32::from(byte.cast_signed())).sum();
        old[at + 148..at + 156].copy_from_slice(format!("{signed:06o}\0 ").as_bytes());
    }
    in_every_way(&[old], |opened, how| {
        assert_eq!(kind(opened, "/dir"), Kind::Directory, "{how}");
        assert_eq!(content(opened, "/dir/\u{fc}"), b"x", "{how}");
    });
}
