//! Answers the interface's questions about an opened image, on a thread of its own.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::rebuilder::{Order, Origin, Rebuilder};
use super::viewed::Viewed;
use nixdive_analyse::examine::examine;
use nixdive_analyse::findings::{Subject, find};
use nixdive_base::text::{counted, display_bytes};
use nixdive_image::{Image, LayerIndex};
use nixdive_nix::study::StoreStudy;
use nixdive_preview::{Cancel, Syntaxes};
use nixdive_source::extract::{ExtractProgress, extract};
use nixdive_source::open::Contents;
use nixdive_source::search::{ContentHit, ContentSearch, PathQuery, PathSearch, Pattern, SearchEvent, SearchSummary};
use nixdive_tui::{
    ExtractRequest, Hits, Insights, Message, Opening, PathRequest, Paths, Report, Request, SearchRequest, Ticket,
    Transfer, View, ViewRequest,
};

/// Answers to one question that may follow each other; each gets further than the one before.
const MOST_ANSWERS: usize = 4096;
/// Paths that an answer holds.
const MOST_PATHS: usize = 200;
/// Between two answers of a search through files.
const BETWEEN: Duration = Duration::from_millis(30);

/// Paths under search, with the layer whose paths they are.
type Searched = Arc<Mutex<Option<(LayerIndex, PathSearch)>>>;

/// An opened image, and whom to tell about it.
#[derive(Clone)]
pub struct Attendant {
    pub opening: Opening,
    pub image: Arc<Image>,
    pub contents: Arc<Contents>,
    pub messages: Sender<Message>,
    /// Stops all that is under way for this image.
    pub cancel: Cancel,
    pub known: Arc<Known>,
    /// Parts of this machine that the image was read from.
    pub origin: Arc<Origin>,
}

/// Results computed for an image since it was opened.
#[derive(Debug, Default)]
pub struct Known {
    pub opened: OnceLock<(Arc<Image>, Arc<Contents>)>,
    pub insights: OnceLock<Arc<Insights>>,
    pub store: OnceLock<Option<Arc<StoreStudy>>>,
    /// True while a rebuilt image is being written.
    pub is_writing: AtomicBool,
}

impl Attendant {
    /// Serves requests until the interface is gone.
    pub fn serve(&self, requests: &Receiver<Request>) {
        let syntaxes = Arc::new(Syntaxes::new());
        let mut viewed: Option<Viewed> = None;
        let (mut searching, mut finding, mut copying) = (Cancel::new(), Cancel::new(), Cancel::new());
        let mut rebuilding = Cancel::new();
        let mut orders = None;
        let searched = Searched::default();
        let mut next = None;
        while let Some(request) = next.take().or_else(|| requests.recv().ok()) {
            match request {
                Request::View(request) => next = self.view(request, &mut viewed, &syntaxes, requests),
                Request::Search(request) => {
                    let cancel = renew(&mut searching);
                    self.start(move |attendant| attendant.search(&request, &cancel));
                }
                Request::StopSearch => searching.cancel(),
                Request::Paths(request) => {
                    let cancel = renew(&mut finding);
                    let searched = Arc::clone(&searched);
                    self.start(move |attendant| attendant.find_paths(&request, &searched, &cancel));
                }
                Request::Extract(request) => {
                    let cancel = renew(&mut copying);
                    self.start(move |attendant| attendant.extract(&request, &cancel));
                }
                Request::StopExtract => copying.cancel(),
                Request::Plan(request) => self.order(Order::Plan(request), &mut orders),
                Request::Rebuild(request) => {
                    let cancel = renew(&mut rebuilding);
                    self.order(Order::Write(request, cancel), &mut orders);
                }
                Request::StopRebuild => rebuilding.cancel(),
                Request::Judge => self.start(Attendant::judge),
                // There is nothing to compare the one image with.
                Request::Compare(_) => {}
            }
        }
        searching.cancel();
        finding.cancel();
        copying.cancel();
        rebuilding.cancel();
    }

    /// Has a plan made or an image written, by a thread that keeps what all of them rest on.
    fn order(&self, order: Order, orders: &mut Option<Sender<Order>>) {
        let orders = orders.get_or_insert_with(|| {
            let (sender, received) = unbounded();
            self.start(move |attendant| Rebuilder { attendant, orders: received }.run());
            sender
        });
        // A thread that could not be started is already reported.
        let _ = orders.send(order);
    }

