//! Images that go into engines through their sockets, against podman and Docker as they are.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::live::{Running, have, holds_sample, wait_for};
use super::support::compress::{gzip, zstd};
use super::support::images::{Image, OCI_GZIP, digest, docker_archive, oci_members, sample_layers, write_directory};
use super::support::program::{Run, file, nixdive, open_typed, run_command, scratch};
use super::support::tar_bytes::Tar;

/// An engine of the test's own.
struct Engine {
    transport: &'static str,
    variable: &'static str,
    socket: PathBuf,
    _running: Vec<Stopped>,
    place: tempfile::TempDir,
}

/// A program that is asked to stop, so that it can clean up, before it has to.
struct Stopped(Running);

impl Drop for Stopped {
    fn drop(&mut self) {
        let child: &mut Child = &mut self.0.0;
        let _ = Command::new("kill").arg(child.id().to_string()).status();
        for _ in 0..100 {
            if child.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Engine {
    fn podman() -> Option<Self> {
        if !have(&["podman"]) {
            return None;
        }
        let place = scratch();
        let root = place.path().display().to_string();
        let storage = format!("[storage]\ndriver = \"vfs\"\nrunroot = \"{root}/run\"\ngraphroot = \"{root}/graph\"\n");
        let storage = file(place.path(), "storage.conf", storage.as_bytes());
        let socket = place.path().join("podman.sock");
        let mut command = Command::new("podman");
        command.env("CONTAINERS_STORAGE_CONF", storage).args(["system", "service", "--time", "0"]);
        command.arg(format!("unix://{}", socket.display()));
        let running = vec![start(&mut command)];
        wait_for("podman", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
        Some(Self { transport: "podman", variable: "CONTAINER_HOST", socket, _running: running, place })
    }

    /// With a containerd of its own, so that nothing is left running, and without a network.
    fn docker() -> Option<Self> {
        if !have(&["dockerd", "containerd"]) {
            return None;
        }
        let place = scratch();
        let root = place.path().display().to_string();
        let config = format!(
            "version = 2\nroot = \"{root}/containerd\"\nstate = \"{root}/state\"\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = \"{root}/containerd.sock\"\n"
        );
        let config = file(place.path(), "config.toml", config.as_bytes());
        let below = place.path().join("containerd.sock");
        let containerd = start(Command::new("containerd").arg("-c").arg(config));
        wait_for("containerd", || std::os::unix::net::UnixStream::connect(&below).is_ok());
        let socket = place.path().join("docker.sock");
        let mut command = Command::new("dockerd");
        let arguments = format!(
            "--data-root {root}/data --exec-root {root}/exec -H unix://{} --containerd {} -p {root}/pid \
             --bridge=none --iptables=false --ip6tables=false --storage-driver=vfs",
            socket.display(),
            below.display()
        );
        let mut dockerd = start(command.args(arguments.split_whitespace()));
        let mut ended = None;
        wait_for("dockerd", || {
            ended = dockerd.0.0.try_wait().unwrap();
            ended.is_some() || std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
        // It wants more of the kernel than any other peer: control groups, above all.
        if let Some(status) = ended {
            // Past the harness, which would keep it from those who read what CI says.
            let _ = writeln!(std::io::stderr(), "skipped: dockerd cannot run on this kernel ({status})");
            return None;
        }
        Some(Self {
            transport: "docker-daemon",
            variable: "DOCKER_HOST",
            socket,
            _running: vec![dockerd, containerd],
            place,
        })
    }

    fn run(&self, arguments: &[&str]) -> Run {
        run_command(nixdive().env(self.variable, format!("unix://{}", self.socket.display())).args(arguments))
    }

    /// Copies an image into the engine, and gives what became of its layers.
    fn load(&self, source: &str, name: &str) -> Vec<(String, bool)> {
        let target = format!("{}:{name}", self.transport);
        let run = self.run(&["copy", source, &target, "--format", "json"]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let report: Value = serde_json::from_slice(&run.stdout).unwrap();
        let layers = report["destinations"][0]["layers"].as_array().unwrap();
        let layer = |layer: &Value| (layer["outcome"].as_str().unwrap().to_owned(), layer["read"].as_bool().unwrap());
        layers.iter().map(layer).collect()
    }

    /// Copies an image out of the engine again.
    fn holds(&self, name: &str, image: &Image) {
        let back = self.place.path().join("back.tar");
        let run =
            self.run(&["copy", &format!("{}:{name}", self.transport), &format!("docker-archive:{}", back.display())]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let opened = open_typed(&back).unwrap();
        holds_sample(&opened);
        let config = digest(image.config.to_string().as_bytes());
        assert_eq!(opened.image.identity.config_digest.map(|found| found.to_string()), Some(config));
        std::fs::remove_file(back).unwrap();
    }

    fn archive(&self, image: &Image) -> String {
        file(self.place.path(), "image.tar", &docker_archive(image)).display().to_string()
    }

    fn layout(&self, name: &str, image: &Image) -> String {
        let directory = write_directory(&self.place.path().join(name), &oci_members(std::slice::from_ref(image)));
        format!("oci:{}", directory.display())
    }

    fn takes_images_of_all_forms(&self) {
        let plain = Image::new(sample_layers()).named("app:1");
        self.load(&self.archive(&plain), "app:1");
        self.holds("app:1", &plain);
        let zstd_type = "application/vnd.oci.image.layer.v1.tar+zstd";
        for (name, mut image) in [("gzip", Image::stored(OCI_GZIP, gzip)), ("zstd", Image::stored(zstd_type, zstd))] {
            // Another image, so that it is not that of before.
            image.config["author"] = name.into();
            self.load(&self.layout(name, &image), &format!("example.org/team/{name}:2"));
            self.holds(&format!("example.org/team/{name}:2"), &image);
        }
    }

    fn takes_rebuilt_images(&self) {
        let archive = self.archive(&Image::new(sample_layers()).named("app:1"));
        let (target, written) = (format!("{}:small:1", self.transport), self.place.path().join("small.tar"));
        let file = format!("docker-archive:{}", written.display());
        let run = self.run(&["rebuild", &archive, "--keep", "/etc/**", "-o", &target, "-o", &file]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let run = self.run(&["cat", &target, "/etc/motd"]);
        assert_eq!(String::from_utf8(run.stdout).unwrap(), super::support::images::MOTD);
        // The image ID is that of the file.
        let back = self.place.path().join("back.tar");
        let run = self.run(&["copy", &target, &format!("docker-archive:{}", back.display())]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let id = |path: &PathBuf| open_typed(path).unwrap().image.identity.config_digest;
        assert_eq!(id(&back), id(&written));
    }

    fn says_what_it_does_not_take(&self) {
        let mut image = Image::new(sample_layers()).named("bad:1");
        image.config["rootfs"]["diff_ids"][1] = format!("sha256:{}", "1".repeat(64)).into();
        let run = self.run(&["copy", &self.archive(&image), &format!("{}:bad:1", self.transport)]);
        assert_eq!(run.code, Some(2));
        // It is found out before the engine is asked.
        assert!(run.stderr.contains("digest mismatch"), "{}", run.stderr);
        let run = self.run(&["inspect", &format!("{}:bad:1", self.transport)]);
        assert!(run.stderr.contains("has no image"), "{}", run.stderr);
    }
}

fn start(command: &mut Command) -> Stopped {
    Stopped(Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()))
}

#[test]
fn podman_takes_images_and_gives_them_back() {
    let Some(podman) = Engine::podman() else { return };
    podman.takes_images_of_all_forms();
    podman.says_what_it_does_not_take();
}

#[test]
fn docker_takes_images_and_gives_them_back() {
    let Some(docker) = Engine::docker() else { return };
    docker.takes_images_of_all_forms();
    docker.says_what_it_does_not_take();
}

#[test]
fn layers_that_docker_has_are_not_read() {
    let Some(docker) = Engine::docker() else { return };
    let base = sample_layers();
    docker.load(&docker.archive(&Image::new(base.clone()).named("app:1")), "app:1");
    let more = Tar::new().file("etc/more", "one more").finish();
    let image = Image::new([base, vec![more]].concat());
    let layout = docker.layout("layout", &image);
    // Of what Docker has, there is nothing left to be read.
    for layer in &image.layers[..2] {
        let blob = docker.place.path().join("layout/blobs/sha256").join(super::support::images::hex(&layer.blob));
        std::fs::write(blob, "").unwrap();
    }
    let there = ("there".to_owned(), false);
    assert_eq!(docker.load(&layout, "app:2"), [there.clone(), there.clone(), ("sent".to_owned(), true)]);
    docker.holds("app:2", &image);
    assert_eq!(docker.load(&layout, "app:3"), [there.clone(), there.clone(), there]);
}

#[test]
fn a_rebuilt_image_goes_straight_into_podman() {
    let Some(podman) = Engine::podman() else { return };
    podman.takes_rebuilt_images();
}

#[test]
fn a_rebuilt_image_goes_straight_into_docker() {
    let Some(docker) = Engine::docker() else { return };
    docker.takes_rebuilt_images();
}

#[test]
fn an_engine_that_does_not_run_is_told_with_its_sockets() {
    let place = scratch();
    let archive = file(place.path(), "image.tar", &docker_archive(&Image::new(sample_layers()).named("app:1")));
    let missing = place.path().join("no.sock");
    for (transport, variable) in [("docker-daemon", "DOCKER_HOST"), ("podman", "CONTAINER_HOST")] {
        let mut command = nixdive();
        command.env(variable, format!("unix://{}", missing.display()));
        let run = run_command(command.arg("copy").arg(&archive).arg(format!("{transport}:app:1")));
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.contains("no.sock"), "{}", run.stderr);
    }
}
