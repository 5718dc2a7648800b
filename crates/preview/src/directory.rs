use super::Meaning;
use super::style::{LineWriter, StyledLine, labelled};
use nixdive_base::text::display_bytes;
use nixdive_image::{Baseline, FileTree, Kind, LayerIndex, NodeId, Scope, Totals};

/// Largest children that a summary names.
const MOST_LARGEST: usize = 20;

/// Contents of a directory as the layers up to one leave it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectorySummary {
    /// All that lies below.
    pub totals: Totals,
    /// Number of direct children that are directories.
    pub directories: usize,
    /// Files, hard links among them.
    pub files: usize,
    /// Symbolic links.
    pub symlinks: usize,
    /// Devices, pipes.
    pub others: usize,
    /// The largest children with all that is below them, bytes, largest first.
    pub largest: Vec<(NodeId, u64)>,
}

/// Looks at the direct children of a directory.
#[must_use]
pub fn summarise_directory(tree: &FileTree, node: NodeId, layer: LayerIndex) -> DirectorySummary {
    let scope = Scope::Stacked(layer);
    let mut summary = DirectorySummary { totals: tree.totals_at(node, layer), ..DirectorySummary::default() };
    let Some(seen) = tree.see_alone(node, scope, Baseline::Below) else { return summary };
    for child in tree.children(node) {
        let Some(below) = tree.see(child, scope, Baseline::Below, seen.floors) else { continue };
        if below.change == nixdive_image::Change::Removed {
            continue;
        }
        let kind = below.occurrence.map_or(Kind::Directory, |id| tree.occurrence(id).kind);
        *match kind {
            _ if below.is_directory => &mut summary.directories,
            Kind::File | Kind::HardLink => &mut summary.files,
            Kind::Symlink => &mut summary.symlinks,
            _ => &mut summary.others,
        } += 1;
        summary.largest.push((child, below.totals.bytes));
    }
    summary.largest.sort_by_key(|&(child, bytes)| (std::cmp::Reverse(bytes), child));
    summary.largest.truncate(MOST_LARGEST);
    summary
}

impl DirectorySummary {
    /// The summary as lines.
    #[must_use]
    pub fn lines(&self, tree: &FileTree) -> Vec<StyledLine> {
        let mut lines = vec![
            labelled("below", &format!("{} in {} entries", display_bytes(self.totals.bytes), self.totals.entries)),
            labelled("directly in it", &self.children()),
            StyledLine::default(),
        ];
        for &(child, bytes) in &self.largest {
            let mut line = LineWriter::default();
            line.push(&format!("{:>8}  ", display_bytes(bytes)), Meaning::Number);
            line.push_bytes(tree.name(child), Meaning::Plain);
            lines.push(line.finish());
        }
        lines
    }

    fn children(&self) -> String {
        let counts = [
            (self.directories, "directories"),
            (self.files, "files"),
            (self.symlinks, "symbolic links"),
            (self.others, "others"),
        ];
        let parts: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
        if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
    }
}
