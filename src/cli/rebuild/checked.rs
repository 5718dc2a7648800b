//! `nixdive rebuild --check`.

use std::process::ExitCode;

use crate::cli::output;
use nixdive_base::cancel::Cancel;
use nixdive_base::text::display_name;
use nixdive_rebuild::check;
use nixdive_source::open::Opened;

/// Exit code of an image in which something is broken.
const BROKEN: u8 = 1;
/// Maximum number of links and of uncertainties listed.
const MOST_TOLD: usize = 20;

/// Reports whether the programs of an image find what they need.
pub fn check(opened: &Opened) -> anyhow::Result<ExitCode> {
    let report = check::check(&opened.image, &opened.contents, &Cancel::new())?;
    output::print(|out| {
        for broken in &report.broken {
            writeln!(out, "broken: {}", broken.message)?;
        }
        for link in report.loose_links.iter().take(MOST_TOLD) {
            writeln!(out, "note: {link}")?;
        }
        for doubt in report.doubts.iter().take(MOST_TOLD) {
            writeln!(out, "note: {doubt}")?;
        }
        let name = display_name(opened.image.identity.requested.as_bytes()).into_owned();
        let verdict = match report.broken.len() {
            0 => "ok".to_owned(),
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        writeln!(out, "{name}: {verdict}: {} programs and {} links checked", report.reached, report.links)
    })?;
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(BROKEN) })
}
