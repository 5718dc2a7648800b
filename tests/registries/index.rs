//! Indexes of several images, as they arrive in a real registry and as its other clients see them.

use std::process::Command;

use nixdive::image::Platform;
use nixdive::open::OpenOptions;
use serde_json::Value;

use super::live::{Registry, have, holds_sample};
use super::shop::Customer;
use super::support::images::{Image, digest, docker_archive, oci_members, sample_layers, write_directory};
use super::support::program::{Run, file, nixdive, open_with, run_command, scratch};

fn image_for(architecture: &str, variant: Option<&str>) -> Image {
    let mut image = Image::new(sample_layers()).named("app:1");
    image.config["architecture"] = architecture.into();
    if let Some(variant) = variant {
        image.config["variant"] = variant.into();
    }
    image
}

/// A place with images in files.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(scratch())
    }

    fn archive(&self, name: &str, image: &Image) -> String {
        file(self.0.path(), name, &docker_archive(image)).display().to_string()
    }

    fn layout(&self, name: &str, image: &Image) -> String {
        let directory = write_directory(&self.0.path().join(name), &oci_members(std::slice::from_ref(image)));
        format!("oci:{}", directory.display())
    }

    fn index(&self, arguments: &[&str]) -> Run {
        run_command(nixdive().env("XDG_CACHE_HOME", self.0.path().join("cache")).arg("index").args(arguments))
    }
}

