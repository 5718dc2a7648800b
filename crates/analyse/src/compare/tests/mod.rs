//! Tests that compare small images: each kind of change, the files read for it, and fields that
//! never differ.

mod cases;
mod share;

use proptest::prelude::*;

use super::*;
use crate::testing::{Known, compare};
use nixdive_base::text::display_name;
use nixdive_image::testing::archive::{Written, any_entries};
use nixdive_image::testing::corpus_file;
use nixdive_image::{Image, LayerIndex};

fn shown(image: &Image, path: Option<ComparedPath>) -> String {
    path.map_or("-".into(), |path| display_name(&image.tree.path(path.node)).into_owned())
}

/// The changes as `kind left right difference`.
fn told(comparison: &Comparison<'_>) -> Vec<String> {
    let line = |change: &FileChange| {
        let (left, right) = (shown(comparison.left.image, change.left), shown(comparison.right.image, change.right));
        format!("{} {left} {right} {:+}", change.kind.as_str(), change.delta())
    };
    comparison.differences.files.changes.iter().map(line).collect()
}

fn file(path: &str, content: &str) -> Written {
    Written::file(path, content.as_bytes())
}

#[test]
fn every_kind_of_change_is_told_as_what_it_is() {
    let left = Known::of_layers(&[vec![
        file("app/same", "x"),
        file("app/other-bytes", "one"),
        file("app/longer", "12345"),
        file("app/mode", "m"),
        Written { mtime: 1, ..file("app/touched", "t") },
        file("app/gone", "gone"),
        file("app/moves", "a long content that moves"),
        Written::symlink("app/link", "same"),
        file("app/becomes-a-directory", "f"),
        file("app/behind-a-link", "h"),
    ]]);
    let right = Known::of_layers(&[vec![
        file("app/same", "x"),
        file("app/other-bytes", "two"),
        file("app/longer", "1234567"),
        Written { mode: 0o4755, ..file("app/mode", "m") },
        Written { mtime: 2, ..file("app/touched", "t") },
        file("app/new", "n"),
        file("lib/moves", "a long content that moves"),
        Written::symlink("app/link", "other"),
        Written::directory("app/becomes-a-directory"),
        file("app/becomes-a-directory/inner", "in"),
        file("app/a-name", "h"),
        Written::hard_link("app/behind-a-link", "app/a-name"),
    ]]);
    let comparison = compare(&left, &right, CompareOptions::default());
    let expected = [
        "type /app/becomes-a-directory /app/becomes-a-directory -1",
        "added - /app/becomes-a-directory/inner +2",
        "added - /app/a-name +1",
        "removed /app/gone - -4",
        "content /app/link /app/link +0",
        "content /app/longer /app/longer +2",
        "metadata /app/mode /app/mode +0",
        "added - /app/new +1",
        "content /app/other-bytes /app/other-bytes +0",
        "metadata /app/touched /app/touched +0",
        "added - /lib +0",
        "renamed /app/moves /lib/moves +0",
    ];
    let mut lines = told(&comparison);
    lines.sort();
    let mut sorted = expected.map(str::to_owned).to_vec();
    sorted.sort();
    // `/app/behind-a-link` is the same file under a second name.
    lines.retain(|line| !line.contains("behind-a-link"));
    assert_eq!(lines, sorted);
    let semantic = compare(&left, &right, CompareOptions { semantic: true, ..CompareOptions::default() });
    assert!(!told(&semantic).iter().any(|line| line.contains("touched")), "a timestamp has no meaning");
    assert!(told(&semantic).iter().any(|line| line.contains("mode")));
}

