use std::io::{self, Write};

use nixdive_analyse::analysis::{Assessment, LargestDirectory, LargestFile, assess, largest};
use nixdive_analyse::findings::Findings;
use nixdive_image::Image;
use nixdive_nix::study::StoreStudy;
use nixdive_packages::Inventory;

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people, independent of the width of a terminal.
    #[default]
    Text,
    /// `nixdive.inspect/1`.
    Json,
    /// For GitHub and its like.
    Markdown,
    /// One file for a browser.
    Html,
}

impl Format {
    /// Reads `text`, `json`, `markdown` or `html`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            "markdown" => Some(Self::Markdown),
            "html" => Some(Self::Html),
            _ => None,
        }
    }
}

/// How much of each list is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InspectOptions {
    /// Largest files and directories to find, in every form of the report.
    pub largest: usize,
    /// Wasting paths and removed directories that text and Markdown show; JSON has all.
    pub waste: usize,
    /// Store paths that text and Markdown show; JSON has all.
    pub store_paths: usize,
}

impl Default for InspectOptions {
    fn default() -> Self {
        Self { largest: 20, waste: 20, store_paths: 10 }
    }
}

/// All that `nixdive inspect` says of an image.
#[derive(Debug)]
pub struct Inspection<'a> {
    /// The image.
    pub image: &'a Image,
    /// Figures, waste and removed directories.
    pub assessment: Assessment,
    /// Largest files of the stacked image, in descending order.
    pub largest_files: Vec<LargestFile>,
    /// Largest directories of the stacked image, in descending order.
    pub largest_directories: Vec<LargestDirectory>,
    /// Packages of the databases in the image; `None` where nobody looked.
    pub packages: Option<&'a Inventory>,
    /// The Nix store; `None` where there is none, or nobody looked.
    pub store: Option<&'a StoreStudy>,
    /// Problems and possible improvements; `None` if findings were not requested.
    pub findings: Option<&'a Findings>,
    pub(super) options: InspectOptions,
}

impl<'a> Inspection<'a> {
    /// Gathers what there is to say. The cost is one run over the image's entries.
    #[must_use]
    pub fn new(image: &'a Image, options: InspectOptions) -> Self {
        let (largest_files, largest_directories) = largest(image, options.largest);
        Self {
            image,
            assessment: assess(image),
            largest_files,
            largest_directories,
            packages: None,
            store: None,
            findings: None,
            options,
        }
    }

    /// Adds the packages that were found.
    #[must_use]
    pub fn with_packages(self, packages: &'a Inventory) -> Self {
        Self { packages: Some(packages), ..self }
    }

    /// Adds what the image's Nix store is found to be.
    #[must_use]
    pub fn with_store(self, store: Option<&'a StoreStudy>) -> Self {
        Self { store, ..self }
    }

    /// Adds what was found to be wrong, or could be better.
    #[must_use]
    pub fn with_findings(self, findings: Option<&'a Findings>) -> Self {
        Self { findings, ..self }
    }

    /// Writes the report, ending with a line feed.
    ///
    /// # Errors
    /// If writing to `out` fails.
    pub fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Text => super::text::write(self, out),
            Format::Json => super::json::write_pretty(&super::document::Document::new(self), super::json::OWN, out),
            Format::Markdown => super::markdown::write(self, out),
            Format::Html => super::html::write_inspection(self, out),
        }
    }
}
