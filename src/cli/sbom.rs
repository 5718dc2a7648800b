use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;

use super::arguments::{SbomArguments, SbomFormat};
use super::{examined, output};
use nixdive_image::Resolution;
use nixdive_packages::Distribution;
use nixdive_report::Sbom;
use nixdive_source::open::{Keep, Opened};

/// Bytes of `os-release` that are read.
const MOST_BYTES: u64 = 64 << 10;

/// Prints a bill of materials.
pub fn run(arguments: &SbomArguments) -> anyhow::Result<ExitCode> {
    let open = arguments.open.certifying(arguments.incomplete);
    let examined = examined(&arguments.image, &open, Keep::Content)?;
    let (packages, store) = (examined.packages(), examined.store()?.map(Arc::as_ref));
    for problem in &packages.problems {
        output::note(&format!("not read: /{} {}", String::from_utf8_lossy(&problem.path), problem.message));
    }
    let distribution = distribution(&examined.opened).unwrap_or_default();
    let sbom = Sbom::new(examined.image(), Some(packages), store, &distribution);
    let format = match arguments.format {
        SbomFormat::Text => nixdive_report::SbomFormat::Text,
        SbomFormat::Cyclonedx => nixdive_report::SbomFormat::CycloneDx,
        SbomFormat::Spdx => nixdive_report::SbomFormat::Spdx,
    };
    output::print(|out| sbom.write(format, out))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the distribution named by the image; `None` if it names none or cannot be read.
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
