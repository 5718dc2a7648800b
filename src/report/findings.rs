//! What the text and the Markdown report say of findings.

use std::io::{self, Write};

use super::sections::Quote;
use crate::findings::{Evidence, Finding, Findings, Location};
use crate::image::{Image, display_bytes, display_name};
use crate::nix::contents::RootSource;
use crate::nix::graph::PathId;
use crate::nix::study::StoreStudy;

/// Hits that are shown of one finding; JSON has more.
const SHOWN: usize = 5;
/// Store paths of a chain that are named.
const CHAIN: usize = 4;

/// How places are named: the image, its store, and how names are quoted.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    pub image: &'a Image,
    pub store: Option<&'a StoreStudy>,
    pub quote: Quote,
}

/// How many there are, and what they would save.
pub(super) fn heading(findings: &Findings) -> String {
    let count = findings.list.len();
    if count == 0 {
        return "Findings: none".to_owned();
    }
    let saved = display_bytes(findings.reclaimable_bytes);
    format!("Findings: {count}; {saved} of files could be saved, no byte counted twice")
}

/// What could not be looked at, where there is something.
pub(super) fn unread(findings: &Findings) -> Option<String> {
    let some = match findings.unread {
        0 if !findings.is_partial => return None,
        0 => "there was more than is kept, so that some of it is missing here".to_owned(),
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

pub(super) fn write_markdown(findings: &Findings, places: Places<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| saves | severity | rule | finding |\n| ---: | --- | --- | --- |")?;
    for finding in &findings.list {
        let title = (places.quote)(&finding.title);
        writeln!(out, "| {} | {} | {} | {title} |", saved(finding), finding.severity.name(), finding.rule.id())?;
    }
    writeln!(out, "\n<details><summary>Where, and what to do</summary>\n")?;
    for finding in &findings.list {
        writeln!(out, "**{}** {}\n", finding.rule.id(), (places.quote)(&finding.title))?;
        for evidence in finding.evidence.iter().take(SHOWN) {
            let bytes = if evidence.bytes > 0 { format!("{} ", display_bytes(evidence.bytes)) } else { String::new() };
            writeln!(out, "- {bytes}{}", places.describe(evidence))?;
        }
        if finding.evidence.len() > SHOWN {
            writeln!(out, "- …")?;
        }
        writeln!(out, "\n→ {}\n", (places.quote)(finding.remedy))?;
    }
    writeln!(out, "</details>")
}

fn saved(finding: &Finding) -> String {
    if finding.bytes > 0 { display_bytes(finding.bytes) } else { String::new() }
}

impl Places<'_> {
    /// A hit on one line, without its bytes.
    fn describe(&self, evidence: &Evidence) -> String {
        let place = self.place(&evidence.location);
        let note = evidence.note.as_deref().map(self.quote);
        match (place.is_empty(), note) {
            (false, Some(note)) => format!("{place}  ({note})"),
            (true, Some(note)) => note,
            (_, None) => place,
        }
    }

    fn place(&self, location: &Location) -> String {
        match location {
            Location::Path { node, layer, offset, .. } => {
                let path = (self.quote)(&display_name(&self.image.tree.path(*node)));
                let offset = offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default();
                let layer = layer.map(|layer| format!(", layer {}", layer.0)).unwrap_or_default();
                format!("{path}{offset}{layer}")
            }
            Location::StorePath { path, chain, reason } => self.chain(*path, chain, *reason),
            Location::Absent { path, from, node, offset } => {
                let by = match (node, from) {
                    (Some(node), _) => (self.quote)(&display_name(&self.image.tree.path(*node))),
                    (None, Some(from)) => self.name(*from),
                    (None, None) => String::new(),
                };
                let offset = offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default();
                let named = if by.is_empty() { String::new() } else { format!(", named by {by}{offset}") };
                format!("{}{named}", (self.quote)(path.name()))
            }
            Location::Layer(layer) => format!("layer {}", layer.0),
            Location::Environment(_) => "environment".to_owned(),
            Location::Label(_) => "label".to_owned(),
            Location::History(place) => format!("step {} of the history", place + 1),
            Location::Field(name) => (*name).to_owned(),
        }
    }

    fn name(&self, id: PathId) -> String {
        let path = self.store.and_then(|store| store.get_path(id));
        path.map(|path| (self.quote)(path.name())).unwrap_or_default()
    }

    /// `gcc-12 ← lib-1 ← web ← Entrypoint`: what is meant first.
    fn chain(&self, path: PathId, chain: &[PathId], reason: Option<RootSource>) -> String {
        let mut names = vec![self.name(path)];
        let holders: Vec<PathId> = chain.iter().rev().skip(1).copied().collect();
        names.extend(holders.iter().take(CHAIN).map(|&id| self.name(id)));
        if holders.len() > CHAIN {
            names.push("…".to_owned());
        }
        names.extend(reason.map(|reason| self.reason(reason)));
        names.join(" ← ")
    }

    fn reason(&self, reason: RootSource) -> String {
        match reason {
            RootSource::Tree(node, _) => (self.quote)(&display_name(&self.image.tree.path(node))),
            other => other.label(self.image).into_owned(),
        }
    }
}
