use std::io::Read;
use std::path::Path;

use super::super::arguments::OpenArguments;
use super::super::inspect::{findings, packages_of};
use super::super::{open_parsed, open_parsed_watched};
use super::shown;
use nixdive_analyse::analysis::{Assessment, assess};
use nixdive_analyse::ci::{
    self, FindingFact, ImageDifference, MAX_BASELINE_BYTES, OnMissingBaseline, Reasons, Snapshot, differences,
    from_json,
};
use nixdive_analyse::findings::Severity;
use nixdive_image::reference::Reference;
use nixdive_nix::study::StoreStudy;
use nixdive_packages::Inventory;
use nixdive_scan::identity_of;
use nixdive_source::open::{Keep, Opened};
use nixdive_source::study::{StoreWatch, StudyOptions, study};

/// What of an image is looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Looks {
    /// Packages and store.
    pub in_full: bool,
    /// The content of files.
    pub content: bool,
}

/// An image with all that rules look at.
pub(super) struct Side {
    pub opened: Opened,
    pub assessment: Assessment,
    packages: Option<Inventory>,
    store: Option<StoreStudy>,
}

impl Side {
    /// Opens an image. Its packages and store are looked at where rules besides dive's may ask for them; its content is
    /// kept at hand where findings or a comparison need it.
    pub fn open(image: &Reference, open: &OpenArguments, looks: Looks) -> anyhow::Result<Self> {
        let Looks { in_full, content } = looks;
        let keep = if content { Keep::Content } else { Keep::Trees };
        if !in_full {
            let opened = open_parsed(image, open, keep)?;
            return Ok(Self { assessment: assess(&opened.image), opened, packages: None, store: None });
        }
        let watch = StoreWatch::new();
        let opened = open_parsed_watched(image, open, keep, &watch)?;
        let store = study(&opened, &StudyOptions { watch: Some(&watch), ..StudyOptions::default() })?;
        let packages = packages_of(&opened.image, &opened.captured);
        Ok(Self { assessment: assess(&opened.image), opened, packages, store })
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(&self.opened.image, &self.assessment, self.packages.as_ref(), self.store.as_ref())
    }

    /// All that forbidding rules look at, of the image as engines unpack it that follow links of lower layers; `None`
    /// where all engines unpack the same.
    pub fn followed_snapshot(&self, open: &OpenArguments) -> anyhow::Result<Option<Snapshot>> {
        let Some(followed) = self.opened.with_links_followed(open.options(Keep::Trees).wanted)? else {
            return Ok(None);
        };
        let packages = packages_of(&followed.image, &followed.captured);
        Ok(Some(Snapshot::new(&followed.image, &assess(&followed.image), packages.as_ref(), None)))
    }

    pub fn reasons(&self) -> Option<Reasons<'_>> {
        self.store.as_ref().map(|study| Reasons { image: &self.opened.image, study })
    }

    /// What the files and all else tell to be wrong. Reads the files once.
    pub fn findings(&self) -> anyhow::Result<Vec<FindingFact>> {
        let none = Inventory::default();
        let found = findings(&self.opened, self.packages.as_ref().unwrap_or(&none), self.store.as_ref())?;
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
        Ok(found.list.iter().map(fact).collect())
    }

    /// In what the image is not the same as another.
    pub fn differences(&self, other: &Reference, open: &OpenArguments) -> anyhow::Result<Vec<ImageDifference>> {
        let other = Self::open(other, open, Looks { content: true, ..Looks::default() })?.opened;
        let identity = |opened: &Opened, id| {
            let tree = &opened.image.tree;
            let known = tree.content_hash(id).copied();
            known.or_else(|| identity_of(&mut opened.contents.reader(tree, id).ok()?).ok())
        };
        let mut same = |ours, theirs| Some(identity(&self.opened, ours)? == identity(&other, theirs)?);
        Ok(differences(&self.opened.image, &other.image, &mut same))
    }
}

/// What growth is measured against.
pub(super) enum Baseline {
    /// Nobody named one.
    None,
    /// It is not there, and may be missing.
    Missing { name: String, reason: String },
    /// An image, or what was stored of one.
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
            Ok(side) => Ok(Self::Found { name, snapshot: Box::new(side.snapshot()) }),
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
