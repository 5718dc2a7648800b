use std::io;

use super::Choice;
use nixdive_base::text::{counted, display_bytes};
use nixdive_image::{Artifact, ArtifactKind, Platform};
use nixdive_scan::tar::TarError;

/// Reason why a source cannot be opened. Does not repeat the path of the source, which is printed in front of it.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The system reports an error.
    #[error("{}", describe(.0))]
    Io(io::Error),
    /// The system reports an error for a part of the source.
    #[error("`{}`: {}", shown(.name), describe(.error))]
    Part {
        /// Path within the source.
        name: String,
        /// The system's error.
        error: io::Error,
    },
    /// Not a supported image format.
    #[error("{0}")]
    NotAnImage(String),
    /// A name that neither a file nor an image of an engine or a registry has.
    #[error("{0}")]
    UnknownName(String),
    /// An OCI artifact, or an image without a readable layer.
    #[error("not a container image: {}", describe_artifact(.0))]
    Artifact(Box<Artifact>),
    /// The archive cannot be read up to its manifest.
    #[error("{0}")]
    Broken(String),
    /// A part that another part refers to is missing.
    #[error("`{}`: missing, although {} refers to it; the image is incomplete", shown(.name), shown(.named_by))]
    Missing {
        /// Path within the source.
        name: String,
        /// The part that refers to it.
        named_by: String,
    },
    /// A document with invalid content.
    #[error("`{}` cannot be understood: {}", shown(.name), shown(.reason))]
    Document {
        /// Path within the source.
        name: String,
        /// The reason, with line and column if known.
        reason: String,
    },
    /// A document longer than any real one.
    #[error("`{}`: {length} bytes, more than the maximum of {most}", shown(.name))]
    TooLong {
        /// Path within the source.
        name: String,
        /// Its length in bytes.
        length: u64,
        /// Maximum length in bytes.
        most: u64,
    },
    /// Store paths that cannot be read as a layer.
    #[error("layer {number}: {error}")]
    Store {
        /// Number of the layer, from 0.
        number: usize,
        /// The reason.
        error: crate::store::StoreError,
    },
    /// A script, which runs only if the user asks for it.
    #[error(
        "is a script; to run it and read the image that it writes, use `nixdive stream:{}`",
        shown(.0)
    )]
    Script(String),
    /// A program that is required for an image, but must not be started.
    #[error(transparent)]
    Refused(nixdive_image::execution::ExecutionRefused),
    /// A program that was run for an image and failed.
    #[error("{what} {how}{}", last_words(.said))]
    Program {
        /// The program, for display.
        what: &'static str,
        /// How it ended, as part of a sentence.
        how: String,
        /// The end of its standard error.
        said: Vec<u8>,
    },
    /// Several images, and no selector.
    #[error("holds {} images; choose one of:{}", .0.len(), list(.0.iter().map(|choice| &choice.reference)))]
    Several(Vec<Choice>),
    /// No image matches the selector.
    #[error("holds no image `{}`; available:{}", shown(.wanted), list(.there.iter()))]
    NoSuchImage {
        /// The selector.
        wanted: String,
        /// The available images.
        there: Vec<String>,
    },
    /// No image matches the platform.
    #[error("holds no image for {wanted}; choose one with --platform:{}", list(.there.iter()))]
    NoPlatform {
        /// The requested platform, or this machine's.
        wanted: Platform,
        /// The available platforms.
        there: Vec<Platform>,
    },
}

impl SourceError {
    /// Returns the error for something other than an image; `what` is a noun phrase.
    #[must_use]
    pub fn not_a_container_image(what: &str) -> Self {
        Self::NotAnImage(format!("not a container image: {what}"))
    }

    /// Adds information about an artifact that comes from its source, not from its manifest.
    #[must_use]
    pub(super) fn of_artifact(mut self, add: impl FnOnce(&mut Artifact)) -> Self {
        if let Self::Artifact(artifact) = &mut self {
            add(artifact);
        }
        self
    }

    /// Turns it into the error of an archive that could not be read to its end: missing parts may be in the rest.
    #[must_use]
    pub fn of_broken(self, broken: &TarError) -> Self {
        match self {
            Self::Missing { name, named_by } => Self::Broken(format!(
                "{broken}; `{}`, to which {} refers, is not in the readable part; fetch the archive again",
                shown(&name),
                shown(&named_by)
            )),
            Self::NotAnImage(_) => {
                Self::Broken(format!("{broken}; the readable part contains no manifest; fetch the archive again"))
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
    format!("OCI artifact ({kind}), {blobs}, {bytes}; `nixdive inspect` lists its blobs")
}

/// Maximum number of listed items; the rest are counted.
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

/// Maximum number of lines shown of a program's standard error.
const MAX_SAID: usize = 20;

fn last_words(said: &[u8]) -> String {
    let lines: Vec<&[u8]> = said.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
    let last = lines.iter().skip(lines.len().saturating_sub(MAX_SAID));
    let shown: String = last.map(|line| format!("\n  {}", nixdive_base::text::display_name(line))).collect();
    if shown.is_empty() { shown } else { format!("; its output:{shown}") }
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
