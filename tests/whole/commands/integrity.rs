//! Images that are incomplete or altered: whoever certifies one refuses it, everybody else is warned.

use std::path::{Path, PathBuf};

use nixdive::open::{Keep, OpenOptions};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha384, Sha512};

use crate::support::compress::{gzip, zstd};
use crate::support::images::{
    Image, Layer, OCI_GZIP, OCI_MANIFEST, blob, docker_archive, docker_members, oci_members, sample_layers,
    write_directory,
};
use crate::support::program::{file, nixdive, open_with, run, run_command, run_with_pipe, scratch};
use crate::support::tar_bytes::{Tar, archive};

/// An image, and a word of the reason against it.
struct Case {
    name: &'static str,
    path: PathBuf,
    reason: &'static str,
    /// Whether it is a large plain layer, which is not read where nobody certifies it.
    is_unread: bool,
}

fn other(tar: &[u8]) -> Vec<u8> {
    let mut tar = tar.to_vec();
    let at = tar.windows(4).position(|window| window == b"from" || window == [7; 4]).unwrap();
    tar[at] ^= 1;
    tar
}

/// Every way in which an image is not what it claims.
fn cases(directory: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name, path, reason| cases.push(Case { name, path, reason, is_unread: false });
    let altered = |compress: &dyn Fn(&[u8]) -> Vec<u8>| {
        let mut image = Image::sample();
        for layer in &mut image.layers {
            layer.blob = compress(&other(&layer.tar));
        }
        docker_archive(&image)
    };
    add("plain", file(directory, "plain.tar", &altered(&<[u8]>::to_vec)), "diffID");
    add("gzip", file(directory, "gzip.tar", &altered(&gzip)), "diffID");
    add("stream", file(directory, "stream.tar.gz", &gzip(&altered(&<[u8]>::to_vec))), "diffID");
    let noise: Vec<u8> = (0..600_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
    let tar = Tar::new().file("etc/motd", "x").file("bin/tool", "x").file("noise", noise).finish();
    for (name, compress) in [("cut.gz", gzip as fn(&[u8]) -> Vec<u8>), ("cut.zst", zstd), ("cut", <[u8]>::to_vec)] {
        let mut layer = Layer::stored(tar.clone(), OCI_GZIP, compress);
        layer.blob.truncate(layer.blob.len() / 2);
        add(name, file(directory, name, &docker_archive(&Image::of(vec![layer]))), "offset");
    }
    let layout = |name: &str, change: &dyn Fn(&str, &mut Vec<u8>) -> bool| {
        let mut members = oci_members(&[Image::stored(OCI_GZIP, gzip)]);
        members.retain_mut(|(name, bytes)| change(name, bytes));
        write_directory(&directory.join(name), &members)
    };
    let sample = Image::stored(OCI_GZIP, gzip);
    let config = blob(sample.config_bytes()).0;
    let manifest = oci_members(std::slice::from_ref(&sample))
        .into_iter()
        .find(|(_, bytes)| String::from_utf8_lossy(bytes).contains("\"layers\":") && bytes.starts_with(b"{"))
        .filter(|(name, _)| *name != config)
        .unwrap()
        .0;
    let layer = blob(sample.layers[1].blob.clone()).0;
    let appended = |wanted: String| {
        move |name: &str, bytes: &mut Vec<u8>| {
            if name == wanted {
                bytes.push(b' ');
            }
            true
        }
    };
    add("config", layout("config", &appended(config)), "configuration is listed under the digest");
    add("manifest", layout("manifest", &appended(manifest)), "manifest is listed under the digest");
    add("longer", layout("longer", &appended(layer.clone())), "bytes");
    add("absent", layout("absent", &|name, _| name != layer), "missing");
    // The blob is the one that the manifest names, but not what the configuration says that it unpacks to.
    let mut image = Image::stored(OCI_GZIP, gzip);
    image.config["rootfs"]["diff_ids"][1] = format!("sha256:{}", "ab".repeat(32)).into();
    add("diff-id", write_directory(&directory.join("diff-id"), &oci_members(&[image])), "diffID");
    // A configuration under the name of another digest.
    let image = Image::sample();
    let mut members = docker_members(&[image], |number, _| format!("{number}.tar"));
    let name = format!("{}.json", "0".repeat(64));
    for (member, bytes) in &mut members {
        if member == "manifest.json" {
            let mut list: Value = serde_json::from_slice(bytes).unwrap();
            list[0]["Config"] = name.as_str().into();
            *bytes = list.to_string().into_bytes();
        } else if member.ends_with(".json") {
            member.clone_from(&name);
        }
    }
    add("config name", file(directory, "config-name.tar", &archive(&members)), "configuration is listed under");
    let large = Tar::new().file("bin/tool", vec![7; 17 << 20]).file("etc/motd", "x").finish();
    let mut image = Image::new(vec![large.clone()]);
    image.layers[0].blob = other(&large);
    let path = file(directory, "large.tar", &docker_archive(&image));
    cases.push(Case { name: "large", path, reason: "diffID", is_unread: true });
    cases
}

fn typed(case: &Case) -> &str {
    case.path.to_str().unwrap()
}

#[test]
fn who_certifies_refuses_and_writes_nothing() {
    let directory = scratch();
    for case in cases(directory.path()) {
        let image = typed(&case);
        for (number, to) in ["docker-archive", "oci", "oci-archive"].into_iter().enumerate() {
            let place = directory.path().join(format!("out-{number}"));
            let destination = format!("{to}:{}", place.display());
            let mut commands = vec![
                vec!["rebuild", image, "--keep", "**", "-o", &destination],
                vec!["copy", "-q", image, &destination],
            ];
            if to != "docker-archive" {
                commands.push(vec!["index", "-q", &destination, image]);
            }
            if number == 0 {
                commands.push(vec!["ci", image, "--forbid-path", "/x"]);
                commands.push(vec!["ci", image, "--forbid-path", "/x", "--verify"]);
                commands.push(vec![image, "--ci"]);
                commands.push(vec!["sbom", image]);
                commands.push(vec!["rebuild", image]);
                commands.push(vec!["rebuild", image, "--plan"]);
                commands.push(vec!["rebuild", image, "--check"]);
            }
            for command in commands {
                let run = run(&command);
                let what = format!("{}: {command:?}: {}", case.name, run.stderr);
                assert_eq!(run.code, Some(2), "{what}");
                assert!(run.stdout.is_empty(), "{what}");
                let is_copied = matches!(command[0], "copy" | "index");
                assert!(is_copied || run.stderr.contains(case.reason), "{what}");
                assert!(!run.stderr.contains("cancelled"), "{what}");
                assert!(!place.exists(), "{what}");
            }
        }
    }
}

#[test]
fn it_can_be_allowed_with_a_warning() {
    let directory = scratch();
    for case in cases(directory.path()) {
        let image = typed(&case);
        for command in [
            &["ci", image, "--forbid-path", "/x", "--format", "json"][..],
            &["rebuild", image, "--plan", "--format", "json"],
            &["sbom", image, "--format", "cyclonedx"],
        ] {
            let run = run(&[command, &["--allow-incomplete"]].concat());
            let what = format!("{}: {command:?}: {}", case.name, run.stderr);
            assert!(run.code == Some(0) || run.code == Some(1) && command[0] == "ci", "{what}");
            assert!(run.stderr.contains("nixdive: warning: ") && run.stderr.contains(case.reason), "{what}");
            let document: Value = serde_json::from_slice(&run.stdout).unwrap();
            if command[0] == "sbom" {
                let properties = &document["metadata"]["properties"];
                assert_eq!(properties[0], json!({"name": "nixdive:complete", "value": "false"}), "{what}");
                assert!(properties[1]["value"].as_str().unwrap().len() > 10, "{what}");
                assert_eq!(document["compositions"][0]["aggregate"], "incomplete", "{what}");
            } else {
                assert_eq!(document["complete"], false, "{what}");
                let warnings = document["warnings"].as_array().unwrap();
                assert!(warnings.iter().any(|one| one.as_str().unwrap().contains(case.reason)), "{what}: {warnings:?}");
            }
        }
        let place = directory.path().join("copied");
        let destination = format!("oci:{}", place.display());
        let run = run(&["copy", image, &destination, "--allow-incomplete", "--format", "json"]);
        let what = format!("{}: {}", case.name, run.stderr);
        assert_eq!(run.code, Some(0), "{what}");
        let document: Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!(document["destinations"][0]["complete"], false, "{what}");
        assert!(!document["destinations"][0]["warnings"].as_array().unwrap().is_empty(), "{what}");
        assert!(run.stderr.contains("nixdive: warning: "), "{what}");
        assert!(place.join("index.json").is_file(), "{what}");
        std::fs::remove_dir_all(place).unwrap();
    }
}

#[test]
fn who_looks_is_warned() {
    let directory = scratch();
    let sound = file(directory.path(), "sound.tar", &docker_archive(&Image::sample()));
    let sound = sound.to_str().unwrap();
    for (number, case) in cases(directory.path()).into_iter().filter(|case| !case.is_unread).enumerate() {
        let image = typed(&case);
        let out = directory.path().join(format!("extracted-{number}"));
        for command in [
            &["ls", image, "-R"][..],
            &["cat", image, "/etc/motd"],
            &["extract", image, "/etc", "-o", out.to_str().unwrap()],
            &["inspect", image],
            &[image],
        ] {
            let run = run(command);
            let what = format!("{}: {command:?}: {}", case.name, run.stderr);
            assert_eq!(run.code, Some(0), "{what}");
            assert!(run.stderr.contains("nixdive: warning: ") && run.stderr.contains(case.reason), "{what}");
        }
        for command in [
            &["inspect", image, "--format", "json"][..],
            &["compare", sound, image, "--format", "json"],
            &["share", sound, image, "--format", "json"],
        ] {
            let run = run(command);
            let what = format!("{}: {command:?}: {}", case.name, run.stderr);
            assert_eq!(run.code, Some(0), "{what}");
            assert!(run.stderr.contains("nixdive: warning: "), "{what}");
            let document: Value = serde_json::from_slice(&run.stdout).unwrap();
            assert_eq!(document["complete"], false, "{what}");
            let warnings = document["warnings"].to_string();
            assert!(warnings.contains(case.reason), "{what}: {warnings}");
        }
    }
}

/// Nothing in it is wasted, and everything is what it claims.
fn sound() -> Image {
    Image::new(sample_layers()[..1].to_vec())
}

fn sound_packed() -> Image {
    Image::stored_of(sample_layers()[..1].to_vec(), gzip)
}

/// An archive whose long names stand in GNU headers.
fn archive_of_long_names(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let add = |tar: Tar, (name, bytes): &(String, Vec<u8>)| match name.len() > 99 {
        true => tar.gnu_long(b'L', name).file(&name[..99], bytes),
        false => tar.file(name, bytes),
    };
    members.iter().fold(Tar::new(), add).finish()
}

#[test]
fn sound_images_pass_and_say_so() {
    let directory = scratch();
    let images = [
        file(directory.path(), "docker.tar", &docker_archive(&sound())),
        file(directory.path(), "docker.tar.gz", &gzip(&docker_archive(&sound_packed()))),
        write_directory(&directory.path().join("layout"), &oci_members(&[sound_packed()])),
    ];
    for image in &images {
        let image = image.to_str().unwrap();
        let report = run(&["ci", image, "--forbid-path", "/x", "--format", "json"]).done();
        let report: Value = serde_json::from_str(report.text()).unwrap();
        assert_eq!((&report["complete"], &report["warnings"]), (&json!(true), &json!([])), "{image}");
        run(&["sbom", image]).done();
        let report = run(&["inspect", image, "--format", "json"]).done();
        assert_eq!(serde_json::from_str::<Value>(report.text()).unwrap()["complete"], true);
        let out = directory.path().join("out");
        run(&["copy", "-q", image, &format!("oci:{}", out.display())]).done();
        std::fs::remove_dir_all(out).unwrap();
    }
}

/// `ALGORITHM:HEX` of some bytes.
fn digest_by(algorithm: &str, bytes: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let value = match algorithm {
        "sha384" => hex(&Sha384::digest(bytes)),
        "sha512" => hex(&Sha512::digest(bytes)),
        "blake3" => hex(blake3::hash(bytes).as_bytes()),
        // As long as an MD5 digest is; nothing computes it.
        _ => hex(&Sha384::digest(bytes)[..16]),
    };
    format!("{algorithm}:{value}")
}

/// A layout whose blobs, and diffIDs, are known by digests of one algorithm; the last layer may have other bytes.
fn layout_by(
    directory: &Path,
    algorithm: &str,
    compress: fn(&[u8]) -> Vec<u8>,
    is_altered: bool,
) -> Vec<(String, Vec<u8>)> {
    let mut members = Vec::new();
    let mut put = |bytes: &[u8], stored: Vec<u8>, media_type: &str| {
        let digest = digest_by(algorithm, bytes);
        members.push((format!("blobs/{}", digest.replacen(':', "/", 1)), stored));
        json!({"digest": digest, "size": bytes.len(), "mediaType": media_type})
    };
    let layers = sample_layers();
    let diff_ids: Vec<String> = layers.iter().map(|layer| digest_by(algorithm, layer)).collect();
    let config = json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": diff_ids}});
    let config = config.to_string().into_bytes();
    let mut described = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        let is_other = is_altered && number + 1 == layers.len();
        let stored = if is_other { other(layer) } else { layer.clone() };
        let blob = compress(&stored);
        // What the manifest describes has the same length.
        let (stated, stored) = (compress(layer), blob);
        let mut descriptor = put(&stated, stored.clone(), OCI_GZIP);
        descriptor["size"] = stored.len().into();
        described.push(descriptor);
    }
    let config = put(&config, config.clone(), "application/vnd.oci.image.config.v1+json");
    let manifest = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": described});
    let manifest = manifest.to_string().into_bytes();
    let manifest = put(&manifest, manifest.clone(), OCI_MANIFEST);
    members.push(("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()));
    members.push(("index.json".into(), json!({"schemaVersion": 2, "manifests": [manifest]}).to_string().into_bytes()));
    write_directory(directory, &members);
    members
}

#[test]
fn digests_are_verified_by_every_algorithm_that_is_known() {
    for algorithm in ["sha384", "sha512", "blake3"] {
        for (form, compress) in [("plain", <[u8]>::to_vec as fn(&[u8]) -> Vec<u8>), ("gzip", gzip)] {
            for is_altered in [false, true] {
                let directory = scratch();
                let layout = directory.path().join("layout");
                let members = layout_by(&layout, algorithm, compress, is_altered);
                let in_one = file(directory.path(), "layout.tar", &archive_of_long_names(&members));
                let packed = file(directory.path(), "layout.tar.gz", &gzip(&archive_of_long_names(&members)));
                for image in [&layout, &in_one, &packed] {
                    let what = format!("{algorithm} {form} {is_altered} {}", image.display());
                    let image = image.to_str().unwrap();
                    let run = run(&["ci", image, "--max-size", "1GB", "--lowestEfficiency", "0"]);
                    if is_altered {
                        assert_eq!(run.code, Some(2), "{what}: {}", run.stderr);
                        assert!(run.stderr.contains(algorithm), "{what}: {}", run.stderr);
                    } else {
                        assert_ne!(run.code, Some(2), "{what}: {}", run.stderr);
                    }
                    let report = crate::support::program::run(&["inspect", image, "--format", "json"]).printed();
                    let report: Value = serde_json::from_str(report.text()).unwrap();
                    let expected = if is_altered { "differs" } else { "matches" };
                    // Who only looks may leave one of both unverified, never equal.
                    let checks = [&report["layers"][1]["diffIdCheck"], &report["layers"][1]["digestCheck"]];
                    assert!(checks.iter().any(|check| **check == expected), "{what}: {checks:?}");
                    let never = if is_altered { "matches" } else { "differs" };
                    assert!(checks.iter().all(|check| **check != never), "{what}: {checks:?}");
                }
                let copied = directory.path().join("copied");
                let run = crate::support::program::run(&[
                    "copy",
                    "-q",
                    layout.to_str().unwrap(),
                    &format!("oci:{}", copied.display()),
                ]);
                assert_eq!(run.code, Some(if is_altered { 2 } else { 0 }), "{algorithm} {form}: {}", run.stderr);
            }
        }
    }
}

#[test]
fn what_cannot_be_verified_is_not_certified() {
    let directory = scratch();
    layout_by(directory.path(), "md5", gzip, false);
    let image = directory.path().to_str().unwrap();
    for command in [&["ci", image, "--max-size", "1GB"][..], &["sbom", image]] {
        let message = run(command).refused();
        assert!(message.contains("not verified") && message.contains("md5 is not supported"), "{message}");
    }
    run(&["sbom", image, "--allow-incomplete"]).warned();
    run(&["ls", image]).warned();
}

#[test]
fn a_limit_is_named_with_its_option() {
    let directory = scratch();
    let long = |number: u32| format!("{number}{}", "n".repeat(200));
    let names = (0..2000).fold(Tar::new(), |tar, number| tar.gnu_long(b'L', long(number)).file("x", "")).finish();
    let layers = vec![names, Tar::new().file("above", "x").finish()];
    type Limit = fn(&mut OpenOptions);
    let limits: [(&str, Limit); 2] = [
        ("--name-limit", |options| options.name_limit = 100_000),
        ("--entry-limit", |options| options.entry_limit = 1500),
    ];
    for (option, limit) in limits {
        for (form, bytes) in [
            ("plain", docker_archive(&Image::new(layers.clone()))),
            ("packed", docker_archive(&Image::stored_of(layers.clone(), gzip))),
            ("stream", gzip(&docker_archive(&Image::new(layers.clone())))),
            ("packed stream", gzip(&docker_archive(&Image::stored_of(layers.clone(), gzip)))),
        ] {
            for keep in [Keep::Trees, Keep::Content, Keep::AnyContent] {
                let path = file(directory.path(), "image", &bytes);
                let mut options = OpenOptions { keep, ..OpenOptions::default() };
                limit(&mut options);
                let opened = open_with(&path, options).unwrap_or_else(|error| panic!("{option} {form}: {error}"));
                let told: Vec<&str> = opened.image.defects.iter().map(|defect| defect.message.as_str()).collect();
                let is_named = |message: &&str| message.contains("limit") && message.contains(option);
                assert!(told.iter().any(is_named), "{option} {form}: {told:?}");
                assert!(!opened.image.is_complete());
            }
            let path = file(directory.path(), "image", &bytes);
            assert!(open_with(&path, OpenOptions::default()).unwrap().image.is_complete(), "{form}");
        }
    }
    // The bytes that a stream unpacks to.
    let zeros = Tar::new().file("zeros", vec![0; 8 << 20]).file("root/.ssh/id_rsa", "key").finish();
    let image = file(directory.path(), "zeros", &docker_archive(&Image::stored_of(vec![zeros], zstd)));
    let image = image.to_str().unwrap();
    let arguments = ["ci", image, "--forbid-path", "/root/.ssh/**", "--unpack-limit", "0"];
    let message = run(&arguments).refused();
    assert!(message.contains("limit") && message.contains("--unpack-limit"), "{message}");
    assert_eq!(run(&arguments[..4]).code, Some(1));
}

#[test]
fn a_home_directory_is_not_needed_and_not_touched() {
    let directory = scratch();
    let (home, absent) = (directory.path().join("home"), directory.path().join("absent"));
    std::fs::create_dir(&home).unwrap();
    std::fs::create_dir(home.join(".cache")).unwrap();
    let images = [
        file(directory.path(), "image.tar.gz", &gzip(&docker_archive(&sound_packed()))),
        file(directory.path(), "image.tar", &docker_archive(&sound_packed())),
        write_directory(&directory.path().join("layout"), &oci_members(&[sound_packed()])),
    ];
    for image in &images {
        let image = image.to_str().unwrap();
        let out = directory.path().join("out.tar");
        for command in [
            &["ci", image, "--max-size", "1GB"][..],
            &["sbom", image],
            &["inspect", image, "--findings"],
            &["cat", image, "/etc/motd"],
            &["rebuild", image, "--keep", "**", "-o", out.to_str().unwrap()],
            &["copy", "-q", image, out.to_str().unwrap()],
        ] {
            for place in [&home, &absent, Path::new("/homeless-shelter")] {
                let mut command_line = nixdive();
                command_line.env("HOME", place).env_remove("XDG_CACHE_HOME").env_remove("XDG_CONFIG_HOME");
                let run = run_command(command_line.args(command));
                assert_eq!(run.code, Some(0), "{command:?} with {}: {}", place.display(), run.stderr);
            }
            let left: Vec<_> = std::fs::read_dir(home.join(".cache")).unwrap().collect();
            assert!(left.is_empty(), "{command:?}: {left:?}");
            assert_eq!(std::fs::read_dir(&home).unwrap().count(), 1, "{command:?}");
            assert!(!absent.exists() && !Path::new("/homeless-shelter").exists(), "{command:?}");
        }
    }
}

#[test]
fn diff_ids_by_sha512_are_verified_in_a_pipe() {
    let layers = sample_layers();
    for is_altered in [false, true] {
        let mut image = sound();
        let stated = digest_by("sha512", if is_altered { b"other" } else { &layers[0] });
        image.config["rootfs"]["diff_ids"] = json!([stated]);
        for layer_name in ["0.tar".to_owned(), format!("{}.tar", stated.trim_start_matches("sha512:"))] {
            let mut members = docker_members(std::slice::from_ref(&image), |_, _| layer_name.clone());
            // Configuration and manifest before the layers, and behind them.
            for _ in 0..2 {
                members.reverse();
                let bytes = archive_of_long_names(&members);
                let arguments = ["ci", "-", "--max-size", "1GB", "--lowestEfficiency", "0"];
                let run = run_with_pipe(&arguments, &bytes);
                assert_eq!(run.code, Some(if is_altered { 2 } else { 0 }), "{layer_name}: {}", run.stderr);
                assert_eq!(run.stderr.contains("the bytes have sha512:"), is_altered, "{}", run.stderr);
                assert!(!run.stderr.contains("not verified"), "{}", run.stderr);
            }
        }
    }
}

#[test]
fn why_warns_of_an_incomplete_image() {
    let path = "nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-tool-1.0";
    let layer = Tar::new().directory(path).file(format!("{path}/tool"), "tool").finish();
    let mut image = Image::new(vec![layer, sample_layers()[0].clone()]);
    image.config["config"] = json!({"Entrypoint": [format!("/{path}/tool")]});
    let directory = scratch();
    let whole = file(directory.path(), "whole.tar", &docker_archive(&image));
    let tool = format!("/{path}");
    run(&["why", whole.to_str().unwrap(), &tool]).done();
    let last = image.layers.last_mut().unwrap();
    last.blob.truncate(last.blob.len() / 3);
    let cut = file(directory.path(), "cut.tar", &docker_archive(&image));
    let why = |more: &[&str]| {
        let run = run(&[&["why", cut.to_str().unwrap(), &tool], more].concat());
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert!(
            run.stderr.starts_with("nixdive: warning: layer 1 ") && run.stderr.contains("cut off"),
            "{}",
            run.stderr
        );
        run
    };
    assert!(why(&[]).text().contains("tool-1.0"));
    let document: Value = serde_json::from_slice(&why(&["--format", "json"]).stdout).unwrap();
    assert_eq!(document["complete"], false);
    assert!(!document["warnings"].as_array().unwrap().is_empty());
}
