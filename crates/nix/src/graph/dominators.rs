use super::components::Components;
use super::{ClosureGraph, PathId, Reachability};

/// For every path the one path through which every chain from a root to it goes, and what would leave with it.
///
/// T. Lengauer, R. Tarjan, "A fast algorithm for finding dominators in a flowgraph", ACM TOPLAS 1(1), 1979, with simple
/// path compression: O(references × log paths), whatever the graph.
///
/// Paths that no root reaches form a world of their own: there, those to which nothing unreached refers are the roots
/// (of a cycle, its first path), and only chains between unreached paths count.
#[derive(Debug, Clone)]
pub struct Dominators {
    immediate: Vec<Option<PathId>>,
    added_bytes: Vec<u64>,
}

impl Dominators {
    /// The dominators of all paths of a graph, seen from its roots.
    #[must_use]
    pub fn new(graph: &ClosureGraph, roots: &[PathId]) -> Self {
        let reached = Reachability::new(graph, roots);
        let mut starts: Vec<PathId> = roots.iter().copied().filter(|path| path.index() < graph.len()).collect();
        if reached.paths().len() < graph.len() {
            starts.extend(unreached_tops(graph, &reached));
        }
        let walk = Walk::new(graph, &reached, &starts);
        let parents = immediate_dominators(graph, &reached, &starts, &walk);
        let mut added = vec![0u64; walk.paths.len() + 1];
        let mut result = Self { immediate: vec![None; graph.len()], added_bytes: vec![0; graph.len()] };
        for number in (1..=walk.paths.len()).rev() {
            let path = walk.paths[number - 1];
            let parent = parents[number] as usize;
            let bytes = added[number].saturating_add(graph.nar_bytes(path));
            added[parent] = added[parent].saturating_add(bytes);
            result.added_bytes[path.index()] = bytes;
            result.immediate[path.index()] = parent.checked_sub(1).map(|index| walk.paths[index]);
        }
        result
    }

    /// The last path before this one on every chain from a root; `None` for a root and for what several roots or
    /// separate chains hold.
    #[must_use]
    pub fn immediate(&self, path: PathId) -> Option<PathId> {
        self.immediate.get(path.index()).copied().flatten()
    }

    /// Added size of a path, bytes: the NAR sizes of all that would leave if this path went. Of an unreached path:
    /// among the unreached.
    #[must_use]
    pub fn added_bytes(&self, path: PathId) -> u64 {
        self.added_bytes.get(path.index()).copied().unwrap_or_default()
    }

    /// The dominator tree downwards: by path, those whose immediate dominator it is. The second list holds those that
    /// have none.
    #[must_use]
    pub fn children(&self) -> (Vec<Vec<PathId>>, Vec<PathId>) {
        let mut children = vec![Vec::new(); self.immediate.len()];
        let mut tops = Vec::new();
        for (path, immediate) in (0..).map(PathId).zip(&self.immediate) {
            match immediate {
                Some(above) => children[above.index()].push(path),
                None => tops.push(path),
            }
        }
        (children, tops)
    }
}

/// Unreached paths to which no unreached path outside their own cycle refers; of a cycle the first path.
fn unreached_tops(graph: &ClosureGraph, reached: &Reachability) -> Vec<PathId> {
    let components = Components::new(graph);
    let group = |path: PathId| components.of[path.index()];
    let mut is_top = vec![true; components.count];
    for path in graph.ids().filter(|&path| !reached.contains(path)) {
        let mut referrers = graph.referrers(path).iter();
        if referrers.any(|&from| !reached.contains(from) && group(from) != group(path)) {
            is_top[group(path) as usize] = false;
        }
    }
    let unreached = graph.ids().filter(|&path| !reached.contains(path));
    unreached.filter(|&path| std::mem::take(&mut is_top[group(path) as usize])).collect()
}

/// A depth-first walk from a virtual root, numbered 0, over the starts. Paths are numbered from 1 as they are met.
struct Walk {
    /// The path of number `n` is at `n - 1`.
    paths: Vec<PathId>,
    /// By path; 0 for one not met.
    numbers: Vec<u32>,
    /// By number.
    parents: Vec<u32>,
}

