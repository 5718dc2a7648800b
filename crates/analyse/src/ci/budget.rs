use super::metric::Metric;
use super::outcome::Unit;
use super::snapshot::Snapshot;
use nixdive_base::glob::Glob;
use nixdive_packages::PackageKind;

/// The part of an image that a budget limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A figure of the image.
    Metric(Metric),
    /// A layer by its number from 0, or the largest of all; unpacked bytes.
    Layer(Option<usize>),
    /// Visible files whose paths match; file bytes.
    Path(Glob),
    /// Packages whose names match, of one kind or of any; `nix` are store paths by package name.
    Package {
        /// `deb`, `apk`, `rpm`, `python` or `nix`.
        kind: Option<String>,
        /// Pattern that the package name must match.
        name: Glob,
    },
    /// Store paths of which the whole path, the base name or the name matches; NAR sizes.
    StorePath(Glob),
}

/// Which of two limits must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Require {
    /// Both.
    #[default]
    All,
    /// One is enough.
    Any,
}

/// How much more than in the baseline is allowed; at least one of the two is given.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Growth {
    /// Bytes, or pieces of what is counted.
    pub amount: Option<u64>,
    /// Percent of what it was.
    pub percent: Option<f64>,
    /// Which must hold where both are given.
    pub require: Require,
}

/// Limits of something.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// Part of the image that the budget limits.
    pub subject: Subject,
    /// The most that it may be.
    pub max: Option<u64>,
    /// The most that it may grow.
    pub grow: Option<Growth>,
    /// File and line that ask for it; `None` for a flag.
    pub place: Option<(String, u32)>,
}

/// Result of measuring a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// So much.
    Known(u64),
    /// Nothing matches.
    Nothing,
    /// It cannot be told, for that reason.
    Unknown(&'static str),
}

impl Subject {
    /// Reads `[KIND:]NAME` of a package.
    ///
    /// # Errors
    /// If the pattern is malformed or the package type is unknown. The message is a sentence.
    pub fn package(text: &str) -> Result<Self, String> {
        let kinds: Vec<&str> = PackageKind::ALL.iter().map(|kind| kind.as_str()).chain(["nix"]).collect();
        let (kind, name) = match text.split_once(':') {
            Some((kind, name)) if kinds.contains(&kind) => (Some(kind.to_owned()), name),
            Some((kind, _)) if !kind.contains(['*', '?']) && kind.chars().all(char::is_alphabetic) => {
                let kind = nixdive_base::text::display_in_sentence(kind);
                return Err(format!("unknown package type `{kind}`; expected one of {}", kinds.join(", ")));
            }
            _ => (None, text),
        };
        Ok(Self::Package { kind, name: Glob::parse(name).map_err(|error| error.to_string())? })
    }

