//! Findings in the text and Markdown reports.

use std::io::{self, Write};

use super::page::Page;
use nixdive_analyse::findings::{Finding, Findings, Places};
use nixdive_base::text::display_bytes;

/// Hits that are shown of one finding; JSON has more.
const SHOWN: usize = 5;
/// How many there are, and what they would save.
pub(super) fn heading(findings: &Findings) -> String {
    let count = findings.list.len();
    if count == 0 {
        return "Findings: none".to_owned();
    }
    let saved = display_bytes(findings.reclaimable_bytes);
    format!("Findings: {count}; {saved} of files could be saved, no byte counted twice")
}

/// Describes files that could not be examined, if there are any.
pub(super) fn unread(findings: &Findings) -> Option<String> {
    let some = match findings.unread {
        0 if !findings.is_partial => return None,
        0 => "a limit was reached, so that some results are missing here".to_owned(),
        1 => "1 file could not be read; what it contains is not known".to_owned(),
        count => format!("{count} files could not be read; what they contain is not known"),
    };
    Some(some)
}

pub(super) fn write_text(findings: &Findings, places: Places<'_>, out: &mut dyn Write) -> io::Result<()> {
    for finding in &findings.list {
        let bytes = saved(finding);
        writeln!(out, "  {bytes:>8}  {:<11}  {}", finding.severity.name(), finding.rule.id())?;
        writeln!(out, "            {}", finding.title)?;
        for evidence in finding.evidence.iter().take(SHOWN) {
            let bytes = if evidence.bytes > 0 { display_bytes(evidence.bytes) } else { String::new() };
            let line = format!("            {bytes:>8}  {}", places.describe(evidence));
            writeln!(out, "{}", line.trim_end())?;
        }
        if finding.evidence.len() > SHOWN {
            writeln!(out, "                      …")?;
        }
        writeln!(out, "            → {}", finding.remedy)?;
    }
    Ok(())
}

pub(super) fn write_markdown(findings: &Findings, places: Places<'_>, page: &mut Page) {
    page.markup("| saves | severity | rule | finding |\n| ---: | --- | --- | --- |\n");
    for finding in &findings.list {
        let title = (places.quote)(&finding.title);
        page.row([&saved(finding), finding.severity.name(), finding.rule.id(), &title]);
    }
    page.markup("\n<details><summary>Locations and remedies</summary>\n\n");
    for finding in &findings.list {
        page.markup("**").markup(finding.rule.id()).markup("** ").code(&finding.title).markup("\n\n");
        for evidence in finding.evidence.iter().take(SHOWN) {
            let bytes = if evidence.bytes > 0 { format!("{} ", display_bytes(evidence.bytes)) } else { String::new() };
            page.markup("- ").text(&bytes).text(&places.describe(evidence)).markup("\n");
        }
        if finding.evidence.len() > SHOWN {
            page.markup("- …\n");
        }
        page.markup("\n→ ").code(finding.remedy).markup("\n\n");
    }
    page.markup("</details>\n");
}

fn saved(finding: &Finding) -> String {
    if finding.bytes > 0 { display_bytes(finding.bytes) } else { String::new() }
}
