//! From one path to the next that is looked for, in the order of the rows, through closed directories too.

use super::find::Marks;
use super::rows::{Lens, RowFlags, Sibling};
use crate::image::{Change, Difference, Floors, NodeId, Seen};

/// What a jump looks for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Goal<'a> {
    /// Paths that match.
    Marks(&'a Marks),
    /// Paths that changed: files, and directories that are new, gone or changed in themselves.
    Changes,
}

/// Which way a jump goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    Backward,
}

/// Siblings looked at before a jump gives up.
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
            Self::Marks(marks) => marks.above.contains(node),
            Self::Changes => matches!(seen.change, Change::Modified(_)),
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
    let mut work = 0;
    let mut at = from.unwrap_or(NodeId::ROOT);
    if direction == Direction::Forward && at != NodeId::ROOT {
        let seen = lens.see_alone(at)?;
        if seen.is_directory
            && goal.enters(at, &seen)
            && let Some(found) = within(lens, goal, at, direction, &mut work)
        {
            return Some(found);
        }
    }
    while let Some(parent) = lens.tree.parent(at) {
        let mut level = level(lens, parent, direction, &mut work)?;
        level.next = level.siblings.iter().position(|sibling| sibling.node == at).map_or(0, |place| place + 1);
        if let Some(found) = through(lens, goal, vec![level], direction, &mut work) {
            return Some(found);
        }
        if direction == Direction::Backward
            && parent != NodeId::ROOT
            && lens.see_alone(parent).is_some_and(|seen| goal.stops_at(parent, &seen))
        {
            return Some(parent);
        }
        at = parent;
    }
    within(lens, goal, NodeId::ROOT, direction, &mut work)
}

fn within(lens: &Lens, goal: Goal, directory: NodeId, direction: Direction, work: &mut usize) -> Option<NodeId> {
    let level = level(lens, directory, direction, work)?;
    through(lens, goal, vec![level], direction, work)
}

fn level(lens: &Lens, directory: NodeId, direction: Direction, work: &mut usize) -> Option<Level> {
    let floors = lens.see_alone(directory)?.floors;
    let mut below_match = false;
    let mut at = Some(directory);
    while let (Some(node), Some(marks)) = (at, lens.filter) {
        below_match |= marks.matches.contains(node);
        at = lens.tree.parent(node);
    }
    Some(enter(lens, directory, floors, below_match, direction, work))
}

fn enter(
    lens: &Lens,
    directory: NodeId,
    floors: Floors,
    below_match: bool,
    direction: Direction,
    work: &mut usize,
) -> Level {
    let mut siblings = lens.siblings(directory, floors, below_match);
    *work += siblings.len();
    if direction == Direction::Backward {
        siblings.reverse();
    }
    Level { siblings, next: 0, floors, below_match }
}

/// Goes through what is left of the levels, the innermost first. Backwards a directory comes after what is in it.
fn through(lens: &Lens, goal: Goal, mut levels: Vec<Level>, direction: Direction, work: &mut usize) -> Option<NodeId> {
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
        *work += 1;
        if *work > LIMIT {
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
            let inner = enter(lens, sibling.node, seen.floors, below_match, direction, work);
            levels.push(inner);
        }
    }
    None
}
