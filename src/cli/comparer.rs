//! Opens several images for the terminal interface, compares them, and answers its questions about them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use hashbrown::HashMap;

use super::attendant::{Known, Viewing};
use super::open_arguments::OpenArguments;
use super::open_reference;
use super::opener::TICK;
use nixdive_analyse::compare::{CompareOptions, KnownContents, Outline, SharingOutline, check_platforms};
use nixdive_app::{Examined, FailedImage, Together};
use nixdive_base::cancel::Cancel;
use nixdive_image::reference::Reference;
use nixdive_image::{ContentHash, OccurrenceId};
use nixdive_preview::Syntaxes;
use nixdive_source::identify::{IdentifyError, identify};
use nixdive_source::open::{Contents, Keep, OpenOptions, Programs, Progress};
use nixdive_tui::{
    CompareRequest, Compared, ComparedImage, Message, Opening, Report, Request, Shared, SideProgress, Stage, Transfer,
};

/// Some images that are to be compared, and whom to tell about them.
pub struct Comparer {
    pub opening: Opening,
    pub messages: Sender<Message>,
    pub arguments: OpenArguments,
    /// One that is open already, and comes before the others.
    pub beside: Option<Held>,
    /// Images to open.
    pub images: Vec<Reference>,
    pub options: CompareOptions,
    pub different_platforms: bool,
    /// One for each image that is to be opened.
    pub progress: Vec<Progress>,
    /// Stops all that is done once they are open.
    pub cancel: Cancel,
    /// Requests of the interface about them.
    pub asked: Receiver<Request>,
}

/// An image that is ready.
pub struct Held {
    compared: ComparedImage,
    contents: Arc<Contents>,
    /// Notes on parts of its store that could not be read.
    unread: Vec<String>,
    /// Contents identified for an earlier comparison.
    known: Mutex<HashMap<OccurrenceId, ContentHash>>,
}

impl Held {
    fn new(examined: Examined) -> Self {
        let (opened, packages, store) = examined.into_parts();
        let unread = store.as_ref().map(|study| study.unread.clone()).unwrap_or_default();
        let compared = ComparedImage { image: Arc::new(opened.image), packages, store };
        Self { compared, contents: Arc::new(opened.contents), unread, known: Mutex::default() }
    }

    /// The comparison on screen, once it is complete.
    pub fn of(known: &Known) -> Option<Self> {
        let ((image, contents), insights) = (known.opened.get()?, known.insights.get()?);
        let store = known.store.get()?.clone();
        let unread = store.as_ref().map(|study| study.unread.clone()).unwrap_or_default();
        let compared = ComparedImage { image: Arc::clone(image), packages: Arc::clone(&insights.packages), store };
        Some(Self { compared, contents: Arc::clone(contents), unread, known: Mutex::default() })
    }

    /// Identifies contents, reading those that are not known yet; notes those that cannot be read in `notes`.
    fn identify(
        &self,
        ids: &[OccurrenceId],
        cancel: &Cancel,
        notes: &mut Vec<String>,
    ) -> Result<HashMap<OccurrenceId, ContentHash>, IdentifyError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted: Vec<OccurrenceId> = ids.iter().copied().filter(|id| !known.contains_key(id)).collect();
        let found = identify(&self.compared.image, &self.contents, &wanted, 0, cancel)?;
        known.extend(found.known);
        notes.extend(found.unread);
        Ok(known.clone())
    }
}

impl Comparer {
    /// Opens the images, reports what they share, and serves requests until the interface is gone.
    pub fn run(mut self) {
        let held = match self.gather() {
            Ok(gathered) => {
                self.beside.take().into_iter().chain(gathered.into_iter().map(Held::new)).collect::<Vec<_>>()
            }
            Err((_, error)) if error.is_cancelled() => return,
            Err((number, error)) => {
                self.tell(Report::Failed(self.failure(number, &error.to_string())));
                return;
            }
        };
        if let [left, right] = held.as_slice()
            && !self.different_platforms
            && let Err(mismatch) = check_platforms(&left.compared.image, &right.compared.image)
        {
            let advice = "choose one with --platform, or allow it with --different-platforms";
            self.tell(Report::Failed(format!("{mismatch}; {advice}")));
            return;
        }
        let held = Arc::new(held);
        let Self { opening, messages, options, cancel, asked, .. } = self;
        let attendant = Attendant { opening, messages, cancel, held };
        match attendant.held.len() {
            2 => attendant.compare(CompareRequest { pair: (0, 1), options }),
            _ => attendant.share(),
        }
        attendant.serve(&asked);
    }

    fn tell(&self, report: Report) -> bool {
        self.messages.send(Message::Report(self.opening, report)).is_ok()
    }

    /// An error with the image that it is about.
    fn failure(&self, number: usize, error: &str) -> String {
        let name = self.images.get(number).map(|image| image.text.clone()).unwrap_or_default();
        let before = usize::from(self.beside.is_some());
        let side = match (self.images.len() + before, number + before) {
            (2, 0) => "The left image".to_owned(),
            (2, _) => "The right image".to_owned(),
            (_, number) => format!("Image {}", number.saturating_add(1)),
        };
        if error.starts_with(&name) { format!("{side}, {error}") } else { format!("{side}, {name}: {error}") }
    }

    fn gather(&self) -> Result<Vec<Examined>, FailedImage> {
        let read: Vec<AtomicBool> = self.images.iter().map(|_| AtomicBool::new(false)).collect();
        let (finished, watched) = bounded::<()>(0);
        std::thread::scope(|scope| {
            scope.spawn(|| self.watch(&watched, &read));
            let options = OpenOptions { programs: Programs::Background, ..self.arguments.options(Keep::AnyContent) };
            let together = Together { options: &options, progress: &self.progress, open: &open_reference };
            let result = together.examine(&self.images, &|number| {
                if let Some(read) = read.get(number) {
                    read.store(true, Ordering::Relaxed);
                }
            });
            drop(finished);
            result
        })
    }

