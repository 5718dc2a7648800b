//! Small images of many kinds of entries, made by GNU tar, umoci and by hand.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::peers::run;

/// What the images here are made with.
pub const MAKERS: [&str; 4] = ["umoci", "tar", "mkfifo", "skopeo"];

/// An OCI layout with an image of four layers, and a tag `layer-N` for the image up to each of them.
pub struct Varied {
    directory: TempDir,
}

impl Varied {
    /// Layers of GNU tar in two dialects, one of marks and replacements written by hand, and one that umoci made of
    /// changes to what it had unpacked.
    pub fn new() -> Self {
        let varied = Self { directory: TempDir::new().unwrap() };
        let layout = varied.path("layout");
        run("umoci", &["init", "--layout", &layout]);
        run("umoci", &["new", "--image", &format!("{layout}:latest")]);
        let root = varied.directory.path().join("root");
        write_base(&root);
        varied.add_layer(0, |file| gnu_tar(&root, file, &["--format=gnu"]));
        change_base(&root);
        varied.add_layer(1, |file| gnu_tar(&root, file, &["--format=posix"]));
        varied.add_layer(2, |file| fs::write(file, marks()).unwrap());
        varied.repack(3);
        varied.configure();
        varied
    }

    /// A path beside the layout.
    pub fn path(&self, name: &str) -> String {
        self.directory.path().join(name).into_os_string().into_string().unwrap()
    }

    /// The image, as skopeo and nixdive name it.
    pub fn reference(&self) -> String {
        format!("oci:{}", self.tagged("latest"))
    }

    /// An image of the layout, as umoci names it.
    pub fn tagged(&self, tag: &str) -> String {
        format!("{}:{tag}", self.path("layout"))
    }

    fn add_layer(&self, number: usize, write: impl FnOnce(&Path)) {
        let file = self.directory.path().join(format!("layer-{number}.tar"));
        write(&file);
        let image = self.tagged("latest");
        run("umoci", &["raw", "add-layer", "--image", &image, file.to_str().unwrap()]);
        run("umoci", &["tag", "--image", &image, &format!("layer-{number}")]);
    }

    /// Unpacks the image, changes files, and lets umoci find out what changed.
    fn repack(&self, number: usize) {
        let (bundle, image) = (self.path("bundle"), self.tagged("latest"));
        run("umoci", &["unpack", "--rootless", "--image", &image, &bundle]);
        let root = PathBuf::from(&bundle).join("rootfs");
        fs::remove_dir_all(root.join("usr/share")).unwrap();
        fs::remove_file(root.join("etc/run")).unwrap();
        fs::write(root.join("etc/run"), "a file now").unwrap();
        fs::create_dir_all(root.join("srv/new/deep")).unwrap();
        fs::write(root.join("srv/new/deep/file"), vec![b'z'; 70_000]).unwrap();
        fs::hard_link(root.join("srv/new/deep/file"), root.join("srv/new/link")).unwrap();
        fs::set_permissions(root.join("usr/bin/su"), fs::Permissions::from_mode(0o4711)).unwrap();
        run("umoci", &["repack", "--image", &image, &bundle]);
        run("umoci", &["tag", "--image", &image, &format!("layer-{number}")]);
    }

    fn configure(&self) {
        let image = self.tagged("latest");
        let options = [
            "--config.label=org.example.kind=varied",
            "--config.label=a label=with = and \"quotes\"",
            "--config.env=PATH=/usr/bin",
            "--config.env=EMPTY=",
            "--config.entrypoint=/usr/bin/run",
            "--config.cmd=one",
            "--config.cmd=two words",
            "--config.user=1000:100",
            "--config.workingdir=/srv",
            "--config.volume=/data",
            "--config.exposedports=80/tcp",
            "--config.stopsignal=SIGQUIT",
            "--architecture=arm64",
            "--os=linux",
            "--author=somebody",
            "--created=2024-05-06T07:08:09Z",
        ];
        run("umoci", &[&["config", "--image", &image], &options[..]].concat());
    }
}

/// A tar archive of a directory, members in order, owned by root.
pub fn gnu_tar(root: &Path, file: &Path, options: &[&str]) {
    let (root, file) = (root.to_str().unwrap(), file.to_str().unwrap());
    let common = ["--sort=name", "--numeric-owner", "--owner=0", "--group=0", "-C", root, "-cf", file, "."];
    run("tar", &[options, &common[..]].concat());
}

