//! Writing images: `cargo bench --bench write [-- IMAGE]`. Without an image, store paths with 67 MB are made in a scratch
//! directory. Prints medians of nine runs beside `openssl dgst -sha256` over the same bytes, and the peak of memory.
#![allow(clippy::disallowed_methods)]
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nixdive::cancel::Cancel;
use nixdive::image::{Image, Kind};
use nixdive::layering::Strategy;
use nixdive::nix::StorePath;
use nixdive::open::{Keep, OpenOptions, Progress, open};
use nixdive::rebuild::from_store::{FromStore, compose};
use nixdive::rebuild::write::{Destination, LayerCompression, WriteOptions, WriteProgress, write};
use nixdive::rebuild::{
    Body, ComposedStorePath, Composition, Content, Entry, FileContent, ImageContent, Metadata, Stability,
};
use nixdive::reference::Reference;
use nixdive::store::LocalStore;

const RUNS: usize = 9;
const PATHS: usize = 60;
const FILES: usize = 20;
const FILE_BYTES: usize = 56_000;

fn main() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let image = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    match image {
        Some(image) => {
            let options = OpenOptions { keep: Keep::AnyContent, ..OpenOptions::default() };
            let reference = Reference::parse(image.as_ref()).expect("a reference");
            let opened = open(&reference, &options, &Progress::new()).expect("an image");
            let composition = whole(&opened.image);
            measure(&composition, &ImageContent::new(&opened.image.tree, &opened.contents), scratch.path());
        }
        None => {
            let store = make_store(scratch.path());
            let paths: Vec<StorePath> = (0..PATHS).map(path).collect();
            let wanted = FromStore { paths, ..FromStore::default() };
            let composed = compose(&store, &wanted, None, &Cancel::new()).expect("a composition");
            let opened = open_nothing(scratch.path());
            measure(&composed.composition, &ImageContent::new(&opened.image.tree, &opened.contents), scratch.path());
        }
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
}

/// An image without files, for content that is all on disk.
fn open_nothing(scratch: &Path) -> nixdive::open::Opened {
    let root = scratch.join("nothing");
    fs::create_dir_all(&root).expect("a directory");
    let reference = Reference::parse(format!("rootfs:{}", root.display()).as_ref()).expect("a reference");
    open(&reference, &OpenOptions::default(), &Progress::new()).expect("an image")
}

fn path(number: usize) -> StorePath {
    StorePath::parse_base_name(format!("{number:032}-package{number}-1.0").as_bytes()).expect("a store path")
}

/// Text-like bytes, so that compression has something to do.
fn make_store(root: &Path) -> LocalStore {
    let mut state = 1u32;
    for number in 0..PATHS {
        let directory = root.join("nix/store").join(path(number).base_name()).join("lib");
        fs::create_dir_all(&directory).expect("a directory");
        for file in 0..FILES {
            let bytes: Vec<u8> = (0..FILE_BYTES)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    b'a' + (state >> 28) as u8
                })
                .collect();
            fs::write(directory.join(format!("file{file}")), bytes).expect("a file");
        }
    }
    LocalStore::at(root)
}

