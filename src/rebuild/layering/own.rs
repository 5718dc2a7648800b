//! nixdive's own grouping.

use super::Sibling;
use super::graph::Graph;

/// Groups.
pub(super) fn group(graph: &Graph<'_>, siblings: &[Sibling], most: usize) -> Vec<Vec<u32>> {
    let _ = siblings;
    super::popularity::group(graph, most)
}
