//! Against containerd as it is: what it keeps of an image on the disk.

use std::path::Path;
use std::process::{Command, Stdio};

use nixdive::engines::EngineEnvironment;
use nixdive::open::{OpenError, OpenOptions, Opened, Progress, open};
use nixdive::reference::Reference;

use super::live::{Running, have, holds_sample, wait_for};
use super::support::images::{Image, docker_archive, sample_layers};
use super::support::program::{file, scratch};

/// A containerd of the test's own, with a sample image under two names.
struct Containerd {
    place: tempfile::TempDir,
    _running: Running,
}

impl Containerd {
    /// `None` with a printed reason where it cannot run.
    fn start() -> Option<Self> {
        if !have(&["containerd", "ctr"]) {
            return None;
        }
        let place = scratch();
        let root = place.path().display().to_string();
        let config = format!(
            "version = 2\nroot = \"{root}/var/lib/containerd\"\nstate = \"{root}/state\"\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = \"{root}/containerd.sock\"\n"
        );
        let config = file(place.path(), "config.toml", config.as_bytes());
        let mut command = Command::new("containerd");
        command.arg("-c").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
        let running = Running(command.spawn().unwrap());
        let socket = place.path().join("containerd.sock");
        wait_for("containerd", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
        let containerd = Self { place, _running: running };
        let image = docker_archive(&Image::new(sample_layers()).named("docker.io/library/app:1"));
        let archive = file(containerd.place.path(), "image.tar", &image);
        containerd.ctr(&["-n", "default", "images", "import", "--no-unpack", &archive.display().to_string()]);
        containerd.ctr(&["-n", "other", "images", "import", "--no-unpack", &archive.display().to_string()]);
        Some(containerd)
    }

    fn ctr(&self, arguments: &[&str]) -> String {
        let socket = self.place.path().join("containerd.sock");
        let output = Command::new("ctr").arg("-a").arg(socket).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn open(&self, typed: &str) -> Result<Opened, OpenError> {
        open_below(self.place.path(), typed)
    }
}

fn open_below(root: &Path, typed: &str) -> Result<Opened, OpenError> {
    let mut options = OpenOptions::default();
    options.remote.engines = Some(EngineEnvironment { root: root.to_owned(), ..EngineEnvironment::default() });
    open(&Reference::parse(typed.as_ref()).unwrap(), &options, &Progress::new())
}

#[test]
fn images_of_containerd_are_opened_from_its_disk_while_it_runs() {
    let Some(containerd) = Containerd::start() else { return };
    let listed = containerd.ctr(&["images", "list"]);
    let digest = listed.split_whitespace().find(|word| word.starts_with("sha256:")).unwrap();
    for typed in ["app:1", "docker.io/library/app:1", digest] {
        let opened = containerd.open(&format!("containerd:{typed}")).unwrap();
        holds_sample(&opened);
        let identity = &opened.image.identity;
        assert_eq!(identity.manifest_digest.as_ref().map(|found| found.as_str()), Some(digest));
        assert_eq!(identity.source_kind, "containerd");
    }
    assert_eq!(containerd.open("docker.io/library/app:1").unwrap().image.identity.source_kind, "containerd");
    let error = containerd.open("containerd:app:2").unwrap_err().to_string();
    assert!(error.contains("containerd has no image `app:2`"), "{error}");
}

#[test]
fn a_layer_that_containerd_has_thrown_away_is_told() {
    let Some(containerd) = Containerd::start() else { return };
    let opened = containerd.open("containerd:app:1").unwrap();
    let digest = opened.image.layers.last().unwrap().digest.clone().unwrap();
    let blobs = containerd.place.path().join("var/lib/containerd/io.containerd.content.v1.content/blobs/sha256");
    std::fs::remove_file(blobs.join(digest.hex())).unwrap();
    let opened = containerd.open("containerd:app:1").unwrap();
    let told = &opened.image.defects[0].message;
    assert!(told.contains(digest.hex()) && told.contains("discard_unpacked_layers"), "{told}");
    assert!(opened.image.layers.last().unwrap().is_absent());
}

#[test]
fn a_machine_without_containerd_says_where_it_was_looked_for() {
    let place = scratch();
    let error = open_below(place.path(), "containerd:app:1").unwrap_err().to_string();
    assert!(error.contains("var/lib/containerd"), "{error}");
}
