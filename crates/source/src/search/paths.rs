use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use super::score::{PathQuery, Scratch};
use nixdive_base::cancel::Cancel;
use nixdive_image::{FileTree, LayerIndex, NodeId};

/// Time between two answers to one query, and before the first.
const INTERVAL: Duration = Duration::from_millis(30);
/// Paths examined between two checks of the clock.
const STEP: u64 = 4096;

/// A path that matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathHit {
    /// The path.
    pub node: NodeId,
    /// Score; higher is better.
    pub score: i32,
}

/// Results of a search so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PathResults {
    /// The best hits, best first; each answer replaces the previous one.
    pub hits: Vec<PathHit>,
    /// Number of paths that match, including those not among the best.
    pub matched: u64,
    /// Number of paths searched.
    pub searched: u64,
    /// True if all paths were searched.
    pub complete: bool,
}

/// The set of paths to search. Kept between queries, since finding the paths of a layer takes as long as a query.
#[derive(Debug, Clone)]
pub struct PathSearch {
    /// One bit per node, or `None` for all nodes.
    visible: Option<Vec<u64>>,
}

impl PathSearch {
    /// Searches every path of every layer.
    #[must_use]
    pub fn everywhere() -> Self {
        Self { visible: None }
    }

    /// Searches the paths that exist as of `layer`.
    #[must_use]
    pub fn stacked(tree: &FileTree, layer: LayerIndex) -> Self {
        let mut visible = vec![0u64; tree.node_count().div_ceil(64)];
        for (node, _) in tree.stacked_paths(layer) {
            if let Some(word) = visible.get_mut(node.index() / 64) {
                *word |= 1 << (node.index() % 64);
            }
        }
        Self { visible: Some(visible) }
    }

    fn has(&self, node: NodeId) -> bool {
        let Some(visible) = &self.visible else { return true };
        visible.get(node.index() / 64).is_some_and(|word| word >> (node.index() % 64) & 1 == 1)
    }

    /// Finds the `most` best paths. Calls `answer` with the results so far every 30 ms, and once more at the end unless
    /// the search was cancelled.
    ///
    /// A path below a matching one matches too, with a slightly lower score. Among those, only paths whose own name
    /// contributes are scored separately.
    pub fn search(
        &self,
        tree: &FileTree,
        query: &PathQuery,
        most: usize,
        cancel: &Cancel,
        answer: &mut dyn FnMut(PathResults),
    ) {
        let mut run = Run::new(tree, query, most);
        let mut last_answer = Instant::now();
        for node in tree.node_ids() {
            if run.searched.is_multiple_of(STEP) {
                if cancel.is_cancelled() {
                    return;
                }
                if last_answer.elapsed() > INTERVAL && run.matched > 0 {
                    answer(run.results(false));
                    last_answer = Instant::now();
                }
            }
            run.look_at(node, node != NodeId::ROOT && self.has(node));
        }
        answer(run.results(true));
    }
}

/// One running query.
struct Run<'a> {
    tree: &'a FileTree,
    query: &'a PathQuery,
    /// For each node and word, the number of letters found in the path up to the node.
    found: Vec<u8>,
    /// Scores of matching nodes.
    scores: Vec<i32>,
    /// The best nodes, worst on top.
    best: BinaryHeap<Reverse<Rank>>,
    most: usize,
    matched: u64,
    searched: u64,
    path: Vec<u8>,
    parts: Vec<NodeId>,
    scratch: Scratch,
}

/// Score, directories above, and position among all paths: greater is better.
type Rank = (i32, Reverse<u32>, Reverse<NodeId>);

const NO_MATCH: i32 = i32::MIN;
/// Difference between the scores of a matching path and a path below it.
const BELOW: i32 = 8;

impl<'a> Run<'a> {
    fn new(tree: &'a FileTree, query: &'a PathQuery, most: usize) -> Self {
        let nodes = tree.node_count();
        Self {
            tree,
            query,
            found: vec![0; nodes * query.words().len()],
            scores: vec![NO_MATCH; nodes],
            best: BinaryHeap::new(),
            most: most.min(100_000),
            matched: 0,
            searched: 0,
            path: Vec::new(),
            parts: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Parents come before their children, so the state of a path is that of its parent plus its name.
    fn look_at(&mut self, node: NodeId, wanted: bool) {
        self.searched += 1;
        let words = self.query.words();
        let name = self.tree.name(node);
        let parent = self.tree.parent(node);
        let (mut complete, mut inherited) = (true, true);
        for (number, word) in words.iter().enumerate() {
            let above = parent.map_or(0, |parent| usize::from(self.found[parent.index() * words.len() + number]));
            let mut found = above;
            if found < word.len() && parent.is_some() {
                found = self.query.advance(word, found, b"/");
                found = self.query.advance(word, found, name);
            }
            self.found[node.index() * words.len() + number] = found as u8;
            complete &= found == word.len();
            inherited &= above == word.len();
        }
        if !complete || !wanted {
            return;
        }
        let takes_part = |word: &Vec<u8>| word.last().is_none_or(|&last| self.query.advance(&[last], 0, name) == 1);
        let takes_part = !inherited || words.iter().any(takes_part);
        let above = parent.map_or(NO_MATCH, |parent| self.scores[parent.index()]);
        let score = if !takes_part {
            above.saturating_sub(BELOW).max(0)
        } else {
            self.fill_path(node);
            let own = self.query.score_with(&self.path, &mut self.scratch).unwrap_or_default();
            own.max(if inherited { above.saturating_sub(BELOW) } else { NO_MATCH })
        };
        self.scores[node.index()] = score;
        self.matched += 1;
        self.keep(node, score);
    }

    fn keep(&mut self, node: NodeId, score: i32) {
        // Equal scores: the path with fewer directories first, then the one that came first.
        let entry = Reverse((score, Reverse(self.tree.depth(node) as u32), Reverse(node)));
        if self.best.len() < self.most {
            self.best.push(entry);
        } else if let Some(mut worst) = self.best.peek_mut()
            && *worst > entry
        {
            *worst = entry;
        }
    }

    fn fill_path(&mut self, node: NodeId) {
        self.parts.clear();
        self.path.clear();
        let mut at = node;
        while let Some(parent) = self.tree.parent(at) {
            self.parts.push(at);
            at = parent;
        }
        for &part in self.parts.iter().rev() {
            self.path.push(b'/');
            self.path.extend_from_slice(self.tree.name(part));
        }
    }

    fn results(&self, complete: bool) -> PathResults {
        let mut entries: Vec<_> = self.best.iter().copied().collect();
        entries.sort_unstable();
        let hits = entries.iter().map(|Reverse((score, _, Reverse(node)))| PathHit { node: *node, score: *score });
        PathResults { hits: hits.collect(), matched: self.matched, searched: self.searched, complete }
    }
}
