use crate::wrap::wrap;
use nixdive_analyse::analysis::dockerfile;
use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::{Config, Image};

/// Kinds of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    Heading,
    Field,
    /// The first line of an instruction, whose first word is a keyword.
    Instruction,
    /// A further line of it.
    Continuation,
    Comment,
    StorePath,
    Gap,
}

/// One line of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageLine {
    pub kind: LineKind,
    /// A field's name, an instruction's bytes, or empty.
    pub label: String,
    pub text: String,
}

/// Lines that the page may have: an image can claim a million labels.
const MOST_LINES: usize = 20_000;
/// Characters that one line may have.
const LONGEST: usize = 4000;

/// The configuration in full, and the history as a Dockerfile.
pub fn lines(image: &Image) -> Vec<ImageLine> {
    let mut page = PageLines::default();
    configuration(&mut page, image);
    page.heading("Dockerfile, reconstructed from the history");
    for instruction in dockerfile(image) {
        let label = match instruction.layer {
            Some(layer) => format!("{:>3} {:>8}", layer.0, display_bytes(instruction.unpacked_bytes)),
            None => String::new(),
        };
        let comment = instruction.text.starts_with('#');
        for (index, text) in instruction.text.split('\n').enumerate() {
            let kind = match (comment, index) {
                (true, _) => LineKind::Comment,
                (false, 0) => LineKind::Instruction,
                (false, _) => LineKind::Continuation,
            };
            page.push(kind, if index == 0 { &label } else { "" }, text);
        }
        for path in &instruction.store_paths {
            page.push(LineKind::StorePath, "", path);
        }
    }
    page.lines
}

/// Cells of the labels, and of the margin before them.
pub const LABEL_WIDTH: usize = 13;
const MARGIN: usize = 1;
/// Indentation of an instruction's further lines.
const INDENT: &str = "    ";

/// Wraps the lines to `width` cells; each piece carries the number of its line.
pub fn wrapped(lines: &[ImageLine], width: usize) -> Vec<(usize, ImageLine)> {
    let room = width.saturating_sub(MARGIN + LABEL_WIDTH + INDENT.len());
    let mut shown = Vec::with_capacity(lines.len());
    for (number, line) in lines.iter().enumerate() {
        for (index, piece) in wrap(&line.text, room).into_iter().enumerate() {
            let (kind, label) = match (index, line.kind) {
                (0, kind) => (kind, line.label.clone()),
                (_, LineKind::Instruction) => (LineKind::Continuation, String::new()),
                (_, kind) => (kind, String::new()),
            };
            let indent = if index > 0 && kind == LineKind::Continuation { INDENT } else { "" };
            shown.push((number, ImageLine { kind, label, text: format!("{indent}{piece}") }));
            if shown.len() >= MOST_LINES {
                return shown;
            }
        }
    }
    shown
}

#[derive(Default)]
struct PageLines {
    lines: Vec<ImageLine>,
}

impl PageLines {
    fn push(&mut self, kind: LineKind, label: &str, text: &str) {
        if self.lines.len() >= MOST_LINES {
            return;
        }
        let cut: String = text.chars().take(LONGEST).collect();
        // White space keeps its place; whatever else would steer the terminal is spelled out.
        let text = display_name(cut.replace('\t', "    ").trim_end().as_bytes()).into_owned();
        self.lines.push(ImageLine { kind, label: label.to_owned(), text });
    }

    fn heading(&mut self, text: &str) {
        if !self.lines.is_empty() {
            self.push(LineKind::Gap, "", "");
        }
        self.push(LineKind::Heading, "", text);
    }

    /// A field, a line for each line of its value; left out where there is nothing to say.
    fn field(&mut self, label: &str, value: &str) {
        for (index, line) in value.lines().enumerate() {
            self.push(LineKind::Field, if index == 0 { label } else { "" }, line);
        }
    }

    fn list(&mut self, label: &str, values: impl Iterator<Item = impl AsRef<str>>) {
        for (index, value) in values.enumerate() {
            self.field(if index == 0 { label } else { "" }, value.as_ref());
        }
    }
}

fn configuration(page: &mut PageLines, image: &Image) {
    let (identity, config) = (&image.identity, &image.config);
    page.heading("Image");
    page.list("Names", identity.references.iter());
    page.field("Opened as", &identity.requested);
    page.field("Source", &identity.source_kind);
    page.field("Platform", &config.platform.to_string());
    page.field("Manifest", identity.manifest_digest.as_ref().map_or("", |digest| digest.as_str()));
    page.field("Config", identity.config_digest.as_ref().map_or("", |digest| digest.as_str()));
    page.field("Made", config.created.as_deref().unwrap_or_default());
    page.field("Author", config.author.as_deref().unwrap_or_default());
    page.heading("Runtime");
    page.field("Entrypoint", &words(&config.entrypoint));
    page.field("Cmd", &words(&config.cmd));
    page.field("Shell", &words(&config.shell));
    page.field("User", &config.user);
    page.field("Directory", &config.working_directory);
    page.field("Stop signal", config.stop_signal.as_deref().unwrap_or_default());
    page.list("Ports", config.exposed_ports.iter());
    page.list("Volumes", config.volumes.iter());
    page.list("Env", config.env.iter());
    healthcheck(page, config);
    page.list("On build", config.on_build.iter());
    page.list("Labels", config.labels.iter().map(|(name, value)| format!("{name}={value}")));
    for warning in &image.warnings {
        page.field("Warning", &warning.message);
    }
}

/// Words as a shell would need them.
fn words(words: &[String]) -> String {
    let quoted = |word: &String| {
        let plain =
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./=:,@%+".contains(&byte));
        if plain { word.clone() } else { format!("{word:?}") }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

fn healthcheck(page: &mut PageLines, config: &Config) {
    let Some(check) = &config.healthcheck else { return };
    page.field("Health", &words(&check.test));
    let seconds = |nanoseconds: u64| format!("{} s", nanoseconds as f64 / 1e9);
    let parts = [
        check.interval.map(|time| format!("every {}", seconds(time))),
        check.timeout.map(|time| format!("at most {}", seconds(time))),
        check.start_period.map(|time| format!("after {}", seconds(time))),
        check.retries.map(|count| format!("{count} tries")),
    ];
    page.field("", &parts.into_iter().flatten().collect::<Vec<_>>().join(", "));
}
