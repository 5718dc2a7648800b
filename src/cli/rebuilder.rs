//! Makes plans of a rebuild for the terminal interface, and writes what comes of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::attendant::{Attendant, at_home};
use super::opener::TICK;
use nixdive_base::cancel::Cancel;
use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::Image;
use nixdive_image::reference::Reference;
use nixdive_rebuild::ImageContent;
use nixdive_rebuild::choices::Choices;
use nixdive_rebuild::package_image::Granularity;
use nixdive_rebuild::session::{Basis, RebuildError, Survey};
use nixdive_source::open::verified_doubts;
use nixdive_tui::{PlanRequest, Planned, RebuildRequest, Rebuilt, Report, Transfer};
use nixdive_write::layering::Strategy;
use nixdive_write::{self, Destination, WriteError, WriteOptions, WriteProgress, Written};

/// Layers at most.
const MOST_LAYERS: usize = 100;
/// Ends of file names that say how an image is stored, and nothing of what it is.
const ENDINGS: [&str; 8] = [".gz", ".zst", ".xz", ".bz2", ".tgz", ".tzst", ".tar", ".json"];

/// Parts of this machine that an image is read from.
#[derive(Debug, Default)]
pub struct Origin {
    /// Never written to.
    protected: Vec<PathBuf>,
    /// Proposed destination for a rebuilt image, as a user would type it.
    proposal: String,
}

impl Origin {
    /// Returns the origin of an image that was opened.
    pub fn new(reference: &Reference, image: &Image) -> Self {
        let path = reference.local_path();
        let beside = path.filter(|path| !path.starts_with("/nix/store")).and_then(beside);
        let proposal = beside.unwrap_or_else(|| {
            let known = image.identity.references.first().map_or("image", String::as_str);
            let name = known.rsplit('/').next().and_then(|name| name.split([':', '@']).next()).unwrap_or_default();
            let plain = |letter: &char| letter.is_ascii_alphanumeric() || "._-".contains(*letter);
            let name: String = name.chars().filter(plain).collect();
            format!("{}-small.tar", if name.is_empty() { "image" } else { &name })
        });
        Self { protected: path.into_iter().map(Path::to_owned).collect(), proposal }
    }
}

/// Returns a proposed name for a rebuilt file, in the same directory.
fn beside(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let mut name = name.rsplit(':').next()?;
    while let Some(shorter) = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)) {
        name = shorter;
    }
    let file = format!("{}-small.tar", if name.is_empty() { "image" } else { name });
    path.with_file_name(file).to_str().map(str::to_owned)
}

/// Requests of the interface about a rebuild.
pub enum Order {
    /// To know what it would do.
    Plan(PlanRequest),
    /// To have it done.
    Write(Box<RebuildRequest>, Cancel),
}

impl Order {
    fn choices(&self) -> &Choices {
        match self {
            Self::Plan(request) => &request.choices,
            Self::Write(request, _) => &request.choices,
        }
    }
}

/// Rebuilds an opened image, again whenever the choices change.
pub struct Rebuilder<'a> {
    pub attendant: &'a Attendant,
    pub orders: Receiver<Order>,
}

/// Why an image was not written.
enum NotWritten {
    Occupied,
    Stopped,
    Failed(String),
}

impl From<RebuildError> for NotWritten {
    fn from(error: RebuildError) -> Self {
        if error.is_cancelled() { Self::Stopped } else { Self::Failed(error.to_string()) }
    }
}

impl From<WriteError> for NotWritten {
    fn from(error: WriteError) -> Self {
        if matches!(error, WriteError::Cancelled) { Self::Stopped } else { Self::Failed(error.to_string()) }
    }
}

