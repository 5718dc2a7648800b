//! Numbers beyond octal digits.

use super::{entry, in_every_way};
use crate::support::program::content;
use crate::support::tar_bytes::{Entry, Tar, wide_number};

#[test]
fn base_256_negative_times_and_large_owners() {
    let base_256_length = {
        let mut field = [0; 12];
        field[0] = 0x80;
        field[11] = 7;
        field
    };
    let tar = Tar::new()
        .add(Entry::file("old", "1969").mtime(-86_400))
        .add(Entry::file("far", "x").mtime(1 << 36))
        .add(Entry::file("owned", "x").owner(4_000_000_000, 3_000_000))
        .add(Entry::file("length", "content").length_field(base_256_length))
        .pax(&[("uid", b"4294967294"), ("gid", b"70000"), ("mtime", b"-1.5"), ("size", b"4")])
        .file("pax", "text")
        .finish();
    in_every_way(&[tar], |opened, how| {
        let tree = &opened.image.tree;
        let mtime = |path: &str| tree.occurrence(entry(opened, path)).mtime;
        let owner = |path: &str| (tree.owner(entry(opened, path)).uid, tree.owner(entry(opened, path)).gid);
        assert_eq!(mtime("/old"), -86_400, "{how}");
        assert_eq!(mtime("/far"), 1 << 36, "{how}");
        assert_eq!(owner("/owned"), (4_000_000_000, 3_000_000), "{how}");
        assert_eq!(content(opened, "/length"), b"content", "{how}");
        assert_eq!(owner("/pax"), (4_294_967_294, 70_000), "{how}");
        assert_eq!(mtime("/pax"), -2, "rounded down, as a clock is: {how}");
        assert_eq!(content(opened, "/pax"), b"text", "{how}");
    });
}

#[test]
fn numbers_with_spaces_around_them_or_without_an_end() {
    for field in [*b"          7\0", *b"7           ", *b"000000000007", *b"7\0\0\0\0\0\0\0\0\0\0\0"] {
        let tar = Tar::new().add(Entry::file("a", "content").length_field(field)).finish();
        in_every_way(&[tar], |opened, how| assert_eq!(content(opened, "/a"), b"content", "{how} {field:?}"));
    }
}

#[test]
fn links_have_no_content_whatever_their_headers_say() {
    let tar = Tar::new()
        .file("a", "x")
        .add(Entry::hard_link("b", "a").length_field(wide_number(5000)))
        .add(Entry::directory("c").length_field(wide_number(5000)))
        .file("d", "after")
        .finish();
    in_every_way(&[tar], |opened, how| {
        assert_eq!(content(opened, "/b"), b"x", "{how}");
        assert_eq!(content(opened, "/d"), b"after", "{how}");
    });
}
