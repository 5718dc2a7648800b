use std::sync::Arc;

use crate::{Opened, Overview};
use nixdive_image::{
    Compression, Config, DigestCheck, EntryBatch, EntryFields, FileTree, HistoryEntry, Identity, Image, Kind, Layer,
    Measured, OccurrenceId, Platform, TreeBuilder, Warning, compute_history,
};

/// A tree of layers, each a list of lines: `d PATH`, `f BYTES PATH`, `x BYTES PATH` (set-uid), `t BYTES PATH` (newer),
/// `l PATH TARGET`, `h PATH TARGET`, `w PATH` (removed). Equal bytes mean equal content.
pub(super) fn tree(layers: &[&[&str]]) -> FileTree {
    let mut builder = TreeBuilder::new();
    for layer in layers {
        builder.begin_layer().unwrap();
        let mut batch = EntryBatch::default();
        for line in *layer {
            push(&mut batch, line);
        }
        builder.add(&batch).unwrap();
    }
    let mut tree = builder.finish();
    compute_history(&mut tree, &mut |_: &FileTree, _: OccurrenceId, _: OccurrenceId| true);
    tree
}

fn push(batch: &mut EntryBatch, line: &str) {
    let mut words = line.split(' ');
    let (kind, mut word) = (words.next().unwrap(), || words.next().unwrap_or_default().to_owned());
    let mut fields = EntryFields::new(Kind::File);
    fields.mode = 0o644;
    match kind {
        "d" => {
            fields.kind = Kind::Directory;
            fields.mode = 0o755;
            batch.push(word().as_bytes(), b"", fields);
        }
        "f" | "x" | "t" => {
            fields.bytes = word().parse().unwrap();
            if kind == "x" {
                fields.mode = 0o4755;
            }
            fields.mtime = if kind == "t" { 1_700_000_000 } else { 0 };
            batch.push(word().as_bytes(), b"", fields);
        }
        "l" | "h" => {
            fields.kind = if kind == "l" { Kind::Symlink } else { Kind::HardLink };
            let path = word();
            batch.push(path.as_bytes(), word().as_bytes(), fields);
        }
        "w" => {
            let path = word();
            let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
            let slash = if directory.is_empty() { "" } else { "/" };
            batch.push(format!("{directory}{slash}.wh.{name}").as_bytes(), b"", fields);
        }
        other => panic!("no kind {other}"),
    }
}

pub(super) fn layer(tree: &FileTree, index: usize, command: &str) -> Layer {
    let layer = tree.layer_indices().nth(index).unwrap();
    let entries: Vec<OccurrenceId> = tree.layer_occurrences(layer).collect();
    let file_bytes = entries.iter().map(|&id| tree.occurrence(id).bytes).fold(0, u64::saturating_add);
    Layer {
        diff_id: Some(nixdive_image::Digest::from_sha256(&[index as u8 + 1; 32])),
        digest: Some(nixdive_image::Digest::from_sha256(&[index as u8 + 101; 32])),
        media_type: "application/vnd.oci.image.layer.v1.tar+gzip".into(),
        stored_as: format!("blobs/sha256/{index}"),
        compression: Compression::Gzip,
        unpacked_bytes: file_bytes.saturating_add(10_240),
        compressed_bytes: Some(Measured::Exact(file_bytes / 3)),
        file_bytes,
        entries: entries.len() as u64,
        diff_id_check: if index == 0 { DigestCheck::Matches } else { DigestCheck::NotChecked },
        digest_check: DigestCheck::NotChecked,
        created_by: Some(command.into()),
        comment: None,
        created: Some("2024-05-01T10:00:00Z".into()),
        annotations: Vec::new(),
        store_paths: Vec::new(),
        contents: nixdive_image::LayerContents::Present,
        listed: false,
    }
}

