//! What is pushed to docker-registry as it is, and what other programs make of it.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::live::{Registry, certificates, have, users};
use super::support::images::{Image, docker_archive, sample_layers};
use super::support::program::{file, nixdive, scratch};

/// The standard output of a program that has to succeed.
fn output(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn skopeo(arguments: &[&str]) -> Vec<u8> {
    output(Command::new("skopeo").args(arguments))
}

/// `nixdive copy` with a cache of its own; its report.
pub fn copied(place: &Path, arguments: &[&str]) -> Value {
    let mut command = nixdive();
    command.env("XDG_CACHE_HOME", place.join("cache")).env("HOME", place);
    let bytes = output(command.args(["copy", "--quiet", "--format", "json"]).args(arguments));
    serde_json::from_slice(&bytes).unwrap()
}

pub fn digest_of(report: &Value) -> String {
    report["destinations"][0]["manifestDigest"].as_str().unwrap().to_owned()
}

pub fn sample(place: &Path, name: &str, more: &[u8]) -> String {
    let mut layers = sample_layers();
    layers.push(super::support::tar_bytes::Tar::new().file("more", more).finish());
    file(place, name, &docker_archive(&Image::new(layers).named("app:1"))).display().to_string()
}

#[test]
fn what_is_pushed_other_programs_take_with_equal_digests() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let (registry, place) = (Registry::start("", &[], &[]), scratch());
    let place = place.path();
    let to = format!("docker://{}/team/pushed:1", registry.host);
    for compression in ["gzip", "zstd", "none"] {
        let report = copied(place, &[&sample(place, "image.tar", b"x"), &to, "--compression", compression]);
        let inspected: Value = serde_json::from_slice(&skopeo(&["inspect", "--tls-verify=false", &to])).unwrap();
        assert_eq!(inspected["Digest"].as_str(), Some(digest_of(&report).as_str()), "{compression}");
        // It unpacks and checks every layer.
        let layout = format!("oci:{}:{compression}", place.join("layout").display());
        skopeo(&["copy", "-q", "--src-tls-verify=false", "--preserve-digests", &to, &layout]);
        if have(&["umoci"]) && compression == "gzip" {
            let bundle = place.join("bundle");
            let image = format!("{}:{compression}", place.join("layout").display());
            output(Command::new("umoci").args(["raw", "unpack", "--rootless", "--image", &image]).arg(&bundle));
            assert_eq!(std::fs::read(bundle.join("more")).unwrap(), b"x");
        }
    }
}

#[test]
fn podman_pulls_what_was_pushed_as_the_same_image() {
    if !have(&["docker-registry", "skopeo", "podman"]) {
        return;
    }
    let (registry, place) = (Registry::start("", &[], &[]), scratch());
    let place = place.path();
    let root = place.display();
    let storage = format!("[storage]\ndriver = \"vfs\"\nrunroot = \"{root}/run\"\ngraphroot = \"{root}/graph\"\n");
    let storage = file(place, "storage.conf", storage.as_bytes());
    let podman = |arguments: &[&str]| {
        let mut command = Command::new("podman");
        let said = output(command.env("CONTAINERS_STORAGE_CONF", &storage).args(arguments));
        String::from_utf8(said).unwrap().trim().to_owned()
    };
    for compression in ["gzip", "zstd"] {
        let name = format!("{}/team/pushed:{compression}", registry.host);
        let to = format!("docker://{name}");
        let report =
            copied(place, &[&sample(place, "image.tar", compression.as_bytes()), &to, "--compression", compression]);
        let id = podman(&["pull", "-q", "--tls-verify=false", &name]);
        let manifest: Value =
            serde_json::from_slice(&skopeo(&["inspect", "--raw", "--tls-verify=false", &to])).unwrap();
        assert_eq!(format!("sha256:{id}"), manifest["config"]["digest"], "{compression}");
        assert_eq!(podman(&["image", "inspect", "--format", "{{.Digest}}", &name]), digest_of(&report));
    }
}

