//! Tests against what is really installed: this machine's databases and real images, with the tools that own the
//! databases as oracles. Each skips, with a reason, where its tool or image is missing, and fails instead where
//! `NIXDIVE_LIVE=1`; images alone may be missing even then.

mod images;
mod machine;
mod rpm;

use std::process::Command;

/// A package as a tool prints it: name and version.
type NameAndVersion = (String, String);

/// Standard output of a tool, `None` where it cannot be run or fails.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Says why a test cannot run here, or fails where every test must.
fn skip(reason: &str) {
    assert!(std::env::var_os("NIXDIVE_LIVE").is_none_or(|live| live != "1"), "NIXDIVE_LIVE=1, but {reason}");
    eprintln!("skipped: {reason}");
}
