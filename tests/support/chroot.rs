//! Images run as a container engine runs them, as far as that needs no engine: in a root directory of their own.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nixdive::image::{Config, Kind, NodeId};
use nixdive::open::Opened;

use super::program::PATIENCE;

/// Writes what a container sees of an image below a directory; where `wanted` is given, only that, with the directories
/// above. Needs root.
pub fn unpack(opened: &Opened, root: &Path, wanted: Option<&dyn Fn(NodeId) -> bool>) {
    use std::os::unix::ffi::OsStrExt;
    let tree = &opened.image.tree;
    let top = tree.top_layer().unwrap();
    let entries: Vec<_> = tree.stacked_paths(top).collect();
    let mut kept: HashSet<NodeId> = HashSet::new();
    for &(node, _) in entries.iter().filter(|(node, _)| wanted.is_none_or(|wanted| wanted(*node))) {
        let mut at = Some(node);
        while let Some(node) = at.filter(|&node| kept.insert(node)) {
            at = tree.parent(node);
        }
    }
    let mut modes = Vec::new();
    for (node, id) in entries.into_iter().filter(|(node, _)| kept.contains(node)) {
        let path = root.join(std::ffi::OsStr::from_bytes(&tree.path(node)[1..]));
        let id = id.and_then(|id| tree.linked(id));
        let kind = id.map_or(Kind::Directory, |id| tree.occurrence(id).kind);
        match (kind, id) {
            (Kind::Directory | Kind::OpaqueMark, _) => std::fs::create_dir_all(&path).unwrap(),
            (Kind::Symlink, Some(id)) => {
                symlink(std::ffi::OsStr::from_bytes(tree.link_target(id).unwrap()), &path).unwrap();
            }
            (Kind::File, Some(id)) => {
                let mut content = opened.contents.reader(tree, id).unwrap();
                std::io::copy(&mut content, &mut std::fs::File::create(&path).unwrap()).unwrap();
            }
            _ => continue,
        }
        let Some(id) = id.filter(|_| kind != Kind::Symlink) else { continue };
        let owner = tree.owner(id);
        chown(&path, Some(owner.uid), Some(owner.gid)).unwrap();
        for attribute in tree.xattrs(id) {
            let name = std::ffi::OsStr::from_bytes(&attribute.name);
            rustix::fs::setxattr(&path, name, &attribute.value, rustix::fs::XattrFlags::empty()).unwrap();
        }
        modes.push((path, tree.occurrence(id).mode()));
    }
    for (path, mode) in modes.into_iter().rev() {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(u32::from(mode))).unwrap();
    }
    devices(root);
}

/// The devices that every container has.
fn devices(root: &Path) {
    let directory = root.join("dev");
    std::fs::create_dir_all(&directory).unwrap();
    for (name, minor) in [("null", "3"), ("zero", "5"), ("random", "8"), ("urandom", "9")] {
        let path = directory.join(name);
        let _ = std::fs::remove_file(&path);
        let made = Command::new("mknod").args(["-m", "666"]).arg(&path).args(["c", "1", minor]).status().unwrap();
        assert!(made.success(), "mknod {}", path.display());
    }
    for (name, target) in [("stdin", "0"), ("stdout", "1"), ("stderr", "2")] {
        let _ = symlink(format!("/proc/self/fd/{target}"), directory.join(name));
    }
    let _ = symlink("/proc/self/fd", directory.join("fd"));
}

/// The program of an image with its arguments, to be run below a root.
fn command(root: &Path, config: &Config) -> Command {
    let words = || config.entrypoint.iter().chain(&config.cmd);
    let directory = if config.working_directory.is_empty() { "/" } else { &config.working_directory };
    std::fs::create_dir_all(root.join("proc")).unwrap();
    let mut command = Command::new("/usr/bin/unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--root"]).arg(root).args(["--wd", directory]);
    if let Some((user, group)) = user(root, &config.user) {
        command.args(["--setgid", &group, "--setuid", &user]);
    }
    command.args(words());
    command.env_clear().envs(config.env.iter().filter_map(|entry| entry.split_once('=')));
    if !config.env.iter().any(|entry| entry.starts_with("PATH=")) {
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    }
    command.stdin(Stdio::null());
    command
}

/// Numbers of the user that a configuration names, from the root's own `passwd`.
fn user(root: &Path, user: &str) -> Option<(String, String)> {
    let (name, group) = user.split_once(':').map_or((user, None), |(name, group)| (name, Some(group)));
    if name.is_empty() {
        return None;
    }
    let passwd = std::fs::read_to_string(root.join("etc/passwd")).unwrap_or_default();
    let line = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|line| line[0] == name);
    let (uid, gid) = line.map_or((name, "0"), |line| (line[2], line[3]));
    Some((uid.to_owned(), group.unwrap_or(gid).to_owned()))
}

/// `/proc` of a root, for as long as this lives.
struct Mounted(PathBuf);

impl Mounted {
    fn new(root: &Path) -> Self {
        let path = root.join("proc");
        std::fs::create_dir_all(&path).unwrap();
        let mounted = Command::new("mount").args(["-t", "proc", "proc"]).arg(&path).status().unwrap();
        assert!(mounted.success(), "mounting {}", path.display());
        Self(path)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Runs the program of an image to its end.
pub fn run_in_chroot(root: &Path, config: &Config) -> Output {
    let _mounted = Mounted::new(root);
    let child = command(root, config).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    super::program::within(PATIENCE, move || child.wait_with_output().unwrap())
}

/// A service that runs below a root, until this goes away.
pub struct Service {
    child: Child,
    _mounted: Mounted,
}

impl Service {
    /// Starts the program of an image and waits until it answers on a port.
    pub fn start(root: &Path, config: &Config, port: u16) -> Self {
        // Another run of the tests may be at it.
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_ok() {
            assert!(began.elapsed() < PATIENCE, "something answers on port {port} already");
            std::thread::sleep(Duration::from_millis(200));
        }
        let mounted = Mounted::new(root);
        let log = std::fs::File::create(root.with_extension("log")).unwrap();
        let errors = log.try_clone().unwrap();
        let child = command(root, config).stdout(log).stderr(errors).spawn().unwrap();
        let mut service = Self { child, _mounted: mounted };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = service.child.try_wait().unwrap();
            let log = || std::fs::read_to_string(root.with_extension("log")).unwrap_or_default();
            assert!(ended.is_none(), "it ended: {ended:?}\n{}", log());
            assert!(began.elapsed() < PATIENCE, "it does not answer\n{}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        service
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // The first process of its namespace: all others go with it, before `unshare` tells of its end.
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        for child in std::fs::read_to_string(children).unwrap_or_default().split_ascii_whitespace() {
            let _ = Command::new("kill").args(["-KILL", child]).status();
        }
        let _ = self.child.wait();
    }
}

/// Status line and body of what a service answers.
pub fn get(port: u16, path: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.lines().next().unwrap_or_default().to_owned();
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.as_bytes().to_vec()).unwrap_or_default();
    (status, body)
}