fn measure(composition: &Composition, content: &ImageContent<'_>, scratch: &Path) {
    let layers = Strategy::default().assign(composition, &[], 100);
    println!("{} store paths in {} layers", composition.store_paths.len(), layers.len());
    let plain = scratch.join("plain.tar");
    let options = WriteOptions::default();
    let one = |text: String, options: &WriteOptions| {
        let destination = Destination::parse(text.as_ref()).expect("a destination");
        write(composition, &layers, &[destination], content, options, &WriteProgress::default()).expect("an image")
    };
    report("plain docker-archive", || drop(one(plain.display().to_string(), &options)));
    let bytes = fs::metadata(&plain).map_or(0, |found| found.len());
    println!("{bytes} bytes");
    report("openssl dgst -sha256", || {
        let _ = Command::new("openssl").args(["dgst", "-sha256"]).arg(&plain).output();
    });
    report("cp", || {
        let _ = Command::new("cp").arg(&plain).arg(scratch.join("copy.tar")).output();
    });
    let (from, to) = (plain.display().to_string(), scratch.join("skopeo.tar"));
    report("skopeo copy, to a docker-archive", || {
        let _ = fs::remove_file(&to);
        let destination = format!("docker-archive:{}:a:b", to.display());
        let _ = Command::new("skopeo").args(["copy", "-q", &format!("docker-archive:{from}"), &destination]).output();
    });
    for end in ["gz", "zst"] {
        report(end, || drop(one(scratch.join(format!("a.tar.{end}")).display().to_string(), &options)));
        println!("{} bytes", fs::metadata(scratch.join(format!("a.tar.{end}"))).map_or(0, |found| found.len()));
    }
    for name in ["none", "gzip", "zstd"] {
        let options =
            WriteOptions { compression: LayerCompression::parse(name).expect("known"), ..WriteOptions::default() };
        report(&format!("oci-archive {name}"), || {
            drop(one(format!("oci-archive:{}", scratch.join("o.tar").display()), &options));
        });
    }
    let layout = scratch.join("layout");
    one(format!("oci:{}:a", layout.display()), &options);
    report("oci again, nothing changed", || drop(one(format!("oci:{}:a", layout.display()), &options)));
    let mut changed = composition.clone();
    if let Some(last) = changed.store_paths.last_mut() {
        let mut entry = last.entries.first().cloned().expect("an entry");
        entry.path = [&*entry.path, b"/added"].concat().into();
        entry.body = Body::File(FileContent { bytes: 1, content: Content::Given((*b"x").into()) });
        last.entries.push(entry);
    }
    let destination = Destination::parse(format!("oci:{}:a", layout.display()).as_ref()).expect("a destination");
    let start = Instant::now();
    let written =
        write(&changed, &layers, &[destination], content, &options, &WriteProgress::default()).expect("an image");
    let reused = written.layers.iter().filter(|layer| layer.is_reused).count();
    println!("one store path changed: {:?}, {reused} of {} layers as they were", start.elapsed(), written.layers.len());
}

fn report(name: &str, mut run: impl FnMut()) {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!("{name}: median {:?}, {:?} – {:?}", times[RUNS / 2], times[0], times[RUNS - 1]);
    let _ = std::io::stdout().flush();
}

/// All that an image shows.
fn whole(image: &Image) -> Composition {
    let tree = &image.tree;
    let mut composition = Composition { config: image.config.clone(), ..Composition::default() };
    let Some(top) = tree.top_layer() else { return composition };
    for (node, id) in tree.stacked_paths(top) {
        let Some(id) = id else { continue };
        let path = tree.path(node);
        let body = match tree.occurrence(id).kind {
            Kind::Directory => Body::Directory,
            Kind::Symlink => Body::Symlink(tree.link_target(id).unwrap_or_default().into()),
            _ => {
                let Some(id) = tree.content_of(id) else { continue };
                Body::File(FileContent { bytes: tree.occurrence(id).bytes, content: Content::Image(id) })
            }
        };
        let metadata = Metadata { mode: tree.occurrence(id).mode(), ..Metadata::default() };
        let entry = Entry { path: path[1..].into(), metadata, body };
        match StorePath::split(&path) {
            Ok((known, _)) => match composition.store_paths.last_mut().filter(|last| last.path == known) {
                Some(last) => last.entries.push(entry),
                None => composition.store_paths.push(ComposedStorePath {
                    path: known,
                    references: Vec::new(),
                    nar_bytes: 1 << 20,
                    stability: Stability::Package,
                    entries: vec![entry],
                }),
            },
            Err(_) if path != b"/nix" && path != b"/nix/store" => composition.outside.push(entry),
            Err(_) => {}
        }
    }
    composition
}
