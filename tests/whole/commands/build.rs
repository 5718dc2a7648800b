//! Images that an engine builds first. Most engines here are scripts that write down what they are asked for.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::Place;
use crate::support::images::{Image, sample_layers};
use crate::support::program::{Run, file, nixdive, run_command};
use crate::support::tar_bytes::Tar;

/// A directory to build, an image, and a directory of programs that is all of PATH.
struct Site {
    place: Place,
}

/// Writes its arguments down, says something on both of its outputs, and "builds" the image of the place.
const ENGINE: &str = r#"#!/bin/sh
here=$(/usr/bin/dirname "$0")/..
name=$(/usr/bin/basename "$0")
echo "$name $*" >>"$here/asked"
case $1 in
version) exit 1 ;;
build | bud)
  while [ $# -gt 0 ]; do
    if [ "$1" = --iidfile ]; then identity=$2; fi
    shift
  done
  echo "step one"
  echo "step two" >&2
  echo "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" >"$identity"
  ;;
*) /bin/cat "$here/image.tar" ;;
esac
"#;

impl Site {
    fn new(engines: &[(&str, &str)]) -> Self {
        let place = Place::of_image(&Image::new(sample_layers()));
        let other = [sample_layers(), vec![Tar::new().file("opt/own", "own").finish()]].concat();
        file(place.directory.path(), "other.tar", &crate::support::images::docker_archive(&Image::new(other)));
        for directory in ["bin", "tmp", "web"] {
            std::fs::create_dir(place.path(directory)).unwrap();
        }
        file(&place.path("web"), "Dockerfile", b"FROM scratch\n");
        for (name, script) in engines {
            let program = file(&place.path("bin"), name, script.as_bytes());
            std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { place }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = nixdive();
        command.args(arguments).env("PATH", self.place.path("bin")).env("TMPDIR", self.place.path("tmp"));
        command.env_remove("NIXDIVE_BUILD_ARGUMENTS").current_dir(self.place.directory.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let run = run_command(&mut self.command(arguments));
        assert_eq!(self.temporary(), Vec::<PathBuf>::new(), "nothing is left behind");
        run
    }

    fn temporary(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.place.path("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// What the engines were asked for, names of temporary files left out.
    fn asked(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.place.path("asked")).unwrap_or_default();
        let word = |word: &str| if word.contains("/tmp/") { "IID".to_owned() } else { word.to_owned() };
        text.lines().map(|line| line.split(' ').map(word).collect::<Vec<_>>().join(" ")).collect()
    }
}

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn a_dockerfile_is_built_and_is_the_left_side() {
    let site = Site::new(&[("podman", ENGINE)]);
    let arguments = ["compare", "--dockerfile", "web", "other.tar", "--format", "json", "--", "--isolation", "chroot"];
    let run = site.run(&arguments);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let mut said: Vec<&str> = run.stderr.lines().collect();
    said.sort_unstable();
    assert_eq!(said, ["step one", "step two"], "both of its outputs are shown, on standard error");
    let document: Value = serde_json::from_str(run.text()).unwrap();
    assert_eq!(document["left"]["requested"], "podman build web");
    assert_eq!(document["files"]["added"][0]["path"], "/opt/own");
    let expected = [
        "podman build --iidfile IID --isolation chroot --file web/Dockerfile web".to_owned(),
        format!("podman save --quiet --format docker-archive {DIGEST}"),
    ];
    assert_eq!(site.asked(), expected);
}

#[test]
fn a_file_is_built_where_it_lies_and_may_be_all_there_is() {
    let site = Site::new(&[("buildah", ENGINE)]);
    let mut command = site.command(&["--dockerfile", "web/Dockerfile"]);
    command.env("NIXDIVE_BUILD_ARGUMENTS", " --layers  --network host ");
    let run = run_command(&mut command);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.text().contains("buildah build web/Dockerfile"), "{}", run.text());
    let expected = [
        "buildah bud --iidfile IID --layers --network host --file web/Dockerfile web".to_owned(),
        format!("buildah push --quiet {DIGEST} docker-archive:/dev/stdout"),
    ];
    assert_eq!(site.asked(), expected);
    let two = site.run(&["other.tar", "--dockerfile", "web"]);
    assert!(two.code == Some(0) && two.text().contains("/opt/own"), "{}{}", two.stderr, two.text());
}

#[test]
fn arguments_of_build_reach_the_engine_as_they_are() {
    let site = Site::new(&[("docker", ENGINE)]);
    let run = site.run(&["build", "--engine", "docker", "-t", "web:1", "--build-arg", "A=b c", "web"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let expected =
        ["docker build --iidfile IID -t web:1 --build-arg A=b c web".to_owned(), format!("docker image save {DIGEST}")];
    assert_eq!(site.asked(), expected);
    assert!(run.text().contains("docker build web"), "{}", run.text());
}

#[test]
fn the_engine_is_the_first_that_answers() {
    let site = Site::new(&[("docker", ENGINE), ("podman", ENGINE), ("buildah", ENGINE)]);
    site.run(&["build", "web"]);
    assert!(site.asked()[0].starts_with("docker version") && site.asked()[1].starts_with("podman build"));
    site.run(&["--dockerfile", "web", "--engine", "buildah"]);
    assert!(site.asked().iter().any(|line| line.starts_with("buildah bud")));
}

#[test]
fn what_cannot_be_built_says_why() {
    let failing = "#!/bin/sh\necho 'no such base\u{1b}[31m' >&2\nexit 125\n";
    let silent = "#!/bin/sh\nexit 0\n";
    let site = Site::new(&[("podman", failing), ("buildah", silent)]);
    let table: &[(&[&str], &[&str])] = &[
        (&["build", "web"], &["podman build ended with exit status 125", "no such base"]),
        (&["build", "--engine", "buildah", "web"], &["buildah", "reported no image"]),
        (&["build", "--engine", "docker", "web"], &["docker: not found on PATH"]),
        (&["build", "--iidfile", "x", "web"], &["--iidfile"]),
        (&["compare", "--dockerfile", "web"], &["two images", "got one"]),
        (&["compare", "--dockerfile", "absent", "other.tar"], &["absent: ", "No such file"]),
        (&["compare", "--dockerfile", "tmp", "other.tar"], &["tmp: no Dockerfile in this directory"]),
        (&["compare", "--dockerfile", "web", "other.tar", "image.tar"], &["two images", "got 3"]),
    ];
    for (arguments, parts) in table {
        let refusal = site.run(arguments).refused();
        assert!(parts.iter().all(|part| refusal.contains(part)), "{arguments:?}: {refusal}");
        assert!(!refusal.contains('\u{1b}'), "{refusal}");
    }
    let none = Site::new(&[]);
    let refusal = none.run(&["compare", "--dockerfile", "web", "other.tar"]).refused();
    assert!(["docker", "podman", "buildah", "PATH"].iter().all(|part| refusal.contains(part)), "{refusal}");
}

#[test]
fn a_signal_ends_the_engine_and_leaves_nothing_behind() {
    let waiting = "#!/bin/sh\necho $$ >\"$(/usr/bin/dirname \"$0\")/../pid\"\nexec /bin/sleep 60\n";
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let site = Site::new(&[("podman", waiting)]);
        let mut command = site.command(&["build", "web"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        let pid = loop {
            let text = std::fs::read_to_string(site.place.path("pid")).unwrap_or_default();
            if let Ok(pid) = text.trim().parse::<i32>() {
                break Pid::from_raw(pid).unwrap();
            }
            assert!(began.elapsed() < Duration::from_secs(20), "the engine was not started");
            std::thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(site.temporary().len(), 1, "a place for the image's digest");
        kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status:?}");
        assert_eq!(site.temporary(), Vec::<PathBuf>::new());
        assert!(rustix::process::test_kill_process(pid).is_err(), "the engine has ended too");
    }
}

/// The real buildah, where it is: what is copied into nothing is in the image.
#[test]
fn buildah_builds() {
    let is_there = Command::new("buildah").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !is_there {
        assert!(std::env::var_os("NIXDIVE_LIVE").is_none(), "there is no buildah");
        eprintln!("skipped: there is no buildah");
        return;
    }
    let site = Site::new(&[]);
    let web = site.place.path("web");
    file(&web, "Dockerfile", b"FROM scratch\nCOPY hello /opt/hello\n");
    file(&web, "hello", b"hello from a file\n");
    let storage = site.place.path("storage");
    let settings =
        format!("[storage]\ndriver = \"vfs\"\nrunroot = \"{0}/run\"\ngraphroot = \"{0}/graph\"\n", storage.display());
    let settings = file(site.place.directory.path(), "storage.conf", settings.as_bytes());
    let mut command = site.command(&["compare", "--dockerfile", "web", "other.tar", "--engine", "buildah", "--format"]);
    command.args(["json", "--different-platforms", "--", "--isolation", "chroot", "--network", "host"]);
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("CONTAINERS_STORAGE_CONF", settings);
    let run = run_command(&mut command);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let document: Value = serde_json::from_str(run.text()).unwrap();
    let removed: Vec<&Value> =
        document["files"]["removed"].as_array().unwrap().iter().map(|one| &one["path"]).collect();
    assert!(removed.iter().any(|path| *path == "/opt/hello"), "{removed:?}");
    assert!(run.stderr.contains("COPY hello"), "{}", run.stderr);
    assert!(!site.temporary().iter().any(|path| path.to_string_lossy().contains("nixdive")), "{:?}", site.temporary());
}
