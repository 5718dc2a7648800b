use crate::{
    Compression, DigestCheck, EntryBatch, EntryFields, FileTree, Image, Kind, Layer, Measured, TreeBuilder, Xattr,
    compute_history,
};

/// Layers as lists of lines: `KIND PATH [BYTES] [-> TARGET] [mode=644] [owner=1:2] [time=3] [content=4] [xattr=a]`.
///
/// KIND is `f` file, `d` directory, `l` symbolic link, `h` hard link, `p` fifo, `c` and `b` devices, `w` whiteout of
/// PATH, `o` opaque whiteout in PATH, `r` an entry with this very name.
pub type Layers<'a> = &'a [&'a [&'a str]];

/// The lines of a layer that engines unpack in whatever order they are: nothing below a file, no whiteout below one, no
/// directory that a whiteout of its layer names.
pub fn orderless(lines: &[String]) -> Vec<&str> {
    let parts = |line: &str| {
        let mut words = line.split(' ');
        (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned())
    };
    let mut kept: Vec<&str> = Vec::new();
    for line in lines {
        let conflicts = |other: &&str| {
            let ((kind, path), (other_kind, other_path)) = (parts(line), parts(other));
            let ends = |above: &str, below: &str| above == "f" || (above == "w" && below == "w");
            let is_below =
                |below: &str, above: &str| below.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'));
            is_below(&path, &other_path) && ends(&other_kind, &kind)
                || is_below(&other_path, &path) && ends(&kind, &other_kind)
                || path == other_path && matches!((kind.as_str(), other_kind.as_str()), ("w", "d") | ("d", "w"))
        };
        if !kept.iter().any(conflicts) {
            kept.push(line);
        }
    }
    kept
}

/// Returns the tree of some layers with its history. Contents differ if their `content=` does.
pub fn tree(layers: Layers<'_>) -> FileTree {
    let mut builder = TreeBuilder::new();
    for lines in layers {
        builder.begin_layer().unwrap();
        builder.add(&batch(lines)).unwrap();
    }
    let mut tree = builder.finish();
    compute_history(&mut tree, &mut |_: &FileTree, _, _| true);
    tree
}

/// An image of some layers, with as much around them as reports need.
pub fn image(layers: Layers<'_>) -> Image {
    let described = layers.iter().map(|lines| {
        let bytes = batch(lines).entries().iter().map(|entry| entry.fields.bytes).sum();
        layer(bytes, lines.len() as u64)
    });
    Image {
        identity: crate::Identity::default(),
        config: crate::Config::default(),
        layers: described.collect(),
        tree: tree(layers),
        warnings: Vec::new(),
        defects: Vec::new(),
        source_bytes: None,
    }
}

/// A layer of which only the counts are known.
fn layer(file_bytes: u64, entries: u64) -> Layer {
    let unpacked_bytes = file_bytes + 512 * entries + 1024;
    Layer {
        diff_id: None,
        digest: None,
        media_type: "application/vnd.oci.image.layer.v1.tar".into(),
        stored_as: "layer.tar".into(),
        compression: Compression::None,
        unpacked_bytes,
        compressed_bytes: Some(Measured::Exact(unpacked_bytes)),
        file_bytes,
        entries,
        diff_id_check: DigestCheck::NotChecked,
        digest_check: DigestCheck::NotChecked,
        created_by: None,
        comment: None,
        created: None,
        annotations: Vec::new(),
        store_paths: Vec::new(),
        contents: crate::LayerContents::Present,
        listed: false,
    }
}

/// The path of a node as text.
pub fn path(tree: &FileTree, node: crate::NodeId) -> String {
    String::from_utf8(tree.path(node)).unwrap()
}

fn batch(lines: &[&str]) -> EntryBatch {
    let mut batch = EntryBatch::default();
    for line in lines {
        push(&mut batch, line);
    }
    batch
}

fn push(batch: &mut EntryBatch, line: &str) {
    let mut words = line.split_ascii_whitespace();
    let (sign, path) = (words.next().unwrap(), words.next().unwrap_or_default());
    let (kind, flag) = match sign {
        "f" | "w" | "o" | "r" => (Kind::File, b'0'),
        "h" => (Kind::HardLink, b'1'),
        "l" => (Kind::Symlink, b'2'),
        "c" => (Kind::CharacterDevice, b'3'),
        "b" => (Kind::BlockDevice, b'4'),
        "d" => (Kind::Directory, b'5'),
        "p" => (Kind::Fifo, b'6'),
        other => panic!("no kind {other}"),
    };
    let mut fields = EntryFields::new(kind);
    fields.type_flag = flag;
    fields.mode = if kind == Kind::Directory { 0o755 } else { 0o644 };
    let mut target = "";
    while let Some(word) = words.next() {
        match word.split_once('=') {
            None if word == "->" => target = words.next().unwrap(),
            None => fields.bytes = word.parse().unwrap(),
            Some(("mode", mode)) => fields.mode = u16::from_str_radix(mode, 8).unwrap(),
            Some(("owner", owner)) => {
                let (uid, gid) = owner.split_once(':').unwrap();
                (fields.uid, fields.gid) = (uid.parse().unwrap(), gid.parse().unwrap());
            }
            Some(("time", time)) => fields.mtime = time.parse().unwrap(),
            Some(("content", content)) => fields.content = Some([content.parse().unwrap(); 16]),
            Some(("xattr", value)) => {
                let attribute = Xattr { name: (*b"user.test").into(), value: value.as_bytes().into() };
                fields.xattrs = fields.xattrs.iter().cloned().chain([attribute]).collect();
            }
            Some((other, _)) => panic!("no field {other}"),
        }
    }
    let (directory, name) = path.rsplit_once('/').map_or(("", path), |(directory, name)| (directory, name));
    let joined = |directory: &str, name: &str| {
        if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
    };
    let path = match sign {
        "w" => joined(directory, &format!(".wh.{name}")),
        "o" => joined(path.trim_matches('/'), ".wh..wh..opq"),
        _ => path.to_owned(),
    };
    batch.push(path.trim_matches('/').as_bytes(), target.as_bytes(), fields);
}
