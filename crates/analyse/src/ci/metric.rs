use super::outcome::Unit;
use super::snapshot::{LayerRow, Snapshot};

/// A figure of an image that a rule may bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    /// Unpacked layers together, bytes.
    Unpacked,
    /// Stored layers together, bytes.
    Compressed,
    /// File bytes that a container sees.
    Visible,
    /// dive's wasted bytes.
    Wasted,
    /// Number of layers.
    Layers,
    /// Number of files that a container sees.
    Files,
    /// Unpacked layers above the base image, bytes.
    OwnUnpacked,
    /// Unpacked layers of the base image, bytes.
    BaseUnpacked,
    /// Stored layers above the base image, bytes.
    OwnCompressed,
    /// Stored layers of the base image, bytes.
    BaseCompressed,
    /// Bytes to fetch for a host that has the baseline: stored layers that the baseline lacks.
    PullDelta,
}

impl Metric {
    /// All, in the order in which help lists them.
    pub const ALL: [Self; 11] = [
        Self::Unpacked,
        Self::Compressed,
        Self::Visible,
        Self::Wasted,
        Self::Layers,
        Self::Files,
        Self::OwnUnpacked,
        Self::BaseUnpacked,
        Self::OwnCompressed,
        Self::BaseCompressed,
        Self::PullDelta,
    ];

    /// As it is written in rules.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unpacked => "unpacked",
            Self::Compressed => "compressed",
            Self::Visible => "visible",
            Self::Wasted => "wasted",
            Self::Layers => "layers",
            Self::Files => "files",
            Self::OwnUnpacked => "ownUnpacked",
            Self::BaseUnpacked => "baseUnpacked",
            Self::OwnCompressed => "ownCompressed",
            Self::BaseCompressed => "baseCompressed",
            Self::PullDelta => "pullDelta",
        }
    }

    /// Reads a name, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name().eq_ignore_ascii_case(name))
    }

    /// Returns the unit that the metric counts in.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::Layers | Self::Files => Unit::Count,
            _ => Unit::Bytes,
        }
    }

    /// In a sentence: `unpacked layers`.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Unpacked => "unpacked layers",
            Self::Compressed => "compressed layers",
            Self::Visible => "visible files",
            Self::Wasted => "wasted bytes",
            Self::Layers => "layers",
            Self::Files => "files",
            Self::OwnUnpacked => "unpacked layers above the base image",
            Self::BaseUnpacked => "unpacked layers of the base image",
            Self::OwnCompressed => "compressed layers above the base image",
            Self::BaseCompressed => "compressed layers of the base image",
            Self::PullDelta => "compressed layers that the baseline does not have",
        }
    }

    /// Its value; `None` where it is not known, or, of the pull delta, without a baseline.
    #[must_use]
    pub fn measure(self, snapshot: &Snapshot, baseline: Option<&Snapshot>) -> Option<u64> {
        let unpacked = |layer: &LayerRow| layer.unpacked_bytes;
        let compressed = |layer: &LayerRow| layer.compressed_bytes;
        match self {
            Self::Unpacked => sum(snapshot.layers.iter(), unpacked),
            Self::Compressed => sum(snapshot.layers.iter(), compressed),
            Self::Visible => Some(snapshot.totals.visible_file_bytes),
            Self::Wasted => Some(snapshot.totals.wasted_bytes),
            Self::Layers => u64::try_from(snapshot.layers.len()).ok(),
            Self::Files => Some(snapshot.totals.files),
            Self::OwnUnpacked => sum(snapshot.own_layers(), unpacked),
            Self::BaseUnpacked => sum(snapshot.base_layers(), unpacked),
            Self::OwnCompressed => sum(snapshot.own_layers(), compressed),
            Self::BaseCompressed => sum(snapshot.base_layers(), compressed),
            Self::PullDelta => {
                let baseline = baseline?;
                sum(snapshot.layers.iter().filter(|layer| !baseline.has_layer(layer)), compressed)
            }
        }
    }
}

fn sum<'a>(mut layers: impl Iterator<Item = &'a LayerRow>, bytes: impl Fn(&LayerRow) -> Option<u64>) -> Option<u64> {
    layers.try_fold(0u64, |sum, layer| Some(sum.saturating_add(bytes(layer)?)))
}
