use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::choices::Choices;
use crate::needs::{NeedsOptions, find};
use crate::package_image::{Granularity, PackageImage, select};
use nixdive_base::cancel::Cancel;
use nixdive_image::testing::archive::{Written, docker_archive, tar_of};
use nixdive_source::open::Opened;
use nixdive_source::study::{StudyOptions, study};
use nixdive_write::fixture::{open_file, opened};

/// Opens an image of one layer.
fn image_of(entries: &[Written]) -> (tempfile::TempDir, Opened) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("image.tar");
    fs::write(&file, docker_archive(&[tar_of(entries)])).unwrap();
    let opened = open_file(&file);
    (place, opened)
}

fn program(path: &str) -> Written {
    Written { mode: 0o755, ..Written::file(path, b"\x7fELF") }
}

/// Builds a flake of all files of an image, without the needs of its programs.
fn flake_of_all(opened: &Opened, builder: Builder) -> Flake {
    let store = study(opened, &StudyOptions::default()).unwrap().filter(|store| !store.store.paths.is_empty());
    let (image, packages) = (&opened.image, Inventory::default());
    let kept = all_files(image);
    flake(&EmitRequest { image, packages: &packages, needs: None, store: store.as_ref(), kept: &kept, builder })
}

/// Builds a flake of the files that the programs of an image need.
fn flake_of_needs(opened: &Opened, builder: Builder) -> Flake {
    let image = &opened.image;
    let captured: Vec<nixdive_packages::CapturedFile<'_>> = opened
        .captured
        .iter()
        .map(|(layer, file)| nixdive_packages::CapturedFile { layer: *layer, path: &file.path, content: &file.content })
        .collect();
    let packages = nixdive_packages::find(&image.tree, image.tree.top_layer().unwrap(), &captured);
    let needs = find(image, &opened.contents, &packages, &NeedsOptions::default(), &Cancel::new()).unwrap();
    let laid_out = PackageImage::new(image, &packages, &needs);
    let selection = select(&laid_out, &Choices::default(), Granularity::File);
    let kept: Vec<NodeId> = laid_out.kept(&selection).collect();
    flake(&EmitRequest { image, packages: &packages, needs: Some(&needs), store: None, kept: &kept, builder })
}

/// Opens an image of the corpus with its package databases.
fn with_databases(name: &str) -> Option<Opened> {
    use nixdive_scan::Wanted;
    use nixdive_source::open::{Keep, OpenOptions, Progress, open};
    let file = nixdive_image::testing::corpus_file(name)?;
    let wanted = Wanted {
        is_wanted: nixdive_packages::is_wanted,
        identity: nixdive_packages::wanted_identity,
        most_bytes: nixdive_packages::MAX_DATABASE_BYTES,
    };
    let options = OpenOptions { keep: Keep::Content, wanted: Some(wanted), ..OpenOptions::default() };
    let reference = nixdive_image::reference::Reference::parse(file.as_os_str()).unwrap();
    Some(open(&reference, &options, &Progress::new()).unwrap())
}

/// Returns `true` if Nix is installed; otherwise prints the reason, or fails in a live run.
fn has_nix() -> bool {
    let found = Command::new("nix-instantiate").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        assert_ne!(std::env::var("NIXDIVE_LIVE").as_deref(), Ok("1"), "nix-instantiate is missing");
        println!("skipped: no nix-instantiate here");
    }
    found
}

fn assert_parses(flake: &Flake) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("flake.nix");
    fs::write(&file, &flake.flake_nix).unwrap();
    let output = Command::new("nix-instantiate").arg("--parse").arg(&file).output().unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), flake.flake_nix);
}

