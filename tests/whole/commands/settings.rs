//! The configuration file, for commands that do not use it.

use crate::support::program::{nixdive, run_command};

const SAMPLE: &str = "embedded:sample";

#[test]
fn a_mistake_in_the_configuration_is_an_error_of_every_command() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("nixdive")).unwrap();
    std::fs::write(directory.path().join("nixdive/config.toml"), "theme = \"dark\"\nnonsense = 1\n").unwrap();
    let with_settings =
        |command: &[&str]| run_command(nixdive().env("XDG_CONFIG_HOME", directory.path()).args(command));
    for command in [&["inspect", SAMPLE][..], &["ls", SAMPLE], &["ci", SAMPLE], &["rebuild", SAMPLE]] {
        let message = with_settings(command).refused();
        assert!(message.contains("config.toml:2: unknown setting `nonsense`"), "{command:?}: {message}");
    }
    // A broken file must not keep anyone from getting a new one.
    for command in [&["--print-config"][..], &["completions", "bash"], &["man"]] {
        assert_eq!(with_settings(command).code, Some(0), "{command:?}");
    }
}
