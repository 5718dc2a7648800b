//! Images as podman and buildah write them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::images::{MAKERS, Varied};
use crate::peers::{copy, have, inspect, json, of_layers, output, skip};
use crate::snapshot::{assert_same, of_directory, of_image};

/// Where podman and buildah keep images: apart from the user's own.
struct Storage {
    directory: TempDir,
}

impl Storage {
    /// `None` with a printed reason where the program cannot work, as where there are no user namespaces.
    fn new(program: &str) -> Option<Self> {
        if !have(&[program]) {
            return None;
        }
        let storage = Self { directory: TempDir::new().unwrap() };
        let root = storage.directory.path().display();
        let text = format!("[storage]\ndriver = \"vfs\"\nrunroot = \"{root}/run\"\ngraphroot = \"{root}/graph\"\n");
        fs::write(storage.configuration(), text).unwrap();
        let works = storage.command(program).arg("info").output().unwrap().status.success();
        if !works {
            skip(&format!("{program} does not work here"));
        }
        works.then_some(storage)
    }

    fn configuration(&self) -> PathBuf {
        self.directory.path().join("storage.conf")
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).into_os_string().into_string().unwrap()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("CONTAINERS_STORAGE_CONF", self.configuration());
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        String::from_utf8(output(self.command(program).args(arguments))).unwrap().trim().to_owned()
    }
}

#[test]
fn what_podman_loads_and_saves_is_the_same_image() {
    if !have(&MAKERS) {
        return;
    }
    let Some(podman) = Storage::new("podman") else { return };
    let varied = Varied::new();
    let archive = podman.path("in.tar");
    copy(&[], &varied.reference(), &format!("docker-archive:{archive}:local/varied:1"));
    podman.run("podman", &["load", "--quiet", "--input", &archive]);
    let said = json(podman.run("podman", &["image", "inspect", "local/varied:1"]).as_bytes());
    let (expected, tree) = (inspect(&archive), of_image(&archive));
    assert_eq!(of_layers(&expected, "diffId"), *said[0]["RootFS"]["Layers"].as_array().unwrap());
    assert_eq!(expected["identity"]["configDigest"], format!("sha256:{}", said[0]["Id"].as_str().unwrap()));
    for format in ["docker-archive", "oci-archive", "oci-dir", "docker-dir"] {
        let saved = podman.path(format);
        podman.run("podman", &["save", "--quiet", "--format", format, "--output", &saved, "local/varied:1"]);
        let report = inspect(&saved);
        for fact in ["diffId", "unpackedBytes", "entries", "fileBytes", "diffIdCheck"] {
            assert_eq!(of_layers(&report, fact), of_layers(&expected, fact), "{format}: {fact}");
        }
        assert_eq!(report["config"]["env"], expected["config"]["env"], "{format}");
        assert_eq!(report["warnings"], expected["warnings"], "{format}");
        assert_same(&tree, &of_image(&saved), format);
    }
}

#[test]
fn a_build_of_several_layers_is_the_root_directory_that_buildah_mounts() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        println!("skipped: buildah mounts for root alone");
        return;
    }
    let Some(buildah) = Storage::new("buildah") else { return };
    if !have(&["skopeo"]) {
        return;
    }
    let context = buildah.path("context");
    for (path, content) in [("one/a", "1"), ("one/b/c", "2"), ("two/a", "1 again"), ("two/d", "4")] {
        let path = Path::new(&context).join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let first = buildah.run("buildah", &["from", "scratch"]);
    buildah.run("buildah", &["copy", &first, &format!("{context}/one"), "/srv"]);
    buildah.run("buildah", &["commit", "--quiet", &first, "first"]);
    let second = buildah.run("buildah", &["from", "--pull-never", "localhost/first"]);
    buildah.run("buildah", &["copy", &second, &format!("{context}/two"), "/srv"]);
    let root = PathBuf::from(buildah.run("buildah", &["mount", &second]));
    fs::remove_dir_all(root.join("srv/b")).unwrap();
    fs::write(root.join("srv/e"), "5").unwrap();
    buildah.run("buildah", &["config", "--label", "made=here", "--env", "A=b", "--cmd", "/srv/a", &second]);
    buildah.run("buildah", &["commit", "--quiet", &second, "second"]);
    let expected = of_directory(&root);
    for transport in ["oci", "docker-archive", "dir"] {
        let saved = buildah.path(&format!("saved-{transport}"));
        buildah.run("buildah", &["push", "--quiet", "second", &format!("{transport}:{saved}")]);
        assert_same(&expected, &of_image(&saved), transport);
        let report = inspect(&saved);
        assert_eq!(report["layers"].as_array().unwrap().len(), 2, "{transport}");
        assert_eq!(report["config"]["labels"]["made"], "here", "{transport}");
        assert_eq!(report["config"]["cmd"], serde_json::json!(["/srv/a"]), "{transport}");
        assert_eq!(report["warnings"], serde_json::json!([]), "{transport}");
        assert_eq!(report["layers"][1]["modified"], 1, "{transport}");
    }
}
