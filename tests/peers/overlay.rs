//! Random layers, stacked by podman's overlay storage and by containerd as a container sees them, and unpacked by umoci
//! into one directory: the tree is what the former show, its other reading what the latter makes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::layout::{Chance, Root, cases, of_directory, of_tree, write};
use crate::peers::{have, nixdive, output, skip};
use crate::snapshot::opened;
use crate::tar_bytes::{Entry, Tar};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// A path of few names, so that entries meet.
fn path(chance: &mut Chance) -> String {
    let parts = 1 + chance.below(3);
    (0..parts).map(|_| chance.one(&NAMES)).collect::<Vec<_>>().join("/")
}

/// Whether a layer may have a name twice, which Docker and Podman refuse.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Once,
    Repeated,
}

/// Some entries of a layer.
fn layer(chance: &mut Chance, allowed: Names) -> Vec<Entry> {
    let mut names = BTreeSet::new();
    let mut entries = Vec::new();
    let mut files: Vec<String> = Vec::new();
    for number in 0..1 + chance.below(7) {
        let path = path(chance);
        let (directory, name) = path
            .rsplit_once('/')
            .map_or((String::new(), path.as_str()), |(directory, name)| (format!("{directory}/"), name));
        let entry = match chance.below(12) {
            0..=2 => Entry::directory(&path),
            3 | 4 => {
                let target = match chance.below(3) {
                    0 => format!("/{}", self::path(chance)),
                    1 => format!("../{}", self::path(chance)),
                    _ => self::path(chance),
                };
                Entry::symlink(&path, target)
            }
            5 | 6 => Entry::file(format!("{directory}.wh.{name}"), ""),
            7 => Entry::file(format!("{path}/.wh..wh..opq"), ""),
            8 if !files.is_empty() => {
                let target = files[chance.below(files.len())].clone();
                Entry::hard_link(&path, target)
            }
            _ => {
                files.push(path.clone());
                Entry::file(&path, format!("{number} {path}"))
            }
        };
        if names.insert(entry.path().to_vec()) || allowed == Names::Repeated {
            entries.push(entry);
        }
    }
    entries
}

/// Layers of a random image, and the entries they are made of.
fn layers(seed: u64, names: Names) -> (Vec<Vec<u8>>, String) {
    let mut chance = Chance::new(seed);
    let mut told = format!("seed {seed}");
    // containerd unpacks the lowest layer otherwise: whiteouts in it remove what the layer itself has.
    let base = vec![Entry::directory("base")];
    let own = (0..1 + chance.below(3)).map(|_| layer(&mut chance, names));
    let layers: Vec<Vec<Entry>> = std::iter::once(base).chain(own).collect();
    for layer in &layers {
        told.push_str("\n--");
        layer.iter().for_each(|entry| told.push_str(&format!("\n{entry}")));
    }
    let bytes = layers.into_iter().map(|layer| layer.into_iter().fold(Tar::new(), Tar::add).finish());
    (bytes.collect(), told)
}

/// podman's overlay storage in a directory of its own.
struct Storage(TempDir);

impl Storage {
    fn podman(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("podman");
        command.arg("--root").arg(self.0.path().join("root")).arg("--runroot").arg(self.0.path().join("run"));
        command.args(["--storage-driver", "overlay"]).args(arguments);
        command
    }

    /// What a container sees of an image; `None` where the storage refuses it.
    fn unpack(&self, layout: &Path, name: &str) -> Option<Root> {
        let at = |path: &str| self.0.path().join(path).display().to_string();
        let image = format!("localhost/{name}:1");
        let storage = format!("containers-storage:[overlay@{}+{}]{image}", at("root"), at("run"));
        let source = format!("oci:{}:test", layout.display());
        let copied = Command::new("skopeo").args(["--insecure-policy", "copy", "-q", &source, &storage]).output();
        if !copied.unwrap().status.success() {
            return None;
        }
        let mounted = String::from_utf8(output(&mut self.podman(&["image", "mount", &image]))).unwrap();
        let root = of_directory(&PathBuf::from(mounted.trim()));
        output(&mut self.podman(&["image", "umount", &image]));
        Some(root)
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        let _ = self.podman(&["image", "umount", "--all"]).output();
    }
}

/// containerd with the overlayfs snapshotter in a directory of its own.
struct Containerd {
    place: TempDir,
    process: Child,
}

