//! Which arguments start a program, and that nothing else does.

use std::path::Path;
use std::process::Command;

use super::Place;
use crate::kinds::script;
use crate::support::images::{Image, docker_archive, sample_layers};
use crate::support::program::{Run, file, nixdive, run_command, scratch};

/// A directory with an image, a script that tells that it was run, and programs on `PATH` that do the same.
struct Trap {
    place: Place,
}

const PROGRAMS: [&str; 5] = ["nix", "docker", "podman", "buildah", "docker-credential-trap"];

impl Trap {
    fn new() -> Self {
        let trap = Self { place: Place::of(sample_layers()) };
        let text = format!("#!/bin/sh\necho \"$0 $*\" >>{}\nexit 1\n", trap.place.text("ran"));
        std::fs::create_dir(trap.place.path("path")).unwrap();
        for program in PROGRAMS {
            script(&trap.place.path("path"), program, &text);
        }
        script(trap.place.directory.path(), "pwn.sh", &text);
        trap
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.place.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = nixdive();
        let path = format!("{}:/usr/bin:/bin", self.place.text("path"));
        command.env("PATH", path).env("HOME", self.place.path("home")).env_remove("XDG_RUNTIME_DIR");
        command.env("DOCKER_HOST", "unix:///none").current_dir(self.place.directory.path()).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        run_command(&mut self.command(arguments))
    }

    #[track_caller]
    fn started_nothing(&self, why: &str) {
        assert!(
            !self.place.path("ran").exists(),
            "{why}: {}",
            std::fs::read_to_string(self.place.path("ran")).unwrap()
        );
    }

    /// What was started, and forgets it.
    fn take_started(&self) -> String {
        let ran = self.place.path("ran");
        let text = std::fs::read_to_string(&ran).unwrap_or_default();
        let _ = std::fs::remove_file(ran);
        text
    }
}

/// References that a file may not contain.
const REFUSED: [&str; 16] = [
    "stream:./pwn.sh",
    "stream:pwn.sh",
    "stream:.#evil",
    ".#evil",
    "nixpkgs#hello",
    "flake:.",
    "/etc/passwd",
    "../image.tar",
    "below/../../image.tar",
    "docker-archive:/etc/passwd",
    "oci:../layout",
    "rootfs:/",
    "nix:/nix/store/x",
    "nix:0/proc/self/cwd",
    "nix:0/nix/store/0123456789abcdfghijklmnpqrsvwxyz-x.drv",
    "-",
];

#[test]
fn a_rule_file_names_images_and_starts_nothing() {
    for text in REFUSED {
        for key in ["image", "file"] {
            let trap = Trap::new();
            trap.write("below/x", "");
            for name in [".nixdive-ci", ".dive-ci", "rules/own.yaml"] {
                trap.write(name, &format!("rules:\n  lowestEfficiency: 0\nbaseline: {{{key}: \"{text}\"}}\n"));
                let own: &[&str] = if name == "rules/own.yaml" { &["--rules", name] } else { &[] };
                let error = trap.run(&[&["ci", "image.tar"], own].concat()).refused();
                assert!(error.contains(&format!("{name}:3: baseline")), "{text}: {error}");
                let mut command = trap.command(&[&["image.tar"], own].concat());
                let error = run_command(command.env("CI", "true")).refused();
                assert!(error.contains(&format!("{name}:3: baseline")), "{text}: {error}");
                // A flag that replaces the baseline does not make it harmless.
                trap.run(&[&["ci", "image.tar", "--baseline", "image.tar"], own].concat()).refused();
                std::fs::remove_file(trap.place.path(name)).unwrap();
            }
            trap.started_nothing(text);
        }
    }
}