#[test]
fn all_ways_lead_to_the_same_digest() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let (registry, place) = (Registry::start("", &[], &[]), scratch());
    let place = place.path();
    let from = format!("docker://{}/team/oci:1", registry.host);
    copied(place, &[&sample(place, "image.tar", b"x"), &from]);
    let raw = skopeo(&["inspect", "--raw", "--tls-verify=false", &from]);
    let at = |kind: &str, name: &str| format!("{kind}:{}", place.join(name).display());
    let (layout, archive, directory) = (at("oci", "l") + ":x", at("oci-archive", "a.tar") + ":x", at("dir", "d"));
    let other = format!("docker://{}/team/other:1", registry.host);
    let report = copied(place, &[&from, &layout, &archive, &directory, &other]);
    assert_eq!(report["destinations"][3]["layers"][0]["outcome"], "mounted");
    for to in [&layout, &archive, &directory] {
        assert_eq!(skopeo(&["inspect", "--raw", to]), raw, "{to}");
        let back = format!("docker://{}/team/back:1", registry.host);
        copied(place, &[to, &back]);
        assert_eq!(skopeo(&["inspect", "--raw", "--tls-verify=false", &back]), raw, "{to}");
    }
    assert_eq!(skopeo(&["inspect", "--raw", "--tls-verify=false", &other]), raw);
    // In a layout, Docker's manifest becomes one that others read there, around the same blobs.
    let of_docker = format!("docker://{}/team/app:1", registry.host);
    let translated = at("oci", "translated") + ":x";
    let report = copied(place, &[&of_docker, &translated]);
    let inspected =
        |from: &str| -> Value { serde_json::from_slice(&skopeo(&["inspect", "--tls-verify=false", from])).unwrap() };
    assert_eq!(inspected(&translated)["Layers"], inspected(&of_docker)["Layers"]);
    assert_eq!(inspected(&translated)["Digest"].as_str(), Some(digest_of(&report).as_str()));
    skopeo(&["copy", "-q", &translated, &at("dir", "unpacked")]);
    // A docker-archive has the same configuration.
    let plain = at("docker-archive", "plain.tar");
    copied(place, &[&from, &plain]);
    let config = |from: &str| skopeo(&["inspect", "--config", "--raw", "--tls-verify=false", from]);
    assert_eq!(config(&plain), config(&from));
    let packed = at("docker-archive", "packed.tar.gz");
    copied(place, &[&from, &packed]);
    let unpacked = output(Command::new("gzip").arg("-dc").arg(place.join("packed.tar.gz")));
    assert_eq!(unpacked, std::fs::read(place.join("plain.tar")).unwrap());
}

#[test]
fn an_index_arrives_whole() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let (registry, place) = (Registry::start("", &[], &[]), scratch());
    let place = place.path();
    let image = |architecture: &str| {
        let mut layers = sample_layers();
        layers.push(super::support::tar_bytes::Tar::new().file("for", architecture).finish());
        Image::stored_of(layers, super::support::compress::gzip).platform(architecture, None)
    };
    let members = super::support::images::oci_members(&[image("amd64"), image("arm64")]);
    let layout = super::support::images::write_directory(&place.join("layout"), &members);
    let index = std::fs::read(layout.join("index.json")).unwrap();
    let to = format!("docker://{}/team/many:1", registry.host);
    copied(place, &["--all", &format!("oci:{}", layout.display()), &to]);
    assert_eq!(skopeo(&["inspect", "--raw", "--tls-verify=false", &to]), index);
    // Both images are there, and the whole comes back.
    let directory = format!("dir:{}", place.join("d").display());
    copied(place, &["--all", &to, &directory]);
    assert_eq!(skopeo(&["inspect", "--raw", &directory]), index);
    skopeo(&["copy", "-q", "--all", &directory, &format!("dir:{}", place.join("again").display())]);
    let one = format!("docker-archive:{}", place.join("arm.tar").display());
    copied(place, &["--platform", "linux/arm64", &to, &one]);
    assert!(String::from_utf8_lossy(&skopeo(&["inspect", &one])).contains("arm64"));
}

#[test]
fn what_changed_is_all_that_is_read_and_sent() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let (registry, place) = (Registry::start("", &[], &[]), scratch());
    let (first, second) = (scratch(), scratch());
    let to = format!("docker://{}/team/pushed:1", registry.host);
    copied(first.path(), &[&sample(place.path(), "one.tar", b"one"), &to]);
    // Another machine, with nothing in its cache.
    let report = copied(second.path(), &[&sample(place.path(), "two.tar", b"two"), &to]);
    let layers = report["destinations"][0]["layers"].as_array().unwrap();
    let read: Vec<bool> = layers.iter().map(|layer| layer["read"].as_bool().unwrap()).collect();
    assert_eq!(read, [false, false, true]);
}