#[test]
fn nothing_is_read_of_layers_that_both_sides_have() {
    let shared = vec![file("base/a", "some content"), file("base/b", "other content")];
    let left = Known::of_layers(&[shared.clone(), vec![file("app/x", "123")]]);
    let right = Known::of_layers(&[shared, vec![file("app/x", "456"), file("app/y", "7")]]);
    let outline = Outline::new(&left.opened.image, &right.opened.image);
    let path = |known: &Known, id| {
        let tree = &known.opened.image.tree;
        String::from_utf8(tree.path(tree.occurrence(id).node())).unwrap()
    };
    let unknown = outline.unknown();
    assert_eq!(unknown.left.iter().map(|&id| path(&left, id)).collect::<Vec<_>>(), ["/app/x"]);
    assert_eq!(unknown.right.iter().map(|&id| path(&right, id)).collect::<Vec<_>>(), ["/app/x"]);
}

#[test]
fn bytes_to_fetch_and_to_send_are_those_of_layers_that_are_not_there() {
    let (base, one, two) = (vec![file("a", "base")], vec![file("b", "one")], vec![file("b", "two"), file("c", "3")]);
    let left = Known::of_layers(&[base.clone(), one]);
    let right = Known::of_layers(&[base.clone(), two.clone(), two]);
    let bytes = compare(&left, &right, CompareOptions::default()).differences.bytes;
    let layers = &right.opened.image.layers;
    assert_eq!(bytes.shared_unpacked, layers[0].unpacked_bytes);
    assert_eq!(bytes.pull_delta, Some(layers[1].unpacked_bytes));
    assert_eq!(bytes.push_delta, Some(layers[1].unpacked_bytes));
    let rows: Vec<LayerChange> = compare(&left, &right, CompareOptions::default())
        .differences
        .layers
        .rows
        .iter()
        .map(|row| row.change)
        .collect();
    assert_eq!(rows, [LayerChange::Shared, LayerChange::Removed, LayerChange::Added, LayerChange::Added]);
}

const A1: &str = "nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-app-1.0";
const A2: &str = "nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-app-1.0";
const LIB1: &str = "nix/store/cccccccccccccccccccccccccccccccc-lib-1.9";
const LIB2: &str = "nix/store/dddddddddddddddddddddddddddddddd-lib-1.10";
const PERL: &str = "nix/store/ffffffffffffffffffffffffffffffff-perl-5.36";
const DEEP: &str = "nix/store/gggggggggggggggggggggggggggggggg-deep-1";
const GONE: &str = "nix/store/hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-gone";

#[test]
fn every_added_store_path_is_traced_to_what_brought_it() {
    let left = Known::of_layers(&[vec![
        file(A1, &format!("/{LIB1}")),
        file(LIB1, "library"),
        file(GONE, "gone"),
        Written::symlink("bin/app", &format!("/{A1}")),
    ]]);
    let right = Known::of_layers(&[vec![
        file(A2, &format!("/{LIB2} /{PERL}")),
        file(LIB2, "a longer library"),
        file(PERL, &format!("/{DEEP}")),
        file(DEEP, "deep below"),
        Written::symlink("bin/app", &format!("/{A2}")),
    ]]);
    let comparison = compare(&left, &right, CompareOptions::default());
    let store = &comparison.differences.store;
    let names = |list: &[ComparedStorePath]| list.iter().map(|path| path.path.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&store.added), ["perl-5.36", "deep-1"]);
    assert_eq!(names(&store.removed), ["gone"]);
    assert_eq!(store.rebuilt.iter().map(|pair| pair.right.path.name()).collect::<Vec<_>>(), ["app-1.0"]);
    let changed: Vec<_> = store.changed.iter().map(|pair| (pair.left.path.name(), pair.right.path.name())).collect();
    assert_eq!(changed, [("lib-1.9", "lib-1.10")]);
    assert!(store.changed[0].version_order().is_gt(), "1.10 is newer than 1.9");
    let study = right.store.as_ref().unwrap();
    let name = |id| study.get_path(id).unwrap().name().to_owned();
    let perl = comparison.differences.growth.items.iter().find(|item| match item.what {
        Grown::StorePath(id) => name(id) == "perl-5.36",
        _ => false,
    });
    let perl = perl.unwrap();
    assert_eq!(perl.with.iter().map(|&id| name(id)).collect::<Vec<_>>(), ["deep-1"]);
    assert_eq!(perl.chain.iter().map(|&id| name(id)).collect::<Vec<_>>(), ["app-1.0", "perl-5.36"]);
    let Cause::Reference(by) = perl.cause else { panic!("{:?}", perl.cause) };
    assert_eq!(name(by), "app-1.0");
}

