use super::data::Compared;
use super::words::{kinds, one_line, path, sentence, signed};
use crate::draw::time;
use nixdive_analyse::compare::{ComparedPath, FileChange, PairId};
use nixdive_base::text::{counted, display_bytes, display_name};
use nixdive_image::{FileTree, Kind, OccurrenceId, display_mode};

/// Facts about a path of two trees: labels with values, old and new if they differ.
pub fn facts(compared: &Compared, id: PairId) -> Vec<(&'static str, String)> {
    let (left, right) = (&compared.left.image.tree, &compared.right.image.tree);
    let Some(node) = compared.tree.get(id) else { return Vec::new() };
    let change = node.change.and_then(|place| compared.differences.files.changes.get(place as usize));
    let (old_path, new_path) = match change {
        Some(change) => (change.left.map(|path| path.node), change.right.map(|path| path.node)),
        None => (node.left, node.right),
    };
    let (old_path, new_path) = (old_path.map(|node| path(left, node)), new_path.map(|node| path(right, node)));
    let mut found = Vec::new();
    match (old_path, new_path) {
        (Some(old), Some(new)) if old != new => found.push(("Path", format!("{old} → {new}"))),
        (old, new) => found.push(("Path", new.or(old).unwrap_or_default())),
    }
    found.push(("Change", change.map_or_else(|| "none".to_owned(), sentence)));
    let bytes =
        format!("{} → {} ({})", display_bytes(node.left_bytes), display_bytes(node.right_bytes), signed(node.delta()));
    match change.filter(|_| !node.is_directory) {
        // A moved file is as long as it was.
        Some(FileChange { left: Some(old), right: Some(new), .. }) if old.file_bytes == new.file_bytes => {
            found.push(("Bytes", format!("{} ({})", display_bytes(new.file_bytes), new.file_bytes)));
        }
        _ => found.push(("Bytes", bytes)),
    }
    let below = node.differing.saturating_sub(u32::from(change.is_some()));
    if below > 0 {
        let more = counted(below, "difference");
        found.push(("Below", format!("{more}, |Δ| {} in total", display_bytes(node.changed_bytes))));
    }
    if let Some(change) = change {
        fields(&mut found, left, right, change);
    }
    found
}

/// Value of one property of an entry, in words.
type Value<'v> = &'v dyn Fn(&FileTree, OccurrenceId) -> Option<String>;

fn fields(found: &mut Vec<(&'static str, String)>, left: &FileTree, right: &FileTree, change: &FileChange) {
    let id = |path: Option<ComparedPath>| path.and_then(|path| path.occurrence);
    let (old, new) = (id(change.left), id(change.right));
    let (before, after) = kinds(left, right, change);
    // For a path on one side, all properties; for a path on both, only those that differ.
    let one_sided = change.left.is_none() || change.right.is_none();
    let mut push = |label, old: Option<String>, new: Option<String>| match (old, new) {
        (Some(old), Some(new)) if old != new => found.push((label, format!("{old} → {new}"))),
        (Some(value), None) | (None, Some(value)) if one_sided => found.push((label, value)),
        (Some(old), None) => found.push((label, format!("{old} → none"))),
        (None, Some(new)) => found.push((label, format!("none → {new}"))),
        _ => {}
    };
    push("Kind", before.map(str::to_owned), after.map(str::to_owned));
    let both = |of: Value<'_>| (old.and_then(|id| of(left, id)), new.and_then(|id| of(right, id)));
    let labelled: [(&'static str, Value<'_>); 6] = [
        ("Mode", &mode),
        ("Owner", &owner),
        ("Time", &|tree, id| Some(time(tree.occurrence(id).mtime))),
        ("Link to", &|tree, id| tree.link_target(id).map(|target| display_name(target).into_owned())),
        ("Device", &|tree, id| tree.device(id).map(|(major, minor)| format!("{major}, {minor}"))),
        ("Attributes", &attributes),
    ];
    for (label, of) in labelled {
        let (old, new) = both(of);
        push(label, old, new);
    }
    if one_sided {
        let layer = |tree: &FileTree, id: OccurrenceId| tree.occurrence(id).layer.0.to_string();
        push("Layer", old.map(|id| layer(left, id)), new.map(|id| layer(right, id)));
    }
}

fn mode(tree: &FileTree, id: OccurrenceId) -> Option<String> {
    let occurrence = tree.occurrence(id);
    let is_shown = !matches!(occurrence.kind, Kind::Symlink | Kind::Whiteout | Kind::OpaqueMark);
    is_shown.then(|| format!("{} {:04o}", display_mode(occurrence.kind, occurrence.mode()), occurrence.mode()))
}

fn owner(tree: &FileTree, id: OccurrenceId) -> Option<String> {
    let owner = tree.owner(id);
    Some(format!("{}:{}", owner.uid, owner.gid))
}

/// Extended attributes with what of their values is text.
fn attributes(tree: &FileTree, id: OccurrenceId) -> Option<String> {
    const MOST: usize = 16;
    const VALUE: usize = 64;
    let all = tree.xattrs(id);
    let one = |attribute: &nixdive_image::Xattr| {
        let value = attribute.value.get(..VALUE).unwrap_or(&attribute.value);
        format!("{}={}", display_name(&attribute.name), one_line(&display_name(value)))
    };
    (!all.is_empty()).then(|| all.iter().take(MOST).map(one).collect::<Vec<_>>().join(" "))
}
