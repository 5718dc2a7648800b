use std::io;

use super::Choice;
use nixdive_base::text::{counted, display_bytes};
use nixdive_image::{Artifact, ArtifactKind, Platform};
use nixdive_scan::tar::TarError;

/// Why a source cannot be opened. Does not repeat the path of the source, which whoever prints it puts in front.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The system refused.
    #[error("{}", describe(.0))]
    Io(io::Error),
    /// The system refused a part of it.
    #[error("«{}»: {}", shown(.name), describe(.error))]
    Part {
        /// Path within the source.
        name: String,
        /// What the system said.
        error: io::Error,
    },
    /// Nothing that this program reads.
    #[error("{0}")]
    NotAnImage(String),
    /// An OCI artifact, or an image without a layer that can be read.
    #[error("not a container image: {}", describe_artifact(.0))]
    Artifact(Box<Artifact>),
    /// The archive cannot be read up to its manifest.
    #[error("{0}")]
    Broken(String),
    /// A part that another part names is not there.
    #[error("«{}», which {} names, is not there; the image is incomplete", shown(.name), shown(.named_by))]
    Missing {
        /// Path within the source.
        name: String,
        /// The part that names it.
        named_by: String,
    },
    /// A document that is not what it should be.
    #[error("«{}» cannot be understood: {}", shown(.name), shown(.reason))]
    Document {
        /// Path within the source.
        name: String,
        /// What is wrong, with line and column where there are any.
        reason: String,
    },
    /// A document longer than any real one.
    #[error("«{}» has {length} bytes; more than {most} are refused for it", shown(.name))]
    TooLong {
        /// Path within the source.
        name: String,
        /// Its length, bytes.
        length: u64,
        /// What is accepted, bytes.
        most: u64,
    },
    /// Store paths that cannot be read as a layer.
    #[error("layer {number}: {error}")]
    Store {
        /// The layer, from 0.
        number: usize,
        /// What is wrong.
        error: crate::store::StoreError,
    },
    /// A script, which is run only where that was asked for.
    #[error(
        "is a script, which is not run because its path was given; «nixdive stream:{}» runs it and reads the image that it writes",
        shown(.0)
    )]
    Script(String),
    /// A program that is needed for an image, and may not be started.
    #[error(transparent)]
    Refused(nixdive_image::execution::ExecutionRefused),
    /// A program that was run for an image, and failed.
    #[error("{what} {how}{}", last_words(.said))]
    Program {
        /// Which, in words.
        what: &'static str,
        /// How it ended, in words.
        how: String,
        /// The end of what it wrote to its standard error.
        said: Vec<u8>,
    },
    /// Several images and no choice.
    #[error("holds {} images; choose one of:{}", .0.len(), list(.0.iter().map(|choice| &choice.reference)))]
    Several(Vec<Choice>),
    /// No image of that name.
    #[error("holds no image «{}»; there is:{}", shown(.wanted), list(.there.iter()))]
    NoSuchImage {
        /// What was asked for.
        wanted: String,
        /// What could have been.
        there: Vec<String>,
    },
    /// No image for that platform.
    #[error("holds no image for {wanted}; choose one with --platform:{}", list(.there.iter()))]
    NoPlatform {
        /// What was asked for, or what this machine is.
        wanted: Platform,
        /// What could have been.
        there: Vec<Platform>,
    },
}

impl SourceError {
    /// The error of what is something else: `what` is a noun phrase.
    #[must_use]
    pub fn not_a_container_image(what: &str) -> Self {
        Self::NotAnImage(format!("not a container image: {what}"))
    }

    /// Adds what the source says of an artifact that its manifest does not.
    #[must_use]
    pub(super) fn of_artifact(mut self, add: impl FnOnce(&mut Artifact)) -> Self {
        if let Self::Artifact(artifact) = &mut self {
            add(artifact);
        }
        self
    }

    /// The same of an archive that could not be read to its end: what is missing may have been there.
    #[must_use]
    pub fn of_broken(self, broken: &TarError) -> Self {
        match self {
            Self::Missing { name, named_by } => Self::Broken(format!(
                "{broken}; «{}», which {} names, is not in the part before; fetch the archive again",
                shown(&name),
                shown(&named_by)
            )),
            Self::NotAnImage(_) => {
                Self::Broken(format!("{broken}; no manifest is in the part before; fetch the archive again"))
            }
            other => other,
        }
    }
}

fn describe_artifact(artifact: &Artifact) -> String {
    let config = artifact.config.as_ref().map(|config| &config.media_type);
    let kind = match (artifact.kind, artifact.artifact_type.as_ref().or(config)) {
        (ArtifactKind::Other, Some(media_type)) => shown(media_type),
        (kind @ ArtifactKind::UnreadableImage, _) => {
            let media_type = artifact.blobs.first().map(|blob| blob.media_type.as_str()).unwrap_or_default();
            format!("{}: {}", kind.name(), shown(media_type))
        }
        (kind, _) => kind.name().to_owned(),
    };
    let (blobs, bytes) = (counted(artifact.blobs.len(), "blob"), display_bytes(artifact.blob_bytes()));
    format!("OCI artifact ({kind}), {blobs}, {bytes}; `nixdive inspect` shows what it is made of")
}

/// Items of a list that are shown; the others are counted.
const MAX_LISTED: usize = 200;

fn list(items: impl ExactSizeIterator<Item = impl ToString>) -> String {
    let more = items.len().saturating_sub(MAX_LISTED);
    let mut text = String::new();
    for item in items.take(MAX_LISTED) {
        text.push_str("\n  ");
        text.push_str(&nixdive_base::text::display_name(item.to_string().as_bytes()));
    }
    if more > 0 {
        text.push_str(&format!("\n  … and {more} more"));
    }
    text
}

/// Lines of a program's standard error that are shown.
const MAX_SAID: usize = 20;

fn last_words(said: &[u8]) -> String {
    let lines: Vec<&[u8]> = said.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
    let last = lines.iter().skip(lines.len().saturating_sub(MAX_SAID));
    let shown: String = last.map(|line| format!("\n  {}", nixdive_base::text::display_name(line))).collect();
    if shown.is_empty() { shown } else { format!("; it said:{shown}") }
}

fn shown(text: &str) -> String {
    nixdive_base::text::display_in_sentence(text)
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ => error.to_string(),
    }
}
