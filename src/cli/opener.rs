//! Opens images on threads of their own for the terminal interface, and tells it how far they are.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use hashbrown::HashMap;

use super::arguments::ComparingArguments;
use super::attendant::{Attendant, Known};
use super::comparer::{Comparer, Held};
use super::open_arguments::OpenArguments;
use super::open_reference;
use super::pace::{Pace, tell_of_fetches};
use super::rebuilder::Origin;
use nixdive_analyse::analysis::{HiddenCopies, assess};
use nixdive_analyse::compare::CompareOptions;
use nixdive_base::cancel::Cancel;
use nixdive_image::reference::Reference;
use nixdive_image::{Image, LayerIndex};
use nixdive_source::formats::Layout;
use nixdive_source::open::{Contents, Keep, OpenError, OpenOptions, Opened, Progress, check_layer, refine};
use nixdive_source::study::{StudyError, StudyOptions, study_contents};
use nixdive_tui::{self, Effect, Insights, Message, Opening, Report, Request};

/// Between two looks at how far an opening is.
pub(super) const TICK: Duration = Duration::from_millis(40);
/// Bytes that may be read to compare files before the first screen is complete.
const COMPARED_AT_ONCE: u64 = 32 << 20;

/// Starts openings and stops them.
pub struct Opener {
    arguments: OpenArguments,
    messages: Sender<Message>,
    running: HashMap<Opening, Running>,
    threads: Vec<JoinHandle<()>>,
}

/// An opening that was not left yet: how to stop it, and how to ask about its image.
struct Running {
    cancels: Vec<Cancel>,
    requests: Sender<Request>,
    known: Arc<Known>,
}

/// Maximum time that the end of the program waits for cancelled threads.
const PATIENCE: Duration = Duration::from_millis(200);
/// The same for an image that is being written.
const PATIENCE_OF_WRITING: Duration = Duration::from_secs(3);

impl Opener {
    /// Reports to `messages`.
    pub fn new(arguments: OpenArguments, messages: Sender<Message>) -> Self {
        Self { arguments, messages, running: HashMap::new(), threads: Vec::new() }
    }

