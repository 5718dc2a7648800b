use super::Meaning;
use super::style::{LineWriter, StyledLine};
use nixdive_image::{FileTree, LayerIndex, NodeId, Resolution};

/// The way from a symbolic link to its target inside the image, step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkChain {
    /// Each link that is followed, with its target as written.
    pub steps: Vec<(NodeId, Vec<u8>)>,
    /// The final target.
    pub end: LinkEnd,
}

/// The end of a chain of links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEnd {
    /// At this path.
    Found(NodeId),
    /// At a path that is not in the image.
    Missing(Vec<u8>),
    /// Nowhere: they lead in a circle, or through too many.
    TooMany,
}

/// Follows the symbolic link at `node` as the layers up to `layer` leave it.
#[must_use]
pub fn follow_link(tree: &FileTree, node: NodeId, layer: LayerIndex) -> LinkChain {
    let target = |node: NodeId| {
        let id = tree.visible_at(node, layer)?;
        tree.link_target(id).map(<[u8]>::to_vec)
    };
    let step = |node: NodeId| (node, target(node).unwrap_or_default());
    let steps = |links: Vec<NodeId>| links.into_iter().map(step).collect();
    match tree.resolve(&tree.path(node), layer, true) {
        Resolution::Found { node, links } => LinkChain { steps: steps(links), end: LinkEnd::Found(node) },
        Resolution::Missing { path, links } => LinkChain { steps: steps(links), end: LinkEnd::Missing(path) },
        Resolution::TooManyLinks => LinkChain { steps: vec![step(node)], end: LinkEnd::TooMany },
    }
}

impl LinkChain {
    /// The chain as lines: a link and its target on each, and where it ends on the last.
    #[must_use]
    pub fn lines(&self, tree: &FileTree) -> Vec<StyledLine> {
        let mut lines = Vec::with_capacity(self.steps.len() + 1);
        for (node, target) in &self.steps {
            let mut line = LineWriter::default();
            line.push_bytes(&tree.path(*node), Meaning::Link);
            line.push(" → ", Meaning::Dim);
            line.push_bytes(target, Meaning::Plain);
            lines.push(line.finish());
        }
        let mut last = LineWriter::default();
        match &self.end {
            LinkEnd::Found(node) => {
                last.push("leads to ", Meaning::Dim);
                last.push_bytes(&tree.path(*node), Meaning::Link);
            }
            LinkEnd::Missing(path) => {
                last.push("leads nowhere: ", Meaning::Problem);
                last.push_bytes(path, Meaning::Plain);
                last.push(" is not in the image", Meaning::Plain);
            }
            LinkEnd::TooMany => {
                let text = format!("unresolved: more than {} links", FileTree::MAX_LINKS);
                last.push(&text, Meaning::Problem);
            }
        }
        lines.push(last.finish());
        lines
    }
}
