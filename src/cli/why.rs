use std::process::ExitCode;

use super::arguments::{WhyArguments, WhyFormat};
use super::{examined, output};
use nixdive_base::text::display_name;
use nixdive_image::NodeId;
use nixdive_nix::contents::Place;
use nixdive_nix::graph::PathId;
use nixdive_nix::study::{Match, StoreStudy, Why};
use nixdive_report::WhyReport;
use nixdive_source::open::Keep;
use nixdive_source::study::excerpts;

/// Files that are looked into for `--precise`, in all chains together.
const MOST_EXCERPTS: usize = 10_000;

/// Prints why a store path is in an image.
pub fn run(arguments: &WhyArguments) -> anyhow::Result<ExitCode> {
    let keep = if arguments.precise { Keep::Content } else { Keep::Trees };
    let examined = examined(&arguments.image, &arguments.open, keep)?;
    let (opened, Some(store)) = (&examined.opened, examined.store()?) else {
        anyhow::bail!("the image has no store paths: there is nothing in /nix/store");
    };
    let meant = meant(store, &arguments.wanted, if opened.image.is_closure() { "closure" } else { "image" })?;
    let answers: Vec<Why> = meant.into_iter().map(|path| store.why(path, arguments.all)).collect();
    let found = arguments.precise.then(|| excerpts(opened, &places(store, &answers)));
    for sentence in &store.unread {
        output::note(&format!("not read: {sentence}"));
    }
    let report = WhyReport {
        image: &opened.image,
        study: store,
        answers: &answers,
        all: arguments.all,
        excerpts: found.as_ref(),
    };
    output::print(|out| match arguments.format {
        WhyFormat::Text => report.write_text(out),
        WhyFormat::Json => report.write_json(out),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The store paths that the text means.
fn meant(store: &StoreStudy, text: &str, whole: &str) -> anyhow::Result<Vec<PathId>> {
    let shown = display_name(text.as_bytes()).into_owned();
    match store.find(text) {
        Match::Paths(paths) => Ok(paths),
        Match::Ambiguous(paths) => {
            let paths: Vec<String> =
                paths.iter().filter_map(|&id| store.get_path(id)).map(|path| format!("  {path}")).collect();
            anyhow::bail!("several hashes begin with `{shown}`; give more of it:\n{}", paths.join("\n"))
        }
        Match::Dangling(place) => {
            let absent = store.dangling.get(place);
            let path = absent.map(|absent| absent.path.to_string()).unwrap_or_default();
            let by = absent.and_then(|absent| absent.sightings.iter().find_map(|sighting| sighting.from));
            let by =
                by.and_then(|id| store.get_path(id)).map_or("outside the store".to_owned(), |by| format!("by {by}"));
            anyhow::bail!("{path} is named {by}, but is not in the {whole}")
        }
        Match::Nothing(near) if near.is_empty() => anyhow::bail!("no store path in the {whole} matches `{shown}`"),
        Match::Nothing(near) => {
            anyhow::bail!("no store path in the {whole} matches `{shown}`; similar: {}", near.join(", "))
        }
    }
}

/// The places in files that prove the references of some chains.
fn places(store: &StoreStudy, answers: &[Why]) -> Vec<(NodeId, u64)> {
    let chains = answers.iter().flat_map(|why| &why.chains);
    let mut pairs: Vec<(PathId, PathId)> =
        chains.flat_map(|chain| chain.paths.iter().copied().zip(chain.paths.iter().skip(1).copied())).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let proofs = pairs.into_iter().flat_map(|(from, to)| store.proofs(from, to));
    let place = |proof: nixdive_nix::contents::Evidence| match proof.place {
        Place::Content(offset) => Some((proof.node, offset)),
        Place::LinkTarget | Place::Name => None,
    };
    proofs.filter_map(place).take(MOST_EXCERPTS).collect()
}