impl Rebuilder<'_> {
    /// Takes orders until the interface is gone.
    pub fn run(&self) {
        let mut order = self.next();
        while let Some(taken) = order {
            order = self.serve(taken);
        }
    }

    /// The next order. Of questions for a plan that came meanwhile, the last is answered.
    fn next(&self) -> Option<Order> {
        let mut order = self.orders.recv().ok()?;
        while matches!(order, Order::Plan(_))
            && let Ok(later) = self.orders.try_recv()
        {
            order = later;
        }
        Some(order)
    }

    /// Serves orders as long as they use the same survey; returns the first order that needs another one.
    fn serve(&self, mut order: Order) -> Option<Order> {
        let survey = match self.survey(order.choices()) {
            Ok(survey) => survey,
            Err(error) => {
                self.fail(order, &error);
                return self.next();
            }
        };
        let basis = survey.basis(&self.attendant.image, Granularity::default());
        loop {
            match order {
                Order::Plan(request) => self.plan(&basis, request),
                Order::Write(request, cancel) => self.write(&basis, &request, &cancel),
            }
            order = self.next()?;
            if !survey.holds_for(order.choices()) {
                return Some(order);
            }
        }
    }

    fn fail(&self, order: Order, error: &RebuildError) {
        self.attendant.tell(match order {
            _ if error.is_cancelled() => return,
            Order::Plan(request) => self.planned(request, Err(error.to_string())),
            Order::Write(..) => Report::Rebuilt(Rebuilt::Failed(error.to_string())),
        });
    }

    /// Surveys the image, as the basis of its plans.
    fn survey(&self, choices: &Choices) -> Result<Survey, RebuildError> {
        let Attendant { image, contents, known, cancel, .. } = self.attendant;
        let store = known.store.get().and_then(Option::as_ref).filter(|study| !study.store.paths.is_empty());
        if let Some(study) = store {
            return Survey::of_store(image, Arc::clone(study));
        }
        let packages = known.insights.get().map(|insights| Arc::clone(&insights.packages)).unwrap_or_default();
        Survey::of_packages(image, contents, packages, choices, cancel)
    }

    fn planned(&self, request: PlanRequest, plan: Result<nixdive_rebuild::plan::Plan, String>) -> Report {
        let proposal = self.attendant.origin.proposal.clone();
        Report::Planned(Box::new(Planned { ticket: request.ticket, plan: plan.map(Arc::new), proposal }))
    }

    fn plan(&self, basis: &Basis<'_>, request: PlanRequest) {
        let selected = basis.select(&request.choices);
        let plan = selected.and_then(|selected| basis.plan(&selected, &request.choices));
        self.attendant.tell(self.planned(request, plan.map_err(|error| error.to_string())));
    }

    fn write(&self, basis: &Basis<'_>, request: &RebuildRequest, cancel: &Cancel) {
        let _writing = Writing::begin(&self.attendant.known.is_writing);
        let destination = placed(&request.destination);
        let rebuilt = match self.written(basis, request, &destination, cancel) {
            Ok(written) => {
                Rebuilt::Written { reference: reference_of(&destination), told: self.told(&destination, &written) }
            }
            Err(NotWritten::Occupied) => Rebuilt::Occupied,
            Err(NotWritten::Stopped) => Rebuilt::Failed("Stopped: nothing was written".to_owned()),
            Err(NotWritten::Failed(reason)) => Rebuilt::Failed(reason),
        };
        self.attendant.tell(Report::Rebuilt(rebuilt));
    }

    fn written(
        &self,
        basis: &Basis<'_>,
        request: &RebuildRequest,
        destination: &Destination,
        cancel: &Cancel,
    ) -> Result<Written, NotWritten> {
        let is_input = |path: &Path| self.attendant.origin.protected.iter().any(|input| input == path);
        // The writer itself reports an input that is also the destination. A layout accepts one more image.
        let is_single = !matches!(destination, Destination::OciLayout { .. });
        let taken = destination.path().is_some_and(|path| path.is_file() && !is_input(path));
        if is_single && taken && !request.replaces {
            return Err(NotWritten::Occupied);
        }
        let Attendant { image, contents, .. } = self.attendant;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let doubts = verified_doubts(image, contents, threads, cancel).map_err(|_| NotWritten::Stopped)?;
        if let Some(first) = doubts.first() {
            let more = match doubts.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            let reason = format!("Nothing was written: the image is incomplete or altered: {}{more}", first.message);
            return Err(NotWritten::Failed(reason));
        }
        let content = ImageContent::new(&image.tree, contents);
        let selected = basis.select(&request.choices)?;
        let composition = basis.compose(&selected, &content, cancel)?;
        let strategy = Strategy::default();
        let layers = strategy.assign(&composition, &[], MOST_LAYERS);
        let protected = self.attendant.origin.protected.clone();
        let options = WriteOptions { form: strategy.tar_form(), protected, ..WriteOptions::default() };
        let progress = WriteProgress::new(cancel.clone());
        let (finished, watched) = bounded::<()>(0);
        let destinations = std::slice::from_ref(destination);
        let written = std::thread::scope(|scope| {
            scope.spawn(|| self.watch(&progress, &watched));
            let written = nixdive_write::write(&composition, &layers, destinations, &content, &options, &progress);
            drop(finished);
            written
        });
        Ok(written?)
    }

    /// Tells how far it is until it is finished.
    fn watch(&self, progress: &WriteProgress, finished: &Receiver<()>) {
        while let Err(RecvTimeoutError::Timeout) = finished.recv_timeout(TICK) {
            let layers = progress.layers();
            let sum = |total: (u64, u64), layer: &(u64, u64)| {
                (total.0.saturating_add(layer.0), total.1.saturating_add(layer.1))
            };
            let (read_bytes, total) = layers.iter().fold((0, 0), sum);
            let total_bytes = (!layers.is_empty()).then_some(total);
            self.attendant.tell(Report::Writing(Transfer { read_bytes, total_bytes }));
        }
    }

    fn told(&self, destination: &Destination, written: &Written) -> String {
        let unpacked = written.layers.iter().map(|layer| layer.unpacked_bytes).fold(0, u64::saturating_add);
        let before = self.attendant.image.unpacked_bytes();
        let place = destination.path().map(|path| path.as_os_str().as_encoded_bytes()).unwrap_or_default();
        format!(
            "{} unpacked became {}, written to {}",
            display_bytes(before),
            display_bytes(unpacked),
            display_name(place)
        )
    }
}