    /// Tells the interface; `false` when it is gone.
    pub fn tell(&self, report: Report) -> bool {
        self.messages.send(Message::Report(self.opening, report)).is_ok()
    }

    fn view(
        &self,
        request: ViewRequest,
        viewed: &mut Option<Viewed>,
        syntaxes: &Arc<Syntaxes>,
        requests: &Receiver<Request>,
    ) -> Option<Request> {
        let images = [(&*self.image, &*self.contents)];
        let viewing = Viewing { images: &images, syntaxes, cancel: &self.cancel };
        viewing.answer(request, viewed, requests, &|view| self.tell(Report::View(view)))
    }

    /// Does something on a thread of its own.
    fn start(&self, work: impl FnOnce(&Self) + Send + 'static) {
        let attendant = self.clone();
        let spawned = std::thread::Builder::new().name("answer".into()).spawn(move || work(&attendant));
        if let Err(error) = spawned {
            self.tell(Report::Done(Err(format!("no thread can be started: {error}"))));
        }
    }

    fn search(&self, request: &SearchRequest, cancel: &Cancel) {
        let mut told = Told { attendant: self, ticket: request.ticket, hits: Vec::new(), last: Instant::now() };
        let pattern = match Pattern::parse(&request.text) {
            Ok(pattern) => pattern,
            Err(error) => {
                let problem = Some(format!("`{}`: {error}", request.text));
                let hits = Hits { ticket: request.ticket, complete: true, problem, ..Hits::default() };
                self.tell(Report::Hits(hits));
                return;
            }
        };
        let mut summary = SearchSummary::default();
        let search = ContentSearch::new(pattern);
        let done = search.run(&self.image.tree, &self.contents, request.layer, cancel, &mut |event| {
            match event {
                SearchEvent::Hit(hit) => {
                    summary.hits += 1;
                    summary.handed_out += 1;
                    told.hits.push(hit);
                }
                SearchEvent::Progress(progress) => summary = progress,
                SearchEvent::Unreadable { .. } => summary.unreadable += 1,
            }
            if told.last.elapsed() >= BETWEEN && (!told.send(summary, false) || self.cancel.is_cancelled()) {
                cancel.cancel();
            }
        });
        told.send(done, true);
    }

    fn find_paths(&self, request: &PathRequest, searched: &Searched, cancel: &Cancel) {
        let tree = &self.image.tree;
        let mut searched = searched.lock().unwrap_or_else(PoisonError::into_inner);
        if searched.as_ref().is_none_or(|(layer, _)| *layer != request.layer) {
            *searched = Some((request.layer, PathSearch::stacked(tree, request.layer)));
        }
        let Some((_, search)) = &*searched else { return };
        search.search(tree, &PathQuery::new(&request.text), MOST_PATHS, cancel, &mut |results| {
            let (hits, matched, complete) = (results.hits, results.matched, results.complete);
            if !self.tell(Report::Paths(Paths { ticket: request.ticket, hits, matched, complete })) {
                cancel.cancel();
            }
        });
    }

    /// Computes the findings from the files, the packages and the store.
    fn judge(&self) {
        // This thread has low priority: drawing comes first. Where that is not possible, it runs as it is.
        let _ = rustix::process::nice(10);
        let facts = match examine(&self.image, &self.contents, 0, &self.cancel) {
            Ok(facts) => facts,
            Err(_) if self.cancel.is_cancelled() => return,
            Err(error) => {
                self.tell(Report::Failed(error.to_string()));
                return;
            }
        };
        let subject = Subject {
            image: &self.image,
            packages: self.known.insights.get().map(|insights| &*insights.packages),
            store: self.known.store.get().and_then(Option::as_deref),
            facts: Some(&facts),
        };
        self.tell(Report::Judged(Arc::new(find(&subject))));
    }

