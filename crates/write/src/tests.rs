use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::fixture::{directory, file, open_file, open_text, opened, store_path_with, symlink, whole};
use crate::layering::Strategy as Layering;
use crate::{Body, Entry, ImageContent};
use nixdive_image::reference::Reference;
use nixdive_image::{Image, Kind, Owner, Xattr};
use nixdive_nix::StorePath;
use nixdive_source::open::{OpenOptions, Progress, open};

mod archives;
mod bad_input;
mod kills;
mod layouts;
mod peers;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-a-1.0";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-b-2.0";

/// Returns two store paths, the first of which refers to the second, and some files outside the store.
fn small() -> Composition {
    let mut composition = Composition::default();
    composition.config.platform = nixdive_image::Platform::parse("linux/amd64").unwrap();
    composition.config.entrypoint = vec![format!("/nix/store/{A}/bin/a")];
    composition.config.env = vec!["A=b".into()];
    for (name, reference) in [(A, Some(1)), (B, None)] {
        let top = format!("nix/store/{name}");
        let mut script = file(&format!("{top}/bin/a"), format!("#!/nix/store/{B}/bin/a\n").as_bytes());
        script.metadata.mode = 0o555;
        let entries = vec![
            directory(&top),
            directory(&format!("{top}/bin")),
            script,
            file(&format!("{top}/bin/data"), &[7; 70_000]),
            symlink(&format!("{top}/bin/link"), "a"),
        ];
        let mut path = store_path_with(StorePath::parse_base_name(name.as_bytes()).unwrap(), entries);
        path.references.extend(reference);
        composition.store_paths.push(path);
    }
    let mut temporary = directory("tmp");
    temporary.metadata.mode = 0o1777;
    let mut program = file("usr/bin/ping", b"ping");
    program.metadata.mode = 0o4755;
    // Version 2 of linux/capability.h: effective, CAP_NET_RAW permitted.
    let capability = [[1, 0, 0, 2], [0, 0x20, 0, 0], [0; 4], [0; 4], [0; 4]].concat();
    program.metadata.xattrs = vec![Xattr { name: (*b"security.capability").into(), value: capability.into() }].into();
    program.metadata.uid = 3_000_000;
    composition.outside = vec![file("etc/passwd", b"root:x:0:0::/:\n"), temporary, program];
    composition
}

/// Returns the content source for compositions that contain all their bytes.
fn given() -> ImageContentOfNothing {
    ImageContentOfNothing
}

struct ImageContentOfNothing;

impl ReadContent for ImageContentOfNothing {
    fn read(&self, content: &crate::Content) -> std::io::Result<Box<dyn std::io::Read + Send + '_>> {
        match content {
            crate::Content::Given(bytes) => Ok(Box::new(&**Box::leak(Box::new(bytes.to_vec())))),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        }
    }
}

fn destination(text: &str) -> Destination {
    Destination::parse(text.as_ref()).unwrap()
}

fn write_small(destinations: &[String], options: &WriteOptions) -> Result<Written, WriteError> {
    let composition = small();
    let destinations: Vec<Destination> = destinations.iter().map(|text| destination(text)).collect();
    write(&composition, &[vec![1], vec![0]], &destinations, &given(), options, &WriteProgress::default())
}

/// Returns the names in a directory, including hidden ones, in order.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Lists the visible files of an image: path, kind, mode, owner, link, content, attributes, time. Hard links count as
/// files.
fn lines(opened: &nixdive_source::open::Opened) -> Vec<String> {
    let tree = &opened.image.tree;
    let Some(top) = tree.top_layer() else { return Vec::new() };
    let mut lines = Vec::new();
    for (node, id) in tree.stacked_paths(top) {
        let Some(id) = id else { continue };
        let occurrence = tree.occurrence(id);
        let mut content = Vec::new();
        if tree.content_of(id).is_some() {
            let mut reader = opened.contents.reader(tree, id).unwrap();
            std::io::Read::read_to_end(&mut reader, &mut content).unwrap();
        }
        let kind = if occurrence.kind == Kind::HardLink { Kind::File } else { occurrence.kind };
        let target = tree.link_target(id).filter(|_| kind == Kind::Symlink).map(String::from_utf8_lossy);
        let path = tree.path(node);
        let path = String::from_utf8_lossy(&path);
        let (owner, xattrs, digest) = (tree.owner(id), tree.xattrs(id), digest_of(&content));
        let Owner { uid, gid } = owner;
        let (mode, mtime) = (occurrence.mode(), occurrence.mtime);
        lines.push(format!("{path} {kind:?} {mode:o} {uid}:{gid} {target:?} {xattrs:?} {digest} {mtime}"));
    }
    lines
}

fn diff_ids(image: &Image) -> Vec<String> {
    image.config.diff_ids.clone()
}
