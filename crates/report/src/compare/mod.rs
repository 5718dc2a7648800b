//! Two images compared, and many: for reading, for pull requests, for programs.

mod assignment;
mod details;
mod document;
mod grid;
mod html;
mod html_lists;
mod html_share;
mod lines;
mod markdown;
mod share;
mod text;

use std::io::{self, Write};

pub use document::COMPARE_SCHEMA;
pub use share::{SHARE_SCHEMA, ShareFormat, ShareReport};

use nixdive_analyse::compare::{Comparison, diff_closures};

/// The form of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareFormat {
    /// For people.
    Text,
    /// `nixdive.compare/1`.
    Json,
    /// For pull requests.
    Markdown,
    /// One file for a browser.
    Html,
    /// The lines of `nix store diff-closures`.
    DiffClosures,
}

/// Writes a comparison. `notes` describe what could not be read.
///
/// # Errors
/// If writing to `out` fails.
pub fn write_comparison(
    comparison: &Comparison<'_>,
    notes: &[String],
    format: CompareFormat,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        CompareFormat::Text => text::write(comparison, notes, out),
        CompareFormat::Json => super::json::write_pretty(&document::document(comparison, notes), super::json::OWN, out),
        CompareFormat::Markdown => markdown::write(comparison, notes, out),
        CompareFormat::Html => html::write(comparison, notes, out),
        CompareFormat::DiffClosures => {
            let lines = diff_closures(comparison.left.store, comparison.right.store);
            lines.iter().try_for_each(|line| writeln!(out, "{line}"))
        }
    }
}

#[cfg(test)]
mod tests;
