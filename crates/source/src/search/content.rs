use std::io::{self, Read};
use std::ops::ControlFlow;

use hashbrown::{HashMap, HashSet};

use super::excerpt::ContentHit;
use super::pattern::Pattern;
use super::scan::Scanner;
use crate::open::{ContentError, Contents};
use nixdive_base::cancel::Cancel;
use nixdive_image::{FileTree, LayerIndex, NodeId, OccurrenceId};

/// Bytes between two reports of progress.
const PROGRESS_BYTES: u64 = 16 << 20;
/// Files of one layer that cannot be opened after which the rest of it is given up.
const MOST_FAILURES: usize = 16;

/// A search through the content of all files that are there when the layers up to one are stacked.
#[derive(Debug, Clone)]
pub struct ContentSearch {
    /// What is looked for.
    pub pattern: Pattern,
    /// Hits that are handed out; further ones are counted.
    pub most_hits: u64,
    /// Hits of one file that are handed out.
    pub most_hits_of_a_file: u64,
}

/// What a search tells while it runs.
#[derive(Debug)]
pub enum SearchEvent {
    /// A match.
    Hit(ContentHit),
    /// How far it is.
    Progress(SearchSummary),
    /// A file that could not be searched, or not to its end.
    Unreadable {
        /// The file.
        node: NodeId,
        /// Why.
        reason: String,
    },
}

/// What a search has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SearchSummary {
    /// Files searched.
    pub files: u64,
    /// Files to be searched in all.
    pub total_files: u64,
    /// Their bytes so far.
    pub bytes: u64,
    /// Bytes of all files to be searched, as their headers give them.
    pub total_bytes: u64,
    /// Hits, whether handed out or not.
    pub hits: u64,
    /// Hits that were handed out.
    pub handed_out: u64,
    /// Files with hits.
    pub files_with_hits: u64,
    /// Files that could not be searched, or not to their end.
    pub unreadable: u64,
    /// Whether it was cancelled.
    pub cancelled: bool,
}

impl ContentSearch {
    /// Looks for `pattern` and hands out up to 10,000 hits, 1,000 of one file.
    #[must_use]
    pub fn new(pattern: Pattern) -> Self {
        Self { pattern, most_hits: 10_000, most_hits_of_a_file: 1_000 }
    }

    /// Searches, telling what it finds by `tell` as it goes: in the order in which the files lie in their layers, so
    /// that a compressed layer is unpacked once. Content with several names is searched once, under the first of them
    /// that is its own. Nothing is left out without an event.
    pub fn run(
        &self,
        tree: &FileTree,
        contents: &Contents,
        layer: LayerIndex,
        cancel: &Cancel,
        tell: &mut dyn FnMut(SearchEvent),
    ) -> SearchSummary {
        let files = Files::find(tree, layer);
        let summary = SearchSummary {
            total_files: files.order.len() as u64,
            total_bytes: files.order.iter().map(|&id| tree.occurrence(id).bytes).fold(0, u64::saturating_add),
            ..SearchSummary::default()
        };
        let mut run = Run {
            search: self,
            tree,
            files: &files,
            cancel,
            tell,
            summary,
            scanner: Scanner::new(&self.pattern),
            told: 0,
        };
        for layer_files in files.order.chunk_by(|&a, &b| tree.occurrence(a).layer == tree.occurrence(b).layer) {
            run.layer(contents, layer_files);
        }
        run.summary.cancelled = cancel.is_cancelled();
        run.summary
    }

    /// Offsets and lines, both from 0, of the hits in one stream: for a file that is being looked at.
    ///
    /// # Errors
    /// Those of the stream.
    pub fn places(&self, stream: &mut dyn Read, cancel: &Cancel) -> io::Result<Vec<(u64, u64)>> {
        let mut places = Vec::new();
        let most = self.most_hits_of_a_file as usize;
        Scanner::new(&self.pattern).search(
            stream,
            &mut 0,
            &mut |found| {
                places.push((found.offset, found.line));
                if places.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            },
            &|| !cancel.is_cancelled(),
        )?;
        Ok(places)
    }
}

/// The files to be searched, by layer and place, and the name of each.
struct Files {
    order: Vec<OccurrenceId>,
    names: HashMap<OccurrenceId, NodeId>,
}

