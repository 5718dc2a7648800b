//! The texts of the help, and the grammar of the command line with a short help that fits a screen.

use clap::CommandFactory;

use super::arguments::Arguments;

/// The four uses, at the top of the help.
pub(super) const USAGE: &str = "\
nixdive [OPTIONS] [IMAGE]          browse an image, or pick one found here
       nixdive [OPTIONS] IMAGE IMAGE...   compare two images; with more: show what they share
       nixdive --ci [OPTIONS] IMAGE       check an image against rules
       nixdive COMMAND [OPTIONS]          rebuild, copy, report and more: see the commands below";

/// Note at the end of `-h`.
pub(super) const AFTER_SHORT_HELP: &str = "\
IMAGE is a file, a directory, `-` for standard input, docker://NAME, podman:NAME, a store path or .#PACKAGE. \
See --help for all options and kinds of images, and nixdive COMMAND -h for a command.

Exit codes: 0 success, 1 a rule failed, 2 error";

/// Notes at the end of `--help`.
pub(super) const AFTER_LONG_HELP: &str = "\
Images: docker-archive, OCI layout or archive, or skopeo directory, plain or compressed. The format is detected from the \
content; `-` is standard input. To force it: docker-archive:FILE[:REFERENCE], oci:DIRECTORY[:REFERENCE], \
oci-archive:FILE[:REFERENCE], dir:DIRECTORY, rootfs:DIRECTORY, nix:FILE. Registries and engines: docker://NAME, \
docker-daemon:NAME, podman:NAME, containerd:NAME, or a bare NAME. Built by Nix: nix2container's image.json, store paths, \
installables. Without an image, nixdive lists those it finds here.

Programs: only these start one: an installable (.#ATTRIBUTE, FLAKE#ATTRIBUTE, flake:DIR or flake:FLAKE), which nix \
builds; stream:SCRIPT and stream:.#ATTRIBUTE, which run a script; build and --dockerfile, which run docker, podman or \
buildah; rebuild --emit-nix --build, which runs nix; and credential helpers named in your own docker or podman \
configuration. References in rule files, Compose and Kubernetes files never start one. --no-exec, or NIXDIVE_NO_EXEC=1, \
forbids all programs.

Environment: NIXDIVE_LOG sets the log level (off, error, warn, info, debug, trace), or levels by target \
(registry=trace,cache=debug); NIXDIVE_LOG_FILE names a file to append the log to.

Exit codes: 0 success, 1 a rule failed, 2 error, 128+N interrupted by signal N";

/// Subcommands as the help groups them.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Look into an image", &["inspect", "ls", "cat", "extract", "why", "sbom"]),
    ("Compare and check", &["compare", "share", "ci"]),
    ("Write an image", &["rebuild", "build", "copy", "index"]),
    ("More", &["tags", "cache", "completions", "man"]),
];

/// Options of browsing that `-h` lists; `--help` lists all of them.
const IMPORTANT: [&str; 11] = [
    "platform",
    "offline",
    "no_exec",
    "ci",
    "rules",
    "baseline",
    "max_size",
    "semantic",
    "dockerfile",
    "json",
    "verbose",
];

/// Returns the command line's grammar.
pub fn command() -> clap::Command {
    Arguments::command().mut_args(|argument| {
        let is_short = argument.is_positional() || IMPORTANT.contains(&argument.get_id().as_str());
        argument.hide_short_help(!is_short)
    })
}

/// Returns the grammar with a short help that fits a screen: subcommands in groups, and the important options. `--help`
/// keeps all options under their headings.
pub fn command_with_short_help() -> clap::Command {
    let command = command();
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}Options:\n{{options}}{{after-help}}",
        groups(&command)
    );
    command.help_template(template)
}

/// Describes the subcommands, a heading for each group.
fn groups(command: &clap::Command) -> String {
    let mut text = String::new();
    for (heading, names) in GROUPS {
        text.push_str(&format!("{heading}:\n"));
        for name in names {
            let about = command.find_subcommand(name).and_then(clap::Command::get_about);
            text.push_str(&format!("  {name:<12} {}\n", about.map(ToString::to_string).unwrap_or_default()));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{GROUPS, IMPORTANT, command, command_with_short_help};

    #[test]
    fn the_grammar_of_the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn short_help_fits_a_screen_and_names_every_subcommand_once() {
        let help = command_with_short_help().term_width(100).render_help().to_string();
        assert!(help.lines().count() <= 60, "{} lines:\n{help}", help.lines().count());
        let grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let command = command();
        for subcommand in command.get_subcommands() {
            assert_eq!(grouped.iter().filter(|name| **name == subcommand.get_name()).count(), 1, "{subcommand}");
        }
        for option in IMPORTANT {
            assert!(command.get_arguments().any(|argument| argument.get_id() == option), "{option}");
        }
    }

    #[test]
    fn long_help_lists_every_option() {
        let mut command = command().term_width(100);
        let help = command.render_long_help().to_string();
        for option in command.get_arguments().filter_map(|argument| argument.get_long()) {
            assert!(help.contains(&format!("--{option}")), "{option}");
        }
    }
}
