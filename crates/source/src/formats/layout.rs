use nixdive_base::text::display_in_sentence;
use nixdive_image::reference::{Reference, Selector, Transport};
use nixdive_image::{Config, Defect, DefectKind, Digest, Identity, LayerContents, LayerIndex, Platform, Warning};

/// An image as described by its manifest and configuration, before any layer is read.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The source and the manifest.
    pub identity: Identity,
    /// The configuration.
    pub config: Config,
    /// Layers, base first.
    pub layers: Vec<DescribedLayer>,
    /// Inconsistencies found in the description.
    pub warnings: Vec<Warning>,
    /// Parts that are missing or altered; each also has a warning.
    pub defects: Vec<Defect>,
}

/// A layer as described by the manifest.
#[derive(Debug, Clone, Default)]
pub struct DescribedLayer {
    /// Name of the layer in the source, as in the manifest.
    pub name: String,
    /// Name under which its bytes are stored in the source, after following links.
    pub located: String,
    /// Digest of the stored blob, if the manifest has one.
    pub digest: Option<Digest>,
    /// Length of the stored blob in bytes, if the manifest has one.
    pub stored_bytes: Option<u64>,
    /// Digest of the unpacked tar stream, if the configuration has one.
    pub diff_id: Option<Digest>,
    /// Media type, if the manifest has one.
    pub media_type: Option<String>,
    /// Annotations of its descriptor, in order.
    pub annotations: Vec<(String, String)>,
    /// Store paths that the layer is made of, if the source lists them.
    pub store_paths: Vec<String>,
    /// Addresses outside the source that provide the layer.
    pub urls: Vec<String>,
    /// The command that created it.
    pub created_by: Option<String>,
    /// The comment of its history entry.
    pub comment: Option<String>,
    /// Time of creation.
    pub created: Option<String>,
    /// Availability of the layer's files.
    pub contents: LayerContents,
}

/// One of several images in a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Reference that selects it.
    pub reference: String,
    /// Its names in the source, or its digest.
    pub title: String,
    /// Its platform, if it is known without opening the image.
    pub platform: Option<Platform>,
}

/// The requested source, image and platform.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The reference as typed.
    pub reference: &'a Reference,
    /// `--platform`.
    pub platform: Option<&'a Platform>,
}

impl Request<'_> {
    /// Returns the choice for the image that `selector` names.
    #[must_use]
    pub fn choice(
        &self,
        transport: Transport,
        selector: &Selector,
        title: String,
        platform: Option<Platform>,
    ) -> Choice {
        Choice { reference: self.reference.choosing(transport, selector), title, platform }
    }
}

impl Layout {
    /// Adds the layers' details from the configuration, and records where its lists do not match.
    pub fn describe_layers(&mut self) {
        let steps: Vec<_> = self.config.history.iter().filter(|step| !step.empty_layer).collect();
        for (index, layer) in self.layers.iter_mut().enumerate() {
            layer.diff_id = self.config.diff_ids.get(index).and_then(|text| Digest::parse(text));
            if let Some(step) = steps.get(index) {
                layer.created_by.clone_from(&step.created_by);
                layer.comment.clone_from(&step.comment);
                layer.created.clone_from(&step.created);
            }
        }
        let (layers, diff_ids, steps) = (self.layers.len(), self.config.diff_ids.len(), steps.len());
        if diff_ids != layers {
            let message = format!(
                "the manifest has {layers} layers, the configuration {diff_ids} diffIDs; the manifest's layers are shown"
            );
            // A configuration without diffIDs cannot contradict the layers.
            if diff_ids == 0 { self.warn(message) } else { self.defect(DefectKind::Altered, None, message) }
        }
        if steps != layers && !self.config.history.is_empty() {
            self.warn(format!(
                "the history has {steps} steps that made a layer, the manifest {layers} layers; commands may be shown at the wrong layer"
            ));
        }
        let broken: Vec<usize> =
            (0..self.config.diff_ids.len().min(layers)).filter(|&index| self.layers[index].diff_id.is_none()).collect();
        for index in broken.into_iter().take(8) {
            let message =
                format!("layer {index}: `{}` is not a digest", display_in_sentence(&self.config.diff_ids[index]));
            self.defect(DefectKind::Altered, Some(LayerIndex(index as u16)), message);
        }
    }

    /// Records a defect: a part is missing or altered.
    pub fn defect(&mut self, kind: DefectKind, layer: Option<LayerIndex>, message: String) {
        self.warnings.push(Warning { layer, message: message.clone() });
        self.defects.push(Defect { kind, layer, message });
    }

    /// Records that a layer's bytes are missing from the source; the rest of the image is shown without them.
    pub fn absent_layer(&mut self, number: usize, named_by: &str) {
        let Some(layer) = self.layers.get_mut(number) else { return };
        layer.contents = LayerContents::Absent(Vec::new());
        let name = display_in_sentence(&layer.name);
        let index = LayerIndex(u16::try_from(number).unwrap_or(u16::MAX));
        let message =
            format!("layer {number} ({name}): missing: {named_by} names it, but the image does not contain it");
        self.defect(DefectKind::Incomplete, Some(index), message);
    }

    /// Records a warning about the image as a whole.
    pub fn warn(&mut self, message: String) {
        self.warnings.push(Warning { layer: None, message });
    }
}