#[test]
fn packages_are_told_by_the_order_of_their_kind_and_the_layer_that_brought_them() {
    let database = |packages: &[(&str, &str)]| {
        let text: String = packages.iter().map(|(name, version)| format!("P:{name}\nV:{version}\nI:100\n\n")).collect();
        file("lib/apk/db/installed", &text)
    };
    let left = Known::of_layers(&[vec![database(&[("musl", "1.1.9-r1"), ("old", "1"), ("same", "2")])]]);
    let right = Known::of_layers(&[
        vec![file("base", "b")],
        vec![database(&[("musl", "1.1.10-r0"), ("new", "1_rc1"), ("same", "2")])],
    ]);
    let comparison = compare(&left, &right, CompareOptions::default());
    let changes = &comparison.differences.packages;
    let name = |side: &Side<'_>, index| side.packages.packages.get(index).name.to_string();
    assert_eq!(changes.changed.iter().map(|pair| name(&comparison.right, pair.right)).collect::<Vec<_>>(), ["musl"]);
    assert!(changes.changed[0].version_order.is_gt());
    assert_eq!(changes.added.iter().map(|&index| name(&comparison.right, index)).collect::<Vec<_>>(), ["new"]);
    assert_eq!(changes.removed.iter().map(|&index| name(&comparison.left, index)).collect::<Vec<_>>(), ["old"]);
    assert_eq!(changes.unchanged.len(), 1);
    let new = comparison.differences.growth.items.iter().find(|item| matches!(item.what, Grown::Package(_))).unwrap();
    assert_eq!((new.bytes, new.cause), (100, Cause::Layer(Some(LayerIndex(1)))));
}

#[test]
fn images_for_different_platforms_are_told_apart() {
    let image = |platform: &str| {
        let mut known = Known::of_layers(&[vec![file("a", "b")]]).opened.image;
        known.config.platform = Platform::parse(platform).unwrap_or_default();
        known
    };
    let cases = [
        ("linux/amd64", "linux/amd64", true),
        ("linux/amd64", "linux/arm64", false),
        ("linux/arm64", "linux/arm64/v8", true),
        ("linux/arm/v7", "linux/arm/v6", false),
        ("", "linux/amd64", true),
    ];
    for (left, right, fits) in cases {
        assert_eq!(check_platforms(&image(left), &image(right)).is_ok(), fits, "{left} {right}");
        assert_eq!(check_platforms(&image(right), &image(left)).is_ok(), fits, "{right} {left}");
    }
}

