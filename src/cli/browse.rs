use std::process::ExitCode;

use super::arguments::BrowseArguments;

/// Browses.
pub fn run(_arguments: &BrowseArguments) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
