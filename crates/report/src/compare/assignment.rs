use std::io::{self, Write};

use serde_json::{Value, json};

use super::grid::Grid;
use super::share::letter;
use crate::page::Page;
use crate::sections::Quote;
use crate::table::Align::{Left, Right};
use nixdive_analyse::compare::{LayerAssignment, Level, Matrix, Sharing};
use nixdive_base::text::{display_bytes, display_name};

/// Pairs and layers that a report for people shows.
const MOST_PAIRS: usize = 28;
const MOST_LAYERS: usize = 20;
/// Store paths of one layer that it names.
const MOST_NAMES: usize = 3;

/// Title of the proposed layers in a report.
pub(super) const TITLE: &str = "Layers that would share more store paths";

/// The sentences about an assignment, and the tables that go with them.
pub(super) struct Proposal {
    pub sentences: Vec<String>,
    /// Bytes that each pair of images shares with the current layers, with the proposed ones, and
    /// with one store path per layer.
    pub pairs: Grid,
    /// The layers; empty where nothing is to be gained.
    pub layers: Grid,
}

impl Proposal {
    /// `None` where no two images have a store.
    pub fn new(sharing: &Sharing, quote: Quote) -> Option<Self> {
        let plan = sharing.assignment.as_ref()?;
        let each = sharing.level(Level::StorePaths)?;
        let gain = plan.saved_then().saturating_sub(plan.saved_today());
        let mut proposal = Self { sentences: sentences(plan, each), pairs: pairs(plan, each), layers: layers_head() };
        if gain > 0 {
            for layer in plan.layers.iter().take(MOST_LAYERS) {
                let images: Vec<String> = layer.images.iter().map(|&image| letter(image)).collect();
                let (bytes, saved) = (display_bytes(layer.bytes), display_bytes(layer.saved_bytes()));
                proposal.layers.row(vec![images.join(" "), bytes, saved, names(&layer.store_paths, quote)]);
            }
            let left_out = plan.layers.len().saturating_sub(MOST_LAYERS);
            if left_out > 0 {
                proposal.sentences.push(format!("{left_out} smaller layers are left out here; JSON has them all."));
            }
        }
        Some(proposal)
    }

    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\n{TITLE}")?;
        self.sentences.iter().try_for_each(|sentence| writeln!(out, "  {sentence}"))?;
        self.grids().try_for_each(|grid| grid.write_text(out))
    }

    pub fn write_markdown(&self, page: &mut Page) {
        page.markup("\n### ").markup(TITLE).markup("\n\n");
        for sentence in &self.sentences {
            page.text(sentence).markup("\n");
        }
        for grid in self.grids() {
            page.markup("\n");
            grid.write_markdown(page);
        }
    }

    fn grids(&self) -> impl Iterator<Item = &Grid> {
        [&self.pairs, &self.layers].into_iter().filter(|grid| !grid.is_empty())
    }
}

fn layers_head() -> Grid {
    Grid::new(&[("layer for", Left), ("bytes", Right), ("saves", Right), ("store paths", Left)])
}

fn sentences(plan: &LayerAssignment, each: &Matrix) -> Vec<String> {
    let most = each.sum_bytes.saturating_sub(each.together_bytes);
    let (today, then) = (plan.saved_today(), plan.saved_then());
    let mut sentences = vec![format!(
        "One host with all of them saves {} of store paths with today's layers, and {} with one store path per layer.",
        display_bytes(today),
        display_bytes(most)
    )];
    sentences.push(if most == 0 {
        "No store path is in two of them.".to_owned()
    } else if then > today {
        let layers: Vec<String> =
            (0..).zip(&plan.layers_of_images).map(|(image, n)| format!("{} {n}", letter(image))).collect();
        format!(
            "With the layers below, made by one tool, it saves {} ({} more), with at most {} layers per image: {}.",
            display_bytes(then),
            display_bytes(then - today),
            plan.max_layers,
            layers.join(", ")
        )
    } else if today == most {
        "Today's layers already share all of it.".to_owned()
    } else {
        format!("No layers were found that share more than today's with at most {} an image.", plan.max_layers)
    });
    sentences
}

/// The pairs that have a store path in common, those with most first.
fn pairs(plan: &LayerAssignment, each: &Matrix) -> Grid {
    let mut grid =
        Grid::new(&[("pair", Left), ("today", Right), ("with these layers", Right), ("one path a layer", Right)]);
    let cell = |matrix: &Matrix, row: usize, column: usize| {
        matrix.shared.get(row).and_then(|cells| cells.get(column)).copied().unwrap_or_default()
    };
    let count = each.shared.len();
    let all = (0..count).flat_map(|row| (row + 1..count).map(move |column| (row, column)));
    let mut pairs: Vec<(u64, usize, usize)> = all.map(|(row, column)| (cell(each, row, column), row, column)).collect();
    pairs.retain(|pair| pair.0 > 0);
    pairs.sort_by_key(|&(bytes, row, column)| (std::cmp::Reverse(bytes), row, column));
    for (most, row, column) in pairs.into_iter().take(MOST_PAIRS) {
        // What is proposed is taken only where it is better on the whole.
        let today = cell(&plan.today, row, column);
        let then = if plan.saved_then() > plan.saved_today() { cell(&plan.then, row, column) } else { today };
        let name = format!("{} {}", letter(row), letter(column));
        grid.row(vec![name, display_bytes(today), display_bytes(then), display_bytes(most)]);
    }
    grid
}

fn names(paths: &[String], quote: Quote) -> String {
    // The hash says nothing to a reader; JSON has it.
    let name = |path: &String| {
        let name = path.split_once('-').map_or(path.as_str(), |(_, name)| name);
        quote(&display_name(name.as_bytes()))
    };
    let mut text = paths.iter().take(MOST_NAMES).map(name).collect::<Vec<_>>().join(" ");
    let left_out = paths.len().saturating_sub(MOST_NAMES);
    if left_out > 0 {
        text.push_str(&format!(" and {left_out} more"));
    }
    text
}

/// The part of `nixdive.share/1`.
pub(super) fn document(plan: &LayerAssignment) -> Value {
    let layer = |layer: &nixdive_analyse::compare::PlannedLayer| {
        json!({
            "images": layer.images,
            "bytes": layer.bytes,
            "savedBytes": layer.saved_bytes(),
            "storePaths": layer.store_paths,
        })
    };
    json!({
        "maxLayers": plan.max_layers,
        "layers": plan.layers.iter().map(layer).collect::<Vec<_>>(),
        "layersOfImages": plan.layers_of_images,
        "today": { "shared": plan.today.shared, "savedBytes": plan.saved_today() },
        "then": { "shared": plan.then.shared, "savedBytes": plan.saved_then() },
    })
}
