use std::io::IsTerminal;
use std::process::ExitCode;

use super::arguments::BrowseArguments;
use super::{inspect, open_for, output};
use crate::analysis::assess;
use crate::open::Keep;
use crate::report::{Format, write_dive_export};

/// Browses an image in the terminal; writes dive's export, or a text report, where that is what is asked for.
pub fn run(arguments: &BrowseArguments) -> anyhow::Result<ExitCode> {
    let on_terminal = std::io::stdout().is_terminal();
    match (&arguments.image, &arguments.json) {
        (None, _) if !on_terminal || arguments.json.is_some() => {
            anyhow::bail!("which image? Give a file, a directory, or «-» for standard input")
        }
        (Some(image), Some(file)) => {
            let opened = open_for(image, &arguments.open, Keep::Trees)?;
            let assessment = assess(&opened.image);
            output::write_whole(file, |out| write_dive_export(&opened.image, &assessment, out))?;
        }
        (Some(image), None) => {
            let opened = open_for(image, &arguments.open, Keep::Trees)?;
            inspect::print(&opened.image, Format::Text)?;
        }
        (None, _) => {}
    }
    Ok(ExitCode::SUCCESS)
}