/// Replacement for nixpkgs: packages are paths, and derivations evaluate to their inputs.
const FAKE: &str = r#"
let
  makeBinPath = packages: builtins.concatStringsSep ":" (map (package: package + "/bin") packages);
  pkgs = {
    lib = { inherit makeBinPath; };
    runCommand = name: attributes: script: script;
    runCommandCC = name: attributes: script: script;
    autoPatchelfHook = "";
    dockerTools.buildLayeredImage = image: image;
    dockerTools.fakeNss = "/fake/nss";
    nginx = "/fake/nginx";
    bash = "/fake/bash";
    busybox = "/fake/busybox";
    cacert = "/fake/cacert";
    tzdata = "/fake/tzdata";
    openssl = "/fake/openssl";
    zlib = "/fake/zlib";
  };
  nixpkgs = {
    lib.genAttrs = names: make: builtins.listToAttrs (map (name: { inherit name; value = make name; }) names);
    legacyPackages.x86_64-linux = pkgs;
  };
in
  ((import ./flake.nix).outputs { inherit nixpkgs; }).packages.x86_64-linux.default
"#;

/// Evaluates a flake with Nix, without building anything of nixpkgs.
fn evaluated(flake: &Flake, files: &Path) -> Value {
    let place = tempfile::tempdir().unwrap();
    // Nix would copy the files to its store.
    let text = flake.flake_nix.replace("${./files}", files.to_str().unwrap());
    fs::write(place.path().join("flake.nix"), text).unwrap();
    fs::write(place.path().join("fake.nix"), FAKE).unwrap();
    let arguments = ["--eval", "--strict", "--json", "./fake.nix"];
    let output = Command::new("nix-instantiate").args(arguments).current_dir(place.path()).output().unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), flake.flake_nix);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_a_dockerfile_built_becomes_a_flake() {
    let Some(opened) = with_databases("dockerfile/web-docker.tar.zst") else { return };
    let flake = flake_of_needs(&opened, Builder::DockerTools);
    let text = flake.flake_nix.replace(&opened.image.identity.requested, "web-docker.tar.zst");
    insta::assert_snapshot!("web_docker", text);
    let nginx = flake.packages.iter().find(|package| package.attribute == "nginx").unwrap();
    assert_eq!((nginx.confidence, nginx.version.as_deref()), (Confidence::High, Some("1.22.1")));
    let carried = |path: &str| flake.files.iter().any(|file| *file.path == *path.as_bytes());
    for path in ["files/etc/nginx/nginx.conf", "files/srv/www/index.html", "files/etc/passwd"] {
        assert!(carried(path), "{path}");
    }
    for path in ["files/usr/sbin/nginx", "files/etc/shadow", "files/var/lib/dpkg/status"] {
        assert!(!carried(path), "{path}");
    }
}

#[test]
fn what_nix_built_becomes_a_flake_with_its_own_store_paths_beside_it() {
    let Some(opened) = opened("nix/web-nix.tar.gz") else { return };
    let flake = flake_of_all(&opened, Builder::Nix2container);
    let text = flake.flake_nix.replace(&opened.image.identity.requested, "web-nix.tar.gz");
    insta::assert_snapshot!("web_nix", text);
    let own: Vec<_> = flake.files.iter().filter(|file| file.path.starts_with(b"store/")).collect();
    assert!(own.iter().any(|file| file.path.ends_with(b"-nginx.conf")), "{own:?}");
    assert!(own.iter().any(|file| file.path.ends_with(b"-web-root/index.html")), "{own:?}");
}

#[test]
fn nix_parses_the_flakes_of_real_images() {
    if !has_nix() {
        return;
    }
    let of_needs = ["dockerfile/web-docker.tar.zst", "alpine/alpine-311.tar.gz", "busybox/latest-amd64"];
    for builder in [Builder::DockerTools, Builder::Nix2container] {
        for opened in of_needs.iter().filter_map(|name| with_databases(name)) {
            assert_parses(&flake_of_needs(&opened, builder));
            assert_parses(&flake_of_all(&opened, builder));
        }
        for opened in ["nix/web-nix.tar.gz", "nix/hello-nix.tar.gz"].into_iter().filter_map(opened) {
            assert_parses(&flake_of_all(&opened, builder));
        }
    }
}

