use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;

use serde_json::Value;

use crate::image::{
    Config, Digest, EntryBatch, EntryFields, FileTree, HistoryEntry, Identity, Image, Kind, Layer, Platform,
    TreeBuilder, compute_history,
};

/// An image of the corpus, which `NIXDIVE_CORPUS` names; `None` with a printed reason where there is none.
pub(crate) fn corpus_image(name: &str) -> Option<Image> {
    Some(read_docker_archive(&std::fs::read(corpus_file(name)?).unwrap()))
}

/// A file of the corpus.
pub(crate) fn corpus_file(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("NIXDIVE_CORPUS").map_or_else(|| PathBuf::from("../shared/corpus"), PathBuf::from);
    let file = root.join(name);
    if file.exists() {
        return Some(file);
    }
    assert!(std::env::var_os("NIXDIVE_LIVE").is_none_or(|live| live != "1"), "{} is missing", file.display());
    println!("skipped: {} is missing (set NIXDIVE_CORPUS)", file.display());
    None
}

fn read_docker_archive(bytes: &[u8]) -> Image {
    let mut members: HashMap<String, Vec<u8>> = HashMap::new();
    for entry in tar::Archive::new(bytes).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        members.insert(name, content);
    }
    let manifest: Value = serde_json::from_slice(&members["manifest.json"]).unwrap();
    let json: Value = serde_json::from_slice(&members[manifest[0]["Config"].as_str().unwrap()]).unwrap();
    let config = read_config(&json);
    let mut builder = TreeBuilder::new();
    let mut layers = Vec::new();
    let mut history = config.history.iter().filter(|entry| !entry.empty_layer);
    for (index, name) in manifest[0]["Layers"].as_array().unwrap().iter().enumerate() {
        let name = name.as_str().unwrap();
        let stored = &members[name];
        let mut unpacked = Vec::new();
        if stored.starts_with(&[0x1f, 0x8b]) {
            flate2::read::GzDecoder::new(stored.as_slice()).read_to_end(&mut unpacked).unwrap();
        } else {
            unpacked.clone_from(stored);
        }
        builder.begin_layer().unwrap();
        let (batch, file_bytes) = read_layer(&unpacked);
        builder.add(&batch).unwrap();
        let step = history.next();
        layers.push(Layer {
            diff_id: config.diff_ids.get(index).and_then(|digest| Digest::parse(digest)),
            stored_as: name.to_owned(),
            unpacked_bytes: unpacked.len() as u64,
            compressed_bytes: Some(crate::image::Measured::Exact(stored.len() as u64)),
            created_by: step.and_then(|step| step.created_by.clone()),
            created: step.and_then(|step| step.created.clone()),
            ..super::lines::layer(file_bytes, batch.entries().len() as u64)
        });
    }
    let mut tree = builder.finish();
    compute_history(&mut tree, &mut |_: &FileTree, _, _| true);
    let references = manifest[0]["RepoTags"].as_array().into_iter().flatten();
    let identity = Identity {
        requested: "image.tar".into(),
        source_kind: "docker-archive".into(),
        references: references.map(|tag| tag.as_str().unwrap().to_owned()).collect(),
        ..Identity::default()
    };
    Image { identity, config, layers, tree, warnings: Vec::new(), source_bytes: Some(bytes.len() as u64) }
}

fn read_config(json: &Value) -> Config {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let list = |value: &Value| value.as_array().into_iter().flatten().filter_map(&text).collect::<Vec<_>>();
    let history = json["history"].as_array().into_iter().flatten().map(|entry| HistoryEntry {
        created: text(&entry["created"]),
        created_by: text(&entry["created_by"]),
        author: text(&entry["author"]),
        comment: text(&entry["comment"]),
        empty_layer: entry["empty_layer"].as_bool().unwrap_or(false),
    });
    Config {
        platform: Platform {
            os: text(&json["os"]).unwrap_or_default(),
            architecture: text(&json["architecture"]).unwrap_or_default(),
            variant: None,
        },
        created: text(&json["created"]),
        cmd: list(&json["config"]["Cmd"]),
        env: list(&json["config"]["Env"]),
        history: history.collect(),
        diff_ids: list(&json["rootfs"]["diff_ids"]),
        ..Config::default()
    }
}

fn read_layer(unpacked: &[u8]) -> (EntryBatch, u64) {
    let mut batch = EntryBatch::default();
    let mut file_bytes = 0;
    for entry in tar::Archive::new(unpacked).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let header = entry.header();
        let kind = match header.entry_type().as_byte() {
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' => Kind::CharacterDevice,
            b'4' => Kind::BlockDevice,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            _ => Kind::File,
        };
        let mut fields = EntryFields::new(kind);
        fields.type_flag = header.entry_type().as_byte();
        fields.mode = (header.mode().unwrap() & 0o7777) as u16;
        fields.uid = header.uid().unwrap() as u32;
        fields.gid = header.gid().unwrap() as u32;
        fields.bytes = header.size().unwrap();
        fields.mtime = header.mtime().unwrap() as i64;
        let mut hash = [0; 16];
        hash.copy_from_slice(&blake3::hash(&content).as_bytes()[..16]);
        fields.content = (kind == Kind::File).then_some(hash);
        file_bytes += fields.bytes;
        let path = entry.path_bytes();
        let parts = path.split(|&byte| byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
        let path = parts.collect::<Vec<_>>().join(&b'/');
        let link = entry.link_name_bytes().unwrap_or_default();
        batch.push(&path, &link, fields);
    }
    (batch, file_bytes)
}