pub(super) fn image(tree: FileTree, commands: &[&str]) -> Image {
    let layers = commands.iter().enumerate().map(|(index, command)| layer(&tree, index, command)).collect();
    Image {
        identity: Identity {
            requested: "./web.tar.gz".into(),
            source_kind: "docker-archive".into(),
            source_compression: Some(Compression::Gzip),
            references: vec!["registry.example/team/web:1.4".into(), "web:latest".into()],
            manifest_digest: None,
            config_digest: Some(nixdive_image::Digest::from_sha256(&[7; 32])),
            store_roots: Vec::new(),
        },
        config: Config {
            platform: Platform { os: "linux".into(), architecture: "amd64".into(), variant: None },
            created: Some("2024-05-01T10:00:03Z".into()),
            entrypoint: vec!["/usr/bin/tool".into(), "--listen".into(), "0.0.0.0 8080".into()],
            env: vec!["PATH=/usr/bin:/bin".into()],
            exposed_ports: vec!["8080/tcp".into()],
            ..Config::default()
        },
        layers,
        tree,
        warnings: Vec::new(),
        defects: Vec::new(),
        source_bytes: None,
    }
}

const BASE: &[&str] = &[
    "d etc",
    "f 1000 etc/passwd",
    "f 200 etc/hosts",
    "d usr",
    "d usr/bin",
    "f 5000 usr/bin/tool",
    "d usr/lib",
    "f 9000 usr/lib/libc.so",
    "l bin usr/bin",
    "d var",
    "d var/cache",
    "f 20000 var/cache/packages.db",
    "f 40 var/motd",
];
const INSTALL: &[&str] = &[
    "f 250 etc/hosts",
    "t 1000 etc/passwd",
    "d opt",
    "d opt/app",
    "d opt/app/data",
    "f 700 opt/app/data/one",
    "f 300 opt/app/data/two",
    "h opt/app/tool usr/bin/tool",
];
const CLEAN: &[&str] = &["w var/cache/packages.db", "x 5000 usr/bin/tool"];

pub(super) const COMMANDS: [&str; 3] = [
    "/bin/sh -c #(nop) ADD file:a90160c31539edb8ed7f4f1041545c0d7f0d2a0a1f0f0b8c9d0e1f2a3b4c5d6e in / ",
    "RUN /bin/sh -c make install && echo 127.0.0.1 app >> /etc/hosts # buildkit",
    "RUN /bin/sh -c rm /var/cache/packages.db && chmod u+s /usr/bin/tool # buildkit",
];

pub(super) fn overview() -> Overview {
    Overview { efficiency: 0.8132, wasted_bytes: 30_450, user_wasted_percent: 0.42 }
}

/// Three layers: a base, an installation, a cleaning up.
pub(super) fn web() -> Opened {
    let mut image = image(tree(&[BASE, INSTALL, CLEAN]), &COMMANDS);
    image.warnings.push(Warning { layer: None, message: "the archive is not whole: it ends at byte 12".into() });
    Opened { image: Arc::new(image), overview: overview() }
}

/// The same, whose configuration tells its history; its base is known by that.
pub(super) fn web_with_history() -> Opened {
    let Opened { image, overview } = web();
    let mut image = Arc::unwrap_or_clone(image);
    let step = |layer: &Layer| HistoryEntry { created_by: layer.created_by.clone(), ..HistoryEntry::default() };
    image.config.history = image.layers.iter().map(step).collect();
    Opened { image: Arc::new(image), overview }
}

/// An image in which one chain of directories leads to everything: `/nix/store`.
pub(super) fn nix() -> Opened {
    let paths = [
        "f 9000 nix/store/hmnypiai2d9q9ri3yd4kdycjp1rg1027-glibc-2.36/lib/libc.so",
        "f 100 nix/store/xkqm7yb4n7aj317l7w8xfchlfazmxlzx-hello-2.10/bin/hello",
        "l bin nix/store",
    ];
    let mut image = image(tree(&[&paths]), &["unused"]);
    image.layers[0].created_by = None;
    image.layers[0].comment = Some(
        "store paths: ['/nix/store/hmnypiai2d9q9ri3yd4kdycjp1rg1027-glibc-2.36', \
         '/nix/store/xkqm7yb4n7aj317l7w8xfchlfazmxlzx-hello-2.10']"
            .into(),
    );
    Opened { image: Arc::new(image), overview: Overview { efficiency: 1.0, ..Overview::default() } }
}

/// An image without layers.
pub(super) fn empty() -> Opened {
    Opened { image: Arc::new(image(tree(&[]), &[])), overview: Overview { efficiency: 1.0, ..Overview::default() } }
}
