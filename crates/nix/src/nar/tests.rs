use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::live;

#[derive(Debug, Clone)]
enum Owned {
    Directory,
    File(bool, Vec<u8>),
    Symlink(Vec<u8>),
}

type Tree = Vec<(usize, Vec<u8>, Owned)>;

fn entry<'n>((depth, name, node): &'n (usize, Vec<u8>, Owned)) -> NarEntry<'n> {
    let node = match node {
        Owned::Directory => NarNode::Directory,
        Owned::File(executable, content) => NarNode::File { executable: *executable, bytes: content.len() as u64 },
        Owned::Symlink(target) => NarNode::Symlink { target },
    };
    NarEntry { depth: *depth, name, node }
}

fn archive(tree: &Tree) -> Result<Vec<u8>, NarError> {
    let mut writer = NarWriter::new(Vec::new());
    for item in tree {
        writer.entry(&entry(item))?;
        if let (_, _, Owned::File(_, content)) = item {
            writer.content_from(&mut content.as_slice())?;
        }
    }
    let (bytes, written) = writer.finish()?;
    assert_eq!(bytes.len() as u64, written);
    Ok(bytes)
}

/// Reads a path on disk as entries.
fn read(path: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut stack = vec![(0, PathBuf::from(path))];
    while let Some((depth, path)) = stack.pop() {
        let name = path.file_name().map(|name| name.as_bytes().to_vec()).unwrap_or_default();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let node = if metadata.is_symlink() {
            Owned::Symlink(fs::read_link(&path).unwrap().into_os_string().into_vec())
        } else if metadata.is_dir() {
            let mut inside: Vec<PathBuf> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
            inside.sort_by(|left, right| right.as_os_str().as_bytes().cmp(left.as_os_str().as_bytes()));
            stack.extend(inside.into_iter().map(|path| (depth + 1, path)));
            Owned::Directory
        } else {
            Owned::File(metadata.permissions().mode() & 0o100 != 0, fs::read(&path).unwrap())
        };
        tree.push((depth, name, node));
    }
    tree
}

#[test]
fn a_single_file_is_a_nar() {
    let nar = archive(&vec![(0, Vec::new(), Owned::File(false, b"hi\n".to_vec()))]).unwrap();
    // `printf 'hi\n' >f; nix hash path f`
    assert_eq!(Sha256Hash::of(&nar).to_sri(), "sha256-EFUdrtf6Rn0LWIJufrmg8q99aT3jGfLvd1//zaJEufY=");
    assert_eq!(nar.len(), 120);
}

#[test]
fn entries_that_form_no_sorted_tree_are_refused() {
    let directory = (0, Vec::new(), Owned::Directory);
    let file = |depth, name: &[u8]| (depth, name.to_vec(), Owned::File(false, Vec::new()));
    let order = archive(&vec![directory.clone(), file(1, b"b"), file(1, b"a")]);
    assert!(matches!(order, Err(NarError::Order)));
    let twice = archive(&vec![directory.clone(), file(1, b"a"), file(1, b"a")]);
    assert!(matches!(twice, Err(NarError::Order)));
    for name in [&b""[..], b".", b"..", b"a/b", b"a\0"] {
        assert!(matches!(archive(&vec![directory.clone(), file(1, name)]), Err(NarError::Name)), "{name:?}");
    }
    for tree in [vec![], vec![file(1, b"a")], vec![file(0, b""), file(1, b"a")], vec![directory, file(2, b"a")]] {
        assert!(matches!(archive(&tree), Err(NarError::Structure)), "{tree:?}");
    }
}

#[test]
fn content_of_another_length_is_refused() {
    let file = NarEntry { depth: 0, name: b"", node: NarNode::File { executable: false, bytes: 3 } };
    let mut writer = NarWriter::hashing();
    writer.entry(&file).unwrap();
    assert!(matches!(writer.content(b"four"), Err(NarError::Content)));
    assert!(matches!(writer.content_from(&mut &b"ab"[..]), Err(NarError::Content)));
    assert!(matches!(writer.digest(), Err(NarError::Content)));
    assert!(matches!(NarWriter::hashing().content(b"x"), Err(NarError::Content)));
}

#[test]
fn lengths_that_no_nar_can_hold_do_not_overflow() {
    let file = NarEntry { depth: 1, name: b"a", node: NarNode::File { executable: true, bytes: u64::MAX } };
    assert_eq!(nar_bytes([file, file]), u64::MAX);
}

fn node() -> impl Strategy<Value = Owned> {
    prop_oneof![
        Just(Owned::Directory),
        (any::<bool>(), proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(mark, bytes)| Owned::File(mark, bytes)),
        proptest::collection::vec(1u8.., 1..30).prop_map(Owned::Symlink),
    ]
}

/// A tree whose nodes hang below the last directory above their depth.
fn tree() -> impl Strategy<Value = Tree> {
    proptest::collection::vec((1usize..5, node()), 0..20).prop_map(|nodes| {
        let mut tree = vec![(0, Vec::new(), Owned::Directory)];
        let mut reach = 1;
        for (number, (depth, node)) in nodes.into_iter().enumerate() {
            let depth = depth.min(reach);
            reach = depth + usize::from(matches!(node, Owned::Directory));
            tree.push((depth, format!("{number:03}").into_bytes(), node));
        }
        tree
    })
}

proptest! {
    #[test]
    fn nar_size_is_known_without_content(tree in tree()) {
        prop_assert_eq!(nar_bytes(tree.iter().map(entry)), archive(&tree).unwrap().len() as u64);
    }
}

#[test]
fn nars_equal_those_of_nix() {
    let Some(lab) = live::lab("nars_equal_those_of_nix") else { return };
    let root = lab.path().join("tree");
    fs::create_dir_all(root.join("empty")).unwrap();
    fs::create_dir_all(root.join("a/b/c")).unwrap();
    fs::write(root.join("a/b/c/8 bytes."), b"8 bytes!").unwrap();
    fs::write(root.join("a.b"), b"a.b sorts before a/b as a name").unwrap();
    fs::write(root.join("a-b"), vec![b'x'; 300_001]).unwrap();
    fs::write(root.join("nothing"), b"").unwrap();
    fs::write(root.join("run"), b"#!/bin/sh\n").unwrap();
    fs::set_permissions(root.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(root.join("group-only"), b"").unwrap();
    fs::set_permissions(root.join("group-only"), fs::Permissions::from_mode(0o654)).unwrap();
    fs::write(root.join(OsStr::from_bytes(b"\xff\xfe name")), b"bytes that are not text").unwrap();
    symlink("nowhere/at/all", root.join("link")).unwrap();
    for path in ["", "a-b", "run", "link", "empty"].map(|name| root.join(name)) {
        let nar = archive(&read(&path)).unwrap();
        let dumped = Command::new("nix-store").arg("--dump").arg(&path).output().unwrap();
        assert!(dumped.status.success());
        assert_eq!(nar, dumped.stdout, "{}", path.display());
    }
}
