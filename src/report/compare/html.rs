use std::io::{self, Write};

use super::lines;
use crate::compare::Comparison;
use crate::image::display_name;
use crate::report::sections::{platform, title};

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:15px/1.45 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.4rem}code{font-family:ui-monospace,monospace;overflow-wrap:anywhere}\
table{border-collapse:collapse;margin:.5rem 0}th,td{padding:.15rem .6rem;text-align:left;vertical-align:top}\
th{border-bottom:1px solid}.n{text-align:right;white-space:nowrap}\
summary{cursor:pointer;font-weight:600;margin:.6rem 0}tbody tr:nth-child(even){background:#8882}";

/// The comparison as one file for a browser: no script, nothing fetched, and a policy that allows neither.
pub(super) fn write(comparison: &Comparison<'_>, notes: &[String], out: &mut dyn Write) -> io::Result<()> {
    let (left, right) = (comparison.left.image, comparison.right.image);
    let names = format!("{} → {}", escape(&title(left)), escape(&title(right)));
    writeln!(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">")?;
    writeln!(
        out,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    )?;
    writeln!(out, "<meta name=\"viewport\" content=\"width=device-width\"><title>{names}</title>")?;
    writeln!(out, "<style>{STYLE}</style></head><body><main><h1>{names}</h1>")?;
    writeln!(out, "<p>{} and {}</p>", escape(&platform(left)), escape(&platform(right)))?;
    writeln!(out, "<p>{}</p>", lines::headline(comparison, code))?;
    lines::figures(comparison).write_html(out)?;
    writeln!(out, "<ul>")?;
    lines::transfers(comparison).iter().try_for_each(|line| writeln!(out, "<li>{line}</li>"))?;
    notes.iter().try_for_each(|note| writeln!(out, "<li>⚠ {}</li>", code(&display_name(note.as_bytes()))))?;
    writeln!(out, "</ul>")?;
    for section in lines::sections(comparison, code) {
        let open = if section.is_open { " open" } else { "" };
        writeln!(out, "<details{open}><summary>{}</summary>", section.title)?;
        section.grid.write_html(out)?;
        writeln!(out, "</details>")?;
    }
    writeln!(out, "</main></body></html>")
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}

/// Text as content of an element or of a quoted attribute: HTML Living Standard, 13.3, "Escaping a string".
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
