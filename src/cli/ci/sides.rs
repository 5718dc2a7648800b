use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::super::open_arguments::OpenArguments;
use super::super::{examined_reference, open_parsed};
use super::shown;
use nixdive_analyse::analysis::assess;
use nixdive_analyse::ci::{
    self, FindingFact, ImageDifference, MAX_BASELINE_BYTES, OnMissingBaseline, Reasons, Snapshot, differences,
    from_json,
};
use nixdive_analyse::findings::Severity;
use nixdive_app::{Examined, packages_of};
use nixdive_image::reference::Reference;
use nixdive_nix::study::StoreStudy;
use nixdive_scan::identity_of;
use nixdive_source::open::{Keep, Opened};

/// Parts of an image to examine.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Looks {
    /// Packages and store.
    pub in_full: bool,
    /// The content of files.
    pub content: bool,
}

/// An image as rules see it.
pub(super) struct Side {
    pub examined: Examined,
    in_full: bool,
}

impl Side {
    /// Opens an image. Its packages and store are read if rules other than dive's may need them; its content is kept if
    /// findings or a comparison need it.
    pub fn open(image: &Reference, open: &OpenArguments, looks: Looks) -> anyhow::Result<Self> {
        let Looks { in_full, content } = looks;
        let keep = if content { Keep::Content } else { Keep::Trees };
        let examined = if in_full {
            examined_reference(image, open, keep)?
        } else {
            Examined::of(open_parsed(image, open, keep)?)
        };
        Ok(Self { examined, in_full })
    }

    fn store(&self) -> anyhow::Result<Option<&StoreStudy>> {
        Ok(if self.in_full { self.examined.store()?.map(Arc::as_ref) } else { None })
    }

    pub fn snapshot(&self) -> anyhow::Result<Snapshot> {
        let packages = self.in_full.then(|| &**self.examined.packages());
        Ok(Snapshot::new(self.examined.image(), self.examined.assessment(), packages, self.store()?))
    }

    /// All that forbidding rules look at, of the image as engines unpack it that follow links of lower layers; `None`
    /// where all engines unpack the same.
    pub fn followed_snapshot(&self, open: &OpenArguments) -> anyhow::Result<Option<Snapshot>> {
        let Some(followed) = self.examined.opened.with_links_followed(open.options(Keep::Trees).wanted)? else {
            return Ok(None);
        };
        let packages = packages_of(&followed.image, &followed.captured);
        Ok(Some(Snapshot::new(&followed.image, &assess(&followed.image), packages.as_ref(), None)))
    }

    pub fn reasons(&self) -> anyhow::Result<Option<Reasons<'_>>> {
        Ok(self.store()?.map(|study| Reasons { image: self.examined.image(), study }))
    }

    /// Returns the problems of the image. Reads its files once.
    pub fn findings(&self) -> anyhow::Result<Vec<FindingFact>> {
        let fact = |finding: &nixdive_analyse::findings::Finding| FindingFact {
            id: finding.rule.id().to_owned(),
            severity: match finding.severity {
                Severity::Information => ci::Severity::Information,
                Severity::Warning => ci::Severity::Warning,
                Severity::Problem => ci::Severity::Problem,
            },
            title: finding.title.clone(),
            bytes: finding.bytes,
        };
        Ok(self.examined.findings()?.list.iter().map(fact).collect())
    }

    /// In what the image is not the same as another.
    pub fn differences(&self, other: &Reference, open: &OpenArguments) -> anyhow::Result<Vec<ImageDifference>> {
        let other = Self::open(other, open, Looks { content: true, ..Looks::default() })?.examined.opened;
        let identity = |opened: &Opened, id| {
            let tree = &opened.image.tree;
            let known = tree.content_hash(id).copied();
            known.or_else(|| identity_of(&mut opened.contents.reader(tree, id).ok()?).ok())
        };
        let mut same = |ours, theirs| Some(identity(&self.examined.opened, ours)? == identity(&other, theirs)?);
        Ok(differences(self.examined.image(), &other.image, &mut same))
    }
}

/// Source of the figures that growth is measured against.
pub(super) enum Baseline {
    /// No baseline was named.
    None,
    /// It is not there, and may be missing.
    Missing { name: String, reason: String },
    /// An image, or its stored figures.
    Found { name: String, snapshot: Box<Snapshot> },
}

impl Baseline {
    /// Reads a baseline: a stored one by its content, else an image.
    pub fn read(named: &Reference, open: &OpenArguments, on_missing: OnMissingBaseline) -> anyhow::Result<Self> {
        let name = shown(named.text.as_ref());
        let is_plain = named.transport.is_none();
        let path = named.local_path().filter(|_| is_plain);
        if let Some(stored) = path.map(stored).transpose()?.flatten() {
            let snapshot = from_json(&stored).map_err(|reason| anyhow::anyhow!("baseline {name}: {reason}"))?;
            return Ok(Self::Found { name, snapshot: Box::new(snapshot) });
        }
        match Side::open(named, open, Looks { in_full: true, ..Looks::default() }) {
            Ok(side) => Ok(Self::Found { name, snapshot: Box::new(side.snapshot()?) }),
            Err(error) if on_missing == OnMissingBaseline::Warn && !path.is_some_and(Path::exists) => {
                Ok(Self::Missing { name, reason: error.to_string() })
            }
            Err(error) => anyhow::bail!("the baseline cannot be read: {error}"),
        }
    }

    /// As it was named.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Missing { name, .. } | Self::Found { name, .. } => Some(name),
        }
    }
}

/// The bytes of a stored baseline; `None` for a file that is none, such as an image.
fn stored(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    if !path.is_file() {
        return Ok(None);
    }
    let failed = |error: std::io::Error| anyhow::anyhow!("baseline {}: {error}", shown(path.as_os_str()));
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut start = [0; 64];
    let read = file.read(&mut start).map_err(failed)?;
    let first = start.iter().take(read).find(|byte| !byte.is_ascii_whitespace());
    if !matches!(first, None | Some(b'{')) {
        return Ok(None);
    }
    let mut bytes = start.get(..read).unwrap_or_default().to_vec();
    file.take(MAX_BASELINE_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    // nix2container's image is JSON too: it has a version and layers, and no schema.
    let is_image = serde_json::from_slice::<serde_json::Value>(&bytes)
        .is_ok_and(|value| value.get("schema").is_none() && value.get("layers").is_some());
    Ok((!is_image).then_some(bytes))
}