    /// Reports the progress of the images until all are open.
    fn watch(&self, finished: &Receiver<()>, read: &[AtomicBool]) {
        let counts = || {
            let open = self.beside.iter().map(|_| SideProgress { stage: Stage::Read, ..SideProgress::default() });
            let sides = self.progress.iter().zip(read);
            open.chain(sides.map(|(progress, read)| side_progress(progress, read.load(Ordering::Relaxed)))).collect()
        };
        while let Err(RecvTimeoutError::Timeout) = finished.recv_timeout(TICK) {
            self.tell(Report::Gathering(counts()));
        }
        self.tell(Report::Gathering(counts()));
    }
}

fn side_progress(progress: &Progress, is_read: bool) -> SideProgress {
    let (snapshot, layout) = (progress.snapshot(), progress.layout());
    let entries = snapshot.layers.iter().map(|&(_, entries)| entries).fold(0, u64::saturating_add);
    let transfer = if snapshot.stream_read_bytes > 0 {
        let total_bytes = (snapshot.stream_bytes > 0).then_some(snapshot.stream_bytes);
        Transfer { read_bytes: snapshot.stream_read_bytes, total_bytes }
    } else {
        let stored = |bytes: Option<u64>, layer: Option<u64>| Some(bytes?.saturating_add(layer?));
        let total_bytes = layout
            .as_ref()
            .and_then(|layout| layout.layers.iter().map(|layer| layer.stored_bytes).fold(Some(0), stored));
        let read_bytes = snapshot.layers.iter().map(|&(bytes, _)| bytes).fold(0, u64::saturating_add);
        Transfer { read_bytes, total_bytes }
    };
    let stage = match (is_read, layout.is_some() || transfer.read_bytes > 0) {
        (true, _) => Stage::Read,
        (false, true) => Stage::Reading,
        (false, false) => Stage::Opening,
    };
    SideProgress { transfer, entries: entries.max(snapshot.stream_entries), stage }
}

/// Images that are open, and whom to tell about them.
#[derive(Clone)]
struct Attendant {
    opening: Opening,
    messages: Sender<Message>,
    cancel: Cancel,
    held: Arc<Vec<Held>>,
}

impl Attendant {
    fn tell(&self, report: Report) -> bool {
        self.messages.send(Message::Report(self.opening, report)).is_ok()
    }

    /// Reports why an identification failed, unless it was cancelled.
    fn fail(&self, error: &IdentifyError) {
        if !matches!(error, IdentifyError::Cancelled) {
            self.tell(Report::Failed(error.to_string()));
        }
    }

    fn serve(&self, asked: &Receiver<Request>) {
        let syntaxes = Arc::new(Syntaxes::new());
        let images: Vec<_> = self.held.iter().map(|held| (&*held.compared.image, &*held.contents)).collect();
        let viewing = Viewing { images: &images, syntaxes: &syntaxes, cancel: &self.cancel };
        let mut viewed = None;
        let mut next = None;
        while let Some(request) = next.take().or_else(|| asked.recv().ok()) {
            match request {
                Request::View(request) => {
                    next = viewing.answer(request, &mut viewed, asked, &|view| self.tell(Report::View(view)));
                }
                Request::Compare(request) => {
                    let attendant = self.clone();
                    let work = move || attendant.compare(request);
                    if let Err(error) = std::thread::Builder::new().name("compare".into()).spawn(work) {
                        self.tell(Report::Failed(format!("no thread can be started: {error}")));
                    }
                }
                // The rest is about one image.
                _ => {}
            }
        }
    }

    fn compare(&self, request: CompareRequest) {
        match self.compared(request) {
            Ok(Some(compared)) => {
                self.tell(Report::Compared(Arc::new(compared)));
            }
            Ok(None) => {}
            Err(error) => self.fail(&error),
        }
    }

    fn compared(&self, request: CompareRequest) -> Result<Option<Compared>, IdentifyError> {
        let (left, right) = request.pair;
        let (Some(left), Some(right)) = (self.held.get(left), self.held.get(right)) else { return Ok(None) };
        let outline = Outline::new(&left.compared.image, &right.compared.image);
        let unknown = outline.unknown();
        let mut notes: Vec<String> = left.unread.iter().chain(&right.unread).cloned().collect();
        let known = KnownContents {
            left: left.identify(&unknown.left, &self.cancel, &mut notes)?,
            right: right.identify(&unknown.right, &self.cancel, &mut notes)?,
        };
        let comparison = outline.finish(left.compared.side(), right.compared.side(), &known, request.options);
        let differences = comparison.differences;
        Ok(Some(Compared::new(request, left.compared.clone(), right.compared.clone(), differences, notes)))
    }

    fn share(&self) {
        let outline = SharingOutline::new(self.held.iter().map(|held| held.compared.side()).collect());
        let mut notes: Vec<String> = self.held.iter().flat_map(|held| held.unread.clone()).collect();
        let mut found = Vec::new();
        for (held, ids) in self.held.iter().zip(outline.unknown()) {
            match held.identify(&ids, &self.cancel, &mut notes) {
                Ok(known) => found.push(known),
                Err(error) => return self.fail(&error),
            }
        }
        let sharing = outline.finish(&found);
        let images = self.held.iter().map(|held| held.compared.clone()).collect();
        self.tell(Report::Shared(Arc::new(Shared { images, sharing, notes })));
    }
}