impl Files {
    fn find(tree: &FileTree, layer: LayerIndex) -> Self {
        let mut names: HashMap<OccurrenceId, NodeId> = HashMap::new();
        for (node, id) in tree.stacked_paths(layer) {
            let Some(content) = id.and_then(|id| tree.content_of(id)) else { continue };
            let occurrence = tree.occurrence(content);
            if occurrence.bytes > 0 && (occurrence.node() == node || !names.contains_key(&content)) {
                names.insert(content, node);
            }
        }
        let mut order: Vec<OccurrenceId> = names.keys().copied().collect();
        order.sort_unstable_by_key(|&id| {
            let occurrence = tree.occurrence(id);
            (occurrence.layer, occurrence.offset, id)
        });
        Self { order, names }
    }
}

struct Run<'a> {
    search: &'a ContentSearch,
    tree: &'a FileTree,
    files: &'a Files,
    cancel: &'a Cancel,
    tell: &'a mut dyn FnMut(SearchEvent),
    summary: SearchSummary,
    scanner: Scanner<'a>,
    /// Bytes at the last report.
    told: u64,
}

/// What ends a run over a layer's files: one that cannot be opened, or that it was cancelled.
enum Stop {
    Cancelled,
    Unreadable(ContentError),
}

impl From<ContentError> for Stop {
    fn from(error: ContentError) -> Self {
        Self::Unreadable(error)
    }
}

impl Run<'_> {
    /// Searches the files of one layer, again from the next one where one cannot be opened.
    fn layer(&mut self, contents: &Contents, files: &[OccurrenceId]) {
        let mut left = files.to_vec();
        let mut failures = 0;
        while !left.is_empty() && !self.cancel.is_cancelled() {
            let mut visited = HashSet::new();
            let result = contents.for_each(self.tree, &left, &mut |id, stream: &mut dyn Read| {
                visited.insert(id);
                self.file(id, stream);
                if self.cancel.is_cancelled() { Err(Stop::Cancelled) } else { Ok(()) }
            });
            let Err(Stop::Unreadable(error)) = result else { return };
            let reason = error.to_string();
            left.retain(|id| !visited.contains(id));
            failures += 1;
            let given_up = if failures < MOST_FAILURES && !visited.is_empty() { left.len().min(1) } else { left.len() };
            for id in left.drain(..given_up) {
                self.unreadable(id, reason.clone());
            }
        }
    }

    fn file(&mut self, id: OccurrenceId, stream: &mut dyn Read) {
        let node = self.node(id);
        let (mut hits, before) = (0u64, self.summary.bytes);
        let (summary, tell, search) = (&mut self.summary, &mut *self.tell, self.search);
        let mut bytes = 0;
        let result = self.scanner.search(
            stream,
            &mut bytes,
            &mut |found| {
                hits += 1;
                summary.hits += 1;
                if hits <= search.most_hits_of_a_file && summary.handed_out < search.most_hits {
                    summary.handed_out += 1;
                    tell(SearchEvent::Hit(ContentHit {
                        node,
                        occurrence: id,
                        offset: found.offset,
                        line: found.line,
                        excerpt: found.excerpt.text,
                        matches: found.excerpt.matches,
                        cut: found.excerpt.cut,
                        binary: found.binary,
                    }));
                }
                ControlFlow::Continue(())
            },
            &|| !self.cancel.is_cancelled(),
        );
        self.summary.bytes = before.saturating_add(bytes);
        self.summary.files += 1;
        self.summary.files_with_hits += u64::from(hits > 0);
        if let Err(error) = result {
            self.summary.files -= 1;
            self.unreadable(id, error.to_string());
        }
        self.report();
    }

    fn unreadable(&mut self, id: OccurrenceId, reason: String) {
        self.summary.unreadable += 1;
        let node = self.node(id);
        (self.tell)(SearchEvent::Unreadable { node, reason });
    }

    fn node(&self, id: OccurrenceId) -> NodeId {
        self.files.names.get(&id).copied().unwrap_or_else(|| self.tree.occurrence(id).node())
    }

    fn report(&mut self) {
        if self.summary.bytes - self.told >= PROGRESS_BYTES {
            self.told = self.summary.bytes;
            (self.tell)(SearchEvent::Progress(self.summary));
        }
    }
}