#[test]
fn the_root_has_links_where_programs_were_and_own_files_as_they_were() {
    let entries = [
        Written::symlink("bin", "usr/bin"),
        program("usr/bin/bash"),
        Written::symlink("usr/bin/sh", "bash"),
        Written::hard_link("usr/bin/rbash", "usr/bin/bash"),
        Written::file("srv/it's $HOME ${x} ''a", b"own"),
        Written { mode: 0o600, uid: 33, ..Written::file("srv/secret", b"key") },
        Written { mode: 0o1777, ..Written::directory("tmp") },
        Written::file("etc/ssl/certs/ca-certificates.crt", b"bundle"),
    ];
    let (place, mut opened) = image_of(&entries);
    opened.image.config.entrypoint = vec!["/bin/sh".into(), "-c".into(), "true".into()];
    let flake = flake_of_all(&opened, Builder::DockerTools);
    let directory = place.path().join("flake");
    write(&directory, &flake, &opened.image, &opened.contents, &Cancel::new()).unwrap();
    if !has_nix() {
        return;
    }
    let built = evaluated(&flake, &directory.join("files"));
    assert_eq!(built["config"]["Entrypoint"], serde_json::json!(["/fake/bash/bin/sh", "-c", "true"]));
    let out = place.path().join("out");
    let script = built["contents"][0].as_str().unwrap();
    let ran = Command::new("bash").args(["-euc", script]).env("out", &out).output().unwrap();
    assert!(ran.status.success(), "{}\n{script}", String::from_utf8_lossy(&ran.stderr));
    let link = |path: &str| fs::read_link(out.join(path)).unwrap().into_os_string().into_string().unwrap();
    assert_eq!(link("bin"), "usr/bin");
    for name in ["usr/bin/bash", "usr/bin/sh", "usr/bin/rbash"] {
        assert!(link(name).starts_with("/fake/bash/bin/"), "{name}");
    }
    assert_eq!(link("etc/ssl/certs/ca-certificates.crt"), "/fake/cacert/etc/ssl/certs/ca-bundle.crt");
    assert_eq!(fs::read(out.join("srv/it's $HOME ${x} ''a")).unwrap(), b"own");
    assert!(out.join("tmp").is_dir());
    let commands = built["fakeRootCommands"].as_str().unwrap();
    assert!(commands.contains("install -m 0600 -o 33 -g 0 ") && commands.contains("chmod 1777 ./tmp"), "{commands}");
    assert!(flake.reviews.iter().any(|review| review.starts_with("/srv/secret is not world-readable")));
}

#[test]
fn an_applet_is_started_by_its_name() {
    let entries =
        [program("bin/["), Written::hard_link("bin/busybox", "bin/["), Written::hard_link("bin/ash", "bin/[")];
    let (place, mut opened) = image_of(&entries);
    opened.image.config.env = vec!["PATH=/sbin:/bin".into()];
    opened.image.config.cmd = vec!["ash".into()];
    let flake = flake_of_all(&opened, Builder::DockerTools);
    assert_eq!(flake.packages[0].evidence, "/bin/busybox");
    if has_nix() {
        let built = evaluated(&flake, place.path());
        assert_eq!(built["config"]["Cmd"], serde_json::json!(["/fake/busybox/bin/ash"]));
        assert_eq!(built["config"]["Env"], serde_json::json!(["PATH=/fake/busybox/bin:/sbin:/bin"]));
    }
}

#[test]
fn a_directory_is_replaced_only_where_this_program_wrote_it() {
    let (place, opened) = image_of(&[Written::file("srv/a", b"a")]);
    let flake = flake_of_all(&opened, Builder::DockerTools);
    let to = |name: &str| write(&place.path().join(name), &flake, &opened.image, &opened.contents, &Cancel::new());
    let read = |name: &str| fs::read_to_string(place.path().join(name)).unwrap();
    to("new").unwrap();
    assert_eq!(read("new/files/srv/a"), "a");
    fs::write(place.path().join("new/result"), "left behind").unwrap();
    to("new").unwrap();
    assert!(!place.path().join("new/result").exists());
    fs::create_dir(place.path().join("mine")).unwrap();
    to("mine").unwrap();
    fs::create_dir(place.path().join("theirs")).unwrap();
    fs::write(place.path().join("theirs/notes"), "keep").unwrap();
    assert!(matches!(to("theirs"), Err(EmitError::Occupied(_))));
    assert!(matches!(to("image.tar"), Err(EmitError::Occupied(_))));
    assert_eq!(read("theirs/notes"), "keep");
    let mut names: Vec<_> = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["image.tar", "mine", "new", "theirs"]);
}

