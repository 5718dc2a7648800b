use std::io::{self, Read};
use std::ops::ControlFlow;

use hashbrown::{HashMap, HashSet};

use super::excerpt::ContentHit;
use super::pattern::Pattern;
use super::scan::Scanner;
use crate::open::{ContentError, Contents};
use nixdive_base::cancel::Cancel;
use nixdive_image::{FileTree, LayerIndex, NodeId, OccurrenceId};

/// Bytes between two progress reports.
const PROGRESS_BYTES: u64 = 16 << 20;
/// Number of files of a layer that cannot be opened before the rest of the layer is skipped.
const MOST_FAILURES: usize = 16;

/// A search through the contents of all files that exist as of a layer.
#[derive(Debug, Clone)]
pub struct ContentSearch {
    /// The pattern to search for.
    pub pattern: Pattern,
    /// Maximum number of hits reported; further ones are only counted.
    pub most_hits: u64,
    /// Maximum number of hits reported per file.
    pub most_hits_of_a_file: u64,
}

/// Event of a running search.
#[derive(Debug)]
pub enum SearchEvent {
    /// A match.
    Hit(ContentHit),
    /// Progress of the search.
    Progress(SearchSummary),
    /// A file that could not be searched completely.
    Unreadable {
        /// The file.
        node: NodeId,
        /// The reason.
        reason: String,
    },
}

/// Counts of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SearchSummary {
    /// Number of files searched.
    pub files: u64,
    /// Number of files to search.
    pub total_files: u64,
    /// Bytes searched so far.
    pub bytes: u64,
    /// Bytes of all files to search, according to their headers.
    pub total_bytes: u64,
    /// Number of hits, reported or not.
    pub hits: u64,
    /// Number of hits reported.
    pub handed_out: u64,
    /// Number of files with hits.
    pub files_with_hits: u64,
    /// Number of files that could not be searched completely.
    pub unreadable: u64,
    /// True if it was cancelled.
    pub cancelled: bool,
}

impl ContentSearch {
    /// Searches for `pattern` and reports up to 10,000 hits, at most 1,000 per file.
    #[must_use]
    pub fn new(pattern: Pattern) -> Self {
        Self { pattern, most_hits: 10_000, most_hits_of_a_file: 1_000 }
    }

    /// Runs the search and passes its events to `report`. Files are read in their order in the layers, so that a
    /// compressed layer is unpacked once. Content with several names is searched once, under its first name. Every
    /// skipped file causes an event.
    pub fn run(
        &self,
        tree: &FileTree,
        contents: &Contents,
        layer: LayerIndex,
        cancel: &Cancel,
        report: &mut dyn FnMut(SearchEvent),
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
            report,
            summary,
            scanner: Scanner::new(&self.pattern),
            reported: 0,
        };
        for layer_files in files.order.chunk_by(|&a, &b| tree.occurrence(a).layer == tree.occurrence(b).layer) {
            run.layer(contents, layer_files);
        }
        run.summary.cancelled = cancel.is_cancelled();
        run.summary
    }

    /// Returns the offsets and lines, both from 0, of the hits in one stream, for showing a file.
    ///
    /// # Errors
    /// If the stream cannot be read.
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

/// The files to search, by layer and position, with the name of each.
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
    report: &'a mut dyn FnMut(SearchEvent),
    summary: SearchSummary,
    scanner: Scanner<'a>,
    /// Bytes at the time of the last report.
    reported: u64,
}

/// Reason for ending a run over a layer's files: a file that cannot be opened, or cancellation.
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
    /// Searches the files of one layer, resuming after a file that cannot be opened.
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
        let (summary, report, search) = (&mut self.summary, &mut *self.report, self.search);
        let mut bytes = 0;
        let result = self.scanner.search(
            stream,
            &mut bytes,
            &mut |found| {
                hits += 1;
                summary.hits += 1;
                if hits <= search.most_hits_of_a_file && summary.handed_out < search.most_hits {
                    summary.handed_out += 1;
                    report(SearchEvent::Hit(ContentHit {
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
        (self.report)(SearchEvent::Unreadable { node, reason });
    }

    fn node(&self, id: OccurrenceId) -> NodeId {
        self.files.names.get(&id).copied().unwrap_or_else(|| self.tree.occurrence(id).node())
    }

    fn report(&mut self) {
        if self.summary.bytes - self.reported >= PROGRESS_BYTES {
            self.reported = self.summary.bytes;
            (self.report)(SearchEvent::Progress(self.summary));
        }
    }
}
