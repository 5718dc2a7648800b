//! From one path to the next that is looked for, in the order of the rows, through closed directories too.

use super::find::Marks;
use super::rows::{Effort, Lens, RowFlags, Sibling};
use nixdive_image::{Change, Difference, Floors, NodeId, Seen};

/// Goals of a jump.
#[derive(Debug, Clone, Copy)]
pub(super) enum Goal<'a> {
    /// Paths that match.
    Marks(&'a Marks),
    /// Paths that changed: files, and directories that are new, gone or changed in themselves.
    Changes,
}

/// Directions of a jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    Backward,
}

/// Siblings examined before a jump gives up.
const LIMIT: usize = 500_000;

impl Goal<'_> {
    fn stops_at(self, node: NodeId, seen: &Seen) -> bool {
        match (self, seen.change) {
            (Self::Marks(marks), _) => marks.matches.contains(node),
            (Self::Changes, Change::Modified(difference)) if seen.is_directory => {
                !difference.difference(Difference::CONTENT | Difference::MTIME).is_empty()
            }
            (Self::Changes, change) => change.is_real(),
        }
    }

    fn enters(self, node: NodeId, seen: &Seen) -> bool {
        match self {
            Self::Marks(marks) => seen.is_directory && marks.above.contains(node),
            Self::Changes => seen.is_directory && matches!(seen.change, Change::Modified(_)),
        }
    }
}

/// A directory being walked through: its children, and which of them comes next.
struct Level {
    siblings: Vec<Sibling>,
    next: usize,
    floors: Floors,
    below_match: bool,
}

/// The next path after `from` (the first of all for `None`), round the end once.
pub(super) fn next(lens: &Lens, goal: Goal, from: Option<NodeId>, direction: Direction) -> Option<NodeId> {
    let mut effort = Effort::default();
    let mut above = above(lens, from.unwrap_or(NodeId::ROOT))?;
    let mut at = above.pop()?;
    if direction == Direction::Forward && goal.enters(at.node, &at.seen) || at.node == NodeId::ROOT {
        let level = enter(lens, at.node, at.seen.floors, at.below_match, direction, &mut effort);
        if let Some(found) = through(lens, goal, vec![level], direction, &mut effort) {
            return Some(found);
        }
    }
    while let Some(parent) = above.pop() {
        let mut level = enter(lens, parent.node, parent.seen.floors, parent.below_match, direction, &mut effort);
        level.next = level.siblings.iter().position(|sibling| sibling.node == at.node).map_or(0, |place| place + 1);
        if let Some(found) = through(lens, goal, vec![level], direction, &mut effort) {
            return Some(found);
        }
        let stops = parent.node != NodeId::ROOT && goal.stops_at(parent.node, &parent.seen);
        if direction == Direction::Backward && stops {
            return Some(parent.node);
        }
        at = parent;
    }
    let level = enter(lens, NodeId::ROOT, at.seen.floors, false, direction, &mut effort);
    through(lens, goal, vec![level], direction, &mut effort)
}

/// A path on the way from the root down.
struct Step {
    node: NodeId,
    seen: Seen,
    /// True if the node, or a directory above it, matches the filter.
    below_match: bool,
}

/// The path from the root to a node, both included.
fn above(lens: &Lens, node: NodeId) -> Option<Vec<Step>> {
    let mut nodes = Vec::new();
    let mut at = Some(node);
    while let Some(node) = at {
        nodes.push(node);
        at = lens.tree.parent(node);
    }
    let (mut floors, mut below_match) = (Floors::default(), false);
    let mut steps = Vec::with_capacity(nodes.len());
    for node in nodes.into_iter().rev() {
        let seen = lens.see(node, floors)?;
        below_match |= lens.filter.is_some_and(|marks| marks.matches.contains(node));
        floors = seen.floors;
        steps.push(Step { node, seen, below_match });
    }
    Some(steps)
}

fn enter(
    lens: &Lens,
    directory: NodeId,
    floors: Floors,
    below_match: bool,
    direction: Direction,
    effort: &mut Effort,
) -> Level {
    let mut siblings = lens.siblings(directory, floors, below_match, effort);
    effort.work += siblings.len();
    if direction == Direction::Backward {
        siblings.reverse();
    }
    Level { siblings, next: 0, floors, below_match }
}

/// Walks the remaining levels, innermost first. Backwards, a directory comes after its content.
fn through(
    lens: &Lens,
    goal: Goal,
    mut levels: Vec<Level>,
    direction: Direction,
    effort: &mut Effort,
) -> Option<NodeId> {
    while let Some(level) = levels.last_mut() {
        let Some(&sibling) = level.siblings.get(level.next) else {
            levels.pop();
            if direction == Direction::Backward
                && let Some(above) = levels.last_mut()
                && let Some(&directory) = above.siblings.get(above.next)
            {
                above.next += 1;
                if lens.see(directory.node, above.floors).is_some_and(|seen| goal.stops_at(directory.node, &seen)) {
                    return Some(directory.node);
                }
            }
            continue;
        };
        effort.work += 1;
        if effort.work > LIMIT {
            return None;
        }
        let seen = lens.see(sibling.node, level.floors)?;
        let enters = sibling.flags.contains(RowFlags::DIRECTORY) && goal.enters(sibling.node, &seen);
        if (direction == Direction::Forward || !enters) && goal.stops_at(sibling.node, &seen) {
            return Some(sibling.node);
        }
        if !enters || direction == Direction::Forward {
            level.next += 1;
        }
        if enters {
            let below_match = level.below_match || sibling.flags.contains(RowFlags::MATCH);
            let inner = enter(lens, sibling.node, seen.floors, below_match, direction, effort);
            levels.push(inner);
        }
    }
    None
}
