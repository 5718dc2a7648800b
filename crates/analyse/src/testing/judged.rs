//! Small images, judged by the rules.

use crate::examine::examine;
use crate::findings::{Finding, Findings, Location, Rule, Subject, find};
use nixdive_base::cancel::Cancel;
use nixdive_image::testing::archive::{Written, docker_archive, tar_of};
use nixdive_image::{Image, LayerIndex};
use nixdive_nix::study::{RecordedStore, StoreStudy};
use nixdive_packages::CapturedFile;
use nixdive_scan::Section;
use nixdive_source::open::{OpenOptions, Opened, Progress, open_section};
use nixdive_source::study::{StudyOptions, study};

/// An image in the making.
#[derive(Default)]
pub struct Made {
    pub layers: Vec<Vec<Written>>,
    pub configure: Option<fn(&mut Image)>,
    pub recorded: Option<RecordedStore>,
}

/// Result of the check.
pub struct Judged {
    pub opened: Opened,
    pub store: Option<StoreStudy>,
    pub found: Findings,
}

pub fn layers(layers: Vec<Vec<Written>>) -> Made {
    Made { layers, ..Made::default() }
}

pub fn one(entries: Vec<Written>) -> Made {
    layers(vec![entries])
}

impl Made {
    pub fn configured(self, configure: fn(&mut Image)) -> Self {
        Self { configure: Some(configure), ..self }
    }

    pub fn judge(self) -> Judged {
        let written: Vec<Vec<u8>> = self.layers.iter().map(|entries| tar_of(entries)).collect();
        let section = Section::from_bytes(docker_archive(&written));
        let mut opened = open_section(section, "test.tar", &OpenOptions::default(), &Progress::new()).unwrap();
        if let Some(configure) = self.configure {
            configure(&mut opened.image);
        }
        let options = StudyOptions { recorded: self.recorded.as_ref(), ..StudyOptions::default() };
        let store = study(&opened, &options).unwrap();
        let entries = self.layers.iter().zip(0u16..).flat_map(|(layer, number)| layer.iter().map(move |e| (number, e)));
        let captured: Vec<CapturedFile<'_>> = entries
            .filter(|(_, entry)| nixdive_packages::is_wanted(&entry.path))
            .map(|(number, entry)| CapturedFile {
                layer: LayerIndex(number),
                path: &entry.path,
                content: &entry.content,
            })
            .collect();
        let top = opened.image.tree.top_layer().unwrap();
        let packages = nixdive_packages::find(&opened.image.tree, top, &captured);
        let facts = examine(&opened.image, &opened.contents, 2, &Cancel::new()).unwrap();
        let found = find(&Subject {
            image: &opened.image,
            packages: Some(&packages),
            store: store.as_ref(),
            facts: Some(&facts),
        });
        Judged { opened, store, found }
    }
}

impl Judged {
    pub fn of(&self, rule: Rule) -> Option<&Finding> {
        self.found.list.iter().find(|finding| finding.rule == rule)
    }

    /// The paths, store paths' names and other places of a finding.
    pub fn places(&self, rule: Rule) -> Vec<String> {
        let evidence = self.of(rule).map_or(&[][..], |finding| &finding.evidence);
        let name = |id| self.store.as_ref().unwrap().get_path(id).unwrap().name().to_owned();
        let place = |location: &Location| match location {
            Location::Path { node, .. } => nixdive_image::testing::path(&self.opened.image.tree, *node),
            Location::StorePath { path, .. } => name(*path),
            Location::Absent { path, .. } => path.name().to_owned(),
            other => format!("{other:?}"),
        };
        evidence.iter().map(|evidence| place(&evidence.location)).collect()
    }
}

pub fn file(path: &str, content: &str) -> Written {
    Written::file(path, content.as_bytes())
}

/// Bytes that are like no others.
pub fn bulk(seed: u8, length: usize) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

pub fn big(path: &str, length: usize) -> Written {
    let seed = path.bytes().fold(0u8, u8::wrapping_add);
    Written::file(path, &bulk(seed, length))
}