impl Walk {
    fn new(graph: &ClosureGraph, reached: &Reachability, starts: &[PathId]) -> Self {
        let mut walk = Self { paths: Vec::new(), numbers: vec![0; graph.len()], parents: vec![0] };
        let mut stack = Vec::new();
        for &start in starts {
            if walk.meet(start, 0) {
                stack.push((start, 0usize));
            }
            while let Some((path, cursor)) = stack.last_mut() {
                let path = *path;
                let Some(&next) = graph.references(path).get(*cursor) else {
                    stack.pop();
                    continue;
                };
                *cursor += 1;
                if reached.contains(next) == reached.contains(path) && walk.meet(next, walk.numbers[path.index()]) {
                    stack.push((next, 0));
                }
            }
        }
        walk
    }

    fn meet(&mut self, path: PathId, parent: u32) -> bool {
        if self.numbers[path.index()] != 0 {
            return false;
        }
        self.paths.push(path);
        self.numbers[path.index()] = self.paths.len() as u32;
        self.parents.push(parent);
        true
    }
}

const NONE: u32 = u32::MAX;

/// The forest of the numbers dealt with so far, with compressed ways up.
struct Forest {
    ancestors: Vec<u32>,
    labels: Vec<u32>,
    semidominators: Vec<u32>,
    way: Vec<u32>,
}

impl Forest {
    /// The number with the lowest semidominator on the way from `number` up to below its tree's root.
    fn lowest(&mut self, number: u32) -> u32 {
        let ancestor = |forest: &Self, number: u32| forest.ancestors[number as usize];
        if ancestor(self, number) == NONE {
            return number;
        }
        let mut at = number;
        while ancestor(self, ancestor(self, at)) != NONE {
            self.way.push(at);
            at = ancestor(self, at);
        }
        while let Some(at) = self.way.pop() {
            let above = ancestor(self, at);
            let (mine, theirs) = (self.labels[at as usize], self.labels[above as usize]);
            if self.semidominators[theirs as usize] < self.semidominators[mine as usize] {
                self.labels[at as usize] = theirs;
            }
            self.ancestors[at as usize] = ancestor(self, above);
        }
        self.labels[number as usize]
    }
}

/// By number, the number of the immediate dominator.
fn immediate_dominators(graph: &ClosureGraph, reached: &Reachability, starts: &[PathId], walk: &Walk) -> Vec<u32> {
    let count = walk.paths.len() + 1;
    let numbers: Vec<u32> = (0..count as u32).collect();
    let mut forest =
        Forest { ancestors: vec![NONE; count], labels: numbers.clone(), semidominators: numbers, way: Vec::new() };
    let mut is_start = vec![false; count];
    for start in starts {
        is_start[walk.numbers[start.index()] as usize] = true;
    }
    let mut dominators = vec![0u32; count];
    // By number, a linked list of those whose semidominator it is.
    let mut first = vec![NONE; count];
    let mut next = vec![NONE; count];
    for number in (1..count as u32).rev() {
        let place = number as usize;
        let path = walk.paths[place - 1];
        let mut semidominator = if is_start[place] { 0 } else { number };
        for &from in graph.referrers(path) {
            if reached.contains(from) == reached.contains(path) {
                let lowest = forest.lowest(walk.numbers[from.index()]);
                semidominator = semidominator.min(forest.semidominators[lowest as usize]);
            }
        }
        forest.semidominators[place] = semidominator;
        next[place] = std::mem::replace(&mut first[semidominator as usize], number);
        let parent = walk.parents[place];
        forest.ancestors[place] = parent;
        let mut waiting = std::mem::replace(&mut first[parent as usize], NONE);
        while waiting != NONE {
            let lowest = forest.lowest(waiting);
            let lower = forest.semidominators[lowest as usize] < forest.semidominators[waiting as usize];
            dominators[waiting as usize] = if lower { lowest } else { parent };
            waiting = next[waiting as usize];
        }
    }
    for place in 1..count {
        if dominators[place] != forest.semidominators[place] {
            dominators[place] = dominators[dominators[place] as usize];
        }
    }
    dominators
}