#[test]
fn nothing_is_written_where_content_is_cut_off_or_it_is_cancelled() {
    let (place, opened) = image_of(&[Written::file("srv/a", b"a")]);
    let flake = flake_of_all(&opened, Builder::DockerTools);
    let cancel = Cancel::new();
    cancel.cancel();
    let written = write(&place.path().join("new"), &flake, &opened.image, &opened.contents, &cancel);
    assert!(matches!(written, Err(EmitError::Cancelled)), "{written:?}");
    assert!(!place.path().join("new").exists());
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

/// Generates texts with characters that are special to Nix or a shell.
fn any_text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "${",
        "$$",
        "''",
        "\"",
        "\\",
        "\n",
        "'",
        "\u{1b}[2J",
        "\u{202e}",
        "}",
        "#",
        "/nix/store/",
    ]);
    let part = prop_oneof![special.prop_map(str::to_owned), ".{0,8}", "[a-z/]{0,8}"];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_hostile_configuration_is_carried_over_as_it_is(texts in prop::collection::vec(any_text(), 8)) {
        let (_place, mut opened) = image_of(&[Written::file("srv/a", b"a")]);
        let config = &mut opened.image.config;
        *config = nixdive_image::Config { platform: nixdive_image::Platform::parse("linux/amd64").unwrap(), ..Default::default() };
        config.entrypoint = texts[..2].to_vec();
        config.cmd = texts[2..4].to_vec();
        config.env = vec![format!("A={}", texts[4])];
        config.user = format!("u{}", texts[5]);
        config.labels = vec![(texts[6].clone(), texts[7].clone())];
        let flake = flake_of_all(&opened, Builder::DockerTools);
        prop_assert!(!flake.flake_nix.chars().any(|letter| letter != '\n' && nixdive_base::text::steers_terminal(letter)));
        prop_assert!(!flake.readme.chars().any(|letter| letter != '\n' && nixdive_base::text::steers_terminal(letter)));
        if !has_nix() {
            return Ok(());
        }
        let built = evaluated(&flake, Path::new("/nowhere"));
        let without_nul = |text: &str| Value::from(text.replace('\0', ""));
        let config = &built["config"];
        prop_assert_eq!(&config["Entrypoint"][1], &without_nul(&texts[1]));
        prop_assert_eq!(&config["Cmd"][0], &without_nul(&texts[2]));
        prop_assert_eq!(&config["Env"][0], &without_nul(&format!("A={}", texts[4])));
        prop_assert_eq!(&config["User"], &without_nul(&format!("u{}", texts[5])));
        prop_assert_eq!(&config["Labels"][texts[6].replace('\0', "")], &without_nul(&texts[7]));
    }

    #[test]
    fn hostile_files_stay_within_the_directory(entries in nixdive_image::testing::archive::any_entries(20)) {
        let (place, opened) = image_of(&entries);
        let flake = flake_of_all(&opened, Builder::Nix2container);
        let directory = place.path().join("flake");
        // A layer may be so damaged that it cannot be written; then nothing is.
        let written = write(&directory, &flake, &opened.image, &opened.contents, &Cancel::new());
        let there = fs::read_dir(place.path()).unwrap().count();
        prop_assert_eq!(there, if written.is_ok() { 2 } else { 1 });
        for file in &flake.files {
            let parts: Vec<&[u8]> = file.path.split(|&byte| byte == b'/').collect();
            prop_assert!(parts.len() > 1 && matches!(parts[0], b"files" | b"store"));
            prop_assert!(parts.iter().all(|part| !matches!(*part, b"" | b"." | b"..")));
            let path = directory.join(std::ffi::OsStr::from_bytes(&file.path));
            prop_assert!(written.is_err() || fs::symlink_metadata(path).is_ok());
        }
        if has_nix() {
            assert_parses(&flake);
        }
    }
}
