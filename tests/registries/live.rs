//! Against docker-registry and podman as they are.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nixdive::engines::EngineEnvironment;
use nixdive::http::Secret;
use nixdive::open::OpenOptions;

use super::shop::Customer;
use super::support::images::{Image, MOTD, docker_archive, sample_layers};
use super::support::program::{content, file, open_with, scratch};

/// bcrypt of «hunter2».
const HASH: &str = "$2b$04$xBuS8cpqnBSMIQXPSoo8jeBp4jtSbf8pSVpNz6mpEkVX3xkCWeH1S";

/// A password file: «me» with «hunter2».
pub fn users() -> &'static [u8] {
    b"me:$2b$04$xBuS8cpqnBSMIQXPSoo8jeBp4jtSbf8pSVpNz6mpEkVX3xkCWeH1S\n"
}

/// Whether programs are there; says so where one is not, and fails where it must be.
pub fn have(programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| {
        !Command::new("which").arg(program).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    });
    let Some(missing) = missing else { return true };
    let reason = format!("{missing} is not installed");
    assert!(std::env::var_os("NIXDIVE_LIVE").is_none_or(|live| live != "1"), "{reason}");
    println!("skipped: {reason}");
    false
}

/// A program that ends with the test.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} does not answer");
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// A registry with a sample image as `team/app:1`.
pub struct Registry {
    pub host: String,
    _running: Running,
    _place: tempfile::TempDir,
}

impl Registry {
    /// `extra`: lines of its configuration.
    pub fn start(extra: &str, files: &[(&str, &[u8])], push: &[&str]) -> Self {
        let place = scratch();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let root = place.path().display().to_string();
        for (name, bytes) in files {
            file(place.path(), name, bytes);
        }
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {root}/data\nhttp:\n  addr: {host}\n{}",
            extra.replace("@", &root)
        );
        let config = file(place.path(), "config.yml", config.as_bytes());
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
        let running = Running(command.spawn().unwrap());
        wait_for("docker-registry", || std::net::TcpStream::connect(&host).is_ok());
        let archive = file(place.path(), "image.tar", &docker_archive(&Image::new(sample_layers()).named("app:1")));
        let status = Command::new("skopeo")
            .args(["copy", "-q", "--dest-tls-verify=false"])
            .args(push)
            .arg(format!("docker-archive:{}", archive.display()))
            .arg(format!("docker://{host}/team/app:1"))
            .status();
        assert!(status.unwrap().success());
        Self { host, _running: running, _place: place }
    }
}

pub fn holds_sample(opened: &nixdive::open::Opened) {
    assert_eq!(content(opened, "/etc/motd"), MOTD.as_bytes());
    assert!(opened.image.warnings.is_empty(), "{:?}", opened.image.warnings);
}

#[test]
fn what_skopeo_pushed_is_opened() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let registry = Registry::start("", &[], &[]);
    let mut customer = Customer::new().with_cache();
    customer.remote.http.silence = Duration::from_secs(10);
    holds_sample(&customer.open(&registry.host, "team/app:1").unwrap());
    let error = customer.refused(&registry.host, "team/app:2");
    assert!(error.contains("nearest: 1"), "{error}");
    customer.remote.offline = true;
    holds_sample(&customer.open(&registry.host, "team/app:1").unwrap());
}

#[test]
fn a_password_file_of_a_real_registry() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let users = format!("me:{HASH}\n");
    let auth = "auth:\n  htpasswd:\n    realm: here\n    path: @/users\n";
    let registry = Registry::start(auth, &[("users", users.as_bytes())], &["--dest-creds", "me:hunter2"]);
    let mut customer = Customer::new();
    customer.remote.http.silence = Duration::from_secs(10);
    assert!(customer.refused(&registry.host, "team/app:1").contains("no credential is known"));
    customer.remote.settings.login = Some(("me".into(), Secret::new("hunter2".into())));
    holds_sample(&customer.open(&registry.host, "team/app:1").unwrap());
    customer.remote.settings.login = Some(("me".into(), Secret::new("wrong-one".into())));
    let error = customer.refused(&registry.host, "team/app:1");
    assert!(error.contains("--creds") && !error.contains("wrong-one"), "{error}");
}

/// A certificate for 127.0.0.1 and its authority, both in PEM, and the key.
pub fn certificates(place: &Path) -> [Vec<u8>; 3] {
    let run = |arguments: &str| {
        let status = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(place)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "openssl {arguments}");
    };
    file(place, "names", b"subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n");
    run("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem");
    run("req -newkey rsa:2048 -nodes -subj /CN=registry -keyout server.key -out server.csr");
    run("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem");
    ["server.pem", "ca.pem", "server.key"].map(|name| std::fs::read(place.join(name)).unwrap())
}

