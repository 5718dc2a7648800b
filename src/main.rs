//! The `nixdive` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    nixdive::cli::run()
}
