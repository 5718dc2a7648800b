//! Short descriptions of differences, safe to write to a terminal.

use nixdive_analyse::compare::{Cause, FileChange, FileChangeKind, Grown, GrowthItem, PackagePair, Signal, Software};
use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::{Difference, FileTree, Kind, Layer, LayerIndex, NodeId};
use nixdive_nix::graph::PathId;
use nixdive_packages::PackageIndex;

use super::data::ComparedImage;

/// Names that a line lists before it counts.
const NAMED: usize = 3;
/// Characters of a command or a reason.
const LONGEST: usize = 160;

/// A difference with its sign: `+12 MB`, `-3 B`, `0 B`.
pub fn signed(delta: i64) -> String {
    let bytes = display_bytes(delta.unsigned_abs());
    match delta {
        0 => bytes,
        1.. => format!("+{bytes}"),
        _ => format!("-{bytes}"),
    }
}

/// A text of an image on one line, of bounded length.
pub fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let line: String = words.join(" ").chars().take(4096).collect();
    display_name(line.as_bytes()).into_owned()
}

fn shortened(text: &str) -> String {
    let text = one_line(text);
    match text.char_indices().nth(LONGEST) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// A path of a tree.
pub fn path(tree: &FileTree, node: NodeId) -> String {
    display_name(&tree.path(node)).into_owned()
}

/// Name and version of a store path.
pub fn store_name(image: &ComparedImage, id: PathId) -> String {
    let path = image.store.as_ref().and_then(|study| study.get_path(id));
    one_line(path.map_or("", |path| path.name()))
}

/// Kind, name and version of a package.
pub fn package(image: &ComparedImage, index: PackageIndex) -> String {
    let package = image.packages.packages.get(index);
    format!("{} {} {}", package.kind.as_str(), one_line(&package.name), one_line(&package.version))
}

/// Label of a layer: its store paths, its command, or its comment.
pub fn layer_command(layer: &Layer) -> String {
    shortened(&layer.title())
}

/// Name of an item that grew.
pub fn grown(left: &ComparedImage, right: &ComparedImage, item: &GrowthItem) -> String {
    match item.what {
        Grown::StorePath(id) => {
            let name = store_name(right, id);
            let names: Vec<String> = item.with.iter().take(NAMED).map(|&id| store_name(right, id)).collect();
            match item.with.len() {
                0 => name,
                count if count > NAMED => {
                    format!("{name} and its closure: {} and {} more", names.join(", "), count - NAMED)
                }
                _ => format!("{name} and its closure: {}", names.join(", ")),
            }
        }
        Grown::StorePathFrom(before, after) => {
            let (before, after) = (store_name(left, before), store_name(right, after));
            if before == after { format!("{after} (rebuilt)") } else { format!("{before} → {after}") }
        }
        Grown::Package(index) => package(right, index),
        Grown::PackageFrom(PackagePair { left: before, right: after, .. }) => {
            let before = one_line(&left.packages.packages.get(before).version);
            let after = right.packages.packages.get(after);
            let (kind, version) = (after.kind.as_str(), one_line(&after.version));
            format!("{kind} {} {before} → {version}", one_line(&after.name))
        }
        Grown::Files { largest, count, .. } => {
            let largest = path(&right.image.tree, largest);
            match count {
                0 | 1 => format!("{largest} (in no package)"),
                _ => format!("{largest} and {} more files in no package", count - 1),
            }
        }
    }
}

/// Cause of an item's growth, with the complete chain if it is known.
pub fn cause(right: &ComparedImage, item: &GrowthItem) -> String {
    let layer = |index: Option<LayerIndex>| {
        let known = index.and_then(|index| Some((index, right.image.layers.get(index.index())?)));
        known.map_or_else(
            || "an unknown layer".to_owned(),
            |(index, layer)| format!("layer {}: {}", index.0, layer_command(layer)),
        )
    };
    let way = || item.chain.iter().map(|&id| store_name(right, id)).collect::<Vec<_>>().join(" → ");
    match item.cause {
        Cause::Root(source) => shortened(&source.describe(&right.image)),
        Cause::Reference(_) if item.chain.len() > 1 => way(),
        Cause::Reference(id) => format!("a reference from {}", store_name(right, id)),
        Cause::Unreached(_) if right.image.is_closure() => "unreachable".to_owned(),
        Cause::Unreached(index) => format!("unreachable; {}", layer(index)),
        Cause::Layer(index) => layer(index),
    }
}

/// Software of one side, the first few by name.
pub fn listed(image: &ComparedImage, list: &[Software]) -> String {
    let mut names: Vec<String> = list.iter().take(NAMED).map(|software| titled(image, software)).collect();
    if list.len() > NAMED {
        names.push(format!("{} more", list.len() - NAMED));
    }
    names.join(", ")
}

/// Kind, name and version of software.
pub fn titled(image: &ComparedImage, software: &Software) -> String {
    let side = image.side();
    let (name, version) = (side.software_name(software.id), side.software_version(software.id));
    let text = if version.is_empty() { name.to_owned() } else { format!("{name} {version}") };
    format!("{} {}", side.software_kind(software.id), one_line(&text))
}

/// Signals by which software of both sides was matched.
pub fn known_by(signals: &[Signal]) -> String {
    let one = |signal: &Signal| match signal {
        Signal::Name(name) => format!("name {}", one_line(name)),
        Signal::Soname(name) => one_line(name),
        Signal::Program(name) => format!("program {}", one_line(name)),
    };
    signals.iter().take(NAMED).map(one).collect::<Vec<_>>().join(", ")
}

/// Name of a kind of entry.
pub fn kind(kind: Option<Kind>) -> &'static str {
    match kind {
        None => "directory",
        Some(Kind::File) => "file",
        Some(Kind::Directory) => "directory",
        Some(Kind::Symlink) => "symbolic link",
        Some(Kind::HardLink) => "hard link",
        Some(Kind::CharacterDevice) => "character device",
        Some(Kind::BlockDevice) => "block device",
        Some(Kind::Fifo) => "named pipe",
        Some(Kind::Whiteout | Kind::OpaqueMark) => "whiteout",
    }
}