#[test]
fn a_registry_with_an_authority_of_its_own() {
    if !have(&["docker-registry", "skopeo", "openssl"]) {
        return;
    }
    let place = scratch();
    let [certificate, authority, key] = certificates(place.path());
    let tls = "  tls:\n    certificate: @/cert\n    key: @/key\n";
    let registry = Registry::start(tls, &[("cert", &certificate), ("key", &key)], &[]);
    let mut customer = Customer::new();
    customer.remote.http.silence = Duration::from_secs(10);
    let error = customer.refused(&registry.host, "team/app:1");
    assert!(error.contains("insecure connection") && error.contains("certificate"), "{error}");
    let directory = format!("etc/docker/certs.d/{}/ca.crt", registry.host);
    customer.write(&directory, std::str::from_utf8(&authority).unwrap());
    holds_sample(&customer.open(&registry.host, "team/app:1").unwrap());
    let mut careless = Customer::new();
    careless.remote.settings.verify_tls = Some(false);
    holds_sample(&careless.open(&registry.host, "team/app:1").unwrap());
}

#[test]
fn images_of_podman_are_opened_by_its_socket() {
    if !have(&["podman"]) {
        return;
    }
    let place = scratch();
    let storage = format!(
        "[storage]\ndriver = \"vfs\"\nrunroot = \"{0}/run\"\ngraphroot = \"{0}/graph\"\n",
        place.path().display()
    );
    let storage = file(place.path(), "storage.conf", storage.as_bytes());
    let socket = place.path().join("podman.sock");
    let image = Image::new(sample_layers()).named("localhost/team/app:1");
    let archive = file(place.path(), "image.tar", &docker_archive(&image));
    let podman = || {
        let mut command = Command::new("podman");
        command.env("CONTAINERS_STORAGE_CONF", &storage).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    assert!(podman().arg("load").arg("-i").arg(archive).status().unwrap().success());
    let address = format!("unix://{}", socket.display());
    let _running = Running(podman().args(["system", "service", "--time", "0", &address]).spawn().unwrap());
    wait_for("podman", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    let mut customer = Customer::new();
    customer.remote.http.silence = Duration::from_secs(20);
    let root = place.path().to_owned();
    customer.remote.engines =
        Some(EngineEnvironment { container_host: Some(address), root, ..EngineEnvironment::default() });
    let open = |typed: &str| open_with(typed, OpenOptions { ..customer.options() });
    for typed in ["podman:localhost/team/app:1", "localhost/team/app:1"] {
        let opened = open(typed).unwrap();
        holds_sample(&opened);
        assert_eq!(opened.image.identity.source_kind, "podman");
    }
    let error = open("podman:localhost/none:1").unwrap_err().to_string();
    assert!(error.contains("podman has no image `localhost/none:1`"), "{error}");
}

#[test]
fn tables_that_skopeo_writes_are_read() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let registry = Registry::start("", &[], &[]);
    let place = scratch();
    let tar = super::support::tar_bytes::Tar::new()
        .directory("etc/")
        .file("etc/motd", MOTD)
        .file("noise", super::tables::noise(900_000))
        .symlink("link", "etc/motd")
        .finish();
    let archive = file(place.path(), "image.tar", &docker_archive(&Image::new(vec![tar]).named("tabled:1")));
    let status = Command::new("skopeo")
        .args(["copy", "-q", "-f", "oci", "--dest-tls-verify=false", "--dest-compress-format", "zstd:chunked"])
        .arg(format!("docker-archive:{}", archive.display()))
        .arg(format!("docker://{}/team/tabled:1", registry.host))
        .status();
    assert!(status.unwrap().success());
    let mut customer = Customer::new();
    customer.remote.http.silence = Duration::from_secs(10);
    let open = |tables: bool| {
        let options = OpenOptions { tables, ..customer.options() };
        open_with(format!("docker://{}/team/tabled:1", registry.host), options).unwrap()
    };
    let (listed, read) = (open(true), open(false));
    assert!(listed.image.layers[0].listed && !read.image.layers[0].listed);
    assert_eq!(super::tables::told(&listed), super::tables::told(&read));
    holds_sample(&listed);
    assert_eq!(content(&listed, "/noise"), content(&read, "/noise"));
}

/// A file system of 64 KiB, until the test ends.
struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    fn mount() -> Option<Self> {
        let place = scratch();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(place.path()).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then_some(Self(place))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_done_without() {
    let Some(disk) = TinyDisk::mount() else {
        println!("skipped: nothing can be mounted here");
        return;
    };
    // What does not compress does not fit.
    let mut seed = 1u32;
    let noise = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    });
    let noise: Vec<u8> = noise.take(3 << 20).collect();
    let layer = super::support::tar_bytes::Tar::new().file("etc/motd", MOTD).file("noise", &noise).finish();
    let mut shop = super::shop::Shop::default();
    shop.add(&Image::stored_of(vec![layer], super::support::compress::gzip), "1");
    let server = super::server::Server::start(move |seen| shop.answer(seen));
    let mut customer = Customer::new();
    customer.remote.cache = Some(nixdive::cache::Cache::new(&disk.0.path().join("cache"), 1 << 30));
    let opened = customer.open(&server.host, "team/app:1").unwrap();
    assert_eq!(content(&opened, "/noise"), noise);
    assert_eq!(content(&opened, "/etc/motd"), MOTD.as_bytes());
}
