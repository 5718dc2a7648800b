//! Small images, compared.

use std::sync::Arc;

use crate::compare::{CompareOptions, Comparison, KnownContents, Outline, Side};
use nixdive_base::cancel::Cancel;
use nixdive_image::reference::Reference;
use nixdive_image::testing::archive::{Written, docker_archive, tar_of};
use nixdive_packages::{CapturedFile, Inventory, find};
use nixdive_scan::{Section, Wanted};
use nixdive_source::identify::identify;
use nixdive_source::open::{Keep, OpenOptions, Opened, Progress, Verify, open_section};
use nixdive_source::study::{StoreWatch, StudyOptions, study};

/// An image with all that is known of it.
pub struct Known {
    pub opened: Opened,
    pub packages: Inventory,
    pub store: Option<nixdive_nix::study::StoreStudy>,
}

impl Known {
    pub fn side(&self) -> Side<'_> {
        Side { image: &self.opened.image, packages: &self.packages, store: self.store.as_ref() }
    }

    pub fn new(open: impl FnOnce(&OpenOptions) -> Opened, verify: Verify) -> Self {
        let watch = StoreWatch::new();
        let wanted = Wanted {
            is_wanted: nixdive_packages::is_wanted,
            identity: nixdive_packages::wanted_identity,
            most_bytes: nixdive_packages::MAX_DATABASE_BYTES,
        };
        let watched = Some(Arc::new(watch.clone()) as Arc<_>);
        // Nothing is read whole that need not be, so that what is compared has to be asked for.
        let keep = Keep::AnyContent;
        let opened =
            open(&OpenOptions { verify, keep, wanted: Some(wanted), watch: watched, ..OpenOptions::default() });
        let store = study(&opened, &StudyOptions { watch: Some(&watch), ..StudyOptions::default() }).unwrap();
        let captured: Vec<CapturedFile<'_>> = opened
            .captured
            .iter()
            .map(|(layer, file)| CapturedFile { layer: *layer, path: &file.path, content: &file.content })
            .collect();
        let top = opened.image.tree.top_layer();
        let packages = top.map(|top| find(&opened.image.tree, top, &captured)).unwrap_or_default();
        Self { opened, packages, store }
    }

    pub fn of_archive(archive: Vec<u8>, verify: Verify) -> Self {
        let section = Section::from_bytes(archive);
        Self::new(|options| open_section(section, "test.tar", options, &Progress::new()).unwrap(), verify)
    }

    /// An image of these layers, opened by its headers alone.
    pub fn of_layers(layers: &[Vec<Written>]) -> Self {
        let layers: Vec<Vec<u8>> = layers.iter().map(|entries| tar_of(entries)).collect();
        Self::of_archive(docker_archive(&layers), Verify::Cheap)
    }

    pub fn of_file(path: &std::path::Path) -> Self {
        let reference = Reference::parse(path.as_os_str()).unwrap();
        Self::new(|options| nixdive_source::open::open(&reference, options, &Progress::new()).unwrap(), Verify::Cheap)
    }

    pub fn identify(&self, ids: &[nixdive_image::OccurrenceId]) -> nixdive_source::identify::Identified {
        identify(&self.opened.image, &self.opened.contents, ids, 0, &Cancel::new()).unwrap()
    }
}

pub fn compare<'a>(left: &'a Known, right: &'a Known, options: CompareOptions) -> Comparison<'a> {
    let outline = Outline::new(&left.opened.image, &right.opened.image);
    let unknown = outline.unknown();
    let known = KnownContents { left: left.identify(&unknown.left).known, right: right.identify(&unknown.right).known };
    outline.finish(left.side(), right.side(), &known, options)
}