/// A root directory with what is found in images.
fn write_base(root: &Path) {
    let write = |path: &str, content: &str, mode: u32| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    write("etc/hosts", "127.0.0.1 localhost\n", 0o644);
    write("etc/shadow", "", 0o600);
    write("usr/bin/run", "#!/bin/sh\n", 0o755);
    write("usr/bin/su", "#!/bin/su\n", 0o4755);
    write("usr/share/doc/readme", "read me", 0o444);
    write("var/lib/x/data", "data", 0o640);
    write("opt/old/a", "a", 0o644);
    write("opt/old/b", "b", 0o644);
    write("opt/old/deep/er/c", "c", 0o644);
    write("home/user/.profile", "profile", 0o644);
    write("tmp/x", "", 0o644);
    write(&format!("long/{}/{}/{}", "d".repeat(60), "e".repeat(60), "f".repeat(150)), "long", 0o644);
    let odd: [&[u8]; 5] = [b"caf\xe9", b"esc\x1b[31m", b"new\nline", "na\u{ef}ve".as_bytes(), b" space "];
    for name in odd {
        fs::write(root.join("etc").join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
    }
    fs::hard_link(root.join("usr/bin/run"), root.join("usr/bin/again")).unwrap();
    symlink("../usr/bin/run", root.join("etc/run")).unwrap();
    symlink("/etc/hosts", root.join("etc/absolute")).unwrap();
    symlink("no/where", root.join("etc/dangling")).unwrap();
    symlink("a/".repeat(80), root.join("etc/long-link")).unwrap();
    run("mkfifo", &[root.join("var/lib/x/fifo")]);
    for (path, mode) in [("tmp", 0o1777), ("home/user", 0o700), ("var/lib/x", 0o2775)] {
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// The same with some of it changed; what is unchanged is in both layers.
fn change_base(root: &Path) {
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost here\n").unwrap();
    fs::set_permissions(root.join("etc/shadow"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::remove_file(root.join("etc/absolute")).unwrap();
    symlink("/etc/shadow", root.join("etc/absolute")).unwrap();
    fs::write(root.join("opt/old/new"), "new").unwrap();
}

/// Whiteouts, opaque marks, and entries of one kind in the place of another.
fn marks() -> Vec<u8> {
    let mut layer = Members::new();
    layer.file("opt/.wh.nothing", b"");
    layer.file("opt/old/before", b"written before the mark");
    layer.file("opt/old/.wh..wh..opq", b"");
    layer.file("opt/old/after", b"written after the mark");
    layer.file("home/.wh.user", b"");
    layer.file("etc/.wh.shadow", b"");
    layer.file("tmp/.wh.x", b"");
    layer.file("tmp/y", b"y");
    // A file becomes a directory, a directory a link, a link a file.
    layer.directory("etc/hosts/");
    layer.file("etc/hosts/inside", b"inside");
    layer.link(b'2', "var/lib/x", "../other");
    layer.file("etc/absolute", b"no link any more");
    // Directories that only their children name, a link to a file of a lower layer.
    layer.file("./implied/by/child", b"child");
    layer.link(b'1', "usr/bin/third", "usr/bin/run");
    layer.file("usr/.wh.lib", b"");
    layer.file("usr/lib/put/back", b"removed and put back");
    layer.finish()
}

/// A tar archive written entry by entry.
pub struct Members(tar::Builder<Vec<u8>>);

impl Members {
    pub fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    fn entry(&mut self, flag: u8, path: &str, link: &str, mode: u32, content: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(tar::EntryType::new(flag));
        header.set_mode(mode);
        header.set_mtime(1_700_000_000);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
    }

    pub fn file(&mut self, path: &str, content: &[u8]) {
        self.entry(b'0', path, "", 0o644, content);
    }

    pub fn directory(&mut self, path: &str) {
        self.entry(b'5', path, "", 0o755, b"");
    }

    pub fn link(&mut self, flag: u8, path: &str, target: &str) {
        self.entry(flag, path, target, 0o755, b"");
    }

    pub fn finish(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

/// A docker-archive of some layers, in the plainest form there is.
pub fn docker_archive(layers: &[Vec<u8>]) -> Vec<u8> {
    let mut archive = Members::new();
    let names: Vec<String> = (0..layers.len()).map(|number| format!("{number}/layer.tar")).collect();
    for (name, layer) in names.iter().zip(layers) {
        archive.file(name, layer);
    }
    let diff_ids: Vec<String> = layers.iter().map(|layer| crate::peers::sha256(layer)).collect();
    let config =
        serde_json::json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": diff_ids}});
    archive.file("config.json", config.to_string().as_bytes());
    let manifest = serde_json::json!([{"Config": "config.json", "RepoTags": ["made:here"], "Layers": names}]);
    archive.file("manifest.json", manifest.to_string().as_bytes());
    archive.finish()
}
