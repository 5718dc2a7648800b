use std::collections::BTreeMap;
use std::sync::OnceLock;

use hashbrown::HashMap;
use serde_json::Value;

use super::{Child, ChildPlatform, Index, NoPlatform};
use crate::{Assemble, Document, Parcel, Shipment};
use nixdive_image::Digest;

/// Images of several sources to be combined into one index.
#[derive(Debug)]
pub struct IndexPlan {
    images: Vec<PlannedImage>,
    annotations: BTreeMap<String, String>,
    made: OnceLock<Index>,
}

/// Properties of an image that are known before its manifest is.
#[derive(Debug, Clone)]
struct PlannedImage {
    source: String,
    config_digest: Digest,
    platform: ChildPlatform,
    annotations: BTreeMap<String, String>,
}

/// Two images for the same platform, between which clients cannot choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// Platform of both images.
    pub platform: ChildPlatform,
    /// Source of the image that clients get.
    pub first: String,
    /// Source of the other image.
    pub second: String,
}

/// Image that an index cannot list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", nixdive_base::text::display_in_sentence(source_text))]
pub struct UnlistableImage {
    /// Source of the image, as the user typed it.
    pub source_text: String,
    /// Reason.
    pub reason: NoPlatform,
}

/// Description of an image in the index that listed it.
#[derive(Debug, Clone, Default)]
struct Said {
    platform: Option<ChildPlatform>,
    annotations: BTreeMap<String, String>,
}

impl IndexPlan {
    /// Plans an index of the images of all sources, each with the text that the user typed for it. Indexes among the
    /// sources are replaced by their images, whose descriptions are kept.
    ///
    /// # Errors
    /// If an image has no platform.
    pub fn new(
        sources: &[(String, Shipment)],
        annotations: BTreeMap<String, String>,
    ) -> Result<(Self, Vec<Parcel>), UnlistableImage> {
        let mut images = Vec::new();
        let mut parcels = Vec::new();
        for (source, shipment) in sources {
            let said = said_of(&shipment.indexes);
            for parcel in &shipment.images {
                let of_index = parcel.manifest.as_ref().and_then(|manifest| said.get(&manifest.digest)).cloned();
                let Said { platform, annotations } = of_index.unwrap_or_default();
                let platform = platform.map_or_else(|| ChildPlatform::read(&parcel.config.bytes), Ok);
                let platform = platform.map_err(|reason| UnlistableImage { source_text: source.clone(), reason })?;
                let config_digest = parcel.config.digest.clone();
                images.push(PlannedImage { source: source.clone(), config_digest, platform, annotations });
                parcels.push(parcel.clone());
            }
        }
        Ok((Self { images, annotations, made: OnceLock::new() }, parcels))
    }

    /// Returns the images that share a platform with an earlier one. Equal images and attestations do not count.
    #[must_use]
    pub fn clashes(&self) -> Vec<Clash> {
        let mut first: HashMap<String, &PlannedImage> = HashMap::new();
        let mut clashes = Vec::new();
        for image in self.images.iter().filter(|image| !image.platform.is_unknown()) {
            let before = *first.entry(image.platform.to_string()).or_insert(image);
            if before.config_digest != image.config_digest {
                clashes.push(Clash {
                    platform: image.platform.clone(),
                    first: before.source.clone(),
                    second: image.source.clone(),
                });
            }
        }
        clashes
    }

    /// Returns the index, once the images have arrived.
    #[must_use]
    pub fn made(&self) -> Option<&Index> {
        self.made.get()
    }
}

impl Assemble for IndexPlan {
    fn index(&self, manifests: &[Document]) -> (String, Vec<u8>) {
        let child = |(image, manifest): (&PlannedImage, &Document)| Child {
            source: image.source.clone(),
            digest: manifest.digest.clone(),
            manifest_bytes: manifest.bytes.len() as u64,
            media_type: manifest.media_type.clone(),
            platform: image.platform.clone(),
            annotations: image.annotations.clone(),
        };
        let children = self.images.iter().zip(manifests).map(child).collect();
        let index = Index::new(children, self.annotations.clone());
        let document = (index.media_type().to_owned(), index.to_json());
        // A second attempt builds the same index.
        let _ = self.made.set(index);
        document
    }
}

