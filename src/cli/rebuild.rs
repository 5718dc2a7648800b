use std::process::ExitCode;

use super::arguments::{PlanFormat, RebuildArguments};
use super::{open_watched, output};
use crate::open::Keep;
use crate::rebuild::choices::{Choices, Cut};
use crate::rebuild::store_image::{StoreImage, select};
use crate::report::PlanReport;
use crate::study::{StoreWatch, StudyOptions, study};

/// Rebuilds an image.
pub fn run(arguments: &RebuildArguments) -> anyhow::Result<ExitCode> {
    let choices = choices(arguments)?;
    let watch = StoreWatch::new();
    let opened = open_watched(&arguments.image, &arguments.open, Keep::Aside, &watch)?;
    let store = study(&opened, &StudyOptions { watch: Some(&watch), ..StudyOptions::default() })?;
    let Some(store) = store.filter(|store| !store.store.paths.is_empty()) else {
        anyhow::bail!("no store");
    };
    let image = StoreImage::new(&opened.image, &store);
    let selection = select(&image, &choices)?;
    let plan = image.plan(&selection, &choices);
    let report = PlanReport { image: &opened.image, plan: &plan };
    output::print(|out| match arguments.format {
        PlanFormat::Text => report.write_text(out),
        PlanFormat::Json => report.write_json(out),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn choices(arguments: &RebuildArguments) -> anyhow::Result<Choices> {
    let mut choices = Choices::default();
    arguments.keep.iter().try_for_each(|text| choices.keep(text))?;
    arguments.drop.iter().try_for_each(|text| choices.drop(text))?;
    choices.cut = arguments.cut.iter().map(|text| Cut::parse(text)).collect::<Result<_, _>>()?;
    Ok(choices)
}