#[test]
fn a_rule_file_names_files_below_its_own_directory() {
    let trap = Trap::new();
    std::fs::create_dir(trap.place.path("rules")).unwrap();
    std::fs::copy(trap.place.path("image.tar"), trap.place.path("rules/base.tar")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", trap.place.path("rules/out.tar")).unwrap();
    let judged = |baseline: &str| {
        let text = format!(
            "rules: {{highestUserWastedPercent: disabled}}\nbudgets: [{{metric: unpacked, grow: 0}}]\nbaseline: {{image: \"{baseline}\"}}\n"
        );
        trap.write("rules/own.yaml", &text);
        trap.run(&["ci", "image.tar", "--rules", "rules/own.yaml"])
    };
    for baseline in ["base.tar", "./base.tar", "docker-archive:base.tar"] {
        let run = judged(baseline);
        assert_eq!(run.code, Some(0), "{}{}", run.stderr, run.text());
    }
    let error = judged("out.tar").refused();
    assert!(error.contains("own.yaml:3") && error.contains("symbolic link"), "{error}");
    assert!(judged("missing.tar").refused().contains("missing.tar"));
}

#[test]
fn a_manifest_names_images_and_starts_nothing() {
    let trap = Trap::new();
    trap.write("flake.nix", "{ }");
    for text in REFUSED {
        trap.write("compose.yaml", &format!("services:\n  a:\n    image: \"{text}\"\n  b:\n    image: alpine:3\n"));
        let pod = format!(
            "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: a\n      image: \"{text}\"\n    - {{name: b, \
             image: \"alpine:3\"}}\n"
        );
        trap.write("pod.yaml", &pod);
        for (name, line) in [("compose.yaml", 3), ("pod.yaml", 6)] {
            let error = trap.run(&["share", name]).refused();
            assert!(error.contains(&format!("{name}:{line}: ")), "{text}: {error}");
            assert!(error.contains("--map"), "{text}: {error}");
        }
        trap.started_nothing(text);
    }
}

#[test]
fn a_directory_and_a_missing_file_build_nothing() {
    let trap = Trap::new();
    trap.write("flake/flake.nix", "{ outputs = _: {}; }");
    for arguments in [
        &["inspect", "flake"][..],
        &["flake"],
        &["inspect", "./flake"],
        &["inspect", "nix:flake"],
        &["copy", "flake", "out.tar"],
    ] {
        let error = trap.run(arguments).refused();
        assert!(error.contains("holds no image") || error.contains("no image"), "{error}");
    }
    let error = trap.run(&["inspect", "flake"]).refused();
    assert!(error.contains("`nixdive flake:./flake`"), "{error}");
    for missing in ["image#1.tar", "image#1", "./out#a.tar.gz"] {
        let error = trap.run(&["inspect", missing]).refused();
        assert!(error.contains("no such file"), "{error}");
    }
    trap.started_nothing("a path was given");
}

#[test]
fn arguments_start_what_they_name() {
    let trap = Trap::new();
    trap.write("Dockerfile", "FROM scratch\n");
    trap.write("home/.docker/config.json", r#"{"credHelpers": {"127.0.0.1:1": "trap"}}"#);
    let table: [(&[&str], &str); 8] = [
        (&["inspect", ".#image"], "nix --extra-experimental-features"),
        (&["inspect", "flake:."], "build --no-link --json -- .\n"),
        (&["inspect", "flake:nixpkgs#hello"], "-- flake:nixpkgs#hello"),
        (&["inspect", "stream:./pwn.sh"], "pwn.sh"),
        (&["inspect", "stream:.#image"], "-- .#image"),
        (&["copy", "stream:.#image", "out.tar"], "-- .#image"),
        (&["build", "--engine", "podman", "."], "podman build"),
        (&["compare", "--dockerfile", ".", "--engine", "podman", "image.tar"], "podman build"),
    ];
    for (arguments, started) in table {
        let run = trap.run(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}");
        let ran = trap.take_started();
        assert!(ran.contains(started), "{arguments:?}: {ran}");
    }
    for arguments in table.map(|(arguments, _)| arguments) {
        let command = arguments.first().copied().unwrap_or_default();
        let error = trap.run(&[&[command, "--no-exec"], &arguments[1..]].concat()).refused();
        assert!(error.contains("--no-exec") && error.contains("was not started"), "{arguments:?}: {error}");
        let mut by_environment = trap.command(arguments);
        let error = run_command(by_environment.env("NIXDIVE_NO_EXEC", "1")).refused();
        assert!(error.contains("was not started"), "{arguments:?}: {error}");
        trap.started_nothing("--no-exec");
    }
}

#[test]
fn a_flake_that_was_written_is_built_only_where_programs_may_start() {
    let trap = Trap::new();
    let arguments = ["rebuild", "image.tar", "--emit-nix", "out", "--build", "--no-exec"];
    let error = trap.run(&arguments).refused();
    assert!(error.contains("`nix` was not started"), "{error}");
    assert!(!trap.place.path("out").exists());
    trap.started_nothing("--no-exec");
}

#[test]
fn a_script_that_nix_builds_is_run() {
    let directory = scratch();
    let tar = file(directory.path(), "image.tar", &docker_archive(&Image::sample()));
    let streaming = script(directory.path(), "stream-image", &format!("#!/bin/sh\ncat {}\n", tar.display()));
    let path = directory.path().join("path");
    std::fs::create_dir(&path).unwrap();
    let built = format!("#!/bin/sh\necho '[{{\"outputs\": {{\"out\": \"{}\"}}}}]'\n", streaming.display());
    script(&path, "nix", &built);
    let run = |arguments: &[&str]| {
        let search = format!("{}:/usr/bin:/bin", path.display());
        run_command(nixdive().env("PATH", search).current_dir(directory.path()).args(arguments))
    };
    let inspected = run(&["inspect", "stream:.#image"]);
    assert!(inspected.code == Some(0) && inspected.text().contains("2 layers"), "{}", inspected.stderr);
    assert_eq!(run(&["copy", "-q", "stream:.#image", "copied.tar"]).code, Some(0));
    assert!(Path::new(&directory.path().join("copied.tar")).exists());
    let error = run(&["copy", "stream-image", "again.tar"]).refused();
    assert!(error.contains("nixdive stream:stream-image"), "{error}");
}