/// Both kinds of a path that changed.
pub fn kinds(left: &FileTree, right: &FileTree, change: &FileChange) -> (Option<&'static str>, Option<&'static str>) {
    let of = |tree: &FileTree, path: Option<nixdive_analyse::compare::ComparedPath>| {
        Some(kind(path?.occurrence.map(|id| tree.occurrence(id).kind)))
    };
    (of(left, change.left), of(right, change.right))
}

/// Describes a change in one or two words; empty if its mark says it all: added, removed, other content.
pub fn brief(left: &FileTree, right: &FileTree, change: &FileChange) -> String {
    match change.kind {
        FileChangeKind::Added | FileChangeKind::Removed => String::new(),
        FileChangeKind::Renamed => "moved".to_owned(),
        FileChangeKind::Type => {
            let (before, after) = kinds(left, right, change);
            format!("{} → {}", before.unwrap_or("nothing"), after.unwrap_or("nothing"))
        }
        FileChangeKind::Content if is_same_length(change) && change.difference.contains(Difference::CONTENT) => {
            "changed, same length".to_owned()
        }
        FileChangeKind::Content | FileChangeKind::Metadata => differing(change.difference),
    }
}

/// Returns `true` if both sides have the same number of bytes.
pub fn is_same_length(change: &FileChange) -> bool {
    change.left.map(|path| path.file_bytes) == change.right.map(|path| path.file_bytes)
}

/// The names of what differs.
pub fn differing(difference: Difference) -> String {
    let names = [
        (Difference::TYPE, "kind"),
        (Difference::CONTENT, "content"),
        (Difference::MODE, "mode"),
        (Difference::OWNER, "owner"),
        (Difference::LINK, "link"),
        (Difference::XATTRS, "attributes"),
        (Difference::MTIME, "time"),
    ];
    let found: Vec<&str> = names.iter().filter(|(flag, _)| difference.contains(*flag)).map(|(_, name)| *name).collect();
    found.join(", ")
}

/// Describes a change, as the beginning of a sentence.
pub fn sentence(change: &FileChange) -> String {
    let only = |what: String| format!("only {what} changed");
    match change.kind {
        FileChangeKind::Added => "added: on the right side only".to_owned(),
        FileChangeKind::Removed => "removed: on the left side only".to_owned(),
        FileChangeKind::Renamed => "moved: the same content under another path".to_owned(),
        FileChangeKind::Type => "changed type".to_owned(),
        FileChangeKind::Metadata => only(differing(change.difference)),
        FileChangeKind::Content => match change.difference.contains(Difference::CONTENT) {
            true if is_same_length(change) => "changed content of the same length".to_owned(),
            true => "changed content".to_owned(),
            false => only(differing(change.difference)),
        },
    }
}

/// Returns `text`, or “none”.
pub fn or_none(text: Option<&str>) -> String {
    text.map_or_else(
        || "(not set)".to_owned(),
        |text| if text.is_empty() { "(set)".to_owned() } else { one_line(text) },
    )
}
