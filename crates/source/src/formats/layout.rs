use nixdive_base::text::display_in_sentence;
use nixdive_image::reference::{Reference, Selector, Transport};
use nixdive_image::{Config, Defect, DefectKind, Digest, Identity, LayerContents, LayerIndex, Platform, Warning};

/// An image as its manifest and configuration describe it, before any layer is read.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Which manifest of which source.
    pub identity: Identity,
    /// The configuration.
    pub config: Config,
    /// Base layer first.
    pub layers: Vec<DescribedLayer>,
    /// What did not fit together.
    pub warnings: Vec<Warning>,
    /// In what it is not whole, or not what it claims; each is told among the warnings too.
    pub defects: Vec<Defect>,
}

/// A layer as the manifest describes it.
#[derive(Debug, Clone, Default)]
pub struct DescribedLayer {
    /// Its name in the source, as the manifest gives it.
    pub name: String,
    /// Where its bytes really lie in the source, links followed.
    pub located: String,
    /// Digest of the stored blob, where the manifest gives one.
    pub digest: Option<Digest>,
    /// Length of the stored blob, bytes, where the manifest gives one.
    pub stored_bytes: Option<u64>,
    /// Digest of the unpacked tar stream, where the configuration gives one.
    pub diff_id: Option<Digest>,
    /// Media type, where the manifest gives one.
    pub media_type: Option<String>,
    /// Annotations of its descriptor, in order.
    pub annotations: Vec<(String, String)>,
    /// The store paths that it is made of, where the source lists them.
    pub store_paths: Vec<String>,
    /// Addresses outside the source where it lies too.
    pub urls: Vec<String>,
    /// The command that made it.
    pub created_by: Option<String>,
    /// The comment of its history entry.
    pub comment: Option<String>,
    /// When it was made.
    pub created: Option<String>,
    /// Whether the files that it stands for are here.
    pub contents: LayerContents,
}

/// One of several images in a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What to type for it.
    pub reference: String,
    /// Its names there, or its digest.
    pub title: String,
    /// What it runs on, where that is known without opening it.
    pub platform: Option<Platform>,
}

/// What was asked for: where, which, and for which platform.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// As typed.
    pub reference: &'a Reference,
    /// `--platform`.
    pub platform: Option<&'a Platform>,
}

impl Request<'_> {
    /// A choice that leads to the image `selector` names.
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
    /// Fills in what the configuration says of the layers, and notes where its lists do not fit theirs.
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
            // A configuration without any has nothing that layers could contradict.
            if diff_ids == 0 { self.warn(message) } else { self.defect(DefectKind::Altered, None, message) }
        }
        if steps != layers && !self.config.history.is_empty() {
            self.warn(format!(
                "the history has {steps} steps that made a layer, the manifest {layers} layers; commands may stand at the wrong layer"
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

    /// Notes in what the image is not whole, or not what it claims.
    pub fn defect(&mut self, kind: DefectKind, layer: Option<LayerIndex>, message: String) {
        self.warnings.push(Warning { layer, message: message.clone() });
        self.defects.push(Defect { kind, layer, message });
    }

    /// Notes that a layer's bytes are not in the source; the rest of the image is shown without them.
    pub fn absent_layer(&mut self, number: usize, named_by: &str) {
        let Some(layer) = self.layers.get_mut(number) else { return };
        layer.contents = LayerContents::Absent(Vec::new());
        let name = display_in_sentence(&layer.name);
        let index = LayerIndex(u16::try_from(number).unwrap_or(u16::MAX));
        let message =
            format!("layer {number} ({name}): missing: {named_by} names it, but the image does not contain it");
        self.defect(DefectKind::Incomplete, Some(index), message);
    }

    /// Notes something about the image as a whole.
    pub fn warn(&mut self, message: String) {
        self.warnings.push(Warning { layer: None, message });
    }
}
