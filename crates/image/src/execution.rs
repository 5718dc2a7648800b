//! Permission to start programs, and the only place where a command for one is made.
//!
//! Data never starts a program: what comes from an image, a rule file, a manifest or a registry can neither make a
//! [`Permission`] nor a [`Program`](crate::reference::Program). Both come from the command line.

use std::ffi::OsStr;
use std::process::Command;

/// Permission to start programs, or the reason why it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    refused_by: Option<&'static str>,
}

/// A program that was not started because starting programs is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{program}` was not started: {refused_by}")]
pub struct ExecutionRefused {
    /// The program, safe to print.
    pub program: String,
    /// The reason for refusing, such as an option.
    pub refused_by: &'static str,
}

impl Permission {
    /// Programs may be started.
    #[must_use]
    pub const fn granted() -> Self {
        Self { refused_by: None }
    }

    /// No program may be started. `by` says what forbids it, to follow "was not started: ".
    #[must_use]
    pub const fn refused(by: &'static str) -> Self {
        Self { refused_by: Some(by) }
    }

    /// Checks that `program` may be started.
    ///
    /// # Errors
    /// If starting programs is refused.
    pub fn check(self, program: impl AsRef<OsStr>) -> Result<(), ExecutionRefused> {
        let Some(refused_by) = self.refused_by else { return Ok(()) };
        let program = nixdive_base::text::display_name(program.as_ref().as_encoded_bytes()).into_owned();
        tracing::info!(target: "program", program, refused_by, "not started");
        Err(ExecutionRefused { program, refused_by })
    }

    /// A command for `program`. A name without a slash is searched for on `PATH`.
    ///
    /// # Errors
    /// If starting programs is refused.
    pub fn command(self, program: impl AsRef<OsStr>) -> Result<Command, ExecutionRefused> {
        self.check(&program)?;
        // Arguments are left out: build arguments may be secrets.
        tracing::debug!(target: "program", program = %program.as_ref().display(), "about to start");
        #[allow(clippy::disallowed_methods)] // The one place.
        Ok(Command::new(program))
    }
}

impl Default for Permission {
    /// Refused: a caller that wants programs to be started says so.
    fn default() -> Self {
        Self::refused("the caller does not allow programs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_needs_permission() {
        assert!(Permission::granted().command("nix").is_ok());
        let refused = Permission::refused("--no-exec is set").command("nix\u{1b}").unwrap_err();
        assert_eq!(refused.to_string(), "`nix\\x1b` was not started: --no-exec is set");
        assert!(Permission::default().command("nix").is_err());
    }
}
