use std::io::Read;
use std::process::ExitCode;

use super::arguments::{SbomArguments, SbomFormat};
use super::inspect::packages_of;
use super::{open_watched, output};
use nixdive_image::Resolution;
use nixdive_report::{self, Distribution, Sbom};
use nixdive_source::open::{Keep, Opened};
use nixdive_source::study::{StoreWatch, StudyOptions, study};

/// Bytes of `os-release` that are read.
const MOST_BYTES: u64 = 64 << 10;

/// Prints a bill of materials.
pub fn run(arguments: &SbomArguments) -> anyhow::Result<ExitCode> {
    let watch = StoreWatch::new();
    let open = arguments.open.certifying(arguments.incomplete);
    let opened = open_watched(&arguments.image, &open, Keep::Content, &watch)?;
    let store = study(&opened, &StudyOptions { watch: Some(&watch), ..StudyOptions::default() })?;
    let packages = packages_of(&opened.image, &opened.captured);
    for problem in packages.iter().flat_map(|found| &found.problems) {
        output::note(&format!("not read: /{} {}", String::from_utf8_lossy(&problem.path), problem.message));
    }
    let distribution = distribution(&opened).unwrap_or_default();
    let sbom = Sbom::new(&opened.image, packages.as_ref(), store.as_ref(), &distribution);
    let format = match arguments.format {
        SbomFormat::Text => nixdive_report::SbomFormat::Text,
        SbomFormat::Cyclonedx => nixdive_report::SbomFormat::CycloneDx,
        SbomFormat::Spdx => nixdive_report::SbomFormat::Spdx,
    };
    output::print(|out| sbom.write(format, out))?;
    Ok(ExitCode::SUCCESS)
}

/// What the image says that it is; `None` where it does not, or it cannot be read.
fn distribution(opened: &Opened) -> Option<Distribution> {
    let tree = &opened.image.tree;
    let top = tree.top_layer()?;
    let content = ["/etc/os-release", "/usr/lib/os-release"].iter().find_map(|path| {
        let Resolution::Found { node, .. } = tree.resolve(path.as_bytes(), top, true) else { return None };
        let reader = opened.contents.reader(tree, tree.visible_at(node, top)?).ok()?;
        let mut content = Vec::new();
        reader.take(MOST_BYTES).read_to_end(&mut content).ok()?;
        Some(content)
    })?;
    Some(Distribution::parse(&content))
}