/// Says that an image is being written, for as long as it is.
struct Writing<'a>(&'a AtomicBool);

impl<'a> Writing<'a> {
    fn begin(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::Relaxed);
        Self(flag)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A destination with `~/` as a shell takes it.
fn placed(destination: &Destination) -> Destination {
    let mut placed = destination.clone();
    let path = match &mut placed {
        Destination::StandardOutput => return placed,
        Destination::DockerArchive { file, .. }
        | Destination::OciArchive { file, .. }
        | Destination::NixJson { file } => file,
        Destination::OciLayout { directory, .. } => directory,
    };
    if let Some(text) = path.to_str() {
        *path = at_home(text);
    }
    placed
}

/// Reference that opens the written image.
fn reference_of(destination: &Destination) -> String {
    let path = destination.path().unwrap_or(Path::new("-"));
    let text = path.to_string_lossy();
    match destination {
        Destination::OciLayout { reference: Some(reference), .. } => format!("oci:{text}:{reference}"),
        Destination::NixJson { .. } => format!("nix:{text}"),
        // What looks like a transport, or like standard input, is a file all the same.
        _ if !text.contains('/') => format!("./{text}"),
        _ => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_proposed_beside_its_image() {
        let cases = [
            ("/x/web.tar.gz", "/x/web-small.tar"),
            ("web.tar", "web-small.tar"),
            ("./result", "./result-small.tar"),
            ("/x/layout", "/x/layout-small.tar"),
            ("embedded:sample", "sample-small.tar"),
            ("/x/.tar", "/x/image-small.tar"),
        ];
        for (path, proposal) in cases {
            assert_eq!(beside(Path::new(path)).as_deref(), Some(proposal), "{path}");
        }
        assert_eq!(beside(Path::new("..")), None);
    }

    #[test]
    fn what_was_written_can_be_opened() {
        let cases = [
            ("small.tar", "./small.tar"),
            ("docker-archive:/x/a.tar:web:1", "/x/a.tar"),
            ("oci:dir:web", "oci:dir:web"),
            ("oci:/x/dir", "/x/dir"),
            ("nix:image.json", "nix:image.json"),
        ];
        for (typed, reference) in cases {
            let destination = Destination::parse(typed.as_ref()).unwrap();
            assert_eq!(reference_of(&destination), reference, "{typed}");
            assert!(Reference::parse(reference.as_ref()).is_ok());
        }
    }
}