#[test]
fn a_dockerfile_image_and_its_nix_counterpart_are_matched_across_package_systems() {
    let Some(docker) = corpus_file("dockerfile/web-docker.tar.zst") else { return };
    let Some(nix) = corpus_file("nix/web-nix.tar.gz") else { return };
    let (docker, nix) = (Known::of_file(&docker), Known::of_file(&nix));
    let comparison = compare(&docker, &nix, CompareOptions::default());
    let found = comparison.differences.equivalents.as_ref().unwrap();
    let names = |side: &Side<'_>, list: &[Software]| -> Vec<String> {
        list.iter().map(|software| side.software_name(software.id).to_owned()).collect()
    };
    let partners = |nix: &str| {
        let group = found.matched.iter().find(|group| names(&comparison.right, &group.right).contains(&nix.to_owned()));
        group.map(|group| names(&comparison.left, &group.left)).unwrap_or_default()
    };
    for (nix, deb) in [
        ("nginx", "nginx-light"),
        ("glibc", "libc6"),
        ("openssl", "libssl3"),
        ("zlib", "zlib1g"),
        ("pcre2", "libpcre2-8-0"),
        ("perl", "perl-base"),
    ] {
        assert!(partners(nix).contains(&deb.to_owned()), "{nix}: {:?}", partners(nix));
    }
    assert!(names(&comparison.left, &found.left_only).contains(&"apt".to_owned()));
    for (side, bytes) in [(&comparison.left, 0), (&comparison.right, 1)] {
        let of = |row: &CategoryBytes| if bytes == 0 { row.bytes.left } else { row.bytes.right };
        assert_eq!(comparison.differences.categories.iter().map(of).sum::<u64>(), side.image.file_bytes());
    }
}

#[test]
fn alpine_3_11_has_newer_packages_than_3_10() {
    let Some(old) = corpus_file("alpine/alpine-310.tar.gz") else { return };
    let Some(new) = corpus_file("alpine/alpine-311.tar.gz") else { return };
    let (old, new) = (Known::of_file(&old), Known::of_file(&new));
    let comparison = compare(&old, &new, CompareOptions::default());
    assert!(comparison.differences.packages.changed.len() >= 10);
    assert!(comparison.differences.packages.changed.iter().all(|pair| pair.version_order.is_gt()));
}

fn any_layers() -> impl Strategy<Value = Vec<Vec<Written>>> {
    prop::collection::vec(any_entries(10), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn an_image_differs_from_itself_in_nothing(layers in any_layers()) {
        let (left, right) = (Known::of_layers(&layers), Known::of_layers(&layers));
        let comparison = compare(&left, &right, CompareOptions::default());
        prop_assert_eq!(told(&comparison), Vec::<String>::new());
        prop_assert!(comparison.differences.store.is_empty() && comparison.differences.packages.is_empty() && comparison.differences.config.is_empty());
        prop_assert!(comparison.differences.growth.items.is_empty());
        prop_assert_eq!((comparison.differences.bytes.unpacked.delta(), comparison.differences.bytes.pull_delta), (0, Some(0)));
        prop_assert!(comparison.differences.layers.rows.iter().all(|row| row.change == LayerChange::Shared));
    }

    #[test]
    fn swapped_sides_mirror_and_sums_are_those_of_the_trees(one in any_layers(), two in any_layers()) {
        let (left, right) = (Known::of_layers(&one), Known::of_layers(&two));
        let there = compare(&left, &right, CompareOptions::default());
        let back = compare(&right, &left, CompareOptions::default());
        let count = |comparison: &Comparison<'_>, kind| comparison.differences.files.count(kind);
        use FileChangeKind::*;
        for (kind, mirrored) in [(Added, Removed), (Removed, Added), (Content, Content), (Metadata, Metadata),
            (Type, Type), (Renamed, Renamed)] {
            prop_assert_eq!(count(&there, kind), count(&back, mirrored));
        }
        prop_assert_eq!(there.differences.files.sums.absolute_bytes(), back.differences.files.sums.absolute_bytes());
        let visible = |known: &Known| -> u64 {
            let tree = &known.opened.image.tree;
            let files = super::walk::visible_files(tree).map(|(_, id)| tree.occurrence(id));
            files.filter(|file| file.kind == nixdive_image::Kind::File).map(|file| file.bytes).sum()
        };
        let deltas: i64 = there.differences.files.changes.iter().map(FileChange::delta).sum();
        prop_assert_eq!(deltas, delta(visible(&left), visible(&right)));
        prop_assert_eq!(there.differences.bytes.unpacked.delta(), -back.differences.bytes.unpacked.delta());
        prop_assert_eq!(there.differences.store.added.len(), back.differences.store.removed.len());
    }
}
