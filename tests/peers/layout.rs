//! OCI layouts of layers that a test makes, and what is at each path of an unpacked root or an opened image.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use nixdive::image::{FileTree, Kind, LayerIndex};
use nixdive::open::Contents;
use serde_json::{Value, json};

use crate::peers::sha256;

/// Writes an OCI layout of one image, tagged `test`, with plain layers. containerd calls it `localhost/x:NAME`, with the
/// directory's name.
pub fn write(directory: &Path, layers: &[Vec<u8>]) {
    let blobs = directory.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let blob = |media_type: &str, bytes: &[u8]| -> Value {
        let digest = sha256(bytes);
        fs::write(blobs.join(digest.trim_start_matches("sha256:")), bytes).unwrap();
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    };
    let layers: Vec<Value> = layers.iter().map(|layer| blob("application/vnd.oci.image.layer.v1.tar", layer)).collect();
    let diff_ids: Vec<&Value> = layers.iter().map(|layer| &layer["digest"]).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let config = blob("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers});
    let mut manifest = blob(media_type, manifest.to_string().as_bytes());
    let name = format!("localhost/x:{}", directory.file_name().unwrap().display());
    manifest["annotations"] = json!({"org.opencontainers.image.ref.name": "test", "io.containerd.image.name": name});
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    fs::write(directory.join("index.json"), index.to_string()).unwrap();
    fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

/// What is at each path: `directory`, `file` with its content, `link` with its target.
pub type Root = BTreeMap<String, String>;

/// All below a directory. Whiteouts that the overlay file system lists and does not open are left out.
pub fn of_directory(root: &Path) -> Root {
    let mut found = Root::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            let kind = metadata.file_type();
            let what = if kind.is_symlink() {
                format!("link {}", fs::read_link(&path).unwrap().as_os_str().as_bytes().escape_ascii())
            } else if kind.is_dir() {
                pending.push(path.clone());
                "directory".to_owned()
            } else if kind.is_char_device() || kind.is_block_device() || kind.is_fifo() {
                "special".to_owned()
            } else {
                format!("file {}", fs::read(&path).unwrap().escape_ascii())
            };
            let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().escape_ascii().to_string();
            found.insert(name, what);
        }
    }
    found
}

/// All that an image shows with the layers up to `layer`. Fails where anything but a directory has something in it.
pub fn of_tree(tree: &FileTree, contents: &Contents, layer: LayerIndex) -> Root {
    let mut found = Root::new();
    for (node, id) in tree.stacked_paths(layer) {
        let path = tree.path(node)[1..].escape_ascii().to_string();
        let linked = id.map(|id| tree.linked(id));
        let what = match linked {
            None => "directory".to_owned(),
            Some(None) => "nowhere".to_owned(),
            Some(Some(linked)) => match tree.occurrence(linked).kind {
                Kind::Directory => "directory".to_owned(),
                Kind::Symlink => format!("link {}", tree.link_target(linked).unwrap_or_default().escape_ascii()),
                Kind::File => {
                    let mut bytes = Vec::new();
                    contents.reader(tree, linked).unwrap().read_to_end(&mut bytes).unwrap();
                    format!("file {}", bytes.escape_ascii())
                }
                _ => "special".to_owned(),
            },
        };
        assert!(what == "directory" || tree.totals_at(node, layer).entries == 0, "{path} has something in it");
        found.insert(path, what);
    }
    found
}

/// Numbers that are the same on every run.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// A number below `bound` (splitmix64).
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    /// One of some values.
    pub fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// True in `part` of `whole` cases.
    pub fn is(&mut self, part: usize, whole: usize) -> bool {
        self.below(whole) < part
    }
}

/// How many random cases a test tries: more where NIXDIVE_CASES says so.
pub fn cases(usual: u64) -> u64 {
    std::env::var("NIXDIVE_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(usual)
}
