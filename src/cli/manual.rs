use std::io::{self, Write};
use std::process::ExitCode;

use super::help::command;

/// Prints completions for `shell`.
pub fn completions(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "nixdive", &mut script);
    print(&script)
}

/// Prints the manual page, with the options of every subcommand.
pub fn page() -> anyhow::Result<ExitCode> {
    let mut page = Vec::new();
    let command = command();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for subcommand in command.get_subcommands() {
        let name = format!("nixdive {}", subcommand.get_name());
        writeln!(page, ".SH \"{}\"", name.to_uppercase())?;
        let manual = clap_mangen::Man::new(subcommand.clone().bin_name(name));
        manual.render_synopsis_section(&mut page)?;
        manual.render_description_section(&mut page)?;
        manual.render_options_section(&mut page)?;
    }
    print(&page)
}

fn print(text: &[u8]) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
