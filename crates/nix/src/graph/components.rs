use super::{ClosureGraph, PathId};

const UNVISITED: u32 = u32::MAX;

/// Groups of paths that reach one another: strongly connected components. Of a graph without cycles, each path is one.
#[derive(Debug)]
pub(super) struct Components {
    /// By path, its group. A group's references lead to groups of lower numbers only.
    pub of: Vec<u32>,
    pub count: usize,
}

impl Components {
    /// R. Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Comput. 1(2), 1972, with a stack of its own.
    pub fn new(graph: &ClosureGraph) -> Self {
        let mut search = Search {
            of: vec![UNVISITED; graph.len()],
            numbers: vec![UNVISITED; graph.len()],
            lowest: vec![0; graph.len()],
            pending: Vec::new(),
            next_number: 0,
            count: 0,
        };
        for path in graph.ids() {
            if search.numbers[path.index()] == UNVISITED {
                search.visit(graph, path);
            }
        }
        Self { of: search.of, count: search.count as usize }
    }

    /// By group, its paths.
    pub fn members(&self) -> Vec<Vec<PathId>> {
        let mut members = vec![Vec::new(); self.count];
        for (path, &group) in (0..).map(PathId).zip(&self.of) {
            members[group as usize].push(path);
        }
        members
    }
}

impl ClosureGraph {
    /// The paths in an order in which what a path refers to comes before it; paths that reach one another, which Nix
    /// never makes, together in one group.
    #[must_use]
    pub fn references_first(&self) -> Vec<Vec<PathId>> {
        Components::new(self).members()
    }
}

struct Search {
    of: Vec<u32>,
    /// In the order of discovery.
    numbers: Vec<u32>,
    /// The lowest number known to be reachable through the search's own tree.
    lowest: Vec<u32>,
    /// Discovered paths whose group is not closed.
    pending: Vec<PathId>,
    next_number: u32,
    count: u32,
}

impl Search {
    fn discover(&mut self, path: PathId) {
        self.numbers[path.index()] = self.next_number;
        self.lowest[path.index()] = self.next_number;
        self.next_number += 1;
        self.pending.push(path);
    }

    fn visit(&mut self, graph: &ClosureGraph, start: PathId) {
        self.discover(start);
        let mut stack = vec![(start, 0usize)];
        while let Some((path, cursor)) = stack.last_mut() {
            let path = *path;
            if let Some(&next) = graph.references(path).get(*cursor) {
                *cursor += 1;
                if self.numbers[next.index()] == UNVISITED {
                    self.discover(next);
                    stack.push((next, 0));
                } else if self.of[next.index()] == UNVISITED {
                    self.lower(path, self.numbers[next.index()]);
                }
                continue;
            }
            stack.pop();
            if let Some(&(above, _)) = stack.last() {
                self.lower(above, self.lowest[path.index()]);
            }
            if self.lowest[path.index()] == self.numbers[path.index()] {
                self.close(path);
            }
        }
    }

    fn lower(&mut self, path: PathId, number: u32) {
        let lowest = &mut self.lowest[path.index()];
        *lowest = number.min(*lowest);
    }

    fn close(&mut self, first: PathId) {
        while let Some(path) = self.pending.pop() {
            self.of[path.index()] = self.count;
            if path == first {
                break;
            }
        }
        self.count += 1;
    }
}