fn output(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn platforms(index: &[u8]) -> Vec<String> {
    let index: Value = serde_json::from_slice(index).unwrap();
    let platform = |child: &Value| {
        let text = |key: &str| child["platform"][key].as_str().map(str::to_owned);
        [text("os"), text("architecture"), text("variant")].into_iter().flatten().collect::<Vec<_>>().join("/")
    };
    index["manifests"].as_array().unwrap().iter().map(platform).collect()
}

#[test]
fn images_from_everywhere_become_one_index_that_all_clients_read() {
    if !have(&["docker-registry", "skopeo", "podman"]) {
        return;
    }
    let registry = Registry::start("", &[], &[]);
    let place = Place::new();
    let arm = place.archive("arm.tar", &image_for("arm64", None));
    let old = place.layout("old", &image_for("arm", Some("v7")));
    let target = format!("docker://{}/team/many", registry.host);
    let own = format!("docker://{}/team/app:1", registry.host);
    let flags = ["--version", "v1.2.3", "--branch", "feature/x", "--latest", "--annotation", "org.example=1"];
    let arguments = [&[target.as_str()], &flags[..], &[&arm, &own, &old, "--format", "json"]].concat();
    let run = place.index(&arguments);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(report["schema"], "nixdive.index/1");

    let raw = output("skopeo", &["inspect", "--raw", "--tls-verify=false", &format!("{target}:1.2")]);
    assert_eq!(report["digest"], digest(&raw));
    let host = Platform::host().to_string();
    let mut expected = vec!["linux/arm/v7".to_owned(), "linux/arm64".to_owned(), host];
    expected.sort();
    assert_eq!(platforms(&raw), expected);
    assert_eq!(serde_json::from_slice::<Value>(&raw).unwrap()["annotations"]["org.example"], "1");
    let insecure = format!("[[registry]]\nlocation = \"{}\"\ninsecure = true\n", registry.host);
    let insecure = file(place.0.path(), "registries.conf", insecure.as_bytes());
    let root = place.0.path().display();
    let storage = format!("[storage]\ndriver = \"vfs\"\nrunroot = \"{root}/run\"\ngraphroot = \"{root}/graph\"\n");
    let storage = file(place.0.path(), "storage.conf", storage.as_bytes());
    let mut podman = Command::new("podman");
    podman.env("CONTAINERS_REGISTRIES_CONF", insecure).env("CONTAINERS_STORAGE_CONF", storage);
    let seen = podman.args(["manifest", "inspect", &format!("{}/team/many:latest", registry.host)]).output().unwrap();
    assert!(seen.status.success(), "{}", String::from_utf8_lossy(&seen.stderr));
    assert_eq!(platforms(&seen.stdout), expected);
    let copied = place.0.path().join("copied");
    let copied = format!("dir:{}", copied.display());
    output("skopeo", &["copy", "-q", "--all", "--src-tls-verify=false", &format!("{target}:feature-x"), &copied]);
    let tags = run_command(nixdive().args(["tags", &target]));
    let mut tags: Vec<String> = String::from_utf8(tags.stdout).unwrap().lines().map(str::to_owned).collect();
    tags.sort();
    assert_eq!(tags, ["1", "1.2", "1.2.3", "feature-x", "latest"]);
    for platform in &expected {
        let customer = Customer::new();
        let options = OpenOptions { platform: Platform::parse(platform), ..customer.options() };
        let opened = open_with(format!("{target}:1"), options).unwrap();
        holds_sample(&opened);
        assert_eq!(opened.image.config.platform.to_string(), *platform);
    }
}

#[test]
fn an_index_among_the_sources_gives_all_its_images_without_sending_them_again() {
    if !have(&["docker-registry", "skopeo"]) {
        return;
    }
    let registry = Registry::start("", &[], &[]);
    let place = Place::new();
    let [first, second, third] =
        ["team/one:1", "team/two:1", "team/one:2"].map(|name| format!("docker://{}/{name}", registry.host));
    let own = format!("docker://{}/team/app:1", registry.host);
    let arm = place.archive("arm.tar", &image_for("arm64", None));
    assert_eq!(place.index(&[&first, &own, &arm]).code, Some(0));
    let old = place.layout("old", &image_for("arm", Some("v7")));
    for target in [&second, &third] {
        let run = place.index(&[target, &first, &old, "--format", "json"]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let report: Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!(report["images"].as_array().unwrap().len(), 3);
        let outcomes: Vec<&str> =
            report["layers"].as_array().unwrap().iter().map(|layer| layer["outcome"].as_str().unwrap()).collect();
        assert!(outcomes.iter().filter(|outcome| **outcome != "sent").count() >= 2, "{outcomes:?}");
    }
    let raw = |target: &str| output("skopeo", &["inspect", "--raw", "--tls-verify=false", target]);
    assert_eq!(raw(&second), raw(&third), "the same images make the same index");
}

#[test]
fn two_images_of_one_platform_are_told_and_refused_on_request() {
    let place = Place::new();
    let one = place.archive("one.tar", &image_for("arm64", None));
    let mut other = image_for("arm64", None);
    other.config["author"] = "somebody".into();
    let other = place.archive("other.tar", &other);
    let target = format!("oci:{}:app", place.0.path().join("out").display());
    let run = place.index(&[&target, &one, &other, "--distinct"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("one.tar") && run.stderr.contains("other.tar"), "{}", run.stderr);
    assert!(run.stderr.contains("linux/arm64"), "{}", run.stderr);
    assert!(!place.0.path().join("out").exists());
    let run = place.index(&[&target, &one, &one, "--distinct"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "an image is no clash with itself");
    let run = place.index(&[&target, &one, &other]);
    assert_eq!(run.code, Some(0));
    assert!(run.stderr.contains("clients get the first"), "{}", run.stderr);
}

#[test]
fn a_layout_holds_an_index_under_all_its_names() {
    let place = Place::new();
    let arm = place.archive("arm.tar", &image_for("arm64", None));
    let old = place.layout("old", &image_for("arm", Some("v7")));
    for transport in ["oci", "oci-archive"] {
        let out = place.0.path().join(transport);
        let target = format!("{transport}:{}:app", out.display());
        let run = place.index(&[&target, &arm, &old, "--version", "2.0.0-rc.1"]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        for (name, platform) in [("app", "linux/arm64"), ("2.0.0-rc.1", "linux/arm/v7")] {
            let options = OpenOptions { platform: Platform::parse(platform), ..Customer::new().options() };
            let opened = open_with(format!("{transport}:{}:{name}", out.display()), options).unwrap();
            holds_sample(&opened);
            assert_eq!(opened.image.config.platform.to_string(), platform);
        }
    }
}

#[test]
fn what_cannot_be_an_index_is_said_before_anything_is_sent() {
    let place = Place::new();
    let arm = place.archive("arm.tar", &image_for("arm64", None));
    let nothing = place.archive("nothing.tar", &image_for("", None));
    let out = format!("oci:{}", place.0.path().join("out").display());
    for (arguments, said) in [
        (vec!["docker-archive:x.tar", &arm], "cannot write an index"),
        (vec!["podman:app:1", &arm], "cannot write an index"),
        (vec![&out, &nothing], "lacks the operating system or architecture"),
        (vec![&out, &arm, "--tag", "a/b"], "invalid tag `a/b`"),
        (vec![&out, &arm, "--version", "v"], "invalid version `v`"),
        (vec![&out, &arm, "--annotation", "x"], "KEY=VALUE"),
        (vec![&out, "missing.tar"], "missing.tar"),
    ] {
        let run = place.index(&arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}");
        assert!(run.stderr.contains(said), "{arguments:?}: {}", run.stderr);
    }
    assert!(!place.0.path().join("out").exists());
}

/// The header of an ELF program without segments, for a machine by its number.
fn program(machine: u8) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    (bytes[16], bytes[18]) = (2, machine);
    bytes
}

#[test]
fn an_image_whose_program_is_for_another_processor_is_refused() {
    use super::support::tar_bytes::{Entry, Tar};
    let place = Place::new();
    let image = |architecture: &str, machine: u8| {
        let tool = Entry::file("bin/tool", program(machine)).mode(0o755);
        let script = Entry::file("bin/run", "#!/bin/tool\n").mode(0o755);
        let mut image = Image::new(vec![Tar::new().add(tool).add(script).finish()]).named("app:1");
        image.config["architecture"] = architecture.into();
        image.config["config"]["Cmd"] = serde_json::json!(["/bin/run"]);
        image
    };
    let (amd64, arm64) = (62, 183);
    let right = place.archive("right.tar", &image("amd64", amd64));
    let target = format!("oci:{}", place.0.path().join("out").display());
    for wrong in [
        place.archive("wrong.tar", &image("arm64", amd64)),
        place.layout("wrong", &image("arm64", amd64)),
        place.archive("other.tar", &image("amd64", arm64)),
    ] {
        let run = place.index(&[&target, &right, &wrong]);
        assert_eq!(run.code, Some(2), "{wrong}");
        assert!(run.stderr.contains("/bin/tool is for") && run.stderr.contains("hint: "), "{}", run.stderr);
        assert!(!place.0.path().join("out").exists(), "nothing is written");
    }
    let other = place.archive("arm.tar", &image("arm64", arm64));
    let run = place.index(&[&target, &right, &other]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn programs_of_images_in_a_registry_are_checked_too() {
    use super::server::{Reply, Server};
    use super::shop::Shop;
    use super::support::tar_bytes::{Entry, Tar};
    let place = Place::new();
    let image = |architecture: &str, machine: u8| {
        let tool = Entry::file("bin/tool", program(machine)).mode(0o755);
        let mut image = Image::new(vec![Tar::new().add(tool).finish()]);
        image.config["architecture"] = architecture.into();
        image.config["config"]["Entrypoint"] = serde_json::json!(["/bin/tool"]);
        image
    };
    let (amd64, arm64) = (62, 183);
    let (mut shop, _) = Shop::sample();
    shop.add(&image("amd64", amd64), "amd64");
    shop.add(&image("arm64", arm64), "arm64");
    shop.add(&image("arm64", amd64), "wrong");
    let server = Server::start(move |seen| {
        if seen.method == "GET" || seen.method == "HEAD" { shop.answer(seen) } else { Reply::new(405, "") }
    });
    let target = format!("oci:{}", place.0.path().join("out").display());
    let named = |tag: &str| format!("docker://{}/team/app:{tag}", server.host);
    let run = place.index(&[&target, &named("amd64"), &named("wrong")]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains(":wrong") && run.stderr.contains("/bin/tool is for"), "{}", run.stderr);
    assert!(!place.0.path().join("out").exists(), "nothing is written");
    let run = place.index(&[&target, &named("amd64"), &named("arm64")]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(!run.stderr.contains("not checked"), "{}", run.stderr);
}