#[test]
fn a_password_and_an_authority_are_used_for_pushing_too() {
    if !have(&["docker-registry", "skopeo", "openssl"]) {
        return;
    }
    let place = scratch();
    let [certificate, authority, key] = certificates(place.path());
    let extra =
        "  tls:\n    certificate: @/cert\n    key: @/key\nauth:\n  htpasswd:\n    realm: here\n    path: @/users\n";
    let files: &[(&str, &[u8])] = &[("cert", &certificate), ("key", &key), ("users", users())];
    let registry = Registry::start(extra, files, &["--dest-creds", "me:hunter2"]);
    std::fs::create_dir(place.path().join("certs")).unwrap();
    file(place.path(), "certs/ca.crt", &authority);
    let certs = place.path().join("certs").display().to_string();
    let from = sample(place.path(), "image.tar", b"x");
    let to = format!("docker://{}/team/pushed:1", registry.host);
    let report = copied(place.path(), &[&from, &to, "--cert-dir", &certs, "--dest-creds", "me:hunter2"]);
    let there = skopeo(&["inspect", "--cert-dir", &certs, "--creds", "me:hunter2", &to]);
    assert!(String::from_utf8_lossy(&there).contains(&digest_of(&report)));
    let mut command = nixdive();
    command.env("HOME", place.path()).args(["copy", "-q", &from, &to, "--cert-dir", &certs]);
    let refused = command.args(["--dest-creds", "me:wrong-one"]).output().unwrap();
    let error = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2));
    assert!(error.contains("refuses access") && !error.contains("wrong-one"), "{error}");
}

#[test]
fn a_rebuilt_image_goes_straight_to_a_registry() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let Some(corpus) = std::env::var_os("NIXDIVE_CORPUS") else {
        println!("skipped: there is no corpus");
        return;
    };
    let (registry, place) = (Registry::start("", &[], &[]), scratch());
    let image = Path::new(&corpus).join("nix/hello-nix.tar.gz");
    let to = format!("docker://{}/team/small:1", registry.host);
    let layout = format!("oci:{}:x", place.path().join("layout").display());
    let rebuild = |outputs: &[&str]| {
        let mut command = nixdive();
        command.env("XDG_CACHE_HOME", place.path().join("cache")).env("HOME", place.path()).arg("rebuild").arg(&image);
        for output in outputs {
            command.args(["-o", output]);
        }
        let ran = command.output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{said}");
        said
    };
    rebuild(&[&to, &layout]);
    let raw = skopeo(&["inspect", "--raw", "--tls-verify=false", &to]);
    assert_eq!(raw, skopeo(&["inspect", "--raw", &layout]));
    let again = rebuild(&[&to]);
    assert!(again.contains("no layers to send") && again.contains(" not read"), "{again}");
    assert_eq!(skopeo(&["inspect", "--raw", "--tls-verify=false", &to]), raw);
}

#[test]
fn nothing_is_written_over_what_is_read_and_nothing_left_behind() {
    let place = scratch();
    let image = sample(place.path(), "image.tar", b"x");
    let before = std::fs::read(&image).unwrap();
    let same = nixdive().args(["copy", &image, &format!("docker-archive:{image}")]).output().unwrap();
    assert_eq!(same.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&same.stderr).contains("is the image that is being read"));
    assert_eq!(std::fs::read(&image).unwrap(), before);
    // A layer that is not what the configuration says is found out before anything has a name.
    let mut damaged = before;
    let motd = super::support::images::MOTD.as_bytes();
    let at = damaged.windows(motd.len()).position(|window| window == motd).unwrap();
    damaged[at] ^= 1;
    std::fs::write(&image, &damaged).unwrap();
    for to in ["oci:layout:x", "dir:directory", "oci-archive:archive.tar", "plain.tar", "packed.tar.gz"] {
        let run = nixdive().args(["copy", "-q", "image.tar", to]).current_dir(place.path()).output().unwrap();
        assert_eq!(run.status.code(), Some(2), "{to}");
        assert!(String::from_utf8_lossy(&run.stderr).contains("its bytes have the digest"), "{to}");
        let left: Vec<_> = std::fs::read_dir(place.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["image.tar"], "{to}");
    }
}