    fn extract(&self, request: &ExtractRequest, cancel: &Cancel) {
        let directory = at_home(&request.directory);
        let mut last = Instant::now();
        let mut watch = |progress: ExtractProgress| {
            if last.elapsed() >= BETWEEN {
                last = Instant::now();
                let ExtractProgress { bytes, total_bytes } = progress;
                self.tell(Report::Copying(Transfer { read_bytes: bytes, total_bytes: Some(total_bytes) }));
            }
            let stops = cancel.is_cancelled() || self.cancel.is_cancelled();
            if stops { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let (tree, node, layer) = (&self.image.tree, request.node, request.layer);
        let done = extract(tree, &self.contents, node, layer, &directory, &mut watch);
        self.tell(Report::Copied(match done {
            Ok(done) => {
                let files = counted(done.files, "file");
                let copied = format!("Copied {files}, {}, to {}", display_bytes(done.bytes), request.directory);
                match done.skipped.first() {
                    None => Ok(copied),
                    Some(first) => Err(format!("{copied}; left out: {first}")),
                }
            }
            Err(error) => Err(error.to_string()),
        }));
    }
}

/// Everything needed to show the content of files.
pub struct Viewing<'a> {
    pub images: &'a [(&'a Image, &'a Contents)],
    pub syntaxes: &'a Arc<Syntaxes>,
    pub cancel: &'a Cancel,
}

impl Viewing<'_> {
    /// Works until the answer is complete or another request arrives, which is returned. `tell` returns `false` once
    /// the interface is gone.
    pub fn answer(
        &self,
        request: ViewRequest,
        viewed: &mut Option<Viewed>,
        requests: &Receiver<Request>,
        tell: &dyn Fn(Box<View>) -> bool,
    ) -> Option<Request> {
        let known = viewed.take().filter(|viewed| viewed.is_of(&request));
        let mut open = known.unwrap_or_else(|| Viewed::open(self.images, &request, self.syntaxes, self.cancel));
        let mut next = None;
        for _ in 0..MOST_ANSWERS {
            if let Ok(request) = requests.try_recv() {
                next = Some(request);
                break;
            }
            let view = open.rows(&request);
            let pending = view.pending;
            if !tell(Box::new(view)) || !pending || self.cancel.is_cancelled() {
                break;
            }
        }
        *viewed = Some(open);
        next
    }
}

/// Returns a directory as a person writes it: `~/` is the home directory, as in a shell.
pub fn at_home(directory: &str) -> PathBuf {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    match (directory.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest.trim_start_matches('/')),
        _ => PathBuf::from(directory),
    }
}

/// Hits that wait to be reported.
struct Told<'a> {
    attendant: &'a Attendant,
    ticket: Ticket,
    hits: Vec<ContentHit>,
    last: Instant,
}

impl Told<'_> {
    /// Sends the hits so far; `false` once the interface is gone.
    fn send(&mut self, summary: SearchSummary, complete: bool) -> bool {
        self.last = Instant::now();
        let hits = std::mem::take(&mut self.hits);
        self.attendant.tell(Report::Hits(Hits { ticket: self.ticket, hits, summary, complete, problem: None }))
    }
}

