//! A real Nix for tests to hold this room against.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A store of its own in a temporary directory.
pub struct Lab {
    directory: tempfile::TempDir,
    /// Where its programs are; those on PATH without it.
    programs: Option<PathBuf>,
}

/// A lab; `None`, with the reason printed, where there is no Nix. Panics instead where `NIXDIVE_LIVE` is `1`.
pub fn lab(test: &str) -> Option<Lab> {
    let found = Command::new("nix-store").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        skip(test, "nix-store is not installed");
        return None;
    }
    Some(Lab { directory: tempfile::tempdir().unwrap(), programs: None })
}

/// A lab of the Nix on PATH, and one of another version: `NIXDIVE_OTHER_NIX` names the directory of its programs.
pub fn labs(test: &str) -> Vec<Lab> {
    let other = std::env::var_os("NIXDIVE_OTHER_NIX").map(PathBuf::from);
    if other.is_none() {
        eprintln!("{test}: one version of Nix alone is tried, as NIXDIVE_OTHER_NIX is not set");
    }
    let other = other.map(|programs| Lab { directory: tempfile::tempdir().unwrap(), programs: Some(programs) });
    lab(test).into_iter().chain(other).collect()
}

/// Prints why a test is skipped. Panics instead where `NIXDIVE_LIVE` is `1`.
pub fn skip(test: &str, reason: &str) {
    assert_ne!(std::env::var("NIXDIVE_LIVE").as_deref(), Ok("1"), "{test}: {reason}");
    eprintln!("{test} skipped: {reason}");
}

impl Lab {
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A Nix program that works on this store alone.
    pub fn command(&self, program: &str) -> Command {
        let mut command = match &self.programs {
            Some(programs) => Command::new(programs.join(program)),
            None => Command::new(program),
        };
        let home = self.path().join("home");
        fs::create_dir_all(&home).unwrap();
        // A store that is not at its own place is built for in a namespace, into which the shell has to be let.
        let settings = [
            "sandbox = false",
            "sandbox-paths = /bin /usr /lib /lib64",
            "build-users-group =",
            "experimental-features = nix-command",
            "substitute = false",
        ]
        .join("\n");
        command.env("NIX_CONFIG", settings).env("HOME", home).env("XDG_CACHE_HOME", self.path().join("cache"));
        command.env("NIX_REMOTE", self.path().join("root"));
        command
    }

    /// Major and minor version.
    pub fn version(&self) -> (u32, u32) {
        let printed = self.run("nix", &["--version"]);
        let mut numbers =
            printed.trim().rsplit(' ').next().unwrap().split(['.', 'p']).map(|part| part.parse().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }

    /// Standard output of a program that has to succeed.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output: Output = self.command(program).args(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{program} {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }
}
