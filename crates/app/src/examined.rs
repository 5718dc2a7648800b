use std::sync::{Arc, OnceLock};

use super::ExamineError;
use nixdive_analyse::analysis::{Assessment, assess};
use nixdive_analyse::compare::Side;
use nixdive_analyse::examine::examine;
use nixdive_analyse::findings::{Findings, Subject, find as find_findings};
use nixdive_base::cancel::Cancel;
use nixdive_image::{Image, LayerIndex, OccurrenceId};
use nixdive_nix::study::StoreStudy;
use nixdive_packages::{CapturedFile, Inventory, find as find_packages};
use nixdive_scan::Captured;
use nixdive_source::identify::{Identified, identify};
use nixdive_source::open::{OpenError, OpenOptions, Opened};
use nixdive_source::study::{StoreWatch, StudyOptions, study};

/// An opened image, and what is known of it. Packages, store, findings and figures are computed when they are first asked
/// for, and kept.
#[derive(Debug)]
pub struct Examined {
    /// The image, its contents, and the files that were captured while it was opened.
    pub opened: Opened,
    watch: Option<StoreWatch>,
    threads: usize,
    cancel: Cancel,
    assessment: OnceLock<Assessment>,
    packages: OnceLock<Arc<Inventory>>,
    store: OnceLock<Option<Arc<StoreStudy>>>,
    findings: OnceLock<Findings>,
}

impl Examined {
    /// Opens an image by `open`, which gets the options with a watch on store paths added, so that studying the store
    /// later needs no second pass over compressed layers.
    ///
    /// # Errors
    /// If `open` fails.
    pub fn open(
        options: OpenOptions,
        cancel: &Cancel,
        open: impl FnOnce(&OpenOptions) -> Result<Opened, OpenError>,
    ) -> Result<Self, OpenError> {
        let watch = StoreWatch::new();
        let options = OpenOptions { watch: Some(Arc::new(watch.clone())), ..options };
        let opened = open(&options)?;
        let examined = Self::of(opened);
        Ok(Self { watch: Some(watch), threads: options.threads, cancel: cancel.clone(), ..examined })
    }

    /// An image that was opened without a watch on store paths.
    #[must_use]
    pub fn of(opened: Opened) -> Self {
        Self {
            opened,
            watch: None,
            threads: 0,
            cancel: Cancel::new(),
            assessment: OnceLock::new(),
            packages: OnceLock::new(),
            store: OnceLock::new(),
            findings: OnceLock::new(),
        }
    }

    /// The image.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.opened.image
    }

    /// Efficiency and waste, as dive computes them.
    pub fn assessment(&self) -> &Assessment {
        self.assessment.get_or_init(|| assess(&self.opened.image))
    }

    /// Packages of all package databases in the image.
    pub fn packages(&self) -> &Arc<Inventory> {
        self.packages
            .get_or_init(|| Arc::new(packages_of(&self.opened.image, &self.opened.captured).unwrap_or_default()))
    }

    /// The Nix store in the image; `None` if it has no store paths.
    ///
    /// # Errors
    /// If the store cannot be studied, or the work is cancelled.
    pub fn store(&self) -> Result<Option<&Arc<StoreStudy>>, ExamineError> {
        if let Some(known) = self.store.get() {
            return Ok(known.as_ref());
        }
        let options = StudyOptions {
            watch: self.watch.as_ref(),
            threads: self.threads,
            cancel: self.cancel.clone(),
            ..StudyOptions::default()
        };
        let studied = study(&self.opened, &options)?.map(Arc::new);
        Ok(self.store.get_or_init(|| studied).as_ref())
    }

    /// Findings of all rules. Reads the content of files, once.
    ///
    /// # Errors
    /// If the contents or the store cannot be read, or the work is cancelled.
    pub fn findings(&self) -> Result<&Findings, ExamineError> {
        if let Some(known) = self.findings.get() {
            return Ok(known);
        }
        let store = self.store()?.map(Arc::as_ref);
        let facts = examine(&self.opened.image, &self.opened.contents, self.threads, &self.cancel)?;
        let packages = Some(&**self.packages());
        let found = find_findings(&Subject { image: &self.opened.image, packages, store, facts: Some(&facts) });
        Ok(self.findings.get_or_init(|| found))
    }

    /// The image as one side of a comparison.
    ///
    /// # Errors
    /// If the store cannot be studied, or the work is cancelled.
    pub fn side(&self) -> Result<Side<'_>, ExamineError> {
        let store = self.store()?.map(Arc::as_ref);
        Ok(Side { image: &self.opened.image, packages: self.packages(), store })
    }

    /// Takes the image apart for a client that keeps its parts. What was not asked for before is missing: the store counts
    /// as none.
    #[must_use]
    pub fn into_parts(self) -> (Opened, Arc<Inventory>, Option<Arc<StoreStudy>>) {
        let packages = Arc::clone(self.packages());
        (self.opened, packages, self.store.into_inner().flatten())
    }

    /// Reads some files for the identity of their content.
    ///
    /// # Errors
    /// If the contents cannot be read, or the work is cancelled.
    pub fn identify(&self, ids: &[OccurrenceId]) -> Result<Identified, ExamineError> {
        Ok(identify(&self.opened.image, &self.opened.contents, ids, 0, &self.cancel)?)
    }
}

/// Packages of the databases that were captured while an image was opened; `None` for an image without layers.
#[must_use]
pub fn packages_of(image: &Image, captured: &[(LayerIndex, Captured)]) -> Option<Inventory> {
    let captured: Vec<CapturedFile<'_>> = captured
        .iter()
        .map(|(layer, file)| CapturedFile { layer: *layer, path: &file.path, content: &file.content })
        .collect();
    Some(find_packages(&image.tree, image.tree.top_layer()?, &captured))
}