impl Containerd {
    /// `None` where it does not run or cannot mount.
    fn start() -> Option<Self> {
        let place = TempDir::new().unwrap();
        let root = place.path().display().to_string();
        let config = format!(
            "version = 2\nroot = \"{root}/lib\"\nstate = \"{root}/state\"\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = \"{root}/containerd.sock\"\n"
        );
        let file = place.path().join("config.toml");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("containerd");
        command.arg("-c").arg(file).stdout(Stdio::null()).stderr(Stdio::null());
        let started = Self { place, process: command.spawn().unwrap() };
        let began = Instant::now();
        while !started.ctr(&["version"]).output().unwrap().status.success() {
            if began.elapsed() > Duration::from_secs(30) {
                return None;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let plain = started.place.path().join("plain");
        write(&plain, &[Tar::new().file("a", "1").finish()]);
        started.unpack(&plain).is_some().then_some(started)
    }

    fn ctr(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("ctr");
        command.arg("-a").arg(self.place.path().join("containerd.sock")).args(arguments);
        command
    }

    /// What a container sees of an image; `None` where containerd refuses it.
    fn unpack(&self, layout: &Path) -> Option<Root> {
        let archive = self.place.path().join("image.tar").display().to_string();
        output(Command::new("tar").arg("-C").arg(layout).args(["-cf", &archive, "."]));
        let target = self.place.path().join("mounted");
        std::fs::create_dir_all(&target).unwrap();
        let target = target.display().to_string();
        let image = format!("localhost/x:{}", layout.file_name().unwrap().display());
        let run = |arguments: &[&str]| self.ctr(arguments).output().unwrap().status.success();
        let is_mounted = run(&["images", "import", "--snapshotter", "overlayfs", &archive])
            && run(&["images", "mount", "--snapshotter", "overlayfs", &image, &target]);
        let root = is_mounted.then(|| of_directory(Path::new(&target)));
        if is_mounted {
            output(&mut self.ctr(&["images", "unmount", "--rm", &target]));
        }
        root
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What umoci unpacks; `None` where it refuses the image.
fn unpacked_by_umoci(layout: &Path, target: &Path) -> Option<Root> {
    let image = format!("{}:test", layout.display());
    let unpacked = Command::new("umoci").args(["raw", "unpack", "--image", &image]).arg(target).output().unwrap();
    unpacked.status.success().then(|| of_directory(target))
}

#[test]
fn the_tree_is_what_podmans_overlay_storage_shows() {
    if !have(&["podman", "skopeo"]) {
        return;
    }
    let storage = Storage(TempDir::new().unwrap());
    let images = TempDir::new().unwrap();
    let plain = images.path().join("plain");
    write(&plain, &[Tar::new().file("a", "1").finish(), Tar::new().file(".wh.a", "").file("b", "2").finish()]);
    if storage.unpack(&plain, "plain").is_none() {
        skip("podman's overlay storage does not work here");
        return;
    }
    hold_against(Names::Once, &images, &|layout, seed| storage.unpack(layout, &format!("case{seed}")));
}

#[test]
fn the_tree_is_what_containerd_shows() {
    if !have(&["containerd", "ctr", "tar"]) {
        return;
    }
    let Some(containerd) = Containerd::start() else {
        skip("containerd's overlayfs snapshotter does not work here");
        return;
    };
    hold_against(Names::Repeated, &TempDir::new().unwrap(), &|layout, _| containerd.unpack(layout));
}

/// Holds the trees of random images, and what is extracted of them, against what an engine shows of those that it takes.
fn hold_against(names: Names, images: &TempDir, unpack: &dyn Fn(&Path, u64) -> Option<Root>) {
    let (mut seen, mut differing) = (0, Vec::new());
    let count = cases(40);
    for seed in 0..count {
        let (layers, told) = layers(seed, names);
        let layout = images.path().join(seed.to_string());
        write(&layout, &layers);
        let Some(expected) = unpack(&layout, seed) else { continue };
        let opened = opened(&format!("oci:{}:test", layout.display()));
        let tree = &opened.image.tree;
        let found = of_tree(tree, &opened.contents, tree.top_layer().unwrap());
        let extracted = images.path().join(format!("{seed}.extracted"));
        let reference = format!("oci:{}:test", layout.display());
        output(nixdive().args(["extract", &reference, "/", "-o"]).arg(&extracted));
        let extracted = of_directory(&extracted);
        seen += 1;
        if found != expected || extracted != expected {
            differing.push(format!("{told}\nexpected  {expected:?}\nfound     {found:?}\nextracted {extracted:?}"));
        }
    }
    assert!(differing.is_empty(), "{} of {seen}:\n{}", differing.len(), differing.join("\n"));
    assert!(seen * 5 >= count, "the engine took only {seen} of {count} images");
}

#[test]
fn the_other_reading_is_what_umoci_unpacks() {
    if !have(&["umoci"]) {
        return;
    }
    let images = TempDir::new().unwrap();
    let (mut seen, mut differing) = (0, Vec::new());
    for seed in 0..cases(400) {
        let (layers, told) = layers(seed, Names::Once);
        let layout = images.path().join(seed.to_string());
        write(&layout, &layers);
        let opened = opened(&format!("oci:{}:test", layout.display()));
        let Some(tree) = opened.image.tree.with_links_followed().unwrap() else { continue };
        let target = images.path().join(format!("{seed}.unpacked"));
        let Some(expected) = unpacked_by_umoci(&layout, &target) else { continue };
        let found = of_tree(&tree, &opened.contents, tree.top_layer().unwrap());
        // Directories that only a whiteout implies are made by some engines and not by others.
        let files = |root: &Root| -> Root {
            root.iter()
                .filter(|(_, what)| *what != "directory")
                .map(|(path, what)| (path.clone(), what.clone()))
                .collect()
        };
        seen += 1;
        if files(&found) != files(&expected) {
            differing.push(format!("{told}\nexpected {expected:?}\nfound    {found:?}"));
        }
    }
    assert!(differing.is_empty(), "{} of {seen}:\n{}", differing.len(), differing.join("\n"));
    assert!(seen > 5, "only {seen} images have two readings");
}