/// Stops what an earlier question started, for a new one.
fn renew(cancel: &mut Cancel) -> Cancel {
    cancel.cancel();
    *cancel = Cancel::new();
    cancel.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;
    use nixdive_image::reference::Reference;
    use nixdive_image::{Kind, NodeId};
    use nixdive_preview::Place;
    use nixdive_source::open::{Keep, OpenOptions, Progress, open_embedded};
    use nixdive_tui::{Form, Subject, Target};

    /// Asks one thing of the sample, and hears what is said until nothing more comes.
    fn answers(ask: impl FnOnce(&Image) -> Request) -> (Arc<Image>, Vec<Report>) {
        let reference = Reference::parse(samples::EMBEDDED.as_ref()).unwrap();
        let options = OpenOptions { keep: Keep::AnyContent, ..OpenOptions::default() };
        let sample = samples::embedded(&reference).unwrap();
        let opened = open_embedded(sample, "sample", &options, &Progress::new()).unwrap();
        let (messages, heard) = crossbeam_channel::unbounded();
        let (requests, asked) = crossbeam_channel::unbounded();
        let (image, contents) = (Arc::new(opened.image), Arc::new(opened.contents));
        let cancel = Cancel::new();
        let attendant = Attendant {
            opening: Opening::FIRST,
            image: Arc::clone(&image),
            contents,
            messages,
            cancel,
            known: Arc::default(),
            origin: Arc::default(),
        };
        let serving = std::thread::spawn(move || attendant.serve(&asked));
        requests.send(ask(&image)).unwrap();
        let mut reports = Vec::new();
        while let Ok(Message::Report(_, report)) = heard.recv_timeout(Duration::from_secs(20)) {
            let last = match &report {
                Report::Hits(hits) => hits.complete,
                Report::Paths(paths) => paths.complete,
                Report::View(view) => !view.pending,
                _ => true,
            };
            reports.push(report);
            if last {
                break;
            }
        }
        drop(requests);
        serving.join().unwrap();
        (image, reports)
    }

    fn file(image: &Image) -> NodeId {
        let tree = &image.tree;
        let is_file = |node: &NodeId| {
            let top = tree.top_layer().unwrap();
            tree.visible_at(*node, top).is_some_and(|id| tree.occurrence(id).kind == Kind::File)
        };
        tree.node_ids().find(is_file).unwrap()
    }

    fn top(image: &Image) -> LayerIndex {
        image.tree.top_layer().unwrap()
    }

    #[test]
    fn a_search_ends_with_what_it_has_searched() {
        let (_, reports) = answers(|image| {
            Request::Search(SearchRequest { ticket: Ticket(3), text: "re:[a-z]+".into(), layer: top(image) })
        });
        let found: usize =
            reports.iter().map(|report| if let Report::Hits(hits) = report { hits.hits.len() } else { 0 }).sum();
        let Some(Report::Hits(last)) = reports.last() else { panic!("{reports:?}") };
        assert!(last.complete && last.ticket == Ticket(3));
        assert!(found > 0 && found as u64 == last.summary.handed_out);
        assert_eq!(last.summary.bytes, last.summary.total_bytes);
    }

    #[test]
    fn a_broken_pattern_is_answered_with_the_reason() {
        let (_, reports) = answers(|image| {
            Request::Search(SearchRequest { ticket: Ticket(1), text: "re:(".into(), layer: top(image) })
        });
        assert!(matches!(reports.as_slice(), [Report::Hits(Hits { complete: true, problem: Some(_), .. })]));
    }

    #[test]
    fn paths_are_found_by_some_of_their_letters() {
        let (image, reports) = answers(|image| {
            Request::Paths(PathRequest { ticket: Ticket(1), text: "nixstore".into(), layer: top(image) })
        });
        let Some(Report::Paths(paths)) = reports.last() else { panic!("{reports:?}") };
        assert!(image.tree.path(paths.hits[0].node).starts_with(b"/nix/store"));
    }

    #[test]
    fn a_file_is_copied_to_disk() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap().to_owned();
        let (image, reports) = answers(|image| {
            Request::Extract(ExtractRequest { node: file(image), layer: top(image), directory: path.clone() })
        });
        let [Report::Copied(Ok(text))] = reports.as_slice() else { panic!("{reports:?}") };
        assert!(text.starts_with("Copied 1 file, "), "{text}");
        let name = String::from_utf8(image.tree.name(file(&image)).to_vec()).unwrap();
        let id = image.tree.visible_at(file(&image), top(&image)).unwrap();
        let written = std::fs::metadata(directory.path().join(name)).unwrap();
        assert_eq!(written.len(), image.tree.occurrence(id).bytes);
    }

    #[test]
    fn a_file_is_looked_at() {
        let (_, reports) = answers(|image| {
            let node = file(image);
            let subject =
                Subject { node, layer: top(image), entry: image.tree.visible_at(node, top(image)), removed: false };
            let (ticket, place, form) = (Ticket(9), Place::Start, Form::Bytes);
            let (by, wrap, find, height, width) = (0, false, None, 5, 80);
            let target = Target::Path(subject);
            Request::View(ViewRequest { ticket, target, form, place, by, wrap, find, height, width })
        });
        let Some(Report::View(view)) = reports.last() else { panic!("{reports:?}") };
        assert!(view.ticket == Ticket(9) && view.problem.is_none() && !view.kind.is_empty());
    }
}
