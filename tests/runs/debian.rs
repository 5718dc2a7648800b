//! Images of a Debian root and a layer on top.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::tar_bytes::{Entry, Tar};

/// What is installed beside the smallest root.
const PACKAGES: &str = "nginx-light,python3,python3-yaml,ca-certificates,tzdata,curl";

/// Why nothing can be run here; `None` where it can.
fn obstacle(programs: &[&str]) -> Option<String> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let missing = |program: &&&str| !std::env::split_paths(&paths).any(|directory| directory.join(program).is_file());
    if let Some(program) = programs.iter().find(missing) {
        return Some(format!("{program} is not installed"));
    }
    let user = Command::new("id").arg("-u").output().unwrap().stdout;
    (user != b"0\n").then(|| "a root directory can be changed by root only".to_owned())
}

/// Whether these programs are here and may be used. Where not, says so, or fails when the tests are to be live.
pub fn can_run(programs: &[&str]) -> bool {
    match obstacle(programs) {
        Some(reason) => {
            assert!(std::env::var_os("NIXDIVE_LIVE").is_none_or(|live| live != "1"), "{reason}");
            println!("skipped: {reason}");
            false
        }
        None => true,
    }
}

/// The layer of a Debian root, made once and kept.
pub fn base() -> Option<PathBuf> {
    static MAKING: Mutex<()> = Mutex::new(());
    if !can_run(&["debootstrap", "tar", "unshare"]) {
        return None;
    }
    let _making = MAKING.lock().unwrap();
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let layer = directory.join("debian-bookworm.tar");
    if !layer.exists() {
        let root = tempfile::tempdir_in(&directory).unwrap();
        let root = root.path().join("root");
        done(Command::new("debootstrap").args(["--variant=minbase", "--include", PACKAGES, "bookworm"]).arg(&root));
        let part = directory.join("debian-bookworm.part");
        done(Command::new("tar").args(["--exclude=./dev/*", "-C"]).arg(&root).arg("-cf").arg(&part).arg("."));
        std::fs::rename(part, &layer).unwrap();
    }
    Some(layer)
}

/// Runs a program that has to succeed.
pub fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Writes an OCI layout of an image with these layers, base first. `config` is the part of the same name of the
/// configuration.
pub fn layout(directory: &Path, layers: &[PathBuf], config: &Value) -> PathBuf {
    let layout = directory.join("layout");
    let blobs = layout.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let described: Vec<Value> = layers
        .iter()
        .map(|layer| {
            let digest = hex(&mut std::fs::File::open(layer).unwrap());
            let blob = blobs.join(&digest);
            // Not a symbolic link: those that lead out of a layout are refused.
            std::fs::hard_link(layer, &blob).or_else(|_| std::fs::copy(layer, &blob).map(drop)).unwrap();
            let bytes = layer.metadata().unwrap().len();
            let media_type = "application/vnd.oci.image.layer.v1.tar";
            json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes})
        })
        .collect();
    let blob = |media_type: &str, value: &Value| {
        let bytes = value.to_string().into_bytes();
        let digest = hex(&mut &bytes[..]);
        std::fs::write(blobs.join(&digest), &bytes).unwrap();
        json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes.len()})
    };
    let diff_ids: Vec<&Value> = described.iter().map(|layer| &layer["digest"]).collect();
    let config = json!({"architecture": "amd64", "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": diff_ids}});
    let config = blob("application/vnd.oci.image.config.v1+json", &config);
    let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config, "layers": described});
    let manifest = blob("application/vnd.oci.image.manifest.v1+json", &manifest);
    std::fs::write(layout.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    std::fs::write(layout.join("index.json"), index.to_string()).unwrap();
    layout
}

fn hex(input: &mut dyn std::io::Read) -> String {
    let mut hash = Sha256::new();
    std::io::copy(input, &mut Writer(&mut hash)).unwrap();
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Writer<'a>(&'a mut Sha256);

impl std::io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A layer of files: path, mode, content.
pub fn layer(directory: &Path, files: &[(&str, u32, &[u8])]) -> PathBuf {
    let entry = |(path, mode, content): &(&str, u32, &[u8])| Entry::file(path, content).mode(*mode);
    layer_of(directory, "layer.tar", files.iter().fold(Tar::new(), |tar, file| tar.add(entry(file))))
}

/// A layer of anything.
pub fn layer_of(directory: &Path, name: &str, tar: Tar) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, tar.finish()).unwrap();
    path
}

/// Compiles a program in C.
pub fn compile(directory: &Path, name: &str, source: &str, options: &[&str]) -> Vec<u8> {
    let (input, output) = (directory.join(format!("{name}.c")), directory.join(name));
    std::fs::write(&input, source).unwrap();
    done(Command::new("gcc").arg(&input).arg("-o").arg(&output).args(options));
    std::fs::read(output).unwrap()
}
