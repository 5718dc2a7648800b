//! Report of `inspect` on an OCI artifact, which has no image files.

use std::io::{self, Write};

use serde::Serialize;

use super::Format;
use super::document::Pairs;
use super::html::{Markup, Page};
use super::json::{OWN, write_pretty};
use super::page::{self, quoted};
use super::table::{Align, Table};
use nixdive_base::text::{counted, display_bytes, display_in_sentence};
use nixdive_image::{Artifact, ArtifactBlob};

/// Name and version of the JSON report's form.
pub const ARTIFACT_SCHEMA: &str = "nixdive.artifact/1";

/// Characters of an annotation that text shows; JSON has all.
const MOST_SHOWN: usize = 200;

/// Writes the parts of an artifact, ending with a line feed.
///
/// # Errors
/// If writing to `out` fails.
pub fn write_artifact(artifact: &Artifact, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Text => write_text(artifact, out),
        Format::Json => write_pretty(&ArtifactDocument::new(artifact), OWN, out),
        Format::Markdown => write_markdown(artifact, out),
        Format::Html => write_html(artifact, out),
    }
}

fn write_text(artifact: &Artifact, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", heading(artifact))?;
    writeln!(out)?;
    for (name, value) in facts(artifact) {
        writeln!(out, "{name:<13} {value}")?;
    }
    writeln!(out, "\n{}", blobs_heading(artifact))?;
    blobs(artifact, str::to_owned).write_text(out)?;
    if !artifact.annotations.is_empty() {
        writeln!(out, "\nAnnotations")?;
    }
    artifact.annotations.iter().try_for_each(|(name, value)| writeln!(out, "  {}: {}", shown(name), shown(value)))
}

fn write_markdown(artifact: &Artifact, out: &mut dyn Write) -> io::Result<()> {
    let mut page = page::Page::default();
    page.markup("## ").text(&heading(artifact)).markup("\n\n");
    page.pairs("| fact | value |", facts(artifact).into_iter().map(|(name, value)| (name, quoted(&value))));
    page.markup("\n### ").text(&blobs_heading(artifact)).markup("\n\n");
    blobs(artifact, quoted).write_markdown(&mut page);
    if !artifact.annotations.is_empty() {
        page.markup("\n### Annotations\n\n| name | value |\n| --- | --- |\n");
    }
    for (name, value) in &artifact.annotations {
        page.row([quoted(&shown(name)), quoted(&shown(value))]);
    }
    page.write(out)
}

fn write_html(artifact: &Artifact, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(&heading(artifact), Markup::default());
    let list = |pairs: &[(String, String)]| {
        let mut content = Markup::default();
        content.open("dl", &[]);
        for (name, value) in pairs {
            content.element("dt", &[], name).element("dd", &[], value);
        }
        content.close("dl");
        content
    };
    let facts: Vec<(String, String)> =
        facts(artifact).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    page.section("facts", "Facts", list(&facts));
    let blobs: Vec<(String, String)> = artifact
        .blobs
        .iter()
        .map(|blob| (name_of(blob), format!("{}, {}", display_bytes(blob.bytes), shown(&blob.media_type))))
        .collect();
    page.section("blobs", &blobs_heading(artifact), list(&blobs));
    let annotations: Vec<(String, String)> =
        artifact.annotations.iter().map(|(name, value)| (shown(name), shown(value))).collect();
    if !annotations.is_empty() {
        page.section("annotations", "Annotations", list(&annotations));
    }
    page.write(out)
}

/// `OCI artifact: Helm chart`.
fn heading(artifact: &Artifact) -> String {
    match artifact.kind.name() {
        "artifact" => "OCI artifact of no known kind".to_owned(),
        name => format!("OCI artifact: {name}"),
    }
}

fn blobs_heading(artifact: &Artifact) -> String {
    format!("{}, {}", counted(artifact.blobs.len(), "blob"), display_bytes(artifact.blob_bytes()))
}