    /// Performs the effects that the interface requests.
    pub fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Open { opening, reference } => match Reference::parse(reference.as_ref()) {
                Ok(reference) => self.start(opening, reference),
                Err(error) => self.fail(opening, error.to_string()),
            },
            Effect::Compare { opening, with, reference, options } => match Reference::parse(reference.as_ref()) {
                Ok(reference) => self.start_beside(opening, with, reference, options),
                Err(error) => self.fail(opening, error.to_string()),
            },
            Effect::Cancel(opening) => {
                if let Some(running) = self.running.remove(&opening) {
                    running.cancels.iter().for_each(Cancel::cancel);
                }
            }
            Effect::Ask { opening, request } => {
                if let Some(running) = self.running.get(&opening) {
                    // An image that failed to open has no one to serve requests.
                    let _ = running.requests.send(request);
                }
            }
            // The interface does these itself.
            Effect::Copy(_) | Effect::Mouse(_) | Effect::Suspend | Effect::Quit => {}
        }
    }

    /// Stops all openings, and waits for them a little, so that nothing is left to do when the program ends; for an image
    /// that is being written somewhat longer, so that nothing of it is left on the disk.
    pub fn stop(&mut self) {
        let known: Vec<Arc<Known>> = self.running.values().map(|running| Arc::clone(&running.known)).collect();
        let is_writing = || known.iter().any(|known| known.is_writing.load(Ordering::Relaxed));
        self.running.drain().for_each(|(_, running)| running.cancels.iter().for_each(Cancel::cancel));
        let begun = Instant::now();
        while self.threads.iter().any(|thread| !thread.is_finished()) && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
        while is_writing() && begun.elapsed() < PATIENCE_OF_WRITING {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Begins to open an image.
    pub fn start(&mut self, opening: Opening, image: Reference) {
        let progress = Progress::new();
        let (requests, asked) = unbounded();
        let known: Arc<Known> = Arc::default();
        let cancels = vec![progress.cancel().clone()];
        self.running.insert(opening, Running { cancels, requests, known: Arc::clone(&known) });
        let mut options = self.arguments.options(Keep::AnyContent);
        options.comparison_bytes = Some(COMPARED_AT_ONCE);
        let job = Job { opening, messages: self.messages.clone(), options, progress, asked, known };
        self.spawn(opening, move || job.run(&image));
    }

    /// Begins to open several images, to compare them.
    pub fn start_together(&mut self, opening: Opening, images: Vec<Reference>, arguments: &ComparingArguments) {
        self.compare(opening, None, images, arguments.options(), arguments.different_platforms);
    }

    /// Begins to open an image, to compare it with one that is open.
    fn start_beside(&mut self, opening: Opening, with: Opening, image: Reference, options: CompareOptions) {
        match self.running.get(&with).and_then(|running| Held::of(&running.known)) {
            Some(held) => self.compare(opening, Some(held), vec![image], options, false),
            None => self.fail(opening, "the image is not read yet".to_owned()),
        }
    }

    fn fail(&self, opening: Opening, reason: String) {
        // Whoever listened has left.
        let _ = self.messages.send(Message::Report(opening, Report::Failed(reason)));
    }

    fn compare(
        &mut self,
        opening: Opening,
        beside: Option<Held>,
        images: Vec<Reference>,
        options: CompareOptions,
        different_platforms: bool,
    ) {
        let progress: Vec<Progress> = images.iter().map(|_| Progress::new()).collect();
        let (requests, asked) = unbounded();
        let cancel = Cancel::new();
        let cancels = progress.iter().map(Progress::cancel).chain([&cancel]).cloned().collect();
        self.running.insert(opening, Running { cancels, requests, known: Arc::default() });
        let (messages, arguments) = (self.messages.clone(), self.arguments.clone());
        let comparer = Comparer {
            opening,
            messages,
            arguments,
            beside,
            images,
            options,
            different_platforms,
            progress,
            cancel,
            asked,
        };
        self.spawn(opening, move || comparer.run());
    }

    fn spawn(&mut self, opening: Opening, work: impl FnOnce() + Send + 'static) {
        let spawned = std::thread::Builder::new().name("open".into()).spawn(work);
        self.threads.retain(|thread| !thread.is_finished());
        match spawned {
            Ok(thread) => self.threads.push(thread),
            Err(error) => self.fail(opening, format!("no thread can be started: {error}")),
        }
    }
}

struct Job {
    opening: Opening,
    messages: Sender<Message>,
    options: OpenOptions,
    progress: Progress,
    /// Requests of the interface about the image.
    asked: Receiver<Request>,
    known: Arc<Known>,
}

impl Job {
    /// Tells the interface; `false` when it is gone.
    fn tell(&self, report: Report) -> bool {
        self.messages.send(Message::Report(self.opening, report)).is_ok()
    }

    fn run(&self, reference: &Reference) {
        let (finished, watched) = bounded::<()>(0);
        let result = std::thread::scope(|scope| {
            scope.spawn(|| self.watch(&watched));
            let result = open_reference(reference, &self.options, &self.progress);
            drop(finished);
            result
        });
        match result {
            Ok(opened) => self.opened(opened, reference),
            Err(OpenError::Cancelled) => {}
            Err(error) => {
                let report = match (error.choices(), error.script()) {
                    (Some(choices), _) => Report::Choose(choices.iter().map(choice).collect()),
                    // What a file names has a transport where it is a path, so this one was typed or chosen.
                    (None, Some(script)) if reference.transport.is_none() => confirm(script),
                    (None, _) => Report::Failed(error.to_string()),
                };
                self.tell(report);
            }
        }
    }

    /// Reports manifest, configuration and counts until the opening is finished.
    fn watch(&self, finished: &Receiver<()>) {
        let (mut identified, mut pace) = (false, Pace::default());
        while let Err(crossbeam_channel::RecvTimeoutError::Timeout) = finished.recv_timeout(TICK) {
            let layout = self.progress.layout();
            if let (false, Some(layout)) = (identified, &layout) {
                identified = true;
                self.tell(Report::Identified(Box::new(outline(layout))));
            }
            self.tell(Report::Progress(self.counts(layout.as_deref(), &mut pace)));
        }
    }

    fn counts(&self, layout: Option<&Layout>, pace: &mut Pace) -> nixdive_tui::Progress {
        let snapshot = self.progress.snapshot();
        let layer = |(index, &(read_bytes, entries)): (usize, &(u64, u64))| nixdive_tui::LayerProgress {
            transfer: nixdive_tui::Transfer {
                read_bytes,
                total_bytes: layout.and_then(|layout| layout.layers.get(index)?.stored_bytes),
            },
            entries,
        };
        let source = (snapshot.stream_read_bytes > 0).then_some(nixdive_tui::Transfer {
            read_bytes: snapshot.stream_read_bytes,
            total_bytes: (snapshot.stream_bytes > 0).then_some(snapshot.stream_bytes),
        });
        let traffic = pace.note(&snapshot, Instant::now());
        nixdive_tui::Progress { source, layers: snapshot.layers.iter().enumerate().map(layer).collect(), traffic }
    }

    /// Shows the image, then runs the checks that were postponed for a fast first screen.
    fn opened(&self, opened: Opened, reference: &Reference) {
        let Opened { image, contents, captured, exact } = opened;
        let (image, contents) = (Arc::new(image), Arc::new(contents));
        if !self.tell(Report::Opened(overview(&image))) {
            return;
        }
        // Each is set once: the image is opened once.
        let _ = self.known.opened.set((Arc::clone(&image), Arc::clone(&contents)));
        self.attend(&image, &contents, Origin::new(reference, &image));
        self.watch_fetches(&image);
        let packages = Arc::new(nixdive_app::packages_of(&image, &captured).unwrap_or_default());
        drop(captured);
        let insights = Insights { assessment: assess(&image), hidden: Some(HiddenCopies::of(&image.tree)), packages };
        let insights = Arc::new(insights);
        let _ = self.known.insights.set(Arc::clone(&insights));
        self.tell(Report::Insights(insights));
        // From here on the interface does not wait for this thread, so it gets a low priority where that is possible.
        let _ = rustix::process::nice(10);
        self.study(&image, &contents);
        if !exact {
            let refined = Arc::new(refine(&image, &contents));
            self.tell(Report::Refined(overview(&refined)));
        }
        self.check_layers(&image, &contents);
    }

    /// Reports the layers that are fetched from a registry from now on.
    fn watch_fetches(&self, image: &Image) {
        if self.progress.snapshot().arrived.is_none() {
            return;
        }
        let stored: Vec<u64> =
            image.layers.iter().map(|layer| layer.compressed_bytes.map_or(0, |bytes| bytes.bytes())).collect();
        let (progress, messages, opening) = (self.progress.clone(), self.messages.clone(), self.opening);
        let watch = move || {
            let mut tell = |fetching| messages.send(Message::Report(opening, Report::Fetching(fetching))).is_ok();
            tell_of_fetches(&progress, &stored, &mut tell);
        };
        // If the thread cannot be started, only the report of fetches is missing.
        let _ = std::thread::Builder::new().name("fetches".into()).spawn(watch);
    }

    /// Tells what the store of a Nix image contains.
    fn study(&self, image: &Image, contents: &Contents) {
        let options = StudyOptions { cancel: self.progress.cancel().clone(), ..StudyOptions::default() };
        match study_contents(image, contents, &options) {
            Ok(study) => {
                let study = study.map(Arc::new);
                let _ = self.known.store.set(study.clone());
                self.tell(Report::Store(study))
            }
            Err(StudyError::Cancelled) => return,
            Err(error) => self.tell(Report::Failed(format!("the store cannot be studied: {error}"))),
        };
    }

    /// Answers questions about the image from now on.
    fn attend(&self, image: &Arc<Image>, contents: &Arc<Contents>, origin: Origin) {
        let attendant = Attendant {
            opening: self.opening,
            image: Arc::clone(image),
            contents: Arc::clone(contents),
            messages: self.messages.clone(),
            cancel: self.progress.cancel().clone(),
            known: Arc::clone(&self.known),
            origin: Arc::new(origin),
        };
        let asked = self.asked.clone();
        let spawned = std::thread::Builder::new().name("attend".into()).spawn(move || attendant.serve(&asked));
        if let Err(error) = spawned {
            self.tell(Report::Failed(format!("no thread can be started: {error}")));
        }
    }

    fn check_layers(&self, image: &Image, contents: &Contents) {
        for (number, layer) in image.tree.layer_indices().enumerate() {
            let cancel = self.progress.cancel();
            match check_layer(image, contents, number, cancel) {
                Ok(Some(check)) => {
                    if !self.tell(Report::DigestChecked { layer: LayerIndex(layer.0), check }) {
                        return;
                    }
                }
                Ok(None) => {}
                Err(_) if cancel.is_cancelled() => return,
                // A layer that cannot be read any more remains unchecked; the tree is still right.
                Err(_) => {}
            }
        }
    }
}

fn overview(image: &Arc<Image>) -> nixdive_tui::Opened {
    let figures = assess(image).figures;
    nixdive_tui::Opened {
        image: Arc::clone(image),
        overview: nixdive_tui::Overview {
            efficiency: figures.efficiency,
            wasted_bytes: figures.wasted_bytes,
            user_wasted_percent: figures.user_wasted_percent,
        },
    }
}

fn outline(layout: &Layout) -> nixdive_tui::Identified {
    let layer = |layer: &nixdive_source::formats::DescribedLayer| nixdive_tui::LayerOutline {
        command: match layer.store_paths.as_slice() {
            [] => layer.created_by.clone().unwrap_or_default(),
            paths => paths.join(", "),
        },
        diff_id: layer.diff_id.as_ref().map(ToString::to_string),
        compressed_bytes: layer.stored_bytes,
    };
    nixdive_tui::Identified {
        identity: layout.identity.clone(),
        config: layout.config.clone(),
        layers: layout.layers.iter().map(layer).collect(),
    }
}

/// Asks whether a script may be run.
fn confirm(script: &str) -> Report {
    let choice = nixdive_tui::Choice {
        reference: format!("stream:{script}"),
        title: "Run it".to_owned(),
        detail: "and open the image that it writes".to_owned(),
    };
    Report::Confirm { question: format!("{script} is a script"), choice }
}

fn choice(choice: &nixdive_source::formats::Choice) -> nixdive_tui::Choice {
    nixdive_tui::Choice {
        reference: choice.reference.clone(),
        title: choice.title.clone(),
        detail: choice.platform.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}
