use std::io;
use std::thread::{Builder, ScopedJoinHandle, scope};

use super::{ExamineError, Examined};
use nixdive_image::reference::{Location, Reference};
use nixdive_source::open::{OpenError, OpenOptions, Opened, Progress};

/// Opens several images at once, the processors shared among them.
pub struct Together<'a> {
    /// How each is opened; the number of threads is set here.
    pub options: &'a OpenOptions,
    /// One for each image.
    pub progress: &'a [Progress],
    /// Opens one of them.
    pub open: &'a (dyn Fn(&Reference, &OpenOptions, &Progress) -> Result<Opened, OpenError> + Sync),
}

/// The number of the image that failed, and why.
pub type FailedImage = (usize, Box<ExamineError>);

impl Together<'_> {
    /// Opens the images, and studies their packages and stores. `finished` is called with the number of each image that
    /// is ready. The first failure, in the order of the images, cancels the others.
    ///
    /// # Errors
    /// If one of the images cannot be opened or studied, or two are to be read from standard input.
    pub fn examine(
        &self,
        images: &[Reference],
        finished: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Examined>, FailedImage> {
        let is_input = |(_, image): &(usize, &Reference)| image.location == Location::StandardInput;
        if let Some((number, _)) = images.iter().enumerate().filter(is_input).nth(1) {
            return Err((number, Box::new(ExamineError::StandardInputTwice)));
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = images.len().clamp(1, cores.max(2));
        let threads = cores.div_ceil(at_once);
        let jobs: Vec<Job<'_>> = images
            .iter()
            .zip(self.progress)
            .enumerate()
            .map(|(number, (reference, progress))| Job { number, reference, progress })
            .collect();
        let mut examined = Vec::new();
        for group in jobs.chunks(at_once) {
            let results = self.examine_group(group, threads, finished);
            // A cancelled image says nothing if another one failed.
            let mut cancelled = None;
            for (result, job) in results.into_iter().zip(group) {
                match result {
                    Ok(image) => examined.push(image),
                    Err(error) if error.is_cancelled() => cancelled = cancelled.or(Some((job.number, Box::new(error)))),
                    Err(error) => return Err((job.number, Box::new(error))),
                }
            }
            if let Some(cancelled) = cancelled {
                return Err(cancelled);
            }
        }
        Ok(examined)
    }

    fn examine_group(
        &self,
        group: &[Job<'_>],
        threads: usize,
        finished: &(dyn Fn(usize) + Sync),
    ) -> Vec<Result<Examined, ExamineError>> {
        scope(|scope| {
            let mut running = Vec::new();
            for &Job { number, reference, progress } in group {
                let work = move || {
                    let result = self.examine_one(reference, threads, progress);
                    match &result {
                        Ok(_) => finished(number),
                        Err(_) => self.progress.iter().for_each(|progress| progress.cancel().cancel()),
                    }
                    result
                };
                running.push(Builder::new().name("compare".into()).spawn_scoped(scope, work));
            }
            running.into_iter().map(ended).collect()
        })
    }

    fn examine_one(
        &self,
        reference: &Reference,
        threads: usize,
        progress: &Progress,
    ) -> Result<Examined, ExamineError> {
        let options = OpenOptions { threads, ..self.options.clone() };
        let examined = Examined::open(options, progress.cancel(), |options| (self.open)(reference, options, progress))?;
        examined.side()?;
        Ok(examined)
    }
}

#[derive(Clone, Copy)]
struct Job<'a> {
    number: usize,
    reference: &'a Reference,
    progress: &'a Progress,
}

fn ended(thread: io::Result<ScopedJoinHandle<'_, Result<Examined, ExamineError>>>) -> Result<Examined, ExamineError> {
    let failed = || ExamineError::Thread(io::Error::other("a thread failed"));
    thread.map_err(ExamineError::Thread)?.join().unwrap_or_else(|_| Err(failed()))
}
