//! Compares new names with those that Nix computes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{StoreImage, select};
use crate::ImageContent;
use crate::choices::Choices;
use nixdive_base::cancel::Cancel;
use nixdive_nix::live::{LARGE, SMALL, build};
use nixdive_nix::live::{Lab, lab};
use nixdive_scan::Section;
use nixdive_source::open::{Keep, OpenOptions, Progress, open_section};
use nixdive_source::study::{StoreWatch, StudyOptions, study};
use nixdive_source::testing::{Packing, image};

/// Runs `nix store make-content-addressed` and returns its new name for each path of a closure.
fn by_nix(lab: &Lab, top: &str) -> BTreeMap<String, String> {
    let printed = lab.run("nix", &["store", "make-content-addressed", "-r", "--json", top]);
    let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let rewrites = printed["rewrites"].as_object().unwrap();
    rewrites.iter().map(|(old, new)| (old.clone(), new.as_str().unwrap().to_owned())).collect()
}

#[test]
fn every_path_of_a_closure_gets_the_name_that_nix_gives_it() {
    for (expression, least) in [(SMALL, 4), (LARGE, 221)] {
        let Some(lab) = lab("every_path_of_a_closure_gets_the_name_that_nix_gives_it") else { return };
        let top = build(&lab, expression);
        let closure = lab.run("nix-store", &["--query", "--requisites", &top]);
        let closure: Vec<String> = closure.lines().map(str::to_owned).collect();
        for packing in [Packing::Sorted, Packing::Gzip] {
            let archive = image(&lab, &closure, &top, packing);
            let watch = StoreWatch::new();
            let watched = Some(Arc::new(watch.clone()) as Arc<_>);
            let options = OpenOptions { keep: Keep::Aside, watch: watched, ..OpenOptions::default() };
            let opened = open_section(Section::from_bytes(archive), "image.tar", &options, &Progress::new()).unwrap();
            let known = study(&opened, &StudyOptions { watch: Some(&watch), ..StudyOptions::default() });
            let known = known.unwrap().unwrap();
            let image = StoreImage::new(&opened.image, &known);
            let selection = select(&image, &Choices::default()).unwrap();
            let content = ImageContent::new(&opened.image.tree, &opened.contents);
            let renamed = image.rename(&selection, true, &content, &Cancel::new()).unwrap();
            let ours: BTreeMap<String, String> = renamed
                .to
                .iter()
                .map(|(id, new)| (known.get_path(*id).unwrap().to_string(), new.to_string()))
                .collect();
            let theirs = by_nix(&lab, &top);
            assert!(theirs.len() >= least, "{}", theirs.len());
            assert_eq!(ours, theirs);
        }
    }
}