    /// A stable name: `unpacked`, `package/nix:glibc*`, `path//usr/lib/**`.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Metric(metric) => metric.name().to_owned(),
            Self::Layer(None) => "layer/largest".to_owned(),
            Self::Layer(Some(number)) => format!("layer/{number}"),
            Self::Path(glob) => format!("path/{}", shown(glob)),
            Self::Package { kind: Some(kind), name } => format!("package/{kind}:{}", shown(name)),
            Self::Package { kind: None, name } => format!("package/{}", shown(name)),
            Self::StorePath(glob) => format!("storePath/{}", shown(glob)),
        }
    }

    /// In a sentence.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Metric(metric) => metric.describe().to_owned(),
            Self::Layer(None) => "the largest layer".to_owned(),
            Self::Layer(Some(number)) => format!("layer {number}"),
            Self::Path(glob) => format!("files at {}", shown(glob)),
            Self::Package { kind: Some(kind), name } => format!("{kind} packages {}", shown(name)),
            Self::Package { kind: None, name } => format!("packages {}", shown(name)),
            Self::StorePath(glob) => format!("store paths {}", shown(glob)),
        }
    }

    /// Returns the unit that the budget counts in.
    #[must_use]
    pub fn unit(&self) -> Unit {
        match self {
            Self::Metric(metric) => metric.unit(),
            _ => Unit::Bytes,
        }
    }

    /// The part of an image that it is about, for what led to a result; `None` where that is all of it.
    pub(super) fn part_of(&self, snapshot: &Snapshot) -> Option<Snapshot> {
        let mut part = Snapshot {
            has_all_files: snapshot.has_all_files,
            files_from_bytes: snapshot.files_from_bytes,
            ..Snapshot::default()
        };
        match self {
            Self::Metric(_) | Self::Layer(_) => return None,
            Self::Path(glob) => {
                let files = snapshot.files.iter().filter(|row| glob.matches(row.path.as_bytes()));
                part.files = files.cloned().collect();
            }
            Self::Package { kind, name } => {
                let is_kind = |other: &str| kind.as_deref().is_none_or(|kind| kind == other);
                let is_meant = |kind: &str, text: &str| is_kind(kind) && name.matches(text.as_bytes());
                let packages = snapshot.packages.iter().filter(|row| is_meant(&row.kind, &row.name));
                part.packages = packages.cloned().collect();
                let rows = snapshot.store_paths.iter().filter(|row| is_meant("nix", &row.name));
                part.store_paths = rows.cloned().collect();
            }
            Self::StorePath(glob) => {
                let rows = snapshot.store_paths.iter().filter(|row| is_store_path(glob, &row.path));
                part.store_paths = rows.cloned().collect();
            }
        }
        Some(part)
    }

    pub(super) fn measure(&self, snapshot: &Snapshot, baseline: Option<&Snapshot>) -> Measure {
        match self {
            Self::Metric(metric) => match metric.measure(snapshot, baseline) {
                Some(count) => Measure::Known(count),
                None if *metric == Metric::PullDelta && baseline.is_none() => Measure::Unknown("no baseline"),
                None => Measure::Unknown("the bytes of a layer are not known"),
            },
            Self::Layer(number) => {
                let layers = snapshot.layers.iter().enumerate();
                let meant = layers.filter(|(index, _)| number.is_none_or(|number| number == *index));
                let bytes: Option<Vec<u64>> = meant.map(|(_, layer)| layer.unpacked_bytes).collect();
                match bytes.map(|bytes| bytes.into_iter().max()) {
                    None => Measure::Unknown("the bytes of a layer are not known"),
                    Some(None) => Measure::Nothing,
                    Some(Some(most)) => Measure::Known(most),
                }
            }
            Self::Path(glob) => path_bytes(glob, snapshot),
            Self::Package { kind, name } => matching_packages(kind.as_deref(), name, snapshot),
            Self::StorePath(glob) => {
                let matching = snapshot.store_paths.iter().filter(|row| is_store_path(glob, &row.path));
                sum(matching.map(|row| row.nar_bytes))
            }
        }
    }
}

fn shown(glob: &Glob) -> String {
    nixdive_base::text::display_in_sentence(glob.as_str())
}

fn sum(bytes: impl Iterator<Item = u64>) -> Measure {
    bytes.fold(Measure::Nothing, |sum, bytes| match sum {
        Measure::Known(sum) => Measure::Known(sum.saturating_add(bytes)),
        _ => Measure::Known(bytes),
    })
}

fn path_bytes(glob: &Glob, snapshot: &Snapshot) -> Measure {
    if let (false, Some(&bytes)) = (snapshot.has_all_files, snapshot.path_bytes.get(glob.as_str())) {
        return if bytes > 0 { Measure::Known(bytes) } else { Measure::Nothing };
    }
    if !snapshot.has_all_files {
        return Measure::Unknown(
            "of its files the baseline stores the largest, and was made without this pattern; renew it with --update-baseline \
             while the rule is set",
        );
    }
    sum(snapshot.files.iter().filter(|row| glob.matches(row.path.as_bytes())).map(|row| row.bytes))
}

fn matching_packages(kind: Option<&str>, name: &Glob, snapshot: &Snapshot) -> Measure {
    let rows = snapshot.packages.iter().filter(|row| kind.is_none_or(|kind| kind == row.kind));
    let packages = rows.filter(|row| name.matches(row.name.as_bytes())).map(|row| row.installed_bytes);
    let is_nix = kind.is_none_or(|kind| kind == "nix");
    let store = snapshot.store_paths.iter().filter(|row| is_nix && name.matches(row.name.as_bytes()));
    sum(packages.chain(store.map(|row| row.nar_bytes)))
}

/// Returns `true` if a pattern matches a store path: its full path, its base name, or its name
/// without the hash.
pub(super) fn is_store_path(glob: &Glob, path: &str) -> bool {
    let base = path.strip_prefix("/nix/store/").unwrap_or(path);
    let name = base.split_once('-').map_or(base, |(_, name)| name);
    [path, base, name].iter().any(|text| glob.matches(text.as_bytes()))
}
