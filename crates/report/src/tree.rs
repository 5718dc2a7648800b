//! Store paths as a tree of references.

use std::io::{self, Write};

use super::document::store_path;
use nixdive_nix::graph::PathId;
use nixdive_nix::study::StoreStudy;

/// Levels that are indented; what lies deeper stands below the last of them.
const MOST_LEVELS: usize = 500;

/// Writes the references of a store as `nix-store --query --tree` prints them, a tree for each root.
///
/// # Errors
/// If writing to `out` fails.
pub fn write_store_tree(study: &StoreStudy, out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    let given: Vec<PathId> = study.roots.iter().map(|root| root.path).collect();
    let roots = if study.is_closure() { given } else { study.root_paths() };
    study.graph.show_tree(&roots, |line| {
        let mut prefix = String::new();
        if let Some((last, above)) = line.lasts.split_last() {
            above
                .iter()
                .take(MOST_LEVELS)
                .for_each(|is_last| prefix.push_str(if *is_last { "    " } else { "│   " }));
            prefix.push_str(if *last { "└───" } else { "├───" });
        }
        let repeated = if line.is_repeated { " [...]" } else { "" };
        writeln!(out, "{prefix}{}{repeated}", store_path(study, line.path))
    })?;
    out.flush()
}
