use std::io::Write;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::arguments::ExtractArguments;
use super::{locate, open_for, output};
use nixdive_base::text::display_bytes;
use nixdive_source::extract::{ExtractProgress, extract};
use nixdive_source::open::Keep;

/// Copies a file or a directory out of an image.
pub fn run(arguments: &ExtractArguments) -> anyhow::Result<ExitCode> {
    let opened = open_for(&arguments.image, &arguments.open, Keep::Content)?;
    let image = &opened.image;
    let layer = locate::layer(image, arguments.layer.as_deref())?;
    let node = locate::node(image, &arguments.path, layer, true)?;
    let done = extract(&image.tree, &opened.contents, node, layer, &arguments.output, &mut shown())?;
    for skipped in &done.skipped {
        output::note(skipped);
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows how far it is on one line of a terminal, once it takes longer than people like to wait.
fn shown() -> impl FnMut(ExtractProgress) -> ControlFlow<()> {
    const PATIENCE: Duration = Duration::from_millis(300);
    const BETWEEN: Duration = Duration::from_millis(100);
    let visible = super::pace::is_watched();
    let (begun, mut last) = (Instant::now(), Instant::now());
    let mut on_screen = false;
    move |progress| {
        let ends = progress.bytes == progress.total_bytes;
        if visible && begun.elapsed() > PATIENCE && (ends && on_screen || !ends && last.elapsed() > BETWEEN) {
            last = Instant::now();
            on_screen = !ends;
            let (bytes, total) = (display_bytes(progress.bytes), display_bytes(progress.total_bytes));
            let text = if ends { String::new() } else { format!("{bytes} of {total}") };
            // Progress that cannot be shown does not stop the extraction.
            let _ = write!(std::io::stderr(), "\r\x1b[K{text}").and_then(|()| std::io::stderr().flush());
        }
        ControlFlow::Continue(())
    }
}