fn facts(artifact: &Artifact) -> Vec<(&'static str, String)> {
    let identity = &artifact.identity;
    let blob = |blob: &ArtifactBlob| {
        let digest = blob.digest.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{}  {}  {digest}", shown(&blob.media_type), display_bytes(blob.bytes)).trim().to_owned()
    };
    let mut facts = vec![("Name", shown(&identity.requested)), ("Kind", artifact.kind.as_str().to_owned())];
    if !identity.references.is_empty() {
        facts.push(("References", shown(&identity.references.join(", "))));
    }
    facts.extend(identity.manifest_digest.iter().map(|digest| ("Manifest", digest.to_string())));
    facts.extend(artifact.media_type.iter().map(|kind| ("Media type", shown(kind))));
    facts.extend(artifact.artifact_type.iter().map(|kind| ("Artifact type", shown(kind))));
    facts.extend(artifact.config.iter().map(|config| ("Config", blob(config))));
    facts.extend(artifact.subject.iter().map(|subject| ("Subject", blob(subject))));
    facts
}

fn blobs(artifact: &Artifact, quote: fn(&str) -> String) -> Table<4> {
    let columns =
        [("Size", Align::Right), ("Title", Align::Left), ("Media type", Align::Left), ("Digest", Align::Left)];
    let mut table = Table::new(columns);
    for blob in &artifact.blobs {
        let title = blob.title.as_deref().map(shown).unwrap_or_default();
        let digest = blob.digest.as_ref().map(ToString::to_string).unwrap_or_default();
        table.row([display_bytes(blob.bytes), quote(&title), quote(&shown(&blob.media_type)), quote(&digest)]);
    }
    table
}

fn name_of(blob: &ArtifactBlob) -> String {
    let digest = || blob.digest.as_ref().map(ToString::to_string).unwrap_or_default();
    blob.title.as_deref().map_or_else(digest, shown)
}

/// A text of the artifact on one line, cut where it is very long.
fn shown(text: &str) -> String {
    let count = text.chars().count();
    if count <= MOST_SHOWN {
        return display_in_sentence(text);
    }
    let start: String = text.chars().take(MOST_SHOWN).collect();
    format!("{}… ({count} characters)", display_in_sentence(&start))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactDocument<'a> {
    schema: &'static str,
    generator: &'static str,
    kind: &'static str,
    description: &'static str,
    requested: &'a str,
    source: &'a str,
    references: &'a [String],
    manifest_digest: Option<&'a str>,
    media_type: Option<&'a str>,
    artifact_type: Option<&'a str>,
    config: Option<BlobDocument<'a>>,
    blobs: Vec<BlobDocument<'a>>,
    subject: Option<BlobDocument<'a>>,
    annotations: Pairs<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BlobDocument<'a> {
    media_type: &'a str,
    digest: Option<&'a str>,
    size_bytes: u64,
    title: Option<&'a str>,
    annotations: Pairs<'a>,
}

impl<'a> BlobDocument<'a> {
    fn new(blob: &'a ArtifactBlob) -> Self {
        Self {
            media_type: &blob.media_type,
            digest: blob.digest.as_ref().map(|digest| digest.as_str()),
            size_bytes: blob.bytes,
            title: blob.title.as_deref(),
            annotations: Pairs(&blob.annotations),
        }
    }
}

impl<'a> ArtifactDocument<'a> {
    fn new(artifact: &'a Artifact) -> Self {
        let identity = &artifact.identity;
        Self {
            schema: ARTIFACT_SCHEMA,
            generator: concat!("nixdive ", env!("CARGO_PKG_VERSION")),
            kind: artifact.kind.as_str(),
            description: artifact.kind.name(),
            requested: &identity.requested,
            source: &identity.source_kind,
            references: &identity.references,
            manifest_digest: identity.manifest_digest.as_ref().map(|digest| digest.as_str()),
            media_type: artifact.media_type.as_deref(),
            artifact_type: artifact.artifact_type.as_deref(),
            config: artifact.config.as_ref().map(BlobDocument::new),
            blobs: artifact.blobs.iter().map(BlobDocument::new).collect(),
            subject: artifact.subject.as_ref().map(BlobDocument::new),
            annotations: Pairs(&artifact.annotations),
        }
    }
}