/// Collects the descriptions in indexes; the outermost index, which is the last, takes precedence.
fn said_of(indexes: &[Document]) -> HashMap<Digest, Said> {
    let mut said = HashMap::new();
    for index in indexes {
        let document: Value = serde_json::from_slice(&index.bytes).unwrap_or_default();
        let listed = document.get("manifests").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for one in listed {
            let Some(digest) = one.get("digest").and_then(Value::as_str).and_then(Digest::parse) else { continue };
            let platform =
                one.get("platform").and_then(|platform| ChildPlatform::read(platform.to_string().as_bytes()).ok());
            let annotations = one.get("annotations").and_then(Value::as_object).into_iter().flatten();
            let texts = annotations.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
            said.insert(digest, Said { platform, annotations: texts.collect() });
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sha2::Digest as _;

    use super::*;
    use nixdive_image::Platform;

    fn document(media_type: &str, value: &Value) -> Document {
        let bytes = value.to_string().into_bytes();
        let digest = Digest::from_sha256(&sha2::Sha256::digest(&bytes).into());
        Document { media_type: media_type.to_owned(), digest, bytes }
    }

    fn parcel(config: &Value, has_manifest: bool) -> Parcel {
        let config = document("application/vnd.oci.image.config.v1+json", config);
        let manifest = json!({"config": {"digest": config.digest.as_str()}});
        let manifest = has_manifest.then(|| document("application/vnd.oci.image.manifest.v1+json", &manifest));
        Parcel { manifest, config, layers: Vec::new(), platform: Platform::default() }
    }

    fn shipment(images: Vec<Parcel>, indexes: Vec<Document>) -> Shipment {
        Shipment { images, indexes, names: Vec::new(), repository: None, warnings: Vec::new() }
    }

    fn plan(sources: &[(&str, Shipment)]) -> Result<(IndexPlan, Vec<Parcel>), UnlistableImage> {
        let named: Vec<(String, Shipment)> =
            sources.iter().map(|(source, shipment)| ((*source).to_owned(), shipment.clone())).collect();
        IndexPlan::new(&named, BTreeMap::new())
    }

    #[test]
    fn what_an_index_says_of_its_images_goes_on_to_the_next_one() {
        let image = parcel(&json!({"os": "linux", "architecture": "arm"}), true);
        let digest = image.manifest.as_ref().unwrap().digest.to_string();
        let index = json!({"manifests": [{
            "digest": digest,
            "platform": {"os": "linux", "architecture": "arm", "variant": "v6"},
            "annotations": {"a": "1"},
        }]});
        let index = document(crate::index::OCI_INDEX, &index);
        let alone = parcel(&json!({"os": "linux", "architecture": "amd64"}), false);
        let sources = [("many", shipment(vec![image], vec![index])), ("one", shipment(vec![alone], Vec::new()))];
        let (plan, parcels) = plan(&sources).unwrap();
        assert_eq!(parcels.len(), 2);
        assert!(plan.made().is_none());
        let manifests = [document("m", &json!(1)), document("m", &json!(2))];
        let (media_type, bytes) = plan.index(&manifests);
        assert_eq!(media_type, crate::index::OCI_INDEX);
        let made = plan.made().unwrap();
        assert_eq!(made.to_json(), bytes);
        let listed: Vec<(String, &str)> =
            made.children().iter().map(|child| (child.platform.to_string(), child.source.as_str())).collect();
        assert_eq!(listed, [("linux/amd64".to_owned(), "one"), ("linux/arm/v6".to_owned(), "many")]);
        assert_eq!(made.children()[1].annotations.get("a").map(String::as_str), Some("1"));
        assert_eq!(made.children()[1].digest, manifests[0].digest);
    }

    #[test]
    fn equal_images_and_attestations_do_not_clash() {
        let of = |os: &str, author: &str| {
            let config = json!({"os": os, "architecture": os.replace("linux", "arm64"), "author": author});
            shipment(vec![parcel(&config, false)], Vec::new())
        };
        let sources =
            [("a", of("linux", "")), ("b", of("linux", "")), ("c", of("unknown", "1")), ("d", of("unknown", "2"))];
        assert_eq!(plan(&sources).unwrap().0.clashes(), []);
        let sources = [("a", of("linux", "")), ("b", of("linux", "x"))];
        let clashes = plan(&sources).unwrap().0.clashes();
        let [Clash { platform, first, second }] = clashes.as_slice() else { panic!("{clashes:?}") };
        assert_eq!((platform.to_string(), first.as_str(), second.as_str()), ("linux/arm64".to_owned(), "a", "b"));
        let error = plan(&[("there", shipment(vec![parcel(&json!({}), true)], Vec::new()))]).err().unwrap();
        assert!(error.to_string().starts_with("there: "), "{error}");
    }
}
